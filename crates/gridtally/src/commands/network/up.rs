//! `gridtally network up`: found a network and start its nodes.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use client::connection::Connection;
use serde_json::json;

use super::folder::{Folder, NetworkFile, NodeEntry};
use super::organisations::{Organisation, organisations, tolerated_faults};
use super::process::{LOOK, Process, stop, tail};
use super::{founding, further, registration};
use crate::cli::Global;
use crate::commands::init::{ClockKind, Founding};
use crate::commands::interrupt::Interrupt;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Blocks of an epoch. A vote acts after one to two of them: on a quiet network of one machine that is
/// some ten seconds, since blocks follow each other faster while a change waits. An epoch's end costs
/// little more than a block, so a busy network does not notice that there are three times as many.
pub const EPOCH_BLOCKS: u32 = 100;
/// Lines of a log that are shown when its node does not answer.
const TAIL: usize = 20;

/// Found a network and start its nodes, or start a stopped one again.
///
/// Makes keys, one genesis and a configuration for each organisation, starts their nodes, registers
/// organisations, stations, households and meters, and returns when every node answers. The keys in
/// DIR/keys are plain files: this is for trials and tests.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridtally network up --dir net --households 40\n  \
    gridtally network status --dir net\n  gridtally network down --dir net")]
pub struct Up {
    /// The network's directory.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The organisations; each one runs a validator. Names that begin with `grid`, `dist` or
    /// `regulator` say what they are; else the first is the grid operator, the last the regulator, and
    /// the rest are distributors.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "grid,dist-a,dist-b,regulator"
    )]
    orgs: Vec<String>,
    /// Households with a key, a usage point and a meter each; they are clients and run no node.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    households: u32,
    /// Name of the network.
    #[arg(long, default_value = "Gridtally")]
    name: String,
    /// The grid's time zone, by its IANA name.
    #[arg(long, value_name = "ZONE", default_value = "Asia/Kolkata")]
    zone: String,
    /// The currency's code.
    #[arg(long, value_name = "CODE", default_value = "INR")]
    currency: String,
    /// A private ledger: readings lie only on the nodes of those whom they are about. Households seal
    /// their days with `import readings` at the node of their distributor.
    #[arg(long)]
    private: bool,
    /// How long the nodes may take to answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

/// Nodes that this command started; unless they are kept they end with it.
struct Started<'a> {
    nodes: Vec<(&'a str, Process, Child)>,
    keep: bool,
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let processes: Vec<_> =
            self.nodes.iter().map(|(name, process, _)| (*name, process.clone())).collect();
        if let Err(error) = stop(&processes) {
            eprintln!("gridtally: {error}");
        }
        for (_, _, child) in &mut self.nodes {
            // Its end was waited for; this takes its exit code off the system's table.
            let _ = child.try_wait();
        }
    }
}

impl Up {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let until = Instant::now() + Duration::from_secs(self.timeout);
        let named = organisations(&self.orgs)?;
        // Before the first file, so that none is left half written without a word.
        let interrupt = Interrupt::listen_patiently()?;
        let folder = Folder::create(&self.dir)?;
        let mut network = match folder.network()? {
            Some(network) => network,
            None => founding::found(&folder, &named, self.households, &self.founding())?,
        };
        warn_of_faults(network.nodes.len());
        let nodes = network.nodes.clone();
        let mut started = Started { nodes: Vec::new(), keep: false };
        for node in &nodes {
            if Process::of(&folder, &node.name).is_none() {
                let (process, child) = Process::start(&folder, &node.name)?;
                started.nodes.push((&node.name, process, child));
            }
        }
        let answered = wait(&folder, &network, &interrupt, until)
            .and_then(|()| register(&folder, &mut network, &interrupt, until))
            .and_then(|()| further::all_answer(&folder, &network, &interrupt, until));
        if let Err(ended) = answered {
            drop(started);
            eprintln!(
                "gridtally: what was started is stopped again; go on with `gridtally network up \
                 --dir {0}`, or remove everything with `gridtally network down --dir {0}`",
                self.dir.display()
            );
            return Err(ended);
        }
        started.keep = true;
        let count = started.nodes.len();
        self.tell(&folder, &network, count, global)?;
        Ok(Exit::Success)
    }

    fn founding(&self) -> Founding {
        Founding {
            name: Some(self.name.clone()),
            zone: self.zone.clone(),
            slot_minutes: 15,
            currency: self.currency.clone(),
            minor_unit_decimals: 2,
            clock: ClockKind::System,
            begin: None,
            owner: Vec::new(),
            owner_threshold: 1,
            validator: Vec::new(),
            epoch_blocks: EPOCH_BLOCKS,
            private: self.private,
        }
    }

    fn tell(
        &self,
        folder: &Folder,
        network: &NetworkFile,
        started: usize,
        global: &Global,
    ) -> Result<(), Ended> {
        let pid = |name: &str| Process::of(folder, name).map(|process| process.pid);
        let roles = |node: &NodeEntry| {
            network.organisation(&node.name).map(Organisation::role_names).unwrap_or_default()
        };
        if global.json {
            let nodes = network.nodes.iter().map(|node| {
                json!({
                    "name": node.name,
                    "roles": roles(node),
                    "api": node.url(),
                    "peer": node.peer.to_string(),
                    "key": node.key,
                    "key_file": folder.key_file(&node.name).display().to_string(),
                    "log": folder.log(&node.name).display().to_string(),
                    "pid": pid(&node.name),
                })
            });
            return output::json(&json!({
                "ledger_id": network.ledger_id,
                "dir": folder.path().display().to_string(),
                "started": started,
                "tolerated_faults": tolerated_faults(network.nodes.len()),
                "households": network.households,
                "nodes": nodes.collect::<Vec<_>>(),
            }));
        }
        let all = network.nodes.len();
        output::line(&match started {
            0 => format!("ledger {}, which runs already", network.ledger_id),
            _ if started == all => format!("ledger {}, {all} nodes started", network.ledger_id),
            _ => format!("ledger {}, {started} of {all} nodes started", network.ledger_id),
        })?;
        let mut table = output::table(&["organisation", "is", "API", "process"], 3);
        for node in &network.nodes {
            let pid = pid(&node.name).map_or_else(String::new, |pid| pid.to_string());
            table.add_row([node.name.clone(), roles(node).join(", "), node.url(), pid]);
        }
        output::line(&table.to_string())?;
        let dir = self.dir.display();
        output::line(&format!(
            "keys    {dir}/keys (of the owner, the organisations and {} households)\nlook    \
             gridtally network status --dir {dir}\nstop    gridtally network down --dir {dir}",
            network.households
        ))
    }
}

fn warn_of_faults(validators: usize) {
    if tolerated_faults(validators) == 0 {
        eprintln!(
            "gridtally: {validators} validators tolerate no fault: the ledger stops whenever one of \
             them is away; four go on without one"
        );
    }
}

/// Waits until every node answers for this ledger.
fn wait(
    folder: &Folder,
    network: &NetworkFile,
    interrupt: &Interrupt,
    until: Instant,
) -> Result<(), Ended> {
    network.nodes.iter().try_for_each(|node| answers(folder, network, node, interrupt, until))
}

/// Waits until a node answers for this ledger.
///
/// # Errors
/// When its process ends, another ledger answers, or it takes too long; with the end of its log.
pub fn answers(
    folder: &Folder,
    network: &NetworkFile,
    node: &NodeEntry,
    interrupt: &Interrupt,
    until: Instant,
) -> Result<(), Ended> {
    loop {
        check(interrupt)?;
        if Process::of(folder, &node.name).is_none() {
            return Err(silent(folder, node, "its process ended"));
        }
        let connection = Connection::with_timeout(&node.url(), Duration::from_secs(1));
        match connection.and_then(|connection| connection.status()) {
            Ok(status) if status.ledger_id.to_string() == network.ledger_id => return Ok(()),
            Ok(_) => return Err(silent(folder, node, "another ledger answers at its address")),
            Err(error) if Instant::now() > until => {
                return Err(silent(folder, node, &error.to_string()));
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

/// Ends the command when somebody asked for it.
///
/// # Errors
/// Then.
pub fn check(interrupt: &Interrupt) -> Result<(), Ended> {
    if interrupt.asked() {
        return Err(anyhow!("interrupted")).end_with(Exit::Failure);
    }
    Ok(())
}

/// What is said of a node that does not answer.
pub fn silent(folder: &Folder, node: &NodeEntry, why: &str) -> Ended {
    let path = folder.log(&node.name);
    let error = anyhow!(
        "the node of {} does not answer: {why}\nthe end of {}:\n{}",
        node.name,
        path.display(),
        tail(&path, TAIL)
    );
    Ended { exit: Exit::Failure, error }
}

/// Makes the organisations and households known to the ledger, unless that was done before.
fn register(
    folder: &Folder,
    network: &mut NetworkFile,
    interrupt: &Interrupt,
    until: Instant,
) -> Result<(), Ended> {
    if network.registered {
        return Ok(());
    }
    let first = network.nodes.first().context("a network has nodes")?;
    let genesis = Directory::existing(&folder.node(&first.name))?.genesis()?;
    for step in registration::steps(folder, genesis, &network.organisations, network)? {
        check(interrupt)?;
        registration::send(&first.url(), None, &step, until)?;
    }
    network.registered = true;
    folder.write(network)
}
