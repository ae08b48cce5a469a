//! Who bills a usage point assigns it a tariff.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::identifier::{PartyId, StationId, TariffId, UsagePointId};

use super::{MAX_VERSIONS, TariffAssignments};
use crate::event::Event;
use crate::execute::Context;
use crate::registry::Role;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;
use crate::transaction::{Transaction, Who};

/// Which usage points get the tariff.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum AssignmentTarget {
    /// One.
    UsagePoint(UsagePointId),
    /// All that the sender bills below a station.
    Station(StationId),
}

/// Assigns a tariff from a period on, which must not have begun. An assignment for a later period
/// that stands already is refused: assignments are made in order.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AssignTariff {
    /// Who gets it.
    pub target: AssignmentTarget,
    /// The tariff.
    pub tariff: TariffId,
    /// The first period it holds in.
    pub first_period: SettlementPeriod,
}

impl Transaction for AssignTariff {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let biller = context.party()?;
        if self.first_period <= context.period {
            return Err(Rejection::TariffStartsInThePast {
                period: u64::from(self.first_period.get()),
            });
        }
        if state.tariff(self.tariff)?.publisher != biller {
            return Err(Rejection::NotThePublisher);
        }
        match self.target {
            AssignmentTarget::UsagePoint(id) => self.assign(state, biller, id),
            AssignmentTarget::Station(station) => {
                let record = state.station(station)?;
                if biller != record.distributor && biller != record.grid_operator {
                    return Err(Rejection::NotTheBiller);
                }
                for id in state.usage_points_of(station) {
                    if state.usage_point(id)?.biller == biller {
                        self.assign(state, biller, id)?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl AssignTariff {
    fn assign(
        &self,
        state: &mut dyn State,
        biller: PartyId,
        id: UsagePointId,
    ) -> Result<(), Rejection> {
        if state.usage_point(id)?.biller != biller {
            return Err(Rejection::NotTheBiller);
        }
        let mut assignments = state.tariff_assignments(id).into_vec();
        let assignment = (self.first_period, self.tariff);
        match assignments.last() {
            Some(last) if *last == assignment => {
                state.emit(Event::AlreadyRecorded {});
                return Ok(());
            }
            Some((last, _)) if *last >= self.first_period => {
                return Err(Rejection::TariffVersionsOutOfOrder);
            }
            _ => {}
        }
        assignments.push(assignment);
        let assignments = TariffAssignments::try_from(assignments)
            .map_err(|_| Rejection::TooManyVersions { bound: MAX_VERSIONS as u64 })?;
        state.write(state_key::tariff_assignments(&id), &assignments);
        state.emit(Event::TariffAssigned {
            usage_point: id,
            tariff: self.tariff,
            first_period: self.first_period,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let (north, south) = (network.north.clone(), network.south.clone());
        let mine = network.tariff(&north, flat(5_000_000));
        let theirs = network.tariff(&south, flat(5_000_000));
        let (now, first) = (network.now(), network.next());
        let later = first.offset(1).unwrap();
        let point = |id| AssignmentTarget::UsagePoint(id);
        let station = |id| AssignmentTarget::Station(id);
        let (home, far) = (network.homes[0].point, network.far_home.point);
        let assign = |target, tariff, first_period| {
            by(&[&north.key], AssignTariff { target, tariff, first_period })
        };
        let nowhere = point(UsagePointId::default());
        let begun = u64::from(now.get());
        network.check(&[
            (
                assign(nowhere.clone(), TariffId::default(), now),
                breaks(Rejection::TariffStartsInThePast { period: begun }),
            ),
            (assign(nowhere.clone(), TariffId::default(), first), breaks(Rejection::TariffUnknown)),
            (assign(nowhere.clone(), theirs, first), breaks(Rejection::NotThePublisher)),
            (assign(nowhere, mine, first), breaks(Rejection::UsagePointUnknown)),
            (assign(point(far), mine, first), breaks(Rejection::NotTheBiller)),
            (assign(station(StationId::default()), mine, first), breaks(Rejection::StationUnknown)),
            (assign(station(network.south_station), mine, first), breaks(Rejection::NotTheBiller)),
            (assign(point(home), mine, later), emits(&["TariffAssigned"])),
            (assign(point(home), mine, later), KNOWN),
            (assign(point(home), mine, first), breaks(Rejection::TariffVersionsOutOfOrder)),
            // The whole station or nothing: one home is assigned for a later period already.
            (
                assign(station(network.north_station), mine, first),
                breaks(Rejection::TariffVersionsOutOfOrder),
            ),
            (
                assign(station(network.north_station), mine, later.offset(1).unwrap()),
                emits(&["TariffAssigned", "TariffAssigned", "TariffAssigned"]),
            ),
        ]);
    }

    #[test]
    fn a_usage_point_has_at_most_256_assignments() {
        let mut network = Network::new();
        let north = network.north.clone();
        let tariff = network.tariff(&north, flat(0));
        let target = AssignmentTarget::UsagePoint(network.homes[0].point);
        let assign = |network: &mut Network, number: u32| {
            let first_period = network.next().offset(number).unwrap();
            let body = AssignTariff { target: target.clone(), tariff, first_period };
            network.send(&by(&[&north.key], body)).code
        };
        for number in 0..256 {
            assert_eq!(assign(&mut network, number), 0);
        }
        assert_eq!(assign(&mut network, 256), Rejection::TooManyVersions { bound: 256 }.code());
    }
}
