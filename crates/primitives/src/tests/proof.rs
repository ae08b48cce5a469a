//! Proofs of events: right, wrong, and each part changed.

use std::collections::BTreeMap;

use super::sample;
use crate::codec::{Bounded, decode, encode};
use crate::hash::Hash;
use crate::header::{Certificate, CertificateError, Header, ValidatorSet};
use crate::key::SigningKey;
use crate::merkle::MerkleTree;
use crate::merkle::{Frontier, MerkleError, accumulator_path};
use crate::proof::{
    Anchor, EventPath, EventProof, ProofError, SetChange, TrustedGenesis, verify_event,
};
use crate::receipt::{block_leaf, receipts_tree};
use crate::units::BlockHeight;

/// The certificate by the validators with these places and keys.
fn certificate(header: &Header, signers: &[(u16, SigningKey)]) -> Certificate {
    let view = header.height.get() + 2;
    let mut certificate = Certificate { view, parent_view: view - 1, signatures: Bounded::new() };
    let message = certificate.message(header);
    let signatures: Vec<_> =
        signers.iter().map(|(place, key)| (*place, key.sign_bytes(&message))).collect();
    certificate.signatures = signatures.try_into().unwrap();
    certificate
}

fn signers(places: &[u16], first_key: u8) -> Vec<(u16, SigningKey)> {
    places.iter().map(|&place| (place, sample::key(first_key + place as u8))).collect()
}

/// Event 1 of the second of three receipts in block 3 of 6, and the accumulator's root.
fn path_and_root() -> (EventPath, Hash) {
    let receipt = sample::receipt(3);
    let receipts = receipts_tree(&[sample::receipt(1), receipt.clone(), sample::receipt(2)]);
    let mut frontier = Frontier::new();
    let mut stored = BTreeMap::new();
    for height in 1..=6_u8 {
        let other = MerkleTree::from_data([[height]]);
        let tree = if height == 3 { &receipts } else { &other };
        for (level, place, hash) in frontier.append(block_leaf(tree)) {
            stored.insert((level, place), hash);
        }
    }
    let block_in_accumulator =
        accumulator_path(2, 6, &mut |level, place| stored.get(&(level, place)).copied());
    let path = EventPath {
        event_in_receipt: receipt.event_path(1).unwrap(),
        receipt_in_block: receipts.path(1).unwrap(),
        block_in_accumulator: block_in_accumulator.unwrap(),
    };
    (path, frontier.root())
}

fn solo() -> (TrustedGenesis, EventProof) {
    let validators = sample::validators(1..=1);
    let (path, root) = path_and_root();
    let mut header = sample::header(7, &validators);
    header.executed.receipts = root;
    let certificate = Certificate::solo(&header, &sample::key(1));
    let genesis = TrustedGenesis { ledger_id: sample::ledger_id(), validators: validators.clone() };
    let proof = EventProof {
        validators,
        set_changes: Bounded::new(),
        anchor: Anchor { header, certificate },
        path,
        event: sample::event("event 1"),
    };
    (genesis, proof)
}

/// A change from validators 1–4 to 5–8 at height 5, and the anchor of the new ones at height 7.
fn changed() -> (TrustedGenesis, EventProof) {
    let (old, new) = (sample::validators(1..=4), sample::validators(5..=8));
    let mut header = sample::header(5, &old);
    header.next_validators_hash = new.hash();
    let change = SetChange {
        certificate: certificate(&header, &signers(&[0, 1, 3], 1)),
        header,
        next_validators: new.clone(),
    };
    let (path, root) = path_and_root();
    let mut header = sample::header(7, &new);
    header.epoch = 1;
    header.executed.receipts = root;
    let proof = EventProof {
        validators: old.clone(),
        set_changes: vec![change].try_into().unwrap(),
        anchor: Anchor { certificate: certificate(&header, &signers(&[0, 1, 2, 3], 5)), header },
        path,
        event: sample::event("event 1"),
    };
    (TrustedGenesis { ledger_id: sample::ledger_id(), validators: old }, proof)
}

#[test]
fn an_event_is_proven_with_and_without_a_genesis() {
    for (genesis, proof) in [solo(), changed()] {
        assert_eq!(decode(&encode(&proof)), Ok(proof.clone()));
        let anchored = verify_event(Some(&genesis), &proof).unwrap();
        assert_eq!((anchored.height, anchored.anchor_height), (height(3), height(7)));
        assert_eq!(anchored.ledger_id, sample::ledger_id());
        assert!(anchored.anchored);
        assert_eq!(proof.path.height(), Ok(height(3)));
        let alone = verify_event(None, &proof).unwrap();
        assert!(!alone.anchored, "consistent in itself, but nobody vouches for the validators");
    }
}

fn height(number: u64) -> BlockHeight {
    BlockHeight::new(number)
}

/// Flips every bit of the bytes. What a root does not commit to is the number of its leaves, so a
/// few flips of it give the same hashes; they have to prove the same.
#[test]
fn a_changed_bit_proves_nothing_else() {
    for (genesis, proof) in [solo(), changed()] {
        let right = verify_event(Some(&genesis), &proof).unwrap();
        let bytes = encode(&proof);
        let mut same = 0;
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = decode::<EventProof>(&changed) else { continue };
            if let Ok(verified) = verify_event(Some(&genesis), &changed) {
                assert_eq!(verified, right, "bit {bit}");
                assert_eq!(changed.anchor, proof.anchor);
                assert_eq!(changed.event, proof.event);
                same += 1;
            }
        }
        assert!(same <= 4, "{same} flips went unseen");
    }
}

#[test]
fn proofs_name_what_is_wrong() {
    type Change = fn(&mut EventProof);
    let resign: Change = |proof| {
        proof.anchor.certificate = certificate(&proof.anchor.header, &signers(&[0, 1, 2, 3], 5));
    };
    let resign_change = |proof: &mut EventProof, places: &[u16], edit: fn(&mut SetChange)| {
        let mut change = proof.set_changes[0].clone();
        edit(&mut change);
        change.certificate = certificate(&change.header, &signers(places, 1));
        proof.set_changes = vec![change].try_into().unwrap();
    };
    let check = |wanted: ProofError, edit: &dyn Fn(&mut EventProof)| {
        let (genesis, mut proof) = changed();
        edit(&mut proof);
        assert_eq!(verify_event(Some(&genesis), &proof), Err(wanted));
    };
    let uncertified =
        |height, error| ProofError::Certificate { height: BlockHeight::new(height), error };

    check(ProofError::OtherValidators, &|proof| proof.validators = sample::validators(1..=3));
    check(uncertified(7, CertificateError::WrongValidators), &|proof| {
        proof.set_changes = Bounded::new();
    });
    check(uncertified(5, CertificateError::NoQuorum { signatures: 2, quorum: 3 }), &|proof| {
        resign_change(proof, &[0, 1], |_| {})
    });
    check(ProofError::NextValidators { height: height(5) }, &|proof| {
        resign_change(proof, &[0, 1, 2], |change| {
            change.next_validators = sample::validators(5..=9);
        });
    });
    check(ProofError::NextValidators { height: height(5) }, &|proof| {
        resign_change(proof, &[0, 1, 2], |change| {
            change.next_validators = sample::validators(1..=4);
            change.header.next_validators_hash = change.header.validators_hash;
        });
    });
    check(ProofError::NotAscending { height: height(7) }, &|proof| {
        resign_change(proof, &[0, 1, 2], |change| change.header.height = height(7));
    });
    check(ProofError::NotAscending { height: height(7) }, &|proof| {
        proof.anchor.header.epoch = 0;
        resign(proof);
    });
    check(ProofError::OtherAccumulator { found: 6, wanted: 5 }, &|proof| {
        proof.anchor.header.executed.height = height(5);
        resign(proof);
    });
    check(ProofError::OtherRoot, &|proof| proof.event = sample::event("event 2"));
    check(
        ProofError::Path { part: "receipt in block", error: MerkleError::TooManyHashes },
        &|proof| proof.path.receipt_in_block.siblings.push(Hash::ZERO).unwrap(),
    );

    let (mut genesis, proof) = changed();
    genesis.ledger_id = crate::identifier::LedgerId::from_hash(&Hash::ZERO);
    let other = ProofError::OtherLedger {
        height: height(5),
        found: sample::ledger_id(),
        wanted: genesis.ledger_id,
    };
    assert_eq!(verify_event(Some(&genesis), &proof), Err(other));
}

#[test]
fn certificates_are_complete_and_in_order() {
    let set = sample::validators(1..=4);
    let header = sample::header(5, &set);
    let check = |places: &[u16], wanted: Result<(), CertificateError>| {
        assert_eq!(certificate(&header, &signers(places, 1)).verify(&header, &set), wanted);
    };
    check(&[0, 1, 2], Ok(()));
    check(&[1, 2, 3], Ok(()));
    check(&[0, 1, 2, 3], Ok(()));
    check(&[0, 1], Err(CertificateError::NoQuorum { signatures: 2, quorum: 3 }));
    check(&[0, 1, 1], Err(CertificateError::NotAscending(1)));
    check(&[0, 2, 1], Err(CertificateError::NotAscending(1)));
    check(&[0, 1, 4], Err(CertificateError::UnknownValidator(4)));
    // One wrong signature spoils enough right ones.
    let mut signed = signers(&[0, 1, 2, 3], 1);
    signed[2].1 = sample::key(9);
    let spoiled = certificate(&header, &signed);
    assert_eq!(spoiled.verify(&header, &set), Err(CertificateError::WrongSignature(2)));
    let mut other_view = certificate(&header, &signers(&[0, 1, 2], 1));
    other_view.view += 1;
    assert_eq!(other_view.verify(&header, &set), Err(CertificateError::WrongSignature(0)));
    let others = sample::validators(2..=5);
    let right = certificate(&header, &signers(&[0, 1, 2], 1));
    assert_eq!(right.verify(&header, &others), Err(CertificateError::WrongValidators));

    let solo = sample::validators(1..=1);
    let header = sample::header(5, &solo);
    let certificate = Certificate::solo(&header, &sample::key(1));
    assert_eq!((certificate.view, certificate.parent_view), (5, 4));
    assert_eq!(certificate.verify(&header, &solo), Ok(()));
}

#[test]
fn a_quorum_is_more_than_two_thirds() {
    for (members, quorum) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (100, 67)] {
        let keys = (0..members).map(|n| crate::key::PublicKey::ed25519([n; 32])).collect();
        let set = ValidatorSet::new(keys).unwrap();
        assert_eq!(set.quorum(), quorum, "of {members}");
        assert!(set.quorum() * 3 > usize::from(members) * 2);
    }
}
