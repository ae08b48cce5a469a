//! What every command needs that talks to a node: its address, a key file, a session for reading.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use client::connection::{Connection, ConnectionError, Problem};
use contracts::{Genesis, Rules};
use data_encoding::BASE64URL_NOPAD;
use primitives::codec::{Text, decode, encode};
use primitives::hash::Hash;
use primitives::identifier::{LedgerId, PartyId};
use primitives::key::{PublicKey, SigningKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::keys::{Passphrase, read_key};
use crate::exit::{EndWith, Ended, Exit};

/// Where a node listens when nothing else is said.
const DEFAULT_NODE: &str = "http://127.0.0.1:7410";
/// Answers are read up to this many bytes.
const MAX_ANSWER_BYTES: u64 = 64 << 20;
/// An answer waits at most 5 s for a height.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The node that is asked.
#[derive(Debug, Clone, Args)]
pub struct NodeAddress {
    /// The node's address.
    #[arg(
        long, global = true, value_name = "URL", env = "GRIDTALLY_NODE",
        default_value = DEFAULT_NODE
    )]
    pub node: String,
}

impl NodeAddress {
    /// A connection; nothing is sent yet.
    ///
    /// # Errors
    /// When the address is none: a usage error.
    pub fn connect(&self) -> Result<Connection, Ended> {
        Connection::new(&self.node).map_err(ended)
    }
}

/// The key of who sends or reads.
#[derive(Debug, Clone, Args)]
pub struct OwnKey {
    /// Your key file.
    #[arg(long, global = true, value_name = "FILE", env = "GRIDTALLY_KEY")]
    pub key: Option<PathBuf>,
    /// Read the passphrase of key files from the first line of a file; `-` is standard input.
    /// Without it you are asked when a key file is encrypted.
    #[arg(long, global = true, value_name = "FILE", env = "GRIDTALLY_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

impl OwnKey {
    /// The key, when one was named.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self) -> Result<Option<SigningKey>, Ended> {
        self.key.as_deref().map(|file| self.open_file(file)).transpose()
    }

    /// Another key, with the same way to unlock it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_file(&self, file: &Path) -> Result<SigningKey, Ended> {
        read_key(file, &self.passphrase())
    }

    /// How key files are unlocked.
    pub fn passphrase(&self) -> Passphrase {
        Passphrase { passphrase_file: self.passphrase_file.clone() }
    }
}

/// The error of a connection with its exit code.
#[must_use]
pub fn ended(error: ConnectionError) -> Ended {
    let exit = match error {
        ConnectionError::Unreachable { .. } => Exit::Unreachable,
        ConnectionError::Address(_) | ConnectionError::TooMany(_) => Exit::Usage,
        _ => Exit::Failure,
    };
    Ended { exit, error: error.into() }
}

/// The rules of the node's ledger. The ledger id follows from the genesis itself, so a node cannot
/// show another calendar for the same ledger.
///
/// # Errors
/// No answer, or no genesis.
pub fn rules(node: &Connection) -> Result<Rules, Ended> {
    #[derive(Deserialize)]
    struct Answer {
        bytes: String,
    }
    let answer: Answer = parse(&node.get("/v1/genesis").map_err(ended)?)?;
    let bytes = BASE64URL_NOPAD
        .decode(answer.bytes.as_bytes())
        .context("the node's genesis is not base64url")?;
    let genesis: Genesis = decode(&bytes).context("the node's genesis is none")?;
    Ok(Rules::new(genesis).context("the node's genesis can found no ledger")?)
}

/// A whole number of a document, written as a number or as a decimal string.
#[must_use]
pub fn field_u64(document: &Value, field: &str) -> Option<u64> {
    match &document[field] {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Reads from a node, with the rights of a session when there is one.
pub struct Reader {
    node: Connection,
    session: Option<Session>,
}

/// A session: what its key may see is shown for a quarter of an hour.
struct Session {
    agent: ureq::Agent,
    token: String,
}

impl Reader {
    /// A reader at a node; with a key it opens a session.
    ///
    /// # Errors
    /// The key speaks for no party, or the node opens no session.
    pub fn new(node: Connection, key: Option<&SigningKey>) -> Result<Self, Ended> {
        let session = key.map(|key| Session::open(&node, key)).transpose()?;
        Ok(Self { node, session })
    }

    /// The bytes of an answer.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub fn get(&self, path: &str) -> Result<Vec<u8>, Ended> {
        match &self.session {
            None => self.node.get(path).map_err(ended),
            Some(session) => {
                let url = format!("{}{path}", self.node.address());
                let authorization = format!("Bearer {}", session.token);
                let request = session.agent.get(&url).header("Authorization", &authorization);
                read(&self.node, request.call())
            }
        }
    }

    /// The JSON document of an answer.
    ///
    /// # Errors
    /// No answer, a refusal, or no JSON.
    pub fn document(&self, path: &str) -> Result<Value, Ended> {
        parse(&self.get(path)?)
    }
}

impl Session {
    fn open(node: &Connection, key: &SigningKey) -> Result<Self, Ended> {
        #[derive(Deserialize)]
        struct KeyAnswer {
            party: Option<String>,
        }
        #[derive(Deserialize)]
        struct NonceAnswer {
            nonce: String,
        }
        #[derive(Deserialize)]
        struct SessionAnswer {
            token: String,
        }
        let public = key.public();
        let answer: KeyAnswer =
            parse(&node.get(&format!("/v1/keys/{}", public.address())).map_err(ended)?)?;
        let party: PartyId = answer
            .party
            .with_context(|| format!("the key {public} speaks for no party; leave --key out"))?
            .parse()
            .context("the node's answer names no party")?;
        let ledger_id = node.status().map_err(ended)?.ledger_id;
        let answer: NonceAnswer = parse(&node.get("/v1/session/nonce").map_err(ended)?)?;
        let nonce: [u8; 32] = BASE64URL_NOPAD
            .decode(answer.nonce.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .context("the node's nonce is not 32 bytes of base64url")?;
        let host = host_of(node.address());
        let message = login(party, public, nonce, host, ledger_id)?;
        let body = json!({
            "party": party.to_string(),
            "key": public.to_string(),
            "nonce": answer.nonce,
            "host": host,
            "ledger_id": ledger_id.to_string(),
            "signature": key.sign_hash(&message).to_string(),
        });
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        let url = format!("{}/v1/session", node.address());
        let request = agent.post(&url).content_type("application/json");
        let SessionAnswer { token } = parse(&read(node, request.send(body.to_string()))?)?;
        Ok(Self { agent, token })
    }
}

/// What a key signs to open a session. The host is in it, so that what a false node is told is
/// worth nothing at another.
fn login(
    party: PartyId,
    key: PublicKey,
    nonce: [u8; 32],
    host: &str,
    ledger_id: LedgerId,
) -> Result<Hash, Ended> {
    let host = Text::<255>::new(host).end_with(Exit::Usage)?;
    let parts = encode(&(party, key, nonce, host, ledger_id));
    Ok(Hash::of_domain("gridtally/session/v1", &[&parts]))
}

/// `host` or `host:port` of an address, as it stands in the request's Host header.
fn host_of(address: &str) -> &str {
    let host = address.strip_prefix("http://").unwrap_or(address);
    host.split('/').next().unwrap_or(host)
}

/// The body of an answer, or what stands against it.
fn read(
    node: &Connection,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Vec<u8>, Ended> {
    let unreachable = |error: ureq::Error| {
        let address = node.address().to_owned();
        ended(ConnectionError::Unreachable { address, reason: error.to_string() })
    };
    let mut answer = answer.map_err(unreachable)?;
    let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec();
    let body = body.map_err(unreachable)?;
    if answer.status().is_success() {
        return Ok(body);
    }
    let mut problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
    if problem.title.is_empty() {
        problem.title = answer.status().to_string();
    }
    Err(ended(ConnectionError::Problem(Box::new(problem))))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Ended> {
    serde_json::from_slice(body).map_err(|error| ended(ConnectionError::Answer(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_stands_in_the_address() {
        for (address, host) in [
            ("http://127.0.0.1:7410", "127.0.0.1:7410"),
            ("http://node.example", "node.example"),
            ("http://[::1]:7410/grid", "[::1]:7410"),
        ] {
            assert_eq!(host_of(address), host);
        }
    }

    #[test]
    fn a_login_is_what_the_node_checks() {
        let claim = api::session::Claim {
            party: PartyId::new([1; 32]),
            key: PublicKey::ed25519([2; 32]),
            nonce: BASE64URL_NOPAD.encode(&[3; 32]).parse().unwrap(),
            host: "localhost:7410".parse().unwrap(),
            ledger_id: LedgerId::new([5; 32]),
        };
        let host = claim.host.as_str();
        let message = login(claim.party, claim.key, [3; 32], host, claim.ledger_id).unwrap();
        assert_eq!(message, claim.message());
    }

    #[test]
    fn numbers_as_numbers_or_text() {
        let document = json!({ "a": 7, "b": "18446744073709551615", "c": null, "d": "x" });
        assert_eq!(field_u64(&document, "a"), Some(7));
        assert_eq!(field_u64(&document, "b"), Some(u64::MAX));
        for missing in ["c", "d", "e"] {
            assert_eq!(field_u64(&document, missing), None);
        }
    }
}
