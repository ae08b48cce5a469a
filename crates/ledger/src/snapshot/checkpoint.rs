//! What validators agree on: one root over everything that execution goes on from.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec;
use primitives::hash::Hash;
use primitives::merkle::{Frontier, leaf_hash};

use super::rows;
use crate::error::LedgerError;
use crate::layout::Head;
use crate::view::View;

/// Bytes of rows after which a part ends. The parts are the leaves of the root's tree: their bounds
/// follow from the rows alone.
const PART_BYTES: usize = 256 << 10;

/// The ledger after one block: its head, and a root over all rows that the next block is executed on.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Checkpoint {
    /// Where the ledger stands.
    pub head: Head,
    /// How many rows there are.
    pub rows: u64,
    /// The tree over the parts in which the rows come.
    pub parts: Frontier,
}

impl Checkpoint {
    /// Walks over every row after the newest block of a view; `take` is given each part. Memory is that
    /// of one part, however large the state is.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails, or what `take` says.
    pub fn compute(
        view: &View,
        mut take: impl FnMut(&[u8]) -> Result<(), LedgerError>,
    ) -> Result<Self, LedgerError> {
        let mut parts = Parts::default();
        for (space, scan) in rows::of_state(view) {
            rows::each(&**view.snapshot(), space, &scan, |row| {
                rows::write(&mut parts.open, space, &row);
                parts.rows += 1;
                if parts.open.len() >= PART_BYTES { parts.close(&mut take) } else { Ok(()) }
            })?;
        }
        if !parts.open.is_empty() {
            parts.close(&mut take)?;
        }
        Ok(Self { head: view.head().clone(), rows: parts.rows, parts: parts.tree })
    }

    /// What validators attest.
    #[must_use]
    pub fn root(&self) -> Hash {
        Hash::of_domain("gridtally/checkpoint/v1", &[&codec::encode(self)])
    }

    /// The height of the block after which this is the state.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.head.header.height.get()
    }
}

#[derive(Default)]
struct Parts {
    open: Vec<u8>,
    rows: u64,
    tree: Frontier,
}

impl Parts {
    fn close(
        &mut self,
        take: &mut impl FnMut(&[u8]) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        take(&self.open)?;
        self.tree.append(leaf_hash(&self.open));
        self.open.clear();
        Ok(())
    }
}
