//! The form of a tariff file: what stands in the TOML text, and the terms that it means.
//!
//! Every value keeps its place in the text, so that what is wrong can be named with its line.

use std::fmt;
use std::ops::Range;

use contracts::Malformed;
use contracts::tariff::charges::ChargeName;
use contracts::tariff::frequency_curve::{CurvePoint, PointPrice};
use contracts::tariff::slabs::Slab;
use contracts::tariff::time_of_use::{DayOfYear, Season, TimeWindow, Weekdays};
use contracts::tariff::{
    ExportRule, FixedBasis, FixedCharge, FrequencyCurve, PriceRule, Slabs, TariffTerms, Tax,
    TimeOfUse,
};
use primitives::units::{BasisPoints, MicroCurrency, MicroPerKilowattHour, MilliHertz, WattHours};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::decimal;
use crate::tariff_json::{InterpolationName, RoundingName, TaxName};

/// A place in the text and what is wrong there.
pub(crate) type Wrong = (Range<usize>, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TariffToml {
    pub(crate) format: Spanned<String>,
    pub(crate) name: Spanned<String>,
    minimum_per_day: Option<Money>,
    import: RuleToml,
    export: ExportToml,
    #[serde(default)]
    fixed: Vec<Spanned<FixedToml>>,
    #[serde(default)]
    tax: Vec<Spanned<TaxToml>>,
}

impl TariffToml {
    /// The terms that the file means; whether the ledger takes them is checked further on.
    pub(crate) fn terms(self) -> Result<TariffTerms, Wrong> {
        let place = |span: Option<&Range<usize>>| span.cloned().unwrap_or(0..0);
        let fixed_at = place(self.fixed.last().map(|it| it.span()).as_ref());
        let tax_at = place(self.tax.last().map(|it| it.span()).as_ref());
        let fixed: Result<Vec<_>, _> = self.fixed.into_iter().map(fixed_charge).collect();
        let taxes: Result<Vec<_>, _> = self.tax.into_iter().map(tax).collect();
        Ok(TariffTerms {
            import: self.import.rule()?,
            export: self.export.rule()?,
            fixed: fixed?.try_into().map_err(|error| (fixed_at, format!("fixed: {error}")))?,
            minimum: self.minimum_per_day.map(|minimum| minimum.0),
            taxes: taxes?.try_into().map_err(|error| (tax_at, format!("tax: {error}")))?,
        })
    }
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
    windows: Option<Spanned<Vec<Spanned<WindowToml>>>>,
    otherwise: Option<Spanned<Price>>,
    otherwise_paise: Option<Spanned<Paise>>,
    steps: Option<Spanned<Vec<Spanned<SlabToml>>>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RuleKind {
    Flat,
    FrequencyLinked,
    TimeOfUse,
    Slabs,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowToml {
    from: Clock,
    to: Clock,
    weekdays: Option<WeekdaysText>,
    season: Option<SeasonText>,
    price: Option<Spanned<Price>>,
    price_paise: Option<Spanned<Paise>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlabToml {
    up_to_kwh: Option<KilowattHours>,
    price: Option<Spanned<Price>>,
    price_paise: Option<Spanned<Paise>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixedToml {
    name: Name,
    price_per_day: Option<Money>,
    price_per_kw_day: Option<Money>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaxToml {
    name: Name,
    rate_percent: Percent,
    kind: TaxName,
}

impl RuleToml {
    fn rule(self) -> Result<PriceRule, Wrong> {
        let kind = *self.kind.get_ref();
        let at = self.kind.span();
        if let Some(span) = self.foreign(kind) {
            let has = match kind {
                RuleKind::Flat => "a flat price has only price or price_paise",
                RuleKind::FrequencyLinked => "a frequency-linked price has points, not this",
                RuleKind::TimeOfUse => "a time-of-use price has only windows and otherwise",
                RuleKind::Slabs => "a price by slabs has only steps",
            };
            return Err((span, has.to_owned()));
        }
        match kind {
            RuleKind::Flat => {
                let price = one_price(self.price, self.price_paise, "price", &at)?;
                Ok(PriceRule::Flat { price })
            }
            RuleKind::FrequencyLinked => self.curve().map(PriceRule::FrequencyLinked),
            RuleKind::TimeOfUse => self.time_of_use().map(PriceRule::TimeOfUse),
            RuleKind::Slabs => {
                let steps = needed(self.steps, "steps", &at)?;
                let at = steps.span();
                let steps: Result<Vec<_>, _> = steps.into_inner().into_iter().map(slab).collect();
                let steps = steps?.try_into().map_err(|it| (at.clone(), format!("steps: {it}")))?;
                checked(Slabs { steps }, at, Slabs::check).map(PriceRule::Slabs)
            }
        }
    }

    /// The first field that belongs to another kind of price.
    fn foreign(&self, kind: RuleKind) -> Option<Range<usize>> {
        use RuleKind::{Flat, FrequencyLinked, Slabs, TimeOfUse};
        let given = [
            (FrequencyLinked, self.points.as_ref().map(Spanned::span)),
            (FrequencyLinked, self.interpolation.as_ref().map(Spanned::span)),
            (FrequencyLinked, self.step_mhz.as_ref().map(Spanned::span)),
            (FrequencyLinked, self.rounding.as_ref().map(Spanned::span)),
            (FrequencyLinked, self.reference_price.as_ref().map(Spanned::span)),
            (FrequencyLinked, self.reference_price_paise.as_ref().map(Spanned::span)),
            (FrequencyLinked, self.reference_price_cap.as_ref().map(Spanned::span)),
            (FrequencyLinked, self.reference_price_cap_paise.as_ref().map(Spanned::span)),
            (Flat, self.price.as_ref().map(Spanned::span)),
            (Flat, self.price_paise.as_ref().map(Spanned::span)),
            (TimeOfUse, self.windows.as_ref().map(Spanned::span)),
            (TimeOfUse, self.otherwise.as_ref().map(Spanned::span)),
            (TimeOfUse, self.otherwise_paise.as_ref().map(Spanned::span)),
            (Slabs, self.steps.as_ref().map(Spanned::span)),
        ];
        given.into_iter().filter(|(owner, _)| *owner != kind).find_map(|(_, span)| span)
    }

    fn curve(self) -> Result<FrequencyCurve, Wrong> {
        let at = self.kind.span();
        let points = needed(self.points, "points", &at)?;
        let places = points.span();
        let points: Result<Vec<_>, _> = points.into_inner().into_iter().map(point).collect();
        Ok(FrequencyCurve {
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
        })
    }

    fn time_of_use(self) -> Result<TimeOfUse, Wrong> {
        let at = self.kind.span();
        let windows = needed(self.windows, "windows", &at)?;
        let places = windows.span();
        let windows: Result<Vec<_>, _> = windows.into_inner().into_iter().map(window).collect();
        Ok(TimeOfUse {
            windows: windows?.try_into().map_err(|error| (places, format!("windows: {error}")))?,
            otherwise: one_price(self.otherwise, self.otherwise_paise, "otherwise", &at)?,
        })
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

fn window(window: Spanned<WindowToml>) -> Result<TimeWindow, Wrong> {
    let at = window.span();
    let window = window.into_inner();
    let price = one_price(window.price, window.price_paise, "price", &at)?;
    let window = TimeWindow {
        from_minute: window.from.0,
        to_minute: window.to.0,
        weekdays: window.weekdays.map_or(Weekdays::ALL, |it| it.0),
        season: window.season.map_or(Season::ALL_YEAR, |it| it.0),
        price,
    };
    checked(window, at, TimeWindow::check)
}

fn slab(slab: Spanned<SlabToml>) -> Result<Slab, Wrong> {
    let at = slab.span();
    let slab = slab.into_inner();
    let price = one_price(slab.price, slab.price_paise, "price", &at)?;
    Ok(Slab { up_to: slab.up_to_kwh.map(|it| it.0), price })
}

fn fixed_charge(charge: Spanned<FixedToml>) -> Result<FixedCharge, Wrong> {
    let at = charge.span();
    let charge = charge.into_inner();
    let (per, price) = match (charge.price_per_day, charge.price_per_kw_day) {
        (Some(price), None) => (FixedBasis::Day, price.0),
        (None, Some(price)) => (FixedBasis::KilowattDay, price.0),
        _ => {
            let reason = "a fixed charge has one of price_per_day and price_per_kw_day";
            return Err((at, reason.to_owned()));
        }
    };
    checked(FixedCharge { name: charge.name.0, per, price }, at, FixedCharge::check)
}

fn tax(tax: Spanned<TaxToml>) -> Result<Tax, Wrong> {
    let at = tax.span();
    let TaxToml { name, rate_percent, kind } = tax.into_inner();
    checked(Tax { name: name.0, rate: rate_percent.0, kind: kind.into() }, at, Tax::check)
}

/// What the ledger would refuse is refused here, where its line is known.
fn checked<T>(
    value: T,
    at: Range<usize>,
    check: impl Fn(&T) -> Result<(), Malformed>,
) -> Result<T, Wrong> {
    match check(&value) {
        Ok(()) => Ok(value),
        Err(error) => Err((at, error.to_string())),
    }
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

/// An amount of money in whole units of the currency.
struct Money(MicroCurrency);
/// Energy in kilowatt-hours.
struct KilowattHours(WattHours);
/// A rate in percent.
struct Percent(BasisPoints);
/// The name of a charge.
struct Name(ChargeName);
/// A time on the clock, `00:00` to `24:00`, as minutes of the day.
struct Clock(u16);
/// Days of the week: `mon-fri`, `sat,sun`.
struct WeekdaysText(Weekdays);
/// A season: `11-01..02-28`.
struct SeasonText(Season);

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

/// The decimal number in units of 10⁻ᵖˡᵃᶜᵉˢ.
fn number<'de, D: Deserializer<'de>>(deserializer: D, places: u32) -> Result<i64, D::Error> {
    let text = deserializer.deserialize_any(DecimalText)?;
    decimal::parse(&text, places).map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        number(deserializer, 6).map(MicroCurrency::new).map(Self)
    }
}

impl<'de> Deserialize<'de> for KilowattHours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let energy = u64::try_from(number(deserializer, 3)?);
        energy.map(WattHours::new).map(Self).map_err(|_| D::Error::custom("energy below zero"))
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rate = u16::try_from(number(deserializer, 2)?).ok();
        let rate = rate.and_then(|rate| BasisPoints::new(rate).ok());
        rate.map(Self).ok_or_else(|| D::Error::custom("a rate lies between 0 and 100 percent"))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ChargeName::new(String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

/// The number of exactly two digits.
fn two_digits(text: &str) -> Option<u8> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

impl<'de> Deserialize<'de> for Clock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let minutes = text.split_once(':').and_then(|(hour, minute)| {
            let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
            let minutes = u16::from(hour) * 60 + u16::from(minute);
            (minute < 60 && minutes <= 1_440).then_some(minutes)
        });
        let reason = format!("{text:?}: wanted is a time from \"00:00\" to \"24:00\"");
        minutes.map(Self).ok_or_else(|| D::Error::custom(reason))
    }
}

impl<'de> Deserialize<'de> for WeekdaysText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let text = String::deserialize(deserializer)?;
        let days = text.split(',').try_fold(0_u8, |days, part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let place = |name: &str| NAMES.iter().position(|it| *it == name);
            let (first, last) = (place(first)?, place(last)?);
            // From Friday to Monday goes over the week's end.
            let count = (last + 7 - first) % 7;
            Some((0..=count).fold(days, |days, day| days | 1 << ((first + day) % 7)))
        });
        let reason = format!("{text:?}: wanted are days such as \"mon-fri\" or \"sat,sun\"");
        days.map(Weekdays).map(Self).ok_or_else(|| D::Error::custom(reason))
    }
}

impl<'de> Deserialize<'de> for SeasonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let day = |text: &str| {
            let (month, day) = text.split_once('-')?;
            Some(DayOfYear { month: two_digits(month)?, day: two_digits(day)? })
        };
        let season = text
            .split_once("..")
            .and_then(|(first, last)| Some(Season { first: day(first)?, last: day(last)? }));
        let reason = format!("{text:?}: wanted is a season such as \"11-01..02-28\"");
        season.map(Self).ok_or_else(|| D::Error::custom(reason))
    }
}
