//! The grid operator registers a distribution station.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Text;
use primitives::identifier::{PartyId, StationId};

use super::{Role, Station};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Registers a station and names the distributor that runs it. The station's id is the beginning of
/// this transaction's id; its label is unique on the ledger.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RegisterStation {
    /// The label, 1..=64 bytes.
    pub label: Text<64>,
    /// Who runs it.
    pub distributor: PartyId,
}

impl Transaction for RegisterStation {
    const SENDERS: &'static [Who] = &[Who::Role(Role::GridOperator)];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.label.is_empty() {
            return Err(Malformed::Field("a station has a label"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let grid_operator = context.party()?;
        state.party_with_role(self.distributor, Role::Distributor)?;
        if self.distributor == grid_operator {
            return Err(Rejection::SamePartyTwice);
        }
        let label = state_key::label(None, &self.label);
        if state.get(&label).is_some() {
            return Err(Rejection::LabelTaken);
        }
        let id = StationId::from_transaction(&context.transaction);
        state.write(label, &id);
        state.put_station(
            id,
            &Station {
                label: self.label.clone(),
                distributor: self.distributor,
                grid_operator,
                usage_points: 0,
            },
        );
        state.emit(Event::StationRegistered { station: id });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::registry::GrantRole;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let role = Role::Distributor;
        network
            .accept(&by(&[&network.regulators[0].key], GrantRole { party: network.grid.id, role }));
        let third = network.admit("third", &[Role::Distributor]);
        network.suspend(third.id);
        let grid = network.grid.key.clone();
        let register = |label: &str, distributor| {
            by(&[&grid], RegisterStation { label: label.parse().unwrap(), distributor })
        };
        network.check(&[
            (register("", PartyId::default()), WRONG_FIELD),
            (register("north", PartyId::default()), breaks(Rejection::PartyUnknown)),
            (register("north", network.aggregator.id), breaks(Rejection::PartyLacksRole)),
            (register("north", third.id), breaks(Rejection::PartyStatusDiffers)),
            (register("north", network.grid.id), breaks(Rejection::SamePartyTwice)),
            (register("north", network.south.id), breaks(Rejection::LabelTaken)),
            (register("east", network.south.id), emits(&["StationRegistered"])),
        ]);
    }
}
