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
        state.add_key_record(self.meter, Holder::Meter(self.usage_point), context.time)?;
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
