//! Replay: every block again, with a state that begins empty and with every check; the roots must be
//! the same.
//!
//! One thread reads ahead and checks form and signatures of many blocks together, while this one
//! executes those before.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use contracts::{Body, Malformed, Rules};
use primitives::header::Executed;
use primitives::units::BlockHeight;

use crate::block::{CheckedBlock, check_certificate};
use crate::chain::Ledger;
use crate::check::{CheckedTransaction, Verifier};
use crate::error::LedgerError;
use crate::layout::SealedHeader;
use crate::store::{Durability, Store};
use crate::view::View;

/// Transactions whose form is checked together, apart from the last block's; blocks at most. The more,
/// the more signatures of one key stand in one equation.
const GROUP: usize = 16_000;
/// Towards the end groups become smaller, down to this many: while the last one is executed there is
/// nothing left to check, and the other threads stand idle.
const LAST_GROUP: usize = 2_000;

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
    /// Readings among them: one for each single reading or correction, a day's slots for each seal of
    /// a meter and each entry of a gateway's.
    pub readings: u64,
    /// State root and receipts' accumulator after it.
    pub executed: Executed,
}

/// Replays `source`: form, signatures, certificates, execution. The empty store `target` takes the
/// state; blocks and receipts are read where they are and not written again.
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
    let again = Ledger::again(&view, target)?;
    let rules = again.rules();
    let mut readings = 0;
    thread::scope(|scope| {
        let (sender, groups) = sync_channel(1);
        let reader = view.clone();
        // It ends when all is read, or when the executing side has failed and takes no more.
        scope.spawn(move || {
            let mut heights = 1..=reader.height();
            let mut left = reader.head().transactions as usize;
            loop {
                let length = (left / 2).clamp(LAST_GROUP, GROUP);
                let group = read_group(&reader, (&mut heights, length), rules, verifier);
                let Some(group) = group.transpose() else { break };
                let read = |group: &Vec<FormOfBlock>| group.iter().map(|it| it.1.len()).sum();
                left = left.saturating_sub(group.as_ref().map_or(0, read));
                if sender.send(group).is_err() {
                    break;
                }
            }
        });
        let mut uncertified = 0_u32;
        for group in groups {
            for (sealed, answers) in group? {
                let height = sealed.header.height.get();
                let parent = again.head();
                let parent = (&parent.header, parent.hash);
                let checked = CheckedBlock::of_answers(sealed.header, answers, parent, rules)?;
                if sealed.certificate.is_absent() {
                    uncertified += 1;
                    if uncertified > MAX_UNCERTIFIED {
                        let reason = "neither it nor a block soon after it has a certificate";
                        let (height, reason) = (checked.header().height, reason.to_owned());
                        return Err(LedgerError::Block { height, reason });
                    }
                } else {
                    let validators = again.view().validators_at(height)?.current;
                    check_certificate(checked.header(), &sealed.certificate, &validators)?;
                    uncertified = 0;
                }
                readings += checked.transactions().iter().map(|it| count(it, rules)).sum::<u64>();
                again.append_with(&checked, &sealed.certificate, Durability::Buffered)?;
                let recorded = view
                    .executed(height)?
                    .ok_or(LedgerError::Damaged { what: "execution result" })?;
                if again.head().executed != recorded {
                    return Err(LedgerError::Diverged { height: BlockHeight::new(height) });
                }
                progress(height);
            }
        }
        Ok(())
    })?;
    let head = again.head();
    Ok(Replayed {
        height: head.header.height,
        transactions: head.transactions,
        readings,
        executed: head.executed,
    })
}

/// How many readings a transaction carries.
fn count(transaction: &CheckedTransaction, rules: &Rules) -> u64 {
    let slots = |day| u64::from(rules.calendar().periods_of(day).count);
    match transaction.body() {
        Body::SubmitReading(_) | Body::CorrectReading(_) => 1,
        Body::SealDay(seal) => slots(seal.day),
        Body::SealGatewayBatch(batch) => u64::from(batch.entries) * slots(batch.day),
        _ => 0,
    }
}

/// A block as it was sealed, and what the form of its transactions came to.
type FormOfBlock = (SealedHeader, Vec<Result<CheckedTransaction, Malformed>>);

/// Reads the next blocks and checks the form of all their transactions together: signatures of one
/// key cost less in one batch. `None` behind the last height.
fn read_group(
    view: &View,
    (heights, length): (&mut RangeInclusive<u64>, usize),
    rules: &Rules,
    verifier: &dyn Verifier,
) -> Result<Option<Vec<FormOfBlock>>, LedgerError> {
    let mut headers = Vec::new();
    let mut submissions = Vec::new();
    while submissions.len().max(headers.len()) < length
        && let Some(height) = heights.next()
    {
        let (block, sealed) = view.block(height)?.ok_or(LedgerError::Damaged { what: "block" })?;
        headers.push((sealed, block.submissions.len()));
        submissions.extend(block.submissions);
    }
    if headers.is_empty() {
        return Ok(None);
    }
    let mut answers = CheckedTransaction::check_many(submissions, rules, verifier).into_iter();
    let form = |(sealed, count)| (sealed, answers.by_ref().take(count).collect());
    Ok(Some(headers.into_iter().map(form).collect()))
}
