//! The proof of a bill as JSON: named fields for what people read, base64url for what is signed.
//!
//! What can be computed from other fields is written for the reader and compared when read, because
//! the whole file is written again and must come out the same.

use contracts::Body;
use contracts::billing::bill_proof::{
    BillProof, DayProof, DaySeal, FrequencyDayProof, FrequencyPatch, ReadingPatch, issued_event,
};
use contracts::billing::{Bill, BillIssued};
use contracts::event::Event;
use primitives::calendar::LocalDay;
use primitives::codec::{Bounded, CodecError, encode};
use primitives::envelope::SignedTransaction;
use primitives::hash::Hash;
use primitives::identifier::LedgerId;
use primitives::proof::EventProof;
use serde::{Deserialize, Serialize};

use crate::bill_json::{BillJson, SegmentJson};
use crate::chain_json::{AnchorJson, EventPathJson, PathJson, SetChangeJson};
use crate::fine_json::FineJson;
use crate::genesis_file::GenesisJson;
use crate::json::{Base64, Written};
use crate::proof_columns::{self, Columns, Patch};
use crate::proof_file::{FORMAT, ProofFileError};

/// The whole file, in the order in which it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofJson {
    pub format: String,
    pub ledger_id: Written<LedgerId>,
    bill: BillJson,
    bill_hash: Written<Hash>,
    tariff: Vec<SegmentJson>,
    fine: FineJson,
    columns: Columns,
    day_seeds: Vec<Base64>,
    day_seals: SealsJson,
    patches: Vec<Patch>,
    path: EventPathJson,
    set_changes: Vec<SetChangeJson>,
    anchor: AnchorJson,
    genesis: GenesisJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealsJson {
    meter: Vec<SealJson>,
    frequency: Vec<Base64>,
}

/// The seal of a day; with a path it is a gateway's. Whether another is the meter's own, or the biller's
/// estimate or substitute, is what its transaction says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealJson {
    transaction: Base64,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathJson>,
}

impl ProofJson {
    /// The written form of a proof whose event is that of its bill.
    pub(crate) fn of(proof: &BillProof, bill_hash: Hash, days: &[LocalDay]) -> Self {
        let event = &proof.event;
        Self {
            format: FORMAT.to_owned(),
            ledger_id: Written(proof.genesis.ledger_id()),
            bill: BillJson::of(&proof.bill),
            bill_hash: Written(bill_hash),
            tariff: proof.segments.iter().map(SegmentJson::of).collect(),
            fine: FineJson::of(&proof.fine),
            columns: Columns::of(&proof.days, &proof.frequency_days),
            day_seeds: proof.days.iter().map(|it| Base64(it.seed.as_bytes().to_vec())).collect(),
            day_seals: SealsJson {
                meter: proof.days.iter().map(|it| SealJson::of(&it.seal)).collect(),
                frequency: proof.frequency_days.iter().map(|it| signed(&it.seal)).collect(),
            },
            patches: patches_of(proof, days),
            path: EventPathJson::of(&event.path),
            set_changes: event.set_changes.iter().map(SetChangeJson::of).collect(),
            anchor: AnchorJson::of(&event.anchor),
            genesis: GenesisJson::of(&proof.genesis),
        }
    }

    /// The proof that is written here.
    pub(crate) fn proof(self) -> Result<BillProof, ProofFileError> {
        let genesis = self.genesis.genesis()?;
        let bill = self.bill.bill()?;
        let days = proof_columns::slots_of(&genesis, &bill)?;
        let segments: Result<Vec<_>, _> =
            self.tariff.into_iter().map(SegmentJson::segment).collect();
        let set_changes: Result<Vec<_>, _> =
            self.set_changes.into_iter().map(SetChangeJson::change).collect();
        let event = EventProof {
            validators: genesis.validators.clone(),
            set_changes: set_changes?.try_into()?,
            anchor: self.anchor.anchor()?,
            path: self.path.path()?,
            event: event_bytes(&bill, self.bill_hash.0)?,
        };
        let mut readings = self.columns.readings(&days)?.into_iter();
        let mut frequencies = self.columns.frequencies(&days)?.into_iter();
        let count = |what, found: usize, wanted: usize| {
            if found == wanted {
                Ok(())
            } else {
                Err(ProofFileError::Count { what, found, wanted })
            }
        };
        count("day_seeds", self.day_seeds.len(), days.len())?;
        count("day_seals.meter", self.day_seals.meter.len(), days.len())?;
        count("day_seals.frequency", self.day_seals.frequency.len(), frequencies.len())?;
        let (mut reading_patches, mut frequency_patches) =
            proof_columns::patches_by_day(self.patches, &days, frequencies.len())?;
        let mut day_proofs = Vec::with_capacity(days.len());
        for (index, (seed, seal)) in self.day_seeds.iter().zip(self.day_seals.meter).enumerate() {
            day_proofs.push(DayProof {
                seal: seal.seal()?,
                seed: proof_columns::seed(seed)?,
                readings: readings.next().unwrap_or_default(),
                patches: std::mem::take(&mut reading_patches[index]),
            });
        }
        let mut frequency_days = Vec::new();
        for (index, seal) in self.day_seals.frequency.into_iter().enumerate() {
            frequency_days.push(FrequencyDayProof {
                seal: proof_columns::transaction(&seal)?,
                frequencies: frequencies.next().unwrap_or_default(),
                patches: std::mem::take(&mut frequency_patches[index]),
            });
        }
        Ok(BillProof {
            genesis,
            event,
            bill,
            segments: segments?.try_into()?,
            days: day_proofs.try_into()?,
            frequency_days: frequency_days.try_into()?,
            fine: self.fine.basis()?,
        })
    }
}

/// The event says what the bill says, except for the hash, which stands beside it.
fn event_bytes<const MAX: usize>(
    bill: &Bill,
    bill_hash: Hash,
) -> Result<Bounded<u8, MAX>, CodecError> {
    let event = match issued_event(bill) {
        Event::BillIssued(issued) => Event::BillIssued(BillIssued { bill_hash, ..issued }),
        other => other,
    };
    encode(&event).try_into()
}

fn patches_of(proof: &BillProof, days: &[LocalDay]) -> Vec<Patch> {
    let reading = |day: LocalDay, it: &ReadingPatch| Patch::Reading {
        day: Written(day),
        transaction: signed(&it.transaction),
        salt: Base64(it.salt.to_vec()),
        sealed_leaf: Written(it.sealed_leaf),
    };
    let frequency = |day: LocalDay, it: &FrequencyPatch| Patch::Frequency {
        day: Written(day),
        transaction: signed(&it.transaction),
        sealed_mhz: it.sealed.get(),
    };
    let mut patches = Vec::new();
    for (index, day) in days.iter().enumerate() {
        let readings = proof.days.get(index).map(|it| it.patches.as_slice()).unwrap_or_default();
        patches.extend(readings.iter().map(|it| reading(*day, it)));
        let frequencies = proof.frequency_days.get(index);
        let frequencies = frequencies.map(|it| it.patches.as_slice()).unwrap_or_default();
        patches.extend(frequencies.iter().map(|it| frequency(*day, it)));
    }
    patches
}

fn signed(transaction: &SignedTransaction) -> Base64 {
    Base64(encode(transaction))
}

/// Who sealed a day with a transaction of this kind.
fn seal_of(transaction: SignedTransaction) -> DaySeal {
    let envelope = &transaction.envelope;
    match Body::decode(envelope.kind, &envelope.body) {
        Ok(Body::EstimateDay(_)) => DaySeal::Estimate(transaction),
        Ok(Body::SealPrivateDay(_)) => DaySeal::PrivateMeter(transaction),
        Ok(Body::SubstituteDay(_)) => DaySeal::Substitute(transaction),
        _ => DaySeal::Meter(transaction),
    }
}

impl SealJson {
    fn of(seal: &DaySeal) -> Self {
        let path = match seal {
            DaySeal::Meter(_)
            | DaySeal::Estimate(_)
            | DaySeal::PrivateMeter(_)
            | DaySeal::Substitute(_) => None,
            DaySeal::Gateway { path, .. } => Some(PathJson::of(path)),
        };
        Self { transaction: signed(seal.transaction()), path }
    }

    fn seal(self) -> Result<DaySeal, ProofFileError> {
        let transaction = proof_columns::transaction(&self.transaction)?;
        Ok(match self.path {
            None => seal_of(transaction),
            Some(path) => DaySeal::Gateway { transaction, path: path.path()? },
        })
    }
}
