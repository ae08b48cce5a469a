//! Transactions that wait for a block, and who waits for them.
//!
//! Bounded in number and bytes. A transaction that is sent twice while it waits stands here once and
//! answers both. Whoever takes a batch must give an answer to each of its waiters, or drop them: a
//! dropped waiter reads as "the node is stopping".

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use ledger::block::{MAX_BLOCK_BYTES, MAX_TRANSACTIONS};
use ledger::{CheckedTransaction, Outcome, SubmitError};
use primitives::identifier::TransactionId;
use tokio::sync::oneshot;

/// Transactions that may wait: five full blocks.
pub const MAX_WAITING: usize = 5 * MAX_TRANSACTIONS;
/// Bytes that may wait.
pub const MAX_WAITING_BYTES: usize = 8 * MAX_BLOCK_BYTES;

/// The answer to one submission.
pub type Submitted = Result<Outcome, SubmitError>;

/// A transaction taken from the mempool, with those who wait for it.
#[derive(Debug)]
pub struct Pending {
    /// The transaction.
    pub checked: CheckedTransaction,
    /// Who waits.
    pub waiters: Waiters,
}

/// Those who wait for one transaction.
#[derive(Debug, Default)]
pub struct Waiters(Vec<oneshot::Sender<Submitted>>);

impl Waiters {
    /// Answers everybody who waits.
    pub fn answer(self, answer: &Submitted) {
        for waiter in self.0 {
            // Who has gone away needs no answer.
            let _ = waiter.send(answer.clone());
        }
    }
}

#[derive(Default)]
struct Queue {
    order: VecDeque<TransactionId>,
    waiting: BTreeMap<TransactionId, (Pending, usize)>,
    bytes: usize,
    is_closed: bool,
    wake: bool,
}

/// The mempool.
#[derive(Default)]
pub struct Mempool {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Mempool {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds the mempool")
    }

    /// Puts transactions in, all at once, so that those of one request stand together in one block
    /// as far as it has room. The receivers stand in the order of the transactions.
    pub fn push(&self, transactions: Vec<CheckedTransaction>) -> Vec<oneshot::Receiver<Submitted>> {
        let mut receivers = Vec::with_capacity(transactions.len());
        let mut queue = self.queue();
        for checked in transactions {
            let (sender, receiver) = oneshot::channel();
            receivers.push(receiver);
            let id = checked.id();
            if let Some((pending, _)) = queue.waiting.get_mut(&id) {
                pending.waiters.0.push(sender);
                continue;
            }
            let size = checked.size();
            let refusal = if queue.is_closed {
                Some(SubmitError::Stopping)
            } else if queue.order.len() >= MAX_WAITING || queue.bytes + size > MAX_WAITING_BYTES {
                Some(SubmitError::Overloaded)
            } else {
                None
            };
            if let Some(refusal) = refusal {
                let _ = sender.send(Err(refusal));
                continue;
            }
            queue.bytes += size;
            queue.order.push_back(id);
            queue.waiting.insert(id, (Pending { checked, waiters: Waiters(vec![sender]) }, size));
        }
        drop(queue);
        self.changed.notify_all();
        receivers
    }

    /// Waits until there is something to order, somebody wakes the orderer, or the time is over;
    /// then takes what one block holds. `None` when the mempool is closed and empty.
    pub fn take(&self, at_most: Duration) -> Option<Vec<Pending>> {
        let queue = self.queue();
        let (mut queue, _) = self
            .changed
            .wait_timeout_while(queue, at_most, |queue| {
                queue.order.is_empty() && !queue.is_closed && !queue.wake
            })
            .expect("nothing panics while it holds the mempool");
        queue.wake = false;
        if queue.order.is_empty() && queue.is_closed {
            return None;
        }
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(id) = queue.order.front().copied() {
            let size = queue.waiting[&id].1;
            if taken.len() == MAX_TRANSACTIONS
                || (bytes + size > MAX_BLOCK_BYTES && !taken.is_empty())
            {
                break;
            }
            queue.order.pop_front();
            let (pending, _) = queue.waiting.remove(&id).expect("the order lists what waits");
            queue.bytes -= size;
            bytes += size;
            taken.push(pending);
        }
        Some(taken)
    }

    /// Is nothing waiting?
    pub fn is_empty(&self) -> bool {
        self.queue().order.is_empty()
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.queue().order.len()
    }

    /// Wakes the orderer although nothing is waiting: a proof needs a closing block.
    pub fn wake(&self) {
        self.queue().wake = true;
        self.changed.notify_all();
    }

    /// Takes nothing more. What waits is still ordered, unless it is dropped.
    pub fn close(&self) {
        self.queue().is_closed = true;
        self.changed.notify_all();
    }

    /// Drops everything that waits; its waiters read that the node is stopping.
    pub fn abandon(&self) {
        let mut queue = self.queue();
        queue.is_closed = true;
        queue.order.clear();
        queue.waiting.clear();
        queue.bytes = 0;
        drop(queue);
        self.changed.notify_all();
    }
}
