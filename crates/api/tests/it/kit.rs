//! A ledger in memory with a small network on it, a node that orders at once, and a browser's view.

use std::sync::{Arc, Mutex, OnceLock};

use api::{
    Api, ApiConfig, Hosting, Metrics, NetworkState, Proven, ReadModel, SnapshotWriter, router,
};
use axum::Router;
use axum::body::{Body as HttpBody, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use contracts::account::{BuyTokens, SetBackingLimit};
use contracts::billing::{DisputeBill, IssueBill, IssueStatement};
use contracts::genesis::{Clock, Currency, Owner, Parameters, Privacy};
use contracts::governance::{AdvanceClock, Change, ProposeChange};
use contracts::metering::{
    CorrectReading, PublishFrequency, Registers, SealDay, SealFrequencyDay, SubmitReading,
    frequency_root,
};
use contracts::notary::AdmitLedger;
use contracts::registry::{
    AppointRegulator, Holder, InstallMeter, RegisterParty, RegisterStation, RegisterUsagePoint,
    Role, UsagePointKind,
};
use contracts::tariff::{
    AssignTariff, AssignmentTarget, ExportRule, PriceRule, PublishTariff, TariffTerms,
};
use contracts::{Body, Genesis, State};
use data_encoding::HEXLOWER;
use ledger::access::Answer;
use ledger::block::CheckedBlock;
use ledger::snapshot::SnapshotError;
use ledger::store::MemoryStore;
use ledger::{
    CheckedTransaction, Ledger, LedgerError, Outcome, Reader, SubmitError, Submitter, View,
};
use primitives::calendar::{BillingPeriod, Calendar, GridZone, LocalDay};
use primitives::codec::{Bounded, encode};
use primitives::envelope::{ENVELOPE_VERSION, Envelope, SignedTransaction, Submission};
use primitives::hash::Hash;
use primitives::header::{Certificate, ValidatorSet};
use primitives::identifier::{
    BillId, LedgerId, PartyId, StationId, TariffId, TransactionId, UsagePointId,
};
use primitives::key::{PublicKey, SigningKey};
use primitives::proof::ReceiptProof;
use primitives::reading::{DayPayload, DaySeed, Quality, Reading, ReadingPayload, reading_leaf};
use primitives::units::{
    BlockHeight, MicroCurrency, MicroPerKilowattHour, MilliHertz, Sequence, Timestamp, WattHours,
    Watts,
};
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;

/// A key that follows from a name.
pub fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(*Hash::of(name.as_bytes()).as_bytes())
}

/// A registered party and its first key.
#[derive(Clone)]
pub struct Member {
    pub id: PartyId,
    pub key: SigningKey,
}

/// A node that puts every request into a block of its own.
pub struct Node {
    pub ledger: Ledger,
    height: watch::Sender<u64>,
    /// What the next submissions are answered with instead.
    pub refuse: Mutex<Option<SubmitError>>,
    /// Are closing blocks made when somebody waits for a proof?
    pub closes: Mutex<bool>,
}

impl Node {
    fn new(genesis: Genesis) -> Self {
        let ledger = Ledger::open(Arc::new(MemoryStore::new()), Some(genesis)).expect("a ledger");
        let refuse = Mutex::new(None);
        Self { ledger, height: watch::Sender::new(0), refuse, closes: Mutex::new(true) }
    }

    /// Orders transactions in one block and executes it.
    pub fn append(&self, transactions: Vec<CheckedTransaction>) -> Vec<Outcome> {
        let proposer = key("validator");
        let time = self.ledger.next_time(Timestamp::ZERO).expect("the store answers");
        let header = self.ledger.next_header(proposer.public(), time).expect("the store answers");
        let block = CheckedBlock::assemble(header, transactions);
        let certificate = Certificate::solo(block.header(), &proposer);
        let receipts = self.ledger.append(&block, &certificate).expect("the block follows");
        let height = block.header().height.get();
        self.height.send_replace(height);
        (0_u32..)
            .zip(receipts)
            .map(|(index, receipt)| Outcome {
                id: receipt.transaction,
                position: contracts::Position { height, index },
                code: receipt.code,
            })
            .collect()
    }

    fn is_known(&self, key: &PublicKey) -> bool {
        let genesis = self.ledger.rules().genesis();
        let registered = |state: &dyn State| state.key_record(&key.address()).is_some();
        genesis.owner.keys.contains(key)
            || genesis.clock_keeper.as_ref() == Some(key)
            || self.ledger.view().read(registered).expect("the store answers")
    }

    fn order(&self, submissions: Vec<Submission>) -> Vec<Result<Outcome, SubmitError>> {
        if let Some(error) = self.refuse.lock().expect("unpoisoned").clone() {
            return submissions.iter().map(|_| Err(error.clone())).collect();
        }
        let mut good = Vec::new();
        let mut answers = Vec::new();
        for submission in submissions {
            let signer = submission.transaction.envelope.signer;
            let time = self.ledger.next_time(Timestamp::ZERO).expect("the store answers");
            match CheckedTransaction::check(submission, self.ledger.rules()) {
                Err(malformed) => answers.push(Some(SubmitError::Malformed(malformed))),
                Ok(checked) => match checked.check_time(time) {
                    Err(malformed) => answers.push(Some(SubmitError::Malformed(malformed))),
                    Ok(()) if !self.is_known(&signer) => {
                        answers.push(Some(SubmitError::KeyNotRegistered));
                    }
                    Ok(()) => {
                        good.push(checked);
                        answers.push(None);
                    }
                },
            }
        }
        let mut outcomes = if good.is_empty() { Vec::new() } else { self.append(good) }.into_iter();
        let answer = |refused: Option<SubmitError>| match refused {
            Some(error) => Err(error),
            None => Ok(outcomes.next().expect("one outcome for each")),
        };
        answers.into_iter().map(answer).collect()
    }
}

/// The node behind the two doors.
#[derive(Clone)]
pub struct Doors(pub Arc<Node>);

impl Reader for Doors {
    fn view(&self) -> Result<View, LedgerError> {
        Ok(self.0.ledger.view())
    }

    fn reached(&self, height: u64) -> Answer<()> {
        let mut heights = self.0.height.subscribe();
        Box::pin(async move {
            let _ = heights.wait_for(|reached| *reached >= height).await;
        })
    }

    fn provable(&self, height: u64) -> Answer<()> {
        let node = Arc::clone(&self.0);
        Box::pin(async move {
            if node.ledger.view().provable_height() >= height {
                return;
            }
            if !*node.closes.lock().expect("unpoisoned") {
                std::future::pending::<()>().await;
            }
            node.append(Vec::new());
        })
    }
}

impl Submitter for Doors {
    fn submit(&self, submissions: Vec<Submission>) -> Answer<Vec<Result<Outcome, SubmitError>>> {
        let node = Arc::clone(&self.0);
        Box::pin(async move { node.order(submissions) })
    }
}

/// What the network is like.
#[derive(Clone, Copy)]
pub struct Setup {
    pub demo: bool,
    pub open_reads: bool,
}

/// A private ledger with sessions; a demo with open reads.
pub const PRIVATE: Setup = Setup { demo: false, open_reads: false };
pub const OPEN_DEMO: Setup = Setup { demo: true, open_reads: true };
/// Another private ledger than [`PRIVATE`].
pub const FURTHER: Setup = Setup { demo: true, open_reads: false };

/// A small network on a node, and its API.
pub struct Network {
    pub node: Arc<Node>,
    pub router: Router,
    /// The same API, to be served as a further ledger of another network's node.
    pub api: Api,
    pub hosting: Arc<Hosting>,
    /// Where the read model lies.
    pub folder: tempfile::TempDir,
    pub model: Arc<ReadModel>,
    pub metrics: Arc<Metrics>,
    /// Writes what the API gives as a snapshot; without it none can be made yet.
    pub snapshot_writer: Arc<OnceLock<SnapshotWriter>>,
    pub regulator: Member,
    /// A change that the regulator stays alone with.
    pub proposal: TransactionId,
    /// Another ledger, admitted by the regulator.
    pub other_ledger: LedgerId,
    pub provider: Member,
    pub grid: Member,
    pub distributor: Member,
    pub other_distributor: Member,
    pub aggregator: Member,
    pub customer: Member,
    pub neighbour: Member,
    pub station: StationId,
    pub usage_point: UsagePointId,
    pub meter: SigningKey,
    pub tariff: TariffId,
    pub bill: BillId,
    pub seal: TransactionId,
    /// The purchase of tokens.
    pub bought: TransactionId,
    pub day: LocalDay,
}

/// The label of the usage point: what a page must never take for its own text.
pub const LABEL: &str = "<script>alert('1')</script>";
/// The host for which logins are meant.
pub const HOST: &str = "localhost:8080";

/// An answer as a client sees it.
pub struct Seen {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn height(&self) -> u64 {
        let height = self.header("Gridtally-Height").expect("a read names its height");
        height.parse().expect("a height")
    }

    /// A well-formed problem of this status and code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        for member in ["type", "title", "detail", "request_id"] {
            assert!(problem[member].is_string(), "{member} in {problem}");
        }
        assert_eq!(self.header("retry-after").is_some(), matches!(status, 429 | 503));
        problem
    }
}

impl Network {
    pub fn new(setup: Setup) -> Self {
        let day: LocalDay = "2016-06-01".parse().expect("a day");
        let node = Arc::new(Node::new(genesis(day, setup.demo)));
        let doors = Doors(Arc::clone(&node));
        let folder = tempfile::tempdir().expect("a folder");
        let model = ReadModel::new(folder.path().join("read-model.sqlite"));
        let metrics: Arc<Metrics> = Arc::default();
        let hosting: Arc<Hosting> = Arc::default();
        let snapshot_writer: Arc<OnceLock<SnapshotWriter>> = Arc::default();
        let config = ApiConfig {
            hosts: vec![HOST.to_owned()],
            open_reads: setup.open_reads,
            proof_exporter: Arc::new(|view, what| {
                let bill = match what {
                    Proven::Bill(bill) => bill,
                    Proven::Transaction { position, whole } => {
                        let proof = view.receipt_proof(position)?;
                        let text = |proof: ReceiptProof| {
                            let of = |bytes: &[u8]| HEXLOWER.encode(bytes);
                            let proof = of(&encode(&proof));
                            format!("{{\"proof\":\"{proof}\",\"whole\":{whole}}}").into_bytes()
                        };
                        return Ok(proof.map(text));
                    }
                };
                let position = view.read(|state| state.bill_state(bill))?.map(|it| it.position);
                let provable =
                    position.is_ok_and(|position| position.height <= view.provable_height());
                Ok(provable.then(|| format!("{{\"bill\":\"{bill}\"}}").into_bytes()))
            }),
            metrics: Arc::clone(&metrics),
            read_model: Some(Arc::clone(&model)),
            snapshot_writer: Some(Arc::new({
                let writer = Arc::clone(&snapshot_writer);
                move |view, out| match writer.get() {
                    Some(write) => write(view, out),
                    None => Err(SnapshotError::NotReady("no checkpoint was agreed on")),
                }
            })),
            network: Arc::new(|| NetworkState {
                key: key("validator").public(),
                orderer: "solo",
                peers: 3,
                mempool: 2,
                abstains: false,
            }),
            hosting: Arc::clone(&hosting),
        };
        let api = Api::new(Arc::new(doors.clone()), Arc::new(doors), config);
        let nobody = Member { id: PartyId::default(), key: key("nobody") };
        let mut network = Self {
            node,
            router: router(api.clone()),
            api,
            hosting,
            folder,
            model,
            metrics,
            snapshot_writer,
            regulator: nobody.clone(),
            proposal: TransactionId::default(),
            other_ledger: LedgerId::new([0; 32]),
            provider: nobody.clone(),
            grid: nobody.clone(),
            distributor: nobody.clone(),
            other_distributor: nobody.clone(),
            aggregator: nobody.clone(),
            customer: nobody.clone(),
            neighbour: nobody,
            station: StationId::default(),
            usage_point: UsagePointId::default(),
            meter: key("meter"),
            tariff: TariffId::default(),
            bill: BillId::default(),
            seal: TransactionId::default(),
            bought: TransactionId::default(),
            day,
        };
        network.populate();
        network.measure();
        network.follow();
        network
    }

    /// The read model reads everything that has happened.
    pub fn follow(&self) {
        self.model.catch_up(&self.node.ledger.view()).expect("it follows");
    }

    fn populate(&mut self) {
        let regulator = key("regulator");
        let body = AppointRegulator {
            alias: "regulator".parse().expect("short"),
            key: regulator.public(),
            encryption_key: [7; 32],
        };
        let id = self.accept(&[&key("owner 1"), &key("owner 2"), &regulator], body, Vec::new());
        self.regulator = Member { id: PartyId::from_transaction(&id), key: regulator };
        self.proposal = self.propose();
        self.other_ledger = self.admit_ledger();
        self.provider = self.admit("provider", &[Role::NetworkProvider]);
        self.grid = self.admit("grid operator", &[Role::GridOperator]);
        self.distributor = self.admit("distributor", &[Role::Distributor]);
        self.other_distributor = self.admit("other distributor", &[Role::Distributor]);
        self.aggregator = self.admit("aggregator", &[Role::Aggregator]);
        self.customer = self.admit("customer", &[Role::Producer, Role::Consumer]);
        self.neighbour = self.admit("neighbour", &[Role::Consumer]);
        let label = "station".parse().expect("short");
        let body = RegisterStation { label, distributor: self.distributor.id };
        let id = self.accept(&[&self.grid.key], body, Vec::new());
        self.station = StationId::from_transaction(&id);
        let body = RegisterUsagePoint {
            label: LABEL.parse().expect("short"),
            station: self.station,
            kind: UsagePointKind::Household,
            customer: self.customer.id,
            connection_limit: Watts::new(10_000),
        };
        let id = self.accept(&[&self.distributor.key], body, Vec::new());
        self.usage_point = UsagePointId::from_transaction(&id);
        let body = InstallMeter {
            usage_point: self.usage_point,
            meter: self.meter.public(),
            from_period: self.node.ledger.rules().calendar().periods_of(self.day).first,
            first: Registers::ZERO,
            register_limit: WattHours::ZERO,
            former_last: None,
        };
        self.accept(&[&self.distributor.key, &self.meter], body, Vec::new());
    }

    /// One day: a flat tariff of 5, 250 Wh in each of 96 slots, a bill of 120, tokens in the wallet.
    fn measure(&mut self) {
        let rules = Arc::clone(self.node.ledger.rules());
        let periods = rules.calendar().periods_of(self.day);
        let after = periods.first.offset(1).expect("a period");
        let price = MicroPerKilowattHour::new(5_000_000);
        let terms = TariffTerms::energy(PriceRule::Flat { price }, ExportRule::SameAsImport);
        let body = PublishTariff {
            tariff: None,
            name: "flat".parse().expect("short"),
            first_period: after,
            terms,
        };
        // Tariffs begin later than now, so the day that is billed is the next one.
        let id = self.accept(&[&self.distributor.key], body, Vec::new());
        self.tariff = TariffId::from_transaction(&id);
        let target = AssignmentTarget::UsagePoint(self.usage_point);
        let body = AssignTariff { target, tariff: self.tariff, first_period: after };
        self.accept(&[&self.distributor.key], body, Vec::new());
        self.day = self.day.next().expect("a day");
        let end = rules.calendar().periods_of(self.day.next().expect("a day")).first;
        let body = AdvanceClock { to: rules.calendar().start_of(end) };
        self.accept(&[&key("clock keeper")], body, Vec::new());
        // The clock moves with the next block, and rules look at the parent's time.
        self.node.append(Vec::new());
        let periods = rules.calendar().periods_of(self.day);
        let fifty = MilliHertz::new(50_000).expect("in range");
        let frequencies = vec![fifty; usize::from(periods.count)].try_into().expect("a day");
        let body = PublishFrequency { first_period: periods.first, frequencies };
        self.accept(&[&self.grid.key], body, Vec::new());
        let slots = vec![Some(fifty); usize::from(periods.count)];
        let day_root = frequency_root(&rules, self.day, &slots).expect("a whole day");
        self.accept(&[&self.grid.key], SealFrequencyDay { day: self.day, day_root }, Vec::new());
        self.seal_day(1);
        self.issue_bill();
        let (aggregator, limit) = (self.aggregator.id, MicroCurrency::new(1_000_000_000));
        self.accept(&[&self.regulator.key], SetBackingLimit { aggregator, limit }, Vec::new());
        let body = BuyTokens {
            aggregator,
            reference: "payment 1".parse().expect("short"),
            coin_amount: MicroCurrency::new(50_000_000),
            tokens: MicroCurrency::new(100_000_000),
        };
        let signers = [&self.customer.key, &self.aggregator.key];
        self.bought = self.accept(&signers, body, Vec::new());
    }

    /// A quarter of monthly bills, and the statement over it.
    pub fn furnish(&mut self) {
        let first = self.day;
        let mut number = 1;
        // June is measured from its second day on: the quarter that is stated begins in July.
        while self.day < "2016-09-30".parse().expect("a day") {
            number += 1;
            self.day = self.day.next().expect("a day");
            let calendar = self.node.ledger.rules().calendar().clone();
            let end = calendar.periods_of(self.day.next().expect("a day")).first;
            let body = AdvanceClock { to: calendar.start_of(end) };
            self.accept(&[&key("clock keeper")], body, Vec::new());
            self.node.append(Vec::new());
            self.seal_day(number);
        }
        for month in 7..=9 {
            let period = BillingPeriod::Month { year: 2016, month };
            let usage_points = vec![self.usage_point].try_into().expect("one");
            self.accept(&[&self.distributor.key], IssueBill { usage_points, period }, Vec::new());
        }
        let period = BillingPeriod::Quarter { year: 2016, quarter: 3 };
        let body = IssueStatement { usage_point: self.usage_point, period };
        self.accept(&[&self.distributor.key], body, Vec::new());
        self.day = first;
    }

    fn issue_bill(&mut self) {
        let period = BillingPeriod::Day { day: self.day };
        let usage_points = vec![self.usage_point].try_into().expect("one");
        self.accept(&[&self.distributor.key], IssueBill { usage_points, period }, Vec::new());
        let issued = self.node.ledger.view().bills_of(self.usage_point, 0, 10);
        self.bill = *issued.expect("the store answers").last().expect("a bill");
    }

    /// The next day like the first; its bill stands in the newest block.
    pub fn bill_another_day(&mut self) {
        let rules = Arc::clone(self.node.ledger.rules());
        self.day = self.day.next().expect("a day");
        let end = rules.calendar().periods_of(self.day.next().expect("a day")).first;
        let to = rules.calendar().start_of(end);
        if to > self.node.ledger.view().head().header.time {
            self.accept(&[&key("clock keeper")], AdvanceClock { to }, Vec::new());
            self.node.append(Vec::new());
        }
        self.seal_day(2);
        self.issue_bill();
    }

    /// The last slot of the day says 1 kWh instead; gives the correcting transaction.
    pub fn correct_last_slot(&self, day: LocalDay) -> TransactionId {
        let calendar = self.node.ledger.rules().calendar();
        let period = calendar.periods_of(day).iter().last().expect("a slot");
        let reading = Reading {
            import_wh: WattHours::new(1_000),
            export_wh: WattHours::ZERO,
            quality: Quality::Actual,
        };
        let payload = ReadingPayload { reading, salt: [3; 32] };
        let leaf = reading_leaf(&payload.salt, self.usage_point, period, &payload.reading);
        let body = CorrectReading { usage_point: self.usage_point, period, leaf };
        self.accept(&[&self.meter], body, encode(&payload))
    }

    /// A single reading of 10 Wh; gives its transaction.
    pub fn submit_slot(&self, day: LocalDay, slot: usize) -> TransactionId {
        let submission = self.slot_submission(day, slot);
        let id = submission.transaction.id();
        self.order_one(submission);
        id
    }

    /// A single reading of 10 Wh.
    pub fn slot_submission(&self, day: LocalDay, slot: usize) -> Submission {
        let calendar = self.node.ledger.rules().calendar();
        let period = calendar.periods_of(day).iter().nth(slot).expect("a slot");
        let reading = Reading {
            import_wh: WattHours::new(10),
            export_wh: WattHours::ZERO,
            quality: Quality::Actual,
        };
        let payload = ReadingPayload { reading, salt: [4; 32] };
        let leaf = reading_leaf(&payload.salt, self.usage_point, period, &payload.reading);
        let body = SubmitReading { usage_point: self.usage_point, period, leaf };
        self.submission(&[&self.meter], body, encode(&payload))
    }

    /// What is stale of a period is billed anew.
    pub fn bill_again(&self, day: LocalDay) {
        let period = BillingPeriod::Day { day };
        let usage_points = vec![self.usage_point].try_into().expect("one");
        self.accept(&[&self.distributor.key], IssueBill { usage_points, period }, Vec::new());
    }

    /// The customer disputes a part of the newest bill.
    pub fn dispute(&self, micro: i64) {
        let (amount, reason_hash) = (MicroCurrency::new(micro), Hash::of(b"why"));
        let body = DisputeBill { bill: self.bill, amount, reason_hash };
        self.accept(&[&self.customer.key], body, Vec::new());
    }

    fn admit_ledger(&self) -> LedgerId {
        let mut genesis = self.node.ledger.rules().genesis().clone();
        genesis.name = "north channel".parse().expect("short");
        let id = genesis.ledger_id();
        self.accept(&[&self.regulator.key], AdmitLedger { genesis }, Vec::new());
        id
    }

    fn propose(&self) -> TransactionId {
        let from_height = BlockHeight::new(self.node.ledger.rules().first_height_of(2));
        let change = Change::Protocol { from_height, version: 2 };
        self.accept(&[&self.regulator.key], ProposeChange { change }, Vec::new())
    }

    /// Days go by.
    pub fn wait_days(&self, days: u64) {
        let now = self.node.ledger.view().head().header.time;
        let to = now.plus_milliseconds(days * 86_400_000).expect("later");
        self.accept(&[&key("clock keeper")], AdvanceClock { to }, Vec::new());
        self.node.append(Vec::new());
    }

    fn seal_day(&mut self, sequence: u32) {
        let periods = self.node.ledger.rules().calendar().periods_of(self.day);
        let reading = Reading {
            import_wh: WattHours::new(250),
            export_wh: WattHours::ZERO,
            quality: Quality::Actual,
        };
        let readings = vec![reading; usize::from(periods.count)].try_into().expect("a day");
        let payload = DayPayload { readings, seed: DaySeed::new([9; 32]) };
        let day_wh = 250 * u64::from(periods.count);
        let registers =
            |days| Registers { import: WattHours::new(days * day_wh), export: WattHours::ZERO };
        let body = SealDay {
            usage_point: self.usage_point,
            day: self.day,
            sequence,
            first: registers(u64::from(sequence) - 1),
            last: registers(u64::from(sequence)),
            day_root: payload.root(self.usage_point, periods.first),
            corrects: Bounded::default(),
        };
        self.seal = self.accept(&[&self.meter], body, encode(&payload));
    }

    fn admit(&self, name: &str, roles: &[Role]) -> Member {
        let key = key(name);
        let body = RegisterParty {
            alias: format!("alias of {name}").parse().expect("short"),
            roles: roles.to_vec().try_into().expect("few"),
            keys: vec![key.public()].try_into().expect("one"),
            encryption_key: [7; 32],
            region: "north".parse().expect("short"),
        };
        let mut signers = vec![&self.regulator.key, &key];
        if !roles.contains(&Role::NetworkProvider) {
            signers.push(&self.provider.key);
        }
        let id = self.accept(&signers, body, Vec::new());
        Member { id: PartyId::from_transaction(&id), key }
    }

    /// A submission with the signer's next sequence.
    pub fn submission(
        &self,
        signers: &[&SigningKey],
        body: impl Into<Body>,
        payload: Vec<u8>,
    ) -> Submission {
        let body = body.into();
        let view = self.node.ledger.view();
        let signer = signers[0].public();
        let highest = view.read(|state| state.highest_sequence(&signer.address()));
        let cosigners: Vec<_> = signers[1..].iter().map(|key| key.public()).collect();
        let now = self.node.ledger.next_time(Timestamp::ZERO).expect("the store answers");
        let until = now.plus_milliseconds(3_600_000).expect("an hour later");
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            ledger_id: self.node.ledger.rules().ledger_id(),
            signer,
            cosigners: cosigners.try_into().expect("few"),
            sequence: Sequence::new(highest.expect("the store answers") + 1),
            valid_until: if body.entry().expires { until } else { Timestamp::ZERO },
            kind: body.kind(),
            body: body.encode().try_into().expect("a small body"),
        };
        let transaction = SignedTransaction::sign(envelope, signers);
        Submission { transaction, payload: payload.try_into().expect("a small payload") }
    }

    /// Orders a transaction that must act.
    #[track_caller]
    pub fn accept(
        &self,
        signers: &[&SigningKey],
        body: impl Into<Body>,
        payload: Vec<u8>,
    ) -> TransactionId {
        let submission = self.submission(signers, body, payload);
        let answer = self.node.order(vec![submission]).pop().expect("one answer");
        let outcome = answer.expect("it is ordered");
        assert_eq!(outcome.code, 0, "{}", api::response::receipt::name(outcome.code));
        outcome.id
    }

    /// Orders a transaction, whatever becomes of it.
    pub fn order_one(&self, submission: Submission) {
        self.node.order(vec![submission]).pop().expect("one answer").expect("it is ordered");
    }

    /// Is the key registered for the party? A check of the kit itself.
    pub fn holder(&self, key: &SigningKey) -> Option<Holder> {
        let address = key.public().address();
        let record = self.node.ledger.view().read(|state| state.key_record(&address));
        record.expect("the store answers").map(|record| record.holder)
    }

    pub async fn send(&self, request: Request<HttpBody>) -> Seen {
        let response = self.router.clone().oneshot(request).await.expect("a router never fails");
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body in memory");
        Seen { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Seen {
        self.send(Request::get(path).body(HttpBody::empty()).expect("a request")).await
    }

    pub async fn get_as(&self, path: &str, token: &str) -> Seen {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(HttpBody::empty()).expect("a request")).await
    }

    pub async fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> Seen {
        let request = Request::post(path).header("content-type", content_type);
        self.send(request.body(HttpBody::from(body)).expect("a request")).await
    }

    pub async fn submit(&self, submission: &Submission) -> Seen {
        self.post("/v1/transactions", "application/octet-stream", encode(submission)).await
    }
}

fn genesis(day: LocalDay, demo: bool) -> Genesis {
    let zone = GridZone {
        name: "Asia/Kolkata".parse().expect("short"),
        base_offset_seconds: 19_800,
        transitions: Bounded::default(),
    };
    let calendar = Calendar::new(15, zone.clone()).expect("quarter hours fit");
    let owner: Vec<_> = ["owner 1", "owner 2"].map(|name| key(name).public()).to_vec();
    Genesis {
        version: 1,
        name: "Test & network".parse().expect("short"),
        demo,
        clock: Clock::Virtual,
        privacy: Privacy::Open,
        time: calendar.start_of(calendar.periods_of(day).first),
        slot_minutes: 15,
        zone,
        currency: Currency { code: "INR".parse().expect("three"), minor_unit_decimals: 2 },
        owner: Owner { threshold: 2, keys: owner.try_into().expect("two") },
        clock_keeper: Some(key("clock keeper").public()),
        validators: ValidatorSet::new(vec![key("validator").public()]).expect("one"),
        epoch_blocks: contracts::genesis::DEFAULT_EPOCH_BLOCKS,
        parameters: Parameters::default(),
    }
}
