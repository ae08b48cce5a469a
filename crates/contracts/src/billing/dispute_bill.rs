//! A customer disputes a bill, or part of it.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::hash::Hash;
use primitives::identifier::BillId;
use primitives::units::{MicroCurrency, Timestamp};

use super::settling::{BillPlace, put_bill};
use crate::account::require_positive;
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// How long after it was paid, paid out or carried a bill may be disputed: 60 days.
pub const DISPUTE_MILLISECONDS: u64 = 60 * 86_400_000;

/// Disputes an amount of a bill, once, until 60 days after it was paid, paid out or carried.
///
/// Charges may be too high and credits for energy injected too low, so all lines together bound the
/// amount, also of a negative bill. As far as it is open, the disputed amount is not collected and bears
/// no fine until a regulator has decided. The rest can be paid meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DisputeBill {
    /// The bill.
    pub bill: BillId,
    /// The amount, positive, at most the charges and credits of all lines, less what a decision over the
    /// bill before took back.
    pub amount: MicroCurrency,
    /// Hash of the reasons, which customer and regulator exchange beside the ledger.
    pub reason_hash: Hash,
}

/// A dispute over a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Dispute {
    /// What is disputed.
    pub amount: MicroCurrency,
    /// Hash of the reasons.
    pub reason_hash: Hash,
    /// The block's time when it was raised.
    pub raised_at: Timestamp,
    /// What was decided for the household, and when.
    pub decided: Option<(MicroCurrency, Timestamp)>,
}

impl dyn State + '_ {
    /// The dispute over a bill, if there ever was one.
    #[must_use]
    pub fn dispute(&self, bill: BillId) -> Option<Dispute> {
        self.read(&state_key::dispute(&bill))
    }
}

impl Transaction for DisputeBill {
    const SENDERS: &'static [Who] = &[Who::AnyParty];
    const WHEN_SUSPENDED: bool = true;

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        require_positive(self.amount)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let bill = state.bill(self.bill)?;
        if context.party()? != bill.customer {
            return Err(Rejection::NotTheCustomer);
        }
        let mut bill_state = state.bill_state(self.bill)?;
        if bill_state.replaced_by.is_some() {
            return Err(Rejection::BillReplaced);
        }
        if let Some(raised) = state.dispute(self.bill) {
            if raised.decided.is_some()
                || (raised.amount, raised.reason_hash) != (self.amount, self.reason_hash)
            {
                return Err(Rejection::DisputeExists);
            }
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        // What a decision over the bill before took back cannot be disputed again.
        let billed = bill.gross().and_then(|gross| gross.checked_sub(bill_state.credited));
        let billed = billed.map_err(|_| Rejection::AmountOutOfRange)?.max(MicroCurrency::ZERO);
        if self.amount > billed {
            return Err(Rejection::MoreThanBilled { billed_micro: billed.get().unsigned_abs() });
        }
        if let Some(paid_at) = bill_state.paid_at {
            let until = paid_at.plus_milliseconds(DISPUTE_MILLISECONDS);
            let until = until.map_err(|_| Rejection::AmountOutOfRange)?;
            if context.time > until {
                return Err(Rejection::DisputeTooLate { until_ms: until.get() });
            }
        }
        bill_state.held = self.amount.min(bill_state.open).max(MicroCurrency::ZERO);
        put_bill(context, state, BillPlace::from(&bill), bill_state)?;
        let dispute = Dispute {
            amount: self.amount,
            reason_hash: self.reason_hash,
            raised_at: context.time,
            decided: None,
        };
        state.write(state_key::dispute(&self.bill), &dispute);
        let Self { bill, amount, reason_hash } = *self;
        state.emit(Event::BillDisputed { bill, amount, reason_hash });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    use crate::billing::{CarryBill, DecideDispute, PayOutBill, bill_id};
    use primitives::calendar::BillingPeriod;

    /// A household billed 120 for its first day.
    fn stage() -> (Network, BillId) {
        let mut network = Network::new();
        network.northern_tariff(flat(5_000_000));
        let home = network.homes[0].clone();
        network.fund(&home.customer, 1_000_000_000);
        let day = network.day(0);
        network.measure_day(day, std::slice::from_ref(&home), reading(250, 0));
        network.accept(&network.bill(&[&home], day));
        (network, bill_id(home.point, BillingPeriod::Day { day }, 1))
    }

    fn dispute(bill: BillId, amount: i64) -> DisputeBill {
        DisputeBill { bill, amount: MicroCurrency::new(amount), reason_hash: Hash::of(b"why") }
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let (mut network, bill) = stage();
        let (home, other) = (network.homes[0].clone(), network.homes[1].clone());
        let raise = |bill, amount| by(&[&home.customer.key], dispute(bill, amount));
        let mut late = network.clone();
        let mut amended = network.clone();
        let unknown = BillId::default();
        let first = network.period(network.day(0), 0);
        network.check(&[
            (raise(unknown, 0), WRONG_FIELD),
            (raise(unknown, 1), breaks(Rejection::BillUnknown)),
            (
                raise(bill, 120_000_001).sent_by(&other.customer.key),
                breaks(Rejection::NotTheCustomer),
            ),
            (
                raise(bill, 120_000_001),
                breaks(Rejection::MoreThanBilled { billed_micro: 120_000_000 }),
            ),
            (raise(bill, 30_000_000), emits(&["BillDisputed"])),
            (raise(bill, 30_000_000), KNOWN),
            (raise(bill, 20_000_000), breaks(Rejection::DisputeExists)),
        ]);
        let day = amended.day(0);
        amended.accept(&amended.correct(&home, first, reading(251, 0)));
        amended.accept(&amended.bill(&[&home], day));
        amended.check(&[(raise(bill, 1), breaks(Rejection::BillReplaced))]);
        late.accept(&late.pay(&home, 120_000_000));
        let until_ms = late.time.get() + DISPUTE_MILLISECONDS;
        late.time = Timestamp::new(until_ms);
        let mut later = late.clone();
        late.check(&[(raise(bill, 120_000_000), emits(&["BillDisputed"]))]);
        later.time = Timestamp::new(until_ms + 1);
        later.check(&[(raise(bill, 1), breaks(Rejection::DisputeTooLate { until_ms }))]);
    }

    #[test]
    fn a_negative_bill_is_disputed_by_all_its_lines_until_60_days_after_it_was_settled() {
        let mut network = Network::new();
        network.northern_tariff(flat(5_000_000));
        let (home, grid) = (network.homes[0].clone(), network.grid.clone());
        network.fund(&grid, 1_000_000_000);
        let day = network.day(0);
        // 24 kWh drawn and 48 sold: 120 charged, 240 credited.
        network.measure_day(day, std::slice::from_ref(&home), reading(250, 500));
        network.accept(&network.bill(&[&home], day));
        let bill = bill_id(home.point, BillingPeriod::Day { day }, 1);
        let raise = |amount| by(&[&home.customer.key], dispute(bill, amount));
        // While it is not settled it may be disputed at any time.
        network.time = network.time.plus_milliseconds(2 * DISPUTE_MILLISECONDS).unwrap();
        let billed_micro = 360_000_000;
        network.check(&[(raise(360_000_001), breaks(Rejection::MoreThanBilled { billed_micro }))]);
        let pay_out = by(&[&grid.key], PayOutBill { bill });
        let carry = by(&[&home.customer.key], CarryBill { bill });
        for settle in [pay_out, carry] {
            let mut settled = network.clone();
            settled.accept(&settle);
            let until_ms = settled.time.get() + DISPUTE_MILLISECONDS;
            settled.time = Timestamp::new(until_ms);
            let mut later = settled.clone();
            settled.check(&[(raise(360_000_000), emits(&["BillDisputed"]))]);
            assert_eq!(settled.state().bill_state(bill).unwrap().held, MicroCurrency::ZERO);
            settled.assert_books();
            later.time = Timestamp::new(until_ms + 1);
            later.check(&[(raise(1), breaks(Rejection::DisputeTooLate { until_ms }))]);
        }
    }

    #[test]
    fn the_undisputed_part_is_paid_meanwhile_and_the_rest_waits_as_credit() {
        let (mut network, bill) = stage();
        let home = network.homes[0].clone();
        let regulator = network.regulators[0].key.clone();
        network.accept(&by(&[&home.customer.key], dispute(bill, 30_000_000)));
        network.accept(&network.pay(&home, 100_000_000));
        let standing = |network: &Network| {
            let state = network.state().bill_state(bill).unwrap();
            let credit = network.state().billing_account(home.point).credit;
            (state.paid.get(), state.credited.get(), state.open.get(), credit.get())
        };
        assert_eq!(standing(&network), (90_000_000, 0, 30_000_000, 10_000_000));
        let decide = DecideDispute { bill, upheld: MicroCurrency::new(25_000_000) };
        network.check(&[(
            by(&[&regulator], decide),
            emits(&["Posted", "Posted", "DisputeDecided", "BillPaid", "CreditChanged"][1..]),
        )]);
        assert_eq!(standing(&network), (95_000_000, 25_000_000, 0, 5_000_000));
        network.assert_books();
    }
}
