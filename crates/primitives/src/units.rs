//! Quantities of the trade, each its own type.
//!
//! A bare integer that means energy, money, time or frequency does not cross a function. A unit has
//! a private field, a `const` constructor, `get`, and arithmetic that returns [`OutOfRange`] instead
//! of wrapping. There is no `Deref`, no conversion from integers and no operator: the only way from
//! energy to money is [`MicroPerKilowattHour::cost`]. A unit with a range is decoded through its
//! constructor, so no value from the wire can lie outside it.

use std::fmt;
use std::str::FromStr;

use borsh::io::{Read, Result as IoResult};
use borsh::{BorshDeserialize, BorshSerialize};

use crate::codec::invalid;
use crate::rounding::div_half_away;

/// A value left the range of its type: too large, too small, or an overflow in a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("value out of the range of {unit}")]
pub struct OutOfRange {
    /// The type whose range was left, as it is named in the code.
    pub unit: &'static str,
}

impl OutOfRange {
    /// The error for the type called `unit`.
    #[must_use]
    pub const fn of(unit: &'static str) -> Self {
        Self { unit }
    }
}

/// `get` and the checked sums that all units share. `$make` turns a bare number into a `Result`.
macro_rules! arithmetic {
    ($name:ident($inner:ty), $make:expr) => {
        impl $name {
            /// The bare number, in the unit that the type names.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }

            /// The sum.
            ///
            /// # Errors
            /// [`OutOfRange`] when the sum lies outside the type's range.
            pub fn checked_add(self, other: Self) -> Result<Self, OutOfRange> {
                self.0.checked_add(other.0).ok_or(OutOfRange::of(stringify!($name))).and_then($make)
            }

            /// The difference `self − other`.
            ///
            /// # Errors
            /// [`OutOfRange`] when the difference lies outside the type's range.
            pub fn checked_sub(self, other: Self) -> Result<Self, OutOfRange> {
                self.0.checked_sub(other.0).ok_or(OutOfRange::of(stringify!($name))).and_then($make)
            }
        }
    };
}

/// A unit whose every inner value is valid.
macro_rules! unit {
    ($(#[$attribute:meta])* $name:ident($inner:ty)) => {
        $(#[$attribute])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize,
        )]
        pub struct $name($inner);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0);
            /// The smallest value.
            pub const MIN: Self = Self(<$inner>::MIN);
            /// The largest value.
            pub const MAX: Self = Self(<$inner>::MAX);

            /// Wraps the bare number, given in the unit that the type names.
            #[must_use]
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }
        }

        arithmetic!($name($inner), |value| Ok(Self(value)));
    };
}

/// A unit with a range; decoded through its constructor.
macro_rules! ranged_unit {
    ($(#[$attribute:meta])* $name:ident($inner:ty: $minimum:literal..=$maximum:literal)) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
        pub struct $name($inner);

        impl $name {
            /// The smallest value.
            pub const MIN: Self = Self($minimum);
            /// The largest value.
            pub const MAX: Self = Self($maximum);

            /// Wraps the bare number, given in the unit that the type names.
            ///
            /// # Errors
            /// [`OutOfRange`] outside [`Self::MIN`]`..=`[`Self::MAX`].
            pub const fn new(value: $inner) -> Result<Self, OutOfRange> {
                if value < Self::MIN.0 || value > Self::MAX.0 {
                    return Err(OutOfRange::of(stringify!($name)));
                }
                Ok(Self(value))
            }
        }

        impl BorshDeserialize for $name {
            fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
                Self::new(<$inner>::deserialize_reader(reader)?).map_err(invalid)
            }
        }

        arithmetic!($name($inner), Self::new);
    };
}

macro_rules! display {
    ($($name:ident $text:literal),+ $(,)?) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, $text, self.0)
            }
        }
    )+};
}

unit! {
    /// Active energy. Import and export are two values, never one signed one.
    WattHours(u64)
}
unit! {
    /// Power, signed only where a limit or a difference needs it.
    Watts(i64)
}
unit! {
    /// Money: 10⁻⁶ of the ledger's one currency.
    MicroCurrency(i64)
}
unit! {
    /// A price of energy: 10⁻⁶ of the currency per kilowatt-hour.
    MicroPerKilowattHour(i64)
}
unit! {
    /// An exact product of energy and price: 10⁻³ micro, that is 10⁻⁹ of the currency. It is never
    /// posted; [`MilliMicro::round_to`] makes money of a whole line of a bill, once.
    MilliMicro(i128)
}
unit! {
    /// A moment: milliseconds since 1970-01-01T00:00:00Z, from a block or a genesis only.
    Timestamp(u64)
}
unit! {
    /// The position of a block; the genesis has height 0.
    BlockHeight(u64)
}
unit! {
    /// A key's own count of its transactions.
    Sequence(u64)
}
ranged_unit! {
    /// Grid frequency; 50 Hz is 50 000. Outside 40–70 Hz no grid runs, so it is a wrong value.
    MilliHertz(u32: 40_000..=70_000)
}
ranged_unit! {
    /// A share in hundredths of a percent; 10 000 is the whole.
    BasisPoints(u16: 0..=10_000)
}

display! {
    WattHours "{} Wh",
    Watts "{} W",
    MicroCurrency "{} micro",
    MicroPerKilowattHour "{} micro/kWh",
    MilliMicro "{} milli-micro",
    BlockHeight "{}",
    Sequence "{}",
    MilliHertz "{} mHz",
    BasisPoints "{} bp",
}

impl BasisPoints {
    /// No share.
    pub const ZERO: Self = Self(0);
}

impl Default for BasisPoints {
    fn default() -> Self {
        Self::ZERO
    }
}

impl MicroPerKilowattHour {
    /// What `energy` costs at this price, exactly.
    ///
    /// micro/kWh × Wh is 10⁻³ micro; the product of an `i64` and a `u64` always fits an `i128`.
    #[must_use]
    pub const fn cost(self, energy: WattHours) -> MilliMicro {
        MilliMicro(self.0 as i128 * energy.0 as i128)
    }
}

impl MilliMicro {
    /// The same amount the other way round.
    ///
    /// # Errors
    /// [`OutOfRange`] for the one value that has no opposite.
    pub fn checked_neg(self) -> Result<Self, OutOfRange> {
        self.0.checked_neg().map(Self).ok_or(OutOfRange::of("MilliMicro"))
    }

    /// Rounds to a multiple of the currency's smallest unit, half away from zero.
    ///
    /// `minor_unit_micro` is that unit in micro: 10 000 for a currency of two decimals, 1 for whole
    /// micros.
    ///
    /// # Errors
    /// [`OutOfRange`] when the minor unit is not positive or the result does not fit.
    pub fn round_to(self, minor_unit_micro: i64) -> Result<MicroCurrency, OutOfRange> {
        const OVERFLOW: OutOfRange = OutOfRange::of("MicroCurrency");
        if minor_unit_micro <= 0 {
            return Err(OVERFLOW);
        }
        let minor_units = div_half_away(self.0, i128::from(minor_unit_micro) * 1_000);
        let micro = minor_units.checked_mul(i128::from(minor_unit_micro)).ok_or(OVERFLOW)?;
        i64::try_from(micro).map(MicroCurrency).map_err(|_| OVERFLOW)
    }

    /// The sum of many exact products.
    ///
    /// # Errors
    /// [`OutOfRange`] when a partial sum does not fit.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, OutOfRange> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

impl MicroCurrency {
    /// The same amount the other way round.
    ///
    /// # Errors
    /// [`OutOfRange`] for the one value that has no opposite.
    pub fn checked_neg(self) -> Result<Self, OutOfRange> {
        self.0.checked_neg().map(Self).ok_or(OutOfRange::of("MicroCurrency"))
    }

    /// The sum of many amounts, added in `i128`: only the result has to fit, not each partial sum.
    ///
    /// # Errors
    /// [`OutOfRange`] when the sum does not fit.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, OutOfRange> {
        let sum: i128 = amounts.into_iter().map(|amount| i128::from(amount.0)).sum();
        i64::try_from(sum).map(Self).map_err(|_| OutOfRange::of("MicroCurrency"))
    }
}

impl WattHours {
    /// The sum of many amounts of energy.
    ///
    /// # Errors
    /// [`OutOfRange`] when the sum does not fit.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, OutOfRange> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }
}

impl BlockHeight {
    /// The height of the block that follows.
    ///
    /// # Errors
    /// [`OutOfRange`] after the last height.
    pub fn next(self) -> Result<Self, OutOfRange> {
        self.checked_add(Self(1))
    }
}

impl Timestamp {
    /// The moment `milliseconds` later.
    ///
    /// # Errors
    /// [`OutOfRange`] when it does not fit.
    pub fn plus_milliseconds(self, milliseconds: u64) -> Result<Self, OutOfRange> {
        self.checked_add(Self(milliseconds))
    }
}

/// RFC 3339 in UTC with `Z`, to the millisecond where one is set: `2016-06-01T18:30:00Z`.
/// A moment after the year 9999, which RFC 3339 cannot write, is shown as its milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0).ok().map(jiff::Timestamp::from_millisecond);
        match moment {
            Some(Ok(moment)) => write!(formatter, "{moment}"),
            _ => write!(formatter, "{} ms", self.0),
        }
    }
}

/// Reads RFC 3339 with an offset; a fraction finer than a millisecond is refused, not cut off.
impl FromStr for Timestamp {
    type Err = OutOfRange;

    fn from_str(text: &str) -> Result<Self, OutOfRange> {
        const REFUSED: OutOfRange = OutOfRange::of("Timestamp");
        let moment: jiff::Timestamp = text.parse().map_err(|_| REFUSED)?;
        if moment.subsec_nanosecond() % 1_000_000 != 0 {
            return Err(REFUSED);
        }
        u64::try_from(moment.as_millisecond()).map(Self).map_err(|_| REFUSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn money_comes_only_from_price_times_energy() {
        let cases = [
            (4_000_000, 250, 10_000, 1_000_000),
            (4_000_000, 251, 10_000, 1_000_000),   // 1.004
            (4_020_000, 250, 10_000, 1_010_000),   // 1.005, a half, goes up
            (-4_020_000, 250, 10_000, -1_010_000), // and away from zero
            (1, 499, 1, 0),
            (1, 500, 1, 1),
            (-1, 500, 1, -1),
        ];
        for (price, energy, minor_unit, wanted) in cases {
            let cost = MicroPerKilowattHour::new(price).cost(WattHours::new(energy));
            assert_eq!(cost.round_to(minor_unit), Ok(MicroCurrency::new(wanted)), "{cost}");
        }
        let most = MicroPerKilowattHour::MIN.cost(WattHours::MAX);
        assert_eq!(most.get(), i128::from(i64::MIN) * i128::from(u64::MAX));
        assert!(most.round_to(1).is_err());
        assert!(MilliMicro::new(5).round_to(0).is_err());
        assert!(MilliMicro::new(5).round_to(-1).is_err());
        assert!(MilliMicro::MAX.round_to(i64::MAX).is_err());
    }

    #[test]
    fn sums_do_not_wrap() {
        assert!(WattHours::MAX.checked_add(WattHours::new(1)).is_err());
        assert!(WattHours::ZERO.checked_sub(WattHours::new(1)).is_err());
        assert!(MicroCurrency::MIN.checked_neg().is_err());
        assert!(MilliMicro::MIN.checked_neg().is_err());
        assert_eq!(MicroCurrency::new(7).checked_neg(), Ok(MicroCurrency::new(-7)));
        // Only the result has to fit, not the partial sums.
        let there_and_back = [MicroCurrency::MAX, MicroCurrency::MAX, MicroCurrency::MIN];
        assert_eq!(MicroCurrency::sum(there_and_back), Ok(MicroCurrency::new(i64::MAX - 1)));
        assert!(MicroCurrency::sum([MicroCurrency::MAX, MicroCurrency::new(1)]).is_err());
        assert!(BlockHeight::MAX.next().is_err());
        assert!(BasisPoints::MAX.checked_add(BasisPoints::MAX).is_err());
        let fifty = MilliHertz::new(50_000).unwrap();
        assert!(fifty.checked_sub(fifty).is_err(), "a difference of frequencies is not one");
    }

    #[test]
    fn ranges_hold_on_the_wire() {
        for (value, valid) in [(39_999, false), (40_000, true), (70_000, true), (70_001, false)] {
            assert_eq!(MilliHertz::new(value).is_ok(), valid);
            assert_eq!(decode::<MilliHertz>(&encode(&value)).is_ok(), valid, "{value}");
        }
        assert!(decode::<BasisPoints>(&encode(&10_001_u16)).is_err());
        assert!(decode::<BasisPoints>(&encode(&10_000_u16)).is_ok());
    }

    #[test]
    fn text_names_the_unit() {
        assert_eq!(WattHours::new(250).to_string(), "250 Wh");
        assert_eq!(MilliHertz::new(49_990).unwrap().to_string(), "49990 mHz");
        assert_eq!(Timestamp::new(1_464_719_400_000).to_string(), "2016-05-31T18:30:00Z");
        assert_eq!(Timestamp::new(1_464_719_400_005).to_string(), "2016-05-31T18:30:00.005Z");
        assert_eq!(Timestamp::MAX.to_string(), format!("{} ms", u64::MAX));
        assert_eq!("2016-06-01T00:00:00+05:30".parse(), Ok(Timestamp::new(1_464_719_400_000)));
        assert_eq!("2016-05-31T18:30:00.005Z".parse(), Ok(Timestamp::new(1_464_719_400_005)));
        for wrong in ["2016-05-31T18:30:00.0005Z", "1969-12-31T23:59:59Z", "2016-05-31", "now"] {
            assert!(wrong.parse::<Timestamp>().is_err(), "{wrong}");
        }
    }
}
