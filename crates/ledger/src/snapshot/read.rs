//! Reading a snapshot from its beginning to its end, and checking all of it on the way.
//!
//! Nothing is asked of anybody, and nothing of it is believed: the checkpoint is proven to an anchor,
//! the rows are held against the checkpoint, and each block against the header that the next one
//! names, up to the anchor. Form and signatures of every transaction are checked as when it was
//! ordered, receipts against the accumulator of the headers, certificates against the validators of
//! their epochs. What is not done here is executing.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::RangeBounds;
use std::sync::atomic::{AtomicBool, Ordering};

use contracts::{Event, Rules};
use primitives::codec;
use primitives::hash::Hash;
use primitives::header::{Header, ValidatorSet};
use primitives::identifier::LedgerId;
use primitives::merkle::{Frontier, leaf_hash};
use primitives::proof::{TrustedGenesis, verify_event};
use primitives::receipt::{Receipt, block_leaf, receipts_tree};
use primitives::units::{BlockHeight, Timestamp};

use super::frames::{FrameReader, Kind, unpacked};
use super::{Checkpoint, MAGIC, Manifest, SNAPSHOT_VERSION, SnapshotError, rows};
use crate::block::{check_certificate, check_link};
use crate::check::{CheckedTransaction, Verifier};
use crate::error::LedgerError;
use crate::history::{History, OpenChunks};
use crate::layout::{self, SealedHeader};
use crate::store::{Keyspace, Row, Scan, Snapshot, StoreError};

/// Blocks in a row that may be final through a later one only.
const MAX_UNCERTIFIED: u32 = 256;

/// What a right snapshot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The height of the checkpoint whose state it holds.
    pub height: BlockHeight,
    /// The root that the validators agreed on.
    pub root: Hash,
    /// Rows of the state.
    pub rows: u64,
    /// The last block, which anchors the proof.
    pub anchor_height: BlockHeight,
    /// Its time.
    pub anchor_time: Timestamp,
    /// Was the ledger compared with one that the reader trusts?
    pub anchored: bool,
}

/// A block of a snapshot whose rows were checked.
pub struct HistoryBlock<'a> {
    /// Header and certificate.
    pub sealed: &'a SealedHeader,
    /// Its rows, as they are stored.
    pub rows: Vec<(Keyspace, Row)>,
    /// Its transactions, as far as they were not pruned.
    pub transactions: Vec<CheckedTransaction>,
    /// What became of each.
    pub receipts: Vec<Receipt>,
}

/// Who takes what a snapshot holds, in the order in which it is checked.
pub trait Receive {
    /// The manifest: its proof holds.
    ///
    /// # Errors
    /// [`SnapshotError`]; reading ends.
    fn begin(&mut self, _manifest: &Manifest) -> Result<(), SnapshotError> {
        Ok(())
    }

    /// Rows of the state. They are right when all were given.
    ///
    /// # Errors
    /// [`SnapshotError`]; reading ends.
    fn state(&mut self, _rows: Vec<(Keyspace, Row)>) -> Result<(), SnapshotError> {
        Ok(())
    }

    /// A block, after the whole state and the blocks before it.
    ///
    /// # Errors
    /// [`SnapshotError`]; reading ends.
    fn block(&mut self, _block: HistoryBlock<'_>) -> Result<(), SnapshotError> {
        Ok(())
    }
}

/// Takes nothing.
struct Nobody;

impl Receive for Nobody {}

/// Checks a snapshot. With a `trusted` ledger the result is anchored; without one it is right in
/// itself, and anybody could have made it.
///
/// # Errors
/// [`SnapshotError`], naming the first thing that is wrong.
pub fn verify(
    input: impl Read,
    trusted: Option<LedgerId>,
    verifier: &dyn Verifier,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verified, SnapshotError> {
    walk(input, trusted, verifier, &mut Nobody, progress)
}

/// Reads a snapshot to its end and compares the hashes of its frames: it is whole, as it was written. What
/// it says is not looked at.
///
/// # Errors
/// [`SnapshotError`].
pub fn read_frames(mut input: impl Read) -> Result<Manifest, SnapshotError> {
    let mut frames = begin(&mut input)?;
    let manifest = read_manifest(frames.take()?)?;
    frames.skip_to_end()?;
    Ok(manifest)
}

fn begin<R: Read>(mut input: R) -> Result<FrameReader<R>, SnapshotError> {
    let mut magic = [0; MAGIC.len()];
    let found = input.read_exact(&mut magic);
    if found.is_err() || magic != *MAGIC {
        return Err(SnapshotError::NotASnapshot);
    }
    Ok(FrameReader::new(input))
}

/// Reads and checks a snapshot, and gives its content to `receiver` on the way. `progress` is told the
/// height and the last one.
///
/// # Errors
/// [`SnapshotError`], naming the first thing that is wrong, or what the receiver says.
pub fn walk(
    input: impl Read,
    trusted: Option<LedgerId>,
    verifier: &dyn Verifier,
    receiver: &mut dyn Receive,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verified, SnapshotError> {
    let mut frames = begin(input)?;
    let manifest = read_manifest(frames.take()?)?;
    let verified = check_manifest(&manifest, trusted)?;
    let rules = Rules::new(manifest.genesis.clone()).map_err(LedgerError::from)?;
    receiver.begin(&manifest)?;
    let mut state = StateCheck::default();
    let mut blocks = BlockCheck::new(&manifest, &rules, verifier);
    while let Some((kind, content)) = frames.take()? {
        let content = unpacked(&content)?;
        let damaged = |_| SnapshotError::Damaged { what: "a row" };
        match kind {
            Kind::State if !blocks.has_begun() => {
                let rows = rows::read(&content).map_err(damaged)?;
                state.part(&content, &rows)?;
                receiver.state(rows)?;
            }
            Kind::Blocks => {
                state.require(&manifest.checkpoint)?;
                blocks.part(rows::read(&content).map_err(damaged)?, receiver)?;
                progress(blocks.height(), verified.anchor_height.get());
            }
            _ => return Err(SnapshotError::Wrong("its parts come in another order".to_owned())),
        }
    }
    if blocks.height() != verified.anchor_height.get() {
        return Err(SnapshotError::Wrong("blocks are missing at its end".to_owned()));
    }
    Ok(verified)
}

fn read_manifest(frame: Option<(Kind, Vec<u8>)>) -> Result<Manifest, SnapshotError> {
    let content = frame.filter(|(kind, _)| *kind == Kind::Manifest).map(|(_, content)| content);
    let content = content.ok_or(SnapshotError::NotASnapshot)?;
    let (version, _) =
        codec::decode_prefix::<u32>(&content).map_err(|_| SnapshotError::NotASnapshot)?;
    if version != SNAPSHOT_VERSION {
        return Err(SnapshotError::NotASnapshot);
    }
    codec::decode(&content).map_err(|_| SnapshotError::Damaged { what: "its manifest" })
}

/// The proof leads from the genesis to an event that names this very checkpoint.
fn check_manifest(
    manifest: &Manifest,
    trusted: Option<LedgerId>,
) -> Result<Verified, SnapshotError> {
    let Manifest { genesis, checkpoint, proof, .. } = manifest;
    let found = genesis.ledger_id();
    if let Some(wanted) = trusted.filter(|wanted| *wanted != found) {
        return Err(SnapshotError::OtherLedger { found, wanted });
    }
    let first = TrustedGenesis { ledger_id: found, validators: genesis.validators.clone() };
    let event = verify_event(Some(&first), proof)?;
    let (height, root) = match codec::decode(&proof.event) {
        Ok(Event::CheckpointAgreed { height, root }) => (height, root),
        _ => return Err(SnapshotError::Wrong("its proof is not of a checkpoint".to_owned())),
    };
    if checkpoint.root() != root || checkpoint.height() != height.get() {
        let reason = "its checkpoint is not the one that the validators agreed on";
        return Err(SnapshotError::Wrong(reason.to_owned()));
    }
    Ok(Verified {
        ledger_id: found,
        height,
        root,
        rows: checkpoint.rows,
        anchor_height: event.anchor_height,
        anchor_time: event.anchor_time,
        anchored: trusted.is_some(),
    })
}

/// The rows of the state, as they come.
#[derive(Default)]
struct StateCheck {
    tree: Frontier,
    rows: u64,
    is_right: bool,
}

impl StateCheck {
    fn part(&mut self, content: &[u8], rows: &[(Keyspace, Row)]) -> Result<(), SnapshotError> {
        if let Some((space, _)) =
            rows.iter().find(|(space, row)| !rows::is_of_state(*space, &row.0))
        {
            let reason = format!("a row of {} stands among those of the state", space.name());
            return Err(SnapshotError::Wrong(reason));
        }
        self.tree.append(leaf_hash(content));
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// All rows were given: they must be those that were agreed on.
    fn require(&mut self, checkpoint: &Checkpoint) -> Result<(), SnapshotError> {
        self.is_right |= self.tree == checkpoint.parts && self.rows == checkpoint.rows;
        if self.is_right {
            return Ok(());
        }
        let reason = "the rows of the state are not those that the validators agreed on";
        Err(SnapshotError::Wrong(reason.to_owned()))
    }
}

/// The blocks, as they come.
struct BlockCheck<'a> {
    manifest: &'a Manifest,
    rules: &'a Rules,
    verifier: &'a dyn Verifier,
    parent: Header,
    parent_hash: Hash,
    /// Who validates the epoch of the next block.
    validators: ValidatorSet,
    accumulator: Frontier,
    /// Roots of the accumulator to which later headers may still commit, by height.
    roots: BTreeMap<u64, Hash>,
    uncertified: u32,
}

impl<'a> BlockCheck<'a> {
    fn new(manifest: &'a Manifest, rules: &'a Rules, verifier: &'a dyn Verifier) -> Self {
        let parent = manifest.genesis.header();
        let accumulator = Frontier::default();
        Self {
            rules,
            verifier,
            parent_hash: parent.hash(),
            roots: BTreeMap::from([(0, parent.executed.receipts)]),
            parent,
            validators: manifest.genesis.validators.clone(),
            accumulator,
            uncertified: 0,
            manifest,
        }
    }

    const fn height(&self) -> u64 {
        self.parent.height.get()
    }

    const fn has_begun(&self) -> bool {
        self.height() > 0
    }

    /// Rows of one or several whole blocks.
    fn part(
        &mut self,
        rows: Vec<(Keyspace, Row)>,
        receiver: &mut dyn Receive,
    ) -> Result<(), SnapshotError> {
        let mut rows = rows.into_iter().peekable();
        while let Some((_, (key, _))) = rows.peek() {
            let height = rows::height_of(key);
            if height != Some(self.height() + 1) {
                return Err(self.wrong("its rows are missing or stand in another order"));
            }
            let mut of_block = Vec::new();
            while let Some(row) = rows.next_if(|(_, (key, _))| rows::height_of(key) == height) {
                of_block.push(row);
            }
            self.block(of_block, receiver)?;
        }
        Ok(())
    }

    fn wrong(&self, reason: impl std::fmt::Display) -> SnapshotError {
        SnapshotError::Wrong(format!("block {}: {reason}", self.height() + 1))
    }

    fn block(
        &mut self,
        rows: Vec<(Keyspace, Row)>,
        receiver: &mut dyn Receive,
    ) -> Result<(), SnapshotError> {
        let height = self.height() + 1;
        let stored = BlockRows::new(rows).ok_or_else(|| self.wrong("a row stands twice in it"))?;
        let sealed = stored.get(Keyspace::Blocks, &layout::block(height))?;
        let sealed = sealed.ok_or_else(|| self.wrong("it has no header"))?;
        let sealed: SealedHeader = layout::row(&sealed, "header")?;
        check_link(&sealed.header, &self.parent, self.parent_hash, self.rules)
            .map_err(|reason| self.wrong(reason))?;
        self.check_finality(&sealed)?;
        let (transactions, receipts) = self.check_content(&stored, &sealed)?;
        if !stored.were_all_read() {
            return Err(self.wrong("rows stand in it that belong to no transaction"));
        }
        self.check_execution(&sealed.header, &receipts)?;
        let hash = sealed.header.hash();
        self.check_bounds(&sealed.header, hash)?;
        receiver.block(HistoryBlock {
            sealed: &sealed,
            rows: stored.into_rows(),
            transactions,
            receipts,
        })?;
        self.parent = sealed.header;
        self.parent_hash = hash;
        Ok(())
    }

    /// The certificate, when it has one, and the validators that the header names.
    fn check_finality(&mut self, sealed: &SealedHeader) -> Result<(), SnapshotError> {
        let header = &sealed.header;
        let height = header.height.get();
        let changes = &self.manifest.proof.set_changes;
        let change = changes.iter().find(|change| change.header.height == header.height);
        let next = change.map_or(&self.validators, |change| &change.next_validators);
        let is_last = self.rules.epoch_of(height + 1) > header.epoch;
        if header.validators_hash != self.validators.hash()
            || is_last && header.next_validators_hash != next.hash()
        {
            return Err(self.wrong("it names other validators than the chain before it"));
        }
        if sealed.certificate.is_absent() {
            self.uncertified += 1;
            if self.uncertified > MAX_UNCERTIFIED {
                return Err(self.wrong("neither it nor a block soon after it has a certificate"));
            }
        } else {
            check_certificate(header, &sealed.certificate, &self.validators)?;
            self.uncertified = 0;
        }
        if is_last && let Some(change) = change {
            self.validators = change.next_validators.clone();
        }
        Ok(())
    }

    /// Transactions, payloads and receipts.
    fn check_content(
        &self,
        stored: &BlockRows,
        sealed: &SealedHeader,
    ) -> Result<(Vec<CheckedTransaction>, Vec<Receipt>), SnapshotError> {
        let history = History { snapshot: stored, open: &OpenChunks::default() };
        let (submissions, receipts) =
            history.block(sealed.header.height.get(), sealed.transactions)?;
        let answers = CheckedTransaction::check_many(submissions, self.rules, self.verifier);
        let mut transactions = Vec::with_capacity(answers.len());
        for answer in answers {
            let checked = answer.map_err(|malformed| self.wrong(malformed))?;
            checked.check_time(sealed.header.time).map_err(|malformed| self.wrong(malformed))?;
            transactions.push(checked);
        }
        let ids: Vec<_> = receipts.iter().map(|receipt| receipt.transaction).collect();
        if primitives::envelope::transactions_root(&ids) != sealed.header.transactions_root {
            return Err(self.wrong("its transactions do not hash to their root"));
        }
        let above = sealed.header.height.get() > self.manifest.checkpoint.height();
        if above && transactions.len() != receipts.len() {
            return Err(self.wrong("transactions are missing that are to be executed"));
        }
        Ok((transactions, receipts))
    }

    /// The receipts against the accumulator to which headers commit.
    fn check_execution(
        &mut self,
        header: &Header,
        receipts: &[Receipt],
    ) -> Result<(), SnapshotError> {
        let executed = &header.executed;
        if self.roots.get(&executed.height.get()) != Some(&executed.receipts) {
            return Err(self.wrong("it commits to other receipts than those before it"));
        }
        self.accumulator.append(block_leaf(&receipts_tree(receipts)));
        self.roots = self.roots.split_off(&executed.height.get());
        self.roots.insert(header.height.get(), self.accumulator.root());
        Ok(())
    }

    /// The checkpoint and the anchor are blocks of this chain.
    fn check_bounds(&self, header: &Header, hash: Hash) -> Result<(), SnapshotError> {
        let checkpoint = &self.manifest.checkpoint.head;
        let anchor = &self.manifest.proof.anchor.header;
        let at_checkpoint = header.height == checkpoint.header.height;
        if at_checkpoint && (hash != checkpoint.hash || self.accumulator != checkpoint.frontier) {
            return Err(self.wrong("it is not the block of the checkpoint"));
        }
        if header.height > anchor.height || header.height == anchor.height && header != anchor {
            return Err(self.wrong("it is not a block of the chain that the proof is anchored in"));
        }
        Ok(())
    }
}

/// The rows of one block, read like a store; each one remembers whether it was.
struct BlockRows(BTreeMap<(Keyspace, Vec<u8>), (Vec<u8>, AtomicBool)>);

impl BlockRows {
    /// `None` when a key stands twice.
    fn new(rows: Vec<(Keyspace, Row)>) -> Option<Self> {
        let count = rows.len();
        let rows: BTreeMap<_, _> = rows
            .into_iter()
            .map(|(space, (key, value))| ((space, key), (value, AtomicBool::new(false))))
            .collect();
        (rows.len() == count).then_some(Self(rows))
    }

    /// Does nothing stand in it that belongs to no transaction?
    fn were_all_read(&self) -> bool {
        self.0.values().all(|(_, was_read)| was_read.load(Ordering::Relaxed))
    }

    fn into_rows(self) -> Vec<(Keyspace, Row)> {
        self.0.into_iter().map(|((space, key), (value, _))| (space, (key, value))).collect()
    }
}

impl Snapshot for BlockRows {
    fn get(&self, space: Keyspace, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(&(space, key.to_vec())).map(|(value, was_read)| {
            was_read.store(true, Ordering::Relaxed);
            value.clone()
        }))
    }

    fn range(&self, space: Keyspace, scan: &Scan) -> Result<Vec<Row>, StoreError> {
        let Some(bounds) = scan.bounds() else { return Ok(Vec::new()) };
        let of_space = self.0.iter().filter(|((of, _), _)| *of == space);
        let found =
            of_space.filter(|((_, key), _)| RangeBounds::<[u8]>::contains(&bounds, &key[..]));
        scan.collect(found, |((_, key), (value, _))| Ok(Some((key.clone(), value.clone()))))
    }
}
