//! The first page: usage points with a day's energy, bills, blocks.

use std::collections::BTreeMap;

use super::numbers::{energy, money};
use super::{Markup, link, page, section, short, table, text, withheld};
use crate::response::Page;
use crate::response::bill::BillEntry;
use crate::response::block::BlockEntry;
use crate::response::day::EnergyEntry;
use crate::response::status::{CurrencyEntry, Status};
use crate::response::usage_point::UsagePointEntry;

/// What the first page shows.
pub struct Home {
    /// Where the ledger stands.
    pub status: Status,
    /// The local day whose energy is shown.
    pub day: String,
    /// Usage points.
    pub usage_points: Page<HomeRow>,
    /// Bills.
    pub bills: Page<BillEntry>,
    /// The newest blocks.
    pub blocks: Page<BlockEntry>,
}

/// A usage point with its energy of the day.
pub struct HomeRow {
    /// The usage point.
    pub entry: UsagePointEntry,
    /// The energy of the day; `None` when the reader may not see it or it was erased.
    pub energy: Option<EnergyEntry>,
    /// How many slots of the day have a reading.
    pub reported: usize,
}

/// The first page.
#[must_use]
pub fn home(home: &Home) -> String {
    let mut content = section("Usage points", &usage_points(home));
    let labels: BTreeMap<&str, &str> = home
        .usage_points
        .items
        .iter()
        .filter_map(|row| Some((row.entry.usage_point.as_str(), row.entry.label.as_deref()?)))
        .collect();
    content.push(&section("Bills", &bills(&home.bills, &home.status.currency, &labels)));
    if let Some(next) = &home.bills.next {
        content.push(&more(format!("/?bills_after={next}")));
    }
    content.push(&section("Newest blocks", &super::block::rows(&home.blocks)));
    page(&home.status, &home.status.name, &content)
}

fn usage_points(home: &Home) -> Markup {
    let mut points: Vec<&HomeRow> = home.usage_points.items.iter().collect();
    points.sort_by_key(|row| order(row.entry.label.as_deref()));
    let rows = points.into_iter().map(|row| {
        let id = &row.entry.usage_point;
        let name = row.entry.label.as_ref().map_or_else(|| short(id), text);
        let energy = |value: fn(&EnergyEntry) -> &str| match &row.energy {
            Some(_) if row.reported == 0 => text("–"),
            Some(found) => energy(value(found)),
            None => withheld(),
        };
        vec![
            link(format!("/usage-points/{id}?day={}", home.day), &name),
            text(row.entry.kind),
            energy(|it| &it.import_wh),
            energy(|it| &it.export_wh),
        ]
    });
    let mut markup = Markup::literal("<p class=\"quiet\">Energy of ");
    markup.push(&text(&home.day));
    markup.push(&Markup::literal(", a local day of the grid.</p>"));
    markup.push(&table(&["Usage point", "Kind", "#Drawn", "#Injected"], rows.collect()));
    if let Some(next) = &home.usage_points.next {
        markup.push(&more(format!("/?after={next}&day={}", home.day)));
    }
    markup
}

/// Bills as a table; `labels` of usage points as far as the page knows them.
pub(super) fn bills(
    bills: &Page<BillEntry>,
    currency: &CurrencyEntry,
    labels: &BTreeMap<&str, &str>,
) -> Markup {
    let mut sorted: Vec<&BillEntry> = bills.items.iter().collect();
    let label = |bill: &BillEntry| order(labels.get(bill.usage_point.as_str()).copied());
    sorted.sort_by_key(|bill| (bill.first_day.clone(), label(bill)));
    let rows = sorted.into_iter().map(|bill| {
        let usage_point = &bill.usage_point;
        let name = labels.get(usage_point.as_str()).map_or_else(|| short(usage_point), text);
        let mut row = vec![
            link(format!("/bills/{}", bill.bill), &short(&bill.bill)),
            link(format!("/usage-points/{usage_point}"), &name),
            text(&bill.billing_period),
        ];
        match &bill.amounts {
            Some(amounts) => row.extend([
                money(&amounts.total_micro, currency),
                money(&amounts.paid_micro, currency),
                money(&amounts.open_micro, currency),
                text(amounts.status),
            ]),
            None => row.extend([withheld(), withheld(), withheld(), withheld()]),
        }
        row
    });
    let heads = ["Bill", "Usage point", "Period", "#Total", "#Paid", "#Open", "State"];
    table(&heads, rows.collect())
}

/// Short labels first: `home 2` before `home 10`.
fn order(label: Option<&str>) -> (usize, String) {
    let label = label.unwrap_or_default();
    (label.len(), label.to_owned())
}

/// A link to the next page of a list.
pub(super) fn more(address: String) -> Markup {
    super::element("p", &link(address, &text("more")))
}
