//! Floor 3: the ledger. Blocks, receipts, state and history on disk, execution, replay, proofs.
//!
//! Blocks are ordered first and executed after: an orderer (one floor up) gives final blocks in
//! order, [`Ledger::append`] executes them with the rules of `contracts`, and the result of block h
//! is committed in the header of a later block. Everything of a block — transactions, payloads,
//! receipts, state, accumulator, head — goes to the store in one atomic commit, so there is no
//! moment at which a crash leaves half a block.
//!
//! Where to start reading: [`chain`] (append and its order of work), [`check`] (what form means),
//! [`view`] (what is read, all at one height), [`layout`] (the rows), [`replay`], [`prune`].
//!
//! This floor alone touches the disk. It knows nothing of consensus messages, of peers or of HTTP.

pub mod access;
pub mod block;
pub mod block_state;
pub mod chain;
pub mod check;
mod chunk;
pub mod epochs;
pub mod error;
mod history;
pub mod layout;
pub mod private_store;
pub mod prune;
pub mod replay;
mod replay_store;
pub mod snapshot;
mod state_cache;
pub mod store;
mod transaction_index;
pub mod view;

pub use access::{Outcome, Reader, SubmitError, Submitter};
pub use block::{Block, CheckedBlock, UncheckedBlock};
pub use chain::Ledger;
pub use check::{Candidate, CheckedTransaction, InLine, Known, Verifier};
pub use chunk::{PrunedTransaction, StoredTransaction};
pub use epochs::Validators;
pub use error::LedgerError;
pub use layout::Head;
pub use private_store::{PayloadKey, PrivateStore};
pub use view::View;
