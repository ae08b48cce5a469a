//! Epochs: which validators act when, and the headers that hand over to the next ones.
//!
//! The set of epoch e + 1 is fixed when the last block of e − 1 has been executed (protocol §11), so
//! every header of e names it beside the set of e. The last header of an epoch whose sets differ is
//! what a light client needs to follow the change; the ledger keeps the new set beside it.

use std::ops::Bound;

use contracts::Rules;
use contracts::state::State;
use primitives::codec::{self, Bounded};
use primitives::header::{HEADER_VERSION, Header, ValidatorSet};
use primitives::proof::{MAX_SET_CHANGES, SetChange};

use crate::error::LedgerError;
use crate::layout;
use crate::store::{Keyspace, Scan, WriteBatch};
use crate::view::View;

/// The sets that the header of a height names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validators {
    /// The epoch of the height.
    pub epoch: u64,
    /// Who acts in it.
    pub current: ValidatorSet,
    /// Who acts in the next one.
    pub next: ValidatorSet,
}

impl Validators {
    /// The sets for a height; the state is the one after the block before it, or at least after the
    /// last block of the epoch before the height's.
    pub(crate) fn at(state: &dyn State, rules: &Rules, height: u64) -> Self {
        let epoch = rules.epoch_of(height);
        let [current, next] = [epoch, epoch + 1].map(|it| state.validators_of(rules, it));
        Self { epoch, current, next }
    }

    /// Writes the sets into a header.
    pub fn write(&self, header: &mut Header) {
        header.epoch = self.epoch;
        header.validators_hash = self.current.hash();
        header.next_validators_hash = self.next.hash();
    }

    /// Does the header name these sets?
    fn are_named_by(&self, header: &Header) -> bool {
        header.epoch == self.epoch
            && header.validators_hash == self.current.hash()
            && header.next_validators_hash == self.next.hash()
    }
}

impl View {
    /// The sets that the header of a height names: of the next height, or of any further one of the
    /// same epoch, or of the next epoch once the running one has ended.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn validators_at(&self, height: u64) -> Result<Validators, LedgerError> {
        self.read(|state| Validators::at(state, self.rules(), height))
    }

    /// The validators of an epoch up to the one after the running one, which is that of the next
    /// block. `None` for a later one, whose validators may still change.
    ///
    /// # Errors
    /// [`LedgerError`] when the store fails.
    pub fn validators_in(&self, epoch: u64) -> Result<Option<ValidatorSet>, LedgerError> {
        let running = self.rules().epoch_of(self.height() + 1);
        if epoch > running + 1 {
            return Ok(None);
        }
        if epoch >= running {
            return self.read(|state| state.validators_of(self.rules(), epoch)).map(Some);
        }
        // A change acts after the epoch that ends at its height.
        let end = layout::set_change(self.rules().first_height_of(epoch));
        let begin = layout::set_changes();
        let scan = Scan::between(Bound::Included(&begin), Bound::Excluded(&end));
        let newest = self.rows(Keyspace::Index, &scan.descending().limit(1))?;
        match newest.first() {
            Some((_, set)) => Ok(Some(layout::row(set, "change of validators")?)),
            None => Ok(Some(self.rules().genesis().validators.clone())),
        }
    }

    /// The headers at which the validators changed, up to the epoch before `epoch`, oldest first.
    pub(crate) fn set_changes(
        &self,
        epoch: u64,
    ) -> Result<Bounded<SetChange, MAX_SET_CHANGES>, LedgerError> {
        let scan = Scan::prefix(&layout::set_changes()).limit(MAX_SET_CHANGES + 1);
        let mut changes = Vec::new();
        for (key, set) in self.rows(Keyspace::Index, &scan)? {
            let height = layout::height_of_set_change(&key)
                .ok_or(LedgerError::Damaged { what: "change of validators" })?;
            if self.rules().epoch_of(height) >= epoch {
                break;
            }
            let sealed = self
                .sealed_header(height)?
                .ok_or(LedgerError::Damaged { what: "header of a change of validators" })?;
            changes.push(SetChange {
                header: sealed.header,
                certificate: sealed.certificate,
                next_validators: layout::row(&set, "change of validators")?,
            });
        }
        Bounded::try_from(changes).map_err(|_| LedgerError::TooManySetChanges)
    }
}

/// The header must name the validators that the state says, and a version of the protocol that this
/// program knows.
pub(crate) fn check(view: &View, header: &Header) -> Result<Validators, LedgerError> {
    let height = header.height.get();
    let (validators, protocol) = view.read(|state| {
        let protocol = state.protocol().at(height).copied();
        (Validators::at(state, view.rules(), height), protocol)
    })?;
    match protocol {
        Some(version) if version > HEADER_VERSION => {
            return Err(LedgerError::ProtocolUnknown { height: header.height, version });
        }
        _ => {}
    }
    if validators.are_named_by(header) {
        Ok(validators)
    } else {
        Err(LedgerError::Block {
            height: header.height,
            reason: "it names other validators than the ledger".to_owned(),
        })
    }
}

/// Keeps the new set beside the last header of an epoch that hands over to it.
pub(crate) fn put_set_change(
    batch: &mut WriteBatch,
    rules: &Rules,
    header: &Header,
    validators: &Validators,
) {
    let height = header.height.get();
    let is_last = rules.epoch_of(height + 1) > validators.epoch;
    if is_last && validators.next != validators.current {
        let next = codec::encode(&validators.next);
        batch.put(Keyspace::Index, layout::set_change(height), next);
    }
}
