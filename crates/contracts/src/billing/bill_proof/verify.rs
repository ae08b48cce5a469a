//! The check of a bill's proof: from the signatures of the meter to the final header.

use primitives::calendar::{DayPeriods, LocalDay, SettlementPeriod};
use primitives::codec::{self, Bounded};
use primitives::envelope::SignedTransaction;
use primitives::hash::Hash;
use primitives::identifier::{TransactionId, UsagePointId};
use primitives::key::{BatchVerifier, PublicKey};
use primitives::merkle::MerkleTree;
use primitives::proof::{TrustedGenesis, verify_event};
use primitives::reading::{DaySeed, ReadingPayload, frequency_leaf, reading_leaf, salt};
use primitives::units::MicroCurrency;

use super::{
    BillProof, BillProofError, DayProof, DaySeal, FrequencyDayProof, Place, Signed, VerifiedBill,
    issued_event,
};
use crate::billing::bill_calculation::{
    BillCalculation, BillInputs, DayInput, calculate, no_allocation, tariff_hash,
};
use crate::billing::issue_bill::fine_line;
use crate::billing::{Bill, BillAccount, BillLine};
use crate::event::Event;
use crate::genesis::{Genesis, Rules};
use crate::metering::{DayCommitment, MAX_SLOTS, gateway_leaf};
use crate::transaction::Body;

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
    proof.segments.iter().try_for_each(|segment| segment.version.terms.check())?;
    let mut computed = recalculate(&rules, proof, &days)?;
    let fine = recount(&rules, proof)?;
    computed.lines.extend(fine_line(fine));
    compare(&proof.bill, &computed)?;
    let open_at_issue = verify_account(proof)?;
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
        fine,
        account: proof.bill.account,
        open_at_issue,
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
            DaySeal::Meter(_) | DaySeal::PrivateMeter(_) => Signed::MeterSeal,
            DaySeal::Substitute(_) => Signed::Substitute,
            DaySeal::Gateway { .. } => Signed::GatewaySeal,
            DaySeal::Estimate(_) => Signed::Estimate,
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
    list: Bounded<(u16, TransactionId), MAX_SLOTS>,
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
    let (transaction, what, sealed_by) = match seal {
        DaySeal::Meter(it) | DaySeal::PrivateMeter(it) => (it, Signed::MeterSeal, "meter"),
        DaySeal::Estimate(it) => (it, Signed::Estimate, "biller's estimate"),
        DaySeal::Substitute(it) => (it, Signed::Substitute, "biller's substitute"),
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
            return Ok(());
        }
    };
    let (of, root) = match (seal, body_of(transaction, what, day)?) {
        (DaySeal::Meter(_), Body::SealDay(body)) => ((body.usage_point, body.day), body.day_root),
        (DaySeal::Estimate(_), Body::EstimateDay(body)) => {
            ((body.usage_point, body.day), body.day_root)
        }
        (DaySeal::PrivateMeter(_), Body::SealPrivateDay(body)) => {
            ((body.usage_point, body.day), body.day_root)
        }
        (DaySeal::Substitute(_), Body::SubstituteDay(body)) => {
            ((body.usage_point, body.day), body.day_root)
        }
        _ => return Err(BillProofError::OtherKind { what, day }),
    };
    if of != (usage_point, day) {
        return Err(BillProofError::OtherSubject { what, day });
    }
    if root != *day_root {
        return Err(BillProofError::DayRoot { day, sealed_by });
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
    let (segments, connection_limit) = (proof.segments.to_vec(), proof.bill.connection_limit);
    let mut inputs = BillInputs { segments, days: Vec::new(), connection_limit };
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

/// The fine anew, with the function with which the ledger counts it.
///
/// Rule: dues are no signed statement of anybody: they follow from bills, payments and decisions, each
/// of which has its own receipt. The bill commits to them day by day, and the ledger's event to the
/// bill; from there on the fine is counted, not believed.
fn recount(rules: &Rules, proof: &BillProof) -> Result<MicroCurrency, BillProofError> {
    let (bill, basis) = (&proof.bill, &proof.fine);
    if basis.hash() != bill.fine_hash {
        return Err(BillProofError::FineBasis);
    }
    // A later revision shows the fine of the first one.
    let calendar = rules.calendar();
    let issued_on =
        calendar.period_at(bill.issued_at).and_then(|period| calendar.day_of(period))?;
    let in_time =
        if bill.revision == 1 { basis.today == issued_on } else { basis.today <= issued_on };
    if !in_time || !basis.is_possible() {
        return Err(BillProofError::FineBasisImpossible);
    }
    Ok(basis.fine(rules.minor_unit_micro())?)
}

/// What stands on the sheet beside the lines. Gives what was open right after the issue.
fn verify_account(proof: &BillProof) -> Result<MicroCurrency, BillProofError> {
    let (bill, zero) = (&proof.bill, MicroCurrency::ZERO);
    let BillAccount { arrears, payments, paid_out, upheld, credit } = bill.account;
    let wrong = |what| Err(BillProofError::Account(what));
    if [arrears, payments, paid_out, upheld, credit].into_iter().any(|it| it < zero) {
        return wrong("an amount is below zero");
    }
    if bill.revision == 1 && (paid_out, upheld) != (zero, zero) {
        return wrong("it names what became of a bill before, and there is none");
    }
    // Dues are what is unpaid and undisputed, without fines; arrears are all of it.
    if bill.revision == 1 && arrears < proof.fine.account.dues() {
        return wrong("the arrears are less than the dues that the fine is counted from");
    }
    let open = bill.open_at_issue()?;
    if credit > zero && open < zero {
        return wrong("more credit is used up than there was to pay");
    }
    Ok(open)
}

fn compare(bill: &Bill, computed: &BillCalculation) -> Result<(), BillProofError> {
    let lines = (bill.lines.len(), computed.lines.len());
    if lines.0 != lines.1 {
        return Err(BillProofError::LineCount { bill: lines.0, computed: lines.1 });
    }
    for (line, (ours, theirs)) in (1..).zip(bill.lines.iter().zip(&computed.lines)) {
        let subject = |it: &BillLine| (it.kind, it.name.clone(), it.tariff, it.version);
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
    let total: i128 = bill.lines.iter().map(|line| i128::from(line.amount.get())).sum();
    equal(Place::Bill, "total in micro", i128::from(bill.total.get()), total)
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
