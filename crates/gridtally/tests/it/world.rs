//! A network on a virtual clock, founded by command lines as its people would do it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use client::connection::Connection;
use client::key_file::KeyFile;
use primitives::key::SigningKey;
use serde_json::Value;

use crate::process::{NodeProcess, expect, json, run};

/// A running node with a regulator, a network provider, a grid operator, two distributors and an
/// aggregator. What a test does beyond that goes through the same commands.
pub struct World {
    pub dir: tempfile::TempDir,
    pub node: NodeProcess,
}

impl World {
    /// Founds it at a moment of a virtual clock.
    pub fn found(begin: &str) -> Self {
        Self::found_with(begin, &[])
    }

    /// The same with further flags of `gridtally init`.
    pub fn found_with(begin: &str, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node");
        let path = path.to_str().unwrap();
        let init = ["init", "--plain", "--dir", path, "--clock", "virtual", "--begin", begin];
        expect(0, &[&init[..], more].concat());
        let node = NodeProcess::start(Path::new(path), &[]);
        let world = Self { dir, node };
        world.populate(&world.path("node"));
        world
    }

    /// A further ledger on the same node, with members of its own.
    pub fn beside(main: &Self, name: &str, begin: &str) -> Self {
        let directory = main.at("node");
        let create = ["ledger", "create", name, "--plain", "--dir", &directory];
        expect(0, &[&create[..], &["--clock", "virtual", "--begin", begin]].concat());
        let node = NodeProcess::elsewhere(format!("{}/ledgers/{name}", main.node.url));
        let world = Self { dir: tempfile::tempdir().unwrap(), node };
        let place = main.path(&format!("node/ledgers/{name}"));
        let owner = KeyFile::read(&place.join("owner.key")).unwrap().unlock(None).unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while Connection::new(&world.node.url).unwrap().enter(owner.clone()).is_err() {
            assert!(Instant::now() < until, "the node does not take it up");
            std::thread::sleep(Duration::from_millis(50));
        }
        world.populate(&place);
        world
    }

    /// The organisations of a fresh ledger, whose owner's and clock keeper's keys lie in a folder.
    fn populate(&self, keys: &Path) {
        let world = self;
        for name in ["owner", "clock-keeper"] {
            std::fs::copy(keys.join(format!("{name}.key")), world.key(name)).unwrap();
        }
        world.new_key("regulator");
        let regulator = world.key("regulator");
        let appoint = ["appoint-regulator", "--alias", "regulator", "--regulator-key", &regulator];
        world.submit("owner", &appoint);
        world.admit("network-provider", "network-provider");
        for (name, role) in [
            ("grid-operator", "grid-operator"),
            ("distributor-1", "distributor"),
            ("distributor-2", "distributor"),
            ("aggregator", "aggregator"),
        ] {
            world.admit(name, role);
        }
        let aggregator = world.party("aggregator");
        let limit = ["set-backing-limit", "--aggregator", &aggregator, "--limit", "100000000"];
        world.submit("regulator", &limit);
    }

    /// A file in the world's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same as text.
    pub fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a file; gives where it is.
    pub fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.at(name)
    }

    /// Where the key file of a name is.
    pub fn key(&self, name: &str) -> String {
        self.at(&format!("{name}.key"))
    }

    pub fn new_key(&self, name: &str) {
        expect(0, &["keys", "new", "--plain", &self.key(name)]);
    }

    pub fn signing_key(&self, name: &str) -> SigningKey {
        KeyFile::read(Path::new(&self.key(name))).unwrap().unlock(None).unwrap()
    }

    /// The party behind a name's key.
    pub fn party(&self, name: &str) -> String {
        let address = json(&["keys", "show", "--json", &self.key(name)])["address"].clone();
        let key = self.json(&["show", "key", address.as_str().unwrap()]);
        key["party"].as_str().unwrap().to_owned()
    }

    /// Registers a party under a key of its own name; gives its id.
    pub fn admit(&self, name: &str, role: &str) -> String {
        self.new_key(name);
        let (key, provider) = (self.key(name), self.key("network-provider"));
        let mut register = vec!["register-party", "--alias", name, "--role", role];
        register.extend(["--party-key", &key]);
        if name != "network-provider" {
            register.extend(["--cosigner", &provider]);
        }
        self.submit("regulator", &register)
    }

    /// A station of a distributor; gives its id.
    pub fn station(&self, label: &str, distributor: &str) -> String {
        let distributor = self.party(distributor);
        let register = ["register-station", "--label", label, "--distributor", &distributor];
        self.submit("grid-operator", &register)
    }

    /// A metered usage point, its meter under a key `meter-LABEL`; gives its id.
    pub fn usage_point(&self, label: &str, below: &Below<'_>, from: &str) -> String {
        let customer = self.party(below.customer);
        let mut register = vec!["register-usage-point", "--label", label];
        register.extend(["--station", below.station, "--customer", &customer]);
        register.extend(["--connection-limit-w", below.limit_w, "--kind", below.kind]);
        let id = self.submit(below.biller, &register);
        let meter = format!("meter-{label}");
        self.new_key(&meter);
        let key = self.key(&meter);
        let install = ["install-meter", "--usage-point", &id, "--meter-key", &key];
        self.submit(below.biller, &[&install[..], &["--from-period", from]].concat());
        id
    }

    /// Sends a transaction that must be accepted; gives the id of what it made, else its own.
    pub fn submit(&self, signer: &str, arguments: &[&str]) -> String {
        let answer = self.send(signer, arguments);
        assert_eq!(answer["status"], "accepted", "{arguments:?}: {answer}");
        let made = answer["created"]["id"].as_str().or(answer["transaction_id"].as_str());
        made.unwrap().to_owned()
    }

    /// Sends a transaction that a rule or its form must refuse, by this name.
    pub fn refused(&self, name: &str, signer: &str, arguments: &[&str]) {
        let answer = self.send(signer, arguments);
        assert_eq!(answer["name"], name, "{arguments:?}: {answer}");
        assert_ne!(answer["status"], "accepted", "{arguments:?}: {answer}");
    }

    /// Sends a transaction; gives what the node says of it.
    pub fn send(&self, signer: &str, arguments: &[&str]) -> Value {
        let key = self.key(signer);
        let mut all = vec!["submit", "--json", "--node", &self.node.url, "--key", &key];
        all.extend(arguments);
        let output = run(&all);
        let text = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {text}"))
    }

    /// Runs a command against the node; gives its document.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let owner = self.key("owner");
        // A further ledger answers to nobody else.
        let is_asked = self.node.url.contains("/ledgers/") && !arguments.contains(&"--key");
        let key = if is_asked { vec!["--key", owner.as_str()] } else { Vec::new() };
        json(&[arguments, &["--json", "--node", &self.node.url], &key].concat())
    }

    /// The same with the rights of a key.
    pub fn as_party(&self, name: &str, arguments: &[&str]) -> Value {
        let key = self.key(name);
        self.json(&[arguments, &["--key", &key]].concat())
    }

    /// A connection that reads with the rights of a key.
    pub fn connection(&self, name: &str) -> Connection {
        let connection = Connection::new(&self.node.url).unwrap();
        connection.log_in(self.signing_key(name)).unwrap();
        connection
    }

    /// Moves the clock.
    pub fn advance(&self, to: &str) {
        self.submit("clock-keeper", &["advance-clock", "--to", to]);
    }

    /// A party buys tokens, to the minor unit.
    pub fn buy_tokens(&self, buyer: &str, reference: &str, tokens: u64) {
        let (aggregator, cosigner) = (self.party("aggregator"), self.key("aggregator"));
        // Rule: a token costs half a coin.
        let coins = format!("{}.{}", tokens / 2, if tokens.is_multiple_of(2) { "0" } else { "5" });
        let buy = ["buy-tokens", "--aggregator", &aggregator, "--reference", reference];
        self.submit(
            buyer,
            &[&buy[..], &["--coin-amount", &coins, "--cosigner", &cosigner]].concat(),
        );
    }

    /// Stops the node and starts it again.
    pub fn restart(self) -> Self {
        let Self { dir, node } = self;
        node.signal(nix::sys::signal::Signal::SIGTERM);
        assert_eq!(node.wait(), Some(0));
        let node = NodeProcess::start(&dir.path().join("node"), &[]);
        Self { dir, node }
    }
}

/// Where a usage point hangs, and whose it is.
pub struct Below<'a> {
    pub station: &'a str,
    pub customer: &'a str,
    pub biller: &'a str,
    /// What the connection carries, in watts.
    pub limit_w: &'a str,
    /// `household` or `boundary`.
    pub kind: &'a str,
}
