//! What happens to a bill when something behind it is amended.
//!
//! An issued bill never changes. A correction makes it stale and no more; the next `IssueBill` over
//! the same period takes it back with a credit note and writes the next revision. Between the two
//! stands the difference, and nothing else.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::identifier::BillId;
use primitives::units::{MicroCurrency, Timestamp};

use super::bill_calculation::tariff_hash;
use super::fine::{self, day_at};
use super::issue_bill::{legs, tariff_segments};
use super::settling::{BillPlace, put_bill, put_credit};
use super::{Bill, BillState, Decision};
use crate::account::posting;
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::metering::DayCommitment;
use crate::rejection::Rejection;
use crate::state::{Position, State};
use crate::state_key;

/// A bill taken back whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CreditNote {
    /// The bill that was taken back.
    pub bill: BillId,
    /// The bill in its place.
    pub replaced_by: BillId,
    /// The bill's total, less what a dispute had taken back; negative when the customer was owed.
    pub amount: MicroCurrency,
    /// What had been paid for it and became credit of the usage point.
    pub released: MicroCurrency,
    /// The block's time.
    pub issued_at: Timestamp,
    /// Where it was issued.
    pub position: Position,
}

impl dyn State + '_ {
    /// The credit note over a bill; `None` while it stands.
    #[must_use]
    pub fn credit_note(&self, bill: BillId) -> Option<CreditNote> {
        self.read(&state_key::credit_note(&bill))
    }
}

/// A bill that another one replaces.
pub(super) struct Replaced {
    bill: Bill,
    /// What had become of it.
    before: BillState,
    /// Since when an amount of it was in dispute and not decided, and how much was held.
    disputed: Option<(Timestamp, MicroCurrency)>,
    /// What had been paid out for it; not negative. That stays received, for the bill in its place.
    pub paid_out: MicroCurrency,
    /// The decision over it, or over one before it.
    pub decision: Option<Decision>,
}

/// Takes the former bill back, for `bill` in its place.
pub(super) fn replace(
    context: &Context<'_>,
    state: &mut dyn State,
    former: BillId,
    bill: &Bill,
) -> Result<Replaced, Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let zero = MicroCurrency::ZERO;
    let before = state.bill_state(former)?;
    let open_dispute = state.dispute(former).filter(|it| it.decided.is_none());
    let former = state.bill(former)?;
    take_back(context, state, &former, &before, bill.id())?;
    Ok(Replaced {
        bill: former,
        before,
        disputed: open_dispute.map(|it| (it.raised_at, before.held)),
        paid_out: before.paid.min(zero).checked_neg().map_err(out_of_range)?,
        decision: before.decision,
    })
}

/// As far as the new bill is lower, the fine is counted anew: what was billed by mistake was never due.
/// What was in dispute bore no fine meanwhile.
pub(super) fn reverse_fines(
    context: &Context<'_>,
    state: &mut dyn State,
    replaced: &Replaced,
    bill: &Bill,
) -> Result<(), Rejection> {
    let zero = MicroCurrency::ZERO;
    let less = |amount: MicroCurrency, by: MicroCurrency| {
        amount.checked_sub(by).map_err(|_| Rejection::AmountOutOfRange)
    };
    let former = less(replaced.bill.total, replaced.before.credited)?.max(zero);
    let lower = less(former, less(bill.total, bill.account.upheld)?.max(zero))?;
    let until = replaced.before.paid_at.unwrap_or(context.time);
    let (disputed_at, held) = replaced.disputed.unwrap_or((until, zero));
    let runs = [
        (lower, replaced.bill.issued_at, disputed_at.min(until)),
        (less(lower, held)?, disputed_at, until),
    ];
    for (amount, from, until) in runs.into_iter().filter(|(amount, ..)| *amount > zero) {
        let days = (day_at(context.rules, from), day_at(context.rules, until));
        fine::forgive(context, state, (bill.usage_point, amount), days)?;
    }
    Ok(())
}

/// Takes a bill back: its postings and those of decisions over it are reversed, and what was paid for
/// it becomes credit of the usage point.
fn take_back(
    context: &Context<'_>,
    state: &mut dyn State,
    bill: &Bill,
    before: &BillState,
    replaced_by: BillId,
) -> Result<(), Rejection> {
    let id = bill.id();
    let released = before.paid.max(MicroCurrency::ZERO);
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let amount = bill.total.checked_sub(before.credited).map_err(out_of_range)?;
    state.emit(Event::CreditNoteIssued { bill: id, amount, released, replaced_by });
    if bill.export_payer != bill.biller {
        let sides = (bill.export_payer, bill.customer);
        let received = (before.credited, before.paid);
        posting::interpose(state, sides, bill.biller, paid_out_too_much(bill, received)?)?;
    }
    for (debtor, creditor, amount) in legs(bill, before.credited)?.into_iter().rev() {
        posting::owe(state, creditor, debtor, amount)?;
    }
    let note = CreditNote {
        bill: id,
        replaced_by,
        amount,
        released,
        issued_at: context.time,
        position: context.position,
    };
    state.write(state_key::credit_note(&id), &note);
    let zero = MicroCurrency::ZERO;
    let closed = BillState {
        paid: zero,
        open: zero,
        credited: zero,
        held: zero,
        fine: zero,
        tax: zero,
        arrears: zero,
        paid_out: zero,
        decision: None,
        replaced_by: Some(replaced_by),
        ..*before
    };
    put_bill(context, state, BillPlace::from(bill), closed)?;
    if released > zero {
        let credit = state.billing_account(bill.usage_point).credit.checked_add(released);
        put_credit(state, bill.usage_point, credit.map_err(out_of_range)?)?;
    }
    Ok(())
}

/// How much more the customer has received for a bill than it says with what was upheld: owed to the
/// biller, who owes it on to the payer of export credits. `paid` is below zero as far as it received.
pub(super) fn paid_out_too_much(
    bill: &Bill,
    (upheld, paid): (MicroCurrency, MicroCurrency),
) -> Result<MicroCurrency, Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let zero = MicroCurrency::ZERO;
    let total = bill.total.checked_sub(upheld).map_err(out_of_range)?;
    let difference = total.min(zero).checked_sub(paid.min(zero));
    Ok(difference.map_err(out_of_range)?.max(zero))
}

/// Since when a bill no longer says what it would say today: the first amendment in force of a
/// reading, frequency or tariff behind it, as its place in the history. `None` while it is up to
/// date, or once it was replaced.
///
/// # Errors
/// [`Rejection::BillUnknown`].
pub fn stale_since(
    rules: &Rules,
    state: &dyn State,
    bill: &Bill,
) -> Result<Option<Position>, Rejection> {
    let issued = state.bill_state(bill.id())?;
    if issued.replaced_by.is_some() {
        return Ok(None);
    }
    let (first, last) = bill.period.days().map_err(|_| Rejection::BillUnknown)?;
    let mut changes: Vec<Position> = Vec::new();
    let needs_frequency = bill.frequency_root != DayCommitment::root(&[]);
    for day in (first.get()..=last.get()).filter_map(|day| LocalDay::new(day).ok()) {
        let metered_day = state.metered_day(bill.usage_point, day);
        changes.extend(metered_day.seal.map(|seal| seal.position));
        changes.extend(metered_day.corrections.iter().map(|it| it.position));
        if needs_frequency {
            let corrections = state.frequency_day(day).corrections;
            changes.extend(corrections.iter().map(|it| it.position));
        }
    }
    let segments = tariff_segments(rules, state, bill.usage_point, (first, last))?;
    if tariff_hash(&segments) != bill.tariff_hash {
        for segment in &segments {
            let tariff = state.tariff(segment.version.tariff)?;
            changes.extend(tariff.versions.iter().map(|start| start.position));
        }
    }
    changes.retain(|position| *position > issued.position);
    Ok(changes.into_iter().min())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::account::Account;
    use crate::billing::{DecideDispute, DisputeBill, PayOutBill, bill_id};
    use crate::metering::CorrectFrequency;
    use crate::tariff::AmendTariff;
    use primitives::calendar::BillingPeriod;

    /// A day of 24 kWh at 5 per kWh is 120.
    const BILLED: i64 = 120_000_000;

    fn stage(terms: crate::tariff::TariffTerms, value: primitives::reading::Reading) -> Network {
        let mut network = Network::new();
        network.northern_tariff(terms);
        let home = network.homes[0].clone();
        let (customer, grid) = (home.customer.clone(), network.grid.clone());
        network.fund(&customer, 1_000_000_000);
        network.fund(&grid, 1_000_000_000);
        network.measure_day(network.day(0), std::slice::from_ref(&home), value);
        network.accept(&network.bill(&[&home], network.day(0)));
        network
    }

    fn revision(network: &Network, revision: u32) -> BillId {
        let period = BillingPeriod::Day { day: network.day(0) };
        bill_id(network.homes[0].point, period, revision)
    }

    /// Paid, open, credit of the usage point.
    fn standing(network: &Network, bill: u32) -> (i64, i64, i64) {
        let state = network.state().bill_state(revision(network, bill)).unwrap();
        let credit = network.state().billing_account(network.homes[0].point).credit;
        (state.paid.get(), state.open.get(), credit.get())
    }

    #[test]
    fn what_was_paid_pays_the_new_bill_and_the_rest_is_credit() {
        let mut network = stage(flat(5_000_000), reading(250, 0));
        let (home, day) = (network.homes[0].clone(), network.day(0));
        network.accept(&network.pay(&home, 50_000_000));
        assert_eq!(standing(&network, 1), (50_000_000, BILLED - 50_000_000, 0));
        // 2 kWh more in one slot: 10 more to pay.
        network.accept(&network.correct(&home, network.period(day, 3), reading(2_250, 0)));
        network.check(&[
            (
                network.bill(&[&home], day),
                emits(&[
                    "CreditNoteIssued",
                    "Posted",
                    "CreditChanged",
                    "Posted",
                    "BillIssued",
                    "BillPaid",
                    "CreditChanged",
                ]),
            ),
            (network.bill(&[&home], day), KNOWN),
        ]);
        assert_eq!(standing(&network, 1), (0, 0, 0));
        assert_eq!(standing(&network, 2), (50_000_000, BILLED - 40_000_000, 0));
        // And then almost everything less: 23 kWh fewer than at first.
        network.accept(&network.correct(&home, network.period(day, 3), reading(0, 23_000)));
        network.accept(&network.bill(&[&home], day));
        assert_eq!(standing(&network, 3), (3_750_000, 0, 46_250_000));
        assert_eq!(network.open(&home), 0);
        let note = network.state().credit_note(revision(&network, 2)).unwrap();
        assert_eq!(note.replaced_by, revision(&network, 3));
        assert_eq!((note.amount.get(), note.released.get()), (130_000_000, 50_000_000));
        network.assert_books();
    }

    #[test]
    fn what_was_paid_out_too_much_is_owed_to_the_distributor() {
        let mut network = stage(flat(5_000_000), reading(0, 250));
        let (home, day, grid) = (network.homes[0].clone(), network.day(0), network.grid.clone());
        let pay_out = |bill| by(&[&grid.key], PayOutBill { bill });
        network.accept(&pay_out(revision(&network, 1)));
        for (slot, export, paid, open) in
            [(3, 2_250, -BILLED, -10_000_000), (3, 250, -BILLED, 0), (4, 50, -BILLED, 1_000_000)]
        {
            let value = reading(0, export);
            network.accept(&network.correct(&home, network.period(day, slot), value));
            network.accept(&network.bill(&[&home], day));
            let number = network.state().billing_account(home.point).bills;
            assert_eq!(standing(&network, number), (paid, open, 0));
            network.assert_books();
        }
        network.check(&[(pay_out(revision(&network, 4)), breaks(Rejection::NothingOpen))]);
        let dues = |party, other| network.balance(Account::dues(party, other));
        assert_eq!(dues(home.customer.id, network.north.id), -1_000_000);
        assert_eq!(dues(home.customer.id, grid.id), 0);
        assert_eq!(dues(network.north.id, grid.id), -1_000_000);
        network.accept(&network.pay(&home, 1_000_000));
        assert_eq!(standing(&network, 4), (1_000_000 - BILLED, 0, 0));
        network.assert_books();
    }

    #[test]
    fn inside_a_bill_fine_then_tax_then_arrears_then_current_is_paid() {
        let taxes = |terms: crate::tariff::TariffTerms| {
            let duty = crate::tariff::Tax {
                name: "Duty".parse().unwrap(),
                rate: primitives::units::BasisPoints::new(1_000).unwrap(),
                kind: crate::tariff::TaxKind::Exclusive,
            };
            crate::tariff::TariffTerms { taxes: vec![duty].try_into().unwrap(), ..terms }
        };
        let mut network = stage(taxes(flat(5_000_000)), reading(0, 250));
        let (home, day, grid) = (network.homes[0].clone(), network.day(0), network.grid.clone());
        network.accept(&by(&[&grid.key], PayOutBill { bill: revision(&network, 1) }));
        // Every slot was the other way round: 132 to pay with the tax, and 120 to give back.
        for slot in 0..96 {
            network.accept(&network.correct(&home, network.period(day, slot), reading(250, 0)));
        }
        network.accept(&network.bill(&[&home], day));
        let issued = network.state().bill(revision(&network, 2)).unwrap();
        assert_eq!((issued.total.get(), issued.account.paid_out.get()), (132_000_000, BILLED));
        assert_eq!(standing(&network, 2), (-BILLED, 252_000_000, 0));
        let split = |network: &Network| {
            let split = network.state().bill_state(revision(network, 2)).unwrap().paid_split();
            [split.fine, split.tax, split.arrears, split.current].map(MicroCurrency::get)
        };
        // No fine rules, no fine; the tax is 12.
        for (pay, wanted) in [
            (5_000_000, [0, 5_000_000, 0, 0]),
            (10_000_000, [0, 12_000_000, 3_000_000, 0]),
            (120_000_000, [0, 12_000_000, BILLED, 3_000_000]),
            (117_000_000, [0, 12_000_000, BILLED, BILLED]),
        ] {
            network.accept(&network.pay(&home, pay));
            assert_eq!(split(&network), wanted);
            network.assert_books();
        }
        assert_eq!(network.open(&home), 0);
    }

    #[test]
    fn a_decision_stands_whatever_is_amended_after_it() {
        let mut network = stage(flat(5_000_000), reading(250, 0));
        let (home, day) = (network.homes[0].clone(), network.day(0));
        let regulator = network.regulators[0].key.clone();
        let amount = MicroCurrency::new(50_000_000);
        let reason_hash = primitives::hash::Hash::ZERO;
        let dispute = DisputeBill { bill: revision(&network, 1), amount, reason_hash };
        network.accept(&by(&[&home.customer.key], dispute));
        let upheld = MicroCurrency::new(30_000_000);
        network.accept(&by(&[&regulator], DecideDispute { bill: revision(&network, 1), upheld }));
        // (import of the slot, total, what of the decision counts on, open)
        for (number, (import, total, counts_on, open)) in (2..).zip([
            // The distributor cannot undo it by a trifle.
            (251, 120_010_000, 30_000_000, 90_010_000),
            // 10 less: the decision covers it.
            (0, 118_750_000, 28_750_000, 90_000_000),
            // 10 more than before are owed beside it.
            (2_250, 130_000_000, 30_000_000, 100_000_000),
        ]) {
            let period = network.period(day, 3);
            network.accept(&network.correct(&home, period, reading(import, 0)));
            network.accept(&network.bill(&[&home], day));
            let bill = network.state().bill(revision(&network, number)).unwrap();
            assert_eq!((bill.total.get(), bill.account.upheld.get()), (total, counts_on));
            assert_eq!(standing(&network, number), (0, open, 0));
            network.assert_books();
        }
        // A lower bill than decided takes the decision in.
        for slot in 0..96 {
            network.accept(&network.correct(&home, network.period(day, slot), reading(100, 0)));
        }
        network.accept(&network.bill(&[&home], day));
        assert_eq!(standing(&network, 5), (0, 48_000_000, 0));
        let again = DisputeBill { bill: revision(&network, 5), amount: upheld, reason_hash };
        network.check(&[(by(&[&home.customer.key], again), emits(&["BillDisputed"]))]);
        network.assert_books();
    }

    #[test]
    fn a_reading_a_frequency_or_a_tariff_makes_a_bill_stale_since_its_change() {
        let mut network = stage(curve(), reading(250, 0));
        let (home, day, north) = (network.homes[0].clone(), network.day(0), network.north.clone());
        let (grid, regulator) = (network.grid.key.clone(), network.regulators[0].key.clone());
        let tariff = network.state().tariff_assignments(home.point)[0].1;
        let period = network.period(day, 7);
        let since = |network: &Network, number| {
            let bill = network.state().bill(revision(network, number)).unwrap();
            let since = stale_since(&network.rules, network.state(), &bill).unwrap();
            since.map(|position| position.height)
        };
        let changes = [
            network.correct(&home, period, reading(251, 0)),
            by(&[&grid], CorrectFrequency { period, frequency: hertz(49_900) }),
            by(
                &[&north.key, &regulator],
                AmendTariff { tariff, first_period: period, terms: flat(1) },
            ),
        ];
        for (revision, change) in (1..).zip(changes) {
            assert_eq!(since(&network, revision), None);
            network.accept(&change);
            assert_eq!(since(&network, revision), Some(network.height));
            // Nothing that happens later changes since when.
            let stale = network.height;
            network.accept(&network.pay(&home, 1_000));
            assert_eq!(since(&network, revision), Some(stale));
            network.accept(&network.bill(&[&home], day));
            assert_eq!(since(&network, revision), None, "it is replaced");
        }
        assert_eq!(since(&network, 4), None);
        network.assert_books();
    }

    #[test]
    fn an_amended_tariff_bills_the_day_in_two_segments() {
        let mut network = stage(flat(5_000_000), reading(250, 0));
        let (home, day, north) = (network.homes[0].clone(), network.day(0), network.north.clone());
        let regulator = network.regulators[0].key.clone();
        let tariff = network.state().tariff_assignments(home.point)[0].1;
        let first_period = network.period(day, 48);
        let amend = AmendTariff { tariff, first_period, terms: flat(6_000_000) };
        network.accept(&by(&[&north.key, &regulator], amend));
        network.accept(&network.bill(&[&home], day));
        let bill = network.state().bill(revision(&network, 2)).unwrap();
        let lines: Vec<_> = bill.lines.iter().map(|it| (it.version, it.amount.get())).collect();
        assert_eq!(lines, [(1, 60_000_000), (2, 72_000_000)]);
    }

    #[test]
    fn in_bulk_only_the_stale_bills_are_issued_anew() {
        let mut network = Network::new();
        network.northern_tariff(flat(5_000_000));
        let (homes, day) = (network.homes.clone(), network.day(0));
        network.measure_day(day, &homes, reading(250, 0));
        let all: Vec<&Home> = homes.iter().collect();
        network.accept(&network.bill(&all, day));
        network.accept(&network.correct(&homes[1], network.period(day, 0), reading(0, 0)));
        let outcome = network.accept(&network.bill(&all, day));
        let recorded = outcome.events.iter().filter(|it| **it == Event::AlreadyRecorded {});
        assert_eq!((recorded.count(), Network::bills(&outcome).len()), (2, 1));
    }
}
