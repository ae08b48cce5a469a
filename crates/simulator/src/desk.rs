//! The one door through which a day reaches its ledger.

use std::sync::Arc;

use ledger::{LedgerError, Outcome, Reader, SubmitError, Submitter, View};
use primitives::envelope::Submission;
use primitives::identifier::TransactionId;
use thiserror::Error;
use tokio::runtime::Handle;

/// Submissions of one [`Desk::submit`] at most.
pub const MAX_BATCH: usize = 1_000;

/// Where a day hands in its transactions and reads what became of them.
pub trait Desk {
    /// Brings a batch into the ledger, in order, and waits until it is executed, durable and
    /// provable. The answers stand in the order of the submissions.
    ///
    /// # Errors
    /// [`DeskError`] when a submission was not ordered. A transaction that broke a rule is no error
    /// here: its outcome carries the code.
    fn submit(&mut self, submissions: Vec<Submission>) -> Result<Vec<Outcome>, DeskError>;

    /// The ledger as it stands.
    ///
    /// # Errors
    /// [`DeskError`] when the node is stopping.
    fn view(&mut self) -> Result<View, DeskError>;
}

/// Why the ledger took nothing or told nothing.
#[derive(Debug, Error)]
pub enum DeskError {
    /// A transaction was not ordered.
    #[error("transaction {transaction} was not ordered: {error}")]
    NotOrdered {
        /// The transaction.
        transaction: TransactionId,
        /// Why.
        error: SubmitError,
    },
    /// There are not as many answers as submissions.
    #[error("{answers} answers to {submissions} submissions")]
    Answers {
        /// Answers that came.
        answers: usize,
        /// Submissions sent.
        submissions: usize,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A desk at a node in this process.
pub struct LedgerDesk {
    submitter: Arc<dyn Submitter>,
    reader: Arc<dyn Reader>,
    runtime: Handle,
}

impl LedgerDesk {
    /// A desk at a node's two doors. It waits for the node's answers on `runtime`, so a day is
    /// played on a thread of its own or in `spawn_blocking`, never inside of an async task.
    #[must_use]
    pub fn new(submitter: Arc<dyn Submitter>, reader: Arc<dyn Reader>, runtime: Handle) -> Self {
        Self { submitter, reader, runtime }
    }
}

impl Desk for LedgerDesk {
    fn submit(&mut self, submissions: Vec<Submission>) -> Result<Vec<Outcome>, DeskError> {
        let ids: Vec<_> = submissions.iter().map(|it| it.transaction.id()).collect();
        let answers = self.runtime.block_on(self.submitter.submit(submissions));
        if answers.len() != ids.len() {
            let (answers, submissions) = (answers.len(), ids.len());
            return Err(DeskError::Answers { answers, submissions });
        }
        let mut outcomes = Vec::with_capacity(ids.len());
        for (transaction, answer) in ids.into_iter().zip(answers) {
            outcomes.push(answer.map_err(|error| DeskError::NotOrdered { transaction, error })?);
        }
        // A header must commit to the batch before the next one comes. Only then does the parent of
        // the next block carry the time of a clock that was just advanced, and only then do the same
        // batches always give the same blocks.
        if let Some(highest) = outcomes.iter().map(|outcome| outcome.position.height).max() {
            self.runtime.block_on(self.reader.provable(highest));
        }
        Ok(outcomes)
    }

    fn view(&mut self) -> Result<View, DeskError> {
        Ok(self.reader.view()?)
    }
}
