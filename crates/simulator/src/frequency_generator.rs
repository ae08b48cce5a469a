//! The grid's frequency, slot by slot, as it really behaves: for demonstrations without data files.
//!
//! The figures are those of 63 real days of the Indian grid (6,048 slots of 15 minutes): mean
//! 49.992 Hz, standard deviation 0.052 Hz, range 49.58–50.31 Hz, 88.9 % of the slots within
//! 49.90–50.05 Hz, autocorrelation 0.66, 0.42 and 0.24 at 1, 2 and 3 slots.
//!
//! The real values are no Gaussian: their middle is narrow and their tails are long. A Gaussian
//! autoregressive series of deviation 1 is therefore made first, and each of its values is carried
//! to a frequency along `QUANTILES`, which lies through the quantiles of the real days. That
//! mapping weakens the correlation a little; the coefficients (Yule–Walker for 0.684, 0.443, 0.262)
//! make up for it.
//!
//! Integers only, so that every machine makes the same day of the same seed.

use primitives::rounding::div_half_away;
use primitives::units::MilliHertz;

use crate::random::SplitMix;

/// One standard deviation of the series below the mapping.
const ONE: i64 = 1 << 16;
/// What the last value, the one before and the one before that weigh, in 1/65,536.
const COEFFICIENTS: [i64; 3] = [46_787, -1_010, -2_865];
/// What a new Gaussian weighs, in 1/65,536: it keeps the series at deviation 1.
const NEWS: i64 = 47_709;
/// Slots made and thrown away, until nothing of the start is left.
const WARM_UP: usize = 100;
/// The stream of the seed that the frequency is made of.
const STREAM: u64 = 1;

/// Thousandths of a standard deviation, and the frequency there in millihertz. Between two points
/// lies a straight line, outside the nearest point holds.
const QUANTILES: [(i64, i64); 12] = [
    (-4_500, 49_580),
    (-3_000, 49_725),
    (-2_326, 49_840), // 1 %
    (-1_645, 49_909), // 5 %
    (-1_000, 49_954),
    (0, 49_993), // 50 %
    (1_000, 50_032),
    (1_480, 50_051),
    (1_645, 50_070), // 95 %
    (2_326, 50_131), // 99 %
    (3_000, 50_217),
    (4_000, 50_310),
];

/// An endless series of slot averages.
#[derive(Debug, Clone)]
pub struct FrequencyGenerator {
    random: SplitMix,
    /// The last three values of the Gaussian series, the newest first.
    last: [i64; 3],
}

impl FrequencyGenerator {
    /// The series of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut generator = Self { random: SplitMix::new(seed, STREAM), last: [0; 3] };
        for _ in 0..WARM_UP {
            generator.step();
        }
        generator
    }

    /// The averages of the next `slots` slots.
    pub fn slots(&mut self, slots: usize) -> Vec<MilliHertz> {
        self.by_ref().take(slots).collect()
    }

    /// The next value of the Gaussian series, in 1/65,536 of its deviation.
    fn step(&mut self) -> i64 {
        let kept: i64 =
            self.last.iter().zip(COEFFICIENTS).map(|(value, weight)| value * weight).sum();
        let sum = kept + self.random.gaussian() * NEWS;
        let value = whole(i128::from(sum), i128::from(ONE));
        self.last = [value, self.last[0], self.last[1]];
        value
    }
}

impl Iterator for FrequencyGenerator {
    type Item = MilliHertz;

    /// The next slot's average; the series never ends.
    fn next(&mut self) -> Option<MilliHertz> {
        Some(frequency_at(self.step()))
    }
}

/// The frequency at a value of the Gaussian series.
fn frequency_at(value: i64) -> MilliHertz {
    let point = |index: usize| {
        let (thousandths, millihertz) = QUANTILES[index];
        (i128::from(thousandths) * i128::from(ONE), i128::from(millihertz))
    };
    let place = i128::from(value) * 1_000;
    let above = (0..QUANTILES.len()).position(|index| place < point(index).0);
    let millihertz = match above {
        Some(0) => QUANTILES[0].1,
        None => QUANTILES[QUANTILES.len() - 1].1,
        Some(above) => {
            let ((low, low_value), (high, high_value)) = (point(above - 1), point(above));
            whole(low_value * (high - low) + (high_value - low_value) * (place - low), high - low)
        }
    };
    let millihertz = u32::try_from(millihertz).expect("every point is positive");
    MilliHertz::new(millihertz).expect("every point lies between 40 and 70 Hz")
}

fn whole(numerator: i128, denominator: i128) -> i64 {
    i64::try_from(div_half_away(numerator, denominator)).expect("a few deviations, or a frequency")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: usize = 200_000;

    fn series(seed: u64) -> Vec<i64> {
        let frequencies = FrequencyGenerator::new(seed).slots(SLOTS);
        frequencies.iter().map(|frequency| i64::from(frequency.get())).collect()
    }

    /// Σ (value − mean)·(value `lag` later − mean), with 49.992 Hz as the mean.
    fn products(series: &[i64], lag: usize) -> i64 {
        series.iter().zip(&series[lag..]).map(|(a, b)| (a - 49_992) * (b - 49_992)).sum()
    }

    #[test]
    fn the_series_has_the_figures_of_the_real_days() {
        for seed in [1, 2, 99] {
            let series = series(seed);
            let count = SLOTS as i64;
            let mean_tenths = series.iter().sum::<i64>() * 10 / count;
            assert!((499_910..=499_930).contains(&mean_tenths), "mean {mean_tenths} / 10 mHz");
            let variance = products(&series, 0) / count;
            assert!((51 * 51..=53 * 53).contains(&variance), "variance {variance} mHz²");
            for (lag, wanted) in [(1, 660), (2, 420), (3, 240)] {
                let per_mille = products(&series, lag) * 1_000 / products(&series, 0);
                assert!((per_mille - wanted).abs() <= 20, "lag {lag}: {per_mille} per mille");
            }
            let inside = series.iter().filter(|value| (49_900..=50_050).contains(*value)).count();
            let per_mille = inside * 1_000 / SLOTS;
            assert!((884..=894).contains(&per_mille), "{per_mille} per mille in 49.90–50.05 Hz");
        }
    }

    #[test]
    fn quantiles_and_range_are_those_of_the_real_days() {
        let mut sorted = series(5);
        sorted.sort_unstable();
        let quantiles = [(1, 49_840), (5, 49_910), (50, 49_990), (95, 50_070), (99, 50_130)];
        for (per_cent, wanted) in quantiles {
            let found = sorted[SLOTS * per_cent / 100];
            assert!((found - wanted).abs() <= 5, "{per_cent} %: {found} mHz, wanted {wanted}");
        }
        assert!(sorted[0] >= 49_580 && sorted[0] < 49_700, "lowest {}", sorted[0]);
        let highest = sorted[SLOTS - 1];
        assert!((50_220..=50_310).contains(&highest), "highest {highest}");
    }

    #[test]
    fn the_range_is_clipped_at_both_ends() {
        assert_eq!(frequency_at(-9 * ONE).get(), 49_580);
        assert_eq!(frequency_at(9 * ONE).get(), 50_310);
        assert_eq!(frequency_at(0).get(), 49_993);
    }

    #[test]
    fn a_seed_gives_one_series() {
        let day = |seed| FrequencyGenerator::new(seed).slots(96);
        assert_eq!(day(1), day(1));
        assert_ne!(day(1), day(2));
        let mut generator = FrequencyGenerator::new(1);
        let halves = [generator.slots(48), generator.slots(48)].concat();
        assert_eq!(halves, day(1), "taken in pieces it is the same series");
    }
}
