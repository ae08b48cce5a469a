//! The tables of the read model, and how far it has come.

use std::path::Path;

use ledger::View;
use rusqlite::{Connection, OptionalExtension, params};

use super::ReadModelError;

/// The form of the tables; a file with another number is built again.
const VERSION: i64 = 2;

/// Integers are heights, numbers and micro-currency; ids are their bytes. A place is a transaction's
/// index in its block. A subject is one letter and an id: `p` party, `u` usage point, `k` meter or
/// key, `b` bill. An account is its kind's number and, of dues, the other party. What answers show
/// is kept as they show it, `shown` with and `hidden` without the values.
const TABLES: &str = "
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), ledger BLOB NOT NULL, height INTEGER NOT NULL,
    hash BLOB NOT NULL, complete INTEGER NOT NULL);
CREATE TABLE transactions (
    height INTEGER NOT NULL, place INTEGER NOT NULL, id BLOB NOT NULL, kind INTEGER NOT NULL,
    code INTEGER NOT NULL, party BLOB, time_ms INTEGER NOT NULL, first_period INTEGER,
    last_period INTEGER, PRIMARY KEY (height, place)) WITHOUT ROWID;
CREATE INDEX transactions_by_kind ON transactions (kind, height, place);
CREATE INDEX transactions_by_code ON transactions (code, height, place);
CREATE TABLE mentions (
    subject BLOB NOT NULL, height INTEGER NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (subject, height, place)) WITHOUT ROWID;
CREATE TABLE bills (
    bill BLOB PRIMARY KEY, height INTEGER NOT NULL, place INTEGER NOT NULL, event INTEGER NOT NULL,
    usage_point BLOB NOT NULL, customer BLOB NOT NULL, biller BLOB NOT NULL,
    grid_operator BLOB NOT NULL, first_day INTEGER, last_day INTEGER, total INTEGER NOT NULL,
    paid INTEGER NOT NULL, open INTEGER NOT NULL, status TEXT NOT NULL, shown TEXT NOT NULL,
    hidden TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX bills_in_order ON bills (height, place, event);
CREATE INDEX bills_by_usage_point ON bills (usage_point, height, place, event);
CREATE INDEX bills_by_customer ON bills (customer, height, place, event);
CREATE TABLE payments (
    height INTEGER NOT NULL, place INTEGER NOT NULL, event INTEGER NOT NULL, id BLOB NOT NULL,
    kind INTEGER NOT NULL, payer BLOB NOT NULL, payee BLOB NOT NULL, amount INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, usage_point BLOB, bill BLOB,
    PRIMARY KEY (height, place, event)) WITHOUT ROWID;
CREATE INDEX payments_by_payer ON payments (payer, height, place, event);
CREATE INDEX payments_by_payee ON payments (payee, height, place, event);
CREATE TABLE history (
    party BLOB NOT NULL, height INTEGER NOT NULL, place INTEGER NOT NULL, event INTEGER NOT NULL,
    side INTEGER NOT NULL, account BLOB NOT NULL, other_party BLOB NOT NULL,
    other_account BLOB NOT NULL, amount INTEGER NOT NULL,
    PRIMARY KEY (party, height, place, event, side)) WITHOUT ROWID;
CREATE TABLE entries (
    usage_point BLOB NOT NULL, height INTEGER NOT NULL, place INTEGER NOT NULL,
    event INTEGER NOT NULL, part INTEGER NOT NULL, kind TEXT NOT NULL, amount INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, bill BLOB,
    PRIMARY KEY (usage_point, height, place, event, part)) WITHOUT ROWID;
CREATE TABLE disputes (
    bill BLOB PRIMARY KEY, height INTEGER NOT NULL, place INTEGER NOT NULL, event INTEGER NOT NULL,
    usage_point BLOB NOT NULL, customer BLOB NOT NULL, biller BLOB NOT NULL,
    grid_operator BLOB NOT NULL, first_day INTEGER, last_day INTEGER, amount INTEGER NOT NULL,
    status TEXT NOT NULL, shown TEXT NOT NULL, hidden TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX disputes_in_order ON disputes (height, place, event);
CREATE TABLE parties (
    party BLOB PRIMARY KEY, height INTEGER NOT NULL, place INTEGER NOT NULL, event INTEGER NOT NULL,
    roles TEXT NOT NULL, status TEXT NOT NULL, alias TEXT NOT NULL, region TEXT NOT NULL,
    is_public INTEGER NOT NULL, shown TEXT NOT NULL, hidden TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX parties_in_order ON parties (height, place, event);
CREATE TABLE meters (
    height INTEGER NOT NULL, place INTEGER NOT NULL, event INTEGER NOT NULL, meter BLOB NOT NULL,
    usage_point BLOB NOT NULL, from_period INTEGER NOT NULL, until_period INTEGER,
    PRIMARY KEY (height, place, event)) WITHOUT ROWID;
CREATE INDEX meters_by_usage_point ON meters (usage_point, height, place, event);
CREATE INDEX meters_by_key ON meters (meter, height, place, event);
";

/// Pages in memory, in KiB: the newest of each index; with the engine's own 2 MiB they are read again in
/// each pass.
const CACHE_KIB: i64 = 16 << 10;
/// Pages in the write-ahead log before they go into the file, 16 MiB: under load each pass writes much
/// the same pages.
const CHECKPOINT_PAGES: i64 = 4_096;

/// How far a model has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Blocks up to it are in the tables.
    pub height: u64,
    /// Do all tables stand at that height? Not while a long history is read.
    pub complete: bool,
}

/// Integers of SQLite have a sign; nothing of ours comes near its end.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// How far the model has come.
pub fn state(connection: &Connection) -> Result<State, rusqlite::Error> {
    connection.query_row("SELECT height, complete FROM state", [], |row| {
        let height: i64 = row.get(0)?;
        Ok(State { height: height.unsigned_abs(), complete: row.get(1)? })
    })
}

/// Says how far the model has come.
pub fn advance(connection: &Connection, view: &View, to: State) -> Result<(), ReadModelError> {
    let hash = hash_at(view, to.height)?;
    connection.execute(
        "UPDATE state SET height = ?1, hash = ?2, complete = ?3",
        params![signed(to.height), hash, to.complete],
    )?;
    Ok(())
}

fn hash_at(view: &View, height: u64) -> Result<Vec<u8>, ReadModelError> {
    let header = view.header(height)?;
    Ok(header.map(|header| header.hash().as_bytes().to_vec()).unwrap_or_default())
}

fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A power loss may take the newest passes: they are read from the ledger again.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
}

/// Opens a file that is there; `None` when it is of another form or ledger.
pub fn open(path: &Path, view: &View) -> Result<Option<Connection>, ReadModelError> {
    let connection = Connection::open(path)?;
    prepare(&connection)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != VERSION {
        return Ok(None);
    }
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let found = connection
        .query_row("SELECT ledger, height, hash FROM state", [], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        })
        .optional()?;
    let Some((ledger, height, hash)) = found else { return Ok(None) };
    let height = height.unsigned_abs();
    let fits = sound == "ok"
        && ledger == view.rules().ledger_id().as_bytes()
        && height <= view.height()
        && hash == hash_at(view, height)?;
    Ok(fits.then_some(connection))
}

/// Makes an empty model.
pub fn create(path: &Path, view: &View) -> Result<Connection, ReadModelError> {
    let connection = Connection::open(path)?;
    prepare(&connection)?;
    connection.execute_batch(&format!("BEGIN;{TABLES}PRAGMA user_version = {VERSION};"))?;
    connection.execute(
        "INSERT INTO state VALUES (1, ?1, 0, ?2, 0)",
        params![view.rules().ledger_id().as_bytes().as_slice(), hash_at(view, 0)?],
    )?;
    connection.execute_batch("COMMIT")?;
    Ok(connection)
}
