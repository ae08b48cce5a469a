//! Measures the pure billing kernel: from readings, frequencies and a tariff to the lines of a bill.
//!
//! `cargo run --release -p contracts --example measure_billing` bills a month of 2,976 slots for two
//! hundred usage points under each kind of tariff, on one thread. Every slot is a line with a price
//! of its own. What counts is the processor time of the thread (Linux); the best of fifty rounds is
//! printed beside the median, because on a shared machine the best was the least disturbed.

use std::error::Error;
use std::fs;
use std::time::Duration;

use contracts::billing::bill_calculation::{
    BillInputs, Calculator, DayInput, TariffSegment, no_allocation,
};
use contracts::tariff::{ExportRule, FrequencyCurve, PriceRule, TariffTerms, TariffVersion};
use primitives::calendar::{BillingPeriod, Calendar, GridZone, LocalDay};
use primitives::codec::Bounded;
use primitives::identifier::TariffId;
use primitives::reading::{Quality, Reading};
use primitives::units::{MicroPerKilowattHour, MilliHertz, WattHours, Watts};

const USAGE_POINTS: u64 = 200;
const ROUNDS: usize = 50;
/// A hundredth of the currency.
const MINOR_UNIT_MICRO: i64 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let zone = GridZone {
        name: "Asia/Kolkata".parse()?,
        base_offset_seconds: 19_800,
        transitions: Bounded::default(),
    };
    let calendar = Calendar::new(15, zone)?;
    let price = MicroPerKilowattHour::new(5_250_000);
    let rules = [
        ("flat", PriceRule::Flat { price }),
        (
            "frequency-linked",
            PriceRule::FrequencyLinked(FrequencyCurve::deviation_vector_2019(price)?),
        ),
    ];
    for (name, rule) in rules {
        let bills = (0..USAGE_POINTS)
            .map(|point| month(&calendar, &rule, point))
            .collect::<Result<Vec<_>, _>>()?;
        let slots: usize =
            bills.iter().flat_map(|bill| &bill.days).map(|it| it.readings.len()).sum();
        let mut rounds = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            rounds.push(round(&calendar, &bills)?);
        }
        rounds.sort_unstable();
        println!(
            "{name}: {} slot lines, {} a second at best, {} in the median round, load {}",
            slots,
            per_second(slots, rounds[0]),
            per_second(slots, rounds[ROUNDS / 2]),
            fs::read_to_string("/proc/loadavg").unwrap_or_default().trim()
        );
    }
    Ok(())
}

/// One bill for each usage point.
fn round(calendar: &Calendar, bills: &[BillInputs]) -> Result<Duration, Box<dyn Error>> {
    let started = processor_time()?;
    let mut calculator = Calculator::new(calendar, MINOR_UNIT_MICRO);
    for inputs in bills {
        let bill = calculator.bill(inputs, &no_allocation)?;
        if bill.total.get() == 0 {
            return Err("a month of energy costs something".into());
        }
    }
    Ok(processor_time()?.saturating_sub(started))
}

/// Processor time of this thread, to the nanosecond.
fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().ok_or("no time in /proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

fn per_second(slots: usize, time: Duration) -> u128 {
    slots as u128 * 1_000_000_000 / time.as_nanos().max(1)
}

/// May 2016 of one usage point: 31 days of 96 slots.
fn month(calendar: &Calendar, rule: &PriceRule, point: u64) -> Result<BillInputs, Box<dyn Error>> {
    let (first, last) = BillingPeriod::Month { year: 2016, month: 5 }.days()?;
    let mut days = Vec::new();
    for day in first.get()..=last.get() {
        let day = LocalDay::new(day)?;
        let slots = u64::from(calendar.periods_of(day).count);
        let reading = |slot: u64| Reading {
            import_wh: WattHours::new((point * 7 + slot * 13) % 400 + 20),
            export_wh: WattHours::new(if (32..64).contains(&slot) { slot * 3 } else { 0 }),
            quality: Quality::Actual,
        };
        let frequency = |slot: u64| MilliHertz::new(49_900 + (slot as u32 * 7) % 200).map(Some);
        days.push(DayInput {
            day,
            readings: (0..slots).map(reading).collect(),
            frequencies: (0..slots).map(frequency).collect::<Result<_, _>>()?,
        });
    }
    let first_period = calendar.periods_of(first).first;
    let terms = TariffTerms {
        import: rule.clone(),
        export: ExportRule::SameAsImport,
        fixed: Bounded::default(),
        minimum: None,
        taxes: Bounded::default(),
    };
    let version = TariffVersion { tariff: TariffId::new([7; 16]), version: 1, first_period, terms };
    Ok(BillInputs {
        segments: vec![TariffSegment { first_period, version }],
        days,
        connection_limit: Watts::new(10_000),
    })
}
