//! The terms of a tariff in JSON, as the ledger has them: integers of millihertz and micro per kWh.

use contracts::tariff::frequency_curve::{
    CurvePoint, FrequencyRounding, Interpolation, PointPrice,
};
use contracts::tariff::{ExportRule, FrequencyCurve, PriceRule, TariffTerms};
use primitives::units::{MicroPerKilowattHour, MilliHertz};
use serde::{Deserialize, Serialize};

use crate::json::Written;

/// The point that stands for the reference price.
const REFERENCE: &str = "reference";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TermsJson {
    import: RuleJson,
    export: ExportJson,
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
        }
    }

    pub(crate) fn terms(self) -> Result<TariffTerms, String> {
        Ok(TariffTerms {
            import: self.import.rule()?,
            export: match self.export {
                ExportJson::SameAsImport {} => ExportRule::SameAsImport,
                ExportJson::Separate { price } => ExportRule::Separate(price.rule()?),
                ExportJson::NotCredited {} => ExportRule::NotCredited,
            },
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
        })
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
