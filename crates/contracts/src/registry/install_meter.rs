//! A meter is installed at a usage point.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::identifier::UsagePointId;
use primitives::key::PublicKey;

use super::{Holder, Role};
use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

/// Binds a meter's key to a usage point. Signed by its biller (the distributor, at a boundary the
/// grid operator) and by the meter's own key. A former meter's key is revoked.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InstallMeter {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The meter's key.
    pub meter: PublicKey,
}

impl Transaction for InstallMeter {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let sender = context.party()?;
        let mut usage_point = state.usage_point(self.usage_point)?;
        if sender != usage_point.biller {
            return Err(Rejection::NotTheDistributor);
        }
        if !context.cosigned_by(&self.meter) {
            return Err(Rejection::CosignatureMissing);
        }
        state.add_key_record(
            context.rules,
            self.meter,
            Holder::Meter(self.usage_point),
            context.time,
        )?;
        if let Some(former) = usage_point.meter {
            let mut record = state.key_record(&former).expect("an installed meter is registered");
            record.revoked = true;
            state.put_key_record(&record);
            state.emit(Event::KeyRevoked { key: former });
        }
        usage_point.meter = Some(self.meter.address());
        usage_point.seal_sequence = 0;
        state.put_usage_point(self.usage_point, &usage_point);
        state.emit(Event::MeterInstalled {
            usage_point: self.usage_point,
            meter: self.meter.address(),
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
        let (north, south) = (network.north.key.clone(), network.south.key.clone());
        let home = network.homes[0].clone();
        let (fresh, taken) = (key("new meter"), network.homes[1].meter.clone());
        let install =
            |point, meter: &SigningKey| InstallMeter { usage_point: point, meter: meter.public() };
        let point = home.point;
        let end = network.day(0);
        network.end_day(end);
        let old = network.submit(&home, network.period(end, 0), reading(1, 0));
        let mut new = old.clone();
        new.signers[0] = fresh.clone();
        network.check(&[
            (
                by(&[&south], install(UsagePointId::default(), &taken)),
                breaks(Rejection::UsagePointUnknown),
            ),
            (by(&[&south], install(point, &taken)), breaks(Rejection::NotTheDistributor)),
            (
                by(&[&network.grid.key, &taken], install(point, &taken)),
                breaks(Rejection::NotTheDistributor),
            ),
            (by(&[&north], install(point, &taken)), breaks(Rejection::CosignatureMissing)),
            (
                by(&[&north, &taken], install(point, &taken)),
                breaks(Rejection::KeyAlreadyRegistered),
            ),
            (
                by(&[&north, &home.meter], install(point, &home.meter)),
                breaks(Rejection::KeyAlreadyRegistered),
            ),
            (
                by(&[&north, &fresh], install(point, &fresh)),
                emits(&["KeyRevoked", "MeterInstalled"]),
            ),
            (old, breaks(Rejection::KeyRevoked)),
            (new, emits(&["ReadingSubmitted"])),
        ]);
    }
}
