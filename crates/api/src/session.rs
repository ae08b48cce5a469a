//! Sessions: a party shows that it holds a key, and reads with its rights for a quarter of an hour.
//!
//! 1. `GET /v1/session/nonce` gives 32 random bytes that are good once and for 60 seconds.
//! 2. The key signs the 32 bytes of [`Claim::message`]: the hash of the domain tag
//!    `gridtally/session/v1` over the canonical encoding of (party 32 bytes, key kind u8 and 32 bytes,
//!    nonce 32 bytes, host as text with its length u32 LE, ledger id 32 bytes).
//! 3. `POST /v1/session` with these parts gives an opaque token, sent as `Authorization: Bearer`.
//!
//! The host binds a login to the node it was meant for: what a false node learns is worth nothing at
//! another. The ledger id does the same between ledgers. A session says only *who* reads; whether its
//! key still stands is looked up in each view anew, so a session dies with its key.
//!
//! A further ledger ([`crate::hosting`]) says nothing to whom it does not know, not even its id. Whoever
//! opens a session there signs a [`Knock`] instead: it names the ledger as the node does, with a nonce of
//! the node's main ledger.
//!
//! Nothing here is written to disk, and everything is bounded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use primitives::codec::{Text, encode};
use primitives::hash::Hash;
use primitives::identifier::{KeyAddress, LedgerId, PartyId};
use primitives::key::PublicKey;
use tokio::time::Instant;

/// The domain tag of a login's hash.
pub const TAG: &str = "gridtally/session/v1";
/// The domain tag of a knock's hash.
pub const KNOCK_TAG: &str = "gridtally/knock/v1";
/// How long a nonce is good.
pub const NONCE_LIFE: Duration = Duration::from_secs(60);
/// How long a session is good.
pub const SESSION_LIFE: Duration = Duration::from_secs(15 * 60);
/// Nonces kept; above it the oldest goes. To push out an honest one, so many have to be asked for
/// between its two requests.
pub const MAX_NONCES: usize = 16_384;
/// Sessions kept; above it the oldest goes.
pub const MAX_SESSIONS: usize = 16_384;
/// Sessions of one key; above it the key's oldest goes, so that no key can push out the others.
pub const MAX_SESSIONS_PER_KEY: usize = 16;
/// The longest host name with port.
pub const MAX_HOST_BYTES: usize = 255;
/// The longest name of a ledger in an address, which may be the text of its id.
pub const MAX_LEDGER_NAME_BYTES: usize = 80;

/// What a key signs to open a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The party that wants to read.
    pub party: PartyId,
    /// Its key.
    pub key: PublicKey,
    /// The node's nonce.
    pub nonce: Nonce,
    /// The host for which the login is meant, as the client addresses it.
    pub host: Text<MAX_HOST_BYTES>,
    /// The ledger.
    pub ledger_id: LedgerId,
}

impl Claim {
    /// The hash that is signed.
    #[must_use]
    pub fn message(&self) -> Hash {
        let parts = (self.party, self.key, self.nonce.0, self.host.clone(), self.ledger_id);
        Hash::of_domain(TAG, &[&encode(&parts)])
    }
}

/// What a key signs to open a session on a further ledger, of which it needs to know no more than the
/// name under which the node hosts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    /// The key.
    pub key: PublicKey,
    /// A nonce of the node's main ledger.
    pub nonce: Nonce,
    /// The host for which it is meant, as the client addresses it.
    pub host: Text<MAX_HOST_BYTES>,
    /// The ledger as it stands in the address: its name on the node, or its id.
    pub ledger: Text<MAX_LEDGER_NAME_BYTES>,
}

impl Knock {
    /// The hash that is signed.
    #[must_use]
    pub fn message(&self) -> Hash {
        let parts = (self.key, self.nonce.0, self.host.clone(), self.ledger.clone());
        Hash::of_domain(KNOCK_TAG, &[&encode(&parts)])
    }
}

macro_rules! secrets {
    ($( $(#[$doc:meta])* $name:ident )+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name([u8; 32]);

        impl $name {
            fn random() -> Result<Self, getrandom::Error> {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes)?;
                Ok(Self(bytes))
            }

            /// base64url without padding.
            #[must_use]
            pub fn text(&self) -> String {
                BASE64URL_NOPAD.encode(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, &'static str> {
                let refused = "wanted are 32 bytes as base64url without padding";
                let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| refused)?;
                bytes.try_into().map(Self).map_err(|_| refused)
            }
        }

        /// Secrets are not printed.
        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )+ };
}

secrets! {
    /// The node's part of a login: good once, for a minute.
    Nonce
    /// What names a session.
    Token
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The party; none on a further ledger for a key of the owner's council, a node or a meter.
    pub party: Option<PartyId>,
    /// The key that opened the session.
    pub key: KeyAddress,
}

struct Open {
    session: Session,
    until: Instant,
}

#[derive(Default)]
struct Inner {
    /// Oldest first; all live equally long, so the front ends first.
    nonces: VecDeque<(Nonce, Instant)>,
    /// By the token's hash: finding one takes no time that would tell something about the tokens.
    open: BTreeMap<Hash, Open>,
    /// Oldest first.
    order: VecDeque<Hash>,
}

/// The nonces given and the sessions open on this node.
#[derive(Default)]
pub struct Sessions {
    inner: Mutex<Inner>,
}

const UNPOISONED: &str = "nothing panics while it holds the sessions";

impl Sessions {
    /// A fresh nonce.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn nonce(&self) -> Result<Nonce, getrandom::Error> {
        let nonce = Nonce::random()?;
        let now = Instant::now();
        let mut inner = self.inner.lock().expect(UNPOISONED);
        inner.drop_old(now);
        if inner.nonces.len() >= MAX_NONCES {
            inner.nonces.pop_front();
        }
        inner.nonces.push_back((nonce, now + NONCE_LIFE));
        Ok(nonce)
    }

    /// Uses a nonce up; `false` when it was not given, is over, or was used before.
    #[must_use]
    pub fn use_nonce(&self, nonce: &Nonce) -> bool {
        let mut inner = self.inner.lock().expect(UNPOISONED);
        inner.drop_old(Instant::now());
        let found = inner.nonces.iter().position(|(given, _)| given == nonce);
        found.is_some_and(|index| inner.nonces.remove(index).is_some())
    }

    /// Opens a session.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn open(&self, session: Session) -> Result<Token, getrandom::Error> {
        let token = Token::random()?;
        let name = name(&token);
        let now = Instant::now();
        let mut inner = self.inner.lock().expect(UNPOISONED);
        inner.drop_old(now);
        let of_key = inner.open.values().filter(|open| open.session.key == session.key).count();
        if of_key >= MAX_SESSIONS_PER_KEY {
            inner.close_oldest(|open| open.session.key == session.key);
        } else if inner.open.len() >= MAX_SESSIONS {
            inner.close_oldest(|_| true);
        }
        inner.open.insert(name, Open { session, until: now + SESSION_LIFE });
        inner.order.push_back(name);
        Ok(token)
    }

    /// How many sessions are open.
    #[must_use]
    pub fn count(&self) -> usize {
        let mut inner = self.inner.lock().expect(UNPOISONED);
        inner.drop_old(Instant::now());
        inner.open.len()
    }

    /// Whose token it is; `None` when there is no such session or it is over.
    #[must_use]
    pub fn find(&self, token: &Token) -> Option<Session> {
        let inner = self.inner.lock().expect(UNPOISONED);
        let open = inner.open.get(&name(token))?;
        (open.until > Instant::now()).then_some(open.session)
    }
}

fn name(token: &Token) -> Hash {
    Hash::of(&token.0)
}

impl Inner {
    fn drop_old(&mut self, now: Instant) {
        while self.nonces.front().is_some_and(|(_, until)| *until <= now) {
            self.nonces.pop_front();
        }
        while let Some(name) = self.order.front() {
            if self.open.get(name).is_some_and(|open| open.until > now) {
                break;
            }
            self.open.remove(name);
            self.order.pop_front();
        }
    }

    fn close_oldest(&mut self, which: impl Fn(&Open) -> bool) {
        let is_one = |name: &Hash| self.open.get(name).is_some_and(&which);
        if let Some(index) = self.order.iter().position(is_one)
            && let Some(name) = self.order.remove(index)
        {
            self.open.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u8) -> Session {
        Session { party: Some(PartyId::new([number; 32])), key: KeyAddress::new([number; 32]) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_nonce_is_good_once_and_for_a_minute() {
        let sessions = Sessions::default();
        let (first, second) = (sessions.nonce().unwrap(), sessions.nonce().unwrap());
        assert!(sessions.use_nonce(&first));
        assert!(!sessions.use_nonce(&first), "once");
        tokio::time::advance(NONCE_LIFE).await;
        assert!(!sessions.use_nonce(&second), "for a minute");
        assert!(!sessions.use_nonce(&Nonce([1; 32])), "never given");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_a_quarter_of_an_hour() {
        let sessions = Sessions::default();
        let token = sessions.open(session(1)).unwrap();
        tokio::time::advance(SESSION_LIFE - Duration::from_secs(1)).await;
        assert_eq!(sessions.find(&token), Some(session(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(sessions.find(&token), None);
    }

    #[tokio::test]
    async fn a_key_that_opens_many_sessions_pushes_out_only_its_own() {
        let sessions = Sessions::default();
        let other = sessions.open(session(2)).unwrap();
        let first = sessions.open(session(1)).unwrap();
        for _ in 0..MAX_SESSIONS_PER_KEY {
            sessions.open(session(1)).unwrap();
        }
        assert_eq!(sessions.find(&first), None);
        assert_eq!(sessions.find(&other), Some(session(2)));
        assert_eq!(sessions.inner.lock().unwrap().open.len(), MAX_SESSIONS_PER_KEY + 1);
    }

    #[test]
    fn nonces_are_bounded() {
        let sessions = Sessions::default();
        let first = sessions.nonce().unwrap();
        for _ in 0..MAX_NONCES {
            sessions.nonce().unwrap();
        }
        assert!(!sessions.use_nonce(&first));
        assert_eq!(sessions.inner.lock().unwrap().nonces.len(), MAX_NONCES);
    }

    #[test]
    fn the_signed_bytes_are_fixed() {
        let claim = Claim {
            party: PartyId::new([1; 32]),
            key: PublicKey::ed25519([2; 32]),
            nonce: Nonce([3; 32]),
            host: "localhost:8080".parse().unwrap(),
            ledger_id: LedgerId::new([5; 32]),
        };
        let mut bytes = vec![1; 32];
        bytes.push(1);
        bytes.extend([2; 32]);
        bytes.extend([3; 32]);
        bytes.extend(14_u32.to_le_bytes());
        bytes.extend(b"localhost:8080");
        bytes.extend([5; 32]);
        assert_eq!(claim.message(), Hash::of_domain(TAG, &[&bytes]));
    }
    #[test]
    fn the_signed_bytes_of_a_knock_are_fixed() {
        let knock = Knock {
            key: PublicKey::ed25519([2; 32]),
            nonce: Nonce([3; 32]),
            host: "localhost:8080".parse().unwrap(),
            ledger: "north".parse().unwrap(),
        };
        let mut bytes = vec![1];
        bytes.extend([2; 32]);
        bytes.extend([3; 32]);
        bytes.extend(14_u32.to_le_bytes());
        bytes.extend(b"localhost:8080");
        bytes.extend(5_u32.to_le_bytes());
        bytes.extend(b"north");
        assert_eq!(knock.message(), Hash::of_domain(KNOCK_TAG, &[&bytes]));
    }
}
