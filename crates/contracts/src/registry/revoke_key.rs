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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::registry::AddKey;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (member, phone) = (network.homes[0].customer.key.clone(), key("phone"));
        let revoke = |by_key: &SigningKey, key: &SigningKey| {
            by(&[by_key], RevokeKey { key: key.public().address() })
        };
        let meter = network.homes[0].meter.clone();
        network.check(&[
            (revoke(&member, &phone), breaks(Rejection::KeyUnknown)),
            (revoke(&member, &network.homes[1].customer.key), breaks(Rejection::KeyNotOfParty)),
            (revoke(&member, &meter), breaks(Rejection::KeyNotOfParty)),
            (revoke(&member, &member), breaks(Rejection::LastKey)),
            (by(&[&member, &phone], AddKey { key: phone.public() }), emits(&["KeyAdded"])),
            (revoke(&phone, &member), emits(&["KeyRevoked"])),
            (revoke(&phone, &member), breaks(Rejection::KeyRevoked)),
            (revoke(&member, &phone), breaks(Rejection::KeyRevoked)),
            (
                by(&[&phone, &member], AddKey { key: member.public() }),
                breaks(Rejection::KeyAlreadyRegistered),
            ),
        ]);
    }
}
