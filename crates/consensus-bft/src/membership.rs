//! Who validates, and the keys of the engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use commonware_codec::{Copying, DecodeExt};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Epoch;
use commonware_cryptography::certificate::{Provider, Scoped};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey as EngineKey};
use commonware_utils::ordered::Set;
use contracts::Rules;
use primitives::header::ValidatorSet;
use primitives::identifier::LedgerId;
use primitives::key::{PublicKey, SigningKey};

/// The validators of an epoch.
///
/// They are those of the genesis for all epochs. Changes by governance come in here: entries that
/// were approved in epoch e act in e + 2, so the state at the last block of e knows e + 1 and e + 2.
#[must_use]
pub fn validators(rules: &Rules, _epoch: u64) -> ValidatorSet {
    rules.genesis().validators.clone()
}

/// What the votes of a ledger are bound to; the engine appends the kind of the vote.
#[must_use]
pub fn vote_namespace(ledger_id: &LedgerId) -> Vec<u8> {
    [b"gridtally/vote/v1/", &ledger_id.as_bytes()[..]].concat()
}

/// The engine's form of a public key; `None` when it is not a point of the curve.
#[must_use]
pub fn engine_key(key: &PublicKey) -> Option<EngineKey> {
    EngineKey::decode(Copying(&key.bytes)).ok()
}

/// Our form of the engine's key.
#[must_use]
pub fn public_key(key: &EngineKey) -> PublicKey {
    let bytes: &[u8] = key.as_ref();
    PublicKey::ed25519(bytes.try_into().expect("an Ed25519 key has 32 bytes"))
}

/// The engine's form of a signing key.
///
/// # Panics
/// Never: every 32 bytes are a seed.
#[must_use]
pub fn engine_signer(key: &SigningKey) -> PrivateKey {
    PrivateKey::decode(Copying(key.seed())).expect("every 32 bytes are a seed")
}

/// The engine's form of a set of validators: sorted by key.
#[must_use]
pub fn participants(set: &ValidatorSet) -> Set<EngineKey> {
    Set::from_iter_dedup(set.iter().filter_map(engine_key))
}

/// The signature schemes by epoch: with our key where we are a validator, without it where we only
/// follow.
#[derive(Clone)]
pub struct Schemes {
    rules: Arc<Rules>,
    key: PrivateKey,
    namespace: Vec<u8>,
    known: Arc<Mutex<BTreeMap<u64, Arc<Scheme>>>>,
}

impl Schemes {
    /// The schemes of a ledger as seen by the holder of `key`.
    #[must_use]
    pub fn new(rules: Arc<Rules>, key: &SigningKey) -> Self {
        let namespace = vote_namespace(&rules.ledger_id());
        Self { rules, key: engine_signer(key), namespace, known: Arc::default() }
    }

    /// The scheme of an epoch.
    #[must_use]
    pub fn of(&self, epoch: Epoch) -> Arc<Scheme> {
        let mut known = self.known.lock().expect("nothing panics while it holds the schemes");
        let scheme = known.entry(epoch.get()).or_insert_with(|| {
            let set = participants(&validators(&self.rules, epoch.get()));
            let scheme = Scheme::signer(&self.namespace, set.clone(), self.key.clone())
                .unwrap_or_else(|| Scheme::verifier(&self.namespace, set));
            Arc::new(scheme)
        });
        Arc::clone(scheme)
    }

    /// The validators of an epoch, as the ledger lists them.
    #[must_use]
    pub fn validators(&self, epoch: Epoch) -> ValidatorSet {
        validators(&self.rules, epoch.get())
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        Some(Scoped::scheme(self.of(epoch)))
    }
}
