//! How the values of missing slots follow from what is known: a pure function, the same in the ledger
//! and in the client, so that nobody asserts an estimate.
//!
//! Each missing slot gets a *raw* value by the first rule that applies to it:
//!
//! 1. **Interpolation**: a gap of at most [`MAX_INTERPOLATED`] slots between two known ones follows the
//!    straight line between them.
//! 2. **Same weekday**: the value of the same time of day on the same weekday of one of the last
//!    [`WEEKS_BACK`] weeks, the nearest that was measured.
//! 3. **Standard profile**: the slot's weight in the profile that the biller names.
//!
//! Where the meter's registers are known on both sides of a stretch of slots, what its missing slots
//! have to add up to is known too: their raw values are scaled to it, in proportion, so that the sum is
//! met to the watt-hour. Elsewhere the raw values stand as they are. All arithmetic is in whole
//! numbers; what rounding leaves over goes to the largest remainders, the earlier slot first.
//!
//! Start reading at [`estimate`].

use std::ops::Range;

use primitives::reading::{Quality, Reading};
use primitives::units::WattHours;
use thiserror::Error;

/// The longest gap that is interpolated, in slots.
pub const MAX_INTERPOLATED: usize = 8;
/// How many weeks back a value of the same weekday may lie.
pub const WEEKS_BACK: i32 = 4;

/// Energy in Wh, import first.
pub type Energy = [u64; 2];

/// What an estimate is computed from. Every list has one entry for each slot of the day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EstimationInputs {
    /// The readings that stand on the ledger; they are kept as they are.
    pub known: Vec<Option<Reading>>,
    /// The measured value of the slot before the day.
    pub before: Option<Energy>,
    /// The measured value of the slot after the day.
    pub after: Option<Energy>,
    /// The measured value at the same time of day, on the nearest same weekday that has one; only
    /// missing slots are asked for.
    pub weekday: Vec<Option<Energy>>,
    /// The standard profile at the slot's time of day; empty when none is named.
    pub profile: Vec<Energy>,
    /// Stretches of slots in which the registers tell what the missing slots add up to; rising, none
    /// over another.
    pub stretches: Vec<KnownStretch>,
}

/// What the missing slots of a stretch add up to, as far as the registers tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownStretch {
    /// Slots of the day.
    pub slots: Range<usize>,
    /// Wh of its missing slots, import first; `None` where the registers say nothing usable.
    pub missing_wh: [Option<u64>; 2],
}

/// The rule that gave a slot its raw value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// On the line between two known slots.
    Interpolation,
    /// The same time of the same weekday.
    SameWeekday,
    /// The standard profile.
    StandardProfile,
    /// The registers did not move: nothing flowed.
    Registers,
}

/// A day without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// One reading for each slot: known ones as they are, the others with quality E.
    pub readings: Vec<Reading>,
    /// How each slot was estimated; `None` where it was known.
    pub methods: Vec<Option<Method>>,
}

impl Estimate {
    /// How many slots were estimated.
    #[must_use]
    pub fn estimated(&self) -> usize {
        self.methods.iter().flatten().count()
    }
}

/// No rule gives a value: neither interpolation nor a weekday applies, and no profile is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("slot {slot} needs a standard profile")]
pub struct ProfileNeeded {
    /// The first slot without a value, from 0.
    pub slot: u16,
}

/// A raw value: a fraction, so that interpolation loses nothing before it is scaled.
#[derive(Debug, Clone, Copy)]
struct Raw {
    numerators: [u128; 2],
    denominator: u128,
    method: Method,
}

impl Raw {
    fn whole(energy: Energy, method: Method) -> Self {
        Self { numerators: energy.map(u128::from), denominator: 1, method }
    }
}

/// Fills the gaps of a day.
///
/// # Errors
/// [`ProfileNeeded`] when a slot has no value without a profile.
pub fn estimate(inputs: &EstimationInputs) -> Result<Estimate, ProfileNeeded> {
    let count = inputs.known.len();
    let raw = raw_values(inputs)?;
    let mut energies: Vec<Energy> = vec![[0; 2]; count];
    for (direction, column) in [0, 1].map(|direction| (direction, fill(inputs, &raw, direction))) {
        for (slot, wh) in column.into_iter().enumerate() {
            energies[slot][direction] = wh;
        }
    }
    let readings = inputs.known.iter().zip(&energies).map(|(known, [import, export])| {
        known.unwrap_or(Reading {
            import_wh: WattHours::new(*import),
            export_wh: WattHours::new(*export),
            quality: Quality::Estimated,
        })
    });
    let methods = raw.iter().map(|raw| raw.map(|raw| raw.method)).collect();
    Ok(Estimate { readings: readings.collect(), methods })
}

/// The runs of slots without a reading.
fn gaps(known: &[Option<Reading>]) -> Vec<Range<usize>> {
    let mut gaps: Vec<Range<usize>> = Vec::new();
    for slot in (0..known.len()).filter(|slot| known[*slot].is_none()) {
        match gaps.last_mut() {
            Some(gap) if gap.end == slot => gap.end = slot + 1,
            _ => gaps.push(slot..slot + 1),
        }
    }
    gaps
}

/// The raw value of each missing slot.
fn raw_values(inputs: &EstimationInputs) -> Result<Vec<Option<Raw>>, ProfileNeeded> {
    let mut raw = vec![None; inputs.known.len()];
    let still = |slot: usize| {
        let stretch = inputs.stretches.iter().find(|stretch| stretch.slots.contains(&slot));
        stretch.is_some_and(|stretch| stretch.missing_wh == [Some(0); 2])
    };
    for gap in gaps(&inputs.known) {
        let ends = if gap.len() <= MAX_INTERPOLATED { ends_of(inputs, &gap) } else { None };
        for slot in gap.clone() {
            let profile = || inputs.profile.get(slot).copied();
            let value = if still(slot) {
                Some(Raw::whole([0; 2], Method::Registers))
            } else if let Some((from, to)) = ends {
                Some(on_the_line(from, to, slot - gap.start + 1, gap.len() + 1))
            } else if let Some(energy) = inputs.weekday.get(slot).copied().flatten() {
                Some(Raw::whole(energy, Method::SameWeekday))
            } else {
                profile().map(|energy| Raw::whole(energy, Method::StandardProfile))
            };
            let needed = || ProfileNeeded { slot: u16::try_from(slot).unwrap_or(u16::MAX) };
            raw[slot] = Some(value.ok_or_else(needed)?);
        }
    }
    Ok(raw)
}

/// The known values on both sides of a gap.
fn ends_of(inputs: &EstimationInputs, gap: &Range<usize>) -> Option<(Energy, Energy)> {
    let energy = |reading: &Reading| [reading.import_wh.get(), reading.export_wh.get()];
    let at = |slot: usize| inputs.known[slot].as_ref().map(energy);
    let from = if gap.start == 0 { inputs.before } else { at(gap.start - 1) };
    let to = if gap.end == inputs.known.len() { inputs.after } else { at(gap.end) };
    from.zip(to)
}

/// The value after `step` of `steps` equal steps from `from` to `to`.
fn on_the_line(from: Energy, to: Energy, step: usize, steps: usize) -> Raw {
    let (step, steps) = (step as u128, steps as u128);
    let numerator = |direction: usize| {
        u128::from(from[direction]) * (steps - step) + u128::from(to[direction]) * step
    };
    Raw {
        numerators: [numerator(0), numerator(1)],
        denominator: steps,
        method: Method::Interpolation,
    }
}

/// The values of one direction, in whole Wh: scaled where the registers tell the sum, else each gap
/// for itself with the sum of its raw values.
fn fill(inputs: &EstimationInputs, raw: &[Option<Raw>], direction: usize) -> Vec<u64> {
    let mut values = vec![0; raw.len()];
    let mut put = |slots: &[usize], total: Option<u64>| {
        // One denominator for all: those that occur are 1..=9, so 2520 is a multiple of each.
        let weights: Vec<u128> = slots
            .iter()
            .filter_map(|slot| raw[*slot])
            .map(|raw| raw.numerators[direction] * (COMMON_MULTIPLE / raw.denominator))
            .collect();
        let sum: u128 = weights.iter().sum();
        // The sum of the raw values, rounded half up; a day's energy fits by far.
        let own = u64::try_from((sum + COMMON_MULTIPLE / 2) / COMMON_MULTIPLE).unwrap_or(u64::MAX);
        for (slot, wh) in slots.iter().zip(apportion(total.unwrap_or(own), &weights)) {
            values[*slot] = wh;
        }
    };
    let told = |slot: usize| {
        inputs.stretches.iter().position(|stretch| {
            stretch.slots.contains(&slot) && stretch.missing_wh[direction].is_some()
        })
    };
    for (index, stretch) in inputs.stretches.iter().enumerate() {
        let missing: Vec<_> =
            stretch.slots.clone().filter(|it| inputs.known[*it].is_none()).collect();
        let missing: Vec<_> = missing.into_iter().filter(|it| told(*it) == Some(index)).collect();
        if let Some(total) = stretch.missing_wh[direction] {
            put(&missing, Some(total));
        }
    }
    for gap in gaps(&inputs.known) {
        let untold: Vec<_> = gap.filter(|slot| told(*slot).is_none()).collect();
        put(&untold, None);
    }
    values
}

/// 2520, the least common multiple of 1..=9: the steps of an interpolation are at most nine.
const COMMON_MULTIPLE: u128 = 2_520;

/// Cuts `total` into parts in proportion to the weights, to the last unit: each part is rounded down,
/// and what is left over goes to the largest remainders, the earlier first. Weights that are all zero
/// count alike.
#[must_use]
pub fn apportion(total: u64, weights: &[u128]) -> Vec<u64> {
    let sum: u128 = weights.iter().sum();
    if weights.is_empty() {
        return Vec::new();
    }
    if sum == 0 {
        return apportion(total, &vec![1; weights.len()]);
    }
    // Weights are energies of a slot in 1/2520 Wh and the total is an energy: where the product does
    // not fit, shares are taken of shortened weights.
    let shift = (128 - sum.leading_zeros()).saturating_sub(63);
    if shift > 0 {
        let shortened: Vec<u128> = weights.iter().map(|weight| weight >> shift).collect();
        return apportion(total, &shortened);
    }
    let share = |weight: u128| (u128::from(total) * weight / sum, u128::from(total) * weight % sum);
    let mut parts: Vec<u64> = Vec::with_capacity(weights.len());
    let mut remainders: Vec<(u128, usize)> = Vec::with_capacity(weights.len());
    for (index, weight) in weights.iter().enumerate() {
        let (part, remainder) = share(*weight);
        parts.push(u64::try_from(part).expect("a part is at most the total"));
        remainders.push((remainder, index));
    }
    let given: u64 = parts.iter().sum();
    remainders.sort_unstable_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    // Fewer units than parts are left: each part lost less than one.
    for (_, index) in remainders.into_iter().take((total - given) as usize) {
        parts[index] += 1;
    }
    parts
}

#[cfg(test)]
mod tests;
