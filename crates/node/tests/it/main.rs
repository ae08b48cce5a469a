//! A solo node on a store: answers, order, duplicates, quota, failure and stop.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use contracts::genesis::{Clock, Currency, Genesis, Owner, Parameters, Privacy};
use contracts::governance::{AdvanceClock, AgreedCheckpoint, AttestCheckpoint, RequestCheckpoint};
use contracts::registry::{AppointRegulator, SuspendParty};
use contracts::{Body, Rules};
use ledger::snapshot::create;
use ledger::store::{Fault, MemoryStore, Store};
use ledger::{CheckedTransaction, InLine, Ledger, LedgerError, Outcome, SubmitError, Verifier};
use node::mempool::Mempool;
use node::{Node, NodeConfig, NodeError, Orderer, Patience, WallClock};
use primitives::calendar::GridZone;
use primitives::codec::{Bounded, Text};
use primitives::envelope::{ENVELOPE_VERSION, Envelope, SignedTransaction, Submission};
use primitives::hash::Hash;
use primitives::header::ValidatorSet;
use primitives::identifier::PartyId;
use primitives::key::SigningKey;
use primitives::units::{BlockHeight, Sequence, Timestamp};

const START: u64 = 1_464_719_400_000;

/// A clock that stands still.
struct Stands(u64);

impl WallClock for Stands {
    fn now(&self) -> Timestamp {
        Timestamp::new(self.0)
    }
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

fn genesis(clock: Clock) -> Genesis {
    Genesis {
        version: 1,
        name: Text::new("node").unwrap(),
        demo: false,
        clock,
        privacy: Privacy::Open,
        time: Timestamp::new(START),
        slot_minutes: 15,
        zone: GridZone {
            name: Text::new("Asia/Kolkata").unwrap(),
            base_offset_seconds: 19_800,
            transitions: Bounded::default(),
        },
        currency: Currency { code: Text::new("INR").unwrap(), minor_unit_decimals: 2 },
        owner: Owner { threshold: 1, keys: vec![key(1).public()].try_into().unwrap() },
        clock_keeper: Some(key(2).public()),
        validators: ValidatorSet::new(vec![key(3).public()]).unwrap(),
        epoch_blocks: contracts::genesis::DEFAULT_EPOCH_BLOCKS,
        parameters: Parameters::default(),
    }
}

fn start(store: &MemoryStore, clock: Clock, now: u64) -> Node {
    Node::start(config(store, clock, now)).unwrap()
}

fn config(store: &MemoryStore, clock: Clock, now: u64) -> NodeConfig {
    NodeConfig {
        store: Arc::new(store.clone()),
        genesis: Some(genesis(clock)),
        key: key(3),
        clock: Arc::new(Stands(now)),
        verifier: Arc::new(InLine::default()),
    }
}

fn signed(body: impl Into<Body>, keys: &[&SigningKey], sequence: u64) -> Submission {
    signed_at(Clock::Virtual, body, keys, sequence)
}

fn signed_at(
    clock: Clock,
    body: impl Into<Body>,
    keys: &[&SigningKey],
    sequence: u64,
) -> Submission {
    let body = body.into();
    let rules = Rules::new(genesis(clock)).unwrap();
    let cosigners: Vec<_> = keys[1..].iter().map(|key| key.public()).collect();
    let envelope = Envelope {
        version: ENVELOPE_VERSION,
        ledger_id: rules.ledger_id(),
        signer: keys[0].public(),
        cosigners: cosigners.try_into().unwrap(),
        sequence: Sequence::new(sequence),
        valid_until: Timestamp::new(START + 3_600_000),
        kind: body.kind(),
        body: body.encode().try_into().unwrap(),
    };
    Submission { transaction: SignedTransaction::sign(envelope, keys), payload: Bounded::default() }
}

fn appoint(number: u8, sequence: u64) -> Submission {
    signed(appointment(number), &[&key(1), &key(number)], sequence)
}

fn appointment(number: u8) -> AppointRegulator {
    AppointRegulator {
        alias: Text::new(format!("regulator-{number}")).unwrap(),
        key: key(number).public(),
        encryption_key: [0; 32],
    }
}

/// Rejected by a rule: the owner suspends nobody.
fn rejected(sequence: u64) -> Submission {
    signed(SuspendParty { party: PartyId::new([1; 32]) }, &[&key(1)], sequence)
}

async fn submit(node: &Node, submissions: Vec<Submission>) -> Vec<Result<Outcome, SubmitError>> {
    node.submitter().submit(submissions).await
}

#[tokio::test]
async fn an_answer_comes_when_the_transaction_is_executed_and_durable() {
    let store = MemoryStore::new();
    let node = start(&store, Clock::Virtual, 0);
    let answers = submit(&node, vec![appoint(10, 1), rejected(2)]).await;
    let codes: Vec<_> = answers.iter().map(|a| a.as_ref().unwrap().code).collect();
    assert_eq!(codes, [0, 106]);
    let restarted = start(&store.crash(), Clock::Virtual, 0);
    let view = restarted.reader().view().unwrap();
    for answer in answers {
        let outcome = answer.unwrap();
        assert_eq!(view.position_of(&outcome.id).unwrap(), Some(outcome.position));
    }
}

#[tokio::test]
async fn what_happened_is_provable_at_once_on_a_virtual_clock_and_soon_on_a_systems() {
    let store = MemoryStore::new();
    let node = start(&store, Clock::Virtual, 0);
    submit(&node, vec![appoint(10, 1)]).await;
    let view = node.reader().view().unwrap();
    assert_eq!((view.height(), view.provable_height()), (2, 1));

    let node = start(&MemoryStore::new(), Clock::System, START + 5);
    let body = appointment(10);
    let submission = signed_at(Clock::System, body, &[&key(1), &key(10)], 1);
    let answer = submit(&node, vec![submission]).await.remove(0).unwrap();
    let wait = node.reader().provable(answer.position.height);
    tokio::time::timeout(Duration::from_secs(5), wait).await.expect("a closing block follows");
    assert!(node.reader().view().unwrap().provable_height() >= answer.position.height);
}

#[tokio::test]
async fn the_same_transaction_again_gets_the_first_answer() {
    let node = start(&MemoryStore::new(), Clock::Virtual, 0);
    let twice = submit(&node, vec![appoint(10, 1), appoint(10, 1)]).await;
    assert_eq!(twice[0], twice[1]);
    let later = submit(&node, vec![appoint(10, 1)]).await;
    assert_eq!(later[0], twice[0]);
    assert_eq!(node.reader().view().unwrap().head().transactions, 1);
}

/// Leaves everything where it waits.
struct OrdersNothing;

impl Orderer for OrdersNothing {
    fn run(&mut self, ordering: &node::Ordering) -> Result<(), NodeError> {
        while !ordering.mempool.is_closed() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn name(&self) -> &'static str {
        "none"
    }
}

#[tokio::test]
async fn whoever_asks_again_is_answered_without_a_block() {
    let store = MemoryStore::new();
    let node = start(&store, Clock::Virtual, 0);
    let first = submit(&node, vec![appoint(10, 1), rejected(2)]).await;
    node.stop().unwrap();
    let ledger = Arc::new(Ledger::open(Arc::new(store), None).unwrap());
    let (clock, verifier) = (Arc::new(Stands(0)), Arc::new(InLine::default()));
    let node = Node::start_with(ledger, Box::new(OrdersNothing), clock, verifier).unwrap();
    let again = submit(&node, vec![appoint(10, 1), rejected(2)]);
    let again = tokio::time::timeout(Duration::from_secs(10), again).await.unwrap();
    assert_eq!(again, first);
    assert!(node.stop().is_ok());
}

#[tokio::test]
async fn bad_form_and_unregistered_keys_never_enter_a_block() {
    let node = start(&MemoryStore::new(), Clock::Virtual, 0);
    let stranger = signed(SuspendParty { party: PartyId::new([1; 32]) }, &[&key(77)], 1);
    let mut garbled = appoint(10, 1);
    garbled.transaction.envelope.sequence = Sequence::new(9);
    let answers = submit(&node, vec![stranger, garbled, appoint(11, 2)]).await;
    assert_eq!(answers[0], Err(SubmitError::KeyNotRegistered));
    assert!(matches!(&answers[1], Err(SubmitError::Malformed(m)) if m.code() == 2));
    assert!(answers[2].is_ok());
    assert_eq!(node.reader().view().unwrap().head().transactions, 1);
}

#[tokio::test]
async fn many_clients_at_once_are_all_answered_in_one_order() {
    let node = Arc::new(start(&MemoryStore::new(), Clock::Virtual, 0));
    let clients = (1..=200).map(|sequence| {
        let node = Arc::clone(&node);
        tokio::spawn(async move { submit(&node, vec![rejected(sequence)]).await.remove(0) })
    });
    let mut positions = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        match client.await.unwrap() {
            Ok(outcome) => positions.push(outcome.position),
            Err(error) => assert!(matches!(error, SubmitError::QuotaExceeded { bound: 100 })),
        }
    }
    assert!(positions.len() >= 100);
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len() as u64, node.reader().view().unwrap().head().transactions);
}

#[tokio::test]
async fn requests_that_are_checked_together_get_their_own_answers() {
    let node = start(&MemoryStore::new(), Clock::Virtual, 0);
    let mut spoiled = rejected(200);
    let other = rejected(201).transaction.signatures.clone();
    spoiled.transaction.signatures = other;
    let requests: Vec<Vec<_>> = (0..40_u64)
        .map(|number| {
            let good = rejected(1 + number);
            if number % 4 == 0 { vec![good, spoiled.clone()] } else { vec![good] }
        })
        .collect();
    let submitter = node.submitter();
    let waiting: Vec<_> = requests
        .iter()
        .map(|request| submitter.submit(request.clone()))
        .map(tokio::spawn)
        .collect();
    for (request, answers) in requests.iter().zip(waiting) {
        let answers = answers.await.unwrap();
        assert_eq!(answers.len(), request.len());
        for (submission, answer) in request.iter().zip(answers) {
            if *submission == spoiled {
                assert!(matches!(answer, Err(SubmitError::Malformed(_))), "{answer:?}");
            } else {
                assert_eq!(answer.unwrap().id, submission.transaction.id());
            }
        }
    }
}

#[tokio::test]
async fn too_many_rejections_within_an_hour_are_refused() {
    let node = start(&MemoryStore::new(), Clock::Virtual, 0);
    let first = submit(&node, (1..=100).map(rejected).collect()).await;
    assert!(first.iter().all(|answer| answer.as_ref().is_ok_and(|outcome| outcome.code == 106)));
    let refused = submit(&node, vec![rejected(101)]).await;
    assert_eq!(refused[0], Err(SubmitError::QuotaExceeded { bound: 100 }));
    // Another sender is not concerned, and the hour passes.
    let to = Timestamp::new(START + 3_500_000);
    assert!(submit(&node, vec![signed(AdvanceClock { to }, &[&key(2)], 1)]).await[0].is_ok());
    assert!(submit(&node, vec![rejected(101)]).await[0].is_err());
}

#[tokio::test]
async fn a_clock_that_jumped_back_does_not_stop_the_ledger() {
    let store = MemoryStore::new();
    let node = start(&store, Clock::System, START + 1_000_000);
    let submission = signed_at(Clock::System, appointment(10), &[&key(1), &key(10)], 1);
    submit(&node, vec![submission]).await.remove(0).unwrap();
    let before = node.reader().view().unwrap().head().header.time;
    node.stop().unwrap();
    let node = start(&store, Clock::System, START);
    let submission = signed_at(Clock::System, appointment(11), &[&key(1), &key(11)], 2);
    submit(&node, vec![submission]).await.remove(0).unwrap();
    let after = node.reader().view().unwrap().head().header.time;
    assert!(after > before && after.get() < before.get() + 10);
}

#[tokio::test]
async fn a_full_disk_stops_the_node_and_nothing_acknowledged_is_lost() {
    let store = MemoryStore::new();
    let node = start(&store, Clock::Virtual, 0);
    let acknowledged = submit(&node, vec![appoint(10, 1)]).await.remove(0).unwrap();
    store.plant(Fault::FullDisk);
    let lost = submit(&node, vec![appoint(11, 2)]).await;
    assert_eq!(lost[0], Err(SubmitError::Stopping));
    tokio::time::timeout(Duration::from_secs(5), node.ended()).await.expect("the node ends");
    assert_eq!(submit(&node, vec![appoint(12, 3)]).await[0], Err(SubmitError::Stopping));
    let failure = node.stop().unwrap_err();
    assert!(matches!(failure.ledger(), Some(LedgerError::Store(_))), "{failure}");

    let node = start(&store.crash(), Clock::Virtual, 0);
    let view = node.reader().view().unwrap();
    assert_eq!(view.position_of(&acknowledged.id).unwrap(), Some(acknowledged.position));
}

#[tokio::test]
async fn stopping_orders_what_waits_and_refuses_the_rest() {
    let store = MemoryStore::new();
    let node = start(&store, Clock::Virtual, 0);
    let submitter = node.submitter();
    let answer = submitter.submit(vec![appoint(10, 1)]).await.remove(0);
    assert!(answer.is_ok());
    node.stop().unwrap();
    assert_eq!(submitter.submit(vec![appoint(11, 2)]).await[0], Err(SubmitError::Stopping));
    let node = start(&store, Clock::Virtual, 0);
    let view = node.reader().view().unwrap();
    assert_eq!(view.head().transactions, 1);
    assert_eq!(view.provable_height(), 1);
}

#[tokio::test]
async fn the_same_submissions_give_the_same_blocks() {
    let run = || async {
        let store = MemoryStore::new();
        let node = start(&store, Clock::Virtual, 0);
        submit(&node, vec![appoint(10, 1), rejected(2)]).await;
        submit(&node, vec![appoint(11, 3)]).await;
        let to = Timestamp::new(START + 900_000);
        submit(&node, vec![signed(AdvanceClock { to }, &[&key(2)], 1)]).await;
        node.reader().view().unwrap().head().clone()
    };
    assert_eq!(run().await, run().await);
}

#[test]
fn only_the_validator_starts_a_solo_node() {
    let store = MemoryStore::new();
    let other = NodeConfig { key: key(9), ..config(&store, Clock::Virtual, 0) };
    assert!(matches!(Node::start(other), Err(NodeError::NotTheValidator)));
    let validators = ValidatorSet::new(vec![key(3).public(), key(4).public()]).unwrap();
    let genesis = Genesis { validators, ..genesis(Clock::Virtual) };
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let two = NodeConfig {
        store,
        genesis: Some(genesis),
        ..config(&MemoryStore::new(), Clock::Virtual, 0)
    };
    assert!(matches!(Node::start(two), Err(NodeError::NotSolo(2))));
}

/// Panics while it checks its first round.
struct PanicsOnce(AtomicBool);

impl Verifier for PanicsOnce {
    fn for_each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        assert!(self.0.swap(true, Ordering::Relaxed), "a bug");
        (0..count).for_each(work);
    }

    fn threads(&self) -> usize {
        1
    }

    fn entropy(&self) -> [u8; 32] {
        [0; 32]
    }
}

#[tokio::test]
async fn checking_that_panics_is_answered_and_the_next_are_served() {
    let store = MemoryStore::new();
    let verifier = Arc::new(PanicsOnce(AtomicBool::new(false)));
    let config = NodeConfig { verifier, ..config(&store, Clock::Virtual, START) };
    let node = Node::start(config).unwrap();
    let lost = submit(&node, vec![appoint(11, 1)]).await;
    assert!(matches!(lost[..], [Err(SubmitError::Stopping)]), "{lost:?}");
    let (one, other) = tokio::join!(
        submit(&node, vec![appoint(12, 1)]),
        submit(&node, vec![appoint(13, 2), appoint(14, 3)])
    );
    for answer in one.into_iter().chain(other) {
        assert_eq!(answer.unwrap().code, 0);
    }
    node.stop().unwrap();
}

/// Orders nothing either, and counts how often signatures are checked.
struct Patient(Patience);

impl Orderer for Patient {
    fn run(&mut self, ordering: &node::Ordering) -> Result<(), NodeError> {
        ordering.be_patient(self.0);
        OrdersNothing.run(ordering)
    }

    fn name(&self) -> &'static str {
        "none"
    }
}

#[derive(Default)]
struct CountsRounds(AtomicUsize);

impl Verifier for CountsRounds {
    fn for_each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        InLine::default().for_each(count, work);
    }

    fn threads(&self) -> usize {
        1
    }

    fn entropy(&self) -> [u8; 32] {
        self.0.fetch_add(1, Ordering::SeqCst);
        [0; 32]
    }
}

fn start_patient(pause: Duration) -> (Node, Arc<CountsRounds>) {
    let ledger = Ledger::open(Arc::new(MemoryStore::new()), Some(genesis(Clock::Virtual))).unwrap();
    let orderer = Box::new(Patient(Patience { pause, round: 10_000 }));
    let verifier = Arc::new(CountsRounds::default());
    let (clock, counts) = (Arc::new(Stands(0)), Arc::clone(&verifier));
    let node = Node::start_with(Arc::new(ledger), orderer, clock, verifier).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    (node, counts)
}

#[tokio::test]
async fn large_requests_wait_for_each_other_and_a_small_one_for_nobody() {
    let (node, rounds) = start_patient(Duration::from_millis(500));
    let large = |first: u64| (first..first + 300).map(rejected).collect::<Vec<_>>();
    let submitter = node.submitter();
    let waiting: Vec<_> = [large(1), large(301), large(601)]
        .map(|request| submitter.submit(request))
        .into_iter()
        .map(tokio::spawn)
        .collect();
    while node.status().mempool < 900 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(rounds.0.load(Ordering::SeqCst), 1, "checked together");
    assert!(node.stop().is_ok());
    for answers in waiting {
        let answers = answers.await.unwrap();
        assert!(answers.iter().all(|answer| *answer == Err(SubmitError::Stopping)));
    }

    let (node, _) = start_patient(Duration::from_secs(3_600));
    let mut garbled = appoint(10, 1);
    garbled.transaction.envelope.sequence = Sequence::new(9);
    let answer = submit(&node, vec![garbled]);
    let answer = tokio::time::timeout(Duration::from_secs(60), answer).await.expect("at once");
    assert!(matches!(answer[0], Err(SubmitError::Malformed(_))));
}

#[tokio::test]
async fn small_requests_do_not_hold_a_large_one_back() {
    let (node, _) = start_patient(Duration::from_millis(300));
    let submitter = node.submitter();
    let large = tokio::spawn(submitter.submit((1..=300).map(rejected).collect()));
    let mut waiting = Vec::new();
    for sequence in 301..900 {
        if node.status().mempool >= 300 {
            break;
        }
        waiting.push(tokio::spawn(submitter.submit(vec![rejected(sequence)])));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(waiting.len() < 400, "{} came and it still waits", waiting.len());
    assert!(node.stop().is_ok());
    assert_eq!(large.await.unwrap().len(), 300);
    for answer in waiting {
        assert_eq!(answer.await.unwrap(), [Err(SubmitError::Stopping)]);
    }
}

#[test]
fn what_peers_pass_on_is_checked_in_pieces() {
    let ledger = Ledger::open(Arc::new(MemoryStore::new()), Some(genesis(Clock::Virtual))).unwrap();
    let verifier = Arc::new(CountsRounds::default());
    let rounds = Arc::clone(&verifier);
    let (ordering, _doors) = node::assemble(Arc::new(ledger), Arc::new(Stands(0)), verifier);
    let batch = |from: u64, to: u64| (from..=to).map(rejected).collect::<Vec<_>>();
    let passed_on =
        vec![(key(4).public(), batch(1, 6_000)), (key(5).public(), batch(6_001, 8_100))];
    ordering.offer(passed_on).unwrap();
    assert_eq!(ordering.mempool.len(), 8_100);
    assert_eq!(rounds.0.load(Ordering::SeqCst), 2, "a block could go between");
    ordering.offer(vec![(key(5).public(), batch(1, 10))]).unwrap();
    assert_eq!(ordering.mempool.len(), 8_100, "each stands there once");
}

#[test]
fn what_is_passed_on_is_bounded() {
    let rules = Rules::new(genesis(Clock::Virtual)).unwrap();
    let most = ledger::block::MAX_TRANSACTIONS;
    let submissions = (1..=most as u64 + 2).map(rejected).collect();
    let checked = CheckedTransaction::check_many(submissions, &rules, &InLine::default());
    let checked: Vec<CheckedTransaction> = checked.into_iter().map(Result::unwrap).collect();
    let mempool = Mempool::default();
    let _waits = mempool.push(checked.clone());
    let ids =
        |some: &[CheckedTransaction]| some.iter().map(CheckedTransaction::id).collect::<Vec<_>>();
    let (first, next) = mempool.own(0..u64::MAX, usize::MAX);
    assert_eq!(ids(&first), ids(&checked[..most]), "a block's number");
    let (rest, end) = mempool.own(next..u64::MAX, usize::MAX);
    assert_eq!(ids(&rest), ids(&checked[most..]));
    assert!(mempool.own(end..u64::MAX, usize::MAX).0.is_empty());
    let two = checked[0].size() + checked[1].size();
    assert_eq!(mempool.own(0..u64::MAX, two).0.len(), 2, "so many bytes");
    assert_eq!(mempool.own(0..u64::MAX, 1).0.len(), 1, "one at least");
}

#[test]
fn what_was_checked_is_known_while_it_waits_or_was_proposed_a_block_ago() {
    let rules = Rules::new(genesis(Clock::Virtual)).unwrap();
    let most = ledger::block::MAX_TRANSACTIONS as u64;
    let submissions = (1..=most + 2).map(rejected).collect();
    let checked = CheckedTransaction::check_many(submissions, &rules, &InLine::default());
    let checked: Vec<CheckedTransaction> = checked.into_iter().map(Result::unwrap).collect();
    let mempool = Mempool::default();
    let is_known = |place: usize| mempool.known(&checked[place].id()).is_some();
    assert!(!is_known(0));
    let _waits = mempool.push(checked[..1].to_vec());
    assert!(is_known(0) && !is_known(1));
    mempool.remove(std::iter::once(checked[0].id()));
    assert!(!is_known(0), "it waits no more and no block held it");
    mempool.remember(checked[..2].iter());
    mempool.remember(checked[..2].iter());
    assert!(is_known(0) && is_known(1));
    // Bounded: as many as one block holds, the oldest ones are forgotten.
    mempool.remember(checked[2..].iter());
    let known = (0..checked.len()).filter(|place| is_known(*place)).count();
    assert!(!is_known(0) && !is_known(1) && is_known(2) && is_known(checked.len() - 1));
    assert_eq!(known as u64, most);
}

/// Waits until a checkpoint is agreed on.
async fn agreed(node: &Node) -> AgreedCheckpoint {
    for height in node.reader().view().unwrap().height().. {
        tokio::time::timeout(Duration::from_secs(10), node.reader().reached(height))
            .await
            .expect("the node attests");
        let view = node.reader().view().unwrap();
        if let Some(agreed) = view.read(|state| state.agreed_checkpoint()).unwrap() {
            return agreed;
        }
    }
    unreachable!("heights have no end")
}

#[tokio::test]
async fn a_node_attests_the_checkpoint_that_was_asked_for() {
    for clock in [Clock::Virtual, Clock::System] {
        let node = start(&MemoryStore::new(), clock, START + 5);
        let kept = tempfile::tempdir().unwrap();
        node.checkpoints().keep_in(kept.path().to_owned());
        let appointed = signed_at(clock, appointment(10), &[&key(1), &key(10)], 1);
        assert_eq!(submit(&node, vec![appointed]).await[0].as_ref().unwrap().code, 0);
        let request = signed_at(clock, RequestCheckpoint {}, &[&key(10)], 1);
        let outcome = submit(&node, vec![request]).await.remove(0).unwrap();
        assert_eq!(outcome.code, 0);
        let found = agreed(&node).await;
        assert_eq!(found.height.get(), outcome.position.height);
        node.reader().provable(found.position.height).await;
        let view = node.reader().view().unwrap();
        let made = create(&view, kept.path(), Vec::new(), &mut |_| {}).unwrap();
        assert_eq!(made.checkpoint.root(), found.root);
    }
}

#[tokio::test]
async fn a_node_whose_state_is_not_the_agreed_one_stops() {
    let node = start(&MemoryStore::new(), Clock::Virtual, 0);
    submit(&node, vec![appoint(10, 1)]).await;
    let height = BlockHeight::new(node.reader().view().unwrap().height() + 1);
    // The only validator's key attests another root, in the very block of the request.
    let liar = AttestCheckpoint { height, root: Hash::of(b"another state") };
    let request = signed(RequestCheckpoint {}, &[&key(10)], 1);
    let answers = submit(&node, vec![request, signed(liar, &[&key(3)], 1)]).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|it| it.code == 0)));
    drop(submit(&node, vec![rejected(7)]).await);
    tokio::time::timeout(Duration::from_secs(10), node.ended()).await.expect("the node stops");
    let Err(NodeError::Ledger(LedgerError::Diverged { height: named })) = node.stop() else {
        panic!("it goes on with a state that nobody else has");
    };
    assert_eq!(named, height);
}
