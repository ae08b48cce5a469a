//! The only two roundings of the ledger.
//!
//! Each division in the rules says by its name who gets the remainder. There is no third way to
//! divide money or energy.

/// Divides `numerator` by `denominator` and rounds to the nearest whole number; a half goes away
/// from zero, so 5 / 2 = 3 and −5 / 2 = −3.
///
/// Rule: this is the commercial rounding of prices and bill lines, symmetric for charges and
/// credits, so that a credit note cancels its bill exactly.
///
/// # Panics
/// When `denominator` is not positive: the caller divides by a constant of the trade.
#[must_use]
pub const fn div_half_away(numerator: i128, denominator: i128) -> i128 {
    assert!(denominator > 0, "the denominator is a positive constant");
    let quotient = numerator / denominator;
    let remainder = numerator % denominator;
    // |remainder| ≥ denominator − |remainder| is 2·|remainder| ≥ denominator without the overflow.
    if remainder.abs() >= denominator - remainder.abs() {
        quotient + remainder.signum()
    } else {
        quotient
    }
}

/// Divides `numerator` by `denominator` and rounds down, toward negative infinity.
///
/// # Panics
/// When `denominator` is not positive: the caller divides by a constant of the trade.
#[must_use]
pub const fn div_floor(numerator: i128, denominator: i128) -> i128 {
    assert!(denominator > 0, "the denominator is a positive constant");
    numerator.div_euclid(denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_goes_away_from_zero() {
        let cases = [
            (0, 2, 0),
            (1, 2, 1),
            (-1, 2, -1),
            (4, 10, 0),
            (5, 10, 1),
            (-5, 10, -1),
            (14, 10, 1),
            (15, 10, 2),
            (-14, 10, -1),
            (-15, 10, -2),
            (7, 3, 2),
            (8, 3, 3),
            (-8, 3, -3),
            (i128::MAX, 1, i128::MAX),
            (i128::MIN, 1, i128::MIN),
            (i128::MAX, i128::MAX, 1),
            (i128::MIN, i128::MAX, -1),
        ];
        for (numerator, denominator, wanted) in cases {
            assert_eq!(div_half_away(numerator, denominator), wanted, "{numerator}/{denominator}");
        }
    }

    #[test]
    fn floor_goes_down() {
        for (numerator, denominator, wanted) in
            [(0, 3, 0), (5, 3, 1), (-5, 3, -2), (-6, 3, -2), (i128::MIN, 2, i128::MIN / 2)]
        {
            assert_eq!(div_floor(numerator, denominator), wanted, "{numerator}/{denominator}");
        }
    }
}
