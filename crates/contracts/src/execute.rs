//! What happens to one ordered transaction: sequence, sender, permission, rules, receipt.
//!
//! Order of precedence: the sequence first (a used one changes nothing at all), then the key, the
//! party's status, the permission, the cosigners, then the transaction's own rules. Whatever the
//! outcome, the sequence is used up; on a rejection that is the only write.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec::{self, Bounded};
use primitives::envelope::SignedTransaction;
use primitives::identifier::{KeyAddress, PartyId, TransactionId, UsagePointId};
use primitives::key::PublicKey;
use primitives::receipt::{MAX_EVENTS, Receipt};
use primitives::units::Timestamp;

use crate::event::Event;
use crate::genesis::Rules;
use crate::registry::{Holder, PartyStatus, Role};
use crate::rejection::Rejection;
use crate::state::{Overlay, Position, State};
use crate::state_key;
use crate::transaction::{Body, Who};

/// The receipt's code of [`Rejection::SequenceUsed`].
pub const SEQUENCE_USED: u16 = 100;
/// The receipt's code of [`Rejection::SequenceOutsideWindow`].
pub const SEQUENCE_OUTSIDE_WINDOW: u16 = 101;

/// How far below the highest used sequence a key may still use one that it left out, and how far
/// above it may jump: several devices and parallel clients do not block each other.
pub const SEQUENCE_WINDOW: u64 = 1_024;

/// On whose behalf a transaction acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// A key of the owner's council.
    Owner,
    /// The keeper of a virtual clock.
    ClockKeeper,
    /// A meter.
    Meter(UsagePointId),
    /// A node: registered, or a validator of the genesis whose seat nobody has claimed.
    Node(KeyAddress),
    /// A party.
    Party(PartyId),
}

/// What a rule may know beside the state: the block, the sender, the payload. Nothing else.
pub struct Context<'a> {
    /// The genesis and what follows from it.
    pub rules: &'a Rules,
    /// The transaction's id.
    pub transaction: TransactionId,
    /// Where it stands.
    pub position: Position,
    /// The block's time.
    pub time: Timestamp,
    /// The settlement period that runs by the parent block's time; all below it have ended.
    pub period: SettlementPeriod,
    /// On whose behalf it acts.
    pub sender: Sender,
    /// The signing key.
    pub signer: PublicKey,
    /// The cosigning keys, in the envelope's order; their signatures are valid.
    pub cosigners: &'a [PublicKey],
    /// The payload that travelled beside it; empty when the kind has none.
    pub payload: &'a [u8],
}

impl Context<'_> {
    /// The party that sends.
    ///
    /// # Errors
    /// [`Rejection::SenderNotPermitted`] when a meter, a node, the owner or the clock keeper sends.
    pub const fn party(&self) -> Result<PartyId, Rejection> {
        match self.sender {
            Sender::Party(party) => Ok(party),
            _ => Err(Rejection::SenderNotPermitted),
        }
    }

    /// The epoch of the block.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.rules.epoch_of(self.position.height)
    }

    /// Did this key cosign?
    #[must_use]
    pub fn cosigned_by(&self, key: &PublicKey) -> bool {
        self.cosigners.contains(key)
    }

    /// The distinct active parties among signer and cosigners, in order of their ids.
    #[must_use]
    pub fn signing_parties(&self, state: &dyn State) -> Vec<PartyId> {
        let mut parties: Vec<PartyId> = std::iter::once(&self.signer)
            .chain(self.cosigners)
            .filter_map(|key| match resolve(state, self.rules, key, self.time) {
                Ok(Sender::Party(party)) => Some(party),
                _ => None,
            })
            .filter(|party| state.party(*party).is_ok_and(|p| p.status == PartyStatus::Active))
            .collect();
        parties.sort_unstable();
        parties.dedup();
        parties
    }

    /// Does an active party with this role stand among signer and cosigners?
    #[must_use]
    pub fn signed_by_role(&self, state: &dyn State, role: Role) -> bool {
        self.signing_parties(state).iter().any(|id| state.party(*id).is_ok_and(|p| p.holds(role)))
    }

    /// A majority of the regulators in office must have signed (signer and cosigners together).
    ///
    /// # Errors
    /// [`Rejection::QuorumNotReached`].
    pub fn require_regulators(&self, state: &dyn State) -> Result<(), Rejection> {
        let in_office = u64::from(state.census().regulators);
        let wanted = in_office / 2 + 1;
        let signed = self
            .signing_parties(state)
            .iter()
            .filter(|id| state.party(**id).is_ok_and(|p| p.holds(Role::Regulator)))
            .count() as u64;
        if signed >= wanted { Ok(()) } else { Err(Rejection::QuorumNotReached { signed, wanted }) }
    }

    /// The owner's council must have signed with its threshold.
    ///
    /// # Errors
    /// [`Rejection::QuorumNotReached`].
    pub fn require_owner(&self) -> Result<(), Rejection> {
        let owner = &self.rules.genesis().owner;
        let signed =
            owner.keys.iter().filter(|key| **key == self.signer || self.cosigned_by(key)).count()
                as u64;
        let wanted = u64::from(owner.threshold);
        if signed >= wanted { Ok(()) } else { Err(Rejection::QuorumNotReached { signed, wanted }) }
    }
}

/// The sequences that a key has used: the highest, and which of the 1,024 below it are still free.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
struct SequenceWindow {
    highest: u64,
    /// Free sequences below `highest` and within the window, rising. Empty while a key counts up.
    free: Vec<u64>,
    /// Sequences above `highest` that were refused for lying beyond the window, rising. They are used
    /// up as well: what was refused once must not act later, when the window has come to it. From the
    /// last one of a full list on, every sequence is used up.
    refused: Vec<u64>,
}

/// Sequences beyond the window that are remembered of a key. Nobody comes near it by mistake; who
/// does goes on with another key.
const MAX_REFUSED_SEQUENCES: usize = 256;

impl SequenceWindow {
    /// Uses up `sequence`, which counts from 1.
    fn take(&mut self, sequence: u64) -> Result<(), Rejection> {
        let highest = self.highest;
        if sequence > highest {
            if self.was_refused(sequence) {
                return Err(Rejection::SequenceUsed { sequence });
            }
            if sequence - highest > SEQUENCE_WINDOW {
                self.refuse(sequence);
                return Err(Rejection::SequenceOutsideWindow { sequence, highest });
            }
            let refused = &self.refused;
            let skipped = highest + 1..sequence;
            self.free.extend(skipped.filter(|skipped| refused.binary_search(skipped).is_err()));
            self.highest = sequence;
            let lowest = sequence.saturating_sub(SEQUENCE_WINDOW);
            self.free.retain(|free| *free > lowest);
            if !self.is_full() {
                self.refused.retain(|refused| *refused > sequence);
            }
            return Ok(());
        }
        match self.free.binary_search(&sequence) {
            Ok(index) => {
                self.free.remove(index);
                Ok(())
            }
            Err(_) if sequence + SEQUENCE_WINDOW > highest => {
                Err(Rejection::SequenceUsed { sequence })
            }
            Err(_) => Err(Rejection::SequenceOutsideWindow { sequence, highest }),
        }
    }

    fn is_full(&self) -> bool {
        self.refused.len() == MAX_REFUSED_SEQUENCES
    }

    fn was_refused(&self, sequence: u64) -> bool {
        let is_beyond = self.refused.last().is_some_and(|last| *last < sequence);
        self.refused.binary_search(&sequence).is_ok() || (self.is_full() && is_beyond)
    }

    fn refuse(&mut self, sequence: u64) {
        if self.is_full() {
            self.refused.pop();
        }
        let index = self.refused.partition_point(|refused| *refused < sequence);
        self.refused.insert(index, sequence);
    }
}

impl dyn State + '_ {
    /// The highest sequence that a key has used, 0 when none: a client counts on from it.
    #[must_use]
    pub fn highest_sequence(&self, key: &KeyAddress) -> u64 {
        self.read::<SequenceWindow>(&state_key::sequence_window(key)).map_or(0, |w| w.highest)
    }

    /// Would a transaction with this sequence of the key be executed? Then none that was ordered
    /// before had it.
    #[must_use]
    pub fn is_sequence_free(&self, key: &KeyAddress, sequence: u64) -> bool {
        let window: Option<SequenceWindow> = self.read(&state_key::sequence_window(key));
        window.unwrap_or_default().take(sequence).is_ok()
    }
}

/// A transaction that passed every form check, at its place in a block.
pub struct Ordered<'a> {
    /// The transaction; its signatures are valid.
    pub transaction: &'a SignedTransaction,
    /// Its id.
    pub id: TransactionId,
    /// Its decoded body.
    pub body: &'a Body,
    /// Its payload.
    pub payload: &'a [u8],
    /// Its place.
    pub position: Position,
    /// The block's time.
    pub time: Timestamp,
    /// The parent block's time.
    pub parent_time: Timestamp,
}

/// Executes one ordered transaction on `state` and gives its receipt.
///
/// All form checks must have passed before: signatures are not looked at here.
pub fn execute_transaction(rules: &Rules, ordered: &Ordered<'_>, state: &mut dyn State) -> Receipt {
    let (result, events) = match use_sequence(ordered, state) {
        Ok(()) => run(rules, ordered, state),
        Err(rejection) => (Err(rejection), Vec::new()),
    };
    let (code, events) = match result {
        Ok(()) => (0, events),
        Err(rejection) => {
            let numbers = rejection.numbers();
            let numbers = Bounded::try_from(numbers).expect("a rejection has at most 4 numbers");
            let events =
                if numbers.is_empty() { vec![] } else { vec![Event::Rejected { numbers }] };
            (rejection.code(), events)
        }
    };
    let events: Vec<_> = events
        .iter()
        .map(|event| Bounded::try_from(codec::encode(event)).expect("every event is small"))
        .collect();
    let events = Bounded::try_from(events).expect("more are refused above");
    Receipt { transaction: ordered.id, code, events }
}

fn use_sequence(ordered: &Ordered<'_>, state: &mut dyn State) -> Result<(), Rejection> {
    let envelope = &ordered.transaction.envelope;
    let key = state_key::sequence_window(&envelope.signer.address());
    let mut window: SequenceWindow = state.read(&key).unwrap_or_default();
    let taken = window.take(envelope.sequence.get());
    // A sequence beyond the window is used up as well; a used one changes nothing.
    if !matches!(taken, Err(Rejection::SequenceUsed { .. })) {
        state.write(key, &window);
    }
    taken
}

fn run(
    rules: &Rules,
    ordered: &Ordered<'_>,
    state: &mut dyn State,
) -> (Result<(), Rejection>, Vec<Event>) {
    let mut overlay = Overlay::new(state);
    let result = permit_and_execute(rules, ordered, &mut overlay);
    let (writes, events) = overlay.into_parts();
    // Rule: what no receipt can hold is sent in parts; how many events a bulk run makes is known
    // only afterwards (a bill of a household that draws and sells makes six).
    let result = match result {
        Ok(()) if events.len() > MAX_EVENTS => {
            Err(Rejection::TooMuchWork { bound: MAX_EVENTS as u64 })
        }
        result => result,
    };
    if result.is_ok() {
        for (key, value) in writes {
            match value {
                Some(value) => state.put(key, value),
                None => state.delete(&key),
            }
        }
    }
    (result, events)
}

fn permit_and_execute(
    rules: &Rules,
    ordered: &Ordered<'_>,
    state: &mut dyn State,
) -> Result<(), Rejection> {
    let envelope = &ordered.transaction.envelope;
    let sender = resolve(state, rules, &envelope.signer, ordered.time)?;
    let entry = ordered.body.entry();
    if let Sender::Party(party) = sender {
        match state.party(party)?.status {
            PartyStatus::Active => {}
            PartyStatus::Suspended if entry.when_suspended => {}
            PartyStatus::Suspended => return Err(Rejection::PartySuspended),
            PartyStatus::Closed => return Err(Rejection::PartyClosed),
        }
    }
    if !is_permitted(state, sender, entry.senders)? {
        return Err(Rejection::SenderNotPermitted);
    }
    let context = Context {
        rules,
        transaction: ordered.id,
        position: ordered.position,
        time: ordered.time,
        period: rules.period_at(ordered.parent_time),
        sender,
        signer: envelope.signer,
        cosigners: &envelope.cosigners,
        payload: ordered.payload,
    };
    // A meter and a node sign alone: nothing of them is ever endorsed.
    if !matches!(sender, Sender::Meter(_) | Sender::Node(_)) {
        context.require_endorsements(state, entry.kind)?;
    }
    ordered.body.execute(&context, state)
}

fn is_permitted(state: &dyn State, sender: Sender, senders: &[Who]) -> Result<bool, Rejection> {
    Ok(match sender {
        Sender::Owner => senders.contains(&Who::Owner),
        Sender::ClockKeeper => senders.contains(&Who::ClockKeeper),
        Sender::Meter(_) => senders.contains(&Who::Meter),
        Sender::Node(_) => senders.contains(&Who::Node),
        Sender::Party(party) => {
            let party = state.party(party)?;
            senders.iter().any(|who| match who {
                Who::AnyParty => true,
                Who::Role(role) => party.holds(*role),
                _ => false,
            })
        }
    })
}

/// Whom a key speaks for at `time`.
///
/// # Errors
/// [`Rejection::KeyUnknown`], [`Rejection::KeyRevoked`], [`Rejection::KeyNotYetActive`].
pub fn resolve(
    state: &dyn State,
    rules: &Rules,
    key: &PublicKey,
    time: Timestamp,
) -> Result<Sender, Rejection> {
    let genesis = rules.genesis();
    if genesis.owner.keys.contains(key) {
        return Ok(Sender::Owner);
    }
    if genesis.clock_keeper.as_ref() == Some(key) {
        return Ok(Sender::ClockKeeper);
    }
    let address = key.address();
    let Some(record) = state.key_record(&address) else {
        let is_validator = genesis.validators.contains(key);
        return if is_validator { Ok(Sender::Node(address)) } else { Err(Rejection::KeyUnknown) };
    };
    if record.revoked {
        return Err(Rejection::KeyRevoked);
    }
    if time < record.active_from {
        return Err(Rejection::KeyNotYetActive { from_ms: record.active_from.get() });
    }
    Ok(match record.holder {
        Holder::Party(party) => Sender::Party(party),
        Holder::Meter(usage_point) => Sender::Meter(usage_point),
        Holder::Node(_) => Sender::Node(address),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_acts_once_and_only_within_the_window() {
        let mut window = SequenceWindow::default();
        let cases: &[(u64, Result<(), Rejection>)] = &[
            (1, Ok(())),
            (1, Err(Rejection::SequenceUsed { sequence: 1 })),
            (5, Ok(())),
            (3, Ok(())),
            (3, Err(Rejection::SequenceUsed { sequence: 3 })),
            (0, Err(Rejection::SequenceUsed { sequence: 0 })),
            (1_030, Err(Rejection::SequenceOutsideWindow { sequence: 1_030, highest: 5 })),
            (1_029, Ok(())),
            (1_030, Err(Rejection::SequenceUsed { sequence: 1_030 })),
            (4, Err(Rejection::SequenceOutsideWindow { sequence: 4, highest: 1_029 })),
            (6, Ok(())),
            (6, Err(Rejection::SequenceUsed { sequence: 6 })),
        ];
        for (sequence, expected) in cases {
            assert_eq!(window.take(*sequence), *expected, "sequence {sequence}");
        }
    }

    #[test]
    fn what_was_refused_beyond_the_window_never_acts() {
        let mut window = SequenceWindow::default();
        let outside = |sequence, highest| Rejection::SequenceOutsideWindow { sequence, highest };
        assert_eq!(window.take(2_000), Err(outside(2_000, 0)));
        assert_eq!(window.take(1_500), Err(outside(1_500, 0)));
        for sequence in 1..=1_499 {
            assert_eq!(window.take(sequence), Ok(()));
        }
        for refused in [1_500, 2_000] {
            assert_eq!(window.take(refused), Err(Rejection::SequenceUsed { sequence: refused }));
        }
        // Stepping over them makes none of them free.
        assert_eq!(window.take(2_100), Ok(()));
        for refused in [1_500, 2_000] {
            assert_eq!(window.take(refused), Err(Rejection::SequenceUsed { sequence: refused }));
        }
        assert_eq!(window.take(1_999), Ok(()));
        assert!(window.refused.is_empty(), "what lies below the highest is not remembered twice");
    }

    #[test]
    fn a_full_list_of_refused_sequences_forgets_none() {
        let mut window = SequenceWindow::default();
        let bound = MAX_REFUSED_SEQUENCES as u64;
        for sequence in 5_001..=5_000 + bound {
            assert!(window.take(sequence).is_err());
        }
        // Beyond the last, and pushed out by one below.
        for sequence in [9_000, 4_000] {
            assert!(window.take(sequence).is_err());
        }
        assert_eq!(window.refused.len() as u64, bound);
        for sequence in (1..4_000).chain(4_001..=5_000) {
            assert_eq!(window.take(sequence), Ok(()));
        }
        for refused in [4_000, 5_001, 5_000 + bound, 9_000] {
            assert_eq!(window.take(refused), Err(Rejection::SequenceUsed { sequence: refused }));
        }
    }

    #[test]
    fn a_key_that_counts_up_leaves_nothing_to_remember() {
        let mut window = SequenceWindow::default();
        for sequence in 1..=5_000 {
            assert_eq!(window.take(sequence), Ok(()));
        }
        assert!(window.free.is_empty() && window.refused.is_empty());
    }
}
