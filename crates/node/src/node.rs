//! Start, status and stop of a node.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use contracts::Genesis;
use ledger::prune::Keep;
use ledger::store::Store;
use ledger::{Ledger, LedgerError, Reader, Submitter, Verifier};
use primitives::key::SigningKey;
use tokio::sync::watch;

use crate::checking::Checking;
use crate::checkpoints::Checkpoints;
use crate::clock::WallClock;
use crate::error::NodeError;
use crate::mempool::Mempool;
use crate::orderer::{Orderer, Ordering};
use crate::private::PrivatePayloads;
use crate::pruning::PruningThread;
use crate::quota::RejectionQuota;
use crate::service::{Doors, Gathering, Service, Sink};
use crate::solo::Solo;

/// What a node is started with.
pub struct NodeConfig {
    /// Where the ledger lies.
    pub store: Arc<dyn Store>,
    /// The genesis; needed when the store is empty, compared otherwise.
    pub genesis: Option<Genesis>,
    /// The validator's key.
    pub key: SigningKey,
    /// The time of day.
    pub clock: Arc<dyn WallClock>,
    /// Checking work.
    pub verifier: Arc<dyn Verifier>,
}

/// Everything of a node but the thread that orders: what the orderer works with, and the doors. A
/// simulator that has a runtime of its own starts here.
#[must_use]
pub fn assemble(
    ledger: Arc<Ledger>,
    clock: Arc<dyn WallClock>,
    verifier: Arc<dyn Verifier>,
) -> (Ordering, Doors) {
    let mempool = Arc::new(Mempool::default());
    let quota = Arc::new(Mutex::new(RejectionQuota::default()));
    let checking = Arc::new(Checking::default());
    let checkpoints = Arc::new(Checkpoints::default());
    let private = Arc::new(PrivatePayloads::default());
    let sink = Sink::new(
        Arc::clone(&ledger),
        Arc::clone(&quota),
        Arc::clone(&checkpoints),
        Arc::clone(&private),
    );
    let sink = Arc::new(sink);
    let doors = Doors(Arc::new(Service {
        ledger: Arc::clone(&ledger),
        mempool: Arc::clone(&mempool),
        verifier: Arc::clone(&verifier),
        clock: Arc::clone(&clock),
        quota,
        heights: sink.heights(),
        gathering: Gathering::default(),
        checking: Arc::clone(&checking),
        private: Arc::clone(&private),
    }));
    let ordering = Ordering {
        mempool,
        ledger,
        clock,
        verifier,
        checking,
        checkpoints,
        private,
        sink,
        doors: doors.clone(),
    };
    (ordering, doors)
}

/// How a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// `solo` or `bft`.
    pub orderer: &'static str,
    /// The newest durable height.
    pub height: u64,
    /// Transactions that wait for a block.
    pub mempool: usize,
}

/// A running node. Dropping it without [`Node::stop`] stops it too, without waiting.
pub struct Node {
    ledger: Arc<Ledger>,
    mempool: Arc<Mempool>,
    doors: Doors,
    checkpoints: Arc<Checkpoints>,
    orderer: &'static str,
    thread: Option<JoinHandle<Result<(), NodeError>>>,
    pruning: Mutex<Option<PruningThread>>,
    ended: watch::Receiver<bool>,
}

impl Node {
    /// Opens the ledger and starts the solo orderer.
    ///
    /// # Errors
    /// [`NodeError::Ledger`] when the ledger cannot be opened, [`NodeError::NotSolo`] or
    /// [`NodeError::NotTheValidator`] when this key cannot order alone.
    pub fn start(config: NodeConfig) -> Result<Self, NodeError> {
        let ledger = Arc::new(Ledger::open(config.store, config.genesis)?);
        Self::start_solo(ledger, config.key, config.clock, config.verifier)
    }

    /// The same on a ledger that was opened before.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_solo(
        ledger: Arc<Ledger>,
        key: SigningKey,
        clock: Arc<dyn WallClock>,
        verifier: Arc<dyn Verifier>,
    ) -> Result<Self, NodeError> {
        let next = ledger.head().header.height.get() + 1;
        let validators = ledger.view().validators_at(next)?.current;
        if validators.len() != 1 {
            return Err(NodeError::NotSolo(validators.len()));
        }
        if validators[0] != key.public() {
            return Err(NodeError::NotTheValidator);
        }
        Self::start_with(ledger, Box::new(Solo::new(key)), clock, verifier)
    }

    /// Starts with any orderer: the seam at which the Byzantine fault tolerant one comes in.
    ///
    /// # Errors
    /// [`NodeError::Thread`].
    pub fn start_with(
        ledger: Arc<Ledger>,
        mut orderer: Box<dyn Orderer>,
        clock: Arc<dyn WallClock>,
        verifier: Arc<dyn Verifier>,
    ) -> Result<Self, NodeError> {
        let (ordering, doors) = assemble(Arc::clone(&ledger), clock, verifier);
        let mempool = Arc::clone(&ordering.mempool);
        let checkpoints = Arc::clone(&ordering.checkpoints);
        let name = orderer.name();
        let (ended_sender, ended) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("orderer".to_owned())
            .spawn(move || {
                let guard = Ended { ordering: ordering.clone(), ended: ended_sender };
                let result = orderer.run(&ordering);
                if let Err(error) = &result {
                    tracing::error!(%error, "the node can order no more");
                }
                drop(guard);
                result
            })
            .map_err(NodeError::Thread)?;
        let head = ledger.head();
        tracing::info!(
            ledger = %ledger.rules().ledger_id(),
            height = head.header.height.get(),
            orderer = name,
            "node started"
        );
        Ok(Self {
            ledger,
            mempool,
            doors,
            checkpoints,
            orderer: name,
            thread: Some(thread),
            pruning: Mutex::default(),
            ended,
        })
    }

    /// Prunes old blocks from now on, beside the ordering; `states` is where the states of checkpoints
    /// are kept, when they are.
    ///
    /// # Errors
    /// [`NodeError::Thread`].
    pub fn prune_beside(&self, keep: Keep, states: Option<PathBuf>) -> Result<(), NodeError> {
        let thread = PruningThread::start(Arc::clone(&self.ledger), keep, states)?;
        let before = self.pruning().replace(thread);
        if let Some(before) = before {
            before.stop();
        }
        Ok(())
    }

    fn pruning(&self) -> MutexGuard<'_, Option<PruningThread>> {
        self.pruning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_pruning(&self) {
        let thread = self.pruning().take();
        if let Some(thread) = thread {
            thread.stop();
        }
    }

    /// The door to read.
    #[must_use]
    pub fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.doors.clone())
    }

    /// The door to submit.
    #[must_use]
    pub fn submitter(&self) -> Arc<dyn Submitter> {
        Arc::new(self.doors.clone())
    }

    /// The ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// What the node has to do with checkpoints.
    #[must_use]
    pub const fn checkpoints(&self) -> &Arc<Checkpoints> {
        &self.checkpoints
    }

    /// How the node is.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        NodeStatus {
            orderer: self.orderer,
            height: self.ledger.head().header.height.get(),
            mempool: self.mempool.len(),
        }
    }

    /// Completes when the orderer ended, by itself or because it failed.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // An error means that the orderer's end is gone, which is the end as well.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Has the orderer ended?
    #[must_use]
    pub fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Takes nothing more, orders what waits, makes the closing block, and ends.
    ///
    /// # Errors
    /// What the orderer failed with.
    pub fn stop(mut self) -> Result<(), NodeError> {
        self.mempool.close();
        self.stop_pruning();
        let thread = self.thread.take().expect("a node is stopped once");
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.mempool.close();
        self.stop_pruning();
    }
}

/// Whatever ends the orderer, nobody waits for it for ever.
struct Ended {
    ordering: Ordering,
    ended: watch::Sender<bool>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.ordering.checkpoints.stop();
        self.ordering.mempool.abandon();
        self.ordering.sink.end();
        self.ended.send_replace(true);
    }
}

impl NodeError {
    /// The ledger's failure below, if it is one.
    #[must_use]
    pub const fn ledger(&self) -> Option<&LedgerError> {
        match self {
            Self::Ledger(error) => Some(error),
            _ => None,
        }
    }
}
