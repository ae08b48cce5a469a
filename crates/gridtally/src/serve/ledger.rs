//! One ledger of a node: opened, started, stopped.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use api::{Api, ApiConfig, Hosting, Metrics, NetworkState, ReadModel, Sources};
use consensus_bft::{Abstains, Bft, Connected};
use ledger::Ledger;
use ledger::private_store::PrivateFiles;
use ledger::prune::Keep;
use ledger::store::Store;
use node::{Node, NodeConfig, NodeError, SystemClock, Threads};
use primitives::key::{PublicKey, SigningKey};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::timed_store::TimedStore;
use super::watched_clock::WatchedClock;
use crate::exit::Ended;

/// A ledger that is to be served.
pub struct LedgerParts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The genesis.
    pub genesis: contracts::Genesis,
    /// The validator's key.
    pub key: SigningKey,
    /// May everybody read everything? Demonstrations only.
    pub open_reads: bool,
    /// Where the read model lies; without it there are no searches.
    pub read_model: Option<PathBuf>,
    /// Where the states of checkpoints are kept, when they are.
    pub checkpoints: Option<PathBuf>,
    /// Where the values of a private ledger are kept, when they are.
    pub private: Option<PathBuf>,
    /// Which blocks stay whole; all of them without it.
    pub keep: Option<Keep>,
    /// Orders together with the other validators, when there are any.
    pub bft: Option<Bft>,
}

/// What all ledgers of a node share.
pub struct Surroundings {
    /// The runtime of the API.
    pub runtime: Handle,
    /// The names under which clients reach the node.
    pub hosts: Vec<String>,
    /// Milliseconds added to the system's clock; test networks only.
    pub clock_offset_ms: i64,
}

/// A ledger while it runs.
pub struct RunningLedger {
    /// Its node.
    pub node: Arc<Node>,
    follower: Option<AbortHandle>,
}

impl LedgerParts {
    /// Opens the ledger and starts its orderer; gives what the API serves.
    ///
    /// # Errors
    /// The ledger cannot be opened, or this key cannot order it.
    pub fn start(
        self,
        around: &Surroundings,
        hosting: Arc<Hosting>,
    ) -> Result<(RunningLedger, Api), Ended> {
        let node_slot: Arc<OnceLock<Weak<Node>>> = Arc::default();
        let metrics = Arc::new(Metrics::new(sources(&node_slot, &self.store)));
        let clock = SystemClock { offset_ms: around.clock_offset_ms };
        let clock = WatchedClock { clock, metrics: Arc::clone(&metrics) };
        let store = TimedStore { store: self.store, metrics: Arc::clone(&metrics) };
        let config = NodeConfig {
            store: Arc::new(store),
            genesis: Some(self.genesis),
            key: self.key,
            clock: Arc::new(clock),
            verifier: Arc::new(Threads::per_core()),
        };
        let public = config.key.public();
        let of_bft = self.bft.as_ref().map(|bft| (bft.connected(), bft.abstains()));
        let node = Arc::new(start_node(config, self.bft, self.private)?);
        if let Some(directory) = &self.checkpoints {
            node.checkpoints().keep_in(directory.clone());
        }
        if let Some(keep) = self.keep {
            node.prune_beside(keep, self.checkpoints.clone())?;
        }
        let _ = node_slot.set(Arc::downgrade(&node));
        let config = ApiConfig {
            hosts: around.hosts.clone(),
            open_reads: self.open_reads,
            proof_exporter: Arc::new(crate::commands::proof::export),
            metrics,
            read_model: self.read_model.map(ReadModel::new),
            network: network_source(public, of_bft, &node_slot),
            hosting,
            snapshot_writer: self.checkpoints.map(snapshot_writer),
        };
        let follower = config.read_model.as_ref().map(|model| {
            let follow = Arc::clone(model).follow(node.reader());
            around.runtime.spawn(follow).abort_handle()
        });
        let api = Api::new(node.reader(), node.submitter(), config);
        Ok((RunningLedger { node, follower }, api))
    }
}

impl RunningLedger {
    /// Takes nothing more, orders what waits, and ends.
    ///
    /// # Errors
    /// What the orderer failed with.
    pub fn stop(self) -> Result<(), NodeError> {
        if let Some(follower) = self.follower {
            follower.abort();
        }
        only(self.node).stop()
    }
}

/// Starts the node on its ledger; on a private one with the values that it holds.
fn start_node(
    config: NodeConfig,
    bft: Option<Bft>,
    private: Option<PathBuf>,
) -> Result<Node, Ended> {
    let ledger = Arc::new(Ledger::open(config.store, config.genesis)?);
    if let Some(directory) = private.filter(|_| ledger.rules().is_private()) {
        let store = PrivateFiles::open(&directory).map_err(ledger::LedgerError::from)?;
        ledger.keep_private(Arc::new(store));
    }
    let (clock, verifier) = (config.clock, config.verifier);
    Ok(match bft {
        None => Node::start_solo(ledger, config.key, clock, verifier)?,
        Some(bft) => Node::start_with(ledger, Box::new(bft), clock, verifier)?,
    })
}

/// Writes snapshots from the states that are kept in a directory.
fn snapshot_writer(directory: PathBuf) -> api::SnapshotWriter {
    Arc::new(move |view, out| {
        ledger::snapshot::create(view, &directory, out, &mut |_| {}).map(drop)
    })
}

/// What the metrics ask the node for; nothing once it has stopped.
fn sources(node: &Arc<OnceLock<Weak<Node>>>, store: &Arc<dyn Store>) -> Sources {
    let (node, store) = (Arc::clone(node), Arc::clone(store));
    Sources {
        mempool: Some(Box::new(move || Some(node.get()?.upgrade()?.status().mempool as u64))),
        store_bytes: Some(Box::new(move || store.disk_bytes().ok())),
    }
}

/// The node among the others; without peers once it has stopped.
fn network_source(
    key: PublicKey,
    of_bft: Option<(Connected, Abstains)>,
    node: &Arc<OnceLock<Weak<Node>>>,
) -> api::NetworkSource {
    let node = Arc::clone(node);
    Arc::new(move || {
        let status = node.get().and_then(Weak::upgrade).map(|node| node.status());
        NetworkState {
            key,
            orderer: status.as_ref().map_or("solo", |status| status.orderer),
            peers: of_bft.as_ref().map_or(0, |(connected, _)| connected.count()),
            abstains: of_bft.as_ref().is_some_and(|(_, abstains)| abstains.get()),
            mempool: status.map_or(0, |status| status.mempool),
        }
    })
}

/// The node itself, once no scrape of the metrics looks at it any more, which takes microseconds.
fn only(mut node: Arc<Node>) -> Node {
    loop {
        match Arc::try_unwrap(node) {
            Ok(node) => return node,
            Err(shared) => node = shared,
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
