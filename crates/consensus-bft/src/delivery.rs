//! Final blocks, in order: executed, made durable, then acknowledged; and the step from one epoch to
//! the next.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use commonware_actor::Feedback;
use commonware_consensus::marshal::Update;
use commonware_consensus::types::{Epoch, Epocher, FixedEpocher, Height};
use commonware_consensus::{Heightable, Reporter};
use commonware_cryptography::Digestible as _;
use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_macros::select;
use commonware_p2p::{Blocker, Message, Sender, TrackedPeers};
use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use commonware_utils::acknowledgement::Acknowledgement;
use commonware_utils::channel::mpsc;
use commonware_utils::vec::NonEmptyVec;
use contracts::Body;
use contracts::genesis::Clock as GenesisClock;
use ledger::LedgerError;
use node::mempool::Mempool;
use node::{NodeError, Ordering};
use primitives::header::Certificate;
use primitives::units::Timestamp;
use rand_core::CryptoRng;

use crate::abstention::LIVE_MS;
use crate::ahead::{Final, Updates};
use crate::application::Application;
use crate::archive::Retention;
use crate::block::{OrderedBlock, digest};
use crate::certificate::certificate;
use crate::engine::{Automaton, EpochChannel, Epochs, Mailbox};
use crate::membership::Schemes;

/// Messages of epochs that do not run, from a multiplexed channel.
pub(crate) type Early = mpsc::Receiver<(u64, Message<EngineKey>)>;
/// How long a node that is told to stop waits for its mempool to become empty.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// Where marshal reports. It never has more than a bounded number of blocks unacknowledged.
#[derive(Clone)]
pub(crate) struct Inbox(mpsc::UnboundedSender<Update<OrderedBlock>>);

impl Inbox {
    pub(crate) fn new() -> (Self, Updates) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

impl Reporter for Inbox {
    type Activity = Update<OrderedBlock>;

    fn report(&mut self, update: Update<OrderedBlock>) -> Feedback {
        // When nobody receives any more the node is going down.
        let _ = self.0.send(update);
        Feedback::Ok
    }
}

pub(crate) struct Delivery<E, A, B, T, S>
where
    E: Spawner + Metrics + Clock,
    A: Automaton<E>,
    S: Sender,
{
    pub(crate) application: Application,
    pub(crate) mailbox: Mailbox,
    pub(crate) schemes: Schemes,
    pub(crate) epocher: FixedEpocher,
    pub(crate) epochs: Epochs<E, A, B, T, S>,
    /// The furthest epoch heard of that is not ours yet, and from whom.
    pub(crate) ahead: Option<(u64, EngineKey)>,
    /// What followed from the blocks that were applied.
    pub(crate) applied: Applied,
    /// What marshal keeps itself.
    pub(crate) retention: Retention,
}

/// What follows from applied blocks.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Transactions of the mempool up to this ticket were compared with what was ordered before.
    swept: u64,
    /// Did a block since the peers were last told register or remove a node?
    has_new_peers: bool,
}

impl<E, A, B, T, S> Delivery<E, A, B, T, S>
where
    E: CryptoRng + Spawner + Metrics + Clock + Storage,
    A: Automaton<E>,
    B: Blocker<PublicKey = EngineKey>,
    T: FnMut(u64, TrackedPeers<EngineKey>) + Send + 'static,
    S: Sender<PublicKey = EngineKey>,
{
    pub(crate) async fn run(
        mut self,
        next: Height,
        mut blocks: mpsc::Receiver<Final>,
        mut early_votes: Early,
        mut early_certificates: Early,
    ) -> Result<(), NodeError> {
        let mempool = Arc::clone(&self.application.ordering().mempool);
        let mut closed = pin!(closed(self.epochs.runtime().child("closed"), mempool));
        // A ledger that was restored from a copy may lie behind; who validates now stands in what
        // it lacks.
        self.catch_up(next).await?;
        let mut epoch = self.epoch_of(next);
        let last = epoch.previous().map_or(Height::zero(), |before| self.last(before));
        let ledger = Arc::clone(&self.application.ordering().ledger);
        let root = ledger.view().header(last.get())?;
        let root = root.ok_or_else(|| ended("the last block of the epoch before is missing"))?;
        self.schemes.enter(epoch, self.is_live(root.time))?;
        self.epochs.enter(epoch, (last, digest(&root.hash()))).await?;
        loop {
            select! {
                early = early_votes.recv() => {
                    self.heard(epoch, EpochChannel::Votes, early)?;
                },
                early = early_certificates.recv() => {
                    self.heard(epoch, EpochChannel::Certificates, early)?;
                },
                block = blocks.recv() => {
                    let Some(block) = block else { return Err(ended("marshal ended")) };
                    let (block, acknowledgement) = block;
                    self.deliver(&block).await?;
                    let has_new_peers = std::mem::take(&mut self.applied.has_new_peers);
                    if block.height() == self.last(epoch) {
                        epoch = epoch.next();
                        self.schemes.enter(epoch, self.is_live(block.header().time))?;
                        let root = (block.height(), block.digest());
                        self.epochs.enter(epoch, root).await?;
                        self.ask_ahead(epoch);
                    } else if has_new_peers {
                        self.epochs.track_from(block.height().next(), epoch)?;
                    }
                    // Last of all: a crash before this has the block delivered again.
                    acknowledgement.acknowledge();
                    if let Some(oldest) = self.retention.oldest_after(block.height()) {
                        self.mailbox.prune(oldest);
                    }
                },
                _ = closed.as_mut() => return Ok(()),
            }
        }
    }

    /// Is a block of this time so new that the epoch after it has just begun? On a virtual clock nobody
    /// can tell.
    fn is_live(&self, time: Timestamp) -> bool {
        let Ordering { ledger, clock, .. } = self.application.ordering();
        let age = clock.now().get().saturating_sub(time.get());
        ledger.rules().genesis().clock == GenesisClock::System && age <= LIVE_MS
    }

    fn epoch_of(&self, height: Height) -> Epoch {
        self.epocher.containing(height).expect("epochs cover every height").epoch()
    }

    fn last(&self, epoch: Epoch) -> Height {
        self.epocher.last(epoch).expect("epochs have a last block")
    }

    async fn stored(&self, height: Height) -> Result<OrderedBlock, NodeError> {
        let block = self.mailbox.get_block(height).await;
        let block = block.ok_or_else(|| {
            ended(&format!(
                "the ledger ends at {}, but the engine has gone on and keeps only its newest blocks, not \
                 block {height}: was an old copy of the ledger put back? Begin this node anew with a \
                 snapshot of another one",
                self.application.ordering().ledger.head().header.height
            ))
        })?;
        Ok(block.inner().clone())
    }

    /// A message of another epoch. Who sends one of a later epoch has the last block of ours.
    fn heard(
        &mut self,
        epoch: Epoch,
        channel: EpochChannel,
        early: Option<(u64, Message<EngineKey>)>,
    ) -> Result<(), NodeError> {
        let (other, message) = early.ok_or_else(|| ended("the network's channels ended"))?;
        if other <= epoch.get() {
            return Ok(());
        }
        let from = message.0.clone();
        if other == epoch.get() + 1 {
            self.epochs.keep(channel, message);
        }
        self.mailbox.hint_finalized(self.last(epoch), NonEmptyVec::new(from.clone()));
        if self.ahead.as_ref().is_none_or(|(furthest, _)| *furthest < other) {
            self.ahead = Some((other, from));
        }
        Ok(())
    }

    /// Still behind after entering an epoch: asks for its last block at once, instead of waiting for
    /// the next stray message.
    fn ask_ahead(&self, epoch: Epoch) {
        if let Some((_, from)) = self.ahead.as_ref().filter(|(other, _)| *other > epoch.get()) {
            self.mailbox.hint_finalized(self.last(epoch), NonEmptyVec::new(from.clone()));
        }
    }

    /// Applies the blocks below a height that the ledger lacks, and gives the next height of the
    /// ledger.
    async fn catch_up(&mut self, below: Height) -> Result<u64, NodeError> {
        let ledger = &self.application.ordering().ledger;
        let mut next = ledger.head().header.height.get() + 1;
        while next < below.get() {
            let earlier = self.stored(Height::new(next)).await?;
            self.apply(&earlier).await?;
            next += 1;
        }
        Ok(next)
    }

    async fn deliver(&mut self, block: &OrderedBlock) -> Result<(), NodeError> {
        let next = self.catch_up(block.height()).await?;
        if next == block.height().get() {
            return self.apply(block).await;
        }
        let ledger = &self.application.ordering().ledger;
        // Delivered before: what was executed at its height must be this very block.
        let executed = ledger.view().header(block.height().get())?;
        if executed.is_none_or(|header| header.hash() != block.hash()) {
            return Err(LedgerError::Diverged { height: block.header().height }.into());
        }
        Ok(())
    }

    async fn apply(&mut self, block: &OrderedBlock) -> Result<(), NodeError> {
        let certificate = self.certificate(block).await?;
        let (application, applied, swept) =
            (self.application.clone(), block.clone(), self.applied.swept);
        // Execution and fsync take long: off the threads that serve the network.
        let applying = self
            .epochs
            .runtime()
            .child("apply")
            .shared(true)
            .spawn(move |_| async move { apply(&application, &applied, &certificate, swept) });
        let Applied { swept, has_new_peers } =
            applying.await.map_err(|_| ended("execution ended"))??;
        self.applied.swept = swept;
        self.applied.has_new_peers |= has_new_peers;
        let ordering = self.application.ordering();
        if let Some(work) = ordering.checkpoints.work(ordering, block.header().time) {
            let runtime = self.epochs.runtime().child("checkpoint").shared(true);
            // It reports to the ledger and to the log.
            drop(runtime.spawn(move |_| async move { work() }));
        }
        Ok(())
    }

    /// The block's own certificate. A block that became final through a later one may have none; it
    /// is stored without signatures then.
    async fn certificate(&self, block: &OrderedBlock) -> Result<Certificate, NodeError> {
        let set = self.schemes.validators(self.epoch_of(block.height()))?;
        match self.mailbox.get_finalization(block.height()).await {
            Some(finalization) => certificate(&finalization, &set)
                .ok_or_else(|| ended("a certificate is not of its epoch's validators")),
            None => Ok(Certificate::absent()),
        }
    }
}

/// Executes, makes durable, answers; then compares what came into the mempool since with what was
/// ordered before.
fn apply(
    application: &Application,
    block: &OrderedBlock,
    certificate: &Certificate,
    swept: u64,
) -> Result<Applied, NodeError> {
    let ordering = application.ordering();
    let head = ordering.ledger.head();
    let checked = application.checked(block, &head.header, head.hash)?;
    let ids = checked.transactions().iter().map(ledger::CheckedTransaction::id);
    let own = ordering.mempool.remove(ids);
    ordering.finalized(&checked, certificate, own)?.send();
    let (came, swept) = ordering.mempool.since(swept);
    ordering.answer_known(&came)?;
    let names_a_node = |body: &Body| matches!(body, Body::RegisterNode(_) | Body::RemoveNode(_));
    let has_new_peers = checked.transactions().iter().any(|it| names_a_node(it.body()));
    Ok(Applied { swept, has_new_peers })
}

/// Completes when the node is told to stop and what waits was ordered, or does not get ordered any
/// more because too many of the others are away.
async fn closed<E: Clock>(runtime: E, mempool: Arc<Mempool>) {
    let mut seen = mempool.changes();
    while !mempool.is_closed() {
        seen = mempool.changed(seen).await;
    }
    let until = runtime.current() + STOP_PATIENCE;
    while !mempool.is_empty() && runtime.current() < until {
        runtime.sleep(Duration::from_millis(20)).await;
    }
}

fn ended(what: &str) -> NodeError {
    NodeError::Engine(what.to_owned())
}
