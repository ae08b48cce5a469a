//! What was ordered, read back: transactions, payloads and receipts of one snapshot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use contracts::Position;
use primitives::codec::Bounded;
use primitives::envelope::Submission;
use primitives::receipt::Receipt;
use primitives::units::BlockHeight;

use crate::chunk::{CHUNK_LENGTH, Chunk, Events, Record, StoredOutcome, StoredTransaction};
use crate::error::LedgerError;
use crate::layout;
use crate::store::{Keyspace, Snapshot};

/// Bytes of opened chunks kept in memory: those of a day of a thousand usage points' readings.
const OPEN_BYTES: usize = 8 << 20;

/// Chunks opened lately; what was ordered never changes, so they hold for every snapshot. Of a pruned
/// block, a chunk from before and one from after differ in what nobody needs.
///
/// A seal reads the 96 single readings of its day, which lie in 96 chunks; those of the next usage
/// point lie beside them.
#[derive(Default)]
pub struct OpenChunks(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The oldest first.
    chunks: VecDeque<((u64, u32), Arc<Chunk>)>,
    bytes: usize,
}

impl OpenChunks {
    fn get(&self, key: (u64, u32)) -> Option<Arc<Chunk>> {
        let kept = self.0.lock().expect(UNPOISONED);
        kept.chunks.iter().rev().find(|(of, _)| *of == key).map(|(_, chunk)| Arc::clone(chunk))
    }

    fn keep(&self, key: (u64, u32), chunk: &Arc<Chunk>) {
        let mut kept = self.0.lock().expect(UNPOISONED);
        kept.bytes += chunk.bytes();
        kept.chunks.push_back((key, Arc::clone(chunk)));
        while kept.bytes > OPEN_BYTES
            && let Some((_, oldest)) = kept.chunks.pop_front()
        {
            kept.bytes -= oldest.bytes();
        }
    }

    /// Lets go of all of them, after some were pruned.
    pub fn close(&self) {
        *self.0.lock().expect(UNPOISONED) = Kept::default();
    }
}

const UNPOISONED: &str = "nothing panics while it holds the chunks";

/// The history of one snapshot.
#[derive(Clone, Copy)]
pub struct History<'a> {
    pub snapshot: &'a dyn Snapshot,
    pub open: &'a OpenChunks,
}

impl History<'_> {
    /// The chunk that holds a position; `None` when nothing was ordered there.
    fn chunk(&self, height: u64, number: u32) -> Result<Option<Arc<Chunk>>, LedgerError> {
        if let Some(chunk) = self.open.get((height, number)) {
            return Ok(Some(chunk));
        }
        let row = self.snapshot.get(Keyspace::Blocks, &layout::chunk(height, number))?;
        let Some(row) = row else { return Ok(None) };
        let chunk = Arc::new(Chunk::open(&row)?);
        self.open.keep((height, number), &chunk);
        Ok(Some(chunk))
    }

    /// What stands at a position.
    pub fn record(&self, position: Position) -> Result<Option<Record>, LedgerError> {
        let Position { height, index } = position;
        match self.chunk(height, index / CHUNK_LENGTH)? {
            Some(chunk) => chunk.record(index % CHUNK_LENGTH),
            None => Ok(None),
        }
    }

    /// What `read` finds at each place of a block with this many transactions, in order.
    pub fn each<T>(
        &self,
        height: u64,
        transactions: u32,
        read: impl Fn(&Chunk, u32) -> Result<Option<T>, LedgerError>,
    ) -> Result<Vec<T>, LedgerError> {
        let damaged = || LedgerError::Damaged { what: "number of transactions" };
        let mut found = Vec::with_capacity(transactions as usize);
        for number in 0..transactions.div_ceil(CHUNK_LENGTH) {
            let row = self.snapshot.get(Keyspace::Blocks, &layout::chunk(height, number))?;
            let chunk = Chunk::open(&row.ok_or_else(damaged)?)?;
            for place in 0..chunk.len() {
                found.push(read(&chunk, place)?.ok_or_else(damaged)?);
            }
        }
        if found.len() == transactions as usize { Ok(found) } else { Err(damaged()) }
    }

    /// The payload of a record that was read at this position; empty when it has none or was erased.
    ///
    /// One that was pruned is not taken for erased, which is an answer of the rules: no rule reads it
    /// on a node that keeps it, so one that does here must not go on.
    pub fn payload(&self, position: Position, record: &Record) -> Result<Vec<u8>, LedgerError> {
        if record.transaction.is_pruned() {
            return Err(LedgerError::Pruned { height: BlockHeight::new(position.height) });
        }
        match &record.payload {
            Some(payload) => Ok(payload.to_vec()),
            None => {
                let row = self.snapshot.get(Keyspace::Payloads, &layout::at(position))?;
                Ok(row.unwrap_or_default())
            }
        }
    }

    /// A block with this many transactions: those that were not pruned, and what became of each.
    pub fn block(
        &self,
        height: u64,
        transactions: u32,
    ) -> Result<(Vec<Submission>, Vec<Receipt>), LedgerError> {
        let mut submissions = Vec::with_capacity(transactions as usize);
        let mut receipts = Vec::with_capacity(transactions as usize);
        for (index, record) in (0..).zip(self.each(height, transactions, Chunk::record)?) {
            let position = Position { height, index };
            if let StoredTransaction::Whole(transaction) = &record.transaction {
                let payload = Bounded::try_from(self.payload(position, &record)?)
                    .map_err(|_| LedgerError::Damaged { what: "payload" })?;
                submissions.push(Submission { transaction: transaction.clone(), payload });
            }
            receipts.push(self.receipt(position, record)?);
        }
        Ok((submissions, receipts))
    }

    /// The events of what became of the transaction at this position.
    pub fn events(
        &self,
        position: Position,
        outcome: StoredOutcome,
    ) -> Result<Events, LedgerError> {
        if let Some(events) = outcome.events {
            return Ok(events);
        }
        let row = self.snapshot.get(Keyspace::Receipts, &layout::at(position))?;
        layout::row(&row.ok_or(LedgerError::Damaged { what: "receipt" })?, "receipt")
    }

    /// The receipt of a record that was read at this position.
    pub fn receipt(&self, position: Position, record: Record) -> Result<Receipt, LedgerError> {
        let (transaction, code) = (record.transaction.id(), record.outcome.code);
        Ok(Receipt { transaction, code, events: self.events(position, record.outcome)? })
    }
}
