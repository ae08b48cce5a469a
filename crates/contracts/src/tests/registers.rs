//! Registers over days: they go on, start again, and survive the swap of a meter.

use primitives::calendar::LocalDay;
use primitives::codec::Bounded;
use primitives::reading::{DayPayload, Quality, Reading};
use primitives::units::WattHours;

use super::kit::{
    Draft, Home, KNOWN, Network, WRONG_FIELD, breaks, by, emits, genesis, key, kolkata, madrid,
    reading,
};
use crate::Rejection;
use crate::metering::{DayReadings, Installed, LATE_AFTER_PERIODS, Registers, SealedBy};
use crate::registry::InstallMeter;
use crate::transaction::Body;

const fn registers(import: u64, export: u64) -> Registers {
    Registers { import: WattHours::new(import), export: WattHours::new(export) }
}

/// A seal with these registers in the place of those that follow from the days before.
fn showing(draft: &Draft, first: Registers, last: Registers) -> Draft {
    let mut draft = draft.clone();
    let Body::SealDay(body) = &mut draft.body else { unreachable!("a seal") };
    (body.first, body.last) = (first, last);
    draft
}

/// Seals an even day; the sequences rise with the days.
fn even(network: &Network, home: &Home, day: LocalDay, sequence: u32, first: u64) -> Draft {
    let mut draft = network.seal(home, day, &network.even_day(day, reading(10, 0)));
    let Body::SealDay(body) = &mut draft.body else { unreachable!("a seal") };
    body.sequence = sequence;
    showing(&draft, registers(first, 0), registers(first + 960, 0))
}

fn backwards(before_wh: u64, now_wh: u64) -> Rejection {
    Rejection::RegisterWentBackwards { register: 0, before_wh, now_wh }
}

fn jumped(before_wh: u64, now_wh: u64, bound_wh: u64) -> Rejection {
    Rejection::RegisterJumped { register: 0, before_wh, now_wh, bound_wh }
}

/// What a connection of the kit carries in a slot.
const SLOT_LIMIT: u64 = 25_000_000;

#[test]
fn days_sealed_in_any_order_show_registers_that_go_on() {
    let mut network = Network::new();
    let home = network.homes[0].clone();
    let days: Vec<_> = (0..6).map(|number| network.day(number)).collect();
    network.end_day(days[5]);
    let seal = |network: &Network, day: usize, sequence, first| {
        even(network, &home, days[day], sequence, first)
    };
    let day = 96 * SLOT_LIMIT;
    let cases = [
        // Day 2 first: the two days before it are a gap in which anything up to the limit moved.
        (seal(&network, 2, 1, 2 * day + 1), breaks(jumped(0, 2 * day + 1, 2 * day))),
        (seal(&network, 2, 1, 5_000), emits(&["DaySealed"])),
        // The day after it begins where it ended.
        (seal(&network, 3, 2, 5_959), breaks(backwards(5_960, 5_959))),
        (seal(&network, 3, 2, 5_961), breaks(jumped(5_960, 5_961, 0))),
        (seal(&network, 3, 2, 5_960), emits(&["DaySealed"])),
        // Late days fit between their neighbours.
        (seal(&network, 1, 3, 4_039), breaks(jumped(4_999, 5_000, 0))),
        (seal(&network, 1, 3, 4_041), breaks(backwards(5_001, 5_000))),
        (seal(&network, 1, 3, 4_040), emits(&["DaySealed"])),
        (seal(&network, 0, 4, 3_080), breaks(jumped(0, 3_080, 0))),
        // After a gap of one day no register lies below the last one sealed.
        (seal(&network, 5, 5, 6_919), breaks(backwards(6_920, 6_919))),
        (seal(&network, 5, 5, 6_920), emits(&["DaySealed"])),
        (seal(&network, 4, 6, 6_920), breaks(backwards(7_880, 6_920))),
    ];
    network.check(&cases);
    // The marks are a chain, whichever day came first.
    let marks: Vec<_> = [0, 1, 2, 3, 4, 5, 6]
        .map(|number| {
            network.state().register_mark(home.point, network.period(network.day(number), 0))
        })
        .into_iter()
        .collect();
    let shown: Vec<_> = marks.iter().map(|mark| mark.map(|it| it.registers.import.get())).collect();
    let expected =
        [Some(0), Some(4_040), Some(5_000), Some(5_960), Some(6_920), Some(6_920), Some(7_880)];
    assert_eq!(shown, expected);
    for pair in (0..7).collect::<Vec<_>>().windows(2) {
        let start = network.period(network.day(pair[0]), 0);
        assert_eq!(marks[pair[1] as usize].unwrap().previous, Some(start));
    }
}

#[test]
fn a_register_starts_again_where_its_installation_says() {
    let mut network = Network::new();
    let (north, home) = (network.north.key.clone(), network.homes[0].clone());
    let meter = key("six digits");
    let install = |first, register_limit| InstallMeter {
        first: registers(first, 0),
        register_limit: WattHours::new(register_limit),
        ..network.installation(home.point, &meter)
    };
    let day = network.day(0);
    let cases = [
        (by(&[&north, &meter], install(1_000_000, 1_000_000)), WRONG_FIELD),
        (
            by(&[&north, &meter], install(999_500, 1_000_000)),
            emits(&["KeyRevoked", "MeterInstalled"]),
        ),
    ];
    network.check(&cases);
    network.end_day(network.day(1));
    let swapped = Home { meter, ..home };
    let at = |first, last| {
        let draft = even(&network, &swapped, day, 1, 0);
        showing(&draft, registers(first, 0), registers(last, 0))
    };
    let next = even(&network, &swapped, network.day(1), 2, 460);
    let above = Rejection::RegisterAboveLimit { register_wh: 1_000_460, limit_wh: 1_000_000 };
    let disagree = Rejection::RegistersDisagree { register: 0, moved_wh: 959, readings_wh: 960 };
    network.check(&[
        (at(999_500, 1_000_460), breaks(above)),
        (at(999_500, 459), breaks(disagree)),
        (at(999_400, 360), breaks(backwards(999_500, 999_400))),
        (at(999_500, 460), emits(&["DaySealed"])),
        (next, emits(&["DaySealed"])),
    ]);
}

/// A day in which a second meter takes over at `slot`; the first has reported every slot before.
struct Swap {
    network: Network,
    day: LocalDay,
    slot: u16,
    swapped: Home,
}

fn swap(mut network: Network, slot: u16) -> Swap {
    let (north, home) = (network.north.key.clone(), network.homes[0].clone());
    let day = network.day(0);
    network.end_day(day);
    let meter = key("second meter");
    for number in 0..u32::from(slot) {
        let single = network.submit(&home, network.period(day, number), reading(10, 1));
        network.accept(&single);
    }
    let install = InstallMeter {
        from_period: network.period(day, u32::from(slot)),
        first: registers(70_000, 5),
        former_last: Some(registers(u64::from(slot) * 10, u64::from(slot))),
        ..network.installation(home.point, &meter)
    };
    network.accept(&by(&[&north, &meter], install));
    Swap { network, day, slot, swapped: Home { meter, ..home } }
}

impl Swap {
    fn values(&self, former: Reading) -> DayPayload {
        let count = usize::from(self.network.periods(self.day).count);
        let mut readings = vec![former; usize::from(self.slot)];
        readings.resize(count, reading(20, 0));
        self.network.payload(readings)
    }

    fn seal(&self, former: Reading, counted: u64) -> Draft {
        let draft = self.network.seal(&self.swapped, self.day, &self.values(former));
        showing(&draft, registers(70_000, 5), registers(70_000 + counted * 20, 5))
    }
}

#[test]
fn the_seal_of_the_day_of_a_swap_covers_both_meters() {
    let zones = [
        (kolkata(), "2025-06-01", 96),
        (madrid(), "2025-03-30", 92),
        (madrid(), "2025-10-26", 100),
    ];
    for (zone, day, count) in zones {
        let network = Network::founded(genesis(zone, day.parse().unwrap()));
        assert_eq!(network.periods(network.day(0)).count, count);
        let mut swap = swap(network, 40);
        let own = u64::from(count) - 40;
        let disagree = Rejection::RegistersDisagree {
            register: 0,
            moved_wh: (own + 1) * 20,
            readings_wh: own * 20,
        };
        let other = Rejection::SealDisagreesWithReading { slot: 0 };
        let good = swap.seal(reading(10, 1), own);
        let cases = [
            (swap.seal(reading(10, 1), own + 1), breaks(disagree)),
            (swap.seal(reading(11, 1), own), breaks(other.clone())),
            (
                swap.seal(Reading { quality: Quality::Estimated, ..reading(10, 1) }, own),
                breaks(other),
            ),
            (good.clone(), emits(&["DaySealed"])),
            (good, KNOWN),
        ];
        swap.network.check(&cases);
        let (state, point) = (swap.network.state(), swap.swapped.point);
        let loaded = DayReadings::load(&swap.network.rules, state, point, swap.day).unwrap();
        assert_eq!(loaded.slots[39].unwrap().import_wh.get(), 10);
        assert_eq!(loaded.slots[40].unwrap().import_wh.get(), 20);
        assert_eq!(loaded.metered_day.seal.unwrap().by, SealedBy::Meter);
        let mark = state.register_mark(point, swap.network.period(swap.day, 40)).unwrap();
        let former_last = Some(registers(400, 40));
        assert_eq!(mark.installed, Some(Installed { former_last }));
        assert_eq!(mark.incoming(), former_last);
    }
}

#[test]
fn a_meter_says_nothing_about_what_it_did_not_measure() {
    let mut swap = swap(Network::new(), 40);
    let (day, home) = (swap.day, swap.swapped.clone());
    let network = &mut swap.network;
    let (before, after) = (network.period(day, 39), network.period(day, 40));
    let early = Rejection::BeforeInstallation {
        period: u64::from(before.get()),
        from_period: u64::from(after.get()),
    };
    let cases = [
        (network.submit(&home, before, reading(1, 0)), breaks(early.clone())),
        (network.correct(&home, before, reading(1, 0)), breaks(early)),
        (network.submit(&home, after, reading(20, 0)), emits(&["ReadingSubmitted"])),
    ];
    network.check(&cases);
    // Its first whole day is the one in which it was installed.
    let third = key("third meter");
    let from_period = network.period(network.day(2), 0);
    let install = InstallMeter { from_period, ..network.installation(home.point, &third) };
    network.accept(&by(&[&network.north.key, &third], install));
    network.end_day(network.day(3));
    let home = Home { meter: third, ..home };
    let day = network.day(1);
    let too_early = network.seal(&home, day, &network.even_day(day, reading(1, 0)));
    let last = network.period(day, 95);
    let early = Rejection::BeforeInstallation {
        period: u64::from(last.get()),
        from_period: u64::from(from_period.get()),
    };
    network.check(&[(too_early, breaks(early))]);
}

#[test]
fn before_the_first_meter_of_all_nothing_flowed() {
    let mut network = Network::new();
    let (north, home) = (network.north.key.clone(), network.homes[0].clone());
    let point = crate::registry::RegisterUsagePoint {
        label: "new home".parse().unwrap(),
        station: network.north_station,
        kind: crate::registry::UsagePointKind::Household,
        customer: home.customer.id,
        connection_limit: primitives::units::Watts::new(10_000),
    };
    let id = network.accept(&by(&[&north], point)).id;
    let home = Home { point: primitives::identifier::UsagePointId::from_transaction(&id), ..home };
    let meter = key("its first meter");
    let day = network.day(0);
    let install = InstallMeter {
        from_period: network.period(day, 90),
        ..network.installation(home.point, &meter)
    };
    let read = InstallMeter { former_last: Some(Registers::ZERO), ..install.clone() };
    network.check(&[
        (by(&[&north, &meter], read), breaks(Rejection::NoFormerMeter)),
        (by(&[&north, &meter], install), emits(&["MeterInstalled"])),
    ]);
    network.end_day(day);
    let home = Home { meter, ..home };
    let seal = |before| {
        let mut values = vec![before; 90];
        values.resize(96, reading(7, 0));
        let draft = network.seal(&home, day, &network.payload(values));
        showing(&draft, Registers::ZERO, registers(42, 0))
    };
    let cases = [
        (seal(reading(1, 0)), breaks(Rejection::SealDisagreesWithReading { slot: 0 })),
        (seal(reading(0, 0)), emits(&["DaySealed"])),
    ];
    network.check(&cases);
}

#[test]
fn a_swap_goes_on_from_what_the_former_meter_sealed() {
    let mut network = Network::new();
    let (north, home) = (network.north.key.clone(), network.homes[0].clone());
    let day = network.day(0);
    network.measure_day(day, std::slice::from_ref(&home), reading(10, 0));
    let meter = key("second meter");
    let end = network.period(network.day(1), 0);
    let install = |from_period, former_last| {
        let body = network.installation(home.point, &meter);
        by(&[&north, &meter], InstallMeter { from_period, former_last, ..body })
    };
    let slot = network.period(day, 95);
    let early = Rejection::SwapBeforeSealedDay {
        period: u64::from(slot.get()),
        sealed_until: u64::from(end.get()),
    };
    let later = network.period(network.day(1), 2);
    let cases = [
        (install(slot, None), breaks(early)),
        (install(end, Some(registers(961, 0))), breaks(jumped(960, 961, 0))),
        (install(end, Some(registers(959, 0))), breaks(backwards(960, 959))),
        (
            install(later, Some(registers(961 + 2 * SLOT_LIMIT, 0))),
            breaks(jumped(960, 961 + 2 * SLOT_LIMIT, 2 * SLOT_LIMIT)),
        ),
        (install(end, Some(registers(960, 0))), emits(&["KeyRevoked", "MeterInstalled"])),
    ];
    network.check(&cases);
    // A third one at the same moment: what the first showed last stays known.
    let third = key("third meter");
    let body = InstallMeter {
        from_period: end,
        first: registers(3, 3),
        ..network.installation(home.point, &third)
    };
    network.accept(&by(&[&north, &third], body));
    let mark = network.state().register_mark(home.point, end).unwrap();
    assert_eq!((mark.registers, mark.incoming()), (registers(3, 3), Some(registers(960, 0))));
    assert_eq!(mark.previous, Some(network.period(day, 0)));
}

#[test]
fn a_reading_that_comes_days_later_is_flagged_and_counts() {
    let mut network = Network::new();
    let home = network.homes[0].clone();
    network.end_day(network.day(1));
    // Two days of 96 slots have ended: slot 1 ended 190 periods ago, slot 0 of the day before 191.
    let first = network.period(network.day(0), 0);
    assert_eq!(network.now().get() - first.get() - 1, 191);
    network.time = network.time.plus_milliseconds(900_000).unwrap();
    assert_eq!(network.now().get() - first.get() - 1, LATE_AFTER_PERIODS);
    let just = network.submit(&home, first, reading(1, 0));
    network.check(&[(just, emits(&["ReadingSubmitted"]))]);
    network.time = network.time.plus_milliseconds(2 * 900_000).unwrap();
    let late = network.submit(&home, network.period(network.day(0), 1), reading(1, 0));
    network.check(&[(late.clone(), emits(&["ReadingSubmitted", "ReadingLate"])), (late, KNOWN)]);
}

#[test]
fn a_gateway_seals_days_of_92_and_100_slots() {
    for (day, count) in [("2025-03-30", 92), ("2025-10-26", 100)] {
        let mut network = Network::founded(genesis(madrid(), day.parse().unwrap()));
        let (gateway, home) = (network.aggregator.clone(), network.homes[0].clone());
        network.authorize_gateway(&home, Some(gateway.id));
        let day = network.day(0);
        network.end_day(day);
        let values = |count| network.payload(vec![reading(3, 1); count]);
        let batch = |count| network.gateway_batch(&gateway, day, &[(&home, values(count))]);
        let own = network.seal(&home, day, &values(count));
        let cases = [
            (batch(96), super::kit::WRONG_PAYLOAD),
            (batch(count), emits(&["DaySealed"])),
            (batch(count), KNOWN),
            (own, emits(&["DaySealed"])),
        ];
        network.check(&cases);
        let mark = network.state().register_mark(home.point, network.period(network.day(1), 0));
        assert_eq!(mark.unwrap().registers, registers(3 * count as u64, count as u64));
        assert_eq!(network.state().metered_day(home.point, day).corrections, Bounded::default());
    }
}
