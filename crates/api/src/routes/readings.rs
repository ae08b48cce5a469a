//! `/v1/usage-points/{usage_point}/readings` and `…/charges`: a local day, slot by slot.

use axum::response::Response;
use contracts::Rejection;
use contracts::billing::slot_charges;
use contracts::metering::DayReadings;
use contracts::metering::estimation::EstimationInputs;
use primitives::calendar::LocalDay;
use primitives::identifier::{TransactionId, UsagePointId};

use super::usage_points::find;
use crate::problem::Problem;
use crate::request::{Ask, Read};
use crate::response::Period;
use crate::response::day::{ChargesDay, ReadingsDay};
use crate::response::estimate::{EstimateInputs, RegistersBefore};

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

/// What is known about a local day, from which its gaps are estimated; `profile` names the standard
/// profile.
pub(crate) async fn estimate(mut ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    let day = ask.day()?;
    let profile = ask.take::<TransactionId>("profile")?;
    ask.read(move |read| load_estimate(read, (id, day.unwrap_or_else(|| read.today())), profile))
        .await
}

/// What the meter showed last before a local day, by default the running one.
pub(crate) async fn registers(mut ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    let day = ask.day()?;
    ask.read(move |read| load_registers(read, id, day.unwrap_or_else(|| read.today()))).await
}

fn load_registers(
    read: &Read,
    id: UsagePointId,
    day: LocalDay,
) -> Result<RegistersBefore, Problem> {
    let (_, seen) = find(read, id)?;
    let calendar = read.rules().calendar();
    let mark = read.state(|state| state.registers_before(id, calendar.periods_of(day).first))?;
    let (usage_point, day) = (id.to_string(), day.to_string());
    let answer = RegistersBefore { usage_point, day, withheld: !seen, ..Default::default() };
    Ok(match mark {
        Some((period, mark)) if seen => RegistersBefore {
            period: Some(Period::new(calendar, period)),
            import_wh: Some(mark.registers.import.get().to_string()),
            export_wh: Some(mark.registers.export.get().to_string()),
            ..answer
        },
        _ => answer,
    })
}

fn load_estimate(
    read: &Read,
    (id, day): (UsagePointId, LocalDay),
    profile: Option<TransactionId>,
) -> Result<EstimateInputs, Problem> {
    let (_, seen) = find(read, id)?;
    let answer = EstimateInputs::of(id, day);
    if !seen {
        return Ok(EstimateInputs { withheld: true, ..answer });
    }
    let profile = match profile {
        None => None,
        Some(profile) => {
            let found = read.state(|state| state.standard_profile(&profile))?;
            Some(found.ok_or_else(|| Problem::not_found("standard profile"))?)
        }
    };
    let rules = read.rules();
    match read.state(|state| EstimationInputs::load(rules, state, (id, day), profile.as_ref()))? {
        Ok(inputs) => Ok(answer.with(&inputs)),
        Err(_) => Ok(EstimateInputs { erased: true, ..answer }),
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
