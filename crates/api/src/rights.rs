//! Who may see what: the one place that decides it (protocol §4 and §10).
//!
//! Without rights a reader sees ids, hashes, codes and kinds, and what is public by its nature:
//! frequencies, tariffs, headers, the organisations that run the network. With rights it sees also:
//!
//! | what | who |
//! |---|---|
//! | a usage point's label, readings, charges, bills, proofs | its customer, its biller, its station's grid operator, regulators |
//! | a party's accounts | the party, regulators; a counterparty sees the dues between the two |
//! | a household's alias and region | the party, regulators |
//! | a transaction's body, payload and bytes | who signed it, whom its body is about, regulators; any party where the content is public |
//! | the values of an event | as for the usage point, parties or accounts that it names |
//!
//! On a private ledger readings are seen by nobody but those who may hold them: customer and biller, and
//! regulators while a bill over them is in dispute; and only on nodes that hold them.
//!
//! A suspended or closed party keeps what is its own and loses what its office gave it. A session's key
//! is looked up in each view anew: revoked there, it gives no rights any more.
//!
//! A further ledger ([`crate::hosting`]) answers only to sessions of keys that it knows ([`entry`]); a key
//! of no party sees there what everybody sees on an ordinary one.

use contracts::account::{Account, AccountKind};
use contracts::billing::ChargeTarget;
use contracts::registry::{Holder, Party, PartyStatus, Role, UsagePoint};
use contracts::tariff::AssignmentTarget;
use contracts::{Body, Event, Rules, State};
use ledger::{LedgerError, View};
use primitives::calendar::LocalDay;
use primitives::envelope::Envelope;
use primitives::identifier::{BillId, KeyAddress, PartyId, StationId, UsagePointId};
use primitives::key::PublicKey;

use crate::session::Session;

/// A day of a usage point.
type Day = (UsagePointId, LocalDay);

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Somebody without a session.
    Stranger,
    /// A party, shown by a key that is registered and not revoked.
    Party(Standing),
    /// Everybody on a demonstration ledger with open reads.
    Unrestricted,
}

/// A party as its rights see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The party.
    pub party: PartyId,
    /// Neither suspended nor closed.
    pub active: bool,
    /// Active, and a regulator.
    pub regulator: bool,
}

/// The rights of a session in a view; `None` when its key does not stand there (any more).
///
/// # Errors
/// [`LedgerError`] when the store fails.
pub fn viewer(view: &View, session: &Session) -> Result<Option<Viewer>, LedgerError> {
    let Some(id) = session.party else {
        return Ok(entry(view, session.key)?.map(|_| Viewer::Stranger));
    };
    let time = view.head().header.time;
    view.read(|state| {
        let record = state.key_record(&session.key)?;
        let stands =
            !record.revoked && record.active_from <= time && record.holder == Holder::Party(id);
        let party = state.party(id).ok().filter(|_| stands)?;
        let active = party.status == PartyStatus::Active;
        let regulator = active && party.holds(Role::Regulator);
        Some(Viewer::Party(Standing { party: id, active, regulator }))
    })
}

/// The session with which a key enters a further ledger: that of its party, or one without a party for
/// keys of nodes, meters, validators, the owner's council and the clock keeper. `None` when the ledger
/// does not know the key.
///
/// # Errors
/// [`LedgerError`] when the store fails.
pub fn entry(view: &View, key: KeyAddress) -> Result<Option<Session>, LedgerError> {
    let time = view.head().header.time;
    if let Some(record) = view.read(|state| state.key_record(&key))? {
        let party = match record.holder {
            Holder::Party(party) => Some(party),
            Holder::Meter(_) | Holder::Node(_) => None,
        };
        let stands = !record.revoked && record.active_from <= time;
        return Ok(stands.then_some(Session { party, key }));
    }
    let genesis = view.rules().genesis();
    let validators = view.validators_at(view.height() + 1)?;
    let founders = genesis.owner.keys.iter().chain(genesis.clock_keeper.iter());
    let seats = validators.current.iter().chain(validators.next.iter());
    let is_known = founders.chain(seats).any(|known| known.address() == key);
    Ok(is_known.then_some(Session { party: None, key }))
}

impl Viewer {
    /// Everything there is to see?
    #[must_use]
    pub const fn sees_all(&self) -> bool {
        match self {
            Self::Stranger => false,
            Self::Party(standing) => standing.regulator,
            Self::Unrestricted => true,
        }
    }

    /// The party that reads.
    #[must_use]
    pub const fn party(&self) -> Option<PartyId> {
        match self {
            Self::Party(standing) => Some(standing.party),
            Self::Stranger | Self::Unrestricted => None,
        }
    }

    /// Is it this party?
    #[must_use]
    pub fn is(&self, party: PartyId) -> bool {
        self.party() == Some(party)
    }

    /// Is it this party, and does the party still hold its office?
    fn is_active(&self, party: PartyId) -> bool {
        self.is(party) && matches!(self, Self::Party(standing) if standing.active)
    }

    /// The values of a usage point, whose station belongs to `grid_operator`'s grid.
    #[must_use]
    pub fn sees_usage_point(&self, usage_point: &UsagePoint, grid_operator: PartyId) -> bool {
        self.sees_all()
            || self.is(usage_point.customer)
            || self.is_active(usage_point.biller)
            || self.is_active(grid_operator)
    }

    /// The readings of a usage point's day, of those who see the usage point.
    #[must_use]
    pub fn sees_readings(&self, state: &dyn State, rules: &Rules, (id, day): Day) -> bool {
        if !rules.is_private() || matches!(self, Self::Unrestricted) {
            return true;
        }
        self.party().is_some_and(|party| state.may_hold_values(party, id, day))
    }

    /// All accounts of a party.
    #[must_use]
    pub fn sees_accounts_of(&self, party: PartyId) -> bool {
        self.sees_all() || self.is(party)
    }

    /// One account.
    #[must_use]
    pub fn sees_account(&self, account: &Account) -> bool {
        self.sees_accounts_of(account.party)
            || matches!(account.kind, AccountKind::Dues { counterparty } if self.is(counterparty))
    }

    /// A party's alias and region. Organisations that hold an office are known to everybody.
    #[must_use]
    pub fn sees_party(&self, id: PartyId, party: &Party) -> bool {
        let is_private = |role: &Role| matches!(role, Role::Producer | Role::Consumer);
        let is_organisation = !party.roles.iter().all(is_private);
        is_organisation || self.sees_all() || self.is(id)
    }

    /// The values of a usage point that is looked up; none of one that does not exist.
    #[must_use]
    pub fn sees_usage_point_id(&self, state: &dyn State, id: UsagePointId) -> bool {
        if self.sees_all() {
            return true;
        }
        let Ok(usage_point) = state.usage_point(id) else { return false };
        state
            .station(usage_point.station)
            .is_ok_and(|station| self.sees_usage_point(&usage_point, station.grid_operator))
    }

    fn sees_bill(&self, state: &dyn State, id: BillId) -> bool {
        state.bill(id).is_ok_and(|bill| self.sees_usage_point_id(state, bill.usage_point))
    }

    fn runs_station(&self, state: &dyn State, id: StationId) -> bool {
        state.station(id).is_ok_and(|station| {
            self.is_active(station.distributor) || self.is_active(station.grid_operator)
        })
    }

    /// Is the reader, or the usage point whose meter it is, behind this key?
    fn is_behind(&self, state: &dyn State, key: &PublicKey) -> bool {
        match state.key_record(&key.address()).map(|record| record.holder) {
            Some(Holder::Party(party)) => self.is(party),
            Some(Holder::Meter(usage_point)) => self.sees_usage_point_id(state, usage_point),
            Some(Holder::Node(organisation)) => self.is(organisation),
            None => false,
        }
    }

    /// Body, payload and bytes of a transaction; `body` is `None` when this program does not know the
    /// kind.
    #[must_use]
    pub fn sees_transaction(
        &self,
        state: &dyn State,
        envelope: &Envelope,
        body: Option<&Body>,
    ) -> bool {
        self.sees_all()
            || (self.party().is_some()
                && (envelope.signers().any(|key| self.is_behind(state, key))
                    || body.is_some_and(|body| self.is_concerned(state, body))))
    }

    fn is_assigned(&self, state: &dyn State, target: &AssignmentTarget) -> bool {
        match *target {
            AssignmentTarget::UsagePoint(id) => self.sees_usage_point_id(state, id),
            AssignmentTarget::Station(station) => self.runs_station(state, station),
        }
    }

    fn is_charged(&self, state: &dyn State, target: &ChargeTarget) -> bool {
        match *target {
            ChargeTarget::UsagePoint(id) => self.sees_usage_point_id(state, id),
            ChargeTarget::Station(station) => self.runs_station(state, station),
        }
    }

    /// Is the body about the reader, or public among the parties?
    fn is_concerned(&self, state: &dyn State, body: &Body) -> bool {
        let point = |id: UsagePointId| self.sees_usage_point_id(state, id);
        match body {
            Body::AppointRegulator(_)
            | Body::RemoveRegulator(_)
            | Body::RegisterStation(_)
            | Body::PublishFrequency(_)
            | Body::CorrectFrequency(_)
            | Body::DeleteFrequency(_)
            | Body::SealFrequencyDay(_)
            | Body::PublishStandardProfile(_)
            | Body::PublishTariff(_)
            | Body::AmendTariff(_)
            | Body::SetBackingLimit(_)
            | Body::SetFineRules(_)
            | Body::AdmitLedger(_)
            | Body::NotariseHead(_)
            | Body::RegisterNode(_)
            | Body::RemoveNode(_)
            | Body::RotateNodeKey(_)
            | Body::ProposeChange(_)
            | Body::ApproveChange(_)
            | Body::RequestCheckpoint(_)
            | Body::AttestCheckpoint(_)
            | Body::AdvanceClock(_) => true,
            Body::GrantRole(body) => self.is(body.party),
            Body::RevokeRole(body) => self.is(body.party),
            Body::SuspendParty(body) => self.is(body.party),
            Body::ReinstateParty(body) => self.is(body.party),
            Body::CloseParty(body) => self.is(body.party),
            Body::RecoverKey(body) => self.is(body.party),
            Body::RevokeKey(body) => {
                let holder = state.key_record(&body.key).map(|record| record.holder);
                matches!(holder, Some(Holder::Party(party)) if self.is(party))
            }
            // Only those who signed, and the regulators.
            Body::RegisterParty(_) | Body::AddKey(_) | Body::SealGatewayBatch(_) => false,
            Body::RegisterUsagePoint(body) => {
                self.is(body.customer) || self.runs_station(state, body.station)
            }
            Body::InstallMeter(body) => point(body.usage_point),
            Body::AuthorizeGateway(body) => {
                body.gateway.is_some_and(|gateway| self.is(gateway))
                    || body.usage_points.iter().any(|id| point(*id))
            }
            Body::SubmitReading(body) => point(body.usage_point),
            Body::SealDay(body) => point(body.usage_point),
            Body::SealPrivateDay(body) => point(body.usage_point),
            Body::SubstituteDay(body) => point(body.usage_point),
            Body::ErasePayloads(body) => point(body.usage_point),
            Body::IssuePrivateBill(body) => point(body.usage_point),
            Body::EstimateDay(body) => point(body.usage_point),
            Body::CorrectReading(body) => point(body.usage_point),
            Body::AssignTariff(body) => self.is_assigned(state, &body.target),
            Body::ChargeSlots(body) => self.is_charged(state, &body.target),
            Body::WithdrawSlotCharge(body) => point(body.usage_point),
            Body::IssueBill(body) => body.usage_points.iter().any(|id| point(*id)),
            Body::PayBill(body) => point(body.usage_point),
            Body::DisputeBill(body) => self.sees_bill(state, body.bill),
            Body::DecideDispute(body) => self.sees_bill(state, body.bill),
            Body::CarryBill(body) => self.sees_bill(state, body.bill),
            Body::IssueStatement(body) => point(body.usage_point),
            Body::PayOutCredit(body) => point(body.usage_point),
            Body::PayOutBill(body) => self.sees_bill(state, body.bill),
            Body::PayDues(body) => self.is(body.creditor),
            Body::BuyTokens(body) => self.is(body.aggregator),
            Body::RedeemTokens(body) => self.is(body.aggregator),
        }
    }

    /// The values of an event; its ids stay for everybody, as do codes, roles and what is public by its
    /// nature. The numbers of a rejection belong to those
    /// who see the transaction.
    #[must_use]
    pub fn sees_event(&self, state: &dyn State, event: &Event) -> bool {
        if self.sees_all() {
            return true;
        }
        match event {
            Event::AlreadyRecorded {}
            | Event::PartyRegistered { .. }
            | Event::RoleGranted { .. }
            | Event::RoleRevoked { .. }
            | Event::PartyStatusChanged { .. }
            | Event::KeyAdded { .. }
            | Event::KeyRevoked { .. }
            | Event::StationRegistered { .. }
            | Event::UsagePointRegistered { .. }
            | Event::MeterInstalled { .. }
            | Event::GatewayAuthorized { .. }
            | Event::ReadingSubmitted { .. }
            | Event::ReadingLate { .. }
            | Event::DayEstimated { .. }
            | Event::StandardProfilePublished { .. }
            | Event::DaySealed { .. }
            | Event::PayloadsErased { .. }
            | Event::ReadingCorrected { .. }
            | Event::FrequencyPublished { .. }
            | Event::FrequencyCorrected { .. }
            | Event::FrequencyDaySealed { .. }
            | Event::TariffPublished { .. }
            | Event::TariffAssigned { .. }
            | Event::SlotChargeWithdrawn { .. }
            | Event::BillRefused { .. }
            | Event::BackingLimitSet { .. }
            | Event::FineRulesSet { .. }
            | Event::LedgerAdmitted { .. }
            | Event::HeadNotarised { .. }
            | Event::ForkProven { .. }
            | Event::NodeRegistered { .. }
            | Event::NodeRemoved { .. }
            | Event::ChangeProposed { .. }
            | Event::ChangeApproved { .. }
            | Event::ChangeAccepted { .. }
            | Event::ValidatorsScheduled { .. }
            | Event::CheckpointRequested { .. }
            | Event::CheckpointAttested { .. }
            | Event::CheckpointAgreed { .. }
            | Event::ClockAdvanced { .. } => true,
            // Its numbers may tell a balance, and it names nobody: `sees_transaction` decides.
            Event::Rejected { .. } => false,
            Event::SlotsCharged { usage_point, .. }
            | Event::CreditChanged { usage_point, .. }
            | Event::CreditPaidOut { usage_point, .. }
            | Event::FineReversed { usage_point, .. }
            | Event::StatementIssued { usage_point, .. } => {
                self.sees_usage_point_id(state, *usage_point)
            }
            Event::BillIssued(issued) => self.sees_usage_point_id(state, issued.usage_point),
            Event::BillPaid { bill, .. }
            | Event::BillPaidOut { bill, .. }
            | Event::BillCarried { bill, .. }
            | Event::BillDisputed { bill, .. }
            | Event::DisputeDecided { bill, .. }
            | Event::CreditNoteIssued { bill, .. } => self.sees_bill(state, *bill),
            Event::Posted { debit, credit, .. } => {
                self.sees_account(debit) || self.sees_account(credit)
            }
            Event::TokensBought { buyer: holder, aggregator, .. }
            | Event::TokensRedeemed { holder, aggregator, .. } => {
                self.is(*holder) || self.is(*aggregator)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use contracts::registry::UsagePointKind;
    use primitives::codec::Bounded;
    use primitives::units::Watts;

    use super::*;

    const CUSTOMER: PartyId = PartyId::new([1; 32]);
    const BILLER: PartyId = PartyId::new([2; 32]);
    const GRID: PartyId = PartyId::new([3; 32]);
    const OTHER: PartyId = PartyId::new([4; 32]);

    fn party(party: PartyId) -> Viewer {
        Viewer::Party(Standing { party, active: true, regulator: false })
    }

    fn suspended(party: PartyId) -> Viewer {
        Viewer::Party(Standing { party, active: false, regulator: false })
    }

    fn regulator() -> Viewer {
        Viewer::Party(Standing { party: OTHER, active: true, regulator: true })
    }

    #[test]
    fn who_sees_what() {
        let usage_point = UsagePoint {
            label: "1".parse().unwrap(),
            station: StationId::new([5; 16]),
            kind: UsagePointKind::Household,
            customer: CUSTOMER,
            biller: BILLER,
            connection_limit: Watts::new(1),
            gateway: None,
            meter: None,
        };
        let household = Party {
            alias: "home".parse().unwrap(),
            roles: Bounded::try_from(vec![Role::Producer, Role::Consumer]).unwrap(),
            status: PartyStatus::Active,
            keys: Bounded::default(),
            encryption_key: [0; 32],
            region: "".parse().unwrap(),
        };
        // (who, usage point, customer's wallet, dues customer → biller, customer's alias)
        let table = [
            (Viewer::Stranger, [false, false, false, false]),
            (party(OTHER), [false, false, false, false]),
            (party(CUSTOMER), [true, true, true, true]),
            (suspended(CUSTOMER), [true, true, true, true]),
            (party(BILLER), [true, false, true, false]),
            (suspended(BILLER), [false, false, true, false]),
            (party(GRID), [true, false, false, false]),
            (suspended(GRID), [false, false, false, false]),
            (regulator(), [true, true, true, true]),
            (Viewer::Unrestricted, [true, true, true, true]),
        ];
        for (viewer, expected) in table {
            let found = [
                viewer.sees_usage_point(&usage_point, GRID),
                viewer.sees_account(&Account::wallet(CUSTOMER)),
                viewer.sees_account(&Account::dues(CUSTOMER, BILLER)),
                viewer.sees_party(CUSTOMER, &household),
            ];
            assert_eq!(found, expected, "{viewer:?}");
        }
    }
}
