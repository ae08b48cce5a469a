//! `/healthz`: the process answers and its ledger can be read.

use axum::response::Response;
use serde::Serialize;

use crate::problem::Problem;
use crate::request::Ask;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    height: String,
}

/// 200 while the ledger can be read, 503 while the node goes down.
pub(crate) async fn alive(ask: Ask) -> Result<Response, Problem> {
    ask.read(|read| Ok(Health { status: "ok", height: read.view.height().to_string() })).await
}
