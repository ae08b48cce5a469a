//! Transactions that wait for a block, and who waits for them.
//!
//! Bounded in number and bytes. A transaction that is sent twice while it waits stands here once and
//! answers both. Whoever takes a batch must give an answer to each of its waiters, or drop them: a
//! dropped waiter reads as "the node is stopping".
//!
//! An orderer that is alone takes what waits ([`Mempool::take`]). One of several proposes copies of it
//! ([`Mempool::select`]) and removes what became final, whoever proposed it ([`Mempool::remove`]);
//! what other nodes pass on waits here too, within a bound for each of them ([`Mempool::offer`]).
//! A node meets a transaction twice, passed on and in a block, in either order; whichever comes second
//! finds what was checked ([`Mempool::known`]).

#![expect(
    clippy::disallowed_types,
    reason = "by id things are looked up only, never walked through"
)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use foldhash::fast::RandomState;
use ledger::block::{MAX_BLOCK_BYTES, MAX_TRANSACTIONS};
use ledger::{CheckedTransaction, Outcome, SubmitError};
use primitives::identifier::{KeyAddress, TransactionId};
use primitives::key::PublicKey;
use primitives::units::Sequence;
use tokio::sync::oneshot;

use crate::signal::Signal;

/// Transactions that may wait: five full blocks.
pub const MAX_WAITING: usize = 5 * MAX_TRANSACTIONS;
/// Bytes that may wait.
pub const MAX_WAITING_BYTES: usize = 8 * MAX_BLOCK_BYTES;
/// Transactions of proposed blocks that are remembered, and their bytes at most.
const MAX_REMEMBERED: usize = MAX_TRANSACTIONS;
const MAX_REMEMBERED_BYTES: usize = MAX_BLOCK_BYTES;
/// Of each other node's transactions, one part in so many of the two bounds above may wait.
pub const PEER_SHARE: usize = 4;

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

#[derive(Debug)]
struct Waiting {
    pending: Pending,
    size: usize,
    /// The node that passed it on; `None` when it was sent here.
    origin: Option<PublicKey>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Share {
    count: usize,
    bytes: usize,
}

#[derive(Default)]
struct Queue {
    /// By their place in the order.
    waiting: BTreeMap<u64, Waiting>,
    tickets: HashMap<TransactionId, u64, RandomState>,
    next_ticket: u64,
    bytes: usize,
    /// What waits of each other node's.
    shares: BTreeMap<PublicKey, Share>,
    is_closed: bool,
    wake: bool,
}

impl Queue {
    fn is_full(&self, size: usize) -> bool {
        self.waiting.len() >= MAX_WAITING || self.bytes + size > MAX_WAITING_BYTES
    }

    fn insert(&mut self, checked: CheckedTransaction, waiters: Waiters, origin: Option<PublicKey>) {
        let (id, size, ticket) = (checked.id(), checked.size(), self.next_ticket);
        self.next_ticket += 1;
        self.bytes += size;
        self.tickets.insert(id, ticket);
        let pending = Pending { checked, waiters };
        self.waiting.insert(ticket, Waiting { pending, size, origin });
    }

    fn get(&self, id: &TransactionId) -> Option<&Waiting> {
        self.waiting.get(self.tickets.get(id)?)
    }

    fn remove(&mut self, id: &TransactionId) -> Option<Pending> {
        let ticket = self.tickets.remove(id)?;
        let Waiting { pending, size, origin } = self.waiting.remove(&ticket)?;
        self.bytes -= size;
        if let Some(origin) = origin {
            self.release(&origin, size);
        }
        Some(pending)
    }

    fn release(&mut self, origin: &PublicKey, size: usize) {
        let Some(share) = self.shares.get_mut(origin) else { return };
        share.count -= 1;
        share.bytes -= size;
        if share.count == 0 {
            self.shares.remove(origin);
        }
    }
}

/// Transactions of proposed blocks, the newest ones.
#[derive(Default)]
struct Remembered {
    order: VecDeque<TransactionId>,
    checked: HashMap<TransactionId, CheckedTransaction, RandomState>,
    bytes: usize,
}

/// The mempool.
#[derive(Default)]
pub struct Mempool {
    queue: Mutex<Queue>,
    remembered: Mutex<Remembered>,
    changed: Condvar,
    /// Counts changes, for those who wait without blocking a thread.
    changes: Signal<u64>,
}

impl Mempool {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds the mempool")
    }

    fn notify(&self) {
        self.changed.notify_all();
        self.changes.modify(|count| *count = count.wrapping_add(1));
    }

    /// Counts what happened: a transaction came in, somebody woke the orderer, the mempool closed.
    pub fn changes(&self) -> u64 {
        self.changes.get()
    }

    /// Completes when something happened since the count was `seen`, and gives the new one.
    pub async fn changed(&self, seen: u64) -> u64 {
        self.changes.wait_for(|count| *count != seen).await
    }

    /// Puts transactions in, all at once, so that those of one request stand together in one block
    /// as far as it has room. The receivers stand in the order of the transactions.
    pub fn push(&self, transactions: Vec<CheckedTransaction>) -> Vec<oneshot::Receiver<Submitted>> {
        let mut receivers = Vec::with_capacity(transactions.len());
        let mut queue = self.queue();
        for checked in transactions {
            let (sender, receiver) = oneshot::channel();
            receivers.push(receiver);
            let (id, size) = (checked.id(), checked.size());
            if let Some(ticket) = queue.tickets.get(&id).copied() {
                let waiting = queue.waiting.get_mut(&ticket).expect("a ticket of what waits");
                waiting.pending.waiters.0.push(sender);
                // From now on it is this node's own, which passes it on itself.
                if let Some(origin) = waiting.origin.take() {
                    queue.release(&origin, size);
                }
                continue;
            }
            let refusal = if queue.is_closed {
                Some(SubmitError::Stopping)
            } else if queue.is_full(size) {
                Some(SubmitError::Overloaded)
            } else {
                None
            };
            if let Some(refusal) = refusal {
                let _ = sender.send(Err(refusal));
                continue;
            }
            queue.insert(checked, Waiters(vec![sender]), None);
        }
        drop(queue);
        self.notify();
        receivers
    }

    /// Takes what other nodes pass on, each transaction with the node it came from, as far as there is
    /// room for it and within that node's share. Nobody waits for these here, so what finds no room is
    /// dropped.
    pub fn offer(&self, transactions: impl IntoIterator<Item = (PublicKey, CheckedTransaction)>) {
        let mut queue = self.queue();
        for (origin, checked) in transactions {
            let size = checked.size();
            let share = queue.shares.get(&origin).copied().unwrap_or_default();
            let is_over_share = share.count >= MAX_WAITING / PEER_SHARE
                || share.bytes + size > MAX_WAITING_BYTES / PEER_SHARE;
            let is_known = queue.tickets.contains_key(&checked.id());
            if is_known || is_over_share || queue.is_closed || queue.is_full(size) {
                continue;
            }
            let share = queue.shares.entry(origin).or_default();
            share.count += 1;
            share.bytes += size;
            queue.insert(checked, Waiters::default(), Some(origin));
        }
        drop(queue);
        self.notify();
    }

    /// Waits until there is something to order, somebody wakes the orderer, or the time is over;
    /// then takes what one block holds. `None` when the mempool is closed and empty.
    pub fn take(&self, at_most: Duration) -> Option<Vec<Pending>> {
        let queue = self.queue();
        let (mut queue, _) = self
            .changed
            .wait_timeout_while(queue, at_most, |queue| {
                queue.waiting.is_empty() && !queue.is_closed && !queue.wake
            })
            .expect("nothing panics while it holds the mempool");
        queue.wake = false;
        if queue.waiting.is_empty() && queue.is_closed {
            return None;
        }
        let mut room = BlockRoom::default();
        let mut taken = Vec::new();
        while let Some((_, first)) = queue.waiting.first_key_value() {
            if !room.take(first.size) {
                break;
            }
            let id = first.pending.checked.id();
            taken.push(queue.remove(&id).expect("it waits"));
        }
        Some(taken)
    }

    /// Copies of what one block holds, oldest first, without those that are excluded. They go on
    /// waiting until they are removed or answered.
    pub fn select(&self, excluded: &dyn Fn(&TransactionId) -> bool) -> Vec<CheckedTransaction> {
        let queue = self.queue();
        let mut room = BlockRoom::default();
        let mut selected = Vec::new();
        for waiting in queue.waiting.values() {
            if excluded(&waiting.pending.checked.id()) {
                continue;
            }
            if !room.take(waiting.size) {
                break;
            }
            selected.push(waiting.pending.checked.clone());
        }
        selected
    }

    /// A transaction that waits.
    pub fn get(&self, id: &TransactionId) -> Option<CheckedTransaction> {
        self.queue().get(id).map(|waiting| waiting.pending.checked.clone())
    }

    /// A transaction that this node has checked: one that waits, or stands in a proposed block.
    pub fn known(&self, id: &TransactionId) -> Option<CheckedTransaction> {
        self.get(id).or_else(|| self.remembered().checked.get(id).cloned())
    }

    /// Remembers transactions that this node met first in a proposed block, and forgets the oldest ones
    /// for them.
    pub fn remember<'a>(&self, transactions: impl Iterator<Item = &'a CheckedTransaction>) {
        let mut remembered = self.remembered();
        for checked in transactions {
            if remembered.checked.contains_key(&checked.id()) {
                continue;
            }
            remembered.checked.insert(checked.id(), checked.clone());
            remembered.order.push_back(checked.id());
            remembered.bytes += checked.size();
            while remembered.order.len() > MAX_REMEMBERED || remembered.bytes > MAX_REMEMBERED_BYTES
            {
                let Some(oldest) = remembered.order.pop_front() else { break };
                let forgotten = remembered.checked.remove(&oldest);
                remembered.bytes -= forgotten.map_or(0, |forgotten| forgotten.size());
            }
        }
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().expect("nothing panics while it holds what is remembered")
    }

    /// Takes transactions out that became final, with those who wait for them, in the order of the ids.
    pub fn remove(
        &self,
        ids: impl Iterator<Item = TransactionId>,
    ) -> Vec<(TransactionId, Waiters)> {
        let mut queue = self.queue();
        let waiters = ids.filter_map(|id| Some((id, queue.remove(&id)?.waiters)));
        waiters.filter(|(_, waiters)| !waiters.0.is_empty()).collect()
    }

    /// Takes a transaction out and answers those who wait for it.
    pub fn answer(&self, id: &TransactionId, answer: &Submitted) {
        let removed = self.queue().remove(id);
        if let Some(pending) = removed {
            pending.waiters.answer(answer);
        }
    }

    /// Transactions that came in since `ticket`, each with its key's sequence, and the ticket to go on
    /// with.
    pub fn since(&self, ticket: u64) -> (Vec<(TransactionId, KeyAddress, Sequence)>, u64) {
        let queue = self.queue();
        let numbered = |(_, waiting): (&u64, &Waiting)| waiting.pending.checked.numbered();
        (queue.waiting.range(ticket..).map(numbered).collect(), queue.next_ticket)
    }

    /// Copies of this node's own transactions with these tickets, at most `bytes` and a block's number
    /// of them but at least one, and the ticket to go on with: what it passes on to other nodes.
    pub fn own(&self, tickets: Range<u64>, bytes: usize) -> (Vec<CheckedTransaction>, u64) {
        let queue = self.queue();
        let mut copies = Vec::new();
        let mut taken = 0;
        let end = tickets.end.min(queue.next_ticket);
        for (ticket, waiting) in queue.waiting.range(tickets) {
            if waiting.origin.is_some() {
                continue;
            }
            let is_full = copies.len() == MAX_TRANSACTIONS || taken + waiting.size > bytes;
            if !copies.is_empty() && is_full {
                return (copies, *ticket);
            }
            taken += waiting.size;
            copies.push(waiting.pending.checked.clone());
        }
        (copies, end)
    }

    /// Is nothing waiting?
    pub fn is_empty(&self) -> bool {
        self.queue().waiting.is_empty()
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.queue().waiting.len()
    }

    /// Wakes the orderer although nothing is waiting: a proof needs a closing block.
    pub fn wake(&self) {
        self.queue().wake = true;
        self.notify();
    }

    /// Takes nothing more. What waits is still ordered, unless it is dropped.
    pub fn close(&self) {
        self.queue().is_closed = true;
        self.notify();
    }

    /// Does it take nothing more?
    pub fn is_closed(&self) -> bool {
        self.queue().is_closed
    }

    /// Drops everything that waits; its waiters read that the node is stopping.
    pub fn abandon(&self) {
        let mut queue = self.queue();
        queue.is_closed = true;
        queue.waiting.clear();
        queue.tickets.clear();
        queue.shares.clear();
        queue.bytes = 0;
        drop(queue);
        self.notify();
    }
}

/// What still goes into one block.
#[derive(Default)]
struct BlockRoom {
    count: usize,
    bytes: usize,
}

impl BlockRoom {
    /// Counts a transaction in, unless the block is full. The first one always fits.
    fn take(&mut self, size: usize) -> bool {
        let fits = self.count < MAX_TRANSACTIONS
            && (self.bytes + size <= MAX_BLOCK_BYTES || self.count == 0);
        if fits {
            self.count += 1;
            self.bytes += size;
        }
        fits
    }
}
