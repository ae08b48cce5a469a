//! Tariff files, the examples that ship, and what they cost.

use client::frequency_file::{self, FrequencyRow};
use client::genesis_file::zone_of_india;
use client::tariff_file::{
    ExampleError, ExampleUse, MeanPrice, TariffFile, example_bill, try_tariff,
};
use contracts::billing::LineKind;
use contracts::tariff::time_of_use::{DayOfYear, Weekdays};
use contracts::tariff::{ExportRule, FixedBasis, PriceRule, TaxKind};
use primitives::calendar::{Calendar, LocalTime};
use primitives::reading::{Quality, Reading};
use primitives::units::{MicroPerKilowattHour, MilliHertz, WattHours, Watts};

use crate::kit::{curve, day, flat};

const CURVE: &str = include_str!("../../../../examples/tariffs/eb-frequency-curve.toml");
const BY_CLOCK: &str = include_str!("../../../../examples/tariffs/time-of-use.toml");
const SLABS: &str = include_str!("../../../../examples/tariffs/slabs-with-taxes.toml");
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
    let noon = LocalTime { day: day(1), minute: 720 };
    let at: Vec<_> = at.into_iter().map(|frequency| (noon, frequency)).collect();
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

#[test]
fn windows_are_read_as_they_are_written() {
    let terms = TariffFile::parse(BY_CLOCK).unwrap().terms;
    let PriceRule::TimeOfUse(rule) = &terms.import else { unreachable!("a price by the clock") };
    let windows: Vec<_> = rule.windows.iter().map(|it| (it.from_minute, it.to_minute)).collect();
    assert_eq!(windows, [(1_080, 1_320), (1_080, 1_320), (1_320, 360), (0, 1_440)]);
    assert_eq!(rule.windows[0].weekdays, Weekdays(0b001_1111));
    assert_eq!(rule.windows[3].weekdays, Weekdays(0b110_0000));
    assert_eq!(rule.windows[0].season.first, DayOfYear { month: 11, day: 1 });
    assert_eq!(rule.windows[0].season.last, DayOfYear { month: 2, day: 28 });
    assert_eq!(rule.otherwise, MicroPerKilowattHour::new(6_100_000));
    let over_the_weekend = BY_CLOCK.replacen("mon-fri", "fri-mon,wed", 1);
    let terms = TariffFile::parse(&over_the_weekend).unwrap().terms;
    let PriceRule::TimeOfUse(rule) = &terms.import else { unreachable!("a price by the clock") };
    assert_eq!(rule.windows[0].weekdays, Weekdays(0b111_0101));
    // 2016-06-01 was a Wednesday.
    let at = |minute| (LocalTime { day: day(1), minute }, MilliHertz::new(50_000).unwrap());
    let prices =
        try_tariff(&TariffFile::parse(BY_CLOCK).unwrap().terms, &[1_080, 1_320, 720].map(at));
    assert_eq!(
        prices.iter().map(|it| it.get()).collect::<Vec<_>>(),
        [8_200_000, 3_900_000, 6_100_000]
    );
}

#[test]
fn slabs_charges_and_taxes_are_read_as_they_are_written() {
    let terms = TariffFile::parse(SLABS).unwrap().terms;
    let PriceRule::Slabs(slabs) = &terms.import else { unreachable!("a price by slabs") };
    let steps: Vec<_> =
        slabs.steps.iter().map(|it| (it.up_to.map(|end| end.get()), it.price.get())).collect();
    let wanted = [(Some(100_000), 3_250_000), (Some(300_000), 5_800_000), (None, 7_950_000)];
    assert_eq!(steps, wanted);
    assert_eq!(terms.minimum.unwrap().get(), 2_000_000);
    let fixed: Vec<_> =
        terms.fixed.iter().map(|it| (it.name.as_str(), it.per, it.price.get())).collect();
    let wanted = [
        ("Meter rent", FixedBasis::Day, 500_000),
        ("Demand charge", FixedBasis::KilowattDay, 1_100_000),
    ];
    assert_eq!(fixed, wanted);
    let taxes: Vec<_> =
        terms.taxes.iter().map(|it| (it.name.as_str(), it.rate.get(), it.kind)).collect();
    let wanted = [("Electricity duty", 500, TaxKind::Exclusive), ("GST", 25, TaxKind::Inclusive)];
    assert_eq!(taxes, wanted);
    assert_eq!(try_tariff(&terms, &[(LocalTime { day: day(1), minute: 0 }, MilliHertz::MIN)]), []);
}

#[test]
fn errors_in_windows_slabs_and_charges_name_the_line() {
    let check = |file: &str, from: &str, to: &str, wanted: &[&str]| {
        let text = file.replacen(from, to, 1);
        assert_ne!(text, file, "{from}");
        let error = TariffFile::parse(&text).unwrap_err().to_string();
        assert!(wanted.iter().all(|wanted| error.contains(wanted)), "{error}\nwanted: {wanted:?}");
    };
    check(BY_CLOCK, "\"18:00\"", "\"18.00\"", &["line 12", "from \"00:00\" to \"24:00\""]);
    check(BY_CLOCK, "\"24:00\"", "\"24:15\"", &["line 16", "24:15"]);
    check(BY_CLOCK, "\"24:00\"", "\"00:00\"", &["line 16", "two different ends"]);
    check(BY_CLOCK, "mon-fri", "mon-frey", &["line 12", "mon-frey"]);
    check(BY_CLOCK, "02-28", "02-30", &["line 12", "two days of the year"]);
    check(BY_CLOCK, "02-28", "2-28", &["line 12", "wanted is a season"]);
    check(BY_CLOCK, ", price = \"3.90\"", "", &["line 14", "needs price"]);
    check(BY_CLOCK, "otherwise = \"6.10\"\n", "", &["line 10", "needs otherwise"]);
    check(BY_CLOCK, "otherwise = \"6.10\"", "price = \"1\"", &["line 18", "only windows"]);
    check(SLABS, "\"300\"", "\"100\"", &["line 12", "rise from step to step"]);
    check(SLABS, "\"300\"", "\"-1\"", &["line 14", "below zero"]);
    check(SLABS, "up_to_kwh = \"300\"", "up_to = 300", &["line 14", "unknown field"]);
    check(SLABS, "steps = [", "price = \"1\"\nsteps = [", &["line 12", "only steps"]);
    check(SLABS, "price_per_day = \"0.50\"", "", &["line 27", "one of price_per_day"]);
    check(SLABS, "\"Meter rent\"", "\"\"", &["line 27", "has a name"]);
    check(SLABS, "\"0.25\"", "\"100.01\"", &["line 44", "between 0 and 100 percent"]);
    check(SLABS, "\"0.25\"", "\"0.255\"", &["line 44", "at most 2 places"]);
    check(SLABS, "\"2.00\"", "\"-2.00\"", &["refuse", "not negative"]);
    let export = "kind = \"separate\"\n\n[export.price]\nkind = \"flat\"\nprice = \"2.25\"";
    check(SLABS, export, "kind = \"same-as-import\"", &["beside slabs"]);
    let nine = format!(
        "{SLABS}{}",
        "[[tax]]\nname = \"x\"\nrate_percent = \"1\"\nkind = \"exclusive\"\n".repeat(7)
    );
    assert!(TariffFile::parse(&nine).unwrap_err().to_string().contains("tax: list of 9 items"));
}

#[test]
fn an_example_bill_is_that_of_the_ledger() {
    let calendar = Calendar::new(15, zone_of_india()).unwrap();
    let reading = Reading {
        import_wh: WattHours::new(150),
        export_wh: WattHours::new(10),
        quality: Quality::Actual,
    };
    let readings = vec![reading; 30 * 96];
    let usage = ExampleUse {
        first_day: day(1),
        readings: &readings,
        frequencies: &[],
        connection_limit: Watts::new(4_500),
        minor_unit_micro: 10_000,
    };
    let terms = TariffFile::parse(SLABS).unwrap().terms;
    let bill = example_bill(&terms, &calendar, &usage).unwrap();
    let lines: Vec<_> = bill.lines.iter().map(|it| (it.kind, it.amount.get())).collect();
    let slab = |number| LineKind::SlabImport { number };
    // 432 kWh, 28.8 injected, 30 days, 4.5 kW; 5 % of 325 + 1,160 + 1,049.40 + 15 + 148.50.
    let wanted = [
        (slab(1), 325_000_000),
        (slab(2), 1_160_000_000),
        (slab(3), 1_049_400_000),
        (LineKind::EnergyExport, -64_800_000),
        (LineKind::FixedCharge, 15_000_000),
        (LineKind::FixedCharge, 148_500_000),
        (LineKind::TaxExclusive, 134_900_000),
        (LineKind::TaxInclusive, 0),
    ];
    assert_eq!(lines, wanted);
    assert_eq!(bill.total.get(), 2_768_000_000);
    let by_clock = TariffFile::parse(BY_CLOCK).unwrap().terms;
    assert_eq!(example_bill(&by_clock, &calendar, &usage).unwrap().lines.len(), 2);
    // What does not fit is named.
    let error = |terms, usage: ExampleUse<'_>| {
        example_bill(terms, &calendar, &usage).unwrap_err().to_string()
    };
    let part = ExampleUse { readings: &readings[..100], ..usage };
    assert_eq!(error(&terms, part), "the readings of 2016-06-02 are not those of a whole day");
    let nothing = ExampleUse { readings: &[], ..usage };
    assert_eq!(example_bill(&terms, &calendar, &nothing), Err(ExampleError::Incomplete(day(1))));
    let linked = curve();
    assert!(error(&linked, usage).ends_with("has no frequency"));
    let one = [MilliHertz::new(50_000).unwrap()];
    let one = ExampleUse { frequencies: &one, ..usage };
    assert_eq!(error(&terms, one), "1 frequencies for 2880 readings");
    let uneven = TariffFile::parse(&BY_CLOCK.replacen("22:00", "21:55", 1)).unwrap().terms;
    assert!(error(&uneven, usage).contains("begins and ends where a slot does"));
    let frequencies = vec![MilliHertz::new(50_000).unwrap(); readings.len()];
    let priced = ExampleUse { frequencies: &frequencies, ..usage };
    // 403.2 kWh net at 6.20.
    assert_eq!(example_bill(&linked, &calendar, &priced).unwrap().total.get(), 2_499_840_000);
}

/// 63 real days of the Indian grid, where the file is at hand.
#[test]
fn real_days_have_the_mean_that_is_known() {
    let Some(path) = std::env::var_os("GRIDTALLY_INDIA_FREQUENCY") else {
        eprintln!("SKIPPED: GRIDTALLY_INDIA_FREQUENCY names no india_freq_price_15min.csv");
        return;
    };
    let rows = frequency_file::read(path.as_ref()).unwrap();
    let slot = |row: &FrequencyRow| (LocalTime { day: row.day, minute: row.minute }, row.frequency);
    let prices = try_tariff(&curve(), &rows.iter().map(slot).collect::<Vec<_>>());
    assert_eq!(MeanPrice::of(&prices).unwrap().paise_per_kwh(), "501.2267");
}
