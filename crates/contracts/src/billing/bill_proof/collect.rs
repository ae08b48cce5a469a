//! Puts the proof of a bill together from the state and the history.

use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::codec::{self, Bounded};
use primitives::envelope::SignedTransaction;
use primitives::hash::Hash;
use primitives::identifier::{BillId, UsagePointId};
use primitives::proof::EventProof;
use primitives::reading::{DayPayload, DaySeed, Reading, ReadingPayload, reading_leaf, salt};
use primitives::units::MilliHertz;
use thiserror::Error;

use super::{BillProof, DayProof, DaySeal, FrequencyDayProof, FrequencyPatch, ReadingPatch};
use crate::billing::Bill;
use crate::billing::bill_calculation::{TariffSegment, tariff_hash};
use crate::genesis::Rules;
use crate::metering::{DayCommitment, GatewayBatch, Seal, SealedBy};
use crate::rejection::Rejection;
use crate::state::{Position, State};
use crate::transaction::Body;

/// Why the proof of a bill cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CollectError {
    /// There is no such bill, or its values were erased.
    #[error(transparent)]
    Rejection(#[from] Rejection),
    /// What the bill was computed from was replaced after it was issued, so that the state no longer
    /// tells it: a slot corrected before and again after, a gateway's seal that gave way to a meter's.
    #[error("the {what} of the bill were replaced after it was issued")]
    Replaced {
        /// Readings, frequencies or tariffs.
        what: &'static str,
    },
}

/// What the bill knew: the state and history as they were before its position.
struct Source<'a> {
    rules: &'a Rules,
    state: &'a dyn State,
    usage_point: UsagePointId,
    issued: Position,
    sealed_frequency: &'a dyn Fn(SettlementPeriod) -> Option<MilliHertz>,
}

impl BillProof {
    /// The proof of `bill`, whose event `event` proves.
    ///
    /// `state` may be newer than the bill: corrections after it are left out.
    /// `sealed_frequency` tells the frequency that the day's seal holds for a period that was corrected
    /// after the seal; the state has only the value in force.
    ///
    /// # Errors
    /// [`CollectError`]: no such bill, its values are erased, or what it was computed from was replaced.
    pub fn collect(
        rules: &Rules,
        state: &dyn State,
        bill: BillId,
        event: EventProof,
        sealed_frequency: &dyn Fn(SettlementPeriod) -> Option<MilliHertz>,
    ) -> Result<Self, CollectError> {
        let issued = state.bill_state(bill)?.position;
        let bill = state.bill(bill)?;
        let usage_point = bill.usage_point;
        let source = Source { rules, state, usage_point, issued, sealed_frequency };
        let (first, last) = bill.period.days().expect("an issued bill has a billing period");
        let days = (first.get()..=last.get())
            .map(|day| LocalDay::new(day).expect("between two days of a billing period"));
        let segments = source.segments(days.clone())?;
        if tariff_hash(&segments) != bill.tariff_hash {
            return Err(CollectError::Replaced { what: "tariffs" });
        }
        let needs_frequency = segments.iter().any(|it| it.version.terms.needs_frequency());
        let (mut readings, mut frequencies) = (Vec::new(), Vec::new());
        for day in days {
            readings.push(source.readings(day)?);
            if needs_frequency {
                frequencies.push(source.frequencies(day)?);
            }
        }
        source.compare(&bill, &readings, &frequencies)?;
        let (_, readings): (Vec<_>, Vec<_>) = readings.into_iter().unzip();
        let (_, frequencies): (Vec<_>, Vec<_>) = frequencies.into_iter().unzip();
        let bounded = "as many as the days of an issued bill";
        Ok(Self {
            genesis: rules.genesis().clone(),
            event,
            bill,
            segments: segments.try_into().expect("an issued bill has few enough lines"),
            days: readings.try_into().expect(bounded),
            frequency_days: frequencies.try_into().expect(bounded),
        })
    }
}

impl Source<'_> {
    fn segments(
        &self,
        days: impl Iterator<Item = LocalDay>,
    ) -> Result<Vec<TariffSegment>, CollectError> {
        let mut segments: Vec<TariffSegment> = Vec::new();
        for period in days.flat_map(|day| self.rules.calendar().periods_of(day).iter()) {
            let version = self.state.tariff_in(self.usage_point, period)?;
            if segments.last().is_none_or(|segment| segment.version != version) {
                segments.push(TariffSegment { first_period: period, version });
            }
        }
        Ok(segments)
    }

    fn transaction(&self, position: Position) -> SignedTransaction {
        self.state.transaction(position).expect("the state names ordered transactions")
    }

    fn payload<T: borsh::BorshDeserialize>(&self, position: Position) -> Result<T, CollectError> {
        let bytes = self.state.payload(position).ok_or(Rejection::PayloadErased)?;
        Ok(codec::decode(&bytes).expect("a payload was decoded before it was ordered"))
    }

    fn readings(&self, day: LocalDay) -> Result<(DayCommitment, DayProof), CollectError> {
        let replaced = CollectError::Replaced { what: "readings" };
        let metered_day = self.state.metered_day(self.usage_point, day);
        let seal = metered_day.seal.filter(|seal| seal.position < self.issued).ok_or(replaced)?;
        let (sealed_by, sealed) = self.seal(&seal, day)?;
        let first = self.rules.calendar().periods_of(day).first;
        let mut readings: Vec<Reading> = sealed.readings.to_vec();
        let mut patches = Bounded::new();
        let mut corrections = Bounded::new();
        let kept = metered_day.corrections.iter().filter(|it| it.position < self.issued);
        for correction in kept {
            let slot = usize::from(correction.slot);
            let period = crate::metering::later(first, correction.slot);
            let in_force: ReadingPayload = self.payload(correction.position)?;
            let sealed_salt = salt(&sealed.seed, u32::from(correction.slot));
            let patch = ReadingPatch {
                transaction: self.transaction(correction.position),
                salt: in_force.salt,
                sealed_leaf: self.leaf(&sealed_salt, period, &readings[slot]),
            };
            readings[slot] = in_force.reading;
            let bounded = "one correction per slot at most";
            patches.push(patch).expect(bounded);
            corrections.push((correction.slot, correction.transaction)).expect(bounded);
        }
        let commitment = DayCommitment {
            usage_point: Some(self.usage_point),
            day,
            seal: seal.transaction,
            day_root: seal.day_root,
            corrections,
        };
        let all_corrected = patches.len() == readings.len();
        let seed = if all_corrected { DaySeed::new([0; 32]) } else { sealed.seed };
        let readings = readings.try_into().expect("as many as were sealed");
        Ok((commitment, DayProof { seal: sealed_by, seed, readings, patches }))
    }

    fn leaf(&self, salt: &[u8; 32], period: SettlementPeriod, reading: &Reading) -> Hash {
        reading_leaf(salt, self.usage_point, period, reading)
    }

    fn seal(&self, seal: &Seal, day: LocalDay) -> Result<(DaySeal, DayPayload), CollectError> {
        let transaction = self.transaction(seal.position);
        Ok(match seal.by {
            SealedBy::Meter => (DaySeal::Meter(transaction), self.payload(seal.position)?),
            SealedBy::Gateway { entry } => {
                let batch: GatewayBatch = self.payload(seal.position)?;
                let path = batch.tree(self.rules, day).path(u64::from(entry));
                let path = path.expect("the state names an entry of the batch");
                let sealed = batch.entries[usize::from(entry)].day.clone();
                (DaySeal::Gateway { transaction, path }, sealed)
            }
        })
    }

    fn frequencies(
        &self,
        day: LocalDay,
    ) -> Result<(DayCommitment, FrequencyDayProof), CollectError> {
        const REPLACED: CollectError = CollectError::Replaced { what: "frequencies" };
        let frequency_day = self.state.frequency_day(day);
        let seal = frequency_day.seal.filter(|it| it.position < self.issued).ok_or(REPLACED)?;
        let first = self.rules.calendar().periods_of(day).first;
        let mut frequencies = frequency_day.slots.to_vec();
        let mut patches = Bounded::new();
        let mut corrections = Bounded::new();
        for correction in &frequency_day.corrections {
            let period = crate::metering::later(first, correction.slot);
            let sealed = (self.sealed_frequency)(period).ok_or(REPLACED)?;
            let in_force = &mut frequencies[usize::from(correction.slot)];
            if correction.position > self.issued {
                *in_force = Some(sealed);
                continue;
            }
            let transaction = self.transaction(correction.position);
            let envelope = &transaction.envelope;
            *in_force = match Body::decode(envelope.kind, &envelope.body) {
                Ok(Body::CorrectFrequency(body)) => Some(body.frequency),
                _ => None,
            };
            let bounded = "one correction per slot at most";
            patches.push(FrequencyPatch { transaction, sealed }).expect(bounded);
            corrections.push((correction.slot, correction.transaction)).expect(bounded);
        }
        let commitment = DayCommitment {
            usage_point: None,
            day,
            seal: seal.transaction,
            day_root: seal.day_root,
            corrections,
        };
        let frequencies = frequencies.try_into().expect("as many as were sealed");
        let seal = self.transaction(seal.position);
        Ok((commitment, FrequencyDayProof { seal, frequencies, patches }))
    }

    /// What was found must be what the bill commits to.
    fn compare(
        &self,
        bill: &Bill,
        readings: &[(DayCommitment, DayProof)],
        frequencies: &[(DayCommitment, FrequencyDayProof)],
    ) -> Result<(), CollectError> {
        let readings: Vec<_> = readings.iter().map(|(it, _)| it.clone()).collect();
        if DayCommitment::root(&readings) != bill.readings_root {
            return Err(CollectError::Replaced { what: "readings" });
        }
        let frequencies: Vec<_> = frequencies.iter().map(|(it, _)| it.clone()).collect();
        if DayCommitment::root(&frequencies) != bill.frequency_root {
            return Err(CollectError::Replaced { what: "frequencies" });
        }
        Ok(())
    }
}
