//! A column of whole numbers, made small: differences, zigzag, varint and runs.
//!
//! A load curve changes little from slot to slot, a column without export not at all. A column is a
//! row of steps. Each step says by how much the number changes, and how often it changes by just
//! that; the first change is from 0. An empty column is no bytes at all.
//!
//! Rule: one column has one encoding. Runs are as long as they can be, numbers as short as they can
//! be, and every number on the way lies in `u64`; the decoder refuses everything else.

use crate::codec::CodecError;

/// A varint carries at most this many bytes: 66 bits, seven to a byte.
const MAX_VARINT_BYTES: usize = 10;

/// The bytes of `numbers`.
///
/// A step is the varint of `zigzag(change) · 2 + r`; when r is 1 the varint of `run − 2` follows,
/// where `run` ≥ 2 is how many numbers in a row change alike; when r is 0 there is one.
#[must_use]
pub fn encode_column(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut previous = 0;
    let mut changes = numbers
        .iter()
        .map(|&number| {
            let change = i128::from(number) - i128::from(previous);
            previous = number;
            change
        })
        .peekable();
    while let Some(change) = changes.next() {
        let mut run = 1_u64;
        while changes.next_if_eq(&change).is_some() {
            run += 1;
        }
        let step = zigzag(change) << 1;
        if run == 1 {
            write_varint(step, &mut bytes);
        } else {
            write_varint(step | 1, &mut bytes);
            write_varint(u128::from(run - 2), &mut bytes);
        }
    }
    bytes
}

/// The numbers whose bytes are exactly `bytes`, at most `max` of them.
///
/// # Errors
/// [`CodecError`] when there are more than `max`, a number leaves `u64`, or the bytes are not the
/// one encoding of the column.
pub fn decode_column(bytes: &[u8], max: usize) -> Result<Vec<u64>, CodecError> {
    let mut numbers = Vec::new();
    let mut rest = bytes;
    let mut number = 0_u64;
    let mut earlier_change = None;
    while !rest.is_empty() {
        let step = read_varint(&mut rest)?;
        let change = unzigzag(step >> 1);
        if earlier_change == Some(change) {
            return Err(CodecError::invalid("column with a run that is cut in two"));
        }
        earlier_change = Some(change);
        let run = if step & 1 == 0 { 1 } else { read_varint(&mut rest)?.saturating_add(2) };
        if run > (max - numbers.len()) as u128 {
            let length = usize::try_from(run).unwrap_or(usize::MAX).saturating_add(numbers.len());
            return Err(CodecError::TooLong { length, maximum: max });
        }
        for _ in 0..run {
            number = u64::try_from(i128::from(number) + change)
                .map_err(|_| CodecError::invalid("column with a number outside u64"))?;
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// 0, −1, 1, −2, 2 … become 0, 1, 2, 3, 4 …
const fn zigzag(change: i128) -> u128 {
    ((change << 1) ^ (change >> 127)) as u128
}

const fn unzigzag(number: u128) -> i128 {
    (number >> 1) as i128 ^ -((number & 1) as i128)
}

/// Unsigned LEB128: seven bits to a byte, the low ones first, the high bit set on all but the last.
pub(crate) fn write_varint(mut number: u128, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a varint off the front; refuses one that is cut off, too long or not the shortest.
fn read_varint(rest: &mut &[u8]) -> Result<u128, CodecError> {
    let mut number = 0;
    for place in 0..MAX_VARINT_BYTES {
        let Some((&byte, tail)) = rest.split_first() else {
            return Err(CodecError::UnexpectedEnd { type_name: "column" });
        };
        *rest = tail;
        number |= u128::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            if byte == 0 && place > 0 {
                return Err(CodecError::invalid("column with a number that is padded"));
            }
            return Ok(number);
        }
    }
    Err(CodecError::invalid("column with a number of more than ten bytes"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_bytes() {
        let cases: [(&[u64], &[u8]); 8] = [
            (&[], &[]),
            (&[0], &[0x00]),
            (&[0, 0], &[0x01, 0x00]),
            (&[0; 96], &[0x01, 94]),
            (&[1], &[0x04]),
            (&[1, 0], &[0x04, 0x02]),
            (&[10, 20, 30, 31], &[41, 0x01, 0x04]),
            (
                &[u64::MAX, 0],
                &[
                    // zigzag(2⁶⁴ − 1)·2 = 2⁶⁶ − 4, then zigzag(1 − 2⁶⁴)·2 = 2⁶⁶ − 6.
                    0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07, //
                    0xfa, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07,
                ],
            ),
        ];
        for (numbers, bytes) in cases {
            assert_eq!(encode_column(numbers), bytes, "{numbers:?}");
            assert_eq!(decode_column(bytes, numbers.len()).as_deref(), Ok(numbers));
        }
    }

    #[test]
    fn second_encodings_are_refused() {
        let cases: [(&str, &[u8]); 8] = [
            ("padded number", &[0x80, 0x00]),
            ("run cut in two", &[0x04, 0x04]),
            ("run cut in two runs", &[0x01, 0x00, 0x01, 0x00]),
            ("run length missing", &[0x01]),
            ("cut off", &[0x80]),
            ("below zero", &[0x02]),
            ("too long", &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
            ("above u64", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00]),
        ];
        for (what, bytes) in cases {
            assert!(decode_column(bytes, 100).is_err(), "{what}");
        }
        let too_many = CodecError::TooLong { length: 96, maximum: 95 };
        assert_eq!(decode_column(&[0x01, 94], 95), Err(too_many));
        // A run of 2⁶⁰ costs no memory.
        let mut huge = vec![0x01];
        write_varint(1 << 60, &mut huge);
        assert!(decode_column(&huge, 100).is_err());
        assert!(decode_column(&[0x00], 0).is_err());
    }

    proptest! {
        #[test]
        fn there_and_back(numbers in prop::collection::vec(
            prop_oneof![0..4_u64, any::<u64>(), Just(u64::MAX)], 0..120,
        )) {
            prop_assert_eq!(decode_column(&encode_column(&numbers), numbers.len()), Ok(numbers));
        }

        #[test]
        fn what_decodes_is_canonical(bytes in prop::collection::vec(
            prop_oneof![0..6_u8, any::<u8>()], 0..24,
        )) {
            if let Ok(numbers) = decode_column(&bytes, 1_000) {
                prop_assert_eq!(encode_column(&numbers), bytes);
            }
        }
    }
}
