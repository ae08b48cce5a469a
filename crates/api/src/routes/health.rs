//! `/healthz`: the process answers and its ledger can be read; `/metrics`: its numbers.

use std::sync::Arc;

use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use crate::metrics::{self, Counts};
use crate::problem::{self, Problem};
use crate::request::Ask;

/// The node answers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
    /// The newest block.
    height: String,
}

/// 200 while the ledger can be read, 503 while the node goes down or when one of its ledgers has ended.
pub(crate) async fn alive(ask: Ask) -> Result<Response, Problem> {
    if ask.shared.config().hosting.one_has_ended() {
        let detail = "a ledger of this node has ended; the node's log says which one and why";
        return Err(Problem::new(problem::STOPPING, detail));
    }
    ask.read(|read| Ok(Health { status: "ok", height: read.view.height().to_string() })).await
}

/// Counters and heights for a monitoring system.
pub(crate) async fn metrics(ask: Ask) -> Result<Response, Problem> {
    let shared = Arc::clone(&ask.shared);
    ask.answer(metrics::CONTENT_TYPE, move |read| {
        let metrics = &shared.config().metrics;
        let model = shared.config().read_model.as_ref();
        let counts = Counts {
            sessions: shared.sessions.count(),
            live: shared.live_count(),
            read_model: model.and_then(|model| model.height()).unwrap_or(0),
        };
        metrics.text(&read.view, &counts).map(String::into_bytes).map_err(Problem::internal)
    })
    .await
}
