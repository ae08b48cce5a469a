//! The bodies of transactions as readable JSON, for display only: nobody signs what stands here.
//!
//! The `match` knows every kind: a new transaction does not compile before it can be shown.

use std::fmt::Display;

use contracts::account::{BuyTokens, RedeemTokens};
use contracts::billing::{ChargeSlots, ChargeTarget, FineRules, IssueBill};
use contracts::metering::{
    ErasePayloads, EstimateDay, PublishFrequency, PublishStandardProfile, Registers, SealDay,
    SealGatewayBatch, SealPrivateDay, SubstituteDay,
};
use contracts::registry::{
    AppointRegulator, AuthorizeGateway, InstallMeter, RegisterParty, RegisterUsagePoint, Role,
    UsagePointKind,
};
use contracts::tariff::{AmendTariff, AssignTariff, AssignmentTarget, PublishTariff};
use contracts::{Body, Rules};
use data_encoding::HEXLOWER;
use primitives::calendar::SettlementPeriod;
use primitives::hash::Hash;
use primitives::identifier::{PartyId, StationId, UsagePointId};
use serde_json::{Value, json};

use super::bill::BillDraft;
use super::{Period, governance, party, tariff, texts};

/// The fields of a body.
#[must_use]
pub fn body(body: &Body, rules: &Rules) -> Value {
    match body {
        Body::AppointRegulator(it) => appoint_regulator(it),
        Body::RemoveRegulator(it) => pairs([("party", &it.party)]),
        Body::RegisterParty(it) => register_party(it),
        Body::GrantRole(it) => role(it.party, it.role),
        Body::RevokeRole(it) => role(it.party, it.role),
        Body::SuspendParty(it) => pairs([("party", &it.party)]),
        Body::ReinstateParty(it) => pairs([("party", &it.party)]),
        Body::CloseParty(it) => pairs([("party", &it.party)]),
        Body::AddKey(it) => pairs([("key", &it.key)]),
        Body::RevokeKey(it) => pairs([("key_address", &it.key)]),
        Body::RecoverKey(it) => pairs([("party", &it.party), ("key", &it.key)]),
        Body::RegisterStation(it) => {
            pairs([("label", &it.label), ("distributor", &it.distributor)])
        }
        Body::RegisterUsagePoint(it) => register_usage_point(it),
        Body::InstallMeter(it) => install_meter(it, rules),
        Body::AuthorizeGateway(it) => authorize_gateway(it),
        Body::SubmitReading(it) => reading(it.usage_point, it.period, &it.leaf, rules),
        Body::SealDay(it) => seal_day(it),
        Body::SealPrivateDay(it) => seal_private_day(it),
        Body::SubstituteDay(it) => substitute_day(it),
        Body::ErasePayloads(it) => erase_payloads(it),
        Body::CorrectReading(it) => reading(it.usage_point, it.period, &it.leaf, rules),
        Body::SealGatewayBatch(it) => seal_gateway_batch(it),
        Body::PublishFrequency(it) => publish_frequency(it, rules),
        Body::CorrectFrequency(it) => json!({
            "period": period(it.period, rules), "frequency_millihertz": it.frequency.get(),
        }),
        Body::DeleteFrequency(it) => json!({ "period": period(it.period, rules) }),
        Body::EstimateDay(it) => estimate_day(it),
        Body::PublishStandardProfile(it) => publish_standard_profile(it),
        Body::SealFrequencyDay(it) => pairs([("day", &it.day), ("day_root", &it.day_root)]),
        Body::PublishTariff(it) => publish_tariff(it, rules),
        Body::AssignTariff(it) => assign_tariff(it, rules),
        Body::AmendTariff(it) => amend_tariff(it, rules),
        Body::ChargeSlots(_)
        | Body::WithdrawSlotCharge(_)
        | Body::IssueBill(_)
        | Body::IssuePrivateBill(_)
        | Body::PayBill(_)
        | Body::PayOutBill(_)
        | Body::PayOutCredit(_)
        | Body::DisputeBill(_)
        | Body::DecideDispute(_)
        | Body::SetFineRules(_)
        | Body::CarryBill(_)
        | Body::IssueStatement(_)
        | Body::PayDues(_) => of_billing(body, rules),
        Body::BuyTokens(BuyTokens { aggregator, reference, coin_amount, tokens })
        | Body::RedeemTokens(RedeemTokens { aggregator, reference, coin_amount, tokens }) => {
            of_tokens(aggregator, reference, coin_amount.get(), tokens.get())
        }
        Body::SetBackingLimit(it) => {
            pairs([("aggregator", &it.aggregator), ("limit_micro", &it.limit.get())])
        }
        Body::AdmitLedger(_)
        | Body::NotariseHead(_)
        | Body::RegisterNode(_)
        | Body::RemoveNode(_)
        | Body::RotateNodeKey(_)
        | Body::ProposeChange(_)
        | Body::ApproveChange(_)
        | Body::RequestCheckpoint(_)
        | Body::AttestCheckpoint(_)
        | Body::AdvanceClock(_) => of_governance(body),
    }
}

fn of_tokens(aggregator: &PartyId, reference: &str, coin: i64, tokens: i64) -> Value {
    pairs([
        ("aggregator", aggregator),
        ("reference", &reference),
        ("coin_amount_micro", &coin),
        ("tokens_micro", &tokens),
    ])
}

/// The bodies about how the ledger runs.
fn of_governance(body: &Body) -> Value {
    match body {
        Body::AdmitLedger(it) => {
            pairs([("ledger_id", &it.genesis.ledger_id()), ("name", &it.genesis.name)])
        }
        Body::NotariseHead(it) => pairs([
            ("ledger_id", &it.ledger_id),
            ("height", &it.head.header.height),
            ("header_hash", &it.head.header.hash()),
        ]),
        Body::RegisterNode(it) => {
            pairs([("node_key", &it.key), ("peer_address", &it.peer_address)])
        }
        Body::RemoveNode(it) => pairs([("node", &it.node)]),
        Body::RotateNodeKey(it) => pairs([("from_node", &it.from), ("to_node", &it.to)]),
        Body::ProposeChange(it) => governance::change(&it.change),
        Body::ApproveChange(it) => pairs([("proposal", &it.proposal)]),
        Body::RequestCheckpoint(_) => json!({}),
        Body::AttestCheckpoint(it) => {
            json!({ "height": it.height.get(), "root": it.root.to_string() })
        }
        Body::AdvanceClock(it) => pairs([("to", &it.to), ("to_ms", &it.to.get())]),
        _ => Value::Null,
    }
}

/// The bodies about bills and what is owed.
fn of_billing(body: &Body, rules: &Rules) -> Value {
    match body {
        Body::ChargeSlots(it) => charge_slots(it, rules),
        Body::WithdrawSlotCharge(it) => json!({
            "usage_point": it.usage_point.to_string(), "period": period(it.period, rules),
        }),
        Body::IssueBill(it) => issue_bill(it),
        Body::IssuePrivateBill(it) => json!(BillDraft::new(it)),
        Body::PayBill(it) => {
            pairs([("usage_point", &it.usage_point), ("amount_micro", &it.amount.get())])
        }
        Body::PayOutBill(it) => pairs([("bill", &it.bill)]),
        Body::PayOutCredit(it) => {
            pairs([("usage_point", &it.usage_point), ("amount_micro", &it.amount.get())])
        }
        Body::DisputeBill(it) => pairs([
            ("bill", &it.bill),
            ("amount_micro", &it.amount.get()),
            ("reason_hash", &it.reason_hash),
        ]),
        Body::DecideDispute(it) => pairs([("bill", &it.bill), ("upheld_micro", &it.upheld.get())]),
        Body::SetFineRules(it) => json!({
            "distributor": it.distributor.map(|id| id.to_string()),
            "rules": fine_rules(&it.rules),
        }),
        Body::CarryBill(it) => pairs([("bill", &it.bill)]),
        Body::IssueStatement(it) => {
            pairs([("usage_point", &it.usage_point), ("billing_period", &it.period)])
        }
        Body::PayDues(it) => {
            pairs([("creditor", &it.creditor), ("amount_micro", &it.amount.get())])
        }
        _ => Value::Null,
    }
}

/// When and how much is fined.
pub(super) fn fine_rules(it: &FineRules) -> Value {
    json!({
        "threshold_micro": it.threshold.get().to_string(),
        "grace_days": it.grace_days,
        "fixed_micro": it.fixed.get().to_string(),
        "daily_basis_points": it.daily.get(),
        "cap_basis_points": it.cap.get(),
    })
}

/// Fields that are written as their text.
pub(super) fn pairs<const N: usize>(fields: [(&str, &dyn Display); N]) -> Value {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value.to_string())))
        .collect()
}

fn period(period: SettlementPeriod, rules: &Rules) -> Value {
    json!(Period::new(rules.calendar(), period))
}

fn appoint_regulator(it: &AppointRegulator) -> Value {
    let encryption_key = HEXLOWER.encode(&it.encryption_key);
    pairs([("alias", &it.alias), ("key", &it.key), ("encryption_key", &encryption_key)])
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

fn role(party: PartyId, role: Role) -> Value {
    pairs([("party", &party), ("role", &party::role(role))])
}

fn register_usage_point(it: &RegisterUsagePoint) -> Value {
    pairs([
        ("label", &it.label),
        ("station", &it.station),
        ("kind", &kind(it.kind)),
        ("customer", &it.customer),
        ("connection_limit_w", &it.connection_limit.get()),
    ])
}

fn authorize_gateway(it: &AuthorizeGateway) -> Value {
    json!({
        "usage_points": texts(&it.usage_points),
        "gateway": it.gateway.map(|gateway| gateway.to_string()),
    })
}

fn reading(usage_point: UsagePointId, of: SettlementPeriod, leaf: &Hash, rules: &Rules) -> Value {
    json!({
        "usage_point": usage_point.to_string(),
        "period": period(of, rules),
        "leaf": leaf.to_string(),
    })
}

fn install_meter(it: &InstallMeter, rules: &Rules) -> Value {
    json!({
        "usage_point": it.usage_point.to_string(),
        "meter": it.meter.to_string(),
        "from_period": period(it.from_period, rules),
        "first": registers(&it.first),
        "register_limit_wh": it.register_limit.get().to_string(),
        "former_last": it.former_last.as_ref().map(registers),
    })
}

fn estimate_day(it: &EstimateDay) -> Value {
    json!({
        "usage_point": it.usage_point.to_string(),
        "day": it.day.to_string(),
        "profile": it.profile.map(|profile| profile.to_string()),
        "day_root": it.day_root.to_string(),
    })
}

fn publish_standard_profile(it: &PublishStandardProfile) -> Value {
    json!({
        "name": it.name.as_str(),
        "import_wh": texts(&it.import_wh),
        "export_wh": texts(&it.export_wh),
    })
}

fn registers(registers: &Registers) -> Value {
    pairs([("import_wh", &registers.import.get()), ("export_wh", &registers.export.get())])
}

fn seal_day(it: &SealDay) -> Value {
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

fn amend_tariff(it: &AmendTariff, rules: &Rules) -> Value {
    json!({
        "tariff": it.tariff.to_string(),
        "first_period": period(it.first_period, rules),
        "terms": tariff::terms(&it.terms),
    })
}

fn seal_gateway_batch(it: &SealGatewayBatch) -> Value {
    json!({ "day": it.day.to_string(), "entries": it.entries, "root": it.root.to_string() })
}

fn seal_private_day(it: &SealPrivateDay) -> Value {
    json!({
        "usage_point": it.usage_point.to_string(),
        "day": it.day.to_string(),
        "sequence": it.sequence,
        "day_root": it.day_root.to_string(),
        "registers": it.registers.to_string(),
    })
}

fn substitute_day(it: &SubstituteDay) -> Value {
    pairs([("usage_point", &it.usage_point), ("day", &it.day), ("day_root", &it.day_root)])
}

fn erase_payloads(it: &ErasePayloads) -> Value {
    let (first, last) = (&it.first_day, &it.last_day);
    pairs([("usage_point", &it.usage_point), ("first_day", first), ("last_day", last)])
}

fn publish_frequency(it: &PublishFrequency, rules: &Rules) -> Value {
    let frequencies: Vec<_> = it.frequencies.iter().map(|value| value.get()).collect();
    json!({
        "first_period": period(it.first_period, rules), "frequencies_millihertz": frequencies,
    })
}

fn publish_tariff(it: &PublishTariff, rules: &Rules) -> Value {
    json!({
        "tariff": it.tariff.map(|id| id.to_string()),
        "name": it.name.as_str(),
        "first_period": period(it.first_period, rules),
        "terms": tariff::terms(&it.terms),
    })
}

fn assign_tariff(it: &AssignTariff, rules: &Rules) -> Value {
    json!({
        "target": match it.target {
            AssignmentTarget::UsagePoint(id) => of_usage_point(id),
            AssignmentTarget::Station(id) => of_station(id),
        },
        "tariff": it.tariff.to_string(),
        "first_period": period(it.first_period, rules),
    })
}

fn charge_slots(it: &ChargeSlots, rules: &Rules) -> Value {
    json!({
        "target": match it.target {
            ChargeTarget::UsagePoint(id) => of_usage_point(id),
            ChargeTarget::Station(id) => of_station(id),
        },
        "first_period": period(it.first_period, rules),
        "count": it.count,
    })
}

fn issue_bill(it: &IssueBill) -> Value {
    json!({
        "usage_points": texts(&it.usage_points), "billing_period": it.period.to_string(),
    })
}

fn of_usage_point(id: UsagePointId) -> Value {
    pairs([("usage_point", &id)])
}

fn of_station(id: StationId) -> Value {
    pairs([("station", &id)])
}

/// The word for a kind of usage point.
#[must_use]
pub const fn kind(kind: UsagePointKind) -> &'static str {
    match kind {
        UsagePointKind::Household => "household",
        UsagePointKind::Boundary => "boundary",
    }
}
