//! Slot charges, bills, payments.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use client::private_bill_json::private_bill;
use contracts::billing::{
    CarryBill, ChargeSlots, ChargeTarget, DecideDispute, DisputeBill, FineRules, IssueBill,
    IssueStatement, PayBill, PayDues, PayOutBill, PayOutCredit, SetFineRules, WithdrawSlotCharge,
};
use primitives::calendar::{BillingPeriod, LocalDay};
use primitives::envelope::Submission;
use primitives::hash::Hash;
use primitives::identifier::{BillId, PartyId, UsagePointId};
use primitives::units::{BasisPoints, MicroCurrency};

use super::signing::Signatory;
use super::tariff::Target;
use super::values::{self, Moment};
use super::{bounded, rising};
use crate::commands::connect::ended;
use crate::exit::{EndWith, Ended, Exit};

/// The transactions of billing.
#[derive(Debug, Subcommand)]
pub enum Billing {
    /// Charge slots: shows what each costs, posts nothing.
    ///
    /// Sent by who bills the usage points: the distributor, at a boundary the grid operator. Of one
    /// usage point every slot must have a reading and a price; below a station, slots that have none
    /// are left out.
    #[command(after_help = "Examples:\n  gridtally submit charge-slots --station STATION_ID \
        --day 2026-07-01 --key distributor.key\n  gridtally submit charge-slots --usage-point ID \
        --first-period 2026-07-01T10:15:00+05:30 --count 1 --key distributor.key")]
    ChargeSlots(ChargeSlotsFlags),
    /// Withdraw the charge of one slot.
    ///
    /// Sent by who bills the usage point: the distributor, at a boundary the grid operator. No money
    /// moves; that it was charged and withdrawn stays in the history.
    #[command(after_help = "Example:\n  gridtally submit withdraw-slot-charge --usage-point ID \
        --period 2026-07-01T10:15:00+05:30 --key distributor.key")]
    WithdrawSlotCharge(WithdrawSlotChargeFlags),
    /// Issue a bill, or many at once.
    ///
    /// Sent by who bills the usage points: the distributor, at a boundary the grid operator. Every
    /// day of the period must have ended and be sealed. Over a period that is billed already and whose
    /// readings, frequencies or tariff were amended, a credit note and a new bill are written. In bulk
    /// a usage point that cannot be billed is left out, with the reason in the receipt.
    #[command(after_help = "Example:\n  gridtally submit issue-bill --usage-point ID,ID \
        --billing-period 2026-07 --key distributor.key")]
    IssueBill(IssueBillFlags),
    /// Pay the open bills of a usage point, or part of them.
    ///
    /// Sent by any party, also a suspended one, for a usage point whose customer it is. The oldest
    /// bill is paid first; what is left over is credit for the next.
    #[command(after_help = "Example:\n  gridtally submit pay-bill --usage-point ID \
        --amount 2000.00 --key home-17.key")]
    PayBill(PayBillFlags),
    /// Pay a bill with a negative total out to its customer.
    ///
    /// Sent by the grid operator, which owes export credits.
    #[command(after_help = "Example:\n  gridtally submit pay-out-bill --bill BILL_ID \
        --key operator.key")]
    PayOutBill(PayOutBillFlags),
    /// Pay credit of a usage point out to its customer.
    ///
    /// Sent by who bills the usage point, also a suspended one: the distributor, at a boundary the grid
    /// operator. What is left stays as credit for the next bills.
    #[command(after_help = "Example:\n  gridtally submit pay-out-credit --usage-point ID \
        --amount 80.00 --key distributor.key")]
    PayOutCredit(PayOutCreditFlags),
    /// Pay a distributor the export credits that it collected.
    ///
    /// Sent by the grid operator, also a suspended one.
    #[command(after_help = "Example:\n  gridtally submit pay-dues --creditor PARTY_ID \
        --amount 1250.50 --key operator.key")]
    PayDues(PayDuesFlags),
    /// Dispute a bill, or part of it.
    ///
    /// Sent by any party, also a suspended one, for a bill whose customer it is, until 60 days after
    /// it was paid, paid out or carried. What is in dispute is not collected and bears no fine.
    #[command(after_help = "Example:\n  gridtally submit dispute-bill --bill BILL_ID \
        --amount 120.00 --reason-file why.txt --key home-17.key")]
    DisputeBill(DisputeBillFlags),
    /// Decide a dispute: what is upheld is credited, the rest falls due.
    ///
    /// Sent by a regulator.
    #[command(after_help = "Example:\n  gridtally submit decide-dispute --bill BILL_ID \
        --upheld 80.00 --key regulator.key")]
    DecideDispute(DecideDisputeFlags),
    /// Set when and how much is fined, in general or for one distributor.
    ///
    /// Sent by a regulator, cosigned by a majority of the regulators in office. The rules hold from
    /// the next local day on.
    #[command(after_help = "Example:\n  gridtally submit set-fine-rules --threshold 500.00 \
        --grace-days 15 --fixed 50.00 --daily-basis-points 5 --cap-basis-points 2000 \
        --key regulator.key --cosigner regulator-2.key")]
    SetFineRules(SetFineRulesFlags),
    /// Carry what is owed for a negative bill to the next bills.
    ///
    /// Sent by any party that is the bill's customer or biller.
    #[command(after_help = "Example:\n  gridtally submit carry-bill --bill BILL_ID \
        --key home-17.key")]
    CarryBill(CarryBillFlags),
    /// State a quarter, half-year or year as the sum of its monthly bills.
    ///
    /// Sent by who bills the usage point: the distributor, at a boundary the grid operator. It posts
    /// nothing.
    #[command(after_help = "Example:\n  gridtally submit issue-statement --usage-point ID \
        --billing-period 2026 --key distributor.key")]
    IssueStatement(IssueStatementFlags),
    /// Issue the bill of a usage point on a private ledger.
    ///
    /// Sent by who bills the usage point: the distributor, at a boundary the grid operator. The lines are
    /// computed by its own node from the values that this holds; the ledger checks of them what it can
    /// without the values, and the household the rest with `gridtally bill check`.
    #[command(after_help = "Example:\n  gridtally submit issue-private-bill --usage-point ID \
        --billing-period 2026-07 --node http://distributor.example:7410 --key distributor.key")]
    IssuePrivateBill(IssuePrivateBillFlags),
}

/// See [`IssuePrivateBill`](contracts::billing::IssuePrivateBill).
#[derive(Debug, Args)]
pub struct IssuePrivateBillFlags {
    /// The usage point.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The period: 2026-07-01, 2026-07, 2026-Q3, 2026-H2, 2026 or 2026-07-01..2026-07-10.
    #[arg(long, value_name = "PERIOD", value_parser = values::billing_period)]
    billing_period: BillingPeriod,
    /// The bill as a node drafted it; by default it is asked for now, with the rights of the signing key.
    #[arg(long, value_name = "FILE.json")]
    draft: Option<PathBuf>,
}

/// See [`ChargeSlots`].
#[derive(Debug, Args)]
pub struct ChargeSlotsFlags {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    run: Run,
    /// How many periods, 1 to 100.
    #[arg(
        long, value_name = "N", requires = "first_period", conflicts_with = "day",
        default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100)
    )]
    count: u16,
}

/// A whole day, or a run of periods.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Run {
    /// Every slot of a local day.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = values::day)]
    day: Option<LocalDay>,
    /// The first period: its number, or the time at which it begins.
    #[arg(long, value_name = "PERIOD|TIME")]
    first_period: Option<Moment>,
}

/// See [`WithdrawSlotCharge`].
#[derive(Debug, Args)]
pub struct WithdrawSlotChargeFlags {
    /// The usage point.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The period: its number, or the time at which it begins.
    #[arg(long, value_name = "PERIOD|TIME")]
    period: Moment,
}

/// See [`IssueBill`].
#[derive(Debug, Args)]
pub struct IssueBillFlags {
    /// The usage points; several with commas, at most 1,000.
    #[arg(long = "usage-point", value_name = "ID", required = true, value_delimiter = ',')]
    usage_points: Vec<UsagePointId>,
    /// The period: 2026-07-01, 2026-07, 2026-Q3, 2026-H2, 2026 or 2026-07-01..2026-07-10.
    #[arg(long, value_name = "PERIOD", value_parser = values::billing_period)]
    billing_period: BillingPeriod,
}

/// See [`PayBill`].
#[derive(Debug, Args)]
pub struct PayBillFlags {
    /// The usage point whose bills are paid.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The amount in the ledger's currency.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    amount: MicroCurrency,
}

/// See [`PayOutBill`].
#[derive(Debug, Args)]
pub struct PayOutBillFlags {
    /// The bill.
    #[arg(long, value_name = "ID")]
    bill: BillId,
}

/// See [`PayOutCredit`].
#[derive(Debug, Args)]
pub struct PayOutCreditFlags {
    /// The usage point whose credit falls.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The amount in the ledger's currency, at most the credit.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    amount: MicroCurrency,
}

/// See [`PayDues`].
#[derive(Debug, Args)]
pub struct PayDuesFlags {
    /// The distributor.
    #[arg(long, value_name = "ID")]
    creditor: PartyId,
    /// The amount in the ledger's currency, at most what is owed.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    amount: MicroCurrency,
}

/// See [`DisputeBill`].
#[derive(Debug, Args)]
pub struct DisputeBillFlags {
    /// The bill.
    #[arg(long, value_name = "ID")]
    bill: BillId,
    /// The amount in the ledger's currency, at most the bill's charges and credits together.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    amount: MicroCurrency,
    #[command(flatten)]
    reason: Reason,
}

/// Why, as the ledger keeps it: the reasons go to the regulator beside it.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Reason {
    /// The reasons in a file of any kind; the ledger keeps its SHA-256. Send the file itself to the
    /// regulator.
    #[arg(long, value_name = "FILE")]
    reason_file: Option<PathBuf>,
    /// SHA-256 of the reasons, when they are elsewhere.
    #[arg(long, value_name = "HEX")]
    reason_hash: Option<Hash>,
}

impl Reason {
    fn hash(&self) -> Result<Hash, Ended> {
        let Some(file) = &self.reason_file else {
            return Ok(self.reason_hash.expect("one of both is required"));
        };
        let bytes = std::fs::read(file)
            .with_context(|| format!("failed to read {}", file.display()))
            .end_with(Exit::Usage)?;
        Ok(Hash::of(&bytes))
    }
}

/// See [`DecideDispute`].
#[derive(Debug, Args)]
pub struct DecideDisputeFlags {
    /// The bill.
    #[arg(long, value_name = "ID")]
    bill: BillId,
    /// What is decided for the household, from 0 to the disputed amount.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    upheld: MicroCurrency,
}

/// See [`SetFineRules`].
#[derive(Debug, Args)]
pub struct SetFineRulesFlags {
    /// The distributor whose customers they are for; without it everybody without rules of its own.
    #[arg(long, value_name = "ID")]
    distributor: Option<PartyId>,
    /// Dues up to this amount cost nothing.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount)]
    threshold: MicroCurrency,
    /// Days of grace.
    #[arg(long, value_name = "DAYS")]
    grace_days: u16,
    /// Charged once after the grace.
    #[arg(long, value_name = "AMOUNT", value_parser = values::amount, default_value = "0")]
    fixed: MicroCurrency,
    /// Interest a day on the dues above the threshold, in hundredths of a percent.
    #[arg(long, value_name = "BASIS_POINTS", value_parser = values::basis_points)]
    daily_basis_points: BasisPoints,
    /// The most that is fined, in hundredths of a percent of the dues.
    #[arg(long, value_name = "BASIS_POINTS", value_parser = values::basis_points)]
    cap_basis_points: BasisPoints,
}

/// See [`CarryBill`].
#[derive(Debug, Args)]
pub struct CarryBillFlags {
    /// The bill.
    #[arg(long, value_name = "ID")]
    bill: BillId,
}

/// See [`IssueStatement`].
#[derive(Debug, Args)]
pub struct IssueStatementFlags {
    /// The usage point.
    #[arg(long, value_name = "ID")]
    usage_point: UsagePointId,
    /// The period: 2026-Q3, 2026-H2 or 2026.
    #[arg(long, value_name = "PERIOD", value_parser = values::billing_period)]
    billing_period: BillingPeriod,
}

/// The bill as the node with the values drafts it, signed here.
fn issue_private_bill(
    flags: &IssuePrivateBillFlags,
    signatory: Signatory,
) -> Result<Submission, Ended> {
    let (usage_point, period) = (flags.usage_point, flags.billing_period);
    let answer = match &flags.draft {
        Some(file) => std::fs::read(file)
            .with_context(|| format!("failed to read {}", file.display()))
            .end_with(Exit::Usage)?,
        None => {
            signatory.log_in()?;
            let path = format!("/v1/usage-points/{usage_point}/bill-draft?billing_period={period}");
            signatory.node().get(&path).map_err(ended)?
        }
    };
    let bill = private_bill(&answer).end_with(Exit::Usage)?;
    if (bill.usage_point, bill.period) != (usage_point, period) {
        let error = anyhow!("the draft is about {} over {}", bill.usage_point, bill.period);
        return Err(error).end_with(Exit::Usage);
    }
    signatory.sign(bill)
}

impl Billing {
    /// Builds and signs it.
    pub fn sign(self, signatory: Signatory) -> Result<Submission, Ended> {
        match self {
            Self::ChargeSlots(flags) => charge_slots(flags, signatory),
            Self::WithdrawSlotCharge(flags) => {
                let period = signatory.period(flags.period)?;
                signatory.sign(WithdrawSlotCharge { usage_point: flags.usage_point, period })
            }
            Self::IssueBill(flags) => signatory.sign(IssueBill {
                usage_points: bounded("--usage-point", rising(flags.usage_points))?,
                period: flags.billing_period,
            }),
            Self::PayBill(PayBillFlags { usage_point, amount }) => {
                signatory.sign(PayBill { usage_point, amount })
            }
            Self::PayOutBill(flags) => signatory.sign(PayOutBill { bill: flags.bill }),
            Self::PayOutCredit(PayOutCreditFlags { usage_point, amount }) => {
                signatory.sign(PayOutCredit { usage_point, amount })
            }
            Self::PayDues(PayDuesFlags { creditor, amount }) => {
                signatory.sign(PayDues { creditor, amount })
            }
            Self::DisputeBill(DisputeBillFlags { bill, amount, reason }) => {
                let reason_hash = reason.hash()?;
                signatory.sign(DisputeBill { bill, amount, reason_hash })
            }
            Self::DecideDispute(DecideDisputeFlags { bill, upheld }) => {
                signatory.sign(DecideDispute { bill, upheld })
            }
            Self::SetFineRules(flags) => signatory.sign(SetFineRules {
                distributor: flags.distributor,
                rules: FineRules {
                    threshold: flags.threshold,
                    grace_days: flags.grace_days,
                    fixed: flags.fixed,
                    daily: flags.daily_basis_points,
                    cap: flags.cap_basis_points,
                },
            }),
            Self::IssuePrivateBill(flags) => issue_private_bill(&flags, signatory),
            Self::CarryBill(flags) => signatory.sign(CarryBill { bill: flags.bill }),
            Self::IssueStatement(flags) => signatory.sign(IssueStatement {
                usage_point: flags.usage_point,
                period: flags.billing_period,
            }),
        }
    }
}

fn charge_slots(flags: ChargeSlotsFlags, signatory: Signatory) -> Result<Submission, Ended> {
    let target = flags.target.either(ChargeTarget::UsagePoint, ChargeTarget::Station);
    let (first_period, count) = match (flags.run.day, flags.run.first_period) {
        (Some(day), _) => {
            let periods = signatory.rules().calendar().periods_of(day);
            (periods.first, periods.count)
        }
        (None, Some(first_period)) => (signatory.period(first_period)?, flags.count),
        (None, None) => {
            return Err(anyhow!("which slots? --day or --first-period")).end_with(Exit::Usage);
        }
    };
    signatory.sign(ChargeSlots { target, first_period, count })
}
