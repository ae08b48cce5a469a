//! The meter's program: what it measures arrives once and whole, also when the node is away meanwhile.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use client::connection::Connection;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::import::Network;
use crate::liar::{Liar, Lie};
use crate::process::{NodeProcess, expect, gridtally, json};

/// Runs the meter of the first home once.
fn meter(network: &Network, url: &str, more: &[&str]) -> Output {
    let (key, state) = (network.key("meter-1"), network.path.join("state"));
    let mut command = gridtally();
    command.args(["meter", "run", "--json", "--once", "--node", url, "--key", &key, "--state"]);
    command.arg(&state).args(shown(network)).args(more).output().unwrap()
}

/// What the meter's registers show after the day that the demonstration sealed; asked for once.
fn shown(network: &Network) -> Vec<String> {
    if network.path.join("state").exists() {
        return Vec::new();
    }
    let home = network.usage_point("M01");
    let day = network.json(&["show", "readings", &home, "--day", "2016-06-01"]);
    let register = |name: &str| day["total"][name].as_str().unwrap().to_owned();
    let (import, export) = (register("import_wh"), register("export_wh"));
    ["--first-import-wh", &import, "--first-export-wh", &export].map(ToOwned::to_owned).to_vec()
}

fn report(output: &Output, code: i32) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn days<'a>(from: &'a str, until: &'a str) -> [&'a str; 6] {
    ["--simulate", "1", "--from-day", from, "--until", until]
}

#[test]
fn a_node_that_goes_away_and_comes_back_loses_nothing() {
    let Network { _dir, path, node } = Network::start();
    let url = node.url.clone();
    let mut network = Network { _dir, path, node };
    let first = report(&meter(&network, &url, &days("2016-06-02", "2016-06-02")), 0);
    // 96 readings and the day's seal.
    assert_eq!((&first["recorded"], &first["waiting"]), (&97.into(), &0.into()), "{first}");
    assert_eq!(first["provisional"]["frequency_millihertz"], Value::Null, "nothing is published");

    network.node.signal(Signal::SIGTERM);
    let away = report(&meter(&network, &url, &days("2016-06-02", "2016-06-04")), 4);
    assert_eq!((&away["slots"], &away["waiting"]), (&192.into(), &194.into()), "{away}");
    assert_eq!(away["node"], "away");
    let still = report(&meter(&network, &url, &["--flush"]), 4);
    assert_eq!(still["waiting"], 194);

    network.node = NodeProcess::start(&network.path, &[]);
    let url = network.node.url.clone();
    let back = report(&meter(&network, &url, &["--flush"]), 0);
    assert_eq!((&back["recorded"], &back["waiting"]), (&194.into(), &0.into()), "{back}");
    let again = report(&meter(&network, &url, &days("2016-06-02", "2016-06-04")), 0);
    assert_eq!((&again["slots"], &again["recorded"]), (&0.into(), &0.into()));

    let home = network.usage_point("M01");
    for day in ["2016-06-02", "2016-06-03", "2016-06-04"] {
        let readings = network.json(&["show", "readings", &home, "--day", day]);
        assert_eq!(readings["seal"]["by"], "meter", "{day}");
        assert_eq!(readings["corrections"].as_array().unwrap().len(), 0);
    }
    the_state_is_private(&network);
}

fn the_state_is_private(network: &Network) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode =
            |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let state = network.path.join("state");
        assert_eq!((mode(&state), mode(&state.join("meter.json"))), (0o700, 0o600));
    }
}

#[test]
fn a_table_is_replayed_as_seals_and_a_pipe_as_slots() {
    let network = Network::start();
    let url = network.node.url.clone();
    let mut table = "label,time,import_kwh\n".to_owned();
    for slot in 0..48 {
        let (hour, minute) = (slot / 2, slot % 2 * 30);
        table.push_str(&format!("M01,2016-06-02T{hour:02}:{minute:02},0.007\n"));
    }
    let file = network.file("replay.csv", &table);
    let replayed = report(&meter(&network, &url, &["--file", &file, "--seals-only"]), 0);
    assert_eq!((&replayed["slots"], &replayed["recorded"]), (&96.into(), &1.into()), "{replayed}");

    let (key, state) = (network.key("meter-1"), network.path.join("state"));
    let mut command = gridtally();
    command.args(["meter", "run", "--json", "--once", "--stdin", "--node", &url, "--key", &key]);
    command.arg("--state").arg(&state).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = "1000 0 2016-06-03T00:00:00+05:30\n1250 7 2016-06-03T00:15:00+05:30\n\
                 {\"import_register_wh\":1300,\"export_register_wh\":7,\
                 \"time\":\"2016-06-03T00:45:00+05:30\"}\n";
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let piped = report(&child.wait_with_output().unwrap(), 0);
    assert_eq!((&piped["slots"], &piped["recorded"]), (&3.into(), &3.into()), "{piped}");
    let home = network.usage_point("M01");
    let day = network.json(&["show", "readings", &home, "--day", "2016-06-03"]);
    assert_eq!(day["total"]["import_wh"], "300");
    assert_eq!(day["slots"][1]["reading"]["quality"], "estimated");
}

#[test]
fn a_meter_reports_to_its_own_ledger_and_usage_point_only() {
    let network = Network::start();
    let url = network.node.url.clone();
    let wrong = ["--flush", "--usage-point", "00000000000000000000000000000000"];
    assert_eq!(meter(&network, &url, &wrong).status.code(), Some(2));
    let other = network.path.join("other");
    expect(0, &["init", "--plain", "--dir", other.to_str().unwrap()]);
    let genesis = other.join("genesis.json");
    let foreign = ["--flush", "--genesis", genesis.to_str().unwrap()];
    assert_eq!(meter(&network, &url, &foreign).status.code(), Some(2));
    // A key that is no meter's is told so.
    let (key, state) = (network.key("household-1"), network.path.join("none"));
    let state = state.to_str().unwrap();
    expect(
        2,
        &["meter", "run", "--once", "--flush", "--node", &url, "--key", &key, "--state", state],
    );
    let status = json(&["show", "--json", "--node", &url, "status"]);
    assert!(status["demo"].as_bool().unwrap());
}

fn waiting(network: &Network) -> usize {
    let files = std::fs::read_dir(network.path.join("state/outbox")).unwrap();
    files.filter(|file| file.as_ref().unwrap().path().extension().is_some()).count()
}

/// A part of a proof file, from a line that begins with this field to the one before the next.
fn part<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let begin = text.find(&format!("\n  \"{from}\"")).unwrap();
    let end = text.find(&format!("\n  \"{to}\"")).unwrap();
    &text[begin..end]
}

#[test]
fn a_lying_node_is_refused_and_everything_is_kept() {
    let network = Network::start();
    let honest = network.node.url.clone();
    let node = Connection::new(&honest).unwrap();
    let blocks = node.get_json("/v1/blocks/1").unwrap();
    let id = blocks["transactions"]["items"][0]["transaction_id"].as_str().unwrap();
    let proof_of = |node: &Connection, id: &str| {
        String::from_utf8(node.get(&format!("/v1/transactions/{id}/proof")).unwrap()).unwrap()
    };
    // Right in itself: another transaction, under a header that is old by now.
    let other_receipt = proof_of(&node, id);
    let dir = network.path.join("elsewhere");
    let demo = ["demo", "--once", "--json", "--homes", "2", "--seed", "2", "--dir"];
    json(&[&demo[..], &[dir.to_str().unwrap()]].concat());
    let elsewhere = NodeProcess::start(&dir, &[]);
    let node = Connection::new(&elsewhere.url).unwrap();
    let blocks = node.get_json("/v1/blocks/1").unwrap();
    let id = blocks["transactions"]["items"][0]["transaction_id"].as_str().unwrap();
    let other_ledger = proof_of(&node, id);
    drop(elsewhere);

    let liar = Liar::before(&honest);
    let stale = other_receipt.clone();
    let lies: Vec<(&str, Lie)> = vec![
        ("it is about transaction", Box::new(move |_, _| other_receipt.clone())),
        ("trusted is", Box::new(move |_, _| other_ledger.clone())),
        (
            "executed blocks",
            Box::new(move |_, text| {
                let (old, new) =
                    (part(&stale, "anchor", "genesis"), part(text, "anchor", "genesis"));
                text.replacen(new, old, 1)
            }),
        ),
        (
            "certificate",
            Box::new(|_, text| {
                let at = text.find("\"signature\": \"").unwrap() + 14 + 20;
                let other = if &text[at..=at] == "0" { "1" } else { "0" };
                format!("{}{other}{}", &text[..at], &text[at + 1..])
            }),
        ),
        ("does not lead", Box::new(|_, text| text.replacen("\"code\": 0", "\"code\": 205", 1))),
        ("not a proof file", Box::new(|_, _| "{\"recorded\": true}".to_owned())),
    ];
    let day = days("2016-06-02", "2016-06-02");
    for (number, (named, lie)) in lies.into_iter().enumerate() {
        liar.tell(lie);
        let more: &[&str] = if number == 0 { &day } else { &["--flush"] };
        let output = meter(&network, &liar.url, more);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{named}: {text}");
        assert!(text.contains(named), "wanted {named:?}: {text}");
        assert_eq!(waiting(&network), 97, "{named}: nothing that was measured is given up");
    }
    // To an honest node they are nothing new, and proven.
    let flushed = report(&meter(&network, &honest, &["--flush"]), 0);
    assert_eq!((&flushed["recorded"], &flushed["refused"]), (&97.into(), &0.into()));
    assert_eq!(waiting(&network), 0);
    payments_are_proven(&network);
}

/// A payment's receipt as a file, for the household; a stranger gets none of its values.
fn payments_are_proven(network: &Network) {
    let (home, key) = (network.usage_point("M01"), network.key("household-1"));
    let found = network.json(&["show", "search", "payments", "--usage-point", &home]);
    let id = found["items"][0]["transaction_id"].as_str().map(ToOwned::to_owned);
    let id = id.unwrap_or_else(|| {
        let bought = network.json(&["show", "search", "payments"]);
        bought["items"][0]["transaction_id"].as_str().unwrap().to_owned()
    });
    let file = network.path.join("paid.json");
    let (file, genesis) = (file.to_str().unwrap(), network.path.join("genesis.json"));
    let node = &network.node.url;
    let export = ["export", "proof", "--transaction", &id, "--key", &key, "--node", node];
    expect(0, &[&export[..], &["--out", file]].concat());
    let genesis = genesis.to_str().unwrap();
    let verified = json(&["verify", "--json", "--genesis", genesis, file]);
    assert_eq!(verified["files"][0]["transaction_id"], id.as_str());
    assert_eq!(verified["files"][0]["anchored"], true);
    assert!(expect(0, &["verify", file]).contains("ledger id NOT compared"));
    expect(3, &["verify", "--require-anchor", file]);
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replacen("\"code\": 0", "\"code\": 1", 1)).unwrap();
    expect(1, &["verify", "--genesis", genesis, file]);
    expect(2, &["export", "proof", "--node", node]);
}

/// The meter's program while it lives, with a pipe to it.
fn living(network: &Network, more: &[&str]) -> Child {
    let (key, state) = (network.key("meter-1"), network.path.join("state"));
    let mut command: Command = gridtally();
    command.args(["meter", "run", "--json", "--node", &network.node.url, "--key", &key, "--state"]);
    command.arg(&state).args(shown(network)).args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Waits until the meter has written down that it took this many slots more, or a slot.
fn until(what: &str, reached: impl Fn() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn memory(state: &Path) -> Value {
    let bytes = std::fs::read(state.join("meter.json")).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// The register at the beginning of a slot of 2 June, and the line of a pipe that tells it.
fn line(first: u64, slot: u64) -> (u64, String) {
    let register = first + 5 * slot + slot * slot;
    let time =
        format!("2016-06-0{}T{:02}:{:02}:00+05:30", 2 + slot / 96, slot / 4 % 24, slot % 4 * 15);
    (register, format!("{register} 0 {time}\n"))
}

#[test]
fn kills_in_the_middle_lose_and_double_nothing() {
    let network = Network::start();
    let state = network.path.join("state");
    let first: u64 = shown(&network)[1].parse().unwrap();
    let (mut next, mut kept) = (0, std::collections::BTreeMap::new());
    // Five lives, each killed once it has taken some slots, at whatever it does just then.
    for life in 1..=5_u64 {
        let before = memory(&state)["last_period"].as_u64();
        let mut child = living(&network, &["--stdin"]);
        let mut pipe = child.stdin.take().unwrap();
        // The reader of the registers tells them on, also while nobody takes them.
        let sent = next + 18;
        for slot in next..sent {
            pipe.write_all(line(first, slot).1.as_bytes()).unwrap();
        }
        pipe.flush().unwrap();
        let wanted = before.map_or(1, |before| before + 3 * life);
        until("slots are taken", || {
            memory(&state)["last_period"].as_u64().is_some_and(|last| last >= wanted)
        });
        child.kill().unwrap();
        child.wait().unwrap();
        drop(pipe);
        // What was written down is kept, whatever comes.
        let remembered = memory(&state);
        for (slot, value) in remembered["slots"].as_object().unwrap() {
            let known = kept.insert(slot.clone(), value.clone());
            assert!(known.is_none_or(|known| known == *value), "slot {slot} changed");
        }
        next = sent - 2;
    }
    let mut last = living(&network, &["--stdin", "--once"]);
    let mut pipe = last.stdin.take().unwrap();
    for slot in next..=96 {
        pipe.write_all(line(first, slot).1.as_bytes()).unwrap();
    }
    drop(pipe);
    let done = report(&last.wait_with_output().unwrap(), 0);
    assert_eq!((&done["refused"], &done["waiting"]), (&0.into(), &0.into()), "{done}");
    let home = network.usage_point("M01");
    let day = network.json(&["show", "readings", &home, "--day", "2016-06-02"]);
    assert_eq!(day["total"]["import_wh"], (line(first, 96).0 - first).to_string());
    assert_eq!(day["seal"]["by"], "meter", "every slot is there");
    assert!(kept.len() > 20, "{} slots were written down", kept.len());
    for (slot, value) in &kept {
        let slot: usize = slot.parse().unwrap();
        let reading = &day["slots"][slot]["reading"];
        assert_eq!(reading["import_wh"], value[0].as_u64().unwrap().to_string(), "slot {slot}");
    }
    // The ledger holds each slot once: nothing was rejected, and only the same content came again.
    let meter = day["seal"]["transaction_id"].as_str().unwrap();
    let seal = network.json(&["show", "transaction", meter]);
    assert_eq!(seal["receipt"]["code"], 0);
}

#[test]
fn a_simulated_home_lives_on_with_the_clock() {
    let network = Network::start();
    let state = network.path.join("state");
    let child = living(&network, &["--simulate", "7"]);
    until("it is there", || state.join("meter.json").exists());
    // An hour and a bit: four slots end.
    std::thread::sleep(Duration::from_millis(300));
    network.advance("2016-07-01T01:05:00+05:30");
    let taken = || memory(&state)["slots"].as_object().map_or(0, serde_json::Map::len);
    until("four slots are taken", || taken() == 4 && waiting(&network) == 0);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM)
        .unwrap();
    let report = report(&child.wait_with_output().unwrap(), 0);
    assert_eq!((&report["slots"], &report["recorded"]), (&4.into(), &4.into()), "{report}");
    let home = network.usage_point("M01");
    let found = network.json(&[
        "show",
        "search",
        "readings",
        "--usage-point",
        &home,
        "--from",
        "2016-07-01",
    ]);
    assert_eq!(found["items"].as_array().unwrap().len(), 4);
    assert!(found["items"].as_array().unwrap().iter().all(|it| it["state"] == "single"));
}
