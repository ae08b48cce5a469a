//! Events as readable JSON: ids for everybody, values for those who may see them.

use contracts::account::Account;
use contracts::billing::BillIssued;
use contracts::{Event, Rules};
use primitives::calendar::SettlementPeriod;
use serde::Serialize;
use serde_json::{Value, json};

use super::account::AccountName;
use super::{Period, party};

/// What happened.
#[derive(Debug, Clone, Serialize)]
pub struct EventEntry {
    /// The event's name.
    pub name: &'static str,
    /// What it names: ids, hashes, codes, public values.
    pub of: Value,
    /// The values, for those who may see them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Value>,
    /// The values are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

impl EventEntry {
    /// An event; `seen` = the reader may see its values.
    #[must_use]
    pub fn new(event: &Event, rules: &Rules, seen: bool) -> Self {
        let (of, values) = parts(event, rules);
        let withheld = values.is_some() && !seen;
        Self { name: event.name(), of, values: values.filter(|_| seen), withheld }
    }
}

/// What is open to everybody, and what is not.
fn parts(event: &Event, rules: &Rules) -> (Value, Option<Value>) {
    let period = |period: SettlementPeriod| json!(Period::new(rules.calendar(), period));
    let open = match event {
        Event::AlreadyRecorded {} => json!({}),
        Event::PartyRegistered { party } => json!({ "party": party.to_string() }),
        Event::RoleGranted { party, role } | Event::RoleRevoked { party, role } => {
            json!({ "party": party.to_string(), "role": party::role(*role) })
        }
        Event::PartyStatusChanged { party, status } => {
            json!({ "party": party.to_string(), "status": party::status(*status) })
        }
        Event::KeyAdded { party, key, active_from } => json!({
            "party": party.to_string(),
            "key_address": key.to_string(),
            "active_from": active_from.to_string(),
        }),
        Event::KeyRevoked { key } => json!({ "key_address": key.to_string() }),
        Event::StationRegistered { station } => json!({ "station": station.to_string() }),
        Event::UsagePointRegistered { usage_point } => {
            json!({ "usage_point": usage_point.to_string() })
        }
        Event::MeterInstalled { usage_point, meter } => json!({
            "usage_point": usage_point.to_string(), "meter": meter.to_string(),
        }),
        Event::GatewayAuthorized { usage_point, gateway } => json!({
            "usage_point": usage_point.to_string(),
            "gateway": gateway.map(|gateway| gateway.to_string()),
        }),
        Event::ReadingSubmitted { usage_point, period: it }
        | Event::SlotChargeWithdrawn { usage_point, period: it } => json!({
            "usage_point": usage_point.to_string(), "period": period(*it),
        }),
        Event::DaySealed { usage_point, day, day_root, revision } => json!({
            "usage_point": usage_point.to_string(),
            "day": day.to_string(),
            "day_root": day_root.to_string(),
            "revision": revision,
        }),
        Event::ReadingCorrected { usage_point, period: it, revision } => json!({
            "usage_point": usage_point.to_string(), "period": period(*it), "revision": revision,
        }),
        Event::FrequencyPublished { first_period, count } => json!({
            "first_period": period(*first_period), "count": count,
        }),
        Event::FrequencyCorrected { period: it, before, after, revision } => json!({
            "period": period(*it),
            "before_millihertz": before.map(|value| value.get()),
            "after_millihertz": after.map(|value| value.get()),
            "revision": revision,
        }),
        Event::FrequencyDaySealed { day, day_root } => json!({
            "day": day.to_string(), "day_root": day_root.to_string(),
        }),
        Event::TariffPublished { tariff, version, first_period } => json!({
            "tariff": tariff.to_string(), "version": version, "first_period": period(*first_period),
        }),
        Event::TariffAssigned { usage_point, tariff, first_period } => json!({
            "usage_point": usage_point.to_string(),
            "tariff": tariff.to_string(),
            "first_period": period(*first_period),
        }),
        Event::BillRefused { usage_point, period, code } => json!({
            "usage_point": usage_point.to_string(),
            "billing_period": period.to_string(),
            "code": code,
            "code_name": super::receipt::name(*code),
        }),
        Event::BackingLimitSet { aggregator, limit } => json!({
            "aggregator": aggregator.to_string(), "limit_micro": limit.get().to_string(),
        }),
        Event::ClockAdvanced { to } => json!({
            "to": to.to_string(), "to_ms": to.get().to_string(),
        }),
        _ => return parts_with_values(event, rules),
    };
    (open, None)
}

/// The events that hold energy or money.
fn parts_with_values(event: &Event, rules: &Rules) -> (Value, Option<Value>) {
    let (of, values) = match event {
        Event::Rejected { numbers } => {
            let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
            (json!({}), json!({ "numbers": numbers }))
        }
        Event::SlotsCharged {
            usage_point,
            first_period,
            charged,
            skipped,
            import,
            export,
            amount,
        } => (
            json!({
                "usage_point": usage_point.to_string(),
                "first_period": Period::new(rules.calendar(), *first_period),
                "charged": charged,
                "skipped": skipped,
            }),
            json!({
                "import_wh": import.get().to_string(),
                "export_wh": export.get().to_string(),
                "amount_milli_micro": amount.get().to_string(),
            }),
        ),
        Event::BillIssued(issued) => bill_issued(issued),
        Event::BillPaid { bill, amount, open } => (
            json!({ "bill": bill.to_string() }),
            json!({
                "amount_micro": amount.get().to_string(), "open_micro": open.get().to_string(),
            }),
        ),
        Event::CreditChanged { usage_point, credit } => (
            json!({ "usage_point": usage_point.to_string() }),
            json!({ "credit_micro": credit.get().to_string() }),
        ),
        Event::BillPaidOut { bill, amount } => (
            json!({ "bill": bill.to_string() }),
            json!({ "amount_micro": amount.get().to_string() }),
        ),
        Event::Posted { debit, credit, amount } => (
            json!({ "debit": account(debit), "credit": account(credit) }),
            json!({ "amount_micro": amount.get().to_string() }),
        ),
        Event::TokensBought { buyer: holder, aggregator, coin_amount, tokens }
        | Event::TokensRedeemed { holder, aggregator, coin_amount, tokens } => (
            json!({ "party": holder.to_string(), "aggregator": aggregator.to_string() }),
            json!({
                "coin_amount_micro": coin_amount.get().to_string(),
                "tokens_micro": tokens.get().to_string(),
            }),
        ),
        Event::AlreadyRecorded {}
        | Event::PartyRegistered { .. }
        | Event::RoleGranted { .. }
        | Event::RoleRevoked { .. }
        | Event::PartyStatusChanged { .. }
        | Event::KeyAdded { .. }
        | Event::KeyRevoked { .. }
        | Event::StationRegistered { .. }
        | Event::UsagePointRegistered { .. }
        | Event::MeterInstalled { .. }
        | Event::GatewayAuthorized { .. }
        | Event::ReadingSubmitted { .. }
        | Event::SlotChargeWithdrawn { .. }
        | Event::DaySealed { .. }
        | Event::ReadingCorrected { .. }
        | Event::FrequencyPublished { .. }
        | Event::FrequencyCorrected { .. }
        | Event::FrequencyDaySealed { .. }
        | Event::TariffPublished { .. }
        | Event::TariffAssigned { .. }
        | Event::BillRefused { .. }
        | Event::BackingLimitSet { .. }
        | Event::ClockAdvanced { .. } => return (Value::Null, None),
    };
    (of, Some(values))
}

fn bill_issued(issued: &BillIssued) -> (Value, Value) {
    let of = json!({
        "bill": issued.bill.to_string(),
        "usage_point": issued.usage_point.to_string(),
        "number": issued.number,
        "billing_period": issued.period.to_string(),
        "revision": issued.revision,
        "bill_hash": issued.bill_hash.to_string(),
        "readings_root": issued.readings_root.to_string(),
        "frequency_root": issued.frequency_root.to_string(),
        "tariff_hash": issued.tariff_hash.to_string(),
    });
    (of, json!({ "total_micro": issued.total.get().to_string() }))
}

fn account(account: &Account) -> Value {
    json!({
        "party": account.party.to_string(), "account": AccountName(account.kind).to_string(),
    })
}
