//! A bill and the tariff versions that priced it, in JSON.

use contracts::billing::bill_calculation::TariffSegment;
use contracts::billing::{Bill, BillAccount, BillLine, LineKind};
use contracts::tariff::TariffVersion;
use contracts::tariff::charges::ChargeName;
use primitives::calendar::{BillingPeriod, SettlementPeriod};
use primitives::codec::CodecError;
use primitives::hash::Hash;
use primitives::identifier::{BillId, PartyId, TariffId, UsagePointId};
use primitives::units::{MicroCurrency, MilliMicro, Timestamp, WattHours, Watts};
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
    connection_limit_w: Written<i64>,
    metered_import_wh: Written<u64>,
    metered_export_wh: Written<u64>,
    residual_import_wh: Written<u64>,
    residual_export_wh: Written<u64>,
    lines: Vec<LineJson>,
    total_micro: Written<i64>,
    account: AccountJson,
    readings_root: Written<Hash>,
    frequency_root: Written<Hash>,
    tariff_hash: Written<Hash>,
    fine_hash: Written<Hash>,
    issued_at: Written<Timestamp>,
}

/// How the account stood at issue.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountJson {
    arrears_micro: Written<i64>,
    payments_micro: Written<i64>,
    paid_out_micro: Written<i64>,
    upheld_micro: Written<i64>,
    credit_micro: Written<i64>,
}

impl AccountJson {
    const fn of(account: &BillAccount) -> Self {
        Self {
            arrears_micro: Written(account.arrears.get()),
            payments_micro: Written(account.payments.get()),
            paid_out_micro: Written(account.paid_out.get()),
            upheld_micro: Written(account.upheld.get()),
            credit_micro: Written(account.credit.get()),
        }
    }

    const fn account(&self) -> BillAccount {
        BillAccount {
            arrears: MicroCurrency::new(self.arrears_micro.0),
            payments: MicroCurrency::new(self.payments_micro.0),
            paid_out: MicroCurrency::new(self.paid_out_micro.0),
            upheld: MicroCurrency::new(self.upheld_micro.0),
            credit: MicroCurrency::new(self.credit_micro.0),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineJson {
    kind: LineKindJson,
    /// The slab, from 1, on a line of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    slab: Option<u8>,
    name: Written<ChargeName>,
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
    SlabImport,
    FixedCharge,
    MinimumCharge,
    TaxExclusive,
    TaxInclusive,
    Fine,
}

impl LineKindJson {
    /// The kind's name, and the slab where it has one.
    const fn of(kind: LineKind) -> (Self, Option<u8>) {
        match kind {
            LineKind::EnergyImport => (Self::EnergyImport, None),
            LineKind::EnergyExport => (Self::EnergyExport, None),
            LineKind::SlabImport { number } => (Self::SlabImport, Some(number)),
            LineKind::FixedCharge => (Self::FixedCharge, None),
            LineKind::MinimumCharge => (Self::MinimumCharge, None),
            LineKind::TaxExclusive => (Self::TaxExclusive, None),
            LineKind::TaxInclusive => (Self::TaxInclusive, None),
            LineKind::Fine => (Self::Fine, None),
        }
    }

    /// A slab beside another kind is lost here, so that the file is not as it has to be written.
    fn kind(self, slab: Option<u8>) -> Result<LineKind, CodecError> {
        Ok(match self {
            Self::EnergyImport => LineKind::EnergyImport,
            Self::EnergyExport => LineKind::EnergyExport,
            Self::SlabImport => LineKind::SlabImport {
                number: slab.ok_or_else(|| CodecError::invalid("a line of a slab names it"))?,
            },
            Self::FixedCharge => LineKind::FixedCharge,
            Self::MinimumCharge => LineKind::MinimumCharge,
            Self::TaxExclusive => LineKind::TaxExclusive,
            Self::TaxInclusive => LineKind::TaxInclusive,
            Self::Fine => LineKind::Fine,
        })
    }
}

impl LineJson {
    fn of(line: &BillLine) -> Self {
        let (kind, slab) = LineKindJson::of(line.kind);
        Self {
            kind,
            slab,
            name: Written(line.name.clone()),
            tariff: Written(line.tariff),
            version: line.version,
            energy_wh: Written(line.energy.get()),
            exact_milli_micro: Written(line.exact.get()),
            amount_micro: Written(line.amount.get()),
        }
    }

    fn line(self) -> Result<BillLine, CodecError> {
        Ok(BillLine {
            kind: self.kind.kind(self.slab)?,
            name: self.name.0,
            tariff: self.tariff.0,
            version: self.version,
            energy: WattHours::new(self.energy_wh.0),
            exact: MilliMicro::new(self.exact_milli_micro.0),
            amount: MicroCurrency::new(self.amount_micro.0),
        })
    }
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
        Self {
            id: Written(bill.id()),
            usage_point: Written(bill.usage_point),
            number: bill.number,
            period: Written(bill.period),
            revision: bill.revision,
            customer: Written(bill.customer),
            biller: Written(bill.biller),
            export_payer: Written(bill.export_payer),
            connection_limit_w: Written(bill.connection_limit.get()),
            metered_import_wh: Written(bill.metered_import.get()),
            metered_export_wh: Written(bill.metered_export.get()),
            residual_import_wh: Written(bill.residual_import.get()),
            residual_export_wh: Written(bill.residual_export.get()),
            lines: bill.lines.iter().map(LineJson::of).collect(),
            total_micro: Written(bill.total.get()),
            account: AccountJson::of(&bill.account),
            readings_root: Written(bill.readings_root),
            frequency_root: Written(bill.frequency_root),
            tariff_hash: Written(bill.tariff_hash),
            fine_hash: Written(bill.fine_hash),
            issued_at: Written(bill.issued_at),
        }
    }

    pub(crate) fn bill(self) -> Result<Bill, CodecError> {
        let lines: Result<Vec<_>, _> = self.lines.into_iter().map(LineJson::line).collect();
        Ok(Bill {
            usage_point: self.usage_point.0,
            number: self.number,
            period: self.period.0,
            revision: self.revision,
            customer: self.customer.0,
            biller: self.biller.0,
            export_payer: self.export_payer.0,
            connection_limit: Watts::new(self.connection_limit_w.0),
            metered_import: WattHours::new(self.metered_import_wh.0),
            metered_export: WattHours::new(self.metered_export_wh.0),
            residual_import: WattHours::new(self.residual_import_wh.0),
            residual_export: WattHours::new(self.residual_export_wh.0),
            lines: lines?.try_into()?,
            total: MicroCurrency::new(self.total_micro.0),
            account: self.account.account(),
            readings_root: self.readings_root.0,
            frequency_root: self.frequency_root.0,
            tariff_hash: self.tariff_hash.0,
            fine_hash: self.fine_hash.0,
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
