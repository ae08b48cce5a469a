//! Property: whatever of a meter's days arrives, is estimated or is measured by two meters, the energy of
//! all slots is what the registers moved.

use primitives::reading::Reading;
use primitives::units::WattHours;
use proptest::prelude::*;

use super::conservation::config;
use super::kit::{Draft, Home, Network, by, genesis, key, kolkata, madrid, reading};
use crate::metering::{DayReadings, PublishStandardProfile, Registers};
use crate::registry::InstallMeter;
use crate::transaction::Body;

/// Where the registers of every meter start again: more than what flows until the next sealed day.
const LIMIT: u64 = 3_000_000;

/// What arrives of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrives {
    /// The meter's seal.
    Seal,
    /// Nothing.
    Nothing,
    /// Some single readings.
    Some,
    /// Single readings up to a slot, there another meter, and its seal.
    Swap { slot: u16 },
}

fn day() -> impl Strategy<Value = (Arrives, u64)> {
    let arrives = prop_oneof![
        2 => Just(Arrives::Seal),
        2 => Just(Arrives::Nothing),
        2 => Just(Arrives::Some),
        1 => (0..92_u16).prop_map(|slot| Arrives::Swap { slot }),
    ];
    (arrives, any::<u64>())
}

/// What flowed in a slot: a number that follows from the day's.
fn flowed(seed: u64, slot: u16) -> Reading {
    let mixed = (seed ^ u64::from(slot)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let export = if mixed >> 20 & 3 == 0 { mixed >> 40 & 0xfff } else { 0 };
    reading(mixed >> 52, export)
}

fn energy(readings: &[Reading]) -> Registers {
    let sum =
        |value: fn(&Reading) -> WattHours| WattHours::sum(readings.iter().map(value)).unwrap();
    Registers { import: sum(|it| it.import_wh), export: sum(|it| it.export_wh) }
}

struct Course {
    network: Network,
    home: Home,
    /// What the meter in service shows.
    shown: Registers,
    meters: u64,
}

impl Course {
    fn flow(&mut self, readings: &[Reading]) {
        self.shown = self.shown.advanced(energy(readings), WattHours::new(LIMIT)).unwrap();
    }

    /// Another meter takes over at a slot of a day.
    fn swap(&mut self, day: i32, slot: u16, former_last: Registers) {
        self.meters += 1;
        let meter = key(&format!("meter {}", self.meters));
        // Close to where it starts again, so that most courses go over it.
        let first = |less: u64| WattHours::new(LIMIT - 1 - less);
        self.shown = Registers { import: first(self.meters * 1_000), export: first(7) };
        let body = InstallMeter {
            from_period: self.network.period(self.network.day(day), u32::from(slot)),
            first: self.shown,
            register_limit: WattHours::new(LIMIT),
            former_last: Some(former_last),
            ..self.network.installation(self.home.point, &meter)
        };
        let north = self.network.north.key.clone();
        self.network.accept(&by(&[&north, &meter], body));
        self.home.meter = meter;
    }

    fn seal(&self, day: i32, values: &[Reading], first: Registers, last: Registers) -> Draft {
        let values = self.network.payload(values.to_vec());
        let mut draft = self.network.seal(&self.home, self.network.day(day), &values);
        let Body::SealDay(body) = &mut draft.body else { unreachable!("a seal") };
        (body.first, body.last) = (first, last);
        draft
    }

    fn singles(&mut self, day: i32, values: &[Reading], sent: impl Fn(u32) -> bool) {
        for (slot, value) in (0..).zip(values).filter(|(slot, _)| sent(*slot)) {
            let period = self.network.period(self.network.day(day), slot);
            let single = self.network.submit(&self.home, period, *value);
            self.network.accept(&single);
        }
    }

    fn readings(&self, day: i32) -> Vec<Reading> {
        let (state, day) = (self.network.state(), self.network.day(day));
        let loaded = DayReadings::load(&self.network.rules, state, self.home.point, day).unwrap();
        loaded.slots.into_iter().map(|slot| slot.expect("no gap is left")).collect()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_slots_add_up_to_what_the_registers_moved(
        mut days in prop::collection::vec(day(), 1..7),
        zone in 0..3_usize,
        order in any::<u64>(),
    ) {
        // The days around a change of the clocks have 92 and 100 slots.
        let founded = [(kolkata(), "2025-06-01"), (madrid(), "2025-03-27"), (madrid(), "2025-10-23")];
        let (grid, date) = founded[zone].clone();
        let network = Network::founded(genesis(grid, date.parse().unwrap()));
        let home = network.homes[0].clone();
        let mut course = Course { network, home, shown: Registers::ZERO, meters: 0 };
        course.swap(1, 0, Registers::ZERO);
        // What came last tells what flowed before.
        days.push((Arrives::Seal, order));

        let (mut true_values, mut late, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for (day, (arrives, seed)) in (1..).zip(&days) {
            let local = course.network.day(day);
            course.network.end_day(local);
            let count = course.network.periods(local).count;
            let values: Vec<_> = (0..count).map(|slot| flowed(*seed, slot)).collect();
            let before = course.shown;
            match *arrives {
                Arrives::Swap { slot } => {
                    let (former, own) = values.split_at(usize::from(slot));
                    course.singles(day, former, |_| true);
                    course.flow(former);
                    course.swap(day, slot, course.shown);
                    let first = course.shown;
                    course.flow(own);
                    let seal = course.seal(day, &values, first, course.shown);
                    course.network.accept(&seal);
                    late.clear();
                }
                Arrives::Seal => {
                    course.flow(&values);
                    let seal = course.seal(day, &values, before, course.shown);
                    course.network.accept(&seal);
                }
                Arrives::Nothing | Arrives::Some => {
                    let some = *arrives == Arrives::Some;
                    course.singles(day, &values, |slot| some && seed >> (slot % 64) & 1 == 1);
                    course.flow(&values);
                    late.push((day, before, course.shown));
                    open.push(day);
                }
            }
            true_values.push(values);
        }

        let profile = PublishStandardProfile {
            name: "even".parse().unwrap(),
            import_wh: vec![100; 96].try_into().unwrap(),
            export_wh: vec![10; 96].try_into().unwrap(),
        };
        let north = course.network.north.key.clone();
        let profile = course.network.accept(&by(&[&north], profile)).id;
        let turn = (order % open.len().max(1) as u64) as usize;
        open.rotate_left(turn);
        for day in &open {
            let (home, day) = (course.home.clone(), course.network.day(*day));
            let estimate = course.network.estimate(&home, day, Some(profile));
            course.network.accept(&estimate);
        }
        let whole = |course: &Course| {
            let all: Vec<_> = (1..=days.len() as i32).flat_map(|day| course.readings(day)).collect();
            energy(&all)
        };
        prop_assert_eq!(whole(&course), energy(&true_values.concat()));

        // The meter's own seals take the estimates' places, the last one first.
        for (day, first, last) in late.into_iter().rev() {
            let values = &true_values[day as usize - 1];
            let seal = course.seal(day, values, first, last);
            course.network.accept(&seal);
            prop_assert_eq!(&course.readings(day), values);
        }
    }
}
