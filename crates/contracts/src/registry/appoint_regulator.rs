//! The owner's council appoints a regulator.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::{Bounded, Text};
use primitives::identifier::PartyId;
use primitives::key::PublicKey;

use super::{Holder, Party, PartyStatus, Role};
use crate::event::Event;
use crate::execute::Context;
use crate::governance::enter_office;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Registers a new party as regulator. Signed by the owner's council with its threshold; the new
/// party's key cosigns as proof of its possession.
///
/// The party's id is the hash of this transaction.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AppointRegulator {
    /// A pseudonym.
    pub alias: Text<64>,
    /// The regulator's first key.
    pub key: PublicKey,
    /// X25519 public key for private payloads.
    pub encryption_key: [u8; 32],
}

impl Transaction for AppointRegulator {
    const SENDERS: &'static [Who] = &[Who::Owner];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        context.require_owner()?;
        if !context.cosigned_by(&self.key) {
            return Err(Rejection::CosignatureMissing);
        }
        let id = PartyId::from_transaction(&context.transaction);
        state.add_key_record(context.rules, self.key, Holder::Party(id), context.time)?;
        enter_office(context, state, id)?;
        let mut census = state.census();
        census.parties += 1;
        census.regulators += 1;
        state.put_census(census);
        state.put_party(
            id,
            &Party {
                alias: self.alias.clone(),
                roles: Bounded::try_from(vec![Role::Regulator]).expect("one role"),
                status: PartyStatus::Active,
                keys: Bounded::try_from(vec![self.key.address()]).expect("one key"),
                encryption_key: self.encryption_key,
                region: Text::default(),
            },
        );
        state.emit(Event::PartyRegistered { party: id });
        state.emit(Event::RoleGranted { party: id, role: Role::Regulator });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (fresh, taken) = (key("regulator 4"), network.homes[0].customer.key.clone());
        let [one, two, _] = [0, 1, 2].map(|index| network.owner[index].clone());
        let appoint = |key: &SigningKey| AppointRegulator {
            alias: "regulator 4".parse().unwrap(),
            key: key.public(),
            encryption_key: [1; 32],
        };
        network.check(&[
            (
                by(&[&one], appoint(&taken)),
                breaks(Rejection::QuorumNotReached { signed: 1, wanted: 2 }),
            ),
            (by(&[&one, &two], appoint(&taken)), breaks(Rejection::CosignatureMissing)),
            (by(&[&one, &two, &taken], appoint(&taken)), breaks(Rejection::KeyAlreadyRegistered)),
            (
                by(&[&two, &one, &fresh], appoint(&fresh)),
                emits(&["PartyRegistered", "RoleGranted"]),
            ),
        ]);
        assert_eq!(network.state().census().regulators, 4);
    }
}
