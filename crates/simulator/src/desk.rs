//! The one door through which a day reaches its ledger.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use ledger::{LedgerError, Outcome, Reader, SubmitError, Submitter, View};
use primitives::envelope::Submission;
use primitives::identifier::TransactionId;
use thiserror::Error;

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
}

impl LedgerDesk {
    /// A desk at a node's two doors.
    #[must_use]
    pub fn new(submitter: Arc<dyn Submitter>, reader: Arc<dyn Reader>) -> Self {
        Self { submitter, reader }
    }
}

impl Desk for LedgerDesk {
    fn submit(&mut self, submissions: Vec<Submission>) -> Result<Vec<Outcome>, DeskError> {
        let ids: Vec<_> = submissions.iter().map(|it| it.transaction.id()).collect();
        let answers = wait_for(self.submitter.submit(submissions));
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
            wait_for(self.reader.provable(highest));
        }
        Ok(outcomes)
    }

    fn view(&mut self) -> Result<View, DeskError> {
        Ok(self.reader.view()?)
    }
}

/// Runs a future to its end on this thread, which sleeps while nothing happens.
///
/// The node's answers come from its own threads; nothing here needs a runtime.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ready only when polled after a wake from another thread.
    #[test]
    fn a_future_that_another_thread_completes_is_waited_for() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut asked = false;
        let future = std::future::poll_fn(move |context: &mut Context<'_>| {
            if !asked {
                asked = true;
                let (waker, sender) = (context.waker().clone(), sender.clone());
                thread::spawn(move || {
                    sender.send(7).expect("the receiver waits");
                    waker.wake();
                });
            }
            receiver.try_recv().map_or(Poll::Pending, Poll::Ready)
        });
        assert_eq!(wait_for(future), 7);
    }
}
