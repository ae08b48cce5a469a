//! What a node knows about a day with gaps, as it answers it: the inputs of an estimate.
//!
//! The values of an estimate are computed from these here, by the function with which the ledger
//! computes them too. What a node leaves out or makes up gives another estimate, and the ledger refuses
//! it: nothing has to be believed.

use contracts::metering::estimation::{Energy, EstimationInputs, KnownStretch};
use primitives::reading::{Quality, Reading};
use primitives::units::WattHours;
use serde::Deserialize;
use thiserror::Error;

use crate::json::Written;

/// Why an answer holds no inputs.
#[derive(Debug, Error)]
pub enum EstimationJsonError {
    /// It is not what a node answers.
    #[error("no inputs of an estimate: {0}")]
    Json(#[from] serde_json::Error),
    /// The reader may not see the values.
    #[error("the readings are not for this reader: log in as who bills the usage point")]
    Withheld,
    /// Values were erased.
    #[error("values that the estimate depends on were erased")]
    Erased,
    /// A list has not one entry for each slot.
    #[error("{what} has {found} entries, the day {slots} slots")]
    Length {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The slots of the day.
        slots: usize,
    },
    /// There is no such quality.
    #[error("there is no quality \"{0}\"")]
    Quality(String),
    /// A stretch lies outside the day.
    #[error("a stretch of slots lies outside the day")]
    Stretch,
}

#[derive(Deserialize)]
struct InputsJson {
    #[serde(default)]
    withheld: bool,
    #[serde(default)]
    erased: bool,
    #[serde(default)]
    known: Vec<Option<ReadingJson>>,
    before: Option<EnergyJson>,
    after: Option<EnergyJson>,
    #[serde(default)]
    weekday: Vec<Option<EnergyJson>>,
    #[serde(default)]
    profile: Vec<EnergyJson>,
    #[serde(default)]
    stretches: Vec<StretchJson>,
}

#[derive(Deserialize)]
struct ReadingJson {
    import_wh: Written<u64>,
    export_wh: Written<u64>,
    quality: String,
}

#[derive(Deserialize)]
struct EnergyJson {
    import_wh: Written<u64>,
    export_wh: Written<u64>,
}

#[derive(Deserialize)]
struct StretchJson {
    first_slot: usize,
    end_slot: usize,
    missing_import_wh: Option<Written<u64>>,
    missing_export_wh: Option<Written<u64>>,
}

impl EnergyJson {
    const fn energy(&self) -> Energy {
        [self.import_wh.0, self.export_wh.0]
    }
}

/// Reads the answer to `GET /v1/usage-points/{usage_point}/estimate`.
///
/// # Errors
/// [`EstimationJsonError`].
pub fn estimation_inputs(answer: &[u8]) -> Result<EstimationInputs, EstimationJsonError> {
    let json: InputsJson = serde_json::from_slice(answer)?;
    if json.withheld {
        return Err(EstimationJsonError::Withheld);
    }
    if json.erased {
        return Err(EstimationJsonError::Erased);
    }
    let slots = json.known.len();
    let length = |what, found| {
        if found == slots {
            Ok(())
        } else {
            Err(EstimationJsonError::Length { what, found, slots })
        }
    };
    length("weekday", json.weekday.len())?;
    if !json.profile.is_empty() {
        length("profile", json.profile.len())?;
    }
    let mut known = Vec::with_capacity(slots);
    for reading in json.known {
        known.push(reading.map(ReadingJson::reading).transpose()?);
    }
    let mut stretches = Vec::with_capacity(json.stretches.len());
    for stretch in json.stretches {
        if stretch.first_slot > stretch.end_slot || stretch.end_slot > slots {
            return Err(EstimationJsonError::Stretch);
        }
        stretches.push(KnownStretch {
            slots: stretch.first_slot..stretch.end_slot,
            missing_wh: [stretch.missing_import_wh, stretch.missing_export_wh]
                .map(|wh| wh.map(|wh| wh.0)),
        });
    }
    Ok(EstimationInputs {
        known,
        before: json.before.as_ref().map(EnergyJson::energy),
        after: json.after.as_ref().map(EnergyJson::energy),
        weekday: json.weekday.iter().map(|it| it.as_ref().map(EnergyJson::energy)).collect(),
        profile: json.profile.iter().map(EnergyJson::energy).collect(),
        stretches,
    })
}

impl ReadingJson {
    fn reading(self) -> Result<Reading, EstimationJsonError> {
        let quality = match self.quality.as_str() {
            "actual" => Quality::Actual,
            "estimated" => Quality::Estimated,
            "substituted" => Quality::Substituted,
            "final" => Quality::Final,
            _ => return Err(EstimationJsonError::Quality(self.quality)),
        };
        let (import_wh, export_wh) = (self.import_wh.0, self.export_wh.0);
        let (import_wh, export_wh) = (WattHours::new(import_wh), WattHours::new(export_wh));
        Ok(Reading { import_wh, export_wh, quality })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_the_inputs_or_says_what_is_wrong() {
        let answer = r#"{
            "known": [{"import_wh": "250", "export_wh": "1", "quality": "final"}, null],
            "before": null, "after": {"import_wh": "30", "export_wh": "0"},
            "weekday": [null, {"import_wh": "7", "export_wh": "8"}],
            "profile": [],
            "stretches": [{"first_slot": 0, "end_slot": 2, "missing_import_wh": "44",
                           "missing_export_wh": null}]
        }"#;
        let inputs = estimation_inputs(answer.as_bytes()).unwrap();
        assert_eq!(inputs.known[0].unwrap().quality, Quality::Final);
        assert_eq!((inputs.after, inputs.weekday[1]), (Some([30, 0]), Some([7, 8])));
        let stretch = KnownStretch { slots: 0..2, missing_wh: [Some(44), None] };
        assert_eq!(inputs.stretches, [stretch]);
        let wrong = [
            (r#"{"withheld": true}"#, "log in"),
            (r#"{"erased": true}"#, "erased"),
            (r#"{"known": [null], "weekday": []}"#, "weekday has 0 entries, the day 1"),
            (r#"{"known": 7}"#, "no inputs"),
            (
                r#"{"known": [{"import_wh": "1", "export_wh": "1", "quality": "B"}], "weekday": [null]}"#,
                "no quality \"B\"",
            ),
            (
                r#"{"known": [], "weekday": [], "stretches": [{"first_slot": 0, "end_slot": 1}]}"#,
                "outside the day",
            ),
        ];
        for (answer, words) in wrong {
            let error = estimation_inputs(answer.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{answer}: {error}");
        }
    }
}
