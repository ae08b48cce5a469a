//! Each rule by a table, and what holds for all of them by properties.

use proptest::prelude::*;

use super::*;

fn known(import: u64, export: u64) -> Option<Reading> {
    Some(Reading {
        import_wh: WattHours::new(import),
        export_wh: WattHours::new(export),
        quality: Quality::Actual,
    })
}

fn imports(estimate: &Estimate) -> Vec<u64> {
    estimate.readings.iter().map(|reading| reading.import_wh.get()).collect()
}

/// A day of few slots: known imports, and `None` where one is missing.
fn day(imports: &[Option<u64>]) -> EstimationInputs {
    EstimationInputs {
        known: imports.iter().map(|import| import.and_then(|wh| known(wh, 0))).collect(),
        weekday: vec![None; imports.len()],
        ..EstimationInputs::default()
    }
}

fn told(slots: Range<usize>, import: u64) -> KnownStretch {
    KnownStretch { slots, missing_wh: [Some(import), Some(0)] }
}

#[test]
fn short_gaps_follow_the_line_between_their_ends() {
    // (known, what the registers tell of the whole day, expected)
    let gap = None;
    type Case<'a> = (&'a [Option<u64>], Option<u64>, &'a [u64]);
    let table: &[Case<'_>] = &[
        (&[Some(10), gap, Some(20)], None, &[10, 15, 20]),
        (&[Some(10), gap, gap, Some(40)], None, &[10, 20, 30, 40]),
        (&[Some(40), gap, gap, Some(10)], None, &[40, 30, 20, 10]),
        // 10⅔ and 11⅓ are 22 together: the larger remainder is rounded up.
        (&[Some(10), gap, gap, Some(12)], None, &[10, 11, 11, 12]),
        // The line itself would be 20 and 30.
        (&[Some(10), gap, gap, Some(40)], Some(100), &[10, 40, 60, 40]),
        (&[Some(10), gap, gap, Some(40)], Some(7), &[10, 3, 4, 40]),
        (&[Some(0), gap, gap, Some(0)], Some(7), &[0, 4, 3, 0]),
        (&[Some(5), gap, Some(5), gap, Some(5)], Some(11), &[5, 6, 5, 5, 5]),
    ];
    for (given, total, expected) in table {
        let mut inputs = day(given);
        inputs.stretches = total.map(|total| told(0..given.len(), total)).into_iter().collect();
        let estimate = estimate(&inputs).unwrap();
        assert_eq!(imports(&estimate), *expected, "{given:?} with {total:?}");
        for (reading, given) in estimate.readings.iter().zip(*given) {
            let quality = if given.is_some() { Quality::Actual } else { Quality::Estimated };
            assert_eq!(reading.quality, quality);
        }
    }
}

#[test]
fn a_gap_at_the_edge_of_the_day_needs_the_neighbouring_day() {
    let mut inputs = day(&[None, Some(10), None]);
    assert_eq!(estimate(&inputs), Err(ProfileNeeded { slot: 0 }));
    inputs.before = Some([20, 0]);
    assert_eq!(estimate(&inputs), Err(ProfileNeeded { slot: 2 }));
    inputs.after = Some([30, 0]);
    assert_eq!(imports(&estimate(&inputs).unwrap()), [15, 10, 20]);
}

#[test]
fn eight_slots_are_interpolated_and_nine_are_not() {
    let gap = |length: usize| {
        let mut given = vec![Some(0)];
        given.resize(length + 1, None);
        given.push(Some(90));
        let mut inputs = day(&given);
        inputs.profile = vec![[7, 0]; length + 2];
        estimate(&inputs).unwrap()
    };
    assert_eq!(imports(&gap(8)), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    let nine = gap(9);
    assert_eq!(imports(&nine), [0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 90]);
    assert_eq!(nine.methods[1], Some(Method::StandardProfile));
    assert_eq!((nine.methods[0], nine.estimated()), (None, 9));
}

#[test]
fn a_long_gap_takes_the_weekday_then_the_profile_and_meets_the_registers() {
    let mut given = vec![None; 10];
    given.push(Some(3));
    let mut inputs = day(&given);
    inputs.weekday[..9].fill(Some([100, 10]));
    assert_eq!(estimate(&inputs), Err(ProfileNeeded { slot: 9 }));
    inputs.profile = vec![[50, 5]; 11];
    let plain = estimate(&inputs).unwrap();
    assert_eq!(imports(&plain), [100, 100, 100, 100, 100, 100, 100, 100, 100, 50, 3]);
    assert_eq!(
        plain.methods[8..],
        [Some(Method::SameWeekday), Some(Method::StandardProfile), None]
    );
    inputs.stretches = vec![KnownStretch { slots: 0..11, missing_wh: [Some(1_900), None] }];
    let scaled = estimate(&inputs).unwrap();
    assert_eq!(imports(&scaled), [200, 200, 200, 200, 200, 200, 200, 200, 200, 100, 3]);
    assert_eq!(
        scaled.readings[0].export_wh.get(),
        10,
        "a direction that is not told stays as it is"
    );
}

#[test]
fn each_stretch_has_its_own_sum_and_one_that_did_not_move_needs_no_profile() {
    let mut inputs = day(&[None; 20]);
    inputs.stretches = vec![
        KnownStretch { slots: 0..5, missing_wh: [Some(0); 2] },
        KnownStretch { slots: 5..20, missing_wh: [Some(30), Some(15)] },
    ];
    assert_eq!(estimate(&inputs), Err(ProfileNeeded { slot: 5 }));
    inputs.profile = vec![[1, 0]; 20];
    let estimate = estimate(&inputs).unwrap();
    assert_eq!(imports(&estimate)[..6], [0, 0, 0, 0, 0, 2]);
    assert_eq!(estimate.methods[4..6], [Some(Method::Registers), Some(Method::StandardProfile)]);
    let exports: u64 = estimate.readings.iter().map(|reading| reading.export_wh.get()).sum();
    assert_eq!(exports, 15, "weights that are all zero count alike");
}

#[test]
fn what_rounding_leaves_goes_to_the_largest_remainders() {
    let table: &[(u64, &[u128], &[u64])] = &[
        (0, &[], &[]),
        (10, &[1], &[10]),
        (10, &[1, 1, 1], &[4, 3, 3]),
        (10, &[1, 2, 4], &[1, 3, 6]),
        (3, &[0, 0], &[2, 1]),
        (0, &[5, 6], &[0, 0]),
        (u64::MAX, &[1, 1], &[u64::MAX / 2 + 1, u64::MAX / 2]),
        (u64::MAX, &[u128::MAX / 4, u128::MAX / 4], &[u64::MAX / 2 + 1, u64::MAX / 2]),
    ];
    for (total, weights, expected) in table {
        assert_eq!(apportion(*total, weights), *expected, "{total} by {weights:?}");
    }
}

fn some_energy() -> impl Strategy<Value = Energy> {
    [0_u64..50_000, 0_u64..50_000]
}

prop_compose! {
    fn some_inputs()(count in prop::sample::select(vec![92_usize, 96, 100]))(
        known in prop::collection::vec(prop::option::weighted(0.7, some_energy()), count),
        weekday in prop::collection::vec(prop::option::of(some_energy()), count),
        profile in prop::collection::vec(some_energy(), count),
        before in prop::option::of(some_energy()),
        after in prop::option::of(some_energy()),
        cut in 0..=count,
        sums in [[prop::option::of(0_u64..9_000_000), prop::option::of(0_u64..9_000_000)],
                 [prop::option::of(0_u64..9_000_000), prop::option::of(0_u64..9_000_000)]],
    ) -> EstimationInputs {
        let count = known.len();
        EstimationInputs {
            known: known.into_iter().map(|it| it.and_then(|[i, e]| super::tests::known(i, e))).collect(),
            before,
            after,
            weekday,
            profile,
            stretches: vec![
                KnownStretch { slots: 0..cut, missing_wh: sums[0] },
                KnownStretch { slots: cut..count, missing_wh: sums[1] },
            ],
        }
    }
}

proptest! {
    #[test]
    fn sums_meet_the_registers_and_what_is_known_stays(inputs in some_inputs()) {
        let first = estimate(&inputs).unwrap();
        prop_assert_eq!(&first, &estimate(&inputs).unwrap(), "the same again");
        prop_assert_eq!(first.readings.len(), inputs.known.len());
        for (reading, known) in first.readings.iter().zip(&inputs.known) {
            match known {
                Some(known) => prop_assert_eq!(reading, known),
                None => prop_assert_eq!(reading.quality, Quality::Estimated),
            }
        }
        for stretch in &inputs.stretches {
            let missing: Vec<usize> =
                stretch.slots.clone().filter(|slot| inputs.known[*slot].is_none()).collect();
            let sum = |value: fn(&Reading) -> u64| -> u64 {
                missing.iter().map(|slot| value(&first.readings[*slot])).sum()
            };
            let sums = [sum(|r| r.import_wh.get()), sum(|r| r.export_wh.get())];
            for (found, told) in sums.into_iter().zip(stretch.missing_wh) {
                if let (Some(told), false) = (told, missing.is_empty()) {
                    prop_assert_eq!(found, told);
                }
            }
        }
    }

    #[test]
    fn parts_add_up_and_are_at_most_one_off_their_share(
        total in 0_u64..1_000_000_000,
        weights in prop::collection::vec(0_u128..1_000_000, 1..300),
    ) {
        let parts = apportion(total, &weights);
        prop_assert_eq!(parts.iter().sum::<u64>(), total);
        let sum: u128 = weights.iter().sum();
        for (part, weight) in parts.iter().zip(&weights) {
            let share = (u128::from(total) * weight).checked_div(sum);
            let near = |share| [share, share + 1].contains(&u128::from(*part));
            prop_assert!(share.is_none_or(near));
        }
    }
}
