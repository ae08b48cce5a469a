//! What moved: every posting under both of its parties, and the account of each usage point.
//!
//! The account of a usage point is what its customer owes under it: the open amounts of its bills less
//! its credit. Bills, fines and payouts raise it; payments, credit notes and what a dispute or a fine
//! gave back lower it. What only moves between bills and credit leaves it as it is, and has no entry.

use contracts::account::{Account, AccountKind};
use contracts::billing::Bill;
use contracts::{Event, Position};
use ledger::View;
use primitives::identifier::{BillId, UsagePointId};
use primitives::units::{MicroCurrency, Timestamp};
use rusqlite::{Transaction, params};

use super::ReadModelError;
use super::schema::signed;
use super::standing::fine_of;

/// An entry of a usage point's account.
struct Entry {
    usage_point: UsagePointId,
    kind: &'static str,
    /// Above zero the customer owes more.
    amount: i128,
    bill: Option<BillId>,
}

/// Writes what the events of a transaction moved; of a payment, whose bills it paid is known.
pub fn write(
    view: &View,
    to: &Transaction<'_>,
    (position, time): (Position, Timestamp),
    (paid_for, events): (Option<UsagePointId>, &[Event]),
) -> Result<(), ReadModelError> {
    for (index, event) in (0_u32..).zip(events) {
        if let Event::Posted { debit, credit, amount } = event {
            posted(to, (position, index), [debit, credit], *amount)?;
        }
        for (part, entry) in (0_u32..).zip(entries(view, paid_for, event)?) {
            to.prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
                .execute(params![
                entry.usage_point.as_bytes().as_slice(),
                signed(position.height),
                position.index,
                index,
                part,
                entry.kind,
                i64::try_from(entry.amount)
                    .map_err(|error| ReadModelError::Event(error.to_string()))?,
                signed(time.get()),
                entry.bill.as_ref().map(|bill| bill.as_bytes().as_slice()),
            ])?;
        }
    }
    Ok(())
}

/// An account as the tables hold it: its kind's number and, of dues, the other party.
pub fn account_bytes(kind: AccountKind) -> Vec<u8> {
    let (number, counterparty) = kind.parts();
    let mut bytes = vec![number];
    if matches!(kind, AccountKind::Dues { .. }) {
        bytes.extend_from_slice(counterparty.as_bytes());
    }
    bytes
}

fn posted(
    to: &Transaction<'_>,
    (position, event): (Position, u32),
    [debit, credit]: [&Account; 2],
    amount: MicroCurrency,
) -> Result<(), ReadModelError> {
    let sides =
        [(0, debit, credit, -i128::from(amount.get())), (1, credit, debit, amount.get().into())];
    for (side, own, other, amount) in sides {
        to.prepare_cached("INSERT INTO history VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
            .execute(params![
                own.party.as_bytes().as_slice(),
                signed(position.height),
                position.index,
                event,
                side,
                account_bytes(own.kind),
                other.party.as_bytes().as_slice(),
                account_bytes(other.kind),
                i64::try_from(amount).map_err(|error| ReadModelError::Event(error.to_string()))?,
            ])?;
    }
    Ok(())
}

fn entries(
    view: &View,
    paid_for: Option<UsagePointId>,
    event: &Event,
) -> Result<Vec<Entry>, ReadModelError> {
    let of_bill = |id: BillId| -> Result<Bill, ReadModelError> {
        let bill = view.read(|state| state.bill(id))?;
        bill.map_err(|error| ReadModelError::Event(error.to_string()))
    };
    let entry = |usage_point, kind, amount: i128, bill| Entry { usage_point, kind, amount, bill };
    let wide = |amount: &MicroCurrency| i128::from(amount.get());
    let mut entries = Vec::new();
    match (event, paid_for) {
        (Event::BillIssued(issued), _) => {
            let issued_bill = of_bill(issued.bill)?;
            let fine = wide(&fine_of(&issued_bill));
            let bill = (issued.usage_point, Some(issued.bill));
            entries.push(entry(bill.0, "bill", wide(&issued.total) - fine, bill.1));
            if fine != 0 {
                entries.push(entry(bill.0, "fine", fine, bill.1));
            }
            // What was decided over the bill that this one replaces counts on.
            let upheld = wide(&issued_bill.account.upheld);
            entries.push(entry(bill.0, "dispute_credit", -upheld, bill.1));
        }
        (Event::CreditNoteIssued { bill, amount, .. }, _) => {
            let usage_point = of_bill(*bill)?.usage_point;
            entries.push(entry(usage_point, "credit_note", -wide(amount), Some(*bill)));
        }
        (Event::DisputeDecided { bill, upheld, .. }, _) => {
            let usage_point = of_bill(*bill)?.usage_point;
            entries.push(entry(usage_point, "dispute_credit", -wide(upheld), Some(*bill)));
        }
        (Event::FineReversed { usage_point, credited, .. }, _) => {
            entries.push(entry(*usage_point, "fine_reversal", -wide(credited), None));
        }
        (Event::BillPaidOut { bill, amount }, _) => {
            let usage_point = of_bill(*bill)?.usage_point;
            entries.push(entry(usage_point, "payout", wide(amount), Some(*bill)));
        }
        (Event::CreditPaidOut { usage_point, amount }, _) => {
            entries.push(entry(*usage_point, "payout", wide(amount), None));
        }
        (Event::Posted { debit, amount, .. }, Some(usage_point))
            if debit.kind == AccountKind::Wallet =>
        {
            entries.push(entry(usage_point, "payment", -wide(amount), None));
        }
        _ => {}
    }
    entries.retain(|entry| entry.amount != 0);
    Ok(entries)
}
