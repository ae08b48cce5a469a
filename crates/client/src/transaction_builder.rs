//! From plain values to signed transactions: the sequence, the commitment, the payload beside it.

use contracts::metering::estimation::{EstimationInputs, ProfileNeeded, estimate};
use contracts::metering::{
    CorrectReading, EstimateDay, GatewayBatch, GatewayEntry, PrivateDayPayload, Registers, SealDay,
    SealFrequencyDay, SealGatewayBatch, SealPrivateDay, SubmitReading, SubstituteDay,
    frequency_root,
};
use contracts::{Body, Malformed, Rules};
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::codec::{Bounded, CodecError, encode};
use primitives::envelope::{ENVELOPE_VERSION, Envelope, SignedTransaction, Submission};
use primitives::hash::Hash;
use primitives::identifier::{KeyAddress, LedgerId, TransactionId, UsagePointId};
use primitives::key::{PublicKey, SigningKey};
use primitives::reading::{DayPayload, DaySeed, Reading, ReadingPayload};
use primitives::units::{MilliHertz, OutOfRange, Sequence, Timestamp, WattHours};
use thiserror::Error;

/// Why a transaction cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// A list is longer than the format allows: cosigners, body or payload.
    #[error("{what}: {error}")]
    TooLong {
        /// Which list.
        what: &'static str,
        /// Its length and its bound.
        error: CodecError,
    },
    /// The transaction would be refused by every node, whatever the state.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A sum, a day or the sequence leaves its range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// A slot of an estimate has no value without a standard profile.
    #[error(transparent)]
    ProfileNeeded(#[from] ProfileNeeded),
    /// The day has another number of slots than values were given.
    #[error("{day} has {slots} slots, {found} values were given")]
    SlotCount {
        /// The local day.
        day: LocalDay,
        /// How many slots it has.
        slots: u16,
        /// How many values there are.
        found: usize,
    },
}

/// Everything that a meter says about one of its days.
#[derive(Clone, Copy, Debug)]
pub struct MeterDay<'a> {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The local day in the grid's zone.
    pub day: LocalDay,
    /// Counts this meter's seals, rising from 1.
    pub seal_sequence: u32,
    /// The cumulative registers at the beginning of the day, or where the meter was installed in it.
    pub first: Registers,
    /// The value in Wh at which the registers start again; 0 = never.
    pub register_limit: WattHours,
    /// Slots of the day before the meter was installed, 0 on every other day: their readings are the
    /// former meter's as they stand on the ledger, and the registers do not count them.
    pub former_slots: u16,
    /// One reading for each slot of the day: 92, 96 or 100 with slots of 15 minutes.
    pub readings: &'a [Reading],
    /// The secret of the day, from which the salts of its readings are made; see [`new_seed`].
    pub seed: DaySeed,
    /// Slots whose single readings, sent before, this seal corrects, rising.
    pub corrects: &'a [u16],
}

impl MeterDay<'_> {
    /// The registers at the end of the day, where the next day begins.
    ///
    /// # Errors
    /// [`OutOfRange`] when a register overflows that never starts again.
    pub fn last(&self) -> Result<Registers, OutOfRange> {
        let own = self.readings.get(usize::from(self.former_slots)..).unwrap_or_default();
        let moved = Registers {
            import: WattHours::sum(own.iter().map(|reading| reading.import_wh))?,
            export: WattHours::sum(own.iter().map(|reading| reading.export_wh))?,
        };
        self.first.advanced(moved, self.register_limit)
    }
}

/// One meter's day in a gateway's batch.
#[derive(Clone, Debug)]
pub struct GatewayDay {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// One reading for each slot of the day.
    pub readings: Vec<Reading>,
    /// The secret of the day; see [`new_seed`].
    pub seed: DaySeed,
}

/// A day with gaps, to be filled by the ledger's rule.
#[derive(Clone, Copy, Debug)]
pub struct EstimatedDay<'a> {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The local day in the grid's zone.
    pub day: LocalDay,
    /// What is known about it, from the ledger's state or from a node
    /// ([`estimation_inputs`](crate::estimation_json::estimation_inputs)).
    pub inputs: &'a EstimationInputs,
    /// The standard profile that the inputs hold, by the transaction that published it.
    pub profile: Option<TransactionId>,
    /// The secret of the salts; see [`new_seed`].
    pub seed: DaySeed,
}

/// A key that acts on one ledger, and its count of transactions.
///
/// The sequence is used up by every transaction that is ordered, also by a rejected one, so the
/// signer counts on whatever becomes of a submission. After a gap of up to 1,024 a key may still use
/// what it left out; for more, ask the node ([`crate::connection::Connection::signer`]).
#[derive(Clone, Debug)]
pub struct Signer {
    key: SigningKey,
    ledger_id: LedgerId,
    next_sequence: Sequence,
}

impl Signer {
    /// A signer whose next transaction carries `next_sequence`; a fresh key begins with 1.
    #[must_use]
    pub const fn new(key: SigningKey, ledger_id: LedgerId, next_sequence: Sequence) -> Self {
        Self { key, ledger_id, next_sequence }
    }

    /// The key, to cosign for others.
    #[must_use]
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// The address under which the ledger knows the key.
    #[must_use]
    pub fn address(&self) -> KeyAddress {
        self.public().address()
    }

    /// The ledger for which the key signs.
    #[must_use]
    pub const fn ledger_id(&self) -> LedgerId {
        self.ledger_id
    }

    /// The sequence of the next transaction.
    #[must_use]
    pub const fn next_sequence(&self) -> Sequence {
        self.next_sequence
    }

    /// Signs a transaction with its payload (empty when its kind has none).
    ///
    /// `valid_until` counts only for kinds that expire, where it lies after the block's time and at
    /// most 24 hours ahead of it; for seals and frequencies 0 is written whatever is given.
    ///
    /// # Errors
    /// [`BuildError::TooLong`] with too many cosigners, or a payload above 1 MiB;
    /// [`BuildError::OutOfRange`] after the last sequence.
    pub fn submission(
        &mut self,
        body: impl Into<Body>,
        payload: Vec<u8>,
        cosigners: &[&SigningKey],
        valid_until: Timestamp,
    ) -> Result<Submission, BuildError> {
        let body = body.into();
        let following = self.next_sequence.checked_add(Sequence::new(1))?;
        let public: Vec<PublicKey> = cosigners.iter().map(|key| key.public()).collect();
        let envelope = Envelope {
            version: ENVELOPE_VERSION,
            ledger_id: self.ledger_id,
            signer: self.public(),
            cosigners: bounded("cosigners", public)?,
            sequence: self.next_sequence,
            valid_until: if body.entry().expires { valid_until } else { Timestamp::ZERO },
            kind: body.kind(),
            body: bounded("body of the transaction", body.encode())?,
        };
        let payload = bounded("payload of the transaction", payload)?;
        let mut keys = vec![&self.key];
        keys.extend(cosigners);
        let transaction = SignedTransaction::sign(envelope, &keys);
        self.next_sequence = following;
        Ok(Submission { transaction, payload })
    }

    /// A transaction that neither expires nor needs a cosigner, after the check that a node makes.
    fn seal(
        &mut self,
        rules: &Rules,
        body: impl Into<Body>,
        payload: Vec<u8>,
    ) -> Result<Submission, BuildError> {
        let body = body.into();
        body.check(&payload, rules)?;
        self.submission(body, payload, &[], Timestamp::ZERO)
    }

    /// The meter's seal of a day: the root over its readings, the registers, and the values beside.
    ///
    /// # Errors
    /// [`BuildError`]: the day has another number of slots, a register overflows, the sequence of
    /// seals is 0.
    pub fn seal_day(
        &mut self,
        rules: &Rules,
        day: &MeterDay<'_>,
    ) -> Result<Submission, BuildError> {
        let payload = day_payload(rules, day.day, day.readings.to_vec(), day.seed)?;
        let first_period = rules.calendar().periods_of(day.day).first;
        let body = SealDay {
            usage_point: day.usage_point,
            day: day.day,
            sequence: day.seal_sequence,
            first: day.first,
            last: day.last()?,
            day_root: payload.root(day.usage_point, first_period),
            corrects: bounded("corrected slots", day.corrects.to_vec())?,
        };
        self.seal(rules, body, encode(&payload))
    }

    /// The meter's seal of a day on a private ledger. The payload of the submission is for a node of the
    /// household or of its biller alone: another one refuses it, and nobody else should be sent it.
    ///
    /// # Errors
    /// As [`Signer::seal_day`].
    pub fn seal_private_day(
        &mut self,
        rules: &Rules,
        day: &MeterDay<'_>,
    ) -> Result<Submission, BuildError> {
        let values = day_payload(rules, day.day, day.readings.to_vec(), day.seed)?;
        let day_root = values.root(day.usage_point, rules.calendar().periods_of(day.day).first);
        let payload = PrivateDayPayload { values, first: day.first, last: day.last()? };
        let body = SealPrivateDay {
            usage_point: day.usage_point,
            day: day.day,
            sequence: day.seal_sequence,
            day_root,
            registers: payload.registers(day.usage_point, day.day),
        };
        self.hand_over(rules, body, encode(&payload))
    }

    /// The meter's seal of a day, as the ledger wants it: private or open.
    ///
    /// # Errors
    /// As [`Signer::seal_day`].
    pub fn seal_meter_day(
        &mut self,
        rules: &Rules,
        day: &MeterDay<'_>,
    ) -> Result<Submission, BuildError> {
        if rules.is_private() {
            self.seal_private_day(rules, day)
        } else {
            self.seal_day(rules, day)
        }
    }

    /// The biller's substitute for a day on a private ledger. For its payload see
    /// [`Signer::seal_private_day`].
    ///
    /// # Errors
    /// [`BuildError`]: the day has another number of slots, a value is of quality A.
    pub fn substitute_day(
        &mut self,
        rules: &Rules,
        (usage_point, day): (UsagePointId, LocalDay),
        readings: &[Reading],
        seed: DaySeed,
    ) -> Result<Submission, BuildError> {
        let payload = day_payload(rules, day, readings.to_vec(), seed)?;
        let day_root = payload.root(usage_point, rules.calendar().periods_of(day).first);
        let body = SubstituteDay { usage_point, day, day_root };
        self.hand_over(rules, body, encode(&payload))
    }

    /// A transaction with the private payload beside it, after the checks that an entitled node makes.
    fn hand_over(
        &mut self,
        rules: &Rules,
        body: impl Into<Body>,
        payload: Vec<u8>,
    ) -> Result<Submission, BuildError> {
        let body = body.into();
        body.check(&[], rules)?;
        body.check_private(&payload, rules)?;
        self.submission(body, payload, &[], Timestamp::ZERO)
    }

    /// One reading during the day. With [`slot_salt`] of the day's seed the day's seal will agree.
    ///
    /// # Errors
    /// [`BuildError::OutOfRange`] after the last sequence.
    pub fn submit_reading(
        &mut self,
        usage_point: UsagePointId,
        period: SettlementPeriod,
        reading: Reading,
        salt: [u8; 32],
    ) -> Result<Submission, BuildError> {
        let payload = ReadingPayload { reading, salt };
        let body = SubmitReading { usage_point, period, leaf: payload.leaf(usage_point, period) };
        self.submission(body, encode(&payload), &[], Timestamp::ZERO)
    }

    /// Another value in the place of a reading, with a fresh salt ([`new_salt`]).
    ///
    /// # Errors
    /// [`BuildError::OutOfRange`] after the last sequence.
    pub fn correct_reading(
        &mut self,
        usage_point: UsagePointId,
        period: SettlementPeriod,
        reading: Reading,
        salt: [u8; 32],
    ) -> Result<Submission, BuildError> {
        let payload = ReadingPayload { reading, salt };
        let body = CorrectReading { usage_point, period, leaf: payload.leaf(usage_point, period) };
        self.submission(body, encode(&payload), &[], Timestamp::ZERO)
    }

    /// A gateway's seal of one day of many meters; they are brought into the order of their ids.
    ///
    /// # Errors
    /// [`BuildError`]: a day has another number of slots, a usage point stands twice, there are more
    /// than 1,000 or the values are larger than a payload.
    pub fn gateway_batch(
        &mut self,
        rules: &Rules,
        day: LocalDay,
        mut meters: Vec<GatewayDay>,
    ) -> Result<Submission, BuildError> {
        meters.sort_by_key(|meter| meter.usage_point);
        let mut entries = Vec::with_capacity(meters.len());
        for GatewayDay { usage_point, readings, seed } in meters {
            entries
                .push(GatewayEntry { usage_point, day: day_payload(rules, day, readings, seed)? });
        }
        let batch = GatewayBatch { entries: bounded("meters of the batch", entries)? };
        let root = batch.tree(rules, day).root();
        let body = SealGatewayBatch { day, entries: batch.entries.len() as u16, root };
        self.seal(rules, body, encode(&batch))
    }

    /// The biller's estimate of a day, computed by the function with which the ledger compares it.
    ///
    /// # Errors
    /// [`BuildError`]: a slot needs a profile, the day has another number of slots.
    pub fn estimate_day(
        &mut self,
        rules: &Rules,
        estimated: &EstimatedDay<'_>,
    ) -> Result<Submission, BuildError> {
        let EstimatedDay { usage_point, day, inputs, profile, seed } = *estimated;
        let payload = day_payload(rules, day, estimate(inputs)?.readings, seed)?;
        let day_root = payload.root(usage_point, rules.calendar().periods_of(day).first);
        let body = EstimateDay { usage_point, day, profile, day_root };
        self.seal(rules, body, encode(&payload))
    }

    /// The grid operator's seal of a day's frequencies, one for each slot.
    ///
    /// # Errors
    /// [`BuildError::SlotCount`] when the day has another number of slots.
    pub fn seal_frequency_day(
        &mut self,
        rules: &Rules,
        day: LocalDay,
        frequencies: &[MilliHertz],
    ) -> Result<Submission, BuildError> {
        let slots: Vec<_> = frequencies.iter().copied().map(Some).collect();
        let day_root = frequency_root(rules, day, &slots)
            .ok_or_else(|| slot_count(rules, day, frequencies.len()))?;
        self.seal(rules, SealFrequencyDay { day, day_root }, Vec::new())
    }
}

fn day_payload(
    rules: &Rules,
    day: LocalDay,
    readings: Vec<Reading>,
    seed: DaySeed,
) -> Result<DayPayload, BuildError> {
    if readings.len() != usize::from(rules.calendar().periods_of(day).count) {
        return Err(slot_count(rules, day, readings.len()));
    }
    Ok(DayPayload { readings: bounded("readings of the day", readings)?, seed })
}

fn slot_count(rules: &Rules, day: LocalDay, found: usize) -> BuildError {
    BuildError::SlotCount { day, slots: rules.calendar().periods_of(day).count, found }
}

fn bounded<T, const MAX: usize>(
    what: &'static str,
    items: Vec<T>,
) -> Result<Bounded<T, MAX>, BuildError> {
    items.try_into().map_err(|error| BuildError::TooLong { what, error })
}

/// The salt that the seal of the day will use for `period`.
///
/// # Errors
/// [`OutOfRange`] for periods after the year 9999.
pub fn slot_salt(
    rules: &Rules,
    seed: &DaySeed,
    period: SettlementPeriod,
) -> Result<[u8; 32], OutOfRange> {
    let (_, slot) = rules.calendar().slot_in_day(period)?;
    Ok(primitives::reading::salt(seed, u32::from(slot)))
}

/// A seed for a meter's day that nobody can guess.
///
/// # Errors
/// [`getrandom::Error`] when the system has no randomness.
pub fn new_seed() -> Result<DaySeed, getrandom::Error> {
    new_salt().map(DaySeed::new)
}

/// 32 bytes that nobody can guess: a salt, or the seed of a key.
///
/// # Errors
/// [`getrandom::Error`] when the system has no randomness.
pub fn new_salt() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A fresh Ed25519 key.
///
/// # Errors
/// [`getrandom::Error`] when the system has no randomness.
pub fn new_key() -> Result<SigningKey, getrandom::Error> {
    new_salt().map(SigningKey::from_seed)
}

/// The seed of a day made of a longer-lived secret of the meter: nothing has to be stored per day.
#[must_use]
pub fn derived_seed(secret: &[u8; 32], usage_point: UsagePointId, day: LocalDay) -> DaySeed {
    let day = day.get().to_le_bytes();
    let parts: [&[u8]; 3] = [secret, usage_point.as_bytes(), &day];
    DaySeed::new(*Hash::of_domain("gridtally/day-seed/v1", &parts).as_bytes())
}
