//! A tariff as people write it, in TOML, and what it would cost at given frequencies.
//!
//! Prices are decimal numbers in quotes, in whole units of the currency (`price = "6.20"`) or in its
//! hundredths (`price_paise = "620"`); frequencies are `frequency_hz = "49.84"` or
//! `frequency_mhz = 49840`. There are no floats: a number without quotes and with a point is refused.
//! The examples in `examples/tariffs/` show every field. What a month costs tells [`example_bill`].

use std::io;
use std::path::{Path, PathBuf};

use contracts::Malformed;
use contracts::billing::bill_calculation::{
    BillCalculation, BillInputs, CalculationError, DayInput, TariffSegment, calculate,
    no_allocation,
};
use contracts::tariff::{TariffTerms, TariffVersion};
use primitives::calendar::{Calendar, LocalDay, LocalTime};
use primitives::codec::Text;
use primitives::identifier::TariffId;
use primitives::reading::Reading;
use primitives::rounding::div_half_away;
use primitives::units::{MicroPerKilowattHour, MilliHertz, OutOfRange, Watts};
use thiserror::Error;

use crate::atomic_file;
use crate::decimal;
use crate::tariff_toml::{TariffToml, Wrong};

/// What the file says that it is.
pub const FORMAT: &str = "gridtally-tariff/1";
const MAX_BYTES: u64 = 1 << 20;

/// Why a tariff file cannot be read.
#[derive(Debug, Error)]
pub enum TariffFileError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Broken TOML, an unknown or missing field, a wrong value; the text names line and column.
    #[error("not a tariff: {0}")]
    Toml(#[from] toml::de::Error),
    /// Fields that do not fit each other.
    #[error("not a tariff: line {line}: {reason}")]
    Field {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The ledger would refuse the tariff.
    #[error("the ledger would refuse the tariff: {0}")]
    Malformed(#[from] Malformed),
}

/// A tariff file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TariffFile {
    /// The tariff's name for people.
    pub name: Text<64>,
    /// Its terms.
    pub terms: TariffTerms,
}

impl TariffFile {
    /// Reads the text of a tariff.
    ///
    /// # Errors
    /// [`TariffFileError`] names the line.
    pub fn parse(text: &str) -> Result<Self, TariffFileError> {
        let file: TariffToml = toml::from_str(text)?;
        let at = |(span, reason): Wrong| TariffFileError::Field {
            line: text[..span.start.min(text.len())].matches('\n').count() + 1,
            reason,
        };
        if file.format.get_ref() != FORMAT {
            return Err(at((file.format.span(), format!("format is {FORMAT:?}"))));
        }
        let name = file.name.get_ref().as_str();
        let name = Text::new(name).map_err(|error| at((file.name.span(), error.to_string())))?;
        let terms = file.terms().map_err(at)?;
        terms.check()?;
        Ok(Self { name, terms })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`TariffFileError`] names the line.
    pub fn read(path: &Path) -> Result<Self, TariffFileError> {
        let text = atomic_file::read_text(path, MAX_BYTES)
            .map_err(|error| TariffFileError::File { path: path.to_owned(), error })?;
        Self::parse(&text)
    }
}

/// The price of energy drawn at each of the local times with its frequency; empty when the tariff
/// prices a month's energy by slabs.
#[must_use]
pub fn try_tariff(
    terms: &TariffTerms,
    slots: &[(LocalTime, MilliHertz)],
) -> Vec<MicroPerKilowattHour> {
    let price = |(time, frequency): &(LocalTime, MilliHertz)| {
        terms.prices(*time, Some(*frequency)).map(|prices| prices.import)
    };
    slots.iter().filter_map(price).collect()
}

/// What somebody used, to see what a tariff would charge for it.
#[derive(Clone, Copy, Debug)]
pub struct ExampleUse<'a> {
    /// The local day of the first reading.
    pub first_day: LocalDay,
    /// One reading per slot, in whole local days.
    pub readings: &'a [Reading],
    /// One frequency per reading, or none at all for a tariff that needs none.
    pub frequencies: &'a [MilliHertz],
    /// The connection's limit, by which some fixed charges are counted.
    pub connection_limit: Watts,
    /// The smallest unit of the currency, in micro: 10 000 for two decimals.
    pub minor_unit_micro: i64,
}

/// Why there is no example bill.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExampleError {
    /// A ledger with this calendar would refuse the tariff.
    #[error("the ledger would refuse the tariff: {0}")]
    Malformed(#[from] Malformed),
    /// The readings end inside a day, or there are none.
    #[error("the readings of {0} are not those of a whole day")]
    Incomplete(LocalDay),
    /// There are not as many frequencies as readings.
    #[error("{frequencies} frequencies for {readings} readings")]
    FrequencyCount {
        /// How many frequencies there are.
        frequencies: usize,
        /// How many readings there are.
        readings: usize,
    },
    /// The bill cannot be computed.
    #[error(transparent)]
    Calculation(#[from] CalculationError),
}

impl From<OutOfRange> for ExampleError {
    fn from(error: OutOfRange) -> Self {
        Self::Calculation(error.into())
    }
}

/// The bill that a tariff would make of some use, with the function that the ledger bills with.
///
/// # Errors
/// [`ExampleError`].
pub fn example_bill(
    terms: &TariffTerms,
    calendar: &Calendar,
    usage: &ExampleUse<'_>,
) -> Result<BillCalculation, ExampleError> {
    terms.check()?;
    let slot_minutes = u8::try_from(calendar.slot_seconds() / 60);
    terms.check_slots(slot_minutes.expect("slots are at most an hour long"))?;
    let (frequencies, readings) = (usage.frequencies.len(), usage.readings.len());
    if ![0, readings].contains(&frequencies) {
        return Err(ExampleError::FrequencyCount { frequencies, readings });
    }
    let first_period = calendar.periods_of(usage.first_day).first;
    let tariff = TariffId::default();
    let version = TariffVersion { tariff, version: 1, first_period, terms: terms.clone() };
    let segments = vec![TariffSegment { first_period, version }];
    let connection_limit = usage.connection_limit;
    let days = example_days(calendar, usage)?;
    let inputs = BillInputs { segments, days, connection_limit };
    Ok(calculate(calendar, &inputs, usage.minor_unit_micro, &no_allocation)?)
}

fn example_days(
    calendar: &Calendar,
    usage: &ExampleUse<'_>,
) -> Result<Vec<DayInput>, ExampleError> {
    let (mut readings, mut frequencies) = (usage.readings, usage.frequencies);
    let mut day = usage.first_day;
    let mut days = Vec::new();
    loop {
        let count = usize::from(calendar.periods_of(day).count);
        let (today, later) =
            readings.split_at_checked(count).ok_or(ExampleError::Incomplete(day))?;
        let at_hand = count.min(frequencies.len());
        let (of_today, of_later) = frequencies.split_at(at_hand);
        days.push(DayInput {
            day,
            readings: today.to_vec(),
            frequencies: of_today.iter().copied().map(Some).collect(),
        });
        (readings, frequencies) = (later, of_later);
        if readings.is_empty() {
            return Ok(days);
        }
        day = day.next()?;
    }
}

/// The mean of prices, exactly: a sum and a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeanPrice {
    sum_micro: i128,
    count: i128,
}

impl MeanPrice {
    /// The mean of `prices`; `None` when there are none.
    #[must_use]
    pub fn of(prices: &[MicroPerKilowattHour]) -> Option<Self> {
        let count = i128::try_from(prices.len()).ok().filter(|count| *count > 0)?;
        Some(Self { sum_micro: prices.iter().map(|price| i128::from(price.get())).sum(), count })
    }

    /// In hundredths of the currency per kWh with four decimals, half away from zero: `501.2267`.
    #[must_use]
    pub fn paise_per_kwh(&self) -> String {
        // A micro is exactly the fourth decimal of a hundredth.
        decimal::format(div_half_away(self.sum_micro, self.count), 4)
    }
}
