//! Networks from seeds: what must hold holds, and planted bugs are found.

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
