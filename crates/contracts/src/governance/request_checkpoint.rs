//! An organisation asks for a checkpoint.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::units::BlockHeight;

use super::checkpoint::{CHECKPOINT_PATIENCE_MS, OpenCheckpoint};
use super::node::ORGANISATIONS;
use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who};

/// Asks every validator for the root of the whole state after the block that holds this request.
/// One request is open at a time; it is replaced by the next one when it was not agreed on within ten
/// minutes.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RequestCheckpoint {}

impl Transaction for RequestCheckpoint {
    const SENDERS: &'static [Who] = ORGANISATIONS;

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if let Some(open) = state.open_checkpoint() {
            let until_ms = open.requested_at.get().saturating_add(CHECKPOINT_PATIENCE_MS);
            if context.time.get() < until_ms {
                return Err(Rejection::CheckpointOpen { until_ms });
            }
        }
        let height = BlockHeight::new(context.position.height);
        let open =
            OpenCheckpoint { height, requested_at: context.time, attestations: Bounded::default() };
        state.write(state_key::open_checkpoint(), &open);
        state.emit(Event::CheckpointRequested { height });
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
        let (grid, home) = (network.grid.key.clone(), network.homes[0].clone());
        let until_ms = network.time.get() + CHECKPOINT_PATIENCE_MS;
        let request = |key: &SigningKey| by(&[key], RequestCheckpoint {});
        network.check(&[
            (request(&home.meter), breaks(Rejection::SenderNotPermitted)),
            (request(&grid), emits(&["CheckpointRequested"])),
            (request(&grid), breaks(Rejection::CheckpointOpen { until_ms })),
        ]);
        let open = network.state().open_checkpoint().unwrap();
        assert_eq!(open.height.get(), network.height - 1, "the height of the request that acted");
        network.time = network.time.plus_milliseconds(CHECKPOINT_PATIENCE_MS).unwrap();
        network.check(&[(request(&grid), emits(&["CheckpointRequested"]))]);
        let replaced = network.state().open_checkpoint().unwrap();
        assert_eq!(replaced.height.get(), network.height);
    }
}
