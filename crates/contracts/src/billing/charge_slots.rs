//! Slots are charged: EB's per-slot bill, for one usage point or a whole station.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::identifier::{PartyId, StationId, UsagePointId};
use primitives::units::{MilliMicro, OutOfRange, WattHours};

use super::slot_charge::{SlotCharge, slot_charges};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::metering::require_ended;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Periods that one transaction charges: a local day of 15-minute slots, also the long one.
pub const MAX_CHARGED: u16 = 100;

/// Whose slots are charged.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ChargeTarget {
    /// One usage point; a slot that cannot be charged refuses the transaction.
    UsagePoint(UsagePointId),
    /// All that the sender bills below a station; slots that cannot be charged are left out.
    Station(StationId),
}

/// Charges slots: price(frequency of the slot) × energy, two-way, exact. Shows amounts, posts
/// nothing; money moves only with a bill. Charged slots again are harmless.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ChargeSlots {
    /// Whose slots.
    pub target: ChargeTarget,
    /// The first period.
    pub first_period: SettlementPeriod,
    /// How many periods, 1..=100.
    pub count: u16,
}

impl Transaction for ChargeSlots {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];
    const PRIVACY: Option<Privacy> = Some(Privacy::Open);

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if !(1..=MAX_CHARGED).contains(&self.count)
            || self.first_period.offset(u32::from(self.count)).is_err()
        {
            return Err(Malformed::Field("1 to 100 periods are charged"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let biller = context.party()?;
        require_ended(context, self.last_period())?;
        match self.target {
            ChargeTarget::UsagePoint(id) => {
                if state.usage_point(id)?.biller != biller {
                    return Err(Rejection::NotTheBiller);
                }
                let run = self.charge(context, state, id, true)?;
                state.emit(if run.charged == 0 { Event::AlreadyRecorded {} } else { run.event() });
            }
            ChargeTarget::Station(station) => {
                self.charge_station(context, state, biller, station)?
            }
        }
        Ok(())
    }
}

/// The sums of one usage point's run.
struct Run {
    usage_point: UsagePointId,
    first_period: SettlementPeriod,
    charged: u16,
    skipped: u16,
    import: WattHours,
    export: WattHours,
    amount: MilliMicro,
}

impl Run {
    fn add(&mut self, charge: &SlotCharge, amount: MilliMicro) -> Result<(), OutOfRange> {
        if let Some(reading) = charge.reading {
            self.import = self.import.checked_add(reading.import_wh)?;
            self.export = self.export.checked_add(reading.export_wh)?;
        }
        self.amount = self.amount.checked_add(amount)?;
        self.charged += 1;
        Ok(())
    }

    const fn event(&self) -> Event {
        Event::SlotsCharged {
            usage_point: self.usage_point,
            first_period: self.first_period,
            charged: self.charged,
            skipped: self.skipped,
            import: self.import,
            export: self.export,
            amount: self.amount,
        }
    }
}

impl ChargeSlots {
    fn last_period(&self) -> SettlementPeriod {
        self.first_period.offset(u32::from(self.count) - 1).expect("checked before")
    }

    fn charge_station(
        &self,
        context: &Context<'_>,
        state: &mut dyn State,
        biller: PartyId,
        station: StationId,
    ) -> Result<(), Rejection> {
        let record = state.station(station)?;
        if biller != record.distributor && biller != record.grid_operator {
            return Err(Rejection::NotTheBiller);
        }
        for id in state.usage_points_of(station) {
            if state.usage_point(id)?.biller == biller {
                let run = self.charge(context, state, id, false)?;
                if run.charged > 0 {
                    state.emit(run.event());
                }
            }
        }
        Ok(())
    }

    /// Charges the run of one usage point. `strict`: a slot without reading or price is an error.
    fn charge(
        &self,
        context: &Context<'_>,
        state: &mut dyn State,
        usage_point: UsagePointId,
        strict: bool,
    ) -> Result<Run, Rejection> {
        let mut run = Run {
            usage_point,
            first_period: self.first_period,
            charged: 0,
            skipped: 0,
            import: WattHours::ZERO,
            export: WattHours::ZERO,
            amount: MilliMicro::ZERO,
        };
        let (first_day, _) = context.rules.slot_of(self.first_period)?;
        let (last_day, _) = context.rules.slot_of(self.last_period())?;
        for day in first_day.get()..=last_day.get() {
            let day = LocalDay::new(day).expect("between two days of the calendar");
            self.charge_day(context, state, day, strict, &mut run)?;
        }
        Ok(run)
    }

    fn charge_day(
        &self,
        context: &Context<'_>,
        state: &mut dyn State,
        day: LocalDay,
        strict: bool,
        run: &mut Run,
    ) -> Result<(), Rejection> {
        let before = state.metered_day(run.usage_point, day);
        let mut metered_day = before.clone();
        let charges = slot_charges(context.rules, state, run.usage_point, day)?;
        for (slot, charge) in (0_u16..).zip(&charges) {
            if charge.period < self.first_period || charge.period > self.last_period() {
                continue;
            }
            let amount = match charge.amount {
                Some(amount) if !charge.charged => amount,
                None if strict => return Err(why_uncharged(charge)),
                _ => {
                    run.skipped += 1;
                    continue;
                }
            };
            metered_day.charged.set(slot, true);
            run.add(charge, amount).map_err(|_| Rejection::AmountOutOfRange)?;
        }
        if metered_day != before {
            state.put_metered_day(run.usage_point, day, &metered_day);
        }
        Ok(())
    }
}

/// What is missing, in the order of precedence: reading, tariff, a price by slot, frequency.
fn why_uncharged(charge: &SlotCharge) -> Rejection {
    let period = u64::from(charge.period.get());
    if charge.reading.is_none() {
        Rejection::ReadingMissing { period }
    } else if charge.tariff.is_none() {
        Rejection::TariffMissing { period }
    } else if !charge.by_slot {
        Rejection::TariffNotBySlot { period }
    } else {
        Rejection::FrequencyMissing { period }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    fn to(target: ChargeTarget, first_period: SettlementPeriod, count: u16) -> ChargeSlots {
        ChargeSlots { target, first_period, count }
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (north, south) = (network.north.clone(), network.south.clone());
        let day = network.day(0);
        let mut unpriced = network.clone();
        network.northern_tariff(curve());
        for network in [&mut network, &mut unpriced] {
            network.end_day(day);
            network.accept(&network.submit(
                &network.homes[0],
                network.period(day, 0),
                reading(250, 0),
            ));
        }
        let (first, running) = (network.period(day, 0), network.now());
        let point = ChargeTarget::UsagePoint;
        let (home, nowhere) = (network.homes[0].point, UsagePointId::default());
        let number = u64::from(first.get());
        let charge = |target, first, count| by(&[&north.key], to(target, first, count));
        unpriced.check(&[(
            charge(point(home), first, 1),
            breaks(Rejection::TariffMissing { period: number }),
        )]);
        network.check(&[
            (charge(point(nowhere), running, 0), WRONG_FIELD),
            (charge(point(nowhere), running, 101), WRONG_FIELD),
            (charge(point(nowhere), SettlementPeriod::new(u32::MAX), 1), WRONG_FIELD),
            (
                charge(point(nowhere), running, 1),
                breaks(Rejection::PeriodNotEnded { period: u64::from(running.get()) }),
            ),
            (charge(point(nowhere), first, 2), breaks(Rejection::UsagePointUnknown)),
            (charge(point(home), first, 2).sent_by(&south.key), breaks(Rejection::NotTheBiller)),
            (
                charge(point(home), first.offset(1).unwrap(), 1),
                breaks(Rejection::ReadingMissing { period: number + 1 }),
            ),
            (charge(point(home), first, 2), breaks(Rejection::FrequencyMissing { period: number })),
            (network.publish(first, &[50_000]), emits(&["FrequencyPublished"])),
            (charge(point(home), first, 1), emits(&["SlotsCharged"])),
            (charge(point(home), first, 1), KNOWN),
        ]);
    }

    #[test]
    fn slabs_give_no_price_to_a_slot() {
        let mut network = Network::new();
        let north = network.north.clone();
        network.northern_tariff(full());
        let (day, home) = (network.day(0), network.homes[0].clone());
        network.end_day(day);
        let first = network.period(day, 0);
        network.accept(&network.submit(&home, first, reading(250, 0)));
        let charge = |target| by(&[&north.key], to(target, first, 1));
        let period = u64::from(first.get());
        network.check(&[
            (
                charge(ChargeTarget::UsagePoint(home.point)),
                breaks(Rejection::TariffNotBySlot { period }),
            ),
            (charge(ChargeTarget::Station(network.north_station)), emits(&[])),
        ]);
    }

    #[test]
    fn a_station_is_charged_as_far_as_values_are_there_and_nothing_is_posted() {
        let mut network = Network::new();
        let (north, south) = (network.north.clone(), network.south.clone());
        network.northern_tariff(curve());
        let day = network.day(0);
        let homes = network.homes[..2].to_vec();
        network.measure_day(day, &homes, reading(250, 50));
        let first = network.period(day, 0);
        let station = |id| by(&[&north.key], to(ChargeTarget::Station(id), first, 96));
        let north_station = network.north_station;
        network.check(&[
            (station(StationId::default()), breaks(Rejection::StationUnknown)),
            (station(north_station).sent_by(&south.key), breaks(Rejection::NotTheBiller)),
        ]);
        let outcome = network.accept(&station(north_station));
        assert_eq!(outcome.event_names(), ["SlotsCharged", "SlotsCharged"]);
        let Event::SlotsCharged { charged, skipped, import, amount, .. } = outcome.events[0] else {
            unreachable!("seen above");
        };
        // 96 × (250 − 50) Wh × 6.20 per kWh.
        assert_eq!((charged, skipped, import.get()), (96, 0, 24_000));
        assert_eq!(amount.get(), 96 * 200 * 6_200_000);
        assert_eq!(network.accept(&station(north_station)).event_names(), [""; 0]);
        assert!(network.state().accounts(None, 1).is_empty(), "a charge posts nothing");
    }
}
