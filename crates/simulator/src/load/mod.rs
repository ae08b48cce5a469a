//! The load generator: signed work made beforehand, sent as a gateway sends it, and measured.
//!
//! A node runs in a process of its own; this talks to it over its API only. Keys, signatures and
//! payloads are made outside the timed parts. Beside every rate stands the bare limit of the same
//! machine in the same run: the batch verification of the very same signatures, and a bare fsync.
//!
//! On a network that runs, [`purchase`] makes traffic and knows what was acknowledged.
//!
//! Where to start reading: [`run`], then [`work`] (what is signed), [`measure`] (what is read of the
//! operating system).

pub mod measure;
mod network;
mod phases;
mod purchases;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use client::connection::ConnectionError;
use client::transaction_builder::BuildError;
use contracts::genesis::GenesisError;
use primitives::codec::CodecError;
use primitives::units::OutOfRange;
use thiserror::Error;

pub use phases::run;
pub use purchases::{PurchaseReport, Purchases, purchase};

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadPlan {
    /// Usage points, each with a meter, 1..=100,000.
    pub homes: u32,
    /// Settlement periods with a signature each, per usage point; from 97 on over several days.
    pub slots: u32,
    /// Are days sealed as well, and slots charged, billed and paid?
    pub seals: bool,
    /// Connections that send at the same time.
    pub clients: u32,
    /// Transactions of one request, 1..=1,000.
    pub per_request: u32,
    /// Requests per second over all clients; as fast as they are answered when 0 (closed loop).
    pub requests_per_second: u32,
    /// Payments of 64 payers to one account.
    pub payments: u32,
    /// Single submits of a lone client.
    pub lone: u32,
    /// Threads for signing and for the bare verification: as many as the node uses.
    pub threads: usize,
}

/// Where the nodes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The address of the API of the node that is loaded.
    pub url: String,
    /// Validators of the genesis.
    pub validators: u32,
    /// The processes of all nodes that run, to read CPU and memory of.
    pub processes: Vec<u32>,
    /// The directory of the loaded node's store, to count the bytes of.
    pub store: PathBuf,
}

impl Target {
    /// CPU time of all nodes.
    fn cpu(&self) -> Result<Duration, LoadError> {
        self.processes.iter().map(|process| measure::cpu_of(*process)).sum()
    }

    /// The largest that one of the nodes says of itself.
    fn largest(&self, of: fn(u32) -> Result<u64, LoadError>) -> Result<u64, LoadError> {
        self.processes.iter().try_fold(0, |largest, process| Ok(of(*process)?.max(largest)))
    }
}

/// Work per time, with what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// How much was done.
    pub count: u64,
    /// How long it took.
    pub wall: Duration,
    /// CPU time of all processes, the generator included.
    pub cpu: Duration,
    /// CPU time of the nodes alone.
    pub node_cpu: Duration,
}

impl Rate {
    /// Work per second of wall time.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        let nanoseconds = self.wall.as_nanos().max(1);
        u64::try_from(u128::from(self.count) * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
    }

    /// CPU nanoseconds per unit of work, of all processes.
    #[must_use]
    pub fn cpu_nanoseconds(&self) -> u64 {
        u64::try_from(self.cpu.as_nanos() / u128::from(self.count.max(1))).unwrap_or(u64::MAX)
    }

    /// CPU nanoseconds per unit of work, of the nodes alone.
    #[must_use]
    pub fn node_cpu_nanoseconds(&self) -> u64 {
        u64::try_from(self.node_cpu.as_nanos() / u128::from(self.count.max(1))).unwrap_or(u64::MAX)
    }
}

/// Latencies in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// Half were faster.
    pub p50_us: u64,
    /// 95 of 100 were faster.
    pub p95_us: u64,
    /// 99 of 100 were faster.
    pub p99_us: u64,
}

impl Latency {
    /// The quantiles of `samples`.
    #[must_use]
    pub fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let at = |percent: usize| {
            let index = (samples.len() * percent / 100).min(samples.len().saturating_sub(1));
            samples
                .get(index)
                .map_or(0, |sample| u64::try_from(sample.as_micros()).unwrap_or(u64::MAX))
        };
        Self { p50_us: at(50), p95_us: at(95), p99_us: at(99) }
    }
}

/// What came out. What was not part of the plan is zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadReport {
    /// Readings with a signature each.
    pub readings: Rate,
    /// Latency of a request of readings.
    pub readings_latency: Latency,
    /// Bytes on disk per reading, all files of the node.
    pub readings_disk_bytes: u64,
    /// CPU nanoseconds of the node per reading over the first and the last 100,000 of them, its
    /// background work included; zero for fewer.
    pub readings_growth: (u64, u64),
    /// Readings in day seals: one signature for a meter's whole day.
    pub seals: Rate,
    /// Bytes on disk per reading in a day seal.
    pub seals_disk_bytes: u64,
    /// Seals that follow single readings and agree with them.
    pub agreeing_seals: Rate,
    /// Slots charged in bulk.
    pub charges: Rate,
    /// Bills issued in bulk.
    pub bills: Rate,
    /// Payments of 64 payers to one account, all accepted.
    pub payments: Rate,
    /// A lone client's single submits.
    pub lone: Latency,
    /// A bare fdatasync of a small append on the same file system, in the same run.
    pub fsync_us: u64,
    /// Batch verification of the readings' signatures alone, on the same threads: CPU nanoseconds per
    /// signature and signatures per second.
    pub bare_verify: Rate,
    /// Memory of the largest node after the signed readings, in KiB.
    pub rss_kib: u64,
    /// Peak memory of the largest node in KiB.
    pub peak_rss_kib: u64,
    /// Threads of the node and of the bare verification.
    pub threads: usize,
    /// The machine's load average over one minute, in hundredths, when the run began and ended.
    pub load_average: (u64, u64),
}

/// Why a load run ended early.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The plan cannot be played.
    #[error("{0}")]
    Plan(&'static str),
    /// The node did not answer.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A transaction could not be made.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A name or list is too long.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A number leaves its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The genesis cannot found a ledger.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A transaction was not accepted.
    #[error("{step}: transaction was not accepted: {code} {detail}")]
    NotAccepted {
        /// What was being done.
        step: &'static str,
        /// The code.
        code: u16,
        /// The rule in words.
        detail: String,
    },
    /// What was acknowledged could not be noted.
    #[error("the log cannot be written: {0}")]
    Note(#[source] std::io::Error),
    /// The operating system did not tell something.
    #[error("{0} cannot be measured here")]
    Measure(&'static str),
}
