//! Regulators replace the last key of a party that lost it.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::PartyId;
use primitives::key::PublicKey;
use primitives::units::Timestamp;

use super::Role;
use super::add_key::attach_key;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// How long a recovered key waits before it acts, so that a party whose key is not lost at all can
/// revoke it in time.
pub const RECOVERY_DELAY_MS: u64 = 72 * 3_600 * 1_000;

/// Gives a party a new key that acts 72 hours later. Signed by a majority of the regulators in
/// office and by the new key. The party's id, accounts and other keys stay.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RecoverKey {
    /// The party.
    pub party: PartyId,
    /// Its new key.
    pub key: PublicKey,
}

impl Transaction for RecoverKey {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        context.require_regulators(state)?;
        if !context.cosigned_by(&self.key) {
            return Err(Rejection::CosignatureMissing);
        }
        state.party(self.party)?;
        let active_from = context
            .time
            .get()
            .checked_add(RECOVERY_DELAY_MS)
            .ok_or(Rejection::AmountOutOfRange)
            .map(Timestamp::new)?;
        attach_key(context, state, self.party, (self.key, active_from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::registry::{AddKey, RevokeKey};

    fn recover(network: &Network, signers: &[&SigningKey], key: &SigningKey) -> Draft {
        let party = network.homes[0].customer.id;
        by(signers, RecoverKey { party, key: key.public() })
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let [one, two, _] = [0, 1, 2].map(|index| network.regulators[index].key.clone());
        let (fresh, taken) = (key("fresh"), network.homes[1].customer.key.clone());
        let unknown = RecoverKey { party: PartyId::default(), key: taken.public() };
        network.check(&[
            (
                by(&[&one, &taken], unknown.clone()),
                breaks(Rejection::QuorumNotReached { signed: 1, wanted: 2 }),
            ),
            (by(&[&one, &two], unknown.clone()), breaks(Rejection::CosignatureMissing)),
            (by(&[&one, &two, &taken], unknown), breaks(Rejection::PartyUnknown)),
            (
                recover(&network, &[&one, &two, &taken], &taken),
                breaks(Rejection::KeyAlreadyRegistered),
            ),
            (recover(&network, &[&two, &one, &fresh], &fresh), emits(&["KeyAdded"])),
        ]);
    }

    #[test]
    fn the_recovered_key_acts_after_72_hours_and_can_be_stopped_before() {
        let mut network = Network::new();
        let [one, two, _] = [0, 1, 2].map(|index| network.regulators[index].key.clone());
        let (fresh, member) = (key("fresh"), network.homes[0].customer.key.clone());
        network.accept(&recover(&network, &[&one, &two, &fresh], &fresh));
        let from_ms = network.time.get() + RECOVERY_DELAY_MS;
        let tablet = key("tablet");
        let add = by(&[&fresh, &tablet], AddKey { key: tablet.public() });
        network.time = Timestamp::new(from_ms - 1);
        network.check(&[(add.clone(), breaks(Rejection::KeyNotYetActive { from_ms }))]);

        let mut stopped = network.clone();
        let stop = by(&[&member], RevokeKey { key: fresh.public().address() });
        stopped.check(&[(stop, emits(&["KeyRevoked"]))]);
        stopped.time = Timestamp::new(from_ms);
        stopped.check(&[(add.clone(), breaks(Rejection::KeyRevoked))]);

        network.time = Timestamp::new(from_ms);
        network.check(&[(add, emits(&["KeyAdded"]))]);
    }

    #[test]
    fn a_party_with_all_its_keys_used_up_gets_no_further_one() {
        let mut network = Network::new();
        let member = network.homes[0].customer.key.clone();
        for number in 1..super::super::MAX_KEYS_PER_PARTY {
            let next = key(&format!("device {number}"));
            network.accept(&by(&[&member, &next], AddKey { key: next.public() }));
        }
        let [one, two, _] = [0, 1, 2].map(|index| network.regulators[index].key.clone());
        let fresh = key("fresh");
        let draft = recover(&network, &[&one, &two, &fresh], &fresh);
        network.check(&[(draft, breaks(Rejection::TooManyKeys { bound: 32 }))]);
    }
}
