//! The meter that is installed at a usage point: since when, how it counts, how often it sealed.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::identifier::UsagePointId;
use primitives::units::WattHours;

use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

/// The meter in service; its key stands with the usage point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InstalledMeter {
    /// The first period that it measures.
    pub from_period: SettlementPeriod,
    /// The value in Wh at which its registers start again at zero; 0 = never.
    pub register_limit: WattHours,
    /// The last seal sequence it used.
    pub seal_sequence: u32,
    /// Where its registers were last put down (`metering::RegisterMark`).
    pub latest_mark: SettlementPeriod,
}

impl InstalledMeter {
    /// A meter reports nothing that it has not measured.
    pub(crate) fn require_measured(&self, period: SettlementPeriod) -> Result<(), Rejection> {
        if period >= self.from_period {
            return Ok(());
        }
        Err(Rejection::BeforeInstallation {
            period: u64::from(period.get()),
            from_period: u64::from(self.from_period.get()),
        })
    }
}

impl dyn State + '_ {
    /// The meter in service at a usage point; `None` before the first is installed.
    #[must_use]
    pub fn installed_meter(&self, usage_point: UsagePointId) -> Option<InstalledMeter> {
        self.read(&state_key::installed_meter(&usage_point))
    }

    pub(crate) fn put_installed_meter(
        &mut self,
        usage_point: UsagePointId,
        meter: &InstalledMeter,
    ) {
        self.write(state_key::installed_meter(&usage_point), meter);
    }
}
