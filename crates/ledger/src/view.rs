//! What is read: history, receipts, state and proofs, all from one height.

use std::sync::Arc;

use contracts::billing::bill_proof::BillProof;
use contracts::{Event, Position, Rules, State};
use primitives::codec::{self, Bounded};
use primitives::envelope::{SignedTransaction, Submission};
use primitives::hash::Hash;
use primitives::header::{Executed, Header};
use primitives::identifier::{BillId, TransactionId, UsagePointId};
use primitives::merkle::accumulator_path;
use primitives::proof::{Anchor, EventPath, EventProof, HeadProof, ReceiptProof};
use primitives::receipt::{Receipt, receipts_tree};
use primitives::units::BlockHeight;

use crate::block::Block;
use crate::block_state::BlockState;
use crate::chunk::{Chunk, Events, StoredOutcome, StoredTransaction};
use crate::error::LedgerError;
use crate::history::{History, OpenChunks};
use crate::layout::{self, Head, PrunedTo, SealedHeader};
use crate::private_store::PrivateStore;
use crate::store::{Keyspace, Row, Scan, Snapshot};
use crate::transaction_index::place_of;

/// The ledger at one height. Cheap to clone; keep it for one request, not for ever.
#[derive(Clone)]
pub struct View {
    rules: Arc<Rules>,
    head: Arc<Head>,
    snapshot: Arc<dyn Snapshot>,
    open: Arc<OpenChunks>,
    private: Option<Arc<dyn PrivateStore>>,
}

impl View {
    pub(crate) fn new(
        rules: Arc<Rules>,
        head: Arc<Head>,
        snapshot: Arc<dyn Snapshot>,
        open: Arc<OpenChunks>,
        private: Option<Arc<dyn PrivateStore>>,
    ) -> Self {
        Self { rules, head, snapshot, open, private }
    }

    /// The moment of the store that it reads.
    pub(crate) const fn snapshot(&self) -> &Arc<dyn Snapshot> {
        &self.snapshot
    }

    pub(crate) fn history(&self) -> History<'_> {
        History { snapshot: &*self.snapshot, open: &self.open }
    }

    /// The genesis and what follows from it.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Where the ledger stands.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The height that everything in this view comes from.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.head.header.height.get()
    }

    /// How far blocks were pruned; `None` when none was.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn pruned(&self) -> Result<Option<PrunedTo>, LedgerError> {
        self.row(Keyspace::Meta, layout::PRUNED, "mark of pruning")
    }

    /// Reads the state with the typed access of `contracts`. On a private ledger the payloads are those
    /// that this node holds.
    ///
    /// # Errors
    /// The first read of the store that failed.
    pub fn read<T>(&self, query: impl FnOnce(&dyn State) -> T) -> Result<T, LedgerError> {
        let state = BlockState::at_rest(self.history()).showing(self.private.as_deref());
        let answer = query(&state);
        state.take_failure()?;
        Ok(answer)
    }

    /// Header and certificate of a height from 1 on; `None` above the head.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn sealed_header(&self, height: u64) -> Result<Option<SealedHeader>, LedgerError> {
        self.row(Keyspace::Blocks, &layout::block(height), "header")
    }

    /// What was executed after a height.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn executed(&self, height: u64) -> Result<Option<Executed>, LedgerError> {
        self.row(Keyspace::Accumulator, &layout::executed(height), "execution result")
    }

    /// Where a transaction stands; `None` when it was never ordered.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn position_of(&self, id: &TransactionId) -> Result<Option<Position>, LedgerError> {
        let found = place_of(&*self.snapshot, layout::piece(self.head.transactions), id)?;
        let Some(position) = found else { return Ok(None) };
        // The index holds the beginning of the id: the transaction itself decides.
        let stored = self.history().record(position)?;
        Ok(stored.filter(|record| record.transaction.id() == *id).map(|_| position))
    }

    /// The transaction at a position.
    ///
    /// # Errors
    /// [`LedgerError::Pruned`] when it was pruned, [`LedgerError`] when the store fails.
    pub fn transaction(
        &self,
        position: Position,
    ) -> Result<Option<SignedTransaction>, LedgerError> {
        let record = self.history().record(position)?;
        record.map(|record| record.transaction.whole(position.height)).transpose()
    }

    /// What is kept of the transaction at a position, pruned or not.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn kept(&self, position: Position) -> Result<Option<StoredTransaction>, LedgerError> {
        Ok(self.history().record(position)?.map(|record| record.transaction))
    }

    /// The payload of the transaction at a position; `None` when it has none or was erased.
    ///
    /// # Errors
    /// [`LedgerError::Pruned`] when the transaction was pruned, [`LedgerError`] when the store fails.
    pub fn payload(&self, position: Position) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(record) = self.history().record(position)? else { return Ok(None) };
        let payload = self.history().payload(position, &record)?;
        Ok(Some(payload).filter(|payload| !payload.is_empty()))
    }

    /// The receipt of the transaction at a position.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn receipt(&self, position: Position) -> Result<Option<Receipt>, LedgerError> {
        let Some(record) = self.history().record(position)? else { return Ok(None) };
        self.history().receipt(position, record).map(Some)
    }

    /// The block at a height with its transactions and the payloads that are left.
    ///
    /// # Errors
    /// [`LedgerError::Pruned`] when transactions of it were pruned, [`LedgerError`] when the store fails.
    pub fn block(&self, height: u64) -> Result<Option<(Block, SealedHeader)>, LedgerError> {
        let Some(sealed) = self.sealed_header(height)? else { return Ok(None) };
        let mut submissions = Vec::with_capacity(sealed.transactions as usize);
        let records = self.history().each(height, sealed.transactions, Chunk::record)?;
        for (index, record) in (0..).zip(records) {
            let payload = self.history().payload(Position { height, index }, &record)?;
            let payload =
                Bounded::try_from(payload).map_err(|_| LedgerError::Damaged { what: "payload" })?;
            let transaction = record.transaction.whole(height)?;
            submissions.push(Submission { transaction, payload });
        }
        let submissions = Bounded::try_from(submissions)
            .map_err(|_| LedgerError::Damaged { what: "number of transactions" })?;
        Ok(Some((Block { header: sealed.header.clone(), submissions }, sealed)))
    }

    /// The height of the header with this hash, if it has no certificate of its own: a later one made
    /// it final.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn uncertified(&self, hash: &Hash) -> Result<Option<u64>, LedgerError> {
        let height = self.row(Keyspace::Index, &layout::uncertified(hash), "height of a hash")?;
        Ok(height.map(|height: BlockHeight| height.get()))
    }

    /// The receipts of a height, in order.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails or there is no such block.
    pub fn receipts(&self, height: u64) -> Result<Vec<Receipt>, LedgerError> {
        let sealed = self.sealed_header(height)?.ok_or(LedgerError::Damaged { what: "header" })?;
        let records = self.history().each(height, sealed.transactions, Chunk::record)?;
        (0..)
            .zip(records)
            .map(|(index, record)| self.history().receipt(Position { height, index }, record))
            .collect()
    }

    /// Code and events of each transaction of a height, in order: receipts without the ids, which
    /// cost most of reading them.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails or there is no such block.
    pub fn outcomes(&self, height: u64) -> Result<Vec<(u16, Events)>, LedgerError> {
        let sealed = self.sealed_header(height)?.ok_or(LedgerError::Damaged { what: "header" })?;
        let outcomes = self.history().each(height, sealed.transactions, Chunk::outcome)?;
        let at = |index, outcome: StoredOutcome| {
            let code = outcome.code;
            Ok((code, self.history().events(Position { height, index }, outcome)?))
        };
        (0..).zip(outcomes).map(|(index, outcome)| at(index, outcome)).collect()
    }

    /// Up to `limit` bills of a usage point with a number above `after`, rising.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn bills_of(
        &self,
        usage_point: UsagePointId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<BillId>, LedgerError> {
        let scan = Scan::prefix(&layout::bills_of(&usage_point))
            .behind(&layout::bill_of(&usage_point, after))
            .limit(limit);
        let rows = self.snapshot.range(Keyspace::Index, &scan)?;
        rows.iter().map(|(_, id)| layout::row(id, "bill index")).collect()
    }

    /// The newest height whose execution the newest header commits to.
    #[must_use]
    pub fn provable_height(&self) -> u64 {
        self.head.header.executed.height.get()
    }

    /// The proof of one event; `None` while no header commits to its block's execution yet.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails or there is no such event.
    pub fn event_proof(
        &self,
        position: Position,
        event: u64,
    ) -> Result<Option<EventProof>, LedgerError> {
        let damaged = |what| LedgerError::Damaged { what };
        let Some(proof) = self.receipt_proof(position)? else { return Ok(None) };
        let receipt = &proof.receipt;
        let index = usize::try_from(event).map_err(|_| damaged("event"))?;
        let bytes = receipt.events.get(index).ok_or_else(|| damaged("event"))?.clone();
        Ok(Some(EventProof {
            path: EventPath {
                event_in_receipt: receipt.event_path(event).map_err(|_| damaged("event"))?,
                receipt_in_block: proof.receipt_in_block,
                block_in_accumulator: proof.block_in_accumulator,
            },
            validators: proof.validators,
            set_changes: proof.set_changes,
            anchor: proof.anchor,
            event: bytes,
        }))
    }

    /// The proof of what became of the transaction at a position; `None` while no header commits to
    /// its block's execution yet.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails or there is no such transaction.
    pub fn receipt_proof(&self, position: Position) -> Result<Option<ReceiptProof>, LedgerError> {
        let Some(anchor) = self.anchor()? else { return Ok(None) };
        if position.height > anchor.header.executed.height.get() {
            return Ok(None);
        }
        let damaged = |what| LedgerError::Damaged { what };
        let mut receipts = self.receipts(position.height)?;
        let receipt_in_block = receipts_tree(&receipts)
            .path(u64::from(position.index))
            .map_err(|_| damaged("receipt"))?;
        let leaf_count = anchor.header.executed.height.get();
        let mut failure = Ok(());
        let block_in_accumulator =
            accumulator_path(position.height - 1, leaf_count, &mut |level, index| {
                let key = layout::accumulator_node(level, index);
                self.row(Keyspace::Accumulator, &key, "accumulator node").unwrap_or_else(|error| {
                    failure = Err(error);
                    None
                })
            });
        failure?;
        Ok(Some(ReceiptProof {
            validators: self.rules.genesis().validators.clone(),
            set_changes: self.set_changes(anchor.header.epoch)?,
            anchor,
            receipt_in_block,
            block_in_accumulator: block_in_accumulator.map_err(|_| damaged("accumulator node"))?,
            // The path exists, so the index does.
            receipt: receipts.swap_remove(position.index as usize),
        }))
    }

    /// The proof of a bill; `None` when there is no such bill, or while no header commits to its
    /// block's execution yet.
    ///
    /// # Errors
    /// [`LedgerError::Unprovable`] when what it was computed from was erased, else
    /// [`LedgerError`] when the store fails.
    pub fn bill_proof(&self, bill: BillId) -> Result<Option<BillProof>, LedgerError> {
        let Ok(state) = self.read(|state| state.bill_state(bill))? else { return Ok(None) };
        let receipt =
            self.receipt(state.position)?.ok_or(LedgerError::Damaged { what: "receipt" })?;
        let event = receipt.events.iter().position(|event| {
            matches!(codec::decode(event), Ok(Event::BillIssued(issued)) if issued.bill == bill)
        });
        let event = event.ok_or(LedgerError::Damaged { what: "receipt of a bill" })?;
        let Some(event) = self.event_proof(state.position, event as u64)? else {
            return Ok(None);
        };
        let rules = self.rules();
        let proof = self.read(|state| BillProof::collect(rules, state, bill, event))?;
        Ok(Some(proof?))
    }

    /// The newest final header with every change of validators since the genesis; `None` before the
    /// first block.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn head_proof(&self) -> Result<Option<HeadProof>, LedgerError> {
        let Some(head) = self.anchor()? else { return Ok(None) };
        Ok(Some(HeadProof { set_changes: self.set_changes(head.header.epoch)?, head }))
    }

    /// The newest header that has a certificate of its own; a header without one was made final by a
    /// later one.
    fn anchor(&self) -> Result<Option<Anchor>, LedgerError> {
        for height in (1..=self.height()).rev() {
            let SealedHeader { header, certificate, .. } = self
                .sealed_header(height)?
                .ok_or(LedgerError::Damaged { what: "newest header" })?;
            if !certificate.is_absent() {
                return Ok(Some(Anchor { header, certificate }));
            }
        }
        Ok(None)
    }

    /// The newest height whose execution a header with a certificate commits to.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn proven_height(&self) -> Result<u64, LedgerError> {
        Ok(self.anchor()?.map_or(0, |anchor| anchor.header.executed.height.get()))
    }

    /// Header of a height, the genesis header included.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn header(&self, height: u64) -> Result<Option<Header>, LedgerError> {
        if height == 0 {
            return Ok(Some(self.rules.genesis().header()));
        }
        Ok(self.sealed_header(height)?.map(|sealed| sealed.header))
    }

    pub(crate) fn rows(&self, space: Keyspace, scan: &Scan) -> Result<Vec<Row>, LedgerError> {
        Ok(self.snapshot.range(space, scan)?)
    }

    fn row<T: borsh::BorshDeserialize>(
        &self,
        space: Keyspace,
        key: &[u8],
        what: &'static str,
    ) -> Result<Option<T>, LedgerError> {
        match self.snapshot.get(space, key)? {
            Some(bytes) => layout::row(&bytes, what).map(Some),
            None => Ok(None),
        }
    }
}
