//! Questions to the read model: newest first, page by page, as far as the reader's rights go.
//!
//! Here stand transactions, bills and payments; what stands now is in [`standing`], what moved on an
//! account in [`account`].

pub mod account;
mod standing;

use contracts::Rules;
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::identifier::{PartyId, TransactionId, UsagePointId};
use primitives::units::Timestamp;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row};
use serde_json::Value;

pub use super::record::Subject;
use super::record::periods_of;
use super::schema::{self, signed};
use super::{ReadModel, ReadModelError};
use crate::problem::{self, Problem};
use crate::request::Read;
use crate::response::search::{PaymentFound, TransactionFound};
use crate::response::{Page, Period, receipt};
use crate::rights::Viewer;
use crate::routes::kind_name;

/// Rows that one page looks at.
const MAX_LOOKED_AT: usize = 10_000;

/// Where something stands: height, index in the block, index among the events. As text with points
/// between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place([u64; 3]);

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [height, index, event] = self.0;
        write!(formatter, "{height}.{index}.{event}")
    }
}

impl std::str::FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let refused = "wanted is the `next` of a page";
        let parts: Result<Vec<u64>, _> = text.split('.').map(str::parse).collect();
        let parts = parts.map_err(|_| refused)?;
        parts.try_into().map(Self).map_err(|_| refused)
    }
}

/// What is searched for; what is not given does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// All of them are named.
    pub subjects: Vec<Subject>,
    /// The number of the kind of transaction.
    pub kind: Option<u16>,
    /// What became of it.
    pub code: Option<u16>,
    /// Not before this local day.
    pub from_day: Option<LocalDay>,
    /// Not after this local day.
    pub to_day: Option<LocalDay>,
    /// Not before this settlement period.
    pub from_period: Option<u32>,
    /// Not after this settlement period.
    pub to_period: Option<u32>,
    /// The state of a bill, dispute, party or meter.
    pub state: Option<String>,
    /// The role of a party.
    pub role: Option<String>,
    /// The pseudonym of a party.
    pub alias: Option<String>,
    /// The region of a party.
    pub region: Option<String>,
    /// At least this amount, in micro-currency.
    pub amount_min: Option<i64>,
    /// At most this amount, in micro-currency.
    pub amount_max: Option<i64>,
    /// Behind this place.
    pub after: Option<Place>,
    /// Items of the page.
    pub limit: usize,
}

impl Filter {
    /// Does it tell something by what it finds that not everybody may see?
    fn is_private(&self) -> bool {
        self.state.is_some() || self.amount_min.is_some() || self.amount_max.is_some()
    }

    /// The periods meant, from days and periods together.
    fn periods(&self, rules: &Rules) -> (Option<u32>, Option<u32>) {
        let begin = self.from_day.map(|day| periods_of(day, day, rules).0.get());
        let end = self.to_day.map(|day| periods_of(day, day, rules).1.get());
        let (from, to) = (self.from_period, self.to_period);
        (begin.max(from), end.into_iter().chain(to).min())
    }
}

/// A statement while it is put together.
struct Question {
    from: String,
    conditions: Vec<String>,
    values: Vec<Sql>,
}

impl Question {
    /// `table` with the alias `t`, found by the first subject when there is one.
    fn new(table: &str, filter: &Filter) -> Self {
        let mut question = Self { from: String::new(), conditions: Vec::new(), values: Vec::new() };
        let mut subjects = filter.subjects.iter();
        if let Some(first) = subjects.next() {
            // The order of the join is the order of the answer: nothing has to be sorted.
            question.from = format!(
                "mentions m CROSS JOIN {table} t ON t.height = m.height AND t.place = m.place"
            );
            question.with("m.subject = ?", [Sql::Blob(first.bytes())]);
        } else {
            question.from = format!("{table} t");
        }
        for other in subjects {
            let named = "EXISTS (SELECT 1 FROM mentions o WHERE o.subject = ? AND \
                         o.height = t.height AND o.place = t.place)";
            question.with(named, [Sql::Blob(other.bytes())]);
        }
        question
    }

    fn with<const N: usize>(&mut self, condition: &str, values: [Sql; N]) {
        self.conditions.push(condition.to_owned());
        self.values.extend(values);
    }

    /// The rest: where the page begins, and the order.
    fn text(mut self, columns: &str, event: &str, after: Option<Place>) -> (String, Vec<Sql>) {
        if let Some(Place([height, index, of_event])) = after {
            let before = format!("(t.height, t.place, {event}) < (?, ?, ?)");
            self.with(&before, [height, index, of_event].map(|it| Sql::Integer(signed(it))));
        }
        let conditions = if self.conditions.is_empty() {
            "TRUE".to_owned()
        } else {
            self.conditions.join(" AND ")
        };
        // A number would be taken for the place of a column.
        let last = if event == "0" { String::new() } else { format!(", {event} DESC") };
        let text = format!(
            "SELECT {columns} FROM {} WHERE {conditions} \
             ORDER BY t.height DESC, t.place DESC{last}",
            self.from
        );
        (text, self.values)
    }
}

/// Asks, and keeps the rows for which `row` gives an item.
fn ask<T>(
    connection: &Connection,
    (text, values): (String, Vec<Sql>),
    limit: usize,
    row: impl Fn(&Row<'_>) -> Result<Option<T>, Failed>,
) -> Result<Page<T>, Failed> {
    let mut statement = connection.prepare(&text)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let (mut items, mut next, mut looked_at) = (Vec::new(), None, 0);
    let mut last: Option<Place> = None;
    while let Some(found) = rows.next()? {
        if items.len() >= limit || looked_at >= MAX_LOOKED_AT {
            next = last.map(|place| place.to_string());
            break;
        }
        looked_at += 1;
        let number = |index| found.get::<_, i64>(index).map(i64::unsigned_abs);
        last = Some(Place([number(0)?, number(1)?, number(2)?]));
        items.extend(row(found)?);
    }
    Ok(Page { items, next })
}

/// Why a question has no answer.
enum Failed {
    Model(ReadModelError),
    Problem(Problem),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Model(error.into())
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Transactions.
    Transactions,
    /// Bills.
    Bills,
    /// Movements of tokens.
    Payments,
    /// Disputes over bills.
    Disputes,
    /// Organisations and households.
    Parties,
    /// Meters, those in service and former ones.
    Meters,
}

/// A page of what was found, as JSON, with the model's height.
///
/// # Errors
/// 503 while the model is not ready, 500 when the store fails.
pub fn search(
    model: &ReadModel,
    read: &Read,
    what: What,
    filter: &Filter,
) -> Result<(u64, Value), Problem> {
    answer(model, |connection| match what {
        What::Transactions => json(&transactions(connection, read, filter)?),
        What::Bills => json(&bills(connection, read, filter)?),
        What::Payments => json(&payments(connection, read, filter)?),
        What::Disputes => json(&standing::disputes(connection, read, filter)?),
        What::Parties => json(&standing::parties(connection, read, filter)?),
        What::Meters => json(&standing::meters(connection, read, filter)?),
    })
}

/// Asks a model that stands at one height, and gives the height with the answer.
fn answer(
    model: &ReadModel,
    ask: impl FnOnce(&Connection) -> Result<Value, Failed>,
) -> Result<(u64, Value), Problem> {
    match found(model, ask) {
        Ok(found) => Ok(found),
        Err(Failed::Problem(problem)) => Err(problem),
        Err(Failed::Model(error)) => {
            tracing::warn!(%error, "a search failed");
            if error.is_of_the_file()
                && let Err(error) = model.drop_file()
            {
                tracing::error!(%error, "the read model's file cannot be dropped");
            }
            Err(not_ready())
        }
    }
}

fn not_ready() -> Problem {
    Problem::new(problem::READ_MODEL_NOT_READY, "it is being read from the ledger")
}

fn found(
    model: &ReadModel,
    ask: impl FnOnce(&Connection) -> Result<Value, Failed>,
) -> Result<(u64, Value), Failed> {
    let connection = model.connect().map_err(Failed::Model)?.ok_or_else(not_ready)?;
    // One transaction: the height and the rows belong together.
    connection.execute_batch("BEGIN")?;
    let state = schema::state(&connection)?;
    if !state.complete {
        return Err(not_ready().into());
    }
    Ok((state.height, ask(&connection)?))
}

fn json<T: serde::Serialize>(answer: &T) -> Result<Value, Failed> {
    serde_json::to_value(answer).map_err(|error| Problem::internal(error).into())
}

/// An id from its bytes.
fn id<const N: usize, T>(
    row: &Row<'_>,
    column: usize,
    make: fn([u8; N]) -> T,
) -> Result<T, Failed> {
    Ok(make(row.get::<_, [u8; N]>(column)?))
}

fn transactions(
    connection: &Connection,
    read: &Read,
    filter: &Filter,
) -> Result<Page<TransactionFound>, Failed> {
    let mut question = Question::new("transactions", filter);
    if let Some(kind) = filter.kind {
        question.with("t.kind = ?", [Sql::Integer(kind.into())]);
    }
    if let Some(code) = filter.code {
        question.with("t.code = ?", [Sql::Integer(code.into())]);
    }
    let (from, to) = filter.periods(read.rules());
    if let Some(from) = from {
        question.with("t.last_period >= ?", [Sql::Integer(from.into())]);
    }
    if let Some(to) = to {
        question.with("t.first_period <= ?", [Sql::Integer(to.into())]);
    }
    let columns = "t.height, t.place, 0, t.id, t.kind, t.code, t.party, t.time_ms, t.first_period, t.last_period";
    let calendar = read.rules().calendar();
    let period = |number: Option<u32>| {
        number.map(|number| Period::new(calendar, SettlementPeriod::new(number)))
    };
    ask(connection, question.text(columns, "0", filter.after), filter.limit, |row| {
        let (kind, code): (u16, u16) = (row.get(4)?, row.get(5)?);
        Ok(Some(TransactionFound {
            transaction_id: id(row, 3, TransactionId::new)?.to_string(),
            height: row.get::<_, i64>(0)?.to_string(),
            index: row.get(1)?,
            time: Timestamp::new(row.get::<_, i64>(7)?.unsigned_abs()).to_string(),
            kind,
            kind_name: kind_name(kind),
            party: row.get::<_, Option<[u8; 32]>>(6)?.map(|id| PartyId::new(id).to_string()),
            code,
            code_name: receipt::name(code),
            first_period: period(row.get(8)?),
            last_period: period(row.get(9)?),
        }))
    })
}

/// The party for whom private rows are looked at; `None` when all are.
fn own(viewer: &Viewer) -> Option<Vec<u8>> {
    let party = viewer.party().unwrap_or_default();
    (!viewer.sees_all()).then(|| party.as_bytes().to_vec())
}

fn amounts(question: &mut Question, column: &str, filter: &Filter) {
    if let Some(least) = filter.amount_min {
        question.with(&format!("{column} >= ?"), [Sql::Integer(least)]);
    }
    if let Some(most) = filter.amount_max {
        question.with(&format!("{column} <= ?"), [Sql::Integer(most)]);
    }
}

fn bills(connection: &Connection, read: &Read, filter: &Filter) -> Result<Page<Value>, Failed> {
    of_bills(connection, read, filter, ("bills", "t.total"))
}

/// Rows about bills, in a table that holds them as they are shown; `amount` is its column.
fn of_bills(
    connection: &Connection,
    read: &Read,
    filter: &Filter,
    (table, amount): (&str, &str),
) -> Result<Page<Value>, Failed> {
    let mut question =
        Question { from: format!("{table} t"), conditions: Vec::new(), values: Vec::new() };
    for subject in &filter.subjects {
        let id = Sql::Blob(subject.bytes()[1..].to_vec());
        match subject {
            Subject::Party(_) => question.with("? IN (t.customer, t.biller)", [id]),
            Subject::UsagePoint(_) => question.with("t.usage_point = ?", [id]),
            Subject::Bill(_) => question.with("t.bill = ?", [id]),
            // Bills name no meters.
            Subject::Key(_) => question.with("FALSE", []),
        }
    }
    if let Some(first) = filter.from_day {
        question.with("t.last_day >= ?", [Sql::Integer(first.get().into())]);
    }
    if let Some(last) = filter.to_day {
        question.with("t.first_day <= ?", [Sql::Integer(last.get().into())]);
    }
    if let Some(state) = &filter.state {
        question.with("t.status = ?", [Sql::Text(state.clone())]);
    }
    amounts(&mut question, amount, filter);
    if filter.is_private()
        && let Some(party) = own(&read.viewer)
    {
        // Wider than the rights, which decide below: it only keeps the search short.
        let concerned = "? IN (t.customer, t.biller, t.grid_operator)";
        question.with(concerned, [Sql::Blob(party)]);
    }
    let columns = "t.height, t.place, t.event, t.usage_point, t.shown, t.hidden";
    ask(connection, question.text(columns, "t.event", filter.after), filter.limit, |row| {
        let usage_point = id(row, 3, UsagePointId::new)?;
        let seen = read.state(|state| read.viewer.sees_usage_point_id(state, usage_point))?;
        if filter.is_private() && !seen {
            return Ok(None);
        }
        kept(row, if seen { 4 } else { 5 })
    })
}

/// A row that is kept as it is shown.
fn kept(row: &Row<'_>, column: usize) -> Result<Option<Value>, Failed> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map(Some).map_err(|error| Problem::internal(error).into())
}

fn payments(
    connection: &Connection,
    read: &Read,
    filter: &Filter,
) -> Result<Page<PaymentFound>, Failed> {
    let mut question = Question::new("payments", filter);
    if let Some(kind) = filter.kind {
        question.with("t.kind = ?", [Sql::Integer(kind.into())]);
    }
    let calendar = read.rules().calendar();
    let (from, to) = filter.periods(read.rules());
    let start =
        |period| Sql::Integer(signed(calendar.start_of(SettlementPeriod::new(period)).get()));
    if let Some(from) = from {
        question.with("t.time_ms >= ?", [start(from)]);
    }
    if let Some(to) = to {
        question.with("t.time_ms < ?", [start(to.saturating_add(1))]);
    }
    amounts(&mut question, "t.amount", filter);
    if filter.is_private()
        && let Some(party) = own(&read.viewer)
    {
        question.with("? IN (t.payer, t.payee)", [Sql::Blob(party)]);
    }
    let columns = "t.height, t.place, t.event, t.id, t.kind, t.payer, t.payee, t.amount, t.time_ms, \
                   t.usage_point, t.bill";
    ask(connection, question.text(columns, "t.event", filter.after), filter.limit, |row| {
        let (payer, payee) = (id(row, 5, PartyId::new)?, id(row, 6, PartyId::new)?);
        let seen = read.viewer.sees_accounts_of(payer) || read.viewer.sees_accounts_of(payee);
        let hex = |column| {
            let bytes: Option<[u8; 16]> = row.get(column)?;
            Ok::<_, rusqlite::Error>(bytes.map(|bytes| UsagePointId::new(bytes).to_string()))
        };
        Ok(Some(PaymentFound {
            transaction_id: id(row, 3, TransactionId::new)?.to_string(),
            height: row.get::<_, i64>(0)?.to_string(),
            index: row.get(1)?,
            time: Timestamp::new(row.get::<_, i64>(8)?.unsigned_abs()).to_string(),
            kind_name: kind_name(row.get(4)?),
            payer: payer.to_string(),
            payee: payee.to_string(),
            amount_micro: seen.then_some(row.get::<_, i64>(7)?.to_string()),
            usage_point: hex(9)?,
            bill: hex(10)?,
            withheld: !seen,
        }))
    })
}
