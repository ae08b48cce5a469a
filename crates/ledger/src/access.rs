//! The two doors to a running ledger: one to read, one to submit.
//!
//! The floors above (`api`) see these traits only: they know neither the node nor its orderer.

use std::future::Future;
use std::pin::Pin;

use contracts::{Malformed, Position};
use primitives::envelope::Submission;
use primitives::identifier::{PartyId, TransactionId};
use thiserror::Error;

use crate::error::LedgerError;
use crate::view::View;

/// An answer that comes later.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What became of an ordered transaction: executed and durable on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The transaction.
    pub id: TransactionId,
    /// Where it stands.
    pub position: Position,
    /// 0, or the code of the rule that was broken.
    pub code: u16,
}

/// Why a transaction was not ordered. It used nothing up and may be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// Its form is wrong; sending it again never helps.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nobody on this ledger holds the signer's key.
    #[error("the signer's key is not registered on this ledger")]
    KeyNotRegistered,
    /// The party had too many transactions rejected within the hour.
    #[error("too many rejected transactions within an hour; the bound is {bound}")]
    QuotaExceeded {
        /// Rejections within an hour that a party may have.
        bound: u32,
    },
    /// Values of a private ledger were handed to a node that may not hold them. It kept nothing.
    #[error(
        "this node's organisation may not hold these values: hand them to a node of party {}, or send \
         the transaction without them",
        .entitled.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
    )]
    NotEntitled {
        /// Those whose nodes may hold them.
        entitled: Vec<PartyId>,
    },
    /// Values of a private ledger were handed to a node that keeps none.
    #[error("this node keeps no values of a private ledger: hand them to another one")]
    KeepsNoValues,
    /// The mempool is full; try again in a moment.
    #[error("the node has more transactions waiting than it takes; try again in a moment")]
    Overloaded,
    /// The node is stopping, or can write no more.
    #[error("the node is stopping")]
    Stopping,
}

/// Reads.
pub trait Reader: Send + Sync {
    /// The newest executed and durable state: everything in one view comes from one height.
    ///
    /// # Errors
    /// [`LedgerError::Stopping`] while the node goes down.
    fn view(&self) -> Result<View, LedgerError>;

    /// Completes when the view is at `height` or above.
    ///
    /// The caller sets the time limit.
    fn reached(&self, height: u64) -> Answer<()>;

    /// Completes when the newest header commits to the execution of `height`, so that what happened
    /// there can be proven.
    fn provable(&self, height: u64) -> Answer<()>;
}

/// Submits.
pub trait Submitter: Send + Sync {
    /// Takes transactions into the mempool and answers each one when it is executed and durable, or
    /// says why it is not ordered. Answers stand in the order of the submissions.
    fn submit(&self, submissions: Vec<Submission>) -> Answer<Vec<Result<Outcome, SubmitError>>>;
}
