//! The bodies of transactions as readable JSON, for display only: nobody signs what stands here.
//!
//! The `match` knows every kind: a new transaction does not compile before it can be shown.

use contracts::account::{BuyTokens, RedeemTokens};
use contracts::billing::ChargeTarget;
use contracts::metering::{Registers, SealDay};
use contracts::registry::{RegisterParty, RegisterUsagePoint, UsagePointKind};
use contracts::tariff::AssignmentTarget;
use contracts::{Body, Rules};
use data_encoding::HEXLOWER;
use primitives::calendar::SettlementPeriod;
use primitives::identifier::{StationId, UsagePointId};
use serde_json::{Value, json};

use super::{Period, party, tariff, texts};

/// The fields of a body.
#[must_use]
pub fn body(body: &Body, rules: &Rules) -> Value {
    let period = |period: SettlementPeriod| json!(Period::new(rules.calendar(), period));
    match body {
        Body::AppointRegulator(it) => json!({
            "alias": it.alias.as_str(),
            "key": it.key.to_string(),
            "encryption_key": HEXLOWER.encode(&it.encryption_key),
        }),
        Body::RemoveRegulator(it) => json!({ "party": it.party.to_string() }),
        Body::RegisterParty(it) => register_party(it),
        Body::GrantRole(it) => json!({
            "party": it.party.to_string(), "role": party::role(it.role),
        }),
        Body::RevokeRole(it) => json!({
            "party": it.party.to_string(), "role": party::role(it.role),
        }),
        Body::SuspendParty(it) => json!({ "party": it.party.to_string() }),
        Body::ReinstateParty(it) => json!({ "party": it.party.to_string() }),
        Body::CloseParty(it) => json!({ "party": it.party.to_string() }),
        Body::AddKey(it) => json!({ "key": it.key.to_string() }),
        Body::RevokeKey(it) => json!({ "key_address": it.key.to_string() }),
        Body::RecoverKey(it) => json!({
            "party": it.party.to_string(), "key": it.key.to_string(),
        }),
        Body::RegisterStation(it) => json!({
            "label": it.label.as_str(), "distributor": it.distributor.to_string(),
        }),
        Body::RegisterUsagePoint(it) => register_usage_point(it),
        Body::InstallMeter(it) => json!({
            "usage_point": it.usage_point.to_string(), "meter": it.meter.to_string(),
        }),
        Body::AuthorizeGateway(it) => json!({
            "usage_points": texts(&it.usage_points),
            "gateway": it.gateway.map(|gateway| gateway.to_string()),
        }),
        Body::AssignTariff(it) => json!({
            "target": match it.target {
                AssignmentTarget::UsagePoint(id) => of_usage_point(id),
                AssignmentTarget::Station(id) => of_station(id),
            },
            "tariff": it.tariff.to_string(),
            "first_period": period(it.first_period),
        }),
        Body::PublishTariff(it) => json!({
            "tariff": it.tariff.map(|id| id.to_string()),
            "name": it.name.as_str(),
            "first_period": period(it.first_period),
            "terms": tariff::terms(&it.terms),
        }),
        _ => measured_or_paid(body, rules),
    }
}

/// The other half of the kinds: what is measured, billed, paid, and the clock.
fn measured_or_paid(body: &Body, rules: &Rules) -> Value {
    let period = |period: SettlementPeriod| json!(Period::new(rules.calendar(), period));
    match body {
        Body::SubmitReading(it) => json!({
            "usage_point": it.usage_point.to_string(),
            "period": period(it.period),
            "leaf": it.leaf.to_string(),
        }),
        Body::CorrectReading(it) => json!({
            "usage_point": it.usage_point.to_string(),
            "period": period(it.period),
            "leaf": it.leaf.to_string(),
        }),
        Body::SealDay(it) => seal_day(it),
        Body::SealGatewayBatch(it) => json!({
            "day": it.day.to_string(), "entries": it.entries, "root": it.root.to_string(),
        }),
        Body::PublishFrequency(it) => json!({
            "first_period": period(it.first_period),
            "frequencies_millihertz":
                it.frequencies.iter().map(|value| value.get()).collect::<Vec<_>>(),
        }),
        Body::CorrectFrequency(it) => json!({
            "period": period(it.period), "frequency_millihertz": it.frequency.get(),
        }),
        Body::DeleteFrequency(it) => json!({ "period": period(it.period) }),
        Body::SealFrequencyDay(it) => json!({
            "day": it.day.to_string(), "day_root": it.day_root.to_string(),
        }),
        Body::ChargeSlots(it) => json!({
            "target": match it.target {
                ChargeTarget::UsagePoint(id) => of_usage_point(id),
                ChargeTarget::Station(id) => of_station(id),
            },
            "first_period": period(it.first_period),
            "count": it.count,
        }),
        Body::WithdrawSlotCharge(it) => json!({
            "usage_point": it.usage_point.to_string(), "period": period(it.period),
        }),
        Body::IssueBill(it) => json!({
            "usage_points": texts(&it.usage_points), "billing_period": it.period.to_string(),
        }),
        Body::PayBill(it) => json!({
            "usage_point": it.usage_point.to_string(),
            "amount_micro": it.amount.get().to_string(),
        }),
        Body::PayOutBill(it) => json!({ "bill": it.bill.to_string() }),
        Body::PayDues(it) => json!({
            "creditor": it.creditor.to_string(), "amount_micro": it.amount.get().to_string(),
        }),
        Body::BuyTokens(BuyTokens { aggregator, reference, coin_amount, tokens })
        | Body::RedeemTokens(RedeemTokens { aggregator, reference, coin_amount, tokens }) => {
            json!({
                "aggregator": aggregator.to_string(),
                "reference": reference.as_str(),
                "coin_amount_micro": coin_amount.get().to_string(),
                "tokens_micro": tokens.get().to_string(),
            })
        }
        Body::SetBackingLimit(it) => json!({
            "aggregator": it.aggregator.to_string(), "limit_micro": it.limit.get().to_string(),
        }),
        Body::AdvanceClock(it) => json!({
            "to": it.to.to_string(), "to_ms": it.to.get().to_string(),
        }),
        Body::AppointRegulator(_)
        | Body::RemoveRegulator(_)
        | Body::RegisterParty(_)
        | Body::GrantRole(_)
        | Body::RevokeRole(_)
        | Body::SuspendParty(_)
        | Body::ReinstateParty(_)
        | Body::CloseParty(_)
        | Body::AddKey(_)
        | Body::RevokeKey(_)
        | Body::RecoverKey(_)
        | Body::RegisterStation(_)
        | Body::RegisterUsagePoint(_)
        | Body::InstallMeter(_)
        | Body::AuthorizeGateway(_)
        | Body::AssignTariff(_)
        | Body::PublishTariff(_) => Value::Null,
    }
}

fn register_party(it: &RegisterParty) -> Value {
    let roles: Vec<_> = it.roles.iter().map(|role| party::role(*role)).collect();
    json!({
        "alias": it.alias.as_str(),
        "roles": roles,
        "keys": texts(&it.keys),
        "encryption_key": HEXLOWER.encode(&it.encryption_key),
        "region": it.region.as_str(),
    })
}

fn register_usage_point(it: &RegisterUsagePoint) -> Value {
    json!({
        "label": it.label.as_str(),
        "station": it.station.to_string(),
        "kind": kind(it.kind),
        "customer": it.customer.to_string(),
        "connection_limit_w": it.connection_limit.get().to_string(),
    })
}

fn seal_day(it: &SealDay) -> Value {
    let registers = |registers: &Registers| {
        json!({
            "import_wh": registers.import.get().to_string(),
            "export_wh": registers.export.get().to_string(),
        })
    };
    json!({
        "usage_point": it.usage_point.to_string(),
        "day": it.day.to_string(),
        "sequence": it.sequence,
        "first": registers(&it.first),
        "last": registers(&it.last),
        "day_root": it.day_root.to_string(),
        "corrects": it.corrects.to_vec(),
    })
}

fn of_usage_point(id: UsagePointId) -> Value {
    json!({ "usage_point": id.to_string() })
}

fn of_station(id: StationId) -> Value {
    json!({ "station": id.to_string() })
}

/// The word for a kind of usage point.
#[must_use]
pub const fn kind(kind: UsagePointKind) -> &'static str {
    match kind {
        UsagePointKind::Household => "household",
        UsagePointKind::Boundary => "boundary",
    }
}
