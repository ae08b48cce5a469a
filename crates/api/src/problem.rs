//! Every answer that is not what was asked for, in one place: RFC 9457 problem documents.
//!
//! A handler returns a [`Problem`]; the outermost layer ([`crate::routes`]) gives it the request's id
//! and writes it, as `application/problem+json` or, for the pages, as HTML. The caller reads what it
//! can do about it; the inner cause goes to the log under the same request id, never to the caller.
//!
//! A problem of the API itself is one of [`ALL`]; a rule of the ledger that was broken appears under
//! the rule's own name and, as `rule`, its number.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ledger::{LedgerError, SubmitError};
use serde_json::{Map, Value};

use crate::html;

/// A kind of problem: what programs compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The HTTP status.
    pub status: u16,
    /// The name, stable, as in `code` and, in small letters, in the `type`.
    pub name: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// What can be done about it, at the end of the detail.
    pub remedy: &'static str,
}

macro_rules! kinds {
    ($( $(#[$doc:meta])* $constant:ident = $status:literal $name:literal $title:literal
        $remedy:literal; )+) => {
        $( $(#[$doc])* pub const $constant: Kind =
            Kind { status: $status, name: $name, title: $title, remedy: $remedy }; )+
        /// Every kind of problem of the API itself.
        pub const ALL: &[Kind] = &[ $( $constant ),+ ];
    };
}

kinds! {
    /// An id or number in the address has the wrong form.
    WRONG_PATH = 400 "WrongPath" "a part of the address has the wrong form"
        "the form of the address stands in /v1/openapi.json";
    /// A query parameter is unknown, stands twice or has a wrong value.
    WRONG_QUERY = 400 "WrongQuery" "a query parameter is unknown or wrong"
        "the parameters of the address stand in /v1/openapi.json";
    /// The body cannot be decoded.
    WRONG_BODY = 400 "WrongBody" "the body cannot be read"
        "what the address takes stands in /v1/openapi.json";
    /// The transaction is of a kind that this address does not take.
    WRONG_KIND = 400 "WrongKind" "this address takes other kinds of transactions"
        "send it to /v1/transactions, which takes every kind";
    /// A header has the wrong form.
    WRONG_HEADER = 400 "WrongHeader" "a header has the wrong form"
        "correct the header or leave it out";
    /// The token of the session is unknown, over, or its key was revoked.
    SESSION_UNKNOWN = 401 "SessionUnknown" "there is no such session"
        "open a new session with POST /v1/session";
    /// The login does not hold.
    SESSION_REFUSED = 401 "SessionRefused" "the session is refused"
        "take a new nonce and sign the login anew";
    /// Nobody on this ledger holds the signer's key.
    KEY_NOT_REGISTERED = 403 "KeyNotRegistered" "the signer's key is not registered"
        "have the key registered first, or sign with another one";
    /// The reader may not see this at all.
    NOT_ENTITLED = 403 "NotEntitled" "the reader may not see this"
        "open a session as a party that may see it";
    /// The node may not hold the values that were handed to it.
    NODE_NOT_ENTITLED = 403 "NodeNotEntitled" "this node may not hold these values"
        "hand them to a node of the household or of who bills it";
    /// The values of a private ledger are not here.
    VALUES_NOT_HELD = 404 "ValuesNotHeld" "this node does not hold these values"
        "ask a node of the household or of who bills it";
    /// No such address.
    NO_SUCH_ADDRESS = 404 "NoSuchAddress" "there is nothing at this address"
        "all addresses stand in /v1/openapi.json";
    /// No such thing on the ledger.
    NOT_FOUND = 404 "NotFound" "there is no such thing on this ledger"
        "check the id; what was ordered a moment ago is found with at_least";
    /// The address exists, the method does not.
    METHOD_NOT_ALLOWED = 405 "MethodNotAllowed" "this address does not know the method"
        "the header Allow names the methods";
    /// The body took too long to arrive.
    BODY_TOO_SLOW = 408 "BodyTooSlow" "the body took too long to arrive"
        "send it again, in several requests";
    /// Bodies and payloads of old transactions were pruned here.
    PRUNED = 410 "Pruned" "this node has pruned old transactions"
        "ask a node that keeps all transactions";
    /// The body is larger than the bound.
    BODY_TOO_LARGE = 413 "BodyTooLarge" "the body is too large"
        "send it in several requests";
    /// The content type is not one that this address takes.
    WRONG_CONTENT_TYPE = 415 "WrongContentType" "the content type is not taken here"
        "name the content type of the body";
    /// Too many rejections within the hour.
    QUOTA_EXCEEDED = 429 "QuotaExceeded" "too many rejected transactions"
        "wait, and look at why the transactions were rejected";
    /// The node failed.
    INTERNAL = 500 "Internal" "the node failed to answer"
        "tell the operator the request id";
    /// The ledger has not reached the wanted height.
    NOT_REACHED = 503 "NotReached" "the node has not reached this height"
        "try again in a moment, or ask another node";
    /// The read model is being built, or the node keeps none.
    READ_MODEL_NOT_READY = 503 "ReadModelNotReady" "the read model is not ready"
        "try again in a moment, or ask another node";
    /// No snapshot can be made from what this node keeps.
    SNAPSHOT_NOT_READY = 503 "SnapshotNotReady" "no snapshot can be made here yet"
        "have a checkpoint agreed on with gridtally submit request-checkpoint";
    /// No header commits to it yet.
    NOT_PROVABLE = 503 "NotProvable" "it cannot be proven yet"
        "try again in a moment";
    /// More is waiting than the node takes.
    OVERLOADED = 503 "Overloaded" "the node has too much to do"
        "try again in a moment; sending the same bytes again is harmless";
    /// The node goes down.
    STOPPING = 503 "Stopping" "the node is stopping"
        "ask another node, or try again in a moment";
}

/// What can be done about a transaction that breaks a rule of the ledger or of its form.
const REMEDY_OF_RULES: &str = "nothing was changed: correct what the rule names and sign it anew";
/// Seconds after which a full or waiting node is worth another try.
const RETRY_SOON: u32 = 1;
/// Seconds after which a quota within the hour may have room again.
const RETRY_QUOTA: u32 = 60;

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    retry_after: Option<u32>,
    /// Extension members: `rule`, `transaction_id`, `height`, …
    members: Map<String, Value>,
    /// For the log only.
    cause: Option<String>,
}

impl Problem {
    /// A problem of this kind; `detail` says what happened here, with the value seen and wanted.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(kind.status).expect("the table holds HTTP statuses");
        Self {
            status,
            code: kind.name,
            title: kind.title,
            detail: detail.into(),
            retry_after: (kind.status == 503).then_some(RETRY_SOON),
            members: Map::new(),
            cause: None,
        }
    }

    /// A rule of the ledger or of its form was broken; `status` is 400 or 409.
    #[must_use]
    pub fn rule(status: StatusCode, rule: u16, name: &'static str, detail: String) -> Self {
        let mut members = Map::new();
        members.insert("rule".to_owned(), rule.into());
        let title = "the transaction breaks a rule";
        Self { status, code: name, title, detail, retry_after: None, members, cause: None }
    }

    /// No such thing on the ledger.
    #[must_use]
    pub fn not_found(what: &'static str) -> Self {
        Self::new(NOT_FOUND, format!("no such {what}"))
    }

    /// The node failed; `cause` goes to the log only.
    #[must_use]
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let mut problem = Self::new(INTERNAL, "the node's log tells more under this request id");
        problem.cause = Some(cause.to_string());
        problem
    }

    /// The same with an extension member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The name of the kind or rule.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// What happened here.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What happened here, and what can be done about it.
    fn advice(&self) -> String {
        let kind = ALL.iter().find(|kind| kind.name == self.code);
        format!("{}; {}", self.detail, kind.map_or(REMEDY_OF_RULES, |kind| kind.remedy))
    }

    /// Writes the answer and logs the cause.
    pub(crate) fn render(self, request_id: &str, as_page: bool) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(request_id, code = self.code, %cause, "request failed");
        }
        let (content_type, body) = if as_page {
            let status = self.status.as_u16();
            (html::CONTENT_TYPE, html::problem(status, self.title, &self.advice(), request_id))
        } else {
            ("application/problem+json", self.document(request_id).to_string())
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    fn document(&self, request_id: &str) -> Value {
        let mut document = self.members.clone();
        document.insert("type".to_owned(), urn(self.code).into());
        document.insert("title".to_owned(), self.title.into());
        document.insert("status".to_owned(), self.status.as_u16().into());
        document.insert("detail".to_owned(), self.advice().into());
        document.insert("code".to_owned(), self.code.into());
        document.insert("request_id".to_owned(), request_id.into());
        Value::Object(document)
    }
}

/// `ReadingExists` → `urn:gridtally:problem:reading-exists`.
fn urn(name: &str) -> String {
    let mut urn = "urn:gridtally:problem:".to_owned();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            urn.push('-');
        }
        urn.push(letter.to_ascii_lowercase());
    }
    urn
}

/// The problem travels as an extension of an empty answer; the outermost layer writes it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Stopping => Self::new(STOPPING, "the node goes down"),
            LedgerError::Pruned { height } => {
                Self::new(PRUNED, format!("block {height} was pruned, and this needs more of it"))
            }
            other => Self::internal(other),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let detail = error.to_string();
        match error {
            SubmitError::Malformed(malformed) => {
                let code = malformed.code();
                let name = crate::response::receipt::name(code);
                Self::rule(StatusCode::BAD_REQUEST, code, name, detail)
            }
            SubmitError::KeyNotRegistered => Self::new(KEY_NOT_REGISTERED, detail),
            SubmitError::QuotaExceeded { .. } => {
                let mut problem = Self::new(QUOTA_EXCEEDED, detail);
                problem.retry_after = Some(RETRY_QUOTA);
                problem
            }
            SubmitError::NotEntitled { entitled } => {
                let parties: Vec<_> = entitled.iter().map(ToString::to_string).collect();
                Self::new(NODE_NOT_ENTITLED, detail).with("entitled", parties)
            }
            SubmitError::KeepsNoValues => Self::new(NODE_NOT_ENTITLED, detail),
            SubmitError::Overloaded => Self::new(OVERLOADED, detail),
            SubmitError::Stopping => Self::new(STOPPING, detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_one_name_each_and_a_real_status() {
        for (index, kind) in ALL.iter().enumerate() {
            assert!(StatusCode::from_u16(kind.status).is_ok(), "{kind:?}");
            assert!(ALL[..index].iter().all(|other| other.name != kind.name), "{kind:?}");
            assert!(kind.title.len() > 10 && kind.remedy.len() > 10, "{kind:?}");
        }
        assert_eq!(urn("ReadingExists"), "urn:gridtally:problem:reading-exists");
    }

    #[test]
    fn a_detail_ends_with_what_can_be_done() {
        for kind in ALL {
            let document = Problem::new(*kind, "this happened").document("0123");
            let detail = document["detail"].as_str().unwrap();
            assert_eq!(detail, format!("this happened; {}", kind.remedy));
        }
    }

    #[test]
    fn the_cause_stays_in_the_log() {
        let problem = Problem::internal("row 17 of the store");
        let document = problem.document("0123").to_string();
        assert!(!document.contains("row 17"), "{document}");
        assert!(document.contains("\"request_id\":\"0123\""), "{document}");
    }

    #[test]
    fn what_was_pruned_is_no_failure_of_the_node() {
        let height = primitives::units::BlockHeight::new(7);
        let problem = Problem::from(LedgerError::Pruned { height });
        assert_eq!((problem.status.as_u16(), problem.code), (410, "Pruned"));
        assert!(problem.advice().contains("block 7") && problem.cause.is_none());
    }

    #[test]
    fn what_may_be_tried_again_says_when() {
        for kind in ALL.iter().filter(|kind| kind.status == 503) {
            assert_eq!(Problem::new(*kind, "").retry_after, Some(1), "{kind:?}");
        }
        let quota = Problem::from(SubmitError::QuotaExceeded { bound: 100 });
        assert_eq!((quota.status.as_u16(), quota.retry_after), (429, Some(60)));
    }
}
