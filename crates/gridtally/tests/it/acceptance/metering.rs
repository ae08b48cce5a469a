//! Time, frequency and readings.

use serde_json::Value;

use super::{FIRST, FLAT, Town, time};
use crate::process::{NodeProcess, expect, json, run};
use crate::wire;

fn curve() -> String {
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/tariffs/eb-frequency-curve.toml");
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn slots_are_counted_in_utc_and_days_in_the_grids_zone() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let found = |name: &str, zone: &str, minutes: &str| {
        let init = ["init", "--plain", "--dir", &path(name), "--zone", zone];
        run(&[&init[..], &["--slot-minutes", minutes]].concat()).status.code()
    };
    for (name, minutes) in [("5", "5"), ("30", "30"), ("15", "15")] {
        assert_eq!(found(name, "Asia/Kolkata", minutes), Some(0), "{minutes}");
    }
    // Half past is no edge of an hour.
    assert_eq!(found("60", "Asia/Kolkata", "60"), Some(2));
    assert_eq!(found("7", "Asia/Kolkata", "7"), Some(2));
    assert_eq!(found("berlin", "Europe/Berlin", "15"), Some(0));
    assert_eq!(found("hours", "Europe/Berlin", "60"), Some(0));
    let node = NodeProcess::start(path("berlin").as_ref(), &[]);
    for (day, slots, first) in [
        ("2027-03-28", 92, "2027-03-28T00:00:00+01:00"),
        ("2027-10-31", 100, "2027-10-31T00:00:00+02:00"),
        ("2027-07-01", 96, "2027-07-01T00:00:00+02:00"),
    ] {
        let shown = json(&["show", "--json", "--node", &node.url, "frequency", "--day", day]);
        assert_eq!(shown["slots"].as_array().unwrap().len(), slots, "{day}");
        assert_eq!(shown["slots"][0]["starts_at"], first, "{}", shown["slots"][0]);
    }
}

#[test]
fn a_frequency_is_published_read_corrected_and_deleted_and_bills_follow() {
    let town = Town::found();
    town.tariff(&curve());
    town.world.advance(&time("2026-07-02", "00:15"));
    town.frequency(FIRST, "50.00");
    town.seal(FIRST, (1_000, 0), (0, 0));
    let at_noon = time(FIRST, "12:00");
    let shown = town.world.json(&["show", "frequency", "--day", FIRST]);
    assert_eq!(shown["slots"][48]["frequency_millihertz"], 50_000);
    let other = ["publish-frequency", "--first-period", &at_noon, "--hertz", "49.9"];
    town.world.refused("FrequencyExists", "grid-operator", &other);
    town.world.refused("SenderNotPermitted", "distributor-1", &other);
    // 96 kWh at 6.20.
    assert_eq!(town.bill(FIRST)["total_micro"], "595200000");

    let delete = ["delete-frequency", "--period", &at_noon];
    let deleted = town.world.send("grid-operator", &delete)["transaction_id"].clone();
    let deleted = deleted.as_str().unwrap();
    let shown = town.world.json(&["show", "frequency", "--day", FIRST]);
    assert!(shown["slots"][48]["frequency_millihertz"].is_null());
    assert_eq!(shown["corrections"].as_array().unwrap().len(), 1, "the history stays");
    assert!(town.bills()[0]["stale_since"].is_string());
    let again = ["issue-bill", "--usage-point", &town.home, "--billing-period", FIRST];
    town.world.refused("FrequencyMissing", "distributor-1", &again);

    let correct = ["correct-frequency", "--period", &at_noon, "--hertz", "49.88"];
    town.world.submit("grid-operator", &correct);
    let bill = town.bill(FIRST);
    // The slot at 7.55 now: 1.35 more.
    assert_eq!((&bill["total_micro"], &bill["revision"]), (&"596550000".into(), &2.into()));
    let former = &town.bills()[0];
    assert_eq!((&former["status"], &former["replaced_by"]), (&"replaced".into(), &bill["bill"]));
    assert_eq!(bill["replaces"], former["bill"]);
    let shown = town.world.json(&["show", "frequency", "--day", FIRST]);
    assert_eq!(shown["slots"][48]["frequency_millihertz"], 49_880);
    let history = town.world.as_party("anna", &["show", "transaction", deleted]);
    assert_eq!(history["kind_name"], "DeleteFrequency", "what was deleted stays to be read");
}

#[test]
fn a_reading_is_submitted_read_corrected_and_never_replayed() {
    let town = Town::found();
    town.world.advance(&time(FIRST, "12:00"));
    let (home, file) = (town.home.as_str(), town.world.at("reading.bin"));
    let submit = ["submit-reading", "--usage-point", home];
    let eight = time(FIRST, "08:00");
    let value = ["--period", &eight, "--import-wh", "250", "--export-wh", "40"];
    let key = town.world.key("meter-home");
    let out = [&["submit"], &submit[..], &value, &["--out", &file, "--key", &key]].concat();
    expect(0, &[&out[..], &["--node", &town.world.node.url]].concat());
    // Whoever carries it, and however often: it counts once.
    let carry = ["submit", "raw", &file, "--json", "--node", &town.world.node.url];
    let first = json(&carry);
    assert_eq!(json(&carry)["height"], first["height"], "the first receipt stays the answer");
    // The same content again is harmless, other content is refused.
    assert_eq!(town.world.send("meter-home", &[&submit[..], &value].concat())["code"], 0);
    let other = [&submit[..], &["--period", &eight, "--import-wh", "251"]].concat();
    town.world.refused("ReadingExists", "meter-home", &other);
    let nine = time(FIRST, "09:00");
    let strange = [&submit[..], &["--period", &nine, "--import-wh", "1"]].concat();
    town.world.refused("SenderNotPermitted", "anna", &strange);
    town.world.refused("SenderIsNotTheMeter", "distributor-1", &strange);

    let read = |town: &Town| -> Value {
        let day = town.world.as_party("anna", &["show", "readings", home, "--day", FIRST]);
        day["slots"][32]["reading"].clone()
    };
    let reading = read(&town);
    assert_eq!((&reading["import_wh"], &reading["export_wh"]), (&"250".into(), &"40".into()));
    let correct = ["correct-reading", "--usage-point", home, "--period", &eight];
    let estimate = [&correct[..], &["--import-wh", "260", "--quality", "actual"]].concat();
    town.world.refused("ActualOnlyFromMeter", "distributor-1", &estimate);
    let estimate = [&correct[..], &["--import-wh", "260", "--quality", "estimated"]].concat();
    town.world.submit("distributor-1", &estimate);
    assert_eq!(read(&town)["quality"], "estimated");
    let former = first["transaction_id"].as_str().unwrap();
    let former = town.world.as_party("anna", &["show", "transaction", former]);
    assert_eq!(former["kind_name"], "SubmitReading", "the former value stays to be read");
}

#[test]
fn implausible_readings_are_refused_by_name() {
    let town = Town::found();
    town.world.advance(&time("2026-07-05", "12:00"));
    let send = |clock: &str, day: &str, import: &str| {
        let period = time(day, clock);
        let submit = ["submit-reading", "--usage-point", &town.home, "--period", &period];
        town.world.send("meter-home", &[&submit[..], &["--import-wh", import]].concat())
    };
    assert_eq!(send("13:00", "2026-07-05", "1")["name"], "PeriodNotEnded");
    // 12 kW carry 3,000 Wh in a quarter of an hour.
    assert_eq!(send("11:00", "2026-07-05", "3001")["name"], "AboveConnectionLimit");
    assert_eq!(send("11:00", "2026-07-05", "3000")["status"], "accepted");
    let negative = ["submit", "submit-reading", "--usage-point", &town.home, "--import-wh=-1"];
    let period = ["--period", &time(FIRST, "00:00"), "--key", &town.world.key("meter-home")];
    assert_eq!(run(&[&negative[..], &period].concat()).status.code(), Some(2));
    // A reading that comes days late counts, and is flagged.
    let late = send("00:00", FIRST, "10")["transaction_id"].as_str().unwrap().to_owned();
    let shown = town.world.as_party("anna", &["show", "transaction", &late]);
    assert!(shown["receipt"].to_string().contains("ReadingLate"), "{shown}");

    town.seal("2026-07-02", (100, 10), (50_000, 7_000));
    let seal = |day: &str, first| town.try_seal("meter-home", day, (100, 0), first)["name"].clone();
    assert_eq!(seal("2026-07-03", (59_599, 7_960)), "RegisterWentBackwards");
    assert_eq!(seal("2026-07-04", (900_000, 7_960)), "RegisterJumped");
    assert_eq!(seal("2026-07-02", (50_000, 7_000)), "DayAlreadySealed");
    assert_eq!(town.try_seal("anna", "2026-07-03", (1, 0), (0, 0))["name"], "SenderNotPermitted");
    town.seal("2026-07-03", (100, 0), (59_600, 7_960));
}

#[test]
fn a_silent_day_is_estimated_flagged_and_replaced_by_the_actual() {
    let town = Town::found();
    town.tariff(FLAT);
    town.world.advance(&time("2026-07-04", "00:15"));
    town.seal(FIRST, (100, 0), (0, 0));
    // The meter was silent for a day; what it drew then is known from its registers.
    town.seal("2026-07-03", (100, 0), (28_800, 0));
    let estimate = ["estimate-day", "--usage-point", &town.home, "--day", "2026-07-02"];
    let key = town.world.key("distributor-1");
    let more = ["--key", &key, "--node", &town.world.node.url];
    let output = run(&[&["submit"], &estimate[..], &more].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--profile"), "{output:?}");
    let rows: String = (0..96).map(|slot| format!("{}\n", 100 + slot)).collect();
    let file = town.world.file("profile.csv", &format!("import_wh\n{rows}"));
    let publish = ["publish-standard-profile", "--name", "homes", "--file", &file];
    let profile = town.world.submit("distributor-1", &publish);
    let estimate = [&estimate[..], &["--profile", &profile]].concat();
    town.world.submit("distributor-1", &estimate);
    let shown = |town: &Town| {
        town.world.as_party("anna", &["show", "readings", &town.home, "--day", "2026-07-02"])
    };
    let day = shown(&town);
    assert_eq!(day["total"]["import_wh"], "19200", "to the Wh what the registers moved");
    assert_eq!(day["slots"][5]["reading"]["quality"], "estimated");
    let bill = town.bill("2026-07-02");
    assert_eq!(bill["total_micro"], "96000000");

    town.seal("2026-07-02", (200, 0), (9_600, 0));
    let day = shown(&town);
    let reading = &day["slots"][5]["reading"];
    assert_eq!((&day["seal"]["by"], &reading["import_wh"]), (&"meter".into(), &"200".into()));
    assert!(town.bills()[0]["stale_since"].is_string(), "billed from the estimate");
}

#[test]
fn a_meter_is_swapped_and_registers_roll_over() {
    let town = Town::found();
    town.world.advance(&time("2026-07-04", "00:15"));
    town.seal(FIRST, (100, 0), (0, 0));
    // The new meter has five digits of kWh and begins shortly before its end.
    town.world.new_key("second");
    let (second, begin) = (town.world.key("second"), time("2026-07-02", "00:00"));
    let install = ["install-meter", "--usage-point", &town.home, "--meter-key", &second];
    let registers = ["--first-import-wh", "99995000", "--register-limit-wh", "100000000"];
    let former = ["--former-import-wh", "9600", "--former-export-wh", "0", "--from-period", &begin];
    town.world.submit("distributor-1", &[&install[..], &registers, &former].concat());
    let sealed = town.try_seal("meter-home", "2026-07-02", (100, 0), (9_600, 0));
    assert_eq!(sealed["name"], "KeyRevoked", "{sealed}");
    let file = town.day_file((100, 0));
    let seal = ["seal-day", "--usage-point", &town.home, "--file", &file];
    let limit = ["--register-limit-wh", "100000000", "--first-export-wh", "0"];
    for (day, first) in [("2026-07-02", "99995000"), ("2026-07-03", "4600")] {
        let day = ["--day", day, "--first-import-wh", first];
        town.world.submit("second", &[&seal[..], &limit, &day].concat());
    }
}

#[test]
fn the_verbs_of_energy_blocks_work_on_the_wire() {
    let town = Town::found();
    town.world.advance(&time(FIRST, "12:00"));
    let url = &town.world.node.url;
    let verb = |verb: (&str, &str), signer: &str, transaction: &[&str]| -> Value {
        let (file, key) = (town.world.at("verb.bin"), town.world.key(signer));
        let sign = [&["submit"], transaction, &["--out", &file, "--key", &key, "--node", url]];
        expect(0, &sign.concat());
        let bytes = data_encoding::BASE64.encode(&std::fs::read(&file).unwrap());
        let body = serde_json::json!({ "submission": bytes }).to_string();
        let answer = wire::request(url, verb, "application/json", body.as_bytes());
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{text}");
        assert!(text.contains("\"accepted\""), "{verb:?}: {text}");
        serde_json::from_str(&text).unwrap()
    };
    let eight = time(FIRST, "08:00");
    let publish = ["publish-frequency", "--first-period", &eight, "--hertz", "49.95"];
    verb(("POST", "/v1/frequency"), "grid-operator", &publish);
    let read = town.world.connection("anna").get_json("/v1/frequency?day=2026-07-01").unwrap();
    assert_eq!(read["slots"][32]["frequency_millihertz"], 49_950);
    verb(("DELETE", "/v1/frequency"), "grid-operator", &["delete-frequency", "--period", &eight]);
    let unit = ["submit-reading", "--usage-point", &town.home, "--period", &eight];
    let unit = [&unit[..], &["--import-wh", "250"]].concat();
    let submitted = verb(("POST", "/v1/unit"), "meter-home", &unit);
    let submitted = submitted["results"][0]["transaction_id"].as_str().unwrap();
    let delete = ["correct-reading", "--usage-point", &town.home, "--period", &eight];
    verb(("DELETE", "/v1/unit"), "meter-home", &[&delete[..], &["--import-wh", "0"]].concat());
    let path = format!("/v1/unit?usage_point={}&day={FIRST}", town.home);
    let read = town.world.connection("anna").get_json(&path).unwrap();
    assert_eq!(read["slots"][32]["reading"]["import_wh"], "0");
    let path = format!("/v1/transactions/{submitted}");
    let history = town.world.connection("anna").get_json(&path).unwrap();
    assert_eq!(history["kind_name"], "SubmitReading", "delete erases nothing");
}

#[test]
fn a_household_sees_its_history_by_slot_day_and_month() {
    let town = Town::found();
    town.tariff(FLAT);
    town.world.advance(&time("2026-08-01", "00:15"));
    let days: String = (1..=31)
        .flat_map(|day| (0..96).map(move |slot| (day, slot)))
        .map(|(day, slot)| {
            let (hour, minute) = (slot / 4, slot % 4 * 15);
            format!("meter-home,2026-07-{day:02}T{hour:02}:{minute:02},0.0{day:02},0.007\n")
        })
        .collect();
    let table = town.world.file("july.csv", &format!("label,time,import_kwh,export_kwh\n{days}"));
    let (keys, reader) = (town.world.at(""), town.world.key("anna"));
    let import = ["import", "readings", &table, "--keys", &keys, "--reader-key", &reader];
    assert_eq!(town.world.json(&import)["recorded"], "31");
    let day = town.world.as_party("anna", &["show", "readings", &town.home, "--day", "2026-07-09"]);
    assert_eq!(day["slots"][7]["reading"]["import_wh"], "9");
    assert_eq!(day["total"]["import_wh"], "864");
    let file = town.world.at("history.csv");
    let export = ["export", "csv", &town.home, "--what", "readings", "--out", &file];
    let range = ["--from", FIRST, "--until", "2026-07-31", "--key", &reader];
    expect(0, &[&export[..], &range, &["--node", &town.world.node.url]].concat());
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1 + 31 * 96);
    // Two-way: what is drawn and what is sold stand apart, and sold counts negative.
    let bill = town.bill_detail(&town.bill("2026-07"));
    let (drawn, sold) = (96 * (1..=31).sum::<u64>(), 96 * 31 * 7);
    assert_eq!(bill["metered_import_wh"], drawn.to_string());
    assert_eq!(bill["metered_export_wh"], sold.to_string());
    assert_eq!(bill["lines"][1]["kind"], "energy_export");
    assert_eq!(bill["lines"][1]["amount_micro"], "-104160000");
}
