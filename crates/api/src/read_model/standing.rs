//! What stands now: bills, disputes, parties and meters, each a row that changes with the ledger.
//!
//! A pass notes what its blocks touched and writes each of them once, as it stands in the newest view.
//! So a model that followed and one that was built anew hold the same.

use std::collections::{BTreeMap, BTreeSet};

use contracts::billing::{Bill, stale_since};
use contracts::registry::Holder;
use contracts::{Event, Position};
use ledger::View;
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::identifier::{BillId, KeyAddress, PartyId, UsagePointId};
use primitives::units::MicroCurrency;
use rusqlite::types::Value as Sql;
use rusqlite::{Transaction, params, params_from_iter};
use serde::Serialize;

use super::ReadModelError;
use super::schema::signed;
use crate::response::bill::BillEntry;
use crate::response::dues::DisputeEntry;
use crate::response::party::PartyEntry;
use crate::rights::Viewer;

/// Where an event stands: its transaction, and its index among the events.
type Place = (Position, u32);

/// What the blocks of a pass touched.
#[derive(Default)]
pub struct Touched {
    /// Bills, and where they were issued if that was in this pass.
    bills: BTreeMap<BillId, Option<Place>>,
    /// Where disputes were raised.
    disputes: BTreeMap<BillId, Place>,
    /// Parties, and where they were registered if that was in this pass.
    parties: BTreeMap<PartyId, Option<Place>>,
    meters: Vec<(KeyAddress, UsagePointId, SettlementPeriod, Place)>,
    /// Readings were amended.
    days: BTreeSet<(UsagePointId, LocalDay)>,
    /// Frequencies were amended.
    frequency_days: BTreeSet<LocalDay>,
    /// Other tariffs hold.
    assigned: BTreeSet<UsagePointId>,
    /// A tariff begins, or was amended, from the earliest of these days on.
    priced_from: Option<LocalDay>,
}

impl Touched {
    /// A bill changed.
    pub fn bill(&mut self, bill: BillId) {
        self.bills.entry(bill).or_default();
    }

    /// What an event touches.
    pub fn note(&mut self, view: &View, event: &Event, at: Place) -> Result<(), ReadModelError> {
        let day_of = |period: SettlementPeriod| view.rules().calendar().day_of(period).ok();
        match event {
            Event::BillIssued(issued) => {
                self.bills.insert(issued.bill, Some(at));
            }
            Event::BillDisputed { bill, .. } => {
                self.disputes.insert(*bill, at);
            }
            Event::PartyRegistered { party } => {
                self.parties.insert(*party, Some(at));
            }
            Event::RoleGranted { party, .. }
            | Event::RoleRevoked { party, .. }
            | Event::PartyStatusChanged { party, .. }
            | Event::KeyAdded { party, .. } => {
                self.parties.entry(*party).or_default();
            }
            Event::KeyRevoked { key } => {
                let record = view.read(|state| state.key_record(key))?;
                if let Some(Holder::Party(party)) = record.map(|record| record.holder) {
                    self.parties.entry(party).or_default();
                }
            }
            Event::MeterInstalled { usage_point, meter, from_period } => {
                self.meters.push((*meter, *usage_point, *from_period, at));
            }
            Event::DaySealed { usage_point, day, .. }
            | Event::DayEstimated { usage_point, day, .. } => {
                self.days.insert((*usage_point, *day));
            }
            Event::ReadingCorrected { usage_point, period, .. } => {
                self.days.extend(day_of(*period).map(|day| (*usage_point, day)));
            }
            Event::FrequencyCorrected { period, .. } => {
                self.frequency_days.extend(day_of(*period));
            }
            Event::TariffAssigned { usage_point, .. } => {
                self.assigned.insert(*usage_point);
            }
            Event::TariffPublished { first_period, .. } => {
                let earlier = self.priced_from.into_iter().chain(day_of(*first_period)).min();
                self.priced_from = earlier;
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes every row that was touched.
    pub fn write(mut self, view: &View, to: &Transaction<'_>) -> Result<(), ReadModelError> {
        self.bills_behind(to)?;
        let rows = Rows { view, to };
        for (bill, issued) in &self.bills {
            rows.bill(*bill, *issued, self.disputes.get(bill).copied())?;
        }
        for (party, registered) in &self.parties {
            rows.party(*party, *registered)?;
        }
        for (meter, usage_point, from, at) in &self.meters {
            rows.meter(*meter, *usage_point, *from, *at)?;
        }
        Ok(())
    }

    /// Bills of former passes that may have become stale.
    fn bills_behind(&mut self, from: &Transaction<'_>) -> Result<(), ReadModelError> {
        let mut found = BTreeSet::new();
        let mut find = |condition: &str, values: Vec<Sql>| -> Result<(), ReadModelError> {
            let text = format!("SELECT bill FROM bills WHERE {condition}");
            let mut statement = from.prepare_cached(&text)?;
            let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
            for id in rows {
                found.insert(BillId::new(id?));
            }
            Ok(())
        };
        let number = |day: LocalDay| Sql::Integer(day.get().into());
        let blob = |id: &UsagePointId| Sql::Blob(id.as_bytes().to_vec());
        for (usage_point, day) in &self.days {
            let condition = "usage_point = ?1 AND first_day <= ?2 AND last_day >= ?2";
            find(condition, vec![blob(usage_point), number(*day)])?;
        }
        for day in &self.frequency_days {
            find("first_day <= ?1 AND last_day >= ?1", vec![number(*day)])?;
        }
        for usage_point in &self.assigned {
            find("usage_point = ?1", vec![blob(usage_point)])?;
        }
        if let Some(day) = self.priced_from {
            find("last_day >= ?1", vec![number(day)])?;
        }
        for bill in found {
            self.bill(bill);
        }
        Ok(())
    }
}

/// Writes rows as things stand in a view.
struct Rows<'a> {
    view: &'a View,
    to: &'a Transaction<'a>,
}

fn text<T: Serialize>(of: &T) -> Result<String, ReadModelError> {
    serde_json::to_string(of).map_err(|error| ReadModelError::Event(error.to_string()))
}

impl Rows<'_> {
    fn bill(
        &self,
        id: BillId,
        issued: Option<Place>,
        disputed: Option<Place>,
    ) -> Result<(), ReadModelError> {
        let rules = self.view.rules();
        let (bill, state) = self.view.read(|state| (state.bill(id), state.bill_state(id)))?;
        let (Ok(bill), Ok(state)) = (bill, state) else { return Ok(()) };
        if let Some(at) = issued {
            self.issued(id, &bill, at)?;
        }
        let stale = self.view.read(|state| stale_since(rules, state, &bill))?;
        let stale = stale.map_err(|error| ReadModelError::Event(error.to_string()))?;
        let header = stale.map(|at| self.view.header(at.height)).transpose()?.flatten();
        let stale_since = header.map(|header| header.time);
        let entry = |seen| BillEntry::new(id, &bill, &state, stale_since, seen);
        let status = entry(true).amounts.map_or("", |amounts| amounts.status);
        self.to
            .prepare_cached(
                "UPDATE bills SET total = ?2, paid = ?3, open = ?4, status = ?5, shown = ?6, \
                 hidden = ?7 WHERE bill = ?1",
            )?
            .execute(params![
                id.as_bytes().as_slice(),
                bill.total.get(),
                state.paid.get(),
                state.open.get(),
                status,
                text(&entry(true))?,
                text(&entry(false))?,
            ])?;
        self.dispute(id, &bill, disputed)
    }

    fn grid_operator(&self, bill: &Bill) -> Result<PartyId, ReadModelError> {
        let station = self.view.read(|state| {
            let usage_point = state.usage_point(bill.usage_point).ok()?;
            state.station(usage_point.station).ok()
        })?;
        Ok(station.map(|station| station.grid_operator).unwrap_or_default())
    }

    fn issued(&self, id: BillId, bill: &Bill, (at, event): Place) -> Result<(), ReadModelError> {
        let days = bill.period.days().ok();
        self.to
            .prepare_cached(
                "INSERT OR REPLACE INTO bills VALUES \
                 (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, 0, 0, '', '', '')",
            )?
            .execute(params![
                id.as_bytes().as_slice(),
                signed(at.height),
                at.index,
                event,
                bill.usage_point.as_bytes().as_slice(),
                bill.customer.as_bytes().as_slice(),
                bill.biller.as_bytes().as_slice(),
                self.grid_operator(bill)?.as_bytes().as_slice(),
                days.map(|(first, _)| first.get()),
                days.map(|(_, last)| last.get()),
            ])?;
        Ok(())
    }

    fn dispute(
        &self,
        id: BillId,
        bill: &Bill,
        raised: Option<Place>,
    ) -> Result<(), ReadModelError> {
        let (dispute, state) = self.view.read(|state| (state.dispute(id), state.bill_state(id)))?;
        let (Some(dispute), Ok(state)) = (dispute, state) else { return Ok(()) };
        let days = bill.period.days().ok();
        if let Some((at, event)) = raised {
            self.to
                .prepare_cached(
                    "INSERT OR REPLACE INTO disputes VALUES \
                     (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, '', '', '')",
                )?
                .execute(params![
                    id.as_bytes().as_slice(),
                    signed(at.height),
                    at.index,
                    event,
                    bill.usage_point.as_bytes().as_slice(),
                    bill.customer.as_bytes().as_slice(),
                    bill.biller.as_bytes().as_slice(),
                    self.grid_operator(bill)?.as_bytes().as_slice(),
                    days.map(|(first, _)| first.get()),
                    days.map(|(_, last)| last.get()),
                    dispute.amount.get(),
                ])?;
        }
        let entry = |seen| DisputeEntry::new(id, bill, &state, &dispute, seen);
        self.to
            .prepare_cached(
                "UPDATE disputes SET status = ?2, shown = ?3, hidden = ?4 WHERE bill = ?1",
            )?
            .execute(params![
                id.as_bytes().as_slice(),
                entry(true).state,
                text(&entry(true))?,
                text(&entry(false))?,
            ])?;
        Ok(())
    }

    fn party(&self, id: PartyId, registered: Option<Place>) -> Result<(), ReadModelError> {
        let Ok(party) = self.view.read(|state| state.party(id))? else { return Ok(()) };
        if let Some((at, event)) = registered {
            self.to
                .prepare_cached(
                    "INSERT OR REPLACE INTO parties VALUES \
                     (?1, ?2, ?3, ?4, '', '', '', '', 0, '', '')",
                )?
                .execute(params![id.as_bytes().as_slice(), signed(at.height), at.index, event])?;
        }
        let shown = PartyEntry::new(id, &party, &Viewer::Unrestricted);
        let hidden = PartyEntry::new(id, &party, &Viewer::Stranger);
        // Between commas, so that one role is found and not part of another's name.
        let roles = format!(",{},", shown.roles.join(","));
        self.to
            .prepare_cached(
                "UPDATE parties SET roles = ?2, status = ?3, alias = ?4, region = ?5, \
                 is_public = ?6, shown = ?7, hidden = ?8 WHERE party = ?1",
            )?
            .execute(params![
                id.as_bytes().as_slice(),
                roles,
                shown.status,
                party.alias.as_str(),
                party.region.as_str(),
                !hidden.withheld,
                text(&shown)?,
                text(&hidden)?,
            ])?;
        Ok(())
    }

    fn meter(
        &self,
        meter: KeyAddress,
        usage_point: UsagePointId,
        from: SettlementPeriod,
        (at, event): Place,
    ) -> Result<(), ReadModelError> {
        let point = usage_point.as_bytes().as_slice();
        self.to
            .prepare_cached(
                "UPDATE meters SET until_period = ?2 \
                 WHERE usage_point = ?1 AND until_period IS NULL",
            )?
            .execute(params![point, from.get()])?;
        self.to
            .prepare_cached("INSERT INTO meters VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)")?
            .execute(params![
                signed(at.height),
                at.index,
                event,
                meter.as_bytes().as_slice(),
                point,
                from.get()
            ])?;
        Ok(())
    }
}

/// What of a bill is a fine.
pub fn fine_of(bill: &Bill) -> MicroCurrency {
    bill.sum_of(contracts::billing::LineKind::Fine).unwrap_or(MicroCurrency::ZERO)
}
