//! `gridtally node`: run the node of a directory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use consensus_bft::Peer;
use contracts::genesis::DEFAULT_EPOCH_BLOCKS;
use serde::Deserialize;
use serde_json::json;

use super::init::{ClockKind, Founding, found};
use super::keep::{HistoryConfig, KeepArgs};
use super::keys::{Passphrase, Protect, Unlocker};
use crate::cli::Global;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;
use crate::serve::{FurtherLedgers, LedgerParts, NetworkConfig, Serve};

/// Where a node listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:7410";

/// Run the node of a directory with its API.
///
/// An empty directory is founded first, with a plain owner key, so that a first trial needs one
/// command; use `gridtally init` for a ledger that is meant to stay. The configuration is read from
/// DIR/gridtally.toml, then the environment, then these flags; the later wins.
///
/// To join a ledger of others, put its genesis.json and a new key as node.key into DIR, let an
/// organisation register the key (`gridtally submit register-node`), and name one of the others with
/// --peer. They let the node in with their next epoch.
///
/// Further ledgers in DIR/ledgers are served by the same process; see `gridtally ledger`. One that is
/// put in place while the node runs is found within a second. When one ends by itself, the others go
/// on: the log names it, /healthz answers 503, and the exit code at the end is the failure's.
#[derive(Debug, Args)]
pub struct NodeCommand {
    /// The node's directory.
    #[arg(long, value_name = "DIR", env = "GRIDTALLY_DIR")]
    dir: PathBuf,
    /// Where the API listens [default: 127.0.0.1:7410]. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", env = "GRIDTALLY_LISTEN")]
    listen: Option<SocketAddr>,
    /// Listen on other addresses than loopback: a proxy in front speaks TLS.
    #[arg(long, env = "GRIDTALLY_BEHIND_PROXY")]
    behind_proxy: bool,
    /// A further name under which clients reach the API, as `host` or `host:port`: sessions are
    /// bound to it. Repeat it for several.
    #[arg(long, value_name = "HOST", env = "GRIDTALLY_HOSTS", value_delimiter = ',')]
    host: Vec<String>,
    /// How this node meets the others.
    #[command(flatten)]
    network: NetworkArgs,
    /// Which old blocks stay whole; all of them unless told otherwise.
    #[command(flatten)]
    keep: KeepArgs,
    /// How the node's key is unlocked.
    #[command(flatten)]
    passphrase: Passphrase,
    /// Milliseconds added to the clock; only on test networks.
    #[arg(long, value_name = "MS", hide = true, default_value_t = 0, allow_hyphen_values = true)]
    clock_offset: i64,
}

/// What DIR/gridtally.toml may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    listen: Option<SocketAddr>,
    behind_proxy: Option<bool>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    network: NetworkConfig,
    #[serde(default)]
    pub(super) history: HistoryConfig,
}

/// How a node meets the others.
#[derive(Debug, Args)]
struct NetworkArgs {
    /// Where this node listens for the others: for a ledger with several validators, or one that is
    /// to have them. A node whose key has no seat follows and serves without a vote.
    #[arg(long, value_name = "ADDRESS", env = "GRIDTALLY_PEER_LISTEN")]
    peer_listen: Option<SocketAddr>,
    /// Another node, as `ed25519:HEX@ADDRESS:PORT`. Repeat it for each; of the others the ledger says
    /// where they listen.
    #[arg(long, value_name = "PEER", env = "GRIDTALLY_PEERS", value_delimiter = ',')]
    peer: Vec<Peer>,
    /// This node's key has surely never voted anywhere. On a ledger that came from a snapshot or a copy,
    /// a key that has a seat votes only when this is said, or when the seat begins while the node looks
    /// on: a key that votes twice for one height does what a liar does.
    #[arg(long, env = "GRIDTALLY_KEY_NEVER_VOTED")]
    key_never_voted: bool,
}

impl NetworkArgs {
    /// Flags go before the file.
    fn over(self, file: NetworkConfig) -> NetworkConfig {
        let NetworkConfig { listen, peers, key_never_voted } = file;
        let told = |peer: &Peer| format!("{}@{}", peer.key, peer.address);
        NetworkConfig {
            listen: self.peer_listen.or(listen),
            peers: if self.peer.is_empty() { peers } else { self.peer.iter().map(told).collect() },
            key_never_voted: self.key_never_voted || key_never_voted,
        }
    }
}

impl Config {
    pub(super) fn read(directory: &Directory) -> Result<Self, Ended> {
        let path = directory.config_file();
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("{} is not a configuration", path.display()))
            .end_with(Exit::Usage)
    }
}

impl NodeCommand {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let directory = directory(&self.dir)?;
        let config = Config::read(&directory)?;
        let default = LISTEN.parse().expect("an address");
        let listen = self.listen.or(config.listen).unwrap_or(default);
        let behind_proxy = self.behind_proxy || config.behind_proxy.unwrap_or(false);
        if !listen.ip().is_loopback() && !behind_proxy {
            return Err(anyhow!(
                "{listen} can be reached from outside and the API speaks plain HTTP: listen on \
                 127.0.0.1, or put a proxy with TLS in front and give --behind-proxy"
            ))
            .end_with(Exit::Usage);
        }
        let keep = self.keep.or(config.history)?;
        let hosts = if self.host.is_empty() { config.hosts } else { self.host };
        let genesis = directory.genesis()?;
        let is_demo = genesis.demo;
        let ledger_id = genesis.ledger_id();
        let mut unlocker = Unlocker::new(self.passphrase);
        let key = unlocker.open(&directory.node_key_file())?;
        let network = self.network.over(config.network);
        let bft = network.orderer(&genesis, &key, &directory, ["--peer-listen", "--peer"])?;
        let running = Serve {
            ledger: LedgerParts {
                store: directory.open_store()?,
                genesis,
                key,
                open_reads: is_demo,
                read_model: Some(super::read_model::file(&directory)),
                checkpoints: Some(directory.checkpoints()),
                private: Some(directory.private()),
                keep,
                bft,
            },
            listen,
            clock_offset_ms: self.clock_offset,
            hosts,
            further: Some(FurtherLedgers::new(directory, ledger_id, unlocker)),
        }
        .start()?;
        running.stop_gracefully_from_now_on();
        let url = format!("http://{}", running.address);
        let further = running.further().into_iter().flat_map(FurtherLedgers::served);
        if global.json {
            let ledgers: Vec<_> = further
                .map(|(name, id)| json!({ "name": name, "ledger_id": id.to_string() }))
                .collect();
            output::json(&json!({
                "ledger_id": ledger_id.to_string(),
                "url": url,
                "ledgers": ledgers,
            }))?;
        } else {
            output::line(&format!("ledger {ledger_id}"))?;
            for (name, id) in further {
                output::line(&format!("further ledger {name} {id}"))?;
            }
            output::line(&format!("listening on {url}"))?;
        }
        running.until_stopped()?;
        Ok(Exit::Success)
    }
}

/// The directory; an empty one is founded.
fn directory(dir: &Path) -> Result<Directory, Ended> {
    let is_empty = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error.into()),
    };
    if !is_empty {
        return Directory::existing(dir);
    }
    let founding = Founding {
        name: None,
        zone: "Asia/Kolkata".to_owned(),
        slot_minutes: 15,
        currency: "INR".to_owned(),
        minor_unit_decimals: 2,
        clock: ClockKind::System,
        begin: None,
        owner: Vec::new(),
        owner_threshold: 1,
        validator: Vec::new(),
        epoch_blocks: DEFAULT_EPOCH_BLOCKS,
        private: false,
    };
    let directory = found(dir, &founding, &Protect::plain())?;
    eprintln!(
        "gridtally: {} was empty: a new ledger was founded there, its owner's key is {}",
        dir.display(),
        directory.owner_key_file().display()
    );
    Ok(directory)
}
