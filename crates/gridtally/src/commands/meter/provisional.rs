//! What the running slot costs, as far as it can be told before it has ended: a household can act
//! on it. It is the newest published frequency and the tariff's price for it, and binds nobody.

use client::connection::Connection;
use contracts::tariff::frequency_curve::{
    CurvePoint, FrequencyCurve, FrequencyRounding, Interpolation, PointPrice,
};
use primitives::identifier::UsagePointId;
use primitives::units::{MicroPerKilowattHour, MilliHertz};
use serde_json::{Value, json};

use crate::commands::connect::field_u64;
use crate::output;

/// The newest frequency and what energy costs at it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Provisional {
    frequency: Option<MilliHertz>,
    price: Option<MicroPerKilowattHour>,
}

impl Provisional {
    /// Asks the node; what it does not tell is not there.
    pub fn ask(node: &Connection, usage_point: UsagePointId) -> Self {
        let frequency = node.get_json("/v1/frequency").ok().and_then(|day| newest(&day));
        let rule = import_rule(node, usage_point);
        let price = rule.and_then(|rule| price(&rule, frequency));
        Self { frequency, price }
    }

    /// For programs.
    pub fn json(self) -> Value {
        json!({
            "frequency_millihertz": self.frequency.map(MilliHertz::get),
            "import_price_micro_per_kwh": self.price.map(|price| price.get().to_string()),
        })
    }

    /// For people.
    pub fn text(self) -> String {
        let frequency = self.frequency.map_or_else(
            || "frequency –".to_owned(),
            |it| format!("{} Hz", output::decimal(i128::from(it.get()), 3, 3)),
        );
        let price = self.price.map_or_else(
            || "price –".to_owned(),
            |it| format!("{}/kWh", output::decimal(i128::from(it.get()), 6, 4)),
        );
        format!("{frequency}, {price} (provisional)")
    }
}

/// The newest frequency of a day.
fn newest(day: &Value) -> Option<MilliHertz> {
    let slots = day["slots"].as_array()?;
    let value = slots.iter().rev().find_map(|slot| field_u64(slot, "frequency_millihertz"))?;
    MilliHertz::new(u32::try_from(value).ok()?).ok()
}

/// The rule of the import price in the last version of the last tariff.
fn import_rule(node: &Connection, usage_point: UsagePointId) -> Option<Value> {
    let point = node.get_json(&format!("/v1/usage-points/{usage_point}")).ok()?;
    let tariff = point["tariffs"].as_array()?.last()?["tariff"].as_str()?.to_owned();
    let mut tariff = node.get_json(&format!("/v1/tariffs/{tariff}")).ok()?;
    Some(tariff["versions"].as_array_mut()?.pop()?["terms"]["import"].take())
}

/// The price by a rule that depends on nothing but the frequency.
fn price(rule: &Value, frequency: Option<MilliHertz>) -> Option<MicroPerKilowattHour> {
    let micro = |value: &Value, name: &str| {
        value[name].as_str()?.parse().ok().map(MicroPerKilowattHour::new)
    };
    match rule["rule"].as_str()? {
        "flat" => micro(rule, "price_micro_per_kwh"),
        "frequency_linked" => {
            let points: Option<Vec<CurvePoint>> = rule["points"]
                .as_array()?
                .iter()
                .map(|point| {
                    let frequency =
                        u32::try_from(field_u64(point, "frequency_millihertz")?).ok()?;
                    let price = match point["price"].as_str() {
                        Some("reference") => PointPrice::Reference,
                        _ => PointPrice::Fixed(micro(point, "price_micro_per_kwh")?),
                    };
                    Some(CurvePoint { frequency: MilliHertz::new(frequency).ok()?, price })
                })
                .collect();
            let curve = FrequencyCurve {
                points: points?.try_into().ok()?,
                interpolation: match rule["interpolation"].as_str()? {
                    "linear" => Interpolation::Linear,
                    "step" => Interpolation::Step,
                    _ => return None,
                },
                step_millihertz: u16::try_from(field_u64(rule, "step_millihertz")?).ok()?,
                rounding: match rule["rounding"].as_str()? {
                    "half_up" => FrequencyRounding::HalfUp,
                    "floor" => FrequencyRounding::Floor,
                    "half_even" => FrequencyRounding::HalfEven,
                    _ => return None,
                },
                reference_price: micro(rule, "reference_price_micro_per_kwh")?,
                reference_price_cap: micro(rule, "reference_price_cap_micro_per_kwh")?,
            };
            curve.check().ok()?;
            frequency.map(|frequency| curve.price(frequency))
        }
        _ => None,
    }
}
