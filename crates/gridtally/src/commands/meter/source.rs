//! Where a meter's values come from: a file that is replayed, a simulated home, or a pipe.
//!
//! A pipe tells cumulative registers at moments. A slot's energy is what the register moved from the
//! first value that is told in it to the first that is told in the next. When several slots passed between two
//! values, the difference is shared out evenly, odd Wh to the first, and flagged as estimated.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use anyhow::{Context, anyhow};
use contracts::Rules;
use primitives::calendar::{LocalDay, SettlementPeriod};
use primitives::reading::{Quality, Reading};
use primitives::units::{Timestamp, WattHours};
use serde::Deserialize;
use simulator::households::Extract;

use super::memory::Seen;
use crate::exit::{EndWith, Ended, Exit};

/// Lines of a pipe that wait; then its writer waits.
const LINES: usize = 64;
/// Days of a simulated home that are made at once.
const MAX_DAYS: i32 = 366;

/// A slot and what was measured in it.
pub type Measured = (SettlementPeriod, Reading);

/// What the source has next.
pub enum Next {
    /// A slot.
    Slot(Measured),
    /// Nothing at the moment.
    Later,
    /// Nothing any more.
    End,
}

/// Where values come from.
pub enum Source {
    /// Slots that are known, in order.
    Known(VecDeque<Measured>),
    /// A home whose slots are made when they have ended.
    Home(Box<Home>),
    /// Registers from standard input.
    Pipe(Pipe),
}

/// A simulated home that lives on.
pub struct Home {
    extract: Extract,
    seed: u64,
    home: u32,
    next: SettlementPeriod,
}

impl Home {
    /// A home of the extract, from `next` on.
    pub fn new(seed: u64, home: u32, next: SettlementPeriod) -> Self {
        Self { extract: Extract::simbench(), seed, home, next }
    }

    fn reading(&self, rules: &Rules, period: SettlementPeriod) -> Result<Reading, Ended> {
        let (day, slot) = rules.calendar().slot_in_day(period).end_with(Exit::Usage)?;
        Ok(readings(&self.extract, rules, (self.home, self.seed), day)
            .get(usize::from(slot))
            .copied()
            .unwrap_or(NOTHING))
    }
}

const NOTHING: Reading =
    Reading { import_wh: WattHours::ZERO, export_wh: WattHours::ZERO, quality: Quality::Actual };

/// A home's day in the slots of the ledger. The extract has quarter hours: other slot lengths take
/// each value for a slot of theirs, which is enough for a trial.
fn readings(
    extract: &Extract,
    rules: &Rules,
    (home, seed): (u32, u64),
    day: LocalDay,
) -> Vec<Reading> {
    let profile = extract.home(home, day, seed).readings();
    let count = usize::from(rules.calendar().periods_of(day).count);
    profile.iter().copied().cycle().take(count).collect()
}

/// A simulated home's days.
///
/// # Errors
/// More than a year.
pub fn simulated(
    rules: &Rules,
    (seed, home): (u64, u32),
    (from, until): (LocalDay, LocalDay),
) -> Result<VecDeque<Measured>, Ended> {
    let count = until.get() - from.get() + 1;
    if !(1..=MAX_DAYS).contains(&count) {
        let error = anyhow!("--from {from} --until {until}: wanted are 1 to {MAX_DAYS} days");
        return Err(error).end_with(Exit::Usage);
    }
    let extract = Extract::simbench();
    let mut slots = VecDeque::new();
    for offset in 0..count {
        let day = from.offset(offset).end_with(Exit::Usage)?;
        let periods = rules.calendar().periods_of(day).iter();
        slots.extend(periods.zip(readings(&extract, rules, (home, seed), day)));
    }
    Ok(slots)
}

impl Source {
    /// The next slot, when it has ended at `now`.
    ///
    /// # Errors
    /// A line of a pipe that says nothing.
    pub fn next(
        &mut self,
        rules: &Rules,
        now: Timestamp,
        seen: &mut Option<Seen>,
    ) -> Result<Next, Ended> {
        match self {
            Self::Known(slots) => Ok(slots.pop_front().map_or(Next::End, Next::Slot)),
            Self::Home(home) => {
                if rules.calendar().end_of(home.next) > now {
                    return Ok(Next::Later);
                }
                let period = home.next;
                home.next = period.next().end_with(Exit::Failure)?;
                Ok(Next::Slot((period, home.reading(rules, period)?)))
            }
            Self::Pipe(pipe) => pipe.next(rules, now, seen),
        }
    }
}

/// Registers from standard input.
pub struct Pipe {
    lines: Receiver<std::io::Result<String>>,
    line: u64,
    ready: VecDeque<Measured>,
}

/// A line as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineJson {
    import_register_wh: u64,
    export_register_wh: u64,
    time: Option<String>,
}

/// Registers at a moment.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    registers: [u64; 2],
    time: Option<Timestamp>,
}

impl Pipe {
    /// Reads standard input on a thread of its own, so that Ctrl-C is heard meanwhile.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn open() -> Result<Self, Ended> {
        let (sender, lines) = sync_channel(LINES);
        std::thread::Builder::new().name("pipe".to_owned()).spawn(move || {
            for line in std::io::stdin().lock().lines() {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { lines, line: 0, ready: VecDeque::new() })
    }

    fn next(
        &mut self,
        rules: &Rules,
        now: Timestamp,
        seen: &mut Option<Seen>,
    ) -> Result<Next, Ended> {
        loop {
            if let Some(measured) = self.ready.pop_front() {
                taken(seen, &measured);
                return Ok(Next::Slot(measured));
            }
            let line = match self.lines.try_recv() {
                Ok(line) => line.context("standard input cannot be read")?,
                Err(TryRecvError::Empty) => return Ok(Next::Later),
                Err(TryRecvError::Disconnected) => return Ok(Next::End),
            };
            self.line += 1;
            if line.trim().is_empty() {
                continue;
            }
            let told = told(&line)
                .map_err(|reason| anyhow!("standard input, line {}: {reason}", self.line))
                .end_with(Exit::Usage)?;
            let period = rules.calendar().period_at(told.time.unwrap_or(now));
            let period = period.end_with(Exit::Usage)?.get();
            self.ready = ended_slots(seen, period, told.registers)
                .map_err(|reason| anyhow!("standard input, line {}: {reason}", self.line))
                .end_with(Exit::Usage)?;
        }
    }
}

fn told(line: &str) -> Result<Told, String> {
    let time =
        |text: &str| text.parse().map_err(|_| format!("{text:?} is no time with its offset"));
    if line.trim_start().starts_with('{') {
        let json: LineJson = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let time = json.time.as_deref().map(time).transpose()?;
        return Ok(Told { registers: [json.import_register_wh, json.export_register_wh], time });
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |text: &str| {
        text.parse::<u64>().map_err(|_| format!("{text:?}: wanted are whole watt-hours"))
    };
    match words[..] {
        [import, export] => Ok(Told { registers: [number(import)?, number(export)?], time: None }),
        [import, export, at] => {
            Ok(Told { registers: [number(import)?, number(export)?], time: Some(time(at)?) })
        }
        _ => {
            Err("wanted are IMPORT_REGISTER_WH EXPORT_REGISTER_WH and, if wanted, a time"
                .to_owned())
        }
    }
}

/// A slot is taken: what the pipe told is reported up to its end. Slot by slot, so that nothing is
/// passed over when the program is killed between two of them.
pub fn taken(seen: &mut Option<Seen>, (period, reading): &Measured) {
    let Some(seen) = seen.as_mut().filter(|seen| seen.period == period.get()) else { return };
    let energy = [reading.import_wh.get(), reading.export_wh.get()];
    seen.period += 1;
    seen.start = [0, 1].map(|it| seen.start[it] + energy[it]);
    seen.latest = [0, 1].map(|it| seen.latest[it].max(seen.start[it]));
}

/// The slots that have ended when the registers show this in `period`.
fn ended_slots(
    seen: &mut Option<Seen>,
    period: u32,
    registers: [u64; 2],
) -> Result<VecDeque<Measured>, String> {
    let Some(last) = seen else {
        *seen = Some(Seen { period, start: registers, latest: registers });
        return Ok(VecDeque::new());
    };
    for (before, now) in last.latest.iter().zip(registers) {
        if now < *before {
            return Err(format!("a register went backwards, from {before} to {now} Wh"));
        }
    }
    let passed = period.checked_sub(last.period);
    let passed = u64::from(passed.ok_or("its time lies before that of a line before")?);
    if passed == 0 {
        last.latest = registers;
        return Ok(VecDeque::new());
    }
    let mut slots = VecDeque::new();
    let mut push = |period: u32, energy: [u64; 2], quality| {
        let [import, export] = energy.map(WattHours::new);
        let reading = Reading { import_wh: import, export_wh: export, quality };
        slots.push_back((SettlementPeriod::new(period), reading));
    };
    if passed == 1 {
        push(last.period, [0, 1].map(|it| registers[it] - last.start[it]), Quality::Actual);
    } else {
        let moved = [0, 1].map(|it| registers[it] - last.start[it]);
        for (number, period) in (0..passed).zip(last.period..) {
            let share = moved.map(|it| it / passed + u64::from(number < it % passed));
            push(period, share, Quality::Estimated);
        }
    }
    last.latest = registers;
    Ok(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_pipe() {
        let plain = |registers| Ok(Told { registers, time: None });
        assert_eq!(told("120500 7"), plain([120_500, 7]));
        assert_eq!(told("{\"import_register_wh\":1,\"export_register_wh\":2}"), plain([1, 2]));
        let timed = told("1 2 2016-06-01T00:15:00+05:30").unwrap();
        assert_eq!(timed.time, Some("2016-05-31T18:45:00Z".parse().unwrap()));
        for wrong in ["1", "1 2 3 4", "a b", "1.5 2", "-1 2", "{\"import\":1}", "1 2 noon"] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn registers_become_slots() {
        let mut seen = None;
        let mut tell = |period, registers| -> Result<Vec<(u32, u64, u64, Quality)>, String> {
            let slots = ended_slots(&mut seen, period, registers)?;
            slots.iter().for_each(|slot| taken(&mut seen, slot));
            let shown = slots.into_iter().map(|(period, it)| {
                (period.get(), it.import_wh.get(), it.export_wh.get(), it.quality)
            });
            Ok(shown.collect())
        };
        assert_eq!(tell(10, [100, 0]), Ok(vec![]));
        assert_eq!(tell(10, [150, 0]), Ok(vec![]));
        assert_eq!(tell(11, [160, 5]), Ok(vec![(10, 60, 5, Quality::Actual)]));
        let shared = [(11, 4, 1), (12, 3, 1), (13, 3, 0)];
        let shared: Vec<_> = shared
            .map(|(period, import, export)| (period, import, export, Quality::Estimated))
            .into();
        assert_eq!(tell(14, [170, 7]), Ok(shared));
        assert!(tell(15, [169, 7]).unwrap_err().contains("backwards"));
        assert!(tell(13, [170, 7]).is_err());
    }
}
