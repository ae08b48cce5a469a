//! One node, two ledgers: put in place, lived on, given up, each for itself.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use client::connection::{Connection, SubmitStatus};
use client::key_file::KeyFile;
use contracts::registry::AddKey;
use nix::sys::signal::Signal;
use primitives::key::SigningKey;
use serde_json::{Value, json};

use crate::acceptance::{BEGIN, FIRST, FLAT, Town, time};
use crate::process::{NodeProcess, expect, json as document, run};
use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until something holds.
#[track_caller]
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn listed(dir: &str) -> Vec<Value> {
    let list = document(&["ledger", "list", "--json", "--dir", dir]);
    list["ledgers"].as_array().unwrap().clone()
}

/// A day from the reading to the paid bill.
fn live(town: &Town, watt_hours: u64) -> Value {
    town.tariff(FLAT);
    town.world.advance(&time("2026-07-02", "00:15"));
    town.seal(FIRST, (watt_hours, 0), (0, 0));
    let bill = town.bill(FIRST);
    town.world.buy_tokens("anna", "first payment", 2_000);
    town.pay("100.00");
    bill["total_micro"].clone()
}

#[test]
fn one_node_lives_on_two_ledgers_and_each_for_itself() {
    let main = Town::found();
    let node = main.world.at("node");
    let north = Town::on(World::beside(&main.world, "north", BEGIN));
    // 24 kWh and 48 kWh at 5.
    assert_eq!(live(&main, 250), "120000000");
    assert_eq!(live(&north, 500), "240000000");
    let of =
        |town: &Town| town.world.as_party("regulator", &["show", "status"])["ledger_id"].clone();
    let (main_id, north_id) = (of(&main), of(&north));
    assert_ne!(main_id, north_id);
    let list = listed(&node);
    let names: Vec<&Value> = list.iter().map(|entry| &entry["name"]).collect();
    assert_eq!(names, [&Value::Null, &json!("north")]);
    assert_eq!((&list[0]["ledger_id"], &list[1]["ledger_id"]), (&main_id, &north_id));
    assert!(list.iter().all(|entry| entry["state"] == "running"), "{list:?}");

    // A transaction signed for one is nothing on the other.
    let file = main.world.at("signed.bin");
    let sign = ["submit", "pay-bill", "--usage-point", &main.home, "--amount", "1.00"];
    let anna = ["--key", &main.world.key("anna"), "--node", &main.world.node.url];
    expect(0, &[&sign[..], &anna, &["--out", &file]].concat());
    let carry = ["submit", "raw", &file, "--json", "--node"];
    let (north_url, owner) = (north.world.node.url.clone(), north.world.key("owner"));
    let refused = run(&[&carry[..], &[&north_url, "--key", &owner]].concat());
    let refused: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((&refused["status"], &refused["name"]), (&json!("malformed"), &json!("LedgerId")));
    expect(0, &[&carry[..], &[&main.world.node.url]].concat());

    // Who belongs to one alone stands before an empty place.
    let stranger = run(&["show", "status", "--node", &north_url, "--key", &main.world.key("anna")]);
    assert_eq!(stranger.status.code(), Some(1));
    let said = String::from_utf8_lossy(&stranger.stderr);
    assert!(said.contains("answers only to keys"), "{said}");
    expect(2, &["show", "status", "--node", &north_url]);

    // Both are there after a restart.
    let bills = (main.bills(), north.bills());
    let main = Town { world: main.world.restart(), ..main };
    let url = format!("{}/ledgers/north", main.world.node.url);
    let mut north = north;
    north.world.node = NodeProcess::elsewhere(url);
    assert_eq!((main.bills(), north.bills()), bills);

    // One is given up and the other goes on.
    expect(0, &["ledger", "leave", "north", "--dir", &node]);
    assert!(!fs::exists(main.world.path("node/ledgers/north")).unwrap());
    let gone = run(&["show", "status", "--node", &north.world.node.url, "--key", &owner]);
    assert_eq!(gone.status.code(), Some(1));
    main.pay("1.00");
    assert_eq!(listed(&node).len(), 1);
    expect(2, &["ledger", "leave", "north", "--dir", &node]);
    main.world.node.signal(Signal::SIGTERM);
    assert_eq!(main.world.node.wait(), Some(0));
}

#[test]
fn a_further_ledger_that_fails_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node").to_str().unwrap().to_owned();
    expect(0, &["init", "--plain", "--dir", &path]);
    for name in ["north", "south"] {
        expect(0, &["ledger", "create", name, "--plain", "--dir", &path]);
    }
    // The store of one of them is not one.
    let north = dir.path().join("node/ledgers/north");
    fs::create_dir_all(&north).unwrap();
    fs::write(north.join("ledger"), "this is a file").unwrap();
    let node = NodeProcess::start(path.as_ref(), &[]);
    let key = |name: &str| format!("{path}/ledgers/{name}/owner.key");
    let show = |name: &str| {
        let url = format!("{}/ledgers/{name}", node.url);
        run(&["show", "status", "--node", &url, "--key", &key(name)]).status.code()
    };
    assert_eq!((show("south"), show("north")), (Some(0), Some(1)));
    document(&["show", "status", "--json", "--node", &node.url]);
    let list = listed(&path);
    assert_eq!((&list[1]["state"], &list[2]["state"]), (&json!("ended"), &json!("running")));
    assert!(list[1]["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{list:?}");
    // Put right, it is found by itself; its configuration says that somebody was there.
    fs::remove_file(north.join("ledger")).unwrap();
    fs::write(north.join("gridtally.toml"), "[network]\n").unwrap();
    wait_for("it is not tried again", || show("north") == Some(0));
    assert_eq!(listed(&path)[1]["state"], "running");
    node.signal(Signal::SIGTERM);
    assert_eq!(node.wait(), Some(0));
    // What is not served at the end is told by the exit code.
    fs::write(north.join("gridtally.toml"), "listen = \"127.0.0.1:0\"\n").unwrap();
    let node = NodeProcess::start(path.as_ref(), &[]);
    let reason = listed(&path)[1]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("gridtally.toml"), "{reason}");
    let unhealthy = Connection::new(&node.url).unwrap().get("/healthz");
    assert!(unhealthy.is_err(), "{unhealthy:?}");
    node.signal(Signal::SIGTERM);
    assert_eq!(node.wait(), Some(2));
}

/// Gives the only seat of a ledger, whose owner's and node's keys lie in a folder, to another key, and
/// makes blocks until its node can order no more.
fn outlive(url: &str, home: &str, scratch: &Path) {
    fs::create_dir(scratch).unwrap();
    let at = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
    let (regulator, next) = (at("regulator.key"), at("next.key"));
    let (owner, node) = (format!("{home}/owner.key"), format!("{home}/node.key"));
    let address = |file: &str| {
        let shown = document(&["keys", "show", "--json", file]);
        shown["address"].as_str().unwrap().to_owned()
    };
    for file in [&regulator, &next] {
        expect(0, &["keys", "new", "--plain", file]);
    }
    let submit = |key: &str, arguments: &[&str]| {
        expect(0, &[&["submit", "--node", url, "--key", key], arguments].concat());
    };
    let appoint = ["appoint-regulator", "--alias", "regulator", "--regulator-key", &regulator];
    submit(&owner, &appoint);
    for file in [&node, &next] {
        submit(&regulator, &["register-node", "--node-key", file]);
    }
    let (from, to) = (address(&node), address(&next));
    let rotate = ["rotate-node-key", "--from", &from, "--to", &to, "--cosigner", &node];
    submit(&regulator, &rotate);
    let key = KeyFile::read(regulator.as_ref()).unwrap().unlock(None).unwrap();
    let connection = Connection::new(url).unwrap();
    connection.enter(key.clone()).unwrap();
    let mut signer = connection.signer(key).unwrap();
    for number in 1..100 {
        let tablet = SigningKey::from_seed([number; 32]);
        let Ok(status) = connection.status() else { return };
        let valid_until = status.time.plus_milliseconds(600_000).unwrap();
        let added = AddKey { key: tablet.public() };
        let added = signer.submission(added, Vec::new(), &[&tablet], valid_until).unwrap();
        match connection.submit(&[added]) {
            Ok(outcomes) if outcomes[0].status == SubmitStatus::Accepted => {}
            _ => return,
        }
    }
    panic!("its node still orders");
}

#[test]
fn a_ledger_that_ends_while_it_runs_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node").to_str().unwrap().to_owned();
    expect(0, &["init", "--plain", "--epoch-blocks", "4", "--dir", &path]);
    for name in ["north", "south"] {
        let create = ["ledger", "create", name, "--plain", "--epoch-blocks", "4"];
        expect(0, &[&create[..], &["--dir", &path]].concat());
    }
    let node = NodeProcess::start(path.as_ref(), &[]);
    let home = |name: &str| format!("{path}/ledgers/{name}");
    let url = |name: &str| format!("{}/ledgers/{name}", node.url);
    let show = |name: &str| {
        let owner = format!("{}/owner.key", home(name));
        run(&["show", "status", "--node", &url(name), "--key", &owner])
    };
    let has_ended = |output: &std::process::Output| {
        let said = String::from_utf8_lossy(&output.stderr);
        output.status.code() == Some(1) && said.contains("has ended")
    };
    outlive(&url("north"), &home("north"), &dir.path().join("of north"));
    wait_for("its readers are not told", || has_ended(&show("north")));
    assert_eq!(show("south").status.code(), Some(0));
    expect(0, &["show", "status", "--node", &node.url]);
    let list = listed(&path);
    assert_eq!((&list[1]["state"], &list[2]["state"]), (&json!("ended"), &json!("running")));
    assert!(list[1]["reason"].as_str().unwrap().contains("validator"), "{list:?}");
    assert!(Connection::new(&node.url).unwrap().get("/healthz").is_err());

    outlive(&node.url, &path, &dir.path().join("of the main ledger"));
    let main = || run(&["show", "status", "--node", &node.url]);
    wait_for("the main ledger's readers are not told", || has_ended(&main()));
    assert_eq!(show("south").status.code(), Some(0), "it still opens sessions");

    // With the last ledger the process ends, and tells what the main one ended with.
    expect(0, &["ledger", "leave", "south", "--dir", &path]);
    assert_eq!(node.wait(), Some(1));
}

#[test]
fn a_ledger_is_prepared_joined_and_refused_by_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (one, two) = (at("one"), at("two"));
    for path in [&one, &two] {
        expect(0, &["init", "--plain", "--dir", path]);
    }
    let prepare = ["ledger", "prepare", "north", "--plain", "--json", "--dir", &two];
    let key = document(&prepare)["public_key"].as_str().unwrap().to_owned();
    assert_eq!(document(&prepare)["public_key"], *key, "the same key is told again");
    assert_eq!(listed(&two)[1]["state"], "prepared");
    let create = ["ledger", "create", "north", "--plain", "--dir", &one, "--member", &key];
    let said = run(&create);
    assert_eq!(said.status.code(), Some(2), "it cannot meet the other");
    assert!(String::from_utf8_lossy(&said.stderr).contains("--peer-listen"));
    let peer = format!("{key}@127.0.0.1:9");
    let meeting = ["--peer-listen", "127.0.0.1:0", "--peer", &peer];
    expect(0, &[&create[..], &meeting].concat());
    let genesis = format!("{one}/ledgers/north/genesis.json");
    let founder = document(&["keys", "show", "--json", &format!("{one}/ledgers/north/node.key")]);
    let founder = format!("{}@127.0.0.1:9", founder["public_key"].as_str().unwrap());
    let join =
        ["ledger", "join", "north", "--plain", "--json", "--dir", &two, "--genesis", &genesis];
    assert_eq!(run(&join).status.code(), Some(2), "it cannot meet the other");
    let joined = [&join[..], &["--peer-listen", "127.0.0.1:0", "--peer", &founder]].concat();
    let answer = document(&joined);
    assert_eq!((&answer["has_seat"], &answer["public_key"]), (&json!(true), &json!(key)));
    expect(2, &joined);
    // The same ledger lies there once, under whatever name.
    let main = format!("{two}/genesis.json");
    for genesis in [&genesis, &main] {
        let again = ["ledger", "join", "east", "--plain", "--dir", &two, "--genesis", genesis];
        let meeting = ["--peer-listen", "127.0.0.1:0", "--peer", &founder];
        expect(2, &[&again[..], &meeting].concat());
    }
    for wrong in ["North", "../x", ""] {
        expect(2, &["ledger", "prepare", wrong, "--plain", "--dir", &two]);
        expect(2, &["ledger", "leave", wrong, "--dir", &two]);
    }
    expect(0, &["ledger", "leave", "north", "--dir", &two]);
    expect(0, &["ledger", "leave", "east", "--dir", &two]);
}
