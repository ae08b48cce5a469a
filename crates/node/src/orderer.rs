//! The seam between the node and whatever brings transactions into an order.
//!
//! An orderer takes transactions from the mempool and gives final blocks, in order and at least
//! once, to the [`Sink`], which is idempotent by height. Solo orders alone, with one key; the
//! Byzantine fault tolerant one orders with the other validators. Nothing above or below this seam
//! knows which of the two is at work.

use std::sync::Arc;

use ledger::access::{Answer, Reader};
use ledger::{CheckedBlock, Ledger, Verifier};
use primitives::envelope::Submission;
use primitives::header::Certificate;
use primitives::identifier::{KeyAddress, TransactionId};
use primitives::key::PublicKey;
use primitives::units::Sequence;

use crate::checking::Checking;
use crate::checkpoints::Checkpoints;
use crate::clock::WallClock;
use crate::error::NodeError;
use crate::mempool::{Mempool, Submitted, Waiters};
use crate::private::PrivatePayloads;
use crate::service::{Doors, Patience, Sink, answer_known};

/// Answers that wait to be sent. Dropped unsent, they read "the node is stopping".
#[derive(Default)]
#[must_use = "somebody waits for these answers"]
pub struct Answers(pub(crate) Vec<(Waiters, Submitted)>);

impl Answers {
    /// Answers everybody who waits.
    pub fn send(self) {
        for (waiters, answer) in self.0 {
            waiters.answer(&answer);
        }
    }
}

/// What an orderer works with. Copies are handles to the same node.
#[derive(Clone)]
pub struct Ordering {
    /// Transactions that wait.
    pub mempool: Arc<Mempool>,
    /// The ledger: its head, its rules, its next time.
    pub ledger: Arc<Ledger>,
    /// The time of day.
    pub clock: Arc<dyn WallClock>,
    /// Checking work.
    pub verifier: Arc<dyn Verifier>,
    /// Whose turn it is to check what others sent.
    pub checking: Arc<Checking>,
    /// What this node has to do with checkpoints.
    pub checkpoints: Arc<Checkpoints>,
    /// The values of a private ledger that this node holds.
    pub private: Arc<PrivatePayloads>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) doors: Doors,
}

impl Ordering {
    /// Takes transactions that other nodes passed on into the mempool, each batch with the node it
    /// came from: their form is checked, of all batches together, and their senders are known, as with
    /// those that are sent here.
    ///
    /// # Errors
    /// [`NodeError`] when the store cannot be read.
    pub fn offer(&self, passed_on: Vec<(PublicKey, Vec<Submission>)>) -> Result<(), NodeError> {
        Ok(self.doors.0.offer(passed_on)?)
    }

    /// How requests of this node's clients wait for each other from now on.
    pub fn be_patient(&self, patience: Patience) {
        self.doors.0.gathering.be_patient(patience);
    }

    /// Completes when this node has executed `height`.
    pub fn reached(&self, height: u64) -> Answer<()> {
        self.doors.reached(height)
    }

    /// Answers those who wait for transactions that were ordered before, and takes these out of the
    /// mempool. Says of each whether it was; each comes with its key's sequence.
    ///
    /// # Errors
    /// [`NodeError`] when the store cannot be read.
    pub fn answer_known(
        &self,
        transactions: &[(TransactionId, KeyAddress, Sequence)],
    ) -> Result<Vec<bool>, NodeError> {
        Ok(answer_known(&self.ledger, &self.mempool, transactions)?)
    }

    /// Hands a final block over: it is executed, made durable and published. A height at or below
    /// the head is ignored.
    ///
    /// `own` are those who wait at this node for a transaction of this block, by its id and in the
    /// order of the block; they are answered when the orderer sends the returned answers.
    ///
    /// # Errors
    /// [`NodeError`] when the block cannot be executed or written; the node must stop then.
    pub fn finalized(
        &self,
        block: &CheckedBlock,
        certificate: &Certificate,
        own: Vec<(TransactionId, Waiters)>,
    ) -> Result<Answers, NodeError> {
        self.sink.finalized(block, certificate, own)
    }
}

/// Brings transactions into an order.
pub trait Orderer: Send {
    /// Orders until the mempool is closed and empty.
    ///
    /// # Errors
    /// [`NodeError`]; the node stops and says why.
    fn run(&mut self, ordering: &Ordering) -> Result<(), NodeError>;

    /// The orderer's name for status and logs: `solo` or `bft`.
    fn name(&self) -> &'static str;
}
