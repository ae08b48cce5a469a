//! Days and parts of days, exactly.

use primitives::rounding::div_floor;
use primitives::units::OutOfRange;

/// A number of days. A day of which only some slots count is the fraction of its slots, so that the
/// parts of a day add up to it, whether it has 92, 96 or 100 of them.
#[derive(Debug, Clone, Default)]
pub(super) struct DayShare {
    whole: i128,
    /// Slots that count, of as many as a day has; one entry for each length of day.
    parts: Vec<(u16, u16)>,
}

impl DayShare {
    /// Adds `slots` of a day that has `of`.
    pub(super) fn add_slots(&mut self, slots: u16, of: u16) {
        if slots == of {
            self.whole += 1;
            return;
        }
        let part = self.parts.iter().position(|(_, length)| *length == of);
        let part = part.unwrap_or_else(|| {
            self.parts.push((0, of));
            self.parts.len() - 1
        });
        self.parts[part].0 += slots;
        if self.parts[part].0 >= of {
            self.parts[part].0 -= of;
            self.whole += 1;
        }
    }

    /// Adds other days.
    pub(super) fn add(&mut self, other: &Self) {
        self.whole += other.whole;
        for (slots, of) in &other.parts {
            self.add_slots(*slots, *of);
        }
    }

    /// `quantity` per day, over these days; divided by `divisor` and rounded down once.
    ///
    /// # Errors
    /// [`OutOfRange`] when the product does not fit.
    pub(super) fn times(&self, quantity: i128, divisor: i128) -> Result<i128, OutOfRange> {
        const OVERFLOW: OutOfRange = OutOfRange::of("MilliMicro");
        let (mut days, mut denominator) = (self.whole, 1_i128);
        for (slots, of) in &self.parts {
            let (slots, of) = (i128::from(*slots), i128::from(*of));
            let product = days.checked_mul(of).ok_or(OVERFLOW)?;
            let part = slots.checked_mul(denominator).ok_or(OVERFLOW)?;
            days = product.checked_add(part).ok_or(OVERFLOW)?;
            denominator = denominator.checked_mul(of).ok_or(OVERFLOW)?;
        }
        let product = quantity.checked_mul(days).ok_or(OVERFLOW)?;
        Ok(div_floor(product, denominator.checked_mul(divisor).ok_or(OVERFLOW)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_days_add_up() {
        let mut days = DayShare::default();
        assert_eq!(days.times(1_000, 1), Ok(0));
        days.add_slots(96, 96);
        days.add_slots(48, 96);
        days.add_slots(23, 92);
        assert_eq!(days.times(1_000, 1), Ok(1_750));
        let mut rest = DayShare::default();
        rest.add_slots(69, 92);
        rest.add_slots(48, 96);
        days.add(&rest);
        assert_eq!(days.times(1_000, 1), Ok(3_000));
        assert_eq!(days.times(1_000, 31), Ok(96));
        assert!(days.times(i128::MAX, 1).is_err());
    }
}
