//! What is signed beforehand.

use std::thread;

use client::transaction_builder::{MeterDay, derived_seed, slot_salt};
use contracts::Rules;
use contracts::billing::{ChargeSlots, ChargeTarget, IssueBill, PayBill};
use contracts::metering::{PublishFrequency, Registers};
use primitives::calendar::{BillingPeriod, LocalDay};
use primitives::codec::Bounded;
use primitives::envelope::Submission;
use primitives::identifier::UsagePointId;
use primitives::reading::{Quality, Reading};
use primitives::units::{MicroCurrency, MilliHertz, WattHours};

use super::LoadError;
use super::network::{Network, Point};

/// The energy of a home in a slot: a pattern, so that every value is known again later.
pub fn reading(home: usize, slot: usize) -> Reading {
    let energy = |spread: usize| WattHours::new(((home * 7 + slot * 13) % spread) as u64 + 20);
    Reading {
        import_wh: energy(400),
        export_wh: if (32..64).contains(&(slot % 96)) { energy(150) } else { WattHours::ZERO },
        quality: Quality::Actual,
    }
}

/// One signed reading of every home for each of the first `slots` slots of a day, slot by slot as
/// meters report.
pub fn readings(
    network: &mut Network,
    day: LocalDay,
    slots: usize,
    threads: usize,
) -> Result<Vec<Submission>, LoadError> {
    let rules = &network.rules;
    let share = network.points.len().div_ceil(threads).max(1);
    let shares: Vec<_> = thread::scope(|scope| {
        let signing: Vec<_> = network
            .points
            .chunks_mut(share)
            .enumerate()
            .map(|(number, points)| {
                scope.spawn(move || signed_readings(rules, points, number * share, day, slots))
            })
            .collect();
        signing.into_iter().map(|it| it.join().expect("signing does not panic")).collect()
    });
    let mut shares = shares.into_iter().collect::<Result<Vec<_>, _>>()?;
    let by_slot = (0..slots).flat_map(|slot| {
        let of_slot = shares.iter_mut().filter_map(|of| of.get_mut(slot).map(std::mem::take));
        of_slot.flatten().collect::<Vec<_>>()
    });
    Ok(by_slot.collect())
}

/// The readings of some homes, numbered from `first_home` on, by slot.
fn signed_readings(
    rules: &Rules,
    points: &mut [Point],
    first_home: usize,
    day: LocalDay,
    slots: usize,
) -> Result<Vec<Vec<Submission>>, LoadError> {
    let seeds: Vec<_> =
        points.iter().map(|it| derived_seed(&it.secret, it.usage_point, day)).collect();
    let mut by_slot = Vec::with_capacity(slots);
    for (slot, period) in rules.calendar().periods_of(day).iter().enumerate().take(slots) {
        let mut work = Vec::with_capacity(points.len());
        for ((home, point), seed) in (first_home..).zip(points.iter_mut()).zip(&seeds) {
            let salt = slot_salt(rules, seed, period)?;
            let value = reading(home, slot);
            work.push(point.meter.submit_reading(point.usage_point, period, value, salt)?);
        }
        by_slot.push(work);
    }
    Ok(by_slot)
}

/// The seal of every home's day.
pub fn seals(network: &mut Network, day: LocalDay) -> Result<Vec<Submission>, LoadError> {
    let slots = usize::from(network.rules.calendar().periods_of(day).count);
    let mut work = Vec::with_capacity(network.points.len());
    for (home, point) in network.points.iter_mut().enumerate() {
        let readings: Vec<_> = (0..slots).map(|slot| reading(home, slot)).collect();
        point.seals += 1;
        let sealed = MeterDay {
            usage_point: point.usage_point,
            day,
            seal_sequence: point.seals,
            first: registers_before(point, &readings),
            register_limit: WattHours::ZERO,
            former_slots: 0,
            readings: &readings,
            seed: derived_seed(&point.secret, point.usage_point, day),
            corrects: &[],
        };
        work.push(point.meter.seal_day(&network.rules, &sealed)?);
    }
    Ok(work)
}

/// Every sealed day moves the registers alike, so they follow from the number of seals.
fn registers_before(point: &Point, readings: &[Reading]) -> Registers {
    let days = u64::from(point.seals - 1);
    let sum = |value: fn(&Reading) -> WattHours| {
        WattHours::new(readings.iter().map(|it| value(it).get()).sum::<u64>() * days)
    };
    Registers { import: sum(|it| it.import_wh), export: sum(|it| it.export_wh) }
}

/// The frequencies of a day, published and sealed.
pub fn frequencies(network: &mut Network, day: LocalDay) -> Result<[Submission; 2], LoadError> {
    let periods = network.rules.calendar().periods_of(day);
    let values = (0..periods.count)
        .map(|slot| MilliHertz::new(49_900 + u32::from(slot) * 2))
        .collect::<Result<Vec<_>, _>>()?;
    let body = PublishFrequency {
        first_period: periods.first,
        frequencies: Bounded::try_from(values.clone())?,
    };
    let valid_until = network.valid_until()?;
    let published = network.grid_operator.submission(body, Vec::new(), &[], valid_until)?;
    let sealed = network.grid_operator.seal_frequency_day(&network.rules, day, &values)?;
    Ok([published, sealed])
}

/// All slots of a day charged, station by station.
pub fn charges(network: &mut Network, day: LocalDay) -> Result<Vec<Submission>, LoadError> {
    let periods = network.rules.calendar().periods_of(day);
    let valid_until = network.valid_until()?;
    let mut work = Vec::new();
    for station in network.stations.clone() {
        let body = ChargeSlots {
            target: ChargeTarget::Station(station),
            first_period: periods.first,
            count: periods.count.min(100),
        };
        work.push(network.distributor.submission(body, Vec::new(), &[], valid_until)?);
    }
    Ok(work)
}

/// A day bill for every home, 1,000 in a transaction.
pub fn bills(network: &mut Network, day: LocalDay) -> Result<Vec<Submission>, LoadError> {
    let mut usage_points: Vec<UsagePointId> =
        network.points.iter().map(|point| point.usage_point).collect();
    usage_points.sort_unstable();
    let valid_until = network.valid_until()?;
    let mut work = Vec::new();
    for chunk in usage_points.chunks(1_000) {
        let body = IssueBill {
            usage_points: Bounded::try_from(chunk.to_vec())?,
            period: BillingPeriod::Day { day },
        };
        work.push(network.distributor.submission(body, Vec::new(), &[], valid_until)?);
    }
    Ok(work)
}

/// `count` payments of one micro by all payers in turn, to the one distributor.
pub fn payments(network: &mut Network, count: u32) -> Result<Vec<Submission>, LoadError> {
    let valid_until = network.valid_until()?;
    let mut work = Vec::with_capacity(count as usize);
    for number in 0..count as usize {
        let point = &network.points[number % network.points.len().min(network.payers.len())];
        let body = PayBill { usage_point: point.usage_point, amount: MicroCurrency::new(1) };
        let payer = &mut network.payers[point.payer as usize];
        work.push(payer.submission(body, Vec::new(), &[], valid_until)?);
    }
    Ok(work)
}
