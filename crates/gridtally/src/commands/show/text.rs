//! An API document as people read it: a list of fields, then a table.
//!
//! Units stand in the names of fields, so the name decides how a value is written: `import_wh` becomes
//! `import kWh` with three decimals, `total_micro` an amount with the currency's decimals.

use serde_json::{Map, Value};

use crate::output;

/// Which fields come first, and what is a table.
pub struct Layout {
    /// Top-level fields in their order; the others follow by name.
    pub first: &'static [&'static str],
    /// Where the table's rows stand; empty when there is none.
    pub rows: &'static str,
    /// Where in a row the cells stand.
    pub columns: &'static [&'static str],
    /// From which column on cells are numbers.
    pub first_number: usize,
}

impl Layout {
    /// Fields alone.
    pub const fn fields(first: &'static [&'static str]) -> Self {
        Self { first, rows: "", columns: &[], first_number: 0 }
    }

    /// A page of a list.
    pub const fn list(columns: &'static [&'static str], first_number: usize) -> Self {
        Self { first: &[], rows: "/items", columns, first_number }
    }
}

/// The ledger's currency.
pub struct Currency {
    code: String,
    decimals: u8,
}

impl Currency {
    /// The currency that a node's status names; `micro` of nothing when it names none.
    pub fn of(status: &Value) -> Self {
        let currency = &status["currency"];
        let decimals = currency["minor_unit_decimals"].as_u64();
        Self {
            code: currency["code"].as_str().unwrap_or_default().to_owned(),
            decimals: decimals.and_then(|decimals| u8::try_from(decimals).ok()).unwrap_or(6),
        }
    }
}

/// How a value is written.
enum Unit {
    /// As it is.
    Plain,
    /// A whole number × 10^−scale, with so many decimals, and the unit's name.
    Decimal { scale: u32, decimals: u8, name: String },
}

/// Canonical bytes and moments to the millisecond are for programs.
const FOR_PROGRAMS: [&str; 3] = ["bytes", "raw", "payload"];

/// The text of a document.
pub fn render(document: &Value, layout: &Layout, currency: &Currency) -> String {
    let rows = match layout.rows {
        "" => None,
        pointer => document.pointer(pointer).and_then(Value::as_array),
    };
    // What the table shows is not repeated above it.
    let in_table = rows.and_then(|_| layout.rows.split('/').nth(1));
    let mut lines = Vec::new();
    if let Value::Object(fields) = document {
        for name in ordered(fields, layout.first) {
            if in_table != Some(name) {
                flatten(name, &fields[name], currency, &mut lines);
            }
        }
    }
    let width = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let mut text: Vec<String> = lines
        .iter()
        .map(|(label, value)| format!("{label:<width$}  {value}").trim_end().to_owned())
        .collect();
    if let Some(rows) = rows {
        text.push(table(rows, layout, currency));
    }
    let parent = layout.rows.rsplit_once('/').map_or("", |(parent, _)| parent);
    let next = document.pointer(parent).map(|page| &page["next"]).and_then(Value::as_str);
    if let Some(next) = next {
        let flag = if layout.columns.first() == Some(&"/height") { "before" } else { "after" };
        text.push(format!("more follow: --{flag} {next}"));
    }
    if withheld(document) {
        text.push(
            "values are withheld: --key with a key of a party that may see them shows them"
                .to_owned(),
        );
    }
    text.join("\n")
}

/// The names of the fields that are shown, those of `first` in front.
fn ordered<'a>(fields: &'a Map<String, Value>, first: &[&'a str]) -> Vec<&'a str> {
    let known = first.iter().copied().filter(|name| fields.contains_key(*name));
    let others = fields.keys().map(String::as_str).filter(|name| !first.contains(name));
    known.chain(others).filter(|name| *name != "next" && *name != "withheld").collect()
}

/// Fields within fields become lines with both names.
fn flatten(name: &str, value: &Value, currency: &Currency, lines: &mut Vec<(String, String)>) {
    let last = name.rsplit('/').next().unwrap_or(name);
    match value {
        Value::Object(fields) if !is_period(value) => {
            for (inner, value) in fields {
                // The exact milliseconds repeat the time beside them.
                let exact = inner.strip_suffix("_ms").is_some_and(|it| fields.contains_key(it));
                if !exact && inner != "withheld" {
                    flatten(&format!("{name}/{inner}"), value, currency, lines);
                }
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}/{}", index + 1), item, currency, lines);
            }
        }
        _ if FOR_PROGRAMS.contains(&last) || last.ends_with("_ms") => {}
        _ => {
            let (label, unit) = label(name, currency);
            lines.push((label, cell(value, &unit)));
        }
    }
}

fn table(rows: &[Value], layout: &Layout, currency: &Currency) -> String {
    let columns: Vec<(String, Unit)> = layout
        .columns
        .iter()
        .map(|pointer| {
            // In a table the last name is enough.
            label(pointer.rsplit('/').next().unwrap_or(pointer), currency)
        })
        .collect();
    let head: Vec<&str> = columns.iter().map(|(label, _)| label.as_str()).collect();
    let mut table = output::table(&head, layout.first_number);
    for row in rows {
        let cells = layout.columns.iter().zip(&columns).map(|(pointer, (_, unit))| {
            row.pointer(pointer).map_or_else(|| "–".to_owned(), |value| cell(value, unit))
        });
        table.add_row(cells.collect::<Vec<_>>());
    }
    table.to_string()
}

/// A field's name for people, and how its values are written.
fn label(name: &str, currency: &Currency) -> (String, Unit) {
    let Currency { code, decimals } = currency;
    let units = [
        ("_micro_per_kwh", 6, 6, format!("{code}/kWh")),
        ("_milli_micro", 9, 9, code.clone()),
        ("_micro", 6, *decimals, code.clone()),
        ("_millihertz", 3, 3, "Hz".to_owned()),
        ("_wh", 3, 3, "kWh".to_owned()),
        ("_w", 3, 3, "kW".to_owned()),
    ];
    for (suffix, scale, decimals, unit) in units {
        if let Some(name) = name.strip_suffix(suffix) {
            // An exact amount often stands beside the same one rounded.
            let exact = if scale == 9 && !name.ends_with("exact") { " exact" } else { "" };
            return (words(name) + exact, Unit::Decimal { scale, decimals, name: unit });
        }
    }
    (words(name), Unit::Plain)
}

fn words(name: &str) -> String {
    name.replace(['/', '_'], " ").trim().to_owned()
}

fn cell(value: &Value, unit: &Unit) -> String {
    match (value, unit) {
        (Value::Null, _) => "–".to_owned(),
        (Value::String(text), _) if text.is_empty() => "–".to_owned(),
        (Value::Array(items), _) if items.is_empty() => "–".to_owned(),
        (Value::Bool(value), _) => (if *value { "yes" } else { "no" }).to_owned(),
        (Value::Array(items), _) => {
            let items: Vec<String> = items.iter().map(|item| cell(item, unit)).collect();
            items.join(", ")
        }
        (Value::Object(_), _) if is_period(value) => period(value),
        (Value::String(text), Unit::Decimal { scale, decimals, name }) => {
            number(text, *scale, *decimals)
                .map_or_else(|| text.clone(), |it| format!("{it} {name}"))
        }
        (Value::Number(value), Unit::Decimal { scale, decimals, name }) => {
            let text = value.to_string();
            number(&text, *scale, *decimals).map_or(text, |it| format!("{it} {name}"))
        }
        (Value::String(text), Unit::Plain) => text.clone(),
        (other, _) => other.to_string(),
    }
}

fn number(text: &str, scale: u32, decimals: u8) -> Option<String> {
    text.parse::<i128>().ok().map(|number| output::decimal(number, scale, decimals))
}

/// A settlement period, as the API writes it: its number and when it begins.
fn is_period(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| {
        fields.len() == 2 && fields.contains_key("period") && fields.contains_key("starts_at")
    })
}

fn period(value: &Value) -> String {
    let number = &value["period"];
    match value["starts_at"].as_str() {
        Some(starts_at) => format!("{starts_at} (period {number})"),
        None => format!("period {number}"),
    }
}

/// Did the node leave something out anywhere?
fn withheld(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            fields.get("withheld") == Some(&Value::Bool(true)) || fields.values().any(withheld)
        }
        Value::Array(items) => items.iter().any(withheld),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rupees() -> Currency {
        Currency::of(&json!({ "currency": { "code": "INR", "minor_unit_decimals": 2 } }))
    }

    #[test]
    fn a_bill_with_units() {
        let bill = json!({
            "bill": "ab", "total_micro": "-12505000", "metered_import_wh": "1234",
            "issued_at": "2026-07-02T00:00:00Z",
            "lines": [
                { "kind": "energy_import", "energy_wh": "1234", "amount_micro": "6170000" },
                { "kind": "energy_export", "energy_wh": "250", "amount_micro": null },
            ],
        });
        let layout = Layout {
            first: &["bill", "total_micro"],
            rows: "/lines",
            columns: &["/kind", "/energy_wh", "/amount_micro"],
            first_number: 1,
        };
        let text = render(&bill, &layout, &rupees());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "bill            ab");
        assert_eq!(lines[1], "total           -12.51 INR");
        assert_eq!(lines[2], "issued at       2026-07-02T00:00:00Z");
        assert_eq!(lines[3], "metered import  1.234 kWh");
        assert!(text.contains("6.17 INR"), "{text}");
        assert!(text.contains("0.250 kWh"), "{text}");
        assert!(lines.iter().any(|line| line.contains("energy_export") && line.contains('–')));
    }

    #[test]
    fn the_end_of_a_page_says_how_to_go_on() {
        let page = json!({ "items": [{ "tariff": "ab", "versions": 2 }], "next": "ab" });
        let text = render(&page, &Layout::list(&["/tariff", "/versions"], 1), &rupees());
        assert!(text.ends_with("more follow: --after ab"), "{text}");
        assert!(!text.contains("items"), "{text}");
    }

    #[test]
    fn fields_within_fields_and_what_is_withheld() {
        let document = json!({
            "seal": { "by": "meter", "day_root": "00" },
            "first_period": { "period": 7, "starts_at": "2026-07-01T00:00:00+05:30" },
            "frequency_millihertz": 50_012,
            "time": "x", "time_ms": "1",
            "bytes": "AAAA",
            "slots": null,
            "withheld": true,
        });
        let text = render(&document, &Layout::fields(&[]), &rupees());
        let wanted = [
            "first period   2026-07-01T00:00:00+05:30 (period 7)",
            "frequency      50.012 Hz",
            "seal by        meter",
            "seal day root  00",
            "slots          –",
            "time           x",
            "values are withheld: --key with a key of a party that may see them shows them",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
    }
}
