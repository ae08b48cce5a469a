//! What is known about a day with gaps: the inputs from which whoever estimates it computes the values.

use contracts::metering::estimation::{Energy, EstimationInputs};
use primitives::calendar::LocalDay;
use primitives::identifier::UsagePointId;
use schemars::JsonSchema;
use serde::Serialize;

use super::Period;
use super::day::{EnergyEntry, ReadingEntry};

/// The inputs of an estimate.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct EstimateInputs {
    /// The usage point.
    pub usage_point: String,
    /// The local day in the grid's zone.
    pub day: String,
    /// The readings in force, one for each slot; `null` where one is missing.
    pub known: Vec<Option<ReadingEntry>>,
    /// The measured value of the slot before the day, where a gap begins with the day.
    pub before: Option<EnergyEntry>,
    /// The measured value of the slot after the day, where a gap ends with the day.
    pub after: Option<EnergyEntry>,
    /// The nearest measured value of the same weekday and time of day, for missing slots.
    pub weekday: Vec<Option<EnergyEntry>>,
    /// The standard profile asked for.
    pub profile: Vec<EnergyEntry>,
    /// What the registers tell of the missing slots.
    pub stretches: Vec<StretchEntry>,
    /// Values that the estimate depends on were erased.
    #[serde(skip_serializing_if = "super::is_false")]
    pub erased: bool,
    /// The values are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// What a meter showed last before a day.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct RegistersBefore {
    /// The usage point.
    pub usage_point: String,
    /// The local day in the grid's zone.
    pub day: String,
    /// The period at whose beginning it showed this; `null` when the first meter came later.
    pub period: Option<Period>,
    /// Its import register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_wh: Option<String>,
    /// Its export register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export_wh: Option<String>,
    /// The values are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// A stretch of slots between two known registers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StretchEntry {
    /// Its first slot, from 0.
    pub first_slot: usize,
    /// The slot after its last.
    pub end_slot: usize,
    /// What its missing slots draw; `null` where the registers tell nothing.
    pub missing_import_wh: Option<String>,
    /// What they inject.
    pub missing_export_wh: Option<String>,
}

fn energy([import, export]: Energy) -> EnergyEntry {
    EnergyEntry { import_wh: import.to_string(), export_wh: export.to_string() }
}

impl EstimateInputs {
    /// The inputs without values.
    #[must_use]
    pub fn of(usage_point: UsagePointId, day: LocalDay) -> Self {
        let (usage_point, day) = (usage_point.to_string(), day.to_string());
        Self { usage_point, day, ..Self::default() }
    }

    /// The same with the values.
    #[must_use]
    pub fn with(self, inputs: &EstimationInputs) -> Self {
        let stretches = inputs.stretches.iter().map(|stretch| {
            let [import, export] = stretch.missing_wh.map(|wh| wh.map(|wh| wh.to_string()));
            StretchEntry {
                first_slot: stretch.slots.start,
                end_slot: stretch.slots.end,
                missing_import_wh: import,
                missing_export_wh: export,
            }
        });
        Self {
            known: inputs.known.iter().map(|it| it.map(ReadingEntry::from)).collect(),
            before: inputs.before.map(energy),
            after: inputs.after.map(energy),
            weekday: inputs.weekday.iter().map(|it| it.map(energy)).collect(),
            profile: inputs.profile.iter().copied().map(energy).collect(),
            stretches: stretches.collect(),
            ..self
        }
    }
}
