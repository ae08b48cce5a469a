//! How two nodes prove to each other who they are; whoever cannot is refused, and said once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commonware_cryptography::ChaCha20Poly1305;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey as EngineKey};
use commonware_runtime::{Clock, Sink, Stream};
use commonware_stream::Upgrader;
use commonware_stream::cups::{self, Cups};
use commonware_stream::sake::{self, Sake};
use primitives::key::SigningKey;
use rand_core::CryptoRng;

use crate::membership::{engine_signer, public_key};

/// Clocks of two peers may differ by so much when they connect.
const SYNCHRONY: Duration = Duration::from_secs(5);
/// So many different refusals are told; more would be a way to fill the log.
const MAX_TOLD: usize = 64;

type Inner = Cups<Sake<PrivateKey>, ChaCha20Poly1305>;

/// The handshake of a node.
#[derive(Clone)]
pub(crate) struct Handshake {
    inner: Inner,
    members: Members,
    told: Arc<Told>,
}

impl Handshake {
    /// The handshake of the holder of `key`.
    pub(crate) fn new(key: &SigningKey) -> Self {
        let sake = Sake {
            signer: engine_signer(key),
            synchrony_bound: SYNCHRONY,
            max_handshake_age: 2 * SYNCHRONY,
            version: sake::Version::V1,
        };
        let inner = Cups::new(sake, cups::Version::V1);
        Self { inner, members: Members::default(), told: Arc::default() }
    }

    /// Who belongs to the network.
    pub(crate) fn members(&self) -> Members {
        self.members.clone()
    }
}

/// Who belongs to the network, or did before: a refusal of these is not one of a stranger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members(Arc<Mutex<BTreeSet<EngineKey>>>);

impl Members {
    pub(crate) fn add<'a>(&self, keys: impl Iterator<Item = &'a EngineKey>) {
        self.keys().extend(keys.cloned());
    }

    /// Is this key a stranger's? Nobody can say before the first epoch is entered.
    fn are_without(&self, key: &EngineKey) -> bool {
        let keys = self.keys();
        !keys.is_empty() && !keys.contains(key)
    }

    fn keys(&self) -> MutexGuard<'_, BTreeSet<EngineKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was said already.
#[derive(Debug, Default)]
struct Told(Mutex<BTreeSet<String>>);

impl Told {
    fn once(&self, what: String) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MAX_TOLD && !told.contains(&what) {
            tracing::warn!("{what}");
            told.insert(what);
        }
    }

    /// A handshake with somebody whose key is known failed. A connection that broke, or that is not
    /// needed because there is one, is nothing to tell.
    fn failed(&self, peer: &EngineKey, error: &sake::Error) {
        if matches!(error, sake::Error::HandshakeError(_) | sake::Error::UnableToDecode(_)) {
            self.once(format!(
                "no connection with {} ({error}): it has another genesis, or its clock differs by \
                 more than {} s; this is said once",
                public_key(peer),
                SYNCHRONY.as_secs()
            ));
        }
    }

    fn unknown(&self, peer: &EngineKey) {
        self.once(format!(
            "a node with the key {}, which is no member's, was refused; this is said once",
            public_key(peer)
        ));
    }

    fn no_node(&self, error: &sake::Error) {
        self.once(format!(
            "somebody connected who does not speak as a node ({error}); this is said once"
        ));
    }
}

impl Upgrader for Handshake {
    const MAX_SIZE: u32 = Inner::MAX_SIZE;

    type PublicKey = EngineKey;
    type Error = <Inner as Upgrader>::Error;
    type Sender<I: Stream, O: Sink> = <Inner as Upgrader>::Sender<I, O>;
    type Receiver<I: Stream, O: Sink> = <Inner as Upgrader>::Receiver<I, O>;

    fn public_key(&self) -> EngineKey {
        self.inner.public_key()
    }

    async fn dial<C, I, O>(
        self,
        context: C,
        namespace: &[u8],
        max_message_size: u32,
        peer: EngineKey,
        stream: I,
        sink: O,
    ) -> Result<(Self::Sender<I, O>, Self::Receiver<I, O>), Self::Error>
    where
        C: Clock + CryptoRng,
        I: Stream,
        O: Sink,
    {
        let Self { inner, told, .. } = self;
        let asked = peer.clone();
        let result = inner.dial(context, namespace, max_message_size, asked, stream, sink).await;
        if let Err(error) = &result {
            told.failed(&peer, error);
        }
        result
    }

    async fn listen<C, I, O, B, F>(
        self,
        context: C,
        namespace: &[u8],
        max_message_size: u32,
        bouncer: B,
        stream: I,
        sink: O,
    ) -> Result<(EngineKey, Self::Sender<I, O>, Self::Receiver<I, O>), Self::Error>
    where
        C: Clock + CryptoRng,
        I: Stream,
        O: Sink,
        B: FnOnce(EngineKey) -> F + Send,
        F: Future<Output = bool> + Send,
    {
        let Self { inner, members, told } = self;
        let claimed = Mutex::new(None);
        let asked = |peer: EngineKey| {
            *claimed.lock().unwrap_or_else(PoisonError::into_inner) = Some(peer.clone());
            bouncer(peer)
        };
        let result = inner.listen(context, namespace, max_message_size, asked, stream, sink).await;
        if let Err(error) = &result {
            match claimed.into_inner().unwrap_or_else(PoisonError::into_inner) {
                None => told.no_node(error),
                Some(peer) if members.are_without(&peer) => told.unknown(&peer),
                Some(peer) => told.failed(&peer, error),
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_a_stranger_before_the_members_are_known() {
        let key = |number: u8| {
            crate::membership::engine_key(&SigningKey::from_seed([number; 32]).public()).unwrap()
        };
        let members = Members::default();
        assert!(!members.are_without(&key(1)));
        members.add([key(1)].iter());
        assert!(!members.are_without(&key(1)) && members.are_without(&key(2)));
    }

    #[test]
    fn what_is_refused_is_told_once_and_cannot_fill_the_log() {
        let told = Told::default();
        let key = |number: u8| {
            crate::membership::engine_key(&SigningKey::from_seed([number; 32]).public()).unwrap()
        };
        for _ in 0..3 {
            told.unknown(&key(1));
        }
        assert_eq!(told.0.lock().unwrap().len(), 1);
        for number in 2..200 {
            told.unknown(&key(number));
        }
        assert_eq!(told.0.lock().unwrap().len(), MAX_TOLD);
    }
}
