//! A block as it travels between validators.
//!
//! On the wire: length, then the canonical bytes of [`ledger::Block`]. The engine knows a block by the
//! hash of its header alone, and the transactions' root in it covers neither signatures nor payloads.
//! So the header's `context` carries a hash over all that follows the header, beside the engine's own
//! context: bytes with another content under the same header do not decode.

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, Copying, DecodeExt, Encode, EncodeSize, Error, RangeCfg, Read, Write};
use commonware_consensus::simplex::types::Context as SimplexContext;
use commonware_consensus::types::{Epoch, Height, Round, View};
use commonware_consensus::{BoundedBlock, CertifiableBlock, Heightable};
use commonware_cryptography::{Digest as _, Digested, Digestible, ed25519, sha256};
use ledger::Block;
use ledger::block::{MAX_BLOCK_BYTES, MAX_TRANSACTIONS};
use primitives::codec::{self, Bounded, CodecError};
use primitives::hash::Hash;
use primitives::header::Header;

use crate::membership;

/// The engine's name for a block: the hash of its header.
pub type Digest = sha256::Digest;
/// Round, leader and parent of a proposal.
pub type Context = SimplexContext<Digest, ed25519::PublicKey>;

/// The largest block on the wire. `MAX_BLOCK_BYTES` counts transactions to within a few bytes each;
/// the largest header is below two kilobytes.
pub const MAX_WIRE_BYTES: usize = MAX_BLOCK_BYTES + 16 * MAX_TRANSACTIONS + 4_096;
/// The largest context of the engine: five varints, a key and a digest take at most 114 bytes.
const MAX_ENGINE_BYTES: usize = 128;

/// What stands in the header's `context`.
#[derive(Debug, BorshSerialize, BorshDeserialize)]
struct HeaderContext {
    /// The hash of the bytes that follow the header in the block's canonical encoding.
    content: Hash,
    /// The engine's context, as it encodes it.
    engine: Bounded<u8, MAX_ENGINE_BYTES>,
}

/// The largest context that a header can carry is not ours to use up.
const _: () = assert!(MAX_ENGINE_BYTES + 36 <= primitives::header::MAX_CONTEXT_BYTES);

#[derive(Debug)]
struct Inner {
    block: Block,
    hash: Hash,
    context: Context,
    bytes: Bytes,
}

/// A block with the engine's context. Its transactions are bounded and decoded, not checked.
#[derive(Clone, Debug)]
pub struct OrderedBlock(Arc<Inner>);

impl OrderedBlock {
    /// Puts context and content hash into the header of a block that is to be proposed.
    #[must_use]
    pub fn seal(mut block: Block, context: Context) -> Self {
        let content = content_hash(&codec::encode(&block.submissions));
        let engine = context.encode().to_vec();
        let engine = Bounded::try_from(engine).expect("a context is shorter than its bound");
        let header_context = codec::encode(&HeaderContext { content, engine });
        block.header.context =
            Bounded::try_from(header_context).expect("a header has room for a context");
        let bytes = codec::encode(&block).into();
        let hash = block.header.hash();
        Self(Arc::new(Inner { block, hash, context, bytes }))
    }

    /// The block at height 0, which nobody proposed.
    ///
    /// # Panics
    /// When the genesis names a validator whose key is not a point of the curve.
    #[must_use]
    pub fn genesis(header: Header) -> Self {
        let block = Block { header, submissions: Bounded::default() };
        let bytes = codec::encode(&block).into();
        Self::of(block, bytes).expect("the keys of a genesis are keys")
    }

    /// Decodes what a peer sent.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not canonical or do not belong to their header.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        Self::of(codec::decode(&bytes)?, bytes)
    }

    fn of(block: Block, bytes: Bytes) -> Result<Self, CodecError> {
        let hash = block.header.hash();
        if block.header.height.get() == 0 {
            if !block.header.context.is_empty() || !block.submissions.is_empty() {
                return Err(CodecError::invalid("a block at height 0 that is not a genesis"));
            }
            let context = genesis_context(&block.header)?;
            return Ok(Self(Arc::new(Inner { block, hash, context, bytes })));
        }
        let found: HeaderContext = codec::decode(&block.header.context)?;
        let header_bytes = codec::encode(&block.header).len();
        if found.content != content_hash(&bytes[header_bytes..]) {
            return Err(CodecError::invalid("content of a block that its header does not name"));
        }
        let context = Context::decode(Copying(&found.engine)).map_err(CodecError::invalid)?;
        if context.encode()[..] != found.engine[..] {
            return Err(CodecError::invalid("context of an engine that is not canonical"));
        }
        Ok(Self(Arc::new(Inner { block, hash, context, bytes })))
    }

    /// Header and transactions.
    #[must_use]
    pub fn block(&self) -> &Block {
        &self.0.block
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.0.block.header
    }

    /// The hash of the header.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.0.hash
    }

    /// The block with its name beside it.
    #[must_use]
    pub fn digested(self) -> Digested<Self> {
        let digest = self.digest();
        Digested::precomputed(self, digest)
    }
}

fn content_hash(bytes: &[u8]) -> Hash {
    Hash::of_domain("gridtally/content/v1", &[bytes])
}

fn genesis_context(header: &Header) -> Result<Context, CodecError> {
    let leader = membership::engine_key(&header.proposer)
        .ok_or_else(|| CodecError::invalid("validator whose key is not a point of the curve"))?;
    let round = Round::new(Epoch::zero(), View::zero());
    Ok(Context { round, leader, parent: (View::zero(), Digest::EMPTY) })
}

/// The engine's form of a hash.
#[must_use]
pub fn digest(hash: &Hash) -> Digest {
    Digest::from(*hash.as_bytes())
}

impl Write for OrderedBlock {
    fn write(&self, buffer: &mut impl BufMut) {
        self.0.bytes.write(buffer);
    }
}

impl EncodeSize for OrderedBlock {
    fn encode_size(&self) -> usize {
        self.0.bytes.encode_size()
    }
}

impl Read for OrderedBlock {
    type Cfg = ();

    fn read_cfg(buffer: &mut impl Buf, (): &()) -> Result<Self, Error> {
        let bytes = Bytes::read_cfg(buffer, &RangeCfg::from(0..=MAX_WIRE_BYTES))?;
        Self::decode(bytes).map_err(|error| Error::Wrapped("block", Box::new(error)))
    }
}

impl Digestible for OrderedBlock {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        digest(&self.0.hash)
    }
}

impl Heightable for OrderedBlock {
    fn height(&self) -> Height {
        Height::new(self.header().height.get())
    }
}

impl commonware_consensus::Block for OrderedBlock {
    fn parent(&self) -> Digest {
        digest(&self.header().parent)
    }
}

impl CertifiableBlock for OrderedBlock {
    type Context = Context;

    fn context(&self) -> Context {
        self.0.context.clone()
    }
}

impl BoundedBlock for OrderedBlock {
    fn max_encode_size((): &()) -> usize {
        /// The longest varint of a length.
        const MAX_LENGTH_BYTES: usize = 5;
        MAX_LENGTH_BYTES + MAX_WIRE_BYTES
    }
}
