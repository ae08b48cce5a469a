//! Proofs of what became of a transaction: right ones verify, and whatever is changed is found.

use client::transaction_proof::{FORMAT, is_one, verify, write};
use client::verify::TrustAnchor;
use primitives::header::Certificate;
use primitives::identifier::TransactionId;
use primitives::proof::ReceiptProof;
use primitives::units::BlockHeight;

use crate::kit::{Ledger, day, flat, key};

/// A ledger on which a day was measured, and one of its transactions.
fn stage() -> (Ledger, TransactionId) {
    let mut ledger = Ledger::new();
    let first = ledger.first_period(day(1));
    ledger.tariff(flat(5_000_000), first);
    ledger.live_through(day(1));
    let single = ledger.single_reading(day(2));
    (ledger, single)
}

fn text(ledger: &Ledger, proof: &ReceiptProof) -> String {
    write(ledger.rules.genesis(), proof, None).unwrap()
}

fn wrong(ledger: &Ledger, proof: &ReceiptProof) -> String {
    let text = text(ledger, proof);
    verify(&TrustAnchor::Nothing, text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn right_proofs_verify_under_every_anchor() {
    let (ledger, id) = stage();
    let proof = ledger.receipt_proof(id);
    let genesis = ledger.rules.genesis();
    let whole = write(genesis, &proof, Some(&ledger.transaction(id))).unwrap();
    for (trusted, anchored) in [
        (TrustAnchor::Nothing, false),
        (TrustAnchor::Ledger(genesis.ledger_id()), true),
        (TrustAnchor::Genesis(Box::new(genesis.clone())), true),
    ] {
        let verified = verify(&trusted, whole.as_bytes()).unwrap();
        assert_eq!((verified.transaction_id, verified.code), (id, 0));
        assert_eq!((verified.anchored, verified.index), (anchored, 0));
        assert_eq!(verified.events, ["ReadingSubmitted"]);
        assert_eq!(verified.kind_name, Some("SubmitReading"));
        let verified = verify(&trusted, text(&ledger, &proof).as_bytes()).unwrap();
        assert_eq!(verified.kind_name, None, "the receipt alone is proven too");
    }
    assert!(is_one(whole.as_bytes()) && !is_one(b"{}") && whole.contains(FORMAT));
}

#[test]
fn another_ledger_is_refused() {
    let (ledger, id) = stage();
    let mut genesis = ledger.rules.genesis().clone();
    genesis.name = "Another".parse().unwrap();
    let proof = ledger.receipt_proof(id);
    let whole = text(&ledger, &proof);
    let other = TrustAnchor::Ledger(genesis.ledger_id());
    assert!(verify(&other, whole.as_bytes()).unwrap_err().to_string().contains("trusted is"));
    // A header of this ledger under the genesis of the other.
    let mixed = write(&genesis, &proof, None).unwrap();
    let error = verify(&TrustAnchor::Nothing, mixed.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("belongs to ledger"), "{error}");
}

/// What is changed in a proof.
type Change = fn(&mut ReceiptProof);

#[test]
fn every_part_that_is_changed_is_found() {
    let (ledger, id) = stage();
    let right = ledger.receipt_proof(id);
    let cases: Vec<(&str, Change)> = vec![
        ("does not lead", |proof| proof.receipt.code = 1),
        ("does not lead", |proof| proof.receipt.transaction = TransactionId::new([7; 32])),
        ("does not lead", |proof| proof.receipt.events = Default::default()),
        ("certificate", |proof| {
            proof.anchor.certificate = Certificate::solo(&proof.anchor.header, &key("forger"));
        }),
        ("certificate", |proof| proof.anchor.header.time = "2030-01-01T00:00:00Z".parse().unwrap()),
        ("executed blocks", |proof| {
            // An older header, signed as it was then.
            let header = &mut proof.anchor.header;
            header.executed.height = BlockHeight::new(header.executed.height.get() - 1);
            proof.anchor.certificate = Certificate::solo(header, &key("validator"));
        }),
        ("path of receipt in block", |proof| proof.receipt_in_block.index = 3),
        ("path of block", |proof| proof.block_in_accumulator.index -= 2),
    ];
    for (named, change) in cases {
        let mut proof = right.clone();
        change(&mut proof);
        let error = wrong(&ledger, &proof);
        assert!(error.contains(named), "wanted {named:?}, got {error:?}");
    }
}

#[test]
fn the_file_is_canonical_and_holds_its_own_transaction() {
    let (ledger, id) = stage();
    let proof = ledger.receipt_proof(id);
    let genesis = ledger.rules.genesis();
    let refused =
        |text: &str| verify(&TrustAnchor::Nothing, text.as_bytes()).unwrap_err().to_string();
    let right = text(&ledger, &proof);
    assert!(refused(&format!("{right}\n")).contains("not written as it has to be"));
    assert!(refused(&right.replacen("  ", " ", 1)).contains("not written as it has to be"));
    assert!(refused(&right.replacen("\"code\"", "\"note\": 1, \"code\"", 1)).contains("damaged"));
    let other = ledger.receipt_proof(ledger.receipts()[0].transaction).receipt.transaction;
    let mixed = write(genesis, &proof, Some(&ledger.transaction(other))).unwrap();
    assert!(refused(&mixed).contains("its receipt is that of"));
    let mut forged = ledger.transaction(id);
    forged.signatures = ledger.transaction(other).signatures;
    let forged = write(genesis, &proof, Some(&forged)).unwrap();
    assert!(refused(&forged).contains("not signed"), "{}", refused(&forged));
    for no_proof in ["", "{}", "[]", "{\"format\":\"gridtally-proof/1\"}"] {
        let error = verify(&TrustAnchor::Nothing, no_proof.as_bytes()).unwrap_err();
        assert!(error.is_not_a_proof(), "{no_proof}");
    }
}
