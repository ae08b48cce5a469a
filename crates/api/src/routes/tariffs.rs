//! `/v1/tariffs`: what energy costs, public.

use axum::response::Response;
use contracts::state_key;
use contracts::tariff::Tariff;
use primitives::codec::decode;
use primitives::identifier::TariffId;

use super::parties::rows;
use crate::problem::Problem;
use crate::request::Ask;
use crate::response::Page;
use crate::response::tariff::{TariffDetail, TariffEntry, VersionEntry};

/// Tariffs in the order of their ids.
pub(crate) async fn list(mut ask: Ask) -> Result<Response, Problem> {
    let after = ask.take::<TariffId>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| {
        let after = after.map(|id| state_key::tariff(&id));
        let rows: Vec<(TariffId, Tariff)> =
            rows(read, &state_key::tariffs(), after, limit, |key, value| {
                Some((TariffId::new(key.try_into().ok()?), decode(value).ok()?))
            })?;
        let items = rows.iter().map(|(id, tariff)| TariffEntry::new(*id, tariff, read.rules()));
        Ok(Page::cut(items.collect(), limit, |entry: &TariffEntry| entry.tariff.clone()))
    })
    .await
}

/// A tariff with all its versions.
pub(crate) async fn one(ask: Ask) -> Result<Response, Problem> {
    let id: TariffId = ask.path("tariff")?;
    ask.read(move |read| {
        let unknown = |_| Problem::not_found("tariff");
        let tariff = read.state(|state| state.tariff(id))?.map_err(unknown)?;
        let mut versions = Vec::with_capacity(usize::from(tariff.last_version()));
        for version in 1..=tariff.last_version() {
            let version = read.state(|state| state.tariff_version(id, version))?;
            versions.push(VersionEntry::new(&version.map_err(unknown)?, read.rules()));
        }
        Ok(TariffDetail {
            tariff: id.to_string(),
            name: tariff.name.to_string(),
            publisher: tariff.publisher.to_string(),
            versions,
        })
    })
    .await
}
