//! A biller publishes how a typical customer's day runs, for estimates that have nothing better.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::{Bounded, Text};
use primitives::identifier::{PartyId, TransactionId};

use super::MAX_SLOTS;
use super::estimation::Energy;
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Publishes a standard profile: Wh for each slot of an ordinary day, from midnight on.
///
/// Where the registers tell how much flowed in a gap, the profile only says how it is spread;
/// elsewhere its values are the estimate. It is named by the id of this transaction and never changes:
/// a better one is published beside it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PublishStandardProfile {
    /// What people call it.
    pub name: Text<64>,
    /// Wh drawn in each slot of 24 hours: 96 values with slots of 15 minutes.
    pub import_wh: Bounded<u32, MAX_SLOTS>,
    /// Wh injected, likewise; empty = nothing.
    pub export_wh: Bounded<u32, MAX_SLOTS>,
}

/// A published profile.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StandardProfile {
    /// Who published it and may estimate with it.
    pub publisher: PartyId,
    /// What people call it.
    pub name: Text<64>,
    /// Wh drawn in each slot of 24 hours.
    pub import_wh: Bounded<u32, MAX_SLOTS>,
    /// Wh injected, or nothing at all.
    pub export_wh: Bounded<u32, MAX_SLOTS>,
}

impl StandardProfile {
    /// The value of a slot counted from midnight on the grid's clocks.
    #[must_use]
    pub fn at(&self, clock_slot: u16) -> Energy {
        let value = |list: &[u32]| list.get(usize::from(clock_slot)).map_or(0, |wh| u64::from(*wh));
        [value(&self.import_wh), value(&self.export_wh)]
    }
}

impl Transaction for PublishStandardProfile {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        let ordinary = 86_400 / rules.calendar().slot_seconds() as usize;
        if self.import_wh.len() != ordinary || ![0, ordinary].contains(&self.export_wh.len()) {
            return Err(Malformed::Field("a profile has a value for each slot of 24 hours"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let publisher = context.party()?;
        let (name, profile) = (self.name.clone(), context.transaction);
        let value = StandardProfile {
            publisher,
            name,
            import_wh: self.import_wh.clone(),
            export_wh: self.export_wh.clone(),
        };
        state.write(state_key::standard_profile(&profile), &value);
        state.emit(Event::StandardProfilePublished { publisher, profile });
        Ok(())
    }
}

impl dyn State + '_ {
    /// A standard profile, by the transaction that published it.
    #[must_use]
    pub fn standard_profile(&self, profile: &TransactionId) -> Option<StandardProfile> {
        self.read(&state_key::standard_profile(profile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (north, grid) = (network.north.clone(), network.grid.key.clone());
        let profile = |import: usize, export: usize| PublishStandardProfile {
            name: "household".parse().unwrap(),
            import_wh: vec![100; import].try_into().unwrap(),
            export_wh: vec![7; export].try_into().unwrap(),
        };
        network.check(&[
            (by(&[&north.key], profile(95, 0)), WRONG_FIELD),
            (by(&[&north.key], profile(0, 0)), WRONG_FIELD),
            (by(&[&north.key], profile(96, 1)), WRONG_FIELD),
            (by(&[&grid], profile(96, 0)), emits(&["StandardProfilePublished"])),
        ]);
        let published = network.accept(&by(&[&north.key], profile(96, 96)));
        let stored = network.state().standard_profile(&published.id).unwrap();
        assert_eq!((stored.publisher, stored.at(95)), (north.id, [100, 7]));
        assert_eq!(stored.at(96), [0, 0]);
    }
}
