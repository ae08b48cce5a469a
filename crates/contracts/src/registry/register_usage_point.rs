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
                seal_sequence: 0,
            },
        );
        state.emit(Event::UsagePointRegistered { usage_point: id });
        Ok(())
    }
}
