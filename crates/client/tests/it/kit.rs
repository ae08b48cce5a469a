//! A ledger in memory: the rules of `contracts` over a map, blocks of one transaction, a solo
//! validator. Everything is built and signed with the client.

use std::collections::BTreeMap;

use client::genesis_file::zone_of_india;
use client::tariff_file::TariffFile;
use client::transaction_builder::{EstimatedDay, GatewayDay, MeterDay, Signer, derived_seed};
use contracts::billing::bill_proof::{BillProof, CollectError};
use contracts::billing::{FineRules, IssueBill, SetFineRules};
use contracts::execute::Ordered;
use contracts::genesis::{Clock, Currency, Owner, Parameters, Privacy};
use contracts::metering::estimation::EstimationInputs;
use contracts::metering::{
    CorrectFrequency, DeleteFrequency, PublishFrequency, PublishStandardProfile, Registers,
};
use contracts::registry::{
    AppointRegulator, AuthorizeGateway, InstallMeter, RegisterParty, RegisterStation,
    RegisterUsagePoint, Role, UsagePointKind,
};
use contracts::state::Writes;
use contracts::tariff::{
    AssignTariff, AssignmentTarget, ExportRule, FrequencyCurve, PriceRule, PublishTariff,
    TariffTerms,
};
use contracts::{Body, Event, Genesis, Overlay, Position, Rules, State, execute_transaction};
use primitives::calendar::{BillingPeriod, LocalDay, SettlementPeriod};
use primitives::codec::{Bounded, decode};
use primitives::envelope::{SignedTransaction, Submission, transactions_root};
use primitives::hash::Hash;
use primitives::header::{Certificate, Executed, HEADER_VERSION, Header, ValidatorSet};
use primitives::identifier::{BillId, PartyId, TariffId, TransactionId, UsagePointId};
use primitives::key::SigningKey;
use primitives::merkle::{Frontier, MerklePath, accumulator_path};
use primitives::proof::{Anchor, EventPath, EventProof, ReceiptProof};
use primitives::reading::{Quality, Reading};
use primitives::receipt::{Receipt, block_leaf, receipts_tree};
use primitives::units::{
    BasisPoints, BlockHeight, MicroCurrency, MicroPerKilowattHour, MilliHertz, Sequence, Timestamp,
    WattHours, Watts,
};

pub fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(*Hash::of(name.as_bytes()).as_bytes())
}

pub fn genesis() -> Genesis {
    let owner: Vec<_> = vec![key("owner").public()];
    Genesis {
        version: 1,
        name: "Client test".parse().unwrap(),
        demo: true,
        clock: Clock::Virtual,
        privacy: Privacy::Open,
        time: "2016-05-31T18:15:00Z".parse().unwrap(),
        slot_minutes: 15,
        zone: zone_of_india(),
        currency: Currency { code: "INR".parse().unwrap(), minor_unit_decimals: 2 },
        owner: Owner { threshold: 1, keys: owner.try_into().unwrap() },
        clock_keeper: Some(key("clock").public()),
        validators: ValidatorSet::new(vec![key("validator").public()]).unwrap(),
        epoch_blocks: contracts::genesis::DEFAULT_EPOCH_BLOCKS,
        parameters: Parameters {
            registration_needs_network_provider: false,
            ..Parameters::default()
        },
    }
}

#[derive(Clone, Default)]
struct Memory {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    history: BTreeMap<Position, (SignedTransaction, Vec<u8>)>,
}

impl Memory {
    fn apply(&mut self, writes: Writes) {
        for (key, value) in writes {
            match value {
                Some(value) => self.entries.insert(key, value),
                None => self.entries.remove(&key),
            };
        }
    }
}

impl State for Memory {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.entries.get(key).cloned()
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.entries.insert(key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        self.entries.remove(key);
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let entries = self.entries.range(prefix.to_vec()..);
        let entries = entries.take_while(|(key, _)| key.starts_with(prefix));
        let entries = entries.filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after));
        entries.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn payload(&self, position: Position) -> Option<Vec<u8>> {
        self.history.get(&position).map(|(_, payload)| payload.clone())
    }

    fn transaction(&self, position: Position) -> Option<SignedTransaction> {
        self.history.get(&position).map(|(transaction, _)| transaction.clone())
    }

    fn emit(&mut self, _event: Event) {
        unreachable!("an overlay collects the events");
    }
}

/// The ledger, and who takes part: one household, one that a gateway reports for.
pub struct Ledger {
    pub rules: Rules,
    state: Memory,
    time: Timestamp,
    receipts: Vec<Receipt>,
    signers: BTreeMap<&'static str, Signer>,
    pub home: UsagePointId,
    pub far_home: UsagePointId,
    seals: u32,
    registers: Registers,
}

impl Ledger {
    pub fn new() -> Self {
        let rules = Rules::new(genesis()).unwrap();
        let mut ledger = Self {
            time: rules.genesis().time,
            rules,
            state: Memory::default(),
            receipts: Vec::new(),
            signers: BTreeMap::new(),
            home: UsagePointId::default(),
            far_home: UsagePointId::default(),
            seals: 0,
            registers: Registers { import: WattHours::new(7), export: WattHours::ZERO },
        };
        ledger.populate();
        ledger
    }

    fn populate(&mut self) {
        let regulator = AppointRegulator {
            alias: "regulator".parse().unwrap(),
            key: key("regulator").public(),
            encryption_key: [7; 32],
        };
        self.act("owner", regulator, &["regulator"]);
        self.party("grid", Role::GridOperator);
        let distributor = self.party("distributor", Role::Distributor);
        let gateway = self.party("gateway", Role::Aggregator);
        let customer = self.party("customer", Role::Consumer);
        let station = RegisterStation { label: "North".parse().unwrap(), distributor };
        let station = self.act("grid", station, &[]);
        let first_period = self.rules.period_at(self.time);
        let mut usage_point = |label: &'static str, meter: &'static str| {
            let body = RegisterUsagePoint {
                label: label.parse().unwrap(),
                station: primitives::identifier::StationId::from_transaction(&station),
                kind: UsagePointKind::Household,
                customer,
                connection_limit: Watts::new(100_000_000),
            };
            let id = UsagePointId::from_transaction(&self.act("distributor", body, &[]));
            let body = InstallMeter {
                usage_point: id,
                meter: key(meter).public(),
                from_period: first_period,
                first: Registers { import: WattHours::new(7), export: WattHours::ZERO },
                register_limit: WattHours::ZERO,
                former_last: None,
            };
            self.act("distributor", body, &[meter]);
            id
        };
        let homes = (usage_point("home", "meter"), usage_point("far home", "far meter"));
        (self.home, self.far_home) = homes;
        let usage_points = vec![self.far_home].try_into().unwrap();
        self.act("distributor", AuthorizeGateway { usage_points, gateway: Some(gateway) }, &[]);
    }

    fn party(&mut self, name: &'static str, role: Role) -> PartyId {
        let body = RegisterParty {
            alias: name.parse().unwrap(),
            roles: [role].as_slice().try_into().unwrap(),
            keys: vec![key(name).public()].try_into().unwrap(),
            encryption_key: [7; 32],
            region: "north".parse().unwrap(),
        };
        PartyId::from_transaction(&self.act("regulator", body, &[name]))
    }

    pub fn signer(&mut self, name: &'static str) -> &mut Signer {
        let ledger_id = self.rules.ledger_id();
        self.signers
            .entry(name)
            .or_insert_with(|| Signer::new(key(name), ledger_id, Sequence::new(1)))
    }

    /// Builds a transaction and orders it; it has to act.
    fn act(
        &mut self,
        name: &'static str,
        body: impl Into<Body>,
        cosigners: &[&str],
    ) -> TransactionId {
        let cosigners: Vec<_> = cosigners.iter().map(|name| key(name)).collect();
        let cosigners: Vec<_> = cosigners.iter().collect();
        let until = self.time.plus_milliseconds(3_600_000).unwrap();
        let submission = self.signer(name).submission(body, Vec::new(), &cosigners, until).unwrap();
        self.order(&submission)
    }

    /// Orders a submission in a block of its own; it has to act.
    pub fn order(&mut self, submission: &Submission) -> TransactionId {
        let Submission { transaction, payload } = submission;
        transaction.verify_signatures().unwrap();
        let body = Body::decode(transaction.envelope.kind, &transaction.envelope.body).unwrap();
        body.check(payload, &self.rules).unwrap();
        let position = Position { height: self.receipts.len() as u64 + 1, index: 0 };
        self.state.history.insert(position, (transaction.clone(), payload.to_vec()));
        let ordered = Ordered {
            transaction,
            id: transaction.id(),
            body: &body,
            payload,
            position,
            time: self.time,
            parent_time: self.time,
        };
        let mut overlay = Overlay::new(&self.state);
        let receipt = execute_transaction(&self.rules, &ordered, &mut overlay);
        assert_eq!(receipt.code, 0, "{body:?}");
        let (writes, _) = overlay.into_parts();
        self.state.apply(writes);
        self.receipts.push(receipt);
        transaction.id()
    }

    // Tariffs.

    /// Publishes a tariff and assigns it to both homes from `first_period` on.
    pub fn tariff(&mut self, terms: TariffTerms, first_period: SettlementPeriod) -> TariffId {
        let (tariff, name) = (None, "Tariff".parse().unwrap());
        let publish = PublishTariff { tariff, name, first_period, terms };
        let tariff = TariffId::from_transaction(&self.act("distributor", publish, &[]));
        for usage_point in [self.home, self.far_home] {
            let target = AssignmentTarget::UsagePoint(usage_point);
            self.act("distributor", AssignTariff { target, tariff, first_period }, &[]);
        }
        tariff
    }

    // Time and measuring.

    pub fn first_period(&self, day: LocalDay) -> SettlementPeriod {
        self.rules.calendar().periods_of(day).first
    }

    pub fn period(&self, day: LocalDay, slot: u32) -> SettlementPeriod {
        self.first_period(day).offset(slot).unwrap()
    }

    pub fn end_day(&mut self, day: LocalDay) {
        let after = self.first_period(day.next().unwrap());
        self.time = self.rules.calendar().start_of(after);
    }

    /// Ends a day whose frequencies are published and sealed and whose homes report.
    pub fn live_through(&mut self, day: LocalDay) {
        self.end_with_frequencies(day);
        self.seal_by_meter(day);
        let readings: Vec<_> = (0..96).map(|slot| reading(day, slot + 11)).collect();
        let seed = derived_seed(&[6; 32], self.far_home, day);
        let far = GatewayDay { usage_point: self.far_home, readings, seed };
        let rules = self.rules.clone();
        let batch = self.signer("gateway").gateway_batch(&rules, day, vec![far]).unwrap();
        self.order(&batch);
    }

    /// Ends a day of which the home's meter reports four slots, and has the rest estimated.
    pub fn estimate_through(&mut self, day: LocalDay) {
        self.end_with_frequencies(day);
        let (home, rules) = (self.home, self.rules.clone());
        for slot in [10, 11, 18, 19] {
            let period = self.period(day, slot);
            let salt = [slot as u8; 32];
            let single =
                self.signer("meter").submit_reading(home, period, reading(day, slot), salt);
            self.order(&single.unwrap());
        }
        let profile = PublishStandardProfile {
            name: "household".parse().unwrap(),
            import_wh: vec![90; 96].try_into().unwrap(),
            export_wh: Bounded::new(),
        };
        let profile = self.act("distributor", profile, &[]);
        let state: &dyn State = &self.state;
        let weights = state.standard_profile(&profile);
        let inputs = EstimationInputs::load(&rules, state, (home, day), weights.as_ref()).unwrap();
        let estimated = EstimatedDay {
            usage_point: home,
            day,
            inputs: &inputs,
            profile: Some(profile),
            seed: derived_seed(&[7; 32], home, day),
        };
        let estimate = self.signer("distributor").estimate_day(&rules, &estimated).unwrap();
        self.order(&estimate);
    }

    fn end_with_frequencies(&mut self, day: LocalDay) {
        self.end_day(day);
        let frequencies: Vec<_> = (0..96).map(|slot| frequency(day, slot)).collect();
        let first_period = self.first_period(day);
        let list = frequencies.clone().try_into().unwrap();
        self.act("grid", PublishFrequency { first_period, frequencies: list }, &[]);
        let rules = self.rules.clone();
        let seal = self.signer("grid").seal_frequency_day(&rules, day, &frequencies).unwrap();
        self.order(&seal);
    }

    fn seal_by_meter(&mut self, day: LocalDay) {
        let readings: Vec<_> = (0..96).map(|slot| reading(day, slot)).collect();
        self.seals += 1;
        let meter_day = MeterDay {
            usage_point: self.home,
            day,
            seal_sequence: self.seals,
            first: self.registers,
            register_limit: WattHours::ZERO,
            former_slots: 0,
            readings: &readings,
            seed: derived_seed(&[5; 32], self.home, day),
            corrects: &[],
        };
        self.registers = meter_day.last().unwrap();
        let rules = self.rules.clone();
        let seal = self.signer("meter").seal_day(&rules, &meter_day).unwrap();
        self.order(&seal);
    }

    /// The first slot of a day, reported alone when it has ended.
    pub fn single_reading(&mut self, day: LocalDay) -> TransactionId {
        let (home, period) = (self.home, self.period(day, 0));
        self.time = self.rules.calendar().end_of(period);
        let reading = self::reading(day, 0);
        let submission = self.signer("meter").submit_reading(home, period, reading, [3; 32]);
        self.order(&submission.unwrap())
    }

    /// What became of every transaction, in order.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    pub fn correct_reading(&mut self, day: LocalDay, slot: u32, import: u64) {
        let (home, period) = (self.home, self.period(day, slot));
        let reading = Reading {
            import_wh: WattHours::new(import),
            export_wh: WattHours::ZERO,
            quality: Quality::Substituted,
        };
        let salt = [slot as u8; 32];
        let correction = self.signer("distributor").correct_reading(home, period, reading, salt);
        self.order(&correction.unwrap());
    }

    pub fn correct_frequency(&mut self, day: LocalDay, slot: u32, millihertz: u32) {
        let period = self.period(day, slot);
        let frequency = MilliHertz::new(millihertz).unwrap();
        self.act("grid", CorrectFrequency { period, frequency }, &[]);
    }

    pub fn delete_frequency(&mut self, day: LocalDay, slot: u32) {
        let period = self.period(day, slot);
        self.act("grid", DeleteFrequency { period }, &[]);
    }

    // Bills and proofs.

    /// From the next day on unpaid dues cost 10 at once and 1 % a day.
    pub fn fine_dues(&mut self) {
        let rules = FineRules {
            threshold: MicroCurrency::ZERO,
            grace_days: 0,
            fixed: MicroCurrency::new(10_000_000),
            daily: BasisPoints::new(100).unwrap(),
            cap: BasisPoints::MAX,
        };
        self.act("regulator", SetFineRules { distributor: None, rules }, &[]);
    }

    pub fn bill(&mut self, usage_point: UsagePointId, period: BillingPeriod) -> BillId {
        let usage_points = vec![usage_point].try_into().unwrap();
        self.act("distributor", IssueBill { usage_points, period }, &[]);
        contracts::billing::bill_id(usage_point, period, 1)
    }

    pub fn proof(&self, bill: BillId) -> Result<BillProof, CollectError> {
        BillProof::collect(&self.rules, &self.state, bill, self.event_proof(bill))
    }

    /// The way from the receipt of a transaction to a header two blocks after the newest.
    pub fn receipt_proof(&self, id: TransactionId) -> ReceiptProof {
        let block = self.receipts.iter().position(|it| it.transaction == id).unwrap();
        let receipt = self.receipts[block].clone();
        let (anchor, block_in_accumulator) = self.way(block);
        ReceiptProof {
            validators: self.rules.genesis().validators.clone(),
            set_changes: Bounded::new(),
            anchor,
            receipt_in_block: receipts_tree(std::slice::from_ref(&receipt)).path(0).unwrap(),
            block_in_accumulator,
            receipt,
        }
    }

    /// A transaction that was ordered.
    pub fn transaction(&self, id: TransactionId) -> SignedTransaction {
        let found = self.state.history.values().find(|(transaction, _)| transaction.id() == id);
        found.unwrap().0.clone()
    }

    /// The way from a block, counted from 0, to a final header.
    fn way(&self, block: usize) -> (Anchor, MerklePath) {
        let mut frontier = Frontier::new();
        let mut nodes = BTreeMap::new();
        for receipt in &self.receipts {
            let block = receipts_tree(std::slice::from_ref(receipt));
            for (level, place, hash) in frontier.append(block_leaf(&block)) {
                nodes.insert((level, place), hash);
            }
        }
        let count = self.receipts.len() as u64;
        let at = |level, place| nodes.get(&(level, place)).copied();
        let path = accumulator_path(block as u64, count, &mut { at }).unwrap();
        (self.anchor(count, frontier.root()), path)
    }

    /// The way from the event of a bill to a header two blocks after the newest.
    fn event_proof(&self, bill: BillId) -> EventProof {
        let is_wanted = |bytes: &[u8]| matches!(decode(bytes), Ok(Event::BillIssued(issued)) if issued.bill == bill);
        let (block, event) = (0..self.receipts.len())
            .find_map(|block| {
                let events = &self.receipts[block].events;
                events.iter().position(|event| is_wanted(event)).map(|event| (block, event))
            })
            .unwrap();
        let receipt = &self.receipts[block];
        let (anchor, block_in_accumulator) = self.way(block);
        let path = EventPath {
            event_in_receipt: receipt.event_path(event as u64).unwrap(),
            receipt_in_block: receipts_tree(std::slice::from_ref(receipt)).path(0).unwrap(),
            block_in_accumulator,
        };
        EventProof {
            validators: self.rules.genesis().validators.clone(),
            set_changes: Bounded::new(),
            anchor,
            path,
            event: receipt.events[event].clone(),
        }
    }

    fn anchor(&self, executed: u64, receipts: Hash) -> Anchor {
        let validators = &self.rules.genesis().validators;
        let header = Header {
            version: HEADER_VERSION,
            ledger_id: self.rules.ledger_id(),
            height: BlockHeight::new(executed + 2),
            parent: Hash::of(b"parent"),
            time: self.time,
            proposer: validators[0],
            epoch: 0,
            validators_hash: validators.hash(),
            next_validators_hash: validators.hash(),
            transactions_root: transactions_root(&[]),
            executed: Executed {
                height: BlockHeight::new(executed),
                state_root: Hash::of(b"state"),
                receipts,
            },
            context: Bounded::new(),
        };
        Anchor { certificate: Certificate::solo(&header, &key("validator")), header }
    }
}

pub fn day(number: i8) -> LocalDay {
    LocalDay::from_civil(2016, 6, number).unwrap()
}

/// A load curve with sun at noon and noise that no run shortens.
pub fn reading(day: LocalDay, slot: u32) -> Reading {
    let noise = noise(day, slot, "reading");
    let sun = if (36..60).contains(&slot) { noise % 900 } else { 0 };
    Reading {
        import_wh: WattHours::new(60 + noise % 700),
        export_wh: WattHours::new(sun),
        quality: if noise.is_multiple_of(50) { Quality::Estimated } else { Quality::Actual },
    }
}

pub fn frequency(day: LocalDay, slot: u32) -> MilliHertz {
    MilliHertz::new(49_850 + (noise(day, slot, "frequency") % 280) as u32).unwrap()
}

fn noise(day: LocalDay, slot: u32, what: &str) -> u64 {
    let hash = Hash::of(format!("{what} {day} {slot}").as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap())
}

pub fn flat(micro: i64) -> TariffTerms {
    let price = MicroPerKilowattHour::new(micro);
    TariffTerms::energy(PriceRule::Flat { price }, ExportRule::SameAsImport)
}

/// Each kind of line once: slabs, a feed-in price by the clock, fixed charges, a minimum, taxes.
pub fn full() -> TariffTerms {
    let slabs = include_str!("../../../../examples/tariffs/slabs-with-taxes.toml");
    let by_clock = include_str!("../../../../examples/tariffs/time-of-use.toml");
    let terms = |text: &str| TariffFile::parse(text).unwrap().terms;
    let minimum = Some(MicroCurrency::new(1_000_000_000_000));
    TariffTerms { export: terms(by_clock).export, minimum, ..terms(slabs) }
}

pub fn curve() -> TariffTerms {
    let curve = FrequencyCurve::deviation_vector_2019(MicroPerKilowattHour::new(6_200_000));
    TariffTerms::energy(PriceRule::FrequencyLinked(curve.unwrap()), ExportRule::SameAsImport)
}
