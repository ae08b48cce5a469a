//! Proof files: from the ledger's view to the bytes that anybody verifies.

use client::proof_file::ProofFile;
use ledger::{LedgerError, View};
use primitives::identifier::BillId;

/// The proof file of a bill; `None` when there is no such bill, or it is not provable yet.
///
/// # Errors
/// [`LedgerError`] when the store fails or the bill can be proven no more.
pub fn export(view: &View, bill: BillId) -> Result<Option<Vec<u8>>, LedgerError> {
    let Some(proof) = view.bill_proof(bill)? else { return Ok(None) };
    let file = ProofFile::new(proof)
        .map_err(|_| LedgerError::Damaged { what: "bill that fits no proof file" })?;
    Ok(Some(file.text().as_bytes().to_vec()))
}
