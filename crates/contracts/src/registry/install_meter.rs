//! A meter is installed at a usage point, the first one or in the place of another.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::identifier::UsagePointId;
use primitives::key::PublicKey;
use primitives::units::WattHours;

use super::{Holder, InstalledMeter, Role, UsagePoint};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::metering::{
    Installed, RegisterMark, Registers, Stretch, connection_limit_wh, require_below,
    require_continues,
};
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Binds a meter's key to a usage point. Signed by its biller (the distributor, at a boundary the
/// grid operator) and by the meter's own key. A former meter's key is revoked.
///
/// The meter measures from the beginning of `from_period`, where it shows `first`. That may lie inside
/// a day: the former meter's single readings stand for the slots before, the new meter's seal covers
/// the whole day and its registers count from the swap on.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InstallMeter {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The meter's key.
    pub meter: PublicKey,
    /// The first period that it measures, not before the end of the last day that the former sealed.
    pub from_period: SettlementPeriod,
    /// What it shows at the beginning of that period.
    pub first: Registers,
    /// The value in Wh at which its registers start again at zero; 0 = never.
    pub register_limit: WattHours,
    /// What the former meter showed last, at the same moment; `None` when there is none or nobody can
    /// read it any more.
    pub former_last: Option<Registers>,
}

impl Transaction for InstallMeter {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Distributor), Who::Role(Role::GridOperator)];

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if rules.is_private() && (self.first, self.former_last) != (Registers::ZERO, None) {
            return Err(Malformed::Field(
                "registers are readings: on a private ledger an installation shows none",
            ));
        }
        require_below(&self.first, self.register_limit).map_err(|_| {
            Malformed::Field("registers lie below the value at which they start again")
        })
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let sender = context.party()?;
        let mut usage_point = state.usage_point(self.usage_point)?;
        if sender != usage_point.biller {
            return Err(Rejection::NotTheDistributor);
        }
        if !context.cosigned_by(&self.meter) {
            return Err(Rejection::CosignatureMissing);
        }
        let mark = self.mark(context.rules, state, &usage_point)?;
        self.require_unsealed(context.rules, state)?;
        let holder = Holder::Meter(self.usage_point);
        state.add_key_record(context.rules, self.meter, holder, context.time)?;
        if let Some(former) = usage_point.meter {
            let mut record = state.key_record(&former).expect("an installed meter is registered");
            record.revoked = true;
            state.put_key_record(&record);
            state.emit(Event::KeyRevoked { key: former });
        }
        let meter = self.meter.address();
        usage_point.meter = Some(meter);
        state.put_usage_point(self.usage_point, &usage_point);
        state.put_register_mark(self.usage_point, self.from_period, &mark);
        let installed = InstalledMeter {
            from_period: self.from_period,
            register_limit: self.register_limit,
            seal_sequence: 0,
            latest_mark: self.from_period,
        };
        state.put_installed_meter(self.usage_point, &installed);
        let (usage_point, from_period) = (self.usage_point, self.from_period);
        state.emit(Event::MeterInstalled { usage_point, meter, from_period });
        Ok(())
    }
}

impl InstallMeter {
    /// Where no marks of registers tell up to when the former meter sealed, its seals do.
    fn require_unsealed(&self, rules: &Rules, state: &dyn State) -> Result<(), Rejection> {
        if !rules.is_private() {
            return Ok(());
        }
        let (day, _) = rules.slot_of(self.from_period)?;
        let days = (day, LocalDay::MAX);
        let Some(last) = state.last_day_sealed_by_meter(self.usage_point, days) else {
            return Ok(());
        };
        let periods = rules.calendar().periods_of(last);
        Err(Rejection::SwapBeforeSealedDay {
            period: u64::from(self.from_period.get()),
            sealed_until: u64::from(periods.first.get()) + u64::from(periods.count),
        })
    }

    /// The mark that the installation leaves, after the rules that bind it to the former meter.
    fn mark(
        &self,
        rules: &Rules,
        state: &dyn State,
        usage_point: &UsagePoint,
    ) -> Result<RegisterMark, Rejection> {
        let mut mark = RegisterMark {
            registers: self.first,
            register_limit: self.register_limit,
            installed: Some(Installed { former_last: self.former_last }),
            previous: None,
        };
        let Some(former) = state.installed_meter(self.usage_point) else {
            return if self.former_last.is_some() {
                Err(Rejection::NoFormerMeter)
            } else {
                Ok(mark)
            };
        };
        let slots = self.from_period.get().checked_sub(former.latest_mark.get());
        let slots = slots.ok_or(Rejection::SwapBeforeSealedDay {
            period: u64::from(self.from_period.get()),
            sealed_until: u64::from(former.latest_mark.get()),
        })?;
        let latest = state.register_mark(self.usage_point, former.latest_mark);
        let latest = latest.expect("a meter names the mark that was put down last");
        if let Some(last) = &self.former_last {
            require_below(last, former.register_limit)?;
            let slot_limit_wh = connection_limit_wh(rules, usage_point);
            let register_limit = former.register_limit;
            let stretch = Stretch { slots, slot_limit_wh, register_limit };
            require_continues(&latest.registers, last, stretch)?;
        }
        if slots == 0 {
            // Both meters stand at one moment: what came in from the left stays.
            mark.installed = Some(Installed { former_last: latest.incoming() });
            mark.previous = latest.previous;
        } else {
            mark.previous = Some(former.latest_mark);
        }
        Ok(mark)
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
        let point = home.point;
        let end = network.day(0);
        let from_period = network.period(end, 0);
        let install = |point, meter: &SigningKey| InstallMeter {
            usage_point: point,
            meter: meter.public(),
            from_period,
            first: Registers::ZERO,
            register_limit: WattHours::ZERO,
            former_last: None,
        };
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
