//! The node's two doors, and the sink into which the orderer puts final blocks.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::Duration;

use contracts::execute::{Sender, resolve};
use contracts::{Malformed, Position, Rejection};
use ledger::access::Answer;
use ledger::{
    Candidate, CheckedBlock, CheckedTransaction, Ledger, LedgerError, Outcome, Reader, SubmitError,
    Submitter, Verifier, View,
};
use primitives::envelope::Submission;
use primitives::header::Certificate;
use primitives::identifier::{KeyAddress, TransactionId};
use primitives::key::PublicKey;
use primitives::units::{Sequence, Timestamp};
use tokio::sync::oneshot;

use crate::checking::Checking;
use crate::checkpoints::Checkpoints;
use crate::clock::WallClock;
use crate::error::NodeError;
use crate::mempool::{Mempool, Submitted, Waiters};
use crate::orderer::Answers;
use crate::private::{HandedOver, PrivatePayloads};
use crate::quota::RejectionQuota;
use crate::signal::Signal;

/// Heights that have been reached, for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heights {
    /// The newest durable height.
    pub head: u64,
    /// The newest height whose execution the newest header with a certificate commits to.
    pub provable: u64,
    /// The node has ended: nothing will be reached any more.
    pub is_over: bool,
}

/// Takes final blocks.
pub struct Sink {
    ledger: Arc<Ledger>,
    heights: Arc<Signal<Heights>>,
    quota: Arc<Mutex<RejectionQuota>>,
    checkpoints: Arc<Checkpoints>,
    private: Arc<PrivatePayloads>,
}

impl Sink {
    pub fn new(
        ledger: Arc<Ledger>,
        quota: Arc<Mutex<RejectionQuota>>,
        checkpoints: Arc<Checkpoints>,
        private: Arc<PrivatePayloads>,
    ) -> Self {
        let heights = Arc::new(Signal::new(heights_of(&ledger)));
        Self { ledger, heights, quota, checkpoints, private }
    }

    /// Nobody waits any more for what will not be reached.
    pub fn end(&self) {
        self.heights.modify(|heights| heights.is_over = true);
    }

    pub fn heights(&self) -> Arc<Signal<Heights>> {
        Arc::clone(&self.heights)
    }

    pub fn finalized(
        &self,
        block: &CheckedBlock,
        certificate: &Certificate,
        own: Vec<(TransactionId, Waiters)>,
    ) -> Result<Answers, NodeError> {
        let header = block.header();
        let height = header.height.get();
        // Rule: an orderer gives final blocks at least once; applying is idempotent by height.
        if height <= self.ledger.head().header.height.get() {
            return Ok(Answers::default());
        }
        let receipts = self.ledger.append(block, certificate)?;
        self.checkpoints.note(&self.ledger, block, &receipts)?;
        self.private.note(&self.ledger, block, &receipts)?;
        self.note_rejections(block, &receipts);
        self.heights.modify(|heights| {
            heights.head = height;
            if !certificate.is_absent() {
                heights.provable = header.executed.height.get();
            }
        });
        tracing::debug!(height, transactions = receipts.len(), "block");
        let mut outcomes = (0_u32..).zip(&receipts).map(|(index, receipt)| {
            let position = Position { height, index };
            Outcome { id: receipt.transaction, position, code: receipt.code }
        });
        let view = self.ledger.view();
        let mut answers = Vec::with_capacity(own.len());
        for (id, waiters) in own {
            let outcome = match outcomes.find(|outcome| outcome.id == id) {
                // Rule: the first receipt stays the answer, also when a liar has the transaction
                // ordered again while somebody asks for it.
                Some(outcome) if outcome.code != 0 => known_outcome(&view, &id)?,
                outcome => outcome,
            };
            answers.push((waiters, outcome.ok_or(SubmitError::Stopping)));
        }
        Ok(Answers(answers))
    }

    fn note_rejections(&self, block: &CheckedBlock, receipts: &[primitives::receipt::Receipt]) {
        let time = block.header().time;
        let view = self.ledger.view();
        for (checked, receipt) in block.transactions().iter().zip(receipts) {
            let signer = &checked.submission().transaction.envelope.signer;
            if receipt.code != 0
                && let Ok(Ok(sender)) =
                    view.read(|state| resolve(state, view.rules(), signer, time))
            {
                self.quota.lock().expect(UNPOISONED).note(sender, time);
            }
        }
    }
}

const UNPOISONED: &str = "nothing panics while it holds the quota";

/// Where the ledger stands at the start. A store that cannot be read shows itself at the first use.
fn heights_of(ledger: &Ledger) -> Heights {
    let view = ledger.view();
    Heights {
        head: view.height(),
        provable: view.proven_height().unwrap_or_default(),
        is_over: false,
    }
}

/// The first receipt of a transaction that was ordered before.
pub fn known_outcome(view: &View, id: &TransactionId) -> Result<Option<Outcome>, LedgerError> {
    let Some(position) = view.position_of(id)? else { return Ok(None) };
    let receipt = view.receipt(position)?.ok_or(LedgerError::Damaged { what: "receipt" })?;
    Ok(Some(Outcome { id: *id, position, code: receipt.code }))
}

/// The first receipts of transactions that were ordered before, each given with its key's sequence.
pub fn known_outcomes(
    ledger: &Ledger,
    transactions: impl ExactSizeIterator<Item = (TransactionId, KeyAddress, Sequence)> + Clone,
) -> Result<Vec<Option<Outcome>>, LedgerError> {
    let sequences = transactions.clone().map(|(_, key, sequence)| (key, sequence));
    let surely_new = ledger.surely_new(sequences)?;
    // Taken afterwards: what is not new stands in it.
    let view = ledger.view();
    let of = |((id, ..), is_new): ((TransactionId, _, _), bool)| {
        if is_new { Ok(None) } else { known_outcome(&view, &id) }
    };
    transactions.zip(surely_new).map(of).collect()
}

/// Answers those who wait for transactions that were ordered before, and takes these out of the
/// mempool. Says of each whether it was; each comes with its key's sequence.
pub fn answer_known(
    ledger: &Ledger,
    mempool: &Mempool,
    transactions: &[(TransactionId, KeyAddress, Sequence)],
) -> Result<Vec<bool>, LedgerError> {
    let outcomes = known_outcomes(ledger, transactions.iter().copied())?;
    let known = outcomes.iter().map(Option::is_some).collect();
    for (outcome, (id, ..)) in outcomes.into_iter().zip(transactions) {
        if let Some(outcome) = outcome {
            mempool.answer(id, &Ok(outcome));
        }
    }
    Ok(known)
}

/// Both doors of a running node.
pub struct Service {
    pub ledger: Arc<Ledger>,
    pub mempool: Arc<Mempool>,
    pub verifier: Arc<dyn Verifier>,
    pub clock: Arc<dyn WallClock>,
    pub quota: Arc<Mutex<RejectionQuota>>,
    pub heights: Arc<Signal<Heights>>,
    pub gathering: Gathering,
    pub checking: Arc<Checking>,
    pub private: Arc<PrivatePayloads>,
}

/// Requests that wait to be admitted.
///
/// While one round is checked, on all threads, the requests that arrive gather and are checked
/// together in the next: signatures of one key cost less the more of them stand in one batch. How long a
/// large request waits for others the orderer says ([`Patience`]); a small one waits for nobody. One thread serves the line, however many clients stand in it: each thread
/// would keep the memory of the largest request it ever saw.
#[derive(Default)]
pub struct Gathering {
    line: Mutex<Line>,
    patience: OnceLock<Patience>,
}

/// How requests wait for each other.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A round of [`BULK`] submissions or more waits so long for what comes behind it, and again while
    /// as many come, [`PAUSES`] times at most.
    pub pause: Duration,
    /// Submissions that are checked in one round at most, apart from the last request's.
    pub round: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self { pause: Duration::ZERO, round: 4_000 }
    }
}

/// A round with fewer submissions waits for nobody.
const BULK: usize = 250;
/// How often a round waits.
const PAUSES: usize = 4;
/// Signatures of what peers passed on that are checked in one turn: a block that comes meanwhile waits
/// for a few hundredths of a second, and for half a second when all of them are wrong.
const TURN: usize = 8_000;

#[derive(Default)]
struct Line {
    requests: VecDeque<Request>,
    is_served: bool,
}

struct Request {
    submissions: Vec<Submission>,
    answer: oneshot::Sender<Vec<Place>>,
}

impl Gathering {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().expect("nothing panics while it holds the requests")
    }

    /// How requests wait from now on; the first word holds.
    pub fn be_patient(&self, patience: Patience) {
        let _ = self.patience.set(patience);
    }

    fn patience(&self) -> Patience {
        self.patience.get().copied().unwrap_or_default()
    }

    /// Waits on the calling thread while many submissions gather.
    fn wait(&self) {
        let Patience { pause, round } = self.patience();
        let mut before = 0;
        for _ in 0..if pause.is_zero() { 0 } else { PAUSES } {
            let count = self.line().requests.iter().map(|one| one.submissions.len()).sum();
            if count < before + BULK || count >= round {
                return;
            }
            before = count;
            thread::sleep(pause);
        }
    }

    /// Puts a request into the line. True when nobody serves it: then the caller must.
    fn join(&self, request: Request) -> bool {
        let mut line = self.line();
        line.requests.push_back(request);
        !std::mem::replace(&mut line.is_served, true)
    }

    /// The requests of the next round; `None` when nobody waits, and from then on nobody serves.
    fn take_round(&self) -> Option<Vec<Request>> {
        let mut line = self.line();
        let (mut taken, mut count) = (Vec::new(), 0);
        while count < self.patience().round
            && let Some(request) = line.requests.pop_front()
        {
            count += request.submissions.len();
            taken.push(request);
        }
        line.is_served = !taken.is_empty();
        line.is_served.then_some(taken)
    }
}

impl Service {
    /// Admits round after round until nobody waits.
    fn serve_line(&self) {
        loop {
            self.gathering.wait();
            let Some(requests) = self.gathering.take_round() else { return };
            // What is dropped unanswered reads as "the node is stopping"; the line goes on.
            match catch_unwind(AssertUnwindSafe(|| self.admit_round(requests))) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "transactions could not be taken"),
                Err(_) => tracing::error!("checking transactions panicked"),
            }
        }
    }

    fn admit_round(&self, requests: Vec<Request>) -> Result<(), LedgerError> {
        let (mut submissions, mut answers) = (Vec::new(), Vec::with_capacity(requests.len()));
        for mut request in requests {
            answers.push((request.submissions.len(), request.answer));
            submissions.append(&mut request.submissions);
        }
        let mut places = self.admit(submissions)?.into_iter();
        for (count, answer) in answers {
            // Who has gone away needs no answer.
            let _ = answer.send(places.by_ref().take(count).collect());
        }
        Ok(())
    }

    /// Form first, then who sends; what is left waits for the orderer. One place per submission.
    fn admit(&self, mut submissions: Vec<Submission>) -> Result<Vec<Place>, LedgerError> {
        let taken = self.take_private(&mut submissions)?;
        let mut places = Vec::with_capacity(submissions.len());
        let mut admitted = Vec::new();
        let rules = self.ledger.rules();
        let answers = CheckedTransaction::check_many(submissions, rules, &*self.verifier);
        for (judged, taken) in self.judge_all(answers)?.into_iter().zip(taken) {
            let judged = match taken {
                Err(refusal) => Err(Err(refusal)),
                Ok(kept) => {
                    // Also beside a transaction that was ordered before.
                    if let Some(handed_over) = kept.filter(|_| !matches!(judged, Err(Err(_)))) {
                        self.private.accept(&self.ledger, &handed_over)?;
                    }
                    judged
                }
            };
            places.push(match judged {
                Ok(checked) => {
                    admitted.push(checked);
                    Place::Waiting
                }
                Err(answer) => Place::Answered(answer),
            });
        }
        let numbered: Vec<_> = admitted.iter().map(CheckedTransaction::numbered).collect();
        let mut receivers = self.mempool.push(admitted).into_iter();
        // Whoever asks again is answered from the ledger and need not wait for a block. What is ordered
        // from here on is answered with its block.
        answer_known(&self.ledger, &self.mempool, &numbered)?;
        for place in &mut places {
            if matches!(place, Place::Waiting) {
                let receiver = receivers.next().expect("one receiver for each admitted");
                *place = Place::Ordered(receiver);
            }
        }
        Ok(places)
    }

    /// Takes off the values that go to this node alone, on a private ledger: nothing behind this sees
    /// them.
    fn take_private(
        &self,
        submissions: &mut [Submission],
    ) -> Result<Vec<Result<Option<HandedOver>, SubmitError>>, LedgerError> {
        let view = self.ledger.view();
        let take = |submission| self.private.take(&self.ledger, &view, submission);
        submissions.iter_mut().map(take).collect()
    }

    /// The same for what other nodes pass on; nobody waits for an answer.
    pub fn offer(&self, passed_on: Vec<(PublicKey, Vec<Submission>)>) -> Result<(), LedgerError> {
        let (mut turn, mut signatures) = (Vec::new(), 0);
        for (origin, batch) in passed_on {
            for submission in batch {
                signatures += submission.transaction.signatures.len().max(1);
                turn.push((origin, submission));
                if signatures >= TURN {
                    self.offer_in_turn(std::mem::take(&mut turn))?;
                    signatures = 0;
                }
            }
        }
        self.offer_in_turn(turn)
    }

    fn offer_in_turn(&self, passed_on: Vec<(PublicKey, Submission)>) -> Result<(), LedgerError> {
        let (origins, submissions): (Vec<_>, Vec<_>) = passed_on.into_iter().unzip();
        let (rules, verifier) = (self.ledger.rules(), &*self.verifier);
        let submissions = submissions.into_iter().map(Cow::Owned).map(Candidate::decoded);
        let known = |id: &TransactionId| self.mempool.known(id);
        let _turn = self.checking.of_passed_on();
        let answers = CheckedTransaction::check_unknown(submissions, rules, verifier, &known);
        let judged = origins.into_iter().zip(self.judge_all(answers)?);
        self.mempool.offer(judged.filter_map(|(origin, judged)| Some((origin, judged.ok()?))));
        Ok(())
    }

    /// Admits what has the right form, or answers it.
    fn judge_all(
        &self,
        answers: Vec<Result<CheckedTransaction, Malformed>>,
    ) -> Result<Vec<Result<CheckedTransaction, Submitted>>, LedgerError> {
        let view = self.ledger.view();
        let time = self.ledger.next_time(self.clock.now())?;
        let mut seen = Seen::default();
        let mut judged = Vec::with_capacity(answers.len());
        for answer in answers {
            judged.push(match answer {
                Err(malformed) => Err(Err(SubmitError::Malformed(malformed))),
                Ok(checked) => match self.judge(&view, &checked, time, &mut seen)? {
                    Some(answer) => Err(answer),
                    None => Ok(checked),
                },
            });
        }
        Ok(judged)
    }

    /// `None` admits the transaction.
    fn judge(
        &self,
        view: &View,
        checked: &CheckedTransaction,
        time: Timestamp,
        seen: &mut Seen,
    ) -> Result<Option<Submitted>, LedgerError> {
        let Some(objection) = self.objection(view, checked, time, seen)? else { return Ok(None) };
        // Rule: the first receipt stays the answer for an id, whatever stands against it by now. A
        // transaction without objection is looked up when it waits, and before it enters a block.
        let known = known_outcome(view, &checked.id())?;
        Ok(Some(known.ok_or(objection)))
    }

    /// What stands against ordering the transaction.
    fn objection(
        &self,
        view: &View,
        checked: &CheckedTransaction,
        time: Timestamp,
        seen: &mut Seen,
    ) -> Result<Option<SubmitError>, LedgerError> {
        if let Err(malformed) = checked.check_time(time) {
            return Ok(Some(SubmitError::Malformed(malformed)));
        }
        let signer = &checked.submission().transaction.envelope.signer;
        let sender = match seen.resolve(view, signer, time)? {
            Ok(sender) => sender,
            Err(Rejection::KeyUnknown) => return Ok(Some(SubmitError::KeyNotRegistered)),
            // A revoked key or one that waits gets its receipt.
            Err(_) => return Ok(None),
        };
        let bound = seen.quota(view)?;
        let mut quota = self.quota.lock().expect(UNPOISONED);
        if quota.is_reached(&sender, bound, time) {
            return Ok(Some(SubmitError::QuotaExceeded { bound }));
        }
        Ok(None)
    }
}

/// What one request looks up: a gateway's thousand transactions ask once for each key.
#[derive(Default)]
struct Seen {
    keys: BTreeMap<PublicKey, Result<Sender, Rejection>>,
    quota: Option<u32>,
}

impl Seen {
    /// Ordered rejections that a party may cause in an hour.
    fn quota(&mut self, view: &View) -> Result<u32, LedgerError> {
        if let Some(known) = self.quota {
            return Ok(known);
        }
        let next = view.height() + 1;
        let quota = view.read(|state| state.parameters(view.rules(), next))?.rejections_per_hour;
        self.quota = Some(quota);
        Ok(quota)
    }

    fn resolve(
        &mut self,
        view: &View,
        key: &PublicKey,
        time: Timestamp,
    ) -> Result<Result<Sender, Rejection>, LedgerError> {
        if let Some(known) = self.keys.get(key) {
            return Ok(known.clone());
        }
        let resolved = view.read(|state| resolve(state, view.rules(), key, time))?;
        self.keys.insert(*key, resolved.clone());
        Ok(resolved)
    }
}

enum Place {
    Answered(Submitted),
    Waiting,
    Ordered(oneshot::Receiver<Submitted>),
}

/// The service behind the two traits.
#[derive(Clone)]
pub struct Doors(pub(crate) Arc<Service>);

impl Doors {
    /// Takes submissions at once, on the calling thread, and answers later.
    ///
    /// # Errors
    /// [`LedgerError`] when the store cannot be read.
    pub fn admit(
        &self,
        submissions: Vec<Submission>,
    ) -> Result<impl Future<Output = Vec<Submitted>> + Send + use<>, LedgerError> {
        Ok(answers(self.0.admit(submissions)?))
    }
}

async fn answers(places: Vec<Place>) -> Vec<Submitted> {
    let mut answers = Vec::with_capacity(places.len());
    for place in places {
        answers.push(match place {
            Place::Answered(answer) => answer,
            Place::Ordered(receiver) => receiver.await.unwrap_or(Err(SubmitError::Stopping)),
            Place::Waiting => unreachable!("every admitted transaction has its receiver"),
        });
    }
    answers
}

impl Reader for Doors {
    fn view(&self) -> Result<View, LedgerError> {
        Ok(self.0.ledger.view())
    }

    fn reached(&self, height: u64) -> Answer<()> {
        wait(Arc::clone(&self.0.heights), move |heights| heights.head >= height)
    }

    fn provable(&self, height: u64) -> Answer<()> {
        self.0.mempool.wake();
        wait(Arc::clone(&self.0.heights), move |heights| heights.provable >= height)
    }
}

fn wait(
    heights: Arc<Signal<Heights>>,
    mut is_enough: impl FnMut(&Heights) -> bool + Send + 'static,
) -> Answer<()> {
    Box::pin(async move {
        // When the node ends there is nothing to wait for: the caller's next read says so.
        heights.wait_for(|heights| heights.is_over || is_enough(heights)).await;
    })
}

impl Submitter for Doors {
    fn submit(&self, submissions: Vec<Submission>) -> Answer<Vec<Submitted>> {
        let service = Arc::clone(&self.0);
        Box::pin(async move {
            let count = submissions.len();
            let (answer, places) = oneshot::channel();
            if service.gathering.join(Request { submissions, answer }) {
                tokio::task::spawn_blocking(move || service.serve_line());
            }
            // A failed round drops its requests.
            let Ok(places) = places.await else { return vec![Err(SubmitError::Stopping); count] };
            answers(places).await
        })
    }
}
