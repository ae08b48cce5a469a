//! The one canonical encoding: borsh, little endian, decoded strictly.
//!
//! One value has one encoding and every byte of it counts: trailing bytes, unknown enum numbers,
//! values out of range and lists longer than their bound are refused. Lists carry their bound in
//! the type ([`Bounded`], [`Text`]), and a length is checked against it before anything is
//! allocated, so a few hostile bytes never cost more memory than they are long.

use std::any::type_name;
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use borsh::io::{Error, ErrorKind, Read, Result as IoResult, Write};
use borsh::{BorshDeserialize, BorshSerialize};

/// Bytes that are not the canonical encoding of the type they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ends before the value does.
    #[error("input ends inside {type_name}")]
    UnexpectedEnd {
        /// The type that was being decoded.
        type_name: &'static str,
    },
    /// The value is complete and bytes are left over.
    #[error("{bytes} bytes follow the end of {type_name}")]
    TrailingBytes {
        /// How many bytes are left over.
        bytes: usize,
        /// The type that was being decoded.
        type_name: &'static str,
    },
    /// A list or text is longer than its bound.
    #[error("list of {length} items, at most {maximum} are allowed")]
    TooLong {
        /// The length that the input claims.
        length: usize,
        /// The bound of the type.
        maximum: usize,
    },
    /// A value that the type does not have: out of range, unknown number, not canonical.
    #[error("{reason}")]
    Invalid {
        /// What is wrong, as a fragment of a sentence.
        reason: String,
    },
}

impl CodecError {
    /// The error for a value that the type does not have.
    pub fn invalid(reason: impl fmt::Display) -> Self {
        Self::Invalid { reason: reason.to_string() }
    }
}

/// For decoders written by hand: the I/O error that carries `reason` out through borsh.
pub fn invalid(reason: impl fmt::Display) -> Error {
    refuse(CodecError::invalid(reason))
}

/// For decoders written by hand: the I/O error that carries `error` out through borsh.
pub fn refuse(error: CodecError) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}

/// The canonical bytes of `value`.
///
/// # Panics
/// Never for the types of this workspace: memory does not fail, and every list is bounded far below
/// the 2³² items that borsh can count.
#[must_use]
pub fn encode<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory cannot fail and every list is bounded")
}

/// Appends the canonical bytes of `value`.
///
/// # Panics
/// Never, as [`encode`].
pub fn append<T: BorshSerialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) {
    value.serialize(bytes).expect("writing to memory cannot fail and every list is bounded");
}

/// The value whose canonical bytes are exactly `bytes`.
///
/// # Errors
/// [`CodecError`] when the bytes are too short, too long or hold a value the type does not have.
pub fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, CodecError> {
    let (value, rest) = decode_prefix(bytes)?;
    if !rest.is_empty() {
        return Err(CodecError::TrailingBytes { bytes: rest.len(), type_name: type_name::<T>() });
    }
    Ok(value)
}

/// The value at the start of `bytes` and what follows it, for formats that put values in a row.
///
/// # Errors
/// [`CodecError`] as for [`decode`], without the one for trailing bytes.
pub fn decode_prefix<T: BorshDeserialize>(bytes: &[u8]) -> Result<(T, &[u8]), CodecError> {
    let mut rest = bytes;
    match T::deserialize(&mut rest) {
        Ok(value) => Ok((value, rest)),
        Err(error) => Err(from_io(&error, type_name::<T>())),
    }
}

/// Gets our own error back out of the I/O error that borsh hands through.
fn from_io(error: &Error, type_name: &'static str) -> CodecError {
    // borsh itself has no kind for a short input, only this text.
    const BORSH_END: &str = "Unexpected length of input";
    if let Some(ours) = error.get_ref().and_then(|inner| inner.downcast_ref::<CodecError>()) {
        return ours.clone();
    }
    let text = error.to_string();
    if error.kind() == ErrorKind::UnexpectedEof || text == BORSH_END {
        return CodecError::UnexpectedEnd { type_name };
    }
    CodecError::Invalid { reason: text }
}

/// A list of at most `MAX` items. Bytes: length `u32`, then the items.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Bounded<T, MAX> {
    /// The largest number of items.
    pub const MAX: usize = MAX;

    /// The empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The items.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The items, owned.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }

    /// Appends an item.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] when the list is full; the item is dropped.
    pub fn push(&mut self, item: T) -> Result<(), CodecError> {
        check_length::<MAX>(self.0.len().saturating_add(1))?;
        self.0.push(item);
        Ok(())
    }
}

fn check_length<const MAX: usize>(length: usize) -> Result<(), CodecError> {
    if length > MAX {
        return Err(CodecError::TooLong { length, maximum: MAX });
    }
    Ok(())
}

impl<T, const MAX: usize> TryFrom<Vec<T>> for Bounded<T, MAX> {
    type Error = CodecError;

    fn try_from(items: Vec<T>) -> Result<Self, CodecError> {
        check_length::<MAX>(items.len())?;
        Ok(Self(items))
    }
}

impl<T: Clone, const MAX: usize> TryFrom<&[T]> for Bounded<T, MAX> {
    type Error = CodecError;

    fn try_from(items: &[T]) -> Result<Self, CodecError> {
        check_length::<MAX>(items.len())?;
        Ok(Self(items.to_vec()))
    }
}

impl<T, const MAX: usize> Default for Bounded<T, MAX> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const MAX: usize> Deref for Bounded<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> AsRef<[T]> for Bounded<T, MAX> {
    fn as_ref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> IntoIterator for Bounded<T, MAX> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T, const MAX: usize> IntoIterator for &'a Bounded<T, MAX> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: BorshSerialize, const MAX: usize> BorshSerialize for Bounded<T, MAX> {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        self.0.serialize(writer)
    }
}

impl<T: BorshDeserialize, const MAX: usize> BorshDeserialize for Bounded<T, MAX> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        /// Memory is asked for in steps of this many bytes, as the input proves that it is there.
        const STEP: usize = 16 * 1024;

        let count = u32::deserialize_reader(reader)?;
        let length = usize::try_from(count).unwrap_or(usize::MAX);
        check_length::<MAX>(length).map_err(refuse)?;
        // Bytes come in blocks; every other type answers `None` and is read item by item.
        let first = count.min(STEP as u32);
        let mut items = match T::vec_from_reader(first, reader)? {
            Some(bytes) => bytes,
            None => Vec::with_capacity(length.min(STEP / size_of::<T>().max(1))),
        };
        while items.len() < length {
            let missing = (length - items.len()).min(STEP) as u32;
            match T::vec_from_reader(missing, reader)? {
                Some(mut bytes) => items.append(&mut bytes),
                None => items.push(T::deserialize_reader(reader)?),
            }
        }
        Ok(Self(items))
    }
}

/// UTF-8 text of at most `MAX` bytes without control characters. Bytes: length `u32`, then UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// Checks and keeps `text`.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] above `MAX` bytes, [`CodecError::Invalid`] with a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, CodecError> {
        let text = text.into();
        check_length::<MAX>(text.len())?;
        if text.chars().any(char::is_control) {
            return Err(CodecError::invalid("text with a control character"));
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<&str> for Text<MAX> {
    type Error = CodecError;

    fn try_from(text: &str) -> Result<Self, CodecError> {
        Self::new(text)
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = CodecError;

    fn try_from(text: String) -> Result<Self, CodecError> {
        Self::new(text)
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = CodecError;

    fn from_str(text: &str) -> Result<Self, CodecError> {
        Self::new(text)
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> Borrow<str> for Text<MAX> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> BorshSerialize for Text<MAX> {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        self.0.serialize(writer)
    }
}

impl<const MAX: usize> BorshDeserialize for Text<MAX> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let bytes = Bounded::<u8, MAX>::deserialize_reader(reader)?.into_vec();
        let text = String::from_utf8(bytes).map_err(|_| invalid("text that is not UTF-8"))?;
        Self::new(text).map_err(refuse)
    }
}
