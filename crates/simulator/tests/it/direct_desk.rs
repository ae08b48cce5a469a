//! A desk without a node: each batch becomes one block and a closing block on a ledger in memory,
//! as the solo orderer makes them on a virtual clock.

use std::sync::Arc;

use contracts::Position;
use ledger::store::MemoryStore;
use ledger::{CheckedBlock, CheckedTransaction, InLine, Ledger, Outcome, View};
use primitives::envelope::Submission;
use primitives::hash::Hash;
use primitives::header::Certificate;
use primitives::key::SigningKey;
use primitives::units::Timestamp;
use simulator::demo_keys::DemoRole;
use simulator::desk::MAX_BATCH;
use simulator::{DayPlan, Desk, DeskError, genesis};

/// A ledger in memory and its one validator.
pub struct DirectDesk {
    pub ledger: Arc<Ledger>,
    validator: SigningKey,
}

impl DirectDesk {
    /// A new ledger with the genesis of the plan.
    pub fn new(plan: &DayPlan) -> Self {
        let store = Arc::new(MemoryStore::new());
        let ledger = Ledger::open(store, Some(genesis(plan).unwrap())).unwrap();
        let validator = plan.keys().key(DemoRole::Validator, 0);
        Self { ledger: Arc::new(ledger), validator }
    }

    fn append(&self, transactions: Vec<CheckedTransaction>) -> Result<u64, DeskError> {
        let time = self.ledger.next_time(Timestamp::ZERO)?;
        let header = self.ledger.next_header(self.validator.public(), time)?;
        let block = CheckedBlock::assemble(header, transactions);
        let certificate = Certificate::solo(block.header(), &self.validator);
        self.ledger.append(&block, &certificate)?;
        Ok(block.header().height.get())
    }
}

impl Desk for DirectDesk {
    fn submit(&mut self, submissions: Vec<Submission>) -> Result<Vec<Outcome>, DeskError> {
        assert!((1..=MAX_BATCH).contains(&submissions.len()), "a batch of {}", submissions.len());
        let (rules, verifier) = (self.ledger.rules(), InLine::default());
        let checked = CheckedTransaction::check_many(submissions, rules, &verifier);
        let checked = checked.into_iter().map(|it| it.expect("the story's form is right"));
        let height = self.append(checked.collect())?;
        let receipts = self.ledger.view().receipts(height)?;
        self.append(Vec::new())?;
        let outcome = |(index, receipt): (u32, primitives::receipt::Receipt)| Outcome {
            id: receipt.transaction,
            position: Position { height, index },
            code: receipt.code,
        };
        Ok((0..).zip(receipts).map(outcome).collect())
    }

    fn view(&mut self) -> Result<View, DeskError> {
        Ok(self.ledger.view())
    }
}

/// The hashes of all headers of a ledger from height 1 on.
pub fn header_hashes(ledger: &Ledger) -> Vec<Hash> {
    let view = ledger.view();
    (1..=view.height()).map(|height| view.header(height).unwrap().unwrap().hash()).collect()
}
