//! What a meter has to remember, on disk before anything of it leaves the machine.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use primitives::calendar::LocalDay;
use primitives::reading::{Quality, Reading};
use primitives::units::WattHours;
use serde::{Deserialize, Serialize};

use crate::exit::{EndWith, Ended, Exit};

/// What the file says that it is.
const FORMAT: &str = "gridtally-meter/1";

/// The last registers that a pipe told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The slot up to whose beginning everything is reported.
    pub period: u32,
    /// The registers at its beginning, in Wh.
    pub start: [u64; 2],
    /// The newest registers, in Wh.
    pub latest: [u64; 2],
}

/// The memory of a meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    format: String,
    /// The ledger that it reports to.
    pub ledger_id: String,
    /// The usage point that it measures.
    pub usage_point: String,
    /// The secret of which the seeds of its days are made, hexadecimal.
    pub secret: String,
    /// The sequence of its next transaction.
    pub next_sequence: u64,
    /// The number of its last seal.
    pub seal_sequence: u32,
    /// The registers at the beginning of the open day, in Wh: import, export.
    pub registers: [u64; 2],
    /// Where the registers start again, in Wh; 0 = never.
    #[serde(default)]
    pub register_limit_wh: u64,
    /// The newest slot that was taken.
    pub last_period: Option<u32>,
    /// The open day, as text.
    pub day: Option<String>,
    /// Its slots: import and export in Wh, and the letter of the quality.
    pub slots: BTreeMap<u16, (u64, u64, char)>,
    /// What a pipe told.
    pub seen: Option<Seen>,
}

impl Memory {
    /// A meter that has reported nothing.
    pub fn new(ledger_id: String, usage_point: String, secret: String) -> Self {
        Self {
            format: FORMAT.to_owned(),
            ledger_id,
            usage_point,
            secret,
            next_sequence: 1,
            seal_sequence: 0,
            registers: [0, 0],
            register_limit_wh: 0,
            last_period: None,
            day: None,
            slots: BTreeMap::new(),
            seen: None,
        }
    }

    /// Reads the memory; `None` before the first use.
    ///
    /// # Errors
    /// The file is damaged, or of another version.
    pub fn read(folder: &Path) -> Result<Option<Self>, Ended> {
        let file = path(folder);
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let memory: Self = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is damaged", file.display()))
            .end_with(Exit::Damaged)?;
        if memory.format != FORMAT {
            let error = anyhow!("{} is of format {:?}", file.display(), memory.format);
            return Err(error).end_with(Exit::Damaged);
        }
        Ok(Some(memory))
    }

    /// Writes the memory, whole and durable.
    ///
    /// # Errors
    /// When the disk takes it not.
    pub fn write(&self, folder: &Path) -> Result<(), Ended> {
        let text = serde_json::to_vec_pretty(self).map_err(anyhow::Error::from)?;
        write_private(&path(folder), &text)
    }

    /// The open day.
    pub fn open_day(&self) -> Option<LocalDay> {
        self.day.as_ref().and_then(|day| day.parse().ok())
    }

    /// The reading of a slot of the open day.
    pub fn reading(&self, slot: u16) -> Option<Reading> {
        let (import, export, letter) = *self.slots.get(&slot)?;
        Some(Reading {
            import_wh: WattHours::new(import),
            export_wh: WattHours::new(export),
            quality: u8::try_from(letter).ok().and_then(Quality::from_letter)?,
        })
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("meter.json")
}

/// Writes a file that its owner alone can read, whole and durable, in the place of a former one.
///
/// # Errors
/// When the disk takes it not.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Ended> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        // A temporary file is made readable by its owner alone.
        let mut scratch = tempfile::NamedTempFile::new_in(folder)?;
        scratch.write_all(bytes)?;
        scratch.as_file().sync_all()?;
        scratch.persist(path).map_err(|error| error.error)?;
        sync(folder)
    };
    Ok(write().with_context(|| format!("{} cannot be written", path.display()))?)
}

/// Makes the names in a folder durable; only Unix can and needs to.
pub fn sync(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_damage_is_told() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Memory::read(dir.path()).unwrap(), None);
        let mut memory = Memory::new("grid".to_owned(), "ab".to_owned(), "00".to_owned());
        memory.slots.insert(3, (250, 0, 'A'));
        memory.day = Some("2016-06-02".to_owned());
        memory.write(dir.path()).unwrap();
        assert_eq!(Memory::read(dir.path()).unwrap(), Some(memory.clone()));
        assert_eq!(memory.reading(3).unwrap().import_wh.get(), 250);
        std::fs::write(path(dir.path()), "{").unwrap();
        assert_eq!(Memory::read(dir.path()).unwrap_err().exit, Exit::Damaged);
    }
}
