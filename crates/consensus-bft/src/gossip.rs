//! Transactions that wait here are passed on, so that whoever leads next can propose them.
//!
//! A node passes on only what was sent to itself, once at once and again while it goes on waiting:
//! messages may be lost. What a peer passes on is bounded by the channel's quota, by the size of a
//! message, and by the peer's share of the mempool.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::{Clock, IoBuf, Spawner};
use futures_util::FutureExt as _;
use ledger::CheckedTransaction;
use ledger::block::MAX_TRANSACTIONS;
use node::Ordering;
use primitives::codec::{self, Bounded};
use primitives::envelope::{MAX_BODY_BYTES, MAX_PAYLOAD_BYTES, Submission};

use crate::membership::public_key;

/// Transactions of one message are gathered up to so many bytes, which is a block of readings; a larger
/// one goes alone. What was checked together here is checked together there: signatures cost less the
/// more of one key's stand in one batch.
const GATHERED_BYTES: usize = 4 << 20;
/// The largest message: one largest transaction, with its signatures.
pub const MAX_MESSAGE_BYTES: usize = MAX_BODY_BYTES + MAX_PAYLOAD_BYTES + GATHERED_BYTES;
/// Messages that hold so many bytes are checked without another one.
const TOGETHER_BYTES: usize = 2 * GATHERED_BYTES;
/// So many messages at most.
const MAX_TOGETHER: usize = 16;
/// What has waited this long is passed on again.
const AGAIN: Duration = Duration::from_secs(2);

/// One message: transactions that wait at its sender.
pub type Batch = Bounded<Submission, MAX_TRANSACTIONS>;

/// Starts passing on and taking in.
pub(crate) fn start<E, S, R>(runtime: &E, ordering: Ordering, (sender, receiver): (S, R))
where
    E: Spawner + Clock,
    S: Sender<PublicKey = EngineKey>,
    R: Receiver<PublicKey = EngineKey>,
{
    let outgoing = ordering.clone();
    runtime.child("pass_on").spawn(move |runtime| pass_on(runtime, outgoing, sender));
    // Checking signatures takes long: on a thread of its own.
    runtime.child("take_in").dedicated().spawn(move |_| take_in(ordering, receiver));
}

async fn pass_on<E: Clock, S: Sender<PublicKey = EngineKey>>(
    runtime: E,
    ordering: Ordering,
    mut sender: S,
) {
    let mut seen = ordering.mempool.changes();
    // Tickets below: everything was passed on once, and waited at the last repeat already.
    let (mut passed, mut old) = (0, 0);
    let mut again = runtime.current() + AGAIN;
    loop {
        passed = send(&ordering, &mut sender, passed..u64::MAX);
        select! {
            changes = ordering.mempool.changed(seen) => seen = changes,
            _ = runtime.sleep_until(again) => {
                again = runtime.current() + AGAIN;
                send(&ordering, &mut sender, 0..old);
                old = passed;
            },
        }
    }
}

/// Passes on what waits with these tickets; gives the ticket to go on with.
fn send<S: Sender<PublicKey = EngineKey>>(
    ordering: &Ordering,
    sender: &mut S,
    mut tickets: Range<u64>,
) -> u64 {
    loop {
        let (transactions, next) = ordering.mempool.own(tickets.clone(), GATHERED_BYTES);
        tickets.start = next;
        if transactions.is_empty() {
            return next;
        }
        sender.send(Recipients::All, IoBuf::from(encode(&transactions)), false);
    }
}

/// The bytes of a [`Batch`].
fn encode(transactions: &[CheckedTransaction]) -> Vec<u8> {
    assert!(transactions.len() <= MAX_TRANSACTIONS, "the mempool gives a block's number at most");
    let batch: Vec<_> = transactions.iter().map(CheckedTransaction::submission).collect();
    codec::encode(&batch)
}

async fn take_in<R: Receiver<PublicKey = EngineKey>>(ordering: Ordering, mut receiver: R) {
    let mut warned = BTreeSet::new();
    while let Ok(first) = receiver.recv().await {
        let (mut passed_on, mut bytes, mut next) = (Vec::new(), 0, Some(first));
        while let Some((from, message)) = next {
            bytes += message.len();
            match codec::decode::<Batch>(message.as_ref()) {
                Ok(batch) => passed_on.push((public_key(&from), batch.into_vec())),
                Err(error) => {
                    if warned.insert(from.clone()) {
                        tracing::warn!(peer = %from, %error, "a peer passed on what is no transaction");
                    }
                }
            }
            // What came meanwhile is checked together: signatures cost less in a larger batch.
            next = match bytes < TOGETHER_BYTES && passed_on.len() < MAX_TOGETHER {
                true => receiver.recv().now_or_never().and_then(Result::ok),
                false => None,
            };
        }
        if let Err(error) = ordering.offer(passed_on) {
            tracing::error!(%error, "transactions of a peer could not be taken in");
            return;
        }
    }
}
