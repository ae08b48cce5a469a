//! A validator attests the root of a checkpoint.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::hash::Hash;
use primitives::units::BlockHeight;

use super::checkpoint::{AgreedCheckpoint, Attestation};
use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who};

/// Attests the root of the whole state after the block with this height, as the sending validator's
/// own node computed it; sent by the node itself, with the key it votes with. The attestation that
/// makes more than two thirds of the validators in office agrees the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AttestCheckpoint {
    /// The height of the request.
    pub height: BlockHeight,
    /// The root.
    pub root: Hash,
}

impl Transaction for AttestCheckpoint {
    const SENDERS: &'static [Who] = &[Who::Node];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let validators = state.validators_of(context.rules, context.epoch());
        if !validators.contains(&context.signer) {
            return Err(Rejection::NoSeat);
        }
        let known = if let Some(agreed) = state.agreed_checkpoint()
            && agreed.height == self.height
        {
            Some(agreed.root)
        } else {
            None
        };
        let open = state.open_checkpoint().filter(|open| open.height == self.height);
        let validator = context.signer.address();
        let own = |it: &&Attestation| it.validator == validator;
        let before = open.iter().flat_map(|open| open.attestations.iter()).find(own);
        match known.or(before.map(|before| before.root)) {
            Some(root) if root == self.root => {
                state.emit(Event::AlreadyRecorded {});
                return Ok(());
            }
            Some(_) => return Err(Rejection::AttestationDiffers),
            None => {}
        }
        let mut open = open.ok_or(Rejection::CheckpointUnknown)?;
        // Who has left office since counts no more: so the list never grows beyond the seats.
        let mut attestations = open.attestations.into_vec();
        attestations.retain(|it| validators.keys().iter().any(|key| key.address() == it.validator));
        attestations.push(Attestation { validator, root: self.root });
        open.attestations = Bounded::try_from(attestations).expect("one for each seat");
        let (height, root) = (self.height, self.root);
        state.emit(Event::CheckpointAttested { height, root, validator });
        if open.is_agreed(root, &validators) {
            let agreed = AgreedCheckpoint { height, root, position: context.position };
            state.write(state_key::agreed_checkpoint(), &agreed);
            state.delete(&state_key::open_checkpoint());
            state.emit(Event::CheckpointAgreed { height, root });
        } else {
            state.write(state_key::open_checkpoint(), &open);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::RequestCheckpoint;
    use crate::tests::kit::*;

    fn attest(key: &SigningKey, height: u64, root: &[u8]) -> Draft {
        let (height, root) = (BlockHeight::new(height), Hash::of(root));
        by(&[key], AttestCheckpoint { height, root })
    }

    fn requested(network: &mut Network) -> u64 {
        let grid = network.grid.key.clone();
        network.accept(&by(&[&grid], RequestCheckpoint {}));
        network.height
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let council = network.council();
        let (seat, observer) = (&council.regulator, &council.grid);
        let party = network.grid.key.clone();
        let height = requested(&mut network);
        network.check(&[
            (attest(&party, height, b"root"), breaks(Rejection::SenderNotPermitted)),
            (attest(observer, height, b"root"), breaks(Rejection::NoSeat)),
            (attest(seat, height + 1, b"root"), breaks(Rejection::CheckpointUnknown)),
            (attest(seat, height, b"root"), emits(&["CheckpointAttested", "CheckpointAgreed"])),
            (attest(seat, height, b"root"), emits(&["AlreadyRecorded"])),
            (attest(seat, height, b"other"), breaks(Rejection::AttestationDiffers)),
        ]);
        let agreed = network.state().agreed_checkpoint().unwrap();
        assert_eq!((agreed.height.get(), agreed.root), (height, Hash::of(b"root")));
        assert_eq!(network.state().open_checkpoint(), None);
    }

    #[test]
    fn more_than_two_thirds_agree_and_not_fewer() {
        let keys: Vec<_> = (0..6).map(|number| key(&format!("validator {number}"))).collect();
        let mut network = Network::validated_by(&keys);
        let height = requested(&mut network);
        let attested = emits(&["CheckpointAttested"]);
        network.check(
            &[
                (attest(&keys[0], height, b"liar's"), attested.clone()),
                (attest(&keys[1], height, b"root"), attested.clone()),
                (attest(&keys[2], height, b"root"), attested.clone()),
                (attest(&keys[0], height, b"root"), breaks(Rejection::AttestationDiffers)),
                (attest(&keys[1], height, b"root"), emits(&["AlreadyRecorded"])),
                (attest(&keys[3], height, b"root"), attested.clone()),
                // Four of six are two thirds, not more.
                (attest(&keys[4], height, b"root"), attested),
            ][..6],
        );
        assert_eq!(network.state().agreed_checkpoint(), None);
        let fourth = attest(&keys[4], height, b"root");
        network.check(&[(fourth, emits(&["CheckpointAttested"]))]);
        assert_eq!(network.state().agreed_checkpoint(), None, "four of six are not more");
        let fifth = attest(&keys[5], height, b"root");
        network.check(&[(fifth, emits(&["CheckpointAttested", "CheckpointAgreed"]))]);
        assert!(network.state().agreed_checkpoint().is_some());
    }

    #[test]
    fn the_next_request_replaces_an_open_one_and_leaves_the_agreed_one() {
        let mut network = Network::new();
        let seat = network.council().regulator;
        let first = requested(&mut network);
        network.accept(&attest(&seat, first, b"first"));
        let second = requested(&mut network);
        network.check(&[
            (attest(&seat, first, b"first"), emits(&["AlreadyRecorded"])),
            (attest(&seat, second, b"second"), emits(&["CheckpointAttested", "CheckpointAgreed"])),
            (attest(&seat, first, b"first"), breaks(Rejection::CheckpointUnknown)),
        ]);
    }
}
