//! The chain: opening a ledger and appending final blocks to it.
//!
//! The order of work in [`Ledger::append`] is the order that a crash may interrupt anywhere: execute
//! on a snapshot, put everything of the block into one batch, commit it durably, then publish the
//! new view. Before the commit nothing of the block exists; after it everything does.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use contracts::execute::{Ordered, execute_transaction};
use contracts::genesis::Clock;
use contracts::state::Writes;
use contracts::{Event, Genesis, Position, Rules, State};
use primitives::codec::{self, Bounded};
use primitives::header::{Certificate, Executed, HEADER_VERSION, Header, next_state_root};
use primitives::identifier::KeyAddress;
use primitives::key::PublicKey;
use primitives::merkle::Frontier;
use primitives::receipt::{Receipt, block_leaf, receipts_tree};
use primitives::units::{BlockHeight, Sequence, Timestamp};

use crate::block::CheckedBlock;
use crate::block_state::{BlockState, writes_hash};
use crate::chunk;
use crate::epochs;
use crate::error::LedgerError;
use crate::history::{History, OpenChunks};
use crate::layout::{self, Head, PrunedTo, SealedHeader, Votes};
use crate::private_store::PrivateStore;
use crate::replay_store::ReplayStore;
use crate::state_cache::StateCache;
use crate::store::{Durability, Keyspace, Snapshot, Store, WriteBatch};
use crate::transaction_index::put_places;
use crate::view::View;

/// The newest durable state, published as one.
struct Tip {
    head: Arc<Head>,
    snapshot: Arc<dyn Snapshot>,
}

/// A ledger on a store. One writer appends; any number of threads read views.
pub struct Ledger {
    store: Arc<dyn Store>,
    rules: Arc<Rules>,
    tip: RwLock<Tip>,
    cache: StateCache,
    open: Arc<OpenChunks>,
    /// Held from a commit until what it wrote is published.
    publishing: Mutex<()>,
    /// Are blocks written, or only what follows from them?
    keeps_history: bool,
    /// The values that this node of a private ledger holds.
    private: OnceLock<Arc<dyn PrivateStore>>,
}

impl Ledger {
    /// Opens the ledger in `store`, or founds it there with `genesis` when the store is empty.
    ///
    /// # Errors
    /// [`LedgerError::OtherLedger`] when the store holds another one, [`LedgerError::NoLedger`] when
    /// it holds none and no genesis is given, [`LedgerError::OtherFormat`] when another version of
    /// this program wrote it.
    pub fn open(store: Arc<dyn Store>, genesis: Option<Genesis>) -> Result<Self, LedgerError> {
        let stored = store.get(Keyspace::Meta, layout::GENESIS)?;
        let (genesis, is_new) = match (stored, genesis) {
            (None, None) => return Err(LedgerError::NoLedger),
            (None, Some(genesis)) => (genesis, true),
            (Some(bytes), wanted) => {
                check_format(&*store)?;
                let found: Genesis = layout::row(&bytes, "genesis")?;
                match wanted {
                    Some(wanted) if wanted != found => {
                        return Err(LedgerError::OtherLedger {
                            found: found.ledger_id(),
                            wanted: wanted.ledger_id(),
                        });
                    }
                    _ => (found, false),
                }
            }
        };
        let rules = Arc::new(Rules::new(genesis)?);
        if is_new {
            found(&*store, rules.genesis())?;
        }
        let tip = read_tip(&*store)?;
        Ok(Self {
            store,
            rules,
            tip: RwLock::new(tip),
            cache: StateCache::default(),
            open: Arc::default(),
            publishing: Mutex::new(()),
            keeps_history: true,
            private: OnceLock::new(),
        })
    }

    /// The ledger of a replay: it founds itself anew in `target` and leaves the history of `source`
    /// where it is.
    pub(crate) fn again(source: &View, target: Arc<dyn Store>) -> Result<Self, LedgerError> {
        let store = ReplayStore::new(Arc::clone(source.snapshot()), target);
        let genesis = source.rules().genesis().clone();
        Ok(Self { keeps_history: false, ..Self::open(Arc::new(store), Some(genesis))? })
    }

    /// The genesis and what follows from it.
    #[must_use]
    pub const fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// Shows the values in this store to those who read a view; execution never sees them. The first
    /// store given holds.
    pub fn keep_private(&self, store: Arc<dyn PrivateStore>) {
        let _ = self.private.set(store);
    }

    /// The values that this node holds; `None` when it keeps none.
    #[must_use]
    pub fn private_store(&self) -> Option<&Arc<dyn PrivateStore>> {
        self.private.get()
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The anchor of the snapshot with which the ledger began here; `None` when it began with the
    /// genesis.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn restored_at(&self) -> Result<Option<BlockHeight>, LedgerError> {
        let row = self.store.get(Keyspace::Meta, layout::RESTORED)?;
        row.map(|row| layout::row(&row, "anchor of the snapshot")).transpose()
    }

    /// From when a key votes here; `None` when nothing was written down about it.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn votes(&self) -> Result<Option<Votes>, LedgerError> {
        let row = self.store.get(Keyspace::Meta, layout::VOTES)?;
        row.map(|row| layout::row(&row, "mark of votes")).transpose()
    }

    /// Writes down from when a key votes here, durably.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn note_votes(&self, votes: &Votes) -> Result<(), LedgerError> {
        let mut batch = WriteBatch::new();
        batch.put(Keyspace::Meta, layout::VOTES, codec::encode(votes));
        self.commit_beside(batch)
    }

    /// How far blocks were pruned here; `None` when none was.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn pruned(&self) -> Result<Option<PrunedTo>, LedgerError> {
        self.view().pruned()
    }

    /// Where the ledger stands.
    #[must_use]
    pub fn head(&self) -> Arc<Head> {
        Arc::clone(&self.tip.read().expect(UNPOISONED).head)
    }

    /// The newest durable state.
    #[must_use]
    pub fn view(&self) -> View {
        let tip = self.tip.read().expect(UNPOISONED);
        View::new(
            Arc::clone(&self.rules),
            Arc::clone(&tip.head),
            Arc::clone(&tip.snapshot),
            Arc::clone(&self.open),
            self.private.get().cloned(),
        )
    }

    fn tip(&self) -> (Arc<Head>, Arc<dyn Snapshot>) {
        let tip = self.tip.read().expect(UNPOISONED);
        (Arc::clone(&tip.head), Arc::clone(&tip.snapshot))
    }

    /// Which of these sequences of keys were surely never used in an ordered transaction? Of the others
    /// [`View::position_of`] knows. Costs no look into the history, and waits for no block that is being
    /// executed: what stands in that one is new here.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn surely_new(
        &self,
        sequences: impl ExactSizeIterator<Item = (KeyAddress, Sequence)>,
    ) -> Result<Vec<bool>, LedgerError> {
        let (head, snapshot) = self.tip();
        let height = head.header.height.get();
        // Execution has the cache while it lasts; each key's row is then read once for this call.
        let own = StateCache::default();
        let cache = self.cache.try_above(height).unwrap_or_else(|| own.above(height));
        let history = History { snapshot: &*snapshot, open: &self.open };
        let state = BlockState::new(history, height + 1, &[]).cached(cache);
        let is_new = |(key, sequence): (KeyAddress, Sequence)| {
            (&state as &dyn State).is_sequence_free(&key, sequence.get())
        };
        let answers = sequences.map(is_new).collect();
        if let (_, Some(cache)) = state.into_parts()? {
            cache.keep(height);
        }
        Ok(answers)
    }

    /// A header that follows the head, to be completed by `CheckedBlock::assemble`.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn next_header(&self, proposer: PublicKey, time: Timestamp) -> Result<Header, LedgerError> {
        let view = self.view();
        let head = view.head();
        let validators = view.validators_at(head.header.height.get() + 1)?;
        Ok(Header {
            version: HEADER_VERSION,
            ledger_id: self.rules.ledger_id(),
            height: BlockHeight::new(head.header.height.get() + 1),
            parent: head.hash,
            time,
            proposer,
            epoch: validators.epoch,
            validators_hash: validators.current.hash(),
            next_validators_hash: validators.next.hash(),
            transactions_root: primitives::merkle::empty_root(),
            executed: head.executed,
            context: Bounded::default(),
        })
    }

    /// The time that the next block carries. On a virtual clock it is the state's; on a system clock
    /// `now`; always later than the parent's.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn next_time(&self, now: Timestamp) -> Result<Timestamp, LedgerError> {
        let clock = match self.rules.genesis().clock {
            Clock::System => now,
            Clock::Virtual => self
                .view()
                .read(|state| state.virtual_clock())?
                .unwrap_or_else(|| self.rules.genesis().time),
        };
        let after_parent = Timestamp::new(self.head().header.time.get() + 1);
        Ok(clock.max(after_parent))
    }

    /// Executes a final block, makes everything of it durable, and publishes the new view.
    ///
    /// # Errors
    /// [`LedgerError::Block`] when it does not follow the head, [`LedgerError::Diverged`] when its
    /// header commits to another result than ours, [`LedgerError::Store`] when it cannot be written;
    /// nothing of the block is published then.
    pub fn append(
        &self,
        block: &CheckedBlock,
        certificate: &Certificate,
    ) -> Result<Vec<Receipt>, LedgerError> {
        self.append_with(block, certificate, Durability::Synced)
    }

    /// The same with another durability, for a store that can be made again: a replay's.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub(crate) fn append_with(
        &self,
        block: &CheckedBlock,
        certificate: &Certificate,
        durability: Durability,
    ) -> Result<Vec<Receipt>, LedgerError> {
        let (head, snapshot) = self.tip();
        let header = block.header();
        if header.height.get() != head.header.height.get() + 1 || header.parent != head.hash {
            return Err(LedgerError::Block {
                height: header.height,
                reason: "it does not follow the head".to_owned(),
            });
        }
        self.compare_execution(header)?;
        let validators = epochs::check(&self.view(), header)?;
        let history = History { snapshot: &*snapshot, open: &self.open };
        let state = BlockState::new(history, header.height.get(), block.transactions());
        let cache = self.cache.above(head.header.height.get());
        let mut state = state.cached(cache);
        let receipts = execute(&self.rules, &head, block, &mut state);
        let (writes, cache) = state.into_parts()?;
        let mut batch = WriteBatch::new();
        if self.keeps_history {
            write_block(&mut batch, block, certificate, &receipts);
            let height = header.height.get();
            put_places(&mut batch, height, &receipts, &*snapshot, head.transactions)?;
        }
        let head = write_results(&mut batch, header, &head, &receipts, writes);
        epochs::put_set_change(&mut batch, &self.rules, header, &validators);
        let publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        self.store.commit(batch, durability)?;
        let snapshot = Arc::from(self.store.snapshot()?);
        if let Some(cache) = cache {
            cache.keep(header.height.get());
        }
        *self.tip.write().expect(UNPOISONED) = Tip { head: Arc::new(head), snapshot };
        drop(publishing);
        Ok(receipts)
    }

    /// Commits what changes neither the head nor anything that execution reads, and publishes it. May
    /// run beside [`Ledger::append`].
    pub(crate) fn commit_beside(&self, batch: WriteBatch) -> Result<(), LedgerError> {
        let _publishing = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        self.store.commit(batch, Durability::Synced)?;
        let snapshot = Arc::from(self.store.snapshot()?);
        self.tip.write().expect(UNPOISONED).snapshot = snapshot;
        self.open.close();
        Ok(())
    }

    /// What the header says of execution must be what we came to ourselves.
    fn compare_execution(&self, header: &Header) -> Result<(), LedgerError> {
        let height = header.executed.height;
        let view = self.view();
        let ours = if height.get() == 0 {
            Some(self.rules.genesis().header().executed)
        } else {
            view.executed(height.get())?
        };
        match ours {
            Some(ours) if ours == header.executed => Ok(()),
            Some(_) => Err(LedgerError::Diverged { height }),
            None => Err(LedgerError::Block {
                height: header.height,
                reason: "it knows the execution of a block that does not exist".to_owned(),
            }),
        }
    }
}

const UNPOISONED: &str = "nothing panics while it holds the tip";

fn check_format(store: &dyn Store) -> Result<(), LedgerError> {
    match store.get(Keyspace::Meta, layout::FORMAT)? {
        Some(version) if version == layout::FORMAT_VERSION.to_le_bytes() => Ok(()),
        _ => Err(LedgerError::OtherFormat),
    }
}

/// Writes the genesis and the head before the first block.
fn found(store: &dyn Store, genesis: &Genesis) -> Result<(), LedgerError> {
    let header = genesis.header();
    let head = Head {
        hash: header.hash(),
        executed: header.executed,
        header,
        frontier: Frontier::default(),
        last_non_empty: 0,
        transactions: 0,
    };
    Ok(store.commit(founding(genesis, &head), Durability::Synced)?)
}

/// The rows with which a store holds a ledger that stands at `head`.
pub(crate) fn founding(genesis: &Genesis, head: &Head) -> WriteBatch {
    let mut batch = WriteBatch::new();
    batch.put(Keyspace::Meta, layout::FORMAT, layout::FORMAT_VERSION.to_le_bytes());
    batch.put(Keyspace::Meta, layout::GENESIS, codec::encode(genesis));
    batch.put(Keyspace::Meta, layout::HEAD, codec::encode(head));
    batch
}

fn read_tip(store: &dyn Store) -> Result<Tip, LedgerError> {
    let snapshot: Arc<dyn Snapshot> = Arc::from(store.snapshot()?);
    let head =
        snapshot.get(Keyspace::Meta, layout::HEAD)?.ok_or(LedgerError::Damaged { what: "head" })?;
    Ok(Tip { head: Arc::new(layout::row(&head, "head")?), snapshot })
}

/// Execution as a pure function of the state below and the block.
fn execute(
    rules: &Rules,
    head: &Head,
    block: &CheckedBlock,
    state: &mut BlockState<'_>,
) -> Vec<Receipt> {
    let header = block.header();
    let height = header.height.get();
    let mut receipts = Vec::with_capacity(block.transactions().len());
    for (index, checked) in (0_u32..).zip(block.transactions()) {
        let submission = checked.submission();
        let ordered = Ordered {
            transaction: &submission.transaction,
            id: checked.id(),
            body: checked.body(),
            payload: &submission.payload,
            position: Position { height, index },
            time: header.time,
            parent_time: head.header.time,
        };
        receipts.push(execute_transaction(rules, &ordered, state));
    }
    receipts
}

/// The block itself, with what became of its transactions.
fn write_block(
    batch: &mut WriteBatch,
    block: &CheckedBlock,
    certificate: &Certificate,
    receipts: &[Receipt],
) {
    let header = block.header();
    let height = header.height.get();
    let sealed = SealedHeader {
        header: header.clone(),
        certificate: certificate.clone(),
        transactions: block.transactions().len() as u32,
    };
    batch.put(Keyspace::Blocks, layout::block(height), codec::encode(&sealed));
    if certificate.is_absent() {
        let key = layout::uncertified(&header.hash());
        batch.put(Keyspace::Index, key, codec::encode(&header.height));
    }
    let chunks = block.transactions().chunks(chunk::CHUNK_LENGTH as usize);
    let receipts_of_chunks = receipts.chunks(chunk::CHUNK_LENGTH as usize);
    for (number, (transactions, receipts)) in (0..).zip(chunks.zip(receipts_of_chunks)) {
        let row = chunk::encode(transactions, receipts);
        batch.put(Keyspace::Blocks, layout::chunk(height, number), row);
    }
    for (index, (checked, receipt)) in (0..).zip(block.transactions().iter().zip(receipts)) {
        let position = Position { height, index };
        put_apart(batch, position, &checked.submission().payload, receipt);
    }
    index_bills(batch, receipts);
}

/// What follows from executing a block: the writes, the roots, and the head after it.
fn write_results(
    batch: &mut WriteBatch,
    header: &Header,
    before: &Head,
    receipts: &[Receipt],
    writes: Writes,
) -> Head {
    let height = header.height.get();
    let writes_hash = writes_hash(&writes);
    for (key, value) in writes {
        let space = layout::space_of_state(&key);
        match value {
            Some(value) => batch.put(space, key, value),
            None => batch.delete(space, key),
        }
    }
    let mut frontier = before.frontier.clone();
    for (level, index, hash) in frontier.append(block_leaf(&receipts_tree(receipts))) {
        let key = layout::accumulator_node(level, index);
        batch.put(Keyspace::Accumulator, key, codec::encode(&hash));
    }
    let executed = Executed {
        height: header.height,
        state_root: next_state_root(&before.executed.state_root, header.height, &writes_hash),
        receipts: frontier.root(),
    };
    batch.put(Keyspace::Accumulator, layout::executed(height), codec::encode(&executed));
    let head = Head {
        hash: header.hash(),
        header: header.clone(),
        executed,
        frontier,
        last_non_empty: if receipts.is_empty() { before.last_non_empty } else { height },
        transactions: before.transactions + receipts.len() as u64,
    };
    batch.put(Keyspace::Meta, layout::HEAD, codec::encode(&head));
    head
}

/// What of a transaction stands outside its chunk because it is large.
fn put_apart(batch: &mut WriteBatch, position: Position, payload: &[u8], receipt: &Receipt) {
    if chunk::payload_is_apart(payload) {
        batch.put(Keyspace::Payloads, layout::at(position), payload);
    }
    if chunk::events_are_apart(&receipt.events) {
        batch.put(Keyspace::Receipts, layout::at(position), codec::encode(&receipt.events));
    }
}

/// The bills that were issued, by usage point.
pub(crate) fn index_bills(batch: &mut WriteBatch, receipts: &[Receipt]) {
    for event in receipts.iter().flat_map(|receipt| receipt.events.iter()) {
        if let Ok(Event::BillIssued(issued)) = codec::decode(event) {
            let number = issued.number;
            let key = layout::bill_of(&issued.usage_point, number);
            batch.put(Keyspace::Index, key, codec::encode(&issued.bill));
        }
    }
}
