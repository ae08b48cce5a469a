//! Sessions: a party shows that it holds a key and reads with its rights for a quarter of an hour.
//!
//! [`Connection::log_in`](crate::connection::Connection::log_in) opens one; from then on every read of
//! that connection carries its token, and a token that comes of age, or that the node no longer knows
//! because it was started anew, is renewed without a word. Transactions need no session: they carry
//! their signature.

use std::fmt;
use std::time::{Duration, Instant};

use primitives::codec::{CodecError, Text, encode};
use primitives::hash::Hash;
use primitives::identifier::{LedgerId, PartyId};
use primitives::key::{PublicKey, SigningKey};

/// The domain tag of the hash that a key signs to log in.
pub const SESSION_TAG: &str = "gridtally/session/v1";
/// The domain tag of the hash that a key signs to enter a further ledger of a node.
pub const KNOCK_TAG: &str = "gridtally/knock/v1";
/// The longest host name with port.
pub const MAX_HOST_BYTES: usize = 255;
/// The longest name of a ledger in an address, which may be the text of its id.
pub const MAX_LEDGER_NAME_BYTES: usize = 80;

/// What a key signs to open a session: the party, the key, the node's nonce, the host for which the
/// login is meant, the ledger. The host is in it, so that what a false node is told is worth nothing
/// at another.
///
/// # Errors
/// [`CodecError`] when the host is longer than [`MAX_HOST_BYTES`] or holds control characters.
pub fn login_message(
    (party, key): (PartyId, PublicKey),
    nonce: [u8; 32],
    host: &str,
    ledger_id: LedgerId,
) -> Result<Hash, CodecError> {
    let host = Text::<MAX_HOST_BYTES>::new(host)?;
    Ok(Hash::of_domain(SESSION_TAG, &[&encode(&(party, key, nonce, host, ledger_id))]))
}

/// What a key signs to open a session on a further ledger of a node, which tells nothing of itself
/// before: the key, a nonce of the node's main ledger, the host, and the ledger as it stands in the
/// address.
///
/// # Errors
/// [`CodecError`] when host or ledger are too long or hold control characters.
pub fn knock_message(
    key: PublicKey,
    nonce: [u8; 32],
    host: &str,
    ledger: &str,
) -> Result<Hash, CodecError> {
    let host = Text::<MAX_HOST_BYTES>::new(host)?;
    let ledger = Text::<MAX_LEDGER_NAME_BYTES>::new(ledger)?;
    Ok(Hash::of_domain(KNOCK_TAG, &[&encode(&(key, nonce, host, ledger))]))
}

/// The node's own address and the further ledger, when an address leads to one:
/// `http://HOST:PORT/ledgers/NAME`.
#[must_use]
pub fn further_of(address: &str) -> Option<(&str, &str)> {
    let (node, name) = address.rsplit_once("/ledgers/")?;
    (!name.is_empty() && !name.contains('/')).then_some((node, name))
}

/// `host` or `host:port` of an address, as it stands in the request's Host header.
#[must_use]
pub fn host_of(address: &str) -> &str {
    let host = address.strip_prefix("http://").unwrap_or(address);
    host.split('/').next().unwrap_or(host)
}

/// A session of a connection, and what is needed to renew it.
pub(crate) struct Session {
    pub(crate) key: SigningKey,
    pub(crate) way: Way,
    pub(crate) token: String,
    /// From then on a new token is asked for before the next read.
    pub(crate) renew_at: Instant,
}

/// How a session was opened, and is opened again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// As a party of the node's ledger.
    Party(PartyId, LedgerId),
    /// With a key that a further ledger knows.
    Knock,
}

impl Session {
    /// When a token that is good for so long is renewed: early enough for the read that follows.
    pub(crate) fn renewal(now: Instant, good_for: Duration) -> Instant {
        now + good_for * 2 / 3
    }
}

/// Neither key nor token is printed.
impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Session({:?})", self.way)
    }
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
    fn an_address_may_lead_to_a_further_ledger() {
        let node = "http://127.0.0.1:7410";
        let further = format!("{node}/ledgers/north");
        assert_eq!(further_of(&further), Some((node, "north")));
        assert_eq!(host_of(&further), "127.0.0.1:7410");
        for other in [node, "http://node.example/grid", "http://x/ledgers/", "http://x/ledgers/a/b"]
        {
            assert_eq!(further_of(other), None, "{other}");
        }
    }
}
