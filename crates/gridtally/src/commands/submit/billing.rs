//! Slot charges, bills, payments.

use anyhow::anyhow;
use clap::{Args, Subcommand};
use contracts::billing::{
    ChargeSlots, ChargeTarget, IssueBill, PayBill, PayDues, PayOutBill, WithdrawSlotCharge,
};
use primitives::calendar::{BillingPeriod, LocalDay};
use primitives::envelope::Submission;
use primitives::identifier::{BillId, PartyId, UsagePointId};
use primitives::units::MicroCurrency;

use super::signing::Signatory;
use super::tariff::Target;
use super::values::{self, Moment};
use super::{bounded, rising};
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
    /// day of the period must have ended and be sealed. In bulk a usage point that cannot be billed
    /// is left out, with the reason in the receipt.
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
    /// Pay a distributor the export credits that it collected.
    ///
    /// Sent by the grid operator, also a suspended one.
    #[command(after_help = "Example:\n  gridtally submit pay-dues --creditor PARTY_ID \
        --amount 1250.50 --key operator.key")]
    PayDues(PayDuesFlags),
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
            Self::PayDues(PayDuesFlags { creditor, amount }) => {
                signatory.sign(PayDues { creditor, amount })
            }
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
