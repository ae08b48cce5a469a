//! A regulator or an organisation in office proposes a change.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::rejection::{Malformed, Rejection};
use crate::state::{Overlay, State};
use crate::transaction::{Transaction, Who, no_payload};

use super::{Change, Proposal};

/// Proposes a change. Its id is that of this transaction. Signer and cosigners with a voice approve
/// it by the same signatures, so what everybody has agreed on before is one transaction.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ProposeChange {
    /// What is proposed.
    pub change: Change,
}

impl Transaction for ProposeChange {
    const SENDERS: &'static [Who] = &[Who::AnyParty];

    fn check(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        self.change.check(rules)
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let proposal = Proposal::new(context, state, self.change.clone())?;
        if !proposal.has_voice(proposal.proposer) {
            return Err(Rejection::NotInOffice);
        }
        // What could not act now is not proposed.
        self.change.schedule(context, &mut Overlay::new(state))?;
        let (id, proposer) = (context.transaction, proposal.proposer);
        state.emit(Event::ChangeProposed { proposal: id, proposer });
        proposal.approve(context, state, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::genesis::Parameters;
    use crate::governance::{Endorsement, RegisterNode};
    use crate::registry::{Role, SuspendParty};
    use crate::tests::kit::*;
    use primitives::units::{BlockHeight, MicroCurrency};

    const ACCEPTED: &[&str] = &[
        "ChangeProposed",
        "ChangeApproved",
        "ChangeApproved",
        "ValidatorsScheduled",
        "ChangeAccepted",
    ];

    fn propose(signers: &[&SigningKey], change: Change) -> Draft {
        by(signers, ProposeChange { change })
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::new();
        let council = network.council();
        let [one, two, three] = [0, 1, 2].map(|index| network.regulators[index].key.clone());
        let (grid, north) = (network.grid.key.clone(), network.north.clone());
        let second = key("second node of north");
        let registration = network.node(&north, &second);
        network.accept(&registration);
        let nobody = key("nobody");
        let all_three = [&council.grid, &council.north, &council.south];
        let seven = [&council.grid, &council.north, &second];
        let no_voice = council.four_seats();
        network.check(&[
            (propose(&[&one], seats(&[], &[])), WRONG_FIELD),
            (propose(&[&one], seats(&[&nobody], &[&nobody])), WRONG_FIELD),
            (propose(&[&grid, &one, &two], no_voice), breaks(Rejection::NotInOffice)),
            (propose(&[&one], seats(&[&nobody], &[])), breaks(Rejection::NoSeat)),
            (propose(&[&one], seats(&[], &[&council.regulator])), breaks(Rejection::SeatTaken)),
            (
                propose(&[&one], seats(&[&council.regulator], &[])),
                breaks(Rejection::SeatsOutOfRange { seats: 0, bound: 128 }),
            ),
            (propose(&[&one], seats(&[], &[&nobody])), breaks(Rejection::NodeUnknown)),
            (
                propose(&[&one], seats(&[], &seven)),
                breaks(Rejection::TooManySeats { seats: 2, of: 4 }),
            ),
            (
                propose(&[&one], seats(&[&council.regulator], &all_three)),
                breaks(Rejection::NoRegulatorSeat),
            ),
            (
                propose(&[&two], seats(&[], &all_three)),
                emits(&["ChangeProposed", "ChangeApproved"]),
            ),
            (
                propose(&[&two, &three], seats(&[], &all_three)),
                emits(&["ChangeProposed", "ChangeApproved", "ChangeApproved"]),
            ),
            (propose(&[&one, &two], seats(&[], &all_three)), emits(ACCEPTED)),
            (propose(&[&one, &two], seats(&[], &all_three)), breaks(Rejection::SeatTaken)),
        ]);
        network.accept(&by(&[&one], SuspendParty { party: north.id }));
        network.check(&[(
            propose(&[&one], seats(&[&council.grid], &[])),
            breaks(Rejection::PartyStatusDiffers),
        )]);
    }

    #[test]
    fn what_is_scheduled_by_height_keeps_two_epochs_of_distance() {
        let mut network = Network::new();
        network.council();
        let one = network.regulators[0].key.clone();
        network.enter_epoch(3);
        let earliest = network.rules.first_height_of(5);
        let parameters = |height, price| Change::Parameters {
            from_height: BlockHeight::new(height),
            parameters: Parameters {
                token_price_micro_coin: MicroCurrency::new(price),
                ..Parameters::default()
            },
        };
        let protocol =
            |version| Change::Protocol { from_height: BlockHeight::new(earliest), version };
        let endorsed = |kind, count| {
            let endorsements = vec![Endorsement { role: Role::Regulator, count }];
            let endorsements = endorsements.try_into().unwrap();
            Change::Endorsements { from_height: BlockHeight::new(earliest), kind, endorsements }
        };
        network.check(&[
            (propose(&[&one], parameters(earliest, 0)), WRONG_FIELD),
            (propose(&[&one], protocol(1)), WRONG_FIELD),
            (propose(&[&one], endorsed(905, 1)), WRONG_FIELD),
            (propose(&[&one], endorsed(202, 1)), WRONG_FIELD),
            (propose(&[&one], endorsed(301, 0)), WRONG_FIELD),
            (
                propose(&[&one], parameters(earliest - 1, 1)),
                breaks(Rejection::ActsTooEarly { earliest }),
            ),
        ]);
        network.accept(&network.proposal(protocol(2)));
        network.accept(&network.proposal(parameters(earliest, 250_000)));
        network.check(&[(
            network.proposal(protocol(2)),
            breaks(Rejection::ProtocolNotNewer { version: 2 }),
        )]);
        let price = |height| {
            network.state().parameters(&network.rules, height).token_price_micro_coin.get()
        };
        assert_eq!([price(earliest - 1), price(earliest)], [500_000, 250_000]);
        for later in 1..crate::governance::MAX_SCHEDULED as u64 {
            network.accept(&network.proposal(parameters(earliest + later, 1)));
        }
        network.check(&[(
            network.proposal(parameters(earliest + 100, 1)),
            breaks(Rejection::TooManyScheduled { bound: 8 }),
        )]);
    }

    #[test]
    fn a_tariff_that_needs_the_regulator_too() {
        let mut network = Network::new();
        network.council();
        let (one, north) = (network.regulators[0].key.clone(), network.north.key.clone());
        let endorsements = vec![
            Endorsement { role: Role::Regulator, count: 1 },
            Endorsement { role: Role::Distributor, count: 1 },
        ];
        let change = Change::Endorsements {
            from_height: BlockHeight::new(network.rules.first_height_of(2)),
            kind: 301,
            endorsements: endorsements.try_into().unwrap(),
        };
        network.accept(&network.proposal(change));
        let publish = |network: &Network, signers: &[&SigningKey]| {
            let name = "rate".parse().unwrap();
            let (first_period, terms) = (network.next(), flat(5_000_000));
            let body = crate::tariff::PublishTariff { tariff: None, name, first_period, terms };
            by(signers, body)
        };
        network.accept(&publish(&network, &[&north]));
        network.enter_epoch(2);
        let missing = |role| Rejection::EndorsementMissing { role, signed: 0, wanted: 1 };
        network.check(&[
            (publish(&network, &[&north]), breaks(missing(0))),
            (publish(&network, &[&north, &key("nobody")]), breaks(missing(0))),
            (publish(&network, &[&north, &one]), emits(&["TariffPublished"])),
        ]);
    }

    #[test]
    fn an_unclaimed_seat_has_no_voice_and_counts() {
        let mut network = Network::new();
        let (one, node) = (network.regulators[0].clone(), key("node"));
        let registration = RegisterNode { key: node.public(), peer_address: Default::default() };
        network.accept(&by(&[&one.key, &node], registration));
        let change = seats(&[&key("validator")], &[&node]);
        let outcome = network.accept(&network.proposal(change));
        let proposal = network.state().proposal(&outcome.id).unwrap();
        assert_eq!(proposal.organisations_approving(), (0, 1));
        assert_eq!(proposal.acts_from, None);
    }
}
