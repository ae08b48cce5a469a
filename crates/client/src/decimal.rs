//! Decimal numbers as people write them, read into whole numbers of a smaller unit without floats.

use std::fmt;

/// Why a text is no number of so many places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotDecimal {
    places: u32,
}

impl fmt::Display for NotDecimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "wanted is a decimal number with at most {} places", self.places)
    }
}

/// The number in units of 10⁻ᵖˡᵃᶜᵉˢ: `6.20` with 6 places is 6 200 000. Digits, at most one point with
/// digits on both sides, and a minus; nothing is rounded.
pub(crate) fn parse(text: &str, places: u32) -> Result<i64, NotDecimal> {
    let refused = NotDecimal { places };
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(refused),
        Some(parts) => parts,
        None => (digits, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(refused);
    }
    let missing = places.checked_sub(fraction.len() as u32).ok_or(refused)?;
    let number: i64 = format!("{whole}{fraction}").parse().map_err(|_| refused)?;
    let factor = 10_i64.checked_pow(missing).ok_or(refused)?;
    let number = number.checked_mul(factor).ok_or(refused)?;
    Ok(if negative { -number } else { number })
}

/// The text of a number in units of 10⁻ᵖˡᵃᶜᵉˢ, with all its places.
pub(crate) fn format(number: i128, places: u32) -> String {
    let scale = 10_u128.pow(places);
    let sign = if number < 0 { "-" } else { "" };
    let (whole, fraction) = (number.unsigned_abs() / scale, number.unsigned_abs() % scale);
    if places == 0 {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}.{fraction:0width$}", width = places as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_refused() {
        let cases = [
            ("6.20", 6, 6_200_000),
            ("0", 6, 0),
            ("-0.5", 1, -5),
            ("49.84", 3, 49_840),
            ("50", 3, 50_000),
            ("0012.5", 2, 1_250),
            ("9223372036854775807", 0, i64::MAX),
        ];
        for (text, places, wanted) in cases {
            assert_eq!(parse(text, places), Ok(wanted), "{text}");
        }
        let wrong =
            ["", "-", ".", "1.", ".5", "+1", "1e3", "1,5", " 1", "1.2345", "0x1", "٣", "--1"];
        for text in wrong {
            assert!(parse(text, 3).is_err(), "{text}");
        }
        assert!(parse("9223372036854775808", 0).is_err());
        assert!(parse("9223372036854775807", 1).is_err());
    }

    #[test]
    fn text_has_all_places() {
        for (number, places, wanted) in
            [(5_012_267, 4, "501.2267"), (-5, 1, "-0.5"), (7, 3, "0.007"), (-42, 0, "-42")]
        {
            assert_eq!(format(number, places), wanted);
        }
    }
}
