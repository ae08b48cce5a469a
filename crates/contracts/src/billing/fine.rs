//! Fines: what it costs to leave dues above a threshold unpaid.
//!
//! Dues are what is issued, unpaid and undisputed, without fines. They are looked at when a local day
//! ends: once they exceed the threshold, the days of grace begin; paying down to it ends everything.
//! After the grace comes a fixed part, once, then simple interest per whole day on the dues above the
//! threshold, rounded down; never more than a share of the dues in all.
//!
//! Nothing happens by itself. The ledger keeps how the dues changed, and the fine is counted from
//! that when a bill is issued, paid or looked at: the same whenever and however often it is asked.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::codec::{self, Bounded};
use primitives::hash::Hash;
use primitives::identifier::{PartyId, UsagePointId};
use primitives::rounding::div_floor;
use primitives::units::{BasisPoints, MicroCurrency, OutOfRange, Timestamp};

use super::settling::add_credit;
use crate::account::posting;
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::Rules;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

/// Changes of fine rules that are kept, for each distributor and in general.
pub const MAX_RULE_CHANGES: usize = 64;
/// Changes of a usage point's dues that are kept; older ones are counted for good.
pub const MAX_DUES_CHANGES: usize = 128;
/// Days back to which a fine is counted anew when a dispute is decided: a year, and the time that a
/// dispute takes.
pub const KEPT_DAYS: i32 = 400;
/// Days that are counted at once; whoever is left alone for longer pays no fine for what was before.
pub const MAX_COUNTED_DAYS: i32 = 3_660;

/// Fines are counted in 10⁻⁴ micro: micro times basis points, so that a day rounds nothing.
const PARTS_PER_MICRO: i128 = 10_000;
/// More than any ledger's fines come to, and little enough that no sum of days leaves its range.
const MAX_PARTS: i128 = 1 << 100;

/// When and how much is fined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FineRules {
    /// Dues up to this amount cost nothing, not negative.
    pub threshold: MicroCurrency,
    /// Days between the end of the day on which dues exceed the threshold and the fixed part.
    pub grace_days: u16,
    /// Charged once after the grace, not negative.
    pub fixed: MicroCurrency,
    /// Simple interest per whole day after the grace, on the dues above the threshold.
    pub daily: BasisPoints,
    /// The most that fixed part and interest come to, as a share of the dues.
    pub cap: BasisPoints,
}

/// From which local day on which rules hold, rising.
pub type FineRulesHistory = Bounded<(LocalDay, FineRules), MAX_RULE_CHANGES>;

/// The rules of a distributor: its own ones, before them the general ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct FineRulesOf {
    /// The distributor's own.
    pub own: FineRulesHistory,
    /// Those of everybody that has none of its own.
    pub general: FineRulesHistory,
}

impl FineRulesOf {
    /// The rules at the end of a day; `None` when nothing is fined.
    #[must_use]
    pub fn at(&self, day: LocalDay) -> Option<&FineRules> {
        let find = |history: &FineRulesHistory| {
            history.partition_point(|(from, _)| *from <= day).checked_sub(1)
        };
        find(&self.own)
            .map(|index| &self.own[index].1)
            .or_else(|| find(&self.general).map(|index| &self.general[index].1))
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.general.is_empty()
    }

    /// The same without what no longer holds on `day`.
    fn since(&self, day: LocalDay) -> Self {
        let since = |history: &FineRulesHistory| {
            let held = history.partition_point(|(from, _)| *from <= day).saturating_sub(1);
            Bounded::try_from(&history[held..]).expect("no more than before")
        };
        Self { own: since(&self.own), general: since(&self.general) }
    }
}

/// Dues above the threshold, from the end of one day on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FineRun {
    /// The day at whose end they exceeded it.
    pub exceeded_on: LocalDay,
    /// Whether the grace is over and the fixed part charged.
    pub fixed_charged: bool,
    /// Fined since, in 10⁻⁴ micro.
    pub total: i128,
}

/// What was counted up to some day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct FineCount {
    /// The dues above the threshold, while they are.
    pub run: Option<FineRun>,
    /// Fined since ever, in 10⁻⁴ micro.
    pub accrued: i128,
}

impl FineCount {
    /// A day ends with `dues`, of which it had at least `lowest` all day.
    fn end_of(&mut self, day: LocalDay, rules: Option<&FineRules>, dues: Dues) {
        let Some(rules) = rules.filter(|rules| dues.at_end > rules.threshold) else {
            self.run = None;
            return;
        };
        // Rule: paying down to the threshold ends the grace and the fine, at once.
        if dues.lowest <= rules.threshold {
            self.run = None;
        }
        let fresh = FineRun { exceeded_on: day, fixed_charged: false, total: 0 };
        let run = self.run.get_or_insert(fresh);
        let elapsed = i64::from(day.get()) - i64::from(run.exceeded_on.get());
        let grace = i64::from(rules.grace_days);
        let mut fine = 0;
        if elapsed >= grace && !run.fixed_charged {
            run.fixed_charged = true;
            fine += i128::from(rules.fixed.get()) * PARTS_PER_MICRO;
        }
        if elapsed > grace {
            let above = i128::from(dues.at_end.get()) - i128::from(rules.threshold.get());
            fine += above * i128::from(rules.daily.get());
        }
        let cap = i128::from(dues.at_end.get()) * i128::from(rules.cap.get());
        let fine = fine.min(cap - run.total).max(0);
        run.total += fine;
        self.accrued += fine;
    }
}

/// The dues of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Dues {
    /// When it ended.
    pub at_end: MicroCurrency,
    /// The lowest that they were in it.
    pub lowest: MicroCurrency,
}

/// The dues of a usage point and the fine on them.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FineAccount {
    /// The first day whose end is not counted for good.
    pub from: LocalDay,
    /// What was counted before it.
    pub count: FineCount,
    /// The dues when that day began.
    pub opening: MicroCurrency,
    /// How they changed since, rising by day.
    pub changes: Bounded<(LocalDay, Dues), MAX_DUES_CHANGES>,
    /// What was put on bills, less what was reversed: whole minor units.
    pub charged: MicroCurrency,
    /// The day of the last bill: what was counted before it stood on that one.
    pub billed_on: LocalDay,
}

impl FineAccount {
    const fn new(today: LocalDay) -> Self {
        Self {
            from: today,
            count: FineCount { run: None, accrued: 0 },
            opening: MicroCurrency::ZERO,
            changes: Bounded::new(),
            charged: MicroCurrency::ZERO,
            billed_on: today,
        }
    }

    /// What is issued, unpaid and undisputed, without fines.
    #[must_use]
    pub fn dues(&self) -> MicroCurrency {
        self.changes.last().map_or(self.opening, |(_, dues)| dues.at_end)
    }

    /// Counts the days that end before `until`.
    fn counted(&self, rules: &FineRulesOf, until: LocalDay) -> FineCount {
        let mut count = self.count;
        let mut dues = self.opening;
        let mut changes = self.changes.iter().peekable();
        let first = self.from.get().max(until.get().saturating_sub(MAX_COUNTED_DAYS));
        for day in (first..until.get()).filter_map(|day| LocalDay::new(day).ok()) {
            while let Some((_, change)) = changes.next_if(|(at, _)| *at < day) {
                dues = change.at_end;
            }
            let mut today = Dues { at_end: dues, lowest: dues };
            if let Some((_, change)) = changes.next_if(|(at, _)| *at == day) {
                today = *change;
                dues = change.at_end;
            }
            count.end_of(day, rules.at(day), today);
        }
        count
    }

    /// Counts the days before `until` for good.
    fn fold(&mut self, rules: &FineRulesOf, until: LocalDay) {
        if until <= self.from {
            return;
        }
        self.count = self.counted(rules, until);
        let passed = self.changes.partition_point(|(day, _)| *day < until);
        if let Some((_, last)) = passed.checked_sub(1).map(|index| self.changes[index]) {
            self.opening = last.at_end;
        }
        self.changes = Bounded::try_from(&self.changes[passed..]).expect("fewer than before");
        self.from = until;
    }

    /// Makes room for two more changes.
    fn make_room(&mut self, rules: &FineRulesOf) {
        while self.changes.len() + 2 > MAX_DUES_CHANGES {
            self.fold(rules, self.changes[1].0);
        }
    }

    /// The dues change today.
    fn note(&mut self, rules: &FineRulesOf, today: LocalDay, dues: MicroCurrency) {
        let kept = if rules.is_empty() { Ok(today) } else { today.offset(-KEPT_DAYS) };
        self.fold(rules, kept.unwrap_or(LocalDay::MIN));
        self.make_room(rules);
        let before = self.dues();
        let mut changes = std::mem::take(&mut self.changes).into_vec();
        match changes.last_mut() {
            Some((day, last)) if *day >= today => {
                *last = Dues { at_end: dues, lowest: last.lowest.min(dues) };
            }
            _ => changes.push((today, Dues { at_end: dues, lowest: before.min(dues) })),
        }
        self.changes = Bounded::try_from(changes).expect("there is room");
    }

    /// `amount` had never been due at the ends of the days `from..until`.
    fn forgive(
        &mut self,
        rules: &FineRulesOf,
        amount: MicroCurrency,
        (from, until): (LocalDay, LocalDay),
    ) {
        let from = from.max(self.from);
        if from >= until {
            return;
        }
        self.make_room(rules);
        let mut changes = std::mem::take(&mut self.changes).into_vec();
        for day in [from, until] {
            let index = changes.partition_point(|(at, _)| *at < day);
            if changes.get(index).is_none_or(|(at, _)| *at != day) {
                let before = index.checked_sub(1).map_or(self.opening, |it| changes[it].1.at_end);
                changes.insert(index, (day, Dues { at_end: before, lowest: before }));
            }
        }
        let less = |dues: MicroCurrency| {
            dues.checked_sub(amount).map_or(MicroCurrency::ZERO, |it| it.max(MicroCurrency::ZERO))
        };
        for (_, dues) in changes.iter_mut().filter(|(day, _)| (from..until).contains(day)) {
            *dues = Dues { at_end: less(dues.at_end), lowest: less(dues.lowest) };
        }
        self.changes = Bounded::try_from(changes).expect("there is room");
    }

    /// Everything fined so far, in whole minor units, rounded down.
    fn fined(
        &self,
        rules: &FineRulesOf,
        today: LocalDay,
        minor_unit_micro: i64,
    ) -> Result<MicroCurrency, OutOfRange> {
        let unit = i128::from(minor_unit_micro);
        let units = div_floor(self.counted(rules, today).accrued, unit * PARTS_PER_MICRO);
        let micro = i64::try_from(units * unit).map_err(|_| OutOfRange::of("MicroCurrency"))?;
        Ok(MicroCurrency::new(micro))
    }
}

/// What the fine on a bill is counted from: everything that the bill's proof needs to count it again.
///
/// Days before the last bill are counted for good; what happened since stands day by day.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FineBasis {
    /// The day on which it is counted: the days before it have ended.
    pub today: LocalDay,
    /// The rules since the account's first day.
    pub rules: FineRulesOf,
    /// The dues, before the bill.
    pub account: FineAccount,
}

impl FineBasis {
    /// What the next bill of a usage point counts its fine from.
    pub(super) fn load(
        context: &Context<'_>,
        state: &dyn State,
        id: UsagePointId,
    ) -> Result<Self, Rejection> {
        let rules = state.fine_rules_of(state.usage_point(id)?.biller);
        let today = day_at(context.rules, context.time);
        let mut account = state.fine_account(id).unwrap_or_else(|| FineAccount::new(today));
        account.fold(&rules, account.billed_on.min(today));
        Ok(Self { today, rules: rules.since(account.from), account })
    }

    /// The fine that the bill takes up: what is fined and stands on no bill yet.
    ///
    /// # Errors
    /// [`OutOfRange`] when it does not fit.
    pub fn fine(&self, minor_unit_micro: i64) -> Result<MicroCurrency, OutOfRange> {
        let fined = self.account.fined(&self.rules, self.today, minor_unit_micro)?;
        Ok(fined.checked_sub(self.account.charged)?.max(MicroCurrency::ZERO))
    }

    /// The hash that the bill commits to.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of_domain("gridtally/fine-basis/v1", &[&codec::encode(self)])
    }

    /// Whether a ledger can have written it. What a proof carries may be anything, and is counted
    /// only when this holds: then no sum leaves its range.
    pub(super) fn is_possible(&self) -> bool {
        let Self { today, rules, account } = self;
        let counted = |parts: i128| (0..=MAX_PARTS).contains(&parts);
        let rules_hold = |history: &FineRulesHistory| {
            let zero = MicroCurrency::ZERO;
            history.is_sorted_by(|(one, _), (next, _)| one < next)
                && history.iter().all(|(_, rules)| rules.threshold >= zero && rules.fixed >= zero)
        };
        let run_holds = |run: FineRun| counted(run.total) && run.exceeded_on < account.from;
        account.from <= *today
            && account.changes.is_sorted_by(|(one, _), (next, _)| one < next)
            && account.changes.iter().all(|(day, _)| (account.from..=*today).contains(day))
            && counted(account.count.accrued)
            && account.count.run.is_none_or(run_holds)
            && rules_hold(&rules.own)
            && rules_hold(&rules.general)
    }
}

/// How a usage point stands with its dues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FineStanding {
    /// What is issued, unpaid and undisputed, without fines.
    pub dues: MicroCurrency,
    /// The rules of the day, if anything is fined.
    pub rules: Option<FineRules>,
    /// The day at whose end the dues exceeded the threshold, while they do.
    pub exceeded_on: Option<LocalDay>,
    /// The fine that the next bill will show, as of the last day that ended.
    pub pending: MicroCurrency,
}

/// How a usage point stands with its dues at a moment.
///
/// # Errors
/// [`Rejection::UsagePointUnknown`], [`Rejection::AmountOutOfRange`].
pub fn fine_standing(
    rules: &Rules,
    state: &dyn State,
    id: UsagePointId,
    now: Timestamp,
) -> Result<FineStanding, Rejection> {
    let fine_rules = state.fine_rules_of(state.usage_point(id)?.biller);
    let today = day_at(rules, now);
    let account = state.fine_account(id).unwrap_or_else(|| FineAccount::new(today));
    let fined = account.fined(&fine_rules, today, rules.minor_unit_micro());
    let pending = fined.and_then(|fined| fined.checked_sub(account.charged));
    Ok(FineStanding {
        dues: account.dues(),
        rules: fine_rules.at(today).copied(),
        exceeded_on: account.counted(&fine_rules, today).run.map(|run| run.exceeded_on),
        pending: pending.map_err(|_| Rejection::AmountOutOfRange)?,
    })
}

/// The local day of a moment.
pub(super) fn day_at(rules: &Rules, time: Timestamp) -> LocalDay {
    rules.calendar().day_of(rules.period_at(time)).unwrap_or(LocalDay::MAX)
}

/// A bill was issued and took up this much of the fine.
pub(super) fn charge(
    context: &Context<'_>,
    state: &mut dyn State,
    id: UsagePointId,
    fine: MicroCurrency,
) -> Result<(), Rejection> {
    let Some(mut account) = state.fine_account(id) else { return Ok(()) };
    account.charged = account.charged.checked_add(fine).map_err(|_| Rejection::AmountOutOfRange)?;
    account.billed_on = day_at(context.rules, context.time);
    state.write(state_key::fine_account(&id), &account);
    Ok(())
}

/// The dues of a usage point change by `difference`.
pub(super) fn note_dues(
    context: &Context<'_>,
    state: &mut dyn State,
    id: UsagePointId,
    difference: MicroCurrency,
) -> Result<(), Rejection> {
    if difference == MicroCurrency::ZERO {
        return Ok(());
    }
    let rules = state.fine_rules_of(state.usage_point(id)?.biller);
    let today = day_at(context.rules, context.time);
    let mut account = state.fine_account(id).unwrap_or_else(|| FineAccount::new(today));
    let dues = account.dues().checked_add(difference);
    account.note(&rules, today, dues.map_err(|_| Rejection::AmountOutOfRange)?);
    state.write(state_key::fine_account(&id), &account);
    Ok(())
}

/// A bill is taken back and issued anew by `work`, at once: the dues were never down in between, so
/// the days of grace go on and the fixed part is not charged a second time.
pub(super) fn uninterrupted(
    context: &Context<'_>,
    state: &mut dyn State,
    id: UsagePointId,
    work: impl FnOnce(&mut dyn State) -> Result<(), Rejection>,
) -> Result<(), Rejection> {
    let before = state.fine_account(id);
    work(state)?;
    let (Some(before), Some(mut after)) = (before, state.fine_account(id)) else { return Ok(()) };
    let today = day_at(context.rules, context.time);
    let lowest = match before.changes.last() {
        Some((day, dues)) if *day >= today => dues.lowest,
        _ => before.dues(),
    };
    let mut changes = std::mem::take(&mut after.changes).into_vec();
    if let Some((_, dues)) = changes.last_mut().filter(|(day, _)| *day >= today) {
        dues.lowest = lowest.min(dues.at_end);
    }
    after.changes = Bounded::try_from(changes).expect("as many as before");
    state.write(state_key::fine_account(&id), &after);
    Ok(())
}

/// Counts the fine anew as if `amount` of a bill had never been due on the days `from..until`. What
/// was charged too much on bills is owed to the customer and becomes credit.
pub(super) fn forgive(
    context: &Context<'_>,
    state: &mut dyn State,
    (id, amount): (UsagePointId, MicroCurrency),
    days: (LocalDay, LocalDay),
) -> Result<(), Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let Some(mut account) = state.fine_account(id) else { return Ok(()) };
    let usage_point = state.usage_point(id)?;
    let rules = state.fine_rules_of(usage_point.biller);
    let today = day_at(context.rules, context.time);
    let unit = context.rules.minor_unit_micro();
    let before = account.fined(&rules, today, unit).map_err(out_of_range)?;
    account.forgive(&rules, amount, days);
    let after = account.fined(&rules, today, unit).map_err(out_of_range)?;
    let credited = account.charged.checked_sub(after).map_err(out_of_range)?;
    let credited = credited.max(MicroCurrency::ZERO);
    account.charged = account.charged.checked_sub(credited).map_err(out_of_range)?;
    state.write(state_key::fine_account(&id), &account);
    if before == after {
        return Ok(());
    }
    let reversed = before.checked_sub(after).map_err(out_of_range)?;
    posting::owe(state, usage_point.biller, usage_point.customer, credited)?;
    state.emit(Event::FineReversed { usage_point: id, amount: reversed, credited });
    add_credit(context, state, id, credited)
}

impl dyn State + '_ {
    /// The changes of fine rules, of one distributor or (`None`) in general.
    #[must_use]
    pub fn fine_rules_history(&self, distributor: Option<PartyId>) -> FineRulesHistory {
        self.read(&state_key::fine_rules(distributor.as_ref())).unwrap_or_default()
    }

    /// The fine rules under which who bills here bills.
    #[must_use]
    pub fn fine_rules_of(&self, biller: PartyId) -> FineRulesOf {
        let (own, general) = (self.fine_rules_history(Some(biller)), self.fine_rules_history(None));
        FineRulesOf { own, general }
    }

    /// The dues of a usage point and the fine on them; `None` while nothing was ever due.
    #[must_use]
    pub fn fine_account(&self, usage_point: UsagePointId) -> Option<FineAccount> {
        self.read(&state_key::fine_account(&usage_point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> LocalDay {
        LocalDay::new(20_000 + number).unwrap()
    }

    /// Above 100: 3 days of grace, 5 fixed, 1 % a day, at most half of the dues.
    fn rules() -> FineRulesOf {
        let rules = FineRules {
            threshold: MicroCurrency::new(100),
            grace_days: 3,
            fixed: MicroCurrency::new(5),
            daily: BasisPoints::new(100).unwrap(),
            cap: BasisPoints::new(5_000).unwrap(),
        };
        let general = vec![(day(0), rules)].try_into().unwrap();
        FineRulesOf { own: Bounded::new(), general }
    }

    fn account(changes: &[(i32, i64)]) -> FineAccount {
        let mut account = FineAccount::new(day(0));
        for (number, dues) in changes {
            account.note(&rules(), day(*number), MicroCurrency::new(*dues));
        }
        account
    }

    fn fined(account: &FineAccount, on: i32) -> i64 {
        account.fined(&rules(), day(on), 1).unwrap().get()
    }

    #[test]
    fn grace_then_the_fixed_part_then_interest_per_whole_day() {
        let account = account(&[(2, 400)]);
        // The day's end, three days of grace, and from the fourth on 3 a day.
        let cases = [(2, 0), (3, 0), (5, 0), (6, 5), (7, 8), (8, 11), (16, 35)];
        for (on, wanted) in cases {
            assert_eq!(fined(&account, on), wanted, "before day {on}");
        }
        // Half of 400 is 200: 5 and 65 days of 3.
        assert_eq!(
            (fined(&account, 71), fined(&account, 72), fined(&account, 900)),
            (200, 200, 200)
        );
    }

    #[test]
    fn dues_up_to_the_threshold_cost_nothing() {
        assert_eq!(fined(&account(&[(0, 100)]), 300), 0);
        assert_eq!(fined(&account(&[(0, 101)]), 4), 5);
    }

    #[test]
    fn paying_down_to_the_threshold_ends_it_even_within_a_day() {
        let paid = account(&[(0, 400), (6, 100)]);
        assert_eq!((fined(&paid, 6), fined(&paid, 300)), (5 + 2 * 3, 11));
        // Paid and billed again on one day: a new grace begins.
        let again = account(&[(0, 400), (6, 100), (6, 400)]);
        assert_eq!((fined(&again, 9), fined(&again, 10), fined(&again, 11)), (11, 16, 19));
        // Without going down to it the run goes on.
        let on = account(&[(0, 400), (6, 101), (6, 400)]);
        assert_eq!(fined(&on, 9), 5 + 5 * 3);
    }

    #[test]
    fn asking_and_folding_change_nothing() {
        let changes: Vec<_> =
            (0..600).map(|number| (number * 2, 90 + i64::from(number % 7) * 40)).collect();
        let whole = account(&changes);
        let mut count = FineCount::default();
        let mut dues = 0;
        for number in 0..1_250 {
            let before = dues;
            if let Some((_, changed)) = changes.iter().find(|(at, _)| *at == number) {
                dues = *changed;
            }
            let today = Dues {
                at_end: MicroCurrency::new(dues),
                lowest: MicroCurrency::new(dues.min(before)),
            };
            count.end_of(day(number), rules().at(day(number)), today);
        }
        assert!(count.accrued > 0 && whole.from > day(0), "the beginning is folded");
        assert_eq!(whole.counted(&rules(), day(1_250)), count);
    }

    #[test]
    fn what_was_never_due_is_not_fined() {
        let mut disputed = account(&[(0, 400), (20, 150)]);
        // 250 of it were in dispute from day 20 on, and are decided for the household.
        disputed.forgive(&rules(), MicroCurrency::new(250), (day(0), day(20)));
        assert_eq!(fined(&disputed, 60), fined(&account(&[(0, 150)]), 60));
        let mut all = account(&[(0, 400), (20, 0)]);
        all.forgive(&rules(), MicroCurrency::new(400), (day(0), day(20)));
        assert_eq!(fined(&all, 60), 0);
    }

    #[test]
    fn a_distributors_own_rules_come_before_the_general_ones() {
        let mut both = rules();
        let own = FineRules { threshold: MicroCurrency::new(1_000), ..both.general[0].1 };
        both.own = vec![(day(5), own)].try_into().unwrap();
        let threshold = |on| both.at(day(on)).map(|rules| rules.threshold.get());
        assert_eq!((threshold(-1), threshold(4), threshold(5)), (None, Some(100), Some(1_000)));
    }
}
