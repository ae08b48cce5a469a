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
use ledger::block::{MAX_BLOCK_BYTES, MAX_TRANSACTIONS};
use ledger::{Block, Candidate, CheckedBlock, UncheckedBlock};
use primitives::codec::{self, Bounded, CodecError};
use primitives::envelope::Submission;
use primitives::hash::Hash;
use primitives::header::Header;
use primitives::identifier::TransactionId;

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
    header: Header,
    hash: Hash,
    context: Context,
    bytes: Bytes,
    submissions: Vec<Place>,
}

/// Where a submission ends in the bytes of its block; it begins where the one before it ends.
#[derive(Debug)]
struct Place {
    id: TransactionId,
    end: usize,
}

/// A block with the engine's context. Its transactions are bounded and could be decoded; they are kept
/// as bytes, because most of them wait in the mempool already, and are not checked.
#[derive(Clone, Debug)]
pub struct OrderedBlock(Arc<Inner>);

impl OrderedBlock {
    /// Puts context and content hash into the header of a block that is to be proposed.
    #[must_use]
    pub fn seal(block: &CheckedBlock, context: Context) -> Self {
        let transactions = block.transactions().iter();
        let submissions = transactions.map(|checked| (checked.id(), checked.submission()));
        Self::sealed(block.header().clone(), submissions, context)
    }

    /// The same with a block that nobody has checked.
    #[must_use]
    pub fn seal_unchecked(block: &Block, context: Context) -> Self {
        let submissions = block.submissions.iter().map(|one| (one.transaction.id(), one));
        Self::sealed(block.header.clone(), submissions, context)
    }

    fn sealed<'s>(
        mut header: Header,
        submissions: impl ExactSizeIterator<Item = (TransactionId, &'s Submission)>,
        context: Context,
    ) -> Self {
        let mut content = codec::encode(&(submissions.len() as u32));
        let mut places = Vec::with_capacity(submissions.len());
        for (id, submission) in submissions {
            codec::append(submission, &mut content);
            places.push(Place { id, end: content.len() });
        }
        let engine = context.encode().to_vec();
        let engine = Bounded::try_from(engine).expect("a context is shorter than its bound");
        let header_context = HeaderContext { content: content_hash(&content), engine };
        header.context = Bounded::try_from(codec::encode(&header_context))
            .expect("a header has room for a context");
        let mut bytes = codec::encode(&header);
        places.iter_mut().for_each(|place| place.end += bytes.len());
        bytes.append(&mut content);
        let (hash, bytes) = (header.hash(), bytes.into());
        Self(Arc::new(Inner { header, hash, context, bytes, submissions: places }))
    }

    /// The block at height 0, which nobody proposed.
    ///
    /// # Panics
    /// When the genesis names a validator whose key is not a point of the curve.
    #[must_use]
    pub fn genesis(header: Header) -> Self {
        let block = Block { header, submissions: Bounded::default() };
        Self::decode(codec::encode(&block).into()).expect("the keys of a genesis are keys")
    }

    /// Decodes what a peer sent.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are not canonical or do not belong to their header.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let (header, content) = codec::decode_prefix::<Header>(&bytes)?;
        let hash = header.hash();
        let submissions = places(content, bytes.len() - content.len())?;
        if header.height.get() == 0 {
            if !header.context.is_empty() || !submissions.is_empty() {
                return Err(CodecError::invalid("a block at height 0 that is not a genesis"));
            }
            let context = genesis_context(&header)?;
            return Ok(Self(Arc::new(Inner { header, hash, context, bytes, submissions })));
        }
        let found: HeaderContext = codec::decode(&header.context)?;
        if found.content != content_hash(content) {
            return Err(CodecError::invalid("content of a block that its header does not name"));
        }
        let context = Context::decode(Copying(&found.engine)).map_err(CodecError::invalid)?;
        if context.encode()[..] != found.engine[..] {
            return Err(CodecError::invalid("context of an engine that is not canonical"));
        }
        Ok(Self(Arc::new(Inner { header, hash, context, bytes, submissions })))
    }

    /// How many transactions stand in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.submissions.len()
    }

    /// Does no transaction stand in it?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.submissions.is_empty()
    }

    /// The ids of its transactions, in order.
    pub fn ids(&self) -> impl Iterator<Item = TransactionId> {
        self.0.submissions.iter().map(|place| place.id)
    }

    /// The block for whoever checks it.
    #[must_use]
    pub fn unchecked(&self) -> UncheckedBlock<'_> {
        let ends = self.0.submissions.iter().map(|place| place.end);
        let starts = std::iter::once(self.0.start()).chain(ends.clone());
        let bytes = starts.zip(ends).map(|(start, end)| &self.0.bytes[start..end]);
        let submissions = self.ids().zip(bytes).map(|(id, bytes)| Candidate::encoded(id, bytes));
        UncheckedBlock { header: self.header(), submissions: submissions.collect() }
    }

    /// Header and transactions, decoded.
    #[must_use]
    pub fn to_block(&self) -> Block {
        codec::decode(&self.0.bytes).expect("it was decoded before, or made of a block")
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.0.header
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

impl Inner {
    /// Where the first submission starts.
    fn start(&self) -> usize {
        codec::encode(&self.header).len() + LENGTH_BYTES
    }
}

/// Bytes of the number of submissions before them.
const LENGTH_BYTES: usize = size_of::<u32>();

/// Where the submissions lie in bytes that hold nothing else, the first of which stands at `start` of
/// the block. Each is decoded, so that what follows may rely on it.
fn places(content: &[u8], start: usize) -> Result<Vec<Place>, CodecError> {
    let (count, mut rest) = codec::decode_prefix::<u32>(content)?;
    let count = count as usize;
    if count > MAX_TRANSACTIONS {
        return Err(CodecError::TooLong { length: count, maximum: MAX_TRANSACTIONS });
    }
    let mut places = Vec::new();
    for _ in 0..count {
        let (id, behind) = Submission::id_in(rest)?;
        rest = behind;
        places.push(Place { id, end: start + content.len() - rest.len() });
    }
    match rest.len() {
        0 => Ok(places),
        bytes => Err(CodecError::TrailingBytes { bytes, type_name: "Block" }),
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
