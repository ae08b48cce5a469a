//! What every command needs that talks to a node: its address, a key file, the ledger's rules.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use client::connection::{Connection, ConnectionError};
use contracts::{Genesis, Rules};
use data_encoding::BASE64URL_NOPAD;
use primitives::codec::decode;
use primitives::key::SigningKey;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::keys::{Passphrase, read_key};
use crate::exit::{EndWith, Ended, Exit};

/// Where a node listens when nothing else is said.
const DEFAULT_NODE: &str = "http://127.0.0.1:7410";
/// Items of one page when a whole list is read.
const PAGE: usize = 100;

/// The node that is asked.
#[derive(Debug, Clone, Args)]
pub struct NodeAddress {
    /// The node's address; a further ledger of it is http://HOST:PORT/ledgers/NAME and answers only to
    /// keys that it knows.
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

    /// A connection that reads with the rights of a key's party, when one was named.
    ///
    /// # Errors
    /// The address is none, the key cannot be opened or speaks for no party, no answer.
    pub fn connect_as(&self, key: &OwnKey) -> Result<Connection, Ended> {
        let node = self.connect_with(|| key.open())?;
        if !node.is_further()
            && let Some(key) = key.open()?
        {
            node.log_in(key).map_err(ended)?;
        }
        Ok(node)
    }

    /// A connection for who is about to sign. On a further ledger, which answers to nobody else, it
    /// opens a session of this key; otherwise the key is not looked at.
    ///
    /// # Errors
    /// The address is none, the ledger does not know the key, no answer.
    pub fn connect_with(
        &self,
        key: impl FnOnce() -> Result<Option<SigningKey>, Ended>,
    ) -> Result<Connection, Ended> {
        let node = self.connect()?;
        if node.is_further() {
            let key = key()?.ok_or_else(|| {
                anyhow!("{} answers only to keys that it knows: give yours", node.address())
            });
            node.enter(key.end_with(Exit::Usage)?).map_err(ended)?;
        }
        Ok(node)
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

/// All items of a list, page after page.
///
/// # Errors
/// No answer, or a page that leads nowhere.
pub fn all(node: &Connection, path: &str) -> Result<Vec<Value>, Ended> {
    let mut items = Vec::new();
    let mut after = String::new();
    loop {
        let mark = if path.contains('?') { '&' } else { '?' };
        let page = format!("{path}{mark}limit={PAGE}{after}");
        let mut page = node.get_json(&page).map_err(ended)?;
        let found = page["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
        items.extend(found);
        // A page may be empty and lead on, where a search looked at much and found nothing yet.
        match page["next"].as_str().map(|next| format!("&after={next}")) {
            Some(next) if next != after => after = next,
            _ => return Ok(items),
        }
    }
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

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Ended> {
    serde_json::from_slice(body).map_err(|error| ended(ConnectionError::Answer(error.to_string())))
}

#[cfg(test)]
mod tests {
    use client::session::{knock_message, login_message};
    use primitives::identifier::{LedgerId, PartyId};
    use primitives::key::PublicKey;
    use serde_json::json;

    use super::*;

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
        let of = (claim.party, claim.key);
        let message = login_message(of, [3; 32], host, claim.ledger_id).unwrap();
        assert_eq!(message, claim.message());
    }

    #[test]
    fn a_knock_is_what_the_node_checks() {
        let knock = api::session::Knock {
            key: PublicKey::ed25519([2; 32]),
            nonce: BASE64URL_NOPAD.encode(&[3; 32]).parse().unwrap(),
            host: "localhost:7410".parse().unwrap(),
            ledger: "north".parse().unwrap(),
        };
        let message = knock_message(knock.key, [3; 32], "localhost:7410", "north").unwrap();
        assert_eq!(message, knock.message());
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
