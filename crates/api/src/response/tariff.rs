//! Tariffs, their versions and terms: public.

use contracts::Rules;
use contracts::tariff::frequency_curve::{FrequencyRounding, Interpolation, PointPrice};
use contracts::tariff::slabs::Slab;
use contracts::tariff::time_of_use::{DayOfYear, TimeWindow};
use contracts::tariff::{
    ExportRule, FixedBasis, FixedCharge, FrequencyCurve, PriceRule, Tariff, TariffTerms,
    TariffVersion, Tax, TaxKind,
};
use primitives::identifier::TariffId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Period;

/// A tariff in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TariffEntry {
    /// Its id.
    pub tariff: String,
    /// Its name.
    pub name: String,
    /// Who publishes its versions.
    pub publisher: String,
    /// How many versions it has.
    pub versions: usize,
    /// Where the first begins.
    pub first_period: Option<Period>,
}

impl TariffEntry {
    /// A tariff in a list.
    #[must_use]
    pub fn new(id: TariffId, tariff: &Tariff, rules: &Rules) -> Self {
        let first = tariff.versions.first();
        Self {
            tariff: id.to_string(),
            name: tariff.name.to_string(),
            publisher: tariff.publisher.to_string(),
            versions: usize::from(tariff.last_version()),
            first_period: first.map(|it| Period::new(rules.calendar(), it.first_period)),
        }
    }
}

/// A tariff with its versions.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TariffDetail {
    /// Its id.
    pub tariff: String,
    /// Its name.
    pub name: String,
    /// Who publishes its versions.
    pub publisher: String,
    /// The versions, from 1.
    pub versions: Vec<VersionEntry>,
}

/// A version of a tariff.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct VersionEntry {
    /// Counts from 1.
    pub version: u16,
    /// The first period it holds in.
    pub first_period: Period,
    /// Its terms.
    pub terms: Value,
}

impl VersionEntry {
    /// A version.
    #[must_use]
    pub fn new(version: &TariffVersion, rules: &Rules) -> Self {
        Self {
            version: version.version,
            first_period: Period::new(rules.calendar(), version.first_period),
            terms: terms(&version.terms),
        }
    }
}

/// The terms of a version.
#[must_use]
pub fn terms(terms: &TariffTerms) -> Value {
    let export = match &terms.export {
        ExportRule::SameAsImport => json!({ "rule": "same_as_import" }),
        ExportRule::Separate(price) => rule(price),
        ExportRule::NotCredited => json!({ "rule": "not_credited" }),
    };
    let fixed = |charge: &FixedCharge| {
        json!({
            "name": charge.name.as_str(),
            "per": match charge.per {
                FixedBasis::Day => "day",
                FixedBasis::KilowattDay => "kilowatt_day",
            },
            "price_micro": charge.price.get().to_string(),
        })
    };
    let tax = |tax: &Tax| {
        json!({
            "name": tax.name.as_str(),
            "rate_basis_points": tax.rate.get(),
            "kind": match tax.kind {
                TaxKind::Exclusive => "exclusive",
                TaxKind::Inclusive => "inclusive",
            },
        })
    };
    json!({
        "import": rule(&terms.import),
        "export": export,
        "fixed": terms.fixed.iter().map(fixed).collect::<Vec<_>>(),
        "minimum_micro_per_day": terms.minimum.map(|minimum| minimum.get().to_string()),
        "taxes": terms.taxes.iter().map(tax).collect::<Vec<_>>(),
    })
}

fn rule(price: &PriceRule) -> Value {
    match price {
        PriceRule::Flat { price } => {
            json!({ "rule": "flat", "price_micro_per_kwh": price.get().to_string() })
        }
        PriceRule::FrequencyLinked(curve) => curve_json(curve),
        PriceRule::TimeOfUse(rule) => json!({
            "rule": "time_of_use",
            "windows": rule.windows.iter().map(window).collect::<Vec<_>>(),
            "otherwise_micro_per_kwh": rule.otherwise.get().to_string(),
        }),
        PriceRule::Slabs(slabs) => {
            let slab = |slab: &Slab| {
                json!({
                    "up_to_wh": slab.up_to.map(|end| end.get().to_string()),
                    "price_micro_per_kwh": slab.price.get().to_string(),
                })
            };
            json!({ "rule": "slabs", "steps": slabs.steps.iter().map(slab).collect::<Vec<_>>() })
        }
    }
}

fn window(window: &TimeWindow) -> Value {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let date = |day: DayOfYear| format!("{:02}-{:02}", day.month, day.day);
    let days = (0..).zip(NAMES).filter(|(day, _)| window.weekdays.contains(*day));
    json!({
        "from": clock(window.from_minute),
        "to": clock(window.to_minute),
        "weekdays": days.map(|(_, name)| name).collect::<Vec<_>>(),
        "season": [date(window.season.first), date(window.season.last)],
        "price_micro_per_kwh": window.price.get().to_string(),
    })
}

fn curve_json(curve: &FrequencyCurve) -> Value {
    let point = |point: &contracts::tariff::frequency_curve::CurvePoint| match point.price {
        PointPrice::Fixed(price) => json!({
            "frequency_millihertz": point.frequency.get(),
            "price_micro_per_kwh": price.get().to_string(),
        }),
        PointPrice::Reference => json!({
            "frequency_millihertz": point.frequency.get(), "price": "reference",
        }),
    };
    json!({
        "rule": "frequency_linked",
        "points": curve.points.iter().map(point).collect::<Vec<_>>(),
        "interpolation": match curve.interpolation {
            Interpolation::Linear => "linear",
            Interpolation::Step => "step",
        },
        "step_millihertz": curve.step_millihertz,
        "rounding": match curve.rounding {
            FrequencyRounding::HalfUp => "half_up",
            FrequencyRounding::Floor => "floor",
            FrequencyRounding::HalfEven => "half_even",
        },
        "reference_price_micro_per_kwh": curve.reference_price.get().to_string(),
        "reference_price_cap_micro_per_kwh": curve.reference_price_cap.get().to_string(),
    })
}
