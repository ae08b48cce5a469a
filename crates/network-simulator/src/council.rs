//! The organisations that run the nodes, and how they decide.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use client::transaction_builder::Signer;
use commonware_runtime::Clock;
use contracts::Body;
use contracts::governance::{
    Change, ProposeChange, RegisterNode, RequestCheckpoint, RotateNodeKey,
};
use contracts::registry::AppointRegulator;
use ledger::Outcome;
use primitives::codec::{Bounded, Text};
use primitives::identifier::LedgerId;
use primitives::key::{PublicKey, SigningKey};
use primitives::units::{Sequence, Timestamp};

use crate::clients::{Counter, key, owner, text};
use crate::random::Random;
use crate::world::VALIDATORS;

/// Organisations of a run, one for each node that is founded with it.
const FIRST_ORGANISATION: u8 = 150;

const SMALL: &str = "the simulation's transactions are small";

/// Every organisation is a regulator and runs one node, or two while it changes its key.
pub struct Council {
    counter: Arc<Counter>,
    random: Random,
    valid_until: Timestamp,
    signers: Vec<Signer>,
}

/// What organisations do.
pub enum Act {
    /// All of them agree to a change.
    All(Change),
    /// One proposes it alone.
    Alone(usize, Change),
    /// One registers a new node, and gives it the seat of its old one.
    Rotate { organisation: usize, from: usize, to: usize },
    /// One asks for a checkpoint.
    Checkpoint(usize),
    /// One wants a seat that another's node holds for its own.
    Steal { organisation: usize, from: usize },
}

/// The key of a node.
pub fn node_key(node: usize) -> SigningKey {
    key(node as u8 + 1)
}

/// The key of an organisation.
pub fn organisation_key(organisation: usize) -> SigningKey {
    key(FIRST_ORGANISATION + organisation as u8)
}

impl Council {
    /// Appoints the organisations and registers a node of each.
    pub async fn found<E: Clock>(
        runtime: &E,
        counter: Arc<Counter>,
        random: Random,
        ledger_id: LedgerId,
        now: Timestamp,
        organisations: usize,
    ) -> Self {
        let valid_until = Timestamp::new(now.get() + 12 * 3_600_000);
        let signer = |key| Signer::new(key, ledger_id, Sequence::new(1));
        let signers = (0..organisations).map(|number| signer(organisation_key(number))).collect();
        let mut council = Self { counter, random, valid_until, signers };
        // The founding of the market uses up the owner's first sequence.
        let mut owner = Signer::new(owner(), ledger_id, Sequence::new(2));
        for number in 0..organisations {
            let key = organisation_key(number);
            let body = AppointRegulator {
                alias: text(&format!("organisation-{number}")),
                key: key.public(),
                encryption_key: [1; 32],
            };
            let appointment = owner.submission(body, Vec::new(), &[&key], valid_until);
            let appointment = appointment.expect(SMALL);
            council.counter.send(runtime, &mut council.random, &appointment).await;
            let node = node_key(number);
            council.send(runtime, number, register(&node), &[&node]).await;
        }
        council
    }

    /// One organisation sends a transaction, with the signatures of others beside its own.
    async fn send<E: Clock>(
        &mut self,
        runtime: &E,
        organisation: usize,
        body: impl Into<Body>,
        cosigners: &[&SigningKey],
    ) -> Outcome {
        let submission = self.signers[organisation]
            .submission(body, Vec::new(), cosigners, self.valid_until)
            .expect(SMALL);
        self.counter.send(runtime, &mut self.random, &submission).await
    }

    /// What the organisations do.
    pub async fn carry_out<E: Clock>(&mut self, runtime: &E, act: Act) -> Outcome {
        match act {
            Act::All(change) => self.decide(runtime, change).await,
            Act::Alone(organisation, change) => {
                self.send(runtime, organisation, ProposeChange { change }, &[]).await
            }
            Act::Checkpoint(organisation) => {
                self.send(runtime, organisation, RequestCheckpoint {}, &[]).await
            }
            Act::Rotate { organisation, from, to } => {
                let to = node_key(to);
                self.send(runtime, organisation, register(&to), &[&to]).await;
                let from = node_key(from);
                let body = rotation(&from, &to);
                self.send(runtime, organisation, body, &[&from]).await
            }
            Act::Steal { organisation, from } => {
                let body = rotation(&node_key(from), &node_key(organisation));
                self.send(runtime, organisation, body, &[]).await
            }
        }
    }

    /// All organisations propose and approve a change in one transaction.
    async fn decide<E: Clock>(&mut self, runtime: &E, change: Change) -> Outcome {
        let others: Vec<_> = (1..self.signers.len()).map(organisation_key).collect();
        let others: Vec<_> = others.iter().collect();
        self.send(runtime, 0, ProposeChange { change }, &others).await
    }

    /// Takes and gives seats at random until it is over: four at least, one for an organisation.
    pub async fn reshuffle<E: Clock>(mut self, runtime: E) {
        let mut seated: Vec<usize> = (0..VALIDATORS).collect();
        let mut away: Vec<usize> = (VALIDATORS..self.signers.len()).collect();
        while !self.counter.is_over.load(Relaxed) {
            self.counter.busy.fetch_add(1, Relaxed);
            let (mut remove, mut add) = (Vec::new(), Vec::new());
            if !away.is_empty() && self.random.percent(70) {
                add.push(away.swap_remove(self.random.below(away.len())));
            }
            if seated.len() + add.len() > VALIDATORS && (add.is_empty() || self.random.percent(60))
            {
                remove.push(seated.swap_remove(self.random.below(seated.len())));
            }
            if !add.is_empty() || !remove.is_empty() {
                let outcome = self.decide(&runtime, seats(&remove, &add)).await;
                // Who was appointed has a voice two epochs later: until then it is a mere proposal.
                let is_decided =
                    outcome.code == 0 && self.counter.is_accepted(&runtime, outcome.id).await;
                let (stay, go) = if is_decided { (add, remove) } else { (remove, add) };
                seated.extend(stay);
                away.extend(go);
            }
            self.counter.busy.fetch_sub(1, Relaxed);
            let pause = Duration::from_millis(self.random.between(300, 3_000));
            runtime.sleep(pause).await;
        }
    }
}

/// Seats taken from and given to nodes.
pub fn seats(remove: &[usize], add: &[usize]) -> Change {
    let public = |nodes: &[usize]| {
        let keys: Vec<PublicKey> = nodes.iter().map(|node| node_key(*node).public()).collect();
        Bounded::try_from(keys).expect("few seats")
    };
    Change::Seats { remove: public(remove), add: public(add) }
}

fn rotation(from: &SigningKey, to: &SigningKey) -> RotateNodeKey {
    RotateNodeKey { from: from.public().address(), to: to.public().address() }
}

fn register(node: &SigningKey) -> RegisterNode {
    RegisterNode { key: node.public(), peer_address: Text::default() }
}
