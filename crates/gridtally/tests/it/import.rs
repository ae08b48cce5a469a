//! Files of others: a month of two homes is imported, billed, exported, printed and proven; members
//! join from a table.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::process::{NodeProcess, expect, json, run};

/// A running demonstration of two homes, whose clock stands in July 2016.
pub struct Network {
    pub _dir: tempfile::TempDir,
    pub path: PathBuf,
    pub node: NodeProcess,
}

impl Network {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("demo");
        json(&["demo", "--once", "--json", "--homes", "2", "--dir", path.to_str().unwrap()]);
        let node = NodeProcess::start(&path, &[]);
        let network = Self { _dir: dir, path, node };
        network.advance("2016-07-01T00:00:00+05:30");
        network
    }

    pub fn advance(&self, to: &str) {
        let key = self.key("clock-keeper");
        expect(
            0,
            &["submit", "advance-clock", "--node", &self.node.url, "--to", to, "--key", &key],
        );
    }

    pub fn key(&self, name: &str) -> String {
        self.path.join("keys").join(format!("{name}.key")).to_str().unwrap().to_owned()
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.path.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["--json", "--node", &self.node.url]);
        json(&all)
    }

    /// The usage point of a label.
    pub fn usage_point(&self, label: &str) -> String {
        let list = self.json(&["show", "usage-points"]);
        let items = list["items"].as_array().unwrap();
        let found = items.iter().find(|item| item["label"] == label).unwrap();
        found["usage_point"].as_str().unwrap().to_owned()
    }
}

fn kwh(watt_hours: &str) -> String {
    let number: u64 = watt_hours.parse().unwrap();
    format!("{}.{:03}", number / 1_000, number % 1_000)
}

/// The first two homes of the extract from 2 to 30 June, as a wide table of kWh.
fn wide(name: &str) -> String {
    let file = format!("{}/../../data/simbench/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let head: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let columns: Vec<usize> =
        (0..head.len()).filter(|index| ["M01", "M02"].contains(&head[*index])).collect();
    let mut table = "time".to_owned();
    for column in &columns {
        table.push_str(&format!(",{}", head[*column]));
    }
    for line in text.lines().skip(1 + 96) {
        let cells: Vec<&str> = line.split(',').collect();
        table.push_str(&format!("\n{}", cells[0]));
        for column in &columns {
            table.push_str(&format!(",{}", kwh(cells[*column])));
        }
    }
    table + "\n"
}

fn frequencies() -> String {
    let mut csv = "date,time,freq_hz\n".to_owned();
    for day in 2..=30 {
        for slot in 0..96 {
            let (hour, minute) = (slot / 4, slot % 4 * 15);
            let hertz = if slot % 2 == 0 { "49.95" } else { "50.02" };
            csv.push_str(&format!("2016-06-{day:02},{hour:02}:{minute:02},{hertz}\n"));
        }
    }
    csv
}

fn sum_of(path: &Path, column: &str) -> i64 {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let index = head.iter().position(|name| *name == column).unwrap_or_else(|| panic!("{head:?}"));
    lines
        .map(|line| line.split(',').nth(index).unwrap().replace('.', "").parse::<i64>().unwrap())
        .sum()
}

#[test]
fn a_month_is_imported_billed_exported_printed_and_proven() {
    let network = Network::start();
    let import = network.file("import.csv", &wide("import_wh"));
    let export = network.file("export.csv", &wide("export_wh"));
    let keys = network.path.join("keys");
    for (from, to) in [("meter-1", "M01"), ("meter-2", "M02")] {
        std::fs::copy(network.key(from), network.key(to)).unwrap();
    }
    let reader = network.key("grid-operator");
    let keys = ["--keys", keys.to_str().unwrap(), "--reader-key", &reader];
    let readings = [&["import", "readings", &import, "--export", &export], &keys[..]].concat();
    let dry = network.json(&[&readings[..], &["--dry-run"]].concat());
    assert_eq!((&dry["days"], &dry["incomplete_days"]), (&58.into(), &0.into()));

    // The first ten days, then all: what is there is skipped.
    let part = network.json(&[&readings[..], &["--until", "2016-06-11"]].concat());
    assert_eq!((&part["recorded"], &part["already_recorded"]), (&"20".into(), &"0".into()));
    let whole = network.json(&readings);
    assert_eq!((&whole["recorded"], &whole["already_recorded"]), (&"38".into(), &"20".into()));
    assert_eq!(whole["refused"].as_array().unwrap().len(), 0);

    let file = network.file("frequency.csv", &frequencies());
    let operator = network.key("grid-operator");
    let frequency = ["import", "frequency", &file, "--key", &operator];
    assert_eq!(network.json(&frequency)["recorded"], "58");
    let again = network.json(&frequency);
    assert_eq!((&again["recorded"], &again["already_recorded"]), (&"0".into(), &"29".into()));

    let home = network.usage_point("M01");
    let period = "2016-06-02..2016-06-30";
    let distributor = ["distributor-1", "distributor-2"].into_iter().any(|name| {
        let key = network.key(name);
        let mut bill = vec!["submit", "issue-bill", "--node", &network.node.url, "--key", &key];
        bill.extend(["--usage-point", &home, "--billing-period", period]);
        run(&bill).status.success()
    });
    assert!(distributor, "one of both distributors bills the home");
    let bills = network.json(&["show", "bills", &home]);
    let bill =
        bills["items"].as_array().unwrap().last().unwrap()["bill"].as_str().unwrap().to_owned();
    exports(&network, &home, &bill);
}

fn exports(network: &Network, home: &str, bill: &str) {
    let out = |name: &str| network.path.join(name);
    let text = |name: &str| std::fs::read_to_string(out(name)).unwrap();
    let write = |arguments: &[&str], name: &str| {
        let path = out(name);
        let more = ["--out", path.to_str().unwrap(), "--node", &network.node.url];
        expect(0, &[arguments, &more[..]].concat());
    };
    write(&["export", "bill", bill], "bill.json");
    let document: Value = serde_json::from_str(&text("bill.json")).unwrap();
    write(&["export", "bill", bill, "--format", "csv"], "bill.csv");
    assert!(text("bill.csv").starts_with("bill,line,kind,"), "{}", text("bill.csv"));
    write(&["export", "proof", bill], "bill.proof.json");
    let genesis = out("genesis.json");
    let proof = out("bill.proof.json");
    let verify = ["verify", "--genesis", genesis.to_str().unwrap(), proof.to_str().unwrap()];
    expect(0, &verify);

    let range = ["--from", "2016-06-02", "--until", "2016-06-30"];
    write(&[&["export", "csv", home, "--what", "readings"], &range[..]].concat(), "readings.csv");
    let import: i64 = document["metered_import_wh"].as_str().unwrap().parse().unwrap();
    assert_eq!(sum_of(&out("readings.csv"), "import_kwh"), import);
    write(&[&["export", "csv", home, "--what", "charges"], &range[..]].concat(), "charges.csv");
    let exact: i64 = document["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["exact_milli_micro"].as_str().unwrap().parse::<i64>().unwrap())
        .sum();
    assert_eq!(sum_of(&out("charges.csv"), "amount_exact"), exact);
    // What was exported can be imported: the ledger knows all of it.
    let readings = out("readings.csv");
    let again = ["import", "readings", readings.to_str().unwrap(), "--dry-run"];
    assert_eq!(network.json(&again)["import_wh"], document["metered_import_wh"]);

    write(&["export", "statement", home], "statement.csv");
    let statement = network.json(&["show", "statement", home]);
    let entries = statement["items"].as_array().unwrap();
    let file = text("statement.csv");
    let rows: Vec<&str> = file.split("\r\n").filter(|it| !it.is_empty()).collect();
    assert_eq!(rows.len(), entries.len() + 3, "names, opening, entries, closing");
    assert!(rows[1].contains(",opening,") && rows[rows.len() - 1].contains(",closing,"));
    let micro = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let sum: i64 = entries.iter().map(|entry| micro(&entry["amount_micro"])).sum();
    assert_eq!(sum, micro(&statement["closing_micro"]));
    let closing = rows[rows.len() - 1].rsplit(',').next().unwrap().replace('.', "");
    assert_eq!(closing.parse::<i64>().unwrap(), sum);

    write(&["bill", "print", bill], "bill.html");
    let page = text("bill.html");
    for wanted in [bill, "gridtally verify", "<svg", "@page", "A4", "kWh"] {
        assert!(page.contains(wanted), "{wanted}");
    }
    for foreign in ["<script", "<link", "@import", "url(", "src="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn refusals_are_told_by_line_and_bad_files_send_nothing() {
    let network = Network::start();
    let height = |network: &Network| network.json(&["show", "status"])["height"].clone();
    let before = height(&network);
    let bad = network.file("bad.csv", "time,M01\n2016-06-02T00:00,0.1\n2016-06-02T00:15,x\n");
    let keys = network.path.join("keys");
    let keys = keys.to_str().unwrap();
    let output = run(&["import", "readings", &bad, "--keys", keys, "--node", &network.node.url]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 3: column M01"));
    assert_eq!(height(&network), before);

    let text = "time,M01,nobody\n2016-06-02T00:00,0.1,0.1\n2016-06-02T00:15,0.1,0.1\n";
    let gaps = network.file("gaps.csv", text);
    let seed = ["import", "readings", &gaps, "--demo-seed", "1", "--node", &network.node.url];
    let output = run(&[&seed[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["refused"][0]["line"], 2);
    assert!(report["refused"][0]["reason"].as_str().unwrap().contains("94 of 96 slots"));
    // One by one they are taken; again they are the same.
    for _ in 0..2 {
        let single = run(&[&seed[..], &["--json", "--incomplete", "single"]].concat());
        let report: Value = serde_json::from_slice(&single.stdout).unwrap();
        assert_eq!(report["recorded"], "4", "{report}");
    }
    expect(2, &["import", "readings", &gaps, "--node", &network.node.url]);
}

#[test]
fn a_gateway_seals_what_its_table_says() {
    let network = Network::start();
    let home = network.usage_point("M01");
    let aggregator = network.key("aggregator");
    let party = json(&["keys", "show", "--json", &aggregator])["address"].clone();
    let party = network.json(&["show", "key", party.as_str().unwrap()])["party"].clone();
    let authorised = ["distributor-1", "distributor-2"].into_iter().any(|name| {
        let key = network.key(name);
        let mut send = vec!["submit", "authorize-gateway", "--node", &network.node.url];
        send.extend(["--key", &key, "--usage-point", &home, "--gateway", party.as_str().unwrap()]);
        run(&send).status.success()
    });
    assert!(authorised);
    let mut table = "usage_point,time,import_kwh\n".to_owned();
    for slot in 0..96 {
        let (hour, minute) = (slot / 4, slot % 4 * 15);
        table.push_str(&format!("{home},2016-06-03T{hour:02}:{minute:02},0.{slot:03}\n"));
    }
    let file = network.file("gateway.csv", &table);
    let import = ["import", "readings", &file, "--gateway-key", &aggregator];
    assert_eq!(network.json(&import)["recorded"], "1");
    let again = network.json(&import);
    assert_eq!((&again["recorded"], &again["already_recorded"]), (&"0".into(), &"1".into()));
    let day = network.json(&["show", "readings", &home, "--day", "2016-06-03"]);
    assert_eq!(day["seal"]["by"], "gateway");
    assert_eq!(day["total"]["import_wh"], (0..96).sum::<u64>().to_string());
}

#[test]
fn members_join_from_a_table_and_a_second_run_changes_nothing() {
    let network = Network::start();
    let stations = network.json(&["show", "stations"]);
    let station = stations["items"][0].clone();
    let label = station["label"].as_str().unwrap();
    let table = format!(
        "alias,label,station,role,connection_limit_w\nanna,flat-1,{label},prosumer,9000\n\
         bert,flat-2,{label},,\n"
    );
    let file = network.file("members.csv", &table);
    let folder = network.path.join("members");
    // The first station is the first distributor's.
    let (regulator, provider) = (network.key("regulator"), network.key("network-provider"));
    let distributor = network.key("distributor-1");
    let import = [
        "import",
        "members",
        &file,
        "--keys",
        folder.to_str().unwrap(),
        "--regulator-key",
        &regulator,
        "--network-provider-key",
        &provider,
        "--distributor-key",
        &distributor,
        "--plain",
    ];
    let dry = network.json(&[&import[..], &["--dry-run"]].concat());
    assert_eq!(dry["members"], 2);
    assert!(!folder.exists());
    let joined = network.json(&import);
    assert_eq!((&joined["recorded"], &joined["installed"]), (&"6".into(), &2.into()), "{joined}");
    let again = network.json(&import);
    assert_eq!((&again["recorded"], &again["already_recorded"]), (&"0".into(), &"6".into()));
    let list = std::fs::read_to_string(folder.join("members.csv")).unwrap();
    assert!(list.contains(&network.usage_point("flat-2")), "{list}");
    for name in ["party-anna.key", "flat-1.key", "party-bert.key", "flat-2.key"] {
        assert!(folder.join(name).exists(), "{name}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
    let twice = network.file("twice.csv", &table.replace("flat-2", "flat-1"));
    let mut bad = import;
    bad[2] = &twice;
    expect(2, &bad);
}
