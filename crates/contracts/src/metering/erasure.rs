//! Which values of a private ledger were erased.
//!
//! An erasure is about what was ordered before it: the values of its days that lie behind earlier
//! transactions are gone, wherever they are and whenever they would still arrive. A day that is sealed
//! anew afterwards has values again.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::codec;
use primitives::identifier::{PartyId, UsagePointId};
use primitives::units::Timestamp;

use crate::state::{Position, State};
use crate::state_key;

/// Erasures of a usage point: bounds the search of each.
pub const MAX_ERASURES: usize = 1_000;

/// The record of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Erasure {
    /// The first local day.
    pub first_day: LocalDay,
    /// The last local day.
    pub last_day: LocalDay,
    /// Who asked for it.
    pub by: PartyId,
    /// The block's time.
    pub at: Timestamp,
    /// Where it stands: what was ordered before it is erased.
    pub position: Position,
}

impl Erasure {
    /// Does it erase the values of a day that lie behind the transaction at `position`?
    #[must_use]
    pub fn covers(&self, day: LocalDay, position: Position) -> bool {
        (self.first_day..=self.last_day).contains(&day) && position < self.position
    }
}

impl dyn State + '_ {
    /// The erasures of a usage point, by their days.
    #[must_use]
    pub fn erasures(&self, usage_point: UsagePointId) -> Vec<Erasure> {
        let rows = self.scan(&state_key::erasures(&usage_point), None, MAX_ERASURES);
        let decode = |(_, row): &(Vec<u8>, Vec<u8>)| {
            codec::decode(row).expect("state values are written by this crate")
        };
        rows.iter().map(decode).collect()
    }

    /// Were the values of a day erased that lie behind the transaction at `position`?
    #[must_use]
    pub fn is_erased(&self, usage_point: UsagePointId, day: LocalDay, position: Position) -> bool {
        self.erasures(usage_point).iter().any(|erasure| erasure.covers(day, position))
    }
}
