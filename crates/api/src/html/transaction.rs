//! The page of a transaction with its receipt.

use serde_json::Value;

use super::{Markup, code, facts, link, page, section, table, text, withheld};
use crate::response::event::EventEntry;
use crate::response::status::Status;
use crate::response::transaction::TransactionDetail;

/// The page of a transaction.
#[must_use]
pub fn transaction(status: &Status, it: &TransactionDetail) -> String {
    let mut rows = vec![
        ("Id", code(&it.transaction_id)),
        ("Block", link(format!("/blocks/{}", it.height), &text(&it.height))),
        ("Place", text(it.index)),
        ("Time", text(&it.time)),
        ("Kind", text(format!("{} {}", it.kind, it.kind_name))),
        ("Signer", code(&it.signer)),
    ];
    rows.extend(it.cosigners.iter().map(|key| ("Cosigner", code(key))));
    rows.push(("Sequence", text(&it.sequence)));
    let outcome = format!("{} {}", it.receipt.code, it.receipt.name);
    rows.push(("Outcome", text(outcome)));
    if !it.receipt.text.is_empty() {
        rows.push(("Reason", text(&it.receipt.text)));
    }
    let mut content = facts(rows);
    let body = match &it.body {
        Some(body) => readable(body),
        None if it.pruned => text("pruned on this node; ask one that keeps all transactions"),
        None => withheld(),
    };
    content.push(&section("Content", &body));
    let events = it.receipt.events.iter().map(event).collect();
    content.push(&section("Events", &table(&["Event", "Of", "Values"], events)));
    page(status, it.kind_name, &content)
}

fn event(event: &EventEntry) -> Vec<Markup> {
    let values = match (&event.values, event.withheld) {
        (_, true) => withheld(),
        (Some(values), false) => inline(values),
        (None, false) => text(""),
    };
    vec![text(event.name), inline(&event.of), values]
}

/// A JSON value over several lines.
fn readable(value: &Value) -> Markup {
    super::element("pre", &text(format!("{value:#}")))
}

/// The members of an object on one line.
fn inline(value: &Value) -> Markup {
    let Value::Object(members) = value else { return text(value) };
    let mut markup = Markup::default();
    for (name, value) in members {
        let value = match value {
            Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        markup.push(&super::classed("span", "quiet", &text(name)));
        markup.push(&text(" "));
        markup.push(&code(value));
        markup.push(&text(" "));
    }
    markup
}
