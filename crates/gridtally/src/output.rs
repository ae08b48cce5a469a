//! What people and programs read on standard output.

use std::io::{IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::exit::Ended;

/// Writes one JSON document and a newline.
///
/// # Errors
/// When standard output cannot be written.
pub fn json(document: &impl Serialize) -> Result<(), Ended> {
    let text = serde_json::to_string_pretty(document).map_err(anyhow::Error::from)?;
    line(&text)
}

/// Writes a line. A reader that went away (`| head`) ends the command quietly.
///
/// # Errors
/// When standard output cannot be written.
pub fn line(text: &str) -> Result<(), Ended> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}

/// A table with a head, its columns from `first_number` on aligned to the right.
#[must_use]
pub fn table(head: &[&str], first_number: usize) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head);
    for column in table.column_iter_mut().skip(first_number) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A progress bar on standard error; hidden when that is no terminal.
#[must_use]
pub fn progress(length: u64, unit: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let colour = if std::env::var_os("NO_COLOR").is_some() { "" } else { ".cyan" };
    let template = format!("{{prefix:>12}} {{wide_bar{colour}}} {{pos}}/{{len}} {unit} {{msg}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// An amount in micro as people read it, with the currency's decimals: `-12.50`.
#[must_use]
pub fn amount(micro: i64, decimals: u8) -> String {
    decimal(i128::from(micro), 6, decimals)
}

/// Energy in Wh as kWh with three decimals.
#[must_use]
pub fn kilowatt_hours(watt_hours: u64) -> String {
    decimal(i128::from(watt_hours), 3, 3)
}

/// `value` × 10^−scale with `decimals` decimals, rounded half away from zero.
#[must_use]
pub fn decimal(value: i128, scale: u32, decimals: u8) -> String {
    let decimals = u32::from(decimals).min(scale);
    let rounded = primitives::rounding::div_half_away(value, 10_i128.pow(scale - decimals));
    let unit = 10_i128.pow(decimals);
    let (whole, rest) = (rounded.abs() / unit, rounded.abs() % unit);
    let sign = if rounded < 0 { "-" } else { "" };
    if decimals == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{rest:0width$}", width = decimals as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_read_them() {
        assert_eq!(amount(2_500_000_000, 2), "2500.00");
        assert_eq!(amount(-12_505_000, 2), "-12.51");
        assert_eq!(amount(0, 2), "0.00");
        assert_eq!(amount(1_500_000, 0), "2");
        assert_eq!(kilowatt_hours(1_234), "1.234");
        assert_eq!(decimal(5_012_267, 4, 4), "501.2267");
    }
}
