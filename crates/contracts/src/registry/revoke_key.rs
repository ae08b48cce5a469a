//! A party revokes one of its keys.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::KeyAddress;

use super::Holder;
use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Revokes a key of the sender's party, for ever. One active key must remain: a party that lost its
/// last key needs the regulators (`RecoverKey`). A key that a recovery brought and that does not act
/// yet is revoked the same way: so a party stops a recovery that it did not ask for.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RevokeKey {
    /// The key's address.
    pub key: KeyAddress,
}

impl Transaction for RevokeKey {
    const SENDERS: &'static [Who] = &[Who::AnyParty];
    const WHEN_SUSPENDED: bool = true;

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let party = context.party()?;
        let mut record = state.key_record(&self.key).ok_or(Rejection::KeyUnknown)?;
        if record.holder != Holder::Party(party) {
            return Err(Rejection::KeyNotOfParty);
        }
        if record.revoked {
            return Err(Rejection::KeyRevoked);
        }
        let another_remains = state.party(party)?.keys.iter().any(|address| {
            *address != self.key
                && state
                    .key_record(address)
                    .is_some_and(|key| !key.revoked && key.active_from <= context.time)
        });
        if !another_remains {
            return Err(Rejection::LastKey);
        }
        record.revoked = true;
        state.put_key_record(&record);
        state.emit(Event::KeyRevoked { key: self.key });
        Ok(())
    }
}
