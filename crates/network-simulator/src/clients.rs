//! Clients: they send, wait, send again elsewhere, and remember what they were told.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::transaction_builder::Signer;
use commonware_macros::select;
use commonware_runtime::Clock;
use contracts::account::{BuyTokens, SetBackingLimit};
use contracts::registry::{AppointRegulator, RegisterParty, Role};
use ledger::{Ledger, Outcome, SubmitError};
use node::Doors;
use primitives::codec::{Bounded, Text};
use primitives::envelope::Submission;
use primitives::identifier::{LedgerId, PartyId, TransactionId};
use primitives::key::SigningKey;
use primitives::units::{MicroCurrency, Sequence, Timestamp};

use crate::random::Random;

/// How long a client waits before it asks another node.
const PATIENCE: Duration = Duration::from_secs(4);
/// Tokens of one purchase, in micro.
const TOKENS: MicroCurrency = MicroCurrency::new(2_000_000);
/// What is paid for them: half.
const COINS: MicroCurrency = MicroCurrency::new(1_000_000);
const LIMIT: MicroCurrency = MicroCurrency::new(1_000_000_000_000);

/// Everything that was sent, for those who replay it.
#[derive(Clone, Default)]
pub struct Sent(Arc<Mutex<Vec<Submission>>>);

impl Sent {
    fn push(&self, submission: Submission) {
        self.0.lock().expect("no panic with what was sent").push(submission);
    }

    pub fn any(&self, random: &mut Random) -> Option<Submission> {
        let sent = self.0.lock().expect("no panic with what was sent");
        (!sent.is_empty()).then(|| sent[random.below(sent.len())].clone())
    }
}

/// What a client was told, and by which validator.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    pub outcome: Outcome,
    pub by: usize,
}

/// One validator as clients see it.
#[derive(Clone)]
pub struct Door {
    pub doors: Doors,
    pub ledger: Arc<Ledger>,
    /// Counts the starts of this validator.
    pub start: u64,
}

/// What clients share with the world.
#[derive(Default)]
pub struct Counter {
    /// The doors of honest validators that run.
    pub open: Mutex<Vec<Option<Door>>>,
    pub acknowledged: Mutex<Vec<Acknowledged>>,
    pub violations: Mutex<Vec<String>>,
    pub sent: Sent,
    /// Clients finish what they have begun and begin nothing new.
    pub is_over: AtomicBool,
    pub busy: AtomicU64,
    references: AtomicU64,
}

const UNPOISONED: &str = "nothing panics while it holds the counter";

impl Counter {
    fn door(&self, random: &mut Random) -> Option<(usize, Door)> {
        let open = self.open.lock().expect(UNPOISONED);
        let place = random.below(open.len());
        Some((place, open[place].clone()?))
    }

    fn start_of(&self, place: usize) -> Option<u64> {
        Some(self.open.lock().expect(UNPOISONED)[place].as_ref()?.start)
    }

    /// Sends until somebody answers.
    pub async fn send<E: Clock>(
        &self,
        runtime: &E,
        random: &mut Random,
        submission: &Submission,
    ) -> Outcome {
        self.sent.push(submission.clone());
        loop {
            if let Some((place, door)) = self.door(random)
                && let Ok(answer) = door.doors.admit(vec![submission.clone()])
            {
                let start = door.start;
                // The doors must not outlive a crash of their node.
                drop(door);
                match one(runtime, answer).await {
                    Some(Ok(outcome)) => {
                        let told = Acknowledged { outcome: outcome.clone(), by: place };
                        self.acknowledged.lock().expect(UNPOISONED).push(told);
                        return outcome;
                    }
                    Some(Err(SubmitError::Stopping)) => {
                        runtime.sleep(Duration::from_millis(300)).await;
                        if self.start_of(place) == Some(start) {
                            let what = format!("validator {place} runs and says it is stopping");
                            self.violations.lock().expect(UNPOISONED).push(what);
                            return Outcome {
                                id: submission.transaction.id(),
                                position: contracts::Position { height: 0, index: 0 },
                                code: 0,
                            };
                        }
                    }
                    // Behind, too full, or silent: another one.
                    Some(Err(_)) | None => {}
                }
            }
            runtime.sleep(Duration::from_millis(random.between(20, 200))).await;
        }
    }

    /// Asks until somebody who runs knows the proposal: has it enough approvals to act?
    pub async fn is_accepted<E: Clock>(&self, runtime: &E, proposal: TransactionId) -> bool {
        loop {
            let open = self.open.lock().expect(UNPOISONED).clone();
            let known = open.into_iter().flatten().find_map(|door| {
                let found = door.ledger.view().read(|state| state.proposal(&proposal));
                found.ok()?.ok()
            });
            if let Some(proposal) = known {
                return proposal.acts_from.is_some();
            }
            runtime.sleep(Duration::from_millis(100)).await;
        }
    }

    fn reference(&self) -> u64 {
        self.references.fetch_add(1, Relaxed)
    }
}

async fn one<E: Clock>(
    runtime: &E,
    answer: impl Future<Output = Vec<Result<Outcome, SubmitError>>> + Send,
) -> Option<Result<Outcome, SubmitError>> {
    select! {
        answers = answer => answers.into_iter().next(),
        _ = runtime.sleep(PATIENCE) => None,
    }
}

/// Those who trade in the simulation.
#[derive(Clone)]
pub struct Market {
    aggregator: SigningKey,
    aggregator_party: PartyId,
    buyers: Vec<SigningKey>,
    ledger_id: LedgerId,
    valid_until: Timestamp,
}

/// The key of a number.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

/// The owner's key, which the genesis names.
pub fn owner() -> SigningKey {
    key(100)
}

impl Market {
    /// Registers everybody.
    pub async fn found<E: Clock>(
        runtime: &E,
        counter: &Counter,
        random: &mut Random,
        ledger_id: LedgerId,
        now: Timestamp,
        buyers: u8,
    ) -> Self {
        let valid_until = Timestamp::new(now.get() + 12 * 3_600_000);
        let signer = |key: SigningKey| Signer::new(key, ledger_id, Sequence::new(1));
        let sign = |signer: &mut Signer, body: contracts::Body, cosigners: &[&SigningKey]| {
            signer
                .submission(body, Vec::new(), cosigners, valid_until)
                .expect("the simulation's transactions are small")
        };
        let (mut owner, mut regulator) = (signer(owner()), signer(key(101)));
        let (provider, aggregator) = (key(102), key(103));
        let appointment = AppointRegulator {
            alias: text("regulator"),
            key: regulator.public(),
            encryption_key: [1; 32],
        };
        let appointment = sign(&mut owner, appointment.into(), &[&key(101)]);
        counter.send(runtime, random, &appointment).await;
        let registration = |alias: &str, role, key: &SigningKey| RegisterParty {
            alias: text(alias),
            roles: Bounded::try_from(vec![role]).expect("one role"),
            keys: Bounded::try_from(vec![key.public()]).expect("one key"),
            encryption_key: [1; 32],
            region: Text::default(),
        };
        let admitted = registration("provider", Role::NetworkProvider, &provider);
        let admitted = sign(&mut regulator, admitted.into(), &[&provider]);
        counter.send(runtime, random, &admitted).await;
        let admitted = registration("aggregator", Role::Aggregator, &aggregator);
        let admitted = sign(&mut regulator, admitted.into(), &[&aggregator, &provider]);
        let aggregator_party = PartyId::from_transaction(&admitted.transaction.id());
        counter.send(runtime, random, &admitted).await;
        let limit = SetBackingLimit { aggregator: aggregator_party, limit: LIMIT };
        counter.send(runtime, random, &sign(&mut regulator, limit.into(), &[])).await;
        let buyers: Vec<_> = (0..buyers).map(|number| key(110 + number)).collect();
        for (number, buyer) in buyers.iter().enumerate() {
            let admitted = registration(&format!("buyer-{number}"), Role::Consumer, buyer);
            let admitted = sign(&mut regulator, admitted.into(), &[buyer, &provider]);
            counter.send(runtime, random, &admitted).await;
        }
        Self { aggregator, aggregator_party, buyers, ledger_id, valid_until }
    }

    /// One buyer, until it is over.
    pub async fn trade<E: Clock>(
        self,
        runtime: E,
        counter: Arc<Counter>,
        mut random: Random,
        buyer: usize,
    ) {
        let buyer = self.buyers[buyer].clone();
        let mut signer = Signer::new(buyer, self.ledger_id, Sequence::new(1));
        let mut last: Option<(Submission, Outcome)> = None;
        while !counter.is_over.load(Relaxed) {
            counter.busy.fetch_add(1, Relaxed);
            match last.take().filter(|_| random.percent(15)) {
                // Sent again, an answered transaction has its first answer.
                Some((submission, before)) => {
                    let again = counter.send(&runtime, &mut random, &submission).await;
                    if again != before {
                        let what = format!("answered {before:?}, and later {again:?}");
                        counter.violations.lock().expect(UNPOISONED).push(what);
                    }
                }
                None => {
                    // Now and then a payment is named twice; it buys nothing again.
                    let number = counter.reference();
                    let number = if random.percent(10) { number / 2 } else { number };
                    let purchase = self.purchase(&mut signer, number);
                    let outcome = counter.send(&runtime, &mut random, &purchase).await;
                    last = Some((purchase, outcome));
                }
            }
            counter.busy.fetch_sub(1, Relaxed);
            runtime.sleep(Duration::from_millis(random.between(0, 300))).await;
        }
    }

    fn purchase(&self, signer: &mut Signer, number: u64) -> Submission {
        let purchase = BuyTokens {
            aggregator: self.aggregator_party,
            reference: text(&format!("payment-{number}")),
            coin_amount: COINS,
            tokens: TOKENS,
        };
        signer
            .submission(purchase, Vec::new(), &[&self.aggregator], self.valid_until)
            .expect("the simulation's transactions are small")
    }
}

pub fn text<const MAX: usize>(content: &str) -> Text<MAX> {
    Text::new(content).expect("the simulation's labels are short")
}
