//! The terms of a tariff in JSON, as the ledger has them: integers of millihertz and micro per kWh.

use contracts::tariff::charges::ChargeName;
use contracts::tariff::frequency_curve::{
    CurvePoint, FrequencyRounding, Interpolation, PointPrice,
};
use contracts::tariff::slabs::Slab;
use contracts::tariff::time_of_use::{DayOfYear, Season, TimeWindow, Weekdays};
use contracts::tariff::{
    ExportRule, FixedBasis, FixedCharge, FrequencyCurve, PriceRule, Slabs, TariffTerms, Tax,
    TaxKind, TimeOfUse,
};
use primitives::codec::CodecError;
use primitives::units::{BasisPoints, MicroCurrency, MicroPerKilowattHour, MilliHertz, WattHours};
use serde::{Deserialize, Serialize};

use crate::json::Written;

/// The point that stands for the reference price.
const REFERENCE: &str = "reference";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TermsJson {
    import: RuleJson,
    export: ExportJson,
    fixed: Vec<FixedJson>,
    minimum_micro_per_day: Option<Written<i64>>,
    taxes: Vec<TaxJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum RuleJson {
    Flat {
        price_micro_per_kwh: Written<i64>,
    },
    FrequencyLinked {
        points: Vec<PointJson>,
        interpolation: InterpolationName,
        step_mhz: u16,
        rounding: RoundingName,
        reference_price_micro_per_kwh: Written<i64>,
        reference_price_cap_micro_per_kwh: Written<i64>,
    },
    TimeOfUse {
        windows: Vec<WindowJson>,
        otherwise_micro_per_kwh: Written<i64>,
    },
    Slabs {
        steps: Vec<SlabJson>,
    },
}

/// Minutes of the day, weekdays as bits from Monday on, month and day of a season's ends.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowJson {
    from_minute: u16,
    to_minute: u16,
    weekdays: u8,
    season_first: (u8, u8),
    season_last: (u8, u8),
    price_micro_per_kwh: Written<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlabJson {
    up_to_wh: Option<Written<u64>>,
    price_micro_per_kwh: Written<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FixedJson {
    name: Written<ChargeName>,
    per: FixedName,
    price_micro: Written<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FixedName {
    Day,
    KilowattDay,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TaxJson {
    name: Written<ChargeName>,
    rate_basis_points: u16,
    kind: TaxName,
}

/// The name of a kind of tax, in JSON and TOML.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TaxName {
    Exclusive,
    Inclusive,
}

impl From<TaxName> for TaxKind {
    fn from(name: TaxName) -> Self {
        match name {
            TaxName::Exclusive => Self::Exclusive,
            TaxName::Inclusive => Self::Inclusive,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum ExportJson {
    SameAsImport {},
    Separate { price: RuleJson },
    NotCredited {},
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointJson {
    frequency_mhz: u32,
    /// A decimal number, or `reference`.
    price_micro_per_kwh: String,
}

/// The name of an interpolation, in JSON and TOML.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InterpolationName {
    Linear,
    Step,
}

/// The name of a rounding, in JSON and TOML.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RoundingName {
    HalfUp,
    Floor,
    HalfEven,
}

impl From<InterpolationName> for Interpolation {
    fn from(name: InterpolationName) -> Self {
        match name {
            InterpolationName::Linear => Self::Linear,
            InterpolationName::Step => Self::Step,
        }
    }
}

impl From<RoundingName> for FrequencyRounding {
    fn from(name: RoundingName) -> Self {
        match name {
            RoundingName::HalfUp => Self::HalfUp,
            RoundingName::Floor => Self::Floor,
            RoundingName::HalfEven => Self::HalfEven,
        }
    }
}

impl TermsJson {
    pub(crate) fn of(terms: &TariffTerms) -> Self {
        Self {
            import: RuleJson::of(&terms.import),
            export: match &terms.export {
                ExportRule::SameAsImport => ExportJson::SameAsImport {},
                ExportRule::Separate(rule) => ExportJson::Separate { price: RuleJson::of(rule) },
                ExportRule::NotCredited => ExportJson::NotCredited {},
            },
            fixed: terms.fixed.iter().map(FixedJson::of).collect(),
            minimum_micro_per_day: terms.minimum.map(|minimum| Written(minimum.get())),
            taxes: terms.taxes.iter().map(TaxJson::of).collect(),
        }
    }

    pub(crate) fn terms(self) -> Result<TariffTerms, String> {
        let too_many = |error: CodecError| format!("tariff: {error}");
        let fixed: Vec<_> = self.fixed.into_iter().map(FixedJson::charge).collect();
        let taxes: Result<Vec<_>, _> = self.taxes.into_iter().map(TaxJson::tax).collect();
        Ok(TariffTerms {
            import: self.import.rule()?,
            export: match self.export {
                ExportJson::SameAsImport {} => ExportRule::SameAsImport,
                ExportJson::Separate { price } => ExportRule::Separate(price.rule()?),
                ExportJson::NotCredited {} => ExportRule::NotCredited,
            },
            fixed: fixed.try_into().map_err(too_many)?,
            minimum: self.minimum_micro_per_day.map(|minimum| MicroCurrency::new(minimum.0)),
            taxes: taxes?.try_into().map_err(too_many)?,
        })
    }
}

impl RuleJson {
    fn of(rule: &PriceRule) -> Self {
        match rule {
            PriceRule::Flat { price } => Self::Flat { price_micro_per_kwh: Written(price.get()) },
            PriceRule::FrequencyLinked(curve) => Self::FrequencyLinked {
                points: curve.points.iter().map(PointJson::of).collect(),
                interpolation: match curve.interpolation {
                    Interpolation::Linear => InterpolationName::Linear,
                    Interpolation::Step => InterpolationName::Step,
                },
                step_mhz: curve.step_millihertz,
                rounding: match curve.rounding {
                    FrequencyRounding::HalfUp => RoundingName::HalfUp,
                    FrequencyRounding::Floor => RoundingName::Floor,
                    FrequencyRounding::HalfEven => RoundingName::HalfEven,
                },
                reference_price_micro_per_kwh: Written(curve.reference_price.get()),
                reference_price_cap_micro_per_kwh: Written(curve.reference_price_cap.get()),
            },
            PriceRule::TimeOfUse(rule) => Self::TimeOfUse {
                windows: rule.windows.iter().map(WindowJson::of).collect(),
                otherwise_micro_per_kwh: Written(rule.otherwise.get()),
            },
            PriceRule::Slabs(slabs) => {
                Self::Slabs { steps: slabs.steps.iter().map(SlabJson::of).collect() }
            }
        }
    }

    fn rule(self) -> Result<PriceRule, String> {
        Ok(match self {
            Self::Flat { price_micro_per_kwh } => {
                PriceRule::Flat { price: MicroPerKilowattHour::new(price_micro_per_kwh.0) }
            }
            Self::FrequencyLinked {
                points,
                interpolation,
                step_mhz,
                rounding,
                reference_price_micro_per_kwh,
                reference_price_cap_micro_per_kwh,
            } => {
                let points: Result<Vec<_>, _> = points.into_iter().map(PointJson::point).collect();
                PriceRule::FrequencyLinked(FrequencyCurve {
                    points: points?.try_into().map_err(|error| format!("tariff: {error}"))?,
                    interpolation: interpolation.into(),
                    step_millihertz: step_mhz,
                    rounding: rounding.into(),
                    reference_price: MicroPerKilowattHour::new(reference_price_micro_per_kwh.0),
                    reference_price_cap: MicroPerKilowattHour::new(
                        reference_price_cap_micro_per_kwh.0,
                    ),
                })
            }
            Self::TimeOfUse { windows, otherwise_micro_per_kwh } => {
                let windows: Vec<_> = windows.into_iter().map(WindowJson::window).collect();
                PriceRule::TimeOfUse(TimeOfUse {
                    windows: windows.try_into().map_err(|error| format!("tariff: {error}"))?,
                    otherwise: MicroPerKilowattHour::new(otherwise_micro_per_kwh.0),
                })
            }
            Self::Slabs { steps } => {
                let steps: Vec<_> = steps.into_iter().map(SlabJson::slab).collect();
                let steps = steps.try_into().map_err(|error| format!("tariff: {error}"))?;
                PriceRule::Slabs(Slabs { steps })
            }
        })
    }
}

impl WindowJson {
    const fn of(window: &TimeWindow) -> Self {
        let DayOfYear { month: first_month, day: first_day } = window.season.first;
        let DayOfYear { month: last_month, day: last_day } = window.season.last;
        Self {
            from_minute: window.from_minute,
            to_minute: window.to_minute,
            weekdays: window.weekdays.0,
            season_first: (first_month, first_day),
            season_last: (last_month, last_day),
            price_micro_per_kwh: Written(window.price.get()),
        }
    }

    const fn window(self) -> TimeWindow {
        let ((first_month, first_day), (last_month, last_day)) =
            (self.season_first, self.season_last);
        TimeWindow {
            from_minute: self.from_minute,
            to_minute: self.to_minute,
            weekdays: Weekdays(self.weekdays),
            season: Season {
                first: DayOfYear { month: first_month, day: first_day },
                last: DayOfYear { month: last_month, day: last_day },
            },
            price: MicroPerKilowattHour::new(self.price_micro_per_kwh.0),
        }
    }
}

impl SlabJson {
    fn of(slab: &Slab) -> Self {
        Self {
            up_to_wh: slab.up_to.map(|end| Written(end.get())),
            price_micro_per_kwh: Written(slab.price.get()),
        }
    }

    fn slab(self) -> Slab {
        Slab {
            up_to: self.up_to_wh.map(|end| WattHours::new(end.0)),
            price: MicroPerKilowattHour::new(self.price_micro_per_kwh.0),
        }
    }
}

impl FixedJson {
    fn of(charge: &FixedCharge) -> Self {
        Self {
            name: Written(charge.name.clone()),
            per: match charge.per {
                FixedBasis::Day => FixedName::Day,
                FixedBasis::KilowattDay => FixedName::KilowattDay,
            },
            price_micro: Written(charge.price.get()),
        }
    }

    fn charge(self) -> FixedCharge {
        FixedCharge {
            name: self.name.0,
            per: match self.per {
                FixedName::Day => FixedBasis::Day,
                FixedName::KilowattDay => FixedBasis::KilowattDay,
            },
            price: MicroCurrency::new(self.price_micro.0),
        }
    }
}

impl TaxJson {
    fn of(tax: &Tax) -> Self {
        Self {
            name: Written(tax.name.clone()),
            rate_basis_points: tax.rate.get(),
            kind: match tax.kind {
                TaxKind::Exclusive => TaxName::Exclusive,
                TaxKind::Inclusive => TaxName::Inclusive,
            },
        }
    }

    fn tax(self) -> Result<Tax, String> {
        let rate = self.rate_basis_points;
        let rate = BasisPoints::new(rate).map_err(|_| format!("tariff: {rate} basis points"))?;
        Ok(Tax { name: self.name.0, rate, kind: self.kind.into() })
    }
}

impl PointJson {
    fn of(point: &CurvePoint) -> Self {
        Self {
            frequency_mhz: point.frequency.get(),
            price_micro_per_kwh: match point.price {
                PointPrice::Fixed(price) => price.get().to_string(),
                PointPrice::Reference => REFERENCE.to_owned(),
            },
        }
    }

    fn point(self) -> Result<CurvePoint, String> {
        let frequency = MilliHertz::new(self.frequency_mhz)
            .map_err(|_| format!("tariff: {} mHz is no grid's frequency", self.frequency_mhz))?;
        let price = match self.price_micro_per_kwh.as_str() {
            REFERENCE => PointPrice::Reference,
            text => PointPrice::Fixed(MicroPerKilowattHour::new(
                text.parse().map_err(|_| format!("tariff: {text:?} is no price"))?,
            )),
        };
        Ok(CurvePoint { frequency, price })
    }
}
