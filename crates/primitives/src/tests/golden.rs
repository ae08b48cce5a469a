//! Files of `name = hexadecimal bytes` that pin what goes over the wire, to the disk and into a hash.
//!
//! `GRIDTALLY_GOLDEN=write cargo test -p primitives` writes them anew; the difference is then a
//! decision to look at, never a side effect.

use std::fmt::Write as _;
use std::path::Path;

use data_encoding::HEXLOWER;

use super::sample::{self, PERIOD};
use crate::calendar::{BillingPeriod, GridZone, LocalDay};
use crate::codec::encode;
use crate::column::encode_column;
use crate::envelope::{Submission, transactions_root};
use crate::hash::{Hash, tag};
use crate::header::{Certificate, next_state_root, vote_message};
use crate::merkle::{Frontier, MerkleTree, leaf_hash};
use crate::reading::{ReadingPayload, frequency_leaf, salt};
use crate::receipt::{block_leaf, receipts_tree};
use crate::units::{
    BasisPoints, BlockHeight, MicroCurrency, MicroPerKilowattHour, MilliHertz, MilliMicro,
    Sequence, Timestamp, WattHours, Watts,
};

type Lines = Vec<(String, Vec<u8>)>;

/// Compares with `golden/<file>`, or writes it when asked to.
pub fn compare(file: &str, lines: &[(String, Vec<u8>)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    let mut text = String::new();
    for (name, bytes) in lines {
        writeln!(text, "{name} = {}", HEXLOWER.encode(bytes)).unwrap();
    }
    if std::env::var_os("GRIDTALLY_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    for (stored, ours) in stored.lines().zip(text.lines()) {
        assert_eq!(stored, ours, "{file} differs");
    }
    assert_eq!(stored.lines().count(), lines.len(), "{file} has another number of lines");
}

fn line(name: &str, bytes: impl AsRef<[u8]>) -> (String, Vec<u8>) {
    (name.to_owned(), bytes.as_ref().to_vec())
}

fn encoded<T: borsh::BorshSerialize>(name: &str, value: &T) -> (String, Vec<u8>) {
    line(name, encode(value))
}

#[test]
fn hashes() {
    let key = sample::key(1).public();
    let set = sample::validators(1..=4);
    let mut lines: Lines =
        tag::ALL.iter().map(|tag| line(tag, Hash::of_domain(tag, &[b"data"]))).collect();
    lines.extend([
        line("sha256", Hash::of(b"data")),
        line("transaction_id", sample::transaction().id()),
        line("key_address", key.address()),
        line("validators_hash", set.hash()),
        line("header_hash", sample::header(5, &set).hash()),
        line("next_state_root", next_state_root(&Hash::ZERO, BlockHeight::new(5), &Hash::ZERO)),
        line("merkle_0", MerkleTree::from_data::<&str>([]).root()),
        line("merkle_1", MerkleTree::from_data(["a"]).root()),
        line("merkle_5", MerkleTree::from_data(["a", "b", "c", "d", "e"]).root()),
        line("transactions_root", transactions_root(&[sample::transaction().id()])),
        line("receipt_root", sample::receipt(3).root()),
        line("receipts_root", receipts_tree(&[sample::receipt(3), sample::receipt(1)]).root()),
        line("block_leaf", block_leaf(&receipts_tree(&[sample::receipt(3)]))),
        line("salt_0", salt(&sample::day_payload().seed, 0)),
        line("salt_95", salt(&sample::day_payload().seed, 95)),
        line("reading_leaf", {
            let reading = sample::day_payload().readings[45];
            ReadingPayload { reading, salt: [3; 32] }.leaf(sample::usage_point(), PERIOD)
        }),
        line("day_root", sample::day_payload().root(sample::usage_point(), PERIOD)),
        line("frequency_leaf", frequency_leaf(PERIOD, MilliHertz::new(49_990).unwrap())),
    ]);
    compare("hashes.txt", &lines);
}

#[test]
fn encodings() {
    let set = sample::validators(1..=4);
    let header = sample::header(5, &set);
    let solo = sample::validators(1..=1);
    let submission = Submission {
        transaction: sample::transaction(),
        payload: encode(&sample::day_payload()).try_into().unwrap(),
    };
    let tree = MerkleTree::from_data(["a", "b", "c", "d", "e"]);
    let mut frontier = Frontier::new();
    for data in ["a", "b", "c", "d", "e"] {
        frontier.append(leaf_hash(data.as_bytes()));
    }
    let lines = [
        encoded("public_key", &sample::key(1).public()),
        encoded("signature", &sample::key(1).sign_bytes(b"message")),
        encoded("envelope", &sample::transaction().envelope),
        encoded("signed_transaction", &sample::transaction()),
        encoded("submission", &submission),
        encoded("validator_set", &set),
        encoded("header", &header),
        encoded("certificate", &Certificate::solo(&sample::header(5, &solo), &sample::key(1))),
        line("vote_message", vote_message(&sample::ledger_id(), 3, 300, 299, &header.hash())),
        encoded("receipt", &sample::receipt(3)),
        encoded("event_path", &sample::receipt(3).event_path(1).unwrap()),
        encoded("multi_proof", &tree.multi_proof(&[1, 3]).unwrap()),
        encoded("frontier", &frontier),
        encoded(
            "reading_payload",
            &ReadingPayload { reading: sample::day_payload().readings[45], salt: [3; 32] },
        ),
        encoded("day_payload", &sample::day_payload()),
        line("column_flat", encode_column(&[7; 96])),
        line("column_ramp", encode_column(&[10, 20, 30, 31, 0])),
        line("column_extreme", encode_column(&[u64::MAX, 0, u64::MAX])),
    ];
    compare("encodings.txt", &lines);
}

#[test]
fn units() {
    let zone = GridZone {
        name: "Asia/Kolkata".parse().unwrap(),
        base_offset_seconds: 19_800,
        transitions: vec![(1_459_040_400, 7_200)].try_into().unwrap(),
    };
    let mut lines = vec![
        encoded("watt_hours_250", &WattHours::new(250)),
        encoded("watts_-1", &Watts::new(-1)),
        encoded("milli_hertz_49990", &MilliHertz::new(49_990).unwrap()),
        encoded("micro_currency_-6000000", &MicroCurrency::new(-6_000_000)),
        encoded("micro_per_kilowatt_hour_4000000", &MicroPerKilowattHour::new(4_000_000)),
        encoded("milli_micro_-1", &MilliMicro::new(-1)),
        encoded("basis_points_10000", &BasisPoints::MAX),
        encoded("timestamp_1464739200000", &Timestamp::new(1_464_739_200_000)),
        encoded("block_height_5", &BlockHeight::new(5)),
        encoded("sequence_7", &Sequence::new(7)),
        encoded("settlement_period_1627488", &PERIOD),
        encoded("local_day_1969-12-31", &LocalDay::MIN),
        encoded("grid_zone", &zone),
    ];
    for text in ["2016-06-01", "2016-06", "2016-Q2", "2016-H1", "2016", "2016-06-01..2016-06-14"] {
        let period: BillingPeriod = text.parse().unwrap();
        lines.push(encoded(&format!("billing_period_{text}"), &period));
    }
    compare("units.txt", &lines);
}

/// Worked out by hand from the sources of Commonware simplex 2026.10.0: the signed bytes are the
/// namespace with its length before it, then round (epoch, view), parent view and payload.
#[test]
fn a_vote_is_what_simplex_signs() {
    let ledger_id = crate::identifier::LedgerId::new([0xab; 32]);
    let by_hand = [
        "3b",                                       // 59 = 18 + 32 + 9
        "67726964 74616c6c 792f766f 74652f76 312f", // gridtally/vote/v1/
        "abababab abababab abababab abababab abababab abababab abababab abababab",
        "5f46494e 414c495a 45", // _FINALIZE
        "03",                   // epoch 3
        "ac02",                 // view 300
        "ab02",                 // parent view 299
        "cdcdcdcd cdcdcdcd cdcdcdcd cdcdcdcd cdcdcdcd cdcdcdcd cdcdcdcd cdcdcdcd",
    ];
    let by_hand = HEXLOWER.decode(by_hand.concat().replace(' ', "").as_bytes()).unwrap();
    assert_eq!(vote_message(&ledger_id, 3, 300, 299, &Hash::new([0xcd; 32])), by_hand);
}
