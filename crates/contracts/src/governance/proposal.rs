//! A proposal and its approvals.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::codec::Bounded;
use primitives::header::MAX_VALIDATORS;
use primitives::identifier::{PartyId, TransactionId};
use primitives::units::Timestamp;

use crate::event::Event;
use crate::execute::Context;
use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

use super::office::Electorate;
use super::{Change, MAX_REGULATORS};

/// How long a proposal waits for approvals: 30 days.
pub const PROPOSAL_LIFETIME_MS: u64 = 30 * 24 * 3_600 * 1_000;

/// Who may approve: regulators and organisations together.
const MAX_APPROVALS: usize = MAX_REGULATORS + MAX_VALIDATORS;

/// A proposed change, with those who were in office when it was made: later appointments and seats
/// have no voice in it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// What is proposed.
    pub change: Change,
    /// Who proposed it.
    pub proposer: PartyId,
    /// Until when it may be approved.
    pub valid_until: Timestamp,
    /// The regulators in office, rising.
    pub regulators: Bounded<PartyId, MAX_REGULATORS>,
    /// The organisations that held seats, rising.
    pub organisations: Bounded<PartyId, MAX_VALIDATORS>,
    /// Seats without an organisation: they count and cannot approve.
    pub unclaimed_seats: u16,
    /// Who approved, rising.
    pub approvals: Bounded<PartyId, MAX_APPROVALS>,
    /// From which height on the change acts; `None` while it is not accepted.
    pub acts_from: Option<u64>,
}

impl Proposal {
    pub(super) fn new(
        context: &Context<'_>,
        state: &dyn State,
        change: Change,
    ) -> Result<Self, Rejection> {
        let Electorate { regulators, organisations, unclaimed_seats } =
            Electorate::of(context, state);
        let lifetime = Timestamp::new(context.time.get().saturating_add(PROPOSAL_LIFETIME_MS));
        Ok(Self {
            change,
            proposer: context.party()?,
            valid_until: lifetime,
            regulators: Bounded::try_from(regulators).expect("offices are bounded"),
            organisations: Bounded::try_from(organisations).expect("at most one for each seat"),
            unclaimed_seats,
            approvals: Bounded::default(),
            acts_from: None,
        })
    }

    /// May the party approve?
    #[must_use]
    pub fn has_voice(&self, party: PartyId) -> bool {
        self.regulators.binary_search(&party).is_ok()
            || self.organisations.binary_search(&party).is_ok()
    }

    /// Regulators that approved, and how many must.
    ///
    /// Rule: a majority of those in office when it was proposed (protocol §11).
    #[must_use]
    pub fn regulators_approving(&self) -> (usize, usize) {
        (self.approving(&self.regulators), self.regulators.len() / 2 + 1)
    }

    /// Organisations that approved, and how many must.
    ///
    /// Rule: more than two thirds of those in office when it was proposed (protocol §11).
    #[must_use]
    pub fn organisations_approving(&self) -> (usize, usize) {
        let in_office = self.organisations.len() + usize::from(self.unclaimed_seats);
        (self.approving(&self.organisations), in_office * 2 / 3 + 1)
    }

    fn approving(&self, electors: &[PartyId]) -> usize {
        electors.iter().filter(|party| self.approvals.binary_search(party).is_ok()).count()
    }

    fn is_accepted(&self) -> bool {
        let (regulators, wanted_regulators) = self.regulators_approving();
        let (organisations, wanted_organisations) = self.organisations_approving();
        regulators >= wanted_regulators && organisations >= wanted_organisations
    }

    /// Counts everybody with a voice among signer and cosigners; with enough of them the change is
    /// scheduled.
    pub(super) fn approve(
        mut self,
        context: &Context<'_>,
        state: &mut dyn State,
        id: TransactionId,
    ) -> Result<(), Rejection> {
        if !self.has_voice(context.party()?) {
            return Err(Rejection::NotInOffice);
        }
        let mut approvals = self.approvals.to_vec();
        for party in context.signing_parties(state) {
            if !self.has_voice(party) {
                continue;
            }
            if let Err(index) = approvals.binary_search(&party) {
                approvals.insert(index, party);
                state.emit(Event::ChangeApproved { proposal: id, party });
            }
        }
        if approvals.len() == self.approvals.len() {
            return Err(Rejection::ApprovedBefore);
        }
        self.approvals = Bounded::try_from(approvals).expect("no more than have a voice");
        if self.is_accepted() {
            let acts_from = self.change.schedule(context, state)?;
            self.acts_from = Some(acts_from);
            state.emit(Event::ChangeAccepted { proposal: id, acts_from });
        }
        state.write(state_key::proposal(&id), &self);
        Ok(())
    }
}

impl dyn State + '_ {
    /// A proposal.
    ///
    /// # Errors
    /// [`Rejection::ProposalUnknown`].
    pub fn proposal(&self, id: &TransactionId) -> Result<Proposal, Rejection> {
        self.read(&state_key::proposal(id)).ok_or(Rejection::ProposalUnknown)
    }
}
