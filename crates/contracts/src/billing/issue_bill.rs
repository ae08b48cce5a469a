//! Who bills a usage point issues its bill.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{BillingPeriod, LocalDay, SettlementPeriod};
use primitives::codec::Bounded;
use primitives::hash::Hash;
use primitives::identifier::{PartyId, TariffId, UsagePointId};
use primitives::reading::Reading;
use primitives::units::{MicroCurrency, MilliMicro, WattHours};

use super::amendment::{paid_out_too_much, replace, reverse_fines};
use super::bill_calculation::{
    BillCalculation, BillInputs, CalculationError, Calculator, DayInput, TariffSegment,
    no_allocation, tariff_hash,
};
use super::bill_proof::issued_event;
use super::fine::{self, FineBasis};
use super::settling::{BillPlace, add_credit, put_bill, put_credit};
use super::{Bill, BillAccount, BillLine, BillSources, BillState, LineKind};
use crate::account::posting;
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::metering::{DayCommitment, DayReadings, FrequencyDay, require_day_ended};
use crate::registry::{Role, UsagePoint, is_rising};
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::tariff::charges::ChargeName;
use crate::transaction::{Transaction, Who, no_payload};

/// Usage points of one transaction.
pub const MAX_BILLED: usize = 1_000;
/// Usage points × days of one transaction.
pub const MAX_BILLED_DAYS: u64 = 31_000;

/// Issues a bill over a billing period for one usage point, or for many in bulk.
///
/// Every day of the period must have ended and be sealed, its frequencies too where a price needs
/// them. Over a period that is billed already and whose readings, frequencies or tariff were amended
/// since, it writes a credit note for the bill in force and a new one with the next revision; over
/// one that is up to date it does nothing (`AlreadyRecorded`). With one usage point, the first broken rule refuses the transaction; in bulk, a usage point
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
    const PRIVACY: Option<Privacy> = Some(Privacy::Open);

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
        let mut run = Run::new(context, self.period);
        for id in self.usage_points.iter() {
            match run.prepare(state, *id) {
                Ok(Prepared::New(draft)) => draft.issue(context, state)?,
                Ok(Prepared::AlreadyRecorded) => state.emit(Event::AlreadyRecorded {}),
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

/// What the run makes of one usage point.
enum Prepared {
    /// The bill in force says it all.
    AlreadyRecorded,
    /// A bill to be issued.
    New(Box<Draft>),
}

/// A bill to be issued, and what it was computed from. How the account stands is seen at its issue.
pub(super) struct Draft {
    pub bill: Bill,
    pub sources: BillSources,
}

impl Draft {
    /// Issues the bill; while it replaces another one, the account's days of grace go on.
    pub fn issue(self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if self.bill.replaces().is_none() {
            return issue(context, state, self);
        }
        let id = self.bill.usage_point;
        fine::uninterrupted(context, state, id, |state| issue(context, state, self))
    }
}

/// What a bill over the period would be computed from, without any value: enough to tell whether the
/// bill in force is stale.
pub(super) struct Basis {
    pub segments: Vec<TariffSegment>,
    pub needs_frequency: bool,
    readings: Vec<DayCommitment>,
    frequencies: Vec<DayCommitment>,
    pub sources: BillSources,
}

impl Basis {
    /// The roots over readings and frequencies and the hash of the tariffs, as a bill commits to them.
    pub fn commitments(&self) -> [Hash; 3] {
        let root = |days: &[DayCommitment]| DayCommitment::root(days);
        [root(&self.readings), root(&self.frequencies), tariff_hash(&self.segments)]
    }
}

/// One transaction's work; the frequencies and prices of a day serve all usage points.
pub(super) struct Run<'a> {
    context: &'a Context<'a>,
    period: BillingPeriod,
    frequencies: BTreeMap<LocalDay, FrequencyDay>,
    pub calculator: Calculator<'a>,
}

impl<'a> Run<'a> {
    pub fn new(context: &'a Context<'a>, period: BillingPeriod) -> Self {
        let rules = context.rules;
        let calculator = Calculator::new(rules.calendar(), rules.minor_unit_micro());
        Self { context, period, frequencies: BTreeMap::new(), calculator }
    }

    /// Every rule, then the bill; writes nothing.
    fn prepare(&mut self, state: &dyn State, id: UsagePointId) -> Result<Prepared, Rejection> {
        let usage_point = self.billed_point(state, id)?;
        let in_force = self.bill_in_force(state, id)?;
        let basis = self.basis(state, id, in_force.as_ref())?;
        if in_force.as_ref().is_some_and(|bill| bill.commitments() == basis.commitments()) {
            return Ok(Prepared::AlreadyRecorded);
        }
        let calculation = self.calculate(state, (id, &usage_point), &basis)?;
        let bill =
            self.bill((state, &usage_point), id, (&basis, calculation), in_force.as_ref())?;
        Ok(Prepared::New(Box::new(Draft { bill, sources: basis.sources })))
    }

    /// The usage point: the sender bills it, and the period has ended.
    pub fn billed_point(
        &self,
        state: &dyn State,
        id: UsagePointId,
    ) -> Result<UsagePoint, Rejection> {
        let usage_point = state.usage_point(id)?;
        if usage_point.biller != self.context.party()? {
            return Err(Rejection::NotTheBiller);
        }
        require_day_ended(self.context, period_days(&self.period).1)?;
        Ok(usage_point)
    }

    /// The bill that the days of the period are part of; all of them are, or none.
    pub fn bill_in_force(
        &self,
        state: &dyn State,
        id: UsagePointId,
    ) -> Result<Option<Bill>, Rejection> {
        let (first, _) = period_days(&self.period);
        let bill = state.metered_day(id, first).billed.map(|bill| state.bill(bill)).transpose()?;
        // Rule: what is billed by another period stays billed by it.
        let same = bill.filter(|bill| bill.period == self.period);
        let wanted = same.as_ref().map(Bill::id);
        for day in days_of(&self.period) {
            if state.metered_day(id, day).billed != wanted {
                return Err(Rejection::DayAlreadyBilled { day: number(day) });
            }
        }
        Ok(same)
    }

    /// What a bill over the period is computed from; every day is sealed.
    pub fn basis(
        &mut self,
        state: &dyn State,
        id: UsagePointId,
        replaced: Option<&Bill>,
    ) -> Result<Basis, Rejection> {
        let segments = tariff_segments(self.context.rules, state, id, period_days(&self.period))?;
        let needs_frequency =
            segments.iter().any(|segment| segment.version.terms.needs_frequency());
        let (mut readings, mut frequencies) = (Vec::new(), Vec::new());
        // A fine is not about the period: the next revision shows the same one.
        let mut sources = BillSources::new(match replaced {
            Some(former) => state.bill_sources(former.id())?.fine,
            None => FineBasis::load(self.context, state, id)?,
        });
        sources.note_segments(&segments)?;
        for day in days_of(&self.period) {
            let metered_day = state.metered_day(id, day);
            let sealed = metered_day.commitment(id, day);
            readings.push(sealed.ok_or(Rejection::DayNotSealed { day: number(day) })?);
            sources.note_readings(&metered_day);
            if needs_frequency {
                let frequency_day =
                    self.frequencies.entry(day).or_insert_with(|| state.frequency_day(day));
                frequencies.push(frequency_commitment(frequency_day, day)?);
                sources.note_frequencies(frequency_day);
            }
        }
        Ok(Basis { segments, needs_frequency, readings, frequencies, sources })
    }

    /// The calculation from the readings that `state` holds.
    pub fn calculate(
        &mut self,
        state: &dyn State,
        (id, usage_point): (UsagePointId, &UsagePoint),
        basis: &Basis,
    ) -> Result<BillCalculation, Rejection> {
        let rules = self.context.rules;
        let inputs = self.inputs(usage_point, basis, |day| {
            let loaded = DayReadings::load(rules, state, id, day)?;
            Ok(loaded.slots.into_iter().flatten().collect())
        })?;
        self.calculator.bill(&inputs, &no_allocation).map_err(rejection)
    }

    /// What the calculation works with; `readings` gives those of a day.
    pub fn inputs(
        &self,
        usage_point: &UsagePoint,
        basis: &Basis,
        readings: impl Fn(LocalDay) -> Result<Vec<Reading>, Rejection>,
    ) -> Result<BillInputs, Rejection> {
        let (segments, connection_limit) = (basis.segments.clone(), usage_point.connection_limit);
        let mut inputs = BillInputs { segments, days: Vec::new(), connection_limit };
        for day in days_of(&self.period) {
            let known = self.frequencies.get(&day).filter(|_| basis.needs_frequency);
            let frequencies = known.map(|it| it.slots.to_vec()).unwrap_or_default();
            inputs.days.push(DayInput { day, readings: readings(day)?, frequencies });
        }
        Ok(inputs)
    }

    /// The bill that a calculation amounts to, with the fine; how the account stands comes at its issue.
    pub fn bill(
        &self,
        (state, usage_point): (&dyn State, &UsagePoint),
        id: UsagePointId,
        (basis, calculation): (&Basis, BillCalculation),
        replaced: Option<&Bill>,
    ) -> Result<Bill, Rejection> {
        let rules = self.context.rules;
        let [readings_root, frequency_root, tariff_hash] = basis.commitments();
        let mut lines = calculation.lines;
        let fine = basis.sources.fine.fine(rules.minor_unit_micro());
        lines.extend(fine_line(fine.map_err(|_| Rejection::AmountOutOfRange)?));
        let total = MicroCurrency::sum(lines.iter().map(|line| line.amount));
        Ok(Bill {
            usage_point: id,
            number: state.billing_account(id).bills + 1,
            period: self.period,
            revision: replaced.map_or(0, |bill| bill.revision) + 1,
            customer: usage_point.customer,
            biller: usage_point.biller,
            export_payer: state.station(usage_point.station)?.grid_operator,
            connection_limit: usage_point.connection_limit,
            metered_import: calculation.metered_import,
            metered_export: calculation.metered_export,
            residual_import: calculation.residual_import,
            residual_export: calculation.residual_export,
            lines: Bounded::try_from(lines)
                .map_err(|_| Rejection::TooMuchWork { bound: super::MAX_LINES as u64 })?,
            total: total.map_err(|_| Rejection::AmountOutOfRange)?,
            account: BillAccount::ZERO,
            readings_root,
            frequency_root,
            tariff_hash,
            fine_hash: basis.sources.fine.hash(),
            issued_at: self.context.time,
        })
    }
}

/// The line of a fine; none when there is nothing to fine.
pub(super) fn fine_line(amount: MicroCurrency) -> Option<BillLine> {
    (amount > MicroCurrency::ZERO).then(|| BillLine {
        kind: LineKind::Fine,
        name: ChargeName::default(),
        tariff: TariffId::default(),
        version: 0,
        energy: WattHours::ZERO,
        exact: MilliMicro::new(i128::from(amount.get()) * 1_000),
        amount,
    })
}

pub(super) fn period_days(period: &BillingPeriod) -> (LocalDay, LocalDay) {
    period.days().expect("checked before the bill was ordered")
}

fn days_of(period: &BillingPeriod) -> impl Iterator<Item = LocalDay> + use<> {
    let (first, last) = period_days(period);
    (first.get()..=last.get())
        .map(|day| LocalDay::new(day).expect("between two days of a billing period"))
}

fn number(day: LocalDay) -> u64 {
    u64::from(day.get().unsigned_abs())
}

pub(super) fn rejection(error: CalculationError) -> Rejection {
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

fn frequency_commitment(
    frequency_day: &FrequencyDay,
    day: LocalDay,
) -> Result<DayCommitment, Rejection> {
    let seal =
        frequency_day.seal.as_ref().ok_or(Rejection::FrequencyDayNotSealed { day: number(day) })?;
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
pub(super) fn tariff_segments(
    rules: &Rules,
    state: &dyn State,
    id: UsagePointId,
    (first, last): (LocalDay, LocalDay),
) -> Result<Vec<TariffSegment>, Rejection> {
    let start = rules.calendar().periods_of(first).first;
    let end = rules.calendar().periods_of(last);
    let end = end.first.offset(u32::from(end.count)).expect("the last day was checked");
    let mut begins: Vec<SettlementPeriod> = vec![start];
    let assignments = state.tariff_assignments(id);
    for (first_period, tariff) in assignments.iter() {
        begins.push(*first_period);
        begins.extend(state.tariff(*tariff)?.versions.iter().map(|start| start.first_period));
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

/// Writes the bill, posts its lines, uses up credit. A bill that it replaces is taken back before.
fn issue(context: &Context<'_>, state: &mut dyn State, draft: Draft) -> Result<(), Rejection> {
    let Draft { mut bill, sources } = draft;
    let (id, usage_point) = (bill.id(), bill.usage_point);
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let zero = MicroCurrency::ZERO;
    let replaced = bill.replaces().map(|it| replace(context, state, it, &bill)).transpose()?;
    if let Some(replaced) = &replaced {
        let upheld = replaced.decision.map(|decision| decision.of_total(bill.total));
        bill.account.paid_out = replaced.paid_out;
        bill.account.upheld = upheld.transpose().map_err(out_of_range)?.unwrap_or(zero);
    } else {
        // Rule: the oldest bill first, also for credit that waits.
        add_credit(context, state, usage_point, zero)?;
    }
    let mut account = state.billing_account(usage_point);
    bill.account.arrears = account.to_pay;
    bill.account.payments = std::mem::replace(&mut account.payments, zero);
    let unpaid = bill.open_at_issue().map_err(out_of_range)?;
    let used = account.credit.min(unpaid).max(zero);
    bill.account.credit = used;
    let bill = bill;

    for (debtor, creditor, amount) in legs(&bill, bill.account.upheld)? {
        posting::owe(state, debtor, creditor, amount)?;
    }
    if bill.export_payer != bill.biller {
        // What the grid operator paid out too much is collected like everything else on the bill.
        let sides = (bill.customer, bill.export_payer);
        posting::interpose(state, sides, bill.biller, collected_too(&bill)?)?;
    }
    mark_billed(state, &bill);
    account.bills = bill.number;
    state.put_billing_account(usage_point, &account)?;
    state.write(state_key::bill(&id), &bill);
    state.write(state_key::bill_sources(&id), &sources);
    let decision = replaced.as_ref().and_then(|replaced| replaced.decision);
    let at_issue = BillState { decision, ..state_at_issue(context, &bill)? };
    put_bill(context, state, BillPlace::from(&bill), at_issue)?;
    state.emit(issued_event(&bill));
    if used > zero {
        let open = state.bill_state(id)?.open;
        state.emit(Event::BillPaid { bill: id, amount: used, open });
        let left = account.credit.checked_sub(used).map_err(out_of_range)?;
        put_credit(state, usage_point, left)?;
    }
    match replaced {
        Some(replaced) => {
            reverse_fines(context, state, &replaced, &bill)?;
            add_credit(context, state, usage_point, zero)
        }
        None => {
            let fine = bill.sum_of(LineKind::Fine).map_err(out_of_range)?;
            fine::charge(context, state, usage_point, fine)
        }
    }
}

/// What was paid out too much for the bill before and is collected with this one.
fn collected_too(bill: &Bill) -> Result<MicroCurrency, Rejection> {
    let received = bill.account.paid_out.checked_neg();
    let received = received.map_err(|_| Rejection::AmountOutOfRange)?;
    paid_out_too_much(bill, (bill.account.upheld, received))
}

/// What is paid and open of a bill that was just issued.
fn state_at_issue(context: &Context<'_>, bill: &Bill) -> Result<BillState, Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let BillAccount { paid_out, upheld, credit, .. } = bill.account;
    let sum_of = |kind| bill.sum_of(kind).map_err(out_of_range);
    let payable = bill.total.max(MicroCurrency::ZERO);
    let fine = sum_of(LineKind::Fine)?.min(payable);
    let behind_fine = payable.checked_sub(fine).map_err(out_of_range)?;
    Ok(BillState {
        paid: credit.checked_sub(paid_out).map_err(out_of_range)?,
        open: bill.open_at_issue().map_err(out_of_range)?,
        credited: upheld,
        held: MicroCurrency::ZERO,
        fine,
        tax: sum_of(LineKind::TaxExclusive)?.min(behind_fine),
        arrears: collected_too(bill)?,
        paid_out,
        decision: None,
        paid_at: None,
        position: context.position,
        replaced_by: None,
    })
}

/// A debt that a bill makes: debtor, creditor, amount.
type Leg = (PartyId, PartyId, MicroCurrency);

/// The double entry of a bill with what was upheld of it; see the module's head for who pays whom.
pub(super) fn legs(bill: &Bill, upheld: MicroCurrency) -> Result<Vec<Leg>, Rejection> {
    let sides = bill.sides_after(upheld);
    let (charges, credits) = sides.map_err(|_| Rejection::AmountOutOfRange)?;
    if charges < MicroCurrency::ZERO || credits < MicroCurrency::ZERO {
        return Err(Rejection::AmountOutOfRange);
    }
    let (customer, biller, payer) = (bill.customer, bill.biller, bill.export_payer);
    let mut legs = vec![(customer, biller, charges), (payer, customer, credits)];
    if payer != biller {
        // The customer's claim on the grid operator passes to the collecting distributor, as far
        // as the customer owes the distributor for the same bill.
        let netted = charges.min(credits);
        legs.extend([
            (customer, payer, netted),
            (payer, biller, netted),
            (biller, customer, netted),
        ]);
    }
    Ok(legs)
}

fn mark_billed(state: &mut dyn State, bill: &Bill) {
    for day in days_of(&bill.period) {
        let mut metered_day = state.metered_day(bill.usage_point, day);
        metered_day.billed = Some(bill.id());
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
        let (home, other) = (network.homes[0].clone(), network.homes[1].clone());
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
            (bill.clone(), KNOWN),
            (
                network.bill_over(
                    &network.north,
                    &[&network.homes[0]],
                    BillingPeriod::Custom { first_day: day, last_day: day },
                ),
                breaks(Rejection::DayAlreadyBilled { day: number }),
            ),
            (
                network.seal(&other, day, &network.even_day(day, reading(250, 0))),
                emits(&["DaySealed"]),
            ),
        ]);
        network.state.erase_payloads();
        network.check(&[
            (bill, KNOWN),
            (network.bill(&[&other], day), breaks(Rejection::PayloadErased)),
        ]);
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
