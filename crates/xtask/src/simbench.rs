//! The household profiles that ship with the product: from the SimBench extract to whole Wh.
//!
//! The extract has one row per quarter hour and one column per meter, in kWh with up to four
//! decimals, that is in tenths of a watt-hour. The ledger counts whole watt-hours. As a meter's
//! register would, each column is added up exactly from the first row on, and a quarter hour's
//! energy is the difference of the register's whole watt-hours. So no rounding error adds up:
//! over any run of slots (a day, the month) the sum differs from the source by less than 1 Wh,
//! and a slot that is zero in the source stays zero. `data/simbench/README.md` tells it to users.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

const SOURCE: &str = "simbench_40meters_15min_jun2016";
const SOURCE_METERS: &str = "simbench_40meters_meta.csv";

/// Tenths of a watt-hour: the resolution of the source.
const TENTHS_PER_WATT_HOUR: u64 = 10;

/// Reads the three files of the extract and writes the three files that ship.
pub fn convert(from: &Path, to: &Path) -> Result<()> {
    for direction in ["import", "export"] {
        let source = read(&from.join(format!("{SOURCE}_{direction}_kwh.csv")))?;
        let (text, total) =
            register_readings(&source).with_context(|| format!("in the {direction} file"))?;
        write(&to.join(format!("{direction}_wh.csv")), &text)?;
        println!("{direction}: {} slots, {total} Wh", text.lines().count() - 1);
    }
    let meters = meters(&read(&from.join(SOURCE_METERS))?)?;
    write(&to.join("meters.csv"), &meters)?;
    println!("meters: {}", meters.lines().count() - 1);
    Ok(())
}

/// The table of kWh as a table of whole Wh, and the sum of all its values.
fn register_readings(source: &str) -> Result<(String, u64)> {
    let mut lines = source.lines();
    let header = lines.next().context("the file is empty")?;
    let mut registers = vec![0_u64; header.split(',').count() - 1];
    let mut text = format!("{header}\n");
    for (line, number) in lines.zip(2_usize..) {
        let row = register_row(line, &mut registers);
        writeln!(text, "{}", row.with_context(|| format!("in line {number}"))?)?;
    }
    let total = registers.iter().map(|tenths| tenths / TENTHS_PER_WATT_HOUR).sum();
    Ok((text, total))
}

fn register_row(line: &str, registers: &mut [u64]) -> Result<String> {
    let (time, values) = line.split_once(',').context("no values")?;
    ensure!(values.split(',').count() == registers.len(), "not one value per meter");
    let mut row = time.to_owned();
    for (value, register) in values.split(',').zip(registers) {
        let before = *register / TENTHS_PER_WATT_HOUR;
        // Four decimals of a kWh are tenths of a Wh.
        *register = register.checked_add(decimal(value, 4)?).context("register overflow")?;
        write!(row, ",{}", *register / TENTHS_PER_WATT_HOUR - before)?;
    }
    Ok(row)
}

/// Columns meter, node, profile, kWh of load and of solar power a year; the last two become Wh.
fn meters(source: &str) -> Result<String> {
    let mut lines = source.lines();
    let header = lines.next().context("the file of meters is empty")?;
    ensure!(
        header == "meter,node,profile,load_kwh_year,pv_kwh_year",
        "unexpected columns {header}"
    );
    let mut text = "meter,node,profile,load_wh_year,solar_wh_year\n".to_owned();
    for line in lines {
        let columns: Vec<&str> = line.split(',').collect();
        let [meter, node, profile, load, solar] = columns[..] else {
            bail!("unexpected columns in `{line}`");
        };
        // Three decimals of a kWh are Wh.
        writeln!(text, "{meter},{node},{profile},{},{}", decimal(load, 3)?, decimal(solar, 3)?)?;
    }
    Ok(text)
}

/// A decimal number as an integer of its last decimal, exactly; more decimals are refused.
fn decimal(text: &str, decimals: usize) -> Result<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(
        !whole.is_empty() && digits(whole) && digits(fraction),
        "`{text}` is no decimal number"
    );
    ensure!(fraction.len() <= decimals, "`{text}` has more than {decimals} decimals");
    format!("{whole}{fraction:0<decimals$}")
        .parse()
        .with_context(|| format!("`{text}` is too large"))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_strict() {
        for (text, expected) in [
            ("0.0", Some(0)),
            ("0.1296", Some(1_296)),
            ("0.23", Some(2_300)),
            ("12", Some(120_000)),
            ("0.12345", None),
            ("-0.1", None),
            ("1e-3", None),
            (".5", None),
            ("", None),
        ] {
            assert_eq!(decimal(text, 4).ok(), expected, "{text}");
        }
    }

    #[test]
    fn the_register_loses_nothing_and_zero_stays_zero() {
        let source =
            "time,M01,M02\nt1,0.0006,0.0\nt2,0.0006,0.0\nt3,0.0,0.0019\nt4,0.0009,0.0001\n";
        let (text, total) = register_readings(source).expect("the table is well formed");
        assert_eq!(text, "time,M01,M02\nt1,0,0\nt2,1,0\nt3,0,1\nt4,1,1\n");
        assert_eq!(total, 4);
    }

    #[test]
    fn a_row_with_a_missing_value_is_named() {
        let error = register_readings("time,M01,M02\nt1,0.1\n").expect_err("one value is missing");
        assert_eq!(format!("{error:#}"), "in line 2: not one value per meter");
    }

    #[test]
    fn meters_become_watt_hours() {
        let source =
            "meter,node,profile,load_kwh_year,pv_kwh_year\nM01,LV3.101 Bus 1,H0-B,2326.7,0.0\n";
        let expected =
            "meter,node,profile,load_wh_year,solar_wh_year\nM01,LV3.101 Bus 1,H0-B,2326700,0\n";
        assert_eq!(meters(source).expect("the table is well formed"), expected);
    }
}
