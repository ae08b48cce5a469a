//! What waits to be sent: one file for each signed transaction, in the order of their sequences.
//!
//! A file is durable before anything is sent and goes when the node's answer was checked. So a
//! transaction is sent again as the same bytes after a crash, a lost answer or a node that was away,
//! and the ledger answers the same transaction with the same receipt.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use primitives::codec::{decode, encode};
use primitives::envelope::Submission;
use primitives::units::Timestamp;

use super::memory::{sync, write_private};
use crate::exit::{EndWith, Ended, Exit};

/// The queue on disk.
pub struct Outbox {
    folder: PathBuf,
    refused: PathBuf,
    /// By sequence: from when on it can be sent.
    waiting: BTreeMap<u64, Timestamp>,
    bound: usize,
}

impl Outbox {
    /// Opens the queue of a meter.
    ///
    /// # Errors
    /// When its folder cannot be made or read.
    pub fn open(state: &Path, bound: usize) -> Result<Self, Ended> {
        let (folder, refused) = (state.join("outbox"), state.join("refused"));
        for path in [&folder, &refused] {
            std::fs::create_dir_all(path)
                .with_context(|| format!("{} cannot be made", path.display()))?;
        }
        let mut waiting = BTreeMap::new();
        for entry in std::fs::read_dir(&folder)? {
            let name = entry?.file_name();
            // Whatever else lies there, such as a file that a crash left half-written, is not ours.
            if let Some((sequence, due)) = name.to_str().and_then(numbers) {
                waiting.insert(sequence, due);
            }
        }
        Ok(Self { folder, refused, waiting, bound })
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether another one finds no room.
    pub fn is_full(&self) -> bool {
        self.len() >= self.bound
    }

    /// The highest sequence that waits.
    pub fn highest(&self) -> Option<u64> {
        self.waiting.keys().next_back().copied()
    }

    /// Puts a transaction down, durably.
    ///
    /// # Errors
    /// When the disk takes it not.
    pub fn put(&mut self, submission: &Submission, due: Timestamp) -> Result<(), Ended> {
        let sequence = submission.transaction.envelope.sequence.get();
        write_private(&self.path(sequence, due), &encode(submission))?;
        self.waiting.insert(sequence, due);
        Ok(())
    }

    /// Up to `count` that can be sent at `now`, in order.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn due(&self, now: Timestamp, count: usize) -> Result<Vec<Submission>, Ended> {
        let due = self.waiting.iter().filter(|(_, due)| **due <= now).take(count);
        due.map(|(sequence, due)| self.read(*sequence, *due)).collect()
    }

    /// Those from a sequence on, in order.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn from(&self, sequence: u64) -> Result<Vec<Submission>, Ended> {
        self.waiting.range(sequence..).map(|(sequence, due)| self.read(*sequence, *due)).collect()
    }

    fn read(&self, sequence: u64, due: Timestamp) -> Result<Submission, Ended> {
        let path = self.path(sequence, due);
        let bytes = std::fs::read(&path)?;
        decode(&bytes)
            .map_err(|error| anyhow!("{} is damaged: {error}", path.display()))
            .end_with(Exit::Damaged)
    }

    /// Takes one out that was recorded.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn done(&mut self, sequence: u64) -> Result<(), Ended> {
        if let Some(due) = self.waiting.remove(&sequence) {
            std::fs::remove_file(self.path(sequence, due))?;
        }
        Ok(())
    }

    /// Keeps one that was refused, with the reason, out of the way.
    ///
    /// # Errors
    /// When the disk takes it not.
    pub fn refuse(&mut self, sequence: u64, reason: &str) -> Result<(), Ended> {
        if let Some(due) = self.waiting.get(&sequence).copied() {
            let from = self.path(sequence, due);
            let name = from.file_name().unwrap_or_default().to_owned();
            let to = self.refused.join(name);
            write_private(&to.with_extension("txt"), format!("{reason}\n").as_bytes())?;
            std::fs::rename(from, to)?;
            sync(&self.refused)?;
            self.waiting.remove(&sequence);
        }
        Ok(())
    }

    fn path(&self, sequence: u64, due: Timestamp) -> PathBuf {
        self.folder.join(format!("{sequence:020}-{}.bin", due.get()))
    }
}

fn numbers(name: &str) -> Option<(u64, Timestamp)> {
    let (sequence, due) = name.strip_suffix(".bin")?.split_once('-')?;
    Some((sequence.parse().ok()?, Timestamp::new(due.parse().ok()?)))
}
