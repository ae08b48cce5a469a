//! The transactions of some blocks that stay whole, as many at a time as memory is given for.

use std::ops::RangeInclusive;

use contracts::Position;

use super::basis::Basis;
use crate::error::LedgerError;

/// Transactions that are held at a time: 16 bytes each, and twice as many while they are gathered.
const HELD: usize = 1 << 20;

/// What the state names in the blocks of a range.
pub struct Needed {
    heights: RangeInclusive<u64>,
    /// Rising, none twice.
    positions: Vec<Position>,
}

impl Needed {
    /// Reads what a state names in these blocks. When that is too much to hold, the range ends earlier:
    /// [`Needed::last`] says where.
    pub fn read(basis: &Basis<'_>, heights: RangeInclusive<u64>) -> Result<Self, LedgerError> {
        Self::read_some(basis, heights, HELD)
    }

    fn read_some(
        basis: &Basis<'_>,
        heights: RangeInclusive<u64>,
        held: usize,
    ) -> Result<Self, LedgerError> {
        let mut found = Self { heights, positions: Vec::new() };
        basis.each_named(|position| {
            if found.heights.contains(&position.height) {
                found.positions.push(position);
                if found.positions.len() >= 2 * held {
                    found.settle(held);
                }
            }
        })?;
        found.settle(held);
        Ok(found)
    }

    /// Sorts, and lets go of the newest blocks when there are too many.
    fn settle(&mut self, held: usize) {
        self.positions.sort_unstable();
        self.positions.dedup();
        let first = *self.heights.start();
        // A block goes or stays as a whole, and the first one stays: what it can name is bounded.
        let mut behind = self.positions.iter().skip(held).map(|position| position.height);
        if let Some(newest) = behind.find(|height| *height > first) {
            self.heights = first..=newest - 1;
            self.positions.retain(|position| position.height < newest);
        }
    }

    /// The blocks for which this says everything.
    pub fn heights(&self) -> RangeInclusive<u64> {
        self.heights.clone()
    }

    /// The last of them.
    pub const fn last(&self) -> u64 {
        *self.heights.end()
    }

    /// Must the transaction at this position stay whole?
    pub fn holds(&self, position: Position) -> bool {
        self.positions.binary_search(&position).is_ok()
    }

    /// All that must, in their order.
    pub fn positions(&self) -> impl Iterator<Item = Position> + '_ {
        self.positions.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(height: u64, index: u32) -> Position {
        Position { height, index }
    }

    fn settled(heights: RangeInclusive<u64>, held: usize, positions: &[(u64, u32)]) -> Needed {
        let positions = positions.iter().map(|(height, index)| at(*height, *index)).collect();
        let mut needed = Needed { heights, positions };
        needed.settle(held);
        needed
    }

    #[test]
    fn what_is_too_much_ends_the_range_before_a_whole_block() {
        let named = [(5, 1), (3, 0), (4, 2), (3, 0), (4, 1), (9, 9)];
        let all = settled(3..=9, 5, &named);
        assert_eq!(all.heights(), 3..=9);
        assert_eq!(all.positions().count(), 5, "none twice");
        let some = settled(3..=9, 3, &named);
        assert_eq!(some.heights(), 3..=4, "block 5 is the next range's");
        assert!(some.holds(at(4, 2)) && some.holds(at(3, 0)) && !some.holds(at(5, 1)));
        let cut = settled(3..=9, 2, &named);
        assert_eq!((cut.last(), cut.positions().count()), (3, 1), "half of block 4 is no block");
    }

    #[test]
    fn the_first_block_is_always_taken() {
        for held in 1..=3 {
            let needed = settled(3..=9, held, &[(3, 0), (3, 1), (3, 2), (4, 0)]);
            assert_eq!((needed.last(), needed.positions().count()), (3, 3), "{held} held");
        }
    }
}
