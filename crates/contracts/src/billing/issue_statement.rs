//! A quarter, half-year or year is stated as the sum of its monthly bills.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::BillingPeriod;
use primitives::codec::{self, Bounded};
use primitives::hash::Hash;
use primitives::identifier::{BillId, UsagePointId};
use primitives::units::{MicroCurrency, Timestamp, WattHours};

use super::Bill;
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::{Position, State};
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Months of the longest statement.
pub const MAX_MONTHS: usize = 12;

/// States a quarter, half-year or year whose months are billed one by one: it sums their bills and
/// lists their hashes. It posts nothing. Once a bill among them is replaced, it can be stated anew.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct IssueStatement {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// A quarter, half-year or year.
    pub period: BillingPeriod,
}

/// A monthly bill of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct StatedBill {
    /// The bill.
    pub bill: BillId,
    /// Hash of the whole bill.
    pub hash: Hash,
    /// Its total.
    pub total: MicroCurrency,
}

/// The sum of monthly bills.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Statement {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// What it is over.
    pub period: BillingPeriod,
    /// Counts the statements of this period, from 1.
    pub revision: u32,
    /// The bills, month by month.
    pub bills: Bounded<StatedBill, MAX_MONTHS>,
    /// Energy drawn by the meter.
    pub metered_import: WattHours,
    /// Energy injected by the meter.
    pub metered_export: WattHours,
    /// The sum of the bills' totals.
    pub total: MicroCurrency,
    /// The block's time at issue.
    pub issued_at: Timestamp,
    /// Where it was issued.
    pub position: Position,
}

impl Statement {
    /// The hash that the event commits to.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of_domain("gridtally/statement/v1", &[&codec::encode(self)])
    }
}

/// The months of a period; empty for one that is not stated.
fn months(period: BillingPeriod) -> Vec<BillingPeriod> {
    let (year, first, count) = match period {
        BillingPeriod::Quarter { year, quarter } => (year, quarter * 3 - 2, 3),
        BillingPeriod::HalfYear { year, half } => (year, half * 6 - 5, 6),
        BillingPeriod::Year { year } => (year, 1, 12),
        BillingPeriod::Day { .. } | BillingPeriod::Month { .. } | BillingPeriod::Custom { .. } => {
            return Vec::new();
        }
    };
    (first..first + count).map(|month| BillingPeriod::Month { year, month }).collect()
}

impl dyn State + '_ {
    /// The newest statement of a period.
    #[must_use]
    pub fn statement(
        &self,
        usage_point: UsagePointId,
        period: &BillingPeriod,
    ) -> Option<Statement> {
        let days = period.days().ok()?;
        self.read(&state_key::statement(&usage_point, days))
    }
}

impl Transaction for IssueStatement {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.period.days().is_err() || months(self.period).is_empty() {
            return Err(Malformed::Field("a statement is over a quarter, half-year or year"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        if state.usage_point(self.usage_point)?.biller != context.party()? {
            return Err(Rejection::NotTheBiller);
        }
        let mut bills = Vec::with_capacity(MAX_MONTHS);
        for month in months(self.period) {
            bills.push(monthly_bill(state, self.usage_point, month)?);
        }
        let former = state.statement(self.usage_point, &self.period);
        let stated = bills.iter().map(|bill| StatedBill {
            bill: bill.id(),
            hash: bill.hash(),
            total: bill.total,
        });
        let stated: Bounded<_, MAX_MONTHS> =
            stated.collect::<Vec<_>>().try_into().expect("at most the months of a year");
        if former.as_ref().is_some_and(|former| former.bills == stated) {
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        let out_of_range = |_| Rejection::AmountOutOfRange;
        let energy = |of: fn(&Bill) -> WattHours| WattHours::sum(bills.iter().map(of));
        let statement = Statement {
            usage_point: self.usage_point,
            period: self.period,
            revision: former.map_or(0, |former| former.revision) + 1,
            bills: stated,
            metered_import: energy(|bill| bill.metered_import).map_err(out_of_range)?,
            metered_export: energy(|bill| bill.metered_export).map_err(out_of_range)?,
            total: MicroCurrency::sum(bills.iter().map(|bill| bill.total)).map_err(out_of_range)?,
            issued_at: context.time,
            position: context.position,
        };
        let days = self.period.days().expect("checked before it was ordered");
        state.write(state_key::statement(&self.usage_point, days), &statement);
        state.emit(Event::StatementIssued {
            usage_point: self.usage_point,
            period: self.period,
            revision: statement.revision,
            total: statement.total,
            statement_hash: statement.hash(),
        });
        Ok(())
    }
}

/// The bill in force over a month.
fn monthly_bill(
    state: &dyn State,
    usage_point: UsagePointId,
    month: BillingPeriod,
) -> Result<Bill, Rejection> {
    let number = match month {
        BillingPeriod::Month { year, month } => u64::from(year) * 100 + u64::from(month),
        _ => 0,
    };
    let missing = Rejection::MonthNotBilled { month: number };
    let (first, _) = month.days().map_err(|_| missing.clone())?;
    let bill = state.metered_day(usage_point, first).billed.ok_or(missing.clone())?;
    let bill = state.bill(bill)?;
    if bill.period == month { Ok(bill) } else { Err(missing) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence_and_the_sum_of_the_months() {
        let mut network = Network::new();
        let (north, south) = (network.north.clone(), network.south.clone());
        let home = network.homes[0].clone();
        network.northern_tariff(flat(5_000_000));
        // The ledger is founded with June 2025; the quarter that it has whole begins in July.
        let quarter = BillingPeriod::Quarter { year: 2025, quarter: 3 };
        let state = |usage_point, period| by(&[&north.key], IssueStatement { usage_point, period });
        let nowhere = UsagePointId::default();
        let month = |month| BillingPeriod::Month { year: 2025, month };
        let july = quarter.days().unwrap().0;
        let mut day = july;
        while day <= quarter.days().unwrap().1 {
            network.end_day(day);
            let seal = network.seal(&home, day, &network.even_day(day, reading(10, 4)));
            network.accept(&seal);
            day = day.next().unwrap();
        }
        let bill = |month| network.bill_over(&north, &[&home], month);
        let (first, second, third) = (bill(month(7)), bill(month(8)), bill(month(9)));
        network.accept(&first);
        network.check(&[
            (state(nowhere, month(7)), WRONG_FIELD),
            (state(nowhere, BillingPeriod::Year { year: 1 }), WRONG_FIELD),
            (state(nowhere, quarter), breaks(Rejection::UsagePointUnknown)),
            (state(home.point, quarter).sent_by(&south.key), breaks(Rejection::NotTheBiller)),
            (state(home.point, quarter), breaks(Rejection::MonthNotBilled { month: 202_508 })),
        ]);
        network.accept(&second);
        network.accept(&third);
        let accounts = network.state().accounts(None, 1_000);
        network.check(&[
            (state(home.point, quarter), emits(&["StatementIssued"])),
            (state(home.point, quarter), KNOWN),
        ]);
        assert_eq!(network.state().accounts(None, 1_000), accounts, "it posts nothing");
        let stated = network.state().statement(home.point, &quarter).unwrap();
        // 92 days of 96 slots, 6 Wh net at 5 per kWh.
        assert_eq!((stated.bills.len(), stated.total.get()), (3, 92 * 96 * 6 * 5_000));
        assert_eq!(stated.metered_import.get(), 92 * 96 * 10);
        // An amended month is stated anew; a quarter billed by months is not billed again.
        let slot = network.period(july, 0);
        network.accept(&network.correct(&home, slot, reading(1_010, 4)));
        network.accept(&first);
        network.check(&[
            (state(home.point, quarter), emits(&["StatementIssued"])),
            (
                network.bill_over(&north, &[&home], quarter),
                breaks(Rejection::DayAlreadyBilled { day: u64::from(july.get().unsigned_abs()) }),
            ),
        ]);
        let again = network.state().statement(home.point, &quarter).unwrap();
        assert_eq!((again.revision, again.total.get() - stated.total.get()), (2, 5_000_000));
    }
}
