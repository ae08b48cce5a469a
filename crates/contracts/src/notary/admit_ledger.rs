//! A regulator admits another ledger.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Genesis, Rules};
use crate::registry::Role;
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

use super::{AdmittedLedger, MAX_ADMITTED_LEDGERS, NotarisedHead};

/// Admits another ledger, so that its heads can be notarised here. The genesis is the whole proof: the
/// ledger's id is its hash, and its first validators stand in it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AdmitLedger {
    /// The other ledger's genesis.
    pub genesis: Genesis,
}

impl Transaction for AdmitLedger {
    const SENDERS: &'static [Who] = &[Who::Role(Role::Regulator)];

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        let other = Rules::new(self.genesis.clone())
            .map_err(|_| Malformed::Field("this genesis cannot found a ledger"))?;
        if other.ledger_id() == rules.ledger_id() {
            return Err(Malformed::Field("a ledger does not admit itself"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let regulator = context.party()?;
        let ledger_id = self.genesis.ledger_id();
        if state.admitted_ledger(&ledger_id).is_ok() {
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        if state.admitted_ledgers().len() >= MAX_ADMITTED_LEDGERS {
            return Err(Rejection::TooManyLedgers { bound: MAX_ADMITTED_LEDGERS as u64 });
        }
        let header = self.genesis.header();
        state.put_admitted_ledger(&AdmittedLedger {
            ledger_id,
            name: self.genesis.name.clone(),
            admitted_by: regulator,
            newest: header.height,
            forked_at: None,
        });
        let first = NotarisedHead::new(&header, self.genesis.validators.clone());
        state.put_notarised_head(&ledger_id, &first);
        state.emit(Event::LedgerAdmitted { ledger_id, regulator });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let other = other_ledger("north channel", &[&key("n1")]);
        network.check(&[
            (network.admission(&other), emits(&["LedgerAdmitted"])),
            (network.admission(&other), emits(&["AlreadyRecorded"])),
        ]);
        let state = network.state();
        let admitted = state.admitted_ledger(&other.ledger_id()).unwrap();
        assert_eq!(admitted.newest.get(), 0);
        assert_eq!(admitted.admitted_by, network.regulators[0].id);
        let first = state.notarised_head(&other.ledger_id(), admitted.newest).unwrap();
        assert_eq!(first.validators, other.validators);
        assert_eq!(first.header_hash, other.header().hash());
    }

    #[test]
    fn its_own_genesis_and_an_impossible_one_are_no_form() {
        let network = Network::new();
        let own = AdmitLedger { genesis: network.rules.genesis().clone() };
        let refused = own.check(&[], &network.rules);
        assert_eq!(refused, Err(Malformed::Field("a ledger does not admit itself")));
        let mut genesis = other_ledger("north channel", &[&key("n1")]);
        genesis.owner.threshold = 200;
        let refused = AdmitLedger { genesis }.check(&[], &network.rules);
        assert_eq!(refused, Err(Malformed::Field("this genesis cannot found a ledger")));
    }

    #[test]
    fn a_ledger_admits_only_so_many_others() {
        let mut network = Network::new();
        for number in 0..MAX_ADMITTED_LEDGERS {
            let other = other_ledger(&format!("channel {number}"), &[&key("n1")]);
            let draft = network.admission(&other);
            network.accept(&draft);
        }
        let one_more = network.admission(&other_ledger("one more", &[&key("n1")]));
        network.check(&[(one_more, breaks(Rejection::TooManyLedgers { bound: 256 }))]);
    }
}
