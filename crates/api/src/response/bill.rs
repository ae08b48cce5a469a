//! Bills.

use contracts::billing::{
    Bill, BillAccount, BillLine, BillState, IssuePrivateBill, LineKind, StatedAmounts,
};
use primitives::identifier::BillId;
use primitives::units::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// A bill in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BillEntry {
    /// Its id.
    pub bill: String,
    /// The usage point.
    pub usage_point: String,
    /// Counts the bills of this usage point, from 1.
    pub number: u32,
    /// The billing period: a day, a month, …, or a range of days.
    pub billing_period: String,
    /// Its first day.
    pub first_day: Option<String>,
    /// Its last day.
    pub last_day: Option<String>,
    /// Counts the bills of this period, from 1.
    pub revision: u32,
    /// When it was issued.
    pub issued_at: String,
    /// The bill that this one replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// The bill in its place, since a credit note took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// When a reading, frequency or tariff behind it was amended; the biller may issue it anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_since: Option<String>,
    /// Total and payments.
    #[serde(flatten)]
    pub amounts: Option<BillAmounts>,
    /// Amounts and lines are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// What a bill is over and what became of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BillAmounts {
    /// The sum of the lines; below zero when the customer is owed.
    pub total_micro: String,
    /// Paid so far; below zero when it was paid out.
    pub paid_micro: String,
    /// Still open: above zero to be paid by the customer, below zero to be paid out to it.
    pub open_micro: String,
    /// Of what was paid, what went to the bill's fine; it comes first.
    pub paid_fine_micro: String,
    /// What went to taxes on top, after the fine.
    pub paid_tax_micro: String,
    /// What went to arrears that the bill itself collects, after taxes; the rest pays what is charged.
    pub paid_arrears_micro: String,
    /// Taken back by the decision of a dispute.
    pub credited_micro: String,
    /// What of the open amount is in dispute: it is not collected and bears no fine.
    pub held_micro: String,
    /// `open`, `paid` or `replaced`.
    pub status: &'static str,
}

impl BillEntry {
    /// A bill; `seen` = the reader may see its values.
    #[must_use]
    pub fn new(
        id: BillId,
        bill: &Bill,
        state: &BillState,
        stale_since: Option<Timestamp>,
        seen: bool,
    ) -> Self {
        let days = bill.period.days().ok();
        let split = state.paid_split();
        Self {
            bill: id.to_string(),
            usage_point: bill.usage_point.to_string(),
            number: bill.number,
            billing_period: bill.period.to_string(),
            first_day: days.map(|(first, _)| first.to_string()),
            last_day: days.map(|(_, last)| last.to_string()),
            revision: bill.revision,
            issued_at: bill.issued_at.to_string(),
            replaces: bill.replaces().map(|bill| bill.to_string()),
            replaced_by: state.replaced_by.map(|bill| bill.to_string()),
            stale_since: stale_since.map(|time| time.to_string()),
            amounts: seen.then(|| BillAmounts {
                total_micro: bill.total.get().to_string(),
                paid_micro: state.paid.get().to_string(),
                open_micro: state.open.get().to_string(),
                paid_fine_micro: split.fine.get().to_string(),
                paid_tax_micro: split.tax.get().to_string(),
                paid_arrears_micro: split.arrears.get().to_string(),
                credited_micro: state.credited.get().to_string(),
                held_micro: state.held.get().to_string(),
                status: status(state),
            }),
            withheld: !seen,
        }
    }
}

/// The word for what became of a bill.
const fn status(state: &BillState) -> &'static str {
    match (state.replaced_by, state.open.get()) {
        (Some(_), _) => "replaced",
        (None, 0) => "paid",
        (None, _) => "open",
    }
}

/// A bill as issued, and what became of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BillDetail {
    /// The bill.
    #[serde(flatten)]
    pub entry: BillEntry,
    /// Who is billed.
    pub customer: String,
    /// Who bills, and collects for both sides.
    pub biller: String,
    /// Who owes export credits.
    pub export_payer: String,
    /// The transaction that issued it.
    pub transaction_id: Option<String>,
    /// The block in which it was issued.
    pub height: String,
    /// Hash of the whole bill.
    pub bill_hash: String,
    /// Merkle root over one commitment per day of readings.
    pub readings_root: String,
    /// Merkle root over one commitment per day of frequencies.
    pub frequency_root: String,
    /// Hash of the tariff versions used.
    pub tariff_hash: String,
    /// Hash of what the fine was counted from.
    pub fine_hash: String,
    /// Energy and lines.
    #[serde(flatten)]
    pub content: Option<BillContent>,
}

/// What a bill says.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BillContent {
    /// Energy drawn by the meter.
    pub metered_import_wh: String,
    /// Energy injected by the meter.
    pub metered_export_wh: String,
    /// Energy that is billed.
    pub residual_import_wh: String,
    /// Energy that is credited.
    pub residual_export_wh: String,
    /// The lines.
    pub lines: Vec<LineEntry>,
    /// How the account stood when the bill was issued.
    pub account: BillAccountEntry,
}

/// What stands on a bill beside its lines; none of it is posted with the bill.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BillAccountEntry {
    /// What was open of other bills, disputed or not; they are paid before this one.
    pub arrears_micro: String,
    /// What the customer had paid since the bill before.
    pub payments_micro: String,
    /// What had been paid out for the bill that this one replaces.
    pub paid_out_micro: String,
    /// What a decision over the bill that this one replaces still takes off.
    pub upheld_micro: String,
    /// Credit that the bill used up.
    pub credit_micro: String,
}

impl From<&BillAccount> for BillAccountEntry {
    fn from(account: &BillAccount) -> Self {
        Self {
            arrears_micro: account.arrears.get().to_string(),
            payments_micro: account.payments.get().to_string(),
            paid_out_micro: account.paid_out.get().to_string(),
            upheld_micro: account.upheld.get().to_string(),
            credit_micro: account.credit.get().to_string(),
        }
    }
}

/// The bill of a private ledger that would be issued now, from the values that this node holds.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BillDraft {
    /// The usage point.
    pub usage_point: String,
    /// The billing period.
    pub billing_period: String,
    /// Merkle root over one commitment per day of readings.
    pub readings_root: String,
    /// Merkle root over one commitment per day of frequencies.
    pub frequency_root: String,
    /// Hash of the tariff versions used.
    pub tariff_hash: String,
    /// The lines but for the fine, which the ledger counts.
    pub lines: Vec<LineEntry>,
    /// Their sum.
    pub total_micro: String,
}

impl BillDraft {
    /// The bill as it would be stated.
    #[must_use]
    pub fn new(bill: &IssuePrivateBill) -> Self {
        let StatedAmounts::Plain { lines, total } = &bill.amounts;
        Self {
            usage_point: bill.usage_point.to_string(),
            billing_period: bill.period.to_string(),
            readings_root: bill.readings_root.to_string(),
            frequency_root: bill.frequency_root.to_string(),
            tariff_hash: bill.tariff_hash.to_string(),
            lines: lines.iter().map(LineEntry::from).collect(),
            total_micro: total.get().to_string(),
        }
    }
}

/// A line of a bill.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LineEntry {
    /// `energy_import`, `energy_export`, `slab_import`, `fixed_charge`, `minimum_charge`,
    /// `tax_exclusive`, `tax_inclusive` or `fine`.
    pub kind: &'static str,
    /// The slab, from 1, on a line of one.
    pub slab: Option<u8>,
    /// The tariff's name of a fixed charge or tax, otherwise empty.
    pub name: String,
    /// The tariff that priced it.
    pub tariff: String,
    /// Its version.
    pub tariff_version: u16,
    /// The energy.
    pub energy_wh: String,
    /// Before rounding, in 10⁻⁹ of the currency; of a tax that prices contain, the part.
    pub exact_milli_micro: String,
    /// The same, rounded once to the currency's minor unit.
    pub amount_micro: String,
}

impl From<&BillLine> for LineEntry {
    fn from(line: &BillLine) -> Self {
        Self {
            kind: match line.kind {
                LineKind::EnergyImport => "energy_import",
                LineKind::EnergyExport => "energy_export",
                LineKind::SlabImport { .. } => "slab_import",
                LineKind::FixedCharge => "fixed_charge",
                LineKind::MinimumCharge => "minimum_charge",
                LineKind::TaxExclusive => "tax_exclusive",
                LineKind::TaxInclusive => "tax_inclusive",
                LineKind::Fine => "fine",
            },
            slab: match line.kind {
                LineKind::SlabImport { number } => Some(number),
                _ => None,
            },
            name: line.name.to_string(),
            tariff: line.tariff.to_string(),
            tariff_version: line.version,
            energy_wh: line.energy.get().to_string(),
            exact_milli_micro: line.exact.get().to_string(),
            amount_micro: line.amount.get().to_string(),
        }
    }
}

impl BillDetail {
    /// A bill; `entry` tells whether the reader may see its values.
    #[must_use]
    pub fn new(
        entry: BillEntry,
        bill: &Bill,
        state: &BillState,
        transaction_id: Option<String>,
    ) -> Self {
        let seen = !entry.withheld;
        Self {
            entry,
            customer: bill.customer.to_string(),
            biller: bill.biller.to_string(),
            export_payer: bill.export_payer.to_string(),
            transaction_id,
            height: state.position.height.to_string(),
            bill_hash: bill.hash().to_string(),
            readings_root: bill.readings_root.to_string(),
            frequency_root: bill.frequency_root.to_string(),
            tariff_hash: bill.tariff_hash.to_string(),
            fine_hash: bill.fine_hash.to_string(),
            content: seen.then(|| BillContent {
                metered_import_wh: bill.metered_import.get().to_string(),
                metered_export_wh: bill.metered_export.get().to_string(),
                residual_import_wh: bill.residual_import.get().to_string(),
                residual_export_wh: bill.residual_export.get().to_string(),
                lines: bill.lines.iter().map(LineEntry::from).collect(),
                account: BillAccountEntry::from(&bill.account),
            }),
        }
    }
}
