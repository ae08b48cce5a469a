//! The main job from outside: files, books, proofs, the same bytes everywhere.

use std::path::Path;

use serde_json::Value;

use crate::process::{expect, gridtally, json, run};

/// A small demo into `dir`; gives its summary.
pub fn small_demo(dir: &Path) -> Value {
    small_demo_of("1", dir)
}

/// The same day among so many validators.
pub fn small_demo_of(nodes: &str, dir: &Path) -> Value {
    let dir = dir.to_str().unwrap();
    json(&["demo", "--once", "--json", "--homes", "6", "--nodes", nodes, "--dir", dir])
}

/// A summary without the time that it took.
fn timeless(mut summary: Value) -> Value {
    summary.as_object_mut().unwrap().remove("elapsed_ms");
    summary
}

fn proofs(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("proofs")).unwrap();
    entries.map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()).collect()
}

#[test]
fn the_demo_leaves_genesis_proofs_and_summary_and_every_bill_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let summary = small_demo(dir.path());
    let on_disk = std::fs::read(dir.path().join("summary.json")).unwrap();
    assert_eq!(summary, serde_json::from_slice::<Value>(&on_disk).unwrap());
    let files = proofs(dir.path());
    let bills = summary["bills"].as_array().unwrap();
    // Six homes, one flat rate, two boundaries.
    assert_eq!((files.len(), bills.len()), (9, 9));

    let genesis = dir.path().join("genesis.json");
    let genesis = genesis.to_str().unwrap();
    let mut arguments = vec!["verify", "--json", "--require-anchor", "--genesis", genesis];
    arguments.extend(files.iter().map(String::as_str));
    let verified = json(&arguments);
    for file in verified["files"].as_array().unwrap() {
        assert_eq!(file["anchored"], true);
        let bill = bills.iter().find(|bill| bill["bill"] == file["bill"]).unwrap();
        assert_eq!(bill["total_micro"], file["total_micro"]);
    }
}

#[test]
fn four_validators_play_the_same_day() {
    let (alone, among) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let by_one = small_demo(alone.path());
    let dir = among.path().to_str().unwrap();
    let by_four = small_demo_of("4", among.path());
    assert_eq!((&by_one["nodes"], &by_four["nodes"]), (&1.into(), &4.into()));
    // Another genesis, so other ids; what was measured, billed and paid is the same to the micro.
    for field in ["readings", "households", "boundaries", "proofs_verified"] {
        assert_eq!(by_one[field], by_four[field], "{field}");
    }
    let files = proofs(among.path());
    assert_eq!(files.len(), 9);
    let genesis = format!("{dir}/genesis.json");
    let mut arguments = vec!["verify", "--json", "--require-anchor", "--genesis", &genesis];
    arguments.extend(files.iter().map(String::as_str));
    json(&arguments);
    let proof: Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
    let signatures = proof["anchor"]["certificate"]["signatures"].as_array().unwrap();
    assert!(signatures.len() >= 3, "more than two thirds of four sign: {signatures:?}");
    // Each of them executes every block again, to the same roots.
    let replayed = |dir: &str| {
        let replayed = json(&["replay", "--json", "--dir", dir]);
        (replayed["height"].as_str().unwrap().parse::<u64>().unwrap(), replayed)
    };
    for directory in [dir.to_owned(), format!("{dir}/node-2"), format!("{dir}/node-4")] {
        let (height, replayed) = replayed(&directory);
        let played: u64 = by_four["height"].as_str().unwrap().parse().unwrap();
        assert!(height >= played, "{directory}: {replayed}");
    }
}

#[test]
fn the_flat_rate_is_2500_then_500_then_0() {
    let dir = tempfile::tempdir().unwrap();
    let fixed = &small_demo(dir.path())["flat_rate_500_kwh"];
    assert_eq!(fixed["total_micro"], "2500000000");
    assert_eq!(fixed["first_payment_micro"], "2000000000");
    assert_eq!(fixed["open_after_first_micro"], "500000000");
    assert_eq!(fixed["open_after_second_micro"], "0");
}

#[test]
fn the_same_bytes_in_two_folders_zones_locales_and_thread_counts() {
    let first = tempfile::tempdir().unwrap();
    let second = tempfile::tempdir().unwrap();
    let summary = timeless(small_demo(first.path()));
    let output = gridtally()
        .args(["demo", "--once", "--json", "--homes", "6", "--dir"])
        .arg(second.path())
        .env("TZ", "America/St_Johns")
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("TOKIO_WORKER_THREADS", "1")
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap();
    let other: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary, timeless(other));
    for path in proofs(first.path()) {
        let name = Path::new(&path).file_name().unwrap();
        let here = std::fs::read(&path).unwrap();
        let there = std::fs::read(second.path().join("proofs").join(name)).unwrap();
        assert!(here == there, "{path} differs");
    }
}

#[test]
fn a_former_demo_is_replaced_and_anything_else_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let first = timeless(small_demo(dir.path()));
    assert_eq!(first, timeless(small_demo(dir.path())));

    let foreign = tempfile::tempdir().unwrap();
    std::fs::write(foreign.path().join("letter.txt"), "dear").unwrap();
    let path = foreign.path().to_str().unwrap();
    expect(2, &["demo", "--once", "--dir", path]);
    assert_eq!(std::fs::read_to_string(foreign.path().join("letter.txt")).unwrap(), "dear");
    assert_eq!(std::fs::read_dir(foreign.path()).unwrap().count(), 1);
}

#[test]
fn replay_gives_the_same_roots_and_the_node_goes_on_from_them() {
    let dir = tempfile::tempdir().unwrap();
    let summary = small_demo(dir.path());
    let path = dir.path().to_str().unwrap();
    let replayed = json(&["replay", "--json", "--dir", path]);
    assert_eq!(replayed["height"], summary["height"]);
    assert_eq!(replayed["state_root"], summary["state_root"]);
    let text = expect(0, &["replay", "--dir", path]);
    assert!(text.contains(summary["state_root"].as_str().unwrap()), "{text}");

    let node = crate::process::NodeProcess::start(dir.path(), &[]);
    let status = json(&["show", "--json", "--node", &node.url, "status"]);
    assert_eq!(status["height"], summary["height"]);
}

#[test]
fn frequencies_from_a_file_are_the_ones_that_are_billed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("frequency.csv");
    let mut csv = "date,time,block,freq_hz\n".to_owned();
    for block in 1..=96 {
        let minute = (block - 1) * 15;
        csv.push_str(&format!("2016-06-01,{:02}:{:02},{block},50.05\n", minute / 60, minute % 60));
    }
    std::fs::write(&file, csv).unwrap();
    let demo = dir.path().join("demo");
    let (file, demo) = (file.to_str().unwrap(), demo.to_str().unwrap());
    let summary =
        json(&["demo", "--once", "--json", "--homes", "4", "--dir", demo, "--frequency", file]);
    // At 50.05 Hz energy costs nothing: only the flat rate has a bill.
    assert_eq!(summary["frequency_millihertz_mean"], 50_050);
    assert_eq!(summary["price_micro_per_kwh_mean"], "0");
    assert_eq!(summary["households"]["billed_micro"], "2500000000");
}

#[test]
fn bad_plans_are_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    let cases: &[&[&str]] = &[
        &["demo", "--once", "--dir", path, "--homes", "0"],
        &["demo", "--once", "--dir", path, "--frequency", "/nowhere.csv"],
        &["demo", "--once", "--dir", path, "--day", "2016-02-30"],
        &["demo", "--once", "--dir", path, "--listen", "nowhere"],
    ];
    for arguments in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
