//! Looks through the engine's journals before the engine replays them.
//!
//! A journal is a row of records, each one commit: `1, row count u32, sequence u64`, the rows, `3,
//! xxh3 of the rows u64, "FJL\3"`; all little endian. A row is `2, kind u8, compression u8, keyspace
//! u64, key length u16, length u32, stored length u32, key, stored value`. The newest file is made
//! long and full of zeros, so a record may end anywhere in it.
//!
//! Left alone, the engine (3.1) gives two answers at the opening that we do not want. A record whose
//! pages did not all reach the disk before the power failed makes the opening fail for ever, although
//! nobody was told that this commit is there. And a damaged length or tag in the middle of a journal
//! cuts off all that follows without a word, although it was acknowledged.
//!
//! So every commit of ours carries a row that numbers it and says up to which commit the journal was
//! synced before ([`Commit`]). With these a record that does not decode is told apart:
//!
//! - nothing whole follows, or only commits that were written before the lost one was synced: a write
//!   that the power cut short. The journal is cut there and ends with a whole commit;
//! - a commit follows that knows the lost one as synced, or numbers are missing between two journals:
//!   damage. Nothing is changed, and the opening fails with [`StoreError::Corrupt`].
//!
//! A damaged *last* record looks like one cut short and is cut as well: no store on its own disk can
//! know better, and the ledger compares its tip with its peers.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3;

use super::StoreError;

/// Key of the row that numbers each commit; no row of the ledger has it.
pub(super) const COMMIT_KEY: &[u8] = b"\0gridtally/commit";

const START: u8 = 1;
const ROW: u8 = 2;
const END: u8 = 3;
const TRAILER: &[u8; 4] = b"FJL\x03";
/// Bytes of a record before its first row: tag, row count, sequence.
const START_BYTES: usize = 13;
const EXTENSION: &str = "jnl";

/// What every commit says of itself in the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Commit {
    /// Place in the order of all commits; the first has 1.
    pub(super) number: u64,
    /// The newest commit that was known to be synced when this one was written.
    pub(super) synced: u64,
}

impl Commit {
    pub(super) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.number.to_le_bytes());
        bytes[8..].copy_from_slice(&self.synced.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, synced) = bytes.split_at_checked(8)?;
        Some(Self {
            number: u64::from_le_bytes(number.try_into().ok()?),
            synced: u64::from_le_bytes(synced.try_into().ok()?),
        })
    }
}

/// Checks all journals of an engine directory and cuts off what a crash left unfinished.
///
/// Returns the newest commit in the journals, or none when they are empty.
pub(super) fn recover(engine: &Path) -> Result<Option<Commit>, StoreError> {
    let mut newest = None;
    for path in journals(engine).map_err(reading)? {
        newest = recover_one(&path, newest)?;
    }
    Ok(newest)
}

fn reading(source: io::Error) -> StoreError {
    StoreError::from_io("checking the journals", source)
}

/// The journals, oldest first.
fn journals(engine: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(engine)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            // A name that is no number is left to the engine, which refuses it.
            if let Some(number) = stem.and_then(|stem| stem.parse::<u64>().ok()) {
                journals.push((number, path));
            }
        }
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

fn recover_one(path: &Path, mut newest: Option<Commit>) -> Result<Option<Commit>, StoreError> {
    let file = File::open(path).map_err(reading)?;
    let length = file.metadata().map_err(reading)?.len();
    let mut reader = Counted { inner: BufReader::new(file), position: 0 };
    let mut end = 0;
    while end < length {
        match read_record(&mut reader) {
            Ok(commit) => {
                check_follows(path, newest, commit)?;
                newest = Some(commit);
                end = reader.position;
            }
            Err(error) if is_unreadable(&error) => {
                let mut file = reader.inner.into_inner();
                file.seek(SeekFrom::Start(end)).map_err(reading)?;
                return settle_end(path, file, end, newest).map(|()| newest);
            }
            Err(error) => return Err(reading(error)),
        }
    }
    Ok(newest)
}

fn check_follows(path: &Path, newest: Option<Commit>, found: Commit) -> Result<(), StoreError> {
    match newest {
        Some(newest) if found.number != newest.number.saturating_add(1) => {
            let what = format!(
                "{}: commit {} is followed by commit {}",
                path.display(),
                newest.number,
                found.number
            );
            Err(StoreError::Corrupt { what })
        }
        _ => Ok(()),
    }
}

/// Decides what the bytes behind the last whole record are: the zeros that the file was made of, a
/// commit that the power cut short, or damage to commits that were acknowledged.
fn settle_end(
    path: &Path,
    mut file: File,
    end: u64,
    newest: Option<Commit>,
) -> Result<(), StoreError> {
    let mut rest = Vec::new();
    if only_zeros(&mut file).map_err(reading)? {
        return Ok(());
    }
    file.seek(SeekFrom::Start(end)).map_err(reading)?;
    file.read_to_end(&mut rest).map_err(reading)?;
    let first_lost = newest.map_or(0, |newest| newest.number.saturating_add(1));
    if let Some(later) = later_commit(&rest).filter(|later| later.synced >= first_lost) {
        let what = format!(
            "{} at byte {end}: commit {first_lost} does not decode, but commit {} after it does",
            path.display(),
            later.number
        );
        return Err(StoreError::Corrupt { what });
    }
    tracing::warn!(
        journal = %path.display(), byte = end,
        "cutting off a commit that was being written when the machine stopped"
    );
    let file = OpenOptions::new().write(true).open(path).map_err(reading)?;
    file.set_len(end).and_then(|()| file.sync_all()).map_err(reading)
}

fn only_zeros(reader: &mut impl Read) -> io::Result<bool> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(true),
            read if buffer.iter().take(read).any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

/// The last whole record that begins anywhere behind the first byte.
fn later_commit(rest: &[u8]) -> Option<Commit> {
    (1..rest.len())
        .filter_map(|start| {
            let record = rest.get(start..)?;
            let may_begin = record.first() == Some(&START) && record.get(START_BYTES) == Some(&ROW);
            may_begin.then(|| read_record(&mut Counted { inner: record, position: 0 }).ok())?
        })
        .next_back()
}

/// Whether the bytes are at fault, not the disk.
fn is_unreadable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}

struct Counted<R> {
    inner: R,
    position: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.position = self.position.saturating_add(read as u64);
        Ok(read)
    }
}

/// Reads one record and checks its sum; an error of the kind `InvalidData` says that it is none.
fn read_record<R: Read>(reader: &mut Counted<R>) -> io::Result<Commit> {
    expect(array(reader)? == [START], "a record begins with its tag")?;
    let rows = u32::from_le_bytes(array(reader)?);
    let _sequence: [u8; 8] = array(reader)?;
    let mut sum = Xxh3::new();
    let mut commit = None;
    for _ in 0..rows {
        commit = read_row(reader, &mut sum)?.or(commit);
    }
    expect(array(reader)? == [END], "a record ends with its tag")?;
    expect(u64::from_le_bytes(array(reader)?) == sum.digest(), "the sum is that of the rows")?;
    expect(&array(reader)? == TRAILER, "the trailer is written last")?;
    commit.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "every commit is numbered"))
}

/// Reads one row into the sum; returns its content when it is the one that numbers the commit.
fn read_row<R: Read>(reader: &mut Counted<R>, sum: &mut Xxh3) -> io::Result<Option<Commit>> {
    let mut head = [0; 21];
    reader.read_exact(&mut head)?;
    let [ROW, _, _, .., k0, k1, _, _, _, _, v0, v1, v2, v3] = head else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a row begins with its tag"));
    };
    sum.update(&head);
    let mut key = vec![0; usize::from(u16::from_le_bytes([k0, k1]))];
    reader.read_exact(&mut key)?;
    sum.update(&key);
    let stored_bytes = u32::from_le_bytes([v0, v1, v2, v3]);
    if key == COMMIT_KEY && stored_bytes == 16 {
        let value: [u8; 16] = array(reader)?;
        sum.update(&value);
        return Ok(Commit::from_bytes(&value));
    }
    // A damaged length may be gigabytes: the value goes through a small buffer.
    let mut buffer = [0; 4096];
    let mut left = stored_bytes as usize;
    while left > 0 {
        let part = left.min(buffer.len());
        let Some(part) = buffer.get_mut(..part) else { break };
        reader.read_exact(part)?;
        sum.update(part);
        left = left.saturating_sub(part.len());
    }
    Ok(None)
}

fn array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn expect(holds: bool, rule: &'static str) -> io::Result<()> {
    if holds { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, rule)) }
}
