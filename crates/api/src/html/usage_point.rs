//! The page of a usage point: a day slot by slot, and its bills.

use super::numbers::{energy, exact_money, frequency, money};
use super::{Markup, code, facts, home, link, page, section, short, table, text, withheld};
use crate::response::Page;
use crate::response::bill::BillEntry;
use crate::response::day::{ChargeSlot, ChargesDay, ReadingsDay};
use crate::response::status::{CurrencyEntry, Status};
use crate::response::usage_point::UsagePointDetail;

/// What the page of a usage point shows.
pub struct UsagePointPage {
    /// Where the ledger stands.
    pub status: Status,
    /// The usage point.
    pub usage_point: UsagePointDetail,
    /// The readings of the day.
    pub readings: ReadingsDay,
    /// The charges of the day.
    pub charges: ChargesDay,
    /// The day before and the day after.
    pub around: (Option<String>, Option<String>),
    /// Its bills.
    pub bills: Page<BillEntry>,
}

/// The page of a usage point.
#[must_use]
pub fn usage_point(it: &UsagePointPage) -> String {
    let currency = &it.status.currency;
    let detail = &it.usage_point;
    let entry = &detail.entry;
    let meter = detail.meter.as_ref().map_or_else(|| text("none"), |meter| short(meter));
    let limit = detail.connection_limit_w.as_ref();
    let credit = detail.credit_micro.as_ref();
    let mut content = facts(vec![
        ("Id", code(&entry.usage_point)),
        ("Kind", text(entry.kind)),
        ("Station", short(&entry.station)),
        ("Customer", short(&entry.customer)),
        ("Biller", short(&entry.biller)),
        ("Meter key", meter),
        ("Connection limit", limit.map_or_else(withheld, |watts| text(format!("{watts} W")))),
        ("Credit", credit.map_or_else(withheld, |credit| money(credit, currency))),
    ]);
    content.push(&section("Day", &day(it)));
    let labels = entry.label.as_deref().map(|label| (entry.usage_point.as_str(), label));
    let labels = labels.into_iter().collect();
    content.push(&section("Bills", &home::bills(&it.bills, currency, &labels)));
    let title = entry.label.as_deref().unwrap_or("Usage point");
    page(&it.status, title, &content)
}

fn day(it: &UsagePointPage) -> Markup {
    let currency = &it.status.currency;
    let address = |day: &String| format!("/usage-points/{}?day={day}", it.readings.usage_point);
    let mut markup = Markup::literal("<p>");
    if let Some(before) = &it.around.0 {
        markup.push(&link(address(before), &text("← before")));
        markup.push(&text(" "));
    }
    markup.push(&super::element("strong", &text(&it.readings.day)));
    if let Some(after) = &it.around.1 {
        markup.push(&text(" "));
        markup.push(&link(address(after), &text("after →")));
    }
    markup.push(&Markup::literal("</p>"));
    let seal = match &it.readings.seal {
        Some(seal) => {
            let address = format!("/transactions/{}", seal.transaction_id);
            link(address, &text(format!("by the {}", seal.by)))
        }
        None => text("not yet"),
    };
    let total = it.readings.total.as_ref();
    let of_total = |value: fn(&crate::response::day::EnergyEntry) -> &str| {
        total.map_or_else(|| unseen(it), |total| energy(value(total)))
    };
    let amount = it.charges.total.as_ref();
    markup.push(&facts(vec![
        ("Sealed", seal),
        ("Corrections", text(it.readings.corrections.len())),
        ("Drawn", of_total(|it| &it.import_wh)),
        ("Injected", of_total(|it| &it.export_wh)),
        (
            "Charges, exact",
            amount.map_or_else(|| unseen(it), |it| exact_money(&it.amount_milli_micro, currency)),
        ),
    ]));
    if let Some(slots) = &it.charges.slots {
        let heads = ["Slot", "#Drawn", "#Injected", "Quality", "#Frequency", "#Price", "#Charge"];
        let rows = slots.iter().map(|slot| slot_row(slot, currency)).collect();
        markup.push(&table(&heads, rows));
    }
    markup
}

fn unseen(it: &UsagePointPage) -> Markup {
    match (it.readings.erased, it.readings.not_held) {
        (true, _) => text("erased"),
        (_, true) => text("not on this node"),
        _ => withheld(),
    }
}

fn slot_row(slot: &ChargeSlot, currency: &CurrencyEntry) -> Vec<Markup> {
    let nothing = || text("–");
    let starts_at = slot.period.starts_at.as_deref().unwrap_or_default();
    // The time of day stands behind the date and its `T`.
    let time = starts_at.split_once('T').map_or(starts_at, |(_, time)| time);
    let reading = slot.reading.as_ref();
    let price = slot.import_price_micro_per_kwh.as_ref();
    let amount = slot.amount.as_ref();
    let mut per_kwh = price.map_or_else(nothing, |price| money(price, currency));
    if price.is_some() {
        per_kwh.push(&text("/kWh"));
    }
    vec![
        text(time),
        reading.map_or_else(nothing, |reading| energy(&reading.import_wh)),
        reading.map_or_else(nothing, |reading| energy(&reading.export_wh)),
        reading.map_or_else(nothing, |reading| text(reading.quality)),
        slot.frequency_millihertz.map_or_else(nothing, frequency),
        per_kwh,
        amount.map_or_else(nothing, |amount| exact_money(&amount.amount_milli_micro, currency)),
    ]
}
