//! The command line itself: help, completions, wrong words, colours, tariffs.

use crate::process::{expect, gridtally, json, run};

#[test]
fn help_teaches_and_wrong_words_are_exit_2() {
    let help = expect(0, &["--help"]);
    for word in ["demo", "verify", "Exit codes", "node"] {
        assert!(help.contains(word), "{word}");
    }
    expect(0, &["--version"]);
    for command in [
        "demo", "simulate", "init", "node", "network", "keys", "verify", "replay", "tariff",
        "submit", "show",
    ] {
        expect(0, &[command, "--help"]);
    }
    expect(2, &["no-such-command"]);
    expect(2, &["verify"]);
    expect(2, &["node", "--dir"]);
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(expect(0, &["completions", shell]).contains("gridtally"), "{shell}");
    }
}

#[test]
fn output_without_a_terminal_has_no_colours_and_no_bars() {
    let output = gridtally().args(["simulate", "--homes", "2", "--speed", "max"]).output().unwrap();
    assert!(output.status.success());
    assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
}

#[test]
fn a_tariff_is_tried_on_a_frequency_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("frequency.csv");
    std::fs::write(
        &file,
        "date,time,block,freq_hz,normal_rate_paise_per_kwh\n\
         2025-01-06,00:00,1,50.00,313.05\n2025-01-06,00:15,2,49.88,283.04\n\
         2025-01-06,00:30,3,50.05,1\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/tariffs/");
    let curve = format!("{root}eb-frequency-curve.toml");
    let tried = json(&["tariff", "try", "--json", "--tariff", &curve, "--frequency", file]);
    let prices: Vec<_> =
        tried["slots"].as_array().unwrap().iter().map(|s| &s["price_micro_per_kwh"]).collect();
    assert_eq!(prices, ["6200000", "7550000", "0"]);
    assert_eq!(tried["mean_paise_per_kwh"].to_string(), "458.3333");
    let text = expect(0, &["tariff", "try", "--tariff", &curve, "--frequency", file]);
    assert!(text.contains("458.3333"), "{text}");
    let flat = format!("{root}flat-5.toml");
    let tried = json(&["tariff", "try", "--json", "--tariff", &flat, "--frequency", file]);
    assert_eq!(tried["mean_paise_per_kwh"].to_string(), "500.0");

    expect(2, &["tariff", "try", "--tariff", file, "--frequency", file]);
    expect(2, &["tariff", "try", "--tariff", &curve, "--frequency", &curve]);
}

#[test]
fn a_tariff_bills_a_month_of_a_home_or_of_a_file() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/tariffs/");
    let micro = |value: &serde_json::Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let slabs = format!("{root}slabs-with-taxes.toml");
    let bill = json(&["tariff", "try", "--json", "--tariff", &slabs, "--household", "3"]);
    assert_eq!(
        (&bill["first_day"], &bill["last_day"]),
        (&"2016-06-01".into(), &"2016-06-30".into())
    );
    let lines = bill["lines"].as_array().unwrap();
    let sum: i64 = lines.iter().map(|line| micro(&line["amount_micro"])).sum();
    assert_eq!(sum, micro(&bill["total_micro"]));
    let slab = |line: &&serde_json::Value| line["line"].as_str().unwrap().contains("slab");
    let drawn: i64 = lines.iter().filter(slab).map(|line| micro(&line["energy_wh"])).sum();
    assert!(drawn > 0 && lines.iter().filter(slab).count() > 1, "{bill:#}");
    assert_eq!(drawn, micro(&bill["metered_import_wh"]));
    let text = expect(0, &["tariff", "try", "--tariff", &slabs, "--household", "3"]);
    assert!(text.contains("slab 2") && text.contains("to pay"), "{text}");

    // A day of 1 kWh an hour at a flat 5 is 120.
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let time = |slot: usize| format!("2025-01-06T{:02}:{:02}", slot / 4, slot % 4 * 15);
    let table: String = (0..96).map(|slot| format!("{},0.250\n", time(slot))).collect();
    let profile = file("profile.csv", format!("time,M01\n{table}"));
    let flat = format!("{root}flat-5.toml");
    let bill = json(&["tariff", "try", "--json", "--tariff", &flat, "--profile", &profile]);
    assert_eq!(
        (micro(&bill["total_micro"]), &bill["last_day"]),
        (120_000_000, &"2025-01-06".into())
    );
    // A tariff that follows the frequency needs one, and repeats a short file.
    let curve = format!("{root}eb-frequency-curve.toml");
    let follows = ["tariff", "try", "--json", "--tariff", &curve, "--profile", &profile];
    expect(2, &follows);
    let short = "date,time,freq_hz\n2024-12-01,00:00,50.00\n2024-12-01,00:15,49.88\n".to_owned();
    let short = file("frequency.csv", short);
    let bill = json(&[&follows[..], &["--frequency", &short]].concat());
    // 12 kWh at 6.20 and 12 at 7.55.
    assert_eq!(micro(&bill["total_micro"]), 12 * (6_200_000 + 7_550_000));
    expect(2, &["tariff", "try", "--tariff", &slabs, "--frequency", &short]);
    expect(2, &["tariff", "try", "--tariff", &slabs]);
    expect(2, &["tariff", "try", "--tariff", &slabs, "--profile", &profile, "--label", "M99"]);
}

#[test]
fn the_63_real_days_have_their_mean() {
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/india_dsm/");
    let file = format!("{shared}india_freq_price_15min.csv");
    if !std::path::Path::new(&file).exists() {
        println!("SKIPPED: {file} is not there; the histogram of classes is checked in contracts");
        return;
    }
    let curve =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/tariffs/eb-frequency-curve.toml");
    let tried = json(&["tariff", "try", "--json", "--tariff", curve, "--frequency", &file]);
    assert_eq!(tried["slots"].as_array().unwrap().len(), 6_048);
    assert_eq!(tried["mean_paise_per_kwh"].to_string(), "501.2267");
}

#[test]
fn nobody_answers_is_exit_4() {
    let output = run(&["show", "--node", "http://127.0.0.1:9", "status"]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_network_is_simulated_from_seeds_and_one_seed_again() {
    let simulate = |seeds: &[&str]| {
        let command = ["simulate", "network", "--json", "--faults", "crash"];
        json(&[&command, seeds].concat())
    };
    let both = simulate(&["--seeds", "3..5"]);
    assert_eq!((&both["seeds"], &both["violations"]), (&2.into(), &0.into()), "{both}");
    assert!(both["first_failing_seed"].is_null(), "{both}");
    let blocks = ["3", "4"].map(|seed| {
        let one = simulate(&["--seed", seed]);
        assert_eq!(one["seeds"], 1, "{one}");
        one["blocks"].as_u64().unwrap()
    });
    assert!(blocks.iter().all(|blocks| *blocks > 0), "{blocks:?}");
    assert_eq!(both["blocks"], blocks.iter().sum::<u64>(), "a seed gives the same run again");
    for wrong in [["--seeds", "5..2"], ["--seed", "18446744073709551615"], ["--faults", "quake"]] {
        expect(2, &[&["simulate", "network"][..], &wrong].concat());
    }
    expect(2, &["simulate", "network", "--seed", "1", "--seeds", "1..2"]);
    let one = ["simulate", "network", "--seed", "3", "--faults", "crash"];
    let output = gridtally().args(one).env_remove("GRIDTALLY_LOG").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("WARN"), "the faults are meant: {said}");
}
