//! The readable pages: the same answers as under `/v1`, with the same rights, as HTML.

use std::sync::Arc;

use axum::response::Response;
use contracts::billing::{Bill, BillState};
use contracts::{State, state_key};
use primitives::calendar::LocalDay;
use primitives::codec::decode;
use primitives::identifier::{BillId, TransactionId, UsagePointId};

use super::parties::rows;
use super::{Shared, bills, blocks, readings, transactions, usage_points};
use crate::html;
use crate::problem::Problem;
use crate::request::{Ask, Read};
use crate::response::Page;
use crate::response::bill::BillEntry;
use crate::response::status::Status;

/// Rows of a list on a page.
const ROWS: usize = 50;
/// Blocks on the first page.
const NEWEST_BLOCKS: usize = 10;
/// Days that the first page looks back for one with frequencies.
const DAYS_BACK: i32 = 7;

/// Answers with a page.
pub(super) async fn respond(
    ask: Ask,
    work: impl FnOnce(&Read, Status) -> Result<String, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let shared: Arc<Shared> = Arc::clone(&ask.shared);
    ask.answer(html::CONTENT_TYPE, move |read| {
        let status = Status::new(&read.view, shared.open_reads(&read.view));
        work(read, status).map(String::into_bytes)
    })
    .await
}

/// `/`: usage points with a day's energy, bills, the newest blocks.
pub(crate) async fn home(mut ask: Ask) -> Result<Response, Problem> {
    let after = ask.take::<UsagePointId>("after")?;
    let bills_after = ask.take::<BillId>("bills_after")?;
    let day = ask.day()?;
    respond(ask, move |read, status| {
        let day = match day {
            Some(day) => day,
            None => newest_day(read)?,
        };
        let found = usage_points::page(read, after, ROWS)?;
        let mut items = Vec::with_capacity(found.items.len());
        for entry in found.items {
            items.push(row(read, entry, day)?);
        }
        let usage_points = Page { items, next: found.next };
        let bills = bills_page(read, bills_after)?;
        let blocks = blocks::page(read, None, NEWEST_BLOCKS)?;
        Ok(html::home(&html::Home { status, day: day.to_string(), usage_points, bills, blocks }))
    })
    .await
}

/// The newest day with frequencies within a week, else the running one.
fn newest_day(read: &Read) -> Result<LocalDay, Problem> {
    let today = read.today();
    for back in 0..=DAYS_BACK {
        let Ok(day) = today.offset(-back) else { break };
        if !read.state(|state| state.frequency_day(day))?.slots.is_empty() {
            return Ok(day);
        }
    }
    Ok(today)
}

fn row(
    read: &Read,
    entry: crate::response::usage_point::UsagePointEntry,
    day: LocalDay,
) -> Result<html::HomeRow, Problem> {
    if entry.withheld {
        return Ok(html::HomeRow { entry, energy: None, reported: 0 });
    }
    let id = entry.usage_point.parse().map_err(Problem::internal)?;
    let readings = readings::load_readings(read, id, day)?;
    let slots = readings.slots.unwrap_or_default();
    let reported = slots.iter().filter(|slot| slot.reading.is_some()).count();
    Ok(html::HomeRow { entry, energy: readings.total, reported })
}

/// A page of all bills, in the order of their ids.
fn bills_page(read: &Read, after: Option<BillId>) -> Result<Page<BillEntry>, Problem> {
    let after = after.map(|id| state_key::bill(&id));
    let rows: Vec<(BillId, Bill)> = rows(read, &state_key::bills(), after, ROWS, |key, value| {
        Some((BillId::new(key.try_into().ok()?), decode(value).ok()?))
    })?;
    let mut items = Vec::with_capacity(rows.len());
    for (id, bill) in rows {
        let look = |state: &dyn State| {
            let seen = read.viewer.sees_usage_point_id(state, bill.usage_point);
            (state.bill_state(id), seen)
        };
        let (state, seen): (Result<BillState, _>, bool) = read.state(look)?;
        let state = state.map_err(Problem::internal)?;
        items.push(bills::entry(read, id, &bill, &state, seen)?);
    }
    Ok(Page::cut(items, ROWS, |entry| entry.bill.clone()))
}

/// `/usage-points/{usage_point}`: a day slot by slot, and its bills.
pub(crate) async fn usage_point(mut ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    let day = ask.day()?;
    respond(ask, move |read, status| {
        let usage_point = usage_points::load(read, id)?;
        let day = match day {
            Some(day) => day,
            None => newest_day(read)?,
        };
        // The newest bills; the older ones are under `/v1`.
        let older = usage_point.bills.saturating_sub(ROWS as u32);
        let neighbour = |days| day.offset(days).ok().map(|day| day.to_string());
        Ok(html::usage_point(&html::UsagePointPage {
            status,
            usage_point,
            readings: readings::load_readings(read, id, day)?,
            charges: readings::load_charges(read, id, day)?,
            around: (neighbour(-1), neighbour(1)),
            bills: bills::page(read, id, older, ROWS)?,
        }))
    })
    .await
}

/// `/bills/{bill}`.
pub(crate) async fn bill(ask: Ask) -> Result<Response, Problem> {
    let id: BillId = ask.path("bill")?;
    respond(ask, move |read, status| Ok(html::bill(&status, &bills::load(read, id)?))).await
}

/// `/blocks`: newest first.
pub(crate) async fn blocks(mut ask: Ask) -> Result<Response, Problem> {
    let before = ask.take::<u64>("before")?;
    respond(ask, move |read, status| Ok(html::blocks(&status, &blocks::page(read, before, ROWS)?)))
        .await
}

/// `/blocks/{height}`.
pub(crate) async fn block(mut ask: Ask) -> Result<Response, Problem> {
    let height: u64 = ask.path("height")?;
    let after = ask.take::<u32>("after")?;
    respond(ask, move |read, status| {
        Ok(html::block(&status, &blocks::load(read, height, after, crate::request::DEFAULT_LIMIT)?))
    })
    .await
}

/// `/transactions/{transaction}`.
pub(crate) async fn transaction(ask: Ask) -> Result<Response, Problem> {
    let id: TransactionId = ask.path("transaction")?;
    respond(ask, move |read, status| Ok(html::transaction(&status, &transactions::load(read, id)?)))
        .await
}
