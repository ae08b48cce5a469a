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
const BUFFER_BYTES: usize = 1 << 16;

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

/// A record as far as its place among the others goes.
#[derive(Clone, Copy)]
struct Record {
    /// The engine's own number. Its sum does not cover it, so the order is all that can be checked.
    sequence: u64,
    commit: Commit,
}

/// Checks all journals of an engine directory and cuts off what a crash left unfinished.
///
/// Returns the newest commit in the journals, or none when they are empty.
pub(super) fn recover(engine: &Path) -> Result<Option<Commit>, StoreError> {
    let mut newest = None;
    for path in journals(engine).map_err(reading)? {
        newest = recover_one(&path, newest)?;
    }
    Ok(newest.map(|record| record.commit))
}

fn reading(source: io::Error) -> StoreError {
    StoreError::from_io("checking the journals", source)
}

/// The journals, oldest first.
pub(super) fn journals(engine: &Path) -> io::Result<Vec<PathBuf>> {
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

fn recover_one(path: &Path, mut newest: Option<Record>) -> Result<Option<Record>, StoreError> {
    let file = File::open(path).map_err(reading)?;
    let length = file.metadata().map_err(reading)?.len();
    let mut reader = Counted { inner: BufReader::with_capacity(BUFFER_BYTES, file), position: 0 };
    let mut end = 0;
    while end < length {
        match read_record(&mut reader) {
            Ok(record) => {
                check_follows(path, newest, record)?;
                newest = Some(record);
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

fn check_follows(path: &Path, newest: Option<Record>, found: Record) -> Result<(), StoreError> {
    let Some(newest) = newest else { return Ok(()) };
    let (last, next) = (newest.commit.number, found.commit.number);
    if next == last.saturating_add(1) && found.sequence > newest.sequence {
        return Ok(());
    }
    let what = format!(
        "{}: commit {last} with sequence {} is followed by commit {next} with sequence {}",
        path.display(),
        newest.sequence,
        found.sequence
    );
    Err(StoreError::Corrupt { what })
}

/// Decides what the bytes behind the last whole record are: the zeros that the file was made of, a
/// commit that the power cut short, or damage to commits that were acknowledged.
fn settle_end(
    path: &Path,
    mut file: File,
    end: u64,
    newest: Option<Record>,
) -> Result<(), StoreError> {
    let rest = up_to_last_zeros(&mut file).map_err(reading)?;
    if rest.is_empty() {
        return Ok(());
    }
    let first_lost = newest.map_or(0, |newest| newest.commit.number.saturating_add(1));
    if let Some(later) = later_commit(&rest).filter(|later| later.synced >= first_lost) {
        let what = format!(
            "{} at byte {end}: a commit does not decode, but commit {} after it does",
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

/// Reads to the end, but keeps nothing of the zeros there: a journal may have 64 MiB of them.
fn up_to_last_zeros(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    static ZEROS: [u8; BUFFER_BYTES] = [0; BUFFER_BYTES];
    let mut kept = Vec::new();
    let mut zeros = 0_usize;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = reader.read(&mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        if ZEROS.starts_with(part) {
            zeros = zeros.saturating_add(read);
        } else {
            kept.resize(kept.len().saturating_add(std::mem::take(&mut zeros)), 0);
            kept.extend_from_slice(part);
        }
    }
    Ok(kept)
}

/// The last whole record that begins anywhere behind the first byte.
fn later_commit(rest: &[u8]) -> Option<Commit> {
    let record = (1..rest.len())
        .filter_map(|start| {
            let record = rest.get(start..)?;
            let may_begin = record.first() == Some(&START) && record.get(START_BYTES) == Some(&ROW);
            may_begin.then(|| read_record(&mut Counted { inner: record, position: 0 }).ok())?
        })
        .next_back();
    record.map(|record| record.commit)
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
fn read_record<R: Read>(reader: &mut Counted<R>) -> io::Result<Record> {
    expect(array(reader)? == [START], "a record begins with its tag")?;
    let rows = u32::from_le_bytes(array(reader)?);
    let sequence = u64::from_le_bytes(array(reader)?);
    let mut sum = Xxh3::new();
    let mut commit = None;
    for _ in 0..rows {
        commit = read_row(reader, &mut sum)?.or(commit);
    }
    expect(array(reader)? == [END], "a record ends with its tag")?;
    expect(u64::from_le_bytes(array(reader)?) == sum.digest(), "the sum is that of the rows")?;
    expect(&array(reader)? == TRAILER, "the trailer is written last")?;
    let unnumbered = || io::Error::new(io::ErrorKind::InvalidData, "every commit is numbered");
    Ok(Record { sequence, commit: commit.ok_or_else(unnumbered)? })
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
