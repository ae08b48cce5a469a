//! What an operator's monitoring asks for, in the text form of OpenMetrics.
//!
//! Counted here is what passes through this floor. What only the node can say comes in through
//! [`Sources`] and [`Metrics::committed`]; a source that is not given is left out, never shown as
//! zero. Numbers only, no ids and no amounts: the address needs no rights.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ledger::{Outcome, SubmitError, View};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::response::submit::outcome;
use crate::routes::kind_name;

/// The content type of the answer.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of times in seconds, from half a millisecond to ten seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Upper bounds of the times between blocks in seconds, from a millisecond to an hour.
const BLOCK_SECONDS: [f64; 12] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0, 3_600.0];

/// The kinds of transactions that bring readings.
const READINGS: [&str; 5] =
    ["SubmitReading", "SealDay", "SealGatewayBatch", "CorrectReading", "EstimateDay"];

/// A number that is asked for at each scrape; `None` while nobody can say it.
pub type Source = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// What only the node can say.
#[derive(Default)]
pub struct Sources {
    /// Transactions that wait for a block.
    pub mempool: Option<Source>,
    /// Bytes that the store takes on disk.
    pub store_bytes: Option<Source>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SubmissionLabels {
    /// `accepted`, `rejected`, `malformed` or `refused`.
    status: &'static str,
    /// The name of the rule, form error or refusal, or `Accepted`.
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RejectionLabels {
    /// The number of the rule.
    number: u64,
    /// Its name.
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadingLabels {
    /// The name of the kind of transaction.
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// The first digit of the HTTP status.
    class: &'static str,
}

/// What the API counts elsewhere.
pub(crate) struct Counts {
    pub sessions: usize,
    pub live: usize,
    pub read_model: u64,
}

/// The counters of one node, and where the rest comes from.
pub struct Metrics {
    registry: Registry,
    sources: Sources,
    submissions: Family<SubmissionLabels, Counter>,
    requests: Family<RequestLabels, Counter>,
    submit: Histogram,
    commit: Histogram,
    /// From one durable block to the next, and when the newest one was.
    block: Histogram,
    newest: Mutex<Option<Instant>>,
    clock_behind: Counter,
    rejections: Family<RejectionLabels, Counter>,
    readings: Family<ReadingLabels, Counter>,
    height: Gauge,
    provable: Gauge,
    executed_lag: Gauge,
    transactions: Gauge,
    time: Gauge,
    sessions: Gauge,
    live: Gauge,
    read_model: Gauge,
    mempool: Gauge,
    store: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Sources::default())
    }
}

impl Metrics {
    /// Counters at zero.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        let mut it = Self {
            registry: Registry::with_prefix("gridtally"),
            sources,
            submissions: Family::default(),
            requests: Family::default(),
            submit: Histogram::new(SECONDS),
            commit: Histogram::new(SECONDS),
            block: Histogram::new(BLOCK_SECONDS),
            newest: Mutex::default(),
            clock_behind: Counter::default(),
            rejections: Family::default(),
            readings: Family::default(),
            executed_lag: Gauge::default(),
            height: Gauge::default(),
            provable: Gauge::default(),
            transactions: Gauge::default(),
            time: Gauge::default(),
            sessions: Gauge::default(),
            live: Gauge::default(),
            read_model: Gauge::default(),
            mempool: Gauge::default(),
            store: Gauge::default(),
        };
        it.register();
        it
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("height", "Height of the newest durable block", self.height.clone());
        registry.register(
            "provable_height",
            "Newest height whose execution the newest header commits to",
            self.provable.clone(),
        );
        registry.register(
            "executed_lag_blocks",
            "Blocks whose execution no header commits to yet",
            self.executed_lag.clone(),
        );
        registry.register(
            "ledger_transactions",
            "Transactions ordered since the genesis",
            self.transactions.clone(),
        );
        registry.register("head_time_ms", "Time of the newest block, UTC", self.time.clone());
        registry.register("sessions", "Open sessions", self.sessions.clone());
        registry.register("live_clients", "Open live connections", self.live.clone());
        let help = "Height that the read model has reached, 0 without one";
        registry.register("read_model_height", help, self.read_model.clone());
        registry.register(
            "submissions",
            "Transactions submitted here, by what became of them",
            self.submissions.clone(),
        );
        registry.register("requests", "Requests answered, by status", self.requests.clone());
        registry.register_with_unit(
            "submit",
            "From a decoded request to its answer, executed and durable",
            Unit::Seconds,
            self.submit.clone(),
        );
        registry.register_with_unit(
            "commit",
            "Durable commits of the store, one for each block",
            Unit::Seconds,
            self.commit.clone(),
        );
        registry.register_with_unit(
            "block",
            "From one durable block to the next",
            Unit::Seconds,
            self.block.clone(),
        );
        let help = "Blocks made while the clock stood behind the newest one";
        registry.register("clock_behind", help, self.clock_behind.clone());
        let help = "Transactions submitted here and rejected, by the number and name of the rule";
        registry.register("rejections", help, self.rejections.clone());
        let help = "Accepted transactions with readings submitted here, by kind";
        registry.register("readings", help, self.readings.clone());
        if self.sources.mempool.is_some() {
            let help = "Transactions that wait for a block";
            registry.register("mempool_transactions", help, self.mempool.clone());
        }
        if self.sources.store_bytes.is_some() {
            let help = "Bytes of the store on disk";
            registry.register("store_bytes", help, self.store.clone());
        }
    }

    /// The store made a block durable.
    pub fn committed(&self, time: Duration) {
        self.commit.observe(time.as_secs_f64());
        let now = Instant::now();
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = newest.replace(now) {
            self.block.observe(now.duration_since(before).as_secs_f64());
        }
    }

    /// A block was made while the clock stood behind the newest one.
    pub fn clock_behind(&self) {
        self.clock_behind.inc();
    }

    /// What readings came with a request.
    pub(crate) fn readings(&self, kinds: &[u16], answers: &[Result<Outcome, SubmitError>]) {
        for (kind, answer) in kinds.iter().zip(answers) {
            let kind = kind_name(*kind);
            let is_reading = READINGS.contains(&kind);
            if is_reading && answer.as_ref().is_ok_and(|outcome| outcome.code == 0) {
                self.readings.get_or_create(&ReadingLabels { kind }).inc();
            }
        }
    }

    /// The node answered a request with transactions.
    pub(crate) fn submitted(&self, answers: &[Result<Outcome, SubmitError>], time: Duration) {
        self.submit.observe(time.as_secs_f64());
        for answer in answers {
            let (status, _, code) = outcome(answer);
            self.submissions.get_or_create(&SubmissionLabels { status, code }).inc();
            if let Ok(Outcome { code: number @ 1.., .. }) = answer {
                let labels = RejectionLabels { number: (*number).into(), code };
                self.rejections.get_or_create(&labels).inc();
            }
        }
    }

    pub(crate) fn answered(&self, status: u16) {
        let class = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&RequestLabels { class }).inc();
    }

    /// Everything as text, as of a view.
    pub(crate) fn text(&self, view: &View, counts: &Counts) -> Result<String, String> {
        let set = |gauge: &Gauge, value: u64| {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        let head = view.head();
        set(&self.height, view.height());
        set(&self.provable, view.provable_height());
        set(&self.executed_lag, view.height().saturating_sub(view.provable_height()));
        set(&self.transactions, head.transactions);
        set(&self.time, head.header.time.get());
        set(&self.sessions, counts.sessions as u64);
        set(&self.live, counts.live as u64);
        set(&self.read_model, counts.read_model);
        let sources =
            [(&self.mempool, &self.sources.mempool), (&self.store, &self.sources.store_bytes)];
        for (gauge, source) in sources {
            if let Some(value) = source.as_ref().and_then(|source| source()) {
                set(gauge, value);
            }
        }
        let mut encoded = String::new();
        text::encode(&mut encoded, &self.registry).map_err(|error| error.to_string())?;
        Ok(encoded)
    }
}
