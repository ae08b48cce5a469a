//! A price that follows the grid's frequency, as a curve of break points.
//!
//! The published Indian price vector in force from 2019 (CERC deviation settlement, fourth
//! amendment; "EB mode") is one such curve: 8.00 at and below 49.84 Hz, rising from the reference
//! price P at 50.00 Hz towards it, falling from P to 0 at 50.05 Hz, in classes of 0.01 Hz:
//!
//! ```
//! use contracts::tariff::FrequencyCurve;
//! use primitives::units::{MicroPerKilowattHour, MilliHertz};
//!
//! let curve = FrequencyCurve::deviation_vector_2019(MicroPerKilowattHour::new(6_200_000)).unwrap();
//! let at = |millihertz| curve.price(MilliHertz::new(millihertz).unwrap()).get();
//! assert_eq!(at(50_000), 6_200_000);
//! assert_eq!(at(49_880), 7_550_000); // The published code charged 8.00 here.
//! assert_eq!(at(50_050), 0);
//! ```

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::rounding::{div_floor, div_half_away};
use primitives::units::{MicroPerKilowattHour, MilliHertz};

use crate::rejection::Malformed;

/// Break points of one curve.
pub const MAX_POINTS: usize = 64;
/// The largest price of a break point, micro per kWh: keeps every product within 128 bits.
pub const MAX_PRICE: i64 = 1_000_000_000_000;

/// The price at a break point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PointPrice {
    /// A price of its own.
    Fixed(MicroPerKilowattHour),
    /// The reference price, capped.
    Reference,
}

/// A break point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CurvePoint {
    /// The frequency.
    pub frequency: MilliHertz,
    /// The price there.
    pub price: PointPrice,
}

/// What lies between two break points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Interpolation {
    /// A straight line.
    Linear,
    /// The price of the lower break point.
    Step,
}

/// How a frequency is rounded to the curve's step before it is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum FrequencyRounding {
    /// To the nearest step, halves up.
    HalfUp,
    /// Down: with millihertz input this reproduces the published classes.
    Floor,
    /// To the nearest step, halves to the even one.
    HalfEven,
}

/// A frequency-linked price.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FrequencyCurve {
    /// At least two break points, rising by frequency. Outside them the nearest price holds.
    pub points: Bounded<CurvePoint, MAX_POINTS>,
    /// What lies between them.
    pub interpolation: Interpolation,
    /// The step to which a frequency is rounded first, in millihertz; 10 = 0.01 Hz.
    pub step_millihertz: u16,
    /// How it is rounded.
    pub rounding: FrequencyRounding,
    /// The reference price P (in India the day-ahead area clearing price), not negative.
    pub reference_price: MicroPerKilowattHour,
    /// P counts at most as this: above it the curve would fall with falling frequency.
    pub reference_price_cap: MicroPerKilowattHour,
}

impl FrequencyCurve {
    /// The Indian price vector of 2019 at reference price `reference`, which counts at most as 8.00.
    ///
    /// # Errors
    /// [`Malformed::Field`] for a negative reference price.
    pub fn deviation_vector_2019(reference: MicroPerKilowattHour) -> Result<Self, Malformed> {
        let point = |millihertz, price| CurvePoint {
            frequency: MilliHertz::new(millihertz).expect("between 40 and 70 Hz"),
            price,
        };
        // Rule: k ≥ 5: 0 · 0 ≤ k ≤ 4: P(5 − k)/5 · −15 ≤ k ≤ −1: 50|k| + (16 − |k|)P/16 · k < −15:
        // 800 paise. All four are the straight lines through these three points.
        let points = vec![
            point(49_840, PointPrice::Fixed(MicroPerKilowattHour::new(8_000_000))),
            point(50_000, PointPrice::Reference),
            point(50_050, PointPrice::Fixed(MicroPerKilowattHour::new(0))),
        ];
        let curve = Self {
            points: Bounded::try_from(points).expect("three points"),
            interpolation: Interpolation::Linear,
            step_millihertz: 10,
            rounding: FrequencyRounding::Floor,
            reference_price: reference,
            reference_price_cap: MicroPerKilowattHour::new(8_000_000),
        };
        curve.check()?;
        Ok(curve)
    }

    /// The price at a frequency, in whole micro per kWh, rounded half away from zero.
    #[must_use]
    pub fn price(&self, frequency: MilliHertz) -> MicroPerKilowattHour {
        let frequency = self.rounded(frequency);
        let at = |index: usize| {
            let point = self.points[index];
            (i128::from(point.frequency.get()), self.price_of(point.price))
        };
        let above = self.points.partition_point(|p| i128::from(p.frequency.get()) <= frequency);
        let price = if above == 0 {
            at(0).1
        } else if above == self.points.len() || self.interpolation == Interpolation::Step {
            at(above - 1).1
        } else {
            let (low, low_price) = at(above - 1);
            let (high, high_price) = at(above);
            let rise = (high_price - low_price) * (frequency - low);
            div_half_away(low_price * (high - low) + rise, high - low)
        };
        MicroPerKilowattHour::new(i64::try_from(price).expect("between two break points' prices"))
    }

    /// # Errors
    /// What is impossible by itself.
    pub fn check(&self) -> Result<(), Malformed> {
        if self.points.len() < 2 || !self.points.is_sorted_by(|a, b| a.frequency < b.frequency) {
            return Err(Malformed::Field("a curve has two or more points, rising by frequency"));
        }
        if self.step_millihertz == 0 {
            return Err(Malformed::Field("the step of a curve is positive"));
        }
        if self.reference_price.get() < 0 || self.reference_price_cap.get() < 0 {
            return Err(Malformed::Field("a reference price is not negative"));
        }
        let prices = self.points.iter().map(|point| self.price_of(point.price));
        if prices.into_iter().any(|price| !(0..=i128::from(MAX_PRICE)).contains(&price)) {
            return Err(Malformed::Field("a price is not negative and not beyond its range"));
        }
        Ok(())
    }

    fn price_of(&self, price: PointPrice) -> i128 {
        i128::from(match price {
            PointPrice::Fixed(price) => price.get(),
            // Rule: P is capped as the regulation caps the clearing price (protocol §8).
            PointPrice::Reference => self.reference_price.min(self.reference_price_cap).get(),
        })
    }

    /// The frequency rounded to the curve's step, in millihertz.
    fn rounded(&self, frequency: MilliHertz) -> i128 {
        let step = i128::from(self.step_millihertz);
        let frequency = i128::from(frequency.get());
        let steps = match self.rounding {
            FrequencyRounding::Floor => div_floor(frequency, step),
            FrequencyRounding::HalfUp => div_floor(2 * frequency + step, 2 * step),
            FrequencyRounding::HalfEven => {
                let below = div_floor(frequency, step);
                let twice_rest = 2 * (frequency - below * step);
                below + i128::from(twice_rest > step || (twice_rest == step && below % 2 == 1))
            }
        };
        steps * step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eb() -> FrequencyCurve {
        FrequencyCurve::deviation_vector_2019(MicroPerKilowattHour::new(6_200_000)).unwrap()
    }

    /// The 22 classes of the published vector at P = 620 paise: lower edge in hundredths of a hertz
    /// from 50.00, price in hundredths of a paisa.
    const CLASSES: [(i32, i64); 22] = [
        (5, 0),
        (4, 12_400),
        (3, 24_800),
        (2, 37_200),
        (1, 49_600),
        (0, 62_000),
        (-1, 63_125),
        (-2, 64_250),
        (-3, 65_375),
        (-4, 66_500),
        (-5, 67_625),
        (-6, 68_750),
        (-7, 69_875),
        (-8, 71_000),
        (-9, 72_125),
        (-10, 73_250),
        (-11, 74_375),
        (-12, 75_500),
        (-13, 76_625),
        (-14, 77_750),
        (-15, 78_875),
        (-16, 80_000),
    ];

    #[test]
    fn every_class_of_the_published_vector() {
        for (k, hundredths_of_paisa) in CLASSES {
            for millihertz in 0..10 {
                let frequency = MilliHertz::new((50_000 + k * 10 + millihertz) as u32).unwrap();
                let price = eb().price(frequency).get();
                assert_eq!(price, hundredths_of_paisa * 100, "{frequency}");
            }
        }
    }

    #[test]
    fn outside_the_break_points_the_nearest_price_holds() {
        assert_eq!(eb().price(MilliHertz::new(40_000).unwrap()).get(), 8_000_000);
        assert_eq!(eb().price(MilliHertz::new(70_000).unwrap()).get(), 0);
    }

    #[test]
    fn a_reference_price_above_the_cap_counts_as_the_cap() {
        let curve =
            FrequencyCurve::deviation_vector_2019(MicroPerKilowattHour::new(9_350_000)).unwrap();
        assert_eq!(curve.price(MilliHertz::new(50_000).unwrap()).get(), 8_000_000);
        assert_eq!(curve.price(MilliHertz::new(49_900).unwrap()).get(), 8_000_000);
    }

    #[test]
    fn a_negative_reference_price_is_refused() {
        let refused = FrequencyCurve::deviation_vector_2019(MicroPerKilowattHour::new(-1));
        assert!(matches!(refused, Err(Malformed::Field(_))));
    }

    #[test]
    fn rounding_of_the_frequency() {
        let cases = [
            (FrequencyRounding::Floor, 49_999, 49_990),
            (FrequencyRounding::Floor, 50_000, 50_000),
            (FrequencyRounding::HalfUp, 49_994, 49_990),
            (FrequencyRounding::HalfUp, 49_995, 50_000),
            (FrequencyRounding::HalfUp, 50_005, 50_010),
            (FrequencyRounding::HalfEven, 49_995, 50_000),
            (FrequencyRounding::HalfEven, 50_005, 50_000),
            (FrequencyRounding::HalfEven, 50_006, 50_010),
        ];
        for (rounding, frequency, expected) in cases {
            let curve = FrequencyCurve { rounding, ..eb() };
            assert_eq!(curve.rounded(MilliHertz::new(frequency).unwrap()), expected);
        }
    }
}
