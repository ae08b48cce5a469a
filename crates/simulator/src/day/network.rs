//! Who and what takes part in the day.

use client::transaction_builder::Signer;
use contracts::tariff::FrequencyCurve;
use primitives::identifier::{PartyId, StationId, UsagePointId};
use primitives::key::SigningKey;
use primitives::reading::Reading;

/// A party with its one key.
pub(super) struct Actor {
    pub signer: Signer,
    pub party: PartyId,
}

impl Actor {
    pub const fn key(&self) -> &SigningKey {
        self.signer.key()
    }
}

/// A usage point with its meter and what the meter will read.
pub(super) struct MeteredPoint {
    pub label: String,
    /// Index of the station.
    pub station: usize,
    pub usage_point: UsagePointId,
    pub meter: Signer,
    /// Of which the seed of the day is made.
    pub day_secret: [u8; 32],
    pub readings: Vec<Reading>,
}

/// A household, or the customer on the flat rate.
pub(super) struct Home {
    pub actor: Actor,
    pub point: MeteredPoint,
}

/// A distributor's station with the meter at its boundary.
pub(super) struct Station {
    pub id: StationId,
    pub label: String,
    /// Index of the distributor.
    pub distributor: usize,
    pub boundary: MeteredPoint,
}

/// Everybody, once registered.
pub(super) struct Network {
    pub clock_keeper: Signer,
    pub grid_operator: Actor,
    pub distributors: Vec<Actor>,
    pub aggregator: Actor,
    pub stations: Vec<Station>,
    /// The homes of the plan, then the customer on the flat rate.
    pub homes: Vec<Home>,
    /// The price that follows the frequency, for everybody but the flat rate.
    pub curve: FrequencyCurve,
    /// Payments made to the aggregator so far; they are the references.
    pub purchases: u32,
}

impl Network {
    /// The customer on the flat rate.
    pub fn flat_rate_home(&self) -> &Home {
        self.homes.last().expect("the founding ends with the customer on the flat rate")
    }

    /// Every metered point: the homes', then the boundaries'.
    pub fn points(&self) -> impl Iterator<Item = &MeteredPoint> {
        let boundaries = self.stations.iter().map(|station| &station.boundary);
        self.homes.iter().map(|home| &home.point).chain(boundaries)
    }

    /// Every metered point, to report.
    pub fn points_mut(&mut self) -> impl Iterator<Item = &mut MeteredPoint> {
        let boundaries = self.stations.iter_mut().map(|station| &mut station.boundary);
        self.homes.iter_mut().map(|home| &mut home.point).chain(boundaries)
    }

    /// The usage points of a distributor's customers, rising.
    pub fn customers_of(&self, distributor: usize) -> Vec<UsagePointId> {
        let is_its = |home: &&Home| self.stations[home.point.station].distributor == distributor;
        let mut points: Vec<_> =
            self.homes.iter().filter(is_its).map(|home| home.point.usage_point).collect();
        points.sort_unstable();
        points
    }

    /// The usage points at the stations' boundaries, rising.
    pub fn boundaries(&self) -> Vec<UsagePointId> {
        let mut points: Vec<_> =
            self.stations.iter().map(|station| station.boundary.usage_point).collect();
        points.sort_unstable();
        points
    }
}
