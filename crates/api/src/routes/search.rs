//! `/v1/search/…`: rich queries, answered by the read model; see [`crate::read_model`].

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use contracts::transaction::TABLE;
use primitives::identifier::{BillId, KeyAddress, PartyId, UsagePointId};
use serde_json::Value;

use crate::ReadModel;
use crate::problem::{self, Problem};
use crate::read_model::search::{Filter, Subject, What, search};
use crate::request::{Ask, HEIGHT_HEADER, Read, WAIT, shown};

/// Finds transactions.
pub(crate) async fn transactions(ask: Ask) -> Result<Response, Problem> {
    answer(ask, What::Transactions).await
}

/// Finds bills.
pub(crate) async fn bills(ask: Ask) -> Result<Response, Problem> {
    answer(ask, What::Bills).await
}

/// Finds movements of tokens.
pub(crate) async fn payments(ask: Ask) -> Result<Response, Problem> {
    answer(ask, What::Payments).await
}

/// Finds disputes.
pub(crate) async fn disputes(ask: Ask) -> Result<Response, Problem> {
    answer(ask, What::Disputes).await
}

/// Finds organisations and households.
pub(crate) async fn parties(ask: Ask) -> Result<Response, Problem> {
    answer(ask, What::Parties).await
}

/// Finds meters.
pub(crate) async fn meters(ask: Ask) -> Result<Response, Problem> {
    answer(ask, What::Meters).await
}

fn filter(ask: &mut Ask, what: What) -> Result<Filter, Problem> {
    let mut subjects = Vec::new();
    if what != What::Meters {
        subjects.extend(ask.take::<PartyId>("party")?.map(Subject::Party));
    }
    if what != What::Parties {
        subjects.extend(ask.take::<UsagePointId>("usage_point")?.map(Subject::UsagePoint));
    }
    if !matches!(what, What::Parties | What::Meters) {
        subjects.extend(ask.take::<BillId>("bill")?.map(Subject::Bill));
    }
    if matches!(what, What::Transactions | What::Meters) {
        subjects.extend(ask.take::<KeyAddress>("meter")?.map(Subject::Key));
    }
    let (mut filter, limit) = (Filter::default(), ask.limit()?);
    if what == What::Transactions {
        filter.code = ask.take("code")?;
    }
    if matches!(what, What::Transactions | What::Meters) {
        filter.from_period = ask.take("from_period")?;
        filter.to_period = ask.take("to_period")?;
    }
    if matches!(what, What::Bills | What::Payments | What::Disputes) {
        filter.amount_min = ask.take("amount_min")?;
        filter.amount_max = ask.take("amount_max")?;
    }
    if !matches!(what, What::Transactions | What::Payments) {
        filter.state = ask.take("state")?;
    } else if let Some(name) = ask.take::<String>("kind")? {
        filter.kind = Some(kind(&name)?);
    }
    if what == What::Parties {
        filter.role = ask.take("role")?;
        filter.alias = ask.take("alias")?;
        filter.region = ask.take("region")?;
    } else {
        filter.from_day = ask.take("from_day")?;
        filter.to_day = ask.take("to_day")?;
    }
    filter.after = ask.take("after")?;
    Ok(Filter { subjects, limit, ..filter })
}

/// A kind by its name or number.
fn kind(text: &str) -> Result<u16, Problem> {
    let is_it = |entry: &&contracts::transaction::Entry| {
        entry.name == text || text.parse() == Ok(entry.kind)
    };
    TABLE.iter().find(is_it).map(|entry| entry.kind).ok_or_else(|| {
        let detail = format!("kind={}: there is no such kind of transaction", shown(text));
        Problem::new(problem::WRONG_QUERY, detail)
    })
}

async fn answer(mut ask: Ask, what: What) -> Result<Response, Problem> {
    let filter = filter(&mut ask, what)?;
    from_model(ask, move |model, read| search(model, read, what, &filter)).await
}

/// Answers from the read model, at its height.
pub(super) async fn from_model(
    mut ask: Ask,
    work: impl FnOnce(&ReadModel, &Read) -> Result<(u64, Value), Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let at_least = ask.take::<u64>("at_least")?;
    let shared = Arc::clone(&ask.shared);
    let Some(model) = shared.config().read_model.clone() else {
        let detail = "this node keeps no read model";
        return Err(Problem::new(problem::READ_MODEL_NOT_READY, detail));
    };
    if let Some(height) = at_least
        && !model.reached(height, WAIT).await
    {
        let stands = model.height().map_or_else(|| "nowhere yet".to_owned(), |it| it.to_string());
        let detail = format!("the read model stands at {stands}, wanted is {height}");
        return Err(Problem::new(problem::NOT_REACHED, detail));
    }
    let (height, found) = ask.with_view(move |read| work(&model, read)).await?;
    let (height, mut response) = match found {
        Ok((height, page)) => (height, json(&page)),
        Err(problem) => (height, problem.into_response()),
    };
    response.headers_mut().insert(HEIGHT_HEADER, height.into());
    Ok(response)
}

fn json(page: &Value) -> Response {
    let content_type = (axum::http::header::CONTENT_TYPE, "application/json");
    ([content_type], page.to_string()).into_response()
}
