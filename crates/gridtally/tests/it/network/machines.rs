//! The documented path for separate machines, and the files of `deploy/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::height;
use crate::process::{NodeProcess, expect, json, run};

const NAMES: [&str; 4] = ["grid", "dist-a", "dist-b", "regulator"];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The command lines of this program in a text: behind a prompt, in a unit, in a list of words.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        let plain = line.replace(['"', ','], " ");
        let words = if let Some((_, list)) = plain.split_once("command: [") {
            list.trim_end_matches(']').to_owned()
        } else if let Some((_, rest)) = line.split_once("ExecStart=/usr/local/bin/") {
            rest.to_owned()
        } else if line.starts_with("gridtally ") {
            line.split(" #").next().unwrap_or_default().to_owned()
        } else {
            continue;
        };
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        assert_eq!(words[0], "gridtally", "{line}");
        found.push(words);
    }
    found
}

/// Every sub-command and every flag of a command line exists.
fn check(words: &[String]) {
    let is_word = |word: &&String| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let path: Vec<&str> =
        words[1..].iter().take_while(is_word).take(3).map(String::as_str).collect();
    let path: Vec<&str> = path.into_iter().take_while(|word| !word.starts_with('-')).collect();
    let help = expect(0, &[&path[..], &["--help"]].concat());
    let known: BTreeSet<&str> = help
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.starts_with("--"))
        .collect();
    for flag in words.iter().filter(|word| word.starts_with("--")) {
        assert!(known.contains(flag.as_str()), "{flag} of {words:?} is not in its help");
    }
}

#[test]
fn the_commands_of_the_documents_and_of_deploy_exist() {
    let mut all = 0;
    for file in ["docs/network.md", "deploy/gridtally.service", "deploy/compose.yaml"] {
        let lines = command_lines(&fs::read_to_string(repository(file)).unwrap());
        assert!(!lines.is_empty(), "{file}");
        all += lines.len();
        lines.iter().for_each(|words| check(words));
    }
    assert!(all >= 12, "{all}");
    // The variables of the compose file are those of the node.
    let help = expect(0, &["node", "--help"]);
    let compose = fs::read_to_string(repository("deploy/compose.yaml")).unwrap();
    for line in compose.lines().map(str::trim).filter(|line| line.starts_with("GRIDTALLY_")) {
        let name = line.split(':').next().unwrap();
        assert!(help.contains(&format!("{name}=")), "{name} is no variable of the node");
    }
}

/// What an organisation sends to the others.
fn public_key(file: &Path) -> String {
    let shown = json(&["keys", "show", "--json", file.to_str().unwrap()]);
    shown["public_key"].as_str().unwrap().to_owned()
}

#[test]
fn four_organisations_found_a_network_by_the_documented_steps() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let secret = at("passphrase");
    fs::write(&secret, "correct horse\n").unwrap();
    let secret = secret.to_str().unwrap();
    let new_key = |path: &Path| {
        expect(0, &["keys", "new", path.to_str().unwrap(), "--passphrase-file", secret]);
        public_key(path)
    };
    // 1 and 2: keys.
    let mut keys = vec![String::new()];
    for name in &NAMES[1..] {
        fs::create_dir(at(name)).unwrap();
        keys.push(new_key(&at(name).join("node.key")));
    }
    let owner = new_key(&at("owner.key"));
    // 3: the founder.
    let founder = at("grid");
    let mut init = vec!["init", "--dir", founder.to_str().unwrap(), "--passphrase-file", secret];
    init.extend(["--owner", &owner]);
    keys[1..].iter().for_each(|key| init.extend(["--validator", key]));
    let said = expect(0, &init);
    keys[0] = public_key(&founder.join("node.key"));
    // 4 and 5: the genesis, and a configuration each. Each has an address of its own on loopback.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = |place: usize| format!("127.0.0.{}:{port}", place + 11);
    let mut nodes = Vec::new();
    for (place, name) in NAMES.iter().enumerate() {
        if place > 0 {
            fs::copy(founder.join("genesis.json"), at(name).join("genesis.json")).unwrap();
        }
        let others: Vec<String> = (0..4)
            .filter(|other| *other != place)
            .map(|other| format!("  \"{}@{}\",\n", keys[other], address(other)))
            .collect();
        let config = format!(
            "listen = \"127.0.0.1:0\"\n\n[network]\nlisten = \"{}\"\npeers = [\n{}]\n",
            address(place),
            others.concat()
        );
        fs::write(at(name).join("gridtally.toml"), config).unwrap();
        // 6: each starts its node.
        let mut command = crate::process::gridtally();
        command.args(["node", "--json", "--passphrase-file", secret, "--dir"]).arg(at(name));
        nodes.push(NodeProcess::wait_for(command));
    }
    let status = json(&["show", "--json", "--node", &nodes[2].url, "status"]);
    assert!(said.contains(status["ledger_id"].as_str().unwrap()), "{said}");
    // 7: the organisations become known.
    for name in ["regulator", "grid", "dist-a"] {
        new_key(&at(&format!("{name}.key")));
    }
    let file = |name: &str| at(&format!("{name}.key")).to_str().unwrap().to_owned();
    let submit = |arguments: &[&str]| -> Value {
        let url = &nodes[1].url;
        let more = ["submit", "--json", "--node", url, "--passphrase-file", secret];
        let answer = json(&[&more[..], arguments].concat());
        assert_eq!(answer["status"], "accepted", "{arguments:?}: {answer}");
        answer
    };
    let (owner, regulator) = (file("owner"), file("regulator"));
    let (grid, dist) = (file("grid"), file("dist-a"));
    let appoint = ["appoint-regulator", "--alias", "regulator", "--regulator-key", &regulator];
    submit(&[&appoint[..], &["--key", &owner]].concat());
    let roles = "grid-operator,network-provider,aggregator";
    let register = ["register-party", "--alias", "grid", "--role", roles, "--party-key", &grid];
    submit(&[&register[..], &["--key", &regulator]].concat());
    let register = ["register-party", "--alias", "dist-a", "--role", "distributor"];
    let keys = ["--party-key", &dist, "--cosigner", &grid, "--key", &regulator];
    submit(&[&register[..], &keys].concat());
    let node = at("dist-a/node.key").to_str().unwrap().to_owned();
    let seat = ["register-node", "--node-key", &node, "--peer-address", &address(1)];
    submit(&[&seat[..], &["--key", &dist]].concat());
    // All four have it.
    let there = height(&nodes[1].url);
    let until = Instant::now() + Duration::from_secs(20);
    for node in &nodes {
        while height(&node.url) < there {
            assert!(Instant::now() < until, "{} stays behind", node.url);
            std::thread::sleep(Duration::from_millis(20));
        }
        let parties = json(&["show", "--json", "--node", &node.url, "parties"]);
        assert_eq!(parties["items"].as_array().or(parties.as_array()).unwrap().len(), 3);
    }
    let refused = run(&["network", "status", "--dir", folder.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2), "these were not made by `network up`");
}
