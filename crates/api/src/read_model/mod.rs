//! The read model: an SQLite file beside the ledger that answers rich queries.
//!
//! It lies outside consensus and holds nothing that the ledger does not: it follows the ledger block
//! by block, and can be dropped at any time. A file that is damaged, of an older form or of another
//! ledger is dropped and built again by itself.
//!
//! Whatever it holds for finding is public: ids, kinds, codes, days, what the events name. Amounts
//! and states stand in it as well, and [`search`] gives them, and finds by them, only as the reader's
//! rights allow. There is no row for an accepted single reading: usage points and days are the
//! ledger's own keys, and `/v1/search/readings` reads them there.
//!
//! Invariant: what a search sees comes from one height, the model's own. While a long history is
//! read, or before the first block is, there is no such height, and searches say so.

mod entries;
mod record;
mod schema;
pub mod search;
mod standing;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledger::{LedgerError, Reader, View};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Least time between two passes: under load blocks gather, and one pass takes them together.
const PAUSE: Duration = Duration::from_millis(20);
/// Time until the next try after a failure.
const RETRY: Duration = Duration::from_secs(2);

/// Why the model could not be written or read.
#[derive(Debug, Error)]
pub enum ReadModelError {
    /// SQLite failed.
    #[error("the read model failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file cannot be removed or made.
    #[error("the read model's file: {0}")]
    File(#[from] std::io::Error),
    /// The ledger holds something that this program does not write.
    #[error("an event of the ledger cannot be read: {0}")]
    Event(String),
}

impl ReadModelError {
    /// Would a fresh file help? Not when there is no room or no permission.
    fn is_of_the_file(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        !matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::DiskFull
                    | ErrorCode::ReadOnly
                    | ErrorCode::PermissionDenied
                    | ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseLocked
                    | ErrorCode::OutOfMemory
            )
        )
    }
}

/// The read model of one ledger.
pub struct ReadModel {
    path: PathBuf,
    writer: Mutex<Option<Connection>>,
    /// The height up to which searches see everything; `None` while the model is built.
    height: watch::Sender<Option<u64>>,
}

impl ReadModel {
    /// A model in this file, which is opened, or made, when it first follows.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Arc<Self> {
        let (path, writer) = (path.into(), Mutex::default());
        Arc::new(Self { path, writer, height: watch::Sender::new(None) })
    }

    /// The height up to which searches see everything; `None` while it is built.
    #[must_use]
    pub fn height(&self) -> Option<u64> {
        *self.height.borrow()
    }

    /// Waits until searches see this height; `false` when that took longer than `patience`.
    pub(crate) async fn reached(&self, height: u64, patience: Duration) -> bool {
        let mut heights = self.height.subscribe();
        let wanted = heights.wait_for(|reached| reached.is_some_and(|it| it >= height));
        timeout(patience, wanted).await.is_ok_and(|it| it.is_ok())
    }

    /// Drops the file; the next pass builds it from the genesis.
    ///
    /// # Errors
    /// [`ReadModelError::File`] when it cannot be removed.
    pub fn drop_file(&self) -> Result<(), ReadModelError> {
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.height.send_replace(None);
        *writer = None;
        remove(&self.path)
    }

    /// Reads the ledger up to this view.
    ///
    /// # Errors
    /// [`ReadModelError`]; what was written before stays.
    pub fn catch_up(&self, view: &View) -> Result<(), ReadModelError> {
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut connection = match writer.take() {
            Some(connection) => connection,
            None => open(&self.path, view)?,
        };
        let mut state = schema::state(&connection)?;
        while state.height < view.height() || !state.complete {
            state = record::batch(&mut connection, view, state.height)?;
            if !state.complete {
                self.height.send_replace(None);
            }
        }
        self.height.send_replace(Some(state.height));
        *writer = Some(connection);
        Ok(())
    }

    /// Follows the ledger until the node ends. Failures are logged and tried again.
    pub async fn follow(self: Arc<Self>, reader: Arc<dyn Reader>) {
        while let Ok(view) = reader.view() {
            let height = view.height();
            let start = Instant::now();
            let model = Arc::clone(&self);
            let pass = tokio::task::spawn_blocking(move || model.catch_up(&view)).await;
            match pass {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.recover(&error).await,
                Err(error) => {
                    tracing::error!(%error, "a pass of the read model panicked");
                    sleep(RETRY).await;
                    continue;
                }
            }
            // At most half of a core while there is much to do.
            sleep(start.elapsed().max(PAUSE)).await;
            if self.height() == Some(height) {
                reader.reached(height + 1).await;
                if !reader.view().is_ok_and(|view| view.height() > height) {
                    return;
                }
            }
        }
    }

    async fn recover(&self, error: &ReadModelError) {
        tracing::warn!(%error, "the read model could not follow; it is tried again");
        if error.is_of_the_file()
            && let Err(error) = self.drop_file()
        {
            tracing::error!(%error, "the read model's file cannot be dropped");
        }
        sleep(RETRY).await;
    }

    /// A connection that only reads; `None` while there is nothing to read from.
    fn connect(&self) -> Result<Option<Connection>, ReadModelError> {
        if self.height().is_none() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(1))?;
        Ok(Some(connection))
    }
}

/// Opens a file that fits this ledger and program; any other is dropped first.
fn open(path: &Path, view: &View) -> Result<Connection, ReadModelError> {
    if path.exists() {
        match schema::open(path, view) {
            Ok(Some(connection)) => return Ok(connection),
            Ok(None) => tracing::info!("the read model is of another form or ledger: built again"),
            Err(error) if error.is_of_the_file() => {
                tracing::warn!(%error, "the read model is damaged: built again");
            }
            Err(error) => return Err(error),
        }
        remove(path)?;
    }
    schema::create(path, view)
}

fn remove(path: &Path) -> Result<(), ReadModelError> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
