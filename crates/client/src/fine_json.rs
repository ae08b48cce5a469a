//! What the fine on a bill was counted from, in JSON.

use contracts::billing::fine::{Dues, FineAccount, FineCount, FineRulesOf, FineRun};
use contracts::billing::{FineBasis, FineRules};
use primitives::calendar::LocalDay;
use primitives::codec::{Bounded, CodecError};
use primitives::units::{BasisPoints, MicroCurrency};
use serde::{Deserialize, Serialize};

use crate::json::Written;

/// The day, the rules, and the dues day by day since the last bill.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FineJson {
    counted_on: Written<LocalDay>,
    /// The distributor's own rules, then those of everybody.
    own_rules: Vec<RulesJson>,
    general_rules: Vec<RulesJson>,
    from: Written<LocalDay>,
    /// While the dues exceed the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunJson>,
    /// In 10⁻⁴ micro, as everything that is counted before it is rounded.
    accrued_ten_thousandths_micro: Written<i128>,
    opening_dues_micro: Written<i64>,
    changes: Vec<DuesJson>,
    charged_micro: Written<i64>,
    billed_on: Written<LocalDay>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesJson {
    from: Written<LocalDay>,
    threshold_micro: Written<i64>,
    grace_days: u16,
    fixed_micro: Written<i64>,
    daily_basis_points: u16,
    cap_basis_points: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunJson {
    exceeded_on: Written<LocalDay>,
    fixed_charged: bool,
    total_ten_thousandths_micro: Written<i128>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DuesJson {
    day: Written<LocalDay>,
    at_end_micro: Written<i64>,
    lowest_micro: Written<i64>,
}

impl RulesJson {
    fn of((from, rules): &(LocalDay, FineRules)) -> Self {
        Self {
            from: Written(*from),
            threshold_micro: Written(rules.threshold.get()),
            grace_days: rules.grace_days,
            fixed_micro: Written(rules.fixed.get()),
            daily_basis_points: rules.daily.get(),
            cap_basis_points: rules.cap.get(),
        }
    }

    fn rules(self) -> Result<(LocalDay, FineRules), CodecError> {
        let share = |rate| BasisPoints::new(rate).map_err(CodecError::invalid);
        let rules = FineRules {
            threshold: MicroCurrency::new(self.threshold_micro.0),
            grace_days: self.grace_days,
            fixed: MicroCurrency::new(self.fixed_micro.0),
            daily: share(self.daily_basis_points)?,
            cap: share(self.cap_basis_points)?,
        };
        Ok((self.from.0, rules))
    }

    fn history<const MAX: usize>(
        rules: Vec<Self>,
    ) -> Result<Bounded<(LocalDay, FineRules), MAX>, CodecError> {
        rules.into_iter().map(Self::rules).collect::<Result<Vec<_>, _>>()?.try_into()
    }
}

impl FineJson {
    pub(crate) fn of(basis: &FineBasis) -> Self {
        let FineBasis { today, rules, account } = basis;
        let change = |(day, dues): &(LocalDay, Dues)| DuesJson {
            day: Written(*day),
            at_end_micro: Written(dues.at_end.get()),
            lowest_micro: Written(dues.lowest.get()),
        };
        let run = |run: FineRun| RunJson {
            exceeded_on: Written(run.exceeded_on),
            fixed_charged: run.fixed_charged,
            total_ten_thousandths_micro: Written(run.total),
        };
        Self {
            counted_on: Written(*today),
            own_rules: rules.own.iter().map(RulesJson::of).collect(),
            general_rules: rules.general.iter().map(RulesJson::of).collect(),
            from: Written(account.from),
            run: account.count.run.map(run),
            accrued_ten_thousandths_micro: Written(account.count.accrued),
            opening_dues_micro: Written(account.opening.get()),
            changes: account.changes.iter().map(change).collect(),
            charged_micro: Written(account.charged.get()),
            billed_on: Written(account.billed_on),
        }
    }

    pub(crate) fn basis(self) -> Result<FineBasis, CodecError> {
        let change = |it: DuesJson| {
            let at_end = MicroCurrency::new(it.at_end_micro.0);
            (it.day.0, Dues { at_end, lowest: MicroCurrency::new(it.lowest_micro.0) })
        };
        let run = |it: RunJson| FineRun {
            exceeded_on: it.exceeded_on.0,
            fixed_charged: it.fixed_charged,
            total: it.total_ten_thousandths_micro.0,
        };
        Ok(FineBasis {
            today: self.counted_on.0,
            rules: FineRulesOf {
                own: RulesJson::history(self.own_rules)?,
                general: RulesJson::history(self.general_rules)?,
            },
            account: FineAccount {
                from: self.from.0,
                count: FineCount {
                    run: self.run.map(run),
                    accrued: self.accrued_ten_thousandths_micro.0,
                },
                opening: MicroCurrency::new(self.opening_dues_micro.0),
                changes: self.changes.into_iter().map(change).collect::<Vec<_>>().try_into()?,
                charged: MicroCurrency::new(self.charged_micro.0),
                billed_on: self.billed_on.0,
            },
        })
    }
}
