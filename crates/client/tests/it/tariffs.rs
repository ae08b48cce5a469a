//! Tariff files, the examples that ship, and what they cost.

use client::frequency_file;
use client::tariff_file::{MeanPrice, TariffFile, try_tariff};
use contracts::tariff::{ExportRule, PriceRule};
use primitives::units::{MicroPerKilowattHour, MilliHertz};

use crate::kit::{curve, flat};

const CURVE: &str = include_str!("../../../../examples/tariffs/eb-frequency-curve.toml");
const FLAT: &str = include_str!("../../../../examples/tariffs/flat-5.toml");

#[test]
fn the_examples_are_what_they_say() {
    assert_eq!(TariffFile::parse(CURVE).unwrap().terms, curve());
    assert_eq!(TariffFile::parse(FLAT).unwrap().terms, flat(5_000_000));
    let in_paise = CURVE
        .replace("reference_price = \"6.20\"", "reference_price_paise = \"620\"")
        .replace("reference_price_cap = \"8.00\"", "reference_price_cap_paise = 800")
        .replace(
            "frequency_hz = \"49.84\", price = \"8.00\"",
            "frequency_mhz = 49840, price_paise = \"800\"",
        );
    assert_eq!(TariffFile::parse(&in_paise).unwrap().terms, curve());
}

#[test]
fn export_has_three_forms() {
    let export = |text: &str| {
        let file = FLAT.replace("kind = \"same-as-import\"", text);
        TariffFile::parse(&file).map(|file| file.terms.export)
    };
    assert_eq!(export("kind = \"not-credited\"").unwrap(), ExportRule::NotCredited);
    let separate = "kind = \"separate\"\n[export.price]\nkind = \"flat\"\nprice = \"2.5\"";
    let price = MicroPerKilowattHour::new(2_500_000);
    assert_eq!(export(separate).unwrap(), ExportRule::Separate(PriceRule::Flat { price }));
    assert!(export("kind = \"separate\"").unwrap_err().to_string().contains("line 11"));
}

#[test]
fn errors_name_the_line() {
    let check = |from: &str, to: &str, wanted: &[&str]| {
        let text = CURVE.replacen(from, to, 1);
        assert_ne!(text, CURVE, "{from}");
        let error = TariffFile::parse(&text).unwrap_err().to_string();
        assert!(wanted.iter().all(|wanted| error.contains(wanted)), "{error}\nwanted: {wanted:?}");
    };
    check("step_mhz = 10", "stepp = 10", &["line 16", "unknown field", "stepp"]);
    check(
        "reference_price = \"6.20\"",
        "reference_price = 6.20",
        &["line 12", "a decimal number in quotes"],
    );
    check(
        "reference_price = \"6.20\"",
        "reference_price = \"6.2000001\"",
        &["line 12", "at most 6 places"],
    );
    check("reference_price = \"6.20\"", "reference_price = \"-1\"", &["not negative"]);
    check("\"49.84\"", "\"39.99\"", &["line 21", "between 40 and 70 Hz"]);
    check("price = \"8.00\" }", "}", &["line 21", "one of price and price_paise"]);
    check("rounding = \"floor\"", "rounding = \"down\"", &["line 17", "down"]);
    check("step_mhz = 10\n", "", &["line 10", "needs step_mhz"]);
    check("kind = \"frequency-linked\"", "kind = \"flat\"", &["line 20", "only price"]);
    check("gridtally-tariff/1", "gridtally-tariff/2", &["line 6", "gridtally-tariff/1"]);
    check("\"50.00\"", "\"49.00\"", &["refuse"]);
}

#[test]
fn prices_and_their_mean_are_exact() {
    let terms = curve();
    let at: Vec<_> = [49_880, 50_000, 50_050].map(|it| MilliHertz::new(it).unwrap()).to_vec();
    let prices = try_tariff(&terms, &at);
    let micro: Vec<_> = prices.iter().map(|price| price.get()).collect();
    assert_eq!(micro, [7_550_000, 6_200_000, 0]);
    // 13 750 000 / 3 = 4 583 333.33 micro.
    assert_eq!(MeanPrice::of(&prices).unwrap().paise_per_kwh(), "458.3333");
    let price = MicroPerKilowattHour::new;
    assert_eq!(MeanPrice::of(&[price(1), price(2)]).unwrap().paise_per_kwh(), "0.0002");
    assert_eq!(MeanPrice::of(&[price(-1), price(-2)]).unwrap().paise_per_kwh(), "-0.0002");
    assert_eq!(MeanPrice::of(&[]), None);
}

/// 63 real days of the Indian grid, where the file is at hand.
#[test]
fn real_days_have_the_mean_that_is_known() {
    let Some(path) = std::env::var_os("GRIDTALLY_INDIA_FREQUENCY") else {
        eprintln!("SKIPPED: GRIDTALLY_INDIA_FREQUENCY names no india_freq_price_15min.csv");
        return;
    };
    let rows = frequency_file::read(path.as_ref()).unwrap();
    let frequencies: Vec<_> = rows.iter().map(|row| row.frequency).collect();
    let prices = try_tariff(&curve(), &frequencies);
    assert_eq!(MeanPrice::of(&prices).unwrap().paise_per_kwh(), "501.2267");
}
