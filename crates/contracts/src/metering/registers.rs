//! The cumulative registers of meters, and where on the time axis they are known.
//!
//! A meter counts on and on: what it shows at one moment and at a later one differs by the energy in
//! between, whether or not the slots between were reported. A [`RegisterMark`] puts such a moment
//! down: at the beginning and at the end of each day that the meter itself sealed, and where a meter
//! was installed. The rules compare neighbouring marks, so a register that goes backwards or jumps is
//! found whichever of two days is sealed first; the estimation of gaps shares out what they differ by.
//!
//! Many counters start again at zero ("roll over"). The installation says at which value, and
//! differences are computed modulo it. How far a register can have moved is known from the
//! connection: a difference beyond that is no roll-over but a counter that went backwards.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::SettlementPeriod;
use primitives::codec;
use primitives::identifier::UsagePointId;
use primitives::units::{OutOfRange, WattHours};

use crate::rejection::Rejection;
use crate::state::State;
use crate::state_key;

/// The cumulative registers of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Registers {
    /// Energy drawn since the meter was made, or since the register last started again.
    pub import: WattHours,
    /// Energy injected, likewise.
    pub export: WattHours,
}

impl Registers {
    /// Both registers at zero.
    pub const ZERO: Self = Self { import: WattHours::ZERO, export: WattHours::ZERO };

    /// Both values, import first, as the rejections number them.
    #[must_use]
    pub const fn both(&self) -> [u64; 2] {
        [self.import.get(), self.export.get()]
    }

    /// The registers after `energy` more; they start again at `register_limit` (0 = never).
    ///
    /// # Errors
    /// [`OutOfRange`] when a register that never starts again overflows.
    pub fn advanced(self, energy: Self, register_limit: WattHours) -> Result<Self, OutOfRange> {
        let advance = |register: WattHours, energy: WattHours| {
            let sum = u128::from(register.get()) + u128::from(energy.get());
            let limit = u128::from(register_limit.get());
            let shown = if limit == 0 { sum } else { sum % limit };
            u64::try_from(shown).map(WattHours::new).map_err(|_| OutOfRange::of("WattHours"))
        };
        Ok(Self {
            import: advance(self.import, energy.import)?,
            export: advance(self.export, energy.export)?,
        })
    }
}

/// By how much a register moved from `before` to `now`; `None` when one that never starts again went
/// backwards.
pub(crate) fn moved(before: u64, now: u64, register_limit: WattHours) -> Option<u64> {
    match (now.checked_sub(before), register_limit.get()) {
        (Some(moved), _) => Some(moved),
        (None, 0) => None,
        // Both lie below the limit, so this is the way up to it and on from zero.
        (None, limit) => limit.checked_sub(before).map(|rest| rest + now),
    }
}

/// Registers lie below the value at which they start again.
pub(crate) fn require_below(
    registers: &Registers,
    register_limit: WattHours,
) -> Result<(), Rejection> {
    let limit_wh = register_limit.get();
    match registers.both().into_iter().find(|register| limit_wh != 0 && *register >= limit_wh) {
        Some(register_wh) => Err(Rejection::RegisterAboveLimit { register_wh, limit_wh }),
        None => Ok(()),
    }
}

/// What a stretch of unreported slots allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// The slots in between.
    pub slots: u32,
    /// The most that the connection carries in one of them, in Wh.
    pub slot_limit_wh: u64,
    /// Where the registers start again; 0 = never.
    pub register_limit: WattHours,
}

/// From one mark to the next, registers go on: not backwards, and not further than the connection
/// carries in the slots between. With no slot between they stay the same.
pub(crate) fn require_continues(
    before: &Registers,
    now: &Registers,
    stretch: Stretch,
) -> Result<(), Rejection> {
    let bound = u128::from(stretch.slots) * u128::from(stretch.slot_limit_wh);
    let pairs = before.both().into_iter().zip(now.both());
    for (register, (before_wh, now_wh)) in (0_u64..).zip(pairs) {
        let moved = moved(before_wh, now_wh, stretch.register_limit);
        if moved.is_some_and(|moved| u128::from(moved) <= bound) {
            continue;
        }
        return Err(if now_wh < before_wh {
            Rejection::RegisterWentBackwards { register, before_wh, now_wh }
        } else {
            let bound_wh = u64::try_from(bound).unwrap_or(u64::MAX);
            Rejection::RegisterJumped { register, before_wh, now_wh, bound_wh }
        });
    }
    Ok(())
}

/// What a meter showed at the beginning of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct RegisterMark {
    /// The registers of the meter that measures from this moment on.
    pub registers: Registers,
    /// Where its registers start again; 0 = never.
    pub register_limit: WattHours,
    /// The swap, when the meter was installed at this moment.
    pub installed: Option<Installed>,
    /// The mark before this one.
    pub previous: Option<SettlementPeriod>,
}

/// A meter was installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Installed {
    /// The last registers of the meter before; `None` when there was none or nobody could read it.
    pub former_last: Option<Registers>,
}

impl RegisterMark {
    /// The registers of the meter that measured up to this moment, if they are known.
    #[must_use]
    pub const fn incoming(&self) -> Option<Registers> {
        match self.installed {
            None => Some(self.registers),
            Some(installed) => installed.former_last,
        }
    }
}

/// A mark and the period at whose beginning it stands.
pub(crate) type PlacedMark = (SettlementPeriod, RegisterMark);

impl dyn State + '_ {
    /// What the meter of a usage point showed at the beginning of `period`, where that was put down.
    #[must_use]
    pub fn register_mark(
        &self,
        id: UsagePointId,
        period: SettlementPeriod,
    ) -> Option<RegisterMark> {
        self.read(&state_key::register_mark(&id, period))
    }

    /// The last registers put down at or before `period`, and where.
    #[must_use]
    pub fn registers_before(
        &self,
        id: UsagePointId,
        period: SettlementPeriod,
    ) -> Option<(SettlementPeriod, RegisterMark)> {
        let latest = self.installed_meter(id)?.latest_mark;
        self.register_marks_around(id, latest, period).0
    }

    pub(crate) fn put_register_mark(
        &mut self,
        id: UsagePointId,
        period: SettlementPeriod,
        mark: &RegisterMark,
    ) {
        self.write(state_key::register_mark(&id, period), mark);
    }

    /// Up to `limit` marks after `period`, in order.
    pub(crate) fn register_marks_after(
        &self,
        id: UsagePointId,
        period: SettlementPeriod,
        limit: usize,
    ) -> Vec<PlacedMark> {
        let prefix = state_key::register_marks(&id);
        let after = state_key::register_mark(&id, period);
        self.scan(&prefix, Some(&after), limit)
            .into_iter()
            .map(|(key, value)| {
                let period = key[prefix.len()..].try_into().expect("the key ends with a period");
                let mark = codec::decode(&value).expect("a mark is written by this crate");
                (SettlementPeriod::new(u32::from_be_bytes(period)), mark)
            })
            .collect()
    }

    /// The last mark at or before `period` and the first after it; `latest` is the last of all, so
    /// that a meter that seals day after day needs no search.
    pub(crate) fn register_marks_around(
        &self,
        id: UsagePointId,
        latest: SettlementPeriod,
        period: SettlementPeriod,
    ) -> (Option<PlacedMark>, Option<PlacedMark>) {
        let at = |period| self.register_mark(id, period).map(|mark| (period, mark));
        if latest <= period {
            return (at(latest), None);
        }
        let after = self.register_marks_after(id, period, 1).pop();
        let before = at(period).or_else(|| at(after?.1.previous?));
        (before, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_go_on_or_start_again() {
        // (before, now, limit, moved)
        let table = [
            (0, 0, 0, Some(0)),
            (5, 9, 0, Some(4)),
            (9, 5, 0, None),
            (9, 5, 10, Some(6)),
            (9, 0, 10, Some(1)),
            (5, 9, 10, Some(4)),
        ];
        for (before, now, limit, expected) in table {
            let limit = WattHours::new(limit);
            assert_eq!(moved(before, now, limit), expected, "{before} to {now} below {limit}");
            let (Some(moved), both) = (expected, |wh| Registers {
                import: WattHours::new(wh),
                export: WattHours::new(wh),
            }) else {
                continue;
            };
            assert_eq!(both(before).advanced(both(moved), limit), Ok(both(now)));
        }
        let top = Registers { import: WattHours::new(u64::MAX), export: WattHours::ZERO };
        assert!(top.advanced(top, WattHours::ZERO).is_err());
        assert!(top.advanced(top, WattHours::new(100)).is_ok());
    }

    #[test]
    fn a_roll_over_is_told_from_a_register_that_went_backwards_by_the_connection() {
        let at = |import| Registers { import: WattHours::new(import), export: WattHours::ZERO };
        let stretch = |slots, limit| Stretch {
            slots,
            slot_limit_wh: 100,
            register_limit: WattHours::new(limit),
        };
        let backwards = |before_wh, now_wh| {
            Err(Rejection::RegisterWentBackwards { register: 0, before_wh, now_wh })
        };
        let jumped = |before_wh, now_wh, bound_wh| {
            Err(Rejection::RegisterJumped { register: 0, before_wh, now_wh, bound_wh })
        };
        let table = [
            (at(7), at(7), stretch(0, 0), Ok(())),
            (at(7), at(6), stretch(0, 0), backwards(7, 6)),
            (at(7), at(8), stretch(0, 0), jumped(7, 8, 0)),
            (at(7), at(207), stretch(2, 0), Ok(())),
            (at(7), at(208), stretch(2, 0), jumped(7, 208, 200)),
            (at(990), at(10), stretch(2, 1_000), Ok(())),
            (at(990), at(980), stretch(2, 1_000), backwards(990, 980)),
            (at(990), at(10), stretch(2, 0), backwards(990, 10)),
        ];
        for (before, now, stretch, expected) in table {
            assert_eq!(require_continues(&before, &now, stretch), expected, "{stretch:?}");
        }
    }
}
