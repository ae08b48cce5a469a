//! Numbers that look random and follow from a seed: SplitMix64, in integers only.

/// The generator of Steele, Lea and Flood (“Fast splittable pseudorandom number generators”, 2014).
/// Every seed gives a full period of 2⁶⁴; it is no source of secrets.
#[derive(Debug, Clone)]
pub struct SplitMix {
    state: u64,
}

impl SplitMix {
    /// The stream `stream` of a seed: streams of one seed are independent of each other.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut origin = Self { state: seed };
        let mixed = origin.next() ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03);
        Self { state: mixed }
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is small: the bias of 2⁻⁶⁴ × `bound` is of no matter here.
    pub fn below(&mut self, bound: u32) -> u32 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u32::try_from(wide >> 64).expect("the product's upper half is below the bound")
    }

    /// A Gaussian of mean 0 and standard deviation 1, in 1/65,536.
    ///
    /// The sum of twelve uniform numbers has a variance of twelve twelfths of their width squared,
    /// so twelve of 16 bits give a standard deviation of 65,536 without any scaling.
    pub fn gaussian(&mut self) -> i64 {
        let mut sum = 0_i64;
        for _ in 0..3 {
            let bits = self.next();
            for quarter in 0..4 {
                let sixteen = (bits >> (16 * quarter)) & 0xFFFF;
                sum += i64::try_from(sixteen).expect("16 bits");
            }
        }
        sum - 6 * 0xFFFF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_the_published_generator() {
        // The output for the state 1234567 that implementations in many languages agree on.
        let mut generator = SplitMix { state: 1_234_567 };
        assert_eq!(generator.next(), 6_457_827_717_110_365_317);
        assert_eq!(generator.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_gaussian_has_mean_zero_and_deviation_one() {
        let mut generator = SplitMix::new(1, 0);
        let count = 200_000_i64;
        let (mut sum, mut squares) = (0_i64, 0_i128);
        for _ in 0..count {
            let value = generator.gaussian();
            sum += value;
            squares += i128::from(value) * i128::from(value);
        }
        assert!((sum / count).abs() < 656, "mean within a hundredth of the deviation");
        let per_mille = squares * 1_000 / (i128::from(count) << 32);
        assert!((990..=1_010).contains(&per_mille), "variance {per_mille} per mille");
    }

    #[test]
    fn numbers_below_a_bound_stay_there_and_reach_its_ends() {
        let mut generator = SplitMix::new(7, 3);
        let drawn: Vec<u32> = (0..1_000).map(|_| generator.below(17)).collect();
        assert!(drawn.contains(&0) && drawn.contains(&16));
        assert!(drawn.iter().all(|number| *number < 17));
    }
}
