//! The page of a bill.

use super::numbers::{energy, exact_money, money};
use super::{code, facts, link, page, section, short, table, text, withheld};
use crate::response::bill::{BillDetail, LineEntry};
use crate::response::status::Status;

/// The page of a bill.
#[must_use]
pub fn bill(status: &Status, bill: &BillDetail) -> String {
    let currency = &status.currency;
    let entry = &bill.entry;
    let mut rows = vec![
        ("Id", code(&entry.bill)),
        (
            "Usage point",
            link(format!("/usage-points/{}", entry.usage_point), &short(&entry.usage_point)),
        ),
        ("Billing period", text(&entry.billing_period)),
        ("Number", text(entry.number)),
        ("Issued at", text(&entry.issued_at)),
    ];
    if let Some(id) = &bill.transaction_id {
        rows.push(("Issued by", link(format!("/transactions/{id}"), &short(id))));
    }
    rows.push(("In block", link(format!("/blocks/{}", bill.height), &text(&bill.height))));
    let bill_link = |id: &String| link(format!("/bills/{id}"), &short(id));
    rows.extend(entry.replaces.as_ref().map(|id| ("Replaces", bill_link(id))));
    rows.extend(entry.replaced_by.as_ref().map(|id| ("Replaced by", bill_link(id))));
    rows.extend(entry.stale_since.as_ref().map(|time| ("Stale since", text(time))));
    rows.push(("Customer", short(&bill.customer)));
    rows.push(("Biller", short(&bill.biller)));
    rows.push(("Hash", code(&bill.bill_hash)));
    let mut content = facts(rows);
    match (&entry.amounts, &bill.content) {
        (Some(amounts), Some(said)) => {
            let lines = said.lines.iter().map(|line| {
                let kind = subject(line);
                let tariff = link(format!("/v1/tariffs/{}", line.tariff), &short(&line.tariff));
                vec![
                    text(&kind),
                    tariff,
                    text(line.tariff_version),
                    energy(&line.energy_wh),
                    exact_money(&line.exact_milli_micro, currency),
                    money(&line.amount_micro, currency),
                ]
            });
            let heads = ["Line", "Tariff", "Version", "#Energy", "#Exact", "#Amount"];
            content.push(&section("Lines", &table(&heads, lines.collect())));
            content.push(&section(
                "Payment",
                &facts(vec![
                    ("Total", money(&amounts.total_micro, currency)),
                    ("Paid", money(&amounts.paid_micro, currency)),
                    ("Open", money(&amounts.open_micro, currency)),
                    ("State", text(amounts.status)),
                ]),
            ));
            let proof = link(format!("/v1/bills/{}/proof", entry.bill), &text("Proof file"));
            content.push(&section("Proof", &proof));
        }
        _ => content.push(&section("Lines", &withheld())),
    }
    page(status, &format!("Bill of {}", entry.billing_period), &content)
}

/// What a line is about, in words.
fn subject(line: &LineEntry) -> String {
    match (line.kind, line.slab) {
        ("energy_export", _) => "Injected".to_owned(),
        ("slab_import", Some(slab)) => format!("Drawn, slab {slab}"),
        ("fine", _) => "Fine".to_owned(),
        ("minimum_charge", _) => "Up to the minimum".to_owned(),
        ("tax_inclusive", _) => format!("{}, contained", line.name),
        ("fixed_charge" | "tax_exclusive", _) => line.name.clone(),
        _ => "Drawn".to_owned(),
    }
}
