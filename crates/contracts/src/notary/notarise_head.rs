//! A regulator notarises the head of another ledger.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::header::ValidatorSet;
use primitives::identifier::LedgerId;
use primitives::proof::{Anchor, SetChange, verify_head};

use crate::event::Event;
use crate::execute::Context;
use crate::registry::Role;
use crate::rejection::Rejection;
use crate::state::State;
use crate::transaction::{Transaction, Who};

use super::NotarisedHead;

/// Changes of the validators that one transaction may lead across; more take several, one after the
/// other. It bounds the signatures that a rule has to check.
pub const MAX_NOTARISED_CHANGES: usize = 8;

/// Notarises a final header of an admitted ledger: proven from the set that signed the newest head here,
/// over every change of it since. A second final header of a height that is notarised already proves a
/// fork.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NotariseHead {
    /// The other ledger.
    pub ledger_id: LedgerId,
    /// Every change of its validators since the newest head here, in order.
    pub set_changes: Bounded<SetChange, MAX_NOTARISED_CHANGES>,
    /// The header with its certificate.
    pub head: Anchor,
}

impl NotariseHead {
    /// The set that signed the head, if everything holds from `trusted` on.
    fn signers(&self, trusted: &ValidatorSet) -> Result<ValidatorSet, Rejection> {
        verify_head(&self.ledger_id, trusted, &self.set_changes, &self.head)
            .map_err(|_| Rejection::HeadNotFinal { height: self.head.header.height.get() })?;
        let last = self.set_changes.last().map(|change| &change.next_validators);
        Ok(last.unwrap_or(trusted).clone())
    }
}

impl Transaction for NotariseHead {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let regulator = context.party()?;
        let (ledger_id, header) = (self.ledger_id, &self.head.header);
        let mut ledger = state.admitted_ledger(&ledger_id)?;
        if let Some(height) = ledger.forked_at {
            return Err(Rejection::LedgerForked { height: height.get() });
        }
        let (height, header_hash) = (header.height, header.hash());
        match state.notarised_head(&ledger_id, height) {
            Some(known) if known.header_hash == header_hash => {
                state.emit(Event::AlreadyRecorded {});
                return Ok(());
            }
            Some(known) => {
                self.signers(&known.validators)?;
                ledger.forked_at = Some(height);
                state.put_admitted_ledger(&ledger);
                let (first, second) = (known.header_hash, header_hash);
                state.emit(Event::ForkProven { ledger_id, height: height.get(), first, second });
                return Ok(());
            }
            None if height < ledger.newest => {
                return Err(Rejection::HeadNotNewer { newest: ledger.newest.get() });
            }
            None => {}
        }
        let newest = state.notarised_head(&ledger_id, ledger.newest);
        let newest = newest.expect("the newest head is stored with its ledger");
        if header.epoch < newest.epoch || header.time <= newest.time {
            return Err(Rejection::HeadNotFinal { height: height.get() });
        }
        let signers = self.signers(&newest.validators)?;
        state.put_notarised_head(&ledger_id, &NotarisedHead::new(header, signers));
        ledger.newest = height;
        state.put_admitted_ledger(&ledger);
        let height = height.get();
        state.emit(Event::HeadNotarised { ledger_id, height, header_hash, regulator });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use primitives::hash::Hash;
    use primitives::header::{Certificate, Header};
    use primitives::key::SigningKey;

    use super::*;
    use crate::genesis::Genesis;
    use crate::tests::kit::*;

    fn three(names: [&str; 4]) -> Vec<SigningKey> {
        names.iter().map(|name| key(name)).collect()
    }

    fn set(keys: &[SigningKey]) -> ValidatorSet {
        ValidatorSet::new(keys.iter().map(SigningKey::public).collect()).unwrap()
    }

    /// The other ledger, played by its validators.
    struct Other {
        genesis: Genesis,
        validators: Vec<SigningKey>,
    }

    impl Other {
        fn new() -> Self {
            let validators = three(["n1", "n2", "n3", "n4"]);
            let keys: Vec<_> = validators.iter().collect();
            Self { genesis: other_ledger("north channel", &keys), validators }
        }

        fn header(&self, height: u64, epoch: u64) -> Header {
            let mut header = self.genesis.header();
            header.height = primitives::units::BlockHeight::new(height);
            header.time = primitives::units::Timestamp::new(header.time.get() + height * 1_000);
            header.epoch = epoch;
            header.validators_hash = set(&self.validators).hash();
            header.next_validators_hash = header.validators_hash;
            header.parent = Hash::of_domain("parent", &[&height.to_le_bytes()]);
            header
        }

        fn signed(&self, header: Header, signers: usize) -> Anchor {
            let mut certificate =
                Certificate { view: 1, parent_view: 0, signatures: Bounded::new() };
            let message = certificate.message(&header);
            for (place, key) in (0..).zip(&self.validators).take(signers) {
                certificate.signatures.push((place, key.sign_bytes(&message))).unwrap();
            }
            Anchor { header, certificate }
        }

        fn head(&self, height: u64, epoch: u64) -> NotariseHead {
            self.of(self.signed(self.header(height, epoch), 3))
        }

        fn of(&self, head: Anchor) -> NotariseHead {
            let ledger_id = self.genesis.ledger_id();
            NotariseHead { ledger_id, set_changes: Bounded::new(), head }
        }
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let other = Other::new();
        let regulator = network.regulators[0].key.clone();
        let send = |body: NotariseHead| by(&[&regulator], body);
        let mut foreign = other.signed(other.header(6, 0), 3);
        foreign.header.ledger_id = network.rules.ledger_id();
        let strangers =
            Other { validators: three(["n1", "n2", "m3", "m4"]), genesis: other.genesis.clone() };
        let not_final = |height| breaks(Rejection::HeadNotFinal { height });
        network.check(&[(send(other.head(5, 0)), breaks(Rejection::LedgerUnknown))]);
        let admission = network.admission(&other.genesis);
        network.accept(&admission);
        network.check(&[
            (send(other.of(other.signed(other.header(5, 0), 2))), not_final(5)),
            (send(other.of(foreign)), not_final(6)),
            (send(strangers.head(5, 0)), not_final(5)),
            (send(other.head(5, 0)), emits(&["HeadNotarised"])),
            (send(other.head(5, 0)), emits(&["AlreadyRecorded"])),
            (send(other.head(4, 0)), breaks(Rejection::HeadNotNewer { newest: 5 })),
            (send(other.head(9, 1)), emits(&["HeadNotarised"])),
            (send(other.head(10, 0)), not_final(10)),
        ]);
        let id = other.genesis.ledger_id();
        assert_eq!(network.state().admitted_ledger(&id).unwrap().newest.get(), 9);
        let heights: Vec<_> = network
            .state()
            .notarised_heads(&id, Some(primitives::units::BlockHeight::new(0)), 10)
            .iter()
            .map(|head| head.height.get())
            .collect();
        assert_eq!(heights, [5, 9]);
    }

    #[test]
    fn validators_who_left_convince_nobody_any_more() {
        let mut network = Network::new();
        let old = Other::new();
        let new =
            Other { validators: three(["m1", "m2", "m3", "m4"]), genesis: old.genesis.clone() };
        let regulator = network.regulators[0].key.clone();
        let send = |body: NotariseHead| by(&[&regulator], body);
        let admission = network.admission(&old.genesis);
        network.accept(&admission);
        let mut leaving = old.header(8, 0);
        leaving.next_validators_hash = set(&new.validators).hash();
        let Anchor { header, certificate } = old.signed(leaving, 3);
        let next_validators = set(&new.validators);
        let change = SetChange { header, certificate, next_validators };
        let changed = |change: SetChange| {
            let mut body = new.head(12, 1);
            body.set_changes.push(change).unwrap();
            body
        };
        let forged = SetChange { next_validators: set(&old.validators), ..change.clone() };
        let not_final = breaks(Rejection::HeadNotFinal { height: 12 });
        network.check(&[
            (send(new.head(12, 1)), not_final.clone()),
            (send(changed(forged)), not_final),
            (send(changed(change)), emits(&["HeadNotarised"])),
            (send(old.head(13, 1)), breaks(Rejection::HeadNotFinal { height: 13 })),
            (send(new.head(14, 1)), emits(&["HeadNotarised"])),
        ]);
    }

    #[test]
    fn two_final_headers_of_one_height_prove_a_fork() {
        let mut network = Network::new();
        let other = Other::new();
        let regulator = network.regulators[0].key.clone();
        let send = |body: NotariseHead| by(&[&regulator], body);
        let admission = network.admission(&other.genesis);
        network.accept(&admission);
        let mut second = other.header(5, 0);
        second.parent = Hash::ZERO;
        network.check(&[
            (send(other.head(5, 0)), emits(&["HeadNotarised"])),
            (send(other.head(7, 0)), emits(&["HeadNotarised"])),
            (
                send(other.of(other.signed(second.clone(), 2))),
                breaks(Rejection::HeadNotFinal { height: 5 }),
            ),
            (send(other.of(other.signed(second, 3))), emits(&["ForkProven"])),
            (send(other.head(8, 0)), breaks(Rejection::LedgerForked { height: 5 })),
        ]);
        let ledger = network.state().admitted_ledger(&other.genesis.ledger_id()).unwrap();
        assert_eq!(ledger.forked_at.map(|height| height.get()), Some(5));
    }
}
