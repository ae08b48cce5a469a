//! What a day tells while it is played, and what is left when it is over.

use std::time::Duration;

use contracts::registry::UsagePointKind;
use primitives::hash::Hash;
use primitives::identifier::{BillId, LedgerId, UsagePointId};
use primitives::units::{MicroCurrency, MicroPerKilowattHour, MilliHertz, WattHours};

/// The acts of the day, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Parties, stations, usage points, meters, tariffs, first tokens: on the day before.
    Registration,
    /// The slots of the day, one after the other.
    Slots,
    /// After midnight: meters seal their day, the grid operator the frequencies, slots are charged.
    Sealing,
    /// Bills are issued.
    Billing,
    /// Bills are paid and paid out, dues are settled.
    Payments,
    /// Everything is done and the books are checked.
    Done,
}

impl Phase {
    /// The act's name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Slots => "slots",
            Self::Sealing => "seals",
            Self::Billing => "bills",
            Self::Payments => "payments",
            Self::Done => "done",
        }
    }
}

/// Where the day stands. Told after every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The act.
    pub phase: Phase,
    /// Slots that are over, 0..=`slots`.
    pub slot: u16,
    /// Slots of the day.
    pub slots: u16,
    /// The average frequency of the newest slot; `None` before the first.
    pub frequency: Option<MilliHertz>,
    /// The frequency-linked price of the newest slot; `None` before the first.
    pub price: Option<MicroPerKilowattHour>,
    /// What the homes drew in the slots that are over, boundaries not counted.
    pub import: WattHours,
    /// What the homes injected in the slots that are over.
    pub export: WattHours,
    /// Transactions accepted so far.
    pub transactions: u64,
    /// The ledger's height.
    pub height: u64,
}

/// One usage point's bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillRow {
    /// The label of the station.
    pub station: String,
    /// The label of the usage point in its station.
    pub label: String,
    /// The usage point.
    pub usage_point: UsagePointId,
    /// A household's, or a station's boundary.
    pub kind: UsagePointKind,
    /// The bill.
    pub bill: BillId,
    /// Energy drawn.
    pub import: WattHours,
    /// Energy injected.
    pub export: WattHours,
    /// The bill's total; negative when the customer is owed.
    pub total: MicroCurrency,
    /// Paid, or negative when paid out.
    pub paid: MicroCurrency,
    /// Still open.
    pub open: MicroCurrency,
}

/// Sums over the bills of households; boundaries are told apart because they bill the same energy
/// again, to the distributors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Energy drawn.
    pub import: WattHours,
    /// Energy injected.
    pub export: WattHours,
    /// Σ of the bills, signs kept.
    pub billed: MicroCurrency,
    /// Σ of what was paid on bills with a positive total.
    pub paid: MicroCurrency,
    /// Σ of what was paid out on bills with a negative total, as a positive amount.
    pub paid_out: MicroCurrency,
    /// Σ still open.
    pub open: MicroCurrency,
    /// Bills with a negative total.
    pub negative_bills: u32,
}

/// The customer with 500 kWh at a flat rate of 5 (the fixed point of the published system BX).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedPoint {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The bill: 2500.
    pub total: MicroCurrency,
    /// The first payment: 2000.
    pub first_payment: MicroCurrency,
    /// Read after the first payment: 500.
    pub open_after_first: MicroCurrency,
    /// The second payment: 500.
    pub second_payment: MicroCurrency,
    /// Read after the second payment: 0.
    pub open_after_second: MicroCurrency,
}

/// The day, when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayReport {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// Homes with profiles; the customer on the flat rate comes on top.
    pub homes: u32,
    /// Slots of the day.
    pub slots: u16,
    /// Readings on the ledger: one for each usage point and slot, boundaries included.
    pub readings: u64,
    /// Transactions, all accepted.
    pub transactions: u64,
    /// The ledger's height.
    pub height: u64,
    /// The state root at that height.
    pub state_root: Hash,
    /// One bill for each usage point: homes in order, the flat rate, the boundaries.
    pub bills: Vec<BillRow>,
    /// Sums over the households' bills.
    pub households: Totals,
    /// Sums over the boundaries' bills.
    pub boundaries: Totals,
    /// The customer on the flat rate.
    pub fixed_point: FixedPoint,
    /// Mean of the slots' frequencies, rounded half away from zero.
    pub frequency_mean: MilliHertz,
    /// Mean of the slots' frequency-linked prices, not weighted, rounded half away from zero.
    pub price_mean: MicroPerKilowattHour,
    /// Real time that the day took, by the injected clock.
    pub elapsed: Duration,
}
