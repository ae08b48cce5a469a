//! Making a snapshot from a node's store and the state that it kept of the newest checkpoint.

use std::io::Write;
use std::path::Path;

use contracts::Event;
use primitives::codec;

use super::frames::{FrameWriter, Kind};
use super::state_file::KeptState;
use super::{MAGIC, Manifest, SNAPSHOT_VERSION, SnapshotError, rows};
use crate::error::LedgerError;
use crate::view::View;

/// Bytes of blocks that are gathered in one frame, apart from the last block's.
const FRAME_BYTES: usize = 1 << 20;

/// Writes the snapshot of the newest agreed checkpoint of a view; `kept` is the directory in which the
/// node keeps the states of checkpoints. `progress` is told heights.
///
/// # Errors
/// [`SnapshotError::NotReady`] when no checkpoint was agreed on, none can be proven yet or its state was
/// not kept; else [`SnapshotError`] when something cannot be read or written.
pub fn create(
    view: &View,
    kept: &Path,
    mut out: impl Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Manifest, SnapshotError> {
    let manifest = manifest(view, kept)?;
    // Opened before the first byte is written: the node may let go of it for the next checkpoint.
    let mut state = KeptState::open(kept, manifest.checkpoint.height())?;
    out.write_all(MAGIC)?;
    let mut frames = FrameWriter::new(out);
    frames.put(Kind::Manifest, &codec::encode(&manifest))?;
    while let Some(part) = state.take()? {
        frames.put(Kind::State, &part)?;
    }
    let mut gathered = Vec::new();
    let last = manifest.proof.anchor.header.height.get();
    for height in 1..=last {
        for (space, row) in rows::of_block(&**view.snapshot(), height)? {
            rows::write(&mut gathered, space, &row);
        }
        if gathered.len() >= FRAME_BYTES || height == last {
            frames.put_packed(Kind::Blocks, &gathered)?;
            gathered.clear();
            progress(height);
        }
    }
    frames.finish()?.flush()?;
    Ok(manifest)
}

fn manifest(view: &View, kept: &Path) -> Result<Manifest, SnapshotError> {
    let agreed = view.read(|state| state.agreed_checkpoint())?.ok_or(SnapshotError::NotReady(
        "the validators have not agreed on a checkpoint yet: ask them for one with gridtally submit \
         request-checkpoint",
    ))?;
    let receipt = view
        .receipt(agreed.position)?
        .ok_or(LedgerError::Damaged { what: "receipt of a checkpoint" })?;
    let says_so = |event: &_| matches!(codec::decode(event), Ok(Event::CheckpointAgreed { .. }));
    let event = receipt
        .events
        .iter()
        .position(|event| says_so(event))
        .ok_or(LedgerError::Damaged { what: "receipt of a checkpoint" })?;
    let proof = view.event_proof(agreed.position, event as u64)?.ok_or(SnapshotError::NotReady(
        "no final header commits to the checkpoint yet: try again after the next block",
    ))?;
    let checkpoint = KeptState::open(kept, agreed.height.get())?.checkpoint()?;
    if checkpoint.root() != agreed.root {
        return Err(LedgerError::Diverged { height: agreed.height }.into());
    }
    // What the state of the checkpoint names may be gone, and whoever restores executes from there.
    if view.pruned()?.is_some_and(|pruned| pruned.state > agreed.height) {
        return Err(SnapshotError::NotReady(
            "blocks were pruned by a later state than that of the newest checkpoint: ask for a new one \
             (gridtally submit request-checkpoint), or take another node's snapshot",
        ));
    }
    let genesis = view.rules().genesis().clone();
    Ok(Manifest { version: SNAPSHOT_VERSION, genesis, checkpoint, proof })
}
