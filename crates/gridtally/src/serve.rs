//! A node with its API, from start to a graceful stop.

mod timed_store;
mod watched_clock;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use anyhow::{Context, anyhow};
use api::{Metrics, NetworkState, ReadModel, Sources};
use consensus_bft::{Bft, Connected};
use ledger::Ledger;
use ledger::private_store::PrivateFiles;
use ledger::store::Store;
use node::{Node, NodeConfig, SystemClock, Threads};
use primitives::key::{PublicKey, SigningKey};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot};

use self::timed_store::TimedStore;
use self::watched_clock::WatchedClock;
use crate::exit::{EndWith, Ended, Exit};

/// What is served and where.
pub struct Serve {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The genesis.
    pub genesis: contracts::Genesis,
    /// The validator's key.
    pub key: SigningKey,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Milliseconds added to the system's clock; test networks only.
    pub clock_offset_ms: i64,
    /// Further names under which clients reach the API.
    pub hosts: Vec<String>,
    /// May everybody read everything? Demonstrations only.
    pub open_reads: bool,
    /// Where the read model lies; without it there are no searches.
    pub read_model: Option<PathBuf>,
    /// Where the states of checkpoints are kept, when they are.
    pub checkpoints: Option<PathBuf>,
    /// Where the values of a private ledger are kept, when they are.
    pub private: Option<PathBuf>,
    /// Orders together with the other validators, when there are any.
    pub bft: Option<Bft>,
}

/// A node and its API while they run.
pub struct Running {
    /// The runtime that both live on.
    pub runtime: Runtime,
    /// The node.
    pub node: Arc<Node>,
    /// Where it listens.
    pub address: SocketAddr,
    stop_api: oneshot::Sender<()>,
    api: tokio::task::JoinHandle<std::io::Result<()>>,
    signals: Signals,
}

/// Threads that read the ledger, check requests or write the read model at the same time. Each keeps
/// the memory of the largest request that it ever saw; hundreds would not make two cores faster.
fn blocking_threads() -> usize {
    2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get) + 2
}

impl Serve {
    /// Starts both. When this returns, the API answers.
    ///
    /// # Errors
    /// The ledger cannot be opened, or the port is taken.
    pub fn start(self) -> Result<Running, Ended> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(blocking_threads())
            .build()
            .context("the runtime cannot be started")?;
        let signals = Signals::listen(&runtime)?;
        // The port first: whoever is told that it is taken has lost nothing yet.
        let listener = runtime
            .block_on(TcpListener::bind(self.listen))
            .map_err(|error| listen_error(self.listen, error))?;
        let address = listener.local_addr()?;
        let node_slot: Arc<OnceLock<Weak<Node>>> = Arc::default();
        let metrics = Arc::new(Metrics::new(sources(&node_slot, &self.store)));
        let clock = SystemClock { offset_ms: self.clock_offset_ms };
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
        let connected = self.bft.as_ref().map(Bft::connected);
        let node = Arc::new(start_node(config, self.bft, self.private)?);
        if let Some(directory) = self.checkpoints {
            node.checkpoints().keep_in(directory);
        }
        let _ = node_slot.set(Arc::downgrade(&node));
        let mut hosts: Vec<String> =
            ["localhost", "127.0.0.1"].map(|host| format!("{host}:{}", address.port())).into();
        hosts.extend(self.hosts);
        let config = api::ApiConfig {
            hosts,
            open_reads: self.open_reads,
            proof_exporter: Arc::new(crate::commands::proof::export),
            metrics,
            read_model: self.read_model.map(ReadModel::new),
            network: network_source(public, connected, &node_slot),
        };
        if let Some(model) = &config.read_model {
            runtime.spawn(Arc::clone(model).follow(node.reader()));
        }
        let api = api::Api::new(node.reader(), node.submitter(), config);
        let (stop_api, stopped) = oneshot::channel();
        let api = runtime.spawn(api::serve(listener, api::router(api), async {
            // A dropped sender stops the API as well.
            let _ = stopped.await;
        }));
        Ok(Running { runtime, node, address, stop_api, api, signals })
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
    connected: Option<Connected>,
    node: &Arc<OnceLock<Weak<Node>>>,
) -> api::NetworkSource {
    let node = Arc::clone(node);
    Arc::new(move || {
        let status = node.get().and_then(Weak::upgrade).map(|node| node.status());
        NetworkState {
            key,
            orderer: status.as_ref().map_or("solo", |status| status.orderer),
            peers: connected.as_ref().map_or(0, Connected::count),
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

/// What to say when an address cannot be listened on.
pub fn listen_error(listen: SocketAddr, error: std::io::Error) -> Ended {
    let exit = match error.kind() {
        std::io::ErrorKind::AddrInUse => Exit::Taken,
        _ => Exit::Failure,
    };
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program listens there: stop it, or choose another with --listen"
        }
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege",
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => "choose another with --listen",
    };
    let error = anyhow!("cannot listen on {listen} ({error}): {hint}");
    Ended { exit, error }
}

impl Running {
    /// From now on the first signal stops gracefully; before, it ends the process at once.
    pub fn stop_gracefully_from_now_on(&self) {
        self.signals.graceful.store(true, Ordering::SeqCst);
    }

    /// Waits for Ctrl-C or a termination signal, or until the node ends by itself; then stops both.
    ///
    /// # Errors
    /// What the node failed with.
    pub fn until_stopped(self) -> Result<(), Ended> {
        self.stop_gracefully_from_now_on();
        self.runtime.block_on(async {
            tokio::select! {
                () = self.signals.first.notified() => tracing::info!("stopping"),
                () = self.node.ended() => tracing::error!("the node ended"),
            }
        });
        self.stop()
    }

    /// Stops gracefully: requests under way are answered, what waits is ordered, then both end. A
    /// further signal ends the process at once.
    ///
    /// # Errors
    /// What the node failed with.
    pub fn stop(self) -> Result<(), Ended> {
        let Self { runtime, node, stop_api, api, .. } = self;
        // An API that ended already needs no word.
        let _ = stop_api.send(());
        let grace = std::time::Duration::from_secs(10);
        // The node orders what waits, so that requests under way get their answers.
        let stopped = std::thread::spawn(move || only(node).stop());
        let served = runtime.block_on(async { tokio::time::timeout(grace, api).await });
        let result = stopped.join().map_err(|_| anyhow!("the orderer panicked"))?;
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        result?;
        match served {
            Ok(Ok(served)) => served.end_with(Exit::Failure),
            Ok(Err(error)) => Err(anyhow::Error::from(error).into()),
            Err(_) => {
                tracing::warn!("requests were still open after {grace:?}; they were cut off");
                Ok(())
            }
        }
    }
}

/// Signals that end the process, listened to from the start on, so that none falls into a gap.
struct Signals {
    graceful: Arc<AtomicBool>,
    first: Arc<Notify>,
}

impl Signals {
    fn listen(runtime: &Runtime) -> Result<Self, Ended> {
        let signals = Self { graceful: Arc::default(), first: Arc::default() };
        let (graceful, first) = (Arc::clone(&signals.graceful), Arc::clone(&signals.first));
        // The handlers are installed here, not when the task first runs.
        let mut incoming = runtime.block_on(async { Incoming::install() })?;
        runtime.spawn(async move {
            let mut count = 0;
            loop {
                incoming.next().await;
                count += 1;
                if count > 1 || !graceful.load(Ordering::SeqCst) {
                    eprintln!(
                        "gridtally: stopped at once; the ledger is whole up to its last block"
                    );
                    std::process::exit(130);
                }
                first.notify_one();
            }
        });
        Ok(signals)
    }
}

/// Ctrl-C, and a termination signal where there is one.
#[cfg(unix)]
struct Incoming {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Incoming {
    fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Incoming;

#[cfg(not(unix))]
impl Incoming {
    fn install() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
