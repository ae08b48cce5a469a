//! Who and what is on the ledger: parties and their keys and roles, stations, usage points, meters.
//!
//! Shape: a *party* is an organisation or a household; it holds roles and speaks through keys. A
//! *station* belongs to a distributor; *usage points* hang below it: those of households, and one at
//! the station's boundary where the grid operator bills the distributor. A *meter* is a key that may
//! report for one usage point; the meter may change, the usage point stays.
//!
//! Real names stay off the ledger: labels and aliases are pseudonyms that mean something only to
//! those who have the list beside it.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::{Bounded, Text};
use primitives::identifier::{KeyAddress, PartyId, StationId, UsagePointId};
use primitives::key::PublicKey;
use primitives::units::{Timestamp, Watts};

use crate::event::Event;
use crate::genesis::Rules;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

mod add_key;
mod appoint_regulator;
mod authorize_gateway;
mod close_party;
mod grant_role;
mod install_meter;
mod meter;
mod recover_key;
mod register_party;
mod register_station;
mod register_usage_point;
mod reinstate_party;
mod remove_regulator;
mod revoke_key;
mod revoke_role;
mod suspend_party;

pub use add_key::AddKey;
pub use appoint_regulator::AppointRegulator;
pub use authorize_gateway::AuthorizeGateway;
pub use close_party::CloseParty;
pub use grant_role::GrantRole;
pub use install_meter::InstallMeter;
pub use meter::InstalledMeter;
pub use recover_key::RecoverKey;
pub use register_party::RegisterParty;
pub use register_station::RegisterStation;
pub use register_usage_point::RegisterUsagePoint;
pub use reinstate_party::ReinstateParty;
pub use remove_regulator::RemoveRegulator;
pub use revoke_key::RevokeKey;
pub use revoke_role::RevokeRole;
pub use suspend_party::SuspendParty;

/// Keys that a party may hold at a time, revoked ones included: bounds the party's record.
pub const MAX_KEYS_PER_PARTY: usize = 32;
/// Usage points of a station: one bulk charge covers them all in one transaction.
pub const MAX_USAGE_POINTS_PER_STATION: usize = 1_000;

/// What a party may do. One party may hold several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Role {
    /// Admits and suspends parties; appointed by the owner.
    Regulator,
    /// Publishes the grid's frequency and bills distributors at their stations' boundaries.
    GridOperator,
    /// Runs stations, reads meters, bills households.
    Distributor,
    /// Issues and takes back tokens; energy management system of a region.
    Aggregator,
    /// Countersigns registrations; owns shared storage.
    NetworkProvider,
    /// Injects energy.
    Producer,
    /// Draws energy.
    Consumer,
}

impl Role {
    /// Every role, in wire order.
    pub const ALL: &'static [Self] = &[
        Self::Regulator,
        Self::GridOperator,
        Self::Distributor,
        Self::Aggregator,
        Self::NetworkProvider,
        Self::Producer,
        Self::Consumer,
    ];
}

/// Whether a party may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum PartyStatus {
    /// May do what its roles permit.
    Active,
    /// May only settle what is open and look after its keys.
    Suspended,
    /// May do nothing any more.
    Closed,
}

/// An organisation or household.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Party {
    /// A pseudonym; never a real name.
    pub alias: Text<64>,
    /// Its roles, in wire order, none twice.
    pub roles: Bounded<Role, 8>,
    /// Whether it may act.
    pub status: PartyStatus,
    /// Its keys, revoked ones included.
    pub keys: Bounded<KeyAddress, MAX_KEYS_PER_PARTY>,
    /// X25519 public key to which private payloads are encrypted.
    pub encryption_key: [u8; 32],
    /// The region it trades in; empty when it trades in none.
    pub region: Text<32>,
}

impl Party {
    /// Does the party hold the role?
    #[must_use]
    pub fn holds(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// For whom a key speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Holder {
    /// A party.
    Party(PartyId),
    /// The meter of a usage point.
    Meter(UsagePointId),
    /// A node of an organisation.
    Node(PartyId),
}

/// A registered key. It is never removed, so that a revoked key is never registered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct KeyRecord {
    /// The whole key: an address alone would not tell what to verify with.
    pub key: PublicKey,
    /// For whom it speaks.
    pub holder: Holder,
    /// From when on it may act; later than its registration only after a recovery.
    pub active_from: Timestamp,
    /// Revoked keys stay revoked.
    pub revoked: bool,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct Census {
    /// Parties that are not closed.
    pub parties: u32,
    /// Regulators in office.
    pub regulators: u32,
}

/// A distribution station.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Station {
    /// Its label, unique on the ledger.
    pub label: Text<64>,
    /// Who runs it.
    pub distributor: PartyId,
    /// Who bills it at its boundary and pays export credits to its households.
    pub grid_operator: PartyId,
    /// How many usage points hang below it.
    pub usage_points: u16,
}

/// What kind of point it is, which decides who bills whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum UsagePointKind {
    /// A household, shop or plant: billed by the station's distributor.
    Household,
    /// The station's own boundary: the grid operator bills the distributor.
    Boundary,
}

/// Where energy is delivered or taken and measured (IEC 61968-9 `UsagePoint`).
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct UsagePoint {
    /// Its label, unique in its station.
    pub label: Text<64>,
    /// The station it hangs below.
    pub station: StationId,
    /// What kind of point it is.
    pub kind: UsagePointKind,
    /// Who is billed.
    pub customer: PartyId,
    /// Who bills.
    pub biller: PartyId,
    /// The most that the connection carries, either way.
    pub connection_limit: Watts,
    /// The gateway that may report for it.
    pub gateway: Option<PartyId>,
    /// The address of its meter's key.
    pub meter: Option<KeyAddress>,
}

impl dyn State + '_ {
    /// The record of a key; `None` when it was never registered.
    #[must_use]
    pub fn key_record(&self, address: &KeyAddress) -> Option<KeyRecord> {
        self.read(&state_key::key_record(address))
    }

    pub(crate) fn put_key_record(&mut self, record: &KeyRecord) {
        self.write(state_key::key_record(&record.key.address()), record);
    }

    /// Registers a new key for a holder.
    pub(crate) fn add_key_record(
        &mut self,
        rules: &Rules,
        key: PublicKey,
        holder: Holder,
        active_from: Timestamp,
    ) -> Result<(), Rejection> {
        // Rule: a revoked key is never registered again (protocol §3), so any record stands against;
        // a key of the genesis would go on acting as what the genesis says.
        if rules.genesis().names(&key) || self.key_record(&key.address()).is_some() {
            return Err(Rejection::KeyAlreadyRegistered);
        }
        self.put_key_record(&KeyRecord { key, holder, active_from, revoked: false });
        Ok(())
    }

    /// A party.
    ///
    /// # Errors
    /// [`Rejection::PartyUnknown`].
    pub fn party(&self, id: PartyId) -> Result<Party, Rejection> {
        self.read(&state_key::party(&id)).ok_or(Rejection::PartyUnknown)
    }

    pub(crate) fn put_party(&mut self, id: PartyId, party: &Party) {
        self.write(state_key::party(&id), party);
    }

    /// A party that must hold a role and be active.
    pub(crate) fn party_with_role(&self, id: PartyId, role: Role) -> Result<Party, Rejection> {
        let party = self.party(id)?;
        if !party.holds(role) {
            return Err(Rejection::PartyLacksRole);
        }
        if party.status == PartyStatus::Active {
            Ok(party)
        } else {
            Err(Rejection::PartyStatusDiffers)
        }
    }

    /// How many parties and regulators there are.
    #[must_use]
    pub fn census(&self) -> Census {
        self.read(&state_key::census()).unwrap_or_default()
    }

    pub(crate) fn put_census(&mut self, census: Census) {
        self.write(state_key::census(), &census);
    }

    /// A station.
    ///
    /// # Errors
    /// [`Rejection::StationUnknown`].
    pub fn station(&self, id: StationId) -> Result<Station, Rejection> {
        self.read(&state_key::station(&id)).ok_or(Rejection::StationUnknown)
    }

    pub(crate) fn put_station(&mut self, id: StationId, station: &Station) {
        self.write(state_key::station(&id), station);
    }

    /// A usage point.
    ///
    /// # Errors
    /// [`Rejection::UsagePointUnknown`].
    pub fn usage_point(&self, id: UsagePointId) -> Result<UsagePoint, Rejection> {
        self.read(&state_key::usage_point(&id)).ok_or(Rejection::UsagePointUnknown)
    }

    pub(crate) fn put_usage_point(&mut self, id: UsagePointId, usage_point: &UsagePoint) {
        self.write(state_key::usage_point(&id), usage_point);
    }

    /// The usage points of a station, in order of their ids.
    #[must_use]
    pub fn usage_points_of(&self, station: StationId) -> Vec<UsagePointId> {
        let prefix = state_key::station_members(&station);
        self.scan(&prefix, None, MAX_USAGE_POINTS_PER_STATION)
            .into_iter()
            .map(|(key, _)| {
                let id =
                    key[prefix.len()..].try_into().expect("the key ends with a usage point id");
                UsagePointId::new(id)
            })
            .collect()
    }
}

/// A party that a regulator may bring from its status into another. Regulators answer to the owner,
/// not to each other.
pub(crate) fn regulated_party(
    state: &dyn State,
    id: PartyId,
    may_leave: impl Fn(PartyStatus) -> bool,
) -> Result<Party, Rejection> {
    let party = state.party(id)?;
    if party.holds(Role::Regulator) {
        return Err(Rejection::SenderNotPermitted);
    }
    if may_leave(party.status) { Ok(party) } else { Err(Rejection::PartyStatusDiffers) }
}

/// Writes the new status of a party.
pub(crate) fn put_status(
    state: &mut dyn State,
    id: PartyId,
    mut party: Party,
    status: PartyStatus,
) {
    party.status = status;
    state.put_party(id, &party);
    state.emit(Event::PartyStatusChanged { party: id, status });
}

/// Adds `role` to a sorted list.
pub(crate) fn with_role(party: &mut Party, role: Role) -> Result<(), Rejection> {
    let mut roles = party.roles.to_vec();
    match roles.binary_search(&role) {
        Ok(_) => return Err(Rejection::RoleAlreadyHeld),
        Err(index) => roles.insert(index, role),
    }
    party.roles = Bounded::try_from(roles).expect("there are fewer roles than the bound");
    Ok(())
}

/// Takes `role` from the list.
pub(crate) fn without_role(party: &mut Party, role: Role) -> Result<(), Rejection> {
    let mut roles = party.roles.to_vec();
    match roles.binary_search(&role) {
        Ok(index) => roles.remove(index),
        Err(_) => return Err(Rejection::RoleNotHeld),
    };
    party.roles = Bounded::try_from(roles).expect("a shorter list fits too");
    Ok(())
}

/// Is the list sorted and free of doubles?
pub(crate) fn is_rising<T: Ord>(list: &[T]) -> bool {
    list.windows(2).all(|pair| pair[0] < pair[1])
}
