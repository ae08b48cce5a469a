//! Who is in office: the regulators, epoch by epoch, and the organisations behind the seats.
//!
//! The owner appoints and removes regulators at any time, but for proposals that acts two epochs
//! later, so that the owner cannot make a majority for a change that is on the table.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::identifier::PartyId;

use crate::execute::Context;
use crate::registry::PartyStatus;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

/// Regulators in office, coming and going, at a time.
pub const MAX_REGULATORS: usize = 64;

/// A regulator's time in office, as far as proposals go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Office {
    /// The regulator.
    pub party: PartyId,
    /// The first epoch in which it may vote.
    pub from_epoch: u64,
    /// The first epoch in which it no longer may.
    pub until_epoch: Option<u64>,
}

impl Office {
    fn holds_in(&self, epoch: u64) -> bool {
        self.from_epoch <= epoch && self.until_epoch.is_none_or(|until| epoch < until)
    }
}

type Offices = Bounded<Office, MAX_REGULATORS>;

/// Two epochs later; in the first epoch at once, since nobody is in office yet.
const fn acts_in(epoch: u64) -> u64 {
    if epoch == 0 { 0 } else { epoch + 2 }
}

/// A regulator was appointed.
pub(crate) fn enter_office(
    context: &Context<'_>,
    state: &mut dyn State,
    party: PartyId,
) -> Result<(), Rejection> {
    let epoch = context.epoch();
    let mut offices = state.offices();
    // What is over is forgotten: the list is bounded by who is in office, not by history.
    offices.retain(|office| office.until_epoch.is_none_or(|until| epoch < until));
    offices.push(Office { party, from_epoch: acts_in(epoch), until_epoch: None });
    let bound = MAX_REGULATORS as u64;
    let offices = Offices::try_from(offices).map_err(|_| Rejection::TooManyRegulators { bound })?;
    state.write(state_key::offices(), &offices);
    Ok(())
}

/// A regulator was removed.
pub(crate) fn leave_office(context: &Context<'_>, state: &mut dyn State, party: PartyId) {
    let epoch = context.epoch();
    let mut offices = state.offices();
    for office in offices.iter_mut().filter(|office| office.party == party) {
        office.until_epoch.get_or_insert(acts_in(epoch));
    }
    let offices = Offices::try_from(offices).expect("as many as before");
    state.write(state_key::offices(), &offices);
}

/// Who votes on a proposal: fixed when it is made.
pub(super) struct Electorate {
    /// Regulators in office, rising.
    pub regulators: Vec<PartyId>,
    /// Organisations that hold seats, rising.
    pub organisations: Vec<PartyId>,
    /// Seats that no organisation has claimed; each counts as an organisation that does not vote.
    pub unclaimed_seats: u16,
}

impl Electorate {
    pub(super) fn of(context: &Context<'_>, state: &dyn State) -> Self {
        let epoch = context.epoch();
        let is_active = |party: &PartyId| {
            state.party(*party).is_ok_and(|party| party.status == PartyStatus::Active)
        };
        let in_office = state.offices().into_iter().filter(|office| office.holds_in(epoch));
        let regulators: BTreeSet<_> = in_office.map(|office| office.party).collect();
        let mut organisations = BTreeSet::new();
        let mut unclaimed_seats = 0;
        for key in state.validators_of(context.rules, epoch).keys() {
            match state.node(&key.address()) {
                Ok(node) => {
                    organisations.insert(node.organisation);
                }
                Err(_) => unclaimed_seats += 1,
            }
        }
        Self {
            regulators: regulators.into_iter().filter(is_active).collect(),
            organisations: organisations.into_iter().collect(),
            unclaimed_seats,
        }
    }
}

impl dyn State + '_ {
    /// The regulators' times in office.
    #[must_use]
    pub fn offices(&self) -> Vec<Office> {
        self.read::<Offices>(&state_key::offices()).unwrap_or_default().into_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn more_regulators_than_can_vote_are_not_appointed() {
        let mut network = Network::new();
        for number in 3..MAX_REGULATORS {
            network.appoint(&format!("regulator {}", number + 1));
        }
        let (one, two, fresh) = (network.owner[0].clone(), network.owner[1].clone(), key("65"));
        let body = crate::registry::AppointRegulator {
            alias: "one more".parse().unwrap(),
            key: fresh.public(),
            encryption_key: [7; 32],
        };
        let appoint = by(&[&one, &two, &fresh], body);
        network.check(&[(appoint, breaks(Rejection::TooManyRegulators { bound: 64 }))]);
    }
}
