//! The seats of the validators, epoch by epoch.

use std::collections::BTreeMap;

use primitives::header::{MAX_VALIDATORS, ValidatorSet};
use primitives::key::PublicKey;

use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::{PartyStatus, Role};
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

use super::Schedule;

impl dyn State + '_ {
    /// The validators of an epoch, as the state knows them: of the running epoch, the next one, and,
    /// once the running one has ended, the one after it. Earlier sets stand in the headers.
    #[must_use]
    pub fn validators_of(&self, rules: &Rules, epoch: u64) -> ValidatorSet {
        let schedule = self.seats();
        schedule.at(epoch).unwrap_or(&rules.genesis().validators).clone()
    }

    /// The sets of validators, by the epoch from which on they act.
    #[must_use]
    pub fn seats(&self) -> Schedule<ValidatorSet> {
        self.read(&state_key::seats()).unwrap_or_default()
    }
}

/// The set with seats taken and given, in the order of the set and then of the newcomers.
pub(super) fn changed(
    set: &ValidatorSet,
    remove: &[PublicKey],
    add: &[PublicKey],
) -> Result<ValidatorSet, Rejection> {
    let mut keys = set.keys().to_vec();
    for key in remove {
        let place = keys.iter().position(|seat| seat == key).ok_or(Rejection::NoSeat)?;
        keys.remove(place);
    }
    for key in add {
        if keys.contains(key) {
            return Err(Rejection::SeatTaken);
        }
        keys.push(*key);
    }
    new_set(keys)
}

/// The set with one key in place of another.
pub(super) fn replaced(
    set: &ValidatorSet,
    old: &PublicKey,
    new: &PublicKey,
) -> Result<ValidatorSet, Rejection> {
    if set.contains(new) {
        return Err(Rejection::SeatTaken);
    }
    let mut keys = set.keys().to_vec();
    let seat = keys.iter_mut().find(|seat| *seat == old).ok_or(Rejection::NoSeat)?;
    *seat = *new;
    new_set(keys)
}

fn new_set(keys: Vec<PublicKey>) -> Result<ValidatorSet, Rejection> {
    let seats = keys.len() as u64;
    ValidatorSet::new(keys)
        .map_err(|_| Rejection::SeatsOutOfRange { seats, bound: MAX_VALIDATORS as u64 })
}

/// Rule: no organisation holds a third of the seats or more, where there are four or more; else one
/// each. A regulator holds a seat. Every seat is a node of an active organisation (protocol §11).
pub(super) fn require_balance(state: &dyn State, set: &ValidatorSet) -> Result<(), Rejection> {
    let mut seats = BTreeMap::new();
    let mut regulated = false;
    for key in set.keys() {
        let organisation = state.node(&key.address())?.organisation;
        let party = state.party(organisation)?;
        if party.status != PartyStatus::Active {
            return Err(Rejection::PartyStatusDiffers);
        }
        regulated |= party.holds(Role::Regulator);
        *seats.entry(organisation).or_insert(0_usize) += 1;
    }
    let of = set.len();
    let most = if of < 4 { 1 } else { (of - 1) / 3 };
    match seats.into_values().find(|seats| *seats > most) {
        Some(seats) => Err(Rejection::TooManySeats { seats: seats as u64, of: of as u64 }),
        None if regulated => Ok(()),
        None => Err(Rejection::NoRegulatorSeat),
    }
}

/// Lets a set act two epochs from now.
pub(super) fn schedule(
    context: &Context<'_>,
    state: &mut dyn State,
    set: ValidatorSet,
) -> Result<u64, Rejection> {
    let now = context.epoch();
    let epoch = now + 2;
    let mut seats = state.seats();
    let validators_hash = set.hash();
    seats.set(now, epoch, set)?;
    state.write(state_key::seats(), &seats);
    state.emit(Event::ValidatorsScheduled { epoch, validators_hash });
    Ok(epoch)
}
