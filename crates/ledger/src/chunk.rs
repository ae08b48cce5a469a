//! Chunks: the transactions of a block as they are kept, [`CHUNK_LENGTH`] in a row.
//!
//! A row of its own costs a transaction more than its bytes: in the journal, in the sorted buffers
//! and in the tables. So neighbours share one row, compressed: what repeats from one to the next
//! (ledger, kind, lengths, ids in events) takes next to nothing then. What a transaction holds that is
//! large stands in a row of its own, so that nobody has to read it with its neighbours.
//!
//! The leaf of a single reading follows from the payload beside it, so it is left out and computed
//! when the transaction is read. Erasing a payload means writing its chunk again, with the leaf.
//!
//! | chunk | LZ4 block with its length before it: number of records u32, length of each u32, records |
//! |---|---|
//! | record | marks u8, code u16, events, ledger id, version u8, cosigners, valid until, kind, sequence, signer, body, payload, signatures |
//! | pruned record | marks u8, code u16, events, ledger id, version u8, cosigners, valid until, kind, sequence, signer, id |

use borsh::{BorshDeserialize, BorshSerialize};
use contracts::Body;
use primitives::calendar::SettlementPeriod;
use primitives::codec::{self, Bounded, CodecError};
use primitives::envelope::{Envelope, MAX_BODY_BYTES, MAX_PAYLOAD_BYTES, SignedTransaction};
use primitives::hash::Hash;
use primitives::identifier::{TransactionId, UsagePointId};
use primitives::reading::ReadingPayload;
use primitives::receipt::{EventBytes, MAX_EVENTS, Receipt};
use primitives::units::BlockHeight;

use crate::check::CheckedTransaction;
use crate::error::LedgerError;

/// Transactions of one chunk; the last one of a block may hold fewer.
pub const CHUNK_LENGTH: u32 = 128;
/// A payload, or all events of a transaction, above this many bytes stands in a row of its own.
pub const LARGE_BYTES: usize = 4_096;
/// Bytes of a chunk at most: a block is bounded far below, so a longer one is damage.
const CHUNK_BYTES_MAX: usize = 64 << 20;

/// The leaf at the end of the body is left out.
const LEAF_LEFT_OUT: u8 = 1;
/// The payload stands in a row of its own.
const PAYLOAD_APART: u8 = 2;
/// The events stand in a row of their own.
const EVENTS_APART: u8 = 4;
/// Body, payload and signatures are gone; the id stands in their place.
const PRUNED: u8 = 8;

/// Encoded events of a transaction.
pub type Events = Bounded<EventBytes, MAX_EVENTS>;

/// A transaction with what travelled beside it and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The transaction.
    pub transaction: StoredTransaction,
    /// Its payload; `None` when it stands apart.
    pub payload: Option<Bounded<u8, MAX_PAYLOAD_BYTES>>,
    /// What became of it.
    pub outcome: StoredOutcome,
}

/// What is kept of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredTransaction {
    /// All of it.
    Whole(SignedTransaction),
    /// It was pruned.
    Pruned(PrunedTransaction),
}

/// What is left of a pruned transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedTransaction {
    /// Its id, to which its block commits.
    pub id: TransactionId,
    /// The envelope without its body. Nothing but this store says so: the id covers the body as well,
    /// so without it the rest cannot be held against the id any more. Displays read it, rules do not.
    pub envelope: Envelope,
}

impl StoredTransaction {
    /// The transaction's id.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        match self {
            Self::Whole(transaction) => transaction.id(),
            Self::Pruned(pruned) => pruned.id,
        }
    }

    /// The envelope; its body is empty when it was pruned.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        match self {
            Self::Whole(transaction) => &transaction.envelope,
            Self::Pruned(pruned) => &pruned.envelope,
        }
    }

    /// Are body, payload and signatures gone?
    #[must_use]
    pub const fn is_pruned(&self) -> bool {
        matches!(self, Self::Pruned(_))
    }

    /// The transaction itself.
    ///
    /// # Errors
    /// [`LedgerError::Pruned`].
    pub fn whole(self, height: u64) -> Result<SignedTransaction, LedgerError> {
        match self {
            Self::Whole(transaction) => Ok(transaction),
            Self::Pruned(_) => Err(LedgerError::Pruned { height: BlockHeight::new(height) }),
        }
    }
}

/// What became of a transaction; its id is known from its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOutcome {
    /// 0, or the code of the rule that was broken.
    pub code: u16,
    /// Its events; `None` when they stand apart.
    pub events: Option<Events>,
}

/// The row of a chunk, from transactions in a row and their receipts.
pub fn encode(transactions: &[CheckedTransaction], receipts: &[Receipt]) -> Vec<u8> {
    let mut records = Vec::new();
    let mut lengths = Vec::with_capacity(transactions.len());
    for (checked, receipt) in transactions.iter().zip(receipts) {
        let before = records.len();
        write_record(&mut records, checked, receipt);
        lengths.push((records.len() - before) as u32);
    }
    let mut content = codec::encode(&lengths);
    content.append(&mut records);
    lz4_flex::compress_prepend_size(&content)
}

/// Does the payload stand in a row of its own?
pub fn payload_is_apart(payload: &[u8]) -> bool {
    payload.len() > LARGE_BYTES
}

/// Do the events stand in a row of their own?
pub fn events_are_apart(events: &Events) -> bool {
    events.iter().map(|event| event.len()).sum::<usize>() > LARGE_BYTES
}

/// Repeating fields stand together, so that they compress as one.
fn write_record(out: &mut Vec<u8>, checked: &CheckedTransaction, receipt: &Receipt) {
    let transaction = &checked.submission().transaction;
    let envelope = &transaction.envelope;
    let payload: &[u8] = &checked.submission().payload;
    let (mut marks, mut body) = (0, envelope.body.as_slice());
    if let Body::SubmitReading(_) | Body::CorrectReading(_) = checked.body() {
        marks |= LEAF_LEFT_OUT;
        body = &body[..body.len() - size_of::<Hash>()];
    }
    let payload = (!payload_is_apart(payload)).then_some(payload);
    let events = (!events_are_apart(&receipt.events)).then_some(&receipt.events);
    marks |= payload.map_or(PAYLOAD_APART, |_| 0) | events.map_or(EVENTS_APART, |_| 0);
    let written = (marks, receipt.code)
        .serialize(out)
        .and_then(|()| events.map_or(Ok(()), |events| events.serialize(out)))
        .and_then(|()| fixed(envelope).serialize(out))
        .and_then(|()| (body, payload.unwrap_or_default()).serialize(out))
        .and_then(|()| transaction.signatures.serialize(out));
    written.expect(UNFAILING);
}

const UNFAILING: &str = "writing to memory cannot fail and every list is bounded";

/// The fields of an envelope beside its body, in the order in which they are kept.
fn fixed(envelope: &Envelope) -> impl BorshSerialize + '_ {
    (
        (envelope.ledger_id, envelope.version, &envelope.cosigners),
        (envelope.valid_until, envelope.kind, envelope.sequence, envelope.signer),
    )
}

/// A chunk of which some records lost body, payload and signatures.
#[derive(Debug, PartialEq, Eq)]
pub struct PrunedChunk {
    /// The row that takes the chunk's place.
    pub row: Vec<u8>,
    /// The places of the records that were pruned, and whether their payload stands apart.
    pub places: Vec<(u32, bool)>,
}

impl Chunk {
    /// The chunk without body, payload and signatures of the transactions that are not `needed`;
    /// `None` when it holds no such transaction any more.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`].
    pub fn pruned(&self, needed: impl Fn(u32) -> bool) -> Result<Option<PrunedChunk>, LedgerError> {
        let mut records = Vec::new();
        let mut lengths = Vec::with_capacity(self.len() as usize);
        let mut places = Vec::new();
        for place in 0..self.len() {
            let bytes = self.bytes_of(place).expect("a place below the length");
            let before = records.len();
            let is_pruned = bytes.first().is_some_and(|marks| marks & PRUNED != 0);
            if is_pruned || needed(place) {
                records.extend_from_slice(bytes);
            } else {
                let damaged = |_| LedgerError::Damaged { what: "transaction" };
                let record = read_record(bytes).map_err(damaged)?;
                places.push((place, record.payload.is_none()));
                write_pruned(&mut records, &record);
            }
            lengths.push((records.len() - before) as u32);
        }
        if places.is_empty() {
            return Ok(None);
        }
        let mut content = codec::encode(&lengths);
        content.append(&mut records);
        Ok(Some(PrunedChunk { row: lz4_flex::compress_prepend_size(&content), places }))
    }
}

fn write_pruned(out: &mut Vec<u8>, record: &Record) {
    let StoredOutcome { code, events } = &record.outcome;
    let marks = PRUNED | events.as_ref().map_or(EVENTS_APART, |_| 0);
    let transaction = &record.transaction;
    let written = (marks, code)
        .serialize(out)
        .and_then(|()| events.as_ref().map_or(Ok(()), |events| events.serialize(out)))
        .and_then(|()| fixed(transaction.envelope()).serialize(out))
        .and_then(|()| transaction.id().serialize(out));
    written.expect(UNFAILING);
}

fn read_record(mut bytes: &[u8]) -> Result<Record, CodecError> {
    let input = &mut bytes;
    let (marks, outcome) = read_outcome(input)?;
    let (ledger_id, version, cosigners) = read(input)?;
    let (valid_until, kind, sequence, signer) = read(input)?;
    let with_body = |body| Envelope {
        version,
        ledger_id,
        signer,
        cosigners,
        sequence,
        valid_until,
        kind,
        body,
    };
    if marks & PRUNED != 0 {
        let envelope = with_body(Bounded::new());
        let pruned = PrunedTransaction { id: codec::decode(input)?, envelope };
        let transaction = StoredTransaction::Pruned(pruned);
        return Ok(Record { transaction, payload: Some(Bounded::new()), outcome });
    }
    let mut body = read::<Bounded<u8, MAX_BODY_BYTES>>(input)?.into_vec();
    let payload: Bounded<u8, MAX_PAYLOAD_BYTES> = read(input)?;
    if marks & LEAF_LEFT_OUT != 0 {
        body.extend_from_slice(leaf(&body, &payload)?.as_bytes());
    }
    let signatures = read(input)?;
    if !input.is_empty() {
        return Err(CodecError::invalid("bytes are left over"));
    }
    let envelope = with_body(body.try_into()?);
    let transaction = StoredTransaction::Whole(SignedTransaction { envelope, signatures });
    let payload = (marks & PAYLOAD_APART == 0).then_some(payload);
    Ok(Record { transaction, payload, outcome })
}

fn read_outcome(input: &mut &[u8]) -> Result<(u8, StoredOutcome), CodecError> {
    let (marks, code): (u8, _) = read(input)?;
    let events = if marks & EVENTS_APART == 0 { Some(read(input)?) } else { None };
    Ok((marks, StoredOutcome { code, events }))
}

fn read<T: BorshDeserialize>(input: &mut &[u8]) -> Result<T, CodecError> {
    let (value, rest) = codec::decode_prefix(input)?;
    *input = rest;
    Ok(value)
}

/// The leaf of a single reading, from the rest of its body and its payload.
fn leaf(body: &[u8], payload: &[u8]) -> Result<Hash, CodecError> {
    let (usage_point, period): (UsagePointId, SettlementPeriod) = codec::decode(body)?;
    Ok(codec::decode::<ReadingPayload>(payload)?.leaf(usage_point, period))
}

/// A chunk in memory.
#[derive(Debug)]
pub struct Chunk {
    content: Vec<u8>,
    /// Where each record begins, and where the last one ends.
    starts: Vec<usize>,
}

impl Chunk {
    /// Opens the row of a chunk.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`].
    pub fn open(row: &[u8]) -> Result<Self, LedgerError> {
        let damaged = || LedgerError::Damaged { what: "chunk of transactions" };
        let (size, compressed) = lz4_flex::block::uncompressed_size(row).map_err(|_| damaged())?;
        if size > CHUNK_BYTES_MAX {
            return Err(damaged());
        }
        let content = lz4_flex::decompress(compressed, size).map_err(|_| damaged())?;
        let (lengths, records): (Bounded<u32, { CHUNK_LENGTH as usize }>, _) =
            codec::decode_prefix(&content).map_err(|_| damaged())?;
        let mut end = content.len() - records.len();
        let mut starts = vec![end];
        for length in &lengths {
            end = end.saturating_add(*length as usize);
            starts.push(end);
        }
        if end != content.len() || size != content.len() {
            return Err(damaged());
        }
        Ok(Self { content, starts })
    }

    /// The record at a place counted from 0; `None` behind the last.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`].
    pub fn record(&self, place: u32) -> Result<Option<Record>, LedgerError> {
        let record = self.bytes_of(place).map(read_record).transpose();
        record.map_err(|_| LedgerError::Damaged { what: "transaction" })
    }

    /// What became of the transaction at a place, without reading the rest of it.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`].
    pub fn outcome(&self, place: u32) -> Result<Option<StoredOutcome>, LedgerError> {
        let outcome = self.bytes_of(place).map(|mut bytes| read_outcome(&mut bytes)).transpose();
        let outcome = outcome.map_err(|_| LedgerError::Damaged { what: "receipt" })?;
        Ok(outcome.map(|(_, outcome)| outcome))
    }

    fn bytes_of(&self, place: u32) -> Option<&[u8]> {
        let place = place as usize;
        self.starts.get(place..place + 2).map(|ends| &self.content[ends[0]..ends[1]])
    }

    /// How many records it holds.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.content.len() + self.starts.len() * size_of::<usize>()
    }
}
