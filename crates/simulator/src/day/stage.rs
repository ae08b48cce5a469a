//! Where the story meets the ledger: signing, sending in batches, reading, telling how far it is.

use client::transaction_builder::Signer;
use contracts::{Body, Rejection, Rules, State};
use ledger::Outcome;
use primitives::envelope::Submission;
use primitives::key::SigningKey;
use primitives::units::{MicroPerKilowattHour, MilliHertz, Sequence, Timestamp, WattHours};

use super::DayError;
use crate::demo_keys::{DemoKeys, DemoRole};
use crate::desk::{Desk, MAX_BATCH};
use crate::plan::{DayPlan, SLOTS};
use crate::report::{Phase, Progress};

/// How long a transaction of the story stays valid after the newest block's time.
const VALIDITY_MS: u64 = 12 * 3_600 * 1_000;

/// The ledger as the story sees it.
pub(super) struct Stage<'a> {
    pub plan: &'a DayPlan,
    pub keys: DemoKeys,
    pub rules: Rules,
    desk: &'a mut dyn Desk,
    tell: &'a mut dyn FnMut(&Progress),
    progress: Progress,
    /// The time of the newest block.
    time: Timestamp,
}

impl<'a> Stage<'a> {
    pub fn open(
        plan: &'a DayPlan,
        desk: &'a mut dyn Desk,
        tell: &'a mut dyn FnMut(&Progress),
    ) -> Result<Self, DayError> {
        let view = desk.view()?;
        let progress = Progress {
            phase: Phase::Registration,
            slot: 0,
            slots: SLOTS,
            frequency: None,
            price: None,
            import: WattHours::ZERO,
            export: WattHours::ZERO,
            transactions: 0,
            height: view.height(),
        };
        let (rules, time) = (view.rules().clone(), view.head().header.time);
        Ok(Self { plan, keys: plan.keys(), rules, desk, tell, progress, time })
    }

    /// A signer with a demonstration key that has not acted yet.
    pub fn signer(&self, role: DemoRole, index: u32) -> Signer {
        Signer::new(self.keys.key(role, index), self.rules.ledger_id(), Sequence::new(1))
    }

    /// A signed transaction without payload.
    pub fn sign(
        &self,
        signer: &mut Signer,
        body: impl Into<Body>,
        cosigners: &[&SigningKey],
    ) -> Result<Submission, DayError> {
        let valid_until = self.time.plus_milliseconds(VALIDITY_MS)?;
        Ok(signer.submission(body, Vec::new(), cosigners, valid_until)?)
    }

    /// Sends transactions in order, in batches that are awaited one after the other; each of them
    /// must be accepted.
    pub fn send(
        &mut self,
        step: &'static str,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Outcome>, DayError> {
        let mut outcomes = Vec::with_capacity(submissions.len());
        let mut submissions = submissions.into_iter().peekable();
        while submissions.peek().is_some() {
            let batch = submissions.by_ref().take(MAX_BATCH).collect();
            for outcome in self.desk.submit(batch)? {
                require_accepted(step, &outcome)?;
                outcomes.push(outcome);
                self.progress.transactions += 1;
            }
            let view = self.desk.view()?;
            self.time = view.head().header.time;
            self.progress.height = view.height();
            (self.tell)(&self.progress);
        }
        Ok(outcomes)
    }

    /// Reads the state with the typed access of the rules.
    pub fn read<T>(&mut self, query: impl FnOnce(&dyn State) -> T) -> Result<T, DayError> {
        Ok(self.desk.view()?.read(query)?)
    }

    /// The ledger as it stands.
    pub fn view(&mut self) -> Result<ledger::View, DayError> {
        Ok(self.desk.view()?)
    }

    /// A new act begins.
    pub fn enter(&mut self, phase: Phase) {
        self.progress.phase = phase;
        (self.tell)(&self.progress);
    }

    /// A slot is over: number (from 1), frequency, price, and what the homes drew and injected.
    pub fn slot_over(
        &mut self,
        slot: u16,
        frequency: MilliHertz,
        price: MicroPerKilowattHour,
        (import, export): (WattHours, WattHours),
    ) -> Result<(), DayError> {
        self.progress.slot = slot;
        self.progress.frequency = Some(frequency);
        self.progress.price = Some(price);
        self.progress.import = self.progress.import.checked_add(import)?;
        self.progress.export = self.progress.export.checked_add(export)?;
        (self.tell)(&self.progress);
        Ok(())
    }

    /// Transactions accepted so far.
    pub const fn transactions(&self) -> u64 {
        self.progress.transactions
    }
}

fn require_accepted(step: &'static str, outcome: &Outcome) -> Result<(), DayError> {
    if outcome.code == 0 {
        return Ok(());
    }
    let (rule, text) = rule(outcome.code);
    let (transaction, code) = (outcome.id, outcome.code);
    Err(DayError::Rejected { step, transaction, code, rule, text })
}

/// Name and text of a rule.
pub(super) fn rule(code: u16) -> (&'static str, &'static str) {
    let known = Rejection::ALL.iter().find(|(number, _, _)| *number == code);
    known.map_or(("UnknownRule", "this program does not know the rule"), |(_, name, text)| {
        (name, text)
    })
}
