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
/// The longest host name with port.
pub const MAX_HOST_BYTES: usize = 255;

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

/// `host` or `host:port` of an address, as it stands in the request's Host header.
#[must_use]
pub fn host_of(address: &str) -> &str {
    let host = address.strip_prefix("http://").unwrap_or(address);
    host.split('/').next().unwrap_or(host)
}

/// A session of a connection, and what is needed to renew it.
pub(crate) struct Session {
    pub(crate) key: SigningKey,
    pub(crate) party: PartyId,
    pub(crate) ledger_id: LedgerId,
    pub(crate) token: String,
    /// From then on a new token is asked for before the next read.
    pub(crate) renew_at: Instant,
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
        write!(formatter, "Session({})", self.party)
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
}
