//! Networks from seeds: what must hold holds, and planted bugs are found.

mod private;

use network_simulator::scenario::{Scenario, Step, play};
use network_simulator::{Bug, Faults, simulate};

fn nothing_is_violated(seeds: std::ops::Range<u64>, faults: Faults) {
    for seed in seeds {
        let report = simulate(seed, faults, None);
        assert!(
            report.violations.is_empty(),
            "seed {seed} with faults {faults:?}: {:?}; `gridtally simulate network` runs it again",
            report.violations
        );
        assert!(report.blocks >= 8 && report.acknowledged >= 7, "nothing happened: {report:?}");
    }
}

#[test]
fn four_validators_agree() {
    nothing_is_violated(0..2, Faults::None);
}

#[test]
fn validators_crash_and_return() {
    nothing_is_violated(0..5, Faults::Crash);
}

#[test]
fn the_network_loses_delays_and_splits() {
    nothing_is_violated(0..5, Faults::Network);
}

#[test]
fn stores_fail() {
    nothing_is_violated(0..4, Faults::Storage);
}

#[test]
fn one_of_four_lies() {
    nothing_is_violated(0..5, Faults::Byzantine);
}

#[test]
fn seats_change_while_validators_crash() {
    nothing_is_violated(0..3, Faults::Membership);
    assert!(simulate(0, Faults::Membership, None).sets > 1, "nobody took a seat");
}

/// One of three crashes, returns without the certificate of a block that the others have executed,
/// and has to vote on what they propose next.
#[test]
fn a_certificate_that_was_lost_in_a_crash_is_asked_for() {
    nothing_is_violated(215..216, Faults::Membership);
}

/// Who proposed on a block goes before it has told one of the three others of the block's certificate.
#[test]
fn who_lacks_a_certificate_asks_all_validators() {
    nothing_is_violated(1_706..1_707, Faults::All);
}

/// A liar has a transaction ordered again just when its sender asks another validator for its answer.
#[test]
fn the_first_receipt_stays_the_answer() {
    nothing_is_violated(1_477..1_478, Faults::All);
}

/// Plays the steps on some seeds, with so many validators at first, organisations and nodes.
fn played(seeds: std::ops::Range<u64>, [first, own, nodes]: [usize; 3], steps: &[Step]) {
    let scenario = Scenario { validators: first, organisations: own, nodes, steps: steps.to_vec() };
    for seed in seeds {
        let report = play(seed, &scenario);
        assert!(report.violations.is_empty(), "seed {seed}: {:?}", report.violations);
        assert!(report.blocks >= 30 && report.acknowledged >= 7, "nothing happened: {report:?}");
    }
}

fn seats(remove: &[usize], add: &[usize]) -> Step {
    Step::Seats { remove: remove.to_vec(), add: add.to_vec() }
}

#[test]
fn a_validator_is_added_and_another_removed() {
    let steps = [Step::Start(4), seats(&[], &[4]), seats(&[0], &[]), Step::Stop(0)];
    played(0..1, [4, 5, 5], &steps);
}

#[test]
fn a_validator_is_replaced_and_returns() {
    let steps = [Step::Start(4), seats(&[1], &[4]), seats(&[2], &[1])];
    played(0..1, [4, 5, 5], &steps);
}

#[test]
fn a_validator_joins_that_begins_after_its_seat_does() {
    let steps = [seats(&[], &[4]), Step::Start(4), seats(&[3], &[])];
    // Four of five are a quorum: the ledger goes on while the newcomer is still away.
    played(0..1, [4, 5, 5], &steps);
}

#[test]
fn a_key_changes() {
    played(0..1, [4, 4, 5], &[Step::Start(4), Step::Rotate { from: 2, to: 4 }, Step::Stop(2)]);
}

#[test]
fn one_validator_becomes_five() {
    let started = [1, 2, 3, 4].map(Step::Start);
    let steps = [&started[..], &[seats(&[], &[1, 2, 3]), seats(&[], &[4])]].concat();
    played(0..1, [1, 5, 5], &steps);
}

#[test]
fn the_whole_set_is_replaced() {
    let started = [4, 5, 6, 7].map(Step::Start);
    let steps = [seats(&[0, 1], &[4, 5]), seats(&[2, 3], &[6, 7])];
    played(0..1, [4, 8, 8], &[&started[..], &steps].concat());
}

#[test]
fn they_crash_at_the_boundary() {
    let one = |node| Step::CrashAtBoundary(vec![node]);
    let all = Step::CrashAtBoundary(vec![0, 1, 2, 3, 4]);
    let steps =
        [Step::Start(4), one(0), seats(&[], &[4]), one(4), all.clone(), seats(&[0], &[]), all];
    played(0..2, [4, 5, 5], &steps);
}

#[test]
fn one_regulator_alone_changes_nothing() {
    let alone = Step::Alone { organisation: 1, remove: vec![2] };
    played(0..1, [4, 4, 4], &[alone]);
}

#[test]
fn parameters_and_the_protocol_change_at_one_height_everywhere() {
    played(0..1, [4, 4, 4], &[Step::Price(250_000), Step::Protocol(2)]);
}

#[test]
fn everything_at_once() {
    nothing_is_violated(0..4, Faults::All);
}

#[test]
#[ignore = "long: a thousand seeds"]
fn a_thousand_seeds() {
    nothing_is_violated(1_000..1_800, Faults::All);
    nothing_is_violated(1_800..2_000, Faults::Byzantine);
}

#[test]
fn a_seed_gives_the_same_run_again() {
    assert_eq!(simulate(7, Faults::All, None), simulate(7, Faults::All, None));
}

/// The first seed in which a planted bug shows itself.
fn found(bug: Bug, faults: Faults) -> u64 {
    let shows = |seed: &u64| !simulate(*seed, faults, Some(bug)).violations.is_empty();
    (0..200).find(shows).unwrap_or_else(|| panic!("{bug:?} is not found within 200 seeds"))
}

#[test]
fn a_validator_that_votes_blindly_is_found() {
    found(Bug::VotesBlindly, Faults::Byzantine);
}

#[test]
fn a_proposer_that_forgets_what_it_proposed_is_found() {
    found(Bug::ForgetsProposals, Faults::Network);
}

#[test]
fn a_proposer_that_answers_early_is_found() {
    found(Bug::AnswersEarly, Faults::Crash);
}

#[test]
fn a_validator_that_loses_its_journal_is_found() {
    found(Bug::LosesJournal, Faults::Crash);
}

#[test]
fn a_validator_that_executes_differently_is_found() {
    found(Bug::ExecutesDifferently, Faults::Crash);
}

#[test]
fn the_validators_agree_on_checkpoints() {
    let steps = [Step::Checkpoint, Step::Stop(3), Step::Checkpoint];
    played(0..1, [4, 4, 4], &steps);
}
