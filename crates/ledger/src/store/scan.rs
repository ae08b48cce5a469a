//! Which rows of a keyspace to read, in which direction, and how many.

use std::ops::Bound;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Lower and upper end of a range of keys.
pub(crate) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// Direction in which the rows of a [`Scan`] come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the lowest key upwards.
    #[default]
    Ascending,
    /// From the highest key downwards.
    Descending,
}

/// A range of keys with an order and a limit.
///
/// Without a limit all rows of the range are read into memory: a caller that does not know the
/// range to be small sets one and goes on behind the last key it got.
///
/// # Examples
/// ```
/// use ledger::store::Scan;
///
/// let newest_ten = Scan::prefix(b"bill/").descending().limit(10);
/// let page_two = Scan::after(b"bill/0010").limit(10);
/// # let _ = (newest_ten, page_two);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
    order: Order,
    limit: usize,
}

impl Scan {
    /// Every row.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            order: Order::Ascending,
            limit: usize::MAX,
        }
    }

    /// The rows between two bounds.
    #[must_use]
    pub fn between(from: Bound<&[u8]>, to: Bound<&[u8]>) -> Self {
        Self { from: from.map(<[u8]>::to_vec), to: to.map(<[u8]>::to_vec), ..Self::all() }
    }

    /// The rows behind a key, itself not included.
    #[must_use]
    pub fn after(key: &[u8]) -> Self {
        Self::between(Bound::Excluded(key), Bound::Unbounded)
    }

    /// The rows whose key begins with the prefix.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        let end = end_of_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self { from: Bound::Included(prefix.to_vec()), to: end, ..Self::all() }
    }

    /// The same rows, but of them only those behind a key.
    #[must_use]
    pub fn behind(mut self, key: &[u8]) -> Self {
        self.from = Bound::Excluded(key.to_vec());
        self
    }

    /// The same rows from the highest key downwards.
    #[must_use]
    pub const fn descending(mut self) -> Self {
        self.order = Order::Descending;
        self
    }

    /// At most this many rows.
    #[must_use]
    pub const fn limit(mut self, rows: usize) -> Self {
        self.limit = rows;
        self
    }

    /// The order in which rows come.
    #[must_use]
    pub const fn order(&self) -> Order {
        self.order
    }

    /// The bounds, or none when no key can lie between them (which engines answer with a panic).
    pub(crate) fn bounds(&self) -> Option<Bounds<'_>> {
        let (from, to) = (as_slice(&self.from), as_slice(&self.to));
        let empty = match (from, to) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(low), Bound::Included(high)) => low > high,
            (Bound::Included(low) | Bound::Excluded(low), Bound::Excluded(high))
            | (Bound::Excluded(low), Bound::Included(high)) => low >= high,
        };
        (!empty && self.limit > 0).then_some((from, to))
    }

    /// Takes the rows of an ascending, double-ended iterator in the order and number of the scan.
    pub(crate) fn collect<T, E>(
        &self,
        mut rows: impl DoubleEndedIterator<Item = T>,
        mut read: impl FnMut(T) -> Result<Option<Row>, E>,
    ) -> Result<Vec<Row>, E> {
        let mut found = Vec::new();
        while found.len() < self.limit {
            let next = match self.order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            };
            let Some(next) = next else { break };
            found.extend(read(next)?);
        }
        Ok(found)
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// The lowest key above all keys with the prefix, or none when the prefix is empty or all 0xff.
fn end_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = prefix.get(..=last)?.to_vec();
    if let Some(byte) = end.last_mut() {
        *byte = byte.saturating_add(1);
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_key_that_lacks_it() {
        assert_eq!(end_of_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(end_of_prefix(&[1, 0xff, 0xff]), Some(vec![2]));
        assert_eq!(end_of_prefix(&[0xff, 0xff]), None);
        assert_eq!(end_of_prefix(b""), None);
    }
}
