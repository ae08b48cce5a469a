//! `/v1/status`: the node's ledger and where it stands.

use std::sync::Arc;

use axum::response::Response;

use crate::problem::Problem;
use crate::request::Ask;
use crate::response::status::Status;

/// The ledger, its clock and currency, height, time and roots.
pub(crate) async fn status(ask: Ask) -> Result<Response, Problem> {
    let shared = Arc::clone(&ask.shared);
    ask.read(move |read| Ok(Status::new(&read.view, shared.open_reads(&read.view)))).await
}
