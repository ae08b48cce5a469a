//! A private ledger on a real node: the distributor's own.

use std::path::PathBuf;

use serde_json::Value;

use crate::acceptance::{FIRST, FLAT, time};
use crate::process::{expect, json, run};
use crate::world::{Below, World};

/// A world with one station and Anna's home, whose meter measures from the first day on.
struct Street {
    world: World,
    home: String,
}

impl Street {
    fn found() -> Self {
        let world = World::found_with("2026-06-30T00:00:00+05:30", &["--private"]);
        let station = world.station("street", "distributor-1");
        world.admit("anna", "consumer,producer");
        let below = Below {
            station: &station,
            customer: "anna",
            biller: "distributor-1",
            limit_w: "12000",
            kind: "household",
        };
        let home = world.usage_point("home", &below, &time(FIRST, "00:00"));
        let file = world.file("tariff.toml", FLAT);
        let begin = time(FIRST, "00:00");
        let publish = ["publish-tariff", &file, "--first-period", &begin];
        let tariff = world.submit("distributor-1", &publish);
        let assign = ["assign-tariff", "--usage-point", &home, "--tariff", &tariff];
        world.submit("distributor-1", &[&assign[..], &["--first-period", &begin]].concat());
        world.advance(&time("2026-07-03", "00:15"));
        Self { world, home }
    }

    /// The node's key becomes the distributor's on the ledger.
    fn register_node(&self) {
        let key = self.world.at("node/node.key");
        self.world.submit("distributor-1", &["register-node", "--node-key", &key]);
    }

    fn seal(&self, file: &str, more: &[&str]) -> Value {
        let seal = ["seal-private-day", "--usage-point", &self.home, "--day", FIRST];
        let of = ["--file", file, "--first-import-wh", "0", "--first-export-wh", "0"];
        let numbers = ["--seal-sequence", "1", "--sequence", "1"];
        self.world.send("meter-home", &[&seal[..], &of, &numbers, more].concat())
    }

    fn readings(&self, who: &str, day: &str) -> Value {
        self.world.as_party(who, &["show", "readings", &self.home, "--day", day])
    }

    /// The files of values in the node's directory.
    fn values(&self) -> Vec<PathBuf> {
        let folder = self.world.path("node/private");
        let Ok(points) = std::fs::read_dir(folder) else { return Vec::new() };
        let files = points.flat_map(|point| std::fs::read_dir(point.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }

    /// A table of the home's quarter hours over both days, `watt_hours` in each.
    fn table(&self, watt_hours: u64) -> String {
        let mut table = "label,time,import_kwh\n".to_owned();
        for day in 1..=2 {
            for slot in 0..96 {
                let (hour, minute) = (slot / 4, slot % 4 * 15);
                let time = format!("2026-07-{day:02}T{hour:02}:{minute:02}");
                table.push_str(&format!("meter-home,{time},0.{watt_hours:03}\n"));
            }
        }
        self.world.file(&format!("readings-{watt_hours}.csv"), &table)
    }

    fn bill_over(&self, period: &str) -> String {
        let of = ["--usage-point", self.home.as_str(), "--billing-period", period];
        self.world.submit("distributor-1", &[&["issue-private-bill"], &of[..]].concat());
        let list = self.world.as_party("anna", &["show", "bills", &self.home]);
        let newest = list["items"].as_array().unwrap().last().unwrap().clone();
        newest["bill"].as_str().unwrap().to_owned()
    }
}

#[test]
fn values_stay_with_the_distributor_and_the_household_and_are_erased_for_good() {
    let street = Street::found();
    let world = &street.world;
    let day = world.file("day.csv", &format!("import_wh,export_wh\n{}", "250,0\n".repeat(96)));

    // Nobody has said whose node this is: it may not hold the values, and says who may.
    let refused = street.seal(&day, &[]);
    assert_eq!(refused["name"], "NodeNotEntitled", "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    for party in ["anna", "distributor-1"] {
        assert!(detail.contains(&world.party(party)), "{detail}");
    }
    // The seal alone is taken anywhere; its values can follow.
    assert_eq!(street.seal(&day, &["--without-values"])["status"], "accepted");
    let elsewhere = street.readings("anna", FIRST);
    assert_eq!(
        (&elsewhere["not_held"], &elsewhere["seal"]["by"]),
        (&true.into(), &"private_meter".into())
    );
    assert!(street.values().is_empty());
    street.register_node();
    assert_eq!(street.seal(&day, &[])["status"], "accepted");
    assert_eq!(street.values().len(), 1);
    let first = &street.readings("anna", FIRST)["slots"][7]["reading"];
    assert_eq!(first["import_wh"], "250");

    // The meter's table brings both days; the first is known.
    let (table, keys, reader) = (street.table(250), world.at(""), world.key("anna"));
    let import = ["import", "readings", &table, "--keys", &keys, "--reader-key", &reader];
    let told = world.json(&import);
    assert_eq!(
        (&told["recorded"], &told["refused"]),
        (&"1".into(), &Value::Array(vec![])),
        "{told}"
    );
    assert_eq!(street.readings("distributor-1", "2026-07-02")["total"]["import_wh"], "24000");

    // Neither the grid operator nor a regulator sees a value, on whatever node.
    for stranger in ["grid-operator", "regulator", "distributor-2"] {
        let seen = street.readings(stranger, FIRST);
        assert!(seen["withheld"] == true && seen["slots"].is_null(), "{stranger}: {seen}");
    }
    let open = ["seal-day", "--usage-point", &street.home, "--day", FIRST, "--file", &day];
    let open = [&open[..], &["--first-import-wh", "0", "--first-export-wh", "0"]].concat();
    let (node, meter) = (world.node.url.as_str(), world.key("meter-home"));
    expect(2, &[&["submit", "--node", node, "--key", &meter], &open[..]].concat());

    street.bill_check_dispute(&table);
    street.erase();
}

impl Street {
    /// The distributor states twice the energy. Nobody else can see it; the household's check names the
    /// line, and a price that is not the tariff's is refused by all.
    fn wrong_bill(&self) {
        let world = &self.world;
        let (period, home) = ("2026-07-01..2026-07-02", &self.home);
        let path = format!("/v1/usage-points/{home}/bill-draft?billing_period={period}");
        let mut draft = world.connection("distributor-1").get_json(&path).unwrap();
        let issue = ["issue-private-bill", "--usage-point", home, "--billing-period", period];
        let from_draft = |draft: &Value| {
            let file = world.file("draft.json", &draft.to_string());
            let send = [&issue[..], &["--draft", &file]].concat();
            world.send("distributor-1", &send)
        };
        draft["lines"][0]["energy_wh"] = "96000".into();
        assert_eq!(from_draft(&draft)["name"], "LineDiffers");
        draft["lines"][0]["exact_milli_micro"] = "480000000000".into();
        draft["lines"][0]["amount_micro"] = "480000000".into();
        draft["total_micro"] = "480000000".into();
        assert_eq!(from_draft(&draft)["status"], "accepted");
        let list = world.as_party("anna", &["show", "bills", home]);
        let bill = list["items"][0]["bill"].as_str().unwrap();
        let (key, node) = (world.key("anna"), world.node.url.as_str());
        let output = run(&["bill", "check", bill, "--node", node, "--key", &key, "--json"]);
        assert_eq!(output.status.code(), Some(1));
        let differs: Value = serde_json::from_slice(&output.stdout).unwrap();
        let difference = differs["difference"].as_str().unwrap();
        assert!(difference.contains("line 1") && difference.contains("96000"), "{difference}");
    }

    /// The distributor bills, the household checks and disputes, a regulator looks and decides.
    fn bill_check_dispute(&self, table: &str) {
        let world = &self.world;
        self.wrong_bill();
        let bill = self.bill_over("2026-07-01..2026-07-02");
        let total = world.as_party("anna", &["show", "bill", &bill])["total_micro"].clone();
        assert_eq!(total, "240000000");
        let (key, node) = (world.key("anna"), world.node.url.as_str());
        let proof = world.at("bill.json");
        let check = ["bill", "check", &bill, "--node", node, "--key", &key, "--json"];
        let own = ["--readings", table, "--out", &proof];
        let equal = json(&[&check[..], &own].concat());
        assert_eq!((&equal["equal"], &equal["own_readings"]), (&true.into(), &true.into()));
        let other = self.table(251);
        let output = run(&[&check[..], &["--readings", &other]].concat());
        let differs: Value = serde_json::from_slice(&output.stdout).unwrap();
        let difference = differs["difference"].as_str().unwrap();
        assert!(difference.contains("2026-07-01, slot 0: sealed are 250 Wh"), "{difference}");
        // The proof stands alone, and a regulator gets none.
        let genesis = world.at("node/genesis.json");
        expect(0, &["verify", "--genesis", &genesis, &proof]);
        let regulator = world.key("regulator");
        let as_regulator = ["bill", "check", &bill, "--node", node, "--key", &regulator];
        expect(1, &as_regulator);

        let reason = "77".repeat(32);
        let dispute = ["dispute-bill", "--bill", &bill, "--amount", "10", "--reason-hash", &reason];
        world.submit("anna", &dispute);
        assert_eq!(self.readings("regulator", FIRST)["slots"][7]["reading"]["import_wh"], "250");
        expect(0, &as_regulator);
        let erase = ["erase-payloads", "--usage-point", &self.home, "--first-day", FIRST];
        let erase = [&erase[..], &["--last-day", "2026-07-02"]].concat();
        world.refused("DayInDispute", "anna", &erase);
        world.submit("regulator", &["decide-dispute", "--bill", &bill, "--upheld", "0"]);
        assert_eq!(self.readings("regulator", FIRST)["withheld"], true);
    }

    /// The household has the days erased; nothing comes back, and the bill stays.
    fn erase(self) {
        let erase = ["erase-payloads", "--usage-point", &self.home, "--first-day", FIRST];
        let erase = [&erase[..], &["--last-day", "2026-07-02"]].concat();
        assert_eq!(self.values().len(), 2);
        self.world.submit("anna", &erase);
        assert!(self.values().is_empty());
        let day = self.world.at("day.csv");
        assert_eq!(self.seal(&day, &[])["status"], "accepted", "it is known");
        assert!(self.values().is_empty(), "what was erased came back");
        let Self { world, home } = self;
        let street = Self { world: world.restart(), home };
        assert!(street.values().is_empty(), "what was erased came back with a restart");
        assert_eq!(street.readings("anna", FIRST)["erased"], true);
        let world = &street.world;
        let bills = world.as_party("anna", &["show", "bills", &street.home]);
        assert_eq!(bills["items"][1]["total_micro"], "240000000");
        // The household's own proof holds what it always held.
        let (genesis, proof) = (world.at("node/genesis.json"), world.at("bill.json"));
        expect(0, &["verify", "--genesis", &genesis, &proof]);
    }
}
