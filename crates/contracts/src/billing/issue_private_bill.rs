//! Who bills a usage point states its bill, on a private ledger.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{BillingPeriod, LocalDay};
use primitives::codec::Bounded;
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;
use primitives::units::MicroCurrency;

use super::bill_calculation::{BillCalculation, StatedError};
use super::issue_bill::{Basis, Draft, MAX_BILLED_DAYS, Run, period_days, rejection};
use super::{Bill, BillLine, LineKind, MAX_LINES};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::registry::{Role, UsagePoint};
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// What a private bill says of its amounts.
///
/// A choice of its own, so that what everybody can check without seeing it (commitments to energies and
/// amounts) becomes a further case; number 1 is kept for that.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum StatedAmounts {
    /// The lines, for all to see: sums over the billing period, no reading.
    Plain {
        /// The lines but for the fine, which the ledger counts itself.
        lines: Bounded<BillLine, MAX_LINES>,
        /// Their sum.
        total: MicroCurrency,
    },
}

/// Issues the bill of a usage point over a billing period, on a private ledger.
///
/// The sender computed it from the values and signs what it computed it from. The ledger checks what it
/// can without the values: every day is sealed, the roots are those of the seals, the frequencies and the
/// tariff that hold now, each energy line lies within the prices of its slots, slabs are filled in their
/// order, and charges, minimum and taxes are what follows. It adds the fine and posts the lines. What the
/// household reads from its own values beside that, it may dispute. Over a period that is billed already
/// it writes a credit note and the next revision, whenever a line or something behind it is another.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct IssuePrivateBill {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The billing period.
    pub period: BillingPeriod,
    /// The root over the readings' seals that it was computed from ([`Bill::readings_root`]).
    pub readings_root: Hash,
    /// The root over the frequencies' seals ([`Bill::frequency_root`]).
    pub frequency_root: Hash,
    /// The hash of the tariff segments ([`Bill::tariff_hash`]).
    pub tariff_hash: Hash,
    /// What it says of its amounts.
    pub amounts: StatedAmounts,
}

impl Transaction for IssuePrivateBill {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];
    const PRIVACY: Option<Privacy> = Some(Privacy::Private);

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        let StatedAmounts::Plain { lines, total } = &self.amounts;
        if MicroCurrency::sum(lines.iter().map(|line| line.amount)) != Ok(*total) {
            return Err(Malformed::Field("the total is not the sum of the lines"));
        }
        match self.period.days() {
            Ok((_, last)) if last < LocalDay::MAX => Ok(()),
            _ => Err(Malformed::Field("the billing period is no range of days")),
        }
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let (first, last) = period_days(&self.period);
        if u64::from(last.get().abs_diff(first.get())) >= MAX_BILLED_DAYS {
            return Err(Rejection::TooMuchWork { bound: MAX_BILLED_DAYS });
        }
        let mut run = Run::new(context, self.period);
        let usage_point = run.billed_point(state, self.usage_point)?;
        let in_force = run.bill_in_force(state, self.usage_point)?;
        let basis = run.basis(state, self.usage_point, in_force.as_ref())?;
        self.require_basis(&basis)?;
        let calculation = self.calculation(&mut run, &usage_point, &basis)?;
        if in_force.as_ref().is_some_and(|bill| says_the_same(bill, &basis, &calculation)) {
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        let (place, computed) = ((&*state, &usage_point), (&basis, calculation));
        let bill = run.bill(place, self.usage_point, computed, in_force.as_ref())?;
        Draft { bill, sources: basis.sources }.issue(context, state)
    }
}

impl IssuePrivateBill {
    fn require_basis(&self, basis: &Basis) -> Result<(), Rejection> {
        let stated = [self.readings_root, self.frequency_root, self.tariff_hash];
        let parts = (0..).zip(stated.into_iter().zip(basis.commitments()));
        for (part, (stated, ours)) in parts {
            if stated != ours {
                return Err(Rejection::BasisDiffers { part });
            }
        }
        Ok(())
    }

    fn calculation(
        &self,
        run: &mut Run<'_>,
        usage_point: &UsagePoint,
        basis: &Basis,
    ) -> Result<BillCalculation, Rejection> {
        let StatedAmounts::Plain { lines, .. } = &self.amounts;
        let inputs = run.inputs(usage_point, basis, |_| Ok(Vec::new()))?;
        run.calculator.stated(&inputs, lines).map_err(|error| match error {
            StatedError::Calculation(error) => rejection(error),
            StatedError::Line(line) => Rejection::LineDiffers { line: line as u64 },
        })
    }
}

/// Is the bill in force this one? The fine is not the sender's.
fn says_the_same(bill: &Bill, basis: &Basis, calculation: &BillCalculation) -> bool {
    let lines = bill.lines.iter().filter(|line| line.kind != LineKind::Fine);
    bill.commitments() == basis.commitments() && lines.eq(&calculation.lines)
}

/// The bill that would be issued now, from the values that `state` holds: on a private ledger what a
/// biller states, on an open one what the ledger would compute.
///
/// # Errors
/// The rule that stands against it; [`Rejection::PayloadErased`] when a day's values are not held here.
pub fn draft_bill(
    context: &Context<'_>,
    state: &dyn State,
    usage_point: UsagePointId,
    period: BillingPeriod,
) -> Result<IssuePrivateBill, Rejection> {
    period.days().map_err(|_| Rejection::DayNotEnded)?;
    let mut run = Run::new(context, period);
    let point = run.billed_point(state, usage_point)?;
    let in_force = run.bill_in_force(state, usage_point)?;
    let basis = run.basis(state, usage_point, in_force.as_ref())?;
    let calculation = run.calculate(state, (usage_point, &point), &basis)?;
    let [readings_root, frequency_root, tariff_hash] = basis.commitments();
    let lines = calculation.lines.try_into();
    let lines = lines.map_err(|_| Rejection::TooMuchWork { bound: MAX_LINES as u64 })?;
    let amounts = StatedAmounts::Plain { lines, total: calculation.total };
    Ok(IssuePrivateBill {
        usage_point,
        period,
        readings_root,
        frequency_root,
        tariff_hash,
        amounts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::{Draft as DraftSent, *};

    use crate::billing::{DecideDispute, DisputeBill, bill_id};
    use crate::metering::{CorrectFrequency, DeleteFrequency};
    use crate::transaction::Body;

    fn edited(draft: &DraftSent, edit: impl FnOnce(&mut IssuePrivateBill)) -> DraftSent {
        let mut draft = draft.clone();
        let Body::IssuePrivateBill(body) = &mut draft.body else { unreachable!("a private bill") };
        edit(body);
        draft
    }

    /// Puts other lines on the bill; the total follows.
    fn relined(draft: &DraftSent, edit: impl FnOnce(&mut Vec<BillLine>)) -> DraftSent {
        edited(draft, |body| {
            let StatedAmounts::Plain { lines, total } = &mut body.amounts;
            let mut edited = lines.to_vec();
            edit(&mut edited);
            *total = MicroCurrency::sum(edited.iter().map(|line| line.amount)).unwrap();
            *lines = edited.try_into().unwrap();
        })
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::private();
        let (day, running) = (network.day(0), network.day(1));
        network.northern_tariff(curve());
        network.end_day(day);
        let (home, south) = (network.homes[0].clone(), network.south.key.clone());
        let number = u64::from(day.get().unsigned_abs());
        let early = network.bill_privately(&home, running);
        let nowhere = UsagePointId::default();
        let year = edited(&early, |body| body.period = BillingPeriod::Year { year: 2025 });
        let bill = network.bill_privately(&home, day);
        network.check(&[
            (network.bill(&[&home], day), WRONG_LEDGER),
            (
                edited(&bill, |body| {
                    let StatedAmounts::Plain { total, .. } = &mut body.amounts;
                    *total = MicroCurrency::new(1);
                }),
                WRONG_FIELD,
            ),
            (
                edited(&bill, |body| body.period = BillingPeriod::Day { day: LocalDay::MAX }),
                WRONG_FIELD,
            ),
            (
                edited(&early, |body| body.usage_point = nowhere).sent_by(&south),
                breaks(Rejection::UsagePointUnknown),
            ),
            (early.sent_by(&south), breaks(Rejection::NotTheBiller)),
            (early, breaks(Rejection::DayNotEnded)),
            (year, breaks(Rejection::DayNotEnded)),
            (bill, breaks(Rejection::DayNotSealed { day: number })),
        ]);
        let values = network.even_day(day, reading(250, 50));
        network.accept(&network.seal_privately(&home, day, &values));
        network.frequencies(day, |slot| 49_900 + slot * 2);
        let bill = network.bill_privately(&home, day);
        let period = network.period(day, 7);
        network.check(&[
            (
                edited(&bill, |body| body.readings_root = Hash::ZERO),
                breaks(Rejection::BasisDiffers { part: 0 }),
            ),
            (
                edited(&bill, |body| body.frequency_root = Hash::ZERO),
                breaks(Rejection::BasisDiffers { part: 1 }),
            ),
            (
                edited(&bill, |body| body.tariff_hash = Hash::ZERO),
                breaks(Rejection::BasisDiffers { part: 2 }),
            ),
            (
                relined(&bill, |lines| {
                    lines[1].amount = MicroCurrency::new(-1);
                }),
                breaks(Rejection::LineDiffers { line: 2 }),
            ),
            (by(&[&network.grid.key], DeleteFrequency { period }), emits(&["FrequencyCorrected"])),
            (bill.clone(), breaks(Rejection::BasisDiffers { part: 1 })),
        ]);
        // Signed over what holds now, it still has no price in one slot.
        let root = network.basis_root(&home, day);
        network.check(&[(
            edited(&bill, |body| body.frequency_root = root),
            breaks(Rejection::FrequencyMissing { period: u64::from(period.get()) }),
        )]);
        let frequency = hertz(50_000);
        network.accept(&by(&[&network.grid.key], CorrectFrequency { period, frequency }));
        let bill = network.bill_privately(&home, day);
        network.check(&[
            (
                bill.clone(),
                emits(&["Posted", "Posted", "Posted", "Posted", "Posted", "BillIssued"]),
            ),
            (bill, KNOWN),
        ]);
        let custom = BillingPeriod::Custom { first_day: day, last_day: day };
        network.check(&[(
            edited(&network.bill_privately(&home, day), |body| body.period = custom),
            breaks(Rejection::DayAlreadyBilled { day: number }),
        )]);
        network.assert_books();
    }

    #[test]
    fn it_says_and_posts_what_the_open_ledgers_bill_does() {
        let mut bills = Vec::new();
        for mut network in [Network::new(), Network::private()] {
            network.northern_tariff(full());
            let (day, home) = (network.day(0), network.homes[0].clone());
            let is_private = network.rules.is_private();
            if is_private {
                network.measure_privately(day, std::slice::from_ref(&home), reading(250, 20));
                network.accept(&network.bill_privately(&home, day));
            } else {
                network.measure_day(day, std::slice::from_ref(&home), reading(250, 20));
                network.accept(&network.bill(&[&home], day));
            }
            network.assert_books();
            let id = bill_id(home.point, BillingPeriod::Day { day }, 1);
            let bill = network.state().bill(id).unwrap();
            let state = network.state().bill_state(id).unwrap();
            let energies = (bill.metered_import, bill.residual_export);
            bills.push((bill.lines.clone(), bill.total, energies, state.open, state.tax));
        }
        assert!(bills[0].0.len() > 5);
        // Tariffs of two networks have two ids; everything else is the same.
        let tariff = bills[0].0[0].tariff;
        let lines: Vec<_> =
            bills[1].0.iter().map(|line| BillLine { tariff, ..line.clone() }).collect();
        bills[1].0 = lines.try_into().unwrap();
        assert_eq!(bills[0], bills[1]);
    }

    #[test]
    fn a_wrong_bill_or_a_substitute_is_followed_by_a_credit_note_and_the_next_revision() {
        let mut network = Network::private();
        network.northern_tariff(flat(5_000_000));
        let (day, home) = (network.day(0), network.homes[0].clone());
        network.measure_privately(day, std::slice::from_ref(&home), reading(250, 0));
        let right = network.bill_privately(&home, day);
        let wrong = relined(&right, |lines| {
            lines[0].energy = primitives::units::WattHours::new(48_000);
            lines[0].exact = primitives::units::MilliMicro::new(240_000_000_000);
            lines[0].amount = MicroCurrency::new(240_000_000);
        });
        network.accept(&wrong);
        let total = |network: &Network, revision| {
            let id = bill_id(home.point, BillingPeriod::Day { day }, revision);
            network.state().bill(id).unwrap().total.get()
        };
        assert_eq!(total(&network, 1), 240_000_000, "nobody else can see that it is wrong");
        network.check(&[
            (right.clone(), emits(&["CreditNoteIssued", "Posted", "Posted", "BillIssued"])),
            (right, KNOWN),
        ]);
        assert_eq!(total(&network, 2), 120_000_000);
        network.accept(&network.substitute(&home, day, 200));
        let bill = network.state().bill(bill_id(home.point, BillingPeriod::Day { day }, 2));
        let stale = crate::billing::stale_since(&network.rules, network.state(), &bill.unwrap());
        assert_eq!(stale.unwrap().map(|it| it.height), Some(network.height));
        network.accept(&network.bill_privately(&home, day));
        assert_eq!(total(&network, 3), 96_000_000);
        network.assert_books();
    }
    #[test]
    fn what_is_decided_over_a_negative_private_bill_counts_on() {
        let mut network = Network::private();
        network.northern_tariff(flat(5_000_000));
        let (day, home) = (network.day(0), network.homes[0].clone());
        network.measure_privately(day, std::slice::from_ref(&home), reading(0, 250));
        let right = network.bill_privately(&home, day);
        // The distributor states half of the 24 kWh that were sold.
        let wrong = relined(&right, |lines| {
            let sold = lines.iter_mut().find(|line| line.kind == LineKind::EnergyExport).unwrap();
            sold.energy = primitives::units::WattHours::new(12_000);
            sold.exact = primitives::units::MilliMicro::new(-60_000_000_000);
            sold.amount = MicroCurrency::new(-60_000_000);
        });
        network.accept(&wrong);
        let id = |revision| bill_id(home.point, BillingPeriod::Day { day }, revision);
        let (bill, amount) = (id(1), MicroCurrency::new(60_000_000));
        let dispute = DisputeBill { bill, amount, reason_hash: Hash::of(b"why") };
        network.accept(&by(&[&home.customer.key], dispute));
        let decide = DecideDispute { bill, upheld: amount };
        network.accept(&by(&[&network.regulators[0].key], decide));
        let standing = |network: &Network, revision| {
            let open = network.state().bill_state(id(revision)).unwrap().open;
            (open.get(), network.state().billing_account(home.point).credit.get())
        };
        assert_eq!(standing(&network, 1), (-60_000_000, 60_000_000));
        network.accept(&right);
        let upheld = network.state().bill(id(2)).unwrap().account.upheld;
        assert_eq!(upheld, MicroCurrency::ZERO, "the bill says it itself");
        assert_eq!(standing(&network, 2), (-60_000_000, 60_000_000));
        network.assert_books();
    }
}
