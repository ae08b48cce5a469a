//! The proof of a bill as JSON: named fields for what people read, base64url for what is signed.
//!
//! What can be computed from other fields is written for the reader and compared when read, because
//! the whole file is written again and must come out the same.

use contracts::billing::bill_calculation::TariffSegment;
use contracts::billing::bill_proof::{
    BillProof, DayProof, DaySeal, FrequencyDayProof, FrequencyPatch, ReadingPatch, issued_event,
};
use contracts::billing::{Bill, BillLine, LineKind};
use contracts::event::Event;
use primitives::calendar::{BillingPeriod, LocalDay, SettlementPeriod};
use primitives::codec::{Bounded, CodecError, encode};
use primitives::hash::Hash;
use primitives::header::{Certificate, Executed, Header, ValidatorSet};
use primitives::identifier::{BillId, LedgerId, PartyId, TariffId, UsagePointId};
use primitives::key::{PublicKey, Signature};
use primitives::merkle::MerklePath;
use primitives::proof::{Anchor, EventPath, EventProof, SetChange};
use primitives::units::{BlockHeight, MicroCurrency, MilliMicro, Timestamp, WattHours};
use serde::{Deserialize, Serialize};

use crate::genesis_file::GenesisJson;
use crate::json::{Base64, Written, unwritten, written};
use crate::proof_columns::{self, Columns, Patch};
use crate::proof_file::ProofFileError;
use crate::tariff_json::TermsJson;

/// The whole file, in the order in which it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofJson {
    pub format: String,
    pub ledger_id: Written<LedgerId>,
    bill: BillJson,
    bill_hash: Written<Hash>,
    tariff: Vec<SegmentJson>,
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
struct BillJson {
    id: Written<BillId>,
    usage_point: Written<UsagePointId>,
    number: u32,
    period: Written<BillingPeriod>,
    revision: u32,
    customer: Written<PartyId>,
    biller: Written<PartyId>,
    export_payer: Written<PartyId>,
    metered_import_wh: Written<u64>,
    metered_export_wh: Written<u64>,
    residual_import_wh: Written<u64>,
    residual_export_wh: Written<u64>,
    lines: Vec<LineJson>,
    total_micro: Written<i64>,
    readings_root: Written<Hash>,
    frequency_root: Written<Hash>,
    tariff_hash: Written<Hash>,
    issued_at: Written<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineJson {
    kind: LineKindJson,
    tariff: Written<TariffId>,
    version: u16,
    energy_wh: Written<u64>,
    exact_milli_micro: Written<i128>,
    amount_micro: Written<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LineKindJson {
    EnergyImport,
    EnergyExport,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentJson {
    first_period: u32,
    tariff: Written<TariffId>,
    version: u16,
    version_first_period: u32,
    terms: TermsJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealsJson {
    meter: Vec<SealJson>,
    frequency: Vec<Base64>,
}

/// The seal of a day; with a path it is a gateway's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealJson {
    transaction: Base64,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PathJson {
    index: Written<u64>,
    leaf_count: Written<u64>,
    siblings: Vec<Written<Hash>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventPathJson {
    event_in_receipt: PathJson,
    receipt_in_block: PathJson,
    block_in_accumulator: PathJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnchorJson {
    header: HeaderJson,
    certificate: CertificateJson,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetChangeJson {
    header: HeaderJson,
    certificate: CertificateJson,
    next_validators: Vec<Written<PublicKey>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderJson {
    version: u8,
    ledger_id: Written<LedgerId>,
    height: Written<u64>,
    parent: Written<Hash>,
    time: Written<Timestamp>,
    proposer: Written<PublicKey>,
    epoch: Written<u64>,
    validators_hash: Written<Hash>,
    next_validators_hash: Written<Hash>,
    transactions_root: Written<Hash>,
    executed: ExecutedJson,
    context: Base64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExecutedJson {
    height: Written<u64>,
    state_root: Written<Hash>,
    receipts: Written<Hash>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateJson {
    view: Written<u64>,
    parent_view: Written<u64>,
    signatures: Vec<SignatureJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureJson {
    validator: u16,
    signature: Written<Signature>,
}

impl ProofJson {
    /// The written form of a proof whose event is that of its bill.
    pub(crate) fn of(proof: &BillProof, bill_hash: Hash, days: &[LocalDay]) -> Self {
        let event = &proof.event;
        let change = |it: &SetChange| SetChangeJson {
            header: HeaderJson::of(&it.header),
            certificate: CertificateJson::of(&it.certificate),
            next_validators: written(&it.next_validators),
        };
        Self {
            format: crate::proof_file::FORMAT.to_owned(),
            ledger_id: Written(proof.genesis.ledger_id()),
            bill: BillJson::of(&proof.bill),
            bill_hash: Written(bill_hash),
            tariff: proof.segments.iter().map(SegmentJson::of).collect(),
            columns: Columns::of(&proof.days, &proof.frequency_days),
            day_seeds: proof.days.iter().map(|it| Base64(it.seed.as_bytes().to_vec())).collect(),
            day_seals: SealsJson {
                meter: proof.days.iter().map(|it| SealJson::of(&it.seal)).collect(),
                frequency: proof.frequency_days.iter().map(|it| signed(&it.seal)).collect(),
            },
            patches: patches_of(proof, days),
            path: EventPathJson {
                event_in_receipt: PathJson::of(&event.path.event_in_receipt),
                receipt_in_block: PathJson::of(&event.path.receipt_in_block),
                block_in_accumulator: PathJson::of(&event.path.block_in_accumulator),
            },
            set_changes: event.set_changes.iter().map(change).collect(),
            anchor: AnchorJson {
                header: HeaderJson::of(&event.anchor.header),
                certificate: CertificateJson::of(&event.anchor.certificate),
            },
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
        let event = EventProof {
            validators: genesis.validators.clone(),
            set_changes: set_changes(self.set_changes)?,
            anchor: Anchor {
                header: self.anchor.header.header()?,
                certificate: self.anchor.certificate.certificate()?,
            },
            path: EventPath {
                event_in_receipt: self.path.event_in_receipt.path()?,
                receipt_in_block: self.path.receipt_in_block.path()?,
                block_in_accumulator: self.path.block_in_accumulator.path()?,
            },
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
        })
    }
}

fn set_changes<const MAX: usize>(
    changes: Vec<SetChangeJson>,
) -> Result<Bounded<SetChange, MAX>, ProofFileError> {
    let mut list = Bounded::new();
    for change in changes {
        list.push(SetChange {
            header: change.header.header()?,
            certificate: change.certificate.certificate()?,
            next_validators: ValidatorSet::new(unwritten(change.next_validators))
                .map_err(|error| ProofFileError::Value(error.to_string()))?,
        })?;
    }
    Ok(list)
}

/// The event says what the bill says, except for the hash, which stands beside it.
fn event_bytes<const MAX: usize>(
    bill: &Bill,
    bill_hash: Hash,
) -> Result<Bounded<u8, MAX>, CodecError> {
    let event = match issued_event(bill) {
        Event::BillIssued(issued) => {
            Event::BillIssued(contracts::billing::BillIssued { bill_hash, ..issued })
        }
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

fn signed(transaction: &primitives::envelope::SignedTransaction) -> Base64 {
    Base64(encode(transaction))
}

impl BillJson {
    fn of(bill: &Bill) -> Self {
        let line = |it: &BillLine| LineJson {
            kind: match it.kind {
                LineKind::EnergyImport => LineKindJson::EnergyImport,
                LineKind::EnergyExport => LineKindJson::EnergyExport,
            },
            tariff: Written(it.tariff),
            version: it.version,
            energy_wh: Written(it.energy.get()),
            exact_milli_micro: Written(it.exact.get()),
            amount_micro: Written(it.amount.get()),
        };
        Self {
            id: Written(bill.id()),
            usage_point: Written(bill.usage_point),
            number: bill.number,
            period: Written(bill.period),
            revision: bill.revision,
            customer: Written(bill.customer),
            biller: Written(bill.biller),
            export_payer: Written(bill.export_payer),
            metered_import_wh: Written(bill.metered_import.get()),
            metered_export_wh: Written(bill.metered_export.get()),
            residual_import_wh: Written(bill.residual_import.get()),
            residual_export_wh: Written(bill.residual_export.get()),
            lines: bill.lines.iter().map(line).collect(),
            total_micro: Written(bill.total.get()),
            readings_root: Written(bill.readings_root),
            frequency_root: Written(bill.frequency_root),
            tariff_hash: Written(bill.tariff_hash),
            issued_at: Written(bill.issued_at),
        }
    }

    fn bill(self) -> Result<Bill, CodecError> {
        let line = |it: LineJson| BillLine {
            kind: match it.kind {
                LineKindJson::EnergyImport => LineKind::EnergyImport,
                LineKindJson::EnergyExport => LineKind::EnergyExport,
            },
            tariff: it.tariff.0,
            version: it.version,
            energy: WattHours::new(it.energy_wh.0),
            exact: MilliMicro::new(it.exact_milli_micro.0),
            amount: MicroCurrency::new(it.amount_micro.0),
        };
        let lines: Vec<_> = self.lines.into_iter().map(line).collect();
        Ok(Bill {
            usage_point: self.usage_point.0,
            number: self.number,
            period: self.period.0,
            revision: self.revision,
            customer: self.customer.0,
            biller: self.biller.0,
            export_payer: self.export_payer.0,
            metered_import: WattHours::new(self.metered_import_wh.0),
            metered_export: WattHours::new(self.metered_export_wh.0),
            residual_import: WattHours::new(self.residual_import_wh.0),
            residual_export: WattHours::new(self.residual_export_wh.0),
            lines: lines.try_into()?,
            total: MicroCurrency::new(self.total_micro.0),
            readings_root: self.readings_root.0,
            frequency_root: self.frequency_root.0,
            tariff_hash: self.tariff_hash.0,
            issued_at: self.issued_at.0,
        })
    }
}

impl SegmentJson {
    fn of(segment: &TariffSegment) -> Self {
        Self {
            first_period: segment.first_period.get(),
            tariff: Written(segment.version.tariff),
            version: segment.version.version,
            version_first_period: segment.version.first_period.get(),
            terms: TermsJson::of(&segment.version.terms),
        }
    }

    fn segment(self) -> Result<TariffSegment, ProofFileError> {
        Ok(TariffSegment {
            first_period: SettlementPeriod::new(self.first_period),
            version: contracts::tariff::TariffVersion {
                tariff: self.tariff.0,
                version: self.version,
                first_period: SettlementPeriod::new(self.version_first_period),
                terms: self.terms.terms().map_err(ProofFileError::Value)?,
            },
        })
    }
}

impl SealJson {
    fn of(seal: &DaySeal) -> Self {
        let path = match seal {
            DaySeal::Meter(_) => None,
            DaySeal::Gateway { path, .. } => Some(PathJson::of(path)),
        };
        Self { transaction: signed(seal.transaction()), path }
    }

    fn seal(self) -> Result<DaySeal, ProofFileError> {
        let transaction = proof_columns::transaction(&self.transaction)?;
        Ok(match self.path {
            None => DaySeal::Meter(transaction),
            Some(path) => DaySeal::Gateway { transaction, path: path.path()? },
        })
    }
}

impl PathJson {
    fn of(path: &MerklePath) -> Self {
        Self {
            index: Written(path.index),
            leaf_count: Written(path.leaf_count),
            siblings: written(&path.siblings),
        }
    }

    fn path(self) -> Result<MerklePath, CodecError> {
        Ok(MerklePath {
            index: self.index.0,
            leaf_count: self.leaf_count.0,
            siblings: unwritten(self.siblings).try_into()?,
        })
    }
}

impl HeaderJson {
    fn of(header: &Header) -> Self {
        Self {
            version: header.version,
            ledger_id: Written(header.ledger_id),
            height: Written(header.height.get()),
            parent: Written(header.parent),
            time: Written(header.time),
            proposer: Written(header.proposer),
            epoch: Written(header.epoch),
            validators_hash: Written(header.validators_hash),
            next_validators_hash: Written(header.next_validators_hash),
            transactions_root: Written(header.transactions_root),
            executed: ExecutedJson {
                height: Written(header.executed.height.get()),
                state_root: Written(header.executed.state_root),
                receipts: Written(header.executed.receipts),
            },
            context: Base64(header.context.to_vec()),
        }
    }

    fn header(self) -> Result<Header, CodecError> {
        Ok(Header {
            version: self.version,
            ledger_id: self.ledger_id.0,
            height: BlockHeight::new(self.height.0),
            parent: self.parent.0,
            time: self.time.0,
            proposer: self.proposer.0,
            epoch: self.epoch.0,
            validators_hash: self.validators_hash.0,
            next_validators_hash: self.next_validators_hash.0,
            transactions_root: self.transactions_root.0,
            executed: Executed {
                height: BlockHeight::new(self.executed.height.0),
                state_root: self.executed.state_root.0,
                receipts: self.executed.receipts.0,
            },
            context: self.context.0.try_into()?,
        })
    }
}

impl CertificateJson {
    fn of(certificate: &Certificate) -> Self {
        let signature = |&(validator, signature): &(u16, Signature)| SignatureJson {
            validator,
            signature: Written(signature),
        };
        Self {
            view: Written(certificate.view),
            parent_view: Written(certificate.parent_view),
            signatures: certificate.signatures.iter().map(signature).collect(),
        }
    }

    fn certificate(self) -> Result<Certificate, CodecError> {
        let signatures = self.signatures.into_iter().map(|it| (it.validator, it.signature.0));
        Ok(Certificate {
            view: self.view.0,
            parent_view: self.parent_view.0,
            signatures: signatures.collect::<Vec<_>>().try_into()?,
        })
    }
}
