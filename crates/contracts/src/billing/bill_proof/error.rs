//! What can be wrong with the proof of a bill, in words.

use primitives::calendar::LocalDay;
use primitives::hash::Hash;
use primitives::identifier::LedgerId;
use primitives::proof::ProofError;
use primitives::units::OutOfRange;
use thiserror::Error;

use crate::billing::bill_calculation::CalculationError;
use crate::genesis::GenesisError;
use crate::rejection::Malformed;

/// A signed transaction of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// A meter's seal of a day.
    MeterSeal,
    /// A gateway's seal of a day.
    GatewaySeal,
    /// The estimate of a day.
    Estimate,
    /// The biller's substitute for a day.
    Substitute,
    /// The correction of a reading.
    ReadingCorrection,
    /// The grid operator's seal of a day's frequencies.
    FrequencySeal,
    /// The correction or deletion of a frequency.
    FrequencyCorrection,
}

impl std::fmt::Display for Signed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::MeterSeal => "the meter's seal",
            Self::GatewaySeal => "the gateway's seal",
            Self::Estimate => "the estimate",
            Self::Substitute => "the substitute",
            Self::ReadingCorrection => "a correction of the readings",
            Self::FrequencySeal => "the seal of the frequencies",
            Self::FrequencyCorrection => "a correction of the frequencies",
        })
    }
}

/// The first thing that is wrong with a proof.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BillProofError {
    /// The genesis cannot found a ledger.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The proof is about another ledger than the reader wants.
    #[error("the proof belongs to ledger {found}, wanted is {wanted}")]
    OtherLedger {
        /// The ledger of the genesis in the proof.
        found: LedgerId,
        /// The ledger that the reader trusts.
        wanted: LedgerId,
    },
    /// The bill has no billing period.
    #[error("the billing period of the bill is no range of days")]
    Period,
    /// There are more or fewer days than the billing period has.
    #[error("{found} days of {what}, the bill is about {wanted}")]
    DayCount {
        /// Readings or frequencies.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A day has another number of slots.
    #[error("{found} {what} of {day}, the day has {wanted} slots")]
    SlotCount {
        /// Readings or frequencies.
        what: &'static str,
        /// The day.
        day: LocalDay,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// A signature does not hold.
    #[error("{what} of {day}: the signature does not fit its key and the transaction")]
    Signature {
        /// Which transaction.
        what: Signed,
        /// The day.
        day: LocalDay,
    },
    /// A transaction says something else than it should.
    #[error("{what} of {day}: the transaction is of another kind")]
    OtherKind {
        /// Which transaction.
        what: Signed,
        /// The day.
        day: LocalDay,
    },
    /// A transaction is about something else than it should.
    #[error("{what} of {day}: it is about another usage point or day")]
    OtherSubject {
        /// Which transaction.
        what: Signed,
        /// The day.
        day: LocalDay,
    },
    /// Corrections are out of order, or two of one slot.
    #[error("{what} of {day}: corrections have to rise by slot")]
    CorrectionOrder {
        /// Which transaction.
        what: Signed,
        /// The day.
        day: LocalDay,
    },
    /// The readings are not those that were sealed.
    #[error("the readings of {day} do not hash to the day's root sealed by the {sealed_by}")]
    DayRoot {
        /// The day.
        day: LocalDay,
        /// `meter`, `gateway` or `biller's estimate`.
        sealed_by: &'static str,
    },
    /// A seed is given that no reading needs.
    #[error("the readings of {day} are all corrected, and yet there is a seed")]
    SeedUnused {
        /// The day.
        day: LocalDay,
    },
    /// A corrected reading is not the one of its correction.
    #[error("the reading of slot {slot} of {day} does not hash to the leaf of its correction")]
    CorrectedReading {
        /// The day.
        day: LocalDay,
        /// The slot, from 0.
        slot: u16,
    },
    /// The frequencies are not those that were sealed.
    #[error("the frequencies of {day} do not hash to the day's root sealed by the grid operator")]
    FrequencyRoot {
        /// The day.
        day: LocalDay,
    },
    /// A corrected frequency is not the one of its correction.
    #[error("the frequency of slot {slot} of {day} is not that of its correction")]
    CorrectedFrequency {
        /// The day.
        day: LocalDay,
        /// The slot, from 0.
        slot: u16,
    },
    /// A frequency is missing that nobody deleted.
    #[error("the frequency of slot {slot} of {day} is missing without a deletion")]
    FrequencyMissing {
        /// The day.
        day: LocalDay,
        /// The slot, from 0.
        slot: u16,
    },
    /// The bill commits to other days of readings.
    #[error("the seals and corrections of the readings are not those that the bill commits to")]
    ReadingsRoot,
    /// The bill commits to other days of frequencies.
    #[error("the seals and corrections of the frequencies are not those that the bill commits to")]
    FrequenciesRoot,
    /// The bill commits to another tariff.
    #[error("the tariff is not the one that the bill commits to")]
    Tariff,
    /// The bill commits to another basis of its fine.
    #[error("what the fine is counted from is not what the bill commits to")]
    FineBasis,
    /// The basis of the fine is of another day, or none that a ledger writes.
    #[error("what the fine is counted from cannot be")]
    FineBasisImpossible,
    /// The account of the bill contradicts the bill.
    #[error("the account on the bill cannot be: {0}")]
    Account(&'static str),
    /// No ledger has a tariff with such terms.
    #[error("the tariff cannot be: {0}")]
    Terms(#[from] Malformed),
    /// Readings, frequencies and tariff make no bill.
    #[error("the bill cannot be computed: {0}")]
    Calculation(#[from] CalculationError),
    /// The bill has more or fewer lines.
    #[error("the bill has {bill} lines, readings, tariff and dues give {computed}")]
    LineCount {
        /// Lines of the bill.
        bill: usize,
        /// Lines of the calculation.
        computed: usize,
    },
    /// A line is about something else, or another tariff or version.
    #[error("line {line} of the bill is about another subject, tariff or version")]
    LineSubject {
        /// The line, from 1.
        line: usize,
    },
    /// A quantity of the bill is not what comes out.
    #[error("{place}: {quantity} is {bill} in the bill, what is proven gives {computed}")]
    Quantity {
        /// The line or the bill as a whole.
        place: Place,
        /// What it is, with its unit.
        quantity: &'static str,
        /// The value in the bill.
        bill: i128,
        /// The value that comes out.
        computed: i128,
    },
    /// The event is that of another bill, or none of a bill.
    #[error("the event in the ledger does not say what the bill says")]
    OtherEvent,
    /// The event commits to another bill.
    #[error("the bill hashes to {bill}, the event in the ledger says {event}")]
    BillHash {
        /// The bill's hash.
        bill: Hash,
        /// The hash in the event.
        event: Hash,
    },
    /// The event did not happen in this ledger.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Where in a bill a quantity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line, from 1.
    Line(usize),
    /// The bill as a whole.
    Bill,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line(line) => write!(formatter, "line {line}"),
            Self::Bill => formatter.write_str("the bill"),
        }
    }
}

impl From<OutOfRange> for BillProofError {
    fn from(error: OutOfRange) -> Self {
        Self::Calculation(error.into())
    }
}
