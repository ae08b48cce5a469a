//! Traffic on a network that runs: households buy tokens through all of its nodes.
//!
//! Every purchase is sent until it is answered: the very same bytes, to the next node when one gives
//! no answer. So whatever happens to the nodes, what was acknowledged is known exactly.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::connection::{Connection, SubmitStatus};
use client::transaction_builder::Signer;
use contracts::account::BuyTokens;
use primitives::codec::Text;
use primitives::envelope::Submission;
use primitives::identifier::{PartyId, TransactionId};
use primitives::key::SigningKey;
use primitives::units::{BlockHeight, MicroCurrency, Timestamp};

use super::{Latency, LoadError};

/// A node that does not answer within this time is passed over.
const PATIENCE: Duration = Duration::from_secs(5);
/// The wait before a purchase is sent again.
const AGAIN: Duration = Duration::from_millis(100);
/// A purchase stays valid for so long.
const VALIDITY_MS: u64 = 12 * 3_600 * 1_000;
/// What is paid for one purchase; two tokens.
const COIN_AMOUNT: MicroCurrency = MicroCurrency::new(1_000_000);
const TOKENS: MicroCurrency = MicroCurrency::new(2_000_000);

/// Who buys, from whom, and through which nodes.
#[derive(Debug)]
pub struct Purchases {
    /// The nodes' addresses; each buyer begins with another one.
    pub urls: Vec<String>,
    /// The keys of the households that buy, one purchase after the other each.
    pub buyers: Vec<SigningKey>,
    /// The key of the aggregator that sells, and cosigns.
    pub aggregator: SigningKey,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PurchaseReport {
    /// Purchases that were acknowledged.
    pub acknowledged: u64,
    /// Purchases that had no answer when the time was over: they may act yet.
    pub unanswered: u64,
    /// How often a node gave no answer, or none that says what became of it.
    pub sent_again: u64,
    /// From the first sending of a purchase to its answer.
    pub latency: Latency,
    /// The longest time in which nothing was acknowledged.
    pub longest_pause: Duration,
    /// How long all of it took.
    pub wall: Duration,
}

/// Where acknowledged purchases are noted.
pub type Note<'a> = &'a (dyn Fn(&TransactionId, BlockHeight) -> std::io::Result<()> + Sync);

/// What all buyers share.
struct Run<'a> {
    plan: &'a Purchases,
    goes_on: &'a (dyn Fn() -> bool + Sync),
    note: Note<'a>,
    aggregator: PartyId,
    valid_until: Timestamp,
    sent_again: AtomicU64,
    pauses: Mutex<Pauses>,
}

struct Pauses {
    newest: Instant,
    longest: Duration,
}

/// Buys for as long as `goes_on` says so, and notes whatever is acknowledged, before the next one of
/// the same buyer is sent.
///
/// # Errors
/// No node answers at the beginning; a purchase breaks a rule; the note cannot be written.
pub fn purchase(
    plan: &Purchases,
    goes_on: &(dyn Fn() -> bool + Sync),
    note: Note<'_>,
) -> Result<PurchaseReport, LoadError> {
    let connections = plan.urls.iter().map(|url| Connection::with_timeout(url, PATIENCE));
    let connections = connections.collect::<Result<Vec<_>, _>>()?;
    let first = connections.iter().find(|connection| connection.status().is_ok());
    let first = first.ok_or(LoadError::Plan("no node of the network answers"))?;
    let aggregator = first.party_of(&plan.aggregator.public())?;
    let valid_until = first.status()?.time.plus_milliseconds(VALIDITY_MS)?;
    let signers = plan.buyers.iter().map(|key| first.signer(key.clone()));
    let signers = signers.collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    let run = Run {
        plan,
        goes_on,
        note,
        aggregator,
        valid_until,
        sent_again: AtomicU64::new(0),
        pauses: Mutex::new(Pauses { newest: started, longest: Duration::ZERO }),
    };
    let bought: Vec<Result<Bought, LoadError>> = thread::scope(|scope| {
        let run = &run;
        let buyers = signers.into_iter().enumerate();
        let buying: Vec<_> = buyers
            .map(|(place, signer)| scope.spawn(move || run.buy(place % plan.urls.len(), signer)))
            .collect();
        buying.into_iter().map(|it| it.join().expect("buying does not panic")).collect()
    });
    let wall = started.elapsed();
    run.acknowledged_now();
    let mut report = PurchaseReport { wall, ..PurchaseReport::default() };
    let mut latencies = Vec::new();
    for bought in bought {
        let Bought { latencies: own, unanswered } = bought?;
        report.unanswered += unanswered;
        latencies.extend(own);
    }
    report.acknowledged = latencies.len() as u64;
    report.latency = Latency::of(latencies);
    report.sent_again = run.sent_again.into_inner();
    report.longest_pause = run.pauses.into_inner().expect(UNPOISONED).longest;
    Ok(report)
}

const UNPOISONED: &str = "nothing panics while it holds the pauses";

#[derive(Default)]
struct Bought {
    latencies: Vec<Duration>,
    unanswered: u64,
}

impl Run<'_> {
    /// What one household buys, beginning with one of the nodes.
    fn buy(&self, mut node: usize, mut signer: Signer) -> Result<Bought, LoadError> {
        let mut bought = Bought::default();
        let urls = &self.plan.urls;
        let mut connection = Connection::with_timeout(&urls[node], PATIENCE)?;
        while (self.goes_on)() {
            let purchase = self.sign(&mut signer)?;
            let sent = Instant::now();
            loop {
                if let Some(height) = acknowledged(&connection, &purchase)? {
                    (self.note)(&purchase.transaction.id(), height).map_err(LoadError::Note)?;
                    bought.latencies.push(sent.elapsed());
                    self.acknowledged_now();
                    break;
                }
                if !(self.goes_on)() {
                    bought.unanswered += 1;
                    break;
                }
                self.sent_again.fetch_add(1, Ordering::Relaxed);
                node = (node + 1) % urls.len();
                connection = Connection::with_timeout(&urls[node], PATIENCE)?;
                thread::sleep(AGAIN);
            }
        }
        Ok(bought)
    }

    fn sign(&self, signer: &mut Signer) -> Result<Submission, LoadError> {
        // A key's sequence is used once, so its purchases have a reference each, in every run.
        let key = signer.address().to_string();
        let reference = format!("load-{}-{}", &key[..16], signer.next_sequence().get());
        let body = BuyTokens {
            aggregator: self.aggregator,
            reference: Text::new(reference)?,
            coin_amount: COIN_AMOUNT,
            tokens: TOKENS,
        };
        Ok(signer.submission(body, Vec::new(), &[&self.plan.aggregator], self.valid_until)?)
    }

    fn acknowledged_now(&self) {
        let mut pauses = self.pauses.lock().expect(UNPOISONED);
        let before = std::mem::replace(&mut pauses.newest, Instant::now());
        pauses.longest = pauses.longest.max(before.elapsed());
    }
}

/// The height of a purchase; none when the node does not say what became of it.
fn acknowledged(
    connection: &Connection,
    purchase: &Submission,
) -> Result<Option<BlockHeight>, LoadError> {
    let Ok(outcomes) = connection.submit(std::slice::from_ref(purchase)) else { return Ok(None) };
    let Some(outcome) = outcomes.into_iter().next() else { return Ok(None) };
    match outcome.status {
        SubmitStatus::Accepted => Ok(outcome.height),
        // It has too much to do, or it goes away.
        SubmitStatus::Refused => Ok(None),
        SubmitStatus::Rejected | SubmitStatus::Malformed => Err(LoadError::NotAccepted {
            step: "buy tokens",
            code: outcome.code,
            detail: outcome.detail,
        }),
    }
}
