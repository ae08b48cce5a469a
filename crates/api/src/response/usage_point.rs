//! Usage points.

use contracts::Rules;
use contracts::billing::BillingAccount;
use contracts::registry::{InstalledMeter, UsagePoint};
use contracts::tariff::TariffAssignments;
use primitives::identifier::UsagePointId;
use schemars::JsonSchema;
use serde::Serialize;

use super::Period;

/// A usage point in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UsagePointEntry {
    /// Its id.
    pub usage_point: String,
    /// Its label, unique in its station.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The station it hangs below.
    pub station: String,
    /// `household` or `boundary`.
    pub kind: &'static str,
    /// Who is billed.
    pub customer: String,
    /// Who bills.
    pub biller: String,
    /// The label and the values are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

impl UsagePointEntry {
    /// A usage point; `seen` = the reader may see its values.
    #[must_use]
    pub fn new(id: UsagePointId, usage_point: &UsagePoint, seen: bool) -> Self {
        Self {
            usage_point: id.to_string(),
            label: seen.then(|| usage_point.label.to_string()),
            station: usage_point.station.to_string(),
            kind: super::body::kind(usage_point.kind),
            customer: usage_point.customer.to_string(),
            biller: usage_point.biller.to_string(),
            withheld: !seen,
        }
    }
}

/// A usage point.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UsagePointDetail {
    /// The usage point.
    #[serde(flatten)]
    pub entry: UsagePointEntry,
    /// The gateway that may report for it.
    pub gateway: Option<String>,
    /// The address of its meter's key.
    pub meter: Option<String>,
    /// The last seal sequence its meter used.
    pub seal_sequence: u32,
    /// The first period that its meter measures.
    pub meter_from_period: Option<Period>,
    /// Where its meter's registers start again; `"0"` = never.
    pub register_limit_wh: Option<String>,
    /// Which tariff holds from which period on.
    pub tariffs: Vec<AssignmentEntry>,
    /// How many bills were issued.
    pub bills: u32,
    /// The most that the connection carries, either way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_limit_w: Option<String>,
    /// Overpayment that the next bill uses up first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_micro: Option<String>,
}

/// A tariff from a period on.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AssignmentEntry {
    /// The first period it holds in.
    pub first_period: Period,
    /// The tariff.
    pub tariff: String,
}

impl UsagePointDetail {
    /// A usage point; `entry` tells whether the reader may see its values.
    #[must_use]
    pub fn new(
        entry: UsagePointEntry,
        usage_point: &UsagePoint,
        (assignments, account, meter): (&TariffAssignments, BillingAccount, Option<InstalledMeter>),
        rules: &Rules,
    ) -> Self {
        let seen = !entry.withheld;
        let tariffs = assignments.iter().map(|(first_period, tariff)| AssignmentEntry {
            first_period: Period::new(rules.calendar(), *first_period),
            tariff: tariff.to_string(),
        });
        Self {
            entry,
            gateway: usage_point.gateway.map(|gateway| gateway.to_string()),
            meter: usage_point.meter.map(|meter| meter.to_string()),
            seal_sequence: meter.map_or(0, |meter| meter.seal_sequence),
            meter_from_period: meter.map(|meter| Period::new(rules.calendar(), meter.from_period)),
            register_limit_wh: meter.map(|meter| meter.register_limit.get().to_string()),
            tariffs: tariffs.collect(),
            bills: account.bills,
            connection_limit_w: seen.then(|| usage_point.connection_limit.get().to_string()),
            credit_micro: seen.then(|| account.credit.get().to_string()),
        }
    }
}
