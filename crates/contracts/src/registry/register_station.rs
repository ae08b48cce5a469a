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
