//! A tariff as people write it, in TOML, and what it would cost at given frequencies.
//!
//! Prices are decimal numbers in quotes, in whole units of the currency (`price = "6.20"`) or in its
//! hundredths (`price_paise = "620"`); frequencies are `frequency_hz = "49.84"` or
//! `frequency_mhz = 49840`. There are no floats: a number without quotes and with a point is refused.
//! The examples in `examples/tariffs/` show every field.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use contracts::Malformed;
use contracts::tariff::frequency_curve::{CurvePoint, PointPrice};
use contracts::tariff::{ExportRule, FrequencyCurve, PriceRule, TariffTerms};
use primitives::codec::Text;
use primitives::rounding::div_half_away;
use primitives::units::{MicroPerKilowattHour, MilliHertz};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;
use toml::Spanned;

use crate::atomic_file;
use crate::decimal;
use crate::tariff_json::{InterpolationName, RoundingName};

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
        let terms = TariffTerms {
            import: file.import.rule().map_err(at)?,
            export: file.export.rule().map_err(at)?,
        };
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

/// The price of energy drawn at each of the frequencies.
#[must_use]
pub fn try_tariff(terms: &TariffTerms, frequencies: &[MilliHertz]) -> Vec<MicroPerKilowattHour> {
    // With a frequency given, every rule has a price.
    frequencies.iter().filter_map(|it| terms.prices(Some(*it))).map(|it| it.import).collect()
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

/// A place in the text and what is wrong there.
type Wrong = (Range<usize>, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TariffToml {
    format: Spanned<String>,
    name: Spanned<String>,
    import: RuleToml,
    export: ExportToml,
}

/// The fields of every kind of rule; a tagged enum would lose the lines of its fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleToml {
    kind: Spanned<RuleKind>,
    price: Option<Spanned<Price>>,
    price_paise: Option<Spanned<Paise>>,
    points: Option<Spanned<Vec<Spanned<PointToml>>>>,
    interpolation: Option<Spanned<InterpolationName>>,
    step_mhz: Option<Spanned<u16>>,
    rounding: Option<Spanned<RoundingName>>,
    reference_price: Option<Spanned<Price>>,
    reference_price_paise: Option<Spanned<Paise>>,
    reference_price_cap: Option<Spanned<Price>>,
    reference_price_cap_paise: Option<Spanned<Paise>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RuleKind {
    Flat,
    FrequencyLinked,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportToml {
    kind: Spanned<ExportKind>,
    price: Option<RuleToml>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ExportKind {
    SameAsImport,
    Separate,
    NotCredited,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PointToml {
    frequency_hz: Option<Spanned<Hertz>>,
    frequency_mhz: Option<Spanned<u32>>,
    price: Option<Spanned<PriceOrReference>>,
    price_paise: Option<Spanned<Paise>>,
}

impl RuleToml {
    fn rule(self) -> Result<PriceRule, Wrong> {
        let at = self.kind.span();
        if *self.kind.get_ref() == RuleKind::Flat {
            let foreign = [
                self.points.map(|it| it.span()),
                self.interpolation.map(|it| it.span()),
                self.step_mhz.map(|it| it.span()),
                self.rounding.map(|it| it.span()),
                self.reference_price.map(|it| it.span()),
                self.reference_price_paise.map(|it| it.span()),
                self.reference_price_cap.map(|it| it.span()),
                self.reference_price_cap_paise.map(|it| it.span()),
            ];
            if let Some(span) = foreign.into_iter().flatten().next() {
                return Err((span, "a flat price has only price or price_paise".to_owned()));
            }
            let price = one_price(self.price, self.price_paise, "price", &at)?;
            return Ok(PriceRule::Flat { price });
        }
        let foreign = self.price.map(|it| it.span()).or(self.price_paise.map(|it| it.span()));
        if let Some(span) = foreign {
            return Err((span, "a frequency-linked price has points, not a price".to_owned()));
        }
        let points = needed(self.points, "points", &at)?;
        let places = points.span();
        let points: Result<Vec<_>, _> = points.into_inner().into_iter().map(point).collect();
        Ok(PriceRule::FrequencyLinked(FrequencyCurve {
            points: points?.try_into().map_err(|error| (places, format!("points: {error}")))?,
            interpolation: (*needed(self.interpolation, "interpolation", &at)?.get_ref()).into(),
            step_millihertz: needed(self.step_mhz, "step_mhz", &at)?.into_inner(),
            rounding: (*needed(self.rounding, "rounding", &at)?.get_ref()).into(),
            reference_price: one_price(
                self.reference_price,
                self.reference_price_paise,
                "reference_price",
                &at,
            )?,
            reference_price_cap: one_price(
                self.reference_price_cap,
                self.reference_price_cap_paise,
                "reference_price_cap",
                &at,
            )?,
        }))
    }
}

impl ExportToml {
    fn rule(self) -> Result<ExportRule, Wrong> {
        let at = self.kind.span();
        match (*self.kind.get_ref(), self.price) {
            (ExportKind::SameAsImport, None) => Ok(ExportRule::SameAsImport),
            (ExportKind::NotCredited, None) => Ok(ExportRule::NotCredited),
            (ExportKind::Separate, Some(price)) => price.rule().map(ExportRule::Separate),
            (ExportKind::Separate, None) => {
                Err((at, "a separate export price needs a table [export.price]".to_owned()))
            }
            (_, Some(price)) => {
                let reason = "only a separate export price has a table [export.price]";
                Err((price.kind.span(), reason.to_owned()))
            }
        }
    }
}

fn point(point: Spanned<PointToml>) -> Result<CurvePoint, Wrong> {
    let at = point.span();
    let point = point.into_inner();
    let frequency = match (point.frequency_hz, point.frequency_mhz) {
        (Some(hertz), None) => hertz.into_inner().0,
        (None, Some(millihertz)) => MilliHertz::new(*millihertz.get_ref())
            .map_err(|_| (millihertz.span(), "a grid runs between 40 and 70 Hz".to_owned()))?,
        _ => {
            let reason = "a point has one of frequency_hz and frequency_mhz";
            return Err((at, reason.to_owned()));
        }
    };
    let price = match (point.price, point.price_paise) {
        (Some(price), None) => price.into_inner().0,
        (None, Some(paise)) => PointPrice::Fixed(paise.into_inner().0),
        _ => return Err((at, "a point has one of price and price_paise".to_owned())),
    };
    Ok(CurvePoint { frequency, price })
}

fn needed<T>(field: Option<T>, name: &str, at: &Range<usize>) -> Result<T, Wrong> {
    field.ok_or_else(|| (at.clone(), format!("this kind of price needs {name}")))
}

fn one_price(
    price: Option<Spanned<Price>>,
    paise: Option<Spanned<Paise>>,
    name: &str,
    at: &Range<usize>,
) -> Result<MicroPerKilowattHour, Wrong> {
    match (price, paise) {
        (Some(price), None) => Ok(price.into_inner().0),
        (None, Some(paise)) => Ok(paise.into_inner().0),
        (Some(price), Some(_)) => {
            Err((price.span(), format!("only one of {name} and {name}_paise is given")))
        }
        (None, None) => Err((at.clone(), format!("this kind of price needs {name}"))),
    }
}

/// A price in whole units of the currency per kWh.
struct Price(MicroPerKilowattHour);
/// A price in hundredths of the currency per kWh.
struct Paise(MicroPerKilowattHour);
/// A price, or the word `reference`.
struct PriceOrReference(PointPrice);
/// A frequency in hertz.
struct Hertz(MilliHertz);

/// A decimal number in quotes, or a whole number without.
struct DecimalText;

impl Visitor<'_> for DecimalText {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a decimal number in quotes, such as \"6.20\"")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

fn micro<'de, D: Deserializer<'de>>(
    text: &str,
    places: u32,
) -> Result<MicroPerKilowattHour, D::Error> {
    let number = decimal::parse(text, places);
    let number = number.map_err(|error| D::Error::custom(format!("{text:?}: {error}")))?;
    Ok(MicroPerKilowattHour::new(number))
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        micro::<D>(&deserializer.deserialize_any(DecimalText)?, 6).map(Self)
    }
}

impl<'de> Deserialize<'de> for Paise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        micro::<D>(&deserializer.deserialize_any(DecimalText)?, 4).map(Self)
    }
}

impl<'de> Deserialize<'de> for PriceOrReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(DecimalText)?;
        if text == "reference" {
            return Ok(Self(PointPrice::Reference));
        }
        micro::<D>(&text, 6).map(PointPrice::Fixed).map(Self)
    }
}

impl<'de> Deserialize<'de> for Hertz {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_any(DecimalText)?;
        let number = decimal::parse(&text, 3);
        let number = number.map_err(|error| D::Error::custom(format!("{text:?}: {error}")))?;
        let frequency = u32::try_from(number).ok().and_then(|it| MilliHertz::new(it).ok());
        let reason = format!("{text:?}: a grid runs between 40 and 70 Hz");
        frequency.map(Self).ok_or_else(|| D::Error::custom(reason))
    }
}
