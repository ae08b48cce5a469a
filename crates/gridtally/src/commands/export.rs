//! `gridtally export`: what the ledger shows, as files for other programs.
//!
//! Tables are CSV after RFC 4180: a line of names, CRLF, quotes where needed. Quantities are decimal
//! numbers with the unit in the column's name; times carry the grid's offset, so that a table of
//! readings can be imported again as it is.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use client::connection::Connection;
use primitives::calendar::LocalDay;
use primitives::identifier::{BillId, TransactionId, UsagePointId};
use serde_json::{Value, json};

use super::connect::{self, NodeAddress, OwnKey, ended};
use super::interrupt::Interrupt;
use super::submit::{values, write_whole};
use crate::cli::Global;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Days of one table: two years.
const MAX_DAYS: i32 = 732;

/// Write bills, proofs, readings, charges and statements to files.
///
/// What is not public needs --key, the key of a party that may see it.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct Export {
    #[command(subcommand)]
    what: What,
    /// The file; `-` is standard output.
    #[arg(long, global = true, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    #[command(flatten)]
    node: NodeAddress,
    #[command(flatten)]
    key: OwnKey,
}

/// What is written.
#[derive(Debug, Subcommand)]
enum What {
    /// A bill: the API's JSON document, or its lines as a table.
    #[command(
        after_help = "Example:\n  gridtally export bill BILL_ID --format csv --out bill.csv \
        --key home-17.key"
    )]
    Bill {
        /// Its id.
        #[arg(value_name = "BILL")]
        bill: BillId,
        /// JSON or CSV.
        #[arg(long, value_enum, default_value = "json")]
        format: Format,
    },
    /// The proof file of a bill or of a transaction's receipt, for `gridtally verify`.
    #[command(after_help = "Examples:\n  gridtally export proof BILL_ID --out bill.proof.json \
        --key home-17.key\n  gridtally export proof --transaction PAYMENT_ID --out paid.proof.json \
        --key home-17.key")]
    Proof {
        /// The bill's id.
        #[arg(value_name = "BILL", required_unless_present = "transaction")]
        bill: Option<BillId>,
        /// A transaction instead, such as a payment, a redemption or a reading.
        #[arg(long, value_name = "ID", conflicts_with = "bill")]
        transaction: Option<TransactionId>,
    },
    /// Readings or charges of a usage point, slot by slot, as a table.
    #[command(after_help = "Example:\n  gridtally export csv USAGE_POINT_ID --what charges \
        --from 2026-07-01 --until 2026-07-31 --out july.csv --key home-17.key")]
    Csv {
        /// The usage point.
        #[arg(value_name = "USAGE_POINT")]
        usage_point: UsagePointId,
        /// Readings, or what each slot costs.
        #[arg(long, value_enum, default_value = "readings")]
        what: Slots,
        /// The first local day.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
        from: LocalDay,
        /// The last local day.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
        until: LocalDay,
    },
    /// The account of a usage point over some days: opening balance, every single bill, fine, credit
    /// note and payment with the balance after it, closing balance.
    #[command(after_help = "Example:\n  gridtally export statement USAGE_POINT_ID \
        --from 2026-07-01 --until 2026-07-31 --out statement.csv --key home-17.key")]
    Statement {
        /// The usage point.
        #[arg(value_name = "USAGE_POINT")]
        usage_point: UsagePointId,
        /// The first local day; by default from the beginning.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
        from: Option<LocalDay>,
        /// The last local day; by default until now.
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
        until: Option<LocalDay>,
    },
}

/// How a bill is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Csv,
}

/// What a table of slots holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Slots {
    Readings,
    Charges,
}

impl Export {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let node = self.node.connect_as(&self.key)?;
        let (bytes, rows) = match self.what {
            What::Bill { bill, format } => {
                let document = seen(node.get_json(&format!("/v1/bills/{bill}")).map_err(ended)?)?;
                match format {
                    Format::Json => (pretty(&document)?, 0),
                    Format::Csv => table(&bill_head(), &bill_rows(&document))?,
                }
            }
            What::Proof { transaction: Some(id), .. } => {
                (node.transaction_proof(&id).map_err(ended)?, 0)
            }
            What::Proof { bill, .. } => {
                (node.bill_proof(&bill.unwrap_or_default()).map_err(ended)?, 0)
            }
            What::Csv { usage_point, what, from, until } => {
                let rows = slots(&node, usage_point, what, (from, until))?;
                table(slots_head(what), &rows)?
            }
            What::Statement { usage_point, from, until } => {
                let mut path = format!("/v1/usage-points/{usage_point}/statement?");
                for (name, day) in [("from_day", from), ("to_day", until)] {
                    path.extend(day.map(|day| format!("{name}={day}&")));
                }
                let path = path.trim_end_matches(['?', '&']);
                // Every page says the same balances: those of the first one stand in the table.
                let sums = seen(node.get_json(path).map_err(ended)?)?;
                table(&STATEMENT, &statement(&sums, &connect::all(&node, path)?))?
            }
        };
        write(&self.out, &bytes, rows, global)
    }
}

/// A document whose values the node showed.
fn seen(document: Value) -> Result<Value, Ended> {
    if document["withheld"] == Value::Bool(true) {
        let error = anyhow!(
            "the node withholds the values: give --key with the key of a party that may see them"
        );
        return Err(error).end_with(Exit::Failure);
    }
    Ok(document)
}

fn pretty(document: &Value) -> Result<Vec<u8>, Ended> {
    let mut text = serde_json::to_vec_pretty(document).map_err(anyhow::Error::from)?;
    text.push(b'\n');
    Ok(text)
}

/// A table after RFC 4180, and how many rows it has.
fn table(head: &[&str], rows: &[Vec<String>]) -> Result<(Vec<u8>, usize), Ended> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(head).map_err(anyhow::Error::from)?;
    for row in rows {
        writer.write_record(row).map_err(anyhow::Error::from)?;
    }
    let bytes = writer.into_inner().map_err(|error| anyhow!("{error}"))?;
    Ok((bytes, rows.len()))
}

fn write(out: &Path, bytes: &[u8], rows: usize, global: &Global) -> Result<Exit, Ended> {
    if out.as_os_str() == "-" {
        let text = String::from_utf8_lossy(bytes);
        output::line(text.trim_end())?;
        return Ok(Exit::Success);
    }
    write_whole(out, bytes)?;
    let (file, length) = (out.display().to_string(), bytes.len());
    if global.json {
        output::json(&json!({ "file": file, "bytes": length, "rows": rows }))?;
    } else {
        let rows = if rows == 0 { String::new() } else { format!(", {rows} rows") };
        output::line(&format!("written to {file} ({length} bytes{rows})"))?;
    }
    Ok(Exit::Success)
}

/// A field's text; empty where there is nothing.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A whole number as a decimal one, with all its places.
fn scaled(value: &Value, places: u32) -> String {
    let number = text(value);
    let parsed = number.parse::<i128>().ok();
    parsed.map_or(number, |it| output::decimal(it, places, u8::try_from(places).unwrap_or(9)))
}

const fn bill_head() -> [&'static str; 9] {
    [
        "bill",
        "line",
        "kind",
        "tariff",
        "tariff_version",
        "energy_kwh",
        "amount_exact",
        "amount",
        "billing_period",
    ]
}

/// The lines of a bill, and its total as the last row.
fn bill_rows(document: &Value) -> Vec<Vec<String>> {
    let bill = text(&document["bill"]);
    let period = text(&document["billing_period"]);
    let lines = document["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rows: Vec<Vec<String>> = (1..)
        .zip(lines)
        .map(|(number, line): (u32, &Value)| {
            vec![
                bill.clone(),
                number.to_string(),
                text(&line["kind"]),
                text(&line["tariff"]),
                text(&line["tariff_version"]),
                scaled(&line["energy_wh"], 3),
                scaled(&line["exact_milli_micro"], 9),
                scaled(&line["amount_micro"], 6),
                period.clone(),
            ]
        })
        .collect();
    let mut total = vec![String::new(); bill_head().len()];
    (total[0], total[2]) = (bill, "total".to_owned());
    (total[7], total[8]) = (scaled(&document["total_micro"], 6), period);
    rows.push(total);
    rows
}

const READINGS: [&str; 5] = ["usage_point", "time", "import_kwh", "export_kwh", "quality"];
const CHARGES: [&str; 11] = [
    "usage_point",
    "time",
    "import_kwh",
    "export_kwh",
    "quality",
    "frequency_hz",
    "tariff",
    "tariff_version",
    "import_price_per_kwh",
    "export_price_per_kwh",
    "amount_exact",
];

const fn slots_head(what: Slots) -> &'static [&'static str] {
    match what {
        Slots::Readings => &READINGS,
        Slots::Charges => &CHARGES,
    }
}

fn slots(
    node: &Connection,
    usage_point: UsagePointId,
    what: Slots,
    (from, until): (LocalDay, LocalDay),
) -> Result<Vec<Vec<String>>, Ended> {
    let count = until.get() - from.get() + 1;
    if !(1..=MAX_DAYS).contains(&count) {
        let error = anyhow!("--from {from} --until {until}: wanted are 1 to {MAX_DAYS} days");
        return Err(error).end_with(Exit::Usage);
    }
    let interrupt = Interrupt::listen()?;
    let bar = output::progress(count.unsigned_abs().into(), "days");
    bar.set_prefix("export");
    let name = if what == Slots::Readings { "readings" } else { "charges" };
    let mut rows = Vec::new();
    for offset in 0..count {
        if interrupt.asked() {
            return Err(anyhow!("stopped; no file was written")).end_with(Exit::Failure);
        }
        let day = from.offset(offset).end_with(Exit::Usage)?;
        let path = format!("/v1/usage-points/{usage_point}/{name}?day={day}");
        let document = seen(node.get_json(&path).map_err(ended)?)?;
        let slots = document["slots"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.extend(slots.iter().filter(|slot| !slot["reading"].is_null()).map(|slot| {
            let mut row = reading(usage_point, slot);
            if what == Slots::Charges {
                row.extend([
                    scaled(&slot["frequency_millihertz"], 3),
                    text(&slot["tariff"]),
                    text(&slot["tariff_version"]),
                    scaled(&slot["import_price_micro_per_kwh"], 6),
                    scaled(&slot["export_price_micro_per_kwh"], 6),
                    scaled(&slot["amount"]["amount_milli_micro"], 9),
                ]);
            }
            row
        }));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(rows)
}

fn reading(usage_point: UsagePointId, slot: &Value) -> Vec<String> {
    let reading = &slot["reading"];
    vec![
        usage_point.to_string(),
        text(&slot["starts_at"]),
        scaled(&reading["import_wh"], 3),
        scaled(&reading["export_wh"], 3),
        text(&reading["quality"]),
    ]
}

const STATEMENT: [&str; 6] = ["time", "kind", "bill", "transaction_id", "amount", "balance"];

/// The account of a usage point between its two balances.
fn statement(sums: &Value, entries: &[Value]) -> Vec<Vec<String>> {
    let balance = |day: &Value, kind: &str, balance: &Value| {
        let none = String::new;
        vec![text(day), kind.to_owned(), none(), none(), none(), scaled(balance, 6)]
    };
    let mut rows = vec![balance(&sums["from_day"], "opening", &sums["opening_micro"])];
    rows.extend(entries.iter().map(|entry| {
        vec![
            text(&entry["time"]),
            text(&entry["kind"]),
            text(&entry["bill"]),
            text(&entry["transaction_id"]),
            scaled(&entry["amount_micro"], 6),
            scaled(&entry["balance_micro"], 6),
        ]
    }));
    rows.push(balance(&sums["to_day"], "closing", &sums["closing_micro"]));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_of_rfc_4180() {
        let row = vec!["a,b".to_owned(), "say \"x\"".to_owned(), String::new()];
        let (bytes, rows) = table(&["one", "two", "three"], &[row]).unwrap();
        assert_eq!(rows, 1);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, "one,two,three\r\n\"a,b\",\"say \"\"x\"\"\",\r\n");
    }

    #[test]
    fn numbers_keep_all_their_places() {
        assert_eq!(scaled(&json!("-1500000"), 6), "-1.500000");
        assert_eq!(scaled(&json!(49_950), 3), "49.950");
        assert_eq!(scaled(&json!("7"), 9), "0.000000007");
        assert_eq!(scaled(&Value::Null, 3), "");
    }

    #[test]
    fn a_statement_stands_between_its_balances() {
        let sums = json!({
            "from_day": "2026-07-01", "to_day": null,
            "opening_micro": "-250000", "closing_micro": "750000",
        });
        let entry = json!({
            "time": "x", "kind": "payment", "bill": null, "transaction_id": "ab",
            "amount_micro": "1000000", "balance_micro": "750000",
        });
        let rows = statement(&sums, &[entry]);
        assert_eq!(rows[0], ["2026-07-01", "opening", "", "", "", "-0.250000"]);
        assert_eq!(rows[1], ["x", "payment", "", "ab", "1.000000", "0.750000"]);
        assert_eq!(rows[2], ["", "closing", "", "", "", "0.750000"]);
        assert!(seen(json!({ "withheld": true })).is_err());
    }
}
