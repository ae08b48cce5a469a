//! A tariff with everything that a tariff may have.

use contracts::tariff::slabs::Slab;
use contracts::tariff::time_of_use::{Season, TimeWindow, Weekdays};
use contracts::tariff::{
    ExportRule, FixedBasis, FixedCharge, PriceRule, Slabs, TariffTerms, Tax, TaxKind, TimeOfUse,
};
use primitives::units::{BasisPoints, MicroCurrency, MicroPerKilowattHour, WattHours};

/// Each kind of line once: a price by the clock for what is injected, slabs of 1 and 3 kWh a
/// day (30 and 90 a month) for what is drawn, fixed charges, a minimum and both kinds of tax.
pub fn full() -> TariffTerms {
    let price = MicroPerKilowattHour::new;
    let name = |text: &str| text.parse().expect("a short name");
    let slab =
        |up_to: Option<u64>, micro| Slab { up_to: up_to.map(WattHours::new), price: price(micro) };
    let steps =
        vec![slab(Some(30_000), 3_000_000), slab(Some(90_000), 5_000_000), slab(None, 8_000_000)];
    let noon = TimeWindow {
        from_minute: 11 * 60,
        to_minute: 14 * 60,
        weekdays: Weekdays::ALL,
        season: Season::ALL_YEAR,
        price: price(1_500_000),
    };
    let by_clock = TimeOfUse {
        windows: vec![noon].try_into().expect("one window"),
        otherwise: price(2_500_000),
    };
    let fixed =
        |text, per, micro| FixedCharge { name: name(text), per, price: MicroCurrency::new(micro) };
    let fixed = vec![
        fixed("Meter rent", FixedBasis::Day, 1_500_000),
        fixed("Demand charge", FixedBasis::KilowattDay, 250),
    ];
    let tax = |text, rate, kind| Tax {
        name: name(text),
        rate: BasisPoints::new(rate).expect("at most the whole"),
        kind,
    };
    let taxes = vec![
        tax("Electricity duty", 500, TaxKind::Exclusive),
        tax("VAT", 1_800, TaxKind::Inclusive),
    ];
    TariffTerms {
        import: PriceRule::Slabs(Slabs { steps: steps.try_into().expect("three slabs") }),
        export: ExportRule::Separate(PriceRule::TimeOfUse(by_clock)),
        fixed: fixed.try_into().expect("two charges"),
        minimum: Some(MicroCurrency::new(60_000_000)),
        taxes: taxes.try_into().expect("two taxes"),
    }
}
