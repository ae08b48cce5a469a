//! A usage point comes below a station.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Text;
use primitives::identifier::{PartyId, StationId, UsagePointId};
use primitives::units::Watts;

use super::{MAX_USAGE_POINTS_PER_STATION, PartyStatus, Role, UsagePoint, UsagePointKind};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who, no_payload};

/// Registers a usage point. A household's is registered by the station's distributor, which then
/// bills it; the boundary's by the station's grid operator, which bills the distributor for it.
///
/// The id is the beginning of this transaction's id. Labels are unique within the station and are
/// compared as a whole: society "1", station "12" and society "11", station "2" are two points.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RegisterUsagePoint {
    /// The label, 1..=64 bytes.
    pub label: Text<64>,
    /// The station.
    pub station: StationId,
    /// What kind of point it is.
    pub kind: UsagePointKind,
    /// Who is billed; at a boundary it must be the station's distributor.
    pub customer: PartyId,
    /// The most that the connection carries, either way; positive.
    pub connection_limit: Watts,
}

impl Transaction for RegisterUsagePoint {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.label.is_empty() {
            return Err(Malformed::Field("a usage point has a label"));
        }
        if self.connection_limit.get() <= 0 {
            return Err(Malformed::Field("a connection limit is positive"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let sender = context.party()?;
        let mut station = state.station(self.station)?;
        let biller = match self.kind {
            UsagePointKind::Household => station.distributor,
            UsagePointKind::Boundary => station.grid_operator,
        };
        if sender != biller {
            return Err(Rejection::NotTheDistributor);
        }
        if self.kind == UsagePointKind::Boundary && self.customer != station.distributor {
            return Err(Rejection::NotTheDistributor);
        }
        if self.customer == biller || self.customer == station.grid_operator {
            return Err(Rejection::SamePartyTwice);
        }
        if state.party(self.customer)?.status != PartyStatus::Active {
            return Err(Rejection::PartyStatusDiffers);
        }
        if usize::from(station.usage_points) >= MAX_USAGE_POINTS_PER_STATION {
            return Err(Rejection::StationFull { bound: MAX_USAGE_POINTS_PER_STATION as u64 });
        }
        let label = state_key::label(Some(&self.station), &self.label);
        if state.get(&label).is_some() {
            return Err(Rejection::LabelTaken);
        }
        let id = UsagePointId::from_transaction(&context.transaction);
        station.usage_points += 1;
        state.put_station(self.station, &station);
        state.write(label, &id);
        state.put(state_key::station_member(&self.station, &id), Vec::new());
        state.put_usage_point(
            id,
            &UsagePoint {
                label: self.label.clone(),
                station: self.station,
                kind: self.kind,
                customer: self.customer,
                biller,
                connection_limit: self.connection_limit,
                gateway: None,
                meter: None,
            },
        );
        state.emit(Event::UsagePointRegistered { usage_point: id });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    fn body(network: &Network) -> RegisterUsagePoint {
        RegisterUsagePoint {
            label: "home 1".parse().unwrap(),
            station: network.north_station,
            kind: UsagePointKind::Household,
            customer: network.homes[0].customer.id,
            connection_limit: Watts::new(5_000),
        }
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let suspended = network.homes[1].customer.id;
        network.suspend(suspended);
        let (north, south, grid) =
            (network.north.clone(), network.south.clone(), network.grid.clone());
        let good = body(&network);
        let nobody = RegisterUsagePoint { customer: PartyId::default(), ..good.clone() };
        let boundary = RegisterUsagePoint { kind: UsagePointKind::Boundary, ..good.clone() };
        let nowhere = RegisterUsagePoint { station: StationId::default(), ..nobody.clone() };
        let for_customer =
            |customer| by(&[&north.key], RegisterUsagePoint { customer, ..good.clone() });
        network.check(&[
            (
                by(&[&south.key], RegisterUsagePoint { label: Text::default(), ..nowhere.clone() }),
                WRONG_FIELD,
            ),
            (
                by(
                    &[&south.key],
                    RegisterUsagePoint { connection_limit: Watts::new(0), ..nowhere.clone() },
                ),
                WRONG_FIELD,
            ),
            (by(&[&south.key], nowhere), breaks(Rejection::StationUnknown)),
            (by(&[&south.key], nobody.clone()), breaks(Rejection::NotTheDistributor)),
            (by(&[&grid.key], nobody), breaks(Rejection::NotTheDistributor)),
            (by(&[&north.key], boundary.clone()), breaks(Rejection::NotTheDistributor)),
            (by(&[&grid.key], boundary.clone()), breaks(Rejection::NotTheDistributor)),
            (for_customer(north.id), breaks(Rejection::SamePartyTwice)),
            (for_customer(grid.id), breaks(Rejection::SamePartyTwice)),
            (for_customer(PartyId::default()), breaks(Rejection::PartyUnknown)),
            (for_customer(suspended), breaks(Rejection::PartyStatusDiffers)),
            (by(&[&north.key], good.clone()), breaks(Rejection::LabelTaken)),
            (
                by(&[&north.key], RegisterUsagePoint { label: "new".parse().unwrap(), ..good }),
                emits(&["UsagePointRegistered"]),
            ),
            (
                by(
                    &[&grid.key],
                    RegisterUsagePoint {
                        label: "second boundary".parse().unwrap(),
                        customer: north.id,
                        ..boundary
                    },
                ),
                emits(&["UsagePointRegistered"]),
            ),
        ]);
    }

    #[test]
    fn a_station_has_a_bound() {
        let mut network = Network::new();
        let mut station = network.state().station(network.north_station).unwrap();
        station.usage_points = 1_000;
        let state: &mut dyn State = &mut network.state;
        state.put_station(network.north_station, &station);
        // Full comes before the taken label.
        let draft = by(&[&network.north.key], body(&network));
        network.check(&[(draft, breaks(Rejection::StationFull { bound: 1_000 }))]);
    }
}
