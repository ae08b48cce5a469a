//! `/v1/usage-points`: where energy is delivered or taken and measured.

use axum::response::Response;
use contracts::registry::UsagePoint;
use contracts::state_key;
use primitives::codec::decode;
use primitives::identifier::UsagePointId;

use super::parties::rows;
use crate::problem::Problem;
use crate::request::{Ask, Read};
use crate::response::Page;
use crate::response::usage_point::{UsagePointDetail, UsagePointEntry};

/// Usage points in the order of their ids.
pub(crate) async fn list(mut ask: Ask) -> Result<Response, Problem> {
    let after = ask.take::<UsagePointId>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| page(read, after, limit)).await
}

/// A page of usage points.
pub(super) fn page(
    read: &Read,
    after: Option<UsagePointId>,
    limit: usize,
) -> Result<Page<UsagePointEntry>, Problem> {
    let after = after.map(|id| state_key::usage_point(&id));
    let rows: Vec<(UsagePointId, UsagePoint)> =
        rows(read, &state_key::usage_points(), after, limit, |key, value| {
            Some((UsagePointId::new(key.try_into().ok()?), decode(value).ok()?))
        })?;
    let mut items = Vec::with_capacity(rows.len());
    for (id, usage_point) in &rows {
        let seen = sees(read, usage_point)?;
        items.push(UsagePointEntry::new(*id, usage_point, seen));
    }
    Ok(Page::cut(items, limit, |entry| entry.usage_point.clone()))
}

/// One usage point.
pub(crate) async fn one(ask: Ask) -> Result<Response, Problem> {
    let id: UsagePointId = ask.path("usage_point")?;
    ask.read(move |read| load(read, id)).await
}

/// A usage point with its tariffs.
pub(super) fn load(read: &Read, id: UsagePointId) -> Result<UsagePointDetail, Problem> {
    let (usage_point, seen) = find(read, id)?;
    let (assignments, account, meter) = read.state(|state| {
        (state.tariff_assignments(id), state.billing_account(id), state.installed_meter(id))
    })?;
    let entry = UsagePointEntry::new(id, &usage_point, seen);
    Ok(UsagePointDetail::new(entry, &usage_point, (&assignments, account, meter), read.rules()))
}

/// A usage point, and whether the reader may see its values.
pub(super) fn find(read: &Read, id: UsagePointId) -> Result<(UsagePoint, bool), Problem> {
    let usage_point = read
        .state(|state| state.usage_point(id))?
        .map_err(|_| Problem::not_found("usage point"))?;
    let seen = sees(read, &usage_point)?;
    Ok((usage_point, seen))
}

pub(super) fn sees(read: &Read, usage_point: &UsagePoint) -> Result<bool, Problem> {
    let station = read.state(|state| state.station(usage_point.station))?;
    let station = station.map_err(|_| Problem::internal("a usage point without its station"))?;
    Ok(read.viewer.sees_usage_point(usage_point, station.grid_operator))
}
