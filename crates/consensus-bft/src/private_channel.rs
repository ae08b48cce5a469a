//! Values of a private ledger between the nodes that may hold them, on a channel of its own.
//!
//! A node asks for what its ledger says it may hold and it lacks; whoever is asked looks up in its own
//! ledger whether the asker may hold it. Nobody sends what was not asked for, and what comes is compared
//! with the commitment on the ledger. Messages go from one node to one other over the authenticated and
//! encrypted connection between the two. On an open ledger the channel is silent.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use borsh::{BorshDeserialize, BorshSerialize};
use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_macros::select;
use commonware_p2p::{Message as Received, Receiver, Recipients, Sender};
use commonware_runtime::{Clock, IoBuf, Spawner};
use ledger::{LedgerError, PayloadKey};
use node::Ordering;
use node::private::{MAX_ASKED, MAX_PRIVATE_BYTES, PrivatePayload};
use primitives::codec::{self, Bounded};

use crate::membership::{engine_key, public_key};

/// Between two rounds of questions; an answer that was lost is asked for again.
const ROUND: Duration = Duration::from_millis(500);
/// Questions of one node that are answered within a round; more are dropped, and asked again.
const QUESTIONS: usize = 4;
/// The largest message: as many payloads as may be asked for at a time.
pub const MAX_MESSAGE_BYTES: usize = MAX_ASKED * (MAX_PRIVATE_BYTES + size_of::<PayloadKey>() + 8);

/// What travels on the channel.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Message {
    /// Who sends this wants these payloads.
    Question(Bounded<PayloadKey, MAX_ASKED>),
    /// Payloads that were asked for.
    Answer(Bounded<PrivatePayload, MAX_ASKED>),
}

/// Starts asking and answering, on a private ledger.
pub(crate) fn start<E, S, R>(runtime: &E, ordering: Ordering, (sender, receiver): (S, R))
where
    E: Spawner + Clock,
    S: Sender<PublicKey = EngineKey>,
    R: Receiver<PublicKey = EngineKey>,
{
    if ordering.ledger.rules().is_private() {
        let channel = Channel { ordering, sender, answered: BTreeMap::new() };
        runtime.child("private").spawn(move |runtime| channel.run(runtime, receiver));
    }
}

struct Channel<S> {
    ordering: Ordering,
    sender: S,
    /// Questions of each node that were answered in this round.
    answered: BTreeMap<EngineKey, usize>,
}

impl<S: Sender<PublicKey = EngineKey>> Channel<S> {
    async fn run<E: Clock, R: Receiver<PublicKey = EngineKey>>(
        mut self,
        runtime: E,
        mut receiver: R,
    ) {
        let mut next: SystemTime = runtime.current() + ROUND;
        loop {
            let done = select! {
                received = receiver.recv() => match received {
                    Ok(received) => self.take_in(received),
                    Err(_) => return,
                },
                _ = runtime.sleep_until(next) => {
                    next = runtime.current() + ROUND;
                    self.answered.clear();
                    self.ask()
                },
            };
            if let Err(error) = done {
                tracing::error!(%error, "private payloads cannot be exchanged any more");
                return;
            }
        }
    }

    fn ask(&mut self) -> Result<(), LedgerError> {
        let questions = self.ordering.private.questions(&self.ordering.ledger)?;
        for (node, keys) in questions {
            let keys = Bounded::try_from(keys).expect("no question is longer");
            self.send(engine_key(&node), &Message::Question(keys));
        }
        Ok(())
    }

    fn take_in(&mut self, (from, bytes): Received<EngineKey>) -> Result<(), LedgerError> {
        let (ledger, private) = (&self.ordering.ledger, &self.ordering.private);
        match codec::decode(bytes.as_ref()) {
            Ok(Message::Question(keys)) => {
                let answered = self.answered.entry(from.clone()).or_default();
                *answered += 1;
                if *answered > QUESTIONS {
                    return Ok(());
                }
                let payloads = private.answer(ledger, &public_key(&from), &keys)?;
                if payloads.len() < keys.len() {
                    let (asked, given) = (keys.len(), payloads.len());
                    tracing::debug!(peer = %from, asked, given, "private payloads");
                }
                if !payloads.is_empty() {
                    let payloads =
                        Bounded::try_from(payloads).expect("no more than were asked for");
                    self.send(Some(from), &Message::Answer(payloads));
                }
            }
            Ok(Message::Answer(payloads)) => {
                for payload in &payloads {
                    private.receive(ledger, payload)?;
                }
            }
            Err(error) => {
                tracing::debug!(peer = %from, %error, "a peer sent what is no private payload");
            }
        }
        Ok(())
    }

    fn send(&mut self, node: Option<EngineKey>, message: &Message) {
        if let Some(node) = node {
            let bytes = IoBuf::from(codec::encode(message));
            self.sender.send(Recipients::One(node), bytes, false);
        }
    }
}
