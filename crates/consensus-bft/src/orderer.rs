//! The orderer of a node: the engine on the operating system's clock, disks and sockets.
//!
//! Connections between nodes are authenticated and encrypted with the nodes' own keys. Validators,
//! the nodes that the ledger knows and those that this node was told of are let in, nobody else.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_p2p::authenticated::lookup;
use commonware_p2p::{Address, AddressableManager, AddressableTrackedPeers, Ingress, TrackedPeers};
use commonware_runtime::{Metrics as _, Quota, Runner as _, Supervisor, tokio as runtime_tokio};
use commonware_utils::ordered::{Map, Set};
use commonware_utils::{Hostname, NZU32, NZUsize};
use ledger::block::MAX_TRANSACTIONS;
use ledger::{Ledger, LedgerError};
use node::{NodeError, Orderer, Ordering, Patience};
use primitives::header::ValidatorSet;
use primitives::key::{PublicKey, SigningKey};

use crate::abstention::{Abstains, Told};
use crate::archive::Retention;
use crate::connected::{Connected, connections};
use crate::engine::{CHANNELS, Config, Network, Pace, max_message_size, quota, run};
use crate::handshake::Handshake;
use crate::membership::engine_key;

/// Threads of the engine and its network.
const WORKERS: usize = 2;
/// A block costs every validator messages and syncs, and signatures cost less together, at every one
/// of them: what many clients send at the same time goes into one block.
const PATIENCE: Patience = Patience { pause: Duration::from_millis(30), round: MAX_TRANSACTIONS };
/// Peers that a node has room for however few it knows; each one reserves six megabytes.
const LEAST_PEERS: NonZeroUsize = NZUsize!(12);
/// The wait between two attempts to reach peers that are not connected, at least; they take turns.
const DIAL: Duration = Duration::from_millis(100);
/// After an attempt, ours or the peer's, no other is let in for this time: well below [`DIAL`].
const COOLDOWN: Duration = Duration::from_millis(10);
/// An attempt keeps the peer's own out while it lasts.
const DIAL_TIMEOUT: Duration = Duration::from_secs(3);
/// Handshakes of one address; all nodes of a network may stand on one machine.
const HANDSHAKES_PER_SECOND: NonZeroU32 = NZU32!(64);

/// Another node, and where it listens. Text: `ed25519:HEX@ADDRESS:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub key: PublicKey,
    /// Where it listens for other nodes.
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

/// Orders together with other validators, or follows them without a vote.
pub struct Bft {
    key: SigningKey,
    listen: SocketAddr,
    peers: Vec<Peer>,
    directory: PathBuf,
    connected: Connected,
    never_voted: bool,
    abstains: Abstains,
}

impl Bft {
    /// An orderer that votes with `key` whenever that is a validator's, listens for other nodes, and
    /// keeps its journal and its archives in `directory`. Where `peers` listen holds over what the
    /// ledger says.
    #[must_use]
    pub fn new(key: SigningKey, listen: SocketAddr, peers: Vec<Peer>, directory: PathBuf) -> Self {
        let (connected, abstains) = Default::default();
        Self { key, listen, peers, directory, connected, never_voted: false, abstains }
    }

    /// The operator says that this key has never voted anywhere: it may vote although the ledger came
    /// from a snapshot or a copy.
    #[must_use]
    pub fn never_voted(mut self, never_voted: bool) -> Self {
        self.never_voted = never_voted;
        self
    }

    /// Tells while this orders whether the key has a seat and does not vote.
    #[must_use]
    pub fn abstains(&self) -> Abstains {
        self.abstains.clone()
    }

    /// Counts the connected peers while this orders.
    #[must_use]
    pub fn connected(&self) -> Connected {
        self.connected.clone()
    }
}

impl Orderer for Bft {
    fn run(&mut self, ordering: &Ordering) -> Result<(), NodeError> {
        ordering.be_patient(PATIENCE);
        let ledger = Arc::clone(&ordering.ledger);
        let view = ledger.view();
        let validators = view.validators_at(view.height() + 1)?.current;
        warn_at_start(&validators, &self.key);
        let runner = runtime_tokio::Runner::new(
            runtime_tokio::Config::new()
                .with_storage_directory(&self.directory)
                .with_worker_threads(WORKERS)
                .with_tcp_nodelay(Some(true)),
        );
        let told = Told {
            is_fresh: is_empty(&self.directory),
            never_voted: self.never_voted,
            abstains: self.abstains.clone(),
        };
        let Self { key, listen, peers, .. } = self;
        let (key, listen, connected) = (key.clone(), *listen, self.connected.clone());
        let book = book(&key, listen, peers)?;
        let most = most_peers(&ledger, &book)?;
        let ordering = ordering.clone();
        let own = connected.clone();
        let ordered = panic::catch_unwind(AssertUnwindSafe(|| {
            let of_network = (listen, book, most);
            runner.start(|context| network(context, ordering, (key, told), of_network, own))
        }));
        // The runtime must not outlive its runner.
        connected.count_by(None);
        ordered.unwrap_or_else(|panic| Err(broken(&self.directory, &*panic)))
    }

    fn name(&self) -> &'static str {
        "bft"
    }
}

/// Connects to the others and orders with them.
async fn network(
    context: runtime_tokio::Context,
    ordering: Ordering,
    (key, told): (SigningKey, Told),
    (listen, book, most): (SocketAddr, BTreeMap<EngineKey, Address>, NonZeroUsize),
    connected: Connected,
) -> Result<(), NodeError> {
    let ledger = Arc::clone(&ordering.ledger);
    let namespace = [b"gridtally/network/v1/", &ledger.rules().ledger_id().as_bytes()[..]].concat();
    let known: Vec<_> = book.keys().cloned().collect();
    let handshake = Handshake::new(&key);
    let members = handshake.members();
    let mut config = lookup::Config::local(
        handshake,
        &namespace,
        listen,
        most,
        max_message_size(),
        NZUsize!(1024),
    );
    config.peer_connection_cooldown = COOLDOWN;
    config.dial_frequency = dial_every(&key.public());
    config.dial_timeout = DIAL_TIMEOUT;
    config.allowed_handshake_rate_per_ip = Quota::per_second(HANDSHAKES_PER_SECOND);
    // Its key says who a peer is; from where it calls says nothing.
    config.bypass_ip_check = true;
    let (mut network, mut oracle) = lookup::Network::new(context.child("network"), config);
    let channels: [_; CHANNELS as usize] =
        std::array::from_fn(|channel| network.register(channel as u64, quota()));
    network.start();
    let metrics = context.child("status");
    connected.count_by(Some(Box::new(move || connections(&metrics.encode()))));
    let (blocker, provider) = (oracle.clone(), oracle.clone());
    let track = move |from: u64, peers: TrackedPeers<EngineKey>| {
        let tracked = match directory(&ledger) {
            Ok(known) => with_addresses(peers, &book, &known, most.get()),
            Err(error) => {
                // The engine meets the same failure and ends for it.
                tracing::error!(%error, "the addresses of the peers cannot be read");
                return;
            }
        };
        members.add(tracked.primary.keys().iter().chain(tracked.secondary.keys().iter()));
        // When the network is gone the engine ends by itself.
        let _ = oracle.track(from, tracked);
    };
    let (prefix, pace) = ("ledger".to_owned(), Pace::default());
    let retention = Retention::default();
    let config = Config { key, peers: known, prefix, pace, retention, told, connected };
    let network = Network { blocker, peers: provider, track, channels };
    run(context.child("node"), ordering, config, network, |application| application).await
}

/// Two that dial each other at the same moment turn each other away. So that they do not meet again and
/// again, no two nodes dial equally often.
fn dial_every(key: &PublicKey) -> Duration {
    let [first, second, ..] = key.bytes;
    DIAL + Duration::from_micros(u16::from_be_bytes([first, second]).into())
}

/// Does nothing stand in the engine's directory? What this key voted for stands there alone.
fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).map_or(true, |mut entries| entries.next().is_none())
}

/// Why the engine broke off. It panics when its journal cannot be written, and a node that may have
/// lost a vote must not go on. Whether it was the disk is found out by writing to it.
fn broken(directory: &Path, panic: &(dyn Any + Send)) -> NodeError {
    let probe = directory.join("write-probe");
    let written = File::create(&probe).and_then(|mut file| {
        file.write_all(&[0x55; 64 * 1024])?;
        file.sync_all()
    });
    // What cannot be removed is small and says nothing.
    let _ = std::fs::remove_file(&probe);
    if let Err(source) = written {
        return NodeError::Disk { directory: directory.to_owned(), source };
    }
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    NodeError::Engine(said.unwrap_or("it broke off").to_owned())
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

/// Peers at a time, which bounds the memory of the network: those that are known now, and room for as
/// many again.
fn most_peers(
    ledger: &Ledger,
    told: &BTreeMap<EngineKey, Address>,
) -> Result<NonZeroUsize, NodeError> {
    let view = ledger.view();
    let validators = view.validators_at(view.height() + 1)?;
    let seats = [&validators.current, &validators.next];
    let mut known: BTreeSet<EngineKey> =
        seats.into_iter().flat_map(|set| set.keys()).filter_map(engine_key).collect();
    known.extend(directory(ledger)?.into_keys());
    known.extend(told.keys().cloned());
    Ok(LEAST_PEERS.max(NonZeroUsize::MIN.saturating_add(2 * known.len())))
}

/// Where the nodes on the ledger say that they listen.
fn directory(ledger: &Ledger) -> Result<BTreeMap<EngineKey, Address>, LedgerError> {
    let nodes = ledger.view().read(|state| state.nodes())?;
    let known = nodes.iter().filter_map(|node| {
        Some((engine_key(&node.key)?, address(node.peer_address.as_str()).unwrap_or(NOWHERE)))
    });
    Ok(known.collect())
}

/// `host:port`, where the host is a name or an IP address.
fn address(text: &str) -> Option<Address> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.into());
    }
    let (host, port) = text.rsplit_once(':')?;
    let ingress = Ingress::Dns { host: Hostname::new(host).ok()?, port: port.parse().ok()? };
    Some(Address::Asymmetric { ingress, egress: UNSPECIFIED })
}

const UNSPECIFIED: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// Of a peer that only calls others; a call to port 0 fails at once.
const NOWHERE: Address = Address::Symmetric(UNSPECIFIED);

/// The peers with their addresses, and room for ourselves. What goes beyond `most` is left out,
/// validators last.
fn with_addresses(
    peers: TrackedPeers<EngineKey>,
    book: &BTreeMap<EngineKey, Address>,
    known: &BTreeMap<EngineKey, Address>,
    most: usize,
) -> AddressableTrackedPeers<EngineKey> {
    let TrackedPeers { primary, secondary } = peers;
    let primary = Set::from_iter_dedup(primary.into_iter().take(most - 1));
    let room = most - 1 - primary.len();
    let others = secondary.iter().filter(|key| primary.position(key).is_none());
    if others.clone().count() > room {
        tracing::warn!(most, "more peers than there is room for: start this node again");
    }
    let others = Set::from_iter_dedup(others.take(room).cloned());
    let addressed = |set: Set<EngineKey>| -> Map<EngineKey, Address> {
        Map::from_iter_dedup(set.into_iter().map(|key| {
            let address = book.get(&key).or_else(|| known.get(&key)).cloned();
            (key, address.unwrap_or(NOWHERE))
        }))
    };
    AddressableTrackedPeers::new(addressed(primary), addressed(others))
}

/// Rule: of n validators ⌊(n − 1) / 3⌋ may fail; with two or three nobody may.
fn warn_at_start(set: &ValidatorSet, key: &SigningKey) {
    if !set.contains(&key.public()) {
        tracing::warn!(
            "this node's key has no seat: it follows without a vote, and the others let it in as soon \
             as it is registered"
        );
    }
    let validators = set.len();
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
