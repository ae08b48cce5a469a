//! From readings, frequencies and tariffs to bills, and from bills to payments.
//!
//! Two things that look alike are kept apart. A *slot charge* is EB's bill of one settlement period:
//! it is shown, it can be withdrawn, and it posts nothing. A *bill* covers a billing period; each of
//! its lines sums exact products and is rounded once, and only lines are posted.
//!
//! Who pays whom: the household's import lines go to its distributor. Export credits are the grid
//! operator's to pay; the distributor collects them, so as far as both sides of a bill meet, the
//! household's claim on the grid operator passes to the distributor and cancels what the household
//! owes it. At a station's boundary the grid operator bills the distributor for both directions.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::BillingPeriod;
use primitives::codec::{self, Bounded};
use primitives::hash::Hash;
use primitives::identifier::{BillId, PartyId, TariffId, UsagePointId};
use primitives::units::{MicroCurrency, MilliMicro, OutOfRange, Timestamp, WattHours, Watts};

use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;
use crate::tariff::charges::ChargeName;

mod amendment;
pub mod bill_calculation;
pub mod bill_proof;
mod bill_sources;
mod carry_bill;
mod charge_slots;
mod decide_dispute;
mod dispute_bill;
pub mod fine;
mod issue_bill;
mod issue_statement;
mod pay_bill;
mod pay_dues;
mod pay_out_bill;
mod set_fine_rules;
mod settling;
mod slot_charge;
mod withdraw_slot_charge;

pub use amendment::{CreditNote, stale_since};
pub use bill_sources::{BillSources, DaySources};
pub use carry_bill::CarryBill;
pub use charge_slots::{ChargeSlots, ChargeTarget};
pub use decide_dispute::DecideDispute;
pub use dispute_bill::{DISPUTE_MILLISECONDS, Dispute, DisputeBill};
pub use fine::{FineRules, FineStanding, fine_standing};
pub use issue_bill::{IssueBill, MAX_BILLED};
pub use issue_statement::{IssueStatement, StatedBill, Statement};
pub use pay_bill::PayBill;
pub use pay_dues::PayDues;
pub use pay_out_bill::PayOutBill;
pub use set_fine_rules::SetFineRules;
pub use settling::MAX_BILLS_PER_PAYMENT;
pub use slot_charge::{SlotCharge, slot_charges};
pub use withdraw_slot_charge::WithdrawSlotCharge;

/// Lines of one bill: more than two for each of the tariff versions it may use.
pub const MAX_LINES: usize = 1_024;

/// Slots of one day as a bitmap, without trailing zero bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct SlotSet(Bounded<u8, 64>);

impl SlotSet {
    /// Is the slot in the set?
    #[must_use]
    pub fn contains(&self, slot: u16) -> bool {
        self.0.get(usize::from(slot / 8)).is_some_and(|byte| byte >> (slot % 8) & 1 == 1)
    }

    /// Puts the slot in or takes it out.
    pub(crate) fn set(&mut self, slot: u16, member: bool) {
        let mut bytes = self.0.to_vec();
        let index = usize::from(slot / 8);
        if bytes.len() <= index {
            bytes.resize(index + 1, 0);
        }
        if member {
            bytes[index] |= 1 << (slot % 8);
        } else {
            bytes[index] &= !(1 << (slot % 8));
        }
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        self.0 = Bounded::try_from(bytes).expect("a day has fewer slots than the bound");
    }

    /// How many slots are in the set.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.0.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Is no slot in the set?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a line of a bill is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum LineKind {
    /// Energy drawn.
    EnergyImport,
    /// Energy injected; its amount is negative.
    EnergyExport,
    /// Energy drawn that falls into one slab of the month.
    SlabImport {
        /// The slab, from 1.
        number: u8,
    },
    /// A charge by the day.
    FixedCharge,
    /// What lifts energy drawn and fixed charges to the tariff's minimum.
    MinimumCharge,
    /// A tax on top of what is charged.
    TaxExclusive,
    /// A tax that the prices contain: `exact` is the part, the amount is zero.
    TaxInclusive,
    /// The fine on dues that were not paid, as it stood at issue; no tariff, no energy.
    Fine,
}

/// A line of a bill: exact products summed, rounded once.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillLine {
    /// What it is about.
    pub kind: LineKind,
    /// The tariff's name of a fixed charge or tax, otherwise empty.
    pub name: ChargeName,
    /// The tariff that priced it.
    pub tariff: TariffId,
    /// The version of the tariff.
    pub version: u16,
    /// Residual energy; zero for what is not energy.
    pub energy: WattHours,
    /// In 10⁻³ micro: Σ Wh × price, price × days, or the share of a tax; a finer rest is cut off.
    pub exact: MilliMicro,
    /// `exact`, rounded half away from zero to the currency's minor unit.
    pub amount: MicroCurrency,
}

/// A bill, as issued. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Bill {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// Counts the bills of this usage point, from 1.
    pub number: u32,
    /// The billing period.
    pub period: BillingPeriod,
    /// Counts the bills of this period, from 1.
    pub revision: u32,
    /// Who is billed.
    pub customer: PartyId,
    /// Who bills, and collects for both sides.
    pub biller: PartyId,
    /// Who owes export credits.
    pub export_payer: PartyId,
    /// The limit of the connection at issue, by which some fixed charges are counted.
    pub connection_limit: Watts,
    /// Energy drawn by the meter.
    pub metered_import: WattHours,
    /// Energy injected by the meter.
    pub metered_export: WattHours,
    /// Energy drawn that no trade or allocation accounts for; this is billed.
    pub residual_import: WattHours,
    /// Energy injected that no trade or allocation accounts for; this is credited.
    pub residual_export: WattHours,
    /// The lines.
    pub lines: Bounded<BillLine, MAX_LINES>,
    /// The sum of the lines; negative when the customer is owed.
    pub total: MicroCurrency,
    /// Merkle root over one commitment per day of readings.
    pub readings_root: Hash,
    /// Merkle root over one commitment per day of frequencies; the empty root when no price needs one.
    pub frequency_root: Hash,
    /// Hash of the tariff segments used (`bill_calculation::tariff_hash`).
    pub tariff_hash: Hash,
    /// The block's time at issue.
    pub issued_at: Timestamp,
}

impl Bill {
    /// The id: it follows from usage point, period and revision.
    #[must_use]
    pub fn id(&self) -> BillId {
        bill_id(self.usage_point, self.period, self.revision)
    }

    /// What the customer is charged: all lines but those of energy injected.
    ///
    /// # Errors
    /// [`OutOfRange`] when the sum does not fit.
    pub fn charged(&self) -> Result<MicroCurrency, OutOfRange> {
        let charges = self.lines.iter().filter(|line| line.kind != LineKind::EnergyExport);
        MicroCurrency::sum(charges.map(|line| line.amount))
    }

    /// What the customer is credited for energy injected, not negative.
    ///
    /// # Errors
    /// [`OutOfRange`] when the sum does not fit.
    pub fn credited(&self) -> Result<MicroCurrency, OutOfRange> {
        let credits = self.lines.iter().filter(|line| line.kind == LineKind::EnergyExport);
        MicroCurrency::sum(credits.map(|line| line.amount))?.checked_neg()
    }

    /// The sum of the lines of one kind.
    ///
    /// # Errors
    /// [`OutOfRange`] when the sum does not fit.
    pub fn sum_of(&self, kind: LineKind) -> Result<MicroCurrency, OutOfRange> {
        let lines = self.lines.iter().filter(|line| line.kind == kind);
        MicroCurrency::sum(lines.map(|line| line.amount))
    }

    /// The bill that this one replaces: the former revision.
    #[must_use]
    pub fn replaces(&self) -> Option<BillId> {
        let former = self.revision.checked_sub(1).filter(|revision| *revision > 0)?;
        Some(bill_id(self.usage_point, self.period, former))
    }

    /// The hash that the event commits to.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of_domain("gridtally/bill/v1", &[&codec::encode(self)])
    }
}

/// The id of a bill.
#[must_use]
pub fn bill_id(usage_point: UsagePointId, period: BillingPeriod, revision: u32) -> BillId {
    let key = codec::encode(&(usage_point, period, revision));
    BillId::from_hash(&Hash::of_domain("gridtally/bill-id/v1", &[&key]))
}

/// What a bill's event says: the leaf from which one bill of a bulk run is proven alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillIssued {
    /// The bill.
    pub bill: BillId,
    /// Its usage point.
    pub usage_point: UsagePointId,
    /// Counts the bills of this usage point, from 1.
    pub number: u32,
    /// Its billing period.
    pub period: BillingPeriod,
    /// Its revision.
    pub revision: u32,
    /// Its total.
    pub total: MicroCurrency,
    /// Hash of the whole bill.
    pub bill_hash: Hash,
    /// See [`Bill::readings_root`].
    pub readings_root: Hash,
    /// See [`Bill::frequency_root`].
    pub frequency_root: Hash,
    /// See [`Bill::tariff_hash`].
    pub tariff_hash: Hash,
}

/// What became of a bill. Nothing is open or paid any more of a bill that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillState {
    /// Paid so far; negative when it was paid out.
    pub paid: MicroCurrency,
    /// Still open: positive to be paid by the customer, negative to be paid out to it. It is the
    /// bill's total less what was paid and credited.
    pub open: MicroCurrency,
    /// Taken back by the decision of a dispute.
    pub credited: MicroCurrency,
    /// What of `open` is in dispute: it is not collected and bears no fine.
    pub held: MicroCurrency,
    /// The fine that stands on the bill; what is paid goes to it first.
    pub fine: MicroCurrency,
    /// The taxes on top of what is charged; what is paid goes to them after the fine.
    pub tax: MicroCurrency,
    /// Since when nothing is open to be paid.
    pub paid_at: Option<Timestamp>,
    /// Where the bill was issued, for its proof.
    pub position: crate::state::Position,
    /// The bill in its place, when it was taken back by a credit note.
    pub replaced_by: Option<BillId>,
}

/// How something paid divides inside a bill: the fine first, then taxes, then what is charged. Arrears
/// are older bills, which are paid before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The fine.
    pub fine: MicroCurrency,
    /// Taxes on top of what is charged.
    pub tax: MicroCurrency,
    /// Everything else on the bill.
    pub current: MicroCurrency,
}

impl BillState {
    /// What can be collected now: what is open without what is in dispute.
    #[must_use]
    pub fn payable(&self) -> MicroCurrency {
        self.open.max(MicroCurrency::ZERO).checked_sub(self.held).unwrap_or(MicroCurrency::ZERO)
    }

    /// What of a fine is still unpaid.
    #[must_use]
    pub fn unpaid_fine(&self) -> MicroCurrency {
        let zero = MicroCurrency::ZERO;
        let unpaid = self.fine.checked_sub(self.paid.max(zero)).unwrap_or(zero);
        unpaid.max(zero).min(self.open.max(zero))
    }

    /// What the bill adds to the dues that a fine is counted from: payable, without its own fine.
    #[must_use]
    pub fn due(&self) -> MicroCurrency {
        let due = self.payable().checked_sub(self.unpaid_fine());
        due.unwrap_or(MicroCurrency::ZERO).max(MicroCurrency::ZERO)
    }

    /// How what was paid divides.
    #[must_use]
    pub fn paid_split(&self) -> Split {
        let zero = MicroCurrency::ZERO;
        let left = |from: MicroCurrency, part| from.checked_sub(part).unwrap_or(zero);
        let fine = self.paid.max(zero).min(self.fine);
        let behind_fine = left(self.paid, fine);
        let tax = behind_fine.max(zero).min(self.tax);
        Split { fine, tax, current: left(behind_fine, tax) }
    }
}

/// Credit and bill count of a usage point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillingAccount {
    /// Overpayment that the next bill uses up first.
    pub credit: MicroCurrency,
    /// How many bills were issued.
    pub bills: u32,
}

impl Default for BillingAccount {
    fn default() -> Self {
        Self { credit: MicroCurrency::ZERO, bills: 0 }
    }
}

impl dyn State + '_ {
    /// An issued bill.
    ///
    /// # Errors
    /// [`Rejection::BillUnknown`].
    pub fn bill(&self, id: BillId) -> Result<Bill, Rejection> {
        self.read(&state_key::bill(&id)).ok_or(Rejection::BillUnknown)
    }

    /// What became of a bill.
    ///
    /// # Errors
    /// [`Rejection::BillUnknown`].
    pub fn bill_state(&self, id: BillId) -> Result<BillState, Rejection> {
        self.read(&state_key::bill_state(&id)).ok_or(Rejection::BillUnknown)
    }

    pub(crate) fn put_bill_state(&mut self, id: BillId, value: &BillState) {
        self.write(state_key::bill_state(&id), value);
    }

    /// Credit and bill count of a usage point.
    #[must_use]
    pub fn billing_account(&self, usage_point: UsagePointId) -> BillingAccount {
        self.read(&state_key::billing_account(&usage_point)).unwrap_or_default()
    }

    pub(crate) fn put_billing_account(
        &mut self,
        usage_point: UsagePointId,
        value: &BillingAccount,
    ) {
        self.write(state_key::billing_account(&usage_point), value);
    }

    /// Up to `limit` open bills of a usage point, oldest first, after bill number `after`.
    #[must_use]
    pub fn open_bills(
        &self,
        usage_point: UsagePointId,
        after: u32,
        limit: usize,
    ) -> Vec<(u32, BillId)> {
        let prefix = state_key::open_bills(&usage_point);
        let after = state_key::open_bill(&usage_point, after);
        self.scan(&prefix, Some(&after), limit)
            .into_iter()
            .map(|(key, id)| {
                let number = key[prefix.len()..].try_into().expect("the key ends with a number");
                (u32::from_be_bytes(number), codec::decode(&id).expect("a bill id"))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_set_is_the_same_whatever_way_it_came_about() {
        let mut set = SlotSet::default();
        set.set(95, true);
        set.set(3, true);
        set.set(95, false);
        let mut other = SlotSet::default();
        other.set(3, true);
        assert_eq!(set, other);
        assert!(set.contains(3) && !set.contains(95) && !set.contains(400));
        assert_eq!(set.len(), 1);
    }
}
