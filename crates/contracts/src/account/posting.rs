//! The one place where balances change.

use primitives::identifier::PartyId;
use primitives::units::MicroCurrency;

use super::{Account, AccountKind};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

/// Moves `amount` (positive; zero does nothing) from `debit` to `credit`.
///
/// # Errors
/// [`Rejection::AmountOutOfRange`] when a balance would leave its range.
///
/// # Panics
/// When the amount is negative, or a wallet would fall below zero: the caller's rules come first.
pub fn post(
    state: &mut dyn State,
    debit: Account,
    credit: Account,
    amount: MicroCurrency,
) -> Result<(), Rejection> {
    assert!(amount.get() >= 0, "a posting's amount is never negative");
    assert!(debit != credit, "a posting moves between two accounts");
    if amount == MicroCurrency::ZERO {
        return Ok(());
    }
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let debited = state.balance(&debit).checked_sub(amount).map_err(out_of_range)?;
    let credited = state.balance(&credit).checked_add(amount).map_err(out_of_range)?;
    assert!(
        debit.kind != AccountKind::Wallet || debited.get() >= 0,
        "rules look at a wallet before they debit it"
    );
    put_balance(state, &debit, debited);
    put_balance(state, &credit, credited);
    state.emit(Event::Posted { debit, credit, amount });
    Ok(())
}

/// `debtor` comes to owe `creditor` the amount.
///
/// # Errors
/// [`Rejection::AmountOutOfRange`].
pub fn owe(
    state: &mut dyn State,
    debtor: PartyId,
    creditor: PartyId,
    amount: MicroCurrency,
) -> Result<(), Rejection> {
    post(state, Account::dues(debtor, creditor), Account::dues(creditor, debtor), amount)
}

/// `payer` pays `payee` from its wallet, and what it owes falls by the same amount.
///
/// # Errors
/// [`Rejection::InsufficientFunds`], [`Rejection::AmountOutOfRange`].
pub fn pay(
    state: &mut dyn State,
    payer: PartyId,
    payee: PartyId,
    amount: MicroCurrency,
) -> Result<(), Rejection> {
    super::require_funds(state, payer, amount)?;
    post(state, Account::wallet(payer), Account::wallet(payee), amount)?;
    owe(state, payee, payer, amount)
}

/// `collector` steps between `debtor` and `creditor`: what the one owes the other it owes to the
/// collector, which owes it on.
///
/// # Errors
/// [`Rejection::AmountOutOfRange`].
pub fn interpose(
    state: &mut dyn State,
    (debtor, creditor): (PartyId, PartyId),
    collector: PartyId,
    amount: MicroCurrency,
) -> Result<(), Rejection> {
    owe(state, creditor, debtor, amount)?;
    owe(state, debtor, collector, amount)?;
    owe(state, collector, creditor, amount)
}

/// A balance of zero leaves no trace in the state.
fn put_balance(state: &mut dyn State, account: &Account, balance: MicroCurrency) {
    let key = state_key::balance(account);
    if balance == MicroCurrency::ZERO {
        state.delete(&key);
    } else {
        state.write(key, &balance);
    }
}
