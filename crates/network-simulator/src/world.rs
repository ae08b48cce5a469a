//! One run: validators, clients, faults, and the observer.

use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use commonware_p2p::Manager as _;
use commonware_runtime::{Clock, Handle, Runner as _, Spawner, Supervisor, deterministic};
use commonware_utils::NZU64;
use consensus_bft::engine::{Config, Network, Pace};
use consensus_bft::membership::engine_key;
use consensus_bft::{Connected, Retention, Told};
use contracts::Genesis;
use contracts::genesis::{Clock as GenesisClock, Currency, Owner, Parameters, Privacy};
use ledger::store::{Fault, MemoryStore, Store};
use ledger::{InLine, Ledger, LedgerError};
use node::{NodeError, Ordering, WallClock, assemble};
use primitives::codec::{Bounded, Text};
use primitives::header::ValidatorSet;
use primitives::units::Timestamp;

use crate::checks::{self, Observer};
use crate::clients::{Counter, Door, Market, owner};
use crate::conduct::{Actor, Bug, Conduct};
use crate::council::{Council, node_key};
use crate::network::{Faces, Links, any, good, split};
use crate::random::Random;
use crate::spoiled::SpoiledStore;

pub type Context = deterministic::Context;

/// Validators that a run begins with: the smallest set that tolerates a fault.
pub const VALIDATORS: usize = 4;
/// Nodes of a run in which the validators change.
const NODES: usize = 6;
/// The one that lies when somebody does.
const LIAR: usize = 3;
/// The one whose store is spoiled when that bug is planted.
const SPOILED: usize = 1;
/// Blocks of an epoch: few, so that a run crosses several boundaries.
const EPOCH_BLOCKS: u32 = 25;
/// Blocks of an epoch where the validators change: fewer still.
pub const SHORT_EPOCH_BLOCKS: u32 = 10;
/// Blocks that the engine keeps itself: few, so that who was away gets the others from ledgers.
const KEPT_BLOCKS: u64 = 8;
/// When a run begins: 2026-01-15 in UTC.
const BEGIN: Duration = Duration::from_secs(1_768_435_200);
/// How long faults strike.
const TROUBLE: Duration = Duration::from_secs(8);
/// How long they strike where the validators change as well.
const LONG_TROUBLE: Duration = Duration::from_secs(20);
/// How long a healed network may take until everybody is answered and all stand at one height.
pub const HEALING: Duration = Duration::from_secs(60);
/// Between two looks of the observer, and two chances for a fault.
pub const TICK: Duration = Duration::from_millis(100);
/// The largest skew of a simulated clock.
pub const MAX_SKEW_MS: u64 = 400;
pub const BUYERS: u8 = 3;

/// What strikes the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// Nothing.
    None,
    /// Validators crash and start again.
    Crash,
    /// Loss, delay, partitions, skewed clocks.
    Network,
    /// Stores fail to write or to read, and validators crash for it.
    Storage,
    /// One of the four lies.
    Byzantine,
    /// Validators crash, one may lie, and all the while others take their seats.
    Membership,
    /// All of it.
    All,
}

impl Faults {
    fn crashes(self) -> bool {
        matches!(self, Self::Crash | Self::Membership | Self::All)
    }

    fn network(self) -> bool {
        matches!(self, Self::Network | Self::All)
    }

    fn storage(self) -> bool {
        matches!(self, Self::Storage | Self::All)
    }

    fn lies(self) -> bool {
        matches!(self, Self::Byzantine | Self::Membership | Self::All)
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "crash" => Ok(Self::Crash),
            "network" => Ok(Self::Network),
            "storage" => Ok(Self::Storage),
            "byzantine" => Ok(Self::Byzantine),
            "membership" => Ok(Self::Membership),
            "all" => Ok(Self::All),
            _ => {
                Err("wanted is none, crash, network, storage, byzantine, membership or all"
                    .to_owned())
            }
        }
    }
}

/// What came of one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// What did not hold, the first thing first.
    pub violations: Vec<String>,
    /// Final blocks.
    pub blocks: u64,
    /// Transactions that clients were answered for.
    pub acknowledged: u64,
    /// Validators that crashed.
    pub crashes: u64,
    /// Different sets of validators.
    pub sets: u64,
    /// Fingerprint of everything that happened: the same seed gives the same.
    pub audit: String,
}

/// The network of a run.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub faults: Faults,
    pub bug: Option<Bug>,
    /// Nodes, the validators of the genesis first.
    pub nodes: usize,
    pub validators: usize,
    /// Nodes that run from the beginning.
    pub running: usize,
    pub epoch_blocks: u32,
}

/// Runs one seed.
#[must_use]
pub fn simulate(seed: u64, faults: Faults, bug: Option<Bug>) -> SeedReport {
    let (nodes, epoch_blocks) = match faults {
        Faults::Membership => (NODES, SHORT_EPOCH_BLOCKS),
        _ => (VALIDATORS, EPOCH_BLOCKS),
    };
    let (validators, running) = (VALIDATORS, nodes);
    let setup = Setup { faults, bug, nodes, validators, running, epoch_blocks };
    run(seed, |context| async move { World::start(context, seed, setup).await.play().await })
}

/// Runs a world of this seed to its end.
pub fn run<F>(seed: u64, play: impl FnOnce(Context) -> F) -> SeedReport
where
    F: Future<Output = SeedReport>,
{
    let runner = deterministic::Runner::new(
        deterministic::Config::new().with_seed(seed).with_start_time(UNIX_EPOCH + BEGIN),
    );
    let run = std::panic::AssertUnwindSafe(|| {
        runner.start(|context| async move {
            let auditor = context.auditor();
            let mut report = play(context).await;
            report.audit = auditor.state();
            report
        })
    });
    std::panic::catch_unwind(run).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        SeedReport {
            seed,
            violations: vec![format!("a panic: {text}")],
            blocks: 0,
            acknowledged: 0,
            crashes: 0,
            sets: 0,
            audit: String::new(),
        }
    })
}

/// A validator's clock: the simulated time with its own skew.
struct SkewedClock {
    context: Context,
    skew_ms: Arc<AtomicI64>,
}

impl WallClock for SkewedClock {
    fn now(&self) -> Timestamp {
        let skewed =
            milliseconds(self.context.current()).saturating_add_signed(self.skew_ms.load(Relaxed));
        Timestamp::new(skewed)
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

/// How a liar lies in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lying {
    /// Proposes what is invalid, forged or replayed, and votes for everything.
    Proposals,
    /// Runs twice with one key, and each half of the network sees another one: two proposals for
    /// one view, two votes.
    Twins,
    /// Shows its blocks and votes to one other validator alone.
    Withholds,
}

/// What became of a validator's task.
type Ending = Arc<Mutex<Option<Result<(), NodeError>>>>;

struct Validator {
    store: MemoryStore,
    skew_ms: Arc<AtomicI64>,
    running: Vec<Running>,
    /// When it starts again.
    down_until: Option<SystemTime>,
    starts: u64,
}

impl Validator {
    /// Does it run, or will it again?
    fn is_on(&self) -> bool {
        !self.running.is_empty() || self.down_until.is_some()
    }
}

struct Running {
    task: Handle<()>,
    ordering: Ordering,
    ending: Ending,
}

pub struct World {
    pub context: Context,
    pub seed: u64,
    setup: Setup,
    lying: Option<Lying>,
    pub random: Random,
    pub genesis: Genesis,
    links: Links,
    validators: Vec<Validator>,
    pub counter: Arc<Counter>,
    pub observer: Observer,
    pub violations: Vec<String>,
    /// Nodes that stopped before a version of the protocol that they do not know, and its height.
    pub outdated: Vec<(usize, u64)>,
    crashes: u64,
}

impl World {
    pub async fn start(context: Context, seed: u64, setup: Setup) -> Self {
        let Setup { faults, bug, nodes, validators: founders, running, epoch_blocks } = setup;
        let mut random = Random::new(seed, "faults");
        let genesis = genesis(founders, epoch_blocks);
        let keys = (0..nodes).filter_map(|node| engine_key(&node_key(node).public())).collect();
        let links = Links::start(&context, keys).await;
        let choices = [Lying::Proposals, Lying::Twins, Lying::Withholds];
        let lying = match bug {
            // The bug shows only when somebody lies.
            Some(Bug::VotesBlindly) => Some(Lying::Proposals),
            // Where seats change hands, in every other run.
            _ if faults == Faults::Membership && random.percent(50) => None,
            _ => faults.lies().then(|| choices[random.below(choices.len())]),
        };
        let validators = (0..nodes).map(|index| Validator {
            store: MemoryStore::seeded(seed ^ index as u64, ledger::store::FaultRates::default()),
            skew_ms: Arc::default(),
            running: Vec::new(),
            down_until: None,
            starts: 0,
        });
        let counter = Arc::new(Counter::default());
        *counter.open.lock().expect(UNPOISONED) = vec![None; nodes];
        let mut world = Self {
            context,
            seed,
            setup,
            lying,
            random,
            genesis,
            links,
            validators: validators.collect(),
            counter,
            observer: Observer::new(nodes, lying.is_some()),
            violations: Vec::new(),
            outdated: Vec::new(),
            crashes: 0,
        };
        for validator in 0..running {
            world.boot(validator).await;
        }
        world
    }

    /// The ledger of a node that runs.
    pub fn ledger(&self, node: usize) -> Option<&Arc<Ledger>> {
        Some(&self.validators[node].running.first()?.ordering.ledger)
    }

    /// Those that run, and their ledgers.
    pub fn ledgers(&self) -> impl Iterator<Item = (usize, &Arc<Ledger>)> {
        (0..self.validators.len()).filter_map(|node| Some((node, self.ledger(node)?)))
    }

    fn is_liar(&self, validator: usize) -> bool {
        self.lying.is_some() && validator == LIAR
    }

    fn conduct(&self, validator: usize) -> Conduct {
        match (self.lying, self.setup.bug) {
            (Some(Lying::Proposals), _) if validator == LIAR => Conduct::Liar {
                random: Arc::new(Mutex::new(Random::new(self.seed, "lies"))),
                sent: self.counter.sent.clone(),
            },
            (_, Some(bug)) => Conduct::Buggy(bug),
            _ => Conduct::Honest,
        }
    }

    /// Starts a validator on what its store holds.
    pub async fn boot(&mut self, validator: usize) {
        let channels = self.links.channels(validator).await;
        self.validators[validator].starts += 1;
        let opened = self.open(validator);
        let ledger = match opened {
            Ok(ledger) => ledger,
            // A planted failure struck the start.
            Err(LedgerError::Store(_)) => return self.crash(validator, TICK).await,
            Err(error) => {
                let what = format!("validator {validator} cannot open its ledger: {error}");
                self.violations.push(what);
                return;
            }
        };
        let told = self.counter.acknowledged.lock().expect(UNPOISONED).clone();
        match checks::acknowledged(&ledger.view(), &told, Some(validator)) {
            Ok(Ok(())) => {}
            Ok(Err(lost)) if !self.is_liar(validator) => {
                self.violations.push(format!("after a crash: {lost}"));
            }
            Ok(Err(_)) => {}
            Err(LedgerError::Store(_)) => return self.crash(validator, TICK).await,
            Err(error) => self.violations.push(error.to_string()),
        }
        let prefix = match self.setup.bug {
            Some(Bug::LosesJournal) => {
                format!("v{validator}-{}", self.validators[validator].starts)
            }
            _ => format!("v{validator}"),
        };
        let lying = self.lying.filter(|_| validator == LIAR);
        let faces = match lying {
            Some(Lying::Twins) => self.faces(),
            Some(Lying::Withholds) => {
                let confidant = self.random.below(LIAR);
                Faces { first: vec![self.links.keys[confidant].clone()], second: Vec::new() }
            }
            _ => Faces { first: self.links.keys.clone(), second: Vec::new() },
        };
        let (first, second) = split(&self.context, channels, &faces);
        if lying == Some(Lying::Twins) {
            let twin = Ledger::open(Arc::new(MemoryStore::new()), Some(self.genesis.clone()));
            let twin = Arc::new(twin.expect("a new store holds a new ledger"));
            self.spawn(validator, &format!("{prefix}-twin"), twin, second);
        }
        self.spawn(validator, &prefix, ledger, first);
    }

    /// Each honest validator sees one of the twins, or both.
    fn faces(&mut self) -> Faces {
        let mut faces = Faces { first: Vec::new(), second: Vec::new() };
        for honest in &self.links.keys[..LIAR] {
            match self.random.below(3) {
                0 => faces.first.push(honest.clone()),
                1 => faces.second.push(honest.clone()),
                _ => {
                    faces.first.push(honest.clone());
                    faces.second.push(honest.clone());
                }
            }
        }
        faces
    }

    fn open(&self, validator: usize) -> Result<Arc<Ledger>, LedgerError> {
        let store = self.validators[validator].store.clone();
        let store: Arc<dyn Store> = match self.setup.bug {
            Some(Bug::ExecutesDifferently) if validator == SPOILED => Arc::new(SpoiledStore(store)),
            _ => Arc::new(store),
        };
        Ok(Arc::new(Ledger::open(store, Some(self.genesis.clone()))?))
    }

    fn spawn<S>(
        &mut self,
        validator: usize,
        prefix: &str,
        ledger: Arc<Ledger>,
        channels: crate::network::FaceChannels<S>,
    ) where
        S: commonware_p2p::Sender<PublicKey = commonware_cryptography::ed25519::PublicKey>,
    {
        let state = &self.validators[validator];
        let clock = SkewedClock {
            context: self.context.child("clock"),
            skew_ms: Arc::clone(&state.skew_ms),
        };
        let verifier = InLine { entropy: [7; 32] };
        let (ordering, doors) = assemble(Arc::clone(&ledger), Arc::new(clock), Arc::new(verifier));
        let config = Config {
            key: node_key(validator),
            peers: Vec::new(),
            prefix: prefix.to_owned(),
            pace: Pace::default(),
            retention: Retention { blocks: KEPT_BLOCKS, section: NZU64!(4) },
            told: Told::default(),
            connected: Connected::with_everybody(),
        };
        let mut manager = self.links.oracle.manager();
        let network = Network {
            blocker: self.links.oracle.control(self.links.keys[validator].clone()),
            peers: self.links.oracle.manager(),
            track: move |from, peers| {
                let _ = manager.track(from, peers);
            },
            channels,
        };
        let conduct = self.conduct(validator);
        let ending = Ending::default();
        let report = Arc::clone(&ending);
        let works = ordering.clone();
        let task = self.context.child("validator").spawn(move |context| async move {
            let wrap = |inner| Actor { inner, conduct };
            let result = consensus_bft::run(context, works, config, network, wrap).await;
            *report.lock().expect(UNPOISONED) = Some(result);
        });
        if !self.is_liar(validator) {
            let door = Door { doors, ledger, start: state.starts };
            self.counter.open.lock().expect(UNPOISONED)[validator] = Some(door);
        }
        self.validators[validator].running.push(Running { task, ordering, ending });
    }

    /// Ends a node for good.
    pub async fn stop(&mut self, node: usize) {
        self.crash(node, TICK).await;
        self.validators[node].down_until = None;
    }

    /// Ends a validator at once, as a power loss would.
    pub async fn crash(&mut self, validator: usize, down: Duration) {
        self.counter.open.lock().expect(UNPOISONED)[validator] = None;
        for running in std::mem::take(&mut self.validators[validator].running) {
            running.task.abort();
            // It was aborted; how it ended says nothing.
            let _ = running.task.await;
            running.ordering.mempool.abandon();
        }
        let state = &mut self.validators[validator];
        state.store = state.store.crash();
        state.down_until = Some(self.context.current() + down);
        self.crashes += 1;
    }

    /// Runs until the time, or until the network is quiet above a height once the trouble is over.
    async fn run_until(&mut self, until: SystemTime, quiet_above: Option<u64>) {
        let mut partition_until = None;
        while self.context.current() < until && self.violations.is_empty() {
            self.tick(TICK).await;
            if quiet_above.is_none() {
                self.strike(&mut partition_until).await;
            }
            self.look().await;
            if quiet_above.is_some_and(|height| self.is_quiet_above(height)) {
                return;
            }
        }
    }

    /// Lets time pass.
    pub async fn tick(&mut self, time: Duration) {
        self.context.sleep(time).await;
        self.restart_those_who_may().await;
    }

    async fn restart_those_who_may(&mut self) {
        for validator in 0..self.validators.len() {
            let now = self.context.current();
            if self.validators[validator].down_until.is_some_and(|until| until <= now) {
                self.validators[validator].down_until = None;
                self.boot(validator).await;
            }
        }
    }

    /// Perhaps something bad.
    async fn strike(&mut self, partition_until: &mut Option<SystemTime>) {
        let now = self.context.current();
        let (faults, nodes) = (self.setup.faults, self.validators.len());
        if faults.crashes() && self.random.percent(4) {
            // Sometimes all of them at once.
            let all = self.random.percent(15);
            let one = self.random.below(nodes);
            for validator in 0..nodes {
                let is_up = !self.validators[validator].running.is_empty();
                if is_up && (all || validator == one) {
                    let down = Duration::from_millis(self.random.between(50, 3_000));
                    self.crash(validator, down).await;
                }
            }
        }
        if faults.storage() && self.random.percent(5) {
            let validator = self.random.below(nodes);
            let faults = [Fault::FailedWrite, Fault::FullDisk, Fault::FailedRead];
            let fault = faults[self.random.below(faults.len())];
            self.validators[validator].store.plant(fault);
        }
        if !faults.network() {
            return;
        }
        if partition_until.is_some_and(|until| until <= now) {
            *partition_until = None;
            self.links.connect(&mut |_, _| Some(good())).await;
        }
        if self.random.percent(4) && partition_until.is_none() {
            *partition_until = Some(now + Duration::from_millis(self.random.between(500, 4_000)));
            let sides: Vec<u64> = (0..nodes).map(|_| self.random.between(0, 1)).collect();
            self.links.connect(&mut |from, to| (sides[from] == sides[to]).then(good)).await;
        } else if self.random.percent(4) && partition_until.is_none() {
            let random = &mut self.random;
            self.links.connect(&mut |_, _| Some(any(random))).await;
        }
        if self.random.percent(5) {
            let validator = self.random.below(nodes);
            let skew = self.random.between(0, 2 * MAX_SKEW_MS) as i64 - MAX_SKEW_MS as i64;
            self.validators[validator].skew_ms.store(skew, Relaxed);
        }
    }

    /// Looks at every honest validator: did it end, what has it executed?
    pub async fn look(&mut self) {
        let now_ms = milliseconds(self.context.current());
        for validator in 0..self.validators.len() {
            if self.is_liar(validator) {
                continue;
            }
            let Some(running) = self.validators[validator].running.first() else { continue };
            let ending = running.ending.lock().expect(UNPOISONED).take();
            let view = running.ordering.ledger.view();
            match ending {
                None => match self.observer.look(validator, &view, now_ms) {
                    Ok(Ok(())) => {}
                    Ok(Err(violation)) => self.violations.push(violation),
                    // A planted read failure may strike the observer.
                    Err(LedgerError::Store(_)) => {}
                    Err(error) => self.violations.push(error.to_string()),
                },
                Some(Err(NodeError::Ledger(LedgerError::Store(_)))) => {
                    let down = Duration::from_millis(self.random.between(50, 1_500));
                    self.crash(validator, down).await;
                }
                Some(Err(NodeError::Ledger(LedgerError::ProtocolUnknown { height, .. }))) => {
                    self.outdated.push((validator, height.get()));
                }
                Some(Err(error)) => {
                    self.violations.push(format!("validator {validator} stopped: {error}"));
                }
                Some(Ok(())) => {
                    self.violations.push(format!("validator {validator} ended by itself"));
                }
            }
        }
        let told = std::mem::take(&mut *self.counter.violations.lock().expect(UNPOISONED));
        self.violations.extend(told);
    }

    /// Everybody was answered, and all honest validators stand at one height above `height` that
    /// commits to everything.
    pub fn is_quiet_above(&self, height: u64) -> bool {
        if self.counter.busy.load(Relaxed) > 0 || self.observer.height() <= height {
            return false;
        }
        let honest = (0..self.validators.len()).filter(|validator| !self.is_liar(*validator));
        let honest = honest.filter(|validator| self.validators[*validator].is_on());
        let heads: Vec<_> = honest
            .clone()
            .filter_map(|validator| {
                let running = self.validators[validator].running.first()?;
                Some(running.ordering.ledger.head())
            })
            .collect();
        heads.len() == honest.count()
            && heads.iter().all(|head| {
                head.header.height == heads[0].header.height
                    && head.header.executed.height.get() >= head.last_non_empty
            })
    }

    /// Registers the market, and the organisations where there are any.
    pub async fn found(&mut self, organisations: usize) -> Option<(Market, Council)> {
        let now = Timestamp::new(milliseconds(self.context.current()));
        let mut random = Random::new(self.seed, "founding");
        let ledger_id = self.genesis.ledger_id();
        let (seed, counter) = (self.seed, Arc::clone(&self.counter));
        let founding = self.context.child("founding").spawn(move |context| async move {
            // The market first: a single regulator may still set its limits.
            let market = Market::found(&context, &counter, &mut random, ledger_id, now, BUYERS);
            let market = market.await;
            let votes = Random::new(seed, "council");
            let council = Council::found(&context, counter, votes, ledger_id, now, organisations);
            (market, council.await)
        });
        let founded = self.while_it_works(founding).await;
        if founded.is_none() && self.violations.is_empty() {
            self.violations.push("no progress in a network without faults".to_owned());
        }
        founded
    }

    /// Looks on until a task is done; `None` when it never is.
    pub async fn while_it_works<T: Send + 'static>(&mut self, mut task: Handle<T>) -> Option<T> {
        let deadline = self.context.current() + HEALING;
        loop {
            let step = self.context.current() + TICK;
            commonware_macros::select! {
                done = &mut task => break done.ok(),
                _ = self.context.sleep_until(step) => {},
            }
            self.restart_those_who_may().await;
            self.look().await;
            if self.context.current() > deadline || !self.violations.is_empty() {
                break None;
            }
        }
    }

    /// Lets the buyers of a market trade.
    pub fn trade(&self, market: &Market) {
        for buyer in 0..usize::from(BUYERS) {
            let (market, counter) = (market.clone(), Arc::clone(&self.counter));
            let random = Random::new(self.seed, &format!("buyer {buyer}"));
            self.context
                .child("buyer")
                .spawn(move |context| market.trade(context, counter, random, buyer));
        }
    }

    async fn play(mut self) -> SeedReport {
        let organisations = match self.setup.faults {
            Faults::Membership => self.setup.nodes,
            _ => 0,
        };
        if let Some((market, council)) = self.found(organisations).await {
            self.trade(&market);
            if organisations > 0 {
                let council = council.reshuffle(self.context.child("council"));
                self.context.child("council").spawn(move |_| council);
            }
            self.trouble(if organisations > 0 { LONG_TROUBLE } else { TROUBLE }).await;
        }
        self.report()
    }

    /// What came of it.
    pub fn report(self) -> SeedReport {
        let acknowledged = self.counter.acknowledged.lock().expect(UNPOISONED).len() as u64;
        SeedReport {
            seed: self.seed,
            violations: self.violations,
            blocks: self.observer.height(),
            acknowledged,
            crashes: self.crashes,
            sets: self.observer.sets(),
            audit: String::new(),
        }
    }

    async fn trouble(&mut self, time: Duration) {
        self.run_until(self.context.current() + time, None).await;
        self.settle().await;
    }

    /// The trouble is over: everybody is answered, and all come to stand at one height.
    pub async fn settle(&mut self) {
        self.counter.is_over.store(true, Relaxed);
        self.links.connect(&mut |_, _| Some(good())).await;
        for validator in &self.validators {
            validator.skew_ms.store(0, Relaxed);
        }
        let before = self.observer.height();
        self.run_until(self.context.current() + HEALING, Some(before)).await;
        if !self.violations.is_empty() {
            return;
        }
        if !self.is_quiet_above(before) {
            let heights: Vec<_> = self
                .validators
                .iter()
                .map(|validator| {
                    let running = validator.running.first();
                    running.map(|running| running.ordering.ledger.head().header.height.get())
                })
                .collect();
            let busy = self.counter.busy.load(Relaxed);
            let blocked = self.links.blocked().await;
            let (before, lying) = (before, self.lying);
            self.violations.push(format!(
                "no progress after healing from height {before}: heights {heights:?}, {busy} clients \
                 without an answer, blocked {blocked:?}, liar {lying:?}"
            ));
            return;
        }
        let told = self.counter.acknowledged.lock().expect(UNPOISONED).clone();
        for validator in 0..self.validators.len() {
            if self.is_liar(validator) {
                continue;
            }
            let Some(running) = self.validators[validator].running.first() else { continue };
            match checks::acknowledged(&running.ordering.ledger.view(), &told, None) {
                Ok(Ok(())) | Err(LedgerError::Store(_)) => {}
                Ok(Err(lost)) => self.violations.push(lost),
                Err(error) => self.violations.push(error.to_string()),
            }
        }
    }
}

const UNPOISONED: &str = "nothing panics while it holds what the world shares";

/// A ledger on the system's clock.
fn genesis(validators: usize, epoch_blocks: u32) -> Genesis {
    let validators = (0..validators).map(|node| node_key(node).public()).collect();
    let begin = u64::try_from(BEGIN.as_millis()).expect("a date of this century");
    Genesis {
        version: 1,
        name: Text::new("Simulated network").expect("short"),
        demo: true,
        clock: GenesisClock::System,
        privacy: Privacy::Open,
        time: Timestamp::new(begin - 1_000),
        slot_minutes: 15,
        zone: client::genesis_file::zone_of_india(),
        currency: Currency { code: Text::new("INR").expect("short"), minor_unit_decimals: 2 },
        owner: Owner {
            threshold: 1,
            keys: Bounded::try_from(vec![owner().public()]).expect("one key"),
        },
        clock_keeper: None,
        validators: ValidatorSet::new(validators).expect("a few keys"),
        epoch_blocks,
        parameters: Parameters::default(),
    }
}
