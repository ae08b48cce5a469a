//! Pruning while the node runs: a thread of its own that rests far longer than it works.
//!
//! It prunes up to the newest agreed checkpoint whose state this node keeps, so that snapshots can be
//! made at any time; on a node that keeps none, up to what is to stay whole.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use contracts::governance::CHECKPOINT_PATIENCE_MS;
use ledger::prune::{Keep, Pruned, Pruning, prune};
use ledger::{Ledger, LedgerError};

use crate::error::NodeError;

/// It rests so many times as long as it worked: a hundredth of one thread is its share.
const REST: u32 = 100;
const LEAST_REST: Duration = Duration::from_secs(1);
/// Tables are merged when pruning has freed so much of them: it costs a pass over all blocks.
const RECLAIMED_AT_A_TIME: u64 = 64 << 20;

/// A thread that prunes until it is told to stop.
pub(crate) struct PruningThread {
    end: Arc<End>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct End {
    is_over: Mutex<bool>,
    changed: Condvar,
}

impl End {
    fn is_over(&self) -> MutexGuard<'_, bool> {
        self.is_over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; `true` when it is over.
    fn rest(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.is_over(), time, |is_over| !*is_over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl PruningThread {
    /// Prunes `ledger` from now on; `states` is where the states of checkpoints are kept.
    pub(crate) fn start(
        ledger: Arc<Ledger>,
        keep: Keep,
        states: Option<PathBuf>,
    ) -> Result<Self, NodeError> {
        let end = Arc::<End>::default();
        let work = Work { ledger, keep, states, end: Arc::clone(&end), freed: 0 };
        let thread = std::thread::Builder::new().name("pruning".to_owned());
        let thread = thread.spawn(move || work.until_over()).map_err(NodeError::Thread)?;
        Ok(Self { end, thread })
    }

    /// Ends it after the step that it is at.
    pub(crate) fn stop(self) {
        *self.end.is_over() = true;
        self.end.changed.notify_all();
        // Its end lets go of the store; how it ended stands in the log.
        let _ = self.thread.join();
    }
}

struct Work {
    ledger: Arc<Ledger>,
    keep: Keep,
    states: Option<PathBuf>,
    end: Arc<End>,
    /// Bytes of rows that the tables still hold.
    freed: u64,
}

impl Work {
    fn until_over(mut self) {
        loop {
            let begin = Instant::now();
            if let Err(error) = self.once() {
                if !matches!(error, LedgerError::Stopping) {
                    tracing::error!(%error, "old blocks are pruned no more until a restart");
                }
                return;
            }
            if self.end.rest((begin.elapsed() * REST).max(LEAST_REST)) {
                return;
            }
        }
    }

    fn once(&mut self) -> Result<(), LedgerError> {
        if self.awaits_checkpoint()? {
            return Ok(());
        }
        let states = self.states.as_deref();
        let pruning = Pruning { keep: self.keep, states, again: false };
        let pruned = prune(&self.ledger, pruning, &mut |_| match *self.end.is_over() {
            true => Err(LedgerError::Stopping),
            false => Ok(()),
        })?;
        let Pruned { blocks, transactions, bytes_before, bytes_after } = pruned;
        if transactions > 0 {
            tracing::info!(blocks, transactions, bytes_before, bytes_after, "old blocks pruned");
        }
        self.freed += bytes_before.saturating_sub(bytes_after);
        if self.freed >= RECLAIMED_AT_A_TIME {
            self.freed = 0;
            if let Err(error) = self.ledger.store().reclaim() {
                tracing::warn!(%error, "the room of pruned blocks was not given back");
            }
        }
        Ok(())
    }

    /// Is the first checkpoint being computed from which a snapshot could be made? Pruning by a later
    /// state would spoil it.
    fn awaits_checkpoint(&self) -> Result<bool, LedgerError> {
        let Some(states) = &self.states else { return Ok(false) };
        let view = self.ledger.view();
        let (open, agreed) =
            view.read(|state| (state.open_checkpoint(), state.agreed_checkpoint()))?;
        let is_kept =
            agreed.is_some_and(|it| ledger::snapshot::state_file(states, it.height.get()).exists());
        let is_open = open.is_some_and(|open| {
            let until = open.requested_at.get().saturating_add(CHECKPOINT_PATIENCE_MS);
            view.head().header.time.get() < until
        });
        Ok(is_open && !is_kept)
    }
}
