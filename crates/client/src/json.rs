//! How values look in our JSON: 64-bit numbers as decimal strings, ids and keys as their text, bytes
//! as base64url. One value has one text; another text of the same value is refused.

use std::fmt::Display;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value written as the string that `Display` gives and `FromStr` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written<T>(pub T);

impl<T: Display> Serialize for Written<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display> + Display> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = text.parse::<T>().map_err(|error| D::Error::custom(quoted(&text, &error)))?;
        let canonical = value.to_string();
        if canonical != text {
            return Err(D::Error::custom(quoted(&text, &format!("write it as \"{canonical}\""))));
        }
        Ok(Self(value))
    }
}

fn quoted(text: &str, reason: &dyn Display) -> String {
    let shown: String = text.chars().take(80).collect();
    format!("\"{shown}\": {reason}")
}

/// Bytes written as base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64URL_NOPAD.decode(text.as_bytes()).map(Self).map_err(D::Error::custom)
    }
}

/// Each value of a list in its written form.
pub(crate) fn written<T: Copy>(values: &[T]) -> Vec<Written<T>> {
    values.iter().map(|value| Written(*value)).collect()
}

/// Each value of a list out of its written form.
pub(crate) fn unwritten<T>(values: Vec<Written<T>>) -> Vec<T> {
    values.into_iter().map(|value| value.0).collect()
}
