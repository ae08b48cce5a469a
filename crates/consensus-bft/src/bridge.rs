//! From a ledger that one node ordered alone to one that the engine orders.
//!
//! The blocks of a solo node say nothing to the engine. So the node that made them makes one more,
//! empty and still alone, that carries the engine's context: the bridge. With it as its floor the
//! engine begins, in the middle of an epoch if need be; further validators come by a change of the
//! set. Of the blocks below the bridge the engine knows nothing, so whoever joins begins with a
//! snapshot that was made after it.

use commonware_consensus::types::{Epoch, Round, View};
use ledger::{CheckedBlock, LedgerError};
use node::{NodeError, Ordering};
use primitives::codec;
use primitives::header::Certificate;
use primitives::key::SigningKey;

use crate::block::{Context, OrderedBlock, digest};
use crate::membership::engine_key;

/// The bridge of a ledger that was begun without the engine; it is made when there is none yet.
/// `None` where the engine ordered from the first block on.
///
/// # Errors
/// [`NodeError`] when the bridge is not this node's to make, or the store fails.
pub(crate) fn bridge(
    ordering: &Ordering,
    key: &SigningKey,
) -> Result<Option<OrderedBlock>, NodeError> {
    if !is_solo(ordering, 1)? {
        return Ok(None);
    }
    if is_solo(ordering, ordering.ledger.head().header.height.get())? {
        make(ordering, key)?;
    }
    let view = ordering.ledger.view();
    let (mut below, mut height) = (1, view.height());
    while height - below > 1 {
        let middle = below + (height - below) / 2;
        if is_solo(ordering, middle)? {
            below = middle;
        } else {
            height = middle;
        }
    }
    let damaged = LedgerError::Damaged { what: "first block of the engine" };
    let Some((block, _)) = view.block(height)? else { return Err(damaged.into()) };
    let block = OrderedBlock::decode(codec::encode(&block).into());
    block.map(Some).map_err(|_| damaged.into())
}

/// Was the block at a height made by a node that orders alone?
fn is_solo(ordering: &Ordering, height: u64) -> Result<bool, LedgerError> {
    let header = ordering.ledger.view().header(height)?;
    Ok(header.is_some_and(|header| header.context.is_empty()))
}

fn make(ordering: &Ordering, key: &SigningKey) -> Result<(), NodeError> {
    let ledger = &ordering.ledger;
    let time = ledger.next_time(ordering.clock.now())?;
    let header = ledger.next_header(key.public(), time)?;
    let height = header.height.get();
    let validators = ledger.view().validators_at(height)?.current;
    if *validators.keys() != [key.public()] {
        let reason = "the ledger was begun by a node that orders alone, and that node takes the step to \
                      several: start it with --peer-listen, and begin this one with a snapshot that \
                      it makes afterwards";
        return Err(NodeError::Engine(reason.to_owned()));
    }
    let leader = engine_key(&key.public()).expect("a signing key's public key is a point");
    // The views of the certificate with which a solo node seals: those of the heights.
    let certificate_view = View::new(height);
    let parent = (View::new(height - 1), digest(&header.parent));
    let round = Round::new(Epoch::new(header.epoch), certificate_view);
    let checked = CheckedBlock::assemble(header, Vec::new());
    let block = OrderedBlock::seal(&checked, Context { round, leader, parent });
    let checked = checked.with_context(block.header().context.clone());
    let certificate = Certificate::solo(block.header(), key);
    ordering.finalized(&checked, &certificate, Vec::new())?.send();
    tracing::info!(height, "the engine goes on from here with what one node ordered alone");
    Ok(())
}
