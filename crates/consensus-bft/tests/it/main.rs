//! Certificates and blocks: the engine's bytes and ours.

mod hostile_bytes;
mod nodes;

use commonware_codec::{Decode, DecodeExt, Encode};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Finalization, Finalize, Proposal};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_cryptography::certificate::Signers;
use commonware_cryptography::ed25519::Signature as EngineSignature;
use commonware_cryptography::ed25519::certificate::Certificate as EngineCertificate;
use commonware_cryptography::{Digest as _, Digestible};
use commonware_parallel::Sequential;
use commonware_utils::{non_empty, test_rng};
use consensus_bft::OrderedBlock;
use consensus_bft::block::{Context, Digest, MAX_WIRE_BYTES, digest};
use consensus_bft::certificate::certificate;
use consensus_bft::membership::{engine_key, engine_signer, participants, vote_namespace};
use ledger::Block;
use primitives::codec::{self, Bounded};
use primitives::envelope::{Envelope, SignedTransaction, Submission};
use primitives::hash::Hash;
use primitives::header::{Certificate, CertificateError, Executed, Header, ValidatorSet};
use primitives::identifier::LedgerId;
use primitives::key::SigningKey;
use primitives::units::{BlockHeight, Sequence, Timestamp};

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

fn keys(count: u8) -> Vec<SigningKey> {
    (1..=count).map(key).collect()
}

/// Not sorted by key, as a genesis lists them.
fn validators(count: u8) -> ValidatorSet {
    ValidatorSet::new(keys(count).iter().map(SigningKey::public).collect()).expect("a set")
}

fn header(set: &ValidatorSet) -> Header {
    Header {
        version: 1,
        ledger_id: LedgerId::from_genesis_hash(Hash::of(b"a genesis"), false),
        height: BlockHeight::new(9),
        parent: Hash::of(b"a parent"),
        time: Timestamp::new(1_768_435_200_000),
        proposer: set[0],
        epoch: 3,
        validators_hash: set.hash(),
        next_validators_hash: set.hash(),
        transactions_root: primitives::merkle::empty_root(),
        executed: Executed {
            height: BlockHeight::new(7),
            state_root: Hash::of(b"a state"),
            receipts: Hash::of(b"receipts"),
        },
        context: Bounded::default(),
    }
}

fn proposal(header: &Header) -> Proposal<Digest> {
    let round = Round::new(Epoch::new(header.epoch), View::new(300));
    Proposal::new(round, View::new(298), digest(&header.hash()))
}

/// A certificate of three of the four over the header.
fn proposal_signed_by_three(set: &ValidatorSet) -> Certificate {
    let header = header(set);
    let namespace = vote_namespace(&header.ledger_id);
    let votes: Vec<_> = keys(3)
        .iter()
        .map(|key| {
            let scheme = Scheme::signer(&namespace, participants(set), engine_signer(key));
            Finalize::sign(&scheme.expect("a validator"), proposal(&header)).expect("a vote")
        })
        .collect();
    let verifier = Scheme::verifier(&namespace, participants(set));
    let finalization =
        Finalization::from_finalizes(&verifier, non_empty![@votes.iter()], &Sequential);
    certificate(&finalization.expect("a quorum"), set).expect("of this set")
}

#[test]
fn a_certificate_of_the_engine_verifies_as_ours() {
    for count in [1_u8, 2, 4, 7, 30] {
        let set = validators(count);
        let header = header(&set);
        let namespace = vote_namespace(&header.ledger_id);
        let votes: Vec<_> = keys(count)
            .iter()
            .rev()
            .take(set.quorum())
            .map(|key| {
                let scheme = Scheme::signer(&namespace, participants(&set), engine_signer(key));
                Finalize::sign(&scheme.expect("a validator"), proposal(&header)).expect("a vote")
            })
            .collect();
        let verifier = Scheme::verifier(&namespace, participants(&set));
        let finalization =
            Finalization::from_finalizes(&verifier, non_empty![@votes.iter()], &Sequential)
                .expect("a quorum");
        let ours = certificate(&finalization, &set).expect("of this set");
        assert_eq!((ours.view, ours.parent_view), (300, 298));
        assert_eq!(ours.signatures.len(), set.quorum());
        assert_eq!(ours.verify(&header, &set), Ok(()), "{count} validators");

        let mut spoiled = header.clone();
        spoiled.epoch += 1;
        assert!(matches!(ours.verify(&spoiled, &set), Err(CertificateError::WrongSignature(_))));
        assert!(
            certificate(&finalization, &validators(count + 1))
                .is_none_or(|other| { other.verify(&header, &validators(count + 1)).is_err() })
        );
    }
}

#[test]
fn a_certificate_of_ours_verifies_in_the_engine() {
    let set = validators(4);
    let header = header(&set);
    let mut ours = Certificate { view: 300, parent_view: 298, signatures: Bounded::new() };
    let message = ours.message(&header);
    let sorted = participants(&set);
    let mut signed: Vec<_> = keys(4)
        .iter()
        .skip(1)
        .map(|key| {
            let public = engine_key(&key.public()).expect("a key");
            let place = sorted.position(&public).expect("a validator");
            (place, key.sign_bytes(&message))
        })
        .collect();
    signed.sort_by_key(|(place, _)| *place);
    let signers = signed.iter().map(|(place, _)| commonware_utils::Participant::from_usize(*place));
    let signatures = signed.iter().map(|(_, signature)| {
        let bytes = bytes::Bytes::copy_from_slice(signature.as_bytes());
        EngineSignature::decode(bytes).expect("64 bytes").into()
    });
    let theirs = Finalization::<Scheme, Digest> {
        proposal: proposal(&header),
        certificate: EngineCertificate {
            signers: Signers::new(4, signers).expect("three of four"),
            signatures: signatures.collect(),
        },
    };
    let verifier = Scheme::verifier(&vote_namespace(&header.ledger_id), participants(&set));
    assert!(theirs.verify(&mut test_rng(), &verifier, &Sequential));
    let back = certificate(&theirs, &set).expect("of this set");
    assert_eq!(back.verify(&header, &set), Ok(()));
    ours = back;
    assert_eq!(ours.message(&header), message);
}

fn context(set: &ValidatorSet) -> Context {
    Context {
        round: Round::new(Epoch::new(3), View::new(300)),
        leader: engine_key(&set[0]).expect("a key"),
        parent: (View::new(298), Digest::EMPTY),
    }
}

fn submission() -> Submission {
    let envelope = Envelope {
        version: 1,
        ledger_id: LedgerId::from_genesis_hash(Hash::of(b"a genesis"), false),
        signer: key(9).public(),
        cosigners: Bounded::default(),
        sequence: Sequence::new(1),
        valid_until: Timestamp::new(1),
        kind: 1,
        body: Bounded::try_from(vec![1, 2, 3]).expect("short"),
    };
    let transaction = SignedTransaction::sign(envelope, &[&key(9)]);
    Submission { transaction, payload: Bounded::try_from(vec![7; 40]).expect("short") }
}

fn block() -> OrderedBlock {
    let set = validators(4);
    let submissions = Bounded::try_from(vec![submission()]).expect("one");
    OrderedBlock::seal_unchecked(&Block { header: header(&set), submissions }, context(&set))
}

#[test]
fn a_block_comes_back_as_it_was() {
    let block = block();
    let bytes = block.encode();
    let again = OrderedBlock::decode_cfg(bytes.clone(), &()).expect("a block");
    assert_eq!(again.encode(), bytes);
    assert_eq!(again.to_block(), block.to_block());
    assert_eq!(again.ids().collect::<Vec<_>>(), [submission().transaction.id()]);
    assert_eq!(again.digest(), block.digest());
    assert_eq!(again.hash(), block.header().hash());
    let found = commonware_consensus::CertifiableBlock::context(&again);
    assert_eq!(found, context(&validators(4)));
}

#[test]
fn the_same_header_with_other_bytes_behind_it_is_refused() {
    let block = block();
    let refused = |other: Block| {
        assert_eq!(other.header.hash(), block.header().hash(), "the header is the same");
        let bytes = bytes::Bytes::from(codec::encode(&other));
        assert!(OrderedBlock::decode(bytes).is_err());
    };
    // Another payload, another signature, nothing: the transactions' root covers none of the first two.
    let mut other = block.to_block();
    let mut submissions = other.submissions.into_vec();
    submissions[0].payload = Bounded::try_from(vec![8; 40]).expect("short");
    other.submissions = Bounded::try_from(submissions.clone()).expect("one");
    refused(other.clone());
    submissions = block.to_block().submissions.into_vec();
    submissions[0].transaction.signatures =
        Bounded::try_from(vec![key(8).sign_bytes(b"else")]).expect("one");
    other.submissions = Bounded::try_from(submissions).expect("one");
    refused(other.clone());
    other.submissions = Bounded::default();
    refused(other);
}

#[test]
fn damaged_bytes_are_refused_without_a_panic() {
    let bytes = block().encode();
    for length in 0..bytes.len() {
        assert!(OrderedBlock::decode_cfg(bytes.slice(..length), &()).is_err(), "cut at {length}");
    }
    for place in 0..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[place] ^= 0x41;
        // Bytes of the header make another block, with another name; all others are refused.
        if let Ok(other) = OrderedBlock::decode_cfg(damaged, &()) {
            assert_ne!(other.digest(), block().digest(), "byte {place}");
        }
    }
    let oversized = (MAX_WIRE_BYTES as u64 + 1).to_le_bytes();
    assert!(OrderedBlock::decode_cfg(oversized.to_vec(), &()).is_err());
}
