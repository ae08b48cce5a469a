//! Anybody checks a bill alone: from the bytes of a proof file to what they prove.

use contracts::Genesis;
use contracts::billing::bill_proof::{BillProofError, VerifiedBill, verify_bill_proof};
use primitives::identifier::LedgerId;
use thiserror::Error;

use crate::proof_file::{ProofFile, ProofFileError};

/// The ledger that the reader trusts beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrustAnchor {
    /// None: a proof is only checked to be consistent in itself, and anybody could have made it.
    #[default]
    Nothing,
    /// The ledger of this id.
    Ledger(LedgerId),
    /// The ledger of this genesis.
    Genesis(Box<Genesis>),
}

impl TrustAnchor {
    /// The id of the ledger that the reader trusts.
    #[must_use]
    pub fn ledger_id(&self) -> Option<LedgerId> {
        match self {
            Self::Nothing => None,
            Self::Ledger(id) => Some(*id),
            Self::Genesis(genesis) => Some(genesis.ledger_id()),
        }
    }
}

/// Why a proof file does not prove its bill.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The bytes are no proof file, or a damaged one.
    #[error(transparent)]
    File(#[from] ProofFileError),
    /// The proof is wrong.
    #[error(transparent)]
    Proof(#[from] BillProofError),
}

impl VerifyError {
    /// Whether the bytes do not even claim to be a proof.
    #[must_use]
    pub const fn is_not_a_proof(&self) -> bool {
        matches!(self, Self::File(error) if error.is_not_a_proof())
    }
}

/// Verifies the bytes of a proof file.
///
/// # Errors
/// [`VerifyError`], naming the first thing that is wrong.
pub fn verify(trusted: &TrustAnchor, bytes: &[u8]) -> Result<VerifiedBill, VerifyError> {
    let file = ProofFile::parse(bytes)?;
    Ok(verify_proof(trusted, &file)?)
}

/// Verifies a proof file that was read.
///
/// # Errors
/// [`BillProofError`], naming the first thing that is wrong.
pub fn verify_proof(
    trusted: &TrustAnchor,
    file: &ProofFile,
) -> Result<VerifiedBill, BillProofError> {
    let proof = file.proof();
    let genesis = match trusted {
        TrustAnchor::Nothing => None,
        TrustAnchor::Genesis(genesis) => Some(&**genesis),
        // The genesis in the proof hashes to its ledger's id, so the id alone makes it trusted.
        TrustAnchor::Ledger(wanted) => {
            let (found, wanted) = (proof.genesis.ledger_id(), *wanted);
            if found != wanted {
                return Err(BillProofError::OtherLedger { found, wanted });
            }
            Some(&proof.genesis)
        }
    };
    verify_bill_proof(genesis, proof)
}
