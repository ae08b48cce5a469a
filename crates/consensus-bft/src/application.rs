//! What this node proposes, and what it votes for.
//!
//! A block is accepted for its form, never for its effect: it is executed when it is final. `verify`
//! says false only of what is invalid for ever, because others may see it later than we do; of what
//! we cannot judge yet it says nothing until we can.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use commonware_consensus::Heightable;
use commonware_consensus::marshal::ancestry::Ancestry;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::{Epoch, Epocher, FixedEpocher, Height};
use commonware_cryptography::Digested;
use commonware_macros::select;
use commonware_runtime::{Clock, Metrics, Spawner};
use commonware_utils::vec::NonEmptyVec;
use contracts::genesis::Clock as GenesisClock;
use futures_util::{FutureExt as _, StreamExt as _};
use ledger::{CheckedBlock, CheckedTransaction, LedgerError};
use node::{NodeError, Ordering};
use primitives::codec::Bounded;
use primitives::hash::Hash;
use primitives::header::{Executed, HEADER_VERSION, Header};
use primitives::identifier::TransactionId;
use primitives::units::{BlockHeight, Timestamp};

use crate::block::{Context, OrderedBlock};
use crate::connected::Connected;
use crate::engine::{Mailbox, Pace};
use crate::membership::{Schemes, public_key};

/// A proposal that stands further ahead of our clock waits.
const AHEAD_MS: u64 = 500;
/// A proposal that lies further behind our clock gets no vote while its view lasts.
const BEHIND_MS: u64 = 5_000;
/// So does a proposal whose maker has executed so many blocks less than we have.
const EXECUTED_BEHIND: u64 = 64;
/// Checked blocks that are kept until they are final.
const MAX_KEPT: usize = 64;

/// Our application on the engine: proposes from the mempool, judges the proposals of others.
#[derive(Clone)]
pub struct Application {
    ordering: Ordering,
    schemes: Schemes,
    mailbox: Mailbox,
    epocher: FixedEpocher,
    pace: Pace,
    connected: Connected,
    kept: Arc<Mutex<BTreeMap<Hash, CheckedBlock>>>,
}

/// What can be said of a proposal now.
#[derive(Debug)]
enum Verdict {
    Valid,
    Invalid(String),
    /// Ask again when this node has executed the height.
    AfterHeight(u64),
    /// Ask again after this time.
    After(Duration),
    /// No vote while the view may still be skipped; ask again without this objection afterwards.
    Late(&'static str),
}

/// The objections of [`Verdict::Late`] hold at first and are waived when the view outlasts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lateness {
    Objects,
    Waived,
}

impl Application {
    pub(crate) fn new(
        ordering: &Ordering,
        schemes: &Schemes,
        mailbox: &Mailbox,
        epocher: &FixedEpocher,
        (pace, connected): (Pace, Connected),
    ) -> Self {
        Self {
            ordering: ordering.clone(),
            schemes: schemes.clone(),
            mailbox: mailbox.clone(),
            epocher: epocher.clone(),
            pace,
            connected,
            kept: Arc::default(),
        }
    }

    /// What the application works with.
    #[must_use]
    pub const fn ordering(&self) -> &Ordering {
        &self.ordering
    }

    /// The checked form of a final block: the one that was kept when it was proposed or judged, or
    /// checked now.
    ///
    /// # Errors
    /// [`LedgerError::Block`] when its form is wrong.
    pub fn checked(
        &self,
        block: &OrderedBlock,
        parent: &Header,
        parent_hash: Hash,
    ) -> Result<CheckedBlock, LedgerError> {
        let kept = self.kept.lock().expect(UNPOISONED).remove(&block.hash());
        match kept {
            Some(checked) => Ok(checked),
            None => self.check(block, (parent, parent_hash)),
        }
    }

    /// Was the block checked or executed before?
    pub(crate) fn is_checked(&self, block: &OrderedBlock) -> bool {
        block.header().height <= self.ordering.ledger.head().header.height
            || self.kept.lock().expect(UNPOISONED).contains_key(&block.hash())
    }

    /// Checks final blocks before their turn to be executed comes, from the first on that was not yet;
    /// they follow `before`. What is wrong with one is said when it is executed.
    pub(crate) fn check_ahead(&self, before: &OrderedBlock, blocks: &[OrderedBlock]) {
        let Ordering { ledger, verifier, mempool, checking, .. } = &self.ordering;
        let _turn = checking.of_block();
        let done = blocks.iter().take_while(|block| self.is_checked(block)).count();
        let (done, blocks) = blocks.split_at(done);
        let before = done.last().unwrap_or(before);
        let chain = blocks.iter().map(OrderedBlock::unchecked).collect();
        let parent = (before.header(), before.hash());
        let known = |id: &TransactionId| mempool.known(id);
        let checked = CheckedBlock::check_chain(chain, parent, ledger.rules(), &**verifier, &known);
        for (block, checked) in blocks.iter().zip(checked) {
            let Ok(checked) = checked else { return };
            self.keep(checked, block.hash());
        }
    }

    /// Checks a block on its parent, and remembers what this node meets first here. A block of which
    /// nothing is new waits for nobody.
    fn check(
        &self,
        block: &OrderedBlock,
        parent: (&Header, Hash),
    ) -> Result<CheckedBlock, LedgerError> {
        let Ordering { ledger, verifier, mempool, checking, .. } = &self.ordering;
        let is_new = block.ids().any(|id| mempool.known(&id).is_none());
        let _turn = is_new.then(|| checking.of_block());
        let unknown = RefCell::new(BTreeSet::new());
        let known = |id: &TransactionId| {
            let known = mempool.known(id);
            if known.is_none() {
                unknown.borrow_mut().insert(*id);
            }
            known
        };
        let unchecked = block.unchecked();
        let checked =
            CheckedBlock::check_after(unchecked, parent, ledger.rules(), &**verifier, &known)?;
        let unknown = unknown.into_inner();
        let transactions = checked.transactions().iter();
        mempool.remember(transactions.filter(|checked| unknown.contains(&checked.id())));
        Ok(checked)
    }

    fn keep(&self, checked: CheckedBlock, hash: Hash) {
        let executed = self.ordering.ledger.head().header.height;
        let mut kept = self.kept.lock().expect(UNPOISONED);
        kept.retain(|_, block| block.header().height > executed);
        if kept.len() < MAX_KEPT {
            kept.insert(hash, checked);
        }
    }

    /// Waits until a block would reach enough validators, and until there is something to propose or
    /// the pace demands an empty block; then gives the transactions.
    async fn gather<E: Clock>(
        &self,
        runtime: &E,
        epoch: Epoch,
        parent: &Header,
        ancestors: &Ancestors,
    ) -> Result<Vec<CheckedTransaction>, NodeError> {
        let others = self.schemes.validators(epoch)?.quorum() - 1;
        self.connected.enough(runtime, others, self.pace.leader_timeout).await;
        let seats_change = self.seats_change(parent)?;
        let mut due =
            runtime.current() + if seats_change { self.pace.closing } else { self.pace.idle };
        // Until this node has executed them, an empty block of its own commits to nothing.
        let uncommitted = ancestors.uncommitted(parent);
        let pause = self.closing_pause(uncommitted, ancestors)?;
        let executed = async {
            match uncommitted {
                Some(height) => self.ordering.reached(height).await,
                None => std::future::pending().await,
            }
        };
        let mut executed = pin!(executed.fuse());
        let mempool = &self.ordering.mempool;
        let mut seen = mempool.changes();
        loop {
            let transactions = self.waiting(parent, ancestors)?;
            if !transactions.is_empty() || runtime.current() >= due {
                return Ok(transactions);
            }
            select! {
                _ = runtime.sleep_until(due) => {},
                changes = mempool.changed(seen) => seen = changes,
                () = executed.as_mut() => due = due.min(runtime.current() + pause),
            }
        }
    }

    /// The pause before a block that does no more than commit to the execution of the last
    /// transactions. Many of them are seldom the last ones, and what follows them commits as well.
    fn closing_pause(
        &self,
        uncommitted: Option<u64>,
        ancestors: &Ancestors,
    ) -> Result<Duration, LedgerError> {
        /// So many transactions double the pause.
        const MANY: u32 = 1_000;
        let count = match (uncommitted, ancestors.last_count) {
            (None, _) => 0,
            (Some(_), Some(count)) => count as u32,
            (Some(height), None) => {
                let sealed = self.ordering.ledger.view().sealed_header(height)?;
                sealed.map_or(0, |sealed| sealed.transactions)
            }
        };
        Ok(self.pace.closing * (1 + count / MANY))
    }

    /// Does an approved change of the validators wait for its epoch? It waits for blocks, of which an
    /// idle network makes few.
    fn seats_change(&self, parent: &Header) -> Result<bool, LedgerError> {
        let ledger = &self.ordering.ledger;
        let epoch = ledger.rules().epoch_of(parent.height.get() + 1);
        let seats = ledger.view().read(|state| state.seats())?;
        Ok(seats.iter().any(|(from, _)| from > epoch))
    }

    /// What of the mempool goes into a block after `parent`: what was ordered before or has expired
    /// is answered instead.
    fn waiting(
        &self,
        parent: &Header,
        ancestors: &Ancestors,
    ) -> Result<Vec<CheckedTransaction>, NodeError> {
        let mempool = &self.ordering.mempool;
        let selected = mempool.select(&|id| ancestors.transactions.contains(id));
        let numbered: Vec<_> = selected.iter().map(CheckedTransaction::numbered).collect();
        let known = self.ordering.answer_known(&numbered)?;
        let time = self.next_time(parent)?;
        let mut valid = Vec::with_capacity(selected.len());
        for (checked, is_known) in selected.into_iter().zip(known) {
            if is_known {
                continue;
            }
            let id = checked.id();
            match checked.check_time(time) {
                Ok(()) => valid.push(checked),
                Err(malformed) => mempool.answer(&id, &Err(malformed.into())),
            }
        }
        Ok(valid)
    }

    fn next_time(&self, parent: &Header) -> Result<Timestamp, LedgerError> {
        let time = self.ordering.ledger.next_time(self.ordering.clock.now())?;
        Ok(time.max(Timestamp::new(parent.time.get() + 1)))
    }

    /// A block on `parent`. `None` when this node is too far ahead or behind to make one.
    fn assemble(
        &self,
        context: Context,
        parent: &OrderedBlock,
        transactions: Vec<CheckedTransaction>,
    ) -> Result<Option<OrderedBlock>, NodeError> {
        let ledger = &self.ordering.ledger;
        let height = parent.header().height.get() + 1;
        let Some(executed) = newest(ledger.head().executed, parent.header().executed, height)
        else {
            return Ok(None);
        };
        let time = self.next_time(parent.header())?;
        let rules = ledger.rules();
        // Rule: a period has ended when the parent's time says so. After a pause over a period's end
        // an empty block comes first, so that the first reading is not refused for its parent's age.
        let is_new_period = rules.period_at(parent.header().time) < rules.period_at(time);
        let mut transactions = if is_new_period { Vec::new() } else { transactions };
        transactions.retain(|checked| checked.check_time(time).is_ok());
        let epoch = self.epoch_of(height);
        let header = Header {
            version: HEADER_VERSION,
            ledger_id: rules.ledger_id(),
            height: BlockHeight::new(height),
            parent: parent.hash(),
            time,
            proposer: public_key(&context.leader),
            epoch: epoch.get(),
            validators_hash: self.schemes.validators(epoch)?.hash(),
            next_validators_hash: self.schemes.validators(epoch.next())?.hash(),
            transactions_root: primitives::merkle::empty_root(),
            executed,
            context: Bounded::default(),
        };
        let checked = CheckedBlock::assemble(header, transactions);
        let block = OrderedBlock::seal(&checked, context);
        self.keep(checked.with_context(block.header().context.clone()), block.hash());
        Ok(Some(block))
    }

    fn epoch_of(&self, height: u64) -> Epoch {
        let height = Height::new(height);
        self.epocher.containing(height).expect("epochs cover every height").epoch()
    }

    /// Judges a proposal on its parent.
    fn judge(
        &self,
        context: &Context,
        block: &OrderedBlock,
        parent: &OrderedBlock,
        lateness: Lateness,
    ) -> Result<Verdict, NodeError> {
        let header = block.header();
        if let Some(reason) = self.wrong_place(context, header)? {
            return Ok(Verdict::Invalid(reason.to_owned()));
        }
        if let Some(verdict) = self.judge_execution(header, lateness)? {
            return Ok(verdict);
        }
        if let Some(verdict) = self.judge_time(header, parent.header(), lateness)? {
            return Ok(verdict);
        }
        match self.check(block, (parent.header(), parent.hash())) {
            Ok(checked) => {
                self.keep(checked, block.hash());
                Ok(Verdict::Valid)
            }
            Err(LedgerError::Block { reason, .. }) => Ok(Verdict::Invalid(reason)),
            Err(error) => Err(error.into()),
        }
    }

    fn wrong_place(
        &self,
        context: &Context,
        header: &Header,
    ) -> Result<Option<&'static str>, NodeError> {
        let epoch = context.round.epoch();
        let now = self.schemes.validators(epoch)?.hash();
        let next = self.schemes.validators(epoch.next())?.hash();
        let checks = [
            (header.proposer == public_key(&context.leader), "its proposer does not lead the view"),
            (
                header.epoch == epoch.get() && self.epoch_of(header.height.get()) == epoch,
                "its height lies in another epoch",
            ),
            (header.validators_hash == now, "it names other validators"),
            (header.next_validators_hash == next, "it names other validators to come"),
        ];
        Ok(checks.iter().find(|(holds, _)| !holds).map(|(_, reason)| *reason))
    }

    /// What the header says of execution must be what we came to ourselves.
    fn judge_execution(
        &self,
        header: &Header,
        lateness: Lateness,
    ) -> Result<Option<Verdict>, NodeError> {
        let ledger = &self.ordering.ledger;
        let height = header.executed.height.get();
        let view = ledger.view();
        if height > view.height() {
            return Ok(Some(Verdict::AfterHeight(height)));
        }
        let ours = match height {
            0 => Some(ledger.rules().genesis().header().executed),
            _ => view.executed(height)?,
        };
        if ours != Some(header.executed) {
            let reason = format!("it commits to another result of height {height} than ours");
            return Ok(Some(Verdict::Invalid(reason)));
        }
        let is_late = height + EXECUTED_BEHIND < view.height();
        Ok((is_late && lateness == Lateness::Objects)
            .then_some(Verdict::Late("its maker has executed far less than we have")))
    }

    /// Rule: protocol §6. A virtual clock is moved by transactions alone, so a proposal is ahead of
    /// it until this node has executed the one that moved it.
    fn judge_time(
        &self,
        header: &Header,
        parent: &Header,
        lateness: Lateness,
    ) -> Result<Option<Verdict>, NodeError> {
        let ledger = &self.ordering.ledger;
        let time = header.time.get();
        if ledger.rules().genesis().clock == GenesisClock::Virtual {
            let ours = ledger.next_time(self.ordering.clock.now())?.get();
            let is_ahead = time > ours.max(parent.time.get() + 1);
            return Ok(
                is_ahead.then(|| Verdict::AfterHeight(ledger.head().header.height.get() + 1))
            );
        }
        let now = self.ordering.clock.now().get();
        if time > now.saturating_add(AHEAD_MS) && time > parent.time.get() + 1 {
            return Ok(Some(Verdict::After(Duration::from_millis(time - now - AHEAD_MS))));
        }
        let is_late = time.saturating_add(BEHIND_MS) < now;
        Ok((is_late && lateness == Lateness::Objects)
            .then_some(Verdict::Late("its time lies far behind our clock")))
    }

    /// Waits until this node has executed `height`, on which the leader of the context proposes.
    ///
    /// Its certificate is sent once, and a crash may lose it. Later ones may need our vote, which needs
    /// that execution: so the one who has executed it is asked, and then all validators, because it may
    /// have gone since. A height may be final through a later one alone, which is an ancestor of
    /// the proposal as well.
    async fn executed<E: Clock>(
        &self,
        runtime: &E,
        height: u64,
        context: &Context,
        parent: Height,
    ) -> Result<(), NodeError> {
        let mut whom = NonEmptyVec::new(context.leader.clone());
        let mut others = self.schemes.others(context.round.epoch())?;
        others.retain(|validator| *validator != context.leader);
        let mut reached = self.ordering.reached(height);
        loop {
            select! {
                () = &mut reached => return Ok(()),
                _ = runtime.sleep(self.pace.leader_timeout) => {},
            }
            for missing in (height..=parent.get()).take(MAX_KEPT) {
                self.mailbox.hint_finalized(Height::new(missing), whom.clone());
            }
            // Only when it does not answer: one of the others may be away and cost a timeout.
            others.drain(..).for_each(|validator| whom.push(validator));
        }
    }

    async fn judge_until_sure<E: Clock + Spawner>(
        &self,
        runtime: &E,
        context: &Context,
        block: &OrderedBlock,
        parent: &OrderedBlock,
    ) -> Result<bool, NodeError> {
        let mut lateness = Lateness::Objects;
        loop {
            let (application, judged_in) = (self.clone(), context.clone());
            let (judged, below) = (block.clone(), parent.clone());
            // Signatures take long: off the threads that serve the network.
            let judging = runtime.child("judge").shared(true).spawn(move |_| async move {
                application.judge(&judged_in, &judged, &below, lateness)
            });
            let Ok(verdict) = judging.await else { std::future::pending().await };
            match verdict? {
                Verdict::Valid => return Ok(true),
                Verdict::Invalid(reason) => {
                    let header = block.header();
                    tracing::warn!(
                        height = header.height.get(), proposer = %header.proposer, reason,
                        "refused a proposed block"
                    );
                    return Ok(false);
                }
                Verdict::AfterHeight(height) => {
                    self.executed(runtime, height, context, parent.height()).await?;
                }
                Verdict::After(time) => runtime.sleep(time).await,
                // Others may have voted already; then the view cannot be skipped, and withholding
                // our vote for ever would stop the ledger.
                Verdict::Late(reason) => {
                    tracing::debug!(height = block.header().height.get(), reason, "no vote yet");
                    runtime.sleep(self.pace.leader_timeout * 3).await;
                    lateness = Lateness::Waived;
                }
            }
        }
    }
}

const UNPOISONED: &str = "nothing panics while it holds the kept blocks";

/// What our execution or the parent's maker's reached, whichever is newer; a block never knows its
/// own.
fn newest(ours: Executed, parents: Executed, height: u64) -> Option<Executed> {
    let newest = if ours.height > parents.height { ours } else { parents };
    (newest.height.get() < height).then_some(newest)
}

/// What lies between this node's executed head and a new block.
struct Ancestors {
    transactions: BTreeSet<TransactionId>,
    last_non_empty: u64,
    /// Transactions of the last block that has some, when it lies in between.
    last_count: Option<usize>,
}

impl Ancestors {
    /// Follows the blocks back to the executed head.
    async fn follow(
        ordering: &Ordering,
        parent: &OrderedBlock,
        ancestry: &mut impl Ancestry<OrderedBlock>,
    ) -> Option<Self> {
        let mut found = Self {
            transactions: BTreeSet::new(),
            last_non_empty: ordering.ledger.head().last_non_empty,
            last_count: None,
        };
        let mut block = parent.clone();
        while block.height().get() > ordering.ledger.head().header.height.get() {
            if !block.is_empty() {
                found.last_non_empty = found.last_non_empty.max(block.height().get());
                found.last_count.get_or_insert(block.len());
            }
            found.transactions.extend(block.ids());
            block = ancestry.next().await?.inner().clone();
        }
        Some(found)
    }

    /// The height of the last transactions, when `parent` does not commit to their execution.
    fn uncommitted(&self, parent: &Header) -> Option<u64> {
        (self.last_non_empty > parent.executed.height.get()).then_some(self.last_non_empty)
    }
}

impl<E: Clock + Spawner + Metrics> commonware_consensus::Application<E> for Application {
    type SigningScheme = Scheme;
    type Context = Context;
    type Block = OrderedBlock;
    type Input = ();

    async fn propose(
        &mut self,
        (runtime, context): (E, Context),
        mut ancestry: impl Ancestry<OrderedBlock>,
        (): (),
    ) -> Option<Digested<OrderedBlock>> {
        let parent = ancestry.next().await?.inner().clone();
        let ancestors = Ancestors::follow(&self.ordering, &parent, &mut ancestry).await?;
        let epoch = context.round.epoch();
        let proposed = match self.gather(&runtime, epoch, parent.header(), &ancestors).await {
            Ok(transactions) => self.assemble(context, &parent, transactions),
            Err(error) => Err(error),
        };
        match proposed {
            Ok(block) => Some(block?.digested()),
            Err(error) => {
                tracing::error!(%error, "no block could be proposed");
                None
            }
        }
    }

    async fn verify(
        &mut self,
        (runtime, context): (E, Context),
        mut ancestry: impl Ancestry<OrderedBlock>,
    ) -> bool {
        let (Some(block), Some(parent)) = (ancestry.next().await, ancestry.next().await) else {
            return std::future::pending().await;
        };
        let judged = self.judge_until_sure(&runtime, &context, block.inner(), parent.inner()).await;
        match judged {
            Ok(is_valid) => is_valid,
            Err(error) => {
                // Nothing is known against the block: our own disk failed, and the node will stop.
                tracing::error!(%error, "a proposed block could not be judged");
                std::future::pending().await
            }
        }
    }
}
