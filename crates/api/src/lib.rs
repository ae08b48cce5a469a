//! Floor 4: the REST API under `/v1` and plain readable pages, over the ledger's read side.
//!
//! This floor alone knows JSON and HTML. It sees the ledger through two doors, [`ledger::Reader`] and
//! [`ledger::Submitter`], and knows neither the node nor its orderer. It signs nothing, it supplies no
//! bytes to sign, and it decides no rule: transactions come in canonical encoding and carry their
//! signatures; JSON is for display.
//!
//! Where to start reading:
//! - [`routes`]: the table of addresses, one file per resource;
//! - [`read_model`]: what rich queries are answered from;
//! - [`request`]: what every read has in common: one view, one height, the reader's rights;
//! - [`hosting`]: further ledgers behind the same listener, hidden from whom they do not know;
//! - [`rights`]: who may see what, in one file;
//! - [`feed`]: what happened, from any height on;
//! - [`metrics`]: numbers for the operator's monitoring;
//! - [`openapi`]: the document that describes all of it;
//! - [`problem`]: every answer that is not what was asked for, in one place;
//! - [`response`]: the types of the answers, converted from the types of the lower floors by hand;
//! - [`html`]: the pages, built from the same answers, so that the rights hold there too.
//!
//! Invariants: everything in one answer comes from one height, which the header `Gridtally-Height`
//! names; every list and every wait has a named bound; what a reader may not see is left out of the
//! answer before it is written, never hidden afterwards.

pub mod feed;
pub mod hosting;
pub mod html;
pub mod metrics;
pub mod openapi;
pub mod problem;
pub mod read_model;
pub mod request;
pub mod response;
pub mod rights;
pub mod routes;
mod server;
pub mod session;

use std::io::Write;
use std::sync::Arc;

use contracts::Position;
use ledger::snapshot::SnapshotError;
use ledger::{LedgerError, Reader, Submitter, View};
use primitives::identifier::BillId;

pub use hosting::Hosting;
pub use metrics::{Metrics, Sources};
pub use read_model::ReadModel;
pub use response::network::NetworkState;
pub use routes::router;
pub use server::serve;

/// What a proof file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    /// A bill.
    Bill(BillId),
    /// What became of the transaction at a position.
    Transaction {
        /// Where it stands.
        position: Position,
        /// Whether the file holds the transaction itself and not only its receipt.
        whole: bool,
    },
}

/// Writes a proof file as things stand in a view; `None` while no header commits to it.
///
/// The form of a proof file belongs to the floor that verifies it; the program hands the writer in.
pub type ProofExporter =
    Arc<dyn Fn(&View, Proven) -> Result<Option<Vec<u8>>, LedgerError> + Send + Sync>;

/// Writes the snapshot of the newest agreed checkpoint of a view.
pub type SnapshotWriter =
    Arc<dyn Fn(&View, &mut dyn Write) -> Result<(), SnapshotError> + Send + Sync>;

/// Asks the node for what only it can say of its network.
pub type NetworkSource = Arc<dyn Fn() -> NetworkState + Send + Sync>;

/// What the program decides about the API.
#[derive(Clone)]
pub struct ApiConfig {
    /// The names under which clients reach this node, as `host` or `host:port`. A session is opened
    /// only for one of them, so that a login at another host cannot be passed on to this one. Without
    /// a name no session is opened.
    pub hosts: Vec<String>,
    /// Does everybody see everything without a session? It counts only on a ledger whose genesis says
    /// `demo`: there all keys are public anyway.
    pub open_reads: bool,
    /// Writes proof files.
    pub proof_exporter: ProofExporter,
    /// Counts, and knows what only the node can say.
    pub metrics: Arc<Metrics>,
    /// Answers searches; without it there are none.
    pub read_model: Option<Arc<ReadModel>>,
    /// The node among the others.
    pub network: NetworkSource,
    /// The ledgers that the node hosts beside this one.
    pub hosting: Arc<Hosting>,
    /// Writes snapshots; without it there are none.
    pub snapshot_writer: Option<SnapshotWriter>,
}

/// The API of one ledger: what it reads from, what it submits to, and how.
#[derive(Clone)]
pub struct Api {
    reader: Arc<dyn Reader>,
    submitter: Arc<dyn Submitter>,
    config: ApiConfig,
}

impl Api {
    /// An API over these two doors.
    #[must_use]
    pub fn new(reader: Arc<dyn Reader>, submitter: Arc<dyn Submitter>, config: ApiConfig) -> Self {
        Self { reader, submitter, config }
    }
}
