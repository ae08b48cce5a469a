//! The proof of a bill: everything that anybody needs to check it alone, and the check itself.
//!
//! The proof carries what the bill was computed from (readings, frequencies, tariff, genesis), what
//! binds each of them (the signed seals and corrections), and the way from the bill's event to a final
//! header. The check goes the same way up: signatures, day roots, tariff, calculation, event, header.
//! It needs no network and no state.
//!
//! Rule: every field is checked. A changed bit anywhere is found, and the error names the first thing
//! that is wrong.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::BillingPeriod;
use primitives::codec::Bounded;
use primitives::envelope::SignedTransaction;
use primitives::hash::Hash;
use primitives::identifier::{BillId, LedgerId, UsagePointId};
use primitives::key::PublicKey;
use primitives::merkle::MerklePath;
use primitives::proof::EventProof;
use primitives::reading::{DaySeed, Reading};
use primitives::units::{BlockHeight, MicroCurrency, MilliHertz, Timestamp};

use super::bill_calculation::TariffSegment;
use super::{Bill, BillAccount, BillIssued, FineBasis};
use crate::event::Event;
use crate::genesis::Genesis;
use crate::metering::MAX_SLOTS;
use crate::tariff::MAX_VERSIONS;

mod collect;
mod error;
mod verify;

pub use collect::CollectError;
pub use error::{BillProofError, Place, Signed};
pub use verify::verify_bill_proof;

/// Tariff segments of one bill: each assignment and each version may begin one.
pub const MAX_SEGMENTS: usize = 2 * MAX_VERSIONS;
/// Days of one bill.
pub const MAX_DAYS: usize = BillingPeriod::MAX_DAYS;

/// Everything that proves a bill.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BillProof {
    /// The genesis: calendar, minor unit and first validators; its hash is the ledger's id.
    pub genesis: Genesis,
    /// The way from the bill's event to a final header.
    pub event: EventProof,
    /// The bill.
    pub bill: Bill,
    /// The tariff versions that priced it.
    pub segments: Bounded<TariffSegment, MAX_SEGMENTS>,
    /// The readings, one entry for each day of the billing period.
    pub days: Bounded<DayProof, MAX_DAYS>,
    /// The frequencies, likewise; empty when no price needs one.
    pub frequency_days: Bounded<FrequencyDayProof, MAX_DAYS>,
    /// What the fine was counted from.
    pub fine: FineBasis,
}

/// One day of readings and what binds them.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DayProof {
    /// The signed seal.
    pub seal: DaySeal,
    /// The seed of the sealed salts; zero when every slot is corrected, since nothing checks it then.
    pub seed: DaySeed,
    /// The readings in force when the bill was issued, one for each slot.
    pub readings: Bounded<Reading, MAX_SLOTS>,
    /// The corrections after the seal, rising by slot.
    pub patches: Bounded<ReadingPatch, MAX_SLOTS>,
}

/// Who sealed a day.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum DaySeal {
    /// The meter: a signed `SealDay`.
    Meter(SignedTransaction),
    /// A gateway: a signed `SealGatewayBatch` and the way of this usage point's day to its root.
    Gateway {
        /// The batch.
        transaction: SignedTransaction,
        /// The entry among those of the batch.
        path: MerklePath,
    },
    /// Nobody measured all of it: the signed `EstimateDay` of who bills. The ledger computed the values
    /// by its rule before it took them; their quality E shows which slots.
    Estimate(SignedTransaction),
    /// The meter, on a private ledger: a signed `SealPrivateDay`.
    PrivateMeter(SignedTransaction),
    /// Who bills, on a private ledger: a signed `SubstituteDay`.
    Substitute(SignedTransaction),
}

impl DaySeal {
    /// The sealing transaction.
    #[must_use]
    pub const fn transaction(&self) -> &SignedTransaction {
        match self {
            Self::Meter(transaction)
            | Self::Gateway { transaction, .. }
            | Self::Estimate(transaction)
            | Self::PrivateMeter(transaction)
            | Self::Substitute(transaction) => transaction,
        }
    }
}

/// A reading corrected after the seal.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReadingPatch {
    /// The signed `CorrectReading`; it names the period.
    pub transaction: SignedTransaction,
    /// The salt of the value in force.
    pub salt: [u8; 32],
    /// The leaf that the seal has in its place; the value behind it stays hidden.
    pub sealed_leaf: Hash,
}

/// One day of frequencies and what binds them.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FrequencyDayProof {
    /// The signed `SealFrequencyDay`.
    pub seal: SignedTransaction,
    /// The values in force when the bill was issued; `None` where one was deleted.
    pub frequencies: Bounded<Option<MilliHertz>, MAX_SLOTS>,
    /// The corrections after the seal, rising by slot.
    pub patches: Bounded<FrequencyPatch, MAX_SLOTS>,
}

/// A frequency corrected or deleted after the seal.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct FrequencyPatch {
    /// The signed `CorrectFrequency` or `DeleteFrequency`; it names the period.
    pub transaction: SignedTransaction,
    /// The value that was sealed.
    pub sealed: MilliHertz,
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBill {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// The bill.
    pub bill: BillId,
    /// Its usage point.
    pub usage_point: UsagePointId,
    /// Its billing period.
    pub period: BillingPeriod,
    /// Its total; negative when the customer is owed.
    pub total: MicroCurrency,
    /// The fine in it.
    pub fine: MicroCurrency,
    /// How the account stood.
    pub account: BillAccount,
    /// What was open of it right after its issue.
    pub open_at_issue: MicroCurrency,
    /// The block in which it was issued.
    pub height: BlockHeight,
    /// The height of the final header.
    pub anchor_height: BlockHeight,
    /// The time of the final header.
    pub anchor_time: Timestamp,
    /// Whether the ledger is one that the reader trusts. If not, the proof is consistent in itself,
    /// and anybody could have made it.
    pub anchored: bool,
    /// The keys that sealed the readings, each once.
    pub sealed_by: Vec<PublicKey>,
    /// How many readings and frequencies were corrected after their seal.
    pub corrections: usize,
    /// How many signatures of meters, gateways, grid operator and billers were checked.
    pub signatures: usize,
}

/// The event that the ledger wrote when it issued `bill`.
#[must_use]
pub fn issued_event(bill: &Bill) -> Event {
    Event::BillIssued(BillIssued {
        bill: bill.id(),
        usage_point: bill.usage_point,
        number: bill.number,
        period: bill.period,
        revision: bill.revision,
        total: bill.total,
        bill_hash: bill.hash(),
        readings_root: bill.readings_root,
        frequency_root: bill.frequency_root,
        tariff_hash: bill.tariff_hash,
    })
}
