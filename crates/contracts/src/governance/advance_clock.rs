//! The clock keeper advances a virtual clock.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::units::Timestamp;

use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Clock, LATEST_MS, Rules};
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Moves a virtual clock forward. The next block carries at least this time, and the period that
/// has ended by it counts from the block after that one. Refused on ledgers that keep the system's
/// time.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AdvanceClock {
    /// The new time, later than the block's.
    pub to: Timestamp,
}

impl Transaction for AdvanceClock {
    const SENDERS: &'static [Who] = &[Who::ClockKeeper];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.to.get() > LATEST_MS {
            return Err(Malformed::Field("the clock ends with the year 9999"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if context.rules.genesis().clock != Clock::Virtual {
            return Err(Rejection::ClockIsNotVirtual);
        }
        if self.to <= context.time || Some(self.to) <= state.virtual_clock() {
            return Err(Rejection::ClockNotForward);
        }
        state.write(state_key::virtual_clock(), &self.to);
        state.emit(Event::ClockAdvanced { to: self.to });
        Ok(())
    }
}

impl dyn State + '_ {
    /// Where the virtual clock stands; `None` before it was first advanced.
    #[must_use]
    pub fn virtual_clock(&self) -> Option<Timestamp> {
        self.read(&state_key::virtual_clock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let keeper = network.clock_keeper.clone();
        let advance = |to| by(&[&keeper], AdvanceClock { to: Timestamp::new(to) });
        let now = network.time.get();
        let mut genesis = network.rules.genesis().clone();
        genesis.clock = Clock::System;
        let mut system = network.clone();
        system.rules = Rules::new(genesis).unwrap();
        system.check(&[(advance(now), breaks(Rejection::ClockIsNotVirtual))]);
        network.check(&[
            (advance(LATEST_MS + 1), WRONG_FIELD),
            (advance(now), breaks(Rejection::ClockNotForward)),
            (advance(now + 2), emits(&["ClockAdvanced"])),
            (advance(now + 2), breaks(Rejection::ClockNotForward)),
            (advance(now + 1), breaks(Rejection::ClockNotForward)),
            (advance(LATEST_MS), emits(&["ClockAdvanced"])),
        ]);
        assert_eq!(network.state().virtual_clock(), Some(Timestamp::new(LATEST_MS)));
    }
}
