//! Final headers: this ledger's own, and those of other ledgers.

use contracts::State;
use contracts::notary::{AdmittedLedger, NotarisedHead};
use data_encoding::BASE64URL_NOPAD;
use primitives::codec::encode;
use primitives::proof::HeadProof;
use schemars::JsonSchema;
use serde::Serialize;

/// A final header as another ledger takes it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HeadEntry {
    /// The ledger.
    pub ledger_id: String,
    /// The header's height.
    pub height: String,
    /// Its hash.
    pub header_hash: String,
    /// Its time.
    pub time: String,
    /// Its epoch.
    pub epoch: String,
    /// How many changes of validators lead to it from the genesis.
    pub set_changes: usize,
    /// The canonical bytes of the header, its certificate and the changes, base64url:
    /// `gridtally submit notarise-head` takes this whole answer.
    pub proof: String,
}

impl HeadEntry {
    /// The entry of a head.
    #[must_use]
    pub fn new(proof: &HeadProof) -> Self {
        let header = &proof.head.header;
        Self {
            ledger_id: header.ledger_id.to_string(),
            height: header.height.to_string(),
            header_hash: header.hash().to_string(),
            time: header.time.to_string(),
            epoch: header.epoch.to_string(),
            set_changes: proof.set_changes.len(),
            proof: BASE64URL_NOPAD.encode(&encode(proof)),
        }
    }
}

/// Another ledger whose heads are notarised here.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LedgerEntry {
    /// Its id.
    pub ledger_id: String,
    /// Its name, from its genesis.
    pub name: String,
    /// The regulator that admitted it.
    pub admitted_by: String,
    /// Its newest head here; at height 0 it is the genesis.
    pub newest: Option<NotarisedHeadEntry>,
    /// The height at which two final headers were shown; then nothing of it is notarised any more.
    pub forked_at_height: Option<String>,
}

impl LedgerEntry {
    /// The entry of an admitted ledger.
    #[must_use]
    pub fn new(ledger: &AdmittedLedger, state: &dyn State) -> Self {
        let newest = state.notarised_head(&ledger.ledger_id, ledger.newest);
        Self {
            ledger_id: ledger.ledger_id.to_string(),
            name: ledger.name.to_string(),
            admitted_by: ledger.admitted_by.to_string(),
            newest: newest.as_ref().map(NotarisedHeadEntry::new),
            forked_at_height: ledger.forked_at.map(|height| height.to_string()),
        }
    }
}

/// A final header of another ledger.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NotarisedHeadEntry {
    /// Its height.
    pub height: String,
    /// The hash of the header.
    pub header_hash: String,
    /// The header's time.
    pub time: String,
    /// Its epoch.
    pub epoch: String,
    /// The state root to which it commits.
    pub state_root: String,
    /// The accumulator over all receipts to which it commits.
    pub receipts: String,
    /// The keys of those who signed it.
    pub validators: Vec<String>,
}

impl NotarisedHeadEntry {
    /// The entry of a head.
    #[must_use]
    pub fn new(head: &NotarisedHead) -> Self {
        Self {
            height: head.height.to_string(),
            header_hash: head.header_hash.to_string(),
            time: head.time.to_string(),
            epoch: head.epoch.to_string(),
            state_root: head.state_root.to_string(),
            receipts: head.receipts.to_string(),
            validators: head.validators.keys().iter().map(ToString::to_string).collect(),
        }
    }
}
