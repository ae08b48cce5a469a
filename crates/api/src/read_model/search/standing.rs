//! Disputes, parties and meters.

use primitives::calendar::SettlementPeriod;
use primitives::identifier::{KeyAddress, PartyId, UsagePointId};
use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::Value;

use super::{Failed, Filter, Question, Subject, ask, id, kept, of_bills};
use crate::request::Read;
use crate::response::search::MeterFound;
use crate::response::{Page, Period};

pub fn disputes(
    connection: &Connection,
    read: &Read,
    filter: &Filter,
) -> Result<Page<Value>, Failed> {
    of_bills(connection, read, filter, ("disputes", "t.amount"))
}

fn all_of(table: &str) -> Question {
    Question { from: format!("{table} t"), conditions: Vec::new(), values: Vec::new() }
}

pub fn parties(
    connection: &Connection,
    read: &Read,
    filter: &Filter,
) -> Result<Page<Value>, Failed> {
    let mut question = all_of("parties");
    for subject in &filter.subjects {
        match subject {
            Subject::Party(party) => {
                question.with("t.party = ?", [Sql::Blob(party.as_bytes().to_vec())]);
            }
            _ => question.with("FALSE", []),
        }
    }
    if let Some(role) = &filter.role {
        question.with("instr(t.roles, ?) > 0", [Sql::Text(format!(",{role},"))]);
    }
    if let Some(state) = &filter.state {
        question.with("t.status = ?", [Sql::Text(state.clone())]);
    }
    for (column, wanted) in [("alias", &filter.alias), ("region", &filter.region)] {
        if let Some(wanted) = wanted {
            question.with(&format!("t.{column} = ?"), [Sql::Text(wanted.clone())]);
        }
    }
    let is_private = filter.alias.is_some() || filter.region.is_some();
    let columns = "t.height, t.place, t.event, t.party, t.is_public, t.shown, t.hidden";
    ask(connection, question.text(columns, "t.event", filter.after), filter.limit, |row| {
        let party = id(row, 3, PartyId::new)?;
        let seen: bool = row.get::<_, bool>(4)? || read.viewer.sees_accounts_of(party);
        if is_private && !seen {
            return Ok(None);
        }
        kept(row, if seen { 5 } else { 6 })
    })
}

pub fn meters(
    connection: &Connection,
    read: &Read,
    filter: &Filter,
) -> Result<Page<MeterFound>, Failed> {
    let mut question = all_of("meters");
    for subject in &filter.subjects {
        match subject {
            Subject::UsagePoint(point) => {
                question.with("t.usage_point = ?", [Sql::Blob(point.as_bytes().to_vec())]);
            }
            Subject::Key(key) => {
                question.with("t.meter = ?", [Sql::Blob(key.as_bytes().to_vec())]);
            }
            _ => question.with("FALSE", []),
        }
    }
    match filter.state.as_deref() {
        None => {}
        Some("in_service") => question.with("t.until_period IS NULL", []),
        Some("replaced") => question.with("t.until_period IS NOT NULL", []),
        Some(_) => question.with("FALSE", []),
    }
    let (from, to) = filter.periods(read.rules());
    if let Some(from) = from {
        let until = "(t.until_period IS NULL OR t.until_period > ?)";
        question.with(until, [Sql::Integer(from.into())]);
    }
    if let Some(to) = to {
        question.with("t.from_period <= ?", [Sql::Integer(to.into())]);
    }
    let columns = "t.height, t.place, t.event, t.meter, t.usage_point, t.from_period, \
                   t.until_period";
    let calendar = read.rules().calendar();
    let period = |number| Period::new(calendar, SettlementPeriod::new(number));
    ask(connection, question.text(columns, "t.event", filter.after), filter.limit, |row| {
        let until: Option<u32> = row.get(6)?;
        Ok(Some(MeterFound {
            meter: id(row, 3, KeyAddress::new)?.to_string(),
            usage_point: id(row, 4, UsagePointId::new)?.to_string(),
            height: row.get::<_, i64>(0)?.to_string(),
            from_period: period(row.get(5)?),
            until_period: until.map(period),
            state: if until.is_none() { "in_service" } else { "replaced" },
        }))
    })
}
