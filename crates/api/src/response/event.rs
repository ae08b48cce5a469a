//! Events as readable JSON: ids for everybody, values for those who may see them.
//!
//! The `match` knows every event: a new one does not compile before it can be shown.

use contracts::account::Account;
use contracts::billing::BillIssued;
use contracts::{Event, Rules};
use primitives::calendar::SettlementPeriod;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::account::AccountName;
use super::body::{fine_rules, pairs};
use super::{Period, party, receipt};

/// What happened.
#[derive(Debug, Clone, Serialize, JsonSchema)]
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
        let values = values(event);
        let withheld = values.is_some() && !seen;
        let of = open(event, rules);
        Self { name: event.name(), of, values: values.filter(|_| seen), withheld }
    }
}

/// What everybody may see.
fn open(event: &Event, rules: &Rules) -> Value {
    match event {
        Event::AlreadyRecorded {} | Event::Rejected { .. } => json!({}),
        Event::PartyRegistered { party } => pairs([("party", party)]),
        Event::RoleGranted { party, role } | Event::RoleRevoked { party, role } => {
            pairs([("party", party), ("role", &party::role(*role))])
        }
        Event::PartyStatusChanged { party, status } => {
            pairs([("party", party), ("status", &party::status(*status))])
        }
        Event::KeyAdded { .. } | Event::KeyRevoked { .. } => of_keys(event),
        Event::StationRegistered { station } => pairs([("station", station)]),
        Event::UsagePointRegistered { usage_point }
        | Event::CreditChanged { usage_point, .. }
        | Event::CreditPaidOut { usage_point, .. }
        | Event::FineReversed { usage_point, .. } => pairs([("usage_point", usage_point)]),
        Event::GatewayAuthorized { .. } | Event::PayloadsErased { .. } => of_usage_point(event),
        Event::BillIssued(_)
        | Event::BillRefused { .. }
        | Event::BillPaid { .. }
        | Event::BillPaidOut { .. }
        | Event::BillCarried { .. }
        | Event::BillDisputed { .. }
        | Event::DisputeDecided { .. }
        | Event::FineRulesSet { .. }
        | Event::StatementIssued { .. }
        | Event::CreditNoteIssued { .. } => of_bills(event),
        Event::Posted { debit, credit, .. } => {
            json!({ "debit": account(debit), "credit": account(credit) })
        }
        Event::TokensBought { buyer: holder, aggregator, .. }
        | Event::TokensRedeemed { holder, aggregator, .. } => {
            pairs([("party", holder), ("aggregator", aggregator)])
        }
        Event::StandardProfilePublished { publisher, profile } => {
            pairs([("publisher", publisher), ("profile", profile)])
        }
        Event::BackingLimitSet { aggregator, limit } => {
            pairs([("aggregator", aggregator), ("limit_micro", &limit.get())])
        }
        Event::LedgerAdmitted { .. } | Event::HeadNotarised { .. } | Event::ForkProven { .. } => {
            of_notary(event)
        }
        Event::NodeRegistered { .. }
        | Event::NodeRemoved { .. }
        | Event::ChangeProposed { .. }
        | Event::ChangeApproved { .. }
        | Event::ChangeAccepted { .. }
        | Event::ValidatorsScheduled { .. }
        | Event::CheckpointRequested { .. }
        | Event::CheckpointAttested { .. }
        | Event::CheckpointAgreed { .. }
        | Event::ClockAdvanced { .. } => of_governance(event),
        Event::MeterInstalled { .. }
        | Event::ReadingSubmitted { .. }
        | Event::ReadingLate { .. }
        | Event::DayEstimated { .. }
        | Event::DaySealed { .. }
        | Event::ReadingCorrected { .. }
        | Event::FrequencyPublished { .. }
        | Event::FrequencyCorrected { .. }
        | Event::FrequencyDaySealed { .. }
        | Event::TariffPublished { .. }
        | Event::TariffAssigned { .. }
        | Event::SlotsCharged { .. }
        | Event::SlotChargeWithdrawn { .. } => of_periods(event, rules),
    }
}

/// The events about a usage point as such.
fn of_usage_point(event: &Event) -> Value {
    match event {
        Event::GatewayAuthorized { usage_point, gateway } => json!({
            "usage_point": usage_point.to_string(),
            "gateway": gateway.map(|gateway| gateway.to_string()),
        }),
        Event::PayloadsErased { usage_point, first_day, last_day, by } => pairs([
            ("usage_point", usage_point),
            ("first_day", first_day),
            ("last_day", last_day),
            ("by", by),
        ]),
        _ => Value::Null,
    }
}

/// The events about keys.
fn of_keys(event: &Event) -> Value {
    match event {
        Event::KeyAdded { party, key, active_from } => {
            pairs([("party", party), ("key_address", key), ("active_from", active_from)])
        }
        Event::KeyRevoked { key } => pairs([("key_address", key)]),
        _ => Value::Null,
    }
}

/// The events about other ledgers.
fn of_notary(event: &Event) -> Value {
    match event {
        Event::LedgerAdmitted { ledger_id, regulator } => {
            pairs([("ledger_id", ledger_id), ("regulator", regulator)])
        }
        Event::HeadNotarised { ledger_id, height, header_hash, regulator } => pairs([
            ("ledger_id", ledger_id),
            ("height", height),
            ("header_hash", header_hash),
            ("regulator", regulator),
        ]),
        Event::ForkProven { ledger_id, height, first, second } => pairs([
            ("ledger_id", ledger_id),
            ("height", height),
            ("first_header_hash", first),
            ("second_header_hash", second),
        ]),
        _ => Value::Null,
    }
}

/// The events about how the ledger runs.
fn of_governance(event: &Event) -> Value {
    match event {
        Event::NodeRegistered { organisation, node }
        | Event::NodeRemoved { organisation, node } => {
            pairs([("organisation", organisation), ("node", node)])
        }
        Event::ChangeProposed { proposal, proposer } => {
            pairs([("proposal", proposal), ("proposer", proposer)])
        }
        Event::ChangeApproved { proposal, party } => {
            pairs([("proposal", proposal), ("party", party)])
        }
        Event::ChangeAccepted { proposal, acts_from } => {
            json!({ "proposal": proposal.to_string(), "acts_from_height": acts_from })
        }
        Event::ValidatorsScheduled { epoch, validators_hash } => {
            json!({ "epoch": epoch, "validators_hash": validators_hash.to_string() })
        }
        Event::CheckpointRequested { height } => json!({ "height": height.get() }),
        Event::CheckpointAttested { height, root, validator } => json!({
            "height": height.get(),
            "root": root.to_string(),
            "validator": validator.to_string(),
        }),
        Event::CheckpointAgreed { height, root } => {
            json!({ "height": height.get(), "root": root.to_string() })
        }
        Event::ClockAdvanced { to } => pairs([("to", to), ("to_ms", &to.get())]),
        _ => Value::Null,
    }
}

/// The events that are about bills.
fn of_bills(event: &Event) -> Value {
    match event {
        Event::BillIssued(issued) => bill_issued(issued),
        Event::BillRefused { usage_point, period, code } => json!({
            "usage_point": usage_point.to_string(),
            "billing_period": period.to_string(),
            "code": code,
            "code_name": receipt::name(*code),
        }),
        Event::BillPaid { bill, .. }
        | Event::BillPaidOut { bill, .. }
        | Event::BillCarried { bill, .. }
        | Event::DisputeDecided { bill, .. } => pairs([("bill", bill)]),
        Event::BillDisputed { bill, reason_hash, .. } => {
            pairs([("bill", bill), ("reason_hash", reason_hash)])
        }
        Event::FineRulesSet { distributor, from, rules } => json!({
            "distributor": distributor.map(|id| id.to_string()),
            "from": from.to_string(),
            "rules": fine_rules(rules),
        }),
        Event::StatementIssued { usage_point, period, revision, statement_hash, .. } => json!({
            "usage_point": usage_point.to_string(),
            "billing_period": period.to_string(),
            "revision": revision,
            "statement_hash": statement_hash.to_string(),
        }),
        Event::CreditNoteIssued { bill, replaced_by, .. } => {
            pairs([("bill", bill), ("replaced_by", replaced_by)])
        }
        _ => Value::Null,
    }
}

/// The events that are about days and settlement periods.
fn of_periods(event: &Event, rules: &Rules) -> Value {
    let period = |period: &SettlementPeriod| json!(Period::new(rules.calendar(), *period));
    match event {
        Event::ReadingSubmitted { usage_point, period: it }
        | Event::SlotChargeWithdrawn { usage_point, period: it } => json!({
            "usage_point": usage_point.to_string(), "period": period(it),
        }),
        Event::MeterInstalled { usage_point, meter, from_period } => json!({
            "usage_point": usage_point.to_string(),
            "meter": meter.to_string(),
            "from_period": period(from_period),
        }),
        Event::ReadingLate { usage_point, period: it, late_periods } => json!({
            "usage_point": usage_point.to_string(),
            "period": period(it),
            "late_periods": late_periods,
        }),
        Event::DayEstimated {
            usage_point,
            day,
            interpolated,
            same_weekday,
            standard_profile,
            unmoved,
        } => json!({
            "usage_point": usage_point.to_string(),
            "day": day.to_string(),
            "interpolated": interpolated,
            "same_weekday": same_weekday,
            "standard_profile": standard_profile,
            "unmoved": unmoved,
        }),
        Event::DaySealed { usage_point, day, day_root, revision } => json!({
            "usage_point": usage_point.to_string(),
            "day": day.to_string(),
            "day_root": day_root.to_string(),
            "revision": revision,
        }),
        Event::ReadingCorrected { usage_point, period: it, revision } => json!({
            "usage_point": usage_point.to_string(), "period": period(it), "revision": revision,
        }),
        Event::FrequencyPublished { first_period, count } => json!({
            "first_period": period(first_period), "count": count,
        }),
        Event::FrequencyCorrected { period: it, before, after, revision } => json!({
            "period": period(it),
            "before_millihertz": before.map(|value| value.get()),
            "after_millihertz": after.map(|value| value.get()),
            "revision": revision,
        }),
        Event::FrequencyDaySealed { day, day_root } => {
            pairs([("day", day), ("day_root", day_root)])
        }
        Event::TariffPublished { tariff, version, first_period } => json!({
            "tariff": tariff.to_string(), "version": version, "first_period": period(first_period),
        }),
        Event::TariffAssigned { usage_point, tariff, first_period } => json!({
            "usage_point": usage_point.to_string(),
            "tariff": tariff.to_string(),
            "first_period": period(first_period),
        }),
        Event::SlotsCharged { usage_point, first_period, charged, skipped, .. } => json!({
            "usage_point": usage_point.to_string(),
            "first_period": period(first_period),
            "charged": charged,
            "skipped": skipped,
        }),
        _ => Value::Null,
    }
}

/// Energy and money: not for everybody.
fn values(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Rejected { numbers } => {
            let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
            json!({ "numbers": numbers })
        }
        Event::SlotsCharged { import, export, amount, .. } => pairs([
            ("import_wh", &import.get()),
            ("export_wh", &export.get()),
            ("amount_milli_micro", &amount.get()),
        ]),
        Event::BillIssued(issued) => pairs([("total_micro", &issued.total.get())]),
        Event::BillPaid { amount, open, .. } => {
            pairs([("amount_micro", &amount.get()), ("open_micro", &open.get())])
        }
        Event::CreditNoteIssued { amount, released, .. } => {
            pairs([("amount_micro", &amount.get()), ("released_micro", &released.get())])
        }
        Event::DisputeDecided { amount, upheld, .. } => {
            pairs([("amount_micro", &amount.get()), ("upheld_micro", &upheld.get())])
        }
        Event::FineReversed { amount, credited, .. } => {
            pairs([("amount_micro", &amount.get()), ("credited_micro", &credited.get())])
        }
        Event::StatementIssued { total, .. } => pairs([("total_micro", &total.get())]),
        Event::CreditChanged { credit, .. } => pairs([("credit_micro", &credit.get())]),
        Event::BillPaidOut { amount, .. }
        | Event::BillCarried { amount, .. }
        | Event::CreditPaidOut { amount, .. }
        | Event::BillDisputed { amount, .. }
        | Event::Posted { amount, .. } => pairs([("amount_micro", &amount.get())]),
        Event::TokensBought { coin_amount, tokens, .. }
        | Event::TokensRedeemed { coin_amount, tokens, .. } => {
            pairs([("coin_amount_micro", &coin_amount.get()), ("tokens_micro", &tokens.get())])
        }
        _ => return None,
    })
}

fn bill_issued(issued: &BillIssued) -> Value {
    json!({
        "bill": issued.bill.to_string(),
        "usage_point": issued.usage_point.to_string(),
        "number": issued.number,
        "billing_period": issued.period.to_string(),
        "revision": issued.revision,
        "bill_hash": issued.bill_hash.to_string(),
        "readings_root": issued.readings_root.to_string(),
        "frequency_root": issued.frequency_root.to_string(),
        "tariff_hash": issued.tariff_hash.to_string(),
    })
}

fn account(account: &Account) -> Value {
    pairs([("party", &account.party), ("account", &AccountName(account.kind))])
}
