//! Telescopic slabs: the first kilowatt-hours of a month at one price, the next at another.
//!
//! A quota is per calendar month. Where the rule holds for a part of a month only, because the bill
//! begins or ends within it or another rule follows, the quota counts in proportion to the days.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::units::{MicroPerKilowattHour, WattHours};

use super::check_price;
use crate::rejection::Malformed;

/// Steps of one price rule.
pub const MAX_SLABS: usize = 16;

/// A step: up to where in the month's energy it goes, and its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Slab {
    /// The month's energy up to which this price holds; `None` for all the rest.
    pub up_to: Option<WattHours>,
    /// The price.
    pub price: MicroPerKilowattHour,
}

/// Prices by the month's energy.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Slabs {
    /// The steps, rising; the last one, and only that, has no end.
    pub steps: Bounded<Slab, MAX_SLABS>,
}

impl Slabs {
    /// # Errors
    /// What is impossible by itself.
    pub fn check(&self) -> Result<(), Malformed> {
        const ENDS: Malformed =
            Malformed::Field("slabs rise from step to step, and only the last has no end");
        let (last, before) = self.steps.split_last().ok_or(ENDS)?;
        let ends: Option<Vec<_>> = before.iter().map(|slab| slab.up_to).collect();
        let ends = ends.ok_or(ENDS)?;
        let positive = ends.first().is_none_or(|end| *end > WattHours::ZERO);
        if last.up_to.is_some() || !positive || !ends.is_sorted_by(|a, b| a < b) {
            return Err(ENDS);
        }
        self.steps.iter().try_for_each(|slab| check_price(slab.price))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_rise_and_the_last_is_open() {
        let check = |steps: &[(u64, i64)]| {
            let slab = |(up_to, price): &(u64, i64)| Slab {
                up_to: (*up_to < 1_000).then(|| WattHours::new(*up_to)),
                price: MicroPerKilowattHour::new(*price),
            };
            let steps: Vec<_> = steps.iter().map(slab).collect();
            Slabs { steps: steps.try_into().unwrap() }.check().is_ok()
        };
        let open = 1_000;
        assert!(check(&[(open, 1)]));
        // Prices may fall as well.
        assert!(check(&[(100, 3), (200, 2), (open, 5)]));
        assert!(!check(&[]));
        assert!(!check(&[(100, 1)]));
        assert!(!check(&[(open, 1), (open, 2)]));
        assert!(!check(&[(0, 1), (open, 2)]));
        assert!(!check(&[(100, 1), (100, 2), (open, 3)]));
        assert!(!check(&[(200, 1), (100, 2), (open, 3)]));
        assert!(!check(&[(100, -1), (open, 3)]));
    }
}
