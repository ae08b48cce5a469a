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

use crate::registry::UsagePointKind;
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
mod issue_private_bill;
mod issue_statement;
mod pay_bill;
mod pay_dues;
mod pay_out_bill;
mod pay_out_credit;
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
pub use fine::{FineBasis, FineRules, FineStanding, fine_standing};
pub use issue_bill::{IssueBill, MAX_BILLED};
pub use issue_private_bill::{IssuePrivateBill, StatedAmounts, draft_bill};
pub use issue_statement::{IssueStatement, StatedBill, Statement};
pub use pay_bill::PayBill;
pub use pay_dues::PayDues;
pub use pay_out_bill::PayOutBill;
pub use pay_out_credit::PayOutCredit;
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

/// How the account of the usage point stood when a bill was issued: what the sheet shows beside the
/// lines. None of it is posted with the bill, and none is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillAccount {
    /// Arrears: what was open of other bills, disputed or not. They are paid before this one.
    pub arrears: MicroCurrency,
    /// What the customer had paid since the bill before.
    pub payments: MicroCurrency,
    /// What had been paid out to the customer for the bill that this one replaces.
    pub paid_out: MicroCurrency,
    /// What a regulator had decided for the customer over the bill that this one replaces, as far as
    /// this one is not lower by itself.
    pub upheld: MicroCurrency,
    /// Credit that the bill used up.
    pub credit: MicroCurrency,
}

impl BillAccount {
    /// Nothing stood open, nothing was paid.
    pub const ZERO: Self = Self {
        arrears: MicroCurrency::ZERO,
        payments: MicroCurrency::ZERO,
        paid_out: MicroCurrency::ZERO,
        upheld: MicroCurrency::ZERO,
        credit: MicroCurrency::ZERO,
    };
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
    /// How the account stood.
    pub account: BillAccount,
    /// Merkle root over one commitment per day of readings.
    pub readings_root: Hash,
    /// Merkle root over one commitment per day of frequencies; the empty root when no price needs one.
    pub frequency_root: Hash,
    /// Hash of the tariff segments used (`bill_calculation::tariff_hash`).
    pub tariff_hash: Hash,
    /// Hash of what the fine was counted from ([`FineBasis::hash`]).
    pub fine_hash: Hash,
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

    /// All that stands on the bill, charges and credits alike: the most that can be wrong with it.
    ///
    /// # Errors
    /// [`OutOfRange`] when the sum does not fit.
    pub fn gross(&self) -> Result<MicroCurrency, OutOfRange> {
        self.charged()?.checked_add(self.credited()?)
    }

    /// What the customer is charged and what it is credited for energy injected once `upheld` was
    /// decided for it: that takes off the charges first, the rest is too little credited.
    fn sides_after(
        &self,
        upheld: MicroCurrency,
    ) -> Result<(MicroCurrency, MicroCurrency), OutOfRange> {
        let (charges, credits) = (self.charged()?, self.credited()?);
        let off = upheld.min(charges).max(MicroCurrency::ZERO);
        Ok((charges.checked_sub(off)?, credits.checked_add(upheld.checked_sub(off)?)?))
    }

    /// The sum of the lines of one kind.
    ///
    /// # Errors
    /// [`OutOfRange`] when the sum does not fit.
    pub fn sum_of(&self, kind: LineKind) -> Result<MicroCurrency, OutOfRange> {
        let lines = self.lines.iter().filter(|line| line.kind == kind);
        MicroCurrency::sum(lines.map(|line| line.amount))
    }

    /// What was open of the bill right after its issue; below zero when it was to be paid out.
    ///
    /// # Errors
    /// [`OutOfRange`] when the sum does not fit.
    pub fn open_at_issue(&self) -> Result<MicroCurrency, OutOfRange> {
        let BillAccount { paid_out, upheld, credit, .. } = self.account;
        self.total.checked_add(paid_out)?.checked_sub(upheld)?.checked_sub(credit)
    }

    /// The bill that this one replaces: the former revision.
    #[must_use]
    pub fn replaces(&self) -> Option<BillId> {
        let former = self.revision.checked_sub(1).filter(|revision| *revision > 0)?;
        Some(bill_id(self.usage_point, self.period, former))
    }

    /// The roots over readings and frequencies and the hash of the tariffs.
    fn commitments(&self) -> [Hash; 3] {
        [self.readings_root, self.frequency_root, self.tariff_hash]
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

/// What a regulator decided over a bill. It stands for the bills that replace this one: the customer
/// pays no more for the same than was decided, and an amendment that says so itself takes nothing off
/// twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Decision {
    /// The total of the bill that was decided over.
    pub total: MicroCurrency,
    /// What is decided for the customer, from zero to all that stands on the bill; more than the total
    /// leaves the customer with a claim.
    pub upheld: MicroCurrency,
}

impl Decision {
    /// What of the decision counts for a bill of this total.
    fn of_total(&self, total: MicroCurrency) -> Result<MicroCurrency, OutOfRange> {
        let decided = self.total.checked_sub(self.upheld)?;
        Ok(total.checked_sub(decided)?.clamp(MicroCurrency::ZERO, self.upheld))
    }
}

/// What became of a bill. Nothing is open or paid any more of a bill that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillState {
    /// Paid so far; negative as far as the customer received more for the bill than it paid: paid out,
    /// carried, or decided for it.
    pub paid: MicroCurrency,
    /// Still open: positive to be paid by the customer, negative to be paid out to it. It is the
    /// bill's total less what was paid and credited.
    pub open: MicroCurrency,
    /// Decided for the customer in disputes over the bill or those that it replaced; may be more than
    /// the total.
    pub credited: MicroCurrency,
    /// What of `open` is in dispute: it is not collected and bears no fine.
    pub held: MicroCurrency,
    /// The fine that stands on the bill, at most its total; what is paid goes to it first.
    pub fine: MicroCurrency,
    /// The taxes on top of what is charged, at most the rest of the total; what is paid goes to them
    /// after the fine.
    pub tax: MicroCurrency,
    /// What the bill collects from before: paid out too much for the one that it replaces.
    pub arrears: MicroCurrency,
    /// What had been paid out for the bill that this one replaces; `paid` counts it below zero.
    pub paid_out: MicroCurrency,
    /// The last decision over the bill or one that it replaced.
    pub decision: Option<Decision>,
    /// Since when nothing is open, neither to be paid nor to be paid out: it was paid, paid out,
    /// carried or taken back.
    pub paid_at: Option<Timestamp>,
    /// Where the bill was issued, for its proof.
    pub position: crate::state::Position,
    /// The bill in its place, when it was taken back by a credit note.
    pub replaced_by: Option<BillId>,
}

/// How something paid divides inside a bill: the fine first, then taxes, arrears, and what is charged.
/// Arrears that are older bills of their own are paid before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// The fine.
    pub fine: MicroCurrency,
    /// Taxes on top of what is charged.
    pub tax: MicroCurrency,
    /// What the bill collects from before.
    pub arrears: MicroCurrency,
    /// Everything else on the bill.
    pub current: MicroCurrency,
}

impl BillState {
    /// What the customer has to pay, disputed or not.
    #[must_use]
    pub fn to_pay(&self) -> MicroCurrency {
        self.open.max(MicroCurrency::ZERO)
    }

    /// What is to be paid out to the customer.
    fn to_pay_out(self) -> Result<MicroCurrency, OutOfRange> {
        self.open.min(MicroCurrency::ZERO).checked_neg()
    }

    /// What the customer paid for this bill, whatever it had been paid out for the one before.
    fn collected(&self) -> MicroCurrency {
        let zero = MicroCurrency::ZERO;
        self.paid.checked_add(self.paid_out).map_or(zero, |it| it.max(zero))
    }

    /// What can be collected now: what is open without what is in dispute.
    #[must_use]
    pub fn payable(&self) -> MicroCurrency {
        self.to_pay().checked_sub(self.held).unwrap_or(MicroCurrency::ZERO)
    }

    /// What of a fine is still unpaid.
    #[must_use]
    pub fn unpaid_fine(&self) -> MicroCurrency {
        let zero = MicroCurrency::ZERO;
        let unpaid = self.fine.checked_sub(self.collected()).unwrap_or(zero);
        unpaid.max(zero).min(self.to_pay())
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
        let mut left = self.collected();
        let mut take = |part: MicroCurrency| {
            let taken = left.min(part);
            left = left.checked_sub(taken).expect("not more is taken than is left");
            taken
        };
        let (fine, tax, arrears) = (take(self.fine), take(self.tax), take(self.arrears));
        Split { fine, tax, arrears, current: left }
    }
}

/// The sums over all bills of a usage point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillingAccount {
    /// What is paid beyond what is open: the next bill uses it up first, or it is paid out.
    pub credit: MicroCurrency,
    /// How many bills were issued.
    pub bills: u32,
    /// What the customer has to pay, disputed or not.
    pub to_pay: MicroCurrency,
    /// What is to be paid out to the customer.
    pub to_pay_out: MicroCurrency,
    /// What the customer paid since the last bill.
    pub payments: MicroCurrency,
}

impl Default for BillingAccount {
    fn default() -> Self {
        let zero = MicroCurrency::ZERO;
        Self { credit: zero, bills: 0, to_pay: zero, to_pay_out: zero, payments: zero }
    }
}

impl BillingAccount {
    /// What the bills say that the customer is owed.
    fn claims(&self) -> Result<MicroCurrency, OutOfRange> {
        self.credit.checked_add(self.to_pay_out)
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

    /// The sums over all bills of a usage point.
    #[must_use]
    pub fn billing_account(&self, usage_point: UsagePointId) -> BillingAccount {
        self.read(&state_key::billing_account(&usage_point)).unwrap_or_default()
    }

    /// Writes the sums of a usage point, and what follows from them for a boundary.
    pub(crate) fn put_billing_account(
        &mut self,
        id: UsagePointId,
        value: &BillingAccount,
    ) -> Result<(), Rejection> {
        let out_of_range = |_| Rejection::AmountOutOfRange;
        let before = self.billing_account(id).claims().map_err(out_of_range)?;
        let after = value.claims().map_err(out_of_range)?;
        if before != after {
            let usage_point = self.usage_point(id)?;
            if usage_point.kind == UsagePointKind::Boundary {
                let (biller, customer) = (usage_point.biller, usage_point.customer);
                let claims = self.boundary_claims(biller, customer).checked_add(after);
                let claims = claims.and_then(|claims| claims.checked_sub(before));
                let key = state_key::boundary_claims(&biller, &customer);
                self.write(key, &claims.map_err(out_of_range)?);
            }
        }
        self.write(state_key::billing_account(&id), value);
        Ok(())
    }

    /// What a grid operator owes a distributor on the bills of its boundaries: negative ones that are
    /// not paid out, and credit.
    #[must_use]
    pub fn boundary_claims(&self, grid_operator: PartyId, distributor: PartyId) -> MicroCurrency {
        let key = state_key::boundary_claims(&grid_operator, &distributor);
        self.read(&key).unwrap_or(MicroCurrency::ZERO)
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
