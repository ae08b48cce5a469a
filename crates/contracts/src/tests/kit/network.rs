//! A small network in which everybody of the trade takes part once, and short ways to use it.

use std::collections::BTreeMap;

use contracts::account::{Account, AccountKind, BuyTokens, SetBackingLimit};
use contracts::billing::{IssueBill, PayBill};
use contracts::execute::Ordered;
use contracts::metering::estimation::{EstimationInputs, estimate};
use contracts::metering::{
    CorrectReading, EstimateDay, GatewayBatch, GatewayEntry, MAX_SLOTS, PublishFrequency,
    RegisterMark, Registers, SealDay, SealFrequencyDay, SealGatewayBatch, SubmitReading,
    frequency_root,
};
use contracts::registry::{
    AppointRegulator, AuthorizeGateway, InstallMeter, RegisterParty, RegisterStation,
    RegisterUsagePoint, Role, SuspendParty, UsagePointKind,
};
use contracts::tariff::{
    AssignTariff, AssignmentTarget, ExportRule, FrequencyCurve, PriceRule, PublishTariff,
    TariffTerms,
};
use contracts::{
    Body, Event, Genesis, Overlay, Position, Rules, State, execute_transaction, state_key,
};
use primitives::calendar::{BillingPeriod, DayPeriods, LocalDay, SettlementPeriod};
use primitives::codec::{self, Bounded};
use primitives::envelope::{ENVELOPE_VERSION, Envelope, SignedTransaction};
use primitives::hash::Hash;
use primitives::header::next_state_root;
use primitives::identifier::{BillId, PartyId, StationId, TariffId, TransactionId, UsagePointId};
use primitives::key::SigningKey;
use primitives::reading::{DayPayload, DaySeed, Quality, Reading, ReadingPayload, salt};
use primitives::units::{
    BlockHeight, MicroCurrency, MicroPerKilowattHour, MilliHertz, Sequence, Timestamp, WattHours,
    Watts,
};

use super::members::{owner_keys, rules};
use super::{Draft, Home, Member, Memory, Outcome, by, genesis, key, kolkata};

/// The network. Each draft is a block of its own.
#[derive(Clone)]
pub struct Network {
    pub rules: Rules,
    pub state: Memory,
    /// What the entitled nodes of a private ledger hold. No rule sees it.
    pub private_payloads: BTreeMap<Position, Vec<u8>>,
    /// The time of the next block, and of its parent.
    pub time: Timestamp,
    pub height: u64,
    /// Continues with each transaction, like the chain of a ledger's state roots.
    pub state_root: Hash,
    /// Name, code and state root of everything that was sent.
    pub journal: Vec<(&'static str, u16, Hash)>,
    pub owner: Vec<SigningKey>,
    pub clock_keeper: SigningKey,
    pub regulators: Vec<Member>,
    pub provider: Member,
    pub grid: Member,
    pub north: Member,
    pub south: Member,
    pub aggregator: Member,
    pub north_station: StationId,
    pub south_station: StationId,
    /// Three households of the northern station.
    pub homes: Vec<Home>,
    /// One household of the southern station.
    pub far_home: Home,
    /// The northern station's own boundary.
    pub boundary: Home,
}

/// Measured energy of one slot.
pub const fn reading(import: u64, export: u64) -> Reading {
    Reading {
        import_wh: WattHours::new(import),
        export_wh: WattHours::new(export),
        quality: Quality::Actual,
    }
}

/// One price for every period, in micro per kWh; what is sold earns the same.
pub const fn flat(price: i64) -> TariffTerms {
    let price = MicroPerKilowattHour::new(price);
    TariffTerms::energy(PriceRule::Flat { price }, ExportRule::SameAsImport)
}

/// The published curve of 2019 at 6.20 per kWh, for both directions.
pub fn curve() -> TariffTerms {
    let curve = FrequencyCurve::deviation_vector_2019(MicroPerKilowattHour::new(6_200_000))
        .expect("a positive reference price");
    TariffTerms::energy(PriceRule::FrequencyLinked(curve), ExportRule::SameAsImport)
}

impl Network {
    /// Kolkata, from 2025-06-01 on.
    pub fn new() -> Self {
        let day = LocalDay::from_civil(2025, 6, 1).expect("a date");
        Self::founded(genesis(kolkata(), day))
    }

    pub fn founded(genesis: Genesis) -> Self {
        let rules = rules(genesis);
        let nobody = Member { id: PartyId::default(), key: key("nobody") };
        let nowhere = Home {
            point: UsagePointId::default(),
            customer: nobody.clone(),
            meter: nobody.key.clone(),
        };
        let mut network = Self {
            time: rules.genesis().time,
            state_root: rules.genesis().state_root(),
            rules,
            state: Memory::default(),
            private_payloads: BTreeMap::new(),
            height: 0,
            journal: Vec::new(),
            owner: owner_keys(),
            clock_keeper: key("clock keeper"),
            regulators: Vec::new(),
            provider: nobody.clone(),
            grid: nobody.clone(),
            north: nobody.clone(),
            south: nobody.clone(),
            aggregator: nobody,
            north_station: StationId::default(),
            south_station: StationId::default(),
            homes: Vec::new(),
            far_home: nowhere.clone(),
            boundary: nowhere,
        };
        network.populate();
        network
    }

    fn populate(&mut self) {
        for name in ["regulator 1", "regulator 2", "regulator 3"] {
            let regulator = self.appoint(name);
            self.regulators.push(regulator);
        }
        self.provider = self.admit("provider", &[Role::NetworkProvider]);
        self.grid = self.admit("grid operator", &[Role::GridOperator]);
        self.north = self.admit("north", &[Role::Distributor]);
        self.south = self.admit("south", &[Role::Distributor]);
        self.aggregator = self.admit("aggregator", &[Role::Aggregator]);
        self.north_station = self.station("north", self.north.id);
        self.south_station = self.station("south", self.south.id);
        for name in ["home 1", "home 2", "home 3"] {
            let home = self.home(name, self.north_station);
            self.homes.push(home);
        }
        self.far_home = self.home("far home", self.south_station);
        let (grid, north) = (self.grid.clone(), self.north.clone());
        let kind = UsagePointKind::Boundary;
        self.boundary = self.usage_point("boundary", (self.north_station, kind), &grid, &north);
    }

    pub fn state(&self) -> &dyn State {
        &self.state
    }

    /// Executes a draft that is well formed, in a block of its own.
    #[track_caller]
    pub fn send(&mut self, draft: &Draft) -> Outcome {
        draft.body.check(&draft.payload, &self.rules).expect("the draft is well formed");
        self.order(draft, self.time)
    }

    /// Executes a draft and expects that it acts.
    #[track_caller]
    pub fn accept(&mut self, draft: &Draft) -> Outcome {
        self.send(draft).acted()
    }

    /// Executes a draft whose parent block carries `parent_time`.
    pub fn order(&mut self, draft: &Draft, parent_time: Timestamp) -> Outcome {
        let signer = draft.signers[0].public();
        let transaction = self.sign(draft, self.state().highest_sequence(&signer.address()) + 1);
        if !draft.private.is_empty() {
            draft.body.check_private(&draft.private, &self.rules).expect("the values fit");
            let position = Position { height: self.height + 1, index: 0 };
            self.private_payloads.insert(position, draft.private.clone());
        }
        self.execute(&transaction, draft.payload.clone(), parent_time)
    }

    pub fn sign(&self, draft: &Draft, sequence: u64) -> SignedTransaction {
        let cosigners: Vec<_> = draft.signers[1..].iter().map(SigningKey::public).collect();
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            ledger_id: self.rules.ledger_id(),
            signer: draft.signers[0].public(),
            cosigners: cosigners.try_into().expect("few cosigners"),
            sequence: Sequence::new(sequence),
            valid_until: self.time.plus_milliseconds(3_600_000).expect("an hour later"),
            kind: draft.body.kind(),
            body: draft.body.encode().try_into().expect("a body within its bound"),
        };
        SignedTransaction::sign(envelope, &draft.signers.iter().collect::<Vec<_>>())
    }

    pub fn execute(
        &mut self,
        transaction: &SignedTransaction,
        payload: Vec<u8>,
        parent_time: Timestamp,
    ) -> Outcome {
        let envelope = &transaction.envelope;
        let body = Body::decode(envelope.kind, &envelope.body).expect("a canonical body");
        self.height += 1;
        let position = Position { height: self.height, index: 0 };
        self.state.remember(position, transaction.clone(), payload.clone());
        let ordered = Ordered {
            transaction,
            id: transaction.id(),
            body: &body,
            payload: &payload,
            position,
            time: self.time,
            parent_time,
        };
        let mut overlay = Overlay::new(&self.state);
        let receipt = execute_transaction(&self.rules, &ordered, &mut overlay);
        let (writes, _) = overlay.into_parts();
        self.state.apply(&writes);
        let written = Hash::of(&codec::encode(&writes));
        self.state_root =
            next_state_root(&self.state_root, BlockHeight::new(self.height), &written);
        self.journal.push((body.entry().name, receipt.code, self.state_root));
        let decode = |bytes: &[u8]| codec::decode::<Event>(bytes).expect("a canonical event");
        let events = receipt.events.iter().map(|bytes| decode(bytes)).collect();
        Outcome { id: receipt.transaction, code: receipt.code, events, writes }
    }

    // Registration.

    pub fn appoint(&mut self, name: &str) -> Member {
        let key = key(name);
        let body = AppointRegulator {
            alias: name.parse().expect("a short name"),
            key: key.public(),
            encryption_key: [7; 32],
        };
        let outcome = self.accept(&by(&[&self.owner[0], &self.owner[1], &key], body));
        Member { id: PartyId::from_transaction(&outcome.id), key }
    }

    pub fn registration(&self, name: &str, roles: &[Role]) -> RegisterParty {
        RegisterParty {
            alias: name.parse().expect("a short name"),
            roles: roles.try_into().expect("few roles"),
            keys: vec![key(name).public()].try_into().expect("one key"),
            encryption_key: [7; 32],
            region: "north".parse().expect("a short name"),
        }
    }

    pub fn admit(&mut self, name: &str, roles: &[Role]) -> Member {
        let key = key(name);
        let body = self.registration(name, roles);
        let mut signers = vec![&self.regulators[0].key, &key];
        if !roles.contains(&Role::NetworkProvider) {
            signers.push(&self.provider.key);
        }
        let outcome = self.accept(&by(&signers, body));
        Member { id: PartyId::from_transaction(&outcome.id), key }
    }

    fn station(&mut self, label: &str, distributor: PartyId) -> StationId {
        let body = RegisterStation { label: label.parse().expect("a short label"), distributor };
        let outcome = self.accept(&by(&[&self.grid.key], body));
        StationId::from_transaction(&outcome.id)
    }

    /// A household with usage point and meter below a station.
    pub fn home(&mut self, name: &str, station: StationId) -> Home {
        let distributor =
            if station == self.north_station { self.north.clone() } else { self.south.clone() };
        let customer = self.admit(name, &[Role::Producer, Role::Consumer]);
        self.usage_point(name, (station, UsagePointKind::Household), &distributor, &customer)
    }

    fn usage_point(
        &mut self,
        name: &str,
        (station, kind): (StationId, UsagePointKind),
        biller: &Member,
        customer: &Member,
    ) -> Home {
        let body = RegisterUsagePoint {
            label: name.parse().expect("a short label"),
            station,
            kind,
            customer: customer.id,
            connection_limit: Watts::new(100_000_000),
        };
        let outcome = self.accept(&by(&[&biller.key], body));
        let usage_point = UsagePointId::from_transaction(&outcome.id);
        let meter = key(&format!("meter of {name}"));
        let body = self.installation(usage_point, &meter);
        self.accept(&by(&[&biller.key, &meter], body));
        Home { point: usage_point, customer: customer.clone(), meter }
    }

    /// The first meter of a usage point: it counts from zero and measures from the next period on.
    pub fn installation(&self, usage_point: UsagePointId, meter: &SigningKey) -> InstallMeter {
        InstallMeter {
            usage_point,
            meter: meter.public(),
            from_period: self.next(),
            first: Registers::ZERO,
            register_limit: WattHours::ZERO,
            former_last: None,
        }
    }

    pub fn suspend(&mut self, party: PartyId) {
        self.accept(&by(&[&self.regulators[0].key], SuspendParty { party }));
    }

    pub fn authorize_gateway(&mut self, home: &Home, gateway: Option<PartyId>) {
        let usage_points = vec![home.point].try_into().expect("one usage point");
        let body = AuthorizeGateway { usage_points, gateway };
        self.accept(&by(&[&self.north.key], body));
    }

    // Time.

    /// The `number`th local day after the genesis, from 0.
    pub fn day(&self, number: i32) -> LocalDay {
        let founded = self.rules.period_at(self.rules.genesis().time);
        let first = founded.next().expect("a period");
        let day = self.rules.calendar().day_of(first).expect("a day");
        day.offset(number).expect("a day")
    }

    pub fn periods(&self, day: LocalDay) -> DayPeriods {
        self.rules.calendar().periods_of(day)
    }

    pub fn period(&self, day: LocalDay, slot: u32) -> SettlementPeriod {
        self.periods(day).first.offset(slot).expect("a period")
    }

    /// The period that runs now.
    pub fn now(&self) -> SettlementPeriod {
        self.rules.period_at(self.time)
    }

    /// The period that begins next.
    pub fn next(&self) -> SettlementPeriod {
        self.now().next().expect("a period")
    }

    /// Lets the time be the first moment after `day`.
    pub fn end_day(&mut self, day: LocalDay) {
        let after = self.periods(day.next().expect("a day")).first;
        self.time = self.rules.calendar().start_of(after);
    }

    // Measuring.

    /// The values of a day in which every slot is alike.
    pub fn even_day(&self, day: LocalDay, reading: Reading) -> DayPayload {
        self.payload(vec![reading; usize::from(self.periods(day).count)])
    }

    pub fn payload(&self, readings: Vec<Reading>) -> DayPayload {
        let readings = readings.try_into().expect("a day's slots");
        DayPayload { readings, seed: DaySeed::new([9; 32]) }
    }

    /// The meter's seal of a day.
    pub fn seal(&self, home: &Home, day: LocalDay, payload: &DayPayload) -> Draft {
        let sum = |value: fn(&Reading) -> WattHours| {
            WattHours::sum(payload.readings.iter().map(value)).expect("a day's energy")
        };
        let meter = self.state().installed_meter(home.point);
        let first = self.shown_before(home, day);
        let moved = Registers { import: sum(|r| r.import_wh), export: sum(|r| r.export_wh) };
        let body = SealDay {
            usage_point: home.point,
            day,
            sequence: meter.map_or(0, |meter| meter.seal_sequence) + 1,
            first,
            last: first.advanced(moved, WattHours::ZERO).expect("a register that a test fills"),
            day_root: payload.root(home.point, self.periods(day).first),
            corrects: Bounded::default(),
        };
        by(&[&home.meter], body).carrying(payload)
    }

    /// What the home's meter showed at the last mark up to the beginning of `day`.
    pub fn shown_before(&self, home: &Home, day: LocalDay) -> Registers {
        let end = state_key::register_mark(&home.point, self.period(day, 1));
        let marks = self.state().scan(&state_key::register_marks(&home.point), None, 10_000);
        let mark = marks.into_iter().take_while(|(key, _)| *key < end).last();
        let decode = |bytes: &[u8]| codec::decode::<RegisterMark>(bytes).expect("a mark");
        mark.map_or(Registers::ZERO, |(_, value)| decode(&value).registers)
    }

    /// One slot's value, with the salt that the day's seal will use.
    pub fn value(&self, period: SettlementPeriod, reading: Reading) -> ReadingPayload {
        let (_, slot) = self.rules.slot_of(period).expect("a slot of a day");
        ReadingPayload { reading, salt: salt(&DaySeed::new([9; 32]), u32::from(slot)) }
    }

    /// A single reading, sent by the home's meter.
    pub fn submit(&self, home: &Home, period: SettlementPeriod, reading: Reading) -> Draft {
        let (usage_point, value) = (home.point, self.value(period, reading));
        let leaf = value.leaf(usage_point, period);
        by(&[&home.meter], SubmitReading { usage_point, period, leaf }).carrying(&value)
    }

    /// A correction of a single reading, sent by the home's meter.
    pub fn correct(&self, home: &Home, period: SettlementPeriod, reading: Reading) -> Draft {
        let (usage_point, value) = (home.point, self.value(period, reading));
        let leaf = value.leaf(usage_point, period);
        by(&[&home.meter], CorrectReading { usage_point, period, leaf }).carrying(&value)
    }

    /// A gateway's seal of the days of several homes.
    pub fn gateway_batch(
        &self,
        gateway: &Member,
        day: LocalDay,
        homes: &[(&Home, DayPayload)],
    ) -> Draft {
        let entry = |(home, day): &(&Home, DayPayload)| GatewayEntry {
            usage_point: home.point,
            day: day.clone(),
        };
        let mut entries: Vec<_> = homes.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.usage_point);
        let batch = GatewayBatch { entries: entries.try_into().expect("few meters") };
        let root = batch.tree(&self.rules, day).root();
        let body = SealGatewayBatch { day, entries: homes.len() as u16, root };
        by(&[&gateway.key], body).carrying(&batch)
    }

    /// The northern distributor's estimate of a day, by the ledger's rule; where the rule needs a
    /// profile that is not named, zeros.
    pub fn estimate(&self, home: &Home, day: LocalDay, profile: Option<TransactionId>) -> Draft {
        self.estimate_as(home, day, profile, |_| {})
    }

    /// The same with other values.
    pub fn estimate_as(
        &self,
        home: &Home,
        day: LocalDay,
        profile: Option<TransactionId>,
        edit: impl FnOnce(&mut Vec<Reading>),
    ) -> Draft {
        let weights = profile.and_then(|id| self.state().standard_profile(&id));
        let point = (home.point, day);
        let inputs = EstimationInputs::load(&self.rules, self.state(), point, weights.as_ref());
        let zeros = || vec![reading(0, 0); usize::from(self.periods(day).count)];
        let mut readings = inputs
            .ok()
            .and_then(|inputs| estimate(&inputs).ok())
            .map_or_else(zeros, |estimate| estimate.readings);
        edit(&mut readings);
        let values = self.payload(readings);
        let day_root = values.root(home.point, self.periods(day).first);
        let body = EstimateDay { usage_point: home.point, day, profile, day_root };
        by(&[&self.north.key], body).carrying(&values)
    }

    pub fn publish(&self, first_period: SettlementPeriod, millihertz: &[u32]) -> Draft {
        let frequencies: Vec<_> = millihertz.iter().map(|value| hertz(*value)).collect();
        let frequencies = frequencies.try_into().expect("at most 100 frequencies");
        by(&[&self.grid.key], PublishFrequency { first_period, frequencies })
    }

    pub fn seal_frequencies(&self, day: LocalDay) -> Draft {
        let slots = self.state().frequency_day(day).slots;
        let day_root = frequency_root(&self.rules, day, &slots).unwrap_or(Hash::ZERO);
        by(&[&self.grid.key], SealFrequencyDay { day, day_root })
    }

    /// Publishes and seals the frequencies of a day: `millihertz(slot)`.
    pub fn frequencies(&mut self, day: LocalDay, millihertz: impl Fn(u32) -> u32) {
        let periods = self.periods(day);
        let values: Vec<_> = (0..u32::from(periods.count)).map(millihertz).collect();
        assert!(values.len() <= MAX_SLOTS, "a day of quarter hours");
        let publish = self.publish(periods.first, &values);
        self.accept(&publish);
        let seal = self.seal_frequencies(day);
        self.accept(&seal);
    }

    /// A whole day: it ends, frequencies stand at 50 Hz, every home reports `reading` per slot.
    pub fn measure_day(&mut self, day: LocalDay, homes: &[Home], reading: Reading) {
        self.end_day(day);
        self.frequencies(day, |_| 50_000);
        for home in homes {
            let payload = self.even_day(day, reading);
            let seal = self.seal(home, day, &payload);
            self.accept(&seal);
        }
    }

    // Tariffs, bills, money.

    /// Publishes a tariff that holds from the next period on.
    pub fn tariff(&mut self, publisher: &Member, terms: TariffTerms) -> TariffId {
        let name = "tariff".parse().expect("a short name");
        let body = PublishTariff { tariff: None, name, first_period: self.next(), terms };
        let outcome = self.accept(&by(&[&publisher.key], body));
        TariffId::from_transaction(&outcome.id)
    }

    /// The northern distributor publishes a tariff and assigns it to its whole station.
    pub fn northern_tariff(&mut self, terms: TariffTerms) -> TariffId {
        let north = self.north.clone();
        let tariff = self.tariff(&north, terms);
        let target = AssignmentTarget::Station(self.north_station);
        let first_period = self.next();
        self.accept(&by(&[&north.key], AssignTariff { target, tariff, first_period }));
        tariff
    }

    /// The grid operator sells at the northern boundary from the next period on.
    pub fn boundary_tariff(&mut self, terms: TariffTerms) {
        let grid = self.grid.clone();
        let tariff = self.tariff(&grid, terms);
        let target = AssignmentTarget::UsagePoint(self.boundary.point);
        let first_period = self.next();
        self.accept(&by(&[&grid.key], AssignTariff { target, tariff, first_period }));
    }

    /// A day ends in which every slot of the northern boundary is alike, and is billed.
    pub fn bill_boundary(&mut self, day: LocalDay, reading: Reading) -> BillId {
        self.end_day(day);
        let (grid, boundary) = (self.grid.clone(), self.boundary.clone());
        let seal = self.seal(&boundary, day, &self.even_day(day, reading));
        self.accept(&seal);
        let bill = self.bill_over(&grid, &[&boundary], BillingPeriod::Day { day });
        Self::bills(&self.accept(&bill))[0]
    }

    /// The northern distributor's bill over one day.
    pub fn bill(&self, homes: &[&Home], day: LocalDay) -> Draft {
        self.bill_over(&self.north, homes, BillingPeriod::Day { day })
    }

    pub fn bill_over(&self, biller: &Member, homes: &[&Home], period: BillingPeriod) -> Draft {
        let mut points: Vec<_> = homes.iter().map(|home| home.point).collect();
        points.sort_unstable();
        let usage_points = points.try_into().expect("few usage points");
        by(&[&biller.key], IssueBill { usage_points, period })
    }

    pub fn pay(&self, home: &Home, micro: i64) -> Draft {
        let amount = MicroCurrency::new(micro);
        by(&[&home.customer.key], PayBill { usage_point: home.point, amount })
    }

    /// A purchase of tokens at the network's rate of half a coin.
    pub fn purchase(&self, buyer: &Member, reference: &str, micro: i64) -> Draft {
        let body = BuyTokens {
            aggregator: self.aggregator.id,
            reference: reference.parse().expect("a short reference"),
            coin_amount: MicroCurrency::new(micro / 2),
            tokens: MicroCurrency::new(micro / 2 * 2),
        };
        by(&[&buyer.key, &self.aggregator.key], body)
    }

    /// Lets the aggregator issue up to `micro`, by two of three regulators.
    pub fn back(&mut self, micro: i64) {
        let limit = MicroCurrency::new(micro);
        let body = SetBackingLimit { aggregator: self.aggregator.id, limit };
        self.accept(&by(&[&self.regulators[0].key, &self.regulators[1].key], body));
    }

    /// Gives a party tokens, with all that it takes.
    pub fn fund(&mut self, buyer: &Member, micro: i64) {
        self.back(1_000_000_000_000_000);
        let purchase = self.purchase(buyer, &format!("payment {}", self.height), micro);
        self.accept(&purchase);
    }

    pub fn balance(&self, account: Account) -> i64 {
        self.state().balance(&account).get()
    }

    /// The bills that a transaction issued.
    pub fn bills(outcome: &Outcome) -> Vec<BillId> {
        let issued = |event: &Event| match event {
            Event::BillIssued(issued) => Some(issued.bill),
            _ => None,
        };
        outcome.events.iter().filter_map(issued).collect()
    }

    /// What is open under a usage point: positive bills only, in micro.
    pub fn open(&self, home: &Home) -> i64 {
        let bills = self.state().open_bills(home.point, 0, 1_000);
        let open = |id: BillId| self.state().bill_state(id).expect("an issued bill").open.get();
        bills.into_iter().map(|(_, id)| open(id)).sum()
    }

    /// The books balance: Σ accounts = 0, Σ wallets = −Σ issuing, dues are antisymmetric.
    #[track_caller]
    pub fn assert_books(&self) {
        let accounts = self.state().accounts(None, 10_000);
        let (mut all, mut tokens) = (0_i128, 0_i128);
        for (account, balance) in &accounts {
            all += i128::from(balance.get());
            match account.kind {
                AccountKind::Wallet => {
                    assert!(balance.get() > 0, "no wallet is overdrawn");
                    tokens += i128::from(balance.get());
                }
                AccountKind::Issuing => tokens += i128::from(balance.get()),
                AccountKind::Dues { counterparty } => {
                    let other = self.balance(Account::dues(counterparty, account.party));
                    assert_eq!(balance.get(), -other, "dues stand on both sides");
                }
            }
        }
        assert_eq!((all, tokens), (0, 0), "the sum of all accounts and of all tokens is zero");
    }
}

/// A frequency in millihertz.
pub fn hertz(millihertz: u32) -> MilliHertz {
    MilliHertz::new(millihertz).expect("between 40 and 70 Hz")
}
