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
                state.station(station)?;
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
