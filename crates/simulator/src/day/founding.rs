//! The day before: everybody is registered, tariffs are published, first tokens bought.

use contracts::account::{BuyTokens, SetBackingLimit};
use contracts::metering::Registers;
use contracts::registry::{
    AppointRegulator, InstallMeter, RegisterParty, RegisterStation, RegisterUsagePoint, Role,
    UsagePointKind,
};
use contracts::tariff::{
    AssignTariff, AssignmentTarget, ExportRule, FrequencyCurve, PriceRule, PublishTariff,
    TariffTerms,
};
use primitives::codec::{Bounded, Text};
use primitives::envelope::Submission;
use primitives::identifier::{PartyId, StationId, TariffId, UsagePointId};
use primitives::reading::Reading;
use primitives::rounding::div_half_away;
use primitives::units::{MicroCurrency, MicroPerKilowattHour, WattHours, Watts};

use super::DayError;
use super::network::{Actor, Home, MeteredPoint, Network, Station};
use super::stage::Stage;
use crate::demo_keys::DemoRole;
use crate::households::{Extract, Profile, SLOTS_PER_DAY, actual};

/// Distributors of the network.
const DISTRIBUTORS: usize = 2;
/// Homes below one station. The rules allow 1,000 usage points; real stations feed some hundred.
const HOMES_PER_STATION: usize = 500;
/// What a home's connection carries: above the largest solar plant of the extract (4,922 Wh in a
/// quarter hour) and the customer on the flat rate (5,209 Wh).
const CONNECTION_WATTS: i64 = 25_000;
/// Price at 50 Hz: 6.20 per kWh (the published system EB).
const REFERENCE_PRICE: MicroPerKilowattHour = MicroPerKilowattHour::new(6_200_000);
/// The flat rate: 5.00 per kWh (the published system BX).
const FLAT_PRICE: MicroPerKilowattHour = MicroPerKilowattHour::new(5_000_000);
/// What the customer on the flat rate draws in the day: 500 kWh (BX).
const FLAT_RATE_DAY_WH: u64 = 500_000;
/// Tokens that the aggregator may issue: a thousand million.
const BACKING_LIMIT: MicroCurrency = MicroCurrency::new(1_000_000_000_000_000);
/// Tokens that a home buys before the day: 100.
const FIRST_TOKENS: MicroCurrency = MicroCurrency::new(100_000_000);

/// Those who admit others.
struct Admission {
    regulator: Actor,
    network_provider: Actor,
}

/// Registers everybody and everything.
pub(super) fn found(stage: &mut Stage<'_>) -> Result<Network, DayError> {
    let mut admission = appoint(stage)?;
    let mut network = admit_organisations(stage, &mut admission)?;
    register_stations(stage, &mut network)?;
    admit_homes(stage, &mut admission, &mut network)?;

    // The curve is assigned station by station, to all homes that hang below it by now. The customer
    // on the flat rate is connected after that and gets a tariff of its own.
    let last = network.homes.len() - 1;
    connect_homes(stage, &mut network, 0..last)?;
    connect_boundaries(stage, &mut network)?;
    publish_curve(stage, &mut network)?;
    connect_homes(stage, &mut network, last..last + 1)?;
    publish_flat_rate(stage, &mut network)?;
    Ok(network)
}

/// The owner's council appoints the regulator, who admits the first network provider.
fn appoint(stage: &mut Stage<'_>) -> Result<Admission, DayError> {
    let mut owner = stage.signer(DemoRole::Owner, 0);
    let regulator = stage.signer(DemoRole::Regulator, 0);
    let appointment = AppointRegulator {
        alias: text("regulator"),
        key: regulator.public(),
        encryption_key: stage.keys.encryption_key(DemoRole::Regulator, 0),
    };
    let appointment = stage.sign(&mut owner, appointment, &[regulator.key()])?;
    let party = PartyId::from_transaction(&appointment.transaction.id());
    let mut regulator = Actor { signer: regulator, party };
    stage.send("appoint the regulator", vec![appointment])?;

    let provider = stage.signer(DemoRole::NetworkProvider, 0);
    let registration = RegisterParty {
        alias: text("network-provider"),
        roles: list(vec![Role::NetworkProvider]),
        keys: list(vec![provider.public()]),
        encryption_key: stage.keys.encryption_key(DemoRole::NetworkProvider, 0),
        region: Text::default(),
    };
    let registration = stage.sign(&mut regulator.signer, registration, &[provider.key()])?;
    let party = PartyId::from_transaction(&registration.transaction.id());
    stage.send("admit the network provider", vec![registration])?;
    Ok(Admission { regulator, network_provider: Actor { signer: provider, party } })
}

impl Admission {
    /// A registration: signed by the regulator, the party's own key and the network provider.
    fn admit(
        &mut self,
        stage: &Stage<'_>,
        (role, index): (DemoRole, u32),
        alias: &str,
        roles: Vec<Role>,
    ) -> Result<(Actor, Submission), DayError> {
        let signer = stage.signer(role, index);
        let registration = RegisterParty {
            alias: text(alias),
            roles: list(roles),
            keys: list(vec![signer.public()]),
            encryption_key: stage.keys.encryption_key(role, index),
            region: Text::default(),
        };
        let cosigners = [signer.key(), self.network_provider.key()];
        let submission = stage.sign(&mut self.regulator.signer, registration, &cosigners)?;
        let party = PartyId::from_transaction(&submission.transaction.id());
        Ok((Actor { signer, party }, submission))
    }
}

/// The grid operator, two distributors, and an aggregator with a limit to the tokens it issues.
fn admit_organisations(
    stage: &mut Stage<'_>,
    admission: &mut Admission,
) -> Result<Network, DayError> {
    let (grid_operator, first) = admission.admit(
        stage,
        (DemoRole::GridOperator, 0),
        "grid-operator",
        vec![Role::GridOperator],
    )?;
    let mut batch = vec![first];
    let mut distributors = Vec::with_capacity(DISTRIBUTORS);
    for index in 0..DISTRIBUTORS as u32 {
        let alias = format!("distributor-{}", index + 1);
        let key = (DemoRole::Distributor, index);
        let (actor, submission) = admission.admit(stage, key, &alias, vec![Role::Distributor])?;
        distributors.push(actor);
        batch.push(submission);
    }
    let key = (DemoRole::Aggregator, 0);
    let (aggregator, last) = admission.admit(stage, key, "aggregator", vec![Role::Aggregator])?;
    batch.push(last);
    let limit = SetBackingLimit { aggregator: aggregator.party, limit: BACKING_LIMIT };
    batch.push(stage.sign(&mut admission.regulator.signer, limit, &[])?);
    stage.send("admit the organisations", batch)?;
    let curve = FrequencyCurve::deviation_vector_2019(REFERENCE_PRICE)
        .expect("a reference price that is not negative");
    Ok(Network {
        clock_keeper: stage.signer(DemoRole::ClockKeeper, 0),
        grid_operator,
        distributors,
        aggregator,
        stations: Vec::new(),
        homes: Vec::new(),
        curve,
        purchases: 0,
    })
}

/// As many stations as each distributor's homes need, at least one.
fn register_stations(stage: &mut Stage<'_>, network: &mut Network) -> Result<(), DayError> {
    let mut batch = Vec::new();
    for distributor in 0..DISTRIBUTORS {
        let homes = homes_of(stage.plan.homes, distributor);
        for number in 0..homes.div_ceil(HOMES_PER_STATION).max(1) {
            let index = network.stations.len();
            let label = format!("station-{}-{}", distributor + 1, number + 1);
            let registration = RegisterStation {
                label: text(&label),
                distributor: network.distributors[distributor].party,
            };
            let submission = stage.sign(&mut network.grid_operator.signer, registration, &[])?;
            let id = StationId::from_transaction(&submission.transaction.id());
            let key = (DemoRole::BoundaryMeter, index as u32);
            let boundary = metered_point(stage, key, ("boundary".to_owned(), index), Vec::new());
            network.stations.push(Station { id, label, distributor, boundary });
            batch.push(submission);
        }
    }
    stage.send("register the stations", batch).map(drop)
}

/// Homes take turns between the distributors.
const fn homes_of(homes: u32, distributor: usize) -> usize {
    (homes as usize + DISTRIBUTORS - 1 - distributor) / DISTRIBUTORS
}

/// The index of the station below which home `home` hangs.
fn station_of(homes: u32, home: u32) -> usize {
    let home = home as usize;
    let (distributor, place) = (home % DISTRIBUTORS, home / DISTRIBUTORS);
    let stations = |other| homes_of(homes, other).div_ceil(HOMES_PER_STATION).max(1);
    (0..distributor).map(stations).sum::<usize>() + place / HOMES_PER_STATION
}

/// A usage point that is still to be registered.
fn metered_point(
    stage: &Stage<'_>,
    (role, index): (DemoRole, u32),
    (label, station): (String, usize),
    readings: Vec<Reading>,
) -> MeteredPoint {
    MeteredPoint {
        label,
        station,
        usage_point: UsagePointId::default(),
        meter: stage.signer(role, index),
        day_secret: stage.keys.day_secret(role, index),
        readings,
    }
}

/// The homes, and after them the customer on the flat rate.
fn admit_homes(
    stage: &mut Stage<'_>,
    admission: &mut Admission,
    network: &mut Network,
) -> Result<(), DayError> {
    let (extract, homes) = (Extract::simbench(), stage.plan.homes);
    let mut batch = Vec::new();
    for home in 0..=homes {
        let (profile, station) = if home == homes {
            (flat_rate_profile(), 0)
        } else {
            let profile = extract.home(home, stage.plan.day, stage.plan.seed);
            (profile, station_of(homes, home))
        };
        let mut roles = vec![Role::Consumer];
        if profile.has_solar {
            roles.insert(0, Role::Producer);
        }
        let label = label(&profile.name, home);
        let alias = format!("household-{label}");
        let (actor, submission) =
            admission.admit(stage, (DemoRole::Household, home), &alias, roles)?;
        let key = (DemoRole::Meter, home);
        let point = metered_point(stage, key, (label, station), profile.readings());
        network.homes.push(Home { actor, point });
        batch.push(submission);
    }
    stage.send("admit the households", batch)?;
    for station in &mut network.stations {
        station.boundary.readings = boundary_readings(&network.homes, station.boundary.station);
    }
    Ok(())
}

/// The meter's name in the extract; where profiles repeat, with the number of the repetition.
fn label(name: &str, home: u32) -> String {
    match home / crate::households::PROFILES as u32 {
        0 => name.to_owned(),
        repeat if name.starts_with('M') => format!("{name}-{}", repeat + 1),
        _ => name.to_owned(),
    }
}

/// 500 kWh as evenly over the day as whole watt-hours allow; the first slots take the remainder.
fn flat_rate_profile() -> Profile {
    let (each, rest) =
        (FLAT_RATE_DAY_WH / SLOTS_PER_DAY as u64, FLAT_RATE_DAY_WH % SLOTS_PER_DAY as u64);
    Profile {
        name: "F01".to_owned(),
        has_solar: false,
        import_wh: (0..SLOTS_PER_DAY as u64).map(|slot| each + u64::from(slot < rest)).collect(),
        export_wh: vec![0; SLOTS_PER_DAY],
    }
}

/// What flows through a station's boundary: the sum of its homes, in or out in each slot.
fn boundary_readings(homes: &[Home], station: usize) -> Vec<Reading> {
    let below: Vec<_> = homes.iter().filter(|home| home.point.station == station).collect();
    let sum = |slot: usize, value: fn(&Reading) -> u64| -> u64 {
        below.iter().map(|home| value(&home.point.readings[slot])).sum()
    };
    (0..SLOTS_PER_DAY)
        .map(|slot| {
            let import = sum(slot, |reading| reading.import_wh.get());
            let export = sum(slot, |reading| reading.export_wh.get());
            actual(import.saturating_sub(export), export.saturating_sub(import))
        })
        .collect()
}

/// Distributors register usage points of homes and install their meters.
fn connect_homes(
    stage: &mut Stage<'_>,
    network: &mut Network,
    homes: std::ops::Range<usize>,
) -> Result<(), DayError> {
    let mut points = Vec::with_capacity(homes.len());
    for home in &mut network.homes[homes.clone()] {
        let station = &network.stations[home.point.station];
        let registration = RegisterUsagePoint {
            label: text(&home.point.label),
            station: station.id,
            kind: UsagePointKind::Household,
            customer: home.actor.party,
            connection_limit: Watts::new(CONNECTION_WATTS),
        };
        let distributor = &mut network.distributors[station.distributor].signer;
        let submission = stage.sign(distributor, registration, &[])?;
        home.point.usage_point = UsagePointId::from_transaction(&submission.transaction.id());
        points.push(submission);
    }
    stage.send("register the homes' usage points", points)?;

    let mut meters = Vec::with_capacity(homes.len());
    for home in &mut network.homes[homes] {
        let distributor = network.stations[home.point.station].distributor;
        let distributor = &mut network.distributors[distributor].signer;
        meters.push(install_meter(stage, distributor, &home.point)?);
    }
    stage.send("install the homes' meters", meters).map(drop)
}

/// The grid operator does the same at the stations' boundaries, where the distributor is customer.
fn connect_boundaries(stage: &mut Stage<'_>, network: &mut Network) -> Result<(), DayError> {
    let homes = i64::try_from(network.homes.len()).expect("at most MAX_HOMES and one more");
    let grid_operator = &mut network.grid_operator.signer;
    let mut points = Vec::with_capacity(network.stations.len());
    for station in &mut network.stations {
        let registration = RegisterUsagePoint {
            label: text(&station.boundary.label),
            station: station.id,
            kind: UsagePointKind::Boundary,
            customer: network.distributors[station.distributor].party,
            connection_limit: Watts::new(CONNECTION_WATTS * homes),
        };
        let submission = stage.sign(grid_operator, registration, &[])?;
        station.boundary.usage_point = UsagePointId::from_transaction(&submission.transaction.id());
        points.push(submission);
    }
    stage.send("register the boundaries' usage points", points)?;

    let mut meters = Vec::with_capacity(network.stations.len());
    for station in &network.stations {
        meters.push(install_meter(stage, grid_operator, &station.boundary)?);
    }
    stage.send("install the boundaries' meters", meters).map(drop)
}

fn install_meter(
    stage: &Stage<'_>,
    biller: &mut client::transaction_builder::Signer,
    point: &MeteredPoint,
) -> Result<Submission, DayError> {
    let installation = InstallMeter {
        usage_point: point.usage_point,
        meter: point.meter.public(),
        from_period: stage.plan.periods().first,
        first: Registers::ZERO,
        register_limit: WattHours::ZERO,
        former_last: None,
    };
    stage.sign(biller, installation, &[point.meter.key()])
}

/// Each distributor and the grid operator publish the frequency-linked price; it holds from the
/// day's first slot for all that they bill below each station.
fn publish_curve(stage: &mut Stage<'_>, network: &mut Network) -> Result<(), DayError> {
    let first_period = stage.plan.periods().first;
    let import = PriceRule::FrequencyLinked(network.curve.clone());
    let terms = TariffTerms::energy(import, ExportRule::SameAsImport);
    let publication = |name: &str| PublishTariff {
        tariff: None,
        name: text(name),
        first_period,
        terms: terms.clone(),
    };
    let assignment = |station: &Station, tariff| AssignTariff {
        target: AssignmentTarget::Station(station.id),
        tariff,
        first_period,
    };
    let mut batch = Vec::new();
    for (index, distributor) in network.distributors.iter_mut().enumerate() {
        let name = format!("frequency-linked, distributor {}", index + 1);
        let submission = stage.sign(&mut distributor.signer, publication(&name), &[])?;
        let tariff = TariffId::from_transaction(&submission.transaction.id());
        batch.push(submission);
        for station in network.stations.iter().filter(|station| station.distributor == index) {
            batch.push(stage.sign(&mut distributor.signer, assignment(station, tariff), &[])?);
        }
    }
    let grid_operator = &mut network.grid_operator.signer;
    let submission = stage.sign(grid_operator, publication("frequency-linked, boundaries"), &[])?;
    let tariff = TariffId::from_transaction(&submission.transaction.id());
    batch.push(submission);
    for station in &network.stations {
        batch.push(stage.sign(grid_operator, assignment(station, tariff), &[])?);
    }
    stage.send("publish and assign the frequency-linked price", batch).map(drop)
}

/// The flat rate, for one customer.
fn publish_flat_rate(stage: &mut Stage<'_>, network: &mut Network) -> Result<(), DayError> {
    let first_period = stage.plan.periods().first;
    let point = &network.flat_rate_home().point;
    let (station, usage_point) = (point.station, point.usage_point);
    let distributor = network.stations[station].distributor;
    let distributor = &mut network.distributors[distributor].signer;
    let publication = PublishTariff {
        tariff: None,
        name: text("flat rate of 5"),
        first_period,
        terms: TariffTerms::energy(PriceRule::Flat { price: FLAT_PRICE }, ExportRule::NotCredited),
    };
    let publication = stage.sign(distributor, publication, &[])?;
    let tariff = TariffId::from_transaction(&publication.transaction.id());
    let target = AssignmentTarget::UsagePoint(usage_point);
    let assignment = AssignTariff { target, tariff, first_period };
    let assignment = stage.sign(distributor, assignment, &[])?;
    stage.send("publish and assign the flat rate", vec![publication, assignment]).map(drop)
}

/// Every home buys some tokens: nobody knows yet what the day will cost.
pub(super) fn buy_first_tokens(
    stage: &mut Stage<'_>,
    network: &mut Network,
) -> Result<(), DayError> {
    let mut batch = Vec::with_capacity(network.homes.len());
    for home in &mut network.homes {
        let purchases = &mut network.purchases;
        batch.push(buy(stage, (&mut home.actor, &network.aggregator), purchases, FIRST_TOKENS)?);
    }
    stage.send("buy first tokens", batch).map(drop)
}

/// A purchase of tokens: signed by the buyer and by the aggregator that received the payment.
pub(super) fn buy(
    stage: &Stage<'_>,
    (buyer, aggregator): (&mut Actor, &Actor),
    purchases: &mut u32,
    tokens: MicroCurrency,
) -> Result<Submission, DayError> {
    *purchases += 1;
    let price = stage.rules.genesis().parameters.token_price_micro_coin;
    // Amounts are whole minor units and a token costs half a coin, so this division is exact.
    let coins = div_half_away(i128::from(tokens.get()) * i128::from(price.get()), 1_000_000);
    let purchase = BuyTokens {
        aggregator: aggregator.party,
        reference: text(&format!("transfer-{}-{}", stage.plan.day, purchases)),
        coin_amount: MicroCurrency::new(i64::try_from(coins).expect("less than the tokens")),
        tokens,
    };
    stage.sign(&mut buyer.signer, purchase, &[aggregator.key()])
}

/// A text of this file, which is short and plain.
fn text<const MAX: usize>(content: &str) -> Text<MAX> {
    Text::new(content).expect("labels of the story are short")
}

/// A list of this file, which is short.
fn list<T, const MAX: usize>(items: Vec<T>) -> Bounded<T, MAX> {
    Bounded::try_from(items).expect("lists of the story have one or two members")
}
