//! `/v1/usage-points/{usage_point}/readings` and `…/charges`: a local day, slot by slot; and
//! `/v1/search/readings` over a range of slots.

use std::collections::BTreeMap;

use axum::response::Response;
use contracts::billing::slot_charges;
use contracts::metering::DayReadings;
use contracts::metering::estimation::EstimationInputs;
use contracts::registry::Holder;
use contracts::{Rejection, state_key};
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::codec::decode;
use primitives::identifier::{KeyAddress, TransactionId, UsagePointId};

use super::usage_points::find;
use crate::problem::{self, Problem};
use crate::request::{Ask, Read};
use crate::response::day::{ChargesDay, ReadingEntry, ReadingsDay};
use crate::response::estimate::{EstimateInputs, RegistersBefore};
use crate::response::search::ReadingFound;
use crate::response::{Page, Period};

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
    let seen = sees(read, id, day)?;
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
            answer.not_held = is_elsewhere(read, id, day)?;
            answer.erased = !answer.not_held;
            Ok(answer)
        }
    }
}

/// On a private ledger, values that this node lacks may lie on others: those that were not erased.
fn is_elsewhere(read: &Read, id: UsagePointId, day: LocalDay) -> Result<bool, Problem> {
    if !read.rules().is_private() {
        return Ok(false);
    }
    read.state(|state| {
        let seal = state.metered_day(id, day).seal;
        seal.is_some_and(|seal| !state.is_erased(id, day, seal.position))
    })
}

/// Does the reader see the readings of a day?
fn sees(read: &Read, id: UsagePointId, day: LocalDay) -> Result<bool, Problem> {
    let (_, seen) = find(read, id)?;
    let entitled = read.state(|state| read.viewer.sees_readings(state, read.rules(), (id, day)))?;
    Ok(seen && entitled)
}

/// Days that one page of readings looks at: a year.
const MAX_DAYS: i32 = 366;

/// The readings of a usage point or meter over a range of slots, oldest first. They are read where the
/// ledger keeps them, by usage point and day.
pub(crate) async fn search(mut ask: Ask) -> Result<Response, Problem> {
    let usage_point = ask.take::<UsagePointId>("usage_point")?;
    let meter = ask.take::<KeyAddress>("meter")?;
    if usage_point.is_none() && meter.is_none() {
        let detail = "give usage_point or meter: readings are kept by usage point and day";
        return Err(Problem::new(problem::WRONG_QUERY, detail));
    }
    let wanted = Wanted {
        usage_point,
        meter,
        state: ask.take("state")?,
        days: (ask.take("from_day")?, ask.take("to_day")?),
        periods: (ask.take("from_period")?, ask.take("to_period")?),
        after: ask.take("after")?,
        limit: ask.limit()?,
    };
    ask.read(move |read| found(read, &wanted)).await
}

/// Which readings are meant.
struct Wanted {
    usage_point: Option<UsagePointId>,
    meter: Option<KeyAddress>,
    state: Option<String>,
    days: (Option<LocalDay>, Option<LocalDay>),
    periods: (Option<u32>, Option<u32>),
    after: Option<u32>,
    limit: usize,
}

impl Wanted {
    /// The usage point, and the first period that the meter measured; `None` when the two have nothing
    /// to do with each other.
    fn point(&self, read: &Read) -> Result<Option<(UsagePointId, u32)>, Problem> {
        let Some(meter) = self.meter else {
            return Ok(self.usage_point.map(|point| (point, 0)));
        };
        let record = read.state(|state| state.key_record(&meter))?;
        let Some(Holder::Meter(point)) = record.map(|record| record.holder) else {
            return Ok(None);
        };
        if self.usage_point.is_some_and(|wanted| wanted != point) {
            return Ok(None);
        }
        let installed = read.state(|state| {
            let is_it = state.usage_point(point).is_ok_and(|it| it.meter == Some(meter));
            state.installed_meter(point).filter(|_| is_it)
        })?;
        // Which slots a former meter measured, /v1/search/meters tells.
        Ok(Some((point, installed.map_or(0, |installed| installed.from_period.get()))))
    }
}

fn found(read: &Read, wanted: &Wanted) -> Result<Page<ReadingFound>, Problem> {
    let empty = Page { items: Vec::new(), next: None };
    let Some((point, from_period)) = wanted.point(read)? else { return Ok(empty) };
    find(read, point)?;
    let calendar = read.rules().calendar();
    let day_of = |period| calendar.day_of(SettlementPeriod::new(period)).ok();
    let least = wanted.periods.0.max(wanted.after.map(|after| after.saturating_add(1)));
    let least = least.unwrap_or(0).max(from_period);
    let most = wanted.periods.1.unwrap_or(u32::MAX);
    let genesis = calendar.period_at(read.rules().genesis().time);
    let first_of_all = genesis.ok().and_then(|period| calendar.day_of(period).ok());
    let first = [wanted.days.0, day_of(least), first_of_all].into_iter().flatten().max();
    let last = [wanted.days.1, wanted.periods.1.and_then(day_of), Some(read.today())];
    let Some((first, last)) = first.zip(last.into_iter().flatten().min()) else {
        return Ok(empty);
    };
    let mut items: Vec<ReadingFound> = Vec::new();
    let mut next = None;
    for number in first.get()..=last.get() {
        let Ok(day) = LocalDay::new(number) else { break };
        if number - first.get() >= MAX_DAYS || items.len() >= wanted.limit {
            let before = calendar.periods_of(day).first.get().saturating_sub(1);
            next = Some(before.to_string());
            break;
        }
        let seen = sees(read, point, day)?;
        items.extend(of_day(read, (point, day), seen)?.into_iter().filter(|reading| {
            (least..=most).contains(&reading.period.period)
                && wanted.state.as_ref().is_none_or(|state| reading.state == state)
        }));
    }
    if items.len() > wanted.limit {
        items.truncate(wanted.limit);
        next = items.last().map(|reading| reading.period.period.to_string());
    }
    Ok(Page { items, next })
}

/// The readings of a day, each with the transaction that holds it.
fn of_day(
    read: &Read,
    (point, day): (UsagePointId, LocalDay),
    seen: bool,
) -> Result<Vec<ReadingFound>, Problem> {
    let rules = read.rules();
    let periods = rules.calendar().periods_of(day);
    let prefix = state_key::slot_readings(&point, day);
    let (metered, single) = read.state(|state| {
        (state.metered_day(point, day), state.scan(&prefix, None, usize::from(periods.count)))
    })?;
    let mut held: BTreeMap<u16, (&'static str, TransactionId)> = BTreeMap::new();
    match &metered.seal {
        Some(seal) => {
            held.extend((0..periods.count).map(|slot| (slot, ("sealed", seal.transaction))));
            let corrections = metered.corrections.iter();
            held.extend(corrections.map(|it| (it.slot, ("corrected", it.transaction))));
        }
        None => {
            for (key, position) in &single {
                let slot = key.get(prefix.len()..).and_then(|slot| slot.try_into().ok());
                let at = decode(position).map_err(Problem::internal)?;
                let transaction = read.view.kept(at)?;
                let damaged = || Problem::internal("a reading's transaction is missing");
                let (slot, it) = slot.zip(transaction).ok_or_else(damaged)?;
                held.insert(u16::from_be_bytes(slot), ("single", it.id()));
            }
        }
    }
    let values = match seen && !held.is_empty() {
        true => read.state(|state| DayReadings::load(rules, state, point, day))?.ok(),
        false => None,
    };
    let slots = values.map(|loaded| loaded.slots).unwrap_or_default();
    let entry = |(slot, (state, id)): (u16, (&'static str, TransactionId))| {
        let period = periods.first.offset(slot.into()).map_err(Problem::internal)?;
        let reading = slots.get(usize::from(slot)).copied().flatten();
        Ok(ReadingFound {
            usage_point: point.to_string(),
            period: Period::new(rules.calendar(), period),
            state,
            transaction_id: id.to_string(),
            reading: reading.map(ReadingEntry::from),
            withheld: !seen,
        })
    };
    held.into_iter().map(entry).collect()
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
    let seen = sees(read, id, day)?;
    let rules = read.rules();
    let calendar = rules.calendar();
    let shown = if rules.is_private() {
        read.state(|state| state.private_registers_before(rules, (id, day)))?
    } else {
        let first = calendar.periods_of(day).first;
        let mark = read.state(|state| state.registers_before(id, first))?;
        mark.map(|(period, mark)| (period, mark.registers))
    };
    let (usage_point, day) = (id.to_string(), day.to_string());
    let answer = RegistersBefore { usage_point, day, withheld: !seen, ..Default::default() };
    Ok(match shown {
        Some((period, registers)) if seen => RegistersBefore {
            period: Some(Period::new(calendar, period)),
            import_wh: Some(registers.import.get().to_string()),
            export_wh: Some(registers.export.get().to_string()),
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
    let seen = sees(read, id, day)?;
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
    let seen = sees(read, id, day)?;
    let mut answer = ChargesDay::withheld(id, day);
    if !seen {
        return Ok(answer);
    }
    let rules = read.rules();
    match read.state(|state| slot_charges(rules, state, id, day))? {
        Ok(charges) => answer.with(&charges, rules).map_err(Problem::internal),
        Err(Rejection::PayloadErased) => {
            answer.withheld = is_elsewhere(read, id, day)?;
            answer.erased = !answer.withheld;
            Ok(answer)
        }
        Err(other) => Err(Problem::internal(other)),
    }
}
