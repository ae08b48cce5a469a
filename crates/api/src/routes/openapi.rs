//! `/v1/openapi.json` and `/api`: the API's description of itself, for programs and for people.

use axum::response::Response;

use super::pages::respond;
use crate::html;
use crate::openapi::document;
use crate::problem::Problem;
use crate::request::Ask;

/// The document, the same at every height.
pub(crate) async fn json(ask: Ask) -> Result<Response, Problem> {
    ask.read(|_| Ok(document())).await
}

/// The same as a page.
pub(crate) async fn page(ask: Ask) -> Result<Response, Problem> {
    respond(ask, |_, status| Ok(html::reference(&status, document()))).await
}
