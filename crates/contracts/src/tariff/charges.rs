//! What a tariff charges beside energy: fixed charges and taxes.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Text;
use primitives::units::{BasisPoints, MicroCurrency};

use super::frequency_curve::MAX_PRICE;
use crate::rejection::Malformed;

/// Fixed charges of one tariff.
pub const MAX_FIXED: usize = 8;
/// Taxes of one tariff.
pub const MAX_TAXES: usize = 8;
/// The name of a charge or tax, as it stands on the bill.
pub type ChargeName = Text<32>;

/// What a fixed charge is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum FixedBasis {
    /// By the day.
    Day,
    /// By the day and kilowatt of the connection's limit.
    KilowattDay,
}

/// A charge that does not depend on energy. A day that two tariff versions share counts for each by
/// its share of the slots.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FixedCharge {
    /// Its name on the bill.
    pub name: ChargeName,
    /// What it is counted by.
    pub per: FixedBasis,
    /// Per day, or per day and kilowatt; not negative.
    pub price: MicroCurrency,
}

/// Whether a tax comes on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum TaxKind {
    /// It is added to what is charged.
    Exclusive,
    /// The prices contain it; the bill shows the part and adds nothing.
    Inclusive,
}

/// A tax on what is charged for energy drawn, fixed charges and the minimum.
///
/// Credits for energy injected are the grid operator's to pay and lower no tax. All taxes of a
/// tariff have the same basis: none is charged on another.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tax {
    /// Its name on the bill.
    pub name: ChargeName,
    /// Its rate on the amount before tax.
    pub rate: BasisPoints,
    /// Whether it comes on top.
    pub kind: TaxKind,
}

impl FixedCharge {
    /// # Errors
    /// What is impossible by itself.
    pub fn check(&self) -> Result<(), Malformed> {
        check_name(&self.name)?;
        check_daily(self.price)
    }
}

impl Tax {
    /// # Errors
    /// What is impossible by itself.
    pub fn check(&self) -> Result<(), Malformed> {
        check_name(&self.name)
    }
}

/// An amount per day.
pub(super) fn check_daily(amount: MicroCurrency) -> Result<(), Malformed> {
    if (0..=MAX_PRICE).contains(&amount.get()) {
        Ok(())
    } else {
        Err(Malformed::Field("an amount per day is not negative and not beyond its range"))
    }
}

fn check_name(name: &ChargeName) -> Result<(), Malformed> {
    if name.is_empty() {
        return Err(Malformed::Field("a charge or tax has a name"));
    }
    Ok(())
}
