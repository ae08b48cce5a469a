//! What two of the published systems got wrong, each line a test that fails for their code.
//!
//! EB: "Energy Blocks" (billing by frequency). BX: "Electricity consumption and billing data
//! exchange" (rate, bill, payment in parts).

use primitives::calendar::BillingPeriod;
use primitives::codec::decode;
use primitives::identifier::UsagePointId;
use primitives::reading::{DayPayload, ReadingPayload};
use primitives::units::{WattHours, Watts};

use super::kit::{
    Network, WRONG_ENCODING, WRONG_FIELD, breaks, by, curve, emits, flat, hertz, reading,
};
use crate::account::Account;
use crate::billing::{PayBill, slot_charges};
use crate::metering::{CorrectFrequency, DeleteFrequency, PublishFrequency, SealDay};
use crate::registry::{RegisterUsagePoint, UsagePointKind};
use crate::tariff::{FrequencyCurve, PublishTariff};
use crate::transaction::{Body, TABLE};
use crate::{Event, Malformed, Rejection, State};

// EB.

#[test]
fn eb_no_number_of_the_rules_is_a_float() {
    let float = |word: &str| word == concat!("f", "64") || word == concat!("f", "32");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut seen) = (vec![root], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let mut words = source.split(|c: char| !c.is_alphanumeric() && c != '_');
            assert!(!words.any(float), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 50, "every source of the rules was read");
    // And as the types have it: 250 Wh at the price of 49.88 Hz are exactly 1.8875.
    let curve = FrequencyCurve::deviation_vector_2019(
        primitives::units::MicroPerKilowattHour::new(6_200_000),
    )
    .unwrap();
    let energy = primitives::units::WattHours::new(250);
    let exact: i128 = curve.price(hertz(49_880)).cost(energy).get();
    assert_eq!(exact, 1_887_500_000);
}

#[test]
fn eb_the_class_from_49_88_to_49_89_costs_7_55() {
    let mut network = Network::new();
    network.northern_tariff(curve());
    let day = network.day(0);
    let home = network.homes[0].clone();
    network.end_day(day);
    network.frequencies(day, |slot| 49_880 + slot % 10);
    let seal = network.seal(&home, day, &network.even_day(day, reading(1_000, 0)));
    network.accept(&seal);
    for charge in slot_charges(&network.rules, network.state(), home.point, day).unwrap() {
        assert_eq!(charge.prices.unwrap().import.get(), 7_550_000);
        assert_eq!(charge.amount.unwrap().get(), 7_550_000_000);
    }
}

#[test]
fn eb_a_deletion_keeps_the_history_blocks_the_bill_and_a_correction_brings_it_back() {
    let mut network = Network::new();
    network.northern_tariff(curve());
    let day = network.day(0);
    let home = network.homes[0].clone();
    network.measure_day(day, std::slice::from_ref(&home), reading(250, 0));
    let period = network.period(day, 40);
    let grid = network.grid.key.clone();
    let delete = by(&[&grid], DeleteFrequency { period });
    let outcome = network.accept(&delete);
    let before = Some(hertz(50_000));
    let deleted = Event::FrequencyCorrected { period, before, after: None, revision: 2 };
    assert_eq!(outcome.events, [deleted], "the receipt keeps the value that was taken back");
    let correction = network.state().frequency_day(day).corrections[0];
    let kept = network.state.transaction(correction.position).unwrap();
    assert_eq!(kept.id(), correction.transaction, "the state leads to the deletion");
    let seal = network.state().frequency_day(day).seal.unwrap();
    assert!(network.state.transaction(seal.position).is_some(), "the seal stays");

    let charges = slot_charges(&network.rules, network.state(), home.point, day).unwrap();
    assert_eq!(charges[40].amount, None, "an unpriced slot costs nothing, not zero");
    let number = u64::from(period.get());
    let bill = network.bill(&[&home], day);
    network.check(&[
        (bill.clone(), breaks(Rejection::FrequencyMissing { period: number })),
        (
            by(&[&grid], CorrectFrequency { period, frequency: hertz(49_880) }),
            emits(&["FrequencyCorrected"]),
        ),
        (bill, emits(&["Posted", "BillIssued"])),
    ]);
    // 95 slots at 6.20 and one at 7.55, 250 Wh each.
    assert_eq!(network.open(&home), 149_140_000);
}

#[test]
fn eb_names_put_together_do_not_collide() {
    let mut network = Network::new();
    let (north, customer) = (network.north.key.clone(), network.homes[0].customer.id);
    let register = |station, label: &str| {
        let body = RegisterUsagePoint {
            label: label.parse().unwrap(),
            station,
            kind: UsagePointKind::Household,
            customer,
            connection_limit: Watts::new(5_000),
        };
        by(&[&north], body)
    };
    let station = |network: &mut Network, label: &str| {
        let label = label.parse().unwrap();
        let body = crate::registry::RegisterStation { label, distributor: network.north.id };
        let outcome = network.accept(&by(&[&network.grid.key], body));
        primitives::identifier::StationId::from_transaction(&outcome.id)
    };
    let (twelve, two) = (station(&mut network, "12"), station(&mut network, "2"));
    let point = |network: &mut Network, station, label| {
        UsagePointId::from_transaction(&network.accept(&register(station, label)).id)
    };
    let first = point(&mut network, twelve, "1");
    let second = point(&mut network, two, "11");
    assert_ne!(first, second);
    let points = network.state().usage_points_of(twelve);
    assert_eq!(points, [first]);
    network.check(&[(register(twelve, "1"), breaks(Rejection::LabelTaken))]);
}

#[test]
fn eb_what_cannot_be_read_does_not_pass() {
    // Every body of the table: cut short, too long, unknown kind.
    for entry in TABLE {
        let mut network = super::sample::stage_of(entry);
        let bytes = super::sample::draft(entry.name, &mut network).body.encode();
        assert!(Body::decode(entry.kind, &bytes).is_ok());
        for length in 0..bytes.len() {
            let short = Body::decode(entry.kind, &bytes[..length]);
            assert!(matches!(short, Err(Malformed::Codec(_))), "{} of {length}", entry.name);
        }
        let long = [bytes.as_slice(), &[0]].concat();
        assert!(matches!(Body::decode(entry.kind, &long), Err(Malformed::Codec(_))));
    }
    assert_eq!(Body::decode(999, &[]), Err(Malformed::Kind(999)));
    // A frequency outside 40–70 Hz is no frequency.
    let good = PublishFrequency {
        first_period: primitives::calendar::SettlementPeriod::new(1),
        frequencies: vec![hertz(50_000)].try_into().unwrap(),
    };
    let mut bytes = primitives::codec::encode(&good);
    let end = bytes.len() - 4;
    for (millihertz, accepted) in
        [(39_999_u32, false), (40_000, true), (70_000, true), (70_001, false)]
    {
        bytes[end..].copy_from_slice(&millihertz.to_le_bytes());
        assert_eq!(decode::<PublishFrequency>(&bytes).is_ok(), accepted, "{millihertz}");
    }
    // No negative energy exists on the wire: the bytes of −1 are more than any connection carries.
    let mut network = Network::new();
    let day = network.day(0);
    network.end_day(day);
    let (home, period) = (network.homes[0].clone(), network.period(day, 0));
    let negative = network.submit(&home, period, reading(u64::MAX, 0));
    let number = u64::from(period.get());
    let mut wrong_quality = network.submit(&home, period, reading(1, 0));
    let value: ReadingPayload = decode(&wrong_quality.payload).unwrap();
    assert_eq!(wrong_quality.payload[16], value.reading.quality.letter());
    wrong_quality.payload[16] = b'X';
    network.check(&[
        (
            negative,
            breaks(Rejection::AboveConnectionLimit { period: number, limit_wh: 25_000_000 }),
        ),
        (wrong_quality, WRONG_ENCODING),
        (network.pay(&home, -5), WRONG_FIELD),
    ]);
}

#[test]
fn eb_a_day_that_does_not_add_up_does_not_pass() {
    let mut network = Network::new();
    let day = network.day(0);
    let draft = network.seal(&network.homes[0], day, &network.even_day(day, reading(5, 5)));
    let Body::SealDay(seal) = &draft.body else { unreachable!("a seal") };
    let payload: DayPayload = decode(&draft.payload).unwrap();
    assert_eq!(payload.readings.len(), 96);
    let mut grown = seal.clone();
    grown.last.import = grown.last.import.checked_add(WattHours::new(1)).unwrap();
    assert!(Body::from(grown).check(&draft.payload, &network.rules).is_err());
    let shrunk = SealDay { last: seal.first, ..seal.clone() };
    let (meter, register) = (network.homes[0].meter.clone(), 0);
    let shrunk = by(&[&meter], shrunk).carrying(&payload);
    let disagree = Rejection::RegistersDisagree { register, moved_wh: 0, readings_wh: 480 };
    network.end_day(day);
    network.check(&[(shrunk, breaks(disagree))]);
}

// BX.

/// BX's usage point: 500 kWh in a day at a flat 5.00, billed.
fn five_hundred_units() -> Network {
    let mut network = Network::new();
    network.northern_tariff(flat(5_000_000));
    let home = network.homes[0].clone();
    network.fund(&home.customer, 10_000_000_000);
    let day = network.day(0);
    network.end_day(day);
    let mut readings = vec![reading(5_208, 0); 96];
    readings[0] = reading(500_000 - 95 * 5_208, 0);
    let seal = network.seal(&home, day, &network.payload(readings));
    network.accept(&seal);
    network.accept(&network.bill(&[&home], day));
    network
}

#[test]
fn bx_only_the_publisher_sets_a_rate() {
    let mut network = Network::new();
    let tariff = Some(network.northern_tariff(flat(5_000_000)));
    let first_period = network.next().offset(1).unwrap();
    let rate =
        PublishTariff { tariff, name: "cheaper".parse().unwrap(), first_period, terms: flat(1) };
    network.check(&[
        (
            by(&[&network.homes[0].customer.key], rate.clone()),
            breaks(Rejection::SenderNotPermitted),
        ),
        (by(&[&network.aggregator.key], rate.clone()), breaks(Rejection::SenderNotPermitted)),
        (by(&[&network.south.key], rate.clone()), breaks(Rejection::NotThePublisher)),
        (by(&[&network.grid.key], rate.clone()), breaks(Rejection::NotThePublisher)),
        (by(&[&network.north.key], rate), emits(&["TariffPublished"])),
    ]);
}

#[test]
fn bx_2500_less_2000_reads_500_at_once_and_then_nothing() {
    let mut network = five_hundred_units();
    let home = network.homes[0].clone();
    let open_after = |network: &mut Network, units: i64| {
        network.accept(&network.pay(&home, units * 1_000_000));
        network.open(&home)
    };
    assert_eq!(network.open(&home), 2_500_000_000);
    assert_eq!(open_after(&mut network, 2_000), 500_000_000);
    assert_eq!(open_after(&mut network, 500), 0);
    network.check(&[(network.pay(&home, 1), breaks(Rejection::NothingOpen))]);
    let dues = Account::dues(home.customer.id, network.north.id);
    assert_eq!(network.balance(dues), 0);
    assert_eq!(network.balance(Account::wallet(network.north.id)), 2_500_000_000);
    network.assert_books();
}

#[test]
fn bx_what_is_paid_too_much_is_credit_that_the_next_bill_uses() {
    let mut network = five_hundred_units();
    let home = network.homes[0].clone();
    network.check(&[(
        network.pay(&home, 2_600_000_000),
        emits(&["Posted", "Posted", "BillPaid", "CreditChanged"]),
    )]);
    let credit = |network: &Network| network.state().billing_account(home.point).credit.get();
    assert_eq!((network.open(&home), credit(&network)), (0, 100_000_000));
    for (number, energy, open, left) in [(1, 100, 0, 52_000_000), (2, 250, 68_000_000, 0)] {
        let day = network.day(number);
        network.measure_day(day, std::slice::from_ref(&home), reading(energy, 0));
        network.check(&[(
            network.bill(&[&home], day),
            emits(&["Posted", "BillIssued", "BillPaid", "CreditChanged"]),
        )]);
        assert_eq!((network.open(&home), credit(&network)), (open, left), "day {number}");
    }
    network.assert_books();
}

#[test]
fn bx_every_payment_and_every_bill_has_a_receipt() {
    let mut network = five_hundred_units();
    let home = network.homes[0].clone();
    let outcome = network.accept(&network.pay(&home, 2_000_000_000));
    let [_, _, Event::BillPaid { bill, amount, open }] = outcome.events[..] else {
        panic!("two postings and the payment: {:?}", outcome.events)
    };
    assert_eq!((amount.get(), open.get()), (2_000_000_000, 500_000_000));
    let state = network.state().bill_state(bill).unwrap();
    assert_eq!((state.paid, state.open), (amount, open));
    let issue = network.state.ordered(state.position);
    let body = Body::decode(issue.envelope.kind, &issue.envelope.body).unwrap();
    assert!(matches!(body, Body::IssueBill(_)), "the bill leads to the transaction that made it");
    // A refused payment has a receipt too, and changes nothing.
    let unpaid = PayBill { usage_point: home.point, amount };
    let refused = network.send(&by(&[&network.homes[1].customer.key], unpaid));
    assert_eq!(refused.code, Rejection::NotTheCustomer.code());
    assert_eq!(network.open(&home), 500_000_000);
}

#[test]
fn bx_a_bill_covers_the_agreed_period_and_none_twice() {
    let cases = [
        (BillingPeriod::Month { year: 2025, month: 6 }, 30),
        (BillingPeriod::Quarter { year: 2025, quarter: 3 }, 92),
        (BillingPeriod::HalfYear { year: 2025, half: 2 }, 184),
        (BillingPeriod::Year { year: 2026 }, 365),
    ];
    for (period, days) in cases {
        let (first, last) = period.days().unwrap();
        let mut network = Network::founded(super::kit::genesis(super::kit::kolkata(), first));
        network.northern_tariff(flat(5_000_000));
        let home = network.homes[0].clone();
        for number in 0..days {
            let day = network.day(number);
            network.end_day(day);
            let seal = network.seal(&home, day, &network.even_day(day, reading(10, 0)));
            network.accept(&seal);
        }
        assert_eq!(network.day(days - 1), last);
        let north = network.north.clone();
        let bill = network.bill_over(&north, &[&home], period);
        network.accept(&bill);
        assert_eq!(network.open(&home), i64::from(days) * 4_800_000);
        let number = u64::from(last.get().unsigned_abs());
        let again = network.bill(&[&home], last);
        network.check(&[(again, breaks(Rejection::DayAlreadyBilled { day: number }))]);
    }
}
