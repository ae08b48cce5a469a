//! A regulator admits a party.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::{Bounded, Text};
use primitives::identifier::PartyId;
use primitives::key::PublicKey;

use super::{Holder, Party, PartyStatus, Role, is_rising};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Keys that a registration may bring.
pub const MAX_FIRST_KEYS: usize = 8;

/// Registers a party with its roles and keys. Signed by a regulator, cosigned by every key of the
/// party (proof of possession) and by a network provider; by parameter also by a majority of the
/// active parties.
///
/// The party's id is the hash of this transaction and never changes. A regulator cannot make
/// regulators: that is the owner's part (`AppointRegulator`).
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RegisterParty {
    /// A pseudonym; real names stay off the ledger.
    pub alias: Text<64>,
    /// The roles, in wire order, none twice.
    pub roles: Bounded<Role, 8>,
    /// The party's keys, 1..=8, none twice.
    pub keys: Bounded<PublicKey, MAX_FIRST_KEYS>,
    /// X25519 public key for private payloads.
    pub encryption_key: [u8; 32],
    /// The region it trades in; may be empty.
    pub region: Text<32>,
}

impl Transaction for RegisterParty {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.keys.is_empty() {
            return Err(Malformed::Field("a party has at least one key"));
        }
        if self.roles.is_empty() || !is_rising(&self.roles) {
            return Err(Malformed::Field("roles are in wire order, at least one, none twice"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if self.roles.contains(&Role::Regulator) {
            return Err(Rejection::RoleNotGrantable);
        }
        if !self.keys.iter().all(|key| context.cosigned_by(key)) {
            return Err(Rejection::CosignatureMissing);
        }
        self.require_network_provider(context, state)?;
        require_majority(context, state)?;
        let id = PartyId::from_transaction(&context.transaction);
        for key in self.keys.iter() {
            state.add_key_record(context.rules, *key, Holder::Party(id), context.time)?;
        }
        let mut census = state.census();
        census.parties += 1;
        state.put_census(census);
        let addresses: Vec<_> = self.keys.iter().map(PublicKey::address).collect();
        state.put_party(
            id,
            &Party {
                alias: self.alias.clone(),
                roles: self.roles.clone(),
                status: PartyStatus::Active,
                keys: Bounded::try_from(addresses).expect("fewer first keys than keys"),
                encryption_key: self.encryption_key,
                region: self.region.clone(),
            },
        );
        state.emit(Event::PartyRegistered { party: id });
        Ok(())
    }
}

impl RegisterParty {
    /// A network provider countersigns; the first network provider cannot have one.
    fn require_network_provider(
        &self,
        context: &Context<'_>,
        state: &dyn State,
    ) -> Result<(), Rejection> {
        let needed = context.parameters(state).registration_needs_network_provider
            && !self.roles.contains(&Role::NetworkProvider);
        if needed && !context.signed_by_role(state, Role::NetworkProvider) {
            return Err(Rejection::CosignatureMissing);
        }
        Ok(())
    }
}

fn require_majority(context: &Context<'_>, state: &dyn State) -> Result<(), Rejection> {
    if !context.parameters(state).registration_needs_majority {
        return Ok(());
    }
    let signed = context.signing_parties(state).len() as u64;
    let wanted = u64::from(state.census().parties) / 2 + 1;
    if signed >= wanted { Ok(()) } else { Err(Rejection::QuorumNotReached { signed, wanted }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let regulator = network.regulators[0].key.clone();
        let (provider, fresh) = (network.provider.key.clone(), key("newcomer"));
        let taken = network.homes[0].customer.key.clone();
        let body = |name, roles: &[Role]| network.registration(name, roles);
        let consumer = body("newcomer", &[Role::Consumer]);
        let keyless = RegisterParty { keys: Bounded::default(), ..consumer.clone() };
        let cases = [
            (by(&[&regulator], keyless), WRONG_FIELD),
            (by(&[&regulator], body("newcomer", &[])), WRONG_FIELD),
            (by(&[&regulator], body("newcomer", &[Role::Consumer, Role::Producer])), WRONG_FIELD),
            (
                by(&[&regulator], body("home 1", &[Role::Regulator])),
                breaks(Rejection::RoleNotGrantable),
            ),
            (
                by(&[&regulator, &provider], body("home 1", &[Role::Consumer])),
                breaks(Rejection::CosignatureMissing),
            ),
            (
                by(&[&regulator, &taken], body("home 1", &[Role::Consumer])),
                breaks(Rejection::CosignatureMissing),
            ),
            (
                by(&[&regulator, &taken, &provider], body("home 1", &[Role::Consumer])),
                breaks(Rejection::KeyAlreadyRegistered),
            ),
            (by(&[&regulator, &fresh, &provider], consumer), emits(&["PartyRegistered"])),
            (
                by(&[&regulator, &key("provider 2")], body("provider 2", &[Role::NetworkProvider])),
                emits(&["PartyRegistered"]),
            ),
        ];
        network.check(&cases);
    }

    #[test]
    fn by_parameter_a_majority_of_the_active_parties_signs() {
        let mut network = Network::new();
        let mut genesis = network.rules.genesis().clone();
        genesis.parameters.registration_needs_majority = true;
        network.rules = Rules::new(genesis).unwrap();
        let body = network.registration("newcomer", &[Role::Consumer]);
        let fresh = key("newcomer");
        let members = [&network.grid, &network.north, &network.south, &network.aggregator];
        let mut signers = vec![&network.regulators[0].key, &fresh, &network.provider.key];
        signers.extend(members.map(|member| &member.key));
        let few = by(&signers, body.clone());
        signers.push(&network.regulators[1].key);
        let enough = by(&signers, body);
        network.check(&[
            (few, breaks(Rejection::QuorumNotReached { signed: 6, wanted: 7 })),
            (enough, emits(&["PartyRegistered"])),
        ]);
    }
}
