//! Going over the blocks of a range: chunks are written again without what nobody needs.

use std::ops::Bound;

use contracts::Position;
use primitives::codec;

use super::Pruned;
use super::needed::Needed;
use crate::chain::Ledger;
use crate::chunk::{CHUNK_LENGTH, Chunk};
use crate::error::LedgerError;
use crate::layout::{self, PrunedTo};
use crate::snapshot::rows::height_of;
use crate::store::{Keyspace, Scan, WriteBatch};
use crate::view::View;

/// Rows of blocks that are read at a time: a chunk may be large.
const PAGE: usize = 32;
/// Bytes of chunks, and blocks, after which a step is committed.
const STEP_BYTES: u64 = 4 << 20;
const STEP_BLOCKS: u64 = 4_096;

/// Prunes the blocks for which `needed` says what stays; `mark` makes the row that says how far it came.
pub fn blocks(
    ledger: &Ledger,
    needed: &Needed,
    mark: &dyn Fn(u64) -> PrunedTo,
    progress: &mut dyn FnMut(u64) -> Result<(), LedgerError>,
) -> Result<Pruned, LedgerError> {
    let (mut first, last) = (*needed.heights().start(), needed.last());
    let mut pruned = Pruned::default();
    while first <= last {
        // The view of this step alone: an older one would hold back what was pruned since.
        let view = ledger.view();
        let mut step =
            Step { view: &view, needed, batch: WriteBatch::new(), pruned: Pruned::default() };
        let done = step.take(first, last)?;
        let Step { mut batch, pruned: of_step, .. } = step;
        batch.put(Keyspace::Meta, layout::PRUNED, codec::encode(&mark(done)));
        ledger.commit_beside(batch)?;
        pruned += of_step;
        first = done + 1;
        progress(done)?;
    }
    Ok(pruned)
}

/// What is committed at a time.
struct Step<'a> {
    view: &'a View,
    needed: &'a Needed,
    batch: WriteBatch,
    pruned: Pruned,
}

impl Step<'_> {
    /// Takes whole blocks from `first` on until it is enough; gives the last one.
    fn take(&mut self, first: u64, last: u64) -> Result<u64, LedgerError> {
        let end = layout::block(last + 1);
        let mut from = layout::block(first);
        let mut bound = Bound::Included(&from[..]);
        loop {
            let scan = Scan::between(bound, Bound::Excluded(&end)).limit(PAGE);
            let page = self.view.rows(Keyspace::Blocks, &scan)?;
            let is_last = page.len() < PAGE;
            for (key, row) in &page {
                let height =
                    height_of(key).ok_or(LedgerError::Damaged { what: "key of a block" })?;
                let Some(number) = key.get(8..12).and_then(|number| number.try_into().ok()) else {
                    // A header: the block before is complete.
                    if self.is_enough() {
                        return Ok(height - 1);
                    }
                    self.pruned.blocks += 1;
                    continue;
                };
                self.chunk(height, u32::from_be_bytes(number), row)?;
            }
            match page.last() {
                Some((key, _)) if !is_last => from.clone_from(key),
                _ => return Ok(last),
            }
            bound = Bound::Excluded(&from[..]);
        }
    }

    const fn is_enough(&self) -> bool {
        self.pruned.bytes_before >= STEP_BYTES || self.pruned.blocks >= STEP_BLOCKS
    }

    fn chunk(&mut self, height: u64, number: u32, row: &[u8]) -> Result<(), LedgerError> {
        let at = |place: u32| Position { height, index: number * CHUNK_LENGTH + place };
        let needed = self.needed;
        let Some(without) = Chunk::open(row)?.pruned(|place| needed.holds(at(place)))? else {
            return Ok(());
        };
        self.pruned.transactions += without.places.len() as u64;
        self.pruned.bytes_before += row.len() as u64;
        self.pruned.bytes_after += without.row.len() as u64;
        for (place, payload_is_apart) in without.places {
            let key = layout::at(at(place));
            if payload_is_apart {
                let payload = self.view.snapshot().get(Keyspace::Payloads, &key)?;
                self.pruned.bytes_before += payload.map_or(0, |payload| payload.len() as u64);
                self.batch.delete(Keyspace::Payloads, key);
            }
        }
        self.batch.put(Keyspace::Blocks, layout::chunk(height, number), without.row);
        Ok(())
    }
}
