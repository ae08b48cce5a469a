//! Every decoder that reads what a peer or a client sent, on bytes changed at random: no panic, and
//! what decodes is the only encoding of what it says.
//!
//! The corpus is the golden files and one block. Each target has thirty seconds;
//! `GRIDTALLY_FUZZ_SECONDS=600 cargo test -p consensus-bft hostile_bytes` gives each ten minutes.

use std::time::{Duration, Instant};

use client::genesis_file;
use commonware_codec::{Decode, Encode};
use consensus_bft::OrderedBlock;
use consensus_bft::gossip::Batch;
use consensus_bft::private_channel::Message;
use contracts::{Body, Event, Rules};
use ledger::{CheckedTransaction, PayloadKey};
use primitives::calendar::LocalDay;
use primitives::codec;
use primitives::header::{Certificate, Header, ValidatorSet};
use primitives::identifier::{TransactionId, UsagePointId};
use primitives::receipt::Receipt;

use crate::{block, context, header, proposal_signed_by_three, submission, validators};

const TRANSACTIONS: &str = include_str!("../../../contracts/golden/transactions.txt");
const PAYLOADS: &str = include_str!("../../../contracts/golden/payloads.txt");
const EVENTS: &str = include_str!("../../../contracts/golden/events.txt");

/// Numbers that look random and are the same in each run: a failure comes again.
struct Numbers(u64);

impl Numbers {
    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }

    /// One to four changes: bits, bytes that count lengths, cuts, pieces of itself or of another.
    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        const EDGES: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
        for _ in 0..=self.below(4) {
            let (place, end) = (self.below(bytes.len()), self.below(bytes.len() + 1));
            match self.below(6) {
                0 if !bytes.is_empty() => bytes[place] ^= 1 << self.below(8),
                1 if !bytes.is_empty() => bytes[place] = EDGES[self.below(EDGES.len())],
                2 => bytes.truncate(end),
                3 => {
                    let piece = bytes[place.min(end)..end].to_vec();
                    bytes.splice(place..place, piece);
                }
                4 => drop(bytes.drain(place.min(end)..end)),
                _ => {
                    let from = self.below(other.len());
                    let until = (from + self.below(32)).min(other.len());
                    bytes.splice(place..place, other[from..until].iter().copied());
                }
            }
        }
    }
}

/// Feeds a target with the corpus as it is, each of which it takes, and with changed bytes until the
/// time is over. `take` says whether it took the bytes.
fn feed(what: &str, corpus: &[Vec<u8>], mut take: impl FnMut(&[u8]) -> bool) {
    for bytes in corpus {
        assert!(take(bytes), "{what}: the corpus itself is refused");
    }
    let seconds = std::env::var("GRIDTALLY_FUZZ_SECONDS")
        .map_or(30, |seconds| seconds.parse().expect("a number of seconds"));
    let (end, mut numbers) = (Instant::now() + Duration::from_secs(seconds), Numbers(1));
    let (mut count, mut taken) = (0_u64, 0_u64);
    while count < 1_000 || Instant::now() < end {
        let mut bytes = corpus[numbers.below(corpus.len())].clone();
        let other = &corpus[numbers.below(corpus.len())];
        numbers.change(&mut bytes, other);
        taken += u64::from(take(&bytes));
        count += 1;
    }
    println!("{what}: {count} inputs, {taken} of them taken");
    assert!(taken < count, "{what}: nothing was refused");
}

/// Is it one value's only encoding? False when it does not decode.
fn is_canonical<T: borsh::BorshSerialize + borsh::BorshDeserialize>(bytes: &[u8]) -> bool {
    let Ok(value) = codec::decode::<T>(bytes) else { return false };
    assert_eq!(codec::encode(&value), bytes, "two encodings of one value");
    true
}

/// Number and bytes of each line `201 SubmitReading = fa00…`.
fn lines(golden: &str) -> impl Iterator<Item = (u16, Vec<u8>)> + '_ {
    golden.lines().filter_map(|line| {
        let (name, hex) = line.split_once(" = ")?;
        let number = name.split(' ').next()?.parse().ok()?;
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        Some((number, digits.map(byte).collect::<Option<_>>()?))
    })
}

fn rules() -> Rules {
    Rules::new(crate::nodes::genesis(contracts::genesis::DEFAULT_EPOCH_BLOCKS)).expect("a genesis")
}

#[test]
fn blocks_and_what_peers_pass_on() {
    let set = validators(4);
    let sealed = block().encode().to_vec();
    let empty = OrderedBlock::seal_unchecked(
        &ledger::Block { header: header(&set), submissions: codec::Bounded::default() },
        context(&set),
    );
    feed("blocks", &[sealed, empty.encode().to_vec()], |bytes| {
        let Ok(block) = OrderedBlock::decode_cfg(bytes.to_vec(), &()) else { return false };
        assert_eq!(block.encode(), bytes, "two encodings of one block");
        let submissions = block.to_block().submissions;
        let ids: Vec<_> = submissions.iter().map(|one| one.transaction.id()).collect();
        assert_eq!(block.ids().collect::<Vec<_>>(), ids);
        true
    });
    let rules = rules();
    let batch: Batch = vec![submission(), submission()].try_into().unwrap();
    feed("passed on", &[codec::encode(&batch)], |bytes| {
        let Ok(batch) = codec::decode::<Batch>(bytes) else { return false };
        assert_eq!(codec::encode(&batch), bytes, "two encodings of one batch");
        for submission in batch {
            // Nothing of the corpus is signed for this ledger.
            assert!(CheckedTransaction::check(submission, &rules).is_err());
        }
        true
    });
}

#[test]
fn questions_and_answers_of_a_private_ledger() {
    let mut numbers = Numbers(7);
    let mut key = || PayloadKey {
        usage_point: UsagePointId::new(numbers.bytes()),
        day: LocalDay::new(20_000).unwrap(),
        transaction: TransactionId::new(numbers.bytes()),
    };
    let question = Message::Question(vec![key(), key()].try_into().unwrap());
    let (_, payload) = lines(PAYLOADS).next().unwrap();
    let answer = Message::Answer(vec![(key(), payload.try_into().unwrap())].try_into().unwrap());
    let corpus = [codec::encode(&question), codec::encode(&answer)];
    feed("private payloads", &corpus, is_canonical::<Message>);
}

#[test]
fn headers_and_certificates() {
    let set = validators(4);
    let (header, certificate) = (header(&set), proposal_signed_by_three(&set));
    feed("headers", &[codec::encode(&header)], is_canonical::<Header>);
    feed("sets of validators", &[codec::encode(&set)], is_canonical::<ValidatorSet>);
    assert_eq!(certificate.verify(&header, &set), Ok(()));
    let whole = codec::encode(&certificate);
    feed("certificates", std::slice::from_ref(&whole), |bytes| {
        if !is_canonical::<Certificate>(bytes) {
            return false;
        }
        let other: Certificate = codec::decode(bytes).unwrap();
        assert!(other.verify(&header, &set).is_err() || bytes == whole, "a forged certificate");
        true
    });
}

#[test]
fn bodies_payloads_and_events() {
    let rules = rules();
    let payloads: Vec<_> = lines(PAYLOADS).collect();
    let mut corpus = Vec::new();
    for (kind, body) in lines(TRANSACTIONS) {
        let payload = payloads.iter().find(|(of, _)| *of == kind).map(|(_, it)| it.clone());
        let (length, payload) = ((body.len() as u16).to_le_bytes(), payload.unwrap_or_default());
        corpus.push([&kind.to_le_bytes()[..], &length, &body, &payload].concat());
    }
    feed("bodies and payloads", &corpus, |bytes| {
        let [k, i, l, e, rest @ ..] = bytes else { return false };
        let (kind, length) = (u16::from_le_bytes([*k, *i]), u16::from_le_bytes([*l, *e]));
        let Some((body, payload)) = rest.split_at_checked(length.into()) else { return false };
        let Ok(decoded) = Body::decode(kind, body) else { return false };
        // What is wrong with it does not matter here; that it is said does.
        let _ = decoded.check(payload, &rules);
        true
    });
    let events: Vec<_> = lines(EVENTS).map(|(_, bytes)| bytes).collect();
    feed("events", &events, is_canonical::<Event>);
    let receipt = Receipt {
        transaction: submission().transaction.id(),
        code: 0,
        events: vec![events[0].clone().try_into().unwrap()].try_into().unwrap(),
    };
    feed("receipts", &[codec::encode(&receipt)], is_canonical::<Receipt>);
}

#[test]
fn genesis_files() {
    let text =
        genesis_file::to_json(&crate::nodes::genesis(contracts::genesis::DEFAULT_EPOCH_BLOCKS))
            .unwrap();
    feed("genesis files", &[text.into_bytes()], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return false };
        genesis_file::from_json(text).is_ok_and(|genesis| {
            let _ = Rules::new(genesis);
            true
        })
    });
}
