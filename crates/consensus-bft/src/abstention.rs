//! Whether this node's key may vote: not when it may have voted before, in a directory that was lost.
//!
//! What a validator has voted for stands in its `consensus/` directory alone. Without it, with a ledger
//! that came from a snapshot or a copy, the same key could vote for another block at a height for which
//! it has voted. That is what a liar does, and more than a third of them split the ledger.
//!
//! So on such a ledger a key votes only from an epoch on in which it *begins* to have a seat while the
//! node looks on: it had none in the epoch before, and the last block before the epoch is not older than
//! [`LIVE_MS`] when the node enters it. Nobody can have voted with it for any block of that epoch
//! elsewhere, and earlier epochs are over. That is the way of a new organisation's node that begins with
//! a snapshot and then gets its seat, and of a validator whose key was rotated. From when a key votes is
//! written down before its first vote.
//!
//! Until then the node follows, warns, and says so in its status. The operator of a key that has surely
//! never voted can say so ([`crate::Bft::never_voted`]).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger::layout::Votes;
use ledger::{Ledger, LedgerError};
use primitives::header::ValidatorSet;
use primitives::key::PublicKey;

/// How old the last block before an epoch may be for a node that enters it as it begins.
pub const LIVE_MS: u64 = 60_000;

/// Tells whether a node that has a seat does not vote.
#[derive(Debug, Clone, Default)]
pub struct Abstains(Arc<AtomicBool>);

impl Abstains {
    /// Does it have a seat and not vote?
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, abstains: bool) {
        self.0.store(abstains, Ordering::Relaxed);
    }
}

/// What a node is told of its key.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The engine's directory was empty when the node started.
    pub is_fresh: bool,
    /// The operator says that this key has never voted anywhere.
    pub never_voted: bool,
    /// Where it is told that the node abstains.
    pub abstains: Abstains,
}

/// Decides epoch by epoch.
pub(crate) struct Abstention {
    ledger: Arc<Ledger>,
    key: PublicKey,
    told: Told,
    /// `None` when nothing speaks against the key; else the epoch from which it votes, if any.
    guarded: Mutex<Option<Option<u64>>>,
}

impl Abstention {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        key: PublicKey,
        told: Told,
    ) -> Result<Self, LedgerError> {
        let written = ledger.votes()?;
        let is_second_hand = ledger.restored_at()?.is_some()
            || told.is_fresh && ledger.head().header.height.get() > 0;
        let of_key = written.filter(|votes| votes.key == key && !told.is_fresh);
        let guarded = (is_second_hand || written.is_some()).then(|| of_key.and_then(|it| it.from));
        if guarded.is_some() && of_key.is_none() {
            // From now on also when the engine's directory is there.
            ledger.note_votes(&Votes { key, from: None })?;
        }
        Ok(Self { ledger, key, told, guarded: Mutex::new(guarded) })
    }

    fn guarded(&self) -> MutexGuard<'_, Option<Option<u64>>> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the key vote in an epoch in which it has a seat?
    pub(crate) fn votes_in(&self, epoch: u64) -> bool {
        match *self.guarded() {
            None => true,
            Some(from) => from.is_some_and(|from| from <= epoch),
        }
    }

    /// Decides before an epoch is entered; `before` are the validators of the epoch before, when there
    /// is one, and `is_live` says that it has just begun.
    pub(crate) fn enter(
        &self,
        epoch: u64,
        (before, set): (Option<&ValidatorSet>, &ValidatorSet),
        is_live: bool,
    ) -> Result<(), LedgerError> {
        let has_seat = set.contains(&self.key);
        let begins = is_live && before.is_some_and(|before| !before.contains(&self.key));
        let may_begin = set.len() == 1 || self.told.never_voted || begins;
        if has_seat && !self.votes_in(epoch) && may_begin {
            self.ledger.note_votes(&Votes { key: self.key, from: Some(epoch) })?;
            *self.guarded() = Some(Some(epoch));
            tracing::info!(epoch, "this node's key votes from now on");
        }
        let abstains = has_seat && !self.votes_in(epoch);
        if abstains {
            tracing::warn!(
                epoch,
                "THIS NODE DOES NOT VOTE although its key has a seat: its ledger came from a snapshot or \
                 a copy, and the key may have voted before. Give it a new key and rotate the seat \
                 (gridtally submit rotate-node-key); only if this key has surely never voted, start \
                 it with --key-never-voted"
            );
        }
        self.told.abstains.set(abstains);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use contracts::Genesis;
    use contracts::genesis::{Clock, Currency, Owner, Parameters, Privacy};
    use ledger::store::MemoryStore;
    use primitives::key::SigningKey;
    use primitives::units::Timestamp;

    use super::*;

    fn key(number: u8) -> PublicKey {
        SigningKey::from_seed([number; 32]).public()
    }

    fn set(numbers: &[u8]) -> ValidatorSet {
        ValidatorSet::new(numbers.iter().map(|number| key(*number)).collect()).unwrap()
    }

    /// A ledger that has been restored, as far as its store says.
    fn restored() -> Arc<Ledger> {
        let ledger = fresh();
        ledger.note_votes(&Votes { key: key(9), from: None }).unwrap();
        ledger
    }

    fn fresh() -> Arc<Ledger> {
        Arc::new(Ledger::open(Arc::new(MemoryStore::new()), Some(genesis())).unwrap())
    }

    fn genesis() -> Genesis {
        Genesis {
            version: 1,
            name: "test".parse().unwrap(),
            demo: true,
            clock: Clock::System,
            privacy: Privacy::Open,
            time: Timestamp::new(1_464_719_400_000),
            slot_minutes: 15,
            zone: client::genesis_file::zone_of_india(),
            currency: Currency { code: "INR".parse().unwrap(), minor_unit_decimals: 2 },
            owner: Owner { threshold: 1, keys: vec![key(9)].try_into().unwrap() },
            clock_keeper: None,
            validators: set(&[1, 2]),
            epoch_blocks: 10,
            parameters: Parameters::default(),
        }
    }

    fn of(ledger: &Arc<Ledger>, number: u8, told: &Told) -> Abstention {
        Abstention::new(Arc::clone(ledger), key(number), told.clone()).unwrap()
    }

    #[test]
    fn a_ledger_from_the_genesis_on_votes() {
        let (ledger, told) = (fresh(), Told { is_fresh: true, ..Told::default() });
        let abstention = of(&ledger, 1, &told);
        abstention.enter(0, (None, &set(&[1, 2])), false).unwrap();
        assert!(abstention.votes_in(0) && !told.abstains.get());
        assert_eq!(ledger.votes().unwrap(), None);
    }

    #[test]
    fn a_key_that_had_a_seat_follows_until_its_seat_is_a_new_one() {
        let (ledger, told) = (restored(), Told::default());
        let abstention = of(&ledger, 1, &told);
        let (with, without) = (set(&[1, 2]), set(&[2, 3]));
        let enter = |epoch, before, set, is_live| {
            abstention.enter(epoch, (before, set), is_live).unwrap();
            (abstention.votes_in(epoch), told.abstains.get())
        };
        assert_eq!(enter(4, None, &with, true), (false, true), "what was before is not known");
        assert_eq!(enter(5, Some(&with), &with, true), (false, true));
        assert_eq!(enter(6, Some(&with), &without, true), (false, false), "no seat, no warning");
        assert_eq!(enter(7, Some(&without), &with, false), (false, true), "it came too late");
        assert_eq!(enter(8, Some(&without), &with, true), (true, false));
        assert_eq!(enter(9, Some(&with), &with, false), (true, false));
        assert!(!abstention.votes_in(7), "what is over stays over");
        // After a restart as before it; another key begins anew.
        assert!(of(&ledger, 1, &told).votes_in(8));
        assert!(!of(&ledger, 2, &told).votes_in(8));
        assert!(!of(&ledger, 1, &told).votes_in(8), "the row was the other key's then");
    }

    #[test]
    fn whoever_lost_the_engines_directory_begins_anew() {
        let (ledger, told) = (restored(), Told::default());
        ledger.note_votes(&Votes { key: key(1), from: Some(3) }).unwrap();
        assert!(of(&ledger, 1, &told).votes_in(3));
        let lost = Told { is_fresh: true, ..Told::default() };
        assert!(!of(&ledger, 1, &lost).votes_in(3));
        assert!(!of(&ledger, 1, &told).votes_in(3), "also at the next start");
    }

    #[test]
    fn the_operators_word_counts_and_is_kept() {
        let ledger = restored();
        let told = Told { never_voted: true, ..Told::default() };
        let abstention = of(&ledger, 1, &told);
        abstention.enter(4, (Some(&set(&[1, 2])), &set(&[1, 2])), false).unwrap();
        assert!(abstention.votes_in(4) && !told.abstains.get());
        assert!(of(&ledger, 1, &Told::default()).votes_in(4));
        // A single validator has nobody whom it could contradict.
        let alone = of(&restored(), 1, &Told::default());
        alone.enter(0, (None, &set(&[1])), false).unwrap();
        assert!(alone.votes_in(0));
    }
}
