//! The bill that a node with the values of a private ledger would issue, as it answers it.
//!
//! The transaction is built from the answer here and signed by who bills: a node never supplies bytes to
//! sign. What it makes up shows when the bill is checked against the values.

use contracts::billing::{BillLine, IssuePrivateBill, LineKind, StatedAmounts};
use contracts::tariff::charges::ChargeName;
use primitives::calendar::BillingPeriod;
use primitives::codec::CodecError;
use primitives::hash::Hash;
use primitives::identifier::{TariffId, UsagePointId};
use primitives::units::{MicroCurrency, MilliMicro, WattHours};
use serde::Deserialize;
use thiserror::Error;

use crate::json::Written;

/// Why an answer holds no bill.
#[derive(Debug, Error)]
pub enum PrivateBillJsonError {
    /// It is not what a node answers.
    #[error("no draft of a bill: {0}")]
    Json(#[from] serde_json::Error),
    /// There is no such kind of line.
    #[error("there is no line of kind \"{0}\"")]
    Kind(String),
    /// A list is too long.
    #[error("the draft of a bill: {0}")]
    Codec(#[from] CodecError),
}

#[derive(Deserialize)]
struct DraftJson {
    usage_point: Written<UsagePointId>,
    billing_period: Written<BillingPeriod>,
    readings_root: Written<Hash>,
    frequency_root: Written<Hash>,
    tariff_hash: Written<Hash>,
    lines: Vec<LineJson>,
    total_micro: Written<i64>,
}

#[derive(Deserialize)]
struct LineJson {
    kind: String,
    slab: Option<u8>,
    name: Written<ChargeName>,
    tariff: Written<TariffId>,
    tariff_version: u16,
    energy_wh: Written<u64>,
    exact_milli_micro: Written<i128>,
    amount_micro: Written<i64>,
}

impl LineJson {
    fn line(self) -> Result<BillLine, PrivateBillJsonError> {
        let kind = match (self.kind.as_str(), self.slab) {
            ("energy_import", _) => LineKind::EnergyImport,
            ("energy_export", _) => LineKind::EnergyExport,
            ("slab_import", Some(number)) => LineKind::SlabImport { number },
            ("fixed_charge", _) => LineKind::FixedCharge,
            ("minimum_charge", _) => LineKind::MinimumCharge,
            ("tax_exclusive", _) => LineKind::TaxExclusive,
            ("tax_inclusive", _) => LineKind::TaxInclusive,
            _ => return Err(PrivateBillJsonError::Kind(self.kind)),
        };
        Ok(BillLine {
            kind,
            name: self.name.0,
            tariff: self.tariff.0,
            version: self.tariff_version,
            energy: WattHours::new(self.energy_wh.0),
            exact: MilliMicro::new(self.exact_milli_micro.0),
            amount: MicroCurrency::new(self.amount_micro.0),
        })
    }
}

/// Reads the answer to `GET /v1/usage-points/{usage_point}/bill-draft`.
///
/// # Errors
/// [`PrivateBillJsonError`].
pub fn private_bill(answer: &[u8]) -> Result<IssuePrivateBill, PrivateBillJsonError> {
    let draft: DraftJson = serde_json::from_slice(answer)?;
    let lines: Result<Vec<_>, _> = draft.lines.into_iter().map(LineJson::line).collect();
    Ok(IssuePrivateBill {
        usage_point: draft.usage_point.0,
        period: draft.billing_period.0,
        readings_root: draft.readings_root.0,
        frequency_root: draft.frequency_root.0,
        tariff_hash: draft.tariff_hash.0,
        amounts: StatedAmounts::Plain {
            lines: lines?.try_into()?,
            total: MicroCurrency::new(draft.total_micro.0),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str) -> String {
        format!(
            r#"{{"usage_point":"{point}","billing_period":"2025-06","readings_root":"{hash}",
            "frequency_root":"{hash}","tariff_hash":"{hash}","total_micro":"120000000",
            "lines":[{{"kind":"{kind}","slab":2,"name":"","tariff":"{point}","tariff_version":1,
            "energy_wh":"24000","exact_milli_micro":"120000000000","amount_micro":"120000000"}}]}}"#,
            point = "07".repeat(16),
            hash = "08".repeat(32),
        )
    }

    #[test]
    fn a_draft_becomes_the_transaction_that_it_says() {
        let bill = private_bill(answer("slab_import").as_bytes()).unwrap();
        let StatedAmounts::Plain { lines, total } = &bill.amounts;
        assert_eq!(lines[0].kind, LineKind::SlabImport { number: 2 });
        assert_eq!((lines[0].energy.get(), total.get()), (24_000, 120_000_000));
        assert_eq!(bill.period, BillingPeriod::Month { year: 2025, month: 6 });
        assert_eq!(bill.readings_root, Hash::new([8; 32]));
    }

    #[test]
    fn what_is_no_draft_is_refused() {
        // The ledger counts the fine, so no draft has one.
        let fine = private_bill(answer("fine").as_bytes()).unwrap_err();
        assert_eq!(fine.to_string(), "there is no line of kind \"fine\"");
        let withheld = private_bill(br#"{"withheld":true}"#).unwrap_err().to_string();
        assert!(withheld.contains("usage_point"), "{withheld}");
    }
}
