//! `/v1/session`: logging in with a key. See [`crate::session`] for the bytes that are signed.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use primitives::key::verify;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::transactions::{body, content_type};
use crate::problem::{self, Problem};
use crate::request::Ask;
use crate::rights;
use crate::session::{Claim, NONCE_LIFE, Nonce, SESSION_LIFE, Session};

/// The largest login.
pub(crate) const MAX_LOGIN_BYTES: usize = 4_096;

/// A nonce to sign.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NonceAnswer {
    /// 32 bytes, base64url.
    nonce: String,
    expires_in_seconds: u64,
    /// The names that a login may be meant for.
    hosts: Vec<String>,
    ledger_id: String,
}

/// A fresh nonce, good once and for a minute.
pub(crate) async fn nonce(ask: Ask) -> Result<Response, Problem> {
    let shared = Arc::clone(&ask.shared);
    ask.read(move |read| {
        Ok(NonceAnswer {
            nonce: shared.sessions.nonce().map_err(Problem::internal)?.text(),
            expires_in_seconds: NONCE_LIFE.as_secs(),
            hosts: shared.config().hosts.clone(),
            ledger_id: read.rules().ledger_id().to_string(),
        })
    })
    .await
}

/// A login: who, for which node and ledger, and the signature that shows it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// The party that wants to read.
    party: String,
    /// One of its keys: kind and 32 bytes.
    key: String,
    /// The node's nonce.
    nonce: String,
    /// One of the node's hosts.
    host: String,
    /// The ledger.
    ledger_id: String,
    /// Over the 32 bytes that `docs/format.md` describes under "Session".
    signature: String,
}

/// An open session.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SessionAnswer {
    /// To be sent as `Authorization: Bearer`.
    token: String,
    expires_in_seconds: u64,
    /// Who reads.
    party: String,
    /// The key that opened it.
    key_address: String,
}

/// Opens a session for a party that shows one of its keys.
pub(crate) async fn open(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let bytes = login_body(request).await?;
    let login: Login = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::new(problem::WRONG_BODY, error.to_string()))?;
    let (claim, signature) = claim(&login)?;
    let view = shared.reader().view()?;
    let (height, ledger_id) = (view.height(), view.rules().ledger_id());
    shared.accept(&claim.nonce, claim.host.as_str())?;
    if claim.ledger_id != ledger_id {
        return Err(refused("the login is meant for another ledger"));
    }
    let party = claim.party;
    let session = Session { party: Some(party), key: claim.key.address() };
    let message = claim.message();
    let stands = shared
        .blocking(move || {
            let signed = verify(&claim.key, message.as_bytes(), &signature).is_ok();
            rights::viewer(&view, &session).map(|viewer| (signed, viewer.is_some()))
        })
        .await??;
    match stands {
        (true, true) => {}
        (false, _) => return Err(refused("the signature does not fit the key and these fields")),
        (_, false) => return Err(refused("the key does not speak for this party (any more)")),
    }
    let answer = SessionAnswer {
        token: shared.sessions.open(session).map_err(Problem::internal)?.text(),
        expires_in_seconds: SESSION_LIFE.as_secs(),
        party: party.to_string(),
        key_address: session.key.to_string(),
    };
    let bytes = serde_json::to_vec(&answer).map_err(Problem::internal)?;
    let headers = [(CONTENT_TYPE, "application/json".to_owned())];
    let mut response = (StatusCode::CREATED, headers, bytes).into_response();
    response.headers_mut().insert(crate::request::HEIGHT_HEADER, height.into());
    Ok(response)
}

/// The body of a login.
pub(crate) async fn login_body(request: Request) -> Result<Bytes, Problem> {
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::new(problem::WRONG_QUERY, "no parameter is taken here"));
    }
    if content_type(&request) != "application/json" {
        return Err(Problem::new(problem::WRONG_CONTENT_TYPE, "wanted is application/json"));
    }
    body(Bytes::from_request(request, &()), MAX_LOGIN_BYTES).await
}

/// A field of a login.
pub(crate) fn field<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|error| Problem::new(problem::WRONG_BODY, format!("field {name}: {error}")))
}

fn claim(login: &Login) -> Result<(Claim, primitives::key::Signature), Problem> {
    let claim = Claim {
        party: field("party", &login.party)?,
        key: field("key", &login.key)?,
        nonce: field("nonce", &login.nonce)?,
        host: field("host", &login.host)?,
        ledger_id: field("ledger_id", &login.ledger_id)?,
    };
    Ok((claim, field("signature", &login.signature)?))
}

impl Shared {
    /// What does not depend on the key. The nonce is used up whatever comes of the login.
    pub(crate) fn accept(&self, nonce: &Nonce, host: &str) -> Result<(), Problem> {
        if !self.sessions.use_nonce(nonce) {
            return Err(refused("the nonce is not one of this node, is over, or was used before"));
        }
        if !self.config().hosts.iter().any(|known| known == host) {
            return Err(refused("the login is meant for another host"));
        }
        Ok(())
    }
}

pub(crate) fn refused(detail: &str) -> Problem {
    Problem::new(problem::SESSION_REFUSED, detail)
}
