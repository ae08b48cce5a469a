//! `/v1/parties`: organisations and households.

use axum::response::Response;
use contracts::registry::Party;
use contracts::state_key;
use data_encoding::HEXLOWER;
use primitives::codec::decode;
use primitives::identifier::PartyId;

use super::accounts;
use crate::problem::Problem;
use crate::request::{Ask, DEFAULT_LIMIT, Read};
use crate::response::Page;
use crate::response::party::{PartyDetail, PartyEntry};

/// Parties in the order of their ids.
pub(crate) async fn list(mut ask: Ask) -> Result<Response, Problem> {
    let after = ask.take::<PartyId>("after")?;
    let limit = ask.limit()?;
    ask.read(move |read| {
        let after = after.map(|id| state_key::party(&id));
        let rows: Vec<(PartyId, Party)> =
            rows(read, &state_key::parties(), after, limit, |key, value| {
                Some((PartyId::new(key.try_into().ok()?), decode(value).ok()?))
            })?;
        let items = rows.iter().map(|(id, party)| PartyEntry::new(*id, party, &read.viewer));
        Ok(Page::cut(items.collect(), limit, |entry: &PartyEntry| entry.party.clone()))
    })
    .await
}

/// A party with its accounts.
pub(crate) async fn one(ask: Ask) -> Result<Response, Problem> {
    let id: PartyId = ask.path("party")?;
    ask.read(move |read| {
        let party = read.state(|state| state.party(id))?.map_err(|_| not_found())?;
        Ok(PartyDetail {
            entry: PartyEntry::new(id, &party, &read.viewer),
            encryption_key: HEXLOWER.encode(&party.encryption_key),
            accounts: accounts::load(read, id, None, DEFAULT_LIMIT)?,
        })
    })
    .await
}

pub(super) fn not_found() -> Problem {
    Problem::not_found("party")
}

/// A page of a list of the state: one row more than `limit`, so that the caller sees whether it ends.
/// `row` gets the key without the prefix, and the value.
///
/// # Errors
/// 500 when the store fails or holds a row that this program does not write.
pub(super) fn rows<T>(
    read: &Read,
    prefix: &[u8],
    after: Option<Vec<u8>>,
    limit: usize,
    row: impl Fn(&[u8], &[u8]) -> Option<T>,
) -> Result<Vec<T>, Problem> {
    let entries = read.state(|state| state.scan(prefix, after.as_deref(), limit + 1))?;
    let rows: Option<Vec<T>> =
        entries.iter().map(|(key, value)| row(key.get(prefix.len()..)?, value)).collect();
    rows.ok_or_else(|| Problem::internal("a row of the state is damaged"))
}
