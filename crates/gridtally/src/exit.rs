//! Exit codes of every command, in one place. Scripts rely on them; `docs/reference/cli.md` lists them.

use std::process::ExitCode;

use thiserror::Error;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything went right.
    Success = 0,
    /// It failed, was rejected, or a proof is wrong.
    Failure = 1,
    /// The command line is wrong, or a file is not what it should be (not a proof file).
    Usage = 2,
    /// A proof is right in itself, but its ledger was not compared and `--require-anchor` was given.
    NotAnchored = 3,
    /// No node answers at the address.
    Unreachable = 4,
    /// The ledger diverged from the others, or its store is damaged.
    Damaged = 5,
    /// The disk is full, or cannot be written.
    DiskFull = 6,
    /// Another program listens on the port, or another node has the directory open.
    Taken = 7,
    /// The passphrase is wrong, or a key file cannot be read.
    Key = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends a command with a certain exit code.
#[derive(Debug, Error)]
#[error("{error:#}")]
pub struct Ended {
    /// The exit code.
    pub exit: Exit,
    /// What happened and what to do.
    pub error: anyhow::Error,
}

/// Gives an error its exit code.
pub trait EndWith<T> {
    /// Ends the command with `exit` when this is an error.
    ///
    /// # Errors
    /// The same error, with the exit code.
    fn end_with(self, exit: Exit) -> Result<T, Ended>;
}

impl<T, E: Into<anyhow::Error>> EndWith<T> for Result<T, E> {
    fn end_with(self, exit: Exit) -> Result<T, Ended> {
        self.map_err(|error| Ended { exit, error: error.into() })
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self { exit: exit_of(&error), error }
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl From<ledger::LedgerError> for Ended {
    fn from(error: ledger::LedgerError) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl From<node::NodeError> for Ended {
    fn from(error: node::NodeError) -> Self {
        anyhow::Error::from(error).into()
    }
}

/// The exit code of an error that was not given one: what lies at its root decides.
fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(ended) = cause.downcast_ref::<Ended>() {
            return ended.exit;
        }
        if let Some(error) = cause.downcast_ref::<node::NodeError>()
            && let Some(error) = error.ledger()
        {
            return exit_of_ledger(error);
        }
        if let Some(error) = cause.downcast_ref::<ledger::LedgerError>() {
            return exit_of_ledger(error);
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            match error.kind() {
                std::io::ErrorKind::AddrInUse => return Exit::Taken,
                std::io::ErrorKind::StorageFull
                | std::io::ErrorKind::FileTooLarge
                | std::io::ErrorKind::QuotaExceeded => return Exit::DiskFull,
                _ => {}
            }
        }
    }
    Exit::Failure
}

fn exit_of_ledger(error: &ledger::LedgerError) -> Exit {
    use ledger::LedgerError;
    use ledger::store::StoreError;
    match error {
        LedgerError::Diverged { .. } | LedgerError::Damaged { .. } => Exit::Damaged,
        LedgerError::Store(StoreError::DiskFull { .. } | StoreError::Poisoned) => Exit::DiskFull,
        LedgerError::Store(StoreError::Locked { .. }) => Exit::Taken,
        LedgerError::Store(StoreError::Corrupt { .. }) => Exit::Damaged,
        _ => Exit::Failure,
    }
}
