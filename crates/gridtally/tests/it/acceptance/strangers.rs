//! What the systems before got wrong: each line of the list is a test that fails for a stranger.

use super::{FIRST, FLAT, Town, time};
use crate::process::run;
use crate::wire;
use crate::world::Below;

#[test]
fn nobody_but_its_publisher_sets_a_rate() {
    let town = Town::found();
    let tariff = town.tariff(FLAT);
    let free = town.world.file("free.toml", &FLAT.replace("\"5\"", "\"0\""));
    let begin = time("2026-07-03", "00:00");
    let publish = ["publish-tariff", &free, "--first-period", &begin];
    for stranger in ["anna", "aggregator", "regulator"] {
        town.world.refused("SenderNotPermitted", stranger, &publish);
    }
    let version = [&publish[..], &["--tariff", &tariff]].concat();
    for other in ["distributor-2", "grid-operator"] {
        town.world.refused("NotThePublisher", other, &version);
    }
    let own = town.world.submit("distributor-2", &publish);
    let assign = ["assign-tariff", "--usage-point", &town.home, "--first-period", &begin];
    let theirs = [&assign[..], &["--tariff", &own]].concat();
    town.world.refused("NotTheBiller", "distributor-2", &theirs);
    town.world.refused("NotThePublisher", "distributor-1", &theirs);
    town.world.advance(&time("2026-07-04", "00:15"));
    let first = time(FIRST, "00:00");
    let amend = ["amend-tariff", &free, "--tariff", &tariff, "--first-period", &first];
    town.world.refused("QuorumNotReached", "distributor-1", &amend);
    let regulator = town.world.key("regulator");
    let cosigned = [&amend[..], &["--cosigner", &regulator]].concat();
    town.world.refused("NotThePublisher", "distributor-2", &cosigned);
    town.world.submit("distributor-1", &cosigned);
}

#[test]
fn names_that_run_together_stay_two_places() {
    let town = Town::found();
    // Society "1" with station "12" and society "11" with station "2" read alike when put together.
    let mut points = Vec::new();
    for (society, label) in [("1", "12"), ("11", "2")] {
        let station = town.world.station(society, "distributor-1");
        let below = Below {
            station: &station,
            customer: "anna",
            biller: "distributor-1",
            limit_w: "12000",
            kind: "household",
        };
        points.push(town.world.usage_point(label, &below, &time(FIRST, "00:00")));
        let twice = ["register-usage-point", "--label", label, "--station", &station];
        let anna = town.world.party("anna");
        let more = ["--customer", &anna, "--connection-limit-w", "1000"];
        town.world.refused("LabelTaken", "distributor-1", &[&twice[..], &more].concat());
    }
    town.world.advance(&time(FIRST, "12:00"));
    let period = time(FIRST, "08:00");
    for ((meter, point), energy) in ["meter-12", "meter-2"].iter().zip(&points).zip(["111", "222"])
    {
        let submit = ["submit-reading", "--usage-point", point, "--period", &period];
        town.world.submit(meter, &[&submit[..], &["--import-wh", energy]].concat());
    }
    for (point, energy) in points.iter().zip(["111", "222"]) {
        let day = town.world.as_party("anna", &["show", "readings", point, "--day", FIRST]);
        assert_eq!(day["total"]["import_wh"], energy);
    }
    let cross = ["submit-reading", "--usage-point", &points[0], "--period", &period];
    let cross = [&cross[..], &["--import-wh", "1"]].concat();
    town.world.refused("SenderIsNotTheMeter", "meter-2", &cross);
}

#[test]
fn what_does_not_parse_never_reaches_the_ledger() {
    let town = Town::found();
    town.world.advance(&time("2026-07-02", "00:15"));
    let height = || town.world.json(&["show", "status"])["height"].clone();
    let before = height();
    let refused = |arguments: &[&str], signer: &str| {
        let (url, key) = (town.world.node.url.as_str(), town.world.key(signer));
        let output = run(&[arguments, &["--node", url, "--key", &key]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?} says why");
    };
    let period = time(FIRST, "08:00");
    for hertz in ["", "fifty", "49,95", "NaN", "1e3", "-50", "50.0001", "39.999", "70.001"] {
        let hertz = format!("--hertz={hertz}");
        let publish = ["submit", "publish-frequency", "--first-period", &period, &hertz];
        refused(&publish, "grid-operator");
    }
    for energy in ["", "x", "1.5", "-1", "99999999999999999999", "0x10", " "] {
        let energy = format!("--import-wh={energy}");
        let submit = ["submit", "submit-reading", "--usage-point", &town.home];
        refused(&[&submit[..], &["--period", &period, &energy]].concat(), "meter-home");
    }
    for amount in ["", "x", "1.0000001", "1e6", "99999999999999"] {
        let amount = format!("--amount={amount}");
        refused(&["submit", "pay-bill", "--usage-point", &town.home, &amount], "anna");
    }
    for rows in ["2026-07-01,00:00,fifty", "2026-07-01,00:07,50.0", "2026-13-01,00:00,50", "x"] {
        let file = town.world.file("bad.csv", &format!("date,time,freq_hz\n{rows}\n"));
        refused(&["import", "frequency", &file], "grid-operator");
    }
    for body in [
        "",
        "{}",
        "[]",
        "{\"submission\":1}",
        "{\"submission\":\"@\"}",
        "{\"submission\":\"AAAA\"}",
    ] {
        for path in ["/v1/frequency", "/v1/unit", "/v1/bill"] {
            for method in ["POST", "DELETE"] {
                let url = &town.world.node.url;
                let answer =
                    wire::request(url, (method, path), "application/json", body.as_bytes());
                assert_eq!(answer.status, 400, "{method} {path} {body}");
            }
        }
    }
    assert_eq!(height(), before);
}

#[test]
fn what_a_rule_refuses_is_recorded_and_changes_nothing() {
    let town = Town::found();
    let before = town.world.as_party("regulator", &["show", "parties"]);
    let answer = town.world.send("anna", &["suspend-party", "--party", &town.world.party("anna")]);
    assert_eq!((&answer["status"], &answer["code"]), (&"rejected".into(), &106.into()), "{answer}");
    let id = answer["transaction_id"].as_str().unwrap();
    let shown = town.world.as_party("anna", &["show", "transaction", id]);
    assert_eq!(shown["receipt"]["name"], "SenderNotPermitted");
    assert_eq!(town.world.as_party("regulator", &["show", "parties"]), before);
}

#[test]
fn a_stranger_reads_ids_and_hashes_only() {
    let town = Town::found();
    town.tariff(FLAT);
    town.world.advance(&time("2026-07-02", "00:15"));
    town.seal(FIRST, (100, 0), (0, 0));
    let bill = town.bill(FIRST)["bill"].as_str().unwrap().to_owned();
    let anna = town.world.party("anna");
    town.world.admit("bert", "consumer");
    let paths = [
        format!("/v1/usage-points/{}", town.home),
        format!("/v1/usage-points/{}/readings?day={FIRST}", town.home),
        format!("/v1/usage-points/{}/charges?day={FIRST}", town.home),
        format!("/v1/usage-points/{}/bills", town.home),
        format!("/v1/bills/{bill}"),
        format!("/v1/accounts/{anna}"),
        format!("/v1/parties/{anna}"),
    ];
    let stranger = client::connection::Connection::new(&town.world.node.url).unwrap();
    let neighbour = town.world.connection("bert");
    let household = town.world.connection("anna");
    for path in &paths {
        // What the household sees and nobody else: energy, money, and what things are called.
        let hidden = |text: &str| {
            // Where a meter's registers start again belongs to its installation, which is public.
            let text = text.replace("register_limit_wh", "");
            ["_wh\":\"", "_micro\":\"", "\"label\":\"home", "\"alias\":\"anna"]
                .iter()
                .any(|secret| text.contains(secret))
        };
        let text = |connection: &client::connection::Connection| {
            connection.get_json(path).unwrap().to_string()
        };
        assert!(hidden(&text(&household)), "{path}: {}", text(&household));
        for reader in [&stranger, &neighbour] {
            assert!(!hidden(&text(reader)), "{path}: {}", text(reader));
        }
    }
    let proof = format!("/v1/bills/{bill}/proof");
    assert!(stranger.get(&proof).is_err() && neighbour.get(&proof).is_err());
    assert!(household.get(&proof).is_ok());
}
