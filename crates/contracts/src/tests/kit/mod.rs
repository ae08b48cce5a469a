//! The test kit: a state in memory, drafts of transactions, what became of them, and tables of cases.
//!
//! Start reading at [`Network`]: a whole small network with named members, to which a test sends
//! drafts and looks at the outcome. The kit serves the unit tests of this crate and, by path, its
//! integration tests, so it uses nothing but the crate's public interface.
//!
//! ```text
//! let mut network = Network::new();
//! let outcome = network.accept(&by(&[&network.grid.key], PublishFrequency { … }));
//! network.check(&[(draft, breaks(Rejection::PartyUnknown)), (draft, emits(&["DaySealed"]))]);
//! ```
#![allow(
    dead_code,
    unused_imports,
    reason = "two test binaries share it and neither uses all of it"
)]

mod council;
pub mod golden;
mod members;
mod network;
mod private;
mod terms;

use std::collections::BTreeMap;

use borsh::BorshSerialize;
use contracts::reach::named_by;
use contracts::state::Writes;
use contracts::{Body, Event, Malformed, Position, State};
use primitives::codec;
use primitives::envelope::SignedTransaction;
use primitives::hash::Hash;
use primitives::identifier::TransactionId;

pub use contracts::Rejection;
pub use council::{other_ledger, seats};
pub use members::{Home, Member, genesis, kolkata, madrid};
pub use network::{Network, curve, flat, hertz, reading};
pub use primitives::key::SigningKey;
pub use private::private_genesis;
pub use terms::full;

/// A key that follows from a name.
pub fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(*Hash::of(name.as_bytes()).as_bytes())
}

/// The state in memory, with the history of transactions and payloads.
#[derive(Clone, Default)]
pub struct Memory {
    pub entries: BTreeMap<Vec<u8>, Vec<u8>>,
    history: BTreeMap<Position, (SignedTransaction, Option<Vec<u8>>)>,
    /// How many rows name each transaction: what none names is as good as pruned.
    named: BTreeMap<Position, usize>,
}

impl Memory {
    pub fn remember(
        &mut self,
        position: Position,
        transaction: SignedTransaction,
        payload: Vec<u8>,
    ) {
        self.history.insert(position, (transaction, Some(payload)));
    }

    /// The transaction at a position, named or not.
    pub fn ordered(&self, position: Position) -> &SignedTransaction {
        &self.history[&position].0
    }

    /// Erases every payload, as the law may ask.
    pub fn erase_payloads(&mut self) {
        for (_, payload) in self.history.values_mut() {
            *payload = None;
        }
    }

    pub fn apply(&mut self, writes: &Writes) {
        for (key, value) in writes {
            match value {
                Some(value) => self.put(key.clone(), value.clone()),
                None => self.delete(key),
            }
        }
    }

    fn forget_names(&mut self, key: &[u8], value: Option<Vec<u8>>) {
        let names = value.map(|value| named_by(key, &value).expect("written by the rules"));
        for position in names.unwrap_or_default() {
            let count = self.named.get_mut(&position).expect("counted when it was named");
            *count -= 1;
            if *count == 0 {
                self.named.remove(&position);
            }
        }
    }

    /// A node that prunes keeps nothing but what rows name; a rule that reads more would differ there.
    #[track_caller]
    fn require_named(&self, position: Position) {
        assert!(self.named.contains_key(&position), "no row names {position:?}: see reach.rs");
    }
}

impl State for Memory {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.entries.get(key).cloned()
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        for position in named_by(&key, &value).expect("written by the rules") {
            *self.named.entry(position).or_default() += 1;
        }
        let former = self.entries.insert(key.clone(), value);
        self.forget_names(&key, former);
    }

    fn delete(&mut self, key: &[u8]) {
        let former = self.entries.remove(key);
        self.forget_names(key, former);
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.entries
            .range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after))
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    fn payload(&self, position: Position) -> Option<Vec<u8>> {
        self.require_named(position);
        self.history.get(&position).and_then(|(_, payload)| payload.clone())
    }

    fn transaction(&self, position: Position) -> Option<SignedTransaction> {
        self.require_named(position);
        self.history.get(&position).map(|(transaction, _)| transaction.clone())
    }

    fn emit(&mut self, _event: Event) {
        unreachable!("an overlay collects the events");
    }
}

/// A transaction before it has a sequence: who signs, what it says, what travels beside it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The signer, then the cosigners.
    pub signers: Vec<SigningKey>,
    pub body: Body,
    pub payload: Vec<u8>,
    /// What is handed to the entitled nodes beside it, on a private ledger.
    pub private: Vec<u8>,
}

/// A draft signed by the first key and cosigned by the others.
pub fn by(signers: &[&SigningKey], body: impl Into<Body>) -> Draft {
    let signers = signers.iter().map(|key| (*key).clone()).collect();
    Draft { signers, body: body.into(), payload: Vec::new(), private: Vec::new() }
}

impl Draft {
    pub fn carrying(mut self, payload: &impl BorshSerialize) -> Self {
        self.payload = codec::encode(payload);
        self
    }

    pub fn handing_over(mut self, payload: &impl BorshSerialize) -> Self {
        self.private = codec::encode(payload);
        self
    }

    /// The same, sent by somebody else; the cosigners stay.
    pub fn sent_by(&self, key: &SigningKey) -> Self {
        let mut draft = self.clone();
        draft.signers[0] = key.clone();
        draft
    }
}

/// What became of a transaction.
#[derive(Debug)]
pub struct Outcome {
    pub id: TransactionId,
    pub code: u16,
    pub events: Vec<Event>,
    pub writes: Writes,
}

impl Outcome {
    pub fn event_names(&self) -> Vec<&'static str> {
        self.events.iter().map(Event::name).collect()
    }

    /// Panics with the rule's name unless the transaction acted.
    #[track_caller]
    pub fn acted(self) -> Self {
        assert_eq!(self.code, 0, "rejected: {}", name_of(self.code));
        self
    }
}

/// The name of a receipt's code.
pub fn name_of(code: u16) -> &'static str {
    let rejection = Rejection::ALL.iter().find(|(number, ..)| *number == code);
    rejection.map_or("acted", |(_, name, _)| name)
}

/// What a case of a table expects.
#[derive(Debug, Clone)]
pub enum Expected {
    /// The form is wrong; the code of it.
    Malformed(u16),
    /// The rule that is broken, with its numbers.
    Breaks(Rejection),
    /// It acts, with these events.
    Emits(&'static [&'static str]),
}

/// A field is impossible by itself.
pub const WRONG_FIELD: Expected = Expected::Malformed(11);
/// The payload does not fit.
pub const WRONG_PAYLOAD: Expected = Expected::Malformed(10);
/// Bytes that are no canonical encoding.
pub const WRONG_ENCODING: Expected = Expected::Malformed(1);
/// The kind belongs to ledgers of the other privacy.
pub const WRONG_LEDGER: Expected = Expected::Malformed(13);
/// The same content stands there already.
pub const KNOWN: Expected = Expected::Emits(&["AlreadyRecorded"]);

pub const fn breaks(rejection: Rejection) -> Expected {
    Expected::Breaks(rejection)
}

pub const fn emits(events: &'static [&'static str]) -> Expected {
    Expected::Emits(events)
}

impl Network {
    /// Sends the drafts of a table in order and compares what becomes of each.
    #[track_caller]
    pub fn check(&mut self, cases: &[(Draft, Expected)]) {
        for (number, (draft, expected)) in cases.iter().enumerate() {
            let form = draft.body.check(&draft.payload, &self.rules);
            let form = form.as_ref().err().map(Malformed::code);
            let wanted = if let Expected::Malformed(code) = expected { Some(*code) } else { None };
            assert_eq!(form, wanted, "form of case {number}: {draft:?}");
            if form.is_some() {
                continue;
            }
            let outcome = self.send(draft);
            let found = (name_of(outcome.code), outcome.event_names());
            match expected {
                Expected::Malformed(_) => {}
                Expected::Emits(events) => {
                    assert_eq!(found, ("acted", events.to_vec()), "case {number}: {draft:?}");
                }
                Expected::Breaks(rejection) => {
                    assert_eq!(found.0, rejection.name(), "case {number}: {draft:?}");
                    assert_eq!(numbers(&outcome), rejection.numbers(), "case {number}: {draft:?}");
                }
            }
        }
    }
}

fn numbers(outcome: &Outcome) -> Vec<u64> {
    match outcome.events.as_slice() {
        [] => Vec::new(),
        [Event::Rejected { numbers }] => numbers.to_vec(),
        other => panic!("a rejection says nothing but its numbers: {other:?}"),
    }
}
