//! The day, told from the first key to the last payment.
//!
//! It begins at local midnight of the day before: the owner's council appoints a regulator, the
//! regulator admits everybody else, stations, usage points and meters are registered, tariffs
//! published and assigned, first tokens bought (`founding.rs`). Then the virtual clock goes from slot
//! to slot: the grid operator publishes each slot's frequency, some meters report at once, their
//! slots are charged (`slots.rs`). After midnight every meter seals its day, bills are issued, paid
//! and paid out (`settlement.rs`). At the end the books must balance (`books.rs`).
//!
//! Every batch is awaited before the next one is made, and nothing comes from a clock or from
//! chance: the same plan gives the same blocks.

use contracts::Rejection;
use primitives::identifier::{LedgerId, TransactionId};
use primitives::units::OutOfRange;
use thiserror::Error;

use client::transaction_builder::BuildError;
use ledger::LedgerError;

use crate::desk::{Desk, DeskError};
use crate::pace::Pace;
use crate::plan::{DayPlan, PlanError, genesis_among};
use crate::report::{DayReport, Phase, Progress};

mod books;
mod founding;
mod network;
mod settlement;
mod slots;
mod stage;

use stage::Stage;

/// Why a day was not played to its end. The ledger keeps what happened before.
#[derive(Debug, Error)]
pub enum DayError {
    /// The plan cannot be played.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The ledger was founded with another genesis than the plan's.
    #[error("the ledger {found} does not belong to this plan, whose genesis gives {wanted}")]
    OtherGenesis {
        /// The ledger at the desk.
        found: LedgerId,
        /// The ledger of [`genesis_among`].
        wanted: LedgerId,
    },
    /// The ledger is not new.
    #[error("the ledger stands at height {height} already: a day is played on a new one")]
    NotNew {
        /// Its height.
        height: u64,
    },
    /// The desk took or told nothing.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A transaction cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A sum leaves its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A transaction broke a rule, which no transaction of the day does.
    #[error("{step}: transaction {transaction} was rejected with {code} {rule}: {text}")]
    Rejected {
        /// What was to be done.
        step: &'static str,
        /// The transaction.
        transaction: TransactionId,
        /// The code of the rule.
        code: u16,
        /// The rule's name.
        rule: &'static str,
        /// What the rule says.
        text: &'static str,
    },
    /// Something that the day put on the ledger is not there.
    #[error("{what} is missing on the ledger: {rejection}")]
    Missing {
        /// What was looked for.
        what: String,
        /// What the ledger says.
        rejection: Rejection,
    },
    /// The accounts do not add up to zero, or tokens are without their issuer.
    #[error("the books do not balance: accounts add up to {accounts} micro, tokens to {tokens}")]
    NotConserved {
        /// Σ of all accounts, which must be 0.
        accounts: i128,
        /// Σ of wallets and issuing accounts, which must be 0.
        tokens: i128,
    },
}

/// Plays the day of `plan` on the new ledger at `desk`, founded with [`genesis_among`] of the
/// same plan.
///
/// `progress` is told after every step; `pace` waits after every slot.
///
/// # Errors
/// [`DayError`]; a rejected transaction is named with its code and rule.
pub fn run_day(
    plan: &DayPlan,
    desk: &mut dyn Desk,
    pace: &mut dyn Pace,
    progress: &mut dyn FnMut(&Progress),
) -> Result<DayReport, DayError> {
    require_new_ledger(plan, desk)?;
    let mut stage = Stage::open(plan, desk, progress)?;

    stage.enter(Phase::Registration);
    let mut network = founding::found(&mut stage)?;
    founding::buy_first_tokens(&mut stage, &mut network)?;

    stage.enter(Phase::Slots);
    slots::play(&mut stage, &mut network, pace)?;

    stage.enter(Phase::Sealing);
    settlement::seal(&mut stage, &mut network)?;
    settlement::charge_the_day(&mut stage, &mut network)?;

    stage.enter(Phase::Billing);
    settlement::issue_bills(&mut stage, &mut network)?;

    stage.enter(Phase::Payments);
    let fixed_point = settlement::pay_bills(&mut stage, &mut network)?;
    settlement::pay_out_and_settle(&mut stage, &mut network)?;

    books::require_balance(&mut stage)?;
    stage.enter(Phase::Done);
    books::report(&mut stage, &network, fixed_point, pace.elapsed())
}

/// Public keys act here, so the ledger must be the plan's own demonstration, among however many
/// validators, and a new one; several of them make empty blocks from the beginning.
fn require_new_ledger(plan: &DayPlan, desk: &mut dyn Desk) -> Result<(), DayError> {
    let view = desk.view()?;
    let found = view.rules().genesis();
    let validators = found.validators.len();
    let wanted = genesis_among(plan, u32::try_from(validators).expect("a set is small"))?;
    if *found != wanted {
        let (found, wanted) = (view.rules().ledger_id(), wanted.ledger_id());
        return Err(DayError::OtherGenesis { found, wanted });
    }
    match view.head().transactions {
        0 => Ok(()),
        _ => Err(DayError::NotNew { height: view.height() }),
    }
}
