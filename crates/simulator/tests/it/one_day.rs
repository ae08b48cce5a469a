//! What a day must leave behind, whatever ledger it is played on.

use std::sync::Arc;

use contracts::Position;
use contracts::registry::UsagePointKind;
use ledger::store::MemoryStore;
use ledger::{InLine, Ledger, Outcome, View};
use node::{Node, NodeConfig, SystemClock};
use primitives::calendar::LocalDay;
use primitives::envelope::Submission;
use primitives::units::{MicroCurrency, MilliHertz};
use simulator::demo_keys::DemoRole;
use simulator::pace::{Pace, Unpaced};
use simulator::plan::{PlanError, SLOTS};
use simulator::{
    BillRow, DayError, DayPlan, DayReport, Desk, DeskError, LedgerDesk, Phase, Progress, genesis,
    run_day,
};

use crate::direct_desk::{DirectDesk, header_hashes};

fn play(plan: &DayPlan) -> (DayReport, Arc<Ledger>) {
    let mut desk = DirectDesk::new(plan);
    let report = run_day(plan, &mut desk, &mut Unpaced, &mut |_| {}).unwrap();
    (report, desk.ledger)
}

fn row<'r>(report: &'r DayReport, label: &str) -> &'r BillRow {
    report.bills.iter().find(|row| row.label == label).unwrap()
}

#[test]
fn every_usage_point_is_billed_and_every_bill_settled() {
    let (report, ledger) = play(&DayPlan::default());
    let boundaries = report.bills.iter().filter(|row| row.kind == UsagePointKind::Boundary);
    assert_eq!((report.bills.len(), boundaries.count()), (43, 2));
    for row in &report.bills {
        assert_eq!(row.open, MicroCurrency::ZERO, "{} {}", row.station, row.label);
        assert_eq!(row.paid, row.total, "{} {}", row.station, row.label);
    }
    // All 16 homes with solar inject more than they draw on a sunny day, the flat rate draws.
    assert_eq!(report.households.negative_bills, 16);
    assert!(report.households.paid_out > MicroCurrency::ZERO);
    assert_eq!(report.readings, 43 * 96);

    let view = ledger.view();
    assert_eq!((report.height, report.state_root), {
        (view.height(), view.head().executed.state_root)
    });
    assert_eq!(report.transactions, view.head().transactions);
    view.read(|state| {
        let day = DayPlan::default().day;
        for row in &report.bills {
            let metered_day = state.metered_day(row.usage_point, day);
            assert_eq!(metered_day.charged.len(), 96, "every slot of {} is charged", row.label);
        }
        // Nobody owes anybody anything: wallets and what was issued for them are all that is left.
        let accounts = state.accounts(None, 1_000);
        let (issued, held): (Vec<_>, Vec<_>) =
            accounts.iter().map(|(_, balance)| balance.get()).partition(|balance| *balance < 0);
        assert_eq!(issued.len(), 1, "only the aggregator stands below zero");
        assert_eq!(held.iter().sum::<i64>(), -issued[0]);
    })
    .unwrap();
}

#[test]
fn the_flat_rate_is_2500_then_500_then_0() {
    let (report, _) = play(&DayPlan::default());
    let fixed = report.fixed_point;
    let amounts = [
        fixed.total,
        fixed.first_payment,
        fixed.open_after_first,
        fixed.second_payment,
        fixed.open_after_second,
    ];
    let units = amounts.map(|amount| amount.get() / 1_000_000);
    assert_eq!(units, [2_500, 2_000, 500, 500, 0]);
    assert!(amounts.iter().all(|amount| amount.get() % 1_000_000 == 0));
    let row = row(&report, "F01");
    assert_eq!((row.usage_point, row.total), (fixed.usage_point, fixed.total));
    assert_eq!(row.import.get(), 500_000);
}

/// Bills computed again with nothing but the files and the published rule, in plain loops.
#[test]
fn bills_agree_with_the_published_rule() {
    const IMPORT: &str = include_str!("../../../../data/simbench/import_wh.csv");
    const EXPORT: &str = include_str!("../../../../data/simbench/export_wh.csv");
    fn column(text: &str, meter: &str) -> Vec<i128> {
        let place = text.lines().next().unwrap().split(',').position(|name| name == meter);
        let value =
            |line: &str| place.map_or(0, |at| line.split(',').nth(at).unwrap().parse().unwrap());
        text.lines().skip(1).take(96).map(value).collect()
    }
    /// P = 620 paise, capped at 800; in micro per kWh (1 paisa is 10,000 micro).
    fn price(frequency: MilliHertz) -> i128 {
        let k = i128::from(frequency.get() / 10) - 5_000;
        match k {
            5.. => 0,
            0..=4 => 620 * 10_000 * (5 - k) / 5,
            -15..=-1 => 50 * -k * 10_000 + (16 + k) * 620 * 10_000 / 16,
            _ => 800 * 10_000,
        }
    }
    /// Σ Wh × price in 10⁻³ micro, to 0.01 (10⁷ of them), half away from zero.
    fn line(energy: &[i128], plan: &DayPlan) -> i128 {
        let sum: i128 = energy.iter().zip(&plan.frequency).map(|(wh, f)| wh * price(*f)).sum();
        (sum + 5_000_000) / 10_000_000 * 10_000
    }
    let plan = DayPlan::default();
    let (report, _) = play(&plan);
    for meter in ["M01", "M02", "M12", "M24", "M40"] {
        let (import, export) = (column(IMPORT, meter), column(EXPORT, meter));
        let total = line(&import, &plan) - line(&export, &plan);
        let row = row(&report, meter);
        assert_eq!(i128::from(row.total.get()), total, "{meter}");
        assert_eq!(i128::from(row.import.get()), import.iter().sum::<i128>(), "{meter}");
        assert_eq!(i128::from(row.export.get()), export.iter().sum::<i128>(), "{meter}");
    }
    // The first station's boundary: every second home, and the flat rate.
    let mut net = [0_i128; 96];
    for meter in (1..=40).step_by(2).map(|number| format!("M{number:02}")) {
        let (import, export) = (column(IMPORT, &meter), column(EXPORT, &meter));
        for slot in 0..96 {
            net[slot] += import[slot] - export[slot];
        }
    }
    for (slot, net) in (0..).zip(&mut net) {
        *net += if slot < 32 { 5_209 } else { 5_208 };
    }
    let boundary = report.bills.iter().find(|row| row.kind == UsagePointKind::Boundary).unwrap();
    let inward: Vec<i128> = net.iter().map(|net| (*net).max(0)).collect();
    let outward: Vec<i128> = net.iter().map(|net| (-*net).max(0)).collect();
    let total = line(&inward, &plan) - line(&outward, &plan);
    assert_eq!(i128::from(boundary.total.get()), total);
    assert_eq!(i128::from(boundary.import.get()), inward.iter().sum::<i128>());
}

#[test]
fn the_same_plan_gives_the_same_blocks_and_another_seed_others() {
    let plan = |seed| DayPlan::new(DayPlan::default().day, 5, seed);
    let (first, second, other) = (play(&plan(1)), play(&plan(1)), play(&plan(2)));
    assert_eq!(first.0, second.0);
    assert_eq!(header_hashes(&first.1), header_hashes(&second.1));
    assert_ne!(first.0.state_root, other.0.state_root);
    assert_ne!(first.0.ledger_id, other.0.ledger_id);
}

#[test]
fn a_node_makes_the_same_blocks_as_the_desk_in_memory() {
    let plan = DayPlan::new(DayPlan::default().day, 5, 1);
    let node = Node::start(NodeConfig {
        store: Arc::new(MemoryStore::new()),
        genesis: Some(genesis(&plan).unwrap()),
        key: plan.keys().key(DemoRole::Validator, 0),
        clock: Arc::new(SystemClock::default()),
        verifier: Arc::new(InLine::default()),
    })
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let handle = runtime.handle().clone();
    let mut desk = LedgerDesk::new(node.submitter(), node.reader(), handle);
    let report = run_day(&plan, &mut desk, &mut Unpaced, &mut |_| {}).unwrap();
    let (in_memory, ledger) = play(&plan);
    assert_eq!(report, in_memory);
    assert_eq!(header_hashes(node.ledger()), header_hashes(&ledger));
    node.stop().unwrap();
}

#[test]
fn given_frequencies_are_the_ones_that_price_the_day() {
    let at = |millihertz| vec![MilliHertz::new(millihertz).unwrap(); usize::from(SLOTS)];
    let day = LocalDay::from_civil(2016, 6, 2).unwrap();
    let plan = DayPlan::new(day, 3, 1);
    let (report, _) = play(&plan.clone().with_frequency(at(50_050)));
    assert_eq!(report.frequency_mean.get(), 50_050);
    assert_eq!(report.price_mean.get(), 0);
    let total = |label| row(&report, label).total.get();
    assert_eq!((total("M01"), total("M02"), total("F01")), (0, 0, 2_500_000_000));
    let (report, _) = play(&plan.clone().with_frequency(at(49_840)));
    assert_eq!(report.price_mean.get(), 8_000_000);
    let row = row(&report, "M02");
    // Rounded to 0.01 from Wh × 8.00: a watt-hour costs 0.008.
    assert_eq!(row.total.get(), (row.import.get() as i64 * 8 + 5) / 10 * 10_000);

    let short = plan.with_frequency(at(50_000)[1..].to_vec());
    assert_eq!(genesis(&short), Err(PlanError::Frequencies(95)));
}

#[test]
fn homes_that_repeat_profiles_fill_several_stations() {
    let plan = DayPlan::new(DayPlan::default().day, 1_010, 1);
    let (report, _) = play(&plan);
    assert_eq!(report.bills.len(), 1_010 + 1 + 4);
    assert_eq!(report.households.open, MicroCurrency::ZERO);
    let mut labels: Vec<_> = report.bills.iter().map(|row| (&row.station, &row.label)).collect();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), report.bills.len(), "labels are unique in their station");
    assert!(report.bills.iter().any(|row| row.label == "M01-2" && row.station == "station-1-1"));
}

#[test]
fn progress_goes_through_every_phase_and_slot() {
    struct Counting(Vec<u16>);
    impl Pace for Counting {
        fn slot_done(&mut self, slot: u16) {
            self.0.push(slot);
        }
        fn elapsed(&self) -> std::time::Duration {
            std::time::Duration::from_secs(7)
        }
    }
    let plan = DayPlan::new(DayPlan::default().day, 2, 1);
    let (mut pace, mut told) = (Counting(Vec::new()), Vec::<Progress>::new());
    let mut desk = DirectDesk::new(&plan);
    let report =
        run_day(&plan, &mut desk, &mut pace, &mut |progress| told.push(*progress)).unwrap();
    assert_eq!(pace.0, (1..=SLOTS).collect::<Vec<_>>());
    assert_eq!(report.elapsed.as_secs(), 7);
    let rising = |pair: &[Progress]| {
        let key = |it: &Progress| (it.phase, it.slot, it.transactions, it.height);
        key(&pair[0]) <= key(&pair[1])
    };
    assert!(told.windows(2).all(rising));
    let last = told.last().unwrap();
    assert_eq!((last.phase, last.slot, last.slots), (Phase::Done, SLOTS, SLOTS));
    assert_eq!((last.import, last.export), (report.households.import, report.households.export));
    assert_eq!((last.transactions, last.height), (report.transactions, report.height));
}

#[test]
fn an_unexpected_receipt_is_named_with_its_rule() {
    /// Says of the tenth batch's first transaction that it broke a rule.
    struct Spoiled(DirectDesk, usize);
    impl Desk for Spoiled {
        fn submit(&mut self, submissions: Vec<Submission>) -> Result<Vec<Outcome>, DeskError> {
            let mut outcomes = self.0.submit(submissions)?;
            self.1 += 1;
            if self.1 == 10 {
                outcomes[0].code = 119;
            }
            Ok(outcomes)
        }
        fn view(&mut self) -> Result<View, DeskError> {
            self.0.view()
        }
    }
    let plan = DayPlan::new(DayPlan::default().day, 2, 1);
    let mut desk = Spoiled(DirectDesk::new(&plan), 0);
    let error = run_day(&plan, &mut desk, &mut Unpaced, &mut |_| {}).unwrap_err();
    let DayError::Rejected { transaction, code, rule, .. } = &error else { panic!("{error}") };
    assert_eq!((*code, *rule), (119, "LabelTaken"));
    let view = desk.view().unwrap();
    let Position { index, .. } = view.position_of(transaction).unwrap().unwrap();
    assert_eq!(index, 0);
    assert!(error.to_string().contains(&transaction.to_string()));
}

#[test]
fn a_day_is_played_once_and_only_on_its_own_ledger() {
    let plan = DayPlan::new(DayPlan::default().day, 1, 1);
    let mut desk = DirectDesk::new(&plan);
    let mut run = |plan: &DayPlan| run_day(plan, &mut desk, &mut Unpaced, &mut |_| {});
    let other = DayPlan::new(plan.day, 1, 2);
    assert!(matches!(run(&other), Err(DayError::OtherGenesis { .. })));
    assert!(run(&plan).is_ok());
    assert!(matches!(run(&plan), Err(DayError::NotNew { .. })));
    for homes in [0, 100_001] {
        let plan = DayPlan { homes, ..plan.clone() };
        assert!(matches!(run(&plan), Err(DayError::Plan(PlanError::Homes(_)))));
    }
}

/// The single readings of three homes are on the ledger before the seals that agree with them.
#[test]
fn three_homes_report_every_slot_during_the_day() {
    let (_, ledger) = play(&DayPlan::new(DayPlan::default().day, 4, 1));
    let view = ledger.view();
    let mut kinds = Vec::new();
    for height in 1..=view.height() {
        let (block, _) = view.block(height).unwrap().unwrap();
        kinds.extend(block.submissions.iter().map(|it| it.transaction.envelope.kind));
    }
    let count = |wanted| kinds.iter().filter(|kind| **kind == wanted).count();
    assert_eq!((count(201), count(202), count(205), count(208)), (3 * 96, 7, 96, 1));
    let first_seal = kinds.iter().position(|kind| *kind == 202).unwrap();
    assert!(!kinds[first_seal..].contains(&201));
    assert!(view.read(|state| state.virtual_clock()).unwrap().is_some());
}
