//! A regulator decides a dispute.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::BillId;
use primitives::units::MicroCurrency;

use super::fine::{self, day_at};
use super::settling::{BillPlace, add_credit, put_bill};
use super::{Bill, BillState, Decision, Dispute};
use crate::account::posting;
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Decides how much of a dispute is upheld. That part of the bill is credited, with the fines on it;
/// the rest falls due. It counts against what the bill charges first, which the biller bears; the rest
/// is export credit that the bill gives too little, which its export payer owes, by way of the biller.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DecideDispute {
    /// The bill.
    pub bill: BillId,
    /// What is decided for the household, from zero to the disputed amount.
    pub upheld: MicroCurrency,
}

impl Transaction for DecideDispute {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.upheld < MicroCurrency::ZERO {
            return Err(Malformed::Field("what is upheld is not negative"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let bill = state.bill(self.bill)?;
        let bill_state = state.bill_state(self.bill)?;
        if bill_state.replaced_by.is_some() {
            return Err(Rejection::BillReplaced);
        }
        let dispute = state.dispute(self.bill).filter(|dispute| dispute.decided.is_none());
        let mut dispute = dispute.ok_or(Rejection::NotDisputed)?;
        if self.upheld > dispute.amount {
            let disputed_micro = dispute.amount.get().unsigned_abs();
            return Err(Rejection::MoreThanDisputed { disputed_micro });
        }
        dispute.decided = Some((self.upheld, context.time));
        state.write(state_key::dispute(&self.bill), &dispute);
        let released = self.credit(context, state, &bill, bill_state)?;
        let (amount, upheld) = (dispute.amount, self.upheld);
        state.emit(Event::DisputeDecided { bill: self.bill, amount, upheld });
        forgive_fines(context, state, (&bill, &bill_state), &dispute)?;
        add_credit(context, state, bill.usage_point, released)
    }
}

impl DecideDispute {
    /// Takes the upheld part back. Gives what of it had been paid already.
    fn credit(
        &self,
        context: &Context<'_>,
        state: &mut dyn State,
        bill: &Bill,
        mut after: BillState,
    ) -> Result<MicroCurrency, Rejection> {
        let out_of_range = |_| Rejection::AmountOutOfRange;
        let before = after.credited;
        after.credited = before.checked_add(self.upheld).map_err(out_of_range)?;
        let credits = |upheld| bill.sides_after(upheld).map(|(_, credits)| credits);
        let too_little = credits(after.credited).and_then(|it| it.checked_sub(credits(before)?));
        let too_little = too_little.map_err(out_of_range)?;
        let too_much = self.upheld.checked_sub(too_little).map_err(out_of_range)?;
        posting::owe(state, bill.biller, bill.customer, too_much)?;
        posting::owe(state, bill.export_payer, bill.customer, too_little)?;
        if bill.export_payer != bill.biller {
            let sides = (bill.export_payer, bill.customer);
            posting::interpose(state, sides, bill.biller, too_little)?;
        }
        let unpaid = self.upheld.min(after.open).max(MicroCurrency::ZERO);
        let released = self.upheld.checked_sub(unpaid).map_err(out_of_range)?;
        after.decision = Some(Decision { total: bill.total, upheld: after.credited });
        after.open = after.open.checked_sub(unpaid).map_err(out_of_range)?;
        after.paid = after.paid.checked_sub(released).map_err(out_of_range)?;
        after.held = MicroCurrency::ZERO;
        put_bill(context, state, BillPlace::from(bill), after)?;
        Ok(released)
    }
}

/// Rule: the fine is counted anew as if the upheld part had never been due, from the bill's issue to
/// the dispute or the payment, whichever came first.
fn forgive_fines(
    context: &Context<'_>,
    state: &mut dyn State,
    (bill, before): (&Bill, &BillState),
    dispute: &Dispute,
) -> Result<(), Rejection> {
    let Some((upheld, _)) = dispute.decided.filter(|(upheld, _)| *upheld > MicroCurrency::ZERO)
    else {
        return Ok(());
    };
    // What is more than was to be paid for the bill was never due.
    let owed = bill.total.checked_add(bill.account.paid_out);
    let owed = owed.and_then(|owed| owed.checked_sub(before.credited));
    let owed = owed.map_err(|_| Rejection::AmountOutOfRange)?;
    let upheld = upheld.min(owed.max(MicroCurrency::ZERO));
    let until = before.paid_at.map_or(dispute.raised_at, |paid| paid.min(dispute.raised_at));
    let days = (day_at(context.rules, bill.issued_at), day_at(context.rules, until));
    fine::forgive(context, state, (bill.usage_point, upheld), days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::account::Account;
    use crate::billing::{
        CarryBill, DisputeBill, FineRules, LineKind, PayOutBill, SetFineRules, bill_id,
        fine_standing,
    };
    use primitives::calendar::BillingPeriod;
    use primitives::hash::Hash;
    use primitives::units::BasisPoints;

    fn bill(network: &Network, day: i32) -> BillId {
        let period = BillingPeriod::Day { day: network.day(day) };
        bill_id(network.homes[0].point, period, 1)
    }

    /// A household billed 120 for its first day; above 50 there are 2 days of grace, then 10 and 1 % a
    /// day, at most 30 % of the dues.
    fn stage() -> Network {
        stage_of(reading(250, 0))
    }

    fn stage_of(value: primitives::reading::Reading) -> Network {
        let mut network = Network::new();
        network.northern_tariff(flat(5_000_000));
        let home = network.homes[0].clone();
        network.fund(&home.customer, 1_000_000_000);
        let rules = FineRules {
            threshold: MicroCurrency::new(50_000_000),
            grace_days: 2,
            fixed: MicroCurrency::new(10_000_000),
            daily: BasisPoints::new(100).unwrap(),
            cap: BasisPoints::new(3_000).unwrap(),
        };
        let regulators = [0, 1].map(|index: usize| network.regulators[index].key.clone());
        let set = SetFineRules { distributor: None, rules };
        network.accept(&by(&[&regulators[0], &regulators[1]], set));
        let day = network.day(0);
        network.measure_day(day, std::slice::from_ref(&home), value);
        network.accept(&network.bill(&[&home], day));
        network
    }

    fn pending(network: &Network) -> i64 {
        let home = network.homes[0].point;
        let standing = fine_standing(&network.rules, network.state(), home, network.time).unwrap();
        standing.pending.get()
    }

    fn dispute(network: &Network, day: i32, amount: i64) -> Draft {
        let reason_hash = Hash::of(b"why");
        let amount = MicroCurrency::new(amount);
        let body = DisputeBill { bill: bill(network, day), amount, reason_hash };
        by(&[&network.homes[0].customer.key], body)
    }

    fn decide(network: &Network, day: i32, upheld: i64) -> Draft {
        let upheld = MicroCurrency::new(upheld);
        by(&[&network.regulators[0].key], DecideDispute { bill: bill(network, day), upheld })
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = stage();
        let home = network.homes[0].clone();
        let unknown = DecideDispute { bill: BillId::default(), upheld: MicroCurrency::new(-1) };
        let mut amended = network.clone();
        network.check(&[
            (by(&[&network.regulators[0].key], unknown.clone()), WRONG_FIELD),
            (
                by(
                    &[&network.regulators[0].key],
                    DecideDispute { upheld: MicroCurrency::ZERO, ..unknown },
                ),
                breaks(Rejection::BillUnknown),
            ),
            (decide(&network, 0, 31_000_000), breaks(Rejection::NotDisputed)),
            (dispute(&network, 0, 30_000_000), emits(&["BillDisputed"])),
            (
                decide(&network, 0, 31_000_000),
                breaks(Rejection::MoreThanDisputed { disputed_micro: 30_000_000 }),
            ),
            (decide(&network, 0, 30_000_000), emits(&["Posted", "DisputeDecided"])),
            (decide(&network, 0, 30_000_000), breaks(Rejection::NotDisputed)),
        ]);
        assert_eq!(network.open(&home), 90_000_000);
        amended.accept(&dispute(&amended, 0, 30_000_000));
        let day = amended.day(0);
        amended.accept(&amended.correct(&home, amended.period(day, 0), reading(0, 0)));
        amended.accept(&amended.bill(&[&home], day));
        amended.check(&[(decide(&amended, 0, 1), breaks(Rejection::BillReplaced))]);
        for network in [network, amended] {
            network.assert_books();
        }
    }

    /// A household billed for its first day at 5 per kWh either way, with a grid operator that can pay.
    fn seller(value: primitives::reading::Reading) -> Network {
        let mut network = Network::new();
        network.northern_tariff(flat(5_000_000));
        let grid = network.grid.clone();
        network.fund(&grid, 1_000_000_000);
        let home = network.homes[0].clone();
        network.measure_day(network.day(0), std::slice::from_ref(&home), value);
        network.accept(&network.bill(&[&home], network.day(0)));
        network
    }

    /// Measures the day anew, all of it, and amends its bill.
    fn amend(network: &mut Network, value: primitives::reading::Reading) -> BillId {
        let (home, day) = (network.homes[0].clone(), network.day(0));
        for slot in 0..96 {
            network.accept(&network.correct(&home, network.period(day, slot), value));
        }
        let outcome = network.accept(&network.bill(&[&home], day));
        network.assert_books();
        Network::bills(&outcome)[0]
    }

    /// In whole units: what is open of a bill, the credit, and what is owed to the household by the grid
    /// operator, to it by the distributor, and to the distributor by the grid operator.
    fn standing(network: &Network, bill: BillId) -> [i64; 5] {
        let (home, grid, north) = (&network.homes[0], network.grid.id, network.north.id);
        let customer = home.customer.id;
        let dues = |creditor, debtor| network.balance(Account::dues(creditor, debtor));
        [
            network.state().bill_state(bill).unwrap().open.get(),
            network.state().billing_account(home.point).credit.get(),
            dues(customer, grid),
            dues(customer, north),
            dues(north, grid),
        ]
        .map(|micro| micro / 1_000_000)
    }

    #[test]
    fn what_a_bill_of_energy_sold_gives_too_little_is_owed_by_the_grid_operator() {
        let mut network = seller(reading(0, 250));
        let (home, grid) = (network.homes[0].clone(), network.grid.clone());
        let first = bill(&network, 0);
        assert_eq!(standing(&network, first), [-120, 0, 120, 0, 0]);
        network.accept(&dispute(&network, 0, 120_000_000));
        network.check(&[
            (
                decide(&network, 0, 120_000_001),
                breaks(Rejection::MoreThanDisputed { disputed_micro: 120_000_000 }),
            ),
            (
                decide(&network, 0, 60_000_000),
                emits(&["Posted", "Posted", "Posted", "Posted", "DisputeDecided", "CreditChanged"]),
            ),
        ]);
        assert_eq!(standing(&network, first), [-120, 60, 120, 60, 60]);
        network.assert_books();
        let mut paid_out = network.clone();
        paid_out.accept(&by(&[&grid.key], PayOutBill { bill: first }));
        assert_eq!(standing(&paid_out, first), [0, 60, 0, 60, 60]);
        // Half as much again was sold: that is what was decided, and nothing more is owed.
        let second = amend(&mut paid_out, reading(0, 375));
        assert_eq!(standing(&paid_out, second), [0, 60, 0, 60, 60]);
        // The distributor cannot undo it by a trifle, nor does it pay for it.
        let second = amend(&mut network, reading(0, 300));
        assert_eq!(network.state().bill(second).unwrap().account.upheld.get(), 36_000_000);
        assert_eq!(standing(&network, second), [-120, 60, 120, 60, 60]);
        network.accept(&by(&[&home.customer.key], CarryBill { bill: second }));
        assert_eq!(standing(&network, second), [0, 180, 0, 180, 180]);
        // More was sold than decided: the rest is owed as well, and the decision is used up.
        let third = amend(&mut network, reading(0, 400));
        assert_eq!(network.state().bill(third).unwrap().account.upheld, MicroCurrency::ZERO);
        assert_eq!(standing(&network, third), [-12, 180, 12, 180, 180]);
    }

    #[test]
    fn what_is_upheld_counts_against_the_charges_first() {
        // 120 charged, 240 credited: the distributor is owed 120 by the grid operator.
        let mut network = seller(reading(250, 500));
        let first = bill(&network, 0);
        assert_eq!(standing(&network, first), [-120, 0, 120, 0, 120]);
        network.accept(&dispute(&network, 0, 300_000_000));
        let mut charges_only = network.clone();
        charges_only.check(&[(
            decide(&network, 0, 100_000_000),
            emits(&["Posted", "DisputeDecided", "CreditChanged"]),
        )]);
        assert_eq!(standing(&charges_only, first), [-120, 100, 120, 100, 120]);
        // 120 of 200 are the distributor's, 80 the grid operator's.
        network.accept(&decide(&network, 0, 200_000_000));
        assert_eq!(standing(&network, first), [-120, 200, 120, 200, 200]);
        network.assert_books();
        // Nothing was drawn: of what was decided the 80 count on, too little credited.
        let mut corrected = network.clone();
        let second = amend(&mut corrected, reading(0, 500));
        assert_eq!(corrected.state().bill(second).unwrap().account.upheld.get(), 80_000_000);
        assert_eq!(standing(&corrected, second), [-120, 200, 120, 200, 200]);
        // 24 kWh less were sold: that is taken off, and the decision stands beside it.
        let second = amend(&mut network, reading(250, 250));
        assert_eq!(network.state().bill(second).unwrap().account.upheld.get(), 200_000_000);
        assert_eq!(standing(&network, second), [0, 200, 0, 200, 200]);
        let again = |amount| {
            let (amount, reason_hash) = (MicroCurrency::new(amount), Hash::of(b"again"));
            let body = DisputeBill { bill: second, amount, reason_hash };
            by(&[&network.homes[0].customer.key], body)
        };
        let over = breaks(Rejection::MoreThanBilled { billed_micro: 40_000_000 });
        let cases = [(again(40_000_001), over), (again(40_000_000), emits(&["BillDisputed"]))];
        network.check(&cases);
        let upheld = MicroCurrency::new(40_000_000);
        let decide = DecideDispute { bill: second, upheld };
        network.accept(&by(&[&network.regulators[0].key], decide));
        assert_eq!(standing(&network, second), [0, 240, 0, 240, 240]);
        network.assert_books();
    }

    #[test]
    fn more_than_the_total_of_a_bill_to_pay_becomes_credit() {
        // 240 charged, 120 credited: 120 to pay.
        let mut network = seller(reading(500, 250));
        let first = bill(&network, 0);
        assert_eq!(standing(&network, first), [120, 0, 0, -120, 120]);
        network.accept(&dispute(&network, 0, 360_000_000));
        assert_eq!(network.state().bill_state(first).unwrap().held.get(), 120_000_000);
        network.accept(&decide(&network, 0, 300_000_000));
        assert_eq!(standing(&network, first), [0, 180, 0, 180, 180]);
        network.assert_books();
        let second = amend(&mut network, reading(500, 375));
        assert_eq!(standing(&network, second), [0, 180, 0, 180, 180]);
    }

    #[test]
    fn a_bill_that_is_negative_only_by_a_decision_is_paid_out() {
        let mut network = seller(reading(0, 250));
        let grid = network.grid.clone();
        network.accept(&dispute(&network, 0, 60_000_000));
        network.accept(&decide(&network, 0, 60_000_000));
        // 24 kWh were drawn instead of sold: the credit pays what it can of that.
        let second = amend(&mut network, reading(250, 0));
        assert_eq!(standing(&network, second), [60, 0, 0, -60, 0]);
        // Nor were they drawn: nothing is on the bill, and what was decided is still owed.
        let third = amend(&mut network, reading(0, 0));
        assert_eq!(network.state().bill(third).unwrap().total, MicroCurrency::ZERO);
        assert_eq!(standing(&network, third), [-60, 0, 60, 0, 0]);
        network.check(&[(
            by(&[&grid.key], PayOutBill { bill: third }),
            emits(&["Posted", "Posted", "BillPaidOut"]),
        )]);
        assert_eq!(standing(&network, third), [0, 0, 0, 0, 0]);
        network.assert_books();
    }

    #[test]
    fn a_fine_follows_the_dues_and_stands_on_the_next_bill() {
        let mut network = stage();
        let home = network.homes[0].clone();
        // Billed on the second day; two days of grace, then 10, then 1 % of 70 a day.
        for (days, wanted) in [(1, 0), (2, 0), (3, 10_000_000), (4, 10_700_000), (5, 11_400_000)] {
            network.end_day(network.day(days));
            assert_eq!(pending(&network), wanted, "after day {days}");
        }
        let day = network.day(5);
        network.measure_day(day, std::slice::from_ref(&home), reading(250, 0));
        network.accept(&network.bill(&[&home], day));
        let next = network.state().bill(bill(&network, 5)).unwrap();
        let line = next.lines.last().unwrap();
        assert_eq!((line.kind, line.amount.get()), (LineKind::Fine, 11_400_000));
        assert_eq!(next.total.get(), 131_400_000);
        assert_eq!(pending(&network), 0, "it stands on the bill");
        // Dues are without the fine, and what is paid goes to the oldest bill first.
        let dues = network.state().fine_account(home.point).unwrap().dues();
        assert_eq!(dues.get(), 240_000_000);
        network.accept(&network.pay(&home, 190_000_000));
        assert_eq!(network.state().fine_account(home.point).unwrap().dues().get(), 61_400_000);
        network.accept(&network.pay(&home, 11_400_000));
        network.end_day(network.day(60));
        assert_eq!(pending(&network), 0, "50 is not above the threshold");
        network.assert_books();
    }

    /// A household whose first bill is of 250 or 146 Wh a slot, 120 or 70.08, and which pays 100 five days
    /// later; further bills of 120 are issued on the given days. The difference of the two is disputed on
    /// the 20th day and decided at once.
    fn partly_paid(first: u64, further: &[i32]) -> Network {
        let mut network = stage_of(reading(first, 0));
        let home = network.homes[0].clone();
        for number in 2..20 {
            let day = network.day(number - 1);
            network.end_day(day);
            if further.contains(&number) {
                network.measure_day(day, std::slice::from_ref(&home), reading(250, 0));
                network.accept(&network.bill(&[&home], day));
            }
            if number == 6 {
                network.accept(&network.pay(&home, 100_000_000));
            }
        }
        network.end_day(network.day(19));
        if first == 250 {
            network.accept(&dispute(&network, 0, 49_920_000));
            network.accept(&decide(&network, 0, 49_920_000));
        }
        network.end_day(network.day(60));
        network.assert_books();
        network
    }

    /// What was fined up to a day, on bills or not.
    fn fined(network: &Network, day: i32) -> i64 {
        let (day, home) = (network.day(day), network.homes[0].point);
        let now = network.rules.calendar().start_of(network.periods(day).first);
        let standing = fine_standing(&network.rules, network.state(), home, now).unwrap();
        standing.pending.get() + network.state().fine_account(home).unwrap().charged.get()
    }

    #[test]
    fn what_was_upheld_of_a_partly_paid_bill_is_fined_as_if_it_had_never_been_billed() {
        // Payments go to the oldest bill first: what the smaller bill does not take pays the next one.
        for further in [&[][..], &[2], &[2, 9]] {
            let (disputed, smaller) = (partly_paid(250, further), partly_paid(146, further));
            let all =
                |network: &Network| (1..=60).map(|day| fined(network, day)).collect::<Vec<_>>();
            let wanted = all(&smaller);
            assert!(wanted[59] > 0, "something is fined");
            assert_eq!(all(&disputed), wanted, "bills on {further:?}");
        }
    }

    #[test]
    fn an_amended_bill_goes_on_in_the_fine_of_the_one_before() {
        let mut network = stage();
        let home = network.homes[0].clone();
        network.end_day(network.day(4));
        assert_eq!(pending(&network), 10_700_000);
        // 2 kWh more: 10 more are due, and no second fixed part.
        let day = network.day(0);
        network.accept(&network.correct(&home, network.period(day, 3), reading(2_250, 0)));
        network.accept(&network.bill(&[&home], day));
        for (days, wanted) in [(5, 11_500_000), (6, 12_300_000), (9, 14_700_000)] {
            network.end_day(network.day(days));
            assert_eq!(pending(&network), wanted, "after day {days}");
        }
        // Paying down to the threshold and being billed more on the same day begins anew.
        network.accept(&network.pay(&home, 80_000_000));
        network.accept(&network.correct(&home, network.period(day, 3), reading(12_250, 0)));
        network.accept(&network.bill(&[&home], day));
        for (days, wanted) in [(11, 14_700_000), (12, 24_700_000)] {
            network.end_day(network.day(days));
            assert_eq!(pending(&network), wanted, "after day {days}");
        }
        network.assert_books();
    }

    #[test]
    fn a_dispute_holds_the_fine_and_its_decision_reverses_it() {
        let mut network = stage();
        let home = network.homes[0].clone();
        network.end_day(network.day(5));
        assert_eq!(pending(&network), 11_400_000);
        network.accept(&dispute(&network, 0, 70_000_000));
        // 50 are undisputed, which is not above the threshold.
        network.end_day(network.day(30));
        assert_eq!(pending(&network), 11_400_000);
        let mut lost = network.clone();
        lost.accept(&decide(&lost, 0, 0));
        lost.end_day(lost.day(34));
        assert_eq!(pending(&lost), 21_400_000 + 700_000, "a new grace, then it goes on");
        // The fine is put on a bill first, and comes back as credit, which pays that bill.
        let day = network.day(6);
        let seal = network.seal(&home, day, &network.even_day(day, reading(0, 0)));
        network.frequencies(day, |_| 50_000);
        network.accept(&seal);
        network.accept(&network.bill(&[&home], day));
        assert_eq!(network.open(&home), 131_400_000);
        let outcome = network.accept(&decide(&network, 0, 70_000_000));
        assert!(outcome.event_names().contains(&"FineReversed"), "{outcome:?}");
        assert_eq!(network.open(&home), 50_000_000);
        network.assert_books();
    }
}
