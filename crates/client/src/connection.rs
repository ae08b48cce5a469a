//! The way to a node: blocking HTTP, typed answers, errors that say what to do.
//!
//! Every answer names the height from which it comes (`Gridtally-Height`). The connection remembers
//! the highest it has seen and asks each time for an answer at least as new (`at_least`), so what was
//! paid is never shown as unpaid, whichever node answers.
//!
//! There is no TLS in here: a node listens on loopback, and what leaves the machine goes through a
//! proxy or a tunnel. Transactions are signed and proofs prove themselves; only the token of a session
//! ([`Connection::log_in`]) is worth a thief's while, for a quarter of an hour.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use primitives::codec::{Bounded, encode};
use primitives::envelope::Submission;
use primitives::identifier::{BillId, KeyAddress, LedgerId, PartyId, TransactionId};
use primitives::key::{PublicKey, SigningKey};
use primitives::units::{BlockHeight, Sequence, Timestamp};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use thiserror::Error;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use crate::json::Written;
use crate::session::{Session, Way, further_of, host_of, knock_message, login_message};
use crate::transaction_builder::Signer;

/// Submissions of one request at most.
pub const MAX_SUBMISSIONS: usize = 1_000;
/// The content type of a list of submissions in canonical encoding.
pub const SUBMISSIONS_TYPE: &str = "application/vnd.gridtally.submissions";
/// The header that names the height from which an answer comes.
pub const HEIGHT_HEADER: &str = "Gridtally-Height";

/// Answers are read up to this many bytes.
const MAX_ANSWER_BYTES: u64 = 64 << 20;
/// A submission is answered when it is executed and durable; nothing takes this long.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A problem document (RFC 9457), as nodes answer when they refuse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The kind of problem, a URI.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here.
    pub detail: String,
    /// The number or name of the rule, when one was broken.
    #[serde(deserialize_with = "number_or_text")]
    pub code: String,
    /// Under this id the node's log tells more.
    pub request_id: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.title)?;
        if !self.detail.is_empty() {
            write!(formatter, ": {}", self.detail)?;
        }
        if !self.code.is_empty() {
            write!(formatter, " (code {})", self.code)?;
        }
        if !self.request_id.is_empty() {
            write!(formatter, " [request {}]", self.request_id)?;
        }
        Ok(())
    }
}

/// Why a node gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectionError {
    /// The node's address is none.
    #[error("{0:?} is no address of a node; wanted is http://HOST:PORT (TLS ends at a proxy)")]
    Address(String),
    /// Nobody answers there.
    #[error("no node answers at {address}: {reason}")]
    Unreachable {
        /// The node's address.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// The node refuses.
    #[error("the node refuses: {0}")]
    Problem(Box<Problem>),
    /// The node has too much to do, or is not yet as far as the answers seen before; the same
    /// request may be sent again.
    #[error("the node is busy, try again in {} s: {problem}", retry_after.as_secs())]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
        /// What the node says.
        problem: Box<Problem>,
    },
    /// The answer is not one that this program understands.
    #[error("the node's answer cannot be used: {0}")]
    Answer(String),
    /// A key that speaks for no party cannot log in.
    #[error("the key {0} speaks for no party on this ledger, so it cannot log in")]
    NoParty(PublicKey),
    /// The node hosts no such ledger, or that one does not know the key: it does not say which.
    #[error(
        "{address} hosts no ledger under this name that knows the key {key}; a further ledger answers \
         only to keys that are registered on it"
    )]
    NotAdmitted {
        /// The address.
        address: String,
        /// The key.
        key: PublicKey,
    },
    /// More than [`MAX_SUBMISSIONS`] in one request.
    #[error("{0} submissions in one request, at most {MAX_SUBMISSIONS} are allowed")]
    TooMany(usize),
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubmitStatus {
    /// It acted; it is executed and durable on the node.
    Accepted,
    /// It was ordered and broke a rule: its receipt says which. The sequence is used up.
    Rejected,
    /// It broke the form and was not ordered. The sequence is free.
    Malformed,
    /// The node does not take it: unknown key, quota, overload. The sequence is free.
    Refused,
}

/// A node's answer to one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitOutcome {
    /// The transaction.
    pub transaction_id: TransactionId,
    /// What became of it.
    pub status: SubmitStatus,
    /// 0 when it acted, else the number of the rule.
    pub code: u16,
    /// The rule's name.
    pub name: String,
    /// The rule in words.
    pub detail: String,
    /// The block in which it stands, when it was ordered.
    pub height: Option<BlockHeight>,
    /// Its place in the block, from 0.
    pub index: Option<u32>,
    /// The numbers of the rejection.
    pub numbers: Vec<u64>,
}

#[derive(Deserialize)]
struct OutcomeJson {
    transaction_id: Written<TransactionId>,
    status: SubmitStatus,
    code: u16,
    #[serde(default)]
    name: String,
    #[serde(default)]
    detail: String,
    height: Option<Number>,
    index: Option<u32>,
    #[serde(default)]
    numbers: Vec<Number>,
}

#[derive(Deserialize)]
struct ResultsJson {
    results: Vec<OutcomeJson>,
}

/// A node's word about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Its ledger.
    pub ledger_id: LedgerId,
    /// How far it has executed.
    pub height: BlockHeight,
    /// The time of the block at that height.
    pub time: Timestamp,
}

#[derive(Deserialize)]
struct StatusJson {
    ledger_id: Written<LedgerId>,
    height: Number,
    time: Written<Timestamp>,
}

#[derive(Deserialize)]
struct KeyJson {
    highest_sequence: Number,
    party: Option<Written<PartyId>>,
}

#[derive(Deserialize)]
struct NonceJson {
    nonce: String,
}

#[derive(Deserialize)]
struct SessionJson {
    token: String,
    expires_in_seconds: u64,
    #[serde(default)]
    party: Option<Written<PartyId>>,
}

/// A whole number, written as one or as a decimal string.
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        number_or_text(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    })
}

/// A connection to one node. It can be shared between threads.
#[derive(Debug)]
pub struct Connection {
    agent: Agent,
    /// `http://host:port`, or `http://host:port/ledgers/name` for a further ledger of a node; without
    /// a slash at the end.
    address: String,
    /// The highest height that any answer came from.
    highest: AtomicU64,
    session: Mutex<Option<Session>>,
}

impl Connection {
    /// A connection to the node at `address`, such as `http://127.0.0.1:8080`; nothing is sent yet.
    ///
    /// # Errors
    /// [`ConnectionError::Address`] unless it is an `http` URL of a host.
    pub fn new(address: &str) -> Result<Self, ConnectionError> {
        Self::with_timeout(address, DEFAULT_TIMEOUT)
    }

    /// As [`Connection::new`], with an answer wanted within `timeout`.
    ///
    /// # Errors
    /// [`ConnectionError::Address`] unless it is an `http` URL of a host.
    pub fn with_timeout(address: &str, timeout: Duration) -> Result<Self, ConnectionError> {
        let refused = || ConnectionError::Address(address.to_owned());
        let uri: ureq::http::Uri = address.parse().map_err(|_| refused())?;
        if uri.scheme_str() != Some("http")
            || uri.host().is_none_or(str::is_empty)
            || uri.query().is_some()
        {
            return Err(refused());
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .user_agent(concat!("gridtally/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self { agent, address, highest: AtomicU64::new(0), session: Mutex::new(None) })
    }

    /// The node's address, without a slash at the end.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The highest height that any answer came from, 0 before the first.
    #[must_use]
    pub fn highest_seen(&self) -> BlockHeight {
        BlockHeight::new(self.highest.load(Ordering::Relaxed))
    }

    /// Sends up to [`MAX_SUBMISSIONS`] and waits until they are executed and durable. There is one
    /// outcome for each submission, in the same order.
    ///
    /// # Errors
    /// [`ConnectionError`]; whether the node received the submissions is open then, and sending the
    /// same again is harmless.
    pub fn submit(
        &self,
        submissions: &[Submission],
    ) -> Result<Vec<SubmitOutcome>, ConnectionError> {
        let list = Bounded::<Submission, MAX_SUBMISSIONS>::try_from(submissions)
            .map_err(|_| ConnectionError::TooMany(submissions.len()))?;
        let results: ResultsJson = parse(&self.send(&encode(&list))?)?;
        let mut outcomes = Vec::with_capacity(submissions.len());
        for outcome in results.results {
            outcomes.push(SubmitOutcome {
                transaction_id: outcome.transaction_id.0,
                status: outcome.status,
                code: outcome.code,
                name: outcome.name,
                detail: outcome.detail,
                height: outcome.height.map(|height| BlockHeight::new(height.0)),
                index: outcome.index,
                numbers: outcome.numbers.into_iter().map(|number| number.0).collect(),
            });
        }
        let wanted = submissions.iter().map(|submission| submission.transaction.id());
        if !wanted.eq(outcomes.iter().map(|outcome| outcome.transaction_id)) {
            let reason = "it does not answer exactly the transactions that were sent";
            return Err(ConnectionError::Answer(reason.to_owned()));
        }
        for height in outcomes.iter().filter_map(|outcome| outcome.height) {
            self.saw(height.get());
        }
        Ok(outcomes)
    }

    fn send(&self, list: &[u8]) -> Result<Vec<u8>, ConnectionError> {
        let post = |token: Option<String>| {
            let url = format!("{}/v1/transactions", self.address);
            let request = self.agent.post(&url).content_type(SUBMISSIONS_TYPE);
            let mut request = request.header("Accept", "application/json");
            if let Some(token) = token {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            self.read(request.send(list))
        };
        if !self.is_further() {
            return post(None);
        }
        // A further ledger takes nothing from whom it does not know.
        match (post(self.token()?), self.token()?) {
            (Err(error), Some(_)) if self.is_over(&error) => post(self.renew()?),
            (answer, _) => answer,
        }
    }

    /// Is the session over? The node was started anew, or it closed this one for a younger one of the
    /// key. A further ledger answers then as if it were not there.
    fn is_over(&self, error: &ConnectionError) -> bool {
        let ConnectionError::Problem(problem) = error else { return false };
        problem.status == 401 || (self.is_further() && problem.code == "NoSuchAddress")
    }

    /// Does the address lead to a further ledger of a node, which answers only in a session?
    #[must_use]
    pub fn is_further(&self) -> bool {
        further_of(&self.address).is_some()
    }

    /// Opens a session with a key: every read from now on has the rights of its party. The session is
    /// renewed by itself for as long as the connection is used.
    ///
    /// # Errors
    /// [`ConnectionError::NoParty`]; [`ConnectionError`] when the node opens none.
    pub fn log_in(&self, key: SigningKey) -> Result<PartyId, ConnectionError> {
        let public = key.public();
        if self.is_further() {
            return self.enter(key)?.ok_or(ConnectionError::NoParty(public));
        }
        let answer: KeyJson = parse(&self.fetch(&format!("/v1/keys/{}", public.address()), None)?)?;
        let party = answer.party.ok_or(ConnectionError::NoParty(public))?.0;
        let status: StatusJson = parse(&self.fetch("/v1/status", None)?)?;
        self.open(key, Way::Party(party, status.ledger_id.0)).map(|_| party)
    }

    /// Opens a session on a further ledger with a key that it knows, which may also be that of a node,
    /// a meter or the owner; gives its party. On a node's main ledger nothing is opened.
    ///
    /// # Errors
    /// [`ConnectionError::NotAdmitted`]; [`ConnectionError`] when the node opens none.
    pub fn enter(&self, key: SigningKey) -> Result<Option<PartyId>, ConnectionError> {
        if self.is_further() { self.open(key, Way::Knock) } else { Ok(None) }
    }

    /// The same with the first read or submission that follows, for who goes on without an answer.
    pub fn enter_when_used(&self, key: SigningKey) {
        if self.is_further() {
            let (token, renew_at) = (String::new(), Instant::now());
            *self.session() = Some(Session { key, way: Way::Knock, token, renew_at });
        }
    }

    fn open(&self, key: SigningKey, way: Way) -> Result<Option<PartyId>, ConnectionError> {
        let (token, renew_at, party) = self.token_for(&key, way)?;
        *self.session() = Some(Session { key, way, token, renew_at });
        Ok(party)
    }

    /// The bytes of an answer to GET. `path` begins with `/` and may carry a query.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub fn get(&self, path: &str) -> Result<Vec<u8>, ConnectionError> {
        let token = self.token()?;
        match (self.fetch(path, token.as_deref()), token) {
            (Err(error), Some(_)) if self.is_over(&error) => {
                let token = self.renew()?;
                self.fetch(path, token.as_deref())
            }
            (answer, _) => answer,
        }
    }

    /// An answer to GET that may be as long as it likes, to be read as it comes. An answer that is cut off
    /// ends with an error; none takes too long as long as it goes on.
    ///
    /// # Errors
    /// [`ConnectionError`], before the first byte.
    pub fn stream(&self, path: &str) -> Result<impl Read + use<>, ConnectionError> {
        // A token that was not used for a while may be over: a short question renews it.
        self.get("/v1/status")?;
        let token = self.token()?;
        let url = format!("{}{path}", self.address);
        let mut request = self.agent.get(&url);
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let request = request
            .config()
            .timeout_global(None)
            .timeout_recv_response(Some(DEFAULT_TIMEOUT))
            .build();
        let answer = request.call().map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer.into_body().into_with_config().limit(u64::MAX).reader());
        }
        Err(self.read(Ok(answer)).map_or_else(
            |error| error,
            |_| ConnectionError::Answer("it refuses without saying so".to_owned()),
        ))
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        // A session is replaced whole: what a thread left behind when it panicked is a session.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's token, a fresh one when the last has come of age.
    fn token(&self) -> Result<Option<String>, ConnectionError> {
        match &*self.session() {
            None => return Ok(None),
            Some(session) if Instant::now() < session.renew_at => {
                return Ok(Some(session.token.clone()));
            }
            Some(_) => {}
        }
        self.renew()
    }

    fn renew(&self) -> Result<Option<String>, ConnectionError> {
        let mut session = self.session();
        let Some(open) = session.as_mut() else { return Ok(None) };
        (open.token, open.renew_at, _) = self.token_for(&open.key, open.way)?;
        Ok(Some(open.token.clone()))
    }

    /// Logs in; gives the token, when it is renewed, and who reads.
    fn token_for(
        &self,
        key: &SigningKey,
        way: Way,
    ) -> Result<(String, Instant, Option<PartyId>), ConnectionError> {
        let unusable = |reason: &str| ConnectionError::Answer(reason.to_owned());
        let (public, host) = (key.public(), host_of(&self.address));
        let further = further_of(&self.address);
        let nonce = match further {
            Some((node, _)) => {
                let request = self.agent.get(format!("{node}/v1/session/nonce"));
                self.body(request.header("Accept", "application/json").call())?
            }
            None => self.fetch("/v1/session/nonce", None)?,
        };
        let NonceJson { nonce } = parse(&nonce)?;
        let bytes = BASE64URL_NOPAD.decode(nonce.as_bytes()).ok();
        let bytes: [u8; 32] = bytes
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| unusable("its nonce is not 32 bytes of base64url"))?;
        let name = further.map_or("", |(_, name)| name);
        let message = match way {
            Way::Party(party, ledger) => login_message((party, public), bytes, host, ledger),
            Way::Knock => knock_message(public, bytes, host, name),
        };
        let message = message.map_err(|_| ConnectionError::Address(self.address.clone()))?;
        let mut login = json!({
            "key": public.to_string(),
            "nonce": nonce,
            "host": host,
            "signature": key.sign_hash(&message).to_string(),
        });
        match way {
            Way::Party(party, ledger_id) => {
                login["party"] = party.to_string().into();
                login["ledger_id"] = ledger_id.to_string().into();
            }
            Way::Knock => login["ledger"] = name.into(),
        }
        let url = format!("{}/v1/session", self.address);
        let request = self.agent.post(&url).content_type("application/json");
        let now = Instant::now();
        let opened = self.read(request.send(login.to_string())).map_err(|error| match error {
            ConnectionError::Problem(problem)
                if further.is_some() && problem.code == "NoSuchAddress" =>
            {
                ConnectionError::NotAdmitted { address: self.address.clone(), key: public }
            }
            other => other,
        })?;
        let opened: SessionJson = parse(&opened)?;
        let good_for = Duration::from_secs(opened.expires_in_seconds.min(86_400));
        let party = opened.party.map(|party| party.0);
        Ok((opened.token, Session::renewal(now, good_for), party))
    }

    fn fetch(&self, path: &str, token: Option<&str>) -> Result<Vec<u8>, ConnectionError> {
        let mut url = format!("{}{path}", self.address);
        let highest = self.highest.load(Ordering::Relaxed);
        if highest > 0 {
            url.push(if path.contains('?') { '&' } else { '?' });
            url.push_str(&format!("at_least={highest}"));
        }
        let mut request = self.agent.get(&url).header("Accept", "application/json");
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.read(request.call())
    }

    /// The JSON of an answer to GET.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub fn get_json(&self, path: &str) -> Result<Value, ConnectionError> {
        parse(&self.get(path)?)
    }

    /// The node's ledger, height and time.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub fn status(&self) -> Result<NodeStatus, ConnectionError> {
        let status: StatusJson = parse(&self.get("/v1/status")?)?;
        Ok(NodeStatus {
            ledger_id: status.ledger_id.0,
            height: BlockHeight::new(status.height.0),
            time: status.time.0,
        })
    }

    /// The party for which a key speaks.
    ///
    /// # Errors
    /// [`ConnectionError::NoParty`]; [`ConnectionError`].
    pub fn party_of(&self, key: &PublicKey) -> Result<PartyId, ConnectionError> {
        let answer: KeyJson = parse(&self.get(&format!("/v1/keys/{}", key.address()))?)?;
        Ok(answer.party.ok_or(ConnectionError::NoParty(*key))?.0)
    }

    /// The highest sequence that a key has used, 0 when none.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub fn highest_sequence(&self, key: &KeyAddress) -> Result<Sequence, ConnectionError> {
        let key: KeyJson = parse(&self.get(&format!("/v1/keys/{key}"))?)?;
        Ok(Sequence::new(key.highest_sequence.0))
    }

    /// A signer for `key` on the node's ledger that counts on from the highest sequence used.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub fn signer(&self, key: SigningKey) -> Result<Signer, ConnectionError> {
        let ledger_id = self.status()?.ledger_id;
        let highest = self.highest_sequence(&key.public().address())?;
        let next = highest.checked_add(Sequence::new(1));
        let next = next.map_err(|_| ConnectionError::Answer("no sequence is left".to_owned()))?;
        Ok(Signer::new(key, ledger_id, next))
    }

    /// The proof file of a bill, as the node wrote it; it is for the reader to verify.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub fn bill_proof(&self, bill: &BillId) -> Result<Vec<u8>, ConnectionError> {
        self.get(&format!("/v1/bills/{bill}/proof"))
    }

    /// The proof file of what became of a transaction; the node waits until it is provable.
    ///
    /// # Errors
    /// As [`Connection::get`]; the file is not checked: see [`crate::transaction_proof::verify`].
    pub fn transaction_proof(&self, id: &TransactionId) -> Result<Vec<u8>, ConnectionError> {
        self.get(&format!("/v1/transactions/{id}/proof"))
    }

    fn saw(&self, height: u64) {
        self.highest.fetch_max(height, Ordering::Relaxed);
    }

    /// The body of an answer of this ledger, or what stands against it.
    fn read(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Vec<u8>, ConnectionError> {
        if let Ok(answer) = &answer
            && let Some(height) = answer.headers().get(HEIGHT_HEADER)
            && let Some(height) = height.to_str().ok().and_then(|height| height.parse().ok())
        {
            self.saw(height);
        }
        self.body(answer)
    }

    /// The body of any answer, or what stands against it.
    fn body(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Vec<u8>, ConnectionError> {
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = header("Retry-After").and_then(|seconds| seconds.parse().ok());
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return Ok(body);
        }
        let problem = Box::new(problem(status, &body));
        Err(match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                let retry_after = Duration::from_secs(retry_after.unwrap_or(1));
                ConnectionError::Overloaded { retry_after, problem }
            }
            _ => ConnectionError::Problem(problem),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> ConnectionError {
        ConnectionError::Unreachable { address: self.address.clone(), reason: error.to_string() }
    }
}

/// The problem document of an answer; one that has none is told by its status.
fn problem(status: StatusCode, body: &[u8]) -> Problem {
    let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    if problem.title.is_empty() {
        problem.title = status.to_string();
    }
    problem.status = status.as_u16();
    problem
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ConnectionError> {
    serde_json::from_slice(body).map_err(|error| ConnectionError::Answer(error.to_string()))
}
