//! A gateway may report for usage points.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::identifier::{PartyId, UsagePointId};

use super::{PartyStatus, Role, is_rising};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Usage points that one transaction authorises.
pub const MAX_AUTHORIZED: usize = 1_000;

/// Lets a party report as gateway for usage points that the sender bills, or ends that. A gateway's
/// reports name it as signer and never replace a meter's own seal.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AuthorizeGateway {
    /// The usage points, rising, 1..=1,000.
    pub usage_points: Bounded<UsagePointId, MAX_AUTHORIZED>,
    /// The gateway; `None` ends it.
    pub gateway: Option<PartyId>,
}

impl Transaction for AuthorizeGateway {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.usage_points.is_empty() || !is_rising(&self.usage_points) {
            return Err(Malformed::Field("usage points rise, at least one, none twice"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let sender = context.party()?;
        if let Some(gateway) = self.gateway {
            let gateway = state.party(gateway)?;
            if !gateway.holds(Role::Aggregator) && !gateway.holds(Role::Distributor) {
                return Err(Rejection::PartyLacksRole);
            }
            if gateway.status != PartyStatus::Active {
                return Err(Rejection::PartyStatusDiffers);
            }
        }
        for id in self.usage_points.iter() {
            let mut usage_point = state.usage_point(*id)?;
            if usage_point.biller != sender {
                return Err(Rejection::NotTheDistributor);
            }
            usage_point.gateway = self.gateway;
            state.put_usage_point(*id, &usage_point);
            state.emit(Event::GatewayAuthorized { usage_point: *id, gateway: self.gateway });
        }
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
        let suspended = network.admit("gateway", &[Role::Aggregator]);
        network.suspend(suspended.id);
        let (north, south) = (network.north.key.clone(), network.south.key.clone());
        let household = network.homes[0].customer.id;
        let (nowhere, home) = (UsagePointId::default(), network.homes[0].point);
        let authorize = |usage_points: &[UsagePointId], gateway| AuthorizeGateway {
            usage_points: usage_points.try_into().unwrap(),
            gateway,
        };
        let gateway = Some(network.aggregator.id);
        network.check(&[
            (by(&[&south], authorize(&[], Some(PartyId::default()))), WRONG_FIELD),
            (by(&[&south], authorize(&[home, home], Some(PartyId::default()))), WRONG_FIELD),
            (
                by(&[&south], authorize(&[nowhere], Some(PartyId::default()))),
                breaks(Rejection::PartyUnknown),
            ),
            (
                by(&[&south], authorize(&[nowhere], Some(household))),
                breaks(Rejection::PartyLacksRole),
            ),
            (
                by(&[&south], authorize(&[nowhere], Some(suspended.id))),
                breaks(Rejection::PartyStatusDiffers),
            ),
            (by(&[&south], authorize(&[nowhere], gateway)), breaks(Rejection::UsagePointUnknown)),
            (by(&[&south], authorize(&[home], gateway)), breaks(Rejection::NotTheDistributor)),
            (by(&[&north], authorize(&[home], gateway)), emits(&["GatewayAuthorized"])),
            (by(&[&north], authorize(&[home], None)), emits(&["GatewayAuthorized"])),
        ]);
        assert_eq!(network.state().usage_point(home).unwrap().gateway, None);
    }
}
