//! Round trips, bounds, and what does not decode.

use proptest::prelude::*;

use super::sample;
use crate::calendar::{BillingPeriod, LocalDay};
use crate::codec::{Bounded, CodecError, Text, decode, decode_prefix, encode};
use crate::envelope::{SignedTransaction, Submission};
use crate::header::{Header, ValidatorSet};
use crate::key::{PublicKey, SignatureKind};
use crate::merkle::Frontier;
use crate::reading::{DayPayload, Quality, ReadingPayload};
use crate::receipt::Receipt;

#[test]
fn every_byte_counts() {
    assert_eq!(decode::<u16>(&[1, 2]), Ok(0x0201));
    let trailing = CodecError::TrailingBytes { bytes: 2, type_name: "u16" };
    assert_eq!(decode::<u16>(&[1, 2, 3, 4]), Err(trailing));
    assert_eq!(decode::<u16>(&[1]), Err(CodecError::UnexpectedEnd { type_name: "u16" }));
    assert_eq!(decode_prefix::<u16>(&[1, 2, 3]), Ok((0x0201, &[3][..])));
}

#[test]
fn a_list_is_measured_before_it_is_read() {
    type Bytes = Bounded<u8, 4>;
    type Numbers = Bounded<u32, 4>;
    // The claim alone is refused: none of the bytes it speaks of are there.
    let claim = u32::MAX.to_le_bytes();
    let too_long = CodecError::TooLong { length: u32::MAX as usize, maximum: 4 };
    assert_eq!(decode::<Bytes>(&claim), Err(too_long.clone()));
    assert_eq!(decode::<Numbers>(&claim), Err(too_long.clone()));
    assert_eq!(decode::<Bounded<Bytes, 9>>(&[[1, 0, 0, 0], claim].concat()), Err(too_long));
    assert!(matches!(decode::<Text<4>>(&claim), Err(CodecError::TooLong { .. })));
    // A claim within the bound ends where the input does.
    let short = [&100_000_u32.to_le_bytes()[..], &[1; 50]].concat();
    assert!(matches!(
        decode::<Bounded<u8, 1_000_000>>(&short),
        Err(CodecError::UnexpectedEnd { .. })
    ));
    assert!(matches!(
        decode::<Bounded<u32, 1_000_000>>(&short),
        Err(CodecError::UnexpectedEnd { .. })
    ));
    // More than one step of memory, byte by byte the same.
    let long: Bounded<u8, 100_000> =
        (0..100_000_u32).map(|n| n as u8).collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(decode(&encode(&long)), Ok(long));

    assert!(Bytes::try_from(vec![0; 5]).is_err());
    let mut full = Bytes::try_from(vec![0; 4]).unwrap();
    assert!(full.push(0).is_err());
    assert_eq!(full.len(), 4);
}

#[test]
fn text_is_plain() {
    for (text, valid) in
        [("", true), ("Käthe", true), ("a\nb", false), ("\u{7f}", false), ("1234567", false)]
    {
        assert_eq!(Text::<6>::new(text).is_ok(), valid, "{text:?}");
        assert_eq!(decode::<Text<6>>(&encode(text)).is_ok(), valid, "{text:?}");
    }
    assert!(decode::<Text<6>>(&encode(&vec![0xff_u8])).is_err());
}

#[test]
fn unknown_numbers_are_refused() {
    for number in 0..=u8::MAX {
        let known = decode::<SignatureKind>(&[number]).is_ok();
        assert_eq!(known, number == 1);
        let known = decode::<Quality>(&[number]).is_ok();
        assert_eq!(known, b"AESF".contains(&number));
        // Month 1, quarter 1 …: kind, year 2016, part 1; kinds 0, 4 and 5 have other lengths.
        let known = decode::<BillingPeriod>(&[number, 0xe0, 0x07, 1]).is_ok();
        assert_eq!(known, (1..=3).contains(&number));
    }
    let mut key = encode(&sample::key(1).public());
    key[0] = 2;
    assert!(decode::<PublicKey>(&key).is_err());
}

#[test]
fn values_out_of_range_are_refused() {
    assert!(decode::<LocalDay>(&encode(&LocalDay::MAX)).is_ok());
    assert!(decode::<LocalDay>(&encode(&(LocalDay::MAX.get() + 1))).is_err());
    assert!(decode::<LocalDay>(&encode(&-2_i32)).is_err());
    let nobody: Bounded<PublicKey, 128> = Bounded::new();
    assert!(decode::<ValidatorSet>(&encode(&nobody)).is_err());
    let twice = vec![sample::key(1).public(); 2];
    assert!(decode::<ValidatorSet>(&encode(&twice)).is_err());
    let many: Vec<_> = (0..129_u8).map(|n| PublicKey::ed25519([n; 32])).collect();
    assert!(ValidatorSet::new(many.clone()).is_err());
    assert!(ValidatorSet::new(many[..128].to_vec()).is_ok());
    // Two leaves have one peak.
    assert!(decode::<Frontier>(&encode(&(2_u64, vec![[0_u8; 32]; 2]))).is_err());
    assert!(decode::<Frontier>(&encode(&(3_u64, vec![[0_u8; 32]; 2]))).is_ok());
}

/// What decodes encodes to the same bytes again: there is no second encoding of anything.
fn is_canonical_or_refused<T>(bytes: &[u8]) -> bool
where
    T: borsh::BorshSerialize + borsh::BorshDeserialize,
{
    decode::<T>(bytes).map_or(true, |value| encode(&value) == bytes)
}

proptest! {
    #[test]
    fn a_changed_byte_makes_another_value_or_none(
        place in any::<prop::sample::Index>(),
        change in 1..=u8::MAX,
    ) {
        let submission = Submission {
            transaction: sample::transaction(),
            payload: encode(&sample::day_payload()).try_into().unwrap(),
        };
        let set = sample::validators(1..=4);
        type Check = fn(&[u8]) -> bool;
        let samples: [(Vec<u8>, Check); 5] = [
            (encode(&submission), is_canonical_or_refused::<Submission>),
            (encode(&sample::header(5, &set)), is_canonical_or_refused::<Header>),
            (encode(&sample::receipt(3)), is_canonical_or_refused::<Receipt>),
            (encode(&sample::day_payload()), is_canonical_or_refused::<DayPayload>),
            (encode(&set), is_canonical_or_refused::<ValidatorSet>),
        ];
        for (mut bytes, canonical_or_refused) in samples {
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            prop_assert!(canonical_or_refused(&bytes), "byte {place} changed by {change}");
            // Looking for the id alone takes and refuses what decoding does.
            let decoded = decode_prefix::<Submission>(&bytes).map(|(it, rest)| (it.transaction.id(), rest));
            prop_assert_eq!(Submission::id_in(&bytes).ok(), decoded.ok());
        }
    }

    #[test]
    fn arbitrary_bytes_are_one_value_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(is_canonical_or_refused::<SignedTransaction>(&bytes));
        prop_assert!(is_canonical_or_refused::<DayPayload>(&bytes));
        prop_assert!(is_canonical_or_refused::<ReadingPayload>(&bytes));
        prop_assert!(is_canonical_or_refused::<BillingPeriod>(&bytes));
        prop_assert!(is_canonical_or_refused::<Frontier>(&bytes));
        prop_assert!(is_canonical_or_refused::<Bounded<Text<8>, 3>>(&bytes));
    }
}
