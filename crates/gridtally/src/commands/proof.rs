//! Proof files: from the ledger's view to the bytes that anybody verifies.

use api::Proven;
use client::proof_file::ProofFile;
use client::transaction_proof;
use contracts::Position;
use ledger::{LedgerError, StoredTransaction, View};
use primitives::identifier::BillId;

/// The proof file of a bill or transaction; `None` when it is not provable yet.
///
/// # Errors
/// [`LedgerError`] when the store fails or it can be proven no more.
pub fn export(view: &View, what: Proven) -> Result<Option<Vec<u8>>, LedgerError> {
    match what {
        Proven::Bill(bill) => of_bill(view, bill),
        Proven::Transaction { position, whole } => of_transaction(view, position, whole),
    }
}

/// The proof file of a bill; `None` when there is no such bill, or it is not provable yet.
///
/// # Errors
/// [`LedgerError`] when the store fails or the bill can be proven no more.
pub fn of_bill(view: &View, bill: BillId) -> Result<Option<Vec<u8>>, LedgerError> {
    let Some(proof) = view.bill_proof(bill)? else { return Ok(None) };
    let file = ProofFile::new(proof)
        .map_err(|_| LedgerError::Damaged { what: "bill that fits no proof file" })?;
    Ok(Some(file.text().as_bytes().to_vec()))
}

fn of_transaction(
    view: &View,
    position: Position,
    whole: bool,
) -> Result<Option<Vec<u8>>, LedgerError> {
    let Some(proof) = view.receipt_proof(position)? else { return Ok(None) };
    let kept = if whole { view.kept(position)? } else { None };
    let transaction = match &kept {
        Some(StoredTransaction::Whole(transaction)) => Some(transaction),
        _ => None,
    };
    let genesis = view.rules().genesis();
    let text = transaction_proof::write(genesis, &proof, transaction)
        .map_err(|_| LedgerError::Damaged { what: "receipt that fits no proof file" })?;
    Ok(Some(text.into_bytes()))
}
