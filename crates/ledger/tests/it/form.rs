//! Form: every code below 100, in transactions and in blocks; one by one and in batches alike.

use std::sync::Arc;

use contracts::Malformed;
use ledger::store::MemoryStore;
use ledger::{
    Block, Candidate, CheckedBlock, CheckedTransaction, InLine, Known, LedgerError, UncheckedBlock,
};
use primitives::codec::{self, Bounded};
use primitives::envelope::{SignedTransaction, Submission};
use primitives::hash::Hash;
use primitives::identifier::TransactionId;
use primitives::key::Signature;
use primitives::units::{BlockHeight, Timestamp};

use crate::kit::{START, append, appoint, genesis, key, next_block, open, owner, rejected};

/// A valid submission, changed and signed again.
fn changed(change: impl FnOnce(&mut Submission)) -> Submission {
    let rules = contracts::Rules::new(genesis("test")).unwrap();
    let mut submission = appoint(&rules, 1, 1);
    change(&mut submission);
    let envelope = submission.transaction.envelope.clone();
    submission.transaction = SignedTransaction::sign(envelope, &[&owner(), &key(1)]);
    submission
}

/// A valid submission, changed after it was signed.
fn tampered(change: impl FnOnce(&mut Submission)) -> Submission {
    let mut submission = changed(|_| {});
    change(&mut submission);
    submission
}

fn malformed() -> Vec<(Submission, u16)> {
    let other = contracts::Rules::new(genesis("other")).unwrap();
    vec![
        (changed(|s| s.transaction.envelope.version = 2), 8),
        (changed(|s| s.transaction.envelope.ledger_id = other.ledger_id()), 4),
        (tampered(|s| s.transaction.signatures = Bounded::default()), 3),
        (
            tampered(|s| {
                s.transaction.envelope.cosigners = vec![owner().public()].try_into().unwrap();
            }),
            12,
        ),
        (changed(|s| s.transaction.envelope.kind = 999), 9),
        (changed(|s| s.transaction.envelope.body = vec![1, 2, 3].try_into().unwrap()), 1),
        (changed(|s| s.payload = vec![1].try_into().unwrap()), 10),
        (
            tampered(|s| {
                let mut signatures = s.transaction.signatures.to_vec();
                signatures[1] = Signature::new([7; 64]);
                s.transaction.signatures = signatures.try_into().unwrap();
            }),
            2,
        ),
        (
            tampered(|s| {
                s.transaction.envelope.valid_until = Timestamp::new(START + 7_200_000);
            }),
            2,
        ),
    ]
}

#[test]
fn every_form_error_has_its_code_alone_and_in_a_batch() {
    let rules = contracts::Rules::new(genesis("test")).unwrap();
    let cases = malformed();
    for (submission, code) in &cases {
        let answer = CheckedTransaction::check(submission.clone(), &rules);
        assert_eq!(answer.unwrap_err().code(), *code);
    }
    let mut batch: Vec<Submission> = cases.iter().map(|(s, _)| s.clone()).collect();
    batch.push(changed(|_| {}));
    let answers = CheckedTransaction::check_many(batch, &rules, &InLine::default());
    let codes: Vec<_> = answers.iter().map(|a| a.as_ref().err().map(Malformed::code)).collect();
    let mut expected: Vec<_> = cases.iter().map(|(_, code)| Some(*code)).collect();
    expected.push(None);
    assert_eq!(codes, expected);
}

#[test]
fn a_batch_over_several_chunks_answers_in_order() {
    let rules = contracts::Rules::new(genesis("test")).unwrap();
    let mut batch: Vec<Submission> =
        (1..=1_300).map(|sequence| rejected(&rules, sequence)).collect();
    let bad = [0, 699, 700, 1_299];
    for index in bad {
        batch[index].transaction.signatures = vec![Signature::new([1; 64])].try_into().unwrap();
    }
    let ids: Vec<_> = batch.iter().map(|s| s.transaction.id()).collect();
    let answers = CheckedTransaction::check_many(batch, &rules, &InLine::default());
    let mut found = Vec::new();
    for (index, answer) in answers.iter().enumerate() {
        match answer {
            Ok(checked) => assert_eq!(checked.id(), ids[index]),
            Err(malformed) => {
                assert_eq!(malformed, &Malformed::Signature { index: 0 });
                found.push(index);
            }
        }
    }
    assert_eq!(found, bad);
}

#[test]
fn validity_is_judged_by_the_blocks_time() {
    let rules = contracts::Rules::new(genesis("test")).unwrap();
    let checked = CheckedTransaction::check(appoint(&rules, 1, 1), &rules).unwrap();
    let valid_until = START + 3_600_000;
    let day = 24 * 3_600_000;
    let cases = [
        (valid_until, None),
        (valid_until + 1, Some(5)),
        (valid_until - day, None),
        (valid_until - day - 1, Some(6)),
    ];
    for (time, code) in cases {
        let answer = checked.check_time(Timestamp::new(time));
        assert_eq!(answer.err().map(|malformed| malformed.code()), code, "at {time}");
    }
}

#[test]
fn a_block_of_others_is_checked_in_every_part() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    append(&ledger, vec![]).unwrap();
    let (block, _) = next_block(&ledger, vec![appoint(&rules, 1, 1), rejected(&rules, 2)]);
    let good = block.to_block();
    let head = ledger.head();
    let check = |block: Block| CheckedBlock::check(&block, &head, &rules, &InLine::default());
    assert!(check(good.clone()).is_ok());

    type Change = fn(&mut Block);
    let cases: &[(&str, Change)] = &[
        ("version", |b| b.header.version = 2),
        ("height", |b| b.header.height = BlockHeight::new(7)),
        ("parent", |b| b.header.parent = Hash::of(b"another")),
        ("time", |b| b.header.time = Timestamp::new(START)),
        ("year 9999", |b| b.header.time = Timestamp::new(u64::MAX)),
        ("execution", |b| b.header.executed.height = b.header.height),
        ("root", |b| b.header.transactions_root = Hash::ZERO),
        ("expired", |b| b.header.time = Timestamp::new(START + 3_600_001)),
        ("twice", |b| {
            let mut submissions = b.submissions.to_vec();
            submissions.push(submissions[0].clone());
            b.submissions = submissions.try_into().unwrap();
        }),
        ("root", |b| b.submissions = b.submissions[..1].to_vec().try_into().unwrap()),
        ("signature", |b| {
            let mut submissions = b.submissions.to_vec();
            let signature = Signature::new([3; 64]);
            submissions[1].transaction.signatures = vec![signature].try_into().unwrap();
            b.submissions = submissions.try_into().unwrap();
        }),
    ];
    for (what, change) in cases {
        let mut bad = good.clone();
        change(&mut bad);
        let refused = check(bad);
        let Err(LedgerError::Block { reason, .. }) = refused else { panic!("{what}: {refused:?}") };
        println!("{what}: {reason}");
    }
}

#[test]
fn what_is_known_is_taken_only_when_every_byte_of_it_is_the_same() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    append(&ledger, vec![]).unwrap();
    let (block, _) = next_block(&ledger, vec![appoint(&rules, 1, 1), appoint(&rules, 2, 2)]);
    let (good, head) = (block.to_block(), ledger.head());
    let known = |id: &TransactionId| {
        block.transactions().iter().find(|checked| checked.id() == *id).cloned()
    };
    let check = |block: Block, known: Known<'_>| {
        let check = |block: UncheckedBlock<'_>| {
            let parent = (&head.header, head.hash);
            CheckedBlock::check_after(block, parent, &rules, &InLine::default(), known)
        };
        // As bytes, as they come from peers, and decoded: it makes no difference.
        let encoded: Vec<_> = block.submissions.iter().map(codec::encode).collect();
        let as_bytes = |bytes| Candidate::encoded(Submission::id_in(bytes).unwrap().0, bytes);
        let submissions = encoded.iter().map(Vec::as_slice).map(as_bytes).collect();
        let of_bytes = check(UncheckedBlock { header: &block.header, submissions });
        let decoded = check((&block).into());
        assert_eq!(format!("{of_bytes:?}"), format!("{decoded:?}"));
        of_bytes
    };
    let changed = |index: usize, change: &dyn Fn(&mut Submission)| {
        let mut submissions = good.submissions.to_vec();
        change(&mut submissions[index]);
        Block { submissions: submissions.try_into().unwrap(), ..good.clone() }
    };
    assert!(check(good.clone(), &known).is_ok());
    // A liar's block: transactions that this node knows by their ids, under other signatures or with
    // another payload. Neither is part of the id, so the root in the header is right.
    let signature = Signature::new([3; 64]);
    for index in [0, 1] {
        let forged = changed(index, &|one| {
            let mut signatures = one.transaction.signatures.to_vec();
            *signatures.last_mut().unwrap() = signature;
            one.transaction.signatures = signatures.try_into().unwrap();
        });
        let padded = changed(index, &|one| one.payload = vec![7].try_into().unwrap());
        let stripped = changed(index, &|one| one.transaction.signatures = Default::default());
        for (what, block) in [("signature", forged), ("payload", padded), ("none", stripped)] {
            assert_eq!(
                block.submissions[index].transaction.id(),
                good.submissions[index].transaction.id()
            );
            let refused = check(block, &known);
            let Err(LedgerError::Block { reason, .. }) = refused else { panic!("{refused:?}") };
            assert!(reason.starts_with(&format!("transaction {index}:")), "{what}: {reason}");
        }
    }
    // The other way round: the answers stand in the order of the block, whatever of it is known.
    for one in [0, 1] {
        let only =
            |id: &TransactionId| known(id).filter(|it| it.id() == block.transactions()[one].id());
        let checked = check(good.clone(), &only).unwrap();
        let ids = |block: &CheckedBlock| -> Vec<_> {
            block.transactions().iter().map(CheckedTransaction::id).collect()
        };
        assert_eq!(ids(&checked), ids(&block));
    }
}

#[test]
fn blocks_that_follow_each_other_are_checked_together_as_one_by_one() {
    let ledger = open(MemoryStore::new());
    let rules = Arc::clone(ledger.rules());
    append(&ledger, vec![]).unwrap();
    let before = ledger.head();
    let mut blocks = Vec::new();
    for number in 1..=4 {
        let (block, certificate) =
            next_block(&ledger, vec![appoint(&rules, number, u64::from(number))]);
        blocks.push(block.to_block());
        ledger.append(&block, &certificate).unwrap();
    }
    let check = |blocks: &[Block]| {
        let parent = (&before.header, before.hash);
        let blocks: Vec<_> = blocks.iter().map(UncheckedBlock::from).collect();
        CheckedBlock::check_chain(blocks, parent, &rules, &InLine::default(), &|_| None)
    };
    let checked = check(&blocks);
    let as_they_were: Vec<_> = checked.iter().map(|it| it.as_ref().unwrap().to_block()).collect();
    assert_eq!(as_they_were, blocks);

    let mut forged = blocks.clone();
    let mut submissions = forged[1].submissions.to_vec();
    let signature = Signature::new([3; 64]);
    submissions[0].transaction.signatures = vec![signature, signature].try_into().unwrap();
    forged[1].submissions = submissions.try_into().unwrap();
    let which: Vec<_> = check(&forged).iter().map(Result::is_ok).collect();
    assert_eq!(which, [true, false, true, true], "a signature changes no header");

    let mut torn = blocks;
    torn.remove(1);
    let which: Vec<_> = check(&torn).iter().map(Result::is_ok).collect();
    assert_eq!(which, [true, false, true], "what does not follow is refused");
}
