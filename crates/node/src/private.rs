//! The values of a private ledger on this node: who may hold them, who hands them over, what is erased.
//!
//! A payload comes in by one of two doors. A client hands it over beside its transaction; then it is
//! compared with the transaction, kept, and taken off before anything else happens, so that neither the
//! mempool nor a block ever holds it. Or another entitled node sends it, which this node asked: values are
//! fetched, never pushed, so nobody can fill this node with what it did not want.
//!
//! What is held follows the ledger. After each block, and once at the start, this node looks at the days
//! that were touched: what it may no longer hold or what was erased goes, what it may hold and lacks is
//! wanted. So an erasure, the end of a dispute and a crash between a block and its consequences are one
//! and the same case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, OnceLock};

use contracts::metering::MeteredDay;
use contracts::registry::Role;
use contracts::{Body, Event, Position, State, state_key};
use ledger::{CheckedBlock, Ledger, LedgerError, PayloadKey, PrivateStore, SubmitError, View};
use primitives::calendar::LocalDay;
use primitives::codec::{self, Bounded};
use primitives::envelope::Submission;
use primitives::identifier::{BillId, KeyAddress, PartyId, TransactionId, UsagePointId};
use primitives::key::PublicKey;
use primitives::receipt::Receipt;

/// A private payload at most: a day of the largest numbers takes ten kilobytes.
pub const MAX_PRIVATE_BYTES: usize = 16_384;
/// Payloads that are asked for in one message.
pub const MAX_ASKED: usize = 64;
/// Payloads that are looked at in one round of questions.
const MAX_IN_ROUND: usize = 512;
/// Usage points and days of one look into the state.
const PAGE: usize = 1_000;

/// A payload as it travels between entitled nodes.
pub type PrivatePayload = (PayloadKey, Bounded<u8, MAX_PRIVATE_BYTES>);

/// A payload that a client handed over.
pub(crate) type HandedOver = (PayloadKey, Vec<u8>);

/// A day of a usage point.
type Day = (UsagePointId, LocalDay);

/// What this node has to do with private payloads.
#[derive(Default)]
pub struct PrivatePayloads {
    own: OnceLock<KeyAddress>,
    /// What is wanted, and how often it was asked for. Whoever changes what is held holds this.
    wanted: Mutex<BTreeMap<PayloadKey, usize>>,
}

impl PrivatePayloads {
    fn wanted(&self) -> MutexGuard<'_, BTreeMap<PayloadKey, usize>> {
        self.wanted.lock().expect("nothing panics while it holds what is wanted")
    }

    /// Keeps payloads as the node with this key, and brings what is held into line with the ledger.
    ///
    /// # Errors
    /// [`LedgerError`] when a store cannot be read, or something cannot be erased.
    pub fn keep(&self, ledger: &Ledger, key: &PublicKey) -> Result<(), LedgerError> {
        if !ledger.rules().is_private() || ledger.private_store().is_none() {
            return Ok(());
        }
        let _ = self.own.set(key.address());
        self.line_up_all(ledger)
    }

    /// The store and the organisation, when this node holds payloads at all.
    fn office<'a>(
        &self,
        ledger: &'a Ledger,
        state: &dyn State,
    ) -> Option<(&'a dyn PrivateStore, Option<PartyId>)> {
        let store = ledger.private_store().filter(|_| ledger.rules().is_private())?;
        Some((&**store, state.organisation_of(self.own.get()?)))
    }

    /// Takes the private payload off a submission; `None` when it carries none. The transaction itself
    /// is not checked yet, so nothing is kept yet.
    ///
    /// # Errors
    /// The outer one when a store fails; the inner one says why the payload is not taken.
    pub(crate) fn take(
        &self,
        ledger: &Ledger,
        view: &View,
        submission: &mut Submission,
    ) -> Result<Result<Option<HandedOver>, SubmitError>, LedgerError> {
        let envelope = &submission.transaction.envelope;
        if !ledger.rules().is_private() || submission.payload.is_empty() {
            return Ok(Ok(None));
        }
        // What is no transaction, or has no private payload, the check of its form says.
        let Ok(body) = Body::decode(envelope.kind, &envelope.body) else { return Ok(Ok(None)) };
        let Some((usage_point, day)) = body.private_day() else { return Ok(Ok(None)) };
        let office = view.read(|state| {
            let (_, organisation) = self.office(ledger, state)?;
            let may = |party| state.may_hold_values(party, usage_point, day);
            Some((organisation.is_some_and(may), holders(state, usage_point)))
        })?;
        let payload = std::mem::take(&mut submission.payload);
        match office {
            None => return Ok(Err(SubmitError::KeepsNoValues)),
            Some((false, entitled)) => return Ok(Err(SubmitError::NotEntitled { entitled })),
            Some((true, _)) => {}
        }
        if let Err(malformed) = body.check_private(&payload, ledger.rules()) {
            return Ok(Err(malformed.into()));
        }
        // The day may be sealed with these values already, by a transaction that came without them.
        let sealed = sealed_alike(view, (usage_point, day), &payload)?;
        let transaction = sealed.unwrap_or_else(|| submission.transaction.id());
        Ok(Ok(Some((PayloadKey { usage_point, day, transaction }, payload.into_vec()))))
    }

    /// Keeps what was handed over with a transaction that is right in its form, before it is ordered or
    /// answered.
    pub(crate) fn accept(
        &self,
        ledger: &Ledger,
        (key, payload): &HandedOver,
    ) -> Result<(), LedgerError> {
        let mut wanted = self.wanted();
        if let Some(store) = ledger.private_store() {
            store.put(key, payload)?;
        }
        wanted.remove(key);
        drop(wanted);
        // Of a transaction that was ordered before, the values may have been erased since.
        match ledger.view().position_of(&key.transaction)? {
            Some(_) => self.line_up(ledger, BTreeSet::from([(key.usage_point, key.day)])),
            None => Ok(()),
        }
    }

    /// What a block that was executed changes of what is held and wanted.
    pub(crate) fn note(
        &self,
        ledger: &Ledger,
        block: &CheckedBlock,
        receipts: &[Receipt],
    ) -> Result<(), LedgerError> {
        if self.own.get().is_none() {
            return Ok(());
        }
        let view = ledger.view();
        let mut days = BTreeSet::new();
        for (checked, receipt) in block.transactions().iter().zip(receipts) {
            // Also of a rejected seal: its values go.
            days.extend(checked.body().private_day());
            for event in receipt.events.iter().filter_map(|bytes| codec::decode(bytes).ok()) {
                if self.changes_the_office(&view, &event)? {
                    return self.line_up_all(ledger);
                }
                days.extend(touched(&view, &event)?);
            }
        }
        self.line_up(ledger, days)
    }

    /// Is the event about this node, or about what its organisation is?
    fn changes_the_office(&self, view: &View, event: &Event) -> Result<bool, LedgerError> {
        let of_own = |party: &PartyId| {
            let own = self.own.get();
            let own = own.map(|own| view.read(|state| state.organisation_of(own))).transpose()?;
            Ok(own.flatten() == Some(*party))
        };
        match event {
            Event::NodeRegistered { node, .. } | Event::NodeRemoved { node, .. } => {
                Ok(self.own.get() == Some(node))
            }
            Event::PartyStatusChanged { party, .. }
            | Event::RoleGranted { party, .. }
            | Event::RoleRevoked { party, .. } => of_own(party),
            _ => Ok(false),
        }
    }

    /// Brings everything that is held into line with the ledger.
    fn line_up_all(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        let view = ledger.view();
        let mut days = BTreeSet::new();
        if let Some(store) = ledger.private_store() {
            for usage_point in store.usage_points()? {
                let keys = store.keys_of(usage_point)?;
                days.extend(keys.iter().map(|key| (key.usage_point, key.day)));
            }
        }
        view.read(|state| {
            let Some((_, Some(own))) = self.office(ledger, state) else { return };
            let is_regulator = state.party(own).is_ok_and(|party| party.holds(Role::Regulator));
            for usage_point in usage_points(state) {
                let point = state.usage_point(usage_point);
                let is_holder = point.is_ok_and(|it| own == it.customer || own == it.biller);
                if !is_holder && !is_regulator {
                    continue;
                }
                let mut after = None;
                loop {
                    let page = state.metered_days(usage_point, after, PAGE);
                    days.extend(page.iter().map(|(day, _)| (usage_point, *day)));
                    match page.last() {
                        Some((day, _)) if page.len() == PAGE => after = Some(*day),
                        _ => break,
                    }
                }
            }
        })?;
        self.line_up(ledger, days)
    }

    /// Brings what is held of some days into line with the ledger.
    fn line_up(&self, ledger: &Ledger, days: BTreeSet<Day>) -> Result<(), LedgerError> {
        let mut wanted = self.wanted();
        // Taken behind the lock: what another thread keeps meanwhile is looked at by it.
        let view = ledger.view();
        let office = view.read(|state| self.office(ledger, state))?;
        let Some((store, organisation)) = office else { return Ok(()) };
        let mut held: (Option<UsagePointId>, Vec<PayloadKey>) = (None, Vec::new());
        for (usage_point, day) in days {
            let may = view.read(|state| {
                organisation.is_some_and(|own| state.may_hold_values(own, usage_point, day))
            })?;
            if held.0 != Some(usage_point) {
                held = (Some(usage_point), store.keys_of(usage_point)?);
            }
            for key in held.1.iter().filter(|key| key.day == day) {
                if !(may && is_kept(&view, key)?) {
                    store.remove(key)?;
                }
            }
            let of_day = |transaction| PayloadKey { usage_point, day, transaction };
            let (first, last) = (TransactionId::new([0; 32]), TransactionId::new([255; 32]));
            let stale: Vec<_> =
                wanted.range(of_day(first)..=of_day(last)).map(|(key, _)| *key).collect();
            for key in stale {
                wanted.remove(&key);
            }
            if may {
                for key in needed(&view, (usage_point, day))? {
                    if store.get(&key)?.is_none() {
                        wanted.insert(key, 0);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whom to ask for what is wanted: each payload goes to one entitled node after the other.
    ///
    /// # Errors
    /// [`LedgerError`] when the store cannot be read.
    pub fn questions(
        &self,
        ledger: &Ledger,
    ) -> Result<BTreeMap<PublicKey, Vec<PayloadKey>>, LedgerError> {
        let mut questions: BTreeMap<PublicKey, Vec<PayloadKey>> = BTreeMap::new();
        let mut wanted = self.wanted();
        if wanted.is_empty() {
            return Ok(questions);
        }
        let view = ledger.view();
        let nodes = view.read(|state| state.nodes())?;
        let own = self.own.get();
        // What was asked for least comes first: what nobody has must not stand in the way of the rest.
        let mut order: Vec<_> = wanted.iter().map(|(key, asked)| (*asked, *key)).collect();
        order.sort_unstable();
        for (asked, key) in order.into_iter().take(MAX_IN_ROUND) {
            let PayloadKey { usage_point, day, .. } = key;
            let entitled: Vec<PublicKey> = view.read(|state| {
                let may = |it: &&contracts::governance::Node| {
                    own != Some(&it.key.address())
                        && state.may_hold_values(it.organisation, usage_point, day)
                };
                nodes.iter().filter(may).map(|node| node.key).collect()
            })?;
            let Some(index) = asked.checked_rem(entitled.len()) else { continue };
            let asks = questions.entry(entitled[index]).or_default();
            if asks.len() < MAX_ASKED {
                asks.push(key);
                wanted.insert(key, asked + 1);
            }
        }
        Ok(questions)
    }

    /// What another node asked for, as far as it may hold it and this one does.
    ///
    /// # Errors
    /// [`LedgerError`] when a store cannot be read.
    pub fn answer(
        &self,
        ledger: &Ledger,
        from: &PublicKey,
        keys: &[PayloadKey],
    ) -> Result<Vec<PrivatePayload>, LedgerError> {
        let view = ledger.view();
        let asker = view.read(|state| state.organisation_of(&from.address()))?;
        let Some((store, asker)) = ledger.private_store().zip(asker) else {
            return Ok(Vec::new());
        };
        let mut answers = Vec::new();
        for key in keys.iter().take(MAX_ASKED) {
            let PayloadKey { usage_point, day, .. } = *key;
            let may = view.read(|state| state.may_hold_values(asker, usage_point, day))?;
            if !may || !is_kept(&view, key)? {
                continue;
            }
            let payload = store.get(key)?.map(Bounded::try_from).and_then(Result::ok);
            answers.extend(payload.map(|payload| (*key, payload)));
        }
        Ok(answers)
    }

    /// Takes in what another node sent. What was not asked for, or does not fit, is dropped; true when
    /// the payload was taken.
    ///
    /// # Errors
    /// [`LedgerError`] when a store fails.
    pub fn receive(
        &self,
        ledger: &Ledger,
        (key, payload): &PrivatePayload,
    ) -> Result<bool, LedgerError> {
        let mut wanted = self.wanted();
        if !wanted.contains_key(key) {
            return Ok(false);
        }
        let view = ledger.view();
        let Some(body) = body_of(&view, &key.transaction)? else { return Ok(false) };
        if body.private_day() != Some((key.usage_point, key.day))
            || body.check_private(payload, ledger.rules()).is_err()
        {
            return Ok(false);
        }
        if let Some(store) = ledger.private_store() {
            store.put(key, payload)?;
        }
        wanted.remove(key);
        drop(wanted);
        // A block may have been executed since: it sees what was kept, or is seen here.
        self.line_up(ledger, BTreeSet::from([(key.usage_point, key.day)]))?;
        Ok(true)
    }
}

/// The customer of a usage point and who bills it.
fn holders(state: &dyn State, usage_point: UsagePointId) -> Vec<PartyId> {
    let point = state.usage_point(usage_point);
    let mut parties: Vec<_> = point.map_or(Vec::new(), |it| vec![it.customer, it.biller]);
    parties.dedup();
    parties
}

fn usage_points(state: &dyn State) -> Vec<UsagePointId> {
    let prefix = state_key::usage_points();
    let (mut points, mut after) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let rows = state.scan(&prefix, after.as_deref(), PAGE);
        let ids = rows.iter().filter_map(|(key, _)| key[prefix.len()..].try_into().ok());
        points.extend(ids.map(UsagePointId::new));
        match rows.into_iter().next_back() {
            Some((key, _)) if points.len() % PAGE == 0 => after = Some(key),
            _ => return points,
        }
    }
}

fn range(
    usage_point: UsagePointId,
    (first, last): (LocalDay, LocalDay),
) -> impl Iterator<Item = Day> {
    let days = (first.get()..=last.get()).filter_map(|day| LocalDay::new(day).ok());
    days.map(move |day| (usage_point, day))
}

fn days_of_bill(view: &View, bill: BillId) -> Result<Vec<Day>, LedgerError> {
    let bill = view.read(|state| state.bill(bill))?;
    let days = bill.ok().and_then(|bill| Some((bill.usage_point, bill.period.days().ok()?)));
    Ok(days.map_or(Vec::new(), |(usage_point, days)| range(usage_point, days).collect()))
}

/// The days whose values an event is about.
fn touched(view: &View, event: &Event) -> Result<Vec<Day>, LedgerError> {
    match event {
        Event::PayloadsErased { usage_point, first_day, last_day, .. } => {
            Ok(range(*usage_point, (*first_day, *last_day)).collect())
        }
        Event::BillIssued(issued) => days_of_bill(view, issued.bill),
        Event::BillDisputed { bill, .. } | Event::DisputeDecided { bill, .. } => {
            days_of_bill(view, *bill)
        }
        _ => Ok(Vec::new()),
    }
}

/// The transaction that sealed a day with exactly this payload, if one did.
fn sealed_alike(
    view: &View,
    (usage_point, day): Day,
    payload: &[u8],
) -> Result<Option<TransactionId>, LedgerError> {
    let metered = view.read(|state| state.metered_day(usage_point, day))?;
    let in_force = metered.seal.map(|seal| seal.transaction);
    let meter = metered.seal_of_meter().map(|seal| seal.transaction);
    for transaction in [in_force, meter].into_iter().flatten() {
        let body = body_of(view, &transaction)?;
        if body.is_some_and(|body| body.check_private(payload, view.rules()).is_ok()) {
            return Ok(Some(transaction));
        }
    }
    Ok(None)
}

fn body_of(view: &View, transaction: &TransactionId) -> Result<Option<Body>, LedgerError> {
    let Some(position) = view.position_of(transaction)? else { return Ok(None) };
    let found = view.transaction(position)?.map(|it| it.envelope);
    Ok(found.and_then(|envelope| Body::decode(envelope.kind, &envelope.body).ok()))
}

/// Does a payload belong here still? One whose transaction waits for its block does; of those that were
/// ordered only one that sealed its day, and was not erased since.
fn is_kept(view: &View, key: &PayloadKey) -> Result<bool, LedgerError> {
    let PayloadKey { usage_point, day, transaction } = *key;
    let Some(position) = view.position_of(&transaction)? else { return Ok(true) };
    let Some(receipt) = view.receipt(position)? else { return Ok(false) };
    let sealed = receipt.events.iter().any(|event| {
        matches!(codec::decode(event), Ok(Event::DaySealed { usage_point: point, day: sealed, .. })
            if (point, sealed) == (usage_point, day))
    });
    Ok(sealed && !view.read(|state| state.is_erased(usage_point, day, position))?)
}

/// What a holder of a day's values has to have: those of the seal in force, of the meter's own, and of
/// the one that the bill in force was computed from.
fn needed(view: &View, (usage_point, day): Day) -> Result<BTreeSet<PayloadKey>, LedgerError> {
    let (metered, billed) = view.read(|state| {
        let metered = state.metered_day(usage_point, day);
        let billed = billed_seal(state, &metered, day);
        (metered, billed)
    })?;
    let in_force = metered.seal.map(|seal| (seal.transaction, seal.position));
    let meter = metered.seal_of_meter().map(|seal| (seal.transaction, seal.position));
    let mut needed = BTreeSet::new();
    for (transaction, position) in [in_force, meter, billed].into_iter().flatten() {
        if !view.read(|state| state.is_erased(usage_point, day, position))? {
            needed.insert(PayloadKey { usage_point, day, transaction });
        }
    }
    Ok(needed)
}

/// The seal of a day that the bill in force was computed from.
fn billed_seal(
    state: &dyn State,
    metered: &MeteredDay,
    day: LocalDay,
) -> Option<(TransactionId, Position)> {
    let bill = metered.billed?;
    let (first, _) = state.bill(bill).ok()?.period.days().ok()?;
    let index = usize::try_from(day.get() - first.get()).ok()?;
    let position = state.bill_sources(bill).ok()?.days.get(index)?.seal;
    Some((state.transaction(position)?.id(), position))
}
