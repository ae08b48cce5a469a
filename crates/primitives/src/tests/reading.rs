//! Leaves, salts, roots and payload columns.

use super::sample::{self, PERIOD};
use crate::codec::{Bounded, CodecError, decode, encode};
use crate::column::encode_column;
use crate::hash::Hash;
use crate::merkle::{MerkleTree, leaf_hash};
use crate::reading::{
    DayPayload, Quality, Reading, ReadingPayload, day_root, frequency_leaf, reading_leaf, salt,
};
use crate::units::{MilliHertz, WattHours};

#[test]
fn a_leaf_is_what_the_format_says() {
    let reading = sample::day_payload().readings[45];
    let salt = [3; 32];
    let data = [
        &salt[..],
        sample::usage_point().as_bytes(),
        &PERIOD.get().to_le_bytes(),
        &95_u64.to_le_bytes(),
        &345_u64.to_le_bytes(),
        b"A",
    ]
    .concat();
    assert_eq!(reading.export_wh, WattHours::new(345));
    let reading = Reading { import_wh: WattHours::new(95), ..reading };
    assert_eq!(data.len(), 69);
    assert_eq!(reading_leaf(&salt, sample::usage_point(), PERIOD, &reading), leaf_hash(&data));
    let opened = ReadingPayload { reading, salt };
    assert_eq!(opened.leaf(sample::usage_point(), PERIOD), leaf_hash(&data));

    let frequency = MilliHertz::new(49_990).unwrap();
    let data = [PERIOD.get().to_le_bytes(), 49_990_u32.to_le_bytes()].concat();
    assert_eq!(frequency_leaf(PERIOD, frequency), leaf_hash(&data));
}

#[test]
fn a_day_is_the_tree_of_its_salted_slots() {
    let day = sample::day_payload();
    let leaves = day.readings.iter().zip(0_u32..).map(|(reading, slot)| {
        let salt = Hash::of(&[&[9; 32][..], &slot.to_le_bytes()].concat());
        reading_leaf(salt.as_bytes(), sample::usage_point(), PERIOD.offset(slot).unwrap(), reading)
    });
    let tree = MerkleTree::from_leaf_hashes(leaves.collect());
    assert_eq!(day.root(sample::usage_point(), PERIOD), tree.root());
    assert_ne!(salt(&day.seed, 0), salt(&day.seed, 1));
    let other = day_root(&day.seed, sample::usage_point(), PERIOD, &day.readings[..95]);
    assert_ne!(other, tree.root());
}

#[test]
fn a_payload_is_small_and_strict() {
    let day = sample::day_payload();
    let bytes = encode(&day);
    assert_eq!(decode(&bytes), Ok(day.clone()));
    assert!(bytes.len() < 200, "{} bytes for 96 readings", bytes.len());

    let full = DayPayload { readings: vec![day.readings[0]; 100].try_into().unwrap(), ..day };
    assert_eq!(decode(&encode(&full)), Ok(full));

    let columns = |imports: &[u64], exports: &[u64], qualities: &[u64]| {
        let column = |numbers| Bounded::<u8, 4_096>::try_from(encode_column(numbers)).unwrap();
        encode(&(column(imports), column(exports), column(qualities), [0_u8; 32]))
    };
    let actual = u64::from(Quality::Actual.letter());
    assert!(decode::<DayPayload>(&columns(&[1], &[2], &[actual])).is_ok());
    assert!(decode::<DayPayload>(&columns(&[], &[], &[])).is_ok());
    let wrong = [
        ("columns of different length", columns(&[1, 2], &[2], &[actual])),
        ("no quality", columns(&[1], &[2], &[])),
        ("unknown quality", columns(&[1], &[2], &[0])),
        ("quality beyond a byte", columns(&[1], &[2], &[actual + 256])),
        ("301 readings", columns(&[1; 301], &[2; 301], &[actual; 301])),
    ];
    for (what, bytes) in wrong {
        assert!(decode::<DayPayload>(&bytes).is_err(), "{what}");
    }
    let claim = decode::<DayPayload>(&u32::MAX.to_le_bytes());
    assert!(matches!(claim, Err(CodecError::TooLong { .. })));
}
