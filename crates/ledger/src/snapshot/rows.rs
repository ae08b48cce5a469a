//! Rows of the store as they travel: keyspace u8, key and value as bytes with their length.

use std::ops::Bound;

use primitives::codec::{self, CodecError};

use crate::error::LedgerError;
use crate::layout;
use crate::store::{Keyspace, Row, Scan, Snapshot};
use crate::view::View;

/// Rows that are read from the store at a time.
const PAGE: usize = 512;

/// Appends a row.
pub fn write(out: &mut Vec<u8>, space: Keyspace, (key, value): &Row) {
    out.push(space as u8);
    out.append(&mut codec::encode(key));
    out.append(&mut codec::encode(value));
}

/// Reads rows in a row, in the order in which they were written.
pub fn read(mut bytes: &[u8]) -> Result<Vec<(Keyspace, Row)>, CodecError> {
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        let ((number, key, value), rest) = codec::decode_prefix::<(u8, Vec<u8>, Vec<u8>)>(bytes)?;
        let space = Keyspace::ALL.into_iter().find(|space| *space as u8 == number);
        let space = space.ok_or_else(|| CodecError::invalid("keyspace"))?;
        rows.push((space, (key, value)));
        bytes = rest;
    }
    Ok(rows)
}

/// Where the rows of a checkpoint lie, in their order: the whole state, the changes of validators, and
/// what was executed since the height to which the checkpoint's header commits.
pub fn of_state(view: &View) -> [(Keyspace, Scan); 4] {
    let first = layout::executed(view.head().header.executed.height.get());
    let last = layout::executed(view.height());
    [
        (Keyspace::State, Scan::all()),
        (Keyspace::StateByTime, Scan::all()),
        (Keyspace::Index, Scan::prefix(&layout::set_changes())),
        (Keyspace::Accumulator, Scan::between(Bound::Included(&first), Bound::Included(&last))),
    ]
}

/// May a row like this stand in a checkpoint?
pub fn is_of_state(space: Keyspace, key: &[u8]) -> bool {
    match space {
        Keyspace::State | Keyspace::StateByTime => true,
        Keyspace::Index => key.first() == Some(&b'v'),
        Keyspace::Accumulator => key.first() == Some(&b'e'),
        _ => false,
    }
}

/// Gives the rows of a scan one after the other, a page in memory at a time.
pub fn each<E: From<LedgerError>>(
    snapshot: &dyn Snapshot,
    space: Keyspace,
    scan: &Scan,
    mut take: impl FnMut(Row) -> Result<(), E>,
) -> Result<(), E> {
    let mut scan = scan.clone().limit(PAGE);
    loop {
        let page = snapshot.range(space, &scan).map_err(LedgerError::from)?;
        let is_last = page.len() < PAGE;
        if let Some((key, _)) = page.last() {
            scan = scan.behind(key);
        }
        for row in page {
            take(row)?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// The rows of one block: its header, its chunks, and what stands apart from them.
pub fn of_block(snapshot: &dyn Snapshot, height: u64) -> Result<Vec<(Keyspace, Row)>, LedgerError> {
    let mut rows = Vec::new();
    for space in [Keyspace::Blocks, Keyspace::Payloads, Keyspace::Receipts] {
        each(snapshot, space, &Scan::prefix(&layout::block(height)), |row| {
            rows.push((space, row));
            Ok::<_, LedgerError>(())
        })?;
    }
    Ok(rows)
}

/// The height at the beginning of the key of a block's row.
pub fn height_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(..8)?.try_into().ok()?))
}
