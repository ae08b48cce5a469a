//! Final blocks and their certificates, as marshal asks for them.
//!
//! The ledger keeps every block (network design: "blocks are kept by our ledger; let marshal prune").
//! So marshal's own archives hold only the newest ones, and what is asked for from before, by a peer
//! that was away, is made again from the ledger: decision 18.

use std::num::NonZeroU64;
use std::sync::Arc;

use commonware_codec::Read;
use commonware_consensus::marshal::store;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Height;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Clock, Handle, Metrics, Storage};
use commonware_storage::archive::{self, Identifier, prunable};
use commonware_storage::translator::EightCap;
use commonware_utils::NZU64;
use ledger::{Ledger, LedgerError};
use primitives::codec;
use primitives::hash::Hash;

use crate::block::{Digest, OrderedBlock};
use crate::certificate::{Finalization, finalization};
use crate::engine::WRITE_BUFFER;

/// What marshal keeps itself of the blocks that the ledger has.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// So many of the newest blocks at least. A ledger that was put back from a copy may lie so far
    /// behind.
    pub blocks: u64,
    /// So many go at a time. It is fixed for as long as the engine's directory is there.
    pub section: NonZeroU64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { blocks: 1_024, section: NZU64!(256) }
    }
}

impl Retention {
    /// From which height on blocks are kept, when that changes after this one.
    pub(crate) fn oldest_after(&self, height: Height) -> Option<Height> {
        let is_due = height.get().is_multiple_of(self.section.get());
        height.get().checked_sub(self.blocks).filter(|_| is_due).map(Height::new)
    }
}

type Recent<E, V> = prunable::Archive<EightCap, E, Digest, V>;

/// What the ledger says to a question of a peer. When its disk fails it has no answer: the node ends
/// for that as soon as it needs the ledger itself.
fn answer<T>(found: Result<Option<T>, LedgerError>) -> Option<T> {
    found.unwrap_or_else(|error| {
        tracing::error!(%error, "what a peer asks for cannot be read");
        None
    })
}

/// Opens one of marshal's own archives.
pub(crate) async fn recent<E, V>(
    runtime: E,
    prefix: &str,
    (name, codec_config): (&str, V::Cfg),
    section: NonZeroU64,
    cache: CacheRef,
) -> Result<Recent<E, V>, archive::Error>
where
    E: Storage + Metrics + Clock,
    V: commonware_codec::Codec + Send + Sync + 'static,
    <V as Read>::Cfg: Clone,
{
    let part = |part: &str| format!("{prefix}-recent-{name}-{part}");
    let config = prunable::Config {
        translator: EightCap,
        metadata_partition: part("metadata"),
        key_partition: part("keys"),
        key_page_cache: cache,
        value_partition: part("values"),
        compression: None,
        codec_config,
        items_per_section: section,
        key_write_buffer: WRITE_BUFFER,
        value_write_buffer: WRITE_BUFFER,
        replay_buffer: WRITE_BUFFER,
    };
    prunable::Archive::init(runtime, config).await
}

/// Final blocks.
pub(crate) struct Blocks<E: Storage + Metrics + Clock> {
    pub recent: Recent<E, Arc<OrderedBlock>>,
    pub ledger: Arc<Ledger>,
}

impl<E: Storage + Metrics + Clock> Blocks<E> {
    /// A block that the ledger keeps whole; `None` when it has none at this height, made it alone
    /// before the engine, or has erased or pruned some of it. Not the genesis: marshal puts that where
    /// it begins.
    fn of_ledger(&self, height: u64) -> Result<Option<OrderedBlock>, LedgerError> {
        match self.ledger.view().block(height) {
            // Bytes that the header does not name do not decode.
            Ok(found) => Ok(found
                .and_then(|(block, _)| OrderedBlock::decode(codec::encode(&block).into()).ok())),
            Err(LedgerError::Pruned { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<E: Storage + Metrics + Clock> store::Blocks for Blocks<E> {
    type Block = Arc<OrderedBlock>;
    type Error = archive::Error;

    async fn put(self, digest: Digest, block: &Arc<OrderedBlock>) -> Result<Self, archive::Error> {
        let recent = store::Blocks::put(self.recent, digest, block).await?;
        Ok(Self { recent, ..self })
    }

    async fn sync(self) -> Result<Self, archive::Error> {
        let recent = store::Blocks::sync(self.recent).await?;
        Ok(Self { recent, ..self })
    }

    async fn start_sync(self) -> Result<(Self, Handle<()>), archive::Error> {
        let (recent, handle) = store::Blocks::start_sync(self.recent).await?;
        Ok((Self { recent, ..self }, handle))
    }

    async fn get(
        &self,
        id: Identifier<'_, Digest>,
    ) -> Result<Option<Arc<OrderedBlock>>, archive::Error> {
        let (height, digest) = match &id {
            Identifier::Index(height) => (Some(*height), None),
            Identifier::Key(digest) => (None, Some(Hash::new(digest.0))),
        };
        if let Some(block) = store::Blocks::get(&self.recent, id).await? {
            return Ok(Some(block));
        }
        // A block that has a certificate is asked for by its height as well.
        let by_hash = |hash: Hash| answer(self.ledger.view().uncertified(&hash));
        let height = height.or_else(|| digest.and_then(by_hash));
        Ok(height.and_then(|height| answer(self.of_ledger(height))).map(Arc::new))
    }

    async fn prune(self, min: Height) -> Result<Self, archive::Error> {
        let recent = store::Blocks::prune(self.recent, min).await?;
        Ok(Self { recent, ..self })
    }

    fn missing_items(&self, start: Height, max: usize) -> Vec<Height> {
        store::Blocks::missing_items(&self.recent, start, max)
    }

    fn next_gap(&self, value: Height) -> (Option<Height>, Option<Height>) {
        store::Blocks::next_gap(&self.recent, value)
    }

    fn last_index(&self) -> Option<Height> {
        store::Blocks::last_index(&self.recent)
    }
}

/// Certificates of final blocks.
pub(crate) struct Finalizations<E: Storage + Metrics + Clock> {
    pub recent: Recent<E, Finalization>,
    pub ledger: Arc<Ledger>,
}

impl<E: Storage + Metrics + Clock> Finalizations<E> {
    /// The certificate that the ledger keeps with a block.
    fn of_ledger(&self, height: u64) -> Result<Option<Finalization>, LedgerError> {
        let view = self.ledger.view();
        let Some(sealed) = view.sealed_header(height)? else { return Ok(None) };
        if sealed.certificate.is_absent() || sealed.header.context.is_empty() {
            return Ok(None);
        }
        let set = view.validators_in(sealed.header.epoch)?;
        Ok(set.and_then(|set| finalization(&sealed.header, &sealed.certificate, &set)))
    }
}

impl<E: Storage + Metrics + Clock> store::Certificates for Finalizations<E> {
    type BlockDigest = Digest;
    type Commitment = Digest;
    type Error = archive::Error;
    type Scheme = Scheme;

    async fn put(
        self,
        height: Height,
        digest: Digest,
        it: &Finalization,
    ) -> Result<Self, archive::Error> {
        let recent = store::Certificates::put(self.recent, height, digest, it).await?;
        Ok(Self { recent, ..self })
    }

    async fn sync(self) -> Result<Self, archive::Error> {
        let recent = store::Certificates::sync(self.recent).await?;
        Ok(Self { recent, ..self })
    }

    async fn start_sync(self) -> Result<(Self, Handle<()>), archive::Error> {
        let (recent, handle) = store::Certificates::start_sync(self.recent).await?;
        Ok((Self { recent, ..self }, handle))
    }

    async fn get(
        &self,
        id: Identifier<'_, Digest>,
    ) -> Result<Option<Finalization>, archive::Error> {
        let height = match &id {
            Identifier::Index(height) => Some(*height),
            Identifier::Key(_) => None,
        };
        if let Some(found) = store::Certificates::get(&self.recent, id).await? {
            return Ok(Some(found));
        }
        Ok(height.and_then(|height| answer(self.of_ledger(height))))
    }

    async fn has(&self, height: Height) -> Result<bool, archive::Error> {
        Ok(store::Certificates::has(&self.recent, height).await?
            || answer(self.of_ledger(height.get())).is_some())
    }

    async fn prune(self, min: Height) -> Result<Self, archive::Error> {
        let recent = store::Certificates::prune(self.recent, min).await?;
        Ok(Self { recent, ..self })
    }

    fn last_index(&self) -> Option<Height> {
        store::Certificates::last_index(&self.recent)
    }

    fn ranges_from(&self, from: Height) -> impl Iterator<Item = (Height, Height)> {
        store::Certificates::ranges_from(&self.recent, from)
    }
}
