//! Who validates, who else is a peer, and the keys of the engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use commonware_codec::{Copying, DecodeExt};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Epoch;
use commonware_cryptography::Signer as _;
use commonware_cryptography::certificate::{Provider, Scoped};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey as EngineKey};
use commonware_p2p::TrackedPeers;
use commonware_utils::ordered::Set;
use ledger::Ledger;
use node::NodeError;
use primitives::header::ValidatorSet;
use primitives::identifier::LedgerId;
use primitives::key::{PublicKey, SigningKey};

use crate::abstention::{Abstention, Told};

/// Schemes that are kept; those of earlier epochs are made again when somebody asks for them.
const MAX_KEPT: usize = 64;

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

/// The validators and signature schemes by epoch: with our key where we are a validator, without it
/// where we only follow.
#[derive(Clone)]
pub struct Schemes {
    ledger: Arc<Ledger>,
    key: PrivateKey,
    abstention: Arc<Abstention>,
    namespace: Vec<u8>,
    known: Arc<Mutex<BTreeMap<u64, Known>>>,
}

#[derive(Clone)]
struct Known {
    set: ValidatorSet,
    scheme: Arc<Scheme>,
}

const UNPOISONED: &str = "nothing panics while it holds the schemes";

impl Schemes {
    /// The schemes of a ledger as seen by the holder of `key`, of which a node was told this much.
    ///
    /// # Errors
    /// [`NodeError`] when the store cannot be read or written.
    pub fn new(ledger: Arc<Ledger>, key: &SigningKey, told: Told) -> Result<Self, NodeError> {
        let namespace = vote_namespace(&ledger.rules().ledger_id());
        let abstention = Arc::new(Abstention::new(Arc::clone(&ledger), key.public(), told)?);
        Ok(Self { ledger, key: engine_signer(key), abstention, namespace, known: Arc::default() })
    }

    /// Decides whether the key votes in an epoch that is entered now; `is_live` says that it has just
    /// begun.
    ///
    /// # Errors
    /// As [`Schemes::of`].
    pub fn enter(&self, epoch: Epoch, is_live: bool) -> Result<(), NodeError> {
        let before = epoch.previous().map(|before| self.validators(before)).transpose()?;
        let set = self.validators(epoch)?;
        self.abstention.enter(epoch.get(), (before.as_ref(), &set), is_live)?;
        // They were made before this was decided.
        self.known.lock().expect(UNPOISONED).retain(|of, _| *of < epoch.get());
        Ok(())
    }

    /// What is fixed stays, so it is kept; what is not fixed yet is not known.
    fn known(&self, epoch: Epoch) -> Result<Option<Known>, NodeError> {
        if let Some(known) = self.known.lock().expect(UNPOISONED).get(&epoch.get()) {
            return Ok(Some(known.clone()));
        }
        let Some(set) = self.ledger.view().validators_in(epoch.get())? else { return Ok(None) };
        let keys = participants(&set);
        let signer = || Scheme::signer(&self.namespace, keys.clone(), self.key.clone());
        let signer = self.abstention.votes_in(epoch.get()).then(signer).flatten();
        let scheme = signer.unwrap_or_else(|| Scheme::verifier(&self.namespace, keys));
        let found = Known { set, scheme: Arc::new(scheme) };
        let mut known = self.known.lock().expect(UNPOISONED);
        known.insert(epoch.get(), found.clone());
        if known.len() > MAX_KEPT {
            known.pop_first();
        }
        Ok(Some(found))
    }

    fn fixed(&self, epoch: Epoch) -> Result<Known, NodeError> {
        self.known(epoch)?.ok_or_else(|| {
            NodeError::Engine(format!(
                "the ledger does not know the validators of epoch {epoch} yet"
            ))
        })
    }

    /// The scheme of an epoch: at the latest the one after the ledger's.
    ///
    /// # Errors
    /// [`NodeError`] for a later epoch, or when the store cannot be read.
    pub fn of(&self, epoch: Epoch) -> Result<Arc<Scheme>, NodeError> {
        Ok(self.fixed(epoch)?.scheme)
    }

    /// The validators of an epoch, as the ledger lists them.
    ///
    /// # Errors
    /// As [`Schemes::of`].
    pub fn validators(&self, epoch: Epoch) -> Result<ValidatorSet, NodeError> {
        Ok(self.fixed(epoch)?.set)
    }

    /// The validators of an epoch but for the holder of this key, as the engine names them.
    ///
    /// # Errors
    /// As [`Schemes::of`].
    pub fn others(&self, epoch: Epoch) -> Result<Vec<EngineKey>, NodeError> {
        let (set, own) = (self.validators(epoch)?, self.key.public_key());
        Ok(set.iter().filter_map(engine_key).filter(|key| *key != own).collect())
    }

    /// The peers of an epoch: first its validators and those of the next one, then every node that
    /// the ledger knows, and those that this node was told of.
    ///
    /// # Errors
    /// As [`Schemes::of`].
    pub fn peers(
        &self,
        epoch: Epoch,
        told: &[EngineKey],
    ) -> Result<TrackedPeers<EngineKey>, NodeError> {
        let (now, next) = (self.validators(epoch)?, self.validators(epoch.next())?);
        let nodes = self.ledger.view().read(|state| state.nodes())?;
        let validators = now.iter().chain(next.iter()).filter_map(engine_key);
        let others = nodes.iter().filter_map(|node| engine_key(&node.key));
        Ok(TrackedPeers::new(
            Set::from_iter_dedup(validators),
            Set::from_iter_dedup(others.chain(told.iter().cloned())),
        ))
    }
}

impl Provider for Schemes {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        match self.known(epoch) {
            // Without our key as well: a verifier alone would not follow what is notarised.
            Ok(known) => Some(Scoped::scheme(known?.scheme)),
            Err(error) => {
                tracing::error!(%error, "the validators of an epoch cannot be read");
                None
            }
        }
    }
}
