//! Making a store from a snapshot.

use std::io::Read;
use std::sync::Arc;

use primitives::codec;
use primitives::identifier::LedgerId;
use primitives::merkle::Frontier;
use primitives::receipt::{block_leaf, receipts_tree};
use primitives::units::BlockHeight;

use super::read::{HistoryBlock, Receive, Verified, walk};
use super::{Manifest, SnapshotError};
use crate::block::CheckedBlock;
use crate::chain::{self, Ledger};
use crate::check::Verifier;
use crate::layout::{self, PrunedTo};
use crate::prune::first_missing;
use crate::store::{Durability, Keyspace, Row, Store, WriteBatch};
use crate::transaction_index::put_places;

/// Puts a snapshot into an empty store, checking all of it, and executes the blocks above its
/// checkpoint. What stands in the store when this fails is to be thrown away.
///
/// # Errors
/// [`SnapshotError`], naming the first thing that is wrong.
pub fn restore(
    input: impl Read,
    trusted: Option<LedgerId>,
    verifier: &dyn Verifier,
    store: Arc<dyn Store>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verified, SnapshotError> {
    let mut target = Target {
        store,
        manifest: None,
        accumulator: Frontier::default(),
        transactions: 0,
        pruned: None,
        ledger: None,
    };
    let verified = walk(input, trusted, verifier, &mut target, progress)?;
    let pruned = target.pruned;
    let ledger = target.opened()?;
    let view = ledger.view();
    let found = ledger.head().header.height;
    if found != verified.anchor_height {
        return Err(SnapshotError::Wrong(format!("it ends at block {found}")));
    }
    let mut batch = WriteBatch::new();
    batch.put(Keyspace::Meta, layout::RESTORED, codec::encode(&verified.anchor_height));
    if let Some(through) = pruned {
        // A rule that cannot read what it needs would stop the node one day.
        if let Some(height) = first_missing(&view, through.get())? {
            let reason = "a transaction was pruned that rules may still read";
            return Err(SnapshotError::Wrong(format!("block {height}: {reason}")));
        }
        let mark = PrunedTo { through, state: verified.height };
        batch.put(Keyspace::Meta, layout::PRUNED, codec::encode(&mark));
    }
    target.store.commit(batch, Durability::Synced)?;
    Ok(verified)
}

struct Target {
    store: Arc<dyn Store>,
    manifest: Option<Manifest>,
    accumulator: Frontier,
    /// Transactions so far.
    transactions: u64,
    /// The last block of which transactions were pruned.
    pruned: Option<BlockHeight>,
    /// Once the state is complete and all blocks up to the checkpoint are there.
    ledger: Option<Ledger>,
}

impl Target {
    fn manifest(&self) -> &Manifest {
        self.manifest.as_ref().expect("it is the first thing that is given")
    }

    /// The ledger, which stands at the checkpoint when it is opened.
    fn opened(&mut self) -> Result<&Ledger, SnapshotError> {
        if self.ledger.is_none() {
            let Manifest { genesis, checkpoint, .. } = self.manifest();
            let mut batch = chain::founding(genesis, &checkpoint.head);
            let head = codec::encode(&checkpoint.head);
            batch.put(Keyspace::Meta, layout::HEAD, head);
            let genesis = genesis.clone();
            self.store.commit(batch, Durability::Buffered)?;
            self.ledger = Some(Ledger::open(Arc::clone(&self.store), Some(genesis))?);
        }
        Ok(self.ledger.as_ref().expect("opened above"))
    }

    /// A block that was executed by those who agreed on the checkpoint: kept for proofs and rules.
    fn keep(&mut self, block: HistoryBlock<'_>) -> Result<(), SnapshotError> {
        let header = &block.sealed.header;
        let height = header.height.get();
        let mut batch = WriteBatch::new();
        for (space, (key, value)) in block.rows {
            batch.put(space, key, value);
        }
        let snapshot = self.store.snapshot()?;
        put_places(&mut batch, height, &block.receipts, &*snapshot, self.transactions)?;
        self.transactions += block.receipts.len() as u64;
        if block.transactions.len() < block.receipts.len() {
            self.pruned = Some(header.height);
        }
        chain::index_bills(&mut batch, &block.receipts);
        for (level, index, hash) in
            self.accumulator.append(block_leaf(&receipts_tree(&block.receipts)))
        {
            let key = layout::accumulator_node(level, index);
            batch.put(Keyspace::Accumulator, key, codec::encode(&hash));
        }
        let executed = &header.executed;
        if executed.height.get() > 0 {
            let key = layout::executed(executed.height.get());
            batch.put(Keyspace::Accumulator, key, codec::encode(executed));
        }
        Ok(self.store.commit(batch, Durability::Buffered)?)
    }
}

impl Receive for Target {
    fn begin(&mut self, manifest: &Manifest) -> Result<(), SnapshotError> {
        self.manifest = Some(manifest.clone());
        Ok(())
    }

    fn state(&mut self, rows: Vec<(Keyspace, Row)>) -> Result<(), SnapshotError> {
        let mut batch = WriteBatch::new();
        for (space, (key, value)) in rows {
            batch.put(space, key, value);
        }
        Ok(self.store.commit(batch, Durability::Buffered)?)
    }

    fn block(&mut self, block: HistoryBlock<'_>) -> Result<(), SnapshotError> {
        if block.sealed.header.height.get() <= self.manifest().checkpoint.height() {
            return self.keep(block);
        }
        let checked = CheckedBlock::of_checked(block.sealed.header.clone(), block.transactions)?;
        let ledger = self.opened()?;
        let receipts =
            ledger.append_with(&checked, &block.sealed.certificate, Durability::Buffered)?;
        if receipts != block.receipts {
            let reason = format!("block {}: its receipts are others", checked.header().height);
            return Err(SnapshotError::Wrong(reason));
        }
        Ok(())
    }
}
