//! `/v1/bills` and the bills of a usage point; proof files.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use contracts::billing::{Bill, BillState, draft_bill, stale_since};
use contracts::{Context, Position, Rejection, Sender};
use primitives::calendar::{BillingPeriod, LocalDay};
use primitives::identifier::{BillId, TransactionId, UsagePointId};
use tokio::time::timeout;

use super::Shared;
use super::usage_points::find;
use crate::Proven;
use crate::problem::{self, Problem};
use crate::request::{Ask, HEIGHT_HEADER, Read, WAIT};
use crate::response::Page;
use crate::response::bill::{BillDetail, BillDraft, BillEntry};

/// The bills of a usage point in the order of their numbers.
pub(crate) async fn of_usage_point(mut ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    let after = ask.take::<u32>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| page(read, id, after.unwrap_or(0), limit)).await
}

/// A page of a usage point's bills.
pub(super) fn page(
    read: &Read,
    usage_point: UsagePointId,
    after: u32,
    limit: usize,
) -> Result<Page<BillEntry>, Problem> {
    let (_, seen) = find(read, usage_point)?;
    let mut items = Vec::new();
    for id in read.view.bills_of(usage_point, after, limit + 1)? {
        let (bill, state) = bill(read, id)?;
        items.push(entry(read, id, &bill, &state, seen)?);
    }
    Ok(Page::cut(items, limit, |entry: &BillEntry| entry.number.to_string()))
}

/// One bill.
pub(crate) async fn one(ask: Ask) -> Result<Response, Problem> {
    let id: BillId = ask.path("bill")?;
    ask.read(move |read| load(read, id)).await
}

/// A bill as the reader may see it.
pub(super) fn load(read: &Read, id: BillId) -> Result<BillDetail, Problem> {
    let (bill, state) = bill(read, id)?;
    let (_, seen) = find(read, bill.usage_point)?;
    let receipt = read.view.receipt(state.position)?;
    let transaction = receipt.map(|receipt| receipt.transaction.to_string());
    let entry = entry(read, id, &bill, &state, seen)?;
    Ok(BillDetail::new(entry, &bill, &state, transaction))
}

/// A bill in a list, with the time since when it is stale.
pub(super) fn entry(
    read: &Read,
    id: BillId,
    bill: &Bill,
    state: &BillState,
    seen: bool,
) -> Result<BillEntry, Problem> {
    let rules = read.rules();
    let stale = read.state(|state| stale_since(rules, state, bill))?.map_err(Problem::internal)?;
    let header = stale.map(|position| read.view.header(position.height)).transpose()?.flatten();
    Ok(BillEntry::new(id, bill, state, header.map(|header| header.time), seen))
}

pub(super) fn bill(read: &Read, id: BillId) -> Result<(Bill, BillState), Problem> {
    let (bill, state) = read.state(|state| (state.bill(id), state.bill_state(id)))?;
    let unknown = |_| Problem::not_found("bill");
    Ok((bill.map_err(unknown)?, state.map_err(unknown)?))
}

/// The bill over a period as it would be issued now, from the readings that this node holds.
pub(crate) async fn draft(mut ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    let period = ask.take::<BillingPeriod>("billing_period")?.ok_or_else(|| {
        Problem::new(problem::WRONG_QUERY, "billing_period names the days of the bill")
    })?;
    ask.read(move |read| load_draft(read, id, period)).await
}

fn load_draft(read: &Read, id: UsagePointId, period: BillingPeriod) -> Result<BillDraft, Problem> {
    let (usage_point, seen) = find(read, id)?;
    if !(seen && sees_period(read, id, period)?) {
        let detail = "a draft is computed from the readings; only those who may see them get it";
        return Err(Problem::new(problem::NOT_ENTITLED, detail));
    }
    let (rules, head) = (read.rules(), read.view.head());
    let context = Context {
        rules,
        transaction: TransactionId::new([0; 32]),
        position: Position { height: read.view.height() + 1, index: 0 },
        time: head.header.time,
        period: rules.period_at(head.header.time),
        sender: Sender::Party(usage_point.biller),
        signer: rules.genesis().validators[0],
        cosigners: &[],
        payload: &[],
    };
    let draft = read.state(|state| draft_bill(&context, state, id, period))?;
    draft.map(|draft| BillDraft::new(&draft)).map_err(|rejection| match rejection {
        Rejection::PayloadErased if rules.is_private() => {
            Problem::new(problem::VALUES_NOT_HELD, "readings of the period are not on this node")
        }
        rejection => {
            let (code, name) = (rejection.code(), rejection.name());
            Problem::rule(StatusCode::CONFLICT, code, name, rejection.to_string())
        }
    })
}

/// Does the reader see the readings of every day of a billing period?
fn sees_period(read: &Read, id: UsagePointId, period: BillingPeriod) -> Result<bool, Problem> {
    let Ok((first, last)) = period.days() else { return Ok(true) };
    read.state(|state| {
        let mut days = (first.get()..=last.get()).filter_map(|day| LocalDay::new(day).ok());
        days.all(|day| read.viewer.sees_readings(state, read.rules(), (id, day)))
    })
}

/// The proof file of a bill. It holds readings, so there is none for those who may not see them. It
/// waits up to 5 seconds for a header that commits to the bill.
pub(crate) async fn proof(ask: Ask) -> Result<Response, Problem> {
    let id: BillId = ask.path("bill")?;
    let shared = Arc::clone(&ask.shared);
    let (height, found) = ask
        .with_view(move |read| {
            let (bill, state) = bill(read, id)?;
            let (_, seen) = find(read, bill.usage_point)?;
            match seen && sees_period(read, bill.usage_point, bill.period)? {
                true => Ok(state.position.height),
                false => Err(Problem::new(
                    problem::NOT_ENTITLED,
                    "a proof file holds the readings; only those who may see them get it",
                )),
            }
        })
        .await?;
    match found {
        Ok(issued_at) => export(&shared, Proven::Bill(id), issued_at).await,
        Err(problem) => {
            let mut response = problem.into_response();
            response.headers_mut().insert(HEIGHT_HEADER, height.into());
            Ok(response)
        }
    }
}

/// Writes a proof file about something in block `issued_at`.
pub(super) async fn export(
    shared: &Arc<Shared>,
    what: Proven,
    issued_at: u64,
) -> Result<Response, Problem> {
    let not_yet = || {
        let detail = format!("no header commits to the execution of block {issued_at} yet");
        Problem::new(problem::NOT_PROVABLE, detail)
    };
    timeout(WAIT, shared.reader().provable(issued_at)).await.map_err(|_| not_yet())?;
    let view = shared.reader().view()?;
    let height = view.height();
    let exporter = Arc::clone(&shared.config().proof_exporter);
    let file = shared.blocking(move || exporter(&view, what)).await??.ok_or_else(not_yet)?;
    let content_type = (axum::http::header::CONTENT_TYPE, "application/json");
    let mut response = ([content_type], file).into_response();
    response.headers_mut().insert(HEIGHT_HEADER, height.into());
    Ok(response)
}
