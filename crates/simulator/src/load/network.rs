//! Everybody whom the load needs, registered over the API.

use client::connection::{Connection, SubmitStatus};
use client::transaction_builder::Signer;
use contracts::account::{BuyTokens, SetBackingLimit};
use contracts::governance::AdvanceClock;
use contracts::metering::Registers;
use contracts::registry::{
    AppointRegulator, InstallMeter, RegisterParty, RegisterStation, RegisterUsagePoint, Role,
    UsagePointKind,
};
use contracts::tariff::{
    AssignTariff, AssignmentTarget, ExportRule, FrequencyCurve, PriceRule, PublishTariff,
    TariffTerms,
};
use contracts::{Body, Rules};
use primitives::codec::{Bounded, Text};
use primitives::envelope::Submission;
use primitives::identifier::{PartyId, StationId, TariffId, TransactionId, UsagePointId};
use primitives::key::SigningKey;
use primitives::units::{
    MicroCurrency, MicroPerKilowattHour, Sequence, Timestamp, WattHours, Watts,
};

use super::LoadError;
use crate::demo_keys::{DemoKeys, DemoRole};
use crate::plan::DayPlan;

/// Parties that pay; usage points are spread over them.
pub const PAYERS: u32 = 64;
/// Usage points below one station.
const PER_STATION: u32 = 1_000;
const VALIDITY_MS: u64 = 12 * 3_600 * 1_000;
/// Tokens of each payer.
const TOKENS: MicroCurrency = MicroCurrency::new(1_000_000_000_000);

/// A usage point and its meter.
pub struct Point {
    pub usage_point: UsagePointId,
    pub meter: Signer,
    pub secret: [u8; 32],
    /// Whose it is.
    pub payer: u32,
    pub seals: u32,
}

/// Everybody, once registered.
pub struct Network {
    pub connection: Connection,
    pub rules: Rules,
    pub clock_keeper: Signer,
    pub grid_operator: Signer,
    pub distributor: Signer,
    pub payers: Vec<Signer>,
    pub stations: Vec<StationId>,
    pub points: Vec<Point>,
}

impl Network {
    /// Sends transactions in requests of 1,000; each must be accepted.
    pub fn send(
        &self,
        step: &'static str,
        submissions: &[Submission],
    ) -> Result<Vec<TransactionId>, LoadError> {
        send(&self.connection, step, submissions)
    }

    /// Moves the clock and waits until periods before it have ended for the rules.
    pub fn advance(&mut self, to: Timestamp) -> Result<(), LoadError> {
        let time = self.connection.status()?.time;
        let valid_until = time.plus_milliseconds(VALIDITY_MS)?;
        let body = AdvanceClock { to };
        let submission = self.clock_keeper.submission(body, Vec::new(), &[], valid_until)?;
        self.send("advance the clock", &[submission])?;
        Ok(())
    }

    /// Until when a transaction signed now is valid.
    pub fn valid_until(&self) -> Result<Timestamp, LoadError> {
        Ok(self.connection.status()?.time.plus_milliseconds(VALIDITY_MS)?)
    }
}

fn send(
    connection: &Connection,
    step: &'static str,
    submissions: &[Submission],
) -> Result<Vec<TransactionId>, LoadError> {
    let mut ids = Vec::with_capacity(submissions.len());
    for batch in submissions.chunks(1_000) {
        for outcome in connection.submit(batch)? {
            if outcome.status != SubmitStatus::Accepted {
                let (code, detail) = (outcome.code, outcome.detail);
                return Err(LoadError::NotAccepted { step, code, detail });
            }
            ids.push(outcome.transaction_id);
        }
    }
    Ok(ids)
}

/// Signs and sends as somebody with a demonstration key.
struct Founder<'a> {
    connection: &'a Connection,
    rules: &'a Rules,
    keys: DemoKeys,
    valid_until: Timestamp,
}

impl Founder<'_> {
    fn signer(&self, role: DemoRole, index: u32) -> Signer {
        Signer::new(self.keys.key(role, index), self.rules.ledger_id(), Sequence::new(1))
    }

    fn sign(
        &self,
        signer: &mut Signer,
        body: impl Into<Body>,
        cosigners: &[&SigningKey],
    ) -> Result<Submission, LoadError> {
        Ok(signer.submission(body, Vec::new(), cosigners, self.valid_until)?)
    }

    fn one(
        &self,
        step: &'static str,
        signer: &mut Signer,
        body: impl Into<Body>,
        cosigners: &[&SigningKey],
    ) -> Result<TransactionId, LoadError> {
        let submission = self.sign(signer, body, cosigners)?;
        Ok(send(self.connection, step, &[submission])?[0])
    }

    fn party(
        &self,
        name: &str,
        roles: &[Role],
        key: &SigningKey,
    ) -> Result<RegisterParty, LoadError> {
        Ok(RegisterParty {
            alias: Text::new(name)?,
            roles: Bounded::try_from(roles.to_vec())?,
            keys: Bounded::try_from(vec![key.public()])?,
            encryption_key: [0; 32],
            region: Text::default(),
        })
    }
}

/// Registers everybody and publishes the tariff; the clock then stands before the first day.
pub fn found(
    url: &str,
    (plan, validators): (&DayPlan, u32),
    homes: u32,
) -> Result<Network, LoadError> {
    let connection = Connection::new(url)?;
    let genesis = crate::plan::genesis_among(plan, validators)
        .map_err(|_| LoadError::Plan("the day lies out of range"))?;
    let rules = Rules::new(genesis)?;
    let valid_until = connection.status()?.time.plus_milliseconds(VALIDITY_MS)?;
    let founder =
        Founder { connection: &connection, rules: &rules, keys: plan.keys(), valid_until };
    let mut owner = founder.signer(DemoRole::Owner, 0);
    let mut regulator = founder.signer(DemoRole::Regulator, 0);
    let provider = founder.keys.key(DemoRole::NetworkProvider, 0);
    let appoint = AppointRegulator {
        alias: Text::new("regulator")?,
        key: regulator.public(),
        encryption_key: [0; 32],
    };
    let regulator_key = regulator.key().clone();
    founder.one("appoint", &mut owner, appoint, &[&regulator_key])?;
    let body = founder.party("network", &[Role::NetworkProvider], &provider)?;
    founder.one("register", &mut regulator, body, &[&provider])?;
    let mut organisation = |name: &str, role: Role, demo: DemoRole| {
        let signer = founder.signer(demo, 0);
        let body = founder.party(name, &[role], signer.key())?;
        let cosigners = [signer.key(), &provider];
        let id = founder.one("register", &mut regulator, body, &cosigners)?;
        Ok::<_, LoadError>((signer, PartyId::from_transaction(&id)))
    };
    let (mut grid_operator, _) = organisation("grid", Role::GridOperator, DemoRole::GridOperator)?;
    let (mut distributor, distributor_id) =
        organisation("distributor", Role::Distributor, DemoRole::Distributor)?;
    let (aggregator, aggregator_id) =
        organisation("aggregator", Role::Aggregator, DemoRole::Aggregator)?;
    let limit = MicroCurrency::new(1_000_000_000_000_000);
    let backing = SetBackingLimit { aggregator: aggregator_id, limit };
    founder.one("back", &mut regulator, backing, &[])?;

    let mut payers = register_payers(&founder, &mut regulator, &provider)?;
    let payer_ids: Vec<PartyId> = payers.iter().map(|(_, id)| *id).collect();
    buy_tokens(&founder, &mut payers, &aggregator, aggregator_id)?;
    let stations = register_stations(&founder, &mut grid_operator, distributor_id, homes)?;
    let points = register_points(&founder, &mut distributor, &stations, &payer_ids, homes)?;
    publish_tariff(&founder, &mut distributor, plan, &stations)?;
    let clock_keeper = founder.signer(DemoRole::ClockKeeper, 0);
    Ok(Network {
        rules: rules.clone(),
        connection,
        clock_keeper,
        grid_operator,
        distributor,
        payers: payers.into_iter().map(|(signer, _)| signer).collect(),
        stations,
        points,
    })
}

fn register_payers(
    founder: &Founder<'_>,
    regulator: &mut Signer,
    provider: &SigningKey,
) -> Result<Vec<(Signer, PartyId)>, LoadError> {
    let mut signers = Vec::new();
    let mut submissions = Vec::new();
    for index in 0..PAYERS {
        let signer = founder.signer(DemoRole::Household, index);
        let body = founder.party(&format!("payer {index}"), &[Role::Consumer], signer.key())?;
        submissions.push(founder.sign(regulator, body, &[signer.key(), provider])?);
        signers.push(signer);
    }
    let ids = send(founder.connection, "register payers", &submissions)?;
    Ok(signers.into_iter().zip(ids.iter().map(PartyId::from_transaction)).collect())
}

fn buy_tokens(
    founder: &Founder<'_>,
    payers: &mut [(Signer, PartyId)],
    aggregator: &Signer,
    aggregator_id: PartyId,
) -> Result<(), LoadError> {
    let mut submissions = Vec::new();
    for (index, (payer, _)) in payers.iter_mut().enumerate() {
        let body = BuyTokens {
            aggregator: aggregator_id,
            reference: Text::new(format!("load {index}"))?,
            coin_amount: MicroCurrency::new(TOKENS.get() / 2),
            tokens: TOKENS,
        };
        submissions.push(founder.sign(payer, body, &[aggregator.key()])?);
    }
    send(founder.connection, "buy tokens", &submissions)?;
    Ok(())
}

fn register_stations(
    founder: &Founder<'_>,
    grid_operator: &mut Signer,
    distributor: PartyId,
    homes: u32,
) -> Result<Vec<StationId>, LoadError> {
    let mut submissions = Vec::new();
    for index in 0..homes.div_ceil(PER_STATION) {
        let label = Text::new(format!("station {index}"))?;
        submissions.push(founder.sign(
            grid_operator,
            RegisterStation { label, distributor },
            &[],
        )?);
    }
    let ids = send(founder.connection, "register stations", &submissions)?;
    Ok(ids.iter().map(StationId::from_transaction).collect())
}

fn register_points(
    founder: &Founder<'_>,
    distributor: &mut Signer,
    stations: &[StationId],
    payers: &[PartyId],
    homes: u32,
) -> Result<Vec<Point>, LoadError> {
    let mut points = Vec::new();
    let all: Vec<u32> = (0..homes).collect();
    let from_period = founder.rules.period_at(founder.rules.genesis().time);
    for chunk in all.chunks(1_000) {
        let mut submissions = Vec::new();
        for index in chunk {
            let body = RegisterUsagePoint {
                label: Text::new(format!("home {index}"))?,
                station: stations[(index / PER_STATION) as usize],
                kind: UsagePointKind::Household,
                customer: payers[(index % PAYERS) as usize],
                connection_limit: Watts::new(1_000_000),
            };
            submissions.push(founder.sign(distributor, body, &[])?);
        }
        let ids = send(founder.connection, "register usage points", &submissions)?;
        let mut installs = Vec::new();
        for (index, id) in chunk.iter().zip(&ids) {
            let meter = founder.signer(DemoRole::Meter, *index);
            let usage_point = UsagePointId::from_transaction(id);
            let body = InstallMeter {
                usage_point,
                meter: meter.public(),
                from_period,
                first: Registers::ZERO,
                register_limit: WattHours::ZERO,
                former_last: None,
            };
            installs.push(founder.sign(distributor, body, &[meter.key()])?);
            points.push(Point {
                usage_point,
                meter,
                secret: founder.keys.day_secret(DemoRole::Meter, *index),
                payer: index % PAYERS,
                seals: 0,
            });
        }
        send(founder.connection, "install meters", &installs)?;
    }
    Ok(points)
}

fn publish_tariff(
    founder: &Founder<'_>,
    distributor: &mut Signer,
    plan: &DayPlan,
    stations: &[StationId],
) -> Result<(), LoadError> {
    let curve = FrequencyCurve::deviation_vector_2019(MicroPerKilowattHour::new(6_200_000))
        .map_err(|_| LoadError::Plan("the price vector of 2019 is a curve"))?;
    let terms = TariffTerms::energy(PriceRule::FrequencyLinked(curve), ExportRule::SameAsImport);
    let first_period = plan.periods().first;
    let name = Text::new("frequency curve")?;
    let body = PublishTariff { tariff: None, name, first_period, terms };
    let id = founder.one("publish a tariff", distributor, body, &[])?;
    let tariff = TariffId::from_transaction(&id);
    for station in stations {
        let target = AssignmentTarget::Station(*station);
        founder.one(
            "assign the tariff",
            distributor,
            AssignTariff { target, tariff, first_period },
            &[],
        )?;
    }
    Ok(())
}
