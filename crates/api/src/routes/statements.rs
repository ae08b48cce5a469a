//! Statements of a usage point, and the history of a party's accounts.

use axum::response::Response;
use contracts::billing::Statement;
use contracts::state_key;
use primitives::calendar::LocalDay;
use primitives::codec::decode;
use primitives::identifier::{PartyId, UsagePointId};

use super::parties;
use super::search::from_model;
use super::usage_points::find;
use crate::problem::{self, Problem};
use crate::read_model::search::account::{self, Range};
use crate::request::{Ask, Read};
use crate::response::Page;
use crate::response::account::AccountName;
use crate::response::statement::StatementEntry;

/// Where a list of statements begins: the first and last day of one, with a point between them.
#[derive(Clone, Copy)]
struct Days(LocalDay, LocalDay);

impl std::str::FromStr for Days {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let refused = "wanted is the `next` of a page";
        let (first, last) = text.split_once('.').ok_or(refused)?;
        let day = |text: &str| text.parse::<LocalDay>().map_err(|_| refused);
        Ok(Self(day(first)?, day(last)?))
    }
}

/// The statements that were issued, in the order of their days.
pub(crate) async fn issued(mut ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    let (from, to) = (ask.take::<LocalDay>("from_day")?, ask.take::<LocalDay>("to_day")?);
    let after = ask.take::<Days>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| {
        let (_, seen) = find(read, id)?;
        let meant = |statement: &Statement| {
            let Ok((first, last)) = statement.period.days() else { return false };
            from.is_none_or(|from| last >= from) && to.is_none_or(|to| first <= to)
        };
        let found = statements(read, id, after)?;
        let items = found.iter().filter(|it| meant(it)).take(limit + 1);
        let items = items.map(|statement| StatementEntry::new(statement, seen)).collect();
        Ok(Page::cut(items, limit, |entry: &StatementEntry| {
            let day = |day: &Option<String>| day.clone().unwrap_or_default();
            format!("{}.{}", day(&entry.first_day), day(&entry.last_day))
        }))
    })
    .await
}

/// Statements that one answer looks at: seven a year make it 140 years.
const MAX_STATEMENTS: usize = 1_000;

fn statements(
    read: &Read,
    id: UsagePointId,
    after: Option<Days>,
) -> Result<Vec<Statement>, Problem> {
    let after = after.map(|Days(first, last)| state_key::statement(&id, (first, last)));
    let prefix = state_key::statements(&id);
    parties::rows(read, &prefix, after, MAX_STATEMENTS, |_, value| decode(value).ok())
}

/// Which part of what moved.
fn range(ask: &mut Ask) -> Result<Range, Problem> {
    let range = Range {
        from_day: ask.take("from_day")?,
        to_day: ask.take("to_day")?,
        after: ask.take("after")?,
        limit: ask.limit()?,
    };
    if let (Some(from), Some(to)) = (range.from_day, range.to_day)
        && from > to
    {
        let detail = format!("from_day={from} lies after to_day={to}: give the earlier day first");
        return Err(Problem::new(problem::WRONG_QUERY, detail));
    }
    Ok(range)
}

/// The account of a usage point over some days.
pub(crate) async fn of_account(mut ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    let range = range(&mut ask)?;
    from_model(ask, move |model, read| {
        let (_, seen) = find(read, id)?;
        account::statement(model, read, (id, seen), range)
    })
    .await
}

/// The postings of a party's accounts.
pub(crate) async fn history(mut ask: Ask) -> Result<Response, Problem> {
    let id: PartyId = ask.path("party")?;
    let account = ask.take::<AccountName>("account")?.map(|AccountName(kind)| kind);
    let range = range(&mut ask)?;
    from_model(ask, move |model, read| {
        read.state(|state| state.party(id))?.map_err(|_| parties::not_found())?;
        account::history(model, read, (id, account), range)
    })
    .await
}
