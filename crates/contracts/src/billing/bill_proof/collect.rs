//! Puts the proof of a bill together from the state and the history.

use primitives::calendar::LocalDay;
use primitives::codec::{self, Bounded};
use primitives::envelope::SignedTransaction;
use primitives::hash::Hash;
use primitives::identifier::{BillId, UsagePointId};
use primitives::proof::EventProof;
use primitives::reading::{DayPayload, DaySeed, Reading, ReadingPayload, reading_leaf, salt};
use thiserror::Error;

use super::{BillProof, DayProof, DaySeal, FrequencyDayProof, FrequencyPatch, ReadingPatch};
use crate::billing::bill_calculation::{TariffSegment, tariff_hash};
use crate::billing::{Bill, DaySources};
use crate::genesis::Rules;
use crate::metering::{DayCommitment, GatewayBatch, PrivateDayPayload, SealedBy};
use crate::rejection::Rejection;
use crate::state::{Position, State};
use crate::transaction::Body;

/// Why the proof of a bill cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CollectError {
    /// There is no such bill, or its values were erased.
    #[error(transparent)]
    Rejection(#[from] Rejection),
    /// The history does not give what the bill commits to.
    #[error("the {what} in the history are not those of the bill")]
    Differs {
        /// Readings, frequencies or tariffs.
        what: &'static str,
    },
}

/// Where to find what the bill was computed from.
struct Source<'a> {
    rules: &'a Rules,
    state: &'a dyn State,
    usage_point: UsagePointId,
}

impl BillProof {
    /// The proof of `bill`, whose event `event` proves.
    ///
    /// `state` may be newer than the bill: what was amended after it is left out.
    ///
    /// # Errors
    /// [`CollectError`]: no such bill, or its values are erased.
    pub fn collect(
        rules: &Rules,
        state: &dyn State,
        bill: BillId,
        event: EventProof,
    ) -> Result<Self, CollectError> {
        let sources = state.bill_sources(bill)?;
        let bill = state.bill(bill)?;
        let usage_point = bill.usage_point;
        let source = Source { rules, state, usage_point };
        let (first, last) = bill.period.days().expect("an issued bill has a billing period");
        let days = (first.get()..=last.get())
            .map(|day| LocalDay::new(day).expect("between two days of a billing period"));
        let mut segments = Vec::new();
        for (first_period, tariff, version) in sources.segments.iter().copied() {
            let version = state.tariff_version(tariff, version)?;
            segments.push(TariffSegment { first_period, version });
        }
        if tariff_hash(&segments) != bill.tariff_hash {
            return Err(CollectError::Differs { what: "tariffs" });
        }
        let (mut readings, mut frequencies) = (Vec::new(), Vec::new());
        for (day, sources) in days.clone().zip(&sources.days) {
            readings.push(source.readings(day, sources)?);
        }
        for (day, corrections) in days.zip(&sources.frequency_days) {
            frequencies.push(source.frequencies(day, corrections)?);
        }
        compare(&bill, &readings, &frequencies)?;
        let (_, readings): (Vec<_>, Vec<_>) = readings.into_iter().unzip();
        let (_, frequencies): (Vec<_>, Vec<_>) = frequencies.into_iter().unzip();
        let bounded = "as many as the days of an issued bill";
        Ok(Self {
            genesis: rules.genesis().clone(),
            event,
            bill,
            segments: segments.try_into().expect("bounded alike"),
            days: readings.try_into().expect(bounded),
            frequency_days: frequencies.try_into().expect(bounded),
            fine: sources.fine,
        })
    }
}

impl Source<'_> {
    /// What the state names was ordered: when it is not there a read has failed, which the state
    /// remembers.
    fn transaction(&self, position: Position) -> Result<SignedTransaction, CollectError> {
        Ok(self.state.transaction(position).ok_or(Rejection::PayloadErased)?)
    }

    fn payload<T: borsh::BorshDeserialize>(&self, position: Position) -> Result<T, CollectError> {
        let bytes = self.state.payload(position).ok_or(Rejection::PayloadErased)?;
        Ok(codec::decode(&bytes).expect("a payload was decoded before it was ordered"))
    }

    fn readings(
        &self,
        day: LocalDay,
        sources: &DaySources,
    ) -> Result<(DayCommitment, DayProof), CollectError> {
        let (sealed_by, sealed, day_root) = self.seal(sources, day)?;
        let first = self.rules.calendar().periods_of(day).first;
        let mut readings: Vec<Reading> = sealed.readings.to_vec();
        let mut patches = Bounded::new();
        let mut corrections = Bounded::new();
        for (slot, position) in sources.corrections.iter().copied() {
            let period = crate::metering::later(first, slot);
            let in_force: ReadingPayload = self.payload(position)?;
            let sealed_salt = salt(&sealed.seed, u32::from(slot));
            let value = &mut readings[usize::from(slot)];
            let patch = ReadingPatch {
                transaction: self.transaction(position)?,
                salt: in_force.salt,
                sealed_leaf: reading_leaf(&sealed_salt, self.usage_point, period, value),
            };
            *value = in_force.reading;
            let bounded = "one correction per slot at most";
            corrections.push((slot, patch.transaction.id())).expect(bounded);
            patches.push(patch).expect(bounded);
        }
        let commitment = DayCommitment {
            usage_point: Some(self.usage_point),
            day,
            seal: sealed_by.transaction().id(),
            day_root,
            corrections,
        };
        let all_corrected = patches.len() == readings.len();
        let seed = if all_corrected { DaySeed::new([0; 32]) } else { sealed.seed };
        let readings = readings.try_into().expect("as many as were sealed");
        Ok((commitment, DayProof { seal: sealed_by, seed, readings, patches }))
    }

    fn seal(
        &self,
        sources: &DaySources,
        day: LocalDay,
    ) -> Result<(DaySeal, DayPayload, Hash), CollectError> {
        let transaction = self.transaction(sources.seal)?;
        let (seal, sealed) = match sources.by {
            SealedBy::Meter => (DaySeal::Meter(transaction), self.payload(sources.seal)?),
            SealedBy::Estimate { .. } => {
                (DaySeal::Estimate(transaction), self.payload(sources.seal)?)
            }
            SealedBy::PrivateMeter => {
                let payload: PrivateDayPayload = self.payload(sources.seal)?;
                (DaySeal::PrivateMeter(transaction), payload.values)
            }
            SealedBy::Substitute { .. } => {
                (DaySeal::Substitute(transaction), self.payload(sources.seal)?)
            }
            SealedBy::Gateway { entry } => {
                let batch: GatewayBatch = self.payload(sources.seal)?;
                let path = batch.tree(self.rules, day).path(u64::from(entry));
                let path = path.expect("the state names an entry of the batch");
                let sealed = batch.entries[usize::from(entry)].day.clone();
                (DaySeal::Gateway { transaction, path }, sealed)
            }
        };
        let first = self.rules.calendar().periods_of(day).first;
        let day_root = sealed.root(self.usage_point, first);
        Ok((seal, sealed, day_root))
    }

    fn frequencies(
        &self,
        day: LocalDay,
        in_force: &[(u16, Position)],
    ) -> Result<(DayCommitment, FrequencyDayProof), CollectError> {
        const DIFFERS: CollectError = CollectError::Differs { what: "frequencies" };
        let frequency_day = self.state.frequency_day(day);
        let seal = frequency_day.seal.ok_or(DIFFERS)?;
        // The sealed values: today's, without what was corrected since.
        let mut frequencies = frequency_day.slots.to_vec();
        for correction in &frequency_day.corrections {
            frequencies[usize::from(correction.slot)] = correction.original;
        }
        let mut patches = Bounded::new();
        let mut corrections = Bounded::new();
        for (slot, position) in in_force.iter().copied() {
            let transaction = self.transaction(position)?;
            let envelope = &transaction.envelope;
            let value = &mut frequencies[usize::from(slot)];
            let sealed = value.ok_or(DIFFERS)?;
            *value = match Body::decode(envelope.kind, &envelope.body) {
                Ok(Body::CorrectFrequency(body)) => Some(body.frequency),
                _ => None,
            };
            let bounded = "one correction per slot at most";
            corrections.push((slot, transaction.id())).expect(bounded);
            patches.push(FrequencyPatch { transaction, sealed }).expect(bounded);
        }
        let commitment = DayCommitment {
            usage_point: None,
            day,
            seal: seal.transaction,
            day_root: seal.day_root,
            corrections,
        };
        let frequencies = frequencies.try_into().expect("as many as were sealed");
        let seal = self.transaction(seal.position)?;
        Ok((commitment, FrequencyDayProof { seal, frequencies, patches }))
    }
}

/// What was found must be what the bill commits to.
fn compare(
    bill: &Bill,
    readings: &[(DayCommitment, DayProof)],
    frequencies: &[(DayCommitment, FrequencyDayProof)],
) -> Result<(), CollectError> {
    let readings: Vec<_> = readings.iter().map(|(it, _)| it.clone()).collect();
    if DayCommitment::root(&readings) != bill.readings_root {
        return Err(CollectError::Differs { what: "readings" });
    }
    let frequencies: Vec<_> = frequencies.iter().map(|(it, _)| it.clone()).collect();
    if DayCommitment::root(&frequencies) != bill.frequency_root {
        return Err(CollectError::Differs { what: "frequencies" });
    }
    Ok(())
}
