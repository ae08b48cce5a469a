//! Pruning: bodies, signatures and payloads of old transactions go, everything that is proven stays.
//!
//! Of a pruned block its header and certificate stay, of each transaction its id, the rest of its
//! envelope, and what became of it; so every receipt and every event can be proven as before. Whole
//! stays what a rule or the proof of a bill may still read: the transactions that the state names
//! ([`contracts::reach`]). A node that pruned therefore executes every later block as one that did not.
//!
//! A snapshot goes on from an earlier state than the newest, and that state may name more. So when the
//! node keeps the state of an agreed checkpoint, *that* state says what is needed, and blocks above it
//! stay whole. What a store was pruned by stands in [`PrunedTo`].
//!
//! Blocks are pruned in steps, each with one durable commit that also says how far it came: a kill at
//! any moment leaves a whole ledger, and the next run goes on there. Memory is bounded however much
//! the state names.
//!
//! Start reading at [`prune()`]. Why: `docs/decisions/0016-pruning.md`.

mod basis;
mod needed;
mod sweep;

use std::path::Path;

use primitives::units::BlockHeight;

use self::basis::Basis;
use self::needed::Needed;
use crate::chain::Ledger;
use crate::error::LedgerError;
use crate::layout::PrunedTo;
use crate::view::View;

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// Which blocks stay whole whatever is needed of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The newest so many.
    Blocks(u64),
    /// Those of the last so many days, counted back from the newest block's time.
    Days(u32),
}

/// What is to be pruned.
#[derive(Debug, Clone, Copy)]
pub struct Pruning<'a> {
    /// Which blocks stay whole.
    pub keep: Keep,
    /// Where the node keeps the states of checkpoints, from which snapshots are made.
    pub states: Option<&'a Path>,
    /// Also the blocks that were pruned before, for what was needed then and is not any more.
    pub again: bool,
}

/// How far pruning came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The height up to which it is done.
    pub height: u64,
    /// The last height to be pruned.
    pub last: u64,
}

/// What pruning did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Blocks that were looked at.
    pub blocks: u64,
    /// Transactions that lost body, signatures and payload.
    pub transactions: u64,
    /// Bytes that the rows of the pruned transactions and their neighbours took.
    pub bytes_before: u64,
    /// Bytes that they take now.
    pub bytes_after: u64,
}

/// Prunes the old blocks of a ledger, which may go on meanwhile. `progress` is told after each step and
/// may end the work there with an error of its own.
///
/// # Errors
/// [`LedgerError`] when the store fails, or what `progress` says. What was done until then is whole.
pub fn prune(
    ledger: &Ledger,
    pruning: Pruning<'_>,
    progress: &mut dyn FnMut(Progress) -> Result<(), LedgerError>,
) -> Result<Pruned, LedgerError> {
    let view = ledger.view();
    let before = view.pruned()?;
    let basis = Basis::choose(&view, pruning.states)?;
    let last = last_height(&view, pruning.keep)?.min(basis.height());
    let done = before.map_or(0, |before| before.through.get());
    let mut next = if pruning.again { 1 } else { done + 1 };
    let mut pruned = Pruned::default();
    while next <= last {
        let needed = Needed::read(&basis, next..=last)?;
        let state = before.map_or(basis.height(), |before| before.state.get().max(basis.height()));
        let mark = |height: u64| PrunedTo {
            through: BlockHeight::new(height.max(done)),
            state: BlockHeight::new(state),
        };
        pruned += sweep::blocks(ledger, &needed, &mark, &mut |height| {
            progress(Progress { height, last })
        })?;
        next = needed.last() + 1;
    }
    Ok(pruned)
}

impl std::ops::AddAssign for Pruned {
    fn add_assign(&mut self, more: Self) {
        self.blocks += more.blocks;
        self.transactions += more.transactions;
        self.bytes_before += more.bytes_before;
        self.bytes_after += more.bytes_after;
    }
}

/// The last height that may be pruned: what is kept stands above it, and everything whose execution no
/// final header commits to yet.
fn last_height(view: &View, keep: Keep) -> Result<u64, LedgerError> {
    let proven = view.proven_height()?;
    Ok(match keep {
        Keep::Blocks(kept) => proven.min(view.height().saturating_sub(kept)),
        Keep::Days(days) => {
            let kept_ms = u64::from(days).saturating_mul(DAY_MS);
            let Some(before) = view.head().header.time.get().checked_sub(kept_ms) else {
                return Ok(0);
            };
            proven.min(last_before(view, before)?)
        }
    })
}

/// The newest height whose time lies before a moment; times rise with the heights.
fn last_before(view: &View, moment: u64) -> Result<u64, LedgerError> {
    let (mut before, mut after) = (0, view.height() + 1);
    while before + 1 < after {
        let middle = before.midpoint(after);
        let sealed = view.sealed_header(middle)?.ok_or(LedgerError::Damaged { what: "header" })?;
        if sealed.header.time.get() < moment {
            before = middle;
        } else {
            after = middle;
        }
    }
    Ok(before)
}

/// The first block up to `through` of which a transaction was pruned that the newest state names;
/// `None` when everything needed is there.
///
/// # Errors
/// [`LedgerError`] when the store fails.
pub fn first_missing(view: &View, through: u64) -> Result<Option<BlockHeight>, LedgerError> {
    let basis = Basis::newest(view);
    let mut next = 1;
    while next <= through {
        let needed = Needed::read(&basis, next..=through)?;
        for position in needed.positions() {
            let record = view.history().record(position)?;
            if record.is_none_or(|record| record.transaction.is_pruned()) {
                return Ok(Some(BlockHeight::new(position.height)));
            }
        }
        next = needed.last() + 1;
    }
    Ok(None)
}
