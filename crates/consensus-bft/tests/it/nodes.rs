//! Nodes in this process, on real sockets and disks: four agree, go on without one, and take it in
//! again; a fifth follows and gets a seat.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::transaction_builder::Signer;
use consensus_bft::{Abstains, Bft, Peer};
use contracts::Genesis;
use contracts::genesis::{Clock, Currency, Owner, Parameters, Privacy};
use contracts::governance::{Change, ProposeChange, RegisterNode, RequestCheckpoint};
use contracts::registry::AppointRegulator;
use ledger::snapshot::{create, restore};
use ledger::store::MemoryStore;
use ledger::{Ledger, Outcome};
use node::{Node, Solo, SystemClock, Threads, WallClock};
use primitives::codec::{Bounded, Text};
use primitives::envelope::Submission;
use primitives::header::ValidatorSet;
use primitives::key::{PublicKey, SigningKey};
use primitives::proof::{TrustedGenesis, verify_receipt};
use primitives::units::{Sequence, Timestamp};

/// A loaded machine is slow, not wrong.
const PATIENCE: Duration = Duration::from_secs(120);

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

/// Four validators, and so many blocks of an epoch.
pub fn genesis(epoch_blocks: u32) -> Genesis {
    let validators = (1..=4).map(|number| key(number).public()).collect();
    let now = SystemClock::default().now();
    Genesis {
        version: 1,
        name: Text::new("Four nodes").expect("short"),
        demo: true,
        clock: Clock::System,
        privacy: Privacy::Open,
        time: Timestamp::new(now.get() - 1_000),
        slot_minutes: 15,
        zone: client::genesis_file::zone_of_india(),
        currency: Currency { code: Text::new("INR").expect("short"), minor_unit_decimals: 2 },
        owner: Owner {
            threshold: 1,
            keys: Bounded::try_from(vec![key(9).public()]).expect("one key"),
        },
        clock_keeper: None,
        validators: ValidatorSet::new(validators).expect("four keys"),
        epoch_blocks,
        parameters: Parameters::default(),
    }
}

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("gridtally-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays for the system to clean up.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Network {
    genesis: Genesis,
    addresses: Vec<SocketAddr>,
    stores: Vec<MemoryStore>,
    directory: Folder,
}

impl Network {
    fn new(name: &str, nodes: usize, epoch_blocks: u32) -> Self {
        // All at once, so that no port is given twice.
        let listeners: Vec<_> =
            (0..nodes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let addresses = listeners.iter().map(|l| l.local_addr().expect("an address")).collect();
        let stores = (0..nodes).map(|_| MemoryStore::new()).collect();
        let directory = Folder::new(name);
        Self { genesis: genesis(epoch_blocks), addresses, stores, directory }
    }

    /// Starts the first one as a node that orders alone.
    fn start_alone(&self) -> Node {
        let store = Arc::new(self.stores[0].clone());
        let ledger = Ledger::open(store, Some(self.genesis.clone())).expect("a ledger");
        let clock = Arc::new(SystemClock::default());
        let solo = Box::new(Solo::new(key(1)));
        Node::start_with(Arc::new(ledger), solo, clock, Arc::new(Threads::new(1))).expect("a node")
    }

    /// Starts one of the four that know each other from the beginning.
    fn start(&self, index: usize) -> Node {
        self.start_among(index, (0..4).filter(|other| *other != index))
    }

    /// Starts a node that is told of these others.
    fn start_among(&self, index: usize, others: impl Iterator<Item = usize>) -> Node {
        self.start_as(index, others, false).0
    }

    /// The same; the operator may say that its key never voted. Tells whether it abstains.
    fn start_as(
        &self,
        index: usize,
        others: impl Iterator<Item = usize>,
        never_voted: bool,
    ) -> (Node, Abstains) {
        let store = Arc::new(self.stores[index].clone());
        let ledger = Ledger::open(store, Some(self.genesis.clone())).expect("a ledger");
        let peers = others.map(|other| Peer {
            key: key(other as u8 + 1).public(),
            address: self.addresses[other],
        });
        let folder = self.directory.0.join(index.to_string());
        let bft = Bft::new(key(index as u8 + 1), self.addresses[index], peers.collect(), folder);
        let bft = bft.never_voted(never_voted);
        let (abstains, clock) = (bft.abstains(), Arc::new(SystemClock::default()));
        let threads = Arc::new(Threads::new(1));
        let node = Node::start_with(Arc::new(ledger), Box::new(bft), clock, threads);
        (node.expect("a node"), abstains)
    }

    /// A node loses its directory, and its ledger comes back from a snapshot. Gives the anchor's height.
    fn restore(&mut self, index: usize, file: &[u8]) -> u64 {
        // A node that never ran has none.
        let _ = std::fs::remove_dir_all(self.directory.0.join(index.to_string()));
        self.stores[index] = MemoryStore::new();
        let trusted = Some(self.genesis.ledger_id());
        let store = Arc::new(self.stores[index].clone());
        let restored = restore(file, trusted, &Threads::new(1), store, &mut |_, _| {});
        restored.expect("it is right").anchor_height.get()
    }
}

fn appointment(owner: &mut Signer, number: u8) -> Submission {
    let regulator = key(number);
    let body = AppointRegulator {
        alias: Text::new(format!("regulator-{number}")).expect("short"),
        key: regulator.public(),
        encryption_key: [1; 32],
    };
    owner.submission(body, Vec::new(), &[&regulator], valid_until()).expect("small")
}

fn valid_until() -> Timestamp {
    Timestamp::new(SystemClock::default().now().get() + 3_600_000)
}

fn submit(node: &Node, submission: Submission) -> Outcome {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let answers = node.submitter().submit(vec![submission]);
    let answers = runtime.block_on(async { tokio::time::timeout(PATIENCE, answers).await });
    answers.expect("an answer in time").remove(0).expect("it was ordered")
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn height(node: &Node) -> u64 {
    node.ledger().head().header.height.get()
}

/// All have executed the height, to the same result, under a certificate that verifies.
fn agree(nodes: &[&Node], height_: u64) {
    for node in nodes {
        until("everybody executes the block", || height(node) >= height_);
    }
    let executed = nodes[0].ledger().view().executed(height_).expect("the store reads");
    for node in nodes {
        let view = node.ledger().view();
        assert_eq!(view.executed(height_).expect("the store reads"), executed);
        let sealed = view.sealed_header(height_).expect("the store reads").expect("a header");
        if !sealed.certificate.is_absent() {
            let set = view.validators_in(sealed.header.epoch).expect("the store reads");
            let set = set.expect("a past epoch has its validators");
            sealed.certificate.verify(&sealed.header, &set).expect("a quorum of valid votes");
        }
    }
}

#[test]
fn four_nodes_agree_go_on_without_one_and_take_it_in_again() {
    let network = Network::new("four-nodes", 4, contracts::genesis::DEFAULT_EPOCH_BLOCKS);
    let mut nodes: Vec<_> = (0..4).map(|index| network.start(index)).collect();
    let mut owner = Signer::new(key(9), network.genesis.ledger_id(), Sequence::new(1));
    let first = submit(&nodes[0], appointment(&mut owner, 20));
    assert_eq!(first.code, 0);
    agree(&nodes.iter().collect::<Vec<_>>(), first.position.height);

    let gone = nodes.pop().expect("the fourth");
    gone.stop().expect("a graceful end");
    let second = submit(&nodes[1], appointment(&mut owner, 21));
    assert_eq!(second.code, 0);
    agree(&nodes.iter().collect::<Vec<_>>(), second.position.height);

    nodes.push(network.start(3));
    agree(&nodes.iter().collect::<Vec<_>>(), second.position.height);
    let third = submit(&nodes[3], appointment(&mut owner, 22));
    assert_eq!(third.code, 0);
    agree(&nodes.iter().collect::<Vec<_>>(), third.position.height);
    // What happened can be proven once a header with a certificate commits to it.
    for node in &nodes {
        until("the block is proven", || {
            node.ledger().view().proven_height().expect("the store reads") >= third.position.height
        });
        let proof = node.ledger().view().event_proof(third.position, 0).expect("the store reads");
        assert!(proof.is_some(), "an event of a proven block has its proof");
    }
    for node in nodes {
        node.stop().expect("a graceful end");
    }
}

/// Blocks of an epoch where a test waits for several of them.
const SHORT_EPOCH: u32 = 6;

fn registration(network: &Network, signer: &mut Signer, index: usize) -> Submission {
    let node = key(index as u8 + 1);
    let peer_address = Text::new(network.addresses[index].to_string()).expect("short");
    let body = RegisterNode { key: node.public(), peer_address };
    signer.submission(body, Vec::new(), &[&node], valid_until()).expect("small")
}

/// Has a certificate of a node's ledger the signature of a validator?
fn counts(node: &Node, validator: &PublicKey) -> bool {
    counts_from(node, validator, 1)
}

/// The same, from a height on.
fn counts_from(node: &Node, validator: &PublicKey, from: u64) -> bool {
    let view = node.ledger().view();
    (from..=view.height()).rev().any(|height| {
        let sealed = view.sealed_header(height).expect("the store reads").expect("a header");
        let set = view.validators_in(sealed.header.epoch).expect("the store reads");
        let set = set.expect("a past epoch has its validators");
        let mut places = sealed.certificate.signatures.iter().map(|(place, _)| *place);
        places.any(|place| set[usize::from(place)] == *validator)
    })
}

#[test]
fn a_fifth_node_follows_passes_on_and_gets_a_seat() {
    let network = Network::new("fifth-node", 5, SHORT_EPOCH);
    let mut nodes: Vec<_> = (0..4).map(|index| network.start(index)).collect();
    let ledger_id = network.genesis.ledger_id();
    let signer = |number| Signer::new(key(number), ledger_id, Sequence::new(1));
    let mut owner = signer(9);
    let mut regulators: Vec<_> = (20..25).map(signer).collect();
    for (index, regulator) in regulators.iter_mut().enumerate() {
        assert_eq!(submit(&nodes[0], appointment(&mut owner, 20 + index as u8)).code, 0);
        assert_eq!(submit(&nodes[0], registration(&network, regulator, index)).code, 0);
    }
    let in_office = nodes[0].ledger().rules().epoch_of(height(&nodes[0])) + 2;

    // It is told of one node; where the others listen stands on the ledger.
    nodes.push(network.start_among(4, [0].into_iter()));
    let begun = height(&nodes[0]);
    until("the fifth node follows", || height(&nodes[4]) >= begun);
    let passed_on = submit(&nodes[4], appointment(&mut owner, 30));
    assert_eq!(passed_on.code, 0);
    agree(&nodes.iter().collect::<Vec<_>>(), passed_on.position.height);

    let first = nodes[0].ledger().rules().first_height_of(in_office);
    until("the regulators come into office", || height(&nodes[0]) >= first);
    let fifth = key(5).public();
    let add = Bounded::try_from(vec![fifth]).expect("one key");
    let body = ProposeChange { change: Change::Seats { remove: Bounded::default(), add } };
    let others: Vec<_> = (21..25).map(key).collect();
    let others: Vec<_> = others.iter().collect();
    let proposal = regulators[0].submission(body, Vec::new(), &others, valid_until());
    let proposed = submit(&nodes[2], proposal.expect("small"));
    assert_eq!(proposed.code, 0);
    assert!(!counts(&nodes[0], &fifth), "it has no seat yet");
    until("the fifth validator's vote counts", || counts(&nodes[0], &fifth));
    let newest = height(&nodes[0]);
    agree(&nodes.iter().collect::<Vec<_>>(), newest);
    for node in nodes {
        node.stop().expect("a graceful end");
    }
}

/// Asks for a checkpoint and waits until every node has seen it agreed on and can prove it.
fn checkpoint(nodes: &[&Node], asker: &mut Signer) {
    let request = asker.submission(RequestCheckpoint {}, Vec::new(), &[], valid_until());
    let outcome = submit(nodes[0], request.expect("small"));
    assert_eq!(outcome.code, 0);
    for node in nodes {
        until("the validators agree on the checkpoint", || {
            let view = node.ledger().view();
            let agreed = view.read(|state| state.agreed_checkpoint()).expect("the store reads");
            let proven = view.proven_height().expect("the store reads");
            agreed.is_some_and(|agreed| {
                agreed.height.get() == outcome.position.height && agreed.position.height <= proven
            })
        });
    }
}

#[test]
fn a_fifth_node_begins_with_a_snapshot() {
    const EPOCH: u64 = 6;
    let mut network = Network::new("snapshot", 5, EPOCH as u32);
    let kept = network.directory.0.join("checkpoints");
    let mut nodes: Vec<_> = (0..4).map(|index| network.start(index)).collect();
    nodes[0].checkpoints().keep_in(kept.clone());
    let mut owner = Signer::new(key(9), network.genesis.ledger_id(), Sequence::new(1));
    let first = submit(&nodes[0], appointment(&mut owner, 20));
    let mut regulator = Signer::new(key(20), network.genesis.ledger_id(), Sequence::new(1));
    let body = RegisterNode { key: key(5).public(), peer_address: Text::default() };
    let registration = regulator.submission(body, Vec::new(), &[&key(5)], valid_until());
    assert_eq!(submit(&nodes[0], registration.expect("small")).code, 0);
    until("some epochs pass", || height(&nodes[0]) > 3 * EPOCH);
    checkpoint(&nodes.iter().collect::<Vec<_>>(), &mut regulator);

    let mut file = Vec::new();
    create(&nodes[0].ledger().view(), &kept, &mut file, &mut |_| {}).expect("a snapshot");
    assert!(network.restore(4, &file) > 3 * EPOCH);

    let fifth = network.start_among(4, 0..4);
    let target = height(&nodes[0]) + 2 * EPOCH;
    until("the newcomer follows over the ends of epochs", || height(&fifth) >= target);
    nodes.push(fifth);
    let next = submit(&nodes[4], appointment(&mut owner, 21));
    assert_eq!(next.code, 0, "what it passes on is ordered");
    agree(&nodes.iter().collect::<Vec<_>>(), next.position.height);
    // It proves what was ordered long before it began.
    let proof = nodes[4].ledger().view().receipt_proof(first.position).expect("the store reads");
    let trusted = TrustedGenesis {
        ledger_id: network.genesis.ledger_id(),
        validators: network.genesis.validators.clone(),
    };
    let proven = verify_receipt(Some(&trusted), &proof.expect("a proof")).expect("it is right");
    assert_eq!(proven.height.get(), first.position.height);

    nodes.pop().expect("the fifth").stop().expect("a graceful end");
    let again = network.start_among(4, 0..4);
    let target = height(&nodes[0]) + EPOCH;
    until("it follows again after a restart", || height(&again) >= target);
    agree(&[&nodes[0], &again], target);
}

#[test]
fn a_ledger_that_one_node_ordered_alone_becomes_one_of_four() {
    let mut network = Network::new("bridge", 4, SHORT_EPOCH);
    network.genesis.validators = ValidatorSet::new(vec![key(1).public()]).expect("one key");
    let ledger_id = network.genesis.ledger_id();
    let signer = |number| Signer::new(key(number), ledger_id, Sequence::new(1));
    let mut owner = signer(9);
    let mut regulators: Vec<_> = (20..24).map(signer).collect();

    let alone = network.start_alone();
    for (index, regulator) in regulators.iter_mut().enumerate() {
        assert_eq!(submit(&alone, appointment(&mut owner, 20 + index as u8)).code, 0);
        assert_eq!(submit(&alone, registration(&network, regulator, index)).code, 0);
    }
    let ledger = Arc::clone(alone.ledger());
    alone.stop().expect("a graceful end");
    let last_alone = ledger.head().header.height.get();
    drop(ledger);

    // Another node cannot take the step.
    network.stores[1] = network.stores[0].clone();
    assert!(network.start(1).stop().is_err());
    network.stores[1] = MemoryStore::new();

    let kept = network.directory.0.join("checkpoints");
    let mut nodes = vec![network.start(0)];
    nodes[0].checkpoints().keep_in(kept.clone());
    assert_eq!(submit(&nodes[0], appointment(&mut owner, 30)).code, 0);
    let bridge = nodes[0].ledger().view().header(last_alone + 1).expect("the store reads");
    assert!(!bridge.expect("a header").context.is_empty());
    let in_office = nodes[0].ledger().rules().epoch_of(height(&nodes[0])) + 2;
    // It goes on after a stop, from what the engine kept.
    nodes.pop().expect("the only one").stop().expect("a graceful end");
    nodes.push(network.start(0));
    nodes[0].checkpoints().keep_in(kept.clone());
    let first = nodes[0].ledger().rules().first_height_of(in_office);
    until("the regulators come into office", || height(&nodes[0]) >= first);
    checkpoint(&[&nodes[0]], &mut regulators[0]);

    let mut file = Vec::new();
    create(&nodes[0].ledger().view(), &kept, &mut file, &mut |_| {}).expect("a snapshot");
    for index in 1..4 {
        let store = Arc::new(network.stores[index].clone());
        restore(&file[..], Some(ledger_id), &Threads::new(1), store, &mut |_, _| {})
            .expect("it is right");
        nodes.push(network.start(index));
    }
    let add: Vec<_> = (2..5).map(|number| key(number).public()).collect();
    let add = Bounded::try_from(add).expect("three keys");
    let body = ProposeChange { change: Change::Seats { remove: Bounded::default(), add } };
    let others: Vec<_> = (21..24).map(key).collect();
    let others: Vec<_> = others.iter().collect();
    let proposal = regulators[0].submission(body, Vec::new(), &others, valid_until());
    assert_eq!(submit(&nodes[0], proposal.expect("small")).code, 0);
    for number in 2..5 {
        until("every new validator's vote counts", || counts(&nodes[0], &key(number).public()));
    }
    let next = submit(&nodes[3], appointment(&mut owner, 31));
    assert_eq!(next.code, 0);
    agree(&nodes.iter().collect::<Vec<_>>(), next.position.height);

    // The one that began alone may be away like every other.
    nodes.remove(0).stop().expect("a graceful end");
    let without = submit(&nodes[0], appointment(&mut owner, 32));
    assert_eq!(without.code, 0);
    nodes.insert(0, network.start(0));
    agree(&nodes.iter().collect::<Vec<_>>(), without.position.height);
}

#[test]
fn a_validator_that_lost_its_directory_follows_without_a_vote() {
    let mut network = Network::new("lost-directory", 4, SHORT_EPOCH);
    let kept = network.directory.0.join("checkpoints");
    let mut nodes: Vec<_> = (0..4).map(|index| network.start(index)).collect();
    nodes[0].checkpoints().keep_in(kept.clone());
    let mut owner = Signer::new(key(9), network.genesis.ledger_id(), Sequence::new(1));
    assert_eq!(submit(&nodes[0], appointment(&mut owner, 20)).code, 0);
    let mut regulator = Signer::new(key(20), network.genesis.ledger_id(), Sequence::new(1));
    checkpoint(&nodes.iter().collect::<Vec<_>>(), &mut regulator);
    let mut file = Vec::new();
    create(&nodes[0].ledger().view(), &kept, &mut file, &mut |_| {}).expect("a snapshot");
    let fourth = key(4).public();
    until("the fourth validator's vote counts", || counts(&nodes[0], &fourth));
    nodes.pop().expect("the fourth").stop().expect("a graceful end");
    // Its last votes may stand in one more block.
    let since = height(&nodes[0]) + 2;

    network.restore(3, &file);
    // Also when it is started again: then the engine's directory is there.
    for _ in 0..2 {
        let (node, abstains) = network.start_as(3, 0..3, false);
        let target = height(&nodes[0]) + u64::from(SHORT_EPOCH) + 1;
        until("it follows over the end of an epoch", || height(&node) >= target);
        assert!(abstains.get(), "it says so");
        agree(&[&nodes[0], &node], target);
        let next = submit(&node, appointment(&mut owner, 30 + (target % 100) as u8));
        assert_eq!(next.code, 0, "what it passes on is ordered");
        assert!(!counts_from(&nodes[0], &fourth, since), "it may have voted before");
        node.stop().expect("a graceful end");
    }
    // Its operator takes it upon himself.
    let (node, abstains) = network.start_as(3, 0..3, true);
    until("its vote counts again", || counts_from(&nodes[0], &fourth, since));
    assert!(!abstains.get());
    node.stop().expect("a graceful end");
}

#[test]
fn a_node_that_began_with_a_snapshot_before_it_got_its_seat_votes() {
    let mut network = Network::new("restored-newcomer", 5, SHORT_EPOCH);
    let kept = network.directory.0.join("checkpoints");
    let nodes: Vec<_> = (0..4).map(|index| network.start(index)).collect();
    nodes[0].checkpoints().keep_in(kept.clone());
    let ledger_id = network.genesis.ledger_id();
    let signer = |number| Signer::new(key(number), ledger_id, Sequence::new(1));
    let mut owner = signer(9);
    let mut regulators: Vec<_> = (20..25).map(signer).collect();
    for (index, regulator) in regulators.iter_mut().enumerate() {
        assert_eq!(submit(&nodes[0], appointment(&mut owner, 20 + index as u8)).code, 0);
        assert_eq!(submit(&nodes[0], registration(&network, regulator, index)).code, 0);
    }
    let in_office = nodes[0].ledger().rules().epoch_of(height(&nodes[0])) + 2;
    checkpoint(&nodes.iter().collect::<Vec<_>>(), &mut regulators[0]);
    let mut file = Vec::new();
    create(&nodes[0].ledger().view(), &kept, &mut file, &mut |_| {}).expect("a snapshot");
    network.restore(4, &file);
    let (node, abstains) = network.start_as(4, 0..4, false);
    let first = nodes[0].ledger().rules().first_height_of(in_office);
    until("the regulators come into office", || height(&node) >= first);

    let fifth = key(5).public();
    let add = Bounded::try_from(vec![fifth]).expect("one key");
    let body = ProposeChange { change: Change::Seats { remove: Bounded::default(), add } };
    let others: Vec<_> = (21..25).map(key).collect();
    let others: Vec<_> = others.iter().collect();
    let proposal = regulators[0].submission(body, Vec::new(), &others, valid_until());
    assert_eq!(submit(&nodes[2], proposal.expect("small")).code, 0);
    until("the newcomer's vote counts", || counts(&nodes[0], &fifth));
    assert!(!abstains.get());
    node.stop().expect("a graceful end");
    let (again, abstains) = network.start_as(4, 0..4, false);
    let since = height(&nodes[0]) + 2;
    until("it votes after a restart", || counts_from(&nodes[0], &fifth, since));
    assert!(!abstains.get());
    again.stop().expect("a graceful end");
}
