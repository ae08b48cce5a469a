//! A day with all that follows it, on a ledger that keeps everything and on one that prunes after each
//! block: both come to the same, byte for byte.

use std::path::Path;
use std::sync::Arc;

use client::proof_file::ProofFile;
use client::transaction_builder::Signer;
use contracts::account::AccountKind;
use contracts::billing::{DecideDispute, DisputeBill, IssueBill};
use contracts::governance::{AttestCheckpoint, RequestCheckpoint};
use contracts::metering::DayReadings;
use contracts::registry::Holder;
use contracts::{Body, Event, Position};
use ledger::prune::{Keep, Pruning, prune};
use ledger::snapshot::{SnapshotError, StateFile, create, restore};
use ledger::store::{Durability, Keyspace, MemoryStore, Store, WriteBatch};
use ledger::{CheckedBlock, InLine, Ledger, LedgerError, Outcome, View, layout};
use primitives::calendar::BillingPeriod;
use primitives::codec;
use primitives::envelope::Submission;
use primitives::identifier::{BillId, UsagePointId};
use primitives::reading::{Quality, Reading};
use primitives::units::{BlockHeight, MicroCurrency, Sequence, Timestamp, WattHours};
use simulator::demo_keys::DemoRole;
use simulator::pace::Unpaced;
use simulator::{DayPlan, Desk, DeskError, genesis, run_day};

use crate::direct_desk::DirectDesk;

/// Two ledgers with the same blocks; one of them prunes whatever it may, and is opened anew now and
/// then.
struct Twins {
    whole: DirectDesk,
    store: MemoryStore,
    pruned: Ledger,
    batches: u32,
}

impl Twins {
    fn new(plan: &DayPlan) -> Self {
        let store = MemoryStore::new();
        let pruned = Ledger::open(Arc::new(store.clone()), Some(genesis(plan).unwrap())).unwrap();
        Self { whole: DirectDesk::new(plan), store, pruned, batches: 0 }
    }

    fn follow(&mut self) {
        follow(&self.whole.ledger, &self.pruned);
        prune_all(&self.pruned, None);
        self.batches += 1;
        if self.batches.is_multiple_of(25) {
            self.pruned = Ledger::open(Arc::new(self.store.clone()), None).unwrap();
        }
        assert_eq!(self.pruned.head(), self.whole.ledger.head());
    }
}

/// Brings a ledger to where another one stands.
fn follow(whole: &Ledger, follower: &Ledger) {
    let view = whole.view();
    for height in follower.head().header.height.get() + 1..=view.height() {
        let (block, sealed) = view.block(height).unwrap().unwrap();
        let (head, verifier) = (follower.head(), InLine::default());
        let block = CheckedBlock::check(&block, &head, follower.rules(), &verifier).unwrap();
        follower.append(&block, &sealed.certificate).unwrap();
    }
}

fn prune_all(ledger: &Ledger, states: Option<&Path>) {
    let pruning = Pruning { keep: Keep::Blocks(0), states, again: true };
    prune(ledger, pruning, &mut |_| Ok(())).unwrap();
}

impl Desk for Twins {
    fn submit(&mut self, submissions: Vec<Submission>) -> Result<Vec<Outcome>, DeskError> {
        let outcomes = self.whole.submit(submissions)?;
        self.follow();
        Ok(outcomes)
    }

    fn view(&mut self) -> Result<View, DeskError> {
        self.whole.view()
    }
}

/// A home that draws more than it injects: its bill is above zero.
const HOME: u32 = 1;

/// The day is over; further transactions of its members are sent one by one.
struct After<'a> {
    plan: &'a DayPlan,
    desk: &'a mut dyn Desk,
    home: UsagePointId,
    valid_until: Timestamp,
}

impl<'a> After<'a> {
    fn new(plan: &'a DayPlan, desk: &'a mut dyn Desk) -> Self {
        let view = desk.view().unwrap();
        let meter = plan.keys().key(DemoRole::Meter, HOME).public().address();
        let holder = view.read(|state| state.key_record(&meter)).unwrap().unwrap().holder;
        let Holder::Meter(home) = holder else { panic!("{holder:?}") };
        let valid_until = view.head().header.time.plus_milliseconds(3_600_000).unwrap();
        Self { plan, desk, home, valid_until }
    }

    fn signer(&mut self, role: DemoRole, index: u32) -> Signer {
        let key = self.plan.keys().key(role, index);
        let address = key.public().address();
        let view = self.desk.view().unwrap();
        let used = view.read(|state| state.highest_sequence(&address)).unwrap();
        Signer::new(key, view.rules().ledger_id(), Sequence::new(used + 1))
    }

    fn send(&mut self, submission: Submission) -> (Position, Vec<Event>) {
        let outcome = self.desk.submit(vec![submission]).unwrap().remove(0);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let receipt = self.desk.view().unwrap().receipt(outcome.position).unwrap().unwrap();
        let events = receipt.events.iter().map(|event| codec::decode(event).unwrap());
        (outcome.position, events.collect())
    }

    fn act(&mut self, who: (DemoRole, u32), body: impl Into<Body>) -> Vec<Event> {
        let signed = self.signer(who.0, who.1).submission(body, Vec::new(), &[], self.valid_until);
        self.send(signed.unwrap()).1
    }

    /// The home's meter reports another value for a slot.
    fn correct(&mut self, slot: u32, import: u64) -> Position {
        let period = self.plan.periods().first.offset(slot).unwrap();
        let reading = Reading {
            import_wh: WattHours::new(import),
            export_wh: WattHours::ZERO,
            quality: Quality::Actual,
        };
        let salt = [slot as u8 ^ import as u8; 32];
        let mut meter = self.signer(DemoRole::Meter, HOME);
        let (position, events) =
            self.send(meter.correct_reading(self.home, period, reading, salt).unwrap());
        assert!(matches!(events[..], [Event::ReadingCorrected { .. }]), "{events:?}");
        position
    }

    fn bill(&mut self) -> Vec<Event> {
        let body = IssueBill {
            usage_points: vec![self.home].try_into().unwrap(),
            period: BillingPeriod::Day { day: self.plan.day },
        };
        let distributor = self.distributor();
        self.act((DemoRole::Distributor, distributor), body)
    }

    /// The number of the home's distributor.
    fn distributor(&mut self) -> u32 {
        let view = self.desk.view().unwrap();
        let biller = view.read(|state| state.usage_point(self.home)).unwrap().unwrap().biller;
        let is_biller = |number: &u32| {
            let address = self.plan.keys().key(DemoRole::Distributor, *number).public().address();
            let record = view.read(|state| state.key_record(&address)).unwrap();
            record.is_some_and(|record| record.holder == Holder::Party(biller))
        };
        (0..4).find(is_biller).expect("a distributor bills the home")
    }

    fn newest_bill(&mut self) -> BillId {
        let view = self.desk.view().unwrap();
        let day = view.read(|state| state.metered_day(self.home, self.plan.day)).unwrap();
        day.billed.expect("the day is billed")
    }
}

fn issued(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::BillIssued(_)))
}

fn positions(view: &View) -> Vec<Position> {
    let of_block = |height| {
        let count = view.sealed_header(height).unwrap().unwrap().transactions;
        (0..count).map(move |index| Position { height, index })
    };
    (1..=view.height()).flat_map(of_block).collect()
}

/// Every proof that anybody may ask for is the same, byte for byte.
fn compare(whole: &View, pruned: &View) {
    assert_eq!(whole.head(), pruned.head());
    let mut bills = Vec::new();
    for position in positions(whole) {
        let proof = whole.receipt_proof(position).unwrap();
        assert_eq!(pruned.receipt_proof(position).unwrap(), proof, "{position:?}");
        let receipt = whole.receipt(position).unwrap().unwrap();
        for event in receipt.events.iter() {
            if let Ok(Event::BillIssued(issued)) = codec::decode(event) {
                bills.push(issued.bill);
            }
        }
    }
    for bill in &bills {
        let text = |view: &View| {
            let proof = view.bill_proof(*bill).unwrap().expect("every bill is provable");
            ProofFile::new(proof).unwrap().text().to_owned()
        };
        assert_eq!(text(whole), text(pruned), "{bill}");
    }
    assert!(bills.len() > 40, "{} bills and revisions", bills.len());
}

#[test]
fn a_day_with_corrections_amendments_and_disputes_is_the_same_pruned_or_not() {
    let plan = DayPlan::new(DayPlan::default().day, 40, 1);
    let mut twins = Twins::new(&plan);
    run_day(&plan, &mut twins, &mut Unpaced, &mut |_| {}).unwrap();
    let mut after = After::new(&plan, &mut twins);
    // Corrected, corrected again, amended; the same again changes nothing.
    after.correct(7, 111);
    after.correct(7, 222);
    after.correct(30, 333);
    assert!(issued(&after.bill()));
    assert!(after.bill().contains(&Event::AlreadyRecorded {}));
    // Disputed and decided, amended once more: the decision goes along.
    let dispute = DisputeBill {
        bill: after.newest_bill(),
        amount: MicroCurrency::new(10_000),
        reason_hash: primitives::hash::Hash::of(b"reasons"),
    };
    let bill = dispute.bill;
    after.act((DemoRole::Household, HOME), dispute);
    let upheld = MicroCurrency::new(10_000);
    after.act((DemoRole::Regulator, 0), DecideDispute { bill, upheld });
    after.correct(7, 444);
    assert!(issued(&after.bill()));

    let (whole, pruned) = (twins.whole.ledger.view(), twins.pruned.view());
    compare(&whole, &pruned);
    let kept =
        positions(&whole).into_iter().map(|position| pruned.kept(position).unwrap().unwrap());
    let (gone, stays): (Vec<_>, Vec<_>) = kept.partition(|kept| kept.is_pruned());
    let kinds = |of: &[ledger::StoredTransaction], kind| {
        of.iter().filter(|it| it.envelope().kind == kind).count()
    };
    assert_eq!(kinds(&gone, 201), 3 * 96, "single readings, for which the seals speak now");
    assert_eq!(kinds(&stays, 202), 43, "every seal");
    assert_eq!(kinds(&stays, 203), 3, "also the one that was replaced when a bill had counted it");
    assert_eq!(kinds(&gone, 203), 1, "the one that was replaced before any bill");
    assert!(stays.len() * 5 < gone.len(), "{} of {}", stays.len(), gone.len());
    let sum = |view: &View| {
        let balances = view.read(|state| state.accounts(None, 1_000)).unwrap();
        assert!(balances.iter().any(|(account, _)| account.kind == AccountKind::Wallet));
        balances.iter().map(|(_, balance)| i128::from(balance.get())).sum::<i128>()
    };
    assert_eq!((sum(&whole), sum(&pruned)), (0, 0));
    let home = After::new(&plan, &mut twins).home;
    let load = |view: &View| {
        view.read(|state| DayReadings::load(view.rules(), state, home, plan.day)).unwrap()
    };
    assert_eq!(load(&whole), load(&pruned));
}

/// A checkpoint of the newest block: computed, attested, proven.
fn checkpoint(after: &mut After<'_>, ledger: &Ledger, kept: &Path) {
    // The request's block, not the closing one behind it.
    after.act((DemoRole::GridOperator, 0), RequestCheckpoint {});
    let height = after.desk.view().unwrap().read(|state| state.open_checkpoint()).unwrap();
    let height = height.unwrap().height;
    let at_request = rewound(ledger, height);
    let computed = StateFile::new(kept).compute(&at_request.view(), || Ok(())).unwrap();
    let attest = AttestCheckpoint { height, root: computed.root() };
    after.act((DemoRole::Validator, 0), attest);
}

/// The same ledger as it stood after a block.
fn rewound(ledger: &Ledger, height: BlockHeight) -> Ledger {
    let genesis = ledger.rules().genesis().clone();
    let again = Ledger::open(Arc::new(MemoryStore::new()), Some(genesis)).unwrap();
    let view = ledger.view();
    for height in 1..=height.get() {
        let (block, sealed) = view.block(height).unwrap().unwrap();
        let (head, verifier) = (again.head(), InLine::default());
        let block = CheckedBlock::check(&block, &head, again.rules(), &verifier).unwrap();
        again.append(&block, &sealed.certificate).unwrap();
    }
    again
}

fn restored(bytes: &[u8]) -> Result<Ledger, SnapshotError> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    restore(bytes, None, &InLine::default(), Arc::clone(&store), &mut |_, _| {})?;
    Ok(Ledger::open(store, None)?)
}

fn copied(ledger: &Ledger) -> Ledger {
    let genesis = ledger.rules().genesis().clone();
    let copy = Ledger::open(Arc::new(MemoryStore::new()), Some(genesis)).unwrap();
    follow(ledger, &copy);
    copy
}

#[test]
fn a_snapshot_of_a_pruned_ledger_holds_what_its_own_state_names() {
    let plan = DayPlan::new(DayPlan::default().day, 4, 1);
    let kept = tempfile::tempdir().unwrap();
    let mut desk = DirectDesk::new(&plan);
    let ledger = Arc::clone(&desk.ledger);
    run_day(&plan, &mut desk, &mut Unpaced, &mut |_| {}).unwrap();
    let mut after = After::new(&plan, &mut desk);
    let first = after.correct(7, 111);
    checkpoint(&mut after, &ledger, kept.path());
    let before_second = copied(&ledger);
    // From here on no state names the first correction any more, which no bill was made from.
    let second = after.correct(7, 222);
    let by_state = copied(&ledger);
    prune_all(&by_state, Some(kept.path()));
    let kept_first = by_state.view().kept(first).unwrap().unwrap();
    assert!(!kept_first.is_pruned(), "whoever restores compares the second with it");
    let bytes = |ledger: &Ledger| {
        let mut bytes = Vec::new();
        create(&ledger.view(), kept.path(), &mut bytes, &mut |_| {}).map(|_| bytes)
    };
    let again = restored(&bytes(&by_state).unwrap()).unwrap();
    assert_eq!(again.head(), ledger.head());
    assert!(again.view().transaction(second).unwrap().is_some());
    let bill = After::new(&plan, &mut desk).newest_bill();
    let proof = |ledger: &Ledger| ledger.view().bill_proof(bill).unwrap().unwrap();
    assert_eq!(proof(&again), proof(&ledger));

    let by_newest = copied(&ledger);
    let checkpoint = ledger.view().read(|state| state.agreed_checkpoint()).unwrap().unwrap();
    let above = ledger.view().height() - checkpoint.height.get();
    let pruning = Pruning { keep: Keep::Blocks(above), states: None, again: false };
    prune(&by_newest, pruning, &mut |_| Ok(())).unwrap();
    assert!(by_newest.view().kept(first).unwrap().unwrap().is_pruned());
    assert!(matches!(bytes(&by_newest), Err(SnapshotError::NotReady(_))));
    // Who hides that makes a snapshot with which nobody can go on.
    let mut batch = WriteBatch::new();
    batch.delete(Keyspace::Meta, layout::PRUNED);
    by_newest.store().commit(batch, Durability::Synced).unwrap();
    let hidden = Ledger::open(Arc::clone(by_newest.store()), None).unwrap();
    let refused = restored(&bytes(&hidden).unwrap());
    let Err(SnapshotError::Ledger(LedgerError::Pruned { height })) = refused else {
        panic!("{:?}", refused.map(|_| ()))
    };
    assert_eq!(height.get(), first.height);
    // Nor with one whose blocks do not miss it before a rule asks.
    let chunk = layout::chunk(first.height, 0);
    let row = by_newest.store().get(Keyspace::Blocks, &chunk).unwrap().unwrap();
    let mut batch = WriteBatch::new();
    batch.put(Keyspace::Blocks, chunk, row);
    before_second.store().commit(batch, Durability::Synced).unwrap();
    let spoiled = Ledger::open(Arc::clone(before_second.store()), None).unwrap();
    let refused = restored(&bytes(&spoiled).unwrap()).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("was pruned that rules may still read"), "{refused}");
}
