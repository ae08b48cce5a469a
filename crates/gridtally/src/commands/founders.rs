//! Fresh validators of a demonstration's ledger, each in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, anyhow};
use consensus_bft::{Bft, Peer};
use contracts::Genesis;
use serde_json::Value;
use simulator::demo_keys::DemoRole;
use simulator::plan::DayPlan;

use super::keys::write_key;
use super::network::free_ports;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};

/// Fresh nodes below a directory, validators of one ledger.
pub struct Founders<'a> {
    dir: PathBuf,
    plan: &'a DayPlan,
    genesis: Genesis,
    ports: Vec<u16>,
}

impl<'a> Founders<'a> {
    /// Validators of a ledger on which a plan is played.
    ///
    /// # Errors
    /// When the plan cannot be played, or there are not enough free ports.
    pub fn new(dir: PathBuf, plan: &'a DayPlan, nodes: u32) -> Result<Self, Ended> {
        let genesis = simulator::plan::genesis_among(plan, nodes).end_with(Exit::Usage)?;
        let ports = free_ports(nodes as usize, genesis.validators[0])?;
        Ok(Self { dir, plan, genesis, ports })
    }

    /// The genesis of all of them.
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Where the node at a place of the set lies: in the directory itself when it is the only one.
    pub fn path(&self, place: u32) -> PathBuf {
        match self.ports.len() {
            1 => self.dir.clone(),
            _ => self.dir.join(format!("node-{}", place + 1)),
        }
    }

    /// The orderer of the one at a place, for a node of this process; none when it is the only one.
    pub fn orderer(&self, place: u32, directory: &Directory) -> Option<Bft> {
        if self.ports.len() == 1 {
            return None;
        }
        let address = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let all = (0..).zip(self.genesis.validators.iter().zip(&self.ports));
        let others = all.filter(|(other, _)| *other != place);
        let peers = others.map(|(_, (key, port))| Peer { key: *key, address: address(*port) });
        let key = self.plan.keys().key(DemoRole::Validator, place);
        let listen = address(self.ports[place as usize]);
        Some(Bft::new(key, listen, peers.collect(), directory.consensus()))
    }

    /// Starts the one at a place in a process of its own.
    ///
    /// # Errors
    /// When its directory holds a ledger already, or it does not start.
    pub fn start(&self, place: u32) -> Result<NodeChild, Ended> {
        let mut arguments = Vec::new();
        let others = self.genesis.validators.iter().zip(&self.ports).zip(0..);
        for ((key, port), other) in others.filter(|_| self.ports.len() > 1) {
            let address = format!("127.0.0.1:{port}");
            if other == place {
                arguments.extend(["--peer-listen".to_owned(), address]);
            } else {
                arguments.extend(["--peer".to_owned(), format!("{key}@{address}")]);
            }
        }
        let directory = Directory::create(&self.path(place))?;
        let path = directory.path();
        if directory.genesis_file().exists() {
            return Err(anyhow!("{} holds a ledger already", path.display())).end_with(Exit::Usage);
        }
        let key = self.plan.keys().key(DemoRole::Validator, place);
        write_key(&directory.node_key_file(), &key, None)?;
        client::genesis_file::write(&directory.genesis_file(), &self.genesis)
            .map_err(anyhow::Error::from)?;
        NodeChild::start(path.to_owned(), &arguments)
    }
}

/// A node in a process of its own; it ends with the command.
pub struct NodeChild {
    child: Child,
    /// Where its API answers.
    pub url: String,
    /// Its directory.
    pub dir: PathBuf,
}

impl NodeChild {
    fn start(dir: PathBuf, arguments: &[String]) -> Result<Self, Ended> {
        let program = std::env::current_exe().context("this program's own path is not known")?;
        let mut child = Command::new(program)
            .args(["node", "--json", "--listen", "127.0.0.1:0", "--dir"])
            .arg(&dir)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the node cannot be started")?;
        let mut text = String::new();
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                let line = line?;
                text.push_str(&line);
                if line == "}" {
                    break;
                }
            }
        }
        let document: Value =
            serde_json::from_str(&text).context("the node ended before it listened")?;
        let url = document["url"].as_str().unwrap_or_default().to_owned();
        Ok(Self { child, url, dir })
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for NodeChild {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
