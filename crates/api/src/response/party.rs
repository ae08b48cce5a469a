//! Parties, their keys, and stations.

use contracts::registry::{KeyRecord, Party, PartyStatus, Role, Station};
use primitives::identifier::{PartyId, StationId};
use schemars::JsonSchema;
use serde::Serialize;

use super::account::Accounts;
use super::texts;
use crate::rights::Viewer;

/// A party.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PartyEntry {
    /// Its id.
    pub party: String,
    /// Its pseudonym.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Its roles.
    pub roles: Vec<&'static str>,
    /// `active`, `suspended` or `closed`.
    pub status: &'static str,
    /// The addresses of its keys, revoked ones included.
    pub keys: Vec<String>,
    /// The region it trades in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Alias and region are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

impl PartyEntry {
    /// A party as a reader may see it.
    #[must_use]
    pub fn new(id: PartyId, party: &Party, viewer: &Viewer) -> Self {
        let seen = viewer.sees_party(id, party);
        Self {
            party: id.to_string(),
            alias: seen.then(|| party.alias.to_string()),
            roles: party.roles.iter().map(|role| self::role(*role)).collect(),
            status: status(party.status),
            keys: texts(&party.keys),
            region: seen.then(|| party.region.to_string()),
            withheld: !seen,
        }
    }
}

/// A party with its accounts.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PartyDetail {
    /// The party.
    #[serde(flatten)]
    pub entry: PartyEntry,
    /// X25519 public key for private payloads.
    pub encryption_key: String,
    /// The first of its accounts; `/v1/accounts/{party}` pages through all.
    pub accounts: Accounts,
}

/// A key as the ledger knows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KeyEntry {
    /// Its address.
    pub key_address: String,
    /// Is it, or was it, registered?
    pub registered: bool,
    /// The key itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Was it revoked?
    pub revoked: bool,
    /// The party for which it speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// The usage point whose meter it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_point: Option<String>,
    /// From when on it may act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_from: Option<String>,
    /// The highest sequence it has used, 0 when none.
    pub highest_sequence: String,
    /// The sequence that a client uses next.
    pub next_sequence: String,
}

impl KeyEntry {
    /// A key that may be unknown.
    #[must_use]
    pub fn new(address: String, record: Option<&KeyRecord>, highest_sequence: u64) -> Self {
        use contracts::registry::Holder;
        let holder = record.map(|record| record.holder);
        Self {
            key_address: address,
            registered: record.is_some(),
            key: record.map(|record| record.key.to_string()),
            revoked: record.is_some_and(|record| record.revoked),
            party: match holder {
                Some(Holder::Party(party)) => Some(party.to_string()),
                _ => None,
            },
            usage_point: match holder {
                Some(Holder::Meter(usage_point)) => Some(usage_point.to_string()),
                _ => None,
            },
            active_from: record.map(|record| record.active_from.to_string()),
            highest_sequence: highest_sequence.to_string(),
            next_sequence: highest_sequence.saturating_add(1).to_string(),
        }
    }
}

/// A station.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StationEntry {
    /// Its id.
    pub station: String,
    /// Its label.
    pub label: String,
    /// Who runs it.
    pub distributor: String,
    /// Who bills it at its boundary.
    pub grid_operator: String,
    /// How many usage points hang below it.
    pub usage_points: u16,
}

impl StationEntry {
    /// A station.
    #[must_use]
    pub fn new(id: StationId, station: &Station) -> Self {
        Self {
            station: id.to_string(),
            label: station.label.to_string(),
            distributor: station.distributor.to_string(),
            grid_operator: station.grid_operator.to_string(),
            usage_points: station.usage_points,
        }
    }
}

/// The word for a role.
#[must_use]
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Regulator => "regulator",
        Role::GridOperator => "grid_operator",
        Role::Distributor => "distributor",
        Role::Aggregator => "aggregator",
        Role::NetworkProvider => "network_provider",
        Role::Producer => "producer",
        Role::Consumer => "consumer",
    }
}

/// The word for a status.
#[must_use]
pub const fn status(status: PartyStatus) -> &'static str {
    match status {
        PartyStatus::Active => "active",
        PartyStatus::Suspended => "suspended",
        PartyStatus::Closed => "closed",
    }
}
