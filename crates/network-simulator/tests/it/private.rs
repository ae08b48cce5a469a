//! A private ledger among four organisations, on the deterministic runtime: a regulator, a grid operator,
//! a distributor and a customer with a node of its own. Who sees the values, who gets them later, who
//! never, and what an erasure leaves.
//!
//! Every byte that a node receives is kept and searched, on every channel.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use client::transaction_builder::{MeterDay, Signer};
use commonware_cryptography::ed25519::PublicKey as EngineKey;
use commonware_p2p::simulated::{
    Config as NetworkConfig, Link, Network as SimulatedNetwork, Oracle,
    Receiver as SimulatedReceiver,
};
use commonware_p2p::{Manager as _, Message, Receiver};
use commonware_runtime::{Clock as _, Handle, Runner as _, Spawner, Supervisor, deterministic};
use commonware_utils::{NZUsize, Probability};
use consensus_bft::engine::{CHANNELS, Config, Network, Pace, max_message_size, quota};
use consensus_bft::membership::engine_key;
use consensus_bft::{Connected, Retention, Told};
use contracts::billing::{DecideDispute, DisputeBill, IssuePrivateBill, bill_id, draft_bill};
use contracts::genesis::{Clock, Currency, Owner, Parameters, Privacy};
use contracts::governance::{AdvanceClock, RegisterNode};
use contracts::metering::{ErasePayloads, Registers};
use contracts::registry::{
    AppointRegulator, InstallMeter, RegisterParty, RegisterStation, RegisterUsagePoint, Role,
    UsagePointKind,
};
use contracts::tariff::{
    AssignTariff, AssignmentTarget, ExportRule, PriceRule, PublishTariff, TariffTerms,
};
use contracts::{Body, Context as RuleContext, Genesis, Position, Sender};
use ledger::private_store::PrivateMemory;
use ledger::store::MemoryStore;
use ledger::{InLine, Ledger, Outcome, PayloadKey, PrivateStore, SubmitError};
use node::{Doors, Ordering, WallClock, assemble};
use primitives::calendar::{BillingPeriod, LocalDay};
use primitives::codec::{Bounded, Text, encode};
use primitives::envelope::Submission;
use primitives::hash::Hash;
use primitives::header::ValidatorSet;
use primitives::identifier::{PartyId, StationId, TariffId, TransactionId, UsagePointId};
use primitives::key::SigningKey;
use primitives::reading::{DaySeed, Quality, Reading};
use primitives::units::{
    MicroCurrency, MicroPerKilowattHour, Sequence, Timestamp, WattHours, Watts,
};

type Context = deterministic::Context;

const REGULATOR: usize = 0;
const GRID: usize = 1;
const NORTH: usize = 2;
const CUSTOMER: usize = 3;
const NODES: usize = 4;
const SEED: [u8; 32] = *b"a seed that nobody else may see!";
/// 2026-01-14T00:00:00+05:30, in milliseconds.
const MIDNIGHT: u64 = 1_768_329_000_000;
const DAY_MS: u64 = 86_400_000;
const SMALL: &str = "a small transaction";
const UNPOISONED: &str = "nothing panics while it holds what was heard";

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

fn node_key(node: usize) -> SigningKey {
    key(node as u8 + 1)
}

/// The key of the organisation that runs a node.
fn organisation(node: usize) -> SigningKey {
    key(100 + node as u8)
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("short")
}

fn genesis() -> Genesis {
    let validators = (0..NODES).map(|node| node_key(node).public()).collect();
    Genesis {
        version: 1,
        name: text("Private network"),
        demo: true,
        clock: Clock::Virtual,
        privacy: Privacy::Private,
        time: Timestamp::new(MIDNIGHT - 3_600_000),
        slot_minutes: 15,
        zone: client::genesis_file::zone_of_india(),
        currency: Currency { code: text("INR"), minor_unit_decimals: 2 },
        owner: Owner {
            threshold: 1,
            keys: Bounded::try_from(vec![key(90).public()]).expect("one key"),
        },
        clock_keeper: Some(key(91).public()),
        validators: ValidatorSet::new(validators).expect("four keys"),
        epoch_blocks: contracts::genesis::DEFAULT_EPOCH_BLOCKS,
        parameters: Parameters {
            registration_needs_network_provider: false,
            ..Parameters::default()
        },
    }
}

/// A receiver that keeps every byte it gives on.
#[derive(Debug)]
struct Tapped {
    inner: SimulatedReceiver<EngineKey>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Receiver for Tapped {
    type Error = <SimulatedReceiver<EngineKey> as Receiver>::Error;
    type PublicKey = EngineKey;

    async fn recv(&mut self) -> Result<Message<EngineKey>, Self::Error> {
        let message = self.inner.recv().await?;
        self.heard.lock().expect(UNPOISONED).extend_from_slice(message.1.as_ref());
        Ok(message)
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}

struct Stands;

impl WallClock for Stands {
    fn now(&self) -> Timestamp {
        Timestamp::new(MIDNIGHT)
    }
}

struct Running {
    task: Handle<()>,
    ordering: Ordering,
    doors: Doors,
}

struct World {
    context: Context,
    oracle: Oracle<EngineKey, Context>,
    keys: Vec<EngineKey>,
    stores: Vec<MemoryStore>,
    held: Vec<PrivateMemory>,
    heard: Vec<Arc<Mutex<Vec<u8>>>>,
    running: Vec<Option<Running>>,
    time: u64,
    signers: std::collections::BTreeMap<u8, Signer>,
}

impl World {
    async fn start(context: Context) -> Self {
        let keys: Vec<_> =
            (0..NODES).filter_map(|node| engine_key(&node_key(node).public())).collect();
        let config = NetworkConfig {
            max_size: max_message_size(),
            max_peers_per_set: NZUsize!(16),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(8),
        };
        let (network, oracle) =
            SimulatedNetwork::new_with_peers(context.child("network"), config, keys.clone()).await;
        network.start();
        for from in &keys {
            for to in keys.iter().filter(|to| *to != from) {
                let link = Link {
                    latency: Duration::from_millis(5),
                    jitter: Duration::from_millis(2),
                    success_rate: Probability::new(100, 100).expect("a percentage"),
                };
                oracle.add_link(from.clone(), to.clone(), link).await.expect("the network runs");
            }
        }
        Self {
            context,
            oracle,
            keys,
            stores: (0..NODES).map(|_| MemoryStore::new()).collect(),
            held: (0..NODES).map(|_| PrivateMemory::default()).collect(),
            heard: (0..NODES).map(|_| Arc::default()).collect(),
            running: (0..NODES).map(|_| None).collect(),
            time: MIDNIGHT - 3_600_000,
            signers: std::collections::BTreeMap::new(),
        }
    }

    async fn boot(&mut self, node: usize) {
        let control = self.oracle.control(self.keys[node].clone());
        let mut channels = Vec::new();
        for channel in 0..CHANNELS {
            let registered = control.register(channel, quota()).await;
            let (sender, inner) = registered.expect("the network runs");
            channels.push((sender, Tapped { inner, heard: Arc::clone(&self.heard[node]) }));
        }
        let channels: [_; CHANNELS as usize] =
            channels.try_into().unwrap_or_else(|_| unreachable!("as many as there are channels"));
        let ledger = Ledger::open(Arc::new(self.stores[node].clone()), Some(genesis()));
        let ledger = Arc::new(ledger.expect("a ledger"));
        ledger.keep_private(Arc::new(self.held[node].clone()));
        let (ordering, doors) = assemble(ledger, Arc::new(Stands), Arc::new(InLine::default()));
        let mut manager = self.oracle.manager();
        let network = Network {
            blocker: self.oracle.control(self.keys[node].clone()),
            peers: self.oracle.manager(),
            track: move |from, peers| {
                let _ = manager.track(from, peers);
            },
            channels,
        };
        let config = Config {
            key: node_key(node),
            peers: Vec::new(),
            prefix: format!("n{node}"),
            pace: Pace::default(),
            retention: Retention::default(),
            told: Told::default(),
            connected: Connected::with_everybody(),
        };
        let works = ordering.clone();
        let task = self.context.child("node").spawn(move |context| async move {
            let ended = consensus_bft::run(context, works, config, network, |inner| inner).await;
            panic!("node {node} ended: {ended:?}");
        });
        self.running[node] = Some(Running { task, ordering, doors });
    }

    async fn stop(&mut self, node: usize) {
        let running = self.running[node].take().expect("it runs");
        running.task.abort();
        // It was aborted; how it ended says nothing.
        let _ = running.task.await;
        running.ordering.mempool.abandon();
    }

    fn ledger(&self, node: usize) -> &Arc<Ledger> {
        &self.running[node].as_ref().expect("it runs").ordering.ledger
    }

    /// Signs as the key of this number.
    fn sign(&mut self, signer: u8, body: impl Into<Body>, cosigners: &[u8]) -> Submission {
        let valid_until = Timestamp::new(self.time + 3_600_000);
        let cosigners: Vec<_> = cosigners.iter().map(|number| key(*number)).collect();
        let cosigners: Vec<_> = cosigners.iter().collect();
        self.signer(signer).submission(body, Vec::new(), &cosigners, valid_until).expect(SMALL)
    }

    fn signer(&mut self, number: u8) -> &mut Signer {
        let ledger_id = genesis().ledger_id();
        let new = || Signer::new(key(number), ledger_id, Sequence::new(1));
        self.signers.entry(number).or_insert_with(new)
    }

    async fn submit(&self, node: usize, submission: &Submission) -> Result<Outcome, SubmitError> {
        let doors = &self.running[node].as_ref().expect("it runs").doors;
        let answer = doors.admit(vec![submission.clone()]).expect("the store reads");
        commonware_macros::select! {
            answers = answer => answers.into_iter().next().expect("one answer"),
            _ = self.context.sleep(Duration::from_secs(60)) => panic!("no answer"),
        }
    }

    /// Sends at the distributor's node; it acts.
    async fn act(&mut self, signer: u8, body: impl Into<Body>, cosigners: &[u8]) -> TransactionId {
        let submission = self.sign(signer, body, cosigners);
        let outcome = self.submit(NORTH, &submission).await.expect("it is ordered");
        assert_eq!(outcome.code, 0);
        outcome.id
    }

    async fn advance(&mut self, to: u64) {
        self.act(91, AdvanceClock { to: Timestamp::new(to) }, &[]).await;
        self.time = to;
        // A period has ended when the parent of the next block says so.
        self.context.sleep(Duration::from_secs(3)).await;
    }

    fn holds(&self, node: usize, key: &PayloadKey) -> bool {
        self.held[node].get(key).expect("memory reads").is_some()
    }

    /// Lets time pass until it holds.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..600 {
            if holds(self) {
                return;
            }
            self.context.sleep(Duration::from_millis(100)).await;
        }
        panic!("{what}");
    }

    /// Everybody who runs has executed what this node has, to the same result.
    async fn agree(&self) {
        let height = self.ledger(NORTH).head().header.height.get();
        let reached = |node: &Option<Running>| {
            node.as_ref().is_none_or(|it| it.ordering.ledger.head().header.height.get() >= height)
        };
        self.until("all come to one height", |world| world.running.iter().all(reached)).await;
        let root = |node: &Running| {
            let executed = node.ordering.ledger.view().executed(height).expect("the store reads");
            executed.expect("it was executed").state_root
        };
        let roots: Vec<_> = self.running.iter().flatten().map(root).collect();
        assert!(roots.iter().all(|root| *root == roots[0]), "{roots:?}");
    }

    /// Nothing of the values came to a node on the network or lies in its blocks.
    fn never_saw(&self, node: usize, values: &[u8]) {
        let is_in = |bytes: &[u8], wanted: &[u8]| {
            bytes.windows(wanted.len()).any(|window| window == wanted)
        };
        let heard = self.heard[node].lock().expect(UNPOISONED);
        assert!(heard.len() > 10_000, "it takes part in the network");
        assert!(!is_in(&heard, values) && !is_in(&heard, &SEED), "node {node} heard the values");
        let view = self.ledger(node).view();
        for height in 1..=view.height() {
            let (block, _) = view.block(height).expect("the store reads").expect("a block");
            let block = encode(&block);
            assert!(!is_in(&block, values) && !is_in(&block, &SEED), "block {height}");
        }
        assert!(self.held[node].usage_points().expect("memory reads").is_empty());
    }
}

/// What the ledger holds when it begins: four organisations with a node each, a usage point, a tariff.
async fn found(world: &mut World) -> (UsagePointId, PartyId) {
    let number = |node: usize| 100 + node as u8;
    let regulator = AppointRegulator {
        alias: text("regulator"),
        key: organisation(REGULATOR).public(),
        encryption_key: [1; 32],
    };
    world.act(90, regulator, &[number(REGULATOR)]).await;
    let mut parties = Vec::new();
    let roles: [(usize, &[Role]); 3] = [
        (GRID, &[Role::GridOperator]),
        (NORTH, &[Role::Distributor]),
        (CUSTOMER, &[Role::Aggregator, Role::Consumer]),
    ];
    for (node, roles) in roles {
        let body = RegisterParty {
            alias: text(&format!("organisation {node}")),
            roles: Bounded::try_from(roles.to_vec()).expect("few roles"),
            keys: Bounded::try_from(vec![organisation(node).public()]).expect("one key"),
            encryption_key: [1; 32],
            region: Text::default(),
        };
        let id = world.act(number(REGULATOR), body, &[number(node)]).await;
        parties.push(PartyId::from_transaction(&id));
    }
    for node in 0..NODES {
        let body = RegisterNode { key: node_key(node).public(), peer_address: Text::default() };
        world.act(number(node), body, &[node as u8 + 1]).await;
    }
    let body = RegisterStation { label: text("north"), distributor: parties[1] };
    let station = StationId::from_transaction(&world.act(number(GRID), body, &[]).await);
    let body = RegisterUsagePoint {
        label: text("home"),
        station,
        kind: UsagePointKind::Household,
        customer: parties[2],
        connection_limit: Watts::new(10_000),
    };
    let point = UsagePointId::from_transaction(&world.act(number(NORTH), body, &[]).await);
    let rules = Arc::clone(world.ledger(NORTH).rules());
    let first_period = rules.period_at(Timestamp::new(MIDNIGHT));
    let body = InstallMeter {
        usage_point: point,
        meter: key(80).public(),
        from_period: first_period,
        first: Registers::ZERO,
        register_limit: WattHours::ZERO,
        former_last: None,
    };
    world.act(number(NORTH), body, &[80]).await;
    let price = MicroPerKilowattHour::new(5_000_000);
    let terms = TariffTerms::energy(PriceRule::Flat { price }, ExportRule::NotCredited);
    let body = PublishTariff { tariff: None, name: text("flat"), first_period, terms };
    let tariff = TariffId::from_transaction(&world.act(number(NORTH), body, &[]).await);
    let target = AssignmentTarget::UsagePoint(point);
    world.act(number(NORTH), AssignTariff { target, tariff, first_period }, &[]).await;
    (point, parties[1])
}

fn readings() -> Vec<Reading> {
    let reading = |slot: u64| Reading {
        import_wh: WattHours::new(slot * slot % 997),
        export_wh: WattHours::ZERO,
        quality: Quality::Actual,
    };
    (0..96).map(reading).collect()
}

/// The bill that a node with the values drafts.
fn drafted(world: &World, node: usize, point: UsagePointId, day: LocalDay) -> IssuePrivateBill {
    let view = world.ledger(node).view();
    let rules = view.rules();
    let biller = view.read(|state| state.usage_point(point)).expect("the store reads");
    let context = RuleContext {
        rules,
        transaction: TransactionId::new([0; 32]),
        position: Position { height: view.height() + 1, index: 0 },
        time: view.head().header.time,
        period: rules.period_at(view.head().header.time),
        sender: Sender::Party(biller.expect("a usage point").biller),
        signer: node_key(node).public(),
        cosigners: &[],
        payload: &[],
    };
    let draft = view.read(|state| draft_bill(&context, state, point, BillingPeriod::Day { day }));
    draft.expect("the store reads").expect("it holds the values")
}

async fn play(context: Context) {
    let mut world = World::start(context).await;
    for node in [REGULATOR, GRID, NORTH] {
        world.boot(node).await;
    }
    let (point, _) = found(&mut world).await;
    world.advance(MIDNIGHT + DAY_MS).await;

    // The meter seals its day; the customer's own node is away.
    let rules = Arc::clone(world.ledger(NORTH).rules());
    let day = LocalDay::from_civil(2026, 1, 14).expect("a date");
    let readings = readings();
    let sealed = MeterDay {
        usage_point: point,
        day,
        seal_sequence: 1,
        first: Registers::ZERO,
        register_limit: WattHours::ZERO,
        former_slots: 0,
        readings: &readings,
        seed: DaySeed::new(SEED),
        corrects: &[],
    };
    let seal = world.signer(80).seal_private_day(&rules, &sealed).expect(SMALL);
    let values = seal.payload.to_vec();
    let key = PayloadKey { usage_point: point, day, transaction: seal.transaction.id() };
    match world.submit(GRID, &seal).await {
        Err(SubmitError::NotEntitled { entitled }) => assert_eq!(entitled.len(), 2),
        other => panic!("a node that may not hold the values took them: {other:?}"),
    }
    let mut wrong = seal.clone();
    let mut spoiled = values.clone();
    spoiled[5] ^= 1;
    wrong.payload = spoiled.try_into().expect("as long as before");
    let refused = world.submit(NORTH, &wrong).await;
    assert!(matches!(refused, Err(SubmitError::Malformed(_))), "{refused:?}");
    assert_eq!(world.submit(NORTH, &seal).await.expect("it is ordered").code, 0);
    assert!(world.holds(NORTH, &key));
    // Sent again it is known, wherever; without its values by everybody.
    let bare = Submission { payload: Bounded::default(), ..seal.clone() };
    assert_eq!(world.submit(GRID, &bare).await.expect("its first receipt").code, 0);

    // Who was away fetches what it may hold. The others take part in everything and hold nothing.
    world.boot(CUSTOMER).await;
    world.until("the customer's node fetches the values", |it| it.holds(CUSTOMER, &key)).await;
    world.agree().await;
    world.never_saw(GRID, &values);
    world.never_saw(REGULATOR, &values);

    // The distributor bills from its own values; everybody checks and posts it without them.
    let draft = drafted(&world, NORTH, point, day);
    world.act(102, draft.clone(), &[]).await;
    world.agree().await;
    world.never_saw(GRID, &values);
    world.never_saw(REGULATOR, &values);

    // While the bill is in dispute, and only then, the regulator's node holds the values.
    let bill = bill_id(point, BillingPeriod::Day { day }, 1);
    let (amount, reason_hash) = (MicroCurrency::new(1_000_000), Hash::of(b"why"));
    world.act(103, DisputeBill { bill, amount, reason_hash }, &[]).await;
    world.until("the regulator's node fetches the values", |it| it.holds(REGULATOR, &key)).await;
    assert_eq!(drafted(&world, REGULATOR, point, day).amounts, draft.amounts);
    world.never_saw(GRID, &values);
    let upheld = MicroCurrency::ZERO;
    world.act(100, DecideDispute { bill, upheld }, &[]).await;
    world.until("the regulator's node erases them", |it| !it.holds(REGULATOR, &key)).await;
    assert!(world.holds(NORTH, &key) && world.holds(CUSTOMER, &key));

    // The customer has them erased: everywhere, for good, with a record.
    world.act(103, ErasePayloads { usage_point: point, first_day: day, last_day: day }, &[]).await;
    world.until("everybody erases them", |it| (0..NODES).all(|node| !it.holds(node, &key))).await;
    world.agree().await;
    let record = world.ledger(GRID).view().read(|state| state.erasures(point));
    assert_eq!(record.expect("the store reads").len(), 1);
    world.stop(CUSTOMER).await;
    world.boot(CUSTOMER).await;
    // Handed over once more, they are not kept.
    assert_eq!(world.submit(NORTH, &seal).await.expect("its first receipt").code, 0);
    world.context.sleep(Duration::from_secs(5)).await;
    assert!((0..NODES).all(|node| !world.holds(node, &key)), "what was erased came back");
    world.agree().await;
    world.never_saw(GRID, &values);
}

#[test]
fn values_go_to_those_who_may_hold_them_and_to_nobody_else() {
    let config = deterministic::Config::new()
        .with_seed(7)
        .with_start_time(UNIX_EPOCH + Duration::from_millis(MIDNIGHT));
    deterministic::Runner::new(config).start(play);
}
