//! `/v1/stations`: distribution stations.

use axum::response::Response;
use contracts::registry::Station;
use contracts::state_key;
use primitives::codec::decode;
use primitives::identifier::StationId;

use super::parties::rows;
use crate::problem::Problem;
use crate::request::Ask;
use crate::response::Page;
use crate::response::party::StationEntry;

/// Stations in the order of their ids.
pub(crate) async fn list(mut ask: Ask) -> Result<Response, Problem> {
    let after = ask.take::<StationId>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| {
        let after = after.map(|id| state_key::station(&id));
        let rows: Vec<(StationId, Station)> =
            rows(read, &state_key::stations(), after, limit, |key, value| {
                Some((StationId::new(key.try_into().ok()?), decode(value).ok()?))
            })?;
        let items = rows.iter().map(|(id, station)| StationEntry::new(*id, station));
        Ok(Page::cut(items.collect(), limit, |entry: &StationEntry| entry.station.clone()))
    })
    .await
}
