//! `/v1/genesis`: the first agreement, as canonical bytes and readable.

use axum::response::Response;

use crate::problem::Problem;
use crate::request::Ask;
use crate::response::status::GenesisEntry;

/// The genesis: whoever knows the ledger's id can check it.
pub(crate) async fn genesis(ask: Ask) -> Result<Response, Problem> {
    ask.read(|read| Ok(GenesisEntry::new(read.rules().genesis()))).await
}
