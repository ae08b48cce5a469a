//! The proof of what became of a transaction: one receipt and everything that proves it, in JSON.
//!
//! As a bill's proof file it is canonical: what is read is written again and compared byte for byte.
//! A payment, a redemption, a reading: whatever was ordered has a receipt, and whoever holds its proof
//! needs nobody's word for it.

use contracts::{Body, Event, Genesis};
use primitives::codec::{Bounded, decode, encode};
use primitives::envelope::SignedTransaction;
use primitives::identifier::{LedgerId, TransactionId};
use primitives::proof::{ProofError, ReceiptProof, TrustedGenesis, verify_receipt};
use primitives::receipt::{EventBytes, Receipt};
use primitives::units::{BlockHeight, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::chain_json::{AnchorJson, PathJson, SetChangeJson};
use crate::genesis_file::GenesisJson;
use crate::json::{Base64, Written};
use crate::proof_file::{ProofFileError, not_canonical};
use crate::verify::TrustAnchor;

/// What the file says that it is.
pub const FORMAT: &str = "gridtally-transaction-proof/1";

/// The whole file, in the order in which it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransactionProofJson {
    format: String,
    ledger_id: Written<LedgerId>,
    transaction_id: Written<TransactionId>,
    code: u16,
    events: Vec<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<Base64>,
    receipt_in_block: PathJson,
    block_in_accumulator: PathJson,
    set_changes: Vec<SetChangeJson>,
    anchor: AnchorJson,
    genesis: GenesisJson,
}

/// Why a file does not prove what became of a transaction.
#[derive(Debug, Error)]
pub enum TransactionProofError {
    /// The bytes are no such file, or a damaged one.
    #[error(transparent)]
    File(#[from] ProofFileError),
    /// The way from the receipt to the validators is wrong.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The proof is of another ledger than the one that is trusted.
    #[error("the proof is of ledger {found}, trusted is {wanted}")]
    OtherLedger {
        /// The ledger of the proof.
        found: LedgerId,
        /// The ledger that is trusted.
        wanted: LedgerId,
    },
    /// The transaction in the file is another one than that of the receipt.
    #[error("the file holds transaction {found}, its receipt is that of {wanted}")]
    OtherTransaction {
        /// The transaction in the file.
        found: TransactionId,
        /// The transaction of the receipt.
        wanted: TransactionId,
    },
    /// A signature under the transaction is wrong.
    #[error("the transaction is not signed by whom it names")]
    Signature,
}

impl TransactionProofError {
    /// Whether the bytes do not even claim to be a proof.
    #[must_use]
    pub const fn is_not_a_proof(&self) -> bool {
        matches!(self, Self::File(error) if error.is_not_a_proof())
    }
}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTransaction {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The transaction.
    pub transaction_id: TransactionId,
    /// 0 when it acted, else the number of the rule that it broke.
    pub code: u16,
    /// The names of its events, in order; an event of a later version has none.
    pub events: Vec<&'static str>,
    /// The name of its kind, when the file holds the transaction itself.
    pub kind_name: Option<&'static str>,
    /// The block in which it stands.
    pub height: BlockHeight,
    /// Its place in the block, from 0.
    pub index: u64,
    /// The height of the final header.
    pub anchor_height: BlockHeight,
    /// The time of the final header.
    pub anchor_time: Timestamp,
    /// Whether the ledger is one that the reader trusts.
    pub anchored: bool,
}

/// Writes the proof of a receipt, with the transaction for those who may see it.
///
/// # Errors
/// [`ProofFileError`] when it could not be read again.
pub fn write(
    genesis: &Genesis,
    proof: &ReceiptProof,
    transaction: Option<&SignedTransaction>,
) -> Result<String, ProofFileError> {
    let json = TransactionProofJson {
        format: FORMAT.to_owned(),
        ledger_id: Written(genesis.ledger_id()),
        transaction_id: Written(proof.receipt.transaction),
        code: proof.receipt.code,
        events: proof.receipt.events.iter().map(|event| Base64(event.to_vec())).collect(),
        transaction: transaction.map(|transaction| Base64(encode(transaction))),
        receipt_in_block: PathJson::of(&proof.receipt_in_block),
        block_in_accumulator: PathJson::of(&proof.block_in_accumulator),
        set_changes: proof.set_changes.iter().map(SetChangeJson::of).collect(),
        anchor: AnchorJson::of(&proof.anchor),
        genesis: GenesisJson::of(genesis),
    };
    let mut text = serde_json::to_string_pretty(&json).map_err(ProofFileError::Json)?;
    text.push('\n');
    Ok(text)
}

/// Whether bytes claim to be the proof of a transaction.
#[must_use]
pub fn is_one(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Head {
        format: Option<String>,
    }
    let head = serde_json::from_slice::<Head>(bytes);
    head.is_ok_and(|head| head.format.as_deref() == Some(FORMAT))
}

/// Verifies the bytes of a file.
///
/// # Errors
/// [`TransactionProofError`], naming the first thing that is wrong.
pub fn verify(
    trusted: &TrustAnchor,
    bytes: &[u8],
) -> Result<VerifiedTransaction, TransactionProofError> {
    let (genesis, proof, transaction) = parse(bytes)?;
    let found = genesis.ledger_id();
    let wanted = trusted.ledger_id();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
        return Err(TransactionProofError::OtherLedger { found, wanted });
    }
    // The genesis in the file hashes to its ledger's id, so the id alone makes it trusted.
    let own = TrustedGenesis { ledger_id: found, validators: genesis.validators.clone() };
    let verified = verify_receipt(Some(&own), &proof)?;
    let receipt = &proof.receipt;
    let mut kind_name = None;
    if let Some(transaction) = &transaction {
        let (found, wanted) = (transaction.id(), receipt.transaction);
        if found != wanted {
            return Err(TransactionProofError::OtherTransaction { found, wanted });
        }
        transaction.verify_signatures().map_err(|_| TransactionProofError::Signature)?;
        let envelope = &transaction.envelope;
        let body = Body::decode(envelope.kind, &envelope.body).ok();
        kind_name = body.map(|body| body.entry().name);
    }
    let name = |bytes: &EventBytes| decode::<Event>(bytes).map_or("Unknown", |it| it.name());
    Ok(VerifiedTransaction {
        ledger_id: found,
        transaction_id: receipt.transaction,
        code: receipt.code,
        events: receipt.events.iter().map(name).collect(),
        kind_name,
        height: verified.height,
        index: proof.receipt_in_block.index,
        anchor_height: verified.anchor_height,
        anchor_time: verified.anchor_time,
        anchored: wanted.is_some(),
    })
}

type Parsed = (Genesis, ReceiptProof, Option<SignedTransaction>);

fn parse(bytes: &[u8]) -> Result<Parsed, ProofFileError> {
    let not_utf8 = |_| ProofFileError::NotAProof("it is not UTF-8 text".to_owned());
    let text = std::str::from_utf8(bytes).map_err(not_utf8)?;
    if !is_one(bytes) {
        return Err(ProofFileError::NotAProof(format!("it does not say that it is {FORMAT:?}")));
    }
    let json: TransactionProofJson = serde_json::from_str(text).map_err(ProofFileError::Json)?;
    let genesis = json.genesis.genesis()?;
    let (found, named) = (genesis.ledger_id(), json.ledger_id.0);
    if found != named {
        return Err(ProofFileError::OtherLedger { found, named });
    }
    let events: Result<Vec<EventBytes>, _> =
        json.events.into_iter().map(|event| Bounded::try_from(event.0)).collect();
    let set_changes: Result<Vec<_>, _> =
        json.set_changes.into_iter().map(SetChangeJson::change).collect();
    let transaction = json.transaction.map(|bytes| decode(&bytes.0)).transpose()?;
    let proof = ReceiptProof {
        validators: genesis.validators.clone(),
        set_changes: set_changes?.try_into()?,
        anchor: json.anchor.anchor()?,
        receipt_in_block: json.receipt_in_block.path()?,
        block_in_accumulator: json.block_in_accumulator.path()?,
        receipt: Receipt {
            transaction: json.transaction_id.0,
            code: json.code,
            events: events?.try_into()?,
        },
    };
    let wanted = write(&genesis, &proof, transaction.as_ref())?;
    if wanted != text {
        return Err(not_canonical(text, &wanted));
    }
    Ok((genesis, proof, transaction))
}
