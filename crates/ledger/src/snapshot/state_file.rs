//! The rows of a checkpoint in a file of the node, written while its root is computed.
//!
//! The state goes on with the next block, so a snapshot of an agreed checkpoint is made from these
//! files. A file gets its name when it is complete: a kill or a full disk leaves no half one.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use primitives::codec;

use super::checkpoint::Checkpoint;
use super::frames::{FrameReader, FrameWriter, Kind, unpacked};
use super::{MAGIC, SnapshotError, rows};
use crate::error::LedgerError;
use crate::store::{Keyspace, Row};
use crate::view::View;

const UNFINISHED: &str = "unfinished";
const EXTENSION: &str = "state";

/// Where a node keeps the state of a checkpoint.
#[must_use]
pub fn state_file(directory: &Path, height: u64) -> PathBuf {
    directory.join(format!("{height:020}.{EXTENSION}"))
}

/// Computes a checkpoint and keeps its rows; nobody else writes into the directory.
pub struct StateFile<'a> {
    directory: &'a Path,
}

impl<'a> StateFile<'a> {
    /// Files in this directory, which is made when it is needed.
    #[must_use]
    pub const fn new(directory: &'a Path) -> Self {
        Self { directory }
    }

    /// Computes the checkpoint of a view and keeps its rows. `go_on` is asked after each part.
    ///
    /// What cannot be written is given up with a warning and removed: a checkpoint is agreed on without
    /// the files, and a snapshot is made from another node's.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails, or what `go_on` says.
    pub fn compute(
        &self,
        view: &View,
        mut go_on: impl FnMut() -> Result<(), LedgerError>,
    ) -> Result<Checkpoint, LedgerError> {
        let unfinished = self.directory.join(UNFINISHED);
        let mut file = self.begin(&unfinished);
        let computed = Checkpoint::compute(view, |part| {
            if let Ok(writer) = &mut file
                && let Err(error) = writer.put_packed(Kind::State, part)
            {
                file = Err(error);
                // What is left of it would only take room.
                let _ = fs::remove_file(&unfinished);
            }
            go_on()
        });
        let checkpoint = match computed {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                drop(file);
                let _ = fs::remove_file(&unfinished);
                return Err(error);
            }
        };
        let kept = file.and_then(|file| self.finish(file, &unfinished, &checkpoint));
        if let Err(error) = kept {
            let _ = fs::remove_file(&unfinished);
            tracing::warn!(%error, "no snapshot can be made here: the state was not kept");
        }
        Ok(checkpoint)
    }

    fn begin(&self, path: &Path) -> Result<FrameWriter<BufWriter<File>>, SnapshotError> {
        fs::create_dir_all(self.directory)?;
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(MAGIC)?;
        Ok(FrameWriter::new(out))
    }

    fn finish(
        &self,
        mut file: FrameWriter<BufWriter<File>>,
        unfinished: &Path,
        checkpoint: &Checkpoint,
    ) -> Result<(), SnapshotError> {
        file.put(Kind::Manifest, &codec::encode(checkpoint))?;
        let file = file.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(unfinished, state_file(self.directory, checkpoint.height()))?;
        // Makes the rename survive a power loss.
        Ok(File::open(self.directory)?.sync_all()?)
    }

    /// Removes the files of other checkpoints than these.
    pub fn keep_only(&self, heights: &[u64]) {
        let kept: Vec<_> =
            heights.iter().map(|height| state_file(self.directory, *height)).collect();
        let Ok(entries) = fs::read_dir(self.directory) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_state = path.extension().is_some_and(|it| it == EXTENSION);
            if is_state && !kept.contains(&path) {
                // It is tried again with the next checkpoint.
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// A file of a checkpoint's state, opened for reading.
pub struct KeptState {
    frames: FrameReader<BufReader<File>>,
}

impl KeptState {
    /// Opens the file of a height; the checkpoint itself stands at its end.
    pub fn open(directory: &Path, height: u64) -> Result<Self, SnapshotError> {
        let file = match File::open(state_file(directory, height)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SnapshotError::NotReady(
                    "this node has not kept the state of the newest checkpoint: ask for a new one \
                     while it runs (gridtally submit request-checkpoint), or take another node's \
                     snapshot",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        let mut input = BufReader::new(file);
        let mut magic = [0; MAGIC.len()];
        std::io::Read::read_exact(&mut input, &mut magic)?;
        if magic != *MAGIC {
            return Err(SnapshotError::NotASnapshot);
        }
        Ok(Self { frames: FrameReader::new(input) })
    }

    /// The next part as it was written; `None` behind the last one.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        Ok(self.frames.take()?.filter(|(kind, _)| *kind == Kind::State).map(|(_, part)| part))
    }

    /// The rows of the next part; `None` behind the last one.
    pub fn take_rows(&mut self) -> Result<Option<Vec<(Keyspace, Row)>>, SnapshotError> {
        let Some(part) = self.take()? else { return Ok(None) };
        let rows = rows::read(&unpacked(&part)?);
        rows.map(Some).map_err(|_| SnapshotError::Damaged { what: "the kept state" })
    }

    /// The checkpoint at the end of the file, found by reading all of it.
    pub fn checkpoint(mut self) -> Result<Checkpoint, SnapshotError> {
        let damaged = || SnapshotError::Damaged { what: "the kept state" };
        loop {
            let (kind, content) = self.frames.take()?.ok_or_else(damaged)?;
            if kind == Kind::Manifest {
                self.frames.skip_to_end()?;
                return codec::decode(&content).map_err(|_| damaged());
            }
        }
    }
}
