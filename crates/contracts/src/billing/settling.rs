//! How what is open of bills changes: the one place that keeps a bill, the list of open bills, the
//! credit and the dues of a usage point together.

use primitives::identifier::{BillId, UsagePointId};
use primitives::units::{MicroCurrency, OutOfRange};

use super::{Bill, BillState, BillingAccount, fine};
use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

/// Open bills that one payment reaches; a larger payment is sent again, the rest is credit.
pub const MAX_BILLS_PER_PAYMENT: usize = 256;

/// Where a bill stands among those of its usage point.
#[derive(Debug, Clone, Copy)]
pub(super) struct BillPlace {
    pub id: BillId,
    pub usage_point: UsagePointId,
    pub number: u32,
}

impl From<&Bill> for BillPlace {
    fn from(bill: &Bill) -> Self {
        Self { id: bill.id(), usage_point: bill.usage_point, number: bill.number }
    }
}

/// What is still owed to the customer of a negative bill; positive. After a decision a bill whose total
/// is not negative may be one as well.
pub(super) fn owed_to_customer(state: &dyn State, bill: &Bill) -> Result<MicroCurrency, Rejection> {
    let zero = MicroCurrency::ZERO;
    let open = state.bill_state(bill.id())?.open;
    match (open < zero, bill.total < zero) {
        (true, _) => open.checked_neg().map_err(|_| Rejection::AmountOutOfRange),
        (false, true) => Err(Rejection::NothingOpen),
        (false, false) => Err(Rejection::BillNotNegative),
    }
}

/// What was owed to the customer of a negative bill was handed over.
pub(super) fn settle_negative(
    context: &Context<'_>,
    state: &mut dyn State,
    bill: &Bill,
) -> Result<(), Rejection> {
    let mut after = state.bill_state(bill.id())?;
    // What was open is negative, and so is what was paid: handed over, not received.
    after.paid = after.paid.checked_add(after.open).map_err(|_| Rejection::AmountOutOfRange)?;
    after.open = MicroCurrency::ZERO;
    put_bill(context, state, BillPlace::from(bill), after)
}

/// Writes what became of a bill, and all that follows from it.
pub(super) fn put_bill(
    context: &Context<'_>,
    state: &mut dyn State,
    place: BillPlace,
    mut after: BillState,
) -> Result<(), Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let before = state.bill_state(place.id).ok();
    let is_open = |bill: &BillState| bill.open > MicroCurrency::ZERO;
    let was_open = before.as_ref().is_some_and(is_open);
    let key = state_key::open_bill(&place.usage_point, place.number);
    if is_open(&after) {
        if !was_open {
            state.write(key, &place.id);
        }
    } else if was_open || before.is_none() {
        state.delete(&key);
    }
    let is_settled = |bill: &BillState| bill.open == MicroCurrency::ZERO;
    if !is_settled(&after) {
        after.paid_at = None;
    } else if !before.as_ref().is_some_and(is_settled) {
        after.paid_at = Some(context.time);
    }
    let due_before = before.map_or(MicroCurrency::ZERO, |bill| bill.due());
    let difference = after.due().checked_sub(due_before).map_err(out_of_range)?;
    state.put_bill_state(place.id, &after);
    let account = state.billing_account(place.usage_point);
    let account = with_bill(account, before.as_ref(), &after).map_err(out_of_range)?;
    state.put_billing_account(place.usage_point, &account)?;
    fine::note_dues(context, state, place.usage_point, difference)
}

/// The sums of a usage point after one of its bills changed.
fn with_bill(
    account: BillingAccount,
    before: Option<&BillState>,
    after: &BillState,
) -> Result<BillingAccount, OutOfRange> {
    let zero = MicroCurrency::ZERO;
    let to_pay = before.map_or(zero, BillState::to_pay);
    let to_pay_out = before.map_or(Ok(zero), |bill| bill.to_pay_out())?;
    Ok(BillingAccount {
        to_pay: account.to_pay.checked_add(after.to_pay())?.checked_sub(to_pay)?,
        to_pay_out: account.to_pay_out.checked_add(after.to_pay_out()?)?.checked_sub(to_pay_out)?,
        ..account
    })
}

/// Pays open bills out of `amount`, the oldest first, each without what is disputed of it. Gives
/// what is left.
pub(super) fn pay_open_bills(
    context: &Context<'_>,
    state: &mut dyn State,
    usage_point: UsagePointId,
    amount: MicroCurrency,
) -> Result<MicroCurrency, Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let mut left = amount;
    for (number, id) in state.open_bills(usage_point, 0, MAX_BILLS_PER_PAYMENT) {
        let mut bill = state.bill_state(id)?;
        let part = left.min(bill.payable());
        if part == MicroCurrency::ZERO {
            continue;
        }
        left = left.checked_sub(part).map_err(out_of_range)?;
        bill.open = bill.open.checked_sub(part).map_err(out_of_range)?;
        bill.paid = bill.paid.checked_add(part).map_err(out_of_range)?;
        put_bill(context, state, BillPlace { id, usage_point, number }, bill)?;
        state.emit(Event::BillPaid { bill: id, amount: part, open: bill.open });
        if left == MicroCurrency::ZERO {
            break;
        }
    }
    Ok(left)
}

/// Adds to the credit of a usage point, and pays open bills with all of it.
pub(super) fn add_credit(
    context: &Context<'_>,
    state: &mut dyn State,
    usage_point: UsagePointId,
    amount: MicroCurrency,
) -> Result<(), Rejection> {
    let before = state.billing_account(usage_point).credit;
    let credit = before.checked_add(amount).map_err(|_| Rejection::AmountOutOfRange)?;
    if credit == MicroCurrency::ZERO {
        return Ok(());
    }
    let left = pay_open_bills(context, state, usage_point, credit)?;
    if left == before { Ok(()) } else { put_credit(state, usage_point, left) }
}

/// Sets the credit of a usage point.
pub(super) fn put_credit(
    state: &mut dyn State,
    usage_point: UsagePointId,
    credit: MicroCurrency,
) -> Result<(), Rejection> {
    let mut account = state.billing_account(usage_point);
    account.credit = credit;
    state.put_billing_account(usage_point, &account)?;
    state.emit(Event::CreditChanged { usage_point, credit });
    Ok(())
}
