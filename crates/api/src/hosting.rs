//! Further ledgers of a node, behind the same listener as its main one.
//!
//! A further ledger lies at `/ledgers/NAME/v1/…`, where NAME is the node's name for it or its id, and is
//! answered by the same routes as the main one, with sessions and counters of its own. Nobody outside
//! sees it: to whoever has no session there, every address below answers exactly as if the node did not
//! host it. The one way in is `POST /ledgers/NAME/v1/session` with a [`Knock`]; everything that can be
//! said against one without a look at what is hosted is said first, so that neither the answers nor
//! their times tell a stranger's guess from an empty place.
//!
//! A live connection needs the header `Authorization` when it is opened, beside the token in its first
//! frame. Pages for people are left out there: a browser sends no session.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::Request;
use axum::handler::Handler;
use axum::http::header::CONTENT_TYPE;
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any_service};
use ledger::LedgerError;
use primitives::key::{Signature, verify};
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::problem::{self, Problem};
use crate::request::{HEIGHT_HEADER, bearer};
use crate::rights;
use crate::routes::{Shared, field, further_router, login_body, refused};
use crate::session::{Knock, SESSION_LIFE, Sessions, Token};

/// Below this address lie the further ledgers.
pub(crate) const PREFIX: &str = "/ledgers/";

/// The further ledgers of a node, and which of its ledgers have ended by themselves.
#[derive(Default)]
pub struct Hosting {
    /// Of the main ledger: its nonces open sessions on all of them.
    pub(crate) sessions: Arc<Sessions>,
    ledgers: RwLock<BTreeMap<String, Arc<Further>>>,
    main_ended: AtomicBool,
    /// The further ledgers that should be served and are not.
    ended: RwLock<BTreeSet<String>>,
}

/// A further ledger.
struct Further {
    name: String,
    ledger_id: String,
    shared: Arc<Shared>,
    routes: MethodRouter,
}

/// An answer that a further ledger gave: it is counted there and written out already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassedOn;

/// A knock: who, at which node and ledger, and the signature that shows it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnockBody {
    key: String,
    nonce: String,
    host: String,
    ledger: String,
    signature: String,
}

/// An open session on a further ledger.
#[derive(Serialize)]
struct EntryAnswer {
    token: String,
    expires_in_seconds: u64,
    party: Option<String>,
    key_address: String,
    ledger_id: String,
}

impl Hosting {
    /// Serves a further ledger under a name; one of the same name makes way.
    ///
    /// # Errors
    /// [`LedgerError`] when it cannot be read.
    pub fn host(&self, name: &str, api: Api) -> Result<(), LedgerError> {
        let ledger_id = api.reader.view()?.rules().ledger_id().to_string();
        let (shared, router) = further_router(api);
        let (name, routes) = (name.to_owned(), any_service(router));
        let further = Arc::new(Further { name: name.clone(), ledger_id, shared, routes });
        self.ended.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
        self.ledgers.write().unwrap_or_else(PoisonError::into_inner).insert(name, further);
        Ok(())
    }

    /// Serves it no more, and expects nothing of it.
    pub fn remove(&self, name: &str) {
        self.ended.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.ledgers.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// A ledger ended by itself, or could not be started; the main one when no name is given. Its
    /// readers are told so, and `/healthz` says that something is wrong.
    pub fn has_ended(&self, name: Option<&str>) {
        match name {
            None => self.main_ended.store(true, Ordering::Relaxed),
            Some(name) => {
                let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
                ended.insert(name.to_owned());
            }
        }
    }

    /// Has the main ledger ended by itself?
    pub(crate) fn main_has_ended(&self) -> bool {
        self.main_ended.load(Ordering::Relaxed)
    }

    /// Has any ledger ended by itself?
    pub(crate) fn one_has_ended(&self) -> bool {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        self.main_has_ended() || !ended.is_empty()
    }

    fn further_has_ended(&self, name: &str) -> bool {
        self.ended.read().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// By its name on this node or by its id.
    fn find(&self, name: &str) -> Option<Arc<Further>> {
        let ledgers = self.ledgers.read().unwrap_or_else(PoisonError::into_inner);
        let by_id = || ledgers.values().find(|further| further.ledger_id == name);
        ledgers.get(name).or_else(by_id).cloned()
    }
}

/// The name of a further ledger and the address on it.
fn split(path: &str) -> Option<(&str, &str)> {
    let below = path.strip_prefix(PREFIX)?;
    let end = below.find('/')?;
    Some((&below[..end], &below[end..]))
}

/// What a further ledger answers; `None` when there is none, or none for this caller.
///
/// # Errors
/// What can be said without a look at what is hosted.
pub(crate) async fn answer(
    root: &Arc<Shared>,
    request: Request,
) -> Result<Option<Response>, Problem> {
    let path = request.uri().path().to_owned();
    let Some((name, rest)) = split(&path) else { return Ok(None) };
    if request.method() == Method::POST && rest == "/v1/session" {
        return open(root, name, request).await;
    }
    let Ok(Some(token)) = bearer(request.headers()) else { return Ok(None) };
    let Some(further) = root.config().hosting.find(name) else { return Ok(None) };
    if !further.admits(&token).await {
        return Ok(None);
    }
    if root.config().hosting.further_has_ended(&further.name) {
        return Err(Problem::new(problem::STOPPING, "this ledger has ended on this node"));
    }
    let Some(request) = at(request, rest) else { return Ok(None) };
    let mut response = further.routes.clone().call(request, ()).await;
    response.extensions_mut().insert(PassedOn);
    Ok(Some(response))
}

impl Further {
    /// Does the token name a session whose key stands? A store that fails tells so at the read itself.
    async fn admits(&self, token: &Token) -> bool {
        let Some(session) = self.shared.sessions.find(token) else { return false };
        let Ok(view) = self.shared.reader().view() else { return true };
        let viewer = self.shared.blocking(move || rights::viewer(&view, &session)).await;
        !matches!(viewer, Ok(Ok(None)))
    }
}

/// The request at the address on the ledger itself.
fn at(mut request: Request, rest: &str) -> Option<Request> {
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let place: PathAndQuery = format!("{rest}{query}").parse().ok()?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.path_and_query = Some(place);
    *request.uri_mut() = Uri::from_parts(parts).ok()?;
    Some(request)
}

/// Opens a session for whoever holds a key that the ledger knows.
async fn open(
    root: &Arc<Shared>,
    name: &str,
    request: Request,
) -> Result<Option<Response>, Problem> {
    let bytes = login_body(request).await?;
    let (knock, signature) = knock(&bytes)?;
    if knock.ledger.as_str() != name {
        return Err(refused("the login is meant for another ledger"));
    }
    root.accept(&knock.nonce, knock.host.as_str())?;
    let message = knock.message();
    let key = knock.key;
    let is_signed = move || verify(&key, message.as_bytes(), &signature).is_ok();
    if !root.blocking(is_signed).await? {
        return Err(refused("the signature does not fit the key and these fields"));
    }
    // Only from here on does it matter what is hosted.
    let Some(further) = root.config().hosting.find(name) else { return Ok(None) };
    let Ok(view) = further.shared.reader().view() else { return Ok(None) };
    let height = view.height();
    let entry = move || rights::entry(&view, key.address());
    let Ok(Ok(Some(session))) = further.shared.blocking(entry).await else { return Ok(None) };
    let answer = EntryAnswer {
        token: further.shared.sessions.open(session).map_err(Problem::internal)?.text(),
        expires_in_seconds: SESSION_LIFE.as_secs(),
        party: session.party.map(|party| party.to_string()),
        key_address: session.key.to_string(),
        ledger_id: further.ledger_id.clone(),
    };
    let bytes = serde_json::to_vec(&answer).map_err(Problem::internal)?;
    let headers = [(CONTENT_TYPE, "application/json")];
    let mut response = (StatusCode::CREATED, headers, bytes).into_response();
    response.headers_mut().insert(HEIGHT_HEADER, height.into());
    Ok(Some(response))
}

fn knock(bytes: &[u8]) -> Result<(Knock, Signature), Problem> {
    let body: KnockBody = serde_json::from_slice(bytes)
        .map_err(|error| Problem::new(problem::WRONG_BODY, error.to_string()))?;
    let knock = Knock {
        key: field("key", &body.key)?,
        nonce: field("nonce", &body.nonce)?,
        host: field("host", &body.host)?,
        ledger: field("ledger", &body.ledger)?,
    };
    Ok((knock, field("signature", &body.signature)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_ledger_and_a_place_on_it() {
        assert_eq!(split("/ledgers/north/v1/status"), Some(("north", "/v1/status")));
        assert_eq!(split("/ledgers/north/"), Some(("north", "/")));
        for other in ["/ledgers/north", "/ledgers/", "/v1/ledgers/x/heads", "/"] {
            assert_eq!(split(other), None, "{other}");
        }
    }
}
