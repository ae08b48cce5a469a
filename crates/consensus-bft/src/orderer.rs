//! The orderer of a node: the engine on the operating system's clock, disks and sockets.
//!
//! Connections between validators are authenticated and encrypted with the validators' own keys; who
//! is not a validator of the ledger is not let in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commonware_cryptography::ChaCha20Poly1305;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey as EngineKey};
use commonware_p2p::authenticated::lookup;
use commonware_p2p::{Address, AddressableManager, AddressableTrackedPeers, TrackedPeers};
use commonware_runtime::{Metrics as _, Runner as _, Supervisor, tokio as runtime_tokio};
use commonware_stream::cups::{self, Cups};
use commonware_stream::sake::{self, Sake};
use commonware_utils::NZUsize;
use commonware_utils::ordered::{Map, Set};
use node::{NodeError, Orderer, Ordering};
use primitives::key::{PublicKey, SigningKey};

use crate::engine::{CHANNELS, Config, EPOCH_BLOCKS, Network, Pace, max_message_size, quota, run};
use crate::membership::{engine_key, engine_signer};

/// Threads of the engine and its network.
const WORKERS: usize = 2;
/// Clocks of two peers may differ by so much when they connect.
const SYNCHRONY: Duration = Duration::from_secs(5);
/// The wait before a peer is dialled again.
const REDIAL: Duration = Duration::from_millis(250);

/// Another validator, and where it listens. Text: `ed25519:HEX@ADDRESS:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub key: PublicKey,
    /// Where it listens for other validators.
    pub address: SocketAddr,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = "wanted is ed25519:HEX@ADDRESS:PORT";
        let (key, address) = text.split_once('@').ok_or(wanted)?;
        let key = key.parse().map_err(|error| format!("{wanted}: {error}"))?;
        let address = address.parse().map_err(|error| format!("{wanted}: {error}"))?;
        Ok(Self { key, address })
    }
}

type Count = Box<dyn Fn() -> usize + Send>;

/// Counts the peers that are connected; 0 while nobody orders.
#[derive(Clone, Default)]
pub struct Connected(Arc<Mutex<Option<Count>>>);

impl Connected {
    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.source().as_ref().map_or(0, |count| count())
    }

    fn source(&self) -> MutexGuard<'_, Option<Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Orders together with other validators.
pub struct Bft {
    key: SigningKey,
    listen: SocketAddr,
    peers: Vec<Peer>,
    directory: PathBuf,
    connected: Connected,
}

impl Bft {
    /// An orderer that votes with `key`, listens for other validators, and keeps its journal and its
    /// archives in `directory`.
    #[must_use]
    pub fn new(key: SigningKey, listen: SocketAddr, peers: Vec<Peer>, directory: PathBuf) -> Self {
        Self { key, listen, peers, directory, connected: Connected::default() }
    }

    /// Counts the connected peers while this orders.
    #[must_use]
    pub fn connected(&self) -> Connected {
        self.connected.clone()
    }
}

impl Orderer for Bft {
    fn run(&mut self, ordering: &Ordering) -> Result<(), NodeError> {
        let validators = ordering.ledger.rules().genesis().validators.len();
        warn_of_faults(validators);
        let runner = runtime_tokio::Runner::new(
            runtime_tokio::Config::new()
                .with_storage_directory(&self.directory)
                .with_worker_threads(WORKERS)
                .with_tcp_nodelay(Some(true)),
        );
        let Self { key, listen, peers, .. } = self;
        let (key, listen, connected) = (key.clone(), *listen, self.connected.clone());
        let book = book(&key, listen, peers)?;
        let ordering = ordering.clone();
        let namespace =
            [b"gridtally/network/v1/", &ordering.ledger.rules().ledger_id().as_bytes()[..]]
                .concat();
        runner.start(|context| async move {
            let mut config = lookup::Config::local(
                handshake(&key),
                &namespace,
                listen,
                NonZeroUsize::new(validators).expect("a ledger has a validator"),
                max_message_size(validators as u32),
                NZUsize!(1024),
            );
            config.peer_connection_cooldown = REDIAL;
            let (mut network, mut oracle) = lookup::Network::new(context.child("network"), config);
            let channels: [_; CHANNELS as usize] =
                std::array::from_fn(|channel| network.register(channel as u64, quota()));
            network.start();
            let metrics = context.child("status");
            *connected.source() = Some(Box::new(move || connections(&metrics.encode())));
            let (blocker, provider) = (oracle.clone(), oracle.clone());
            let track = move |epoch: u64, peers: TrackedPeers<EngineKey>| {
                let addressed = |set: Set<EngineKey>| -> Map<EngineKey, Address> {
                    let known = set.into_iter().filter_map(|key| {
                        let address = book.get(&key)?.clone();
                        Some((key, address))
                    });
                    Map::from_iter_dedup(known)
                };
                let tracked = AddressableTrackedPeers::new(
                    addressed(peers.primary),
                    addressed(peers.secondary),
                );
                // When the network is gone the engine ends by itself.
                let _ = oracle.track(epoch, tracked);
            };
            let config = Config {
                key,
                prefix: "ledger".to_owned(),
                epoch_blocks: EPOCH_BLOCKS,
                pace: Pace::default(),
            };
            let network = Network { blocker, peers: provider, track, channels };
            let runtime = context.child("node");
            let result = run(runtime, ordering, config, network, |application| application).await;
            // The runtime must not outlive its runner.
            *connected.source() = None;
            result
        })
    }

    fn name(&self) -> &'static str {
        "bft"
    }
}

/// How two nodes prove to each other who they are, and agree on the key of their connection.
fn handshake(key: &SigningKey) -> Cups<Sake<PrivateKey>, ChaCha20Poly1305> {
    let sake = Sake {
        signer: engine_signer(key),
        synchrony_bound: SYNCHRONY,
        max_handshake_age: 2 * SYNCHRONY,
        version: sake::Version::V1,
    };
    Cups::new(sake, cups::Version::V1)
}

/// The connections in the engine's metrics: one line for each connected peer.
fn connections(metrics: &str) -> usize {
    let is_connection =
        |line: &&str| line.split_once('{').is_some_and(|(name, _)| name.ends_with("_connected"));
    metrics.lines().filter(is_connection).count()
}

/// Where everybody listens, ourselves included.
fn book(
    key: &SigningKey,
    listen: SocketAddr,
    peers: &[Peer],
) -> Result<BTreeMap<EngineKey, Address>, NodeError> {
    let own = engine_key(&key.public()).expect("a signing key's public key is a point");
    let mut book: BTreeMap<EngineKey, Address> = BTreeMap::from([(own, listen.into())]);
    for peer in peers {
        let known = engine_key(&peer.key).ok_or_else(|| {
            NodeError::Engine(format!("{} is not a point of the curve", peer.key))
        })?;
        book.insert(known, peer.address.into());
    }
    Ok(book)
}

/// Rule: of n validators ⌊(n − 1) / 3⌋ may fail; with two or three nobody may.
fn warn_of_faults(validators: usize) {
    let tolerated = validators.saturating_sub(1) / 3;
    if tolerated == 0 {
        tracing::warn!(
            validators,
            "this set of validators tolerates no fault: the ledger stops whenever one of them is \
             away; four are needed to go on without one"
        );
    } else {
        tracing::info!(validators, tolerated, "validators, and how many of them may fail");
    }
}
