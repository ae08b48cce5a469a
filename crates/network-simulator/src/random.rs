//! Random choices that follow from the seed alone.

use primitives::hash::Hash;

/// A stream of choices.
#[derive(Debug, Clone)]
pub struct Random {
    seed: Hash,
    count: u64,
}

impl Random {
    /// The stream of a purpose under a seed.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let seed =
            Hash::of_domain("gridtally/simulation/v1", &[&seed.to_le_bytes(), purpose.as_bytes()]);
        Self { seed, count: 0 }
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.count += 1;
        let hash = Hash::of_domain(
            "gridtally/simulation/v1",
            &[self.seed.as_bytes(), &self.count.to_le_bytes()],
        );
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// A number of `from..=to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// A place below `length`.
    pub fn below(&mut self, length: usize) -> usize {
        (self.next() % length as u64) as usize
    }

    /// True so many times of a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.between(1, 100) <= chance
    }
}
