//! From blocks to rows: what each transaction is, whom it names, what it billed and paid.
//!
//! Whom an event names is read from its public part, as [`crate::response::event`] writes it: so a new
//! event is found as soon as it can be shown, and nothing private becomes findable.

use std::collections::BTreeSet;

use contracts::account::{Account, AccountKind};
use contracts::registry::Holder;
use contracts::{Body, Event, Position, Rules};
use ledger::View;
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::codec::decode;
use primitives::envelope::Envelope;
use primitives::identifier::{BillId, KeyAddress, PartyId, UsagePointId};
use primitives::receipt::Receipt;
use primitives::units::{MicroCurrency, Timestamp};
use rusqlite::{Connection, Transaction, params};
use serde_json::Value;

use super::schema::{self, State, signed};
use super::standing::Touched;
use super::{ReadModelError, entries};
use crate::response::event::EventEntry;
use crate::routes::kind_name;

/// Transactions and blocks of one commit.
const BATCH: usize = 50_000;
/// Kinds that have a row only when they were rejected: there may be one for each reading.
const READINGS: &[&str] = &["SubmitReading"];

/// Whom or what a transaction names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A party.
    Party(PartyId),
    /// A usage point.
    UsagePoint(UsagePointId),
    /// A meter or another key.
    Key(KeyAddress),
    /// A bill.
    Bill(BillId),
}

impl Subject {
    /// One letter and the id.
    pub fn bytes(&self) -> Vec<u8> {
        let (letter, id): (u8, &[u8]) = match self {
            Self::Party(id) => (b'p', id.as_bytes()),
            Self::UsagePoint(id) => (b'u', id.as_bytes()),
            Self::Key(id) => (b'k', id.as_bytes()),
            Self::Bill(id) => (b'b', id.as_bytes()),
        };
        let mut bytes = vec![letter];
        bytes.extend_from_slice(id);
        bytes
    }

    /// What a member of an event's public part names; `None` for other members.
    fn of_member(name: &str, text: &str) -> Option<Self> {
        match name {
            "usage_point" => text.parse().ok().map(Self::UsagePoint),
            "bill" | "replaced_by" | "replaces" => text.parse().ok().map(Self::Bill),
            "meter" | "key_address" => text.parse().ok().map(Self::Key),
            "party" | "aggregator" | "gateway" | "customer" | "biller" | "payer" | "payee"
            | "publisher" => text.parse().ok().map(Self::Party),
            _ => None,
        }
    }

    fn collect(value: &Value, found: &mut BTreeSet<Self>) {
        for (name, member) in value.as_object().into_iter().flatten() {
            match member {
                Value::String(text) => found.extend(Self::of_member(name, text)),
                other => Self::collect(other, found),
            }
        }
    }
}

/// Reads blocks from `after` on, as many as one commit takes; gives how far it came.
pub fn batch(
    connection: &mut Connection,
    view: &View,
    after: u64,
) -> Result<State, ReadModelError> {
    let transaction = connection.transaction()?;
    let touched = Touched::default();
    let mut pass = Pass { view, to: &transaction, touched, looked_at: 0 };
    let mut height = after;
    while height < view.height() && pass.looked_at < BATCH {
        height += 1;
        pass.block(height)?;
    }
    pass.touched.write(view, &transaction)?;
    let state = State { height, complete: height == view.height() };
    schema::advance(&transaction, view, state)?;
    transaction.commit()?;
    Ok(state)
}

struct Pass<'a> {
    view: &'a View,
    to: &'a Transaction<'a>,
    touched: Touched,
    looked_at: usize,
}

/// What the events of a transaction say.
#[derive(Default)]
struct Said {
    subjects: BTreeSet<Subject>,
    first_period: Option<u32>,
    last_period: Option<u32>,
    /// Place among the events, payer, payee, amount.
    payments: Vec<(u32, PartyId, PartyId, MicroCurrency)>,
}

impl Said {
    fn cover(&mut self, first: u32, last: u32) {
        self.first_period = Some(self.first_period.map_or(first, |it| it.min(first)));
        self.last_period = Some(self.last_period.map_or(last, |it| it.max(last)));
    }

    /// The periods that an event's public part is about.
    fn periods(&mut self, of: &Value, rules: &Rules) {
        let number = |value: &Value| value["period"].as_u64().and_then(|it| u32::try_from(it).ok());
        if let Some(period) = number(&of["period"]) {
            self.cover(period, period);
        }
        if let Some(first) = number(&of["first_period"]) {
            let count = |name: &str| of[name].as_u64().unwrap_or(0);
            let count = count("count") + count("charged") + count("skipped");
            let count = u32::try_from(count.max(1)).unwrap_or(1);
            self.cover(first, first.saturating_add(count - 1));
        }
        if let Some(day) = of["day"].as_str().and_then(|day| day.parse::<LocalDay>().ok()) {
            self.days(day, day, rules);
        }
    }

    fn days(&mut self, first: LocalDay, last: LocalDay, rules: &Rules) {
        let (begin, end) = periods_of(first, last, rules);
        self.cover(begin.get(), end.get());
    }
}

/// The first and last period of a range of local days.
pub fn periods_of(
    first: LocalDay,
    last: LocalDay,
    rules: &Rules,
) -> (SettlementPeriod, SettlementPeriod) {
    let (begin, end) = (rules.calendar().periods_of(first), rules.calendar().periods_of(last));
    let count = u32::from(end.count).saturating_sub(1);
    (begin.first, SettlementPeriod::new(end.first.get().saturating_add(count)))
}

impl Pass<'_> {
    fn block(&mut self, height: u64) -> Result<(), ReadModelError> {
        let damaged = ledger::LedgerError::Damaged { what: "header" };
        let sealed = self.view.sealed_header(height)?.ok_or(damaged)?;
        self.looked_at += 1;
        for (index, (_, events)) in (0..).zip(self.view.outcomes(height)?) {
            self.looked_at += 1;
            let events = events.iter().map(|bytes| decode(bytes)).collect::<Result<Vec<_>, _>>();
            let events = events.map_err(|it| ReadModelError::Event(it.to_string()))?;
            self.transaction(Position { height, index }, &events, sealed.header.time)?;
        }
        Ok(())
    }

    fn transaction(
        &mut self,
        position: Position,
        events: &[Event],
        time: Timestamp,
    ) -> Result<(), ReadModelError> {
        if let [Event::ReadingSubmitted { .. }] = events {
            return Ok(());
        }
        let damaged = || ledger::LedgerError::Damaged { what: "transaction" };
        let receipt = self.view.receipt(position)?.ok_or_else(damaged)?;
        let kept = self.view.kept(position)?.ok_or_else(damaged)?;
        let envelope = kept.envelope();
        if receipt.code == 0 && READINGS.contains(&kind_name(envelope.kind)) {
            return Ok(());
        }
        let mut said = self.said(events, position)?;
        let party = self.signer(envelope, &mut said.subjects)?;
        self.write(position, (envelope, &receipt, time), party, &said)?;
        let paid_for = paid_for(envelope, &said);
        entries::write(self.view, self.to, (position, time), (paid_for, events))
    }

    /// The party that signed; a meter is a subject.
    fn signer(
        &self,
        envelope: &Envelope,
        subjects: &mut BTreeSet<Subject>,
    ) -> Result<Option<PartyId>, ReadModelError> {
        let address = envelope.signer.address();
        let record = self.view.read(|state| state.key_record(&address))?;
        match record.map(|record| record.holder) {
            Some(Holder::Party(party)) => {
                subjects.insert(Subject::Party(party));
                Ok(Some(party))
            }
            Some(Holder::Meter(usage_point)) => {
                subjects.insert(Subject::Key(address));
                subjects.insert(Subject::UsagePoint(usage_point));
                Ok(None)
            }
            // A node's key signs for nobody but itself: its organisation signs beside it.
            Some(Holder::Node(_)) | None => Ok(None),
        }
    }

    fn said(&mut self, events: &[Event], position: Position) -> Result<Said, ReadModelError> {
        let rules = self.view.rules();
        let mut said = Said::default();
        for (index, event) in (0_u32..).zip(events) {
            let entry = EventEntry::new(event, rules, false);
            Subject::collect(&entry.of, &mut said.subjects);
            said.periods(&entry.of, rules);
            self.touched.note(self.view, event, (position, index))?;
            match event {
                Event::BillIssued(issued) => {
                    if let Ok((first, last)) = issued.period.days() {
                        said.days(first, last, rules);
                    }
                }
                Event::Posted { debit, credit, amount } if is_payment(debit, credit) => {
                    said.payments.push((index, debit.party, credit.party, *amount));
                }
                _ => {}
            }
        }
        let bills: Vec<_> = said.subjects.iter().filter_map(bill_of).collect();
        for bill in bills {
            self.touched.bill(bill);
            if let Ok(bill) = self.view.read(|state| state.bill(bill))? {
                said.subjects.insert(Subject::UsagePoint(bill.usage_point));
                said.subjects.insert(Subject::Party(bill.customer));
                said.subjects.insert(Subject::Party(bill.biller));
            }
        }
        Ok(said)
    }

    fn write(
        &self,
        position: Position,
        (envelope, receipt, time): (&Envelope, &Receipt, Timestamp),
        party: Option<PartyId>,
        said: &Said,
    ) -> Result<(), ReadModelError> {
        let (height, place) = (signed(position.height), position.index);
        let id = receipt.transaction.as_bytes().as_slice();
        let time = signed(time.get());
        self.to
            .prepare_cached("INSERT INTO transactions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
            .execute(params![
                height,
                place,
                id,
                envelope.kind,
                receipt.code,
                party.as_ref().map(|party| party.as_bytes().as_slice()),
                time,
                said.first_period,
                said.last_period,
            ])?;
        let mut mention = self.to.prepare_cached("INSERT INTO mentions VALUES (?1, ?2, ?3)")?;
        for subject in &said.subjects {
            mention.execute(params![subject.bytes(), height, place])?;
        }
        let bill = said.subjects.iter().find_map(bill_of);
        let usage_point = said.subjects.iter().find_map(|subject| match subject {
            Subject::UsagePoint(id) => Some(*id),
            _ => None,
        });
        let mut payment = self.to.prepare_cached(
            "INSERT INTO payments VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for (event, payer, payee, amount) in &said.payments {
            payment.execute(params![
                height,
                place,
                event,
                id,
                envelope.kind,
                payer.as_bytes().as_slice(),
                payee.as_bytes().as_slice(),
                amount.get(),
                time,
                usage_point.as_ref().map(|id| id.as_bytes().as_slice()),
                bill.as_ref().map(|id| id.as_bytes().as_slice()),
            ])?;
        }
        Ok(())
    }
}

/// The usage point whose bills a payment pays. Of a pruned payment the body is gone; what it paid or
/// left as credit names it as well.
fn paid_for(envelope: &Envelope, said: &Said) -> Option<UsagePointId> {
    if kind_name(envelope.kind) != "PayBill" {
        return None;
    }
    match Body::decode(envelope.kind, &envelope.body) {
        Ok(Body::PayBill(body)) => Some(body.usage_point),
        _ => said.subjects.iter().find_map(|subject| match subject {
            Subject::UsagePoint(id) => Some(*id),
            _ => None,
        }),
    }
}

fn bill_of(subject: &Subject) -> Option<BillId> {
    match subject {
        Subject::Bill(id) => Some(*id),
        _ => None,
    }
}

/// Did tokens move, and not only dues?
fn is_payment(debit: &Account, credit: &Account) -> bool {
    debit.kind == AccountKind::Wallet || credit.kind == AccountKind::Wallet
}
