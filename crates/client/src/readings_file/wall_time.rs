//! Times in files: local times of the grid, or times with an offset.

use primitives::calendar::{Calendar, LocalDay};
use primitives::units::Timestamp;

/// Where in its local day a value begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Minute {
    /// What a clock on the wall shows, in minutes after midnight.
    Wall(u16),
    /// Minutes after the day began.
    Elapsed(u16),
}

impl Minute {
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Wall(minute) | Self::Elapsed(minute) => minute,
        }
    }
}

/// The local day of a time and the minute in it: `2016-06-01T00:15`, the same with a blank, with
/// seconds `:00`, or with an offset, which makes it exact where clocks change.
pub(crate) fn moment(text: &str, calendar: &Calendar) -> Result<(LocalDay, Minute), String> {
    let wanted = || {
        format!(
            "{text:?}: wanted is a time such as 2016-06-01T00:15, or with its offset \
             2016-06-01T00:15:00+05:30"
        )
    };
    let (day, time) = text.split_once(['T', ' ']).ok_or_else(wanted)?;
    if let Some(minute) = minute_of_day(time) {
        return Ok((day.parse().map_err(|_| wanted())?, Minute::Wall(minute)));
    }
    let time: Timestamp = text.parse().map_err(|_| wanted())?;
    let period = calendar.period_at(time).map_err(|_| wanted())?;
    let day = calendar.day_of(period).map_err(|_| wanted())?;
    let start = calendar.start_of(calendar.periods_of(day).first);
    let elapsed = time.get().checked_sub(start.get()).ok_or_else(wanted)?;
    if elapsed % 60_000 != 0 {
        return Err(wanted());
    }
    u16::try_from(elapsed / 60_000)
        .map(|minute| (day, Minute::Elapsed(minute)))
        .map_err(|_| wanted())
}

/// `HH:MM` or `HH:MM:00`, exactly.
fn minute_of_day(text: &str) -> Option<u16> {
    let text = match text.len() {
        8 => text.strip_suffix(":00")?,
        _ => text,
    };
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str, below: u16| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<u16>().ok().filter(|number| digits && *number < below)
    };
    Some(number(hours, 24)? * 60 + number(minutes, 60)?)
}
