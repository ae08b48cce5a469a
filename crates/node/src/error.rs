//! Why a node cannot start or had to stop.

use std::path::PathBuf;

use ledger::LedgerError;
use ledger::store::StoreError;
use thiserror::Error;

/// A failure of the node.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The ledger or its store failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The key is not a validator of this ledger.
    #[error(
        "this node's key is not the validator of the ledger; start it with the key that founded it"
    )]
    NotTheValidator,
    /// A solo node cannot order for several validators.
    #[error("the ledger has {0} validators; a solo node orders only for a set of one")]
    NotSolo(usize),
    /// A solo node cannot go on after blocks that an engine ordered.
    #[error("the ledger was begun among several nodes, and a node that orders alone cannot go on")]
    NotBegunSolo,
    /// The engine that orders among several validators ended or cannot read what it stored.
    #[error("the consensus engine cannot go on: {0}")]
    Engine(String),
    /// What an orderer keeps on disk cannot be written.
    #[error("{} cannot be written, so this node stops", directory.display())]
    Disk {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("the operating system starts no further thread")]
    Thread(#[source] std::io::Error),
}

impl From<StoreError> for NodeError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}
