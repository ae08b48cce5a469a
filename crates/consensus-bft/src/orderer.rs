//! The orderer of a node: the engine on the operating system's clock, disks and sockets.
//!
//! Connections between validators are authenticated and encrypted with the validators' own keys; who
//! is not a validator of the ledger is not let in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use commonware_cryptography::ChaCha20Poly1305;
use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_p2p::authenticated::lookup;
use commonware_p2p::{Address, AddressableManager, AddressableTrackedPeers, TrackedPeers};
use commonware_runtime::{Runner as _, Supervisor, tokio as runtime_tokio};
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

/// Orders together with other validators.
pub struct Bft {
    key: SigningKey,
    listen: SocketAddr,
    peers: Vec<Peer>,
    directory: PathBuf,
}

impl Bft {
    /// An orderer that votes with `key`, listens for other validators, and keeps its journal and its
    /// archives in `directory`.
    #[must_use]
    pub const fn new(
        key: SigningKey,
        listen: SocketAddr,
        peers: Vec<Peer>,
        directory: PathBuf,
    ) -> Self {
        Self { key, listen, peers, directory }
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
        let (key, listen) = (key.clone(), *listen);
        let book = book(&key, listen, peers)?;
        let ordering = ordering.clone();
        let namespace =
            [b"gridtally/network/v1/", &ordering.ledger.rules().ledger_id().as_bytes()[..]]
                .concat();
        runner.start(|context| async move {
            let handshake = Cups::<_, ChaCha20Poly1305>::new(
                Sake {
                    signer: engine_signer(&key),
                    synchrony_bound: SYNCHRONY,
                    max_handshake_age: 2 * SYNCHRONY,
                    version: sake::Version::V1,
                },
                cups::Version::V1,
            );
            let mut config = lookup::Config::local(
                handshake,
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
            run(context.child("node"), ordering, config, network, |application| application).await
        })
    }

    fn name(&self) -> &'static str {
        "bft"
    }
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
