//! Golden files: the bytes of every transaction, event and key of the state, and the list of rules.
//!
//! A changed line is a breaking change of what goes over the wire or into the state root.
//! `cargo xtask golden` writes the files anew; its diff is what a reviewer approves.

use std::fmt::Write as _;

use primitives::calendar::SettlementPeriod;
use primitives::codec::{decode, encode};
use primitives::identifier::{
    BillId, KeyAddress, LedgerId, PartyId, StationId, TariffId, TransactionId, UsagePointId,
};
use primitives::units::BlockHeight;

use super::kit::golden::{compare, hex};
use super::kit::{Network, by, flat, full};
use super::sample::{draft, event, private_stage, stage, stage_of};
use crate::account::Account;
use crate::registry::Role;
use crate::tariff::{
    ExportRule, FrequencyCurve, PriceRule, PublishTariff, TariffTerms, frequency_curve,
};
use crate::transaction::{Body, TABLE};
use crate::{Event, Malformed, Rejection, state_key};

#[test]
fn golden_transactions() {
    let mut text = String::new();
    let mut line = |name: &str, body: &Body| {
        let bytes = body.encode();
        assert_eq!(Body::decode(body.kind(), &bytes).as_ref(), Ok(body));
        writeln!(text, "{} {name} = {}", body.kind(), hex(&bytes)).unwrap();
    };
    for entry in TABLE {
        line(entry.name, &draft(entry.name, &mut stage_of(entry)).body);
    }
    for (name, body) in tariffs() {
        line(name, &body);
    }
    for change in super::sample::changes(&stage()) {
        let name = format!("ProposeChange {change:?}");
        let name = name.split(" {").next().unwrap();
        line(name, &crate::governance::ProposeChange { change: change.clone() }.into());
    }
    compare("transactions.txt", &text);
}

/// What travels beside a transaction is hashed into it, so its bytes are pinned as well.
#[test]
fn golden_payloads() {
    let mut text = String::new();
    for entry in TABLE {
        let draft = draft(entry.name, &mut stage_of(entry));
        for payload in [draft.payload, draft.private].iter().filter(|it| !it.is_empty()) {
            writeln!(text, "{} {} = {}", entry.kind, entry.name, hex(payload)).unwrap();
        }
    }
    compare("payloads.txt", &text);
}

/// A tariff of each shape of price and export rule.
fn tariffs() -> Vec<(&'static str, Body)> {
    let network = Network::new();
    let curve = |interpolation, rounding| {
        let vector = FrequencyCurve::deviation_vector_2019(
            primitives::units::MicroPerKilowattHour::new(6_200_000),
        );
        PriceRule::FrequencyLinked(FrequencyCurve { interpolation, rounding, ..vector.unwrap() })
    };
    use frequency_curve::{FrequencyRounding, Interpolation};
    let stepped = curve(Interpolation::Step, FrequencyRounding::HalfEven);
    let linear = curve(Interpolation::Linear, FrequencyRounding::HalfUp);
    let publish_terms = |terms| {
        let name = "rate".parse().unwrap();
        Body::from(PublishTariff { tariff: None, name, first_period: network.now(), terms })
    };
    let publish = |import, export| publish_terms(TariffTerms::energy(import, export));
    let by_clock = match full().export {
        ExportRule::Separate(rule) => rule,
        other => unreachable!("{other:?} has no price of its own"),
    };
    vec![
        ("PublishTariff flat", publish(flat(5_000_000).import, ExportRule::NotCredited)),
        ("PublishTariff linear", publish(linear, ExportRule::SameAsImport)),
        ("PublishTariff stepped", publish(stepped.clone(), ExportRule::Separate(stepped))),
        ("PublishTariff by clock", publish(by_clock, ExportRule::SameAsImport)),
        ("PublishTariff slabs, charges and taxes", publish_terms(full())),
    ]
}

#[test]
fn golden_events() {
    let mut text = String::new();
    for (number, name) in Event::NAMES.iter().enumerate() {
        let event = event(name);
        assert_eq!(event.name(), *name);
        let bytes = encode(&event);
        assert_eq!(usize::from(bytes[0]), number, "the order of the list is the wire number");
        assert_eq!(decode::<Event>(&bytes), Ok(event));
        writeln!(text, "{number} {name} = {}", hex(&bytes)).unwrap();
    }
    compare("events.txt", &text);
}

#[test]
fn golden_keys() {
    let address = KeyAddress::new([1; 32]);
    let (party, other) = (PartyId::new([2; 32]), PartyId::new([3; 32]));
    let (station, point) = (StationId::new([4; 16]), UsagePointId::new([5; 16]));
    let (tariff, bill) = (TariffId::new([6; 16]), BillId::new([7; 16]));
    let day = "2025-06-01".parse().unwrap();
    let before_1970 = primitives::calendar::LocalDay::MIN;
    let keys = [
        ("key_record", state_key::key_record(&address)),
        ("sequence_window", state_key::sequence_window(&address)),
        ("party", state_key::party(&party)),
        ("parties", state_key::parties()),
        ("census", state_key::census()),
        ("label of a station", state_key::label(None, "north")),
        ("label of a usage point", state_key::label(Some(&station), "home 1")),
        ("station", state_key::station(&station)),
        ("stations", state_key::stations()),
        ("usage_point", state_key::usage_point(&point)),
        ("usage_points", state_key::usage_points()),
        ("station_member", state_key::station_member(&station, &point)),
        ("station_members", state_key::station_members(&station)),
        ("installed_meter", state_key::installed_meter(&point)),
        ("register_mark", state_key::register_mark(&point, SettlementPeriod::new(1_943_018))),
        ("register_marks", state_key::register_marks(&point)),
        ("slot_reading", state_key::slot_reading(&point, day, 95)),
        ("slot_readings", state_key::slot_readings(&point, day)),
        ("metered_day", state_key::metered_day(&point, day)),
        ("metered_day before 1970", state_key::metered_day(&point, before_1970)),
        ("metered_days", state_key::metered_days(&point)),
        ("standard_profile", state_key::standard_profile(&TransactionId::new([8; 32]))),
        ("standard_profiles", state_key::standard_profiles()),
        ("frequency_day", state_key::frequency_day(day)),
        ("frequency_days", state_key::frequency_days()),
        ("tariff", state_key::tariff(&tariff)),
        ("tariffs", state_key::tariffs()),
        ("tariff_version", state_key::tariff_version(&tariff, 2)),
        ("tariff_assignments", state_key::tariff_assignments(&point)),
        ("bill", state_key::bill(&bill)),
        ("bills", state_key::bills()),
        ("bill_state", state_key::bill_state(&bill)),
        ("bill_sources", state_key::bill_sources(&bill)),
        ("credit_note", state_key::credit_note(&bill)),
        ("dispute", state_key::dispute(&bill)),
        ("fine_account", state_key::fine_account(&point)),
        ("fine_rules", state_key::fine_rules(Some(&party))),
        ("fine_rules in general", state_key::fine_rules(None)),
        ("statements", state_key::statements(&point)),
        ("statement", state_key::statement(&point, (before_1970, day))),
        ("open_bill", state_key::open_bill(&point, 3)),
        ("open_bills", state_key::open_bills(&point)),
        ("billing_account", state_key::billing_account(&point)),
        ("boundary_claims", state_key::boundary_claims(&party, &other)),
        ("balance of a wallet", state_key::balance(&Account::wallet(party))),
        ("balance of an issuing account", state_key::balance(&Account::issuing(party))),
        ("balance of dues", state_key::balance(&Account::dues(party, other))),
        ("balances_of", state_key::balances_of(&party)),
        ("balances", state_key::balances()),
        ("backing_limit", state_key::backing_limit(&party)),
        ("payment_reference", state_key::payment_reference("invoice 1")),
        ("admitted_ledger", state_key::admitted_ledger(&LedgerId::new([9; 32]))),
        ("admitted_ledgers", state_key::admitted_ledgers()),
        ("notarised_head", state_key::notarised_head(&LedgerId::new([9; 32]), BlockHeight::new(7))),
        ("notarised_heads", state_key::notarised_heads(&LedgerId::new([9; 32]))),
        ("node", state_key::node(&address)),
        ("nodes", state_key::nodes()),
        ("offices", state_key::offices()),
        ("seats", state_key::seats()),
        ("proposal", state_key::proposal(&TransactionId::new([8; 32]))),
        ("proposals", state_key::proposals()),
        ("parameters", state_key::parameters()),
        ("endorsements", state_key::endorsements(301)),
        ("protocol", state_key::protocol()),
        ("open_checkpoint", state_key::open_checkpoint()),
        ("agreed_checkpoint", state_key::agreed_checkpoint()),
        ("erasure", state_key::erasure(&point, (before_1970, day))),
        ("erasures", state_key::erasures(&point)),
        ("virtual_clock", state_key::virtual_clock()),
    ];
    // Every function of the file is here, none is forgotten.
    for function in include_str!("../state_key.rs").lines() {
        let Some(function) = function.strip_prefix("pub fn ") else { continue };
        let name = function.split('(').next().unwrap();
        let pinned = |(line, _): &(&str, Vec<u8>)| line.split(' ').next() == Some(name);
        assert!(keys.iter().any(pinned), "{name} is not pinned");
    }
    let mut text = String::new();
    for (name, key) in &keys {
        writeln!(text, "{name} = {}", hex(key)).unwrap();
    }
    compare("keys.txt", &text);
    assert!(state_key::metered_day(&point, before_1970) < state_key::metered_day(&point, day));
}

#[test]
fn golden_rejections() {
    let mut text = String::new();
    for (code, name) in Malformed::ALL {
        assert!((1..100).contains(code));
        writeln!(text, "{code} {name}").unwrap();
    }
    for (code, name, _) in Rejection::ALL {
        assert!(*code >= 100, "{name}");
        writeln!(text, "{code} {name}").unwrap();
    }
    let codes: Vec<u16> = Rejection::ALL
        .iter()
        .map(|(code, ..)| *code)
        .chain(Malformed::ALL.iter().map(|m| m.0))
        .collect();
    let mut unique = codes.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), codes.len(), "a number stands twice");
    compare("rejections.txt", &text);
}

/// What the state keeps, once of each kind: a changed shape of a value changes the state root too.
#[test]
fn golden_values_of_the_state() {
    let mut network = stage();
    for name in ["SetFineRules", "IssueStatement", "DisputeBill", "NotariseHead"] {
        let draft = draft(name, &mut network);
        network.accept(&draft);
    }
    let home = network.homes[0].clone();
    let day = network.day(0);
    network.accept(&network.correct(&home, network.period(day, 8), super::kit::reading(300, 50)));
    network.accept(&network.bill(&[&home], day));
    network.accept(&network.pay(&home, 1_000_000));
    let open = network.homes[2].clone();
    network.accept(&network.submit(&open, network.period(day, 0), super::kit::reading(1, 2)));
    let north = network.north.key.clone();
    network.accept(&by(&[&north], super::sample::standard_profile()));
    network.boundary_tariff(super::kit::flat(4_000_000));
    let today = network.rules.calendar().day_of(network.now()).unwrap();
    network.bill_boundary(today.next().unwrap(), super::kit::reading(0, 250));
    let council = network.council();
    for change in super::sample::changes(&network).into_iter().chain([council.four_seats()]) {
        network.accept(&network.proposal(change));
    }
    for name in ["AttestCheckpoint", "RequestCheckpoint"] {
        let draft = draft(name, &mut network);
        network.accept(&draft);
    }
    let keeper = network.clock_keeper.clone();
    let to = network.time.plus_milliseconds(1).unwrap();
    network.accept(&by(&[&keeper], crate::governance::AdvanceClock { to }));
    assert_eq!(
        network.state().party(network.north.id).unwrap().roles.as_slice(),
        [Role::Distributor]
    );
    let mut private = private_stage();
    let erasure = draft("ErasePayloads", &mut private);
    private.accept(&erasure);
    // What only a private ledger has comes behind.
    let erased = |(key, _): &(&Vec<u8>, &Vec<u8>)| key[0] == b'X';
    let entries = network.state.entries.iter().chain(private.state.entries.iter().filter(erased));
    let mut text = String::new();
    let mut last = 0;
    for (key, value) in entries {
        if key[0] != last {
            last = key[0];
            writeln!(text, "{} {} = {}", char::from(last), hex(&key[1..]), hex(value)).unwrap();
        }
    }
    let mut tags: Vec<u8> = text.lines().map(|line| line.as_bytes()[0]).collect();
    tags.sort_unstable();
    let table = include_str!("../state_key.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `").map(|rest| rest.as_bytes()[0]));
    let mut listed: Vec<u8> = table.collect();
    listed.sort_unstable();
    assert_eq!(tags, listed, "every tag of the table of keys is written by this network");
    compare("state_values.txt", &text);
}
