//! `/v1/usage-points/{usage_point}/readings` and `…/charges`: a local day, slot by slot.

use axum::response::Response;
use contracts::Rejection;
use contracts::billing::slot_charges;
use contracts::metering::DayReadings;
use primitives::calendar::LocalDay;
use primitives::identifier::UsagePointId;

use super::usage_points::find;
use crate::problem::Problem;
use crate::request::{Ask, Read};
use crate::response::day::{ChargesDay, ReadingsDay};

/// The readings of a local day, by default the running one.
pub(crate) async fn readings(mut ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    let day = ask.day()?;
    ask.read(move |read| load_readings(read, id, day.unwrap_or_else(|| read.today()))).await
}

/// The readings of a day as the reader may see them.
pub(super) fn load_readings(
    read: &Read,
    id: UsagePointId,
    day: LocalDay,
) -> Result<ReadingsDay, Problem> {
    let (_, seen) = find(read, id)?;
    let metered = read.state(|state| state.metered_day(id, day))?;
    let mut answer = ReadingsDay::withheld(id, day, &metered);
    if !seen {
        return Ok(answer);
    }
    let rules = read.rules();
    match read.state(|state| DayReadings::load(rules, state, id, day))? {
        Ok(loaded) => answer.with(&loaded, (rules, day)).map_err(Problem::internal),
        Err(_) => {
            answer.withheld = false;
            answer.erased = true;
            Ok(answer)
        }
    }
}

/// The charges of a local day, by default the running one.
pub(crate) async fn charges(mut ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    let day = ask.day()?;
    ask.read(move |read| load_charges(read, id, day.unwrap_or_else(|| read.today()))).await
}

/// The charges of a day as the reader may see them.
pub(super) fn load_charges(
    read: &Read,
    id: UsagePointId,
    day: LocalDay,
) -> Result<ChargesDay, Problem> {
    let (_, seen) = find(read, id)?;
    let mut answer = ChargesDay::withheld(id, day);
    if !seen {
        return Ok(answer);
    }
    let rules = read.rules();
    match read.state(|state| slot_charges(rules, state, id, day))? {
        Ok(charges) => answer.with(&charges, rules).map_err(Problem::internal),
        Err(Rejection::PayloadErased) => {
            answer.withheld = false;
            answer.erased = true;
            Ok(answer)
        }
        Err(other) => Err(Problem::internal(other)),
    }
}
