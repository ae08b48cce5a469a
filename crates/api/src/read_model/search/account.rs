//! What moved on an account: the postings of a party, the statement of a usage point.

use contracts::account::{Account, AccountKind};
use primitives::calendar::LocalDay;
use primitives::identifier::{BillId, PartyId, TransactionId, UsagePointId};
use primitives::units::Timestamp;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::{Failed, Place, Question, answer, ask, id, json, signed};
use crate::problem::Problem;
use crate::read_model::ReadModel;
use crate::read_model::entries::account_bytes;
use crate::request::Read;
use crate::response::Page;
use crate::response::account::AccountName;
use crate::response::statement::{AccountEntry, AccountStatement, PostingEntry};
use crate::routes::kind_name;

/// Which part of what moved.
#[derive(Debug, Clone, Copy, Default)]
pub struct Range {
    /// Not before this local day.
    pub from_day: Option<LocalDay>,
    /// Not after this local day.
    pub to_day: Option<LocalDay>,
    /// Behind this place.
    pub after: Option<Place>,
    /// Items of the page.
    pub limit: usize,
}

impl Range {
    /// The first moment meant, and the first one not any more.
    fn moments(&self, read: &Read) -> (Option<u64>, Option<u64>) {
        let calendar = read.rules().calendar();
        let start = |day: LocalDay| calendar.start_of(calendar.periods_of(day).first).get();
        let end = self.to_day.and_then(|day| day.next().ok());
        (self.from_day.map(start), end.map(start))
    }
}

/// The postings of a party, newest first, with the model's height.
///
/// # Errors
/// 503 while the model is not ready, 500 when the store fails.
pub fn history(
    model: &ReadModel,
    read: &Read,
    (party, account): (PartyId, Option<AccountKind>),
    range: Range,
) -> Result<(u64, Value), Problem> {
    answer(model, |connection| json(&postings(connection, read, (party, account), range)?))
}

fn account_kind(row: &Row<'_>, column: usize) -> Result<AccountKind, Failed> {
    let bytes: Vec<u8> = row.get(column)?;
    let kind = match bytes.split_first() {
        Some((0, [])) => Some(AccountKind::Wallet),
        Some((1, [])) => Some(AccountKind::Issuing),
        Some((2, party)) => party
            .try_into()
            .ok()
            .map(|party| AccountKind::Dues { counterparty: PartyId::new(party) }),
        _ => None,
    };
    kind.ok_or_else(|| Problem::internal("an account of the read model is damaged").into())
}

fn postings(
    connection: &Connection,
    read: &Read,
    (party, account): (PartyId, Option<AccountKind>),
    range: Range,
) -> Result<Page<PostingEntry>, Failed> {
    // The order of the join is the order of the answer: nothing has to be sorted.
    let from = "history t CROSS JOIN transactions x ON x.height = t.height AND x.place = t.place";
    let mut question =
        Question { from: from.to_owned(), conditions: Vec::new(), values: Vec::new() };
    question.with("t.party = ?", [Sql::Blob(party.as_bytes().to_vec())]);
    if let Some(account) = account {
        question.with("t.account = ?", [Sql::Blob(account_bytes(account))]);
    }
    let (first, end) = range.moments(read);
    if let Some(first) = first {
        question.with("x.time_ms >= ?", [Sql::Integer(signed(first))]);
    }
    if let Some(end) = end {
        question.with("x.time_ms < ?", [Sql::Integer(signed(end))]);
    }
    let columns = "t.height, t.place, t.event * 2 + t.side, x.id, x.kind, x.time_ms, t.account, \
                   t.other_party, t.other_account, t.amount";
    let text = question.text(columns, "t.event * 2 + t.side", range.after);
    ask(connection, text, range.limit, |row| {
        let own = Account { party, kind: account_kind(row, 6)? };
        let other = Account { party: id(row, 7, PartyId::new)?, kind: account_kind(row, 8)? };
        let seen = read.viewer.sees_account(&own) || read.viewer.sees_account(&other);
        Ok(Some(PostingEntry {
            time: Timestamp::new(row.get::<_, i64>(5)?.unsigned_abs()).to_string(),
            height: row.get::<_, i64>(0)?.to_string(),
            index: row.get(1)?,
            transaction_id: id(row, 3, TransactionId::new)?.to_string(),
            kind_name: kind_name(row.get(4)?),
            account: AccountName(own.kind).to_string(),
            other_party: other.party.to_string(),
            other_account: AccountName(other.kind).to_string(),
            amount_micro: seen.then_some(row.get::<_, i64>(9)?.to_string()),
            withheld: !seen,
        }))
    })
}

/// The account of a usage point over some days, oldest first, with the model's height. `seen` = the
/// reader may see its amounts.
///
/// # Errors
/// 503 while the model is not ready, 500 when the store fails.
pub fn statement(
    model: &ReadModel,
    read: &Read,
    (usage_point, seen): (UsagePointId, bool),
    range: Range,
) -> Result<(u64, Value), Problem> {
    answer(model, |connection| json(&entries(connection, read, (usage_point, seen), range)?))
}

/// The sum of the entries before a moment, or of all.
fn balance(
    connection: &Connection,
    usage_point: UsagePointId,
    before: Option<u64>,
) -> Result<i64, Failed> {
    let mut statement = connection.prepare_cached(
        "SELECT COALESCE(SUM(amount), 0) FROM entries WHERE usage_point = ?1 AND time_ms < ?2",
    )?;
    let before = before.map_or(i64::MAX, signed);
    let point = usage_point.as_bytes().as_slice();
    Ok(statement.query_row(params![point, before], |row| row.get(0))?)
}

fn entries(
    connection: &Connection,
    read: &Read,
    (usage_point, seen): (UsagePointId, bool),
    range: Range,
) -> Result<AccountStatement, Failed> {
    let (first, end) = range.moments(read);
    let opening = first.map_or(Ok(0), |first| balance(connection, usage_point, Some(first)))?;
    let closing = balance(connection, usage_point, end)?;
    // The running balance is counted over all of them, and the page cut out of it.
    let mut statement = connection.prepare_cached(
        "SELECT * FROM (SELECT t.height, t.place, t.event * 2 + t.part AS part, x.id, t.time_ms, \
         t.kind, t.bill, t.amount, \
         SUM(t.amount) OVER (ORDER BY t.height, t.place, t.event, t.part) \
         FROM entries t CROSS JOIN transactions x ON x.height = t.height AND x.place = t.place \
         WHERE t.usage_point = ?1) \
         WHERE time_ms >= ?2 AND time_ms < ?3 AND (height, place, part) > (?4, ?5, ?6) \
         ORDER BY height, place, part LIMIT ?7",
    )?;
    let Place([height, place, part]) = range.after.unwrap_or(Place([0, 0, 0]));
    let limit = signed(range.limit as u64 + 1);
    let mut rows = statement.query(params![
        usage_point.as_bytes().as_slice(),
        signed(first.unwrap_or(0)),
        end.map_or(i64::MAX, signed),
        signed(height),
        signed(place),
        signed(part),
        limit
    ])?;
    let mut items: Vec<(Place, AccountEntry)> = Vec::new();
    while let Some(row) = rows.next()? {
        let number = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
        let bill: Option<[u8; 16]> = row.get(6)?;
        let entry = AccountEntry {
            time: Timestamp::new(number(4)?).to_string(),
            height: number(0)?.to_string(),
            transaction_id: id(row, 3, TransactionId::new)?.to_string(),
            kind: row.get(5)?,
            bill: bill.map(|bill| BillId::new(bill).to_string()),
            amount_micro: seen.then_some(row.get::<_, i64>(7)?.to_string()),
            balance_micro: seen.then_some(row.get::<_, i64>(8)?.to_string()),
        };
        items.push((Place([number(0)?, number(1)?, number(2)?]), entry));
    }
    let page = Page::cut(items, range.limit, |(place, _)| place.to_string());
    Ok(AccountStatement {
        usage_point: usage_point.to_string(),
        from_day: range.from_day.map(|day| day.to_string()),
        to_day: range.to_day.map(|day| day.to_string()),
        opening_micro: seen.then_some(opening.to_string()),
        closing_micro: seen.then_some(closing.to_string()),
        items: page.items.into_iter().map(|(_, entry)| entry).collect(),
        next: page.next,
        withheld: !seen,
    })
}
