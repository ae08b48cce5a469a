//! One day from the first regulator to the last payment, with the state root after every transaction.
//!
//! A changed line means that an old ledger would be replayed to another state.

use std::fmt::Write as _;

use contracts::billing::{ChargeSlots, ChargeTarget, PayOutBill};
use primitives::calendar::BillingPeriod;

use crate::kit::{Network, by, curve, golden, reading};

/// A day of a station with three households; the third has panels on its roof.
fn golden_day() -> Network {
    let mut network = Network::new();
    network.northern_tariff(curve());
    let (homes, grid) = (network.homes.clone(), network.grid.clone());
    for member in [&homes[0].customer, &homes[1].customer, &grid] {
        network.fund(member, 500_000_000);
    }
    let day = network.day(0);
    network.end_day(day);
    // From 49.80 to 50.18 Hz in steps of 4 mHz.
    network.frequencies(day, |slot| 49_800 + 4 * slot);
    let values: [fn(u64) -> _; 3] = [
        |slot| reading(200 + slot, 0),
        |slot| reading(100 + 7 * (slot % 10), 0),
        |slot| reading(50, if (24..72).contains(&slot) { 600 } else { 0 }),
    ];
    for (home, value) in homes.iter().zip(values) {
        let first = network.submit(home, network.period(day, 0), value(0));
        network.accept(&first);
        let payload = network.payload((0..96).map(value).collect());
        let seal = network.seal(home, day, &payload);
        network.accept(&seal);
        network.accept(&seal);
    }
    let correct = network.correct(&homes[1], network.period(day, 95), reading(1_000, 0));
    network.accept(&correct);
    let charge = ChargeSlots {
        target: ChargeTarget::Station(network.north_station),
        first_period: network.period(day, 0),
        count: 96,
    };
    network.accept(&by(&[&network.north.key], charge));
    network.accept(&network.bill(&homes.iter().collect::<Vec<_>>(), day));
    network.accept(&network.pay(&homes[0], 50_000_000));
    network.accept(&network.pay(&homes[1], 500_000_000));
    let bill = contracts::billing::bill_id(homes[2].point, BillingPeriod::Day { day }, 1);
    network.accept(&by(&[&grid.key], PayOutBill { bill }));
    // A bill once more changes nothing; over another period it is refused, which is history too.
    assert_eq!(network.send(&network.bill(&[&homes[0]], day)).code, 0);
    let other = BillingPeriod::Custom { first_day: day, last_day: day };
    let north = network.north.clone();
    assert_ne!(network.send(&network.bill_over(&north, &[&homes[0]], other)).code, 0);
    network
}

#[test]
fn the_golden_day_ends_in_the_same_state_on_every_machine() {
    let network = golden_day();
    let mut text = String::new();
    for (number, (name, code, root)) in network.journal.iter().enumerate() {
        writeln!(text, "{number} {name} {code} {root}").unwrap();
    }
    golden::compare("golden_day.txt", &text);
    assert_eq!(golden_day().state_root, network.state_root);
    network.assert_books();
}

#[test]
fn the_golden_day_leaves_these_amounts() {
    let network = golden_day();
    let day = network.day(0);
    let amounts = |home: usize| {
        let period = BillingPeriod::Day { day };
        let id = contracts::billing::bill_id(network.homes[home].point, period, 1);
        let bill = network.state().bill(id).unwrap();
        let state = network.state().bill_state(id).unwrap();
        (bill.total.get(), state.paid.get(), state.open.get())
    };
    // Total, paid, open: 94.21 of which 50 are paid, 54.12 paid with too much, 115.18 paid out.
    assert_eq!(amounts(0), (94_210_000, 50_000_000, 44_210_000));
    assert_eq!(amounts(1), (54_120_000, 54_120_000, 0));
    assert_eq!(amounts(2), (-115_180_000, -115_180_000, 0));
    let credit = network.state().billing_account(network.homes[1].point).credit;
    assert_eq!(credit.get(), 445_880_000);
}
