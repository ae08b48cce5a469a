//! Replay: every block again, on an empty store, with every check; the roots must be the same.

use std::sync::Arc;

use primitives::header::Executed;
use primitives::units::BlockHeight;

use crate::block::{CheckedBlock, check_certificate};
use crate::chain::Ledger;
use crate::check::Verifier;
use crate::error::LedgerError;
use crate::store::{Durability, Store};

/// A block without a certificate of its own is final through a later one, which names it by the chain
/// of parents; so many may stand in a row.
const MAX_UNCERTIFIED: u32 = 256;

/// What a replay came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The last height.
    pub height: BlockHeight,
    /// Transactions executed.
    pub transactions: u64,
    /// State root and receipts' accumulator after it.
    pub executed: Executed,
}

/// Replays `source` on the empty store `target`: form, signatures, certificates, execution.
///
/// `progress` is told the height after each block.
///
/// # Errors
/// [`LedgerError::Diverged`] names the first height whose result differs from the one that the
/// source recorded; [`LedgerError::Block`] a block that is not valid.
pub fn replay(
    source: &Ledger,
    target: Arc<dyn Store>,
    verifier: &dyn Verifier,
    progress: &mut dyn FnMut(u64),
) -> Result<Replayed, LedgerError> {
    let view = source.view();
    let genesis = view.rules().genesis().clone();
    let validators = genesis.validators.clone();
    let again = Ledger::open(target, Some(genesis))?;
    let mut uncertified = 0_u32;
    for height in 1..=view.height() {
        let (block, sealed) = view.block(height)?.ok_or(LedgerError::Damaged { what: "block" })?;
        let checked = CheckedBlock::check(block, &again.head(), again.rules(), verifier)?;
        if sealed.certificate.is_absent() {
            uncertified += 1;
            if uncertified > MAX_UNCERTIFIED {
                let reason = "neither it nor a block soon after it has a certificate".to_owned();
                return Err(LedgerError::Block { height: checked.header().height, reason });
            }
        } else {
            check_certificate(checked.header(), &sealed.certificate, &validators)?;
            uncertified = 0;
        }
        again.append_with(&checked, &sealed.certificate, Durability::Buffered)?;
        let recorded =
            view.executed(height)?.ok_or(LedgerError::Damaged { what: "execution result" })?;
        if again.head().executed != recorded {
            return Err(LedgerError::Diverged { height: BlockHeight::new(height) });
        }
        progress(height);
    }
    let head = again.head();
    Ok(Replayed {
        height: head.header.height,
        transactions: head.transactions,
        executed: head.executed,
    })
}
