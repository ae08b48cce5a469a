//! The page of a bill: HTML for one sheet of A4, complete in itself.

use anyhow::anyhow;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde_json::Value;

use crate::exit::Ended;
use crate::output;

/// The look of the page, on screen and on paper.
const STYLE: &str = "\
@page { size: A4; margin: 18mm 16mm }
* { box-sizing: border-box }
body { font: 10.5pt/1.4 system-ui, sans-serif; color: #111; background: #fff; max-width: 178mm; \
margin: 8mm auto }
header { display: flex; justify-content: space-between; align-items: flex-start }
h1 { font-size: 18pt; margin: 0 0 2mm } h2 { font-size: 11pt; margin: 6mm 0 1mm }
dl { display: grid; grid-template-columns: 38mm 1fr; gap: .6mm 4mm; margin: 0 } dt { color: #555 }
dd { margin: 0; overflow-wrap: anywhere } code { font: 8.5pt/1.35 ui-monospace, monospace }
table { width: 100%; border-collapse: collapse; margin-top: 2mm }
th, td { padding: 1.2mm 1.5mm; border-bottom: .2mm solid #bbb; text-align: left; vertical-align: top }
th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tfoot td { border: 0; font-weight: 600 } tfoot tr.due td { font-size: 13pt }
pre { background: #f3f3f3; padding: 2mm; white-space: pre-wrap; overflow-wrap: anywhere; margin: 1mm 0 }
svg { width: 30mm; height: 30mm } footer { margin-top: 6mm; color: #555; font-size: 8.5pt }
@media print { body { margin: 0; max-width: none } tr { break-inside: avoid } }";

/// The page of a bill. `bill` and `status` are the API's documents.
pub fn render(bill: &Value, status: &Value, url: &str) -> Result<String, Ended> {
    let money = Money::of(status);
    let field = |name: &str| escaped(text(&bill[name]).as_str());
    let id = field("bill");
    let title = format!("Bill {} for {}", field("number"), field("billing_period"));
    let network = escaped(status["name"].as_str().unwrap_or_default());
    let demo = match status["demo"] {
        Value::Bool(true) => "<p><strong>A demonstration: nothing is owed.</strong></p>",
        _ => "",
    };
    let qr = qr_code(url)?;
    let facts = facts(&[
        ("Bill", format!("<code>{id}</code>")),
        ("Usage point", format!("<code>{}</code>", field("usage_point"))),
        (
            "Billing period",
            format!(
                "{} ({} to {})",
                field("billing_period"),
                field("first_day"),
                field("last_day")
            ),
        ),
        ("Issued", field("issued_at")),
        ("Customer", format!("<code>{}</code>", field("customer"))),
        ("Biller", format!("<code>{}</code>", field("biller"))),
        (
            "Metered",
            format!(
                "{} drawn, {} injected",
                energy(&bill["metered_import_wh"]),
                energy(&bill["metered_export_wh"])
            ),
        ),
        ("Revision", field("revision")),
    ]);
    let lines = lines(bill, &money);
    let totals = totals(bill, &money);
    let verify = verify(&id, &escaped(text(&status["ledger_id"]).as_str()), &field("height"));
    let url = escaped(url);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<header><div><h1>{title}</h1>\n\
         <div>{network}</div>{demo}</div>\n<div aria-label=\"QR code of {url}\">{qr}</div></header>\n\
         {facts}\n{lines}\n{totals}</table>\n{verify}\n\
         <footer>{url}</footer>\n</body>\n</html>\n"
    ))
}

struct Money {
    code: String,
    decimals: u8,
}

impl Money {
    fn of(status: &Value) -> Self {
        let currency = &status["currency"];
        let decimals = currency["minor_unit_decimals"].as_u64().and_then(|it| it.try_into().ok());
        Self {
            code: escaped(currency["code"].as_str().unwrap_or_default()),
            decimals: decimals.unwrap_or(6),
        }
    }

    fn text(&self, micro: &Value) -> String {
        let number = text(micro).parse::<i128>().ok();
        number.map_or_else(
            || "–".to_owned(),
            |it| format!("{} {}", output::decimal(it, 6, self.decimals), self.code),
        )
    }
}

fn energy(watt_hours: &Value) -> String {
    let number = text(watt_hours).parse::<i128>().ok();
    number.map_or_else(|| "–".to_owned(), |it| format!("{} kWh", output::decimal(it, 3, 3)))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whatever stands in the ledger is text on the page, never markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn facts(facts: &[(&str, String)]) -> String {
    let rows: Vec<String> =
        facts.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>")).collect();
    format!("<dl>\n{}\n</dl>", rows.join("\n"))
}

/// The table of lines, without its end: the totals stand below.
fn lines(bill: &Value, money: &Money) -> String {
    let mut table = String::from(
        "<table>\n<thead><tr><th>Line</th><th>Tariff</th><th class=\"n\">Quantity</th>\
         <th class=\"n\">Amount</th></tr></thead>\n<tbody>\n",
    );
    for line in bill["lines"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let tariff = match (&line["tariff"], &line["tariff_version"]) {
            (Value::String(tariff), version) => {
                format!("<code>{}</code> version {}", escaped(tariff), escaped(&text(version)))
            }
            _ => String::new(),
        };
        let quantity = match &line["energy_wh"] {
            Value::Null => String::new(),
            watt_hours => energy(watt_hours),
        };
        table.push_str(&format!(
            "<tr><td>{}</td><td>{tariff}</td><td class=\"n\">{quantity}</td><td class=\"n\">{}</td></tr>\n",
            escaped(&kind(&line["kind"])),
            money.text(&line["amount_micro"])
        ));
    }
    table + "</tbody>"
}

/// `energy_import` as people say it.
fn kind(kind: &Value) -> String {
    let words = match kind.as_str() {
        Some("energy_import") => return "Energy drawn".to_owned(),
        Some("energy_export") => return "Energy injected (credit)".to_owned(),
        other => other.unwrap_or_default().replace('_', " "),
    };
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn totals(bill: &Value, money: &Money) -> String {
    let row = |class: &str, name: &str, field: &str| {
        let amount = money.text(&bill[field]);
        format!("<tr{class}><td colspan=\"3\">{name}</td><td class=\"n\">{amount}</td></tr>")
    };
    // What stood beside the bill when it was issued; shown where there was something.
    let account = [
        ("Open of earlier bills", "arrears_micro"),
        ("Paid since the bill before", "payments_micro"),
        ("Paid out to you before", "paid_out_micro"),
        ("Taken back by decision", "upheld_micro"),
        ("Credit used up", "credit_micro"),
    ];
    let account = account.into_iter().filter_map(|(name, field)| {
        let amount = &bill["account"][field];
        let shown = !matches!(text(amount).as_str(), "0" | "–");
        let row = || {
            let amount = money.text(amount);
            format!("<tr><td colspan=\"3\">{name}</td><td class=\"n\">{amount}</td></tr>\n")
        };
        shown.then(row)
    });
    let account: String = account.collect();
    let owed = text(&bill["open_micro"]).starts_with('-');
    let open = if owed { "Open, to be paid out to you" } else { "Open" };
    format!(
        "<tfoot>\n{}\n{account}{}\n{}\n</tfoot>\n",
        row("", "Total", "total_micro"),
        row("", "Paid so far", "paid_micro"),
        row(" class=\"due\"", open, "open_micro")
    )
}

fn verify(id: &str, ledger_id: &str, height: &str) -> String {
    format!(
        "<h2>Check this bill yourself</h2>\n\
         <p>It was issued in block {height} of ledger <code>{ledger_id}</code>. Every reading, \
         frequency, price and line can be checked on your own machine; nobody has to be trusted:</p>\n\
         <pre>gridtally export proof {id} --out bill.proof.json --key YOUR.key\n\
         gridtally verify --ledger {ledger_id} --require-anchor bill.proof.json</pre>"
    )
}

/// The address as an SVG picture.
fn qr_code(url: &str) -> Result<String, Ended> {
    let code = QrCode::with_error_correction_level(url, EcLevel::M)
        .map_err(|error| anyhow!("the address {url:?} does not fit a QR code: {error}"))?;
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(120, 120)
        .dark_color(svg::Color("#000"))
        .light_color(svg::Color("#fff"))
        .build();
    // Within HTML there is no XML declaration.
    Ok(picture.split_once("?>").map_or(picture.as_str(), |(_, svg)| svg).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_is_whole_and_escapes_what_it_shows() {
        let bill = json!({
            "bill": "ab12", "number": 3, "billing_period": "2026-07", "usage_point": "cd",
            "total_micro": "-12505000", "paid_micro": "0", "open_micro": "-12505000",
            "metered_import_wh": "1234", "metered_export_wh": "0", "height": "17",
            "account": { "arrears_micro": "7000000", "credit_micro": "0" },
            "lines": [
                { "kind": "energy_import", "tariff": "ef", "tariff_version": 2,
                  "energy_wh": "1234", "amount_micro": "6170000" },
                { "kind": "fixed_charge", "amount_micro": "100000" },
            ],
        });
        let status = json!({
            "name": "<b>North & South", "demo": true, "ledger_id": "demo-00",
            "currency": { "code": "INR", "minor_unit_decimals": 2 },
        });
        let page = render(&bill, &status, "http://node.example/bills/ab12").unwrap();
        for wanted in [
            "Bill 3 for 2026-07",
            "&lt;b&gt;North &amp; South",
            "Energy drawn",
            "1.234 kWh",
            "6.17 INR",
            "Fixed charge",
            "0.10 INR",
            "to be paid out to you",
            "-12.51 INR",
            "Open of earlier bills",
            "7.00 INR",
            "gridtally export proof ab12",
            "--ledger demo-00",
            "<svg",
            "A demonstration",
            "version 2",
        ] {
            assert!(page.contains(wanted), "{wanted}\n{page}");
        }
        assert!(!page.contains("<b>") && !page.contains("<?xml"));
        assert!(!page.contains("Credit used up"), "nothing was used up");
    }
}
