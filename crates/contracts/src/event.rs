//! What the network tells explorers and displays: one leaf of the receipt each, in order.
//!
//! An event is encoded canonically into the receipt, so each one can be proven alone. New events are
//! added at the end: the position in this list is the wire number.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::{BillingPeriod, LocalDay, SettlementPeriod};
use primitives::codec::Bounded;
use primitives::hash::Hash;
use primitives::identifier::{
    BillId, KeyAddress, LedgerId, PartyId, StationId, TariffId, TransactionId, UsagePointId,
};
use primitives::units::{BlockHeight, MicroCurrency, MilliHertz, MilliMicro, Timestamp, WattHours};

use crate::account::Account;
use crate::registry::Role;

/// A day of readings as a bill commits to it.
pub use crate::billing::BillIssued;

/// Writes the enum and the list of names.
macro_rules! events {
    ($( $(#[$doc:meta])* $name:ident $body:tt )+) => {
        /// What happened. The order of the variants is their wire number.
        #[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
        pub enum Event { $( $(#[$doc])* $name $body, )+ }

        impl Event {
            /// The names of all events, in the order of their wire numbers.
            pub const NAMES: &'static [&'static str] = &[ $( stringify!($name) ),+ ];

            /// The event's name, as in the reference and the API.
            #[must_use]
            #[allow(unused_doc_comments)]
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$name { .. } => stringify!($name), )+ }
            }
        }
    };
}

events! {
    /// The same content stands on the ledger already; nothing was written.
    AlreadyRecorded {}
    /// The numbers of a rejection, in the order of its fields.
    Rejected {
        /// See `Rejection::numbers`.
        numbers: Bounded<u64, 4>
    }
    /// A party was registered.
    PartyRegistered {
        /// The party.
        party: PartyId
    }
    /// A role was granted to a party.
    RoleGranted {
        /// The party.
        party: PartyId,
        /// The role.
        role: Role
    }
    /// A role was taken from a party.
    RoleRevoked {
        /// The party.
        party: PartyId,
        /// The role.
        role: Role
    }
    /// A party was suspended, reinstated or closed.
    PartyStatusChanged {
        /// The party.
        party: PartyId,
        /// The new status.
        status: crate::registry::PartyStatus
    }
    /// A key now speaks for a party.
    KeyAdded {
        /// The party.
        party: PartyId,
        /// The key's address.
        key: KeyAddress,
        /// From when on it may act.
        active_from: Timestamp
    }
    /// A key was revoked, for ever.
    KeyRevoked {
        /// The key's address.
        key: KeyAddress
    }
    /// A station was registered.
    StationRegistered {
        /// The station.
        station: StationId
    }
    /// A usage point was registered.
    UsagePointRegistered {
        /// The usage point.
        usage_point: UsagePointId
    }
    /// A meter was installed at a usage point; a former one is revoked.
    MeterInstalled {
        /// The usage point.
        usage_point: UsagePointId,
        /// The address of the meter's key.
        meter: KeyAddress,
        /// The first period that it measures.
        from_period: SettlementPeriod
    }
    /// A gateway may (or, with `None`, nobody may any more) report for a usage point.
    GatewayAuthorized {
        /// The usage point.
        usage_point: UsagePointId,
        /// The gateway.
        gateway: Option<PartyId>
    }
    /// A reading of one period was recorded; its value lies in the payload.
    ReadingSubmitted {
        /// The usage point.
        usage_point: UsagePointId,
        /// The period.
        period: SettlementPeriod
    }
    /// A day was sealed by its meter or gateway.
    DaySealed {
        /// The usage point.
        usage_point: UsagePointId,
        /// The local day.
        day: LocalDay,
        /// The Merkle root over the day's readings.
        day_root: Hash,
        /// Counts the changes of this day.
        revision: u32
    }
    /// A reading was corrected; what was billed from it is stale.
    ReadingCorrected {
        /// The usage point.
        usage_point: UsagePointId,
        /// The period.
        period: SettlementPeriod,
        /// Counts the changes of this day.
        revision: u32
    }
    /// Frequencies were published.
    FrequencyPublished {
        /// The first period.
        first_period: SettlementPeriod,
        /// How many periods.
        count: u16
    }
    /// A frequency was corrected or, with `None`, deleted; the former value stays in the history.
    FrequencyCorrected {
        /// The period.
        period: SettlementPeriod,
        /// The value before; `None` when it had been deleted.
        before: Option<MilliHertz>,
        /// The value from now on.
        after: Option<MilliHertz>,
        /// Counts the changes of this day.
        revision: u32
    }
    /// The frequencies of a day were sealed.
    FrequencyDaySealed {
        /// The local day.
        day: LocalDay,
        /// The Merkle root over the day's frequencies.
        day_root: Hash
    }
    /// A tariff version was published.
    TariffPublished {
        /// The tariff.
        tariff: TariffId,
        /// Its version, from 1.
        version: u16,
        /// The first period it holds in.
        first_period: SettlementPeriod
    }
    /// A tariff was assigned to a usage point.
    TariffAssigned {
        /// The usage point.
        usage_point: UsagePointId,
        /// The tariff.
        tariff: TariffId,
        /// The first period it holds in.
        first_period: SettlementPeriod
    }
    /// Slots of a usage point were charged. Shows amounts, posts nothing.
    SlotsCharged {
        /// The usage point.
        usage_point: UsagePointId,
        /// The first period of the run.
        first_period: SettlementPeriod,
        /// Slots charged by this transaction.
        charged: u16,
        /// Slots of the run left out: no reading, no price, or charged before.
        skipped: u16,
        /// Energy drawn in the charged slots.
        import: WattHours,
        /// Energy injected in the charged slots.
        export: WattHours,
        /// Import charges less export credits, exact.
        amount: MilliMicro
    }
    /// The charge of a slot was withdrawn; its history stays.
    SlotChargeWithdrawn {
        /// The usage point.
        usage_point: UsagePointId,
        /// The period.
        period: SettlementPeriod
    }
    /// A bill was issued: the leaf from which a bill is proven.
    BillIssued(BillIssued)
    /// In a bulk run, this usage point got no bill.
    BillRefused {
        /// The usage point.
        usage_point: UsagePointId,
        /// The billing period.
        period: BillingPeriod,
        /// The code of the rule that stood against it.
        code: u16
    }
    /// Part of a payment went to a bill.
    BillPaid {
        /// The bill.
        bill: BillId,
        /// The part.
        amount: MicroCurrency,
        /// What is still open after it.
        open: MicroCurrency
    }
    /// The credit of a usage point is another: more was paid than is open, or it was used up or paid out.
    CreditChanged {
        /// The usage point.
        usage_point: UsagePointId,
        /// The credit from now on.
        credit: MicroCurrency
    }
    /// A negative bill was paid out.
    BillPaidOut {
        /// The bill.
        bill: BillId,
        /// The amount, positive.
        amount: MicroCurrency
    }
    /// A double entry: `debit` falls by the amount, `credit` rises by it.
    Posted {
        /// The account that falls.
        debit: Account,
        /// The account that rises.
        credit: Account,
        /// The amount, positive.
        amount: MicroCurrency
    }
    /// Tokens were bought at the recorded rate.
    TokensBought {
        /// The buyer.
        buyer: PartyId,
        /// The aggregator that issued them.
        aggregator: PartyId,
        /// What was paid outside the ledger, in micro of the reference coin.
        coin_amount: MicroCurrency,
        /// Tokens issued.
        tokens: MicroCurrency
    }
    /// Tokens were redeemed at the recorded rate.
    TokensRedeemed {
        /// Who gave them back.
        holder: PartyId,
        /// The aggregator that took them.
        aggregator: PartyId,
        /// What was paid outside the ledger, in micro of the reference coin.
        coin_amount: MicroCurrency,
        /// Tokens taken back.
        tokens: MicroCurrency
    }
    /// An aggregator's backing limit was set.
    BackingLimitSet {
        /// The aggregator.
        aggregator: PartyId,
        /// How far its issuing account may go below zero.
        limit: MicroCurrency
    }
    /// The virtual clock was advanced.
    ClockAdvanced {
        /// The time that the next block carries at least.
        to: Timestamp
    }
    /// A bill was taken back whole, since a reading, frequency or tariff behind it was amended; the
    /// bill that replaces it follows.
    CreditNoteIssued {
        /// The bill that was taken back.
        bill: BillId,
        /// The credit: the bill's total, less what a dispute had taken back; negative when the
        /// customer was owed.
        amount: MicroCurrency,
        /// What had been paid for it and is credit of the usage point from now on.
        released: MicroCurrency,
        /// The bill in its place.
        replaced_by: BillId
    }
    /// A bill is in dispute.
    BillDisputed {
        /// The bill.
        bill: BillId,
        /// What is disputed.
        amount: MicroCurrency,
        /// Hash of the reasons.
        reason_hash: Hash
    }
    /// A dispute was decided.
    DisputeDecided {
        /// The bill.
        bill: BillId,
        /// What was disputed.
        amount: MicroCurrency,
        /// What of it was decided for the household and is credited.
        upheld: MicroCurrency
    }
    /// A fine was counted anew, since what it was charged on was never due.
    FineReversed {
        /// The usage point.
        usage_point: UsagePointId,
        /// By how much it is lower.
        amount: MicroCurrency,
        /// What of that stood on bills already and is credited.
        credited: MicroCurrency
    }
    /// Fine rules were set.
    FineRulesSet {
        /// Whose customers they are for; `None` = of everybody without rules of its own.
        distributor: Option<PartyId>,
        /// The local day from which on they hold.
        from: LocalDay,
        /// The rules.
        rules: crate::billing::FineRules
    }
    /// What was owed for a negative bill became credit of its usage point.
    BillCarried {
        /// The bill.
        bill: BillId,
        /// The amount, positive.
        amount: MicroCurrency
    }
    /// A period was stated as the sum of its monthly bills.
    StatementIssued {
        /// The usage point.
        usage_point: UsagePointId,
        /// The period.
        period: BillingPeriod,
        /// Counts the statements of this period, from 1.
        revision: u32,
        /// The sum of the bills.
        total: MicroCurrency,
        /// Hash of the whole statement.
        statement_hash: Hash
    }
    /// A single reading came long after its period: the meter's clock may drift. It counts all the
    /// same.
    ReadingLate {
        /// The usage point.
        usage_point: UsagePointId,
        /// The period.
        period: SettlementPeriod,
        /// How many periods after the end of its own it came.
        late_periods: u32
    }
    /// The gaps of a day were filled by rule; how many slots by which.
    DayEstimated {
        /// The usage point.
        usage_point: UsagePointId,
        /// The local day.
        day: LocalDay,
        /// Slots on the line between two known ones.
        interpolated: u16,
        /// Slots that repeat an earlier week's.
        same_weekday: u16,
        /// Slots that follow the standard profile.
        standard_profile: u16,
        /// Slots in which the registers did not move.
        unmoved: u16
    }
    /// A standard profile was published.
    StandardProfilePublished {
        /// Who may estimate with it.
        publisher: PartyId,
        /// Its id: that of the publishing transaction.
        profile: TransactionId
    }
    /// A node was registered, or its peer address changed.
    NodeRegistered {
        /// Who runs it.
        organisation: PartyId,
        /// The address of its key.
        node: KeyAddress
    }
    /// A node was removed.
    NodeRemoved {
        /// Who ran it.
        organisation: PartyId,
        /// The address of its key.
        node: KeyAddress
    }
    /// A change was proposed.
    ChangeProposed {
        /// The proposal.
        proposal: TransactionId,
        /// Who proposed it.
        proposer: PartyId
    }
    /// A proposal was approved by one of those in office.
    ChangeApproved {
        /// The proposal.
        proposal: TransactionId,
        /// Who approved it.
        party: PartyId
    }
    /// A proposal has all the approvals it needs.
    ChangeAccepted {
        /// The proposal.
        proposal: TransactionId,
        /// The height of the first block in which the change acts.
        acts_from: u64
    }
    /// A set of validators will act.
    ValidatorsScheduled {
        /// The first epoch in which it does.
        epoch: u64,
        /// Hash of the set, as headers carry it.
        validators_hash: Hash
    }
    /// Another ledger was admitted: its heads can be notarised.
    LedgerAdmitted {
        /// Its id.
        ledger_id: LedgerId,
        /// Who admitted it.
        regulator: PartyId
    }
    /// A final header of another ledger was notarised.
    HeadNotarised {
        /// The other ledger.
        ledger_id: LedgerId,
        /// The height of the header.
        height: u64,
        /// Its hash.
        header_hash: Hash,
        /// Who showed it.
        regulator: PartyId
    }
    /// Two final headers of one height of another ledger were shown.
    ForkProven {
        /// The other ledger.
        ledger_id: LedgerId,
        /// The height of both.
        height: u64,
        /// The header that was notarised.
        first: Hash,
        /// The other.
        second: Hash
    }
    /// The validators are asked for the root of the whole state.
    CheckpointRequested {
        /// Whose state: the one after the block with this height.
        height: BlockHeight
    }
    /// A validator attested the root that it computed.
    CheckpointAttested {
        /// The height of the request.
        height: BlockHeight,
        /// The root.
        root: Hash,
        /// The address of the validator's key.
        validator: KeyAddress
    }
    /// More than two thirds of the validators in office attested the same root.
    CheckpointAgreed {
        /// The height of the request.
        height: BlockHeight,
        /// The root.
        root: Hash
    }
    /// The values of a usage point's days were erased by those who held them; commitments stay.
    PayloadsErased {
        /// The usage point.
        usage_point: UsagePointId,
        /// The first local day.
        first_day: LocalDay,
        /// The last local day.
        last_day: LocalDay,
        /// Who asked for it.
        by: PartyId
    }
    /// Credit of a usage point was paid out to its customer.
    CreditPaidOut {
        /// The usage point.
        usage_point: UsagePointId,
        /// The amount, positive.
        amount: MicroCurrency
    }
}
