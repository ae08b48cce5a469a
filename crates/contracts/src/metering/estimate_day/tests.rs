//! The rules of the transaction, and estimates on the ledger: days, swaps, registers, zones.

use primitives::reading::{Quality, Reading};
use primitives::units::WattHours;

use super::*;
use crate::metering::{
    DayReadings, MAX_STRETCH_DAYS, PublishStandardProfile, Registers, clock_slots,
};
use crate::registry::InstallMeter;
use crate::tests::kit::*;
use crate::transaction::Body;

fn edited(draft: &Draft, edit: impl FnOnce(&mut EstimateDay)) -> Draft {
    let mut draft = draft.clone();
    let Body::EstimateDay(body) = &mut draft.body else { unreachable!("an estimate") };
    edit(body);
    draft
}

fn profile(network: &mut Network, publisher: &SigningKey, wh: u32) -> TransactionId {
    let body = PublishStandardProfile {
        name: "household".parse().unwrap(),
        import_wh: vec![wh; 96].try_into().unwrap(),
        export_wh: vec![0; 0].try_into().unwrap(),
    };
    network.accept(&by(&[publisher], body)).id
}

/// The values in force, import only, and their qualities as a text.
fn in_force(network: &Network, home: &Home, day: LocalDay) -> (Vec<u64>, String) {
    let loaded = DayReadings::load(&network.rules, network.state(), home.point, day).unwrap();
    let readings: Vec<Reading> = loaded.slots.into_iter().flatten().collect();
    let letters = readings.iter().map(|reading| char::from(reading.quality.letter())).collect();
    (readings.iter().map(|reading| reading.import_wh.get()).collect(), letters)
}

#[test]
fn rules_in_order_of_precedence() {
    let mut network = Network::new();
    let (day, running) = (network.day(0), network.day(1));
    network.end_day(day);
    let home = network.homes[0].clone();
    let (north, south) = (network.north.key.clone(), network.south.key.clone());
    let own = profile(&mut network, &north, 100);
    let foreign = profile(&mut network, &south, 100);
    let good = network.estimate(&home, day, Some(own));
    let mut unknown = home.clone();
    unknown.point = UsagePointId::default();
    let mut bare = good.clone();
    bare.payload.clear();
    let short = network.payload(vec![reading(1, 0); 95]);
    let other_values = network.estimate_as(&home, day, Some(own), |readings| {
        readings[7].import_wh = WattHours::new(101);
    });
    let measured = network.estimate_as(&home, day, Some(own), |readings| {
        readings[3].quality = Quality::Actual;
    });
    network.check(&[
        (bare, WRONG_ENCODING),
        (good.clone().carrying(&short), WRONG_PAYLOAD),
        (edited(&good, |body| body.day_root = Hash::ZERO), WRONG_PAYLOAD),
        (
            network.estimate(&unknown, running, Some(own)).sent_by(&south),
            breaks(Rejection::UsagePointUnknown),
        ),
        (network.estimate(&home, running, None).sent_by(&south), breaks(Rejection::NotTheBiller)),
        (network.estimate(&home, running, None), breaks(Rejection::DayNotEnded)),
        (
            edited(&good, |body| body.profile = Some(TransactionId::default())),
            breaks(Rejection::StandardProfileUnknown),
        ),
        (
            edited(&good, |body| body.profile = Some(foreign)),
            breaks(Rejection::StandardProfileUnknown),
        ),
        (
            edited(&good, |body| body.profile = None),
            breaks(Rejection::StandardProfileMissing { slot: 0 }),
        ),
        (other_values.clone(), breaks(Rejection::EstimateDiffers { slot: 7 })),
        (measured, breaks(Rejection::EstimateDiffers { slot: 3 })),
        (good.clone(), emits(&["DaySealed", "DayEstimated"])),
        (good, KNOWN),
        (other_values, breaks(Rejection::DayAlreadySealed)),
    ]);
    assert_eq!(in_force(&network, &home, day), (vec![100; 96], "E".repeat(96)));
    network.state.erase_payloads();
    let next = network.day(1);
    network.end_day(next);
    let values = network.even_day(next, reading(1, 0));
    let body = EstimateDay {
        usage_point: home.point,
        day: next,
        profile: Some(own),
        day_root: values.root(home.point, network.periods(next).first),
    };
    let erased = by(&[&north], body).carrying(&values);
    network.check(&[(erased, breaks(Rejection::PayloadErased))]);
}

#[test]
fn known_readings_stay_short_gaps_are_lines_and_long_ones_repeat_the_weekday() {
    let mut network = Network::new();
    let home = network.homes[0].clone();
    let days: Vec<_> = (0..8).map(|number| network.day(number)).collect();
    network.end_day(days[7]);
    let seal = network.seal(&home, days[0], &network.even_day(days[0], reading(40, 2)));
    network.accept(&seal);
    for slot in (0..60).filter(|slot| !(8..16).contains(slot)) {
        let import = if slot < 8 { 100 } else { 190 };
        let single = network.submit(&home, network.period(days[7], slot), reading(import, 0));
        network.accept(&single);
    }
    let estimate = network.estimate(&home, days[7], None);
    let outcome = network.accept(&estimate);
    let counts = Event::DayEstimated {
        usage_point: home.point,
        day: days[7],
        interpolated: 8,
        same_weekday: 36,
        standard_profile: 0,
        unmoved: 0,
    };
    assert_eq!(outcome.events[1], counts);
    let (imports, letters) = in_force(&network, &home, days[7]);
    assert_eq!(imports[7..17], [100, 110, 120, 130, 140, 150, 160, 170, 180, 190]);
    assert_eq!(imports[60..], [40; 36]);
    assert_eq!(letters, "A".repeat(8) + &"E".repeat(8) + &"A".repeat(44) + &"E".repeat(36));
    // What was measured may still be said again, and a later value is a correction.
    let period = |slot| network.period(days[7], slot);
    let exists = Rejection::ReadingExists { period: u64::from(period(8).get()) };
    let cases = [
        (network.submit(&home, period(0), reading(100, 0)), KNOWN),
        (network.submit(&home, period(8), reading(111, 0)), breaks(exists)),
        (network.correct(&home, period(8), reading(111, 0)), emits(&["ReadingCorrected"])),
    ];
    network.check(&cases);
    assert_eq!(in_force(&network, &home, days[7]).0[8], 111);
    assert_eq!(network.state().metered_day(home.point, days[7]).revision, 2);
    // A week later the estimates themselves are not repeated: an older week steps in.
    network.end_day(network.day(14));
    let later = network.estimate(&home, network.day(14), None);
    network.accept(&later);
    let (imports, _) = in_force(&network, &home, network.day(14));
    assert_eq!(imports[7..11], [100, 111, 40, 40]);
    assert_eq!((imports[16], imports[60]), (190, 40));
}

#[test]
fn the_registers_on_both_sides_are_met_over_one_day_and_over_several() {
    let mut network = Network::new();
    let (home, north) = (network.homes[0].clone(), network.north.key.clone());
    let shape = profile(&mut network, &north, 3);
    let days: Vec<_> = (0..5).map(|number| network.day(number)).collect();
    network.end_day(days[4]);
    for (number, first) in [(0, 0), (4, 10_000)] {
        let draft =
            network.seal(&home, days[number], &network.even_day(days[number], reading(10, 0)));
        let registers =
            |import| Registers { import: WattHours::new(import), export: WattHours::ZERO };
        let mut draft = draft;
        let Body::SealDay(body) = &mut draft.body else { unreachable!("a seal") };
        (body.first, body.last) = (registers(first), registers(first + 960));
        network.accept(&draft);
    }
    // 9,040 Wh flowed in three days of which one slot is known: shared by the number of slots.
    let single = network.submit(&home, network.period(days[2], 0), reading(400, 0));
    network.accept(&single);
    let mut sums = Vec::new();
    for day in [days[2], days[1], days[3]] {
        let estimate = network.estimate(&home, day, Some(shape));
        network.accept(&estimate);
        sums.push(in_force(&network, &home, day).0.into_iter().sum::<u64>());
    }
    assert_eq!(sums, [400 + 8_640 * 95 / 287, 2_890, 2_891]);
    assert_eq!(sums.iter().sum::<u64>(), 9_040);
    // The meter's own seal takes the estimate's place: the registers it shows are the same.
    let own = network.even_day(days[1], reading(20, 0));
    let own = network.seal(&home, days[1], &own);
    network.check(&[(own, emits(&["DaySealed"]))]);
    assert_eq!(network.state().metered_day(home.point, days[1]).revision, 2);
}

#[test]
fn registers_too_far_apart_are_not_shared_out() {
    for (silent, sum) in [(MAX_STRETCH_DAYS, 96), (MAX_STRETCH_DAYS + 1, 96 * 3)] {
        let mut network = Network::new();
        let (home, north) = (network.homes[0].clone(), network.north.key.clone());
        let shape = profile(&mut network, &north, 3);
        let day = network.day(silent);
        network.end_day(day);
        let mut draft = network.seal(&home, day, &network.even_day(day, reading(10, 0)));
        let Body::SealDay(body) = &mut draft.body else { unreachable!("a seal") };
        let moved = 96 * silent.unsigned_abs();
        body.first.import = WattHours::new(u64::from(moved));
        body.last.import = WattHours::new(u64::from(moved) + 960);
        network.accept(&draft);
        let estimate = network.estimate(&home, network.day(4), Some(shape));
        network.accept(&estimate);
        let imports = in_force(&network, &home, network.day(4)).0;
        assert_eq!(imports.into_iter().sum::<u64>(), sum, "{silent} silent days");
    }
}

#[test]
fn a_swapped_meter_leaves_two_stretches_and_the_new_one_seals_over_the_estimate() {
    for (zone, day, count) in [
        (kolkata(), "2025-06-01", 96_u16),
        (madrid(), "2025-03-30", 92),
        (madrid(), "2025-10-26", 100),
    ] {
        let mut network = Network::founded(genesis(zone, day.parse().unwrap()));
        let (home, north) = (network.homes[0].clone(), network.north.key.clone());
        let shape = profile(&mut network, &north, 3);
        let day = network.day(0);
        network.end_day(day);
        let meter = key("second meter");
        let install = InstallMeter {
            from_period: network.period(day, 40),
            first: Registers { import: WattHours::new(5), export: WattHours::ZERO },
            former_last: Some(Registers { import: WattHours::new(4_001), export: WattHours::ZERO }),
            ..network.installation(home.point, &meter)
        };
        network.accept(&by(&[&north, &meter], install));
        let home = Home { meter, ..home };
        let seal = |network: &Network, former: Vec<Reading>| {
            let mut values = former[..40].to_vec();
            values.resize(usize::from(count), reading(7, 0));
            let mut draft = network.seal(&home, day, &network.payload(values));
            let Body::SealDay(body) = &mut draft.body else { unreachable!("a seal") };
            let own = u64::from(count - 40) * 7;
            body.first.import = WattHours::new(5);
            body.last.import = WattHours::new(5 + own);
            draft
        };
        let first = u64::from(network.period(day, 0).get());
        let too_early = seal(&network, vec![reading(100, 0); 40]);
        let estimate = network.estimate(&home, day, Some(shape));
        network.check(&[
            (too_early, breaks(Rejection::ReadingMissing { period: first })),
            (estimate, emits(&["DaySealed", "DayEstimated"])),
        ]);
        let (imports, _) = in_force(&network, &home, day);
        assert_eq!(imports.len(), usize::from(count));
        assert_eq!(imports[..40].iter().sum::<u64>(), 4_001);
        // Of the new meter nothing is known yet: the profile as it is.
        assert_eq!(imports[40..], vec![3; usize::from(count) - 40]);
        let loaded = DayReadings::load(&network.rules, network.state(), home.point, day).unwrap();
        let former = loaded.slots.into_iter().flatten().collect();
        let own = seal(&network, former);
        network.check(&[(own, emits(&["DaySealed"]))]);
        let (imports, letters) = in_force(&network, &home, day);
        assert_eq!((imports[39], imports[40]), (100, 7));
        assert_eq!(&letters[39..41], "EA");
    }
}

#[test]
fn days_on_which_the_clocks_change_find_the_same_hour_of_other_weeks() {
    for (first, count) in [("2025-03-23", 92_u16), ("2025-10-19", 100)] {
        let mut network = Network::founded(genesis(madrid(), first.parse().unwrap()));
        let home = network.homes[0].clone();
        let (ordinary, changed) = (network.day(0), network.day(7));
        network.end_day(changed);
        let hourly: Vec<_> = (0..96).map(|slot| reading(slot / 4 + 1, 0)).collect();
        let seal = network.seal(&home, ordinary, &network.payload(hourly));
        network.accept(&seal);
        let estimate = network.estimate(&home, changed, None);
        network.accept(&estimate);
        let (imports, _) = in_force(&network, &home, changed);
        let clocks = clock_slots(network.rules.calendar(), changed);
        let expected: Vec<_> = clocks.iter().map(|clock| u64::from(clock / 4) + 1).collect();
        assert_eq!(imports, expected);
        assert_eq!(clocks.len(), usize::from(count));
        // 01:45 is followed by 03:00 in spring; 02:45 by 02:00 in autumn.
        let turn = if count == 92 { (7, 12) } else { (11, 8) };
        let at = usize::from(turn.0);
        assert_eq!((clocks[at], clocks[at + 1]), turn);
        assert_eq!(clocks.last(), Some(&95));
    }
}

#[test]
fn what_was_measured_takes_the_place_of_an_estimate() {
    let mut network = Network::new();
    let (north, gateway) = (network.north.key.clone(), network.aggregator.clone());
    let shape = profile(&mut network, &north, 3);
    let day = network.day(0);
    network.end_day(day);
    let homes = network.homes.clone();
    for home in &homes {
        network.authorize_gateway(home, Some(gateway.id));
        let estimate = network.estimate(home, day, Some(shape));
        network.accept(&estimate);
    }
    let values = network.even_day(day, reading(5, 0));
    let batch = |home| network.gateway_batch(&gateway, day, &[(home, values.clone())]);
    let (one, two) = (batch(&homes[0]), batch(&homes[1]));
    let corrected = network.correct(&homes[1], network.period(day, 3), reading(4, 0));
    network.check(&[
        (one, emits(&["DaySealed"])),
        (corrected, emits(&["ReadingCorrected"])),
        (two, breaks(Rejection::DayAlreadySealed)),
    ]);
    let own = network.seal(&homes[1], day, &network.even_day(day, reading(5, 0)));
    let estimate = network.estimate_as(&homes[0], day, Some(shape), |it| it[0] = reading(1, 0));
    network.check(&[(own, emits(&["DaySealed"])), (estimate, breaks(Rejection::DayAlreadySealed))]);
}
