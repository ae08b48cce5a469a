//! Tariffs, bills and payments.

use serde_json::Value;

use super::{FIRST, FLAT, Town, time};
use crate::process::{expect, run};

/// A table of quarter hours of the home from the first day on, `watt_hours` in each.
fn import(town: &Town, until: &str, watt_hours: u64) {
    let mut table = "label,time,import_kwh\n".to_owned();
    for (month, days) in [(7, 31), (8, 31), (9, 30)] {
        for day in 1..=days {
            for slot in 0..96 {
                let (hour, minute) = (slot / 4, slot % 4 * 15);
                let time = format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}");
                table.push_str(&format!("meter-home,{time},0.{watt_hours:03}\n"));
            }
        }
    }
    let file = town.world.file("readings.csv", &table);
    let (keys, reader) = (town.world.at(""), town.world.key("anna"));
    let import = ["import", "readings", &file, "--keys", &keys, "--reader-key", &reader];
    let told = town.world.json(&[&import[..], &["--until", until]].concat());
    assert_eq!(told["refused"].as_array().unwrap().len(), 0, "{told}");
}

#[test]
fn a_station_is_charged_slot_by_slot_in_one_transaction_and_nothing_is_posted() {
    let town = Town::found();
    town.tariff(FLAT);
    town.world.advance(&time("2026-07-02", "00:15"));
    town.seal(FIRST, (100, 40), (0, 0));
    let charge = ["charge-slots", "--station", &town.station, "--day", FIRST];
    town.world.submit("distributor-1", &charge);
    let charges =
        |town: &Town| town.world.as_party("anna", &["show", "charges", &town.home, "--day", FIRST]);
    let slot = charges(&town)["slots"][9].clone();
    assert_eq!(
        (&slot["charged"], &slot["amount"]["amount_micro"]),
        (&true.into(), &"300000".into())
    );
    let accounts = |town: &Town| {
        let anna = town.world.party("anna");
        town.world.as_party("anna", &["show", "accounts", &anna])["items"].clone()
    };
    assert_eq!(accounts(&town).as_array().unwrap().len(), 0, "it shows and posts nothing");
    let period = time(FIRST, "02:15");
    let withdraw = ["withdraw-slot-charge", "--usage-point", &town.home, "--period", &period];
    town.world.refused("NotTheBiller", "distributor-2", &withdraw);
    town.world.submit("distributor-1", &withdraw);
    let day = charges(&town);
    assert_eq!(
        (&day["slots"][9]["charged"], &day["slots"][8]["charged"]),
        (&false.into(), &true.into())
    );
    town.world.refused("SlotNotCharged", "distributor-1", &withdraw);
}

#[test]
fn bills_are_monthly_quarterly_or_for_any_days_and_dues_add_up() {
    let town = Town::found();
    town.tariff(FLAT);
    town.world.buy_tokens("anna", "first", 10_000);
    town.world.advance(&time("2026-10-01", "00:15"));
    import(&town, "2026-09-30", 10);
    // 96 slots of 10 Wh at 5.00 are 4.80 a day.
    let mut dues = 0;
    for (month, total) in [("2026-07", 148_800_000), ("2026-08", 148_800_000)] {
        let bill = town.bill(month);
        assert_eq!(bill["total_micro"], total.to_string(), "{month}");
        dues += total;
        let anna = town.world.party("anna");
        let accounts = town.world.as_party("anna", &["show", "accounts", &anna]);
        let account = accounts["items"].as_array().unwrap().iter();
        let mut owed = account.filter(|item| item["account"].as_str().unwrap().starts_with("dues"));
        assert_eq!(owed.next().unwrap()["balance_micro"], (-dues).to_string());
    }
    let again = ["issue-bill", "--usage-point", &town.home, "--billing-period"];
    town.world.refused("DayAlreadyBilled", "distributor-1", &[&again[..], &["2026-Q3"]].concat());
    let state = ["issue-statement", "--usage-point", &town.home, "--billing-period", "2026-Q3"];
    town.world.refused("MonthNotBilled", "distributor-1", &state);
    assert_eq!(town.bill("2026-09")["total_micro"], "144000000");
    town.world.submit("distributor-1", &state);
    for period in ["2026-Q4", "2026-H2", "2026", "2026-10-01"] {
        town.world.refused("DayNotEnded", "distributor-1", &[&again[..], &[period]].concat());
    }
    // The oldest first: what is paid closes July and a part of August.
    town.pay("200");
    let open: Vec<Value> = town.bills().iter().map(|bill| bill["open_micro"].clone()).collect();
    assert_eq!(open, ["0", "97600000", "144000000"]);
}

#[test]
fn a_quarter_is_one_bill_when_it_is_agreed_so() {
    let town = Town::found();
    town.tariff(FLAT);
    town.world.advance(&time("2026-10-01", "00:15"));
    import(&town, "2026-09-30", 10);
    let bill = town.bill("2026-Q3");
    assert_eq!(
        (&bill["total_micro"], &bill["billing_period"]),
        (&"441600000".into(), &"2026-Q3".into())
    );
    assert_eq!((&bill["first_day"], &bill["last_day"]), (&FIRST.into(), &"2026-09-30".into()));
    let genesis = town.world.at("node/genesis.json");
    let (file, key) = (town.world.at("proof.json"), town.world.key("anna"));
    let export = ["export", "proof", bill["bill"].as_str().unwrap(), "--out", &file, "--key", &key];
    expect(0, &[&export[..], &["--node", &town.world.node.url]].concat());
    expect(0, &["verify", "--genesis", &genesis, &file]);
}

#[test]
fn after_a_payment_nobody_reads_not_paid_and_too_much_is_credit() {
    let town = Town::found();
    town.tariff(FLAT);
    town.world.buy_tokens("anna", "first", 10_000);
    town.world.advance(&time("2026-07-04", "00:15"));
    // 500 kWh at 5.00: 96 slots carry at most 288 kWh, so it takes two days.
    town.seal(FIRST, (2_604, 0), (0, 0));
    town.seal("2026-07-02", (2_604, 0), (249_984, 0));
    let bill = town.bill("2026-07-01..2026-07-02");
    assert_eq!(bill["total_micro"], "2499840000");
    let id = bill["bill"].as_str().unwrap();
    let readers = ["anna", "distributor-1", "regulator", "grid-operator"]
        .map(|name| town.world.connection(name));
    for (amount, open) in [("2000", "499840000"), ("499.83", "10000"), ("0.01", "0")] {
        town.pay(amount);
        for reader in &readers {
            let detail = reader.get_json(&format!("/v1/bills/{id}")).unwrap();
            assert_eq!(detail["open_micro"], open);
            let path = format!("/v1/usage-points/{}/bills", town.home);
            assert_eq!(reader.get_json(&path).unwrap()["items"][0]["open_micro"], open);
        }
    }
    let pay = ["pay-bill", "--usage-point", &town.home, "--amount", "1"];
    town.world.refused("NothingOpen", "anna", &pay);
    let (key, url) = (town.world.key("anna"), &town.world.node.url);
    let redeem = ["submit", "redeem-tokens", "--aggregator", &town.world.party("aggregator")];
    let (tokens, cosigner) =
        (["--tokens", "9000", "--reference", "r"], town.world.key("aggregator"));
    let signed = ["--cosigner", &cosigner, "--key", &key, "--node", url];
    let output = run(&[&redeem[..], &tokens, &signed].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("the wallet holds only 7500.16"), "amounts for people: {text}");
    town.world.refused("NotTheCustomer", "distributor-2", &pay);

    town.seal("2026-07-03", (1_000, 0), (499_968, 0));
    town.bill("2026-07-03");
    town.pay("500");
    let credit = |town: &Town| {
        town.world.as_party("anna", &["show", "usage-point", &town.home])["credit_micro"].clone()
    };
    assert_eq!(credit(&town), "20000000", "480 were owed");
    let paid: Vec<Value> = town.bills().iter().map(|bill| bill["status"].clone()).collect();
    assert_eq!(paid, ["paid", "paid"]);
    // It outlives the node, and the next bill uses it up.
    let town = Town { world: town.world.restart(), ..town };
    assert_eq!(town.bills()[0]["open_micro"], "0");
    town.world.advance(&time("2026-07-05", "00:15"));
    town.seal("2026-07-04", (10, 0), (595_968, 0));
    assert_eq!(town.bill("2026-07-04")["open_micro"], "0");
    assert_eq!(credit(&town), "15200000");
}

#[test]
fn a_change_of_tariff_in_mid_period_is_exact_to_the_slot() {
    let town = Town::found();
    let tariff = town.tariff(FLAT);
    let dearer = town.world.file("dearer.toml", &FLAT.replace("\"5\"", "\"6\""));
    let noon = time(FIRST, "12:15");
    let publish = ["publish-tariff", &dearer, "--tariff", &tariff, "--first-period", &noon];
    town.world.submit("distributor-1", &publish);
    town.world.advance(&time("2026-07-02", "00:15"));
    town.seal(FIRST, (100, 0), (0, 0));
    let bill = town.bill_detail(&town.bill(FIRST));
    let lines: Vec<(Value, Value, Value)> = bill["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let of = |field: &str| line[field].clone();
            (of("tariff_version"), of("energy_wh"), of("amount_micro"))
        })
        .collect();
    let line = |version: u16, energy: &str, amount: &str| {
        (version.into(), energy.into(), Value::from(amount))
    };
    assert_eq!(lines, [line(1, "4900", "24500000"), line(2, "4700", "28200000")]);
    let past = ["publish-tariff", &dearer, "--first-period", &noon];
    town.world.refused("TariffStartsInThePast", "distributor-1", &past);
}

#[test]
fn tokens_come_from_recorded_payments_and_go_the_same_way() {
    let town = Town::found();
    town.world.buy_tokens("anna", "transfer 4711", 100);
    let (aggregator, cosigner) = (town.world.party("aggregator"), town.world.key("aggregator"));
    let buy = ["buy-tokens", "--aggregator", &aggregator, "--coin-amount", "50"];
    let again = [&buy[..], &["--reference", "transfer 4711", "--cosigner", &cosigner]].concat();
    town.world.refused("ReferenceUsed", "anna", &again);
    let alone = [&buy[..], &["--reference", "transfer 4712"]].concat();
    town.world.refused("CosignatureMissing", "anna", &alone);
    let cheap = [&alone[..], &["--cosigner", &cosigner, "--tokens", "101"]].concat();
    town.world.refused("RateDiffers", "anna", &cheap);
    let limit = ["set-backing-limit", "--aggregator", &aggregator, "--limit", "120"];
    town.world.refused("SenderNotPermitted", "aggregator", &limit);
    town.world.submit("regulator", &limit);
    let beyond = [&alone[..], &["--cosigner", &cosigner]].concat();
    town.world.refused("BackingLimitExceeded", "anna", &beyond);
    let redeem = ["redeem-tokens", "--aggregator", &aggregator, "--reference", "back 1"];
    let some = [&redeem[..], &["--tokens", "30", "--cosigner", &cosigner]].concat();
    town.world.submit("anna", &some);
    let anna = town.world.party("anna");
    let accounts = town.world.as_party("anna", &["show", "accounts", &anna]);
    assert_eq!(accounts["items"][0]["balance_micro"], "70000000");
    let issuing = town.world.as_party("aggregator", &["show", "accounts", &aggregator]);
    assert_eq!(issuing["items"][0]["balance_micro"], "-70000000");
    let more = [&redeem[..4], &["back 2", "--tokens", "71", "--cosigner", &cosigner]].concat();
    town.world.refused("InsufficientFunds", "anna", &more);
}
