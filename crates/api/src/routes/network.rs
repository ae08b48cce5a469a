//! `/v1/network`: the node among the others.

use std::sync::Arc;

use axum::response::Response;

use crate::problem::Problem;
use crate::request::Ask;
use crate::response::network::NetworkEntry;

/// Role, connected peers, round, time of a block, and what each validator signed last.
pub(crate) async fn network(ask: Ask) -> Result<Response, Problem> {
    let shared = Arc::clone(&ask.shared);
    ask.read(move |read| {
        let state = (shared.config().network)();
        NetworkEntry::new(&read.view, &state).map_err(Problem::from)
    })
    .await
}
