//! Bills of whole months against calculations that share nothing with the ones above.

use primitives::calendar::{BillingPeriod, GridZone};
use primitives::identifier::TariffId;
use primitives::reading::Quality;
use primitives::units::{BasisPoints, MicroPerKilowattHour};
use proptest::prelude::*;

use super::*;
use crate::billing::LineKind;
use crate::tariff::slabs::Slab;
use crate::tariff::time_of_use::{DayOfYear, Season, TimeWindow, Weekdays};
use crate::tariff::{
    ExportRule, FixedBasis, FixedCharge, FrequencyCurve, PriceRule, Slabs, TariffTerms, Tax,
    TaxKind, TimeOfUse,
};

const MINOR: i64 = 10_000;

const fn price(micro: i64) -> MicroPerKilowattHour {
    MicroPerKilowattHour::new(micro)
}

/// Clocks go forward on 2025-03-30 at 01:00 UTC.
fn madrid() -> Calendar {
    let transitions = vec![(1_743_296_400, 7_200), (1_761_440_400, 3_600)];
    let zone = GridZone {
        name: "Europe/Madrid".parse().unwrap(),
        base_offset_seconds: 3_600,
        transitions: transitions.try_into().unwrap(),
    };
    Calendar::new(15, zone).unwrap()
}

fn season(first: (u8, u8), last: (u8, u8)) -> Season {
    let day = |(month, day)| DayOfYear { month, day };
    Season { first: day(first), last: day(last) }
}

fn time_of_use() -> TimeOfUse {
    let window = |from_minute, to_minute, weekdays, micro| TimeWindow {
        from_minute,
        to_minute,
        weekdays: Weekdays(weekdays),
        season: Season::ALL_YEAR,
        price: price(micro),
    };
    let winter = season((11, 1), (3, 15));
    let windows = vec![
        TimeWindow { season: winter, ..window(18 * 60, 22 * 60, 0b001_1111, 9_123_457) },
        window(18 * 60, 22 * 60, 0b001_1111, 7_654_321),
        window(22 * 60, 6 * 60, 0b111_1111, 2_111_111),
        window(0, 1_440, 0b110_0000, 3_333_333),
    ];
    TimeOfUse { windows: windows.try_into().unwrap(), otherwise: price(5_050_505) }
}

fn slabs() -> Slabs {
    let slab =
        |up_to: Option<u64>, micro| Slab { up_to: up_to.map(WattHours::new), price: price(micro) };
    let steps = [(Some(100_001), 3_100_001), (Some(250_000), 5_200_003), (None, 8_300_007)];
    let steps: Vec<_> = steps.into_iter().map(|(up_to, micro)| slab(up_to, micro)).collect();
    Slabs { steps: steps.try_into().unwrap() }
}

fn charge(name: &str, per: FixedBasis, micro: i64) -> FixedCharge {
    FixedCharge { name: name.parse().unwrap(), per, price: MicroCurrency::new(micro) }
}

fn tax(name: &str, rate: u16, kind: TaxKind) -> Tax {
    Tax { name: name.parse().unwrap(), rate: BasisPoints::new(rate).unwrap(), kind }
}

/// Fixed charges, a minimum and taxes around a price rule; export has a price by the clock.
fn terms(import: PriceRule) -> TariffTerms {
    let fixed = vec![
        charge("Meter", FixedBasis::Day, 333_333),
        charge("Capacity", FixedBasis::KilowattDay, 1_234_567),
    ];
    let taxes = vec![
        tax("Duty", 525, TaxKind::Exclusive),
        tax("VAT", 1_900, TaxKind::Inclusive),
        tax("Levy", 150, TaxKind::Inclusive),
        tax("Surcharge", 1, TaxKind::Exclusive),
    ];
    TariffTerms {
        import,
        export: ExportRule::Separate(PriceRule::TimeOfUse(time_of_use())),
        fixed: fixed.try_into().unwrap(),
        minimum: Some(MicroCurrency::new(3_000_000)),
        taxes: taxes.try_into().unwrap(),
    }
}

fn segment(first_period: SettlementPeriod, version: u16, terms: TariffTerms) -> TariffSegment {
    let tariff = TariffId::new([7; 16]);
    TariffSegment { first_period, version: TariffVersion { tariff, version, first_period, terms } }
}

fn days(
    calendar: &Calendar,
    period: BillingPeriod,
    energy: impl Fn(u32) -> (u64, u64),
) -> Vec<DayInput> {
    let (first, last) = period.days().unwrap();
    let day = |day| {
        let day = LocalDay::new(day).unwrap();
        let periods = calendar.periods_of(day).iter();
        let reading = |period: SettlementPeriod| {
            let (import, export) = energy(period.get());
            Reading {
                import_wh: WattHours::new(import),
                export_wh: WattHours::new(export),
                quality: Quality::Actual,
            }
        };
        let frequency = |period: SettlementPeriod| {
            Some(MilliHertz::new(49_800 + period.get().wrapping_mul(2_654_435_761) % 300).unwrap())
        };
        DayInput {
            day,
            readings: periods.map(reading).collect(),
            frequencies: calendar.periods_of(day).iter().map(frequency).collect(),
        }
    };
    (first.get()..=last.get()).map(day).collect()
}

/// Some energy that no rule of the tariff knows.
fn energy(period: u32) -> (u64, u64) {
    let noise = u64::from(period.wrapping_mul(2_246_822_519) >> 8);
    (noise % 311, if noise.is_multiple_of(3) { noise % 97 } else { 0 })
}

fn inputs(segments: Vec<TariffSegment>, days: Vec<DayInput>) -> BillInputs {
    BillInputs { segments, days, connection_limit: Watts::new(5_750) }
}

fn bill(calendar: &Calendar, inputs: &BillInputs) -> BillCalculation {
    let bill = calculate(calendar, inputs, MINOR, &no_allocation).unwrap();
    let sum: i64 = bill.lines.iter().map(|line| line.amount.get()).sum();
    assert_eq!(bill.total.get(), sum, "a bill is the sum of its lines");
    bill
}

/// Kind, Wh, exact, amount.
type Plain = (LineKind, u64, i128, i64);

fn plain(bill: &BillCalculation) -> Vec<Plain> {
    let line = |it: &BillLine| (it.kind, it.energy.get(), it.exact.get(), it.amount.get());
    bill.lines.iter().map(line).collect()
}

/// Half away from zero to cents; all but export credits are positive.
fn cents(exact: i128) -> i64 {
    let unit = i128::from(MINOR) * 1_000;
    let rounded = (exact.abs() + unit / 2) / unit * i128::from(MINOR);
    i64::try_from(rounded * exact.signum()).unwrap()
}

/// The price by the clock, written out as a person would: minutes, weekdays and dates counted anew
/// from the seconds since 1970.
fn price_by_hand(period: u32) -> i128 {
    let second = i64::from(period) * 900;
    let summer = (1_743_296_400..1_761_440_400).contains(&second);
    let local = second + if summer { 7_200 } else { 3_600 };
    let (day, hour) = (local / 86_400, local % 86_400 / 3_600);
    let working_day = (day + 3) % 7 < 5;
    // Days of 2025: 20,089 is 1 January; the season ends with 15 March, the 74th day.
    let winter = (day - 20_089) < 74;
    match hour {
        18..22 if working_day && winter => 9_123_457,
        18..22 if working_day => 7_654_321,
        22.. | 0..6 => 2_111_111,
        _ if !working_day => 3_333_333,
        _ => 5_050_505,
    }
}

/// A month with a change of clocks; the tariff changes from the clock to slabs on the 12th at 14:30.
#[test]
fn a_month_of_time_of_use_slabs_fixed_charges_and_taxes_by_hand() {
    let calendar = madrid();
    let march = BillingPeriod::Month { year: 2025, month: 3 };
    let first = calendar.periods_of("2025-03-01".parse().unwrap()).first;
    let change = calendar.periods_of("2025-03-12".parse().unwrap()).first.offset(58).unwrap();
    let segments = vec![
        segment(first, 1, terms(PriceRule::TimeOfUse(time_of_use()))),
        segment(change, 2, terms(PriceRule::Slabs(slabs()))),
    ];
    let found = bill(&calendar, &inputs(segments, days(&calendar, march, energy)));

    // March 2025 had 31 days less one hour: 2,972 slots. The first version holds for 11 days and 58
    // of 96 slots, the second for the other 19 and 38 of 96.
    let first = u32::try_from((20_148_i64 * 86_400 - 3_600) / 900).unwrap();
    let (mut import, mut export) = ([0_i128; 2], [(0_i128, 0_i128); 2]);
    let mut exact_import = 0_i128;
    for period in first..first + 2_972 {
        let (drawn, injected) = energy(period);
        let part = usize::from(period >= first + 11 * 96 + 58);
        let price = price_by_hand(period);
        import[part] += i128::from(drawn);
        export[part].0 += i128::from(injected);
        export[part].1 -= i128::from(injected) * price;
        if part == 0 {
            exact_import += i128::from(drawn) * price;
        }
    }
    let share = (19 * 96 + 38, 31 * 96);
    let ends = [100_001 * share.0 / share.1, 250_000 * share.0 / share.1];
    assert!(import[1] > ends[1], "all slabs are used: {} Wh", import[1]);
    let slab = [ends[0], ends[1] - ends[0], import[1] - ends[1]];

    let mut wanted: Vec<Plain> = Vec::new();
    for part in [0, 1] {
        let mut line = |kind, energy: i128, exact: i128| {
            wanted.push((kind, u64::try_from(energy).unwrap(), exact, cents(exact)));
            i128::from(cents(exact))
        };
        let mut charged = 0;
        if part == 0 {
            charged += line(LineKind::EnergyImport, import[0], exact_import);
        } else {
            for (number, micro) in [(1_u8, 3_100_001), (2, 5_200_003), (3, 8_300_007)] {
                let energy = slab[usize::from(number) - 1];
                charged += line(LineKind::SlabImport { number }, energy, energy * micro);
            }
        }
        line(LineKind::EnergyExport, export[part].0, export[part].1);
        let ninety_sixths = if part == 0 { 11 * 96 + 58 } else { 19 * 96 + 38 };
        charged += line(LineKind::FixedCharge, 0, 333_333_000 * ninety_sixths / 96);
        charged += line(LineKind::FixedCharge, 0, 1_234_567 * 5_750 * ninety_sixths / 96);
        assert!(charged > 3_000_000 * 20, "the minimum is reached: {charged}");
        line(LineKind::TaxExclusive, 0, charged * 1_000 * 525 / 10_000);
        for rate in [1_900, 150] {
            let contained = charged * 1_000 * rate / 12_050;
            wanted.push((LineKind::TaxInclusive, 0, contained, 0));
        }
        let exact = charged * 1_000 / 10_000;
        wanted.push((LineKind::TaxExclusive, 0, exact, cents(exact)));
    }
    assert_eq!(plain(&found), wanted);
    let names: Vec<&str> = found.lines[..7].iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names, ["", "", "Meter", "Capacity", "Duty", "VAT", "Levy"]);
}

#[test]
fn a_quarter_is_the_sum_of_its_months() {
    let calendar = madrid();
    let first = calendar.periods_of("2025-01-01".parse().unwrap()).first;
    let with = |period| {
        let segments = vec![segment(first, 1, terms(PriceRule::Slabs(slabs())))];
        plain(&bill(&calendar, &inputs(segments, days(&calendar, period, energy))))
    };
    let months = [1, 2, 3].map(|month| with(BillingPeriod::Month { year: 2025, month }));
    let quarter = with(BillingPeriod::Quarter { year: 2025, quarter: 1 });
    for (kind, energy, exact, _) in quarter.iter().filter(|line| line.1 > 0) {
        let lines = months.iter().flatten().filter(|line| line.0 == *kind);
        let sums = lines.fold((0, 0), |sums, line| (sums.0 + line.1, sums.1 + line.2));
        assert_eq!(sums, (*energy, *exact), "{kind:?}");
    }
    assert_eq!(quarter.iter().filter(|line| line.1 > 0).count(), 4);
}

#[test]
fn slabs_are_filled_to_the_watt_hour() {
    let calendar = madrid();
    let april = BillingPeriod::Month { year: 2025, month: 4 };
    let first = calendar.periods_of("2025-04-01".parse().unwrap()).first;
    let with = |period, import: u64| {
        let segments = vec![segment(
            first,
            1,
            TariffTerms::energy(PriceRule::Slabs(slabs()), ExportRule::NotCredited),
        )];
        let days = days(&calendar, period, |it| (if it == first.get() { import } else { 0 }, 0));
        let lines = plain(&bill(&calendar, &inputs(segments, days)));
        lines.into_iter().map(|line| (line.0, line.1)).collect::<Vec<_>>()
    };
    let slab = |number| LineKind::SlabImport { number };
    assert_eq!(with(april, 0), []);
    assert_eq!(with(april, 100_001), [(slab(1), 100_001)]);
    assert_eq!(with(april, 100_002), [(slab(1), 100_001), (slab(2), 1)]);
    assert_eq!(with(april, 250_000), [(slab(1), 100_001), (slab(2), 149_999)]);
    assert_eq!(with(april, 250_001), [(slab(1), 100_001), (slab(2), 149_999), (slab(3), 1)]);
    // One of thirty days: 3,333.37 and 8,333.33 Wh, rounded down.
    let one_day = BillingPeriod::Day { day: "2025-04-01".parse().unwrap() };
    assert_eq!(with(one_day, 9_000), [(slab(1), 3_333), (slab(2), 5_000), (slab(3), 667)]);
}

#[test]
fn the_minimum_lifts_what_is_charged_and_taxes_follow_it() {
    let calendar = madrid();
    let day: LocalDay = "2025-04-01".parse().unwrap();
    let first = calendar.periods_of(day).first;
    let terms = TariffTerms {
        export: ExportRule::SameAsImport,
        fixed: vec![charge("Meter", FixedBasis::Day, 1_000_000)].try_into().unwrap(),
        taxes: vec![tax("Duty", 1_000, TaxKind::Exclusive)].try_into().unwrap(),
        ..terms(PriceRule::Flat { price: price(5_000_000) })
    };
    let with = |import: u64, export: u64| {
        let segments = vec![segment(first, 1, terms.clone())];
        let one = |it| if it == first.get() { (import, export) } else { (0, 0) };
        let lines = plain(&bill(
            &calendar,
            &inputs(segments, days(&calendar, BillingPeriod::Day { day }, one)),
        ));
        lines.into_iter().map(|line| (line.0, line.3)).collect::<Vec<_>>()
    };
    use LineKind::{EnergyExport, EnergyImport, FixedCharge, MinimumCharge, TaxExclusive};
    assert_eq!(
        with(0, 0),
        [(FixedCharge, 1_000_000), (MinimumCharge, 2_000_000), (TaxExclusive, 300_000)]
    );
    // A credit neither fills the minimum nor lowers the tax.
    assert_eq!(
        with(200, 900),
        [
            (EnergyImport, 1_000_000),
            (EnergyExport, -4_500_000),
            (FixedCharge, 1_000_000),
            (MinimumCharge, 1_000_000),
            (TaxExclusive, 300_000),
        ]
    );
    assert_eq!(
        with(400, 0),
        [(EnergyImport, 2_000_000), (FixedCharge, 1_000_000), (TaxExclusive, 300_000)]
    );
}

#[test]
fn prices_of_other_frequencies_are_not_mixed_up() {
    let calendar = madrid();
    let day: LocalDay = "2025-04-01".parse().unwrap();
    let period = BillingPeriod::Day { day };
    let curve = FrequencyCurve::deviation_vector_2019(price(6_200_000)).unwrap();
    let terms = TariffTerms::energy(PriceRule::FrequencyLinked(curve), ExportRule::SameAsImport);
    let first = calendar.periods_of(day).first;
    let with = |millihertz| {
        let mut days = days(&calendar, period, energy);
        days[0].frequencies = vec![millihertz; 96];
        inputs(vec![segment(first, 1, terms.clone())], days)
    };
    let at = |millihertz| with(Some(MilliHertz::new(millihertz).unwrap()));
    let mut calculator = Calculator::new(&calendar, MINOR);
    for inputs in [at(50_000), at(49_900), at(50_000)] {
        let wanted = calculate(&calendar, &inputs, MINOR, &no_allocation);
        assert_eq!(calculator.bill(&inputs, &no_allocation), wanted);
    }
    let missing = calculator.bill(&with(None), &no_allocation);
    assert_eq!(missing, Err(CalculationError::FrequencyMissing(first)));
}

fn any_import() -> impl Strategy<Value = PriceRule> {
    let curve = FrequencyCurve::deviation_vector_2019(price(6_200_000)).unwrap();
    prop_oneof![
        Just(PriceRule::Flat { price: price(4_999_999) }),
        Just(PriceRule::FrequencyLinked(curve)),
        Just(PriceRule::TimeOfUse(time_of_use())),
        Just(PriceRule::Slabs(slabs())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A version that changes nothing, at any slot, moves no energy and no exact product.
    #[test]
    fn a_version_with_equal_terms_changes_no_energy_line(
        import in any_import(),
        month in 3..5_u8,
        splits in proptest::collection::btree_set(1..2_880_u32, 0..4),
        seed in any::<u32>(),
    ) {
        let calendar = madrid();
        let period = BillingPeriod::Month { year: 2025, month };
        let first = calendar.periods_of(period.days().unwrap().0).first;
        let days = days(&calendar, period, |it| energy(it ^ seed));
        let whole = bill(&calendar, &inputs(vec![segment(first, 1, terms(import.clone()))], days.clone()));
        let starts = std::iter::once(first).chain(splits.iter().map(|it| first.offset(*it).unwrap()));
        let segments: Vec<_> = (1..).zip(starts).map(|(version, start)| segment(start, version, terms(import.clone()))).collect();
        let split = bill(&calendar, &inputs(segments, days));
        for line in whole.lines.iter().filter(|line| line.energy > WattHours::ZERO) {
            let parts = split.lines.iter().filter(|part| part.kind == line.kind);
            let (mut energy, mut exact, mut amount) = (0, 0, 0);
            for part in parts {
                energy += part.energy.get();
                exact += part.exact.get();
                amount += part.amount.get();
            }
            prop_assert_eq!((energy, exact), (line.energy.get(), line.exact.get()));
            let cents = (amount - line.amount.get()).abs() / MINOR;
            prop_assert!(2 * cents <= 1 + splits.len() as i64 + 1, "{} cents", cents);
        }
        // Fixed charges: no day is lost or counted twice.
        let fixed = |bill: &BillCalculation| -> i128 {
            bill.lines.iter().filter(|line| line.kind == LineKind::FixedCharge).map(|line| line.exact.get()).sum()
        };
        let lost = fixed(&whole) - fixed(&split);
        prop_assert!((0..=2 * splits.len() as i128).contains(&lost), "{}", lost);
        prop_assert_eq!((split.residual_import, split.residual_export), (whole.residual_import, whole.residual_export));
    }
}

/// How many slot lines a core prices; printed, not judged, because machines differ.
#[test]
fn the_kernel_prices_many_usage_points() {
    let calendar = madrid();
    let april = BillingPeriod::Month { year: 2025, month: 4 };
    let first = calendar.periods_of("2025-04-01".parse().unwrap()).first;
    let curve = FrequencyCurve::deviation_vector_2019(price(6_200_000)).unwrap();
    let terms = TariffTerms::energy(PriceRule::FrequencyLinked(curve), ExportRule::SameAsImport);
    let inputs = inputs(vec![segment(first, 1, terms)], days(&calendar, april, energy));
    let mut calculator = Calculator::new(&calendar, MINOR);
    let wanted = calculator.bill(&inputs, &no_allocation);
    let started = std::time::Instant::now();
    let bills = 200;
    for _ in 0..bills {
        assert_eq!(calculator.bill(&inputs, &no_allocation), wanted);
    }
    let slots = bills * 30 * 96;
    let per_second = slots * 1_000_000 / started.elapsed().as_micros().max(1);
    println!("{per_second} slots of both directions per second");
}
