//! A further ledger of some of the organisations, on nodes that host both.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use client::connection::{Connection, ConnectionError, SubmitStatus};
use contracts::account::BuyTokens;
use data_encoding::HEXLOWER;
use primitives::codec::Text;
use primitives::envelope::Submission;
use primitives::identifier::LedgerId;
use primitives::units::{MicroCurrency, Timestamp};
use serde_json::Value;

use super::traffic::Traffic;
use super::{NAMES, TestNetwork, height};
use crate::process::{expect, json, run};

const PATIENCE: Duration = Duration::from_secs(60);
const MEMBERS: [&str; 3] = ["grid", "dist-a", "regulator"];

/// Waits until something holds.
#[track_caller]
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::new(u64::try_from(since.as_millis()).unwrap())
}

impl TestNetwork {
    fn create_ledger(&self, name: &str) -> Value {
        let members = MEMBERS.join(",");
        let create = ["network", "create-ledger", name, "--json", "--members", &members];
        json(&[&create[..], &["--dir", &self.dir()]].concat())
    }

    fn further_url(&self, node: &str, ledger: &str) -> String {
        format!("{}/ledgers/{ledger}", self.url(node))
    }

    /// A further ledger through a member's node, in a session of the member.
    fn further(&self, node: &str, ledger: &str) -> Connection {
        let connection = Connection::new(&self.further_url(node, ledger)).unwrap();
        connection.log_in(self.key(node)).unwrap();
        connection
    }

    /// A purchase on the further ledger: one distributor's, of the grid operator's tokens.
    fn purchase(&self, connection: &Connection, reference: &str) -> Submission {
        let aggregator = connection.party_of(&self.key("grid").public()).unwrap();
        let body = BuyTokens {
            aggregator,
            reference: Text::new(reference).unwrap(),
            coin_amount: MicroCurrency::new(1_000_000),
            tokens: MicroCurrency::new(2_000_000),
        };
        let mut signer = connection.signer(self.key("dist-a")).unwrap();
        let until = now().plus_milliseconds(600_000).unwrap();
        signer.submission(body, Vec::new(), &[&self.key("grid")], until).unwrap()
    }

    fn buy(&self, connection: &Connection, reference: &str) -> Submission {
        let purchase = self.purchase(connection, reference);
        let outcome = connection.submit(std::slice::from_ref(&purchase)).unwrap().remove(0);
        assert_eq!(outcome.status, SubmitStatus::Accepted, "{outcome:?}");
        purchase
    }

    /// Every member's node has a transaction, in the same block.
    fn is_final_at_the_members(&self, purchase: &Submission, ledger: &str) {
        let path = format!("/v1/transactions/{}", purchase.transaction.id());
        let mut heights = Vec::new();
        for member in MEMBERS {
            let node = self.further(member, ledger);
            wait_for("the transaction reaches every member", || node.get(&path).is_ok());
            heights.push(node.get_json(&path).unwrap()["height"].clone());
        }
        assert!(heights.iter().all(|height| *height == heights[0]), "{heights:?}");
    }

    /// The same block and state root at every member.
    fn members_agree(&self, ledger: &str) {
        let nodes: Vec<Connection> = MEMBERS.map(|name| self.further(name, ledger)).into();
        let heights = nodes.iter().map(|node| node.status().unwrap().height.get());
        let lowest = heights.min().unwrap();
        let header = |node: &Connection| {
            let block = node.get_json(&format!("/v1/blocks/{lowest}")).unwrap();
            (block["header"]["bytes"].clone(), block["header"]["executed"]["state_root"].clone())
        };
        let first = header(&nodes[0]);
        assert!(nodes.iter().all(|node| header(node) == first));
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

/// Ports of this machine, local and remote, with which a process has anything to do.
fn ports_of(process: u64) -> Vec<u16> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/fd")).unwrap().flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        let target = target.to_string_lossy().into_owned();
        if let Some(socket) = target.strip_prefix("socket:[") {
            sockets.push(socket.trim_end_matches(']').to_owned());
        }
    }
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap();
    let mut ports = Vec::new();
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if sockets.iter().any(|socket| socket == fields[9]) {
            for address in &fields[1..3] {
                let (_, port) = address.rsplit_once(':').unwrap();
                ports.push(u16::from_str_radix(port, 16).unwrap());
            }
        }
    }
    ports
}

fn peer_ports(created: &Value) -> Vec<u16> {
    let members = created["members"].as_array().unwrap();
    let port = |peer: &Value| peer["peer"].as_str().unwrap().rsplit_once(':').unwrap().1.parse();
    members.iter().map(|member| port(member).unwrap()).collect()
}

/// Nothing at the node of an organisation, nor in its log, names the ledger or holds anything of it.
fn holds_nothing(network: &TestNetwork, name: &str, traces: &[Vec<u8>]) {
    let mut all = files(&network.path(&format!("nodes/{name}")));
    assert!(all.len() > 5, "the node has files: {all:?}");
    all.push(network.path(&format!("logs/{name}.log")));
    for file in all {
        let Ok(bytes) = fs::read(&file) else { continue };
        for trace in traces {
            let found = bytes.windows(trace.len()).any(|window| window == trace.as_slice());
            assert!(!found, "{} holds {}", file.display(), String::from_utf8_lossy(trace));
        }
    }
}

#[test]
fn a_further_ledger_of_three_is_nothing_to_the_fourth() {
    let network = TestNetwork::up();
    let traffic = Traffic::start(&network);
    let created = network.create_ledger("north");
    assert_eq!((&created["name"], &created["tolerated_faults"]), (&"north".into(), &0.into()));
    assert_eq!(network.create_ledger("north")["ledger_id"], created["ledger_id"], "once is enough");
    let north = network.further("dist-a", "north");
    let purchase = network.buy(&north, "payment on the further ledger");
    network.is_final_at_the_members(&purchase, "north");
    traffic.flows_for(Duration::from_secs(2));

    // The fourth: its files, its log, its connections, its API.
    let id: LedgerId = created["ledger_id"].as_str().unwrap().parse().unwrap();
    let transaction = purchase.transaction.id();
    let traces = [
        id.as_bytes().to_vec(),
        HEXLOWER.encode(id.as_bytes()).into_bytes(),
        transaction.as_bytes().to_vec(),
        transaction.to_string().into_bytes(),
        b"payment on the further ledger".to_vec(),
        b"north".to_vec(),
    ];
    holds_nothing(&network, "dist-b", &traces);
    let grid = network.path("nodes/grid/ledgers/north/genesis.json");
    assert!(fs::read_to_string(grid).unwrap().contains(&HEXLOWER.encode(id.as_bytes())));
    let ports = peer_ports(&created);
    let used = |name: &str| ports_of(network.node(name)["pid"].as_u64().unwrap());
    assert!(ports.iter().all(|port| !used("dist-b").contains(port)));
    assert!(used("grid").contains(&ports[0]));
    for (node, key) in [("dist-b", "dist-b"), ("dist-b", "dist-a"), ("grid", "dist-b")] {
        let outside = Connection::new(&network.further_url(node, "north")).unwrap();
        let refused = outside.log_in(network.key(key)).unwrap_err();
        assert!(matches!(refused, ConnectionError::NotAdmitted { .. }), "{node} {key}: {refused}");
        let read = outside.status().unwrap_err();
        assert!(matches!(&read, ConnectionError::Problem(it) if it.status == 404), "{read}");
    }

    // Told of the genesis, its node is refused all the same, and serves nothing.
    let dir = network.path("nodes/dist-b").to_str().unwrap().to_owned();
    let genesis = created["genesis"].as_str().unwrap();
    let mut join = vec!["ledger", "join", "north", "--plain", "--json", "--dir", &dir];
    join.extend(["--genesis", genesis, "--peer-listen", "127.0.0.1:0"]);
    let members = created["members"].as_array().unwrap();
    let peers: Vec<String> = members
        .iter()
        .map(|it| format!("{}@{}", it["key"].as_str().unwrap(), it["peer"].as_str().unwrap()))
        .collect();
    peers.iter().for_each(|peer| join.extend(["--peer", peer]));
    let joined = json(&join);
    assert_eq!(joined["has_seat"], false);
    let key = joined["public_key"].as_str().unwrap();
    let log = || fs::read_to_string(network.path("logs/grid.log")).unwrap();
    let is_refused = |line: &str| line.contains("no member's") && line.contains(key);
    wait_for("the stranger is refused", || log().lines().any(is_refused));
    expect(0, &["ledger", "leave", "north", "--dir", &dir]);
    let traffic = traffic.stop();
    let urls = network.urls(&NAMES);
    network.agree(&urls, height(&urls[0]), PATIENCE);
    traffic.compare(&urls);
    let dir = network.dir();
    expect(0, &["network", "down", "--dir", &dir]);
    assert!(!fs::exists(&dir).unwrap());
}

#[test]
fn both_ledgers_outlive_a_kill_and_one_vouches_for_the_other() {
    let network = TestNetwork::up();
    network.create_ledger("north");
    let north = network.further("grid", "north");
    let purchase = network.buy(&north, "before the kill");
    // The ledger is bound into the signature: on the main one it is nothing.
    let main = Connection::new(&network.url("dist-a")).unwrap();
    let outcome = main.submit(std::slice::from_ref(&purchase)).unwrap().remove(0);
    assert_eq!((outcome.status, outcome.name.as_str()), (SubmitStatus::Malformed, "LedgerId"));

    let mut load = network.load("grid");
    load.step().unwrap();
    // Signed before, sent after: the client opens a session anew with the node that came back.
    let held = network.further("dist-a", "north");
    let signed = network.purchase(&held, "after the kill");
    network.kill("dist-a");
    load.step().expect("three of four go on with the main ledger");
    network.start();
    load.step().unwrap();
    let outcome = held.submit(std::slice::from_ref(&signed)).unwrap().remove(0);
    assert_eq!(outcome.status, SubmitStatus::Accepted, "{outcome:?}");
    network.is_final_at_the_members(&purchase, "north");
    network.is_final_at_the_members(&signed, "north");
    network.members_agree("north");
    let urls = network.urls(&NAMES);
    network.agree(&urls, height(&urls[0]), PATIENCE);
    load.compare(&urls[1]);
    let status = json(&["network", "status", "--json", "--dir", &network.dir()]);
    let members = status["ledgers"][0]["members"].as_array().unwrap();
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|it| it["answers"] == true && it["peers"] == 2), "{members:?}");

    // A final header of the further ledger, with its proof, is a transaction of the main one.
    let key = network.path("keys/regulator.key").to_str().unwrap().to_owned();
    let main_url = network.url("dist-b");
    let submit = |arguments: &[&str]| -> Value {
        let more = ["submit", "--json", "--node", &main_url, "--key", &key];
        let output = run(&[&more[..], arguments].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    };
    let genesis = network.path("nodes/regulator/ledgers/north/genesis.json");
    let admitted = submit(&["admit-ledger", "--other", genesis.to_str().unwrap()]);
    assert_eq!(admitted["status"], "accepted", "{admitted}");
    let head = network.further_url("regulator", "north");
    let notarised = submit(&["notarise-head", "--head", &head]);
    assert_eq!(notarised["status"], "accepted", "{notarised}");
    let ledgers = json(&["show", "ledgers", "--json", "--node", &main_url]);
    let newest = &ledgers["items"][0]["newest"];
    let told = newest["height"].as_str().unwrap();
    let block = north.get_json(&format!("/v1/blocks/{told}")).unwrap();
    assert_eq!(newest["header_hash"], block["hash"], "{newest} {block}");
}
