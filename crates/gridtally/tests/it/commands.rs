//! The command line itself: help, completions, wrong words, colours, tariffs.

use crate::process::{expect, gridtally, json, run};

#[test]
fn help_teaches_and_wrong_words_are_exit_2() {
    let help = expect(0, &["--help"]);
    for word in ["demo", "verify", "Exit codes", "node"] {
        assert!(help.contains(word), "{word}");
    }
    expect(0, &["--version"]);
    for command in
        ["demo", "simulate", "init", "node", "keys", "verify", "replay", "tariff", "submit", "show"]
    {
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
