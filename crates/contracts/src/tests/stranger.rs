//! Every transaction of the table, sent by everybody who should not.
//!
//! Each forerunner of this network failed here: anyone marked deliveries, set rates, changed data.
//! The walk over `TABLE` makes a new transaction without a sample or without a line in
//! [`WRONG_INDIVIDUAL`] fail.

use super::kit::{
    Draft, Expected, Member, Network, SigningKey, WRONG_ENCODING, WRONG_PAYLOAD, by, key, name_of,
};
use super::sample::{draft, private_stage, stage, stage_of};
use crate::Rejection;
use crate::genesis::Privacy;
use crate::registry::{AddKey, CloseParty, RevokeKey, Role};
use crate::state_key;
use crate::transaction::{Entry, TABLE, Who};

/// What happens when the sender holds a role that may send the transaction but is not the one whom
/// it is about: another distributor, another meter, another customer. "acted": the transaction is
/// about its sender only, or everybody of the role may send it.
const WRONG_INDIVIDUAL: &[(&str, &str)] = &[
    // A key of the council cosigned, so a third one of the council is as right as the first.
    ("AppointRegulator", "acted"),
    ("RemoveRegulator", "acted"),
    ("RegisterParty", "acted"),
    ("GrantRole", "acted"),
    ("RevokeRole", "acted"),
    ("SuspendParty", "acted"),
    ("ReinstateParty", "acted"),
    ("CloseParty", "acted"),
    ("AddKey", "acted"),
    ("RevokeKey", "KeyNotOfParty"),
    ("RecoverKey", "acted"),
    ("RegisterStation", "acted"),
    ("RegisterUsagePoint", "NotTheDistributor"),
    ("InstallMeter", "NotTheDistributor"),
    ("AuthorizeGateway", "NotTheDistributor"),
    ("SubmitReading", "SenderIsNotTheMeter"),
    ("SealDay", "SenderIsNotTheMeter"),
    ("CorrectReading", "SenderIsNotTheMeter"),
    ("SealGatewayBatch", "NotTheGateway"),
    ("PublishFrequency", "acted"),
    ("CorrectFrequency", "acted"),
    ("DeleteFrequency", "acted"),
    ("SealFrequencyDay", "acted"),
    ("EstimateDay", "NotTheBiller"),
    ("PublishStandardProfile", "acted"),
    ("SealPrivateDay", "SenderIsNotTheMeter"),
    ("SubstituteDay", "NotTheBiller"),
    ("ErasePayloads", "NotTheCustomer"),
    ("PublishTariff", "NotThePublisher"),
    ("AssignTariff", "NotThePublisher"),
    ("AmendTariff", "NotThePublisher"),
    ("ChargeSlots", "NotTheBiller"),
    ("WithdrawSlotCharge", "NotTheBiller"),
    ("IssueBill", "NotTheBiller"),
    ("PayBill", "NotTheCustomer"),
    ("PayOutBill", "NotTheBiller"),
    ("PayDues", "MoreThanOwed"),
    ("DisputeBill", "NotTheCustomer"),
    ("DecideDispute", "acted"),
    ("SetFineRules", "acted"),
    ("CarryBill", "NotTheCustomer"),
    ("IssueStatement", "NotTheBiller"),
    ("IssuePrivateBill", "NotTheBiller"),
    ("PayOutCredit", "NotTheBiller"),
    ("BuyTokens", "acted"),
    ("RedeemTokens", "InsufficientFunds"),
    ("SetBackingLimit", "acted"),
    ("AdmitLedger", "acted"),
    ("NotariseHead", "acted"),
    ("AdvanceClock", "acted"),
    ("RegisterNode", "acted"),
    ("RemoveNode", "QuorumNotReached"),
    ("RotateNodeKey", "KeyNotOfParty"),
    ("ProposeChange", "NotInOffice"),
    ("ApproveChange", "NotInOffice"),
    ("RequestCheckpoint", "acted"),
    ("AttestCheckpoint", "NoSeat"),
];

/// The stage with strangers of every kind.
struct Strangers {
    network: Network,
    unknown: Member,
    revoked: Member,
    suspended: Member,
    closed: Member,
    /// A node that holds no seat.
    node: SigningKey,
    /// One for each role.
    single: Vec<(Role, Member)>,
}

fn strangers(mut network: Network) -> Strangers {
    let regulator = network.regulators[0].key.clone();
    let everything: Vec<Role> =
        Role::ALL.iter().copied().filter(|role| *role != Role::Regulator).collect();
    let mut single = Vec::new();
    for role in &everything {
        single.push((*role, network.admit(&format!("single {role:?}"), &[*role])));
    }
    single.push((Role::Regulator, network.appoint("another regulator")));
    let suspended = network.admit("suspended", &everything);
    network.suspend(suspended.id);
    let closed = network.admit("closed", &everything);
    network.accept(&by(&[&regulator], CloseParty { party: closed.id }));
    let revoked = network.admit("revoked", &everything);
    let phone = key("phone of revoked");
    network.accept(&by(&[&revoked.key, &phone], AddKey { key: phone.public() }));
    let address = revoked.key.public().address();
    network.accept(&by(&[&phone], RevokeKey { key: address }));
    let unknown = Member { id: suspended.id, key: key("never registered") };
    let node = key("node of a stranger");
    let registration = network.node(&network.grid.clone(), &node);
    network.accept(&registration);
    Strangers { network, unknown, revoked, suspended, closed, node, single }
}

fn wrong_individual(entry: &Entry) -> &'static str {
    let line = WRONG_INDIVIDUAL.iter().find(|(name, _)| *name == entry.name);
    line.unwrap_or_else(|| panic!("{} has no line in WRONG_INDIVIDUAL", entry.name)).1
}

/// Sends and compares; a rejection writes the sender's sequence and nothing else.
#[track_caller]
fn refuse(network: &Network, draft: &Draft, expected: &str, who: &str) {
    let mut network = network.clone();
    let outcome = network.send(draft);
    let name = draft.body.entry().name;
    assert_eq!(name_of(outcome.code), expected, "{name} sent by {who}");
    if outcome.code != 0 {
        let sequence = state_key::sequence_window(&draft.signers[0].public().address());
        let keys: Vec<_> = outcome.writes.keys().collect();
        assert_eq!(keys, [&sequence], "{name} sent by {who} wrote more than its sequence");
    }
}

#[test]
fn every_sample_acts_when_its_right_sender_sends_it() {
    for entry in TABLE {
        let mut network = stage_of(entry);
        let draft = draft(entry.name, &mut network);
        assert_eq!(draft.body.entry().name, entry.name);
        let outcome = network.send(&draft);
        assert_eq!(name_of(outcome.code), "acted", "{}", entry.name);
        let idle = outcome.events.is_empty() || outcome.event_names() == ["AlreadyRecorded"];
        assert!(!idle, "the sample of {} does nothing", entry.name);
        network.assert_books();
    }
}

#[test]
fn nobody_else_sends_any_transaction() {
    let (open, private) = (strangers(stage()), strangers(private_stage()));
    for entry in TABLE {
        let is_private = entry.privacy == Some(Privacy::Private);
        let strangers = if is_private { &private } else { &open };
        let mut network = strangers.network.clone();
        let right = draft(entry.name, &mut network);
        let check = |key, expected, who: &str| refuse(&network, &right.sent_by(key), expected, who);
        let permitted = |permitted| {
            if permitted { wrong_individual(entry) } else { "SenderNotPermitted" }
        };
        check(&strangers.unknown.key, "KeyUnknown", "an unregistered key");
        check(&strangers.revoked.key, "KeyRevoked", "a revoked key");
        check(&strangers.closed.key, "PartyClosed", "a closed party");
        // The suspended party holds every role that a regulator can grant.
        let may = entry.senders.iter().any(|who| match who {
            Who::AnyParty => true,
            Who::Role(role) => *role != Role::Regulator,
            _ => false,
        });
        let expected = if entry.when_suspended { permitted(may) } else { "PartySuspended" };
        check(&strangers.suspended.key, expected, "a suspended party");
        check(
            &network.owner[2],
            permitted(entry.senders.contains(&Who::Owner)),
            "another key of the owner",
        );
        let keeper = entry.senders.contains(&Who::ClockKeeper);
        check(&network.clock_keeper, permitted(keeper), "the clock keeper");
        let meter = entry.senders.contains(&Who::Meter);
        check(&network.far_home.meter, permitted(meter), "the meter of another usage point");
        let node = entry.senders.contains(&Who::Node);
        check(&strangers.node, permitted(node), "a node without a seat");
        for (role, member) in &strangers.single {
            let may = entry.senders.iter().any(|who| match who {
                Who::AnyParty => true,
                Who::Role(wanted) => wanted == role,
                _ => false,
            });
            check(&member.key, permitted(may), &format!("another {role:?}"));
        }
    }
}

#[test]
fn a_distributor_does_nothing_at_the_boundary_of_its_own_station() {
    let mut network = stage();
    let day = network.day(0);
    let boundary = network.boundary.clone();
    let north = network.north.clone();
    let meter = key("its own meter");
    let install = network.installation(boundary.point, &meter);
    network.check(&[
        (by(&[&north.key, &meter], install), Expected::Breaks(Rejection::NotTheDistributor)),
        (network.bill(&[&boundary], day), Expected::Breaks(Rejection::NotTheBiller)),
    ]);
}

#[test]
fn a_used_sequence_changes_nothing_at_all() {
    let mut network = stage();
    let right = draft("PayBill", &mut network);
    let transaction = network.sign(&right, 1_000);
    let time = network.time;
    assert_eq!(network.execute(&transaction, Vec::new(), time).code, 0);
    let before = network.state.entries.clone();
    let again = network.execute(&transaction, Vec::new(), time);
    assert_eq!(again.code, Rejection::SequenceUsed { sequence: 1_000 }.code());
    assert!(again.writes.is_empty());
    let far = network.sign(&right, 2_025);
    let outcome = network.execute(&far, Vec::new(), time);
    assert_eq!(outcome.code, Rejection::SequenceOutsideWindow { sequence: 0, highest: 0 }.code());
    // That it was refused is remembered, so that it never acts; nothing else is written.
    let window = state_key::sequence_window(&far.envelope.signer.address());
    let mut changed = network.state.entries.clone();
    changed.insert(window.clone(), before[&window].clone());
    assert!(changed == before && network.state.entries != before);
    let remembered = network.state.entries.clone();
    let again = network.execute(&far, Vec::new(), time);
    assert_eq!(again.code, Rejection::SequenceUsed { sequence: 2_025 }.code());
    assert!(network.state.entries == remembered);
}

#[test]
fn a_payload_is_wanted_exactly_where_the_transaction_commits_to_one() {
    for entry in TABLE {
        let mut network = stage_of(entry);
        let right = draft(entry.name, &mut network);
        let mut more = right.clone();
        more.payload.push(0);
        let mut none = right.clone();
        none.payload.clear();
        if right.payload.is_empty() {
            network.check(&[(more, WRONG_PAYLOAD)]);
        } else {
            network.check(&[(more, WRONG_ENCODING), (none, WRONG_ENCODING)]);
        }
    }
}
