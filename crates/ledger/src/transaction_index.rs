//! Where each transaction stands, by its id.
//!
//! The first receipt stays the answer for an id, so whoever orders a transaction asks first whether it
//! was ordered before. Almost every one is new, and the sequences of its key show it: whatever was
//! ordered has used up its sequence. The index is asked only when that sequence is not free.

use contracts::Position;
use contracts::execute::{SEQUENCE_OUTSIDE_WINDOW, SEQUENCE_USED};
use primitives::identifier::TransactionId;
use primitives::receipt::Receipt;

use crate::error::LedgerError;
use crate::layout;
use crate::store::{Keyspace, Snapshot, WriteBatch};

/// Writes down where the transactions of a block stand, by their receipts; `before` were ordered before
/// it. Only one that was refused for its sequence can have been ordered before.
pub fn put_places(
    batch: &mut WriteBatch,
    height: u64,
    receipts: &[Receipt],
    snapshot: &dyn Snapshot,
    before: u64,
) -> Result<(), LedgerError> {
    let piece = layout::piece(before);
    for (index, receipt) in (0_u32..).zip(receipts) {
        let id = &receipt.transaction;
        let for_its_sequence = matches!(receipt.code, SEQUENCE_USED | SEQUENCE_OUTSIDE_WINDOW);
        if !for_its_sequence || place_of(snapshot, piece, id)?.is_none() {
            let position = Position { height, index };
            batch.put(
                Keyspace::TransactionIndex,
                layout::by_id(piece, id),
                layout::position(position),
            );
        }
    }
    Ok(())
}

/// Where a transaction stands, or another whose id begins alike; `newest` is the newest piece. It comes
/// first: who asks has mostly sent it lately.
pub fn place_of(
    snapshot: &dyn Snapshot,
    newest: u32,
    id: &TransactionId,
) -> Result<Option<Position>, LedgerError> {
    for piece in (0..=newest).rev() {
        let found = snapshot.get(Keyspace::TransactionIndex, &layout::by_id(piece, id))?;
        if let Some(found) = found {
            return layout::position_from(&found).map(Some);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use contracts::Rejection;

    use super::*;
    use crate::store::{Durability, MemoryStore, Store};

    #[test]
    fn an_id_is_found_in_whatever_piece_it_stands() {
        let store = MemoryStore::new();
        let (first, second) = (TransactionId::new([1; 32]), TransactionId::new([2; 32]));
        let place = |height| Position { height, index: 3 };
        let mut batch = WriteBatch::new();
        for (id, transactions) in [(first, 5), (second, 3 << 20)] {
            let key = layout::by_id(layout::piece(transactions), &id);
            batch.put(Keyspace::TransactionIndex, key, layout::position(place(transactions)));
        }
        store.commit(batch, Durability::Synced).unwrap();
        let snapshot = store.snapshot().unwrap();
        let find =
            |transactions: u64, id| place_of(&*snapshot, layout::piece(transactions), id).unwrap();
        assert_eq!(find(5 << 20, &first), Some(place(5)));
        assert_eq!(find(5 << 20, &second), Some(place(3 << 20)));
        assert_eq!(find(6, &second), None, "it was ordered later");
        assert_eq!(find(5 << 20, &TransactionId::new([3; 32])), None);
    }

    #[test]
    fn the_codes_are_those_of_the_rules() {
        assert_eq!(Rejection::SequenceUsed { sequence: 1 }.code(), SEQUENCE_USED);
        let outside = Rejection::SequenceOutsideWindow { sequence: 1, highest: 2_000 };
        assert_eq!(outside.code(), SEQUENCE_OUTSIDE_WINDOW);
    }
}
