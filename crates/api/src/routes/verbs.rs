//! `/v1/frequency`, `/v1/unit`, `/v1/bill` in the verbs of the Energy Blocks system: init, read and
//! delete of a slot's frequency, reading and bill.
//!
//! To init or delete is to submit a transaction of a matching kind: the body carries its canonical
//! bytes as base64 in JSON, and nothing else decides. Delete erases nothing, a correction follows.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::response::Response;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::codec::decode;
use primitives::envelope::Submission;
use primitives::identifier::UsagePointId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::transactions::{body, content_type, kind_name, submit_one};
use super::{Shared, readings};
use crate::problem::{self, Problem};
use crate::request::{Ask, Read};
use crate::response::day::FrequenciesDay;

/// The largest body: a submission with its payload, as base64.
pub(crate) const MAX_BODY_BYTES: usize = 2 << 20;

/// A signed submission.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedSubmission {
    /// The canonical bytes, base64 with padding or base64url without.
    submission: String,
}

/// A handler that takes only submissions of these kinds.
macro_rules! takes {
    ($( $(#[$doc:meta])* $name:ident = [ $($kind:literal),+ ]; )+) => { $(
        $(#[$doc])*
        pub(crate) async fn $name(
            State(shared): State<Arc<Shared>>,
            request: Request,
        ) -> Result<Response, Problem> {
            take(shared, request, &[ $($kind),+ ]).await
        }
    )+

        #[cfg(test)]
        const ALL: &[&str] = &[ $( $($kind),+ ),+ ];
    };
}

takes! {
    /// Publishes frequencies.
    publish_frequency = ["PublishFrequency"];
    /// Deletes a frequency.
    delete_frequency = ["DeleteFrequency"];
    /// Submits a reading, or seals a day of them.
    submit_unit = ["SubmitReading", "SealDay"];
    /// Corrects a reading.
    correct_unit = ["CorrectReading"];
    /// Charges slots, or issues a bill.
    charge = ["ChargeSlots", "IssueBill"];
    /// Withdraws the charge of a slot.
    withdraw_charge = ["WithdrawSlotCharge"];
}

async fn take(shared: Arc<Shared>, request: Request, kinds: &[&str]) -> Result<Response, Problem> {
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::new(problem::WRONG_QUERY, "no parameter is taken here"));
    }
    if content_type(&request) != "application/json" {
        return Err(Problem::new(problem::WRONG_CONTENT_TYPE, "wanted is application/json"));
    }
    let bytes = body(Bytes::from_request(request, &()), MAX_BODY_BYTES).await?;
    let wrong = |detail: String| Problem::new(problem::WRONG_BODY, detail);
    let document: SignedSubmission =
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let text = document.submission.as_bytes();
    let bytes = BASE64
        .decode(text)
        .or_else(|_| BASE64URL_NOPAD.decode(text))
        .map_err(|_| wrong("submission: wanted is base64".to_owned()))?;
    let submission: Submission =
        decode(&bytes).map_err(|error| wrong(format!("submission: {error}")))?;
    let name = kind_name(submission.transaction.envelope.kind);
    if !kinds.contains(&name) {
        let detail = format!("the transaction is of kind {name}, wanted is {}", kinds.join(" or "));
        return Err(Problem::new(problem::WRONG_KIND, detail));
    }
    submit_one(&shared, submission).await
}

/// What a query is about: a day, or one settlement period of it.
struct Asked {
    day: Option<LocalDay>,
    period: Option<u32>,
}

impl Asked {
    fn take(ask: &mut Ask) -> Result<Self, Problem> {
        let (day, period) = (ask.day()?, ask.take("period")?);
        if day.is_some() && period.is_some() {
            return Err(Problem::new(problem::WRONG_QUERY, "wanted is day or period, not both"));
        }
        Ok(Self { day, period })
    }

    fn day(&self, read: &Read) -> Result<LocalDay, Problem> {
        let Some(period) = self.period else { return Ok(self.day.unwrap_or_else(|| read.today())) };
        let found = read.rules().slot_of(SettlementPeriod::new(period));
        found.map(|(day, _)| day).map_err(|_| {
            Problem::new(problem::WRONG_QUERY, format!("period={period}: outside the calendar"))
        })
    }

    fn is_meant(&self, period: u32) -> bool {
        self.period.is_none_or(|meant| meant == period)
    }
}

/// The frequency of a period, or of a local day.
pub(crate) async fn frequency(mut ask: Ask) -> Result<Response, Problem> {
    let asked = Asked::take(&mut ask)?;
    ask.read(move |read| {
        let day = asked.day(read)?;
        let frequencies = read.state(|state| state.frequency_day(day))?;
        let mut answer = FrequenciesDay::new(day, &frequencies, read.rules());
        answer.slots.retain(|slot| asked.is_meant(slot.period.period));
        Ok(answer)
    })
    .await
}

fn usage_point(ask: &mut Ask) -> Result<UsagePointId, Problem> {
    let missing = || Problem::new(problem::WRONG_QUERY, "usage_point is wanted");
    ask.take("usage_point")?.ok_or_else(missing)
}

/// The reading of a usage point in a period, or its local day.
pub(crate) async fn unit(mut ask: Ask) -> Result<Response, Problem> {
    let (id, asked) = (usage_point(&mut ask)?, Asked::take(&mut ask)?);
    ask.read(move |read| {
        let mut answer = readings::load_readings(read, id, asked.day(read)?)?;
        if asked.period.is_some() {
            // The sum is that of the day.
            answer.total = None;
        }
        if let Some(slots) = &mut answer.slots {
            slots.retain(|slot| asked.is_meant(slot.period.period));
        }
        Ok(answer)
    })
    .await
}

/// What a period of a usage point costs, or each slot of its local day.
pub(crate) async fn bill(mut ask: Ask) -> Result<Response, Problem> {
    let (id, asked) = (usage_point(&mut ask)?, Asked::take(&mut ask)?);
    ask.read(move |read| {
        let mut answer = readings::load_charges(read, id, asked.day(read)?)?;
        if asked.period.is_some() {
            answer.total = None;
        }
        if let Some(slots) = &mut answer.slots {
            slots.retain(|slot| asked.is_meant(slot.period.period));
        }
        Ok(answer)
    })
    .await
}

#[cfg(test)]
mod tests {
    use contracts::transaction::TABLE;

    #[test]
    fn every_kind_that_is_taken_exists() {
        for kind in super::ALL {
            assert!(TABLE.iter().any(|entry| entry.name == *kind), "{kind}");
        }
    }
}
