//! What happens to people, in sentences.

use contracts::account::Account;
use contracts::billing::{BillLine, LineKind, PayDues, PayOutBill, bill_id};
use contracts::metering::SealedBy;
use contracts::registry::Role;
use contracts::tariff::{AssignTariff, AssignmentTarget};
use contracts::{Event, Rejection};
use primitives::calendar::{BillingPeriod, LocalDay};
use primitives::identifier::BillId;
use primitives::units::MicroCurrency;

use crate::kit::{
    Home, KNOWN, Network, breaks, by, curve, emits, flat, full, genesis, kolkata, madrid, reading,
};

/// The lines of a home's bill over one day: kind, energy in Wh, amount in micro.
fn lines(network: &Network, home: &Home, period: BillingPeriod) -> Vec<(LineKind, u64, i64)> {
    let bill = network.state().bill(bill_id(home.point, period, 1)).unwrap();
    let plain = |line: &BillLine| (line.kind, line.energy.get(), line.amount.get());
    bill.lines.iter().map(plain).collect()
}

fn total(network: &Network, bill: BillId) -> i64 {
    network.state().bill(bill).unwrap().total.get()
}

#[test]
fn a_household_that_exports_at_high_frequency_is_credited_less() {
    let mut network = Network::new();
    network.northern_tariff(curve());
    let [night, noon, _] = [0, 1, 2].map(|index| network.homes[index].clone());
    let day = network.day(0);
    network.end_day(day);
    // Much sun: the frequency stands high at noon, low in the night.
    network.frequencies(day, |slot| if (40..56).contains(&slot) { 50_040 } else { 49_900 });
    for (home, slots) in [(&night, 0..16), (&noon, 40..56)] {
        let values = (0..96).map(|slot| reading(0, if slots.contains(&slot) { 250 } else { 0 }));
        let payload = network.payload(values.collect());
        let seal = network.seal(home, day, &payload);
        network.accept(&seal);
    }
    network.accept(&network.bill(&[&night, &noon], day));
    // 4 kWh at 7.325 and at 1.24.
    let period = BillingPeriod::Day { day };
    assert_eq!(lines(&network, &night, period), [(LineKind::EnergyExport, 4_000, -29_300_000)]);
    assert_eq!(lines(&network, &noon, period), [(LineKind::EnergyExport, 4_000, -4_960_000)]);
}

#[test]
fn a_gateway_never_replaces_a_meters_own_seal() {
    let mut network = Network::new();
    let (home, other) = (network.homes[0].clone(), network.homes[1].clone());
    let gateway = network.aggregator.clone();
    let day = network.day(0);
    network.end_day(day);
    for home in [&home, &other] {
        network.authorize_gateway(home, Some(gateway.id));
    }
    let own = network.even_day(day, reading(250, 0));
    let claimed = network.even_day(day, reading(900, 0));
    let seal = network.seal(&home, day, &own);
    network.accept(&seal);
    let batch =
        network.gateway_batch(&gateway, day, &[(&home, claimed.clone()), (&other, claimed)]);
    // The meter's own day is left alone, the other one is sealed in the gateway's name.
    let outcome = network.accept(&batch);
    let mut names = outcome.event_names();
    names.sort_unstable();
    assert_eq!(names, ["AlreadyRecorded", "DaySealed"]);
    let metered = |home: &Home| network.state().metered_day(home.point, day).seal.unwrap();
    let first = network.periods(day).first;
    assert_eq!(metered(&home).by, SealedBy::Meter);
    assert_eq!(metered(&home).day_root, own.root(home.point, first));
    assert!(matches!(metered(&other).by, SealedBy::Gateway { .. }));
    let loaded =
        contracts::metering::DayReadings::load(&network.rules, network.state(), home.point, day);
    assert_eq!(loaded.unwrap().slots[0].unwrap().import_wh.get(), 250);
}

#[test]
fn a_meters_late_seal_speaks_over_the_gateways_and_its_corrections() {
    let mut network = Network::new();
    network.northern_tariff(flat(5_000_000));
    let home = network.homes[0].clone();
    let gateway = network.aggregator.clone();
    let day = network.day(0);
    network.end_day(day);
    network.authorize_gateway(&home, Some(gateway.id));
    let guessed = network.even_day(day, reading(900, 0));
    let batch = network.gateway_batch(&gateway, day, &[(&home, guessed)]);
    let correction = network.correct(&home, network.period(day, 3), reading(700, 0));
    let seal = network.seal(&home, day, &network.even_day(day, reading(250, 0)));
    network.check(&[
        (batch, emits(&["DaySealed"])),
        (correction, emits(&["ReadingCorrected"])),
        (seal, emits(&["DaySealed"])),
        (network.bill(&[&home], day), emits(&["Posted", "BillIssued"])),
    ]);
    assert_eq!(network.open(&home), 120_000_000);
}

#[test]
fn a_day_of_92_and_of_100_slots_is_sealed_and_billed() {
    for (date, slots, amount) in [("2025-03-30", 92, 115_000_000), ("2025-10-26", 100, 125_000_000)]
    {
        let day: LocalDay = date.parse().unwrap();
        let mut network = Network::founded(genesis(madrid(), day));
        network.northern_tariff(flat(5_000_000));
        let home = network.homes[0].clone();
        assert_eq!((network.day(0), network.periods(day).count), (day, slots));
        network.end_day(day);
        network.frequencies(day, |_| 50_000);
        // 96 readings are not this day's; with as many as it has slots it is sealed.
        let ordinary = network.payload(vec![reading(250, 0); 96]);
        let wrong = network.seal(&home, day, &ordinary);
        assert!(wrong.body.check(&wrong.payload, &network.rules).is_err());
        let seal = network.seal(&home, day, &network.even_day(day, reading(250, 0)));
        let bill = network.bill(&[&home], day);
        network.check(&[(seal, emits(&["DaySealed"])), (bill, emits(&["Posted", "BillIssued"]))]);
        assert_eq!(network.open(&home), amount);
    }
}

#[test]
fn a_tariff_change_in_mid_day_is_exact_to_the_slot() {
    let mut network = Network::new();
    let tariff = network.northern_tariff(flat(5_000_000));
    let day = network.day(0);
    let (home, moved) = (network.homes[0].clone(), network.homes[1].clone());
    // From slot 33 on 7.00; the second home changes to another tariff of 1.00 with slot 50.
    let version = contracts::tariff::PublishTariff {
        tariff: Some(tariff),
        name: "dearer".parse().unwrap(),
        first_period: network.period(day, 33),
        terms: flat(7_000_000),
    };
    network.accept(&by(&[&network.north.key], version));
    let north = network.north.clone();
    let cheap = network.tariff(&north, flat(1_000_000));
    let target = AssignmentTarget::UsagePoint(moved.point);
    let first_period = network.period(day, 50);
    network.accept(&by(&[&north.key], AssignTariff { target, tariff: cheap, first_period }));
    let homes = [home.clone(), moved.clone()];
    network.measure_day(day, &homes, reading(1_000, 0));
    network.accept(&network.bill(&[&home, &moved], day));
    let period = BillingPeriod::Day { day };
    let import = LineKind::EnergyImport;
    assert_eq!(
        lines(&network, &home, period),
        [(import, 33_000, 165_000_000), (import, 63_000, 441_000_000)]
    );
    assert_eq!(
        lines(&network, &moved, period),
        [
            (import, 33_000, 165_000_000),
            (import, 17_000, 119_000_000),
            (import, 46_000, 46_000_000)
        ]
    );
    let bill = network.state().bill(bill_id(moved.point, period, 1)).unwrap();
    let versions: Vec<_> = bill.lines.iter().map(|line| (line.tariff, line.version)).collect();
    assert_eq!(versions, [(tariff, 1), (tariff, 2), (cheap, 1)]);
}

#[test]
fn a_months_bill_covers_thirty_sealed_days() {
    let mut network = Network::new();
    network.northern_tariff(curve());
    let home = network.homes[0].clone();
    let month = BillingPeriod::Month { year: 2025, month: 6 };
    for number in 0..30 {
        let bill = network.bill_over(&network.north, &[&home], month);
        let not_ended = breaks(Rejection::DayNotEnded);
        network.check(&[(bill, not_ended)]);
        let day = network.day(number);
        if number == 17 {
            network.end_day(day);
            network.frequencies(day, |_| 49_880);
            let seal = network.seal(&home, day, &network.even_day(day, reading(250, 100)));
            network.accept(&seal);
        } else {
            network.measure_day(day, std::slice::from_ref(&home), reading(250, 100));
        }
    }
    let bill = network.bill_over(&network.north, &[&home], month);
    network.accept(&bill);
    // 29 days at 6.20 and one at 7.55: 24 kWh drawn and 9.6 kWh sold on each.
    assert_eq!(
        lines(&network, &home, month),
        [
            (LineKind::EnergyImport, 720_000, 4_496_400_000),
            (LineKind::EnergyExport, 288_000, -1_798_560_000),
        ]
    );
    let middle = network.bill(&[&home], network.day(17));
    let number = u64::from(network.day(17).get().unsigned_abs());
    network.check(&[(middle, breaks(Rejection::DayAlreadyBilled { day: number }))]);
}

#[test]
fn one_bad_usage_point_does_not_stop_a_bulk_bill() {
    let mut network = Network::new();
    network.northern_tariff(flat(5_000_000));
    let day = network.day(0);
    let homes = network.homes.clone();
    // The third home's meter is silent, and one usage point is another distributor's.
    network.measure_day(day, &homes[..2], reading(250, 0));
    let all = [&homes[0], &homes[1], &homes[2], &network.far_home.clone()];
    let outcome = network.accept(&network.bill(&all, day));
    assert_eq!(Network::bills(&outcome).len(), 2);
    let mut refused = Vec::new();
    for event in &outcome.events {
        if let Event::BillRefused { usage_point, code, .. } = event {
            refused.push((*usage_point, *code));
        }
    }
    let not_sealed = Rejection::DayNotSealed { day: 0 }.code();
    let mut wanted = vec![
        (homes[2].point, not_sealed),
        (network.far_home.point, Rejection::NotTheBiller.code()),
    ];
    wanted.sort_unstable();
    assert_eq!(refused, wanted);
    assert_eq!((network.open(&homes[0]), network.open(&homes[2])), (120_000_000, 0));
    // Alone, the same usage point refuses its bill.
    let alone = network.bill(&[&homes[2]], day);
    let number = u64::from(day.get().unsigned_abs());
    network.check(&[(alone, breaks(Rejection::DayNotSealed { day: number }))]);
}

#[test]
fn the_grid_operator_bills_the_distributor_at_the_stations_boundary() {
    let mut network = Network::new();
    network.boundary_tariff(flat(4_000_000));
    network.bill_boundary(network.day(0), reading(1_000, 250));
    let (grid, north) = (network.grid.clone(), network.north.clone());
    let boundary = network.boundary.clone();
    // 96 kWh drawn less 24 kWh sold, at 4.00.
    assert_eq!(network.open(&boundary), 288_000_000);
    assert_eq!(network.balance(Account::dues(north.id, grid.id)), -288_000_000);
    network.fund(&north, 300_000_000);
    network.accept(&network.pay(&boundary, 288_000_000));
    assert_eq!(network.open(&boundary), 0);
    assert_eq!(network.balance(Account::wallet(grid.id)), 288_000_000);
    network.assert_books();
}

#[test]
fn export_credits_net_through_the_distributor_and_the_grid_operator_pays_it() {
    let mut network = Network::new();
    network.northern_tariff(flat(5_000_000));
    let day = network.day(0);
    let home = network.homes[0].clone();
    network.measure_day(day, std::slice::from_ref(&home), reading(250, 100));
    network.accept(&network.bill(&[&home], day));
    // Drawn 120, sold 48: the household owes 72, the grid operator owes the distributor 48.
    let (grid, north, customer) = (network.grid.clone(), network.north.clone(), home.customer.id);
    let dues = |network: &Network, a, b| network.balance(Account::dues(a, b)) / 1_000_000;
    assert_eq!(network.open(&home), 72_000_000);
    assert_eq!(dues(&network, customer, north.id), -72);
    assert_eq!(dues(&network, customer, grid.id), 0);
    assert_eq!(dues(&network, grid.id, north.id), -48);
    network.fund(&grid, 48_000_000);
    let amount = MicroCurrency::new(48_000_000);
    let pay = by(&[&grid.key], PayDues { creditor: north.id, amount });
    network.check(&[
        (pay.clone(), emits(&["Posted", "Posted"])),
        (pay, breaks(Rejection::MoreThanOwed { owed_micro: 0 })),
    ]);
    assert_eq!(dues(&network, grid.id, north.id), 0);
    assert_eq!(network.balance(Account::wallet(north.id)), 48_000_000);
    network.assert_books();
}

#[test]
fn a_negative_bill_is_paid_out_to_the_household() {
    let mut network = Network::new();
    network.northern_tariff(flat(5_000_000));
    let day = network.day(0);
    let home = network.homes[0].clone();
    network.measure_day(day, std::slice::from_ref(&home), reading(100, 250));
    let outcome = network.accept(&network.bill(&[&home], day));
    let bill = Network::bills(&outcome)[0];
    assert_eq!(total(&network, bill), -72_000_000);
    let (grid, customer) = (network.grid.clone(), home.customer.id);
    assert_eq!(network.balance(Account::dues(customer, grid.id)), 72_000_000);
    network.check(&[(network.pay(&home, 1), breaks(Rejection::NothingOpen))]);
    network.fund(&grid, 72_000_000);
    network.accept(&by(&[&grid.key], PayOutBill { bill }));
    assert_eq!(network.balance(Account::wallet(customer)), 72_000_000);
    assert_eq!(network.balance(Account::dues(customer, grid.id)), 0);
    let state = network.state().bill_state(bill).unwrap();
    assert_eq!((state.paid.get(), state.open.get()), (-72_000_000, 0));
    // What it drew, 48, the grid operator now owes the distributor.
    assert_eq!(network.balance(Account::dues(grid.id, network.north.id)), -48_000_000);
    network.assert_books();
}

#[test]
fn a_correction_after_the_bill_raises_the_revision_and_leaves_the_bill() {
    let mut network = Network::new();
    network.northern_tariff(flat(5_000_000));
    let day = network.day(0);
    let home = network.homes[0].clone();
    network.measure_day(day, std::slice::from_ref(&home), reading(250, 0));
    let outcome = network.accept(&network.bill(&[&home], day));
    let bill = Network::bills(&outcome)[0];
    let before = network.state().bill(bill).unwrap();
    let correction = network.correct(&home, network.period(day, 0), reading(1_250, 0));
    network.check(&[(correction.clone(), emits(&["ReadingCorrected"])), (correction, KNOWN)]);
    assert_eq!(network.state().metered_day(home.point, day).revision, 2);
    assert_eq!(network.state().bill(bill).unwrap(), before);
    assert_eq!(network.open(&home), 120_000_000);
}

#[test]
fn a_meter_that_was_offline_for_a_week_seals_its_days_late_and_a_swap_keeps_the_usage_point() {
    let mut network = Network::founded(genesis(kolkata(), "2025-06-02".parse().unwrap()));
    network.northern_tariff(flat(5_000_000));
    let home = network.homes[0].clone();
    network.end_day(network.day(7));
    for number in 0..4 {
        let day = network.day(number);
        let seal = network.seal(&home, day, &network.even_day(day, reading(250, 0)));
        network.accept(&seal);
    }
    let meter = crate::kit::key("second meter");
    let swap = network.day(4);
    let install = contracts::registry::InstallMeter {
        from_period: network.period(swap, 0),
        former_last: Some(network.shown_before(&home, swap)),
        ..network.installation(home.point, &meter)
    };
    network.accept(&by(&[&network.north.key, &meter], install));
    let swapped = Home { meter, ..home.clone() };
    for number in 4..8 {
        let day = network.day(number);
        let values = network.even_day(day, reading(250, 0));
        let (old, new) = (network.seal(&home, day, &values), network.seal(&swapped, day, &values));
        network.check(&[(old, breaks(Rejection::KeyRevoked)), (new, emits(&["DaySealed"]))]);
    }
    let (first_day, last_day) = (network.day(0), network.day(7));
    let week = BillingPeriod::Custom { first_day, last_day };
    let bill = network.bill_over(&network.north, &[&home], week);
    network.accept(&bill);
    assert_eq!(network.open(&home), 8 * 120_000_000);
}

#[test]
fn a_suspended_household_still_pays_and_a_suspended_distributor_bills_nobody() {
    let mut network = Network::new();
    network.northern_tariff(flat(5_000_000));
    let (day, home) = (network.day(0), network.homes[0].clone());
    network.measure_day(day, &network.homes.clone(), reading(250, 0));
    network.fund(&home.customer, 500_000_000);
    network.accept(&network.bill(&[&home], day));
    network.suspend(home.customer.id);
    network.suspend(network.north.id);
    let purchase = network.purchase(&home.customer, "another", 2);
    network.check(&[
        (network.bill(&[&network.homes[1]], day), breaks(Rejection::PartySuspended)),
        (purchase, breaks(Rejection::PartySuspended)),
        (network.pay(&home, 120_000_000), emits(&["Posted", "Posted", "BillPaid"])),
    ]);
    assert_eq!(network.open(&home), 0);
    assert!(network.state().party(network.north.id).unwrap().holds(Role::Distributor));
}

#[test]
fn a_bill_with_slabs_charges_and_taxes_is_owed_to_the_distributor_as_a_whole() {
    let mut network = Network::new();
    network.northern_tariff(full());
    let home = network.homes[0].clone();
    let day = network.day(0);
    // 24 kWh drawn, 4.8 injected, half a kilowatt-hour of it around noon.
    network.measure_day(day, std::slice::from_ref(&home), reading(250, 50));
    network.accept(&network.bill(&[&home], day));
    let period = BillingPeriod::Day { day };
    // A day of June has 1 of 30 kWh at 3.00, 2 of the next 60 at 5.00, and 21 at 8.00. The connection
    // carries 100 MW, 25.00 a day. 181.00 + 26.50 are above the minimum of 60.00; 5 % come on top,
    // and of 207.50 there are 18/118 within.
    let slab = |number| LineKind::SlabImport { number };
    assert_eq!(
        lines(&network, &home, period),
        [
            (slab(1), 1_000, 3_000_000),
            (slab(2), 2_000, 10_000_000),
            (slab(3), 21_000, 168_000_000),
            (LineKind::EnergyExport, 4_800, -11_400_000),
            (LineKind::FixedCharge, 0, 1_500_000),
            (LineKind::FixedCharge, 0, 25_000_000),
            (LineKind::TaxExclusive, 0, 10_380_000),
            (LineKind::TaxInclusive, 0, 0),
        ]
    );
    let bill = network.state().bill(bill_id(home.point, period, 1)).unwrap();
    assert_eq!(bill.lines[7].exact.get(), 207_500_000_000 * 18 / 118);
    assert_eq!((bill.total.get(), network.open(&home)), (206_480_000, 206_480_000));
    // The credit nets against all of it, and the grid operator owes it to the distributor.
    let dues = |debtor, creditor| network.balance(Account::dues(debtor, creditor));
    assert_eq!(dues(home.customer.id, network.north.id), -206_480_000);
    assert_eq!(dues(network.grid.id, network.north.id), -11_400_000);
    network.assert_books();
}
