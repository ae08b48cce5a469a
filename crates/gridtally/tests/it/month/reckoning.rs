//! What a bill of the month must say, by plain arithmetic from energies, frequencies and price lists.
//!
//! Nothing here calls the product: it is the rules of the tariffs written a second time, in micro
//! (10⁻⁶ of the currency) and, before rounding, in 10⁻³ micro, which is what Wh times micro per kWh
//! gives.

use super::households::{Energy, SLOTS};

/// 0.01 of the currency in 10⁻³ micro: what lines are rounded to.
const CENT: i128 = 10_000_000;

/// Half away from zero to the cent; in micro.
fn to_cent(exact: i128) -> i64 {
    let cents = (exact.abs() + CENT / 2) / CENT * exact.signum();
    i64::try_from(cents).unwrap() * 10_000
}

/// The price vector of 2019 at P = 6.20, from its formula in paise, in micro per kWh.
pub fn curve(millihertz: i64) -> i64 {
    let hundredths = millihertz.div_euclid(10) - 5_000;
    let paise_times_80 = match hundredths {
        5.. => 0,
        0..=4 => 620 * (5 - hundredths) * 16,
        -15..=-1 => 50 * -hundredths * 80 + (16 + hundredths) * 620 * 5,
        _ => 800 * 80,
    };
    paise_times_80 * 125
}

/// How energy is priced.
#[derive(Clone, Copy)]
pub enum Price {
    Curve,
    /// By slot of the local day and weekday (0 = Monday), in micro per kWh.
    Clock(fn(slot: usize, weekday: usize) -> i64),
    Flat(i64),
}

/// What drawn energy costs.
#[derive(Clone, Copy)]
pub enum Drawn {
    Each(Price),
    /// Steps of a calendar month: up to how many Wh, and micro per kWh.
    Slabs(&'static [(i64, i64)]),
}

/// A price list.
#[derive(Clone, Copy)]
pub struct Terms {
    pub drawn: Drawn,
    pub given: Price,
    /// Micro per day.
    pub per_day: i64,
    /// Micro per day and kW of the connection.
    pub per_kilowatt_day: i64,
    /// Micro per day, at least.
    pub minimum: i64,
    /// Hundredths of a per cent on top.
    pub tax_on_top: i64,
    /// Hundredths of a per cent contained.
    pub tax_contained: i64,
}

/// A price list from a slot of the month on.
pub type Lists = Vec<(usize, Terms)>;

/// A line: its kind as the API names it, its slab, its energy in Wh and its amount in micro.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub kind: &'static str,
    pub slab: usize,
    pub energy: i64,
    pub amount: i64,
}

/// Everything that the lines of a bill follow from.
pub struct Basis<'a> {
    pub energy: &'a Energy,
    pub frequencies: &'a [i64],
    pub lists: &'a Lists,
    pub connection_watts: i64,
}

/// The calendar month of a day of the month's data, and how many days it has. The first day is the
/// fifth of April.
fn month_of(day: usize) -> (usize, i128) {
    if day < 26 { (0, 30) } else { (1, 31) }
}

/// The weekday of a day, 0 = Monday: 2013-04-05 was a Friday.
fn weekday(day: usize) -> usize {
    (day + 4) % 7
}

fn price(rule: Price, basis: &Basis<'_>, slot: usize) -> i64 {
    match rule {
        Price::Curve => curve(basis.frequencies[slot]),
        Price::Clock(by_clock) => by_clock(slot % SLOTS, weekday(slot / SLOTS)),
        Price::Flat(price) => price,
    }
}

/// The lines of a bill over the days `first..end`, without fines.
pub fn lines(basis: &Basis<'_>, first: usize, end: usize) -> Vec<Line> {
    let slots = first * SLOTS..end * SLOTS;
    let mut lines = Vec::new();
    for (index, (from, terms)) in basis.lists.iter().enumerate() {
        let until = basis.lists.get(index + 1).map_or(usize::MAX, |(from, _)| *from);
        let part = slots.start.max(*from)..slots.end.min(until);
        if !part.is_empty() {
            lines.extend(part_of(basis, terms, part));
        }
    }
    lines
}

/// The lines of one price list.
fn part_of(basis: &Basis<'_>, terms: &Terms, part: std::ops::Range<usize>) -> Vec<Line> {
    let mut lines = Vec::new();
    let slots = part.len() as i128;
    let sum = |of: &[i64]| of[part.clone()].iter().sum::<i64>();
    let cost = |of: &[i64], rule| -> i128 {
        let each =
            part.clone().map(|slot| i128::from(of[slot]) * i128::from(price(rule, basis, slot)));
        each.sum()
    };
    let line = |kind, slab, energy, exact| Line { kind, slab, energy, amount: to_cent(exact) };
    let (drawn, given) = (&basis.energy.import, &basis.energy.export);
    match terms.drawn {
        Drawn::Each(rule) => lines.push(line("energy_import", 0, sum(drawn), cost(drawn, rule))),
        Drawn::Slabs(steps) => {
            for (index, energy) in slab_energies(drawn, steps, &part).into_iter().enumerate() {
                let exact = i128::from(energy) * i128::from(steps[index].1);
                lines.push(line("slab_import", index + 1, energy, exact));
            }
        }
    }
    lines.push(line("energy_export", 0, sum(given), -cost(given, terms.given)));
    lines.retain(|line| line.energy > 0);
    let per_day = |micro: i128| micro * 1_000 * slots / SLOTS as i128;
    let watts = i128::from(basis.connection_watts);
    let standing = [
        per_day(i128::from(terms.per_day)),
        i128::from(terms.per_kilowatt_day) * watts * slots / SLOTS as i128,
    ];
    let standing = standing.into_iter().filter(|exact| *exact > 0);
    lines.extend(standing.map(|exact| line("fixed_charge", 0, 0, exact)));
    let charged = |lines: &[Line]| -> i128 {
        let charges = lines.iter().filter(|line| line.kind != "energy_export");
        i128::from(charges.map(|line| line.amount).sum::<i64>()) * 1_000
    };
    let missing = per_day(i128::from(terms.minimum)) - charged(&lines);
    if missing > 0 {
        lines.push(line("minimum_charge", 0, 0, missing));
    }
    let taxed = charged(&lines);
    if terms.tax_on_top > 0 && taxed > 0 {
        let exact = taxed * i128::from(terms.tax_on_top) / 10_000;
        lines.push(line("tax_exclusive", 0, 0, exact));
    }
    if terms.tax_contained > 0 && taxed > 0 {
        lines.push(line("tax_inclusive", 0, 0, 0));
    }
    lines
}

/// Wh in each step. A month's energy runs up through the steps; a part of a month has the share of
/// its days, rounded down, of each quota.
fn slab_energies(drawn: &[i64], steps: &[(i64, i64)], part: &std::ops::Range<usize>) -> Vec<i64> {
    let mut energies = vec![0; steps.len()];
    for month in 0..2 {
        let slots = part.clone().filter(|slot| month_of(slot / SLOTS).0 == month);
        let (count, energy) = slots.fold((0_i128, 0), |(n, wh), slot| (n + 1, wh + drawn[slot]));
        let Some(days) = (count > 0).then(|| month_of(if month == 0 { 0 } else { 27 }).1) else {
            continue;
        };
        let mut below = 0;
        for (step, (up_to, _)) in energies.iter_mut().zip(steps) {
            let quota = i128::from(*up_to) * count / (days * SLOTS as i128);
            let end = i64::try_from(quota.min(i128::from(energy))).unwrap().max(below);
            *step += end - below;
            below = end;
        }
    }
    energies
}

/// The bill's total.
pub fn total(lines: &[Line]) -> i64 {
    lines.iter().map(|line| line.amount).sum()
}

#[test]
fn the_second_writing_of_the_curve_gives_the_published_classes() {
    // Anchors of the regulation at P = 6.20, and the class that the published program missed.
    for (millihertz, wanted) in [
        (49_830, 8_000_000),
        (49_850, 7_887_500),
        (49_880, 7_550_000),
        (49_889, 7_550_000),
        (50_000, 6_200_000),
        (50_009, 6_200_000),
        (50_010, 4_960_000),
        (50_050, 0),
    ] {
        assert_eq!(curve(millihertz), wanted, "{millihertz} mHz");
    }
}
