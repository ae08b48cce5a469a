//! A party adds a key: a second phone, a new server, the next key in a rotation.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::identifier::PartyId;
use primitives::key::PublicKey;
use primitives::units::Timestamp;

use super::{Holder, MAX_KEYS_PER_PARTY};
use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Adds a key to the sender's party. The new key cosigns as proof of its possession.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AddKey {
    /// The new key.
    pub key: PublicKey,
}

impl Transaction for AddKey {
    const SENDERS: &'static [Who] = &[Who::AnyParty];
    const WHEN_SUSPENDED: bool = true;

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let party = context.party()?;
        if !context.cosigned_by(&self.key) {
            return Err(Rejection::CosignatureMissing);
        }
        attach_key(context, state, party, (self.key, context.time))
    }
}

/// Registers `key` for `party`, to act from `active_from` on.
pub(super) fn attach_key(
    context: &Context<'_>,
    state: &mut dyn State,
    party: PartyId,
    (key, active_from): (PublicKey, Timestamp),
) -> Result<(), Rejection> {
    let mut record = state.party(party)?;
    let mut keys = record.keys.to_vec();
    keys.push(key.address());
    record.keys = Bounded::try_from(keys)
        .map_err(|_| Rejection::TooManyKeys { bound: MAX_KEYS_PER_PARTY as u64 })?;
    state.add_key_record(context.rules, key, Holder::Party(party), active_from)?;
    state.put_party(party, &record);
    state.emit(Event::KeyAdded { party, key: key.address(), active_from });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let member = network.homes[0].customer.key.clone();
        let taken = network.homes[1].customer.key.clone();
        let (owner, keeper) = (network.owner[0].clone(), network.clock_keeper.clone());
        let add = |key: &SigningKey| AddKey { key: key.public() };
        network.check(&[
            (by(&[&member], add(&taken)), breaks(Rejection::CosignatureMissing)),
            (by(&[&member, &taken], add(&taken)), breaks(Rejection::KeyAlreadyRegistered)),
            (by(&[&member, &owner], add(&owner)), breaks(Rejection::KeyAlreadyRegistered)),
            (by(&[&member, &keeper], add(&keeper)), breaks(Rejection::KeyAlreadyRegistered)),
            (by(&[&member, &key("phone")], add(&key("phone"))), emits(&["KeyAdded"])),
            (by(&[&key("phone"), &key("tablet")], add(&key("tablet"))), emits(&["KeyAdded"])),
        ]);
        for number in 3..MAX_KEYS_PER_PARTY {
            let next = key(&format!("device {number}"));
            network.accept(&by(&[&member, &next], add(&next)));
        }
        // Too many comes before already registered.
        network.check(&[(
            by(&[&member, &taken], add(&taken)),
            breaks(Rejection::TooManyKeys { bound: 32 }),
        )]);
    }
}
