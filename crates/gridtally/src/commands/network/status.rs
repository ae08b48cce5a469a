//! `gridtally network status`: what every node of a network says of itself.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use client::connection::Connection;
use serde_json::{Value, json};

use super::folder::{Folder, LedgerEntry, NetworkFile, NodeEntry};
use super::further;
use super::organisations::tolerated_faults;
use super::process::Process;
use crate::cli::Global;
use crate::commands::connect::field_u64;
use crate::exit::{Ended, Exit};
use crate::output;

/// A node that does not answer within this time counts as down.
const PATIENCE: Duration = Duration::from_secs(3);

/// What every node of a network says of itself.
///
/// Height and state root, connected peers, epoch and view (round), the mean time of a block, what
/// waits in the mempool, and the newest block that carries the validator's signature; then the further
/// ledgers with the nodes of their members. The exit code is 1 when a node is down or does not serve
/// one of its ledgers.
#[derive(Debug, Args)]
pub struct Status {
    /// The network's directory.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

impl Status {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let folder = Folder::to_read(&self.dir)?;
        let network = folder.founded_network()?;
        let asked: Vec<Asked> = std::thread::scope(|scope| {
            let folder = &folder;
            let ask = |node| scope.spawn(move || Asked::new(folder, node));
            let threads: Vec<_> = network.nodes.iter().map(ask).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        let further = further_ledgers(&folder, &network)?;
        let down = asked.iter().filter(|node| node.answer.is_err()).count();
        let is_away = |member: &FurtherMember| member.answer.is_err();
        let whole = down == 0 && !further.iter().any(|(_, members)| members.iter().any(is_away));
        if global.json {
            let mut document = document(&network, &asked);
            document["ledgers"] = further.iter().map(further_document).collect();
            output::json(&document)?;
        } else {
            print(&network, &asked, down)?;
            further.iter().try_for_each(print_further)?;
        }
        Ok(if whole { Exit::Success } else { Exit::Failure })
    }
}

/// A node and what it answered.
struct Asked {
    node: NodeEntry,
    pid: Option<u32>,
    answer: Result<Value, String>,
}

impl Asked {
    fn new(folder: &Folder, node: &NodeEntry) -> Self {
        let pid = Process::of(folder, &node.name).map(|process| process.pid);
        let answer = Connection::with_timeout(&node.url(), PATIENCE)
            .and_then(|connection| connection.get_json("/v1/network"))
            .map_err(|error| error.to_string());
        Self { node: node.clone(), pid, answer }
    }

    /// A field of the answer; null when the node is down.
    fn field(&self, name: &str) -> Value {
        self.answer.as_ref().map_or(Value::Null, |answer| answer[name].clone())
    }
}

/// A member of a further ledger, and what its node says of it.
struct FurtherMember {
    name: String,
    url: String,
    answer: Result<Value, String>,
}

type Further<'a> = (&'a LedgerEntry, Vec<FurtherMember>);

/// The further ledgers as the nodes of their members tell of them, in sessions of the nodes' own keys.
fn further_ledgers<'a>(
    folder: &Folder,
    network: &'a NetworkFile,
) -> Result<Vec<Further<'a>>, Ended> {
    let mut ledgers = Vec::with_capacity(network.ledgers.len());
    for ledger in &network.ledgers {
        let mut members = Vec::with_capacity(ledger.nodes.len());
        for node in ledger.nodes.iter().filter_map(|seat| network.node(&seat.name)) {
            let entered = further::enter(folder, node, ledger, PATIENCE)?;
            let answer = entered.and_then(|connection| connection.get_json("/v1/network"));
            members.push(FurtherMember {
                name: node.name.clone(),
                url: further::url(node, &ledger.name),
                answer: answer.map_err(|error| error.to_string()),
            });
        }
        ledgers.push((ledger, members));
    }
    Ok(ledgers)
}

fn further_document((ledger, members): &Further<'_>) -> Value {
    let members = members.iter().map(|member| {
        let field = |name: &str| member.answer.as_ref().map_or(Value::Null, |it| it[name].clone());
        json!({
            "name": member.name,
            "url": member.url,
            "answers": member.answer.is_ok(),
            "problem": member.answer.as_ref().err(),
            "height": field("height"),
            "state_root": field("state_root"),
            "peers": field("peers"),
            "role": field("role"),
        })
    });
    json!({
        "name": ledger.name,
        "ledger_id": ledger.ledger_id,
        "tolerated_faults": tolerated_faults(ledger.nodes.len()),
        "members": members.collect::<Vec<_>>(),
    })
}

fn print_further((ledger, members): &Further<'_>) -> Result<(), Ended> {
    output::line(&format!("\nledger {} {}", ledger.name, ledger.ledger_id))?;
    let mut table = output::table(&["member", "role", "API", "height", "state root", "peers"], 3);
    for FurtherMember { name, url, answer } in members {
        let field = |field: &str| match answer.as_ref().map(|answer| &answer[field]) {
            Ok(Value::String(text)) => text.clone(),
            Ok(other) => other.to_string(),
            Err(_) => String::new(),
        };
        let role = if answer.is_ok() { field("role") } else { "down".to_owned() };
        let root: String = field("state_root").chars().take(12).collect();
        table.add_row([name.clone(), role, url.clone(), field("height"), root, field("peers")]);
    }
    output::line(&table.to_string())?;
    for FurtherMember { name, answer, .. } in members {
        if let Err(problem) = answer {
            output::line(&format!("{name} does not serve {}: {problem}", ledger.name))?;
        }
    }
    Ok(())
}

/// The newest block with the signature of a validator that any of the nodes knows.
fn last_signed(asked: &[Asked], key: &str) -> Option<u64> {
    let validators = asked.iter().filter_map(|node| node.answer.as_ref().ok());
    let entries = validators.filter_map(|answer| answer["validators"].as_array()).flatten();
    let own = entries.filter(|entry| entry["validator"] == key);
    own.filter_map(|entry| field_u64(entry, "last_signed")).max()
}

/// How many validators there are, as one of the nodes says; else every node counts as one.
fn validators(network: &NetworkFile, asked: &[Asked]) -> usize {
    let said = asked.iter().find_map(|it| Some(it.field("validators").as_array()?.len()));
    said.unwrap_or(network.nodes.len())
}

fn document(network: &NetworkFile, asked: &[Asked]) -> Value {
    let nodes = asked.iter().map(|it| {
        json!({
            "name": it.node.name,
            "answers": it.answer.is_ok(),
            "problem": it.answer.as_ref().err(),
            "height": it.field("height"),
            "state_root": it.field("state_root"),
            "peers": it.field("peers"),
            "role": it.field("role"),
            "abstains": it.field("abstains"),
            "api": it.node.url(),
            "pid": it.pid,
            "epoch": it.field("epoch"),
            "view": it.field("view"),
            "block_ms": it.field("block_ms"),
            "mempool": it.field("mempool"),
            "key": it.node.key,
            "last_signed": last_signed(asked, &it.node.key).map(|height| height.to_string()),
        })
    });
    json!({
        "ledger_id": network.ledger_id,
        "tolerated_faults": tolerated_faults(validators(network, asked)),
        "nodes": nodes.collect::<Vec<_>>(),
    })
}

fn print(network: &NetworkFile, asked: &[Asked], down: usize) -> Result<(), Ended> {
    let all = network.nodes.len();
    output::line(&format!(
        "ledger {}, {} of {all} nodes answer, {} may fail",
        network.ledger_id,
        all - down,
        tolerated_faults(validators(network, asked))
    ))?;
    let head = [
        "organisation",
        "role",
        "API",
        "process",
        "height",
        "state root",
        "peers",
        "epoch/view",
        "block ms",
        "mempool",
        "signed",
    ];
    let mut table = output::table(&head, 3);
    let text = |value: Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    for it in asked {
        let signed = last_signed(asked, &it.node.key).map_or_else(String::new, |it| it.to_string());
        let root: String = text(it.field("state_root")).chars().take(12).collect();
        let round = match &it.answer {
            Ok(_) => format!("{}/{}", text(it.field("epoch")), text(it.field("view"))),
            Err(_) => String::new(),
        };
        let role = match &it.answer {
            Ok(_) if it.field("abstains") == true => "abstains".to_owned(),
            Ok(_) => text(it.field("role")),
            Err(_) => "down".to_owned(),
        };
        table.add_row([
            it.node.name.clone(),
            role,
            it.node.url(),
            it.pid.map_or_else(String::new, |pid| pid.to_string()),
            text(it.field("height")),
            root,
            text(it.field("peers")),
            round,
            text(it.field("block_ms")),
            text(it.field("mempool")),
            signed,
        ]);
    }
    output::line(&table.to_string())?;
    for it in asked {
        if let Err(problem) = &it.answer {
            output::line(&format!("{} is down: {problem}", it.node.name))?;
        }
    }
    Ok(())
}
