//! `/v1/transactions`: submitting, and one transaction with its receipt.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use contracts::transaction::TABLE;
use contracts::{Body, Event, Position};
use data_encoding::BASE64URL_NOPAD;
use ledger::{Outcome, StoredTransaction, SubmitError, View};
use primitives::codec::{Bounded, decode, encode};
use primitives::envelope::Submission;
use primitives::identifier::TransactionId;
use primitives::receipt::Receipt;
use primitives::units::Timestamp;
use tokio::time::{Instant, timeout};

use super::{Shared, bills};
use crate::Proven;
use crate::problem::{self, Problem};
use crate::request::{Ask, HEIGHT_HEADER, Read};
use crate::response::event::EventEntry;
use crate::response::submit::{Results, SubmitResult};
use crate::response::transaction::{ReceiptEntry, TransactionDetail};
use crate::response::{body as body_json, receipt};

/// The content type of a list of submissions in canonical encoding.
pub const SUBMISSIONS_TYPE: &str = "application/vnd.gridtally.submissions";
/// The content type of one submission in canonical encoding.
pub const SUBMISSION_TYPE: &str = "application/octet-stream";
/// Submissions of one request.
pub const MAX_SUBMISSIONS: usize = 1_000;
/// Bytes of one request: as many as a block holds, so that a request never has to wait for itself.
pub const MAX_SUBMISSIONS_BYTES: usize = ledger::block::MAX_BLOCK_BYTES;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How long the node may take to execute a request and make it durable.
const SUBMIT_TIME: Duration = Duration::from_secs(30);

/// The content type without its parameters, in small letters.
pub(super) fn content_type(request: &Request) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Waits for a body, for a while.
pub(super) async fn body(
    bytes: impl Future<Output = Result<Bytes, BytesRejection>>,
    bound: usize,
) -> Result<Bytes, Problem> {
    let arrived = timeout(BODY_TIME, bytes).await.map_err(|_| {
        Problem::new(problem::BODY_TOO_SLOW, "the rest did not arrive within 30 seconds")
    })?;
    arrived.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(problem::BODY_TOO_LARGE, format!("at most {bound} bytes are taken"))
        }
        _ => Problem::new(problem::WRONG_BODY, "the body broke off"),
    })
}

/// Takes one submission or a list of them, and answers when they are executed and durable.
pub(crate) async fn submit(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::new(problem::WRONG_QUERY, "no parameter is taken here"));
    }
    let is_list = match content_type(&request).as_str() {
        SUBMISSIONS_TYPE => true,
        SUBMISSION_TYPE => false,
        _ => {
            let detail = format!("wanted is {SUBMISSIONS_TYPE} or {SUBMISSION_TYPE}");
            return Err(Problem::new(problem::WRONG_CONTENT_TYPE, detail));
        }
    };
    let bytes = body(Bytes::from_request(request, &()), MAX_SUBMISSIONS_BYTES).await?;
    let (ids, submissions) = shared.blocking(move || decoded(&bytes, is_list)).await??;
    // In a task of its own: a client that goes away must not stop what has begun.
    let working = tokio::spawn(order(Arc::clone(&shared), submissions));
    let answers = working.await.map_err(Problem::internal)??;
    if answers.len() != ids.len() {
        return Err(Problem::internal("the node answered another number of transactions"));
    }
    if is_list { list(&shared, &ids, answers).await } else { single(&shared, &ids, answers).await }
}

/// Takes one submission, and answers when it is executed and durable.
pub(super) async fn submit_one(
    shared: &Arc<Shared>,
    submission: Submission,
) -> Result<Response, Problem> {
    let ids = [submission.transaction.id()];
    let working = tokio::spawn(order(Arc::clone(shared), vec![submission]));
    let answers = working.await.map_err(Problem::internal)??;
    single(shared, &ids, answers).await
}

type Answers = Vec<Result<Outcome, SubmitError>>;

async fn order(shared: Arc<Shared>, submissions: Vec<Submission>) -> Result<Answers, Problem> {
    let start = Instant::now();
    let kind = |submission: &Submission| submission.transaction.envelope.kind;
    let kinds: Vec<u16> = submissions.iter().map(kind).collect();
    let answers = timeout(SUBMIT_TIME, shared.submitter().submit(submissions)).await;
    let answers = answers.map_err(|_| {
        let detail = "the node has not executed it within 30 seconds; sending the same again is \
                      harmless";
        Problem::new(problem::OVERLOADED, detail)
    })?;
    let metrics = &shared.config().metrics;
    metrics.submitted(&answers, start.elapsed());
    metrics.readings(&kinds, &answers);
    Ok(answers)
}

/// The submissions with their ids.
fn decoded(bytes: &[u8], is_list: bool) -> Result<(Vec<TransactionId>, Vec<Submission>), Problem> {
    let wrong = |error: primitives::codec::CodecError| {
        Problem::new(problem::WRONG_BODY, format!("not the canonical encoding: {error}"))
    };
    let submissions = if is_list {
        decode::<Bounded<Submission, MAX_SUBMISSIONS>>(bytes).map_err(wrong)?.into_vec()
    } else {
        vec![decode::<Submission>(bytes).map_err(wrong)?]
    };
    let ids = submissions.iter().map(|submission| submission.transaction.id()).collect();
    Ok((ids, submissions))
}

/// 200 with one answer for each.
async fn list(
    shared: &Arc<Shared>,
    ids: &[TransactionId],
    answers: Answers,
) -> Result<Response, Problem> {
    let rejected = answers.iter().flatten().filter(|outcome| outcome.code != 0);
    let positions: Vec<_> = rejected.map(|outcome| outcome.position).collect();
    let mut numbers = numbers(shared, positions).await?.into_iter();
    let height = answers.iter().flatten().map(|outcome| outcome.position.height).max();
    let results = ids.iter().zip(&answers).map(|(id, answer)| match answer {
        Ok(outcome) if outcome.code == 0 => SubmitResult::ordered(outcome, &[]),
        Ok(outcome) => SubmitResult::ordered(outcome, &numbers.next().unwrap_or_default()),
        Err(error) => SubmitResult::not_ordered(*id, error),
    });
    ok(&Results { results: results.collect() }, height)
}

/// 200 when it acted, else a problem.
async fn single(
    shared: &Arc<Shared>,
    ids: &[TransactionId],
    answers: Answers,
) -> Result<Response, Problem> {
    let (Some(id), Some(answer)) = (ids.first(), answers.into_iter().next()) else {
        return Err(Problem::internal("no answer to the one submission"));
    };
    let outcome =
        answer.map_err(|error| Problem::from(error).with("transaction_id", id.to_string()))?;
    let height = outcome.position.height;
    if outcome.code == 0 {
        let results = vec![SubmitResult::ordered(&outcome, &[])];
        return ok(&Results { results }, Some(height));
    }
    let numbers = numbers(shared, vec![outcome.position]).await?.pop().unwrap_or_default();
    let result = SubmitResult::ordered(&outcome, &numbers);
    let problem = Problem::rule(StatusCode::CONFLICT, result.code, result.name, result.detail)
        .with("transaction_id", result.transaction_id)
        .with("height", height.to_string())
        .with("index", outcome.position.index)
        .with("numbers", result.numbers);
    let mut response = problem.into_response();
    response.headers_mut().insert(HEIGHT_HEADER, height.into());
    Ok(response)
}

fn ok(results: &Results, height: Option<u64>) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(results).map_err(Problem::internal)?;
    let mut response = ([(CONTENT_TYPE, "application/json")], bytes).into_response();
    if let Some(height) = height {
        response.headers_mut().insert(HEIGHT_HEADER, height.into());
    }
    Ok(response)
}

/// The numbers of rejections, from their receipts.
async fn numbers(shared: &Shared, positions: Vec<Position>) -> Result<Vec<Vec<u64>>, Problem> {
    let Some(height) = positions.iter().map(|position| position.height).max() else {
        return Ok(Vec::new());
    };
    let view = shared.view_at_least(height).await?;
    let read = move || positions.iter().map(|position| numbers_at(&view, *position)).collect();
    shared.blocking(read).await?
}

fn numbers_at(view: &View, position: Position) -> Result<Vec<u64>, Problem> {
    let events = view.receipt(position)?.map(|receipt| receipt.events).unwrap_or_default();
    Ok(match events.first().map(|event| decode(event)) {
        Some(Ok(Event::Rejected { numbers })) => numbers.into_vec(),
        _ => Vec::new(),
    })
}

/// One transaction with its receipt.
pub(crate) async fn one(ask: Ask) -> Result<Response, Problem> {
    let id: TransactionId = ask.path("transaction")?;
    ask.read(move |read| load(read, id)).await
}

/// The proof file of what became of a transaction, with the transaction itself for those who may see
/// it. The amounts in a receipt's events could be guessed from hashes beside it, so it is given to
/// those who may see all of its events. It waits up to 5 seconds for a header that commits to it.
pub(crate) async fn proof(ask: Ask) -> Result<Response, Problem> {
    let id: TransactionId = ask.path("transaction")?;
    let shared = Arc::clone(&ask.shared);
    let (height, found) = ask.with_view(move |read| provable(read, id)).await?;
    match found {
        Ok((position, whole)) => {
            let what = Proven::Transaction { position, whole };
            bills::export(&shared, what, position.height).await
        }
        Err(problem) => {
            let mut response = problem.into_response();
            response.headers_mut().insert(HEIGHT_HEADER, height.into());
            Ok(response)
        }
    }
}

/// Where a transaction stands, and whether the reader may see it whole.
fn provable(read: &Read, id: TransactionId) -> Result<(Position, bool), Problem> {
    let damaged = || Problem::internal("a transaction that was ordered is missing");
    let unknown = || Problem::not_found("transaction");
    let position = read.view.position_of(&id)?.ok_or_else(unknown)?;
    let kept = read.view.kept(position)?.ok_or_else(damaged)?;
    let envelope = kept.envelope();
    let receipt = read.view.receipt(position)?.ok_or_else(damaged)?;
    let body = Body::decode(envelope.kind, &envelope.body).ok();
    let seen = read.state(|state| read.viewer.sees_transaction(state, envelope, body.as_ref()))?;
    for bytes in receipt.events.iter().filter(|_| !seen) {
        let event: Event = decode(bytes).map_err(Problem::internal)?;
        if !read.state(|state| read.viewer.sees_event(state, &event))? {
            let detail = "its receipt holds values that only those who may see them get: log in \
                          as one of them";
            return Err(Problem::new(problem::NOT_ENTITLED, detail));
        }
    }
    Ok((position, seen && !kept.is_pruned()))
}

/// A transaction as the reader may see it.
pub(super) fn load(read: &Read, id: TransactionId) -> Result<TransactionDetail, Problem> {
    let unknown = || Problem::not_found("transaction");
    let damaged = || Problem::internal("a transaction that was ordered is missing");
    let position = read.view.position_of(&id)?.ok_or_else(unknown)?;
    let kept = read.view.kept(position)?.ok_or_else(damaged)?;
    let receipt = read.view.receipt(position)?.ok_or_else(damaged)?;
    let header = read.view.header(position.height)?.ok_or_else(damaged)?;
    let (envelope, pruned) = (kept.envelope(), kept.is_pruned());
    let decoded = Body::decode(envelope.kind, &envelope.body).ok();
    let seen =
        read.state(|state| read.viewer.sees_transaction(state, envelope, decoded.as_ref()))?;
    let payload = if seen && !pruned { read.view.payload(position)? } else { None };
    let whole = match &kept {
        StoredTransaction::Whole(transaction) if seen => Some(transaction),
        _ => None,
    };
    let expires = envelope.valid_until != Timestamp::ZERO;
    Ok(TransactionDetail {
        transaction_id: id.to_string(),
        height: position.height.to_string(),
        index: position.index,
        time: header.time.to_string(),
        version: envelope.version,
        ledger_id: envelope.ledger_id.to_string(),
        signer: envelope.signer.to_string(),
        cosigners: envelope.cosigners.iter().map(ToString::to_string).collect(),
        sequence: envelope.sequence.to_string(),
        valid_until: expires.then(|| envelope.valid_until.to_string()),
        kind: envelope.kind,
        kind_name: kind_name(envelope.kind),
        body: decoded.filter(|_| seen && !pruned).map(|body| body_json::body(&body, read.rules())),
        receipt: receipt_entry(read, &receipt, seen)?,
        raw: whole.map(|transaction| BASE64URL_NOPAD.encode(&encode(transaction))),
        payload: payload.map(|bytes| BASE64URL_NOPAD.encode(&bytes)),
        withheld: !seen,
        pruned,
    })
}

fn receipt_entry(read: &Read, receipt: &Receipt, seen: bool) -> Result<ReceiptEntry, Problem> {
    let mut numbers = Vec::new();
    let mut events = Vec::with_capacity(receipt.events.len());
    for bytes in receipt.events.iter() {
        let event: Event = decode(bytes).map_err(Problem::internal)?;
        let seen = match &event {
            Event::Rejected { numbers: found } if seen => {
                numbers = found.to_vec();
                true
            }
            _ => read.state(|state| read.viewer.sees_event(state, &event))?,
        };
        events.push(EventEntry::new(&event, read.rules(), seen));
    }
    let text = receipt::text(receipt.code, &numbers);
    Ok(ReceiptEntry { code: receipt.code, name: receipt::name(receipt.code), text, events })
}

/// The name of a kind, as in the table of transactions.
pub(crate) fn kind_name(kind: u16) -> &'static str {
    TABLE.iter().find(|entry| entry.kind == kind).map_or("Unknown", |entry| entry.name)
}
