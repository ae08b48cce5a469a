//! Numbers as people read them: kilowatt-hours and the ledger's currency, exact, without floats.
//!
//! The answers carry decimal strings; what cannot be read as one is shown as it is.

use super::{Markup, text};
use crate::response::status::CurrencyEntry;

/// Watt-hours as kilowatt-hours, to the last watt-hour: `1.250 kWh`.
pub(super) fn energy(watt_hours: &str) -> Markup {
    match watt_hours.parse::<i128>() {
        Ok(number) => text(format!("{} kWh", decimal(number, 3, 3))),
        Err(_) => text(watt_hours),
    }
}

/// Micro-currency as money: at least the minor unit's decimals, more when the amount has them.
pub(super) fn money(micro: &str, currency: &CurrencyEntry) -> Markup {
    amount(micro, 6, currency)
}

/// 10⁻³ micro-currency as money, exact.
pub(super) fn exact_money(milli_micro: &str, currency: &CurrencyEntry) -> Markup {
    amount(milli_micro, 9, currency)
}

fn amount(value: &str, decimals: u32, currency: &CurrencyEntry) -> Markup {
    let least = u32::from(currency.minor_unit_decimals).min(decimals);
    match value.parse::<i128>() {
        Ok(number) => text(format!("{} {}", decimal(number, decimals, least), currency.code)),
        Err(_) => text(value),
    }
}

/// Millihertz as hertz: `49.990 Hz`.
pub(super) fn frequency(millihertz: u32) -> Markup {
    text(format!("{} Hz", decimal(i128::from(millihertz), 3, 3)))
}

/// `number` · 10^−`decimals`, with at least `least` decimals and no superfluous zeros behind them.
fn decimal(number: i128, decimals: u32, least: u32) -> String {
    let power = 10_u128.pow(decimals);
    let magnitude = number.unsigned_abs();
    let (whole, part) = (magnitude / power, magnitude % power);
    let mut digits = format!("{part:0width$}", width = decimals as usize);
    while digits.len() > least as usize && digits.ends_with('0') {
        digits.pop();
    }
    // A real minus sign, as wide as a digit.
    let sign = if number < 0 { "\u{2212}" } else { "" };
    if digits.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{digits}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_unit_and_their_last_digit() {
        let rupees = CurrencyEntry { code: "INR".to_owned(), minor_unit_decimals: 2 };
        assert_eq!(energy("250"), text("0.250 kWh"));
        assert_eq!(energy("18446744073709551615"), text("18446744073709551.615 kWh"));
        assert_eq!(money("6000000", &rupees), text("6.00 INR"));
        assert_eq!(money("-2500005", &rupees), text("\u{2212}2.500005 INR"));
        assert_eq!(exact_money("1004000000", &rupees), text("1.004 INR"));
        assert_eq!(frequency(49_990), text("49.990 Hz"));
        assert_eq!(energy("no number"), text("no number"));
        let yen = CurrencyEntry { code: "JPY".to_owned(), minor_unit_decimals: 0 };
        assert_eq!(money("-7000000", &yen), text("\u{2212}7 JPY"));
    }
}
