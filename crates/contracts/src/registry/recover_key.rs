//! Regulators replace the last key of a party that lost it.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;
use primitives::key::PublicKey;
use primitives::units::Timestamp;

use super::Role;
use super::add_key::attach_key;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// How long a recovered key waits before it acts, so that a party whose key is not lost at all can
/// revoke it in time.
pub const RECOVERY_DELAY_MS: u64 = 72 * 3_600 * 1_000;

/// Gives a party a new key that acts 72 hours later. Signed by a majority of the regulators in
/// office and by the new key. The party's id, accounts and other keys stay.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RecoverKey {
    /// The party.
    pub party: PartyId,
    /// Its new key.
    pub key: PublicKey,
}

impl Transaction for RecoverKey {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        context.require_regulators(state)?;
        if !context.cosigned_by(&self.key) {
            return Err(Rejection::CosignatureMissing);
        }
        state.party(self.party)?;
        let active_from = context
            .time
            .get()
            .checked_add(RECOVERY_DELAY_MS)
            .ok_or(Rejection::AmountOutOfRange)
            .map(Timestamp::new)?;
        attach_key(state, self.party, self.key, active_from)
    }
}
