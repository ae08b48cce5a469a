//! The meter's program: what it measures arrives once and whole, also when the node is away meanwhile.

use std::io::Write;
use std::process::{Output, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::import::Network;
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
