//! Dues: what is open, the fine on it, and what is in dispute.

use contracts::billing::{Bill, BillState, Dispute, FineRules, FineStanding};
use contracts::registry::UsagePoint;
use primitives::identifier::{BillId, UsagePointId};
use primitives::units::MicroCurrency;
use schemars::JsonSchema;
use serde::Serialize;

use super::bill::BillEntry;

/// When and how much is fined.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FineRulesEntry {
    /// Dues up to this amount cost nothing.
    pub threshold_micro: String,
    /// Days between the end of the day on which dues exceed the threshold and the fixed part.
    pub grace_days: u16,
    /// Charged once after the grace.
    pub fixed_micro: String,
    /// Interest per whole day after the grace, on the dues above the threshold.
    pub daily_basis_points: u16,
    /// The most that fixed part and interest come to, as a share of the dues.
    pub cap_basis_points: u16,
}

impl From<&FineRules> for FineRulesEntry {
    fn from(rules: &FineRules) -> Self {
        Self {
            threshold_micro: rules.threshold.get().to_string(),
            grace_days: rules.grace_days,
            fixed_micro: rules.fixed.get().to_string(),
            daily_basis_points: rules.daily.get(),
            cap_basis_points: rules.cap.get(),
        }
    }
}

/// What is due under a usage point.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DuesEntry {
    /// The usage point.
    pub usage_point: String,
    /// Who owes.
    pub customer: String,
    /// Who is owed.
    pub biller: String,
    /// The amounts.
    #[serde(flatten)]
    pub amounts: Option<DuesAmounts>,
    /// The amounts are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// The amounts of dues.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DuesAmounts {
    /// Open of all bills, in dispute or not.
    pub open_micro: String,
    /// Of that, open of all bills but the newest one.
    pub arrears_micro: String,
    /// Of what is open, what is in dispute: it is not collected and bears no fine.
    pub held_micro: String,
    /// Overpayment that the next bill uses up first.
    pub credit_micro: String,
    /// What fines are counted from: issued, unpaid and undisputed, without fines.
    pub dues_micro: String,
    /// The local day at whose end the dues exceeded the threshold, while they do.
    pub exceeded_on: Option<String>,
    /// The fine that the next bill will show, as of the last day that ended.
    pub pending_fine_micro: String,
}

/// What is open of the bills of a usage point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Of all bills.
    pub all: MicroCurrency,
    /// Of all but the newest one.
    pub arrears: MicroCurrency,
    /// In dispute.
    pub held: MicroCurrency,
}

impl DuesEntry {
    /// Dues that this reader may not see.
    #[must_use]
    pub fn withheld(id: UsagePointId, usage_point: &UsagePoint) -> Self {
        Self {
            usage_point: id.to_string(),
            customer: usage_point.customer.to_string(),
            biller: usage_point.biller.to_string(),
            amounts: None,
            withheld: true,
        }
    }

    /// Dues with their amounts.
    #[must_use]
    pub fn new(
        id: UsagePointId,
        usage_point: &UsagePoint,
        (open, credit): (Open, MicroCurrency),
        standing: &FineStanding,
    ) -> Self {
        let amounts = DuesAmounts {
            open_micro: open.all.get().to_string(),
            arrears_micro: open.arrears.get().to_string(),
            held_micro: open.held.get().to_string(),
            credit_micro: credit.get().to_string(),
            dues_micro: standing.dues.get().to_string(),
            exceeded_on: standing.exceeded_on.map(|day| day.to_string()),
            pending_fine_micro: standing.pending.get().to_string(),
        };
        Self { amounts: Some(amounts), withheld: false, ..Self::withheld(id, usage_point) }
    }
}

/// What is due under a usage point, bill by bill.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DuesDetail {
    /// The sums.
    #[serde(flatten)]
    pub entry: DuesEntry,
    /// The fine rules in force; `null` while nothing is fined.
    pub fine_rules: Option<FineRulesEntry>,
    /// The open bills, oldest first, as far as this answer lists them.
    pub bills: Vec<BillEntry>,
    /// There are more open bills, and the sums are of those that are listed.
    #[serde(skip_serializing_if = "super::is_false")]
    pub more: bool,
    /// The disputes over these bills.
    pub disputes: Vec<DisputeEntry>,
}

/// What is due to a distributor or grid operator, usage point by usage point.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PartyDues {
    /// Who is owed.
    pub party: String,
    /// The fine rules under which it bills; `null` while nothing is fined.
    pub fine_rules: Option<FineRulesEntry>,
    /// Usage points under which something is open, in credit or to be fined; the others are left out,
    /// but for those whose amounts this reader may not see.
    pub items: Vec<DuesEntry>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// A dispute over a bill.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DisputeEntry {
    /// The bill.
    pub bill: String,
    /// Its usage point.
    pub usage_point: String,
    /// Who disputes it.
    pub customer: String,
    /// Who issued it.
    pub biller: String,
    /// Hash of the reasons, which customer and regulator exchange beside the ledger.
    pub reason_hash: String,
    /// When it was raised.
    pub raised_at: String,
    /// When it was decided.
    pub decided_at: Option<String>,
    /// `open`, `decided`, or `replaced`: the bill was taken back before a decision.
    pub state: &'static str,
    /// The amounts.
    #[serde(flatten)]
    pub amounts: Option<DisputeAmounts>,
    /// The amounts are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// The amounts of a dispute.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DisputeAmounts {
    /// What is disputed.
    pub amount_micro: String,
    /// What of the bill's open amount is held back because of it.
    pub held_micro: String,
    /// What was decided for the household; `null` before.
    pub upheld_micro: Option<String>,
}

impl DisputeEntry {
    /// A dispute; `seen` = the reader may see its amounts.
    #[must_use]
    pub fn new(
        id: BillId,
        bill: &Bill,
        bill_state: &BillState,
        dispute: &Dispute,
        seen: bool,
    ) -> Self {
        Self {
            bill: id.to_string(),
            usage_point: bill.usage_point.to_string(),
            customer: bill.customer.to_string(),
            biller: bill.biller.to_string(),
            reason_hash: dispute.reason_hash.to_string(),
            raised_at: dispute.raised_at.to_string(),
            decided_at: dispute.decided.map(|(_, at)| at.to_string()),
            state: match (dispute.decided, bill_state.replaced_by) {
                (Some(_), _) => "decided",
                (None, Some(_)) => "replaced",
                (None, None) => "open",
            },
            amounts: seen.then(|| DisputeAmounts {
                amount_micro: dispute.amount.get().to_string(),
                held_micro: bill_state.held.get().to_string(),
                upheld_micro: dispute.decided.map(|(upheld, _)| upheld.get().to_string()),
            }),
            withheld: !seen,
        }
    }
}
