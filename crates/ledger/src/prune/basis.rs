//! The state that says what is needed: that of the agreed checkpoint from which this node makes its
//! snapshots, or the newest one.

use std::path::Path;

use contracts::Position;
use contracts::reach::{NAMING_ROWS, named_by};

use crate::error::LedgerError;
use crate::layout::space_of_state;
use crate::snapshot::KeptState;
use crate::snapshot::rows;
use crate::store::Scan;
use crate::view::View;

/// A state whose rows can be read as often as needed.
pub struct Basis<'a> {
    view: &'a View,
    /// The checkpoint whose kept state it is, and where that lies.
    checkpoint: Option<(&'a Path, u64)>,
}

impl<'a> Basis<'a> {
    /// The newest state.
    pub const fn newest(view: &'a View) -> Self {
        Self { view, checkpoint: None }
    }

    /// The state of the agreed checkpoint, when it is kept here and no later state was used before; else
    /// the newest.
    ///
    /// A kept state that cannot be read makes no snapshot either, so it holds nothing back.
    pub fn choose(view: &'a View, states: Option<&'a Path>) -> Result<Self, LedgerError> {
        let agreed = view.read(|state| state.agreed_checkpoint())?;
        let (Some(agreed), Some(directory)) = (agreed, states) else {
            return Ok(Self::newest(view));
        };
        let height = agreed.height.get();
        let is_later = view.pruned()?.is_some_and(|before| before.state > agreed.height);
        let kept = KeptState::open(directory, height).and_then(KeptState::checkpoint);
        let is_kept = kept.is_ok_and(|checkpoint| checkpoint.root() == agreed.root);
        let checkpoint = (is_kept && !is_later).then_some((directory, height));
        Ok(Self { view, checkpoint })
    }

    /// The height after which it is the state.
    pub fn height(&self) -> u64 {
        self.checkpoint.map_or_else(|| self.view.height(), |(_, height)| height)
    }

    /// Gives every transaction that a row names.
    pub fn each_named(&self, mut take: impl FnMut(Position)) -> Result<(), LedgerError> {
        let mut row = |key: &[u8], value: &[u8]| {
            let named = named_by(key, value)
                .map_err(|_| LedgerError::Damaged { what: "row of the state" })?;
            named.into_iter().for_each(&mut take);
            Ok::<_, LedgerError>(())
        };
        let Some((directory, height)) = self.checkpoint else {
            for prefix in NAMING_ROWS.map(|first| vec![first]) {
                let (space, scan) = (space_of_state(&prefix), Scan::prefix(&prefix));
                rows::each(&**self.view.snapshot(), space, &scan, |(key, value)| {
                    row(&key, &value)
                })?;
            }
            return Ok(());
        };
        // It was read to its end when it was chosen.
        let damaged = |_| LedgerError::Damaged { what: "kept state of the checkpoint" };
        let mut state = KeptState::open(directory, height).map_err(damaged)?;
        while let Some(rows) = state.take_rows().map_err(damaged)? {
            for (space, (key, value)) in rows {
                if space == space_of_state(&key) {
                    row(&key, &value)?;
                }
            }
        }
        Ok(())
    }
}
