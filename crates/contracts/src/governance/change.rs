//! What can be proposed.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::header::MAX_VALIDATORS;
use primitives::key::PublicKey;
use primitives::units::BlockHeight;

use crate::execute::Context;
use crate::genesis::{Parameters, Rules};
use crate::registry::is_rising;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;

use super::endorsement::{Endorsements, may_need};
use super::{Schedule, seats};

/// A change of how the ledger runs.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Change {
    /// Seats are taken from nodes and given to others, two epochs after the approval. One change may
    /// do both: a solo ledger becomes one of four validators at once.
    Seats {
        /// Who loses its seat.
        remove: Bounded<PublicKey, MAX_VALIDATORS>,
        /// Who gets one, in the order of their places; registered nodes.
        add: Bounded<PublicKey, MAX_VALIDATORS>,
    },
    /// The parameters of the rules.
    Parameters {
        /// The height from which on they hold.
        from_height: BlockHeight,
        /// All of them.
        parameters: Parameters,
    },
    /// Whose signatures a kind of transaction needs beside its sender's.
    Endorsements {
        /// The height from which on they are needed.
        from_height: BlockHeight,
        /// The kind's number in the table of transactions.
        kind: u16,
        /// The signatures; empty = the sender's is enough.
        endorsements: Endorsements,
    },
    /// The version of the protocol. A program that does not know it stops before that height and
    /// says so.
    Protocol {
        /// The height of the first block of the new version.
        from_height: BlockHeight,
        /// The version, higher than every one before.
        version: u8,
    },
}

impl Change {
    /// What is impossible by itself.
    pub(super) fn check(&self, _rules: &Rules) -> Result<(), Malformed> {
        let field = |ok: bool, what| if ok { Ok(()) } else { Err(Malformed::Field(what)) };
        match self {
            Self::Seats { remove, add } => {
                field(!remove.is_empty() || !add.is_empty(), "a change of seats changes some")?;
                field(!add.iter().any(|key| remove.contains(key)), "a seat is taken and given")
            }
            Self::Parameters { parameters, .. } => parameters.check().map_err(Malformed::Field),
            Self::Endorsements { kind, endorsements, .. } => {
                field(may_need(*kind), "this kind of transaction needs no endorsement")?;
                let roles: Vec<_> = endorsements.iter().map(|it| it.role).collect();
                field(is_rising(&roles), "the roles stand in their order, none twice")?;
                field(endorsements.iter().all(|it| it.count > 0), "at least one signature")
            }
            Self::Protocol { version, .. } => field(*version > 1, "version 1 is the first"),
        }
    }

    /// Lets the change act when its time comes; the height from which on it does.
    ///
    /// With a throw-away state this also answers whether the change is possible.
    pub(super) fn schedule(
        &self,
        context: &Context<'_>,
        state: &mut dyn State,
    ) -> Result<u64, Rejection> {
        match self {
            Self::Seats { remove, add } => {
                let newest = newest_set(context, state);
                let set = seats::changed(&newest, remove, add)?;
                seats::require_balance(state, &set)?;
                let epoch = seats::schedule(context, state, set)?;
                Ok(context.rules.first_height_of(epoch))
            }
            Self::Parameters { from_height, parameters } => {
                let key = state_key::parameters();
                set(context, state, key, *from_height, parameters.clone())
            }
            Self::Endorsements { from_height, kind, endorsements } => {
                let key = state_key::endorsements(*kind);
                set(context, state, key, *from_height, endorsements.clone())
            }
            Self::Protocol { from_height, version } => {
                let newest = state.protocol().newest().copied().unwrap_or(1);
                if *version <= newest {
                    return Err(Rejection::ProtocolNotNewer { version: u64::from(newest) });
                }
                set(context, state, state_key::protocol(), *from_height, *version)
            }
        }
    }
}

/// The set that acts when everything approved so far does.
pub(super) fn newest_set(
    context: &Context<'_>,
    state: &dyn State,
) -> primitives::header::ValidatorSet {
    state.seats().newest().unwrap_or(&context.rules.genesis().validators).clone()
}

fn set<T: Clone + BorshSerialize + BorshDeserialize>(
    context: &Context<'_>,
    state: &mut dyn State,
    key: Vec<u8>,
    from_height: BlockHeight,
    value: T,
) -> Result<u64, Rejection> {
    let earliest = context.rules.first_height_of(context.epoch() + 2);
    if from_height.get() < earliest {
        return Err(Rejection::ActsTooEarly { earliest });
    }
    let mut schedule: Schedule<T> = state.read(&key).unwrap_or_default();
    schedule.set(context.position.height, from_height.get(), value)?;
    state.write(key, &schedule);
    Ok(from_height.get())
}

impl Context<'_> {
    /// The parameters that hold in this block.
    #[must_use]
    pub fn parameters(&self, state: &dyn State) -> Parameters {
        state.parameters(self.rules, self.position.height)
    }
}

impl dyn State + '_ {
    /// The parameters of the rules at a height not before the newest executed one.
    #[must_use]
    pub fn parameters(&self, rules: &Rules, height: u64) -> Parameters {
        self.scheduled_parameters().at(height).unwrap_or(&rules.genesis().parameters).clone()
    }

    /// The parameters that governance set, by the height from which on they hold.
    #[must_use]
    pub fn scheduled_parameters(&self) -> Schedule<Parameters> {
        self.read(&state_key::parameters()).unwrap_or_default()
    }

    /// The versions of the protocol, by the height from which on they hold; before, it is 1.
    #[must_use]
    pub fn protocol(&self) -> Schedule<u8> {
        self.read(&state_key::protocol()).unwrap_or_default()
    }
}
