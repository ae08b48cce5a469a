//! The day itself: slot after slot the clock goes on, the frequency is published, meters that report
//! at once do so, and their slots are charged.

use client::transaction_builder::{derived_seed, slot_salt};
use contracts::billing::{ChargeSlots, ChargeTarget};
use contracts::governance::AdvanceClock;
use contracts::metering::PublishFrequency;
use primitives::calendar::SettlementPeriod;
use primitives::codec::Bounded;
use primitives::envelope::Submission;
use primitives::reading::Reading;
use primitives::units::{MilliHertz, WattHours};

use super::DayError;
use super::network::{MeteredPoint, Network};
use super::stage::Stage;
use crate::pace::Pace;

/// Up to so many homes, a station's slot is charged in bulk. A bulk charge looks at every usage
/// point below the station; where few of many have reported, those are charged one by one.
const BULK_HOMES: usize = 100;

/// Plays all slots of the day.
pub(super) fn play(
    stage: &mut Stage<'_>,
    network: &mut Network,
    pace: &mut dyn Pace,
) -> Result<(), DayError> {
    let periods = stage.plan.periods();
    for (number, period) in (1_u16..).zip(periods.iter()) {
        let slot = usize::from(number) - 1;
        let frequency = stage.plan.frequency[slot];

        let over = AdvanceClock { to: stage.rules.calendar().end_of(period) };
        let over = stage.sign(&mut network.clock_keeper, over, &[])?;
        stage.send("advance the clock", vec![over])?;

        let mut batch = vec![publish(stage, network, period, frequency)?];
        batch.extend(report(stage, network, period, slot)?);
        batch.extend(charge(stage, network, period)?);
        stage.send("report and charge a slot", batch)?;

        let energy = energy_of_homes(network, slot)?;
        stage.slot_over(number, frequency, network.curve.price(frequency), energy)?;
        pace.slot_done(number);
    }
    Ok(())
}

fn publish(
    stage: &Stage<'_>,
    network: &mut Network,
    first_period: SettlementPeriod,
    frequency: MilliHertz,
) -> Result<Submission, DayError> {
    let frequencies = Bounded::try_from(vec![frequency]).expect("one frequency");
    let publication = PublishFrequency { first_period, frequencies };
    stage.sign(&mut network.grid_operator.signer, publication, &[])
}

/// The readings of the meters that report during the day.
fn report(
    stage: &Stage<'_>,
    network: &mut Network,
    period: SettlementPeriod,
    slot: usize,
) -> Result<Vec<Submission>, DayError> {
    let live = live_homes(stage, network);
    let mut submissions = Vec::with_capacity(live);
    for home in &mut network.homes[..live] {
        let MeteredPoint { usage_point, meter, day_secret, readings, .. } = &mut home.point;
        // The salt is the one that the seal of the day will use, so the seal will agree.
        let seed = derived_seed(day_secret, *usage_point, stage.plan.day);
        let salt = slot_salt(&stage.rules, &seed, period)?;
        submissions.push(meter.submit_reading(*usage_point, period, readings[slot], salt)?);
    }
    Ok(submissions)
}

/// Distributors charge the slot where a reading has come.
fn charge(
    stage: &Stage<'_>,
    network: &mut Network,
    first_period: SettlementPeriod,
) -> Result<Vec<Submission>, DayError> {
    let live = live_homes(stage, network);
    let mut submissions = Vec::new();
    for (index, station) in network.stations.iter().enumerate() {
        let reporting: Vec<_> = network.homes[..live]
            .iter()
            .filter(|home| home.point.station == index)
            .map(|home| home.point.usage_point)
            .collect();
        if reporting.is_empty() {
            continue;
        }
        let homes = network.homes.iter().filter(|home| home.point.station == index).count();
        let targets = if homes <= BULK_HOMES {
            vec![ChargeTarget::Station(station.id)]
        } else {
            reporting.into_iter().map(ChargeTarget::UsagePoint).collect()
        };
        let distributor = &mut network.distributors[station.distributor].signer;
        for target in targets {
            let charge = ChargeSlots { target, first_period, count: 1 };
            submissions.push(stage.sign(distributor, charge, &[])?);
        }
    }
    Ok(submissions)
}

/// How many homes report during the day; the customer on the flat rate, the last one, never does.
fn live_homes(stage: &Stage<'_>, network: &Network) -> usize {
    (stage.plan.live_homes as usize).min(network.homes.len() - 1)
}

/// What the homes drew and injected in a slot.
fn energy_of_homes(network: &Network, slot: usize) -> Result<(WattHours, WattHours), DayError> {
    let sum = |value: fn(&Reading) -> WattHours| {
        WattHours::sum(network.homes.iter().map(|home| value(&home.point.readings[slot])))
    };
    Ok((sum(|reading| reading.import_wh)?, sum(|reading| reading.export_wh)?))
}
