//! Values of the command line: each flag's text becomes the type of its quantity, exactly or not at
//! all. What needs the ledger's calendar ([`Moment`], [`DayPeriods`](primitives::calendar::DayPeriods))
//! is turned later, by [`Signing`](super::signing::Signing).

use std::path::PathBuf;
use std::str::FromStr;

use primitives::calendar::{BillingPeriod, LocalDay, SettlementPeriod};
use primitives::key::PublicKey;
use primitives::reading::Quality;
use primitives::units::{BasisPoints, MicroCurrency, MilliHertz, Timestamp};

/// When something begins: the number of a settlement period, or the time at which one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The number of the period since 1970.
    Period(SettlementPeriod),
    /// The time at which it begins.
    Time(Timestamp),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Period(SettlementPeriod::new(number)));
        }
        text.parse().map(Self::Time).map_err(|_| {
            "wanted is the number of a period, or the time at which one begins, as in \
             2026-07-01T10:15:00+05:30"
                .to_owned()
        })
    }
}

/// A key: in text, or the key file that holds it. A key given as its file also cosigns, as proof
/// of its possession.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrFile {
    /// The public key.
    Public(PublicKey),
    /// Its file.
    File(PathBuf),
}

impl FromStr for KeyOrFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("ed25519:") {
            return text.parse().map(Self::Public).map_err(|error| format!("{error}"));
        }
        Ok(Self::File(PathBuf::from(text)))
    }
}

/// A local day.
///
/// # Errors
/// What is wanted.
pub fn day(text: &str) -> Result<LocalDay, String> {
    text.parse().map_err(|_| "wanted is a day of the calendar, as in 2026-07-01".to_owned())
}

/// A time.
///
/// # Errors
/// What is wanted.
pub fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "wanted is a time with its offset and at most three decimals, as in \
         2026-07-01T10:15:00+05:30"
            .to_owned()
    })
}

/// A billing period.
///
/// # Errors
/// What is wanted.
pub fn billing_period(text: &str) -> Result<BillingPeriod, String> {
    text.parse().map_err(|_| {
        "wanted is a day 2026-07-01, a month 2026-07, a quarter 2026-Q3, a half-year 2026-H2, a \
         year 2026, or days 2026-07-01..2026-07-10"
            .to_owned()
    })
}

/// An amount of the currency, to the micro.
///
/// # Errors
/// What is wanted.
pub fn amount(text: &str) -> Result<MicroCurrency, String> {
    let micro = decimal(text, 6)?;
    i64::try_from(micro)
        .map(MicroCurrency::new)
        .map_err(|_| "wanted is an amount below 9,223,372,036,854.775808".to_owned())
}

/// A share in hundredths of a percent.
///
/// # Errors
/// What is wanted.
pub fn basis_points(text: &str) -> Result<BasisPoints, String> {
    u16::try_from(decimal(text, 0)?)
        .ok()
        .and_then(|share| BasisPoints::new(share).ok())
        .ok_or_else(|| "wanted is a share from 0 to 10000 hundredths of a percent".to_owned())
}

/// A grid frequency in hertz, to the millihertz.
///
/// # Errors
/// What is wanted.
pub fn hertz(text: &str) -> Result<MilliHertz, String> {
    frequency(decimal(text, 3)?)
}

/// A grid frequency in millihertz.
///
/// # Errors
/// What is wanted.
pub fn millihertz(text: &str) -> Result<MilliHertz, String> {
    frequency(decimal(text, 0)?)
}

fn frequency(millihertz: i128) -> Result<MilliHertz, String> {
    u32::try_from(millihertz)
        .ok()
        .and_then(|millihertz| MilliHertz::new(millihertz).ok())
        .ok_or_else(|| "wanted is a frequency from 40 to 70 Hz (40000 to 70000 mHz)".to_owned())
}

/// The quality of a reading, by letter or word.
///
/// # Errors
/// What is wanted.
pub fn quality(text: &str) -> Result<Quality, String> {
    match text {
        "A" | "actual" => Ok(Quality::Actual),
        "E" | "estimated" => Ok(Quality::Estimated),
        "S" | "substituted" => Ok(Quality::Substituted),
        "F" | "final" => Ok(Quality::Final),
        _ => Err("wanted is A actual, E estimated, S substituted or F final".to_owned()),
    }
}

/// 32 bytes in hexadecimal digits.
///
/// # Errors
/// What is wanted.
pub fn bytes_32(text: &str) -> Result<[u8; 32], String> {
    let wanted = || "wanted are 64 lower-case hexadecimal digits".to_owned();
    let hash: primitives::hash::Hash = text.parse().map_err(|_| wanted())?;
    Ok(*hash.as_bytes())
}

/// A whole number × 10^−scale, written with at most `scale` decimals. Digits only: no exponent, no
/// separators, no plus, so that nobody's `1,000` becomes 1.
///
/// # Errors
/// What is wanted.
pub fn decimal(text: &str, scale: u32) -> Result<i128, String> {
    let wanted = || match scale {
        0 => format!("{text:?}: wanted is a whole number, in digits"),
        _ => format!("{text:?}: wanted is a number with at most {scale} decimals, as in 12.5"),
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(wanted()),
        Some((whole, fraction)) => (whole, fraction),
        None => (digits, ""),
    };
    let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let scale = scale as usize;
    // Bounded before it is parsed: 30 digits and 6 decimals lie within 128 bits.
    if whole.is_empty()
        || whole.len() > 30
        || fraction.len() > scale
        || !only_digits(whole)
        || !only_digits(fraction)
    {
        return Err(wanted());
    }
    let number: i128 = format!("{whole}{fraction:0<scale$}").parse().map_err(|_| wanted())?;
    Ok(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        let cases = [
            ("2500.00", 6, Some(2_500_000_000)),
            ("0.000001", 6, Some(1)),
            ("-12.5", 6, Some(-12_500_000)),
            ("50", 3, Some(50_000)),
            ("50.012", 3, Some(50_012)),
            ("50.0125", 3, None),
            ("5.", 3, None),
            (".5", 3, None),
            ("", 3, None),
            ("-", 3, None),
            ("+5", 3, None),
            ("1,000", 6, None),
            ("1e3", 6, None),
            ("5.0", 0, None),
            ("--5", 6, None),
            ("1.2.3", 6, None),
            ("٥", 6, None),
        ];
        for (text, scale, wanted) in cases {
            assert_eq!(decimal(text, scale).ok(), wanted, "{text:?} with {scale} decimals");
        }
        assert!(decimal(&"9".repeat(31), 6).is_err());
    }

    #[test]
    fn units_end_where_they_end() {
        assert_eq!(amount("9223372036854.775807"), Ok(MicroCurrency::MAX));
        assert!(amount("9223372036854.775808").is_err());
        assert_eq!(amount("-9223372036854.775808"), Ok(MicroCurrency::MIN));
        assert_eq!(hertz("40").map(MilliHertz::get), Ok(40_000));
        assert_eq!(millihertz("70000").map(MilliHertz::get), Ok(70_000));
        for outside in ["39.999", "70.001", "-50", "99999999999"] {
            assert!(hertz(outside).is_err(), "{outside}");
        }
        assert_eq!(quality("E"), Ok(Quality::Estimated));
        assert!(quality("e").is_err());
    }

    #[test]
    fn a_moment_is_a_period_or_a_time() {
        assert_eq!("1982688".parse(), Ok(Moment::Period(SettlementPeriod::new(1_982_688))));
        let time = Timestamp::new(1_782_881_100_000);
        assert_eq!("2026-07-01T10:15:00+05:30".parse(), Ok(Moment::Time(time)));
        assert!("2026-07-01".parse::<Moment>().is_err());
        assert!("-1".parse::<Moment>().is_err());
    }
}
