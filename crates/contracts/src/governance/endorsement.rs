//! Endorsements: what a transaction needs beside its sender's signature, set by governance.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;

use crate::execute::Context;
use crate::registry::Role;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;
use crate::transaction::{TABLE, Who};

use super::Schedule;

/// Roles that one kind of transaction may need the signatures of.
pub const MAX_ENDORSEMENTS: usize = 8;

/// So many active parties with this role must stand among signer and cosigners.
///
/// A tariff that needs its distributor and the regulator: kind 301 with one `Distributor` and one
/// `Regulator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Endorsement {
    /// The role.
    pub role: Role,
    /// How many parties with it, from 1.
    pub count: u8,
}

/// The endorsements of one kind of transaction; empty = the sender's signature is enough.
pub type Endorsements = Bounded<Endorsement, MAX_ENDORSEMENTS>;

/// May this kind need endorsements? Votes cannot, else nobody could ever take one back; meters sign
/// alone.
pub(super) fn may_need(kind: u16) -> bool {
    TABLE.iter().any(|entry| {
        entry.kind == kind && entry.module != "governance" && entry.senders != [Who::Meter]
    })
}

impl dyn State + '_ {
    /// What a kind of transaction needs, by the height from which on it does.
    #[must_use]
    pub fn endorsements(&self, kind: u16) -> Schedule<Endorsements> {
        self.read(&state_key::endorsements(kind)).unwrap_or_default()
    }
}

impl Context<'_> {
    /// Everybody whose signature this kind of transaction needs must have signed.
    ///
    /// # Errors
    /// [`Rejection::EndorsementMissing`] with the role's place in [`Role::ALL`].
    pub(crate) fn require_endorsements(
        &self,
        state: &dyn State,
        kind: u16,
    ) -> Result<(), Rejection> {
        let schedule = state.endorsements(kind);
        let Some(needed) = schedule.at(self.position.height).filter(|it| !it.is_empty()) else {
            return Ok(());
        };
        let parties = self.signing_parties(state);
        for Endorsement { role, count } in needed.iter() {
            let holds = |id: &&_| state.party(**id).is_ok_and(|party| party.holds(*role));
            let (signed, wanted) = (parties.iter().filter(holds).count() as u64, u64::from(*count));
            if signed < wanted {
                let place = Role::ALL.iter().position(|it| it == role).expect("every role");
                return Err(Rejection::EndorsementMissing { role: place as u64, signed, wanted });
            }
        }
        Ok(())
    }
}
