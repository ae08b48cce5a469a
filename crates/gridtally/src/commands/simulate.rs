//! `gridtally simulate`: a day scaled to seconds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::demo::Day;
use super::play::{self, Play};
use super::simulate_network::SimulateNetwork;
use crate::cli::Global;
use crate::exit::{Ended, Exit};
use crate::output;

/// A day scaled to seconds: N households, slot by slot, with a summary.
///
/// The published system's simulation: 96 slots of 15 seconds each, 24 minutes for a day. The API
/// answers meanwhile, so the day can be watched in the browser.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Simulate {
    /// Something else than a day.
    #[command(subcommand)]
    other: Option<Other>,
    /// What is played.
    #[command(flatten)]
    day: Day,
    /// How long a slot takes: `15s`, `250ms`, or `max` for as fast as the machine goes.
    #[arg(long, value_name = "SPEED", default_value = "15s")]
    speed: Speed,
    /// Where the ledger goes; a temporary folder that is removed unless told otherwise.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where the API listens; a free port unless told otherwise.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// What else can be simulated.
#[derive(Debug, Subcommand)]
enum Other {
    Network(SimulateNetwork),
}

/// How long a slot takes.
#[derive(Debug, Clone, Copy)]
struct Speed(Duration);

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self(Duration::ZERO));
        }
        let parsed = if let Some(number) = text.strip_suffix("ms") {
            number.parse().map(Duration::from_millis)
        } else {
            text.strip_suffix('s').unwrap_or(text).parse().map(Duration::from_secs)
        };
        match parsed {
            Ok(duration) if duration <= Duration::from_secs(900) => Ok(Self(duration)),
            _ => Err("wanted is `max`, seconds as in `15s` or milliseconds as in `250ms`, up to \
                      900s"
                .to_owned()),
        }
    }
}

impl Simulate {
    /// Whole networks with faults, in place of a day?
    pub const fn is_of_network(&self) -> bool {
        matches!(self.other, Some(Other::Network(_)))
    }

    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        if let Some(Other::Network(network)) = self.other {
            return network.run(global);
        }
        let temporary = tempfile::Builder::new()
            .prefix("gridtally-simulate-")
            .tempdir()
            .context("no temporary folder can be made; give --dir")?;
        let dir = self.dir.unwrap_or_else(|| temporary.path().to_owned());
        let play = Play {
            plan: self.day.plan()?,
            dir,
            listen: self.listen,
            per_slot: self.speed.0,
            nodes: 1,
        };
        let played = play.run()?;
        if global.json {
            output::json(&played.summary())?;
        } else {
            play::print(&played)?;
        }
        played.running.stop()?;
        Ok(Exit::Success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_as_people_write_them() {
        let read = |text: &str| Speed::from_str(text).map(|speed| speed.0);
        assert_eq!(read("max"), Ok(Duration::ZERO));
        assert_eq!(read("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(read("15"), Ok(Duration::from_secs(15)));
        assert_eq!(read("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "fast", "-1s", "901s", "1.5s"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
