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
use primitives::calendar::{BillingPeriod, DayPeriods, LocalDay, SettlementPeriod};
use primitives::codec::{self, Bounded};
use primitives::envelope::SignedTransaction;
use primitives::hash::Hash;
use primitives::identifier::{BillId, LedgerId, UsagePointId};
use primitives::key::{BatchVerifier, PublicKey};
use primitives::merkle::{MerklePath, MerkleTree};
use primitives::proof::{EventProof, ProofError, TrustedGenesis, verify_event};
use primitives::reading::{DaySeed, Reading, ReadingPayload, frequency_leaf, reading_leaf, salt};
use primitives::units::{BlockHeight, MicroCurrency, MilliHertz, OutOfRange, Timestamp};
use thiserror::Error;

use super::bill_calculation::{
    BillCalculation, BillInputs, CalculationError, DayInput, TariffSegment, calculate,
    no_allocation, tariff_hash,
};
use super::{Bill, BillIssued};
use crate::event::Event;
use crate::genesis::{Genesis, GenesisError, Rules};
use crate::metering::{DayCommitment, MAX_SLOTS, gateway_leaf};
use crate::tariff::MAX_VERSIONS;
use crate::transaction::Body;

mod collect;
pub use collect::CollectError;

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
}

impl DaySeal {
    /// The sealing transaction.
    #[must_use]
    pub const fn transaction(&self) -> &SignedTransaction {
        match self {
            Self::Meter(transaction) | Self::Gateway { transaction, .. } => transaction,
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

/// A signed transaction of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// A meter's seal of a day.
    MeterSeal,
    /// A gateway's seal of a day.
    GatewaySeal,
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
        /// `meter` or `gateway`.
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
    /// Readings, frequencies and tariff make no bill.
    #[error("the bill cannot be computed: {0}")]
    Calculation(#[from] CalculationError),
    /// The bill has more or fewer lines.
    #[error("the bill has {bill} lines, readings and tariff give {computed}")]
    LineCount {
        /// Lines of the bill.
        bill: usize,
        /// Lines of the calculation.
        computed: usize,
    },
    /// A line is about another tariff, version or direction.
    #[error("line {line} of the bill is about another direction, tariff or version")]
    LineSubject {
        /// The line, from 1.
        line: usize,
    },
    /// A quantity of the bill is not what comes out.
    #[error("{place}: {quantity} is {bill} in the bill, readings and tariff give {computed}")]
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

/// Checks a bill, alone, from the signatures of the meter to the final header.
///
/// With `trusted` the result is anchored: the ledger is the one the reader trusts. Without it the
/// proof is only checked to be consistent in itself.
///
/// # Errors
/// [`BillProofError`], naming the first thing that is wrong.
pub fn verify_bill_proof(
    trusted: Option<&Genesis>,
    proof: &BillProof,
) -> Result<VerifiedBill, BillProofError> {
    let rules = Rules::new(proof.genesis.clone())?;
    let ledger_id = rules.ledger_id();
    if let Some(wanted) = trusted.map(Genesis::ledger_id).filter(|wanted| *wanted != ledger_id) {
        return Err(BillProofError::OtherLedger { found: ledger_id, wanted });
    }
    let days = billed_days(proof)?;
    let signed = signed_transactions(proof, &days);
    verify_signatures(&signed)?;
    verify_readings(&rules, proof, &days)?;
    verify_frequencies(&rules, proof, &days)?;
    if tariff_hash(&proof.segments) != proof.bill.tariff_hash {
        return Err(BillProofError::Tariff);
    }
    compare(&proof.bill, &recalculate(&rules, proof, &days)?)?;
    verify_issued(proof)?;
    let validators = rules.genesis().validators.clone();
    let happened = verify_event(Some(&TrustedGenesis { ledger_id, validators }), &proof.event)?;
    let mut sealed_by: Vec<PublicKey> =
        proof.days.iter().map(|day| day.seal.transaction().envelope.signer).collect();
    sealed_by.sort_unstable();
    sealed_by.dedup();
    Ok(VerifiedBill {
        ledger_id,
        bill: proof.bill.id(),
        usage_point: proof.bill.usage_point,
        period: proof.bill.period,
        total: proof.bill.total,
        height: happened.height,
        anchor_height: happened.anchor_height,
        anchor_time: happened.anchor_time,
        anchored: trusted.is_some(),
        sealed_by,
        corrections: signed.len() - proof.days.len() - proof.frequency_days.len(),
        signatures: signed.iter().map(|(_, _, it)| it.signatures.len()).sum(),
    })
}

/// The days of the bill; there must be an entry of readings for each, and of frequencies if needed.
fn billed_days(proof: &BillProof) -> Result<Vec<LocalDay>, BillProofError> {
    let (first, last) = proof.bill.period.days().map_err(|_| BillProofError::Period)?;
    let days: Result<Vec<_>, _> = (first.get()..=last.get()).map(LocalDay::new).collect();
    let days = days.map_err(|_| BillProofError::Period)?;
    let needed = proof.segments.iter().any(|segment| segment.version.terms.needs_frequency());
    let counts = [
        ("readings", proof.days.len(), days.len()),
        ("frequencies", proof.frequency_days.len(), if needed { days.len() } else { 0 }),
    ];
    match counts.into_iter().find(|(_, found, wanted)| found != wanted) {
        Some((what, found, wanted)) => Err(BillProofError::DayCount { what, found, wanted }),
        None => Ok(days),
    }
}

type Labelled<'a> = (Signed, LocalDay, &'a SignedTransaction);

fn signed_transactions<'a>(proof: &'a BillProof, days: &[LocalDay]) -> Vec<Labelled<'a>> {
    let mut all = Vec::new();
    for (day, sealed) in days.iter().zip(&proof.days) {
        let what = match sealed.seal {
            DaySeal::Meter(_) => Signed::MeterSeal,
            DaySeal::Gateway { .. } => Signed::GatewaySeal,
        };
        all.push((what, *day, sealed.seal.transaction()));
        let patches = sealed.patches.iter();
        all.extend(patches.map(|it| (Signed::ReadingCorrection, *day, &it.transaction)));
    }
    for (day, sealed) in days.iter().zip(&proof.frequency_days) {
        all.push((Signed::FrequencySeal, *day, &sealed.seal));
        let patches = sealed.patches.iter();
        all.extend(patches.map(|it| (Signed::FrequencyCorrection, *day, &it.transaction)));
    }
    all
}

/// All at once; only when one is wrong, one by one to name it.
fn verify_signatures(signed: &[Labelled<'_>]) -> Result<(), BillProofError> {
    let mut batch = BatchVerifier::new();
    for &(what, day, transaction) in signed {
        let pairs = transaction.signature_pairs();
        let id = transaction.id();
        for (key, signature) in pairs.map_err(|_| BillProofError::Signature { what, day })? {
            batch.queue(key, signature, id.as_bytes());
        }
    }
    // Without entropy: the factors then follow from all keys, signatures and ids together, and nobody
    // can choose those to fit.
    if batch.verify([0; 32]) {
        return Ok(());
    }
    let wrong = signed.iter().find(|(_, _, it)| it.verify_signatures().is_err());
    // A batch says no exactly when one of its signatures does.
    wrong.map_or(Ok(()), |&(what, day, _)| Err(BillProofError::Signature { what, day }))
}

fn body_of(
    transaction: &SignedTransaction,
    what: Signed,
    day: LocalDay,
) -> Result<Body, BillProofError> {
    let envelope = &transaction.envelope;
    Body::decode(envelope.kind, &envelope.body).map_err(|_| BillProofError::OtherKind { what, day })
}

fn check_slots(
    what: &'static str,
    day: LocalDay,
    found: usize,
    periods: DayPeriods,
) -> Result<(), BillProofError> {
    let wanted = usize::from(periods.count);
    if found == wanted {
        Ok(())
    } else {
        Err(BillProofError::SlotCount { what, day, found, wanted })
    }
}

/// The slots and transactions of a day's corrections, which must rise.
struct Corrections {
    day: LocalDay,
    periods: DayPeriods,
    what: Signed,
    list: Bounded<(u16, primitives::identifier::TransactionId), MAX_SLOTS>,
}

impl Corrections {
    fn new(day: LocalDay, periods: DayPeriods, what: Signed) -> Self {
        Self { day, periods, what, list: Bounded::new() }
    }

    /// Notes the correction of `period` and gives its slot.
    fn note(
        &mut self,
        period: SettlementPeriod,
        transaction: &SignedTransaction,
    ) -> Result<u16, BillProofError> {
        let Self { day, what, .. } = *self;
        let slot =
            self.periods.slot_of(period).ok_or(BillProofError::OtherSubject { what, day })?;
        let rises = self.list.last().is_none_or(|(earlier, _)| *earlier < slot);
        let noted = if rises { self.list.push((slot, transaction.id())).ok() } else { None };
        noted.map(|()| slot).ok_or(BillProofError::CorrectionOrder { what, day })
    }
}

fn verify_readings(
    rules: &Rules,
    proof: &BillProof,
    days: &[LocalDay],
) -> Result<(), BillProofError> {
    let usage_point = proof.bill.usage_point;
    let commitments = days.iter().zip(&proof.days);
    let commitments: Result<Vec<_>, _> =
        commitments.map(|(day, sealed)| readings_of(rules, usage_point, *day, sealed)).collect();
    if DayCommitment::root(&commitments?) != proof.bill.readings_root {
        return Err(BillProofError::ReadingsRoot);
    }
    Ok(())
}

/// The leaves under a day's seal, and its corrections.
fn readings_of(
    rules: &Rules,
    usage_point: UsagePointId,
    day: LocalDay,
    proof: &DayProof,
) -> Result<DayCommitment, BillProofError> {
    let what = Signed::ReadingCorrection;
    let periods = rules.calendar().periods_of(day);
    check_slots("readings", day, proof.readings.len(), periods)?;
    let slots = (0_u32..).zip(periods.iter()).zip(&proof.readings);
    let mut leaves: Vec<Hash> = slots
        .map(|((slot, period), it)| reading_leaf(&salt(&proof.seed, slot), usage_point, period, it))
        .collect();
    let mut corrections = Corrections::new(day, periods, what);
    for patch in &proof.patches {
        let Body::CorrectReading(body) = body_of(&patch.transaction, what, day)? else {
            return Err(BillProofError::OtherKind { what, day });
        };
        if body.usage_point != usage_point {
            return Err(BillProofError::OtherSubject { what, day });
        }
        let slot = corrections.note(body.period, &patch.transaction)?;
        let reading = proof.readings[usize::from(slot)];
        let payload = ReadingPayload { reading, salt: patch.salt };
        if payload.leaf(usage_point, body.period) != body.leaf {
            return Err(BillProofError::CorrectedReading { day, slot });
        }
        leaves[usize::from(slot)] = patch.sealed_leaf;
    }
    if proof.patches.len() == leaves.len() && proof.seed != DaySeed::new([0; 32]) {
        return Err(BillProofError::SeedUnused { day });
    }
    let day_root = MerkleTree::from_leaf_hashes(leaves).root();
    verify_seal(usage_point, day, &proof.seal, &day_root)?;
    Ok(DayCommitment {
        usage_point: Some(usage_point),
        day,
        seal: proof.seal.transaction().id(),
        day_root,
        corrections: corrections.list,
    })
}

/// The seal must be one of this day and say this root.
fn verify_seal(
    usage_point: UsagePointId,
    day: LocalDay,
    seal: &DaySeal,
    day_root: &Hash,
) -> Result<(), BillProofError> {
    match seal {
        DaySeal::Meter(transaction) => {
            let what = Signed::MeterSeal;
            let Body::SealDay(body) = body_of(transaction, what, day)? else {
                return Err(BillProofError::OtherKind { what, day });
            };
            if body.usage_point != usage_point || body.day != day {
                return Err(BillProofError::OtherSubject { what, day });
            }
            if body.day_root != *day_root {
                return Err(BillProofError::DayRoot { day, sealed_by: "meter" });
            }
        }
        DaySeal::Gateway { transaction, path } => {
            let what = Signed::GatewaySeal;
            let Body::SealGatewayBatch(body) = body_of(transaction, what, day)? else {
                return Err(BillProofError::OtherKind { what, day });
            };
            if body.day != day || path.leaf_count != u64::from(body.entries) {
                return Err(BillProofError::OtherSubject { what, day });
            }
            if path.root_of(&gateway_leaf(usage_point, day, day_root)) != Ok(body.root) {
                return Err(BillProofError::DayRoot { day, sealed_by: "gateway" });
            }
        }
    }
    Ok(())
}

fn verify_frequencies(
    rules: &Rules,
    proof: &BillProof,
    days: &[LocalDay],
) -> Result<(), BillProofError> {
    let commitments = days.iter().zip(&proof.frequency_days);
    let commitments: Result<Vec<_>, _> =
        commitments.map(|(day, sealed)| frequencies_of(rules, *day, sealed)).collect();
    if DayCommitment::root(&commitments?) != proof.bill.frequency_root {
        return Err(BillProofError::FrequenciesRoot);
    }
    Ok(())
}

fn frequencies_of(
    rules: &Rules,
    day: LocalDay,
    proof: &FrequencyDayProof,
) -> Result<DayCommitment, BillProofError> {
    let what = Signed::FrequencyCorrection;
    let periods = rules.calendar().periods_of(day);
    check_slots("frequencies", day, proof.frequencies.len(), periods)?;
    let mut sealed = proof.frequencies.to_vec();
    let mut corrections = Corrections::new(day, periods, what);
    for patch in &proof.patches {
        let (period, in_force) = match body_of(&patch.transaction, what, day)? {
            Body::CorrectFrequency(body) => (body.period, Some(body.frequency)),
            Body::DeleteFrequency(body) => (body.period, None),
            _ => return Err(BillProofError::OtherKind { what, day }),
        };
        let slot = corrections.note(period, &patch.transaction)?;
        if proof.frequencies[usize::from(slot)] != in_force {
            return Err(BillProofError::CorrectedFrequency { day, slot });
        }
        sealed[usize::from(slot)] = Some(patch.sealed);
    }
    let mut leaves = Vec::with_capacity(sealed.len());
    for ((slot, period), value) in (0_u16..).zip(periods.iter()).zip(&sealed) {
        let value = value.ok_or(BillProofError::FrequencyMissing { day, slot })?;
        leaves.push(frequency_leaf(period, value));
    }
    let day_root = MerkleTree::from_leaf_hashes(leaves).root();
    let what = Signed::FrequencySeal;
    let Body::SealFrequencyDay(body) = body_of(&proof.seal, what, day)? else {
        return Err(BillProofError::OtherKind { what, day });
    };
    if body.day != day {
        return Err(BillProofError::OtherSubject { what, day });
    }
    if body.day_root != day_root {
        return Err(BillProofError::FrequencyRoot { day });
    }
    let seal = proof.seal.id();
    Ok(DayCommitment { usage_point: None, day, seal, day_root, corrections: corrections.list })
}

/// The bill anew, with the function with which the ledger issued it.
fn recalculate(
    rules: &Rules,
    proof: &BillProof,
    days: &[LocalDay],
) -> Result<BillCalculation, BillProofError> {
    let mut inputs = BillInputs { segments: proof.segments.to_vec(), days: Vec::new() };
    for (index, (day, sealed)) in days.iter().zip(&proof.days).enumerate() {
        let frequencies = proof.frequency_days.get(index);
        inputs.days.push(DayInput {
            day: *day,
            readings: sealed.readings.to_vec(),
            frequencies: frequencies.map(|it| it.frequencies.to_vec()).unwrap_or_default(),
        });
    }
    Ok(calculate(rules.calendar(), &inputs, rules.minor_unit_micro(), &no_allocation)?)
}

fn compare(bill: &Bill, computed: &BillCalculation) -> Result<(), BillProofError> {
    let lines = (bill.lines.len(), computed.lines.len());
    if lines.0 != lines.1 {
        return Err(BillProofError::LineCount { bill: lines.0, computed: lines.1 });
    }
    for (line, (ours, theirs)) in (1..).zip(bill.lines.iter().zip(&computed.lines)) {
        let subject = |it: &super::BillLine| (it.kind, it.tariff, it.version);
        if subject(ours) != subject(theirs) {
            return Err(BillProofError::LineSubject { line });
        }
        let place = Place::Line(line);
        equal(place, "energy in Wh", ours.energy.get(), theirs.energy.get())?;
        equal(place, "exact amount in 10⁻³ micro", ours.exact.get(), theirs.exact.get())?;
        equal(place, "amount in micro", ours.amount.get(), theirs.amount.get())?;
    }
    let energies = [
        ("metered import in Wh", bill.metered_import, computed.metered_import),
        ("metered export in Wh", bill.metered_export, computed.metered_export),
        ("billed import in Wh", bill.residual_import, computed.residual_import),
        ("credited export in Wh", bill.residual_export, computed.residual_export),
    ];
    for (quantity, ours, theirs) in energies {
        equal(Place::Bill, quantity, ours.get(), theirs.get())?;
    }
    equal(Place::Bill, "total in micro", bill.total.get(), computed.total.get())
}

fn equal<T: Into<i128> + Eq>(
    place: Place,
    quantity: &'static str,
    bill: T,
    computed: T,
) -> Result<(), BillProofError> {
    if bill == computed {
        return Ok(());
    }
    let (bill, computed) = (bill.into(), computed.into());
    Err(BillProofError::Quantity { place, quantity, bill, computed })
}

/// The event of the proof must be the one of this bill.
fn verify_issued(proof: &BillProof) -> Result<(), BillProofError> {
    if codec::encode(&issued_event(&proof.bill))[..] == proof.event.event[..] {
        return Ok(());
    }
    let bill = proof.bill.hash();
    match codec::decode(&proof.event.event) {
        Ok(Event::BillIssued(issued)) if issued.bill_hash != bill => {
            Err(BillProofError::BillHash { bill, event: issued.bill_hash })
        }
        _ => Err(BillProofError::OtherEvent),
    }
}
