//! Other ledgers, as far as this one vouches for them.
//!
//! Shape: a regulator *admits* another ledger with its genesis, which names its first validators. From
//! then on regulators *notarise* its heads: final headers, each proven by signatures of the set that
//! signed the head before, or by the chain of changes from there. So whoever follows this ledger knows
//! the other one's validators without having followed it, and validators who have left cannot show him
//! another history above the newest head. Two final headers of one height are the proof of a fork; it
//! is recorded, and no head of that ledger is notarised any more.

mod admit_ledger;
mod notarise_head;

pub use admit_ledger::AdmitLedger;
pub use notarise_head::{MAX_NOTARISED_CHANGES, NotariseHead};

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Text;
use primitives::hash::Hash;
use primitives::header::{Header, ValidatorSet};
use primitives::identifier::{LedgerId, PartyId};
use primitives::units::{BlockHeight, Timestamp};

use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

/// Ledgers that one ledger may admit.
pub const MAX_ADMITTED_LEDGERS: usize = 256;

/// A ledger whose heads are notarised here.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AdmittedLedger {
    /// Its id.
    pub ledger_id: LedgerId,
    /// Its name, from its genesis.
    pub name: Text<64>,
    /// Who admitted it.
    pub admitted_by: PartyId,
    /// The height of its newest head here: 0, the genesis, when there is none.
    pub newest: BlockHeight,
    /// The height at which two final headers were shown.
    pub forked_at: Option<BlockHeight>,
}

/// A final header of an admitted ledger.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NotarisedHead {
    /// Its height.
    pub height: BlockHeight,
    /// The hash of its header.
    pub header_hash: Hash,
    /// Its time.
    pub time: Timestamp,
    /// Its epoch.
    pub epoch: u64,
    /// Who signed it.
    pub validators: ValidatorSet,
    /// The state root to which it commits.
    pub state_root: Hash,
    /// The accumulator over all receipts to which it commits.
    pub receipts: Hash,
}

impl NotarisedHead {
    fn new(header: &Header, validators: ValidatorSet) -> Self {
        Self {
            height: header.height,
            header_hash: header.hash(),
            time: header.time,
            epoch: header.epoch,
            validators,
            state_root: header.executed.state_root,
            receipts: header.executed.receipts,
        }
    }
}

impl dyn State + '_ {
    /// An admitted ledger.
    ///
    /// # Errors
    /// [`Rejection::LedgerUnknown`].
    pub fn admitted_ledger(&self, id: &LedgerId) -> Result<AdmittedLedger, Rejection> {
        self.read(&state_key::admitted_ledger(id)).ok_or(Rejection::LedgerUnknown)
    }

    /// Every admitted ledger, in the order of the ids.
    #[must_use]
    pub fn admitted_ledgers(&self) -> Vec<AdmittedLedger> {
        let entries = self.scan(&state_key::admitted_ledgers(), None, MAX_ADMITTED_LEDGERS);
        entries.iter().map(|(_, value)| written(value)).collect()
    }

    /// The head that was notarised at this height; the genesis stands at 0.
    #[must_use]
    pub fn notarised_head(&self, id: &LedgerId, height: BlockHeight) -> Option<NotarisedHead> {
        self.read(&state_key::notarised_head(id, height))
    }

    /// Heads of a ledger in the order of their heights, `limit` of them at most, from the one after
    /// `after` on.
    #[must_use]
    pub fn notarised_heads(
        &self,
        id: &LedgerId,
        after: Option<BlockHeight>,
        limit: usize,
    ) -> Vec<NotarisedHead> {
        let after = after.map(|height| state_key::notarised_head(id, height));
        let entries = self.scan(&state_key::notarised_heads(id), after.as_deref(), limit);
        entries.iter().map(|(_, value)| written(value)).collect()
    }

    fn put_admitted_ledger(&mut self, ledger: &AdmittedLedger) {
        self.write(state_key::admitted_ledger(&ledger.ledger_id), ledger);
    }

    fn put_notarised_head(&mut self, id: &LedgerId, head: &NotarisedHead) {
        self.write(state_key::notarised_head(id, head.height), head);
    }
}

fn written<T: BorshDeserialize>(bytes: &[u8]) -> T {
    primitives::codec::decode(bytes).expect("state values are written by this crate")
}
