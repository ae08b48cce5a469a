//! What must hold at every block.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{LedgerError, View};
use primitives::hash::Hash;
use primitives::header::Executed;
use primitives::identifier::TransactionId;

use crate::clients::Acknowledged;

/// What all validators together have made final, as an observer sees it who forgets nothing.
#[derive(Debug, Default)]
pub struct Observer {
    /// By height: the block's hash, and what each validator executed came to.
    blocks: BTreeMap<u64, (Hash, Executed)>,
    /// Where each transaction stands.
    ordered: BTreeMap<TransactionId, u64>,
    /// The sets of validators that acted.
    sets: BTreeSet<Hash>,
    /// How far each validator was looked at.
    seen: Vec<u64>,
    /// May a transaction stand in two blocks? Only liars put it there.
    replays_allowed: bool,
}

impl Observer {
    /// An observer of so many validators.
    #[must_use]
    pub fn new(validators: usize, replays_allowed: bool) -> Self {
        Self { seen: vec![0; validators], replays_allowed, ..Self::default() }
    }

    /// The highest block that anybody has executed.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.blocks.last_key_value().map_or(0, |(height, _)| *height)
    }

    /// How many different sets of validators acted.
    #[must_use]
    pub fn sets(&self) -> u64 {
        self.sets.len() as u64
    }

    /// Looks at what a validator has executed since the last time.
    ///
    /// # Errors
    /// `Ok(Err)` with what is violated; `Err` when its store failed.
    pub fn look(
        &mut self,
        validator: usize,
        view: &View,
        now_ms: u64,
    ) -> Result<Result<(), String>, LedgerError> {
        // A validator that crashed before a block was durable executes it again.
        let from = self.seen[validator].min(view.height());
        for height in from.max(1)..=view.height() {
            if let Err(violation) = self.look_at(validator, view, height, now_ms)? {
                return Ok(Err(format!("height {height}, validator {validator}: {violation}")));
            }
        }
        self.seen[validator] = view.height();
        let (accounts, tokens) = view.read(|state| state.sums())?;
        if (accounts, tokens) != (0, 0) {
            return Ok(Err(format!("accounts add up to {accounts}, tokens to {tokens}")));
        }
        Ok(Ok(()))
    }

    fn look_at(
        &mut self,
        validator: usize,
        view: &View,
        height: u64,
        now_ms: u64,
    ) -> Result<Result<(), String>, LedgerError> {
        let damaged = |what| LedgerError::Damaged { what };
        let sealed = view.sealed_header(height)?.ok_or_else(|| damaged("header"))?;
        let executed = view.executed(height)?.ok_or_else(|| damaged("execution"))?;
        let found = (sealed.header.hash(), executed);
        if let Some(known) = self.blocks.get(&height) {
            if known.0 != found.0 {
                return Ok(Err("a fork: two blocks are final".to_owned()));
            }
            if known.1 != found.1 {
                return Ok(Err("its execution came to another result".to_owned()));
            }
        } else {
            if sealed.header.time.get() > now_ms + MAX_AHEAD_MS {
                return Ok(Err("its time lies in the future".to_owned()));
            }
            let (block, _) = view.block(height)?.ok_or_else(|| damaged("block"))?;
            for submission in &block.submissions {
                let before = self.ordered.insert(submission.transaction.id(), height);
                if before.is_some() && !self.replays_allowed {
                    return Ok(Err("a transaction was ordered before".to_owned()));
                }
            }
            self.sets.insert(sealed.header.validators_hash);
            self.blocks.insert(height, found);
        }
        if !sealed.certificate.is_absent() {
            let set = view.validators_in(sealed.header.epoch)?;
            let set = set.ok_or_else(|| damaged("validators"))?;
            let verified = sealed.certificate.verify(&sealed.header, &set);
            if let Err(error) = verified {
                return Ok(Err(format!("validator {validator} stored a certificate: {error}")));
            }
        }
        Ok(Ok(()))
    }
}

/// The clock bound of the protocol and the largest skew of a simulated clock.
const MAX_AHEAD_MS: u64 = 500 + crate::world::MAX_SKEW_MS;

/// Everybody who was answered finds the transaction where the answer said.
///
/// # Errors
/// As [`Observer::look`].
pub fn acknowledged(
    view: &View,
    acknowledged: &[Acknowledged],
    by: Option<usize>,
) -> Result<Result<(), String>, LedgerError> {
    for told in acknowledged.iter().filter(|told| by.is_none_or(|by| by == told.by)) {
        let outcome = &told.outcome;
        let position = view.position_of(&outcome.id)?;
        if position != Some(outcome.position) {
            let what = format!(
                "validator {} answered that {} stands at {:?}; it stands at {position:?}",
                told.by, outcome.id, outcome.position
            );
            return Ok(Err(what));
        }
        let code = view.receipt(outcome.position)?.map(|receipt| receipt.code);
        if code != Some(outcome.code) {
            return Ok(Err(format!("{} was answered with another code", outcome.id)));
        }
    }
    Ok(Ok(()))
}
