//! Who bills a usage point issues its bill.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{BillingPeriod, LocalDay, SettlementPeriod};
use primitives::codec::Bounded;
use primitives::identifier::UsagePointId;
use primitives::units::MicroCurrency;

use super::bill_calculation::{
    BillInputs, CalculationError, DayInput, TariffSegment, calculate, no_allocation, tariff_hash,
};
use super::{Bill, BillIssued, BillState, LineKind};
use crate::account::posting;
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::metering::{DayCommitment, DayReadings, FrequencyDay, require_day_ended};
use crate::registry::{Role, UsagePoint, is_rising};
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Usage points of one transaction.
pub const MAX_BILLED: usize = 1_000;
/// Usage points × days of one transaction.
pub const MAX_BILLED_DAYS: u64 = 31_000;

/// Issues a bill over a billing period for one usage point, or for many in bulk.
///
/// Every day of the period must have ended and be sealed, its frequencies too where a price needs
/// them. With one usage point, the first broken rule refuses the transaction; in bulk, a usage point
/// that cannot be billed gets a `BillRefused` event with the code and the others their bills.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct IssueBill {
    /// The usage points, rising, 1..=1,000.
    pub usage_points: Bounded<UsagePointId, MAX_BILLED>,
    /// The billing period.
    pub period: BillingPeriod,
}

impl Transaction for IssueBill {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.usage_points.is_empty() || !is_rising(&self.usage_points) {
            return Err(Malformed::Field("usage points rise, at least one, none twice"));
        }
        match self.period.days() {
            Ok((_, last)) if last < LocalDay::MAX => Ok(()),
            _ => Err(Malformed::Field("the billing period is no range of days")),
        }
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let (first, last) = period_days(&self.period);
        let days = u64::from(last.get().abs_diff(first.get())) + 1;
        if days * self.usage_points.len() as u64 > MAX_BILLED_DAYS {
            return Err(Rejection::TooMuchWork { bound: MAX_BILLED_DAYS });
        }
        let mut run = Run { context, period: self.period, frequencies: BTreeMap::new() };
        for id in self.usage_points.iter() {
            match run.prepare(state, *id) {
                Ok(bill) => issue(context, state, &bill)?,
                Err(rejection) if self.usage_points.len() == 1 => return Err(rejection),
                Err(rejection) => state.emit(Event::BillRefused {
                    usage_point: *id,
                    period: self.period,
                    code: rejection.code(),
                }),
            }
        }
        Ok(())
    }
}

/// One transaction's work; the frequencies of a day are read once for all usage points.
struct Run<'a> {
    context: &'a Context<'a>,
    period: BillingPeriod,
    frequencies: BTreeMap<LocalDay, FrequencyDay>,
}

impl Run<'_> {
    /// Every rule, then the bill; writes nothing.
    fn prepare(&mut self, state: &dyn State, id: UsagePointId) -> Result<Bill, Rejection> {
        let rules = self.context.rules;
        let usage_point = state.usage_point(id)?;
        if usage_point.biller != self.context.party()? {
            return Err(Rejection::NotTheBiller);
        }
        let (first, last) = period_days(&self.period);
        require_day_ended(self.context, last)?;
        let segments = tariff_segments(rules, state, id, first, last)?;
        let needs_frequency =
            segments.iter().any(|segment| segment.version.terms.needs_frequency());
        let mut inputs = BillInputs { segments, days: Vec::new() };
        let (mut readings, mut frequencies) = (Vec::new(), Vec::new());
        for day in first.get()..=last.get() {
            let day = LocalDay::new(day).expect("between two days of a billing period");
            let loaded = DayReadings::load(rules, state, id, day)?;
            readings.push(sealed_and_unbilled(&loaded, id, day)?);
            let slots = loaded.slots.into_iter().flatten().collect();
            let mut input = DayInput { day, readings: slots, frequencies: Vec::new() };
            if needs_frequency {
                let frequency_day =
                    self.frequencies.entry(day).or_insert_with(|| state.frequency_day(day));
                frequencies.push(frequency_commitment(frequency_day, day)?);
                input.frequencies = frequency_day.slots.to_vec();
            }
            inputs.days.push(input);
        }
        self.bill(state, (id, &usage_point), &inputs, &readings, &frequencies)
    }

    fn bill(
        &self,
        state: &dyn State,
        (id, usage_point): (UsagePointId, &UsagePoint),
        inputs: &BillInputs,
        readings: &[DayCommitment],
        frequencies: &[DayCommitment],
    ) -> Result<Bill, Rejection> {
        let rules = self.context.rules;
        let calculation =
            calculate(rules.calendar(), inputs, rules.minor_unit_micro(), &no_allocation)
                .map_err(rejection)?;
        Ok(Bill {
            usage_point: id,
            number: state.billing_account(id).bills + 1,
            period: self.period,
            revision: 1,
            customer: usage_point.customer,
            biller: usage_point.biller,
            export_payer: state.station(usage_point.station)?.grid_operator,
            metered_import: calculation.metered_import,
            metered_export: calculation.metered_export,
            residual_import: calculation.residual_import,
            residual_export: calculation.residual_export,
            lines: Bounded::try_from(calculation.lines)
                .map_err(|_| Rejection::TooMuchWork { bound: super::MAX_LINES as u64 })?,
            total: calculation.total,
            readings_root: DayCommitment::root(readings),
            frequency_root: DayCommitment::root(frequencies),
            tariff_hash: tariff_hash(&inputs.segments),
            issued_at: self.context.time,
        })
    }
}

fn period_days(period: &BillingPeriod) -> (LocalDay, LocalDay) {
    period.days().expect("checked before the bill was ordered")
}

fn rejection(error: CalculationError) -> Rejection {
    match error {
        CalculationError::FrequencyMissing(period) => {
            Rejection::FrequencyMissing { period: u64::from(period.get()) }
        }
        CalculationError::TariffMissing(period) => {
            Rejection::TariffMissing { period: u64::from(period.get()) }
        }
        CalculationError::OverAllocated(_)
        | CalculationError::SlotCount(_)
        | CalculationError::OutOfRange(_) => Rejection::AmountOutOfRange,
    }
}

/// The day must be sealed and not part of another bill.
fn sealed_and_unbilled(
    loaded: &DayReadings,
    id: UsagePointId,
    day: LocalDay,
) -> Result<DayCommitment, Rejection> {
    let number = u64::from(day.get().unsigned_abs());
    if loaded.metered_day.billed {
        return Err(Rejection::DayAlreadyBilled { day: number });
    }
    loaded.commitment(id, day).ok_or(Rejection::DayNotSealed { day: number })
}

fn frequency_commitment(
    frequency_day: &FrequencyDay,
    day: LocalDay,
) -> Result<DayCommitment, Rejection> {
    let seal = frequency_day
        .seal
        .as_ref()
        .ok_or(Rejection::FrequencyDayNotSealed { day: u64::from(day.get().unsigned_abs()) })?;
    let corrections: Vec<_> =
        frequency_day.corrections.iter().map(|c| (c.slot, c.transaction)).collect();
    Ok(DayCommitment {
        usage_point: None,
        day,
        seal: seal.transaction,
        day_root: seal.day_root,
        corrections: corrections.try_into().expect("bounded alike"),
    })
}

/// The tariff versions that price the period, each with the first of its slots: assignments and
/// versions that begin in mid-period are exact to the slot.
fn tariff_segments(
    rules: &Rules,
    state: &dyn State,
    id: UsagePointId,
    first: LocalDay,
    last: LocalDay,
) -> Result<Vec<TariffSegment>, Rejection> {
    let start = rules.calendar().periods_of(first).first;
    let end = rules.calendar().periods_of(last);
    let end = end.first.offset(u32::from(end.count)).expect("the last day was checked");
    let mut begins: Vec<SettlementPeriod> = vec![start];
    let assignments = state.tariff_assignments(id);
    for (first_period, tariff) in assignments.iter() {
        begins.push(*first_period);
        begins.extend(state.tariff(*tariff)?.first_periods.iter());
    }
    begins.retain(|period| (start..end).contains(period));
    begins.sort_unstable();
    begins.dedup();
    let mut segments: Vec<TariffSegment> = Vec::new();
    for first_period in begins {
        let version = state.tariff_in(id, first_period)?;
        if segments.last().is_none_or(|segment| segment.version != version) {
            segments.push(TariffSegment { first_period, version });
        }
    }
    Ok(segments)
}

/// Writes the bill, posts its lines, uses up credit.
fn issue(context: &Context<'_>, state: &mut dyn State, bill: &Bill) -> Result<(), Rejection> {
    let id = bill.id();
    post_lines(state, bill)?;
    mark_billed(state, bill);
    let mut account = state.billing_account(bill.usage_point);
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let paid = account.credit.min(bill.total).max(MicroCurrency::ZERO);
    let open = bill.total.checked_sub(paid).map_err(out_of_range)?;
    account.bills = bill.number;
    account.credit = account.credit.checked_sub(paid).map_err(out_of_range)?;
    state.put_billing_account(bill.usage_point, &account);
    if open > MicroCurrency::ZERO {
        state.write(state_key::open_bill(&bill.usage_point, bill.number), &id);
    }
    state.write(state_key::bill(&id), bill);
    let event = Event::BillIssued(BillIssued {
        bill: id,
        usage_point: bill.usage_point,
        number: bill.number,
        period: bill.period,
        revision: bill.revision,
        total: bill.total,
        bill_hash: bill.hash(),
        readings_root: bill.readings_root,
        frequency_root: bill.frequency_root,
        tariff_hash: bill.tariff_hash,
    });
    state.put_bill_state(id, &BillState { paid, open, position: context.position });
    state.emit(event);
    if paid > MicroCurrency::ZERO {
        state.emit(Event::BillPaid { bill: id, amount: paid, open });
        let (usage_point, credit) = (bill.usage_point, account.credit);
        state.emit(Event::CreditChanged { usage_point, credit });
    }
    Ok(())
}

/// The double entry of a bill; see the module's head for who pays whom.
fn post_lines(state: &mut dyn State, bill: &Bill) -> Result<(), Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let sum = |kind: LineKind| {
        MicroCurrency::sum(bill.lines.iter().filter(|l| l.kind == kind).map(|l| l.amount))
    };
    let import = sum(LineKind::EnergyImport).map_err(out_of_range)?;
    let export =
        sum(LineKind::EnergyExport).and_then(MicroCurrency::checked_neg).map_err(out_of_range)?;
    let (customer, biller, payer) = (bill.customer, bill.biller, bill.export_payer);
    posting::owe(state, customer, biller, import)?;
    posting::owe(state, payer, customer, export)?;
    if payer != biller {
        // The customer's claim on the grid operator passes to the collecting distributor, as far
        // as the customer owes the distributor for the same bill.
        let netted = import.min(export);
        posting::owe(state, customer, payer, netted)?;
        posting::owe(state, payer, biller, netted)?;
        posting::owe(state, biller, customer, netted)?;
    }
    Ok(())
}

fn mark_billed(state: &mut dyn State, bill: &Bill) {
    let (first, last) = period_days(&bill.period);
    for day in first.get()..=last.get() {
        let day = LocalDay::new(day).expect("between two days of a billing period");
        let mut metered_day = state.metered_day(bill.usage_point, day);
        metered_day.billed = true;
        state.put_metered_day(bill.usage_point, day, &metered_day);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::metering::DeleteFrequency;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (north, south) = (network.north.clone(), network.south.clone());
        let (day, running) = (network.day(0), network.day(1));
        let mut unpriced = network.clone();
        network.northern_tariff(curve());
        network.end_day(day);
        unpriced.end_day(day);
        let home = network.homes[0].clone();
        let mut nowhere = home.clone();
        nowhere.point = UsagePointId::default();
        let whole_day = |day| BillingPeriod::Day { day };
        let bill = |home: &Home, day| network.bill_over(&north, &[home], whole_day(day));
        let number = u64::from(day.get().unsigned_abs());
        let slot = u64::from(network.period(day, 0).get());
        let many: Vec<_> = (0..85_u128).map(|id| UsagePointId::new(id.to_be_bytes())).collect();
        let too_much = IssueBill {
            usage_points: many.try_into().unwrap(),
            period: BillingPeriod::Year { year: 2025 },
        };
        unpriced.check(&[(bill(&home, day), breaks(Rejection::TariffMissing { period: slot }))]);
        let seal = network.seal(&home, day, &network.even_day(day, reading(250, 0)));
        let (publish, period) =
            (network.publish(network.period(day, 0), &[50_000; 96]), network.period(day, 0));
        let cases = [
            (network.bill_over(&south, &[], whole_day(running)), WRONG_FIELD),
            (network.bill_over(&south, &[&nowhere, &nowhere], whole_day(running)), WRONG_FIELD),
            (
                network.bill_over(
                    &south,
                    &[&nowhere],
                    BillingPeriod::Month { year: 2025, month: 13 },
                ),
                WRONG_FIELD,
            ),
            (network.bill_over(&south, &[&nowhere], whole_day(LocalDay::MAX)), WRONG_FIELD),
            (
                by(&[&south.key], too_much),
                breaks(Rejection::TooMuchWork { bound: MAX_BILLED_DAYS }),
            ),
            (bill(&nowhere, running).sent_by(&south.key), breaks(Rejection::UsagePointUnknown)),
            (bill(&home, running).sent_by(&south.key), breaks(Rejection::NotTheBiller)),
            (bill(&home, running), breaks(Rejection::DayNotEnded)),
            (bill(&home, day), breaks(Rejection::DayNotSealed { day: number })),
            (seal, emits(&["DaySealed"])),
            (bill(&home, day), breaks(Rejection::FrequencyDayNotSealed { day: number })),
            (publish, emits(&["FrequencyPublished"])),
        ];
        network.check(&cases);
        let delete = by(&[&network.grid.key], DeleteFrequency { period });
        let correct = crate::metering::CorrectFrequency { period, frequency: hertz(50_000) };
        let correct = by(&[&network.grid.key], correct);
        let bill = network.bill(&[&home], day);
        network.check(&[
            (network.seal_frequencies(day), emits(&["FrequencyDaySealed"])),
            (delete, emits(&["FrequencyCorrected"])),
            (bill.clone(), breaks(Rejection::FrequencyMissing { period: slot })),
            (correct, emits(&["FrequencyCorrected"])),
            (bill.clone(), emits(&["Posted", "BillIssued"])),
            (bill.clone(), breaks(Rejection::DayAlreadyBilled { day: number })),
        ]);
        network.state.erase_payloads();
        network.check(&[(bill, breaks(Rejection::PayloadErased))]);
    }

    #[test]
    fn hundreds_of_prosumers_are_billed_in_one_transaction() {
        let mut network = Network::new();
        let day = network.day(0);
        let mut homes = network.homes.clone();
        // Each makes six events; a receipt has room for eight of each of 1,000 usage points.
        while homes.len() < 350 {
            homes.push(network.home(&format!("prosumer {}", homes.len()), network.north_station));
        }
        network.northern_tariff(flat(5_000_000));
        network.measure_day(day, &homes, reading(200, 100));
        let all: Vec<&Home> = homes.iter().collect();
        let outcome = network.accept(&network.bill(&all, day));
        assert_eq!(Network::bills(&outcome).len(), all.len());
        network.assert_books();
    }
}
