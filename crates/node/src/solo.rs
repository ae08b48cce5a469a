//! The embedded orderer: one validator, whose signature is the certificate.
//!
//! A block starts as soon as something waits: there is no fixed batch time. While a block is being
//! written and fsynced, the next transactions gather, so under load blocks grow by themselves.
//!
//! A header commits to the execution of the block before it. So that what happened can be proven,
//! an empty closing block follows the last transactions: on a virtual clock at once and before the
//! answers, so that the same submissions, sent one after the other, always give the same blocks; on a
//! system clock after a short pause, so that a lone client's next transaction needs no second fsync
//! before it.

use std::thread::JoinHandle;
use std::time::Duration;

use contracts::genesis::Clock;
use ledger::CheckedBlock;
use primitives::header::{Certificate, Header};
use primitives::key::SigningKey;
use primitives::units::Timestamp;

use crate::error::NodeError;
use crate::mempool::Pending;
use crate::orderer::{Answers, Orderer, Ordering};
use crate::service::known_outcomes;

/// How long a system clock's closing block waits for further transactions.
const CLOSING_PAUSE: Duration = Duration::from_millis(5);
/// How long an idle orderer sleeps when nobody wakes it.
const IDLE: Duration = Duration::from_secs(3_600);

/// Orders with one key.
pub struct Solo {
    key: SigningKey,
    warned_of_clock: bool,
    /// The thread that works on a checkpoint.
    beside: Option<JoinHandle<()>>,
}

impl Solo {
    /// An orderer that signs with `key`.
    #[must_use]
    pub const fn new(key: SigningKey) -> Self {
        Self { key, warned_of_clock: false, beside: None }
    }

    /// Makes the waiting transactions final in one block.
    fn order(&mut self, ordering: &Ordering, pending: Vec<Pending>) -> Result<Answers, NodeError> {
        let pending = answer_known(ordering, pending)?;
        if pending.is_empty() {
            return Ok(Answers::default());
        }
        // Rule: a period has ended when the parent's time says so. On a ledger that was quiet since
        // before the period's end, an empty block comes first, so that its first reading is not
        // refused for the age of its parent.
        let time = self.next_time(ordering)?;
        let rules = ordering.ledger.rules();
        if rules.period_at(ordering.ledger.head().header.time) < rules.period_at(time) {
            self.make_block(ordering, time, Vec::new())?.send();
        }
        let time = self.next_time(ordering)?;
        let pending = answer_expired(pending, time);
        if pending.is_empty() {
            return Ok(Answers::default());
        }
        self.make_block(ordering, time, pending)
    }

    /// Makes an empty block whose header commits to the execution of the block before it.
    fn close(&mut self, ordering: &Ordering) -> Result<(), NodeError> {
        let time = self.next_time(ordering)?;
        self.make_block(ordering, time, Vec::new())?.send();
        Ok(())
    }

    fn make_block(
        &self,
        ordering: &Ordering,
        time: Timestamp,
        pending: Vec<Pending>,
    ) -> Result<Answers, NodeError> {
        let mut own = Vec::with_capacity(pending.len());
        let mut transactions = Vec::with_capacity(pending.len());
        for Pending { checked, waiters } in pending {
            own.push((checked.id(), waiters));
            transactions.push(checked);
        }
        let header = ordering.ledger.next_header(self.key.public(), time)?;
        self.require_office(ordering, &header)?;
        let block = CheckedBlock::assemble(header, transactions);
        let certificate = Certificate::solo(block.header(), &self.key);
        ordering.finalized(&block, &certificate, own)
    }

    /// The set may have changed at the end of an epoch: then others order.
    fn require_office(&self, ordering: &Ordering, header: &Header) -> Result<(), NodeError> {
        // The engine's archive would lack the blocks that are ordered without it.
        if !ordering.ledger.head().header.context.is_empty() {
            return Err(NodeError::NotBegunSolo);
        }
        let validators = ordering.ledger.view().validators_at(header.height.get())?.current;
        match validators.keys() {
            [only] if *only == self.key.public() => Ok(()),
            [_] => Err(NodeError::NotTheValidator),
            others => Err(NodeError::NotSolo(others.len())),
        }
    }

    /// Works on a checkpoint, if one was asked for: beside the ordering, or, so that the same submissions
    /// give the same blocks, in line on a virtual clock.
    fn attend_checkpoints(&mut self, ordering: &Ordering, is_virtual: bool) {
        let time = ordering.ledger.head().header.time;
        let Some(work) = ordering.checkpoints.work(ordering, time) else { return };
        if is_virtual {
            return work();
        }
        let thread = std::thread::Builder::new().name("checkpoint".to_owned()).spawn(work);
        match thread {
            // An earlier one has ended: one is computed at a time.
            Ok(thread) => self.beside = Some(thread),
            Err(error) => tracing::error!(%error, "no thread can be had for the checkpoint"),
        }
    }

    fn next_time(&mut self, ordering: &Ordering) -> Result<Timestamp, NodeError> {
        let now = ordering.clock.now();
        let time = ordering.ledger.next_time(now)?;
        let is_system = ordering.ledger.rules().genesis().clock == Clock::System;
        // Rule: a solo node whose clock jumped back goes on with its parent's time + 1 ms and warns.
        if is_system && time.get() > now.get().saturating_add(1_000) {
            ordering.clock.found_behind(time.get() - now.get());
            if !self.warned_of_clock {
                tracing::warn!(
                    behind_ms = time.get() - now.get(),
                    "the system's clock stands behind the newest block: set it right; blocks go on \
                     one millisecond apart meanwhile"
                );
            }
            self.warned_of_clock = true;
        } else {
            self.warned_of_clock = false;
        }
        Ok(time)
    }
}

/// Is the newest header short of committing to the last transactions?
fn needs_closing(ordering: &Ordering) -> bool {
    let head = ordering.ledger.head();
    head.last_non_empty > head.header.executed.height.get()
}

impl Orderer for Solo {
    fn run(&mut self, ordering: &Ordering) -> Result<(), NodeError> {
        let is_virtual = ordering.ledger.rules().genesis().clock == Clock::Virtual;
        ordering.checkpoints.attest_with(self.key.clone());
        ordering.private.keep(&ordering.ledger, &self.key.public())?;
        loop {
            let pause = if needs_closing(ordering) { CLOSING_PAUSE } else { IDLE };
            let taken = ordering.mempool.take(pause);
            let is_over = taken.is_none();
            let pending = taken.unwrap_or_default();
            let is_idle = pending.is_empty();
            let answers = self.order(ordering, pending)?;
            // Under load the block of those who wait already commits to this one.
            let is_alone = is_virtual && ordering.mempool.is_empty();
            if (is_alone || is_idle) && needs_closing(ordering) {
                self.close(ordering)?;
            }
            answers.send();
            self.attend_checkpoints(ordering, is_virtual);
            if is_over {
                ordering.checkpoints.stop();
                // Its end lets go of the store; how it ended says nothing.
                let _ = self.beside.take().map(JoinHandle::join);
                return Ok(());
            }
        }
    }

    fn name(&self) -> &'static str {
        "solo"
    }
}

/// Transactions that were ordered before are answered by their first receipt.
fn answer_known(ordering: &Ordering, pending: Vec<Pending>) -> Result<Vec<Pending>, NodeError> {
    let numbered = pending.iter().map(|one| one.checked.numbered());
    let known = known_outcomes(&ordering.ledger, numbered)?;
    let mut new = Vec::with_capacity(pending.len());
    for (transaction, known) in pending.into_iter().zip(known) {
        match known {
            Some(outcome) => transaction.waiters.answer(&Ok(outcome)),
            None => new.push(transaction),
        }
    }
    Ok(new)
}

/// Transactions that are not valid at the block's time are answered with what is wrong.
fn answer_expired(pending: Vec<Pending>, time: Timestamp) -> Vec<Pending> {
    let mut valid = Vec::with_capacity(pending.len());
    for transaction in pending {
        match transaction.checked.check_time(time) {
            Ok(()) => valid.push(transaction),
            Err(malformed) => transaction.waiters.answer(&Err(malformed.into())),
        }
    }
    valid
}
