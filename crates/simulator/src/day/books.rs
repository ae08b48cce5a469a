//! The end of the day: the books balance, and what happened is put together.

use std::time::Duration;

use contracts::State;
use contracts::billing::bill_id;
use contracts::registry::UsagePointKind;
use primitives::calendar::BillingPeriod;
use primitives::rounding::div_half_away;
use primitives::units::{MicroCurrency, MicroPerKilowattHour, MilliHertz, OutOfRange, WattHours};

use super::DayError;
use super::network::{MeteredPoint, Network};
use super::stage::Stage;
use crate::plan::SLOTS;
use crate::report::{BillRow, DayReport, FixedPoint, Totals};

/// Every posting debits and credits, so all accounts add up to zero; so do wallets with what the
/// aggregator issued, or there would be tokens without a payment.
pub(super) fn require_balance(stage: &mut Stage<'_>) -> Result<(), DayError> {
    let (accounts, tokens) = stage.read(|state| state.sums())?;
    if accounts == 0 && tokens == 0 {
        Ok(())
    } else {
        Err(DayError::NotConserved { accounts, tokens })
    }
}

/// Puts together what happened.
pub(super) fn report(
    stage: &mut Stage<'_>,
    network: &Network,
    fixed_point: FixedPoint,
    elapsed: Duration,
) -> Result<DayReport, DayError> {
    let view = stage.view()?;
    let plan = stage.plan;
    let period = BillingPeriod::Day { day: plan.day };
    let homes = network.homes.iter().map(|home| (UsagePointKind::Household, &home.point));
    let boundaries =
        network.stations.iter().map(|station| (UsagePointKind::Boundary, &station.boundary));
    let rows = view.read(|state| {
        homes
            .chain(boundaries)
            .map(|(kind, point)| row(state, network, (kind, point), period))
            .collect::<Result<Vec<_>, _>>()
    })??;
    let prices = plan.frequency.iter().map(|frequency| network.curve.price(*frequency).get());
    let frequencies = plan.frequency.iter().map(|frequency| i64::from(frequency.get()));
    let frequency_mean = u32::try_from(mean(frequencies)).expect("between two frequencies");
    Ok(DayReport {
        ledger_id: view.rules().ledger_id(),
        homes: plan.homes,
        slots: SLOTS,
        readings: u64::from(SLOTS) * rows.len() as u64,
        transactions: stage.transactions(),
        height: view.height(),
        state_root: view.head().executed.state_root,
        households: totals(&rows, UsagePointKind::Household)?,
        boundaries: totals(&rows, UsagePointKind::Boundary)?,
        bills: rows,
        fixed_point,
        frequency_mean: MilliHertz::new(frequency_mean)?,
        price_mean: MicroPerKilowattHour::new(mean(prices)),
        elapsed,
    })
}

fn row(
    state: &dyn State,
    network: &Network,
    (kind, point): (UsagePointKind, &MeteredPoint),
    period: BillingPeriod,
) -> Result<BillRow, DayError> {
    let id = bill_id(point.usage_point, period, 1);
    let missing = |rejection| DayError::Missing { what: format!("bill {id}"), rejection };
    let bill = state.bill(id).map_err(missing)?;
    let paid = state.bill_state(id).map_err(missing)?;
    Ok(BillRow {
        station: network.stations[point.station].label.clone(),
        label: point.label.clone(),
        usage_point: point.usage_point,
        kind,
        bill: id,
        import: bill.metered_import,
        export: bill.metered_export,
        total: bill.total,
        paid: paid.paid,
        open: paid.open,
    })
}

fn totals(rows: &[BillRow], kind: UsagePointKind) -> Result<Totals, OutOfRange> {
    let rows = || rows.iter().filter(|row| row.kind == kind);
    let negative = || rows().filter(|row| row.total < MicroCurrency::ZERO);
    Ok(Totals {
        import: WattHours::sum(rows().map(|row| row.import))?,
        export: WattHours::sum(rows().map(|row| row.export))?,
        billed: MicroCurrency::sum(rows().map(|row| row.total))?,
        paid: MicroCurrency::sum(rows().map(|row| row.paid.max(MicroCurrency::ZERO)))?,
        paid_out: MicroCurrency::sum(negative().map(|row| row.paid))?.checked_neg()?,
        open: MicroCurrency::sum(rows().map(|row| row.open))?,
        negative_bills: u32::try_from(negative().count()).expect("at most MAX_HOMES and one more"),
    })
}

/// The mean, rounded half away from zero.
fn mean(values: impl ExactSizeIterator<Item = i64>) -> i64 {
    let count = i128::try_from(values.len()).expect("96 slots");
    let sum: i128 = values.map(i128::from).sum();
    i64::try_from(div_half_away(sum, count)).expect("between the smallest and the largest")
}
