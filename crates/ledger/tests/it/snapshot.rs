//! Snapshots: what is made can be restored and goes on alike, and what was changed is refused.

use std::sync::Arc;

use contracts::governance::{AttestCheckpoint, RequestCheckpoint};
use ledger::layout::SealedHeader;
use ledger::snapshot::{Checkpoint, Manifest, SnapshotError, StateFile, create, restore, verify};
use ledger::store::{
    Durability, FjallOptions, FjallStore, Keyspace, MemoryStore, Scan, Store, WriteBatch,
};
use ledger::{CheckedBlock, InLine, Ledger};
use primitives::codec;
use primitives::hash::{Hash, Hasher};
use primitives::header::Certificate;
use primitives::units::BlockHeight;
use tempfile::TempDir;

use crate::kit::*;

/// A ledger with some regulators, a checkpoint that was agreed on, and blocks after it.
struct Source {
    ledger: Ledger,
    kept: TempDir,
    bytes: Vec<u8>,
    manifest: Manifest,
}

fn source() -> Source {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    let kept = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        append(&ledger, vec![appoint(&rules, number, number.into())]).unwrap();
    }
    append(&ledger, (4..=180).map(|number| rejected(&rules, number)).collect()).unwrap();
    request(&ledger, 1);
    agree(&ledger, kept.path(), 1);
    append(&ledger, vec![appoint(&rules, 4, 200), rejected(&rules, 201)]).unwrap();
    append(&ledger, Vec::new()).unwrap();
    let mut bytes = Vec::new();
    let manifest = create(&ledger.view(), kept.path(), &mut bytes, &mut |_| {}).unwrap();
    Source { ledger, kept, bytes, manifest }
}

pub fn request(ledger: &Ledger, sequence: u64) {
    let request = signed(ledger.rules(), RequestCheckpoint {}, &[&key(1)], sequence);
    assert_eq!(append(ledger, vec![request]).unwrap()[0].code, 0);
}

/// Computes the checkpoint of the newest block, attests it and closes.
pub fn agree(ledger: &Ledger, kept: &std::path::Path, sequence: u64) {
    let checkpoint = StateFile::new(kept).compute(&ledger.view(), || Ok(())).unwrap();
    let height = BlockHeight::new(checkpoint.height());
    let attest = AttestCheckpoint { height, root: checkpoint.root() };
    let attest = signed(ledger.rules(), attest, &[&validator()], sequence);
    assert_eq!(append(ledger, vec![attest]).unwrap()[0].code, 0);
    append(ledger, Vec::new()).unwrap();
}

pub fn restored(bytes: &[u8]) -> Result<(Ledger, Arc<MemoryStore>), SnapshotError> {
    let store = Arc::new(MemoryStore::new());
    let trusted = Some(genesis("test").ledger_id());
    let target: Arc<dyn Store> = Arc::clone(&store) as _;
    restore(bytes, trusted, &InLine::default(), Arc::clone(&target), &mut |_, _| {})?;
    Ok((Ledger::open(target, None)?, store))
}

pub fn verified(bytes: &[u8]) -> Result<ledger::snapshot::Verified, SnapshotError> {
    verify(bytes, Some(genesis("test").ledger_id()), &InLine::default(), &mut |_, _| {})
}

#[test]
fn a_restored_ledger_goes_on_like_the_one_it_comes_from() {
    let source = source();
    let found = verified(&source.bytes).unwrap();
    assert!(found.anchored);
    assert_eq!(found.height.get(), 5, "the block of the request");
    assert_eq!(found.root, source.manifest.checkpoint.root());
    let (ledger, _) = restored(&source.bytes).unwrap();
    assert_eq!(ledger.head(), source.ledger.head());
    assert_eq!(ledger.restored_at().unwrap(), Some(found.anchor_height));
    for height in 1..=ledger.view().height() {
        let (ours, theirs) = (ledger.view(), source.ledger.view());
        assert_eq!(ours.block(height).unwrap(), theirs.block(height).unwrap());
        assert_eq!(ours.receipts(height).unwrap(), theirs.receipts(height).unwrap());
        assert_eq!(ours.executed(height).unwrap(), theirs.executed(height).unwrap());
        for (index, receipt) in (0..).zip(theirs.receipts(height).unwrap()) {
            let position = contracts::Position { height, index };
            assert_eq!(
                ours.receipt_proof(position).unwrap(),
                theirs.receipt_proof(position).unwrap()
            );
            let known = theirs.position_of(&receipt.transaction).unwrap();
            assert_eq!(ours.position_of(&receipt.transaction).unwrap(), known);
        }
    }
    let rules = Arc::clone(ledger.rules());
    for number in 5..8 {
        let next = vec![appoint(&rules, number, 200 + u64::from(number))];
        let (block, certificate) = next_block(&source.ledger, next);
        source.ledger.append(&block, &certificate).unwrap();
        ledger.append(&block, &certificate).unwrap();
    }
    assert_eq!(ledger.head().executed, source.ledger.head().executed);
    // It is a source like any other: also of the next snapshot.
    request(&ledger, 2);
    let kept = tempfile::tempdir().unwrap();
    agree(&ledger, kept.path(), 2);
    let mut bytes = Vec::new();
    create(&ledger.view(), kept.path(), &mut bytes, &mut |_| {}).unwrap();
    assert_eq!(restored(&bytes).unwrap().0.head(), ledger.head());
}

#[test]
fn a_flipped_byte_anywhere_is_found() {
    let Source { bytes, .. } = source();
    for place in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1 << (place % 8);
        assert!(verified(&bytes).is_err(), "byte {place}");
    }
}

#[test]
fn a_part_of_a_snapshot_is_not_one() {
    let Source { bytes, .. } = source();
    for length in (0..bytes.len()).step_by(7) {
        assert!(verified(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(matches!(verified(&bytes[..bytes.len() - 1]), Err(SnapshotError::Truncated)));
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(verified(&longer), Err(SnapshotError::Damaged { .. })));
    assert!(matches!(verified(b"something else"), Err(SnapshotError::NotASnapshot)));
}

#[test]
fn another_ledger_is_refused() {
    let Source { bytes, .. } = source();
    let other = genesis("other").ledger_id();
    let found = verify(&bytes[..], Some(other), &InLine::default(), &mut |_, _| {});
    assert!(matches!(found, Err(SnapshotError::OtherLedger { .. })));
    let found = verify(&bytes[..], None, &InLine::default(), &mut |_, _| {}).unwrap();
    assert!(!found.anchored, "nobody said which ledger is wanted");
}

#[test]
fn nothing_is_made_before_a_checkpoint_is_agreed_on_and_proven() {
    let ledger = open(MemoryStore::new());
    let kept = tempfile::tempdir().unwrap();
    let attempt = || create(&ledger.view(), kept.path(), Vec::new(), &mut |_| {});
    assert!(matches!(attempt(), Err(SnapshotError::NotReady(_))));
    append(&ledger, vec![appoint(ledger.rules(), 1, 1)]).unwrap();
    request(&ledger, 1);
    assert!(matches!(attempt(), Err(SnapshotError::NotReady(_))));
    let checkpoint = StateFile::new(kept.path()).compute(&ledger.view(), || Ok(())).unwrap();
    let height = BlockHeight::new(checkpoint.height());
    let attest = AttestCheckpoint { height, root: checkpoint.root() };
    append(&ledger, vec![signed(ledger.rules(), attest, &[&validator()], 1)]).unwrap();
    assert!(matches!(attempt(), Err(SnapshotError::NotReady(_))), "no header commits to it yet");
    append(&ledger, Vec::new()).unwrap();
    assert!(attempt().is_ok());
}

#[test]
fn a_state_that_differs_from_the_agreed_one_has_diverged() {
    let Source { ledger, kept, .. } = source();
    let other = open(MemoryStore::new());
    let rules = Arc::clone(other.rules());
    for number in 1..=5 {
        append(&other, vec![appoint(&rules, number, number.into())]).unwrap();
    }
    StateFile::new(kept.path()).compute(&other.view(), || Ok(())).unwrap();
    let made = create(&ledger.view(), kept.path(), Vec::new(), &mut |_| {});
    let Err(SnapshotError::Ledger(ledger::LedgerError::Diverged { height })) = made else {
        panic!("{made:?}");
    };
    assert_eq!(height.get(), 5);
}

#[test]
fn the_root_depends_on_every_row_and_not_on_the_store() {
    let Source { ledger, manifest, .. } = source();
    let directory = tempfile::tempdir().unwrap();
    let store = FjallStore::open(directory.path(), FjallOptions::default()).unwrap();
    let other = open(store);
    for height in 1..=manifest.checkpoint.height() {
        let (block, sealed) = ledger.view().block(height).unwrap().unwrap();
        let head = other.head();
        let block = CheckedBlock::check(&block, &head, other.rules(), &InLine::default()).unwrap();
        other.append(&block, &sealed.certificate).unwrap();
    }
    let root = |ledger: &Ledger| Checkpoint::compute(&ledger.view(), |_| Ok(())).unwrap().root();
    assert_eq!(root(&other), manifest.checkpoint.root());
    let rows = other.store().snapshot().unwrap().range(Keyspace::State, &Scan::all()).unwrap();
    assert!(rows.len() > 10);
    for (key, value) in rows {
        let mut batch = WriteBatch::new();
        batch.put(Keyspace::State, key.clone(), [&value[..], &[0]].concat());
        other.store().commit(batch, Durability::Buffered).unwrap();
        let changed = Ledger::open(Arc::clone(other.store()), None).unwrap();
        assert_ne!(root(&changed), manifest.checkpoint.root(), "key {key:x?}");
        let mut batch = WriteBatch::new();
        batch.put(Keyspace::State, key, value);
        other.store().commit(batch, Durability::Buffered).unwrap();
    }
    let again = Ledger::open(Arc::clone(other.store()), None).unwrap();
    assert_eq!(root(&again), manifest.checkpoint.root());
}

/// The frames of a snapshot, as the format describes them: kind, length, hash, content.
fn frames(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &bytes[8..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[1..5].try_into().unwrap()) as usize;
        let hash = Hash::of_domain(
            "gridtally/frame/v1",
            &[&rest[..1], &rest[1..5], &rest[37..37 + length]],
        );
        assert_eq!(rest[5..37], hash.as_bytes()[..]);
        frames.push((rest[0], rest[37..37 + length].to_vec()));
        rest = &rest[37 + length..];
    }
    assert_eq!(frames.pop().map(|(kind, _)| kind), Some(3), "the end");
    frames
}

/// A file of these frames whose hashes are all right: what somebody makes who wants to cheat.
fn file_of(frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut all = Hasher::with_domain("gridtally/frames/v1");
    let mut bytes = b"gridsnap".to_vec();
    let mut put = |kind: u8, content: &[u8], all: Option<&mut Hasher>| {
        let length = (content.len() as u32).to_le_bytes();
        let hash = Hash::of_domain("gridtally/frame/v1", &[&[kind], &length, content]);
        if let Some(all) = all {
            all.update(hash.as_bytes());
        }
        bytes.push(kind);
        bytes.extend_from_slice(&length);
        bytes.extend_from_slice(hash.as_bytes());
        bytes.extend_from_slice(content);
    };
    for (kind, content) in frames {
        put(*kind, content, Some(&mut all));
    }
    put(3, all.finish().as_bytes(), None);
    bytes
}

type Rows = Vec<(u8, Vec<u8>, Vec<u8>)>;

/// The rows of all frames of a kind, changed, in one frame.
fn with_rows(bytes: &[u8], kind: u8, change: impl FnOnce(&mut Rows)) -> Vec<u8> {
    let (mut rows, mut frames) = (Rows::new(), frames(bytes));
    for (_, content) in frames.iter().filter(|(of, _)| *of == kind) {
        let content = lz4_flex::decompress_size_prepended(content).unwrap();
        let mut rest = &content[..];
        while !rest.is_empty() {
            let (row, after) = codec::decode_prefix(rest).unwrap();
            rows.push(row);
            rest = after;
        }
    }
    change(&mut rows);
    let content: Vec<u8> = rows.iter().flat_map(codec::encode).collect();
    let place = frames.iter().position(|(of, _)| *of == kind).unwrap();
    frames.retain(|(of, _)| *of != kind);
    frames.insert(place, (kind, lz4_flex::compress_prepend_size(&content)));
    file_of(&frames)
}

fn with_manifest(bytes: &[u8], change: impl FnOnce(&mut Manifest)) -> Vec<u8> {
    let mut frames = frames(bytes);
    let mut manifest: Manifest = codec::decode(&frames[0].1).unwrap();
    change(&mut manifest);
    frames[0].1 = codec::encode(&manifest);
    file_of(&frames)
}

#[track_caller]
fn refused(bytes: &[u8], reason: &str) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let trusted = Some(genesis("test").ledger_id());
    let restored = restore(bytes, trusted, &InLine::default(), store, &mut |_, _| {});
    for found in [verified(bytes), restored] {
        let text = found.expect_err("it is not what was agreed on").to_string();
        assert!(text.contains(reason), "{text}");
    }
}

const STATE: u8 = 1;
const BLOCKS: u8 = 2;
const BLOCKS_SPACE: u8 = 2;

#[test]
fn rows_of_the_state_are_those_that_were_agreed_on() {
    let Source { bytes, .. } = source();
    assert_eq!(file_of(&frames(&bytes)), bytes, "the test writes what the program writes");
    assert!(verified(&with_rows(&bytes, STATE, |_| ())).is_ok());
    let wrong = "the rows of the state are not those";
    refused(&with_rows(&bytes, STATE, |rows| rows.swap(3, 4)), wrong);
    refused(&with_rows(&bytes, STATE, |rows| drop(rows.remove(5))), wrong);
    refused(&with_rows(&bytes, STATE, |rows| rows.push(rows[2].clone())), wrong);
    refused(&with_rows(&bytes, STATE, |rows| rows[6].2[0] ^= 1), wrong);
    refused(&with_rows(&bytes, STATE, |rows| rows[6].0 = 0), "a row of meta stands among");
    let mut without = frames(&bytes);
    without.retain(|(kind, _)| *kind != STATE);
    refused(&file_of(&without), wrong);
    let mut late = frames(&bytes);
    let state = late.remove(1);
    late.push(state);
    refused(&file_of(&late), wrong);
}

#[test]
fn blocks_are_those_of_the_chain() {
    let Source { bytes, manifest, .. } = source();
    assert!(verified(&with_rows(&bytes, BLOCKS, |_| ())).is_ok());
    let key = |height: u64, chunk: Option<u32>| {
        let mut key = height.to_be_bytes().to_vec();
        key.extend(chunk.iter().flat_map(|chunk| chunk.to_be_bytes()));
        key
    };
    let remove = |key: Vec<u8>| {
        with_rows(&bytes, BLOCKS, |rows| {
            let before = rows.len();
            rows.retain(|(_, of, _)| *of != key);
            assert_eq!(rows.len(), before - 1);
        })
    };
    refused(&remove(key(2, None)), "block 2: it has no header");
    refused(&remove(key(3, Some(0))), "damaged number of transactions");
    let last = manifest.proof.anchor.header.height.get();
    refused(&remove(key(last, None)), "blocks are missing at its end");
    let add = |key: Vec<u8>, value: &[u8]| {
        with_rows(&bytes, BLOCKS, |rows| {
            let place = rows.iter().position(|(_, of, _)| of[..8] > key[..8]).unwrap();
            rows.insert(place, (BLOCKS_SPACE, key, value.to_vec()));
        })
    };
    refused(&add(key(2, Some(7)), b"more"), "rows stand in it that belong to no transaction");
    refused(&add(key(2, None), b"again"), "a row stands twice in it");
    refused(&with_rows(&bytes, BLOCKS, |rows| rows.swap(0, 4)), "stand in another order");
    // A signature inside a chunk: the id does not cover it, the check of the form does.
    let forged = with_rows(&bytes, BLOCKS, |rows| {
        let chunk = rows.iter_mut().find(|(_, of, _)| *of == key(1, Some(0))).unwrap();
        let mut content = lz4_flex::decompress_size_prepended(&chunk.2).unwrap();
        *content.last_mut().unwrap() ^= 1;
        chunk.2 = lz4_flex::compress_prepend_size(&content);
    });
    refused(&forged, "block 1: signature 1 does not fit");
    // An event of a receipt: the accumulator of the headers covers it.
    let other_outcome = with_rows(&bytes, BLOCKS, |rows| {
        let chunk = rows.iter_mut().find(|(_, of, _)| *of == key(1, Some(0))).unwrap();
        let mut content = lz4_flex::decompress_size_prepended(&chunk.2).unwrap();
        content[8 + 1] ^= 1;
        chunk.2 = lz4_flex::compress_prepend_size(&content);
    });
    refused(&other_outcome, "block 2: it commits to other receipts");
}

#[test]
fn certificates_of_the_blocks_are_checked() {
    let Source { bytes, .. } = source();
    let with_certificate = |change: &dyn Fn(&mut SealedHeader)| {
        with_rows(&bytes, BLOCKS, |rows| {
            let header = rows.iter_mut().find(|(_, of, _)| *of == 2_u64.to_be_bytes()).unwrap();
            let mut sealed: SealedHeader = codec::decode(&header.2).unwrap();
            change(&mut sealed);
            header.2 = codec::encode(&sealed);
        })
    };
    let by_another = |sealed: &mut SealedHeader| {
        sealed.certificate = Certificate::solo(&sealed.header, &key(9));
    };
    refused(&with_certificate(&by_another), "block 2: ");
    let changed = |sealed: &mut SealedHeader| sealed.certificate.view += 1;
    refused(&with_certificate(&changed), "block 2: ");
}

#[test]
fn the_checkpoint_is_the_one_that_was_agreed_on() {
    let Source { bytes, ledger, manifest, .. } = source();
    let other = "its checkpoint is not the one";
    refused(&with_manifest(&bytes, |it| it.checkpoint.rows += 1), other);
    refused(&with_manifest(&bytes, |it| it.checkpoint.head.transactions += 1), other);
    refused(
        &with_manifest(&bytes, |it| {
            let header = it.proof.anchor.header.clone();
            it.proof.anchor.certificate = Certificate::solo(&header, &key(9));
        }),
        "the proof of its checkpoint is wrong: certificate",
    );
    refused(&with_manifest(&bytes, |it| it.genesis.name = "other".parse().unwrap()), "wanted is");
    refused(&with_manifest(&bytes, |it| it.version += 1), "it is not a snapshot");
    // A proof of something else, as right as it may be.
    let position = contracts::Position { height: 1, index: 0 };
    let something = ledger.view().event_proof(position, 0).unwrap().unwrap();
    assert_eq!(something.anchor, manifest.proof.anchor);
    let something = with_manifest(&bytes, |it| it.proof = something);
    refused(&something, "its proof is not of a checkpoint");
}
