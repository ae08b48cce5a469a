//! A bill and the tariff versions that priced it, in JSON.

use contracts::billing::bill_calculation::TariffSegment;
use contracts::billing::{Bill, BillLine, LineKind};
use contracts::tariff::TariffVersion;
use primitives::calendar::{BillingPeriod, SettlementPeriod};
use primitives::codec::CodecError;
use primitives::hash::Hash;
use primitives::identifier::{BillId, PartyId, TariffId, UsagePointId};
use primitives::units::{MicroCurrency, MilliMicro, Timestamp, WattHours};
use serde::{Deserialize, Serialize};

use crate::json::Written;
use crate::proof_file::ProofFileError;
use crate::tariff_json::TermsJson;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BillJson {
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
pub(crate) struct LineJson {
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
pub(crate) struct SegmentJson {
    first_period: u32,
    tariff: Written<TariffId>,
    version: u16,
    version_first_period: u32,
    terms: TermsJson,
}

impl BillJson {
    pub(crate) fn of(bill: &Bill) -> Self {
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

    pub(crate) fn bill(self) -> Result<Bill, CodecError> {
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
    pub(crate) fn of(segment: &TariffSegment) -> Self {
        Self {
            first_period: segment.first_period.get(),
            tariff: Written(segment.version.tariff),
            version: segment.version.version,
            version_first_period: segment.version.first_period.get(),
            terms: TermsJson::of(&segment.version.terms),
        }
    }

    pub(crate) fn segment(self) -> Result<TariffSegment, ProofFileError> {
        Ok(TariffSegment {
            first_period: SettlementPeriod::new(self.first_period),
            version: TariffVersion {
                tariff: self.tariff.0,
                version: self.version,
                first_period: SettlementPeriod::new(self.version_first_period),
                terms: self.terms.terms().map_err(ProofFileError::Value)?,
            },
        })
    }
}
