//! `gridtally snapshot`: the ledger in one file, from which a node begins.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use ledger::snapshot::{self, Manifest, SnapshotError, Verified};
use ledger::store::{FjallOptions, FjallStore};
use ledger::{Ledger, LedgerError};
use node::Threads;
use primitives::identifier::LedgerId;
use serde_json::json;

use super::connect::{self, NodeAddress, OwnKey};
use crate::cli::Global;
use crate::directory::Directory;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// What can be done with snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Write the snapshot of the newest checkpoint that the validators agreed on.
    ///
    /// The checkpoint is asked for with `gridtally submit request-checkpoint` while the node runs. A
    /// running node writes the snapshot itself and goes on meanwhile: name it with --node, and a key of
    /// its organisation or of a regulator with --key. Of a node that is stopped, name the directory with
    /// --dir; it is only read.
    Create(Create),
    /// Check a snapshot, offline.
    ///
    /// Checked are the proof of its checkpoint, every row of the state against it, and every block up to
    /// its anchor: form, signatures, certificates and receipts.
    #[command(
        after_help = "Exit codes: 0 right · 1 wrong, in words · 2 not a snapshot · 3 right, but \
        not anchored and --require-anchor was given"
    )]
    Verify(Verify),
    /// Make a node's directory from a snapshot, checking all of it.
    ///
    /// Give the node its key (`node.key`) before or after. Whose key voted before and whose directory
    /// was lost must not vote with it again: change the key by rotate-node-key.
    Restore(Restore),
}

/// See [`SnapshotCommand::Create`].
#[derive(Debug, Args)]
pub struct Create {
    /// The directory of a node that is stopped.
    #[arg(long, value_name = "DIR", conflicts_with = "node", required_unless_present = "node")]
    dir: Option<PathBuf>,
    /// The address of a node that runs.
    #[arg(long, value_name = "URL", requires = "key")]
    node: Option<String>,
    /// Whose rights the node is asked with.
    #[command(flatten)]
    own: OwnKey,
    /// The file to write; it must not be there.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Which ledger is trusted.
#[derive(Debug, Args)]
pub struct Trusted {
    /// The genesis of the ledger that you trust.
    #[arg(long, value_name = "FILE", conflicts_with = "ledger")]
    genesis: Option<PathBuf>,
    /// The id of the ledger that you trust.
    #[arg(long, value_name = "ID")]
    ledger: Option<LedgerId>,
}

/// See [`SnapshotCommand::Verify`].
#[derive(Debug, Args)]
pub struct Verify {
    /// The snapshot.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Which ledger is trusted.
    #[command(flatten)]
    trusted: Trusted,
    /// Do not accept a snapshot whose ledger was not compared.
    #[arg(long)]
    require_anchor: bool,
}

/// See [`SnapshotCommand::Restore`].
#[derive(Debug, Args)]
pub struct Restore {
    /// The node's directory, without a ledger in it. A genesis.json in it is trusted.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The snapshot.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Which ledger is trusted.
    #[command(flatten)]
    trusted: Trusted,
}

impl SnapshotCommand {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        match self {
            Self::Create(command) => command.run(global),
            Self::Verify(command) => command.run(global),
            Self::Restore(command) => command.run(global),
        }
    }
}

impl Trusted {
    fn id(&self) -> Result<Option<LedgerId>, Ended> {
        match &self.genesis {
            Some(path) => {
                Ok(Some(client::genesis_file::read(path).end_with(Exit::Usage)?.ledger_id()))
            }
            None => Ok(self.ledger),
        }
    }
}

/// What is wrong with the content of a snapshot, or with the disk below it.
fn ended(error: SnapshotError) -> Ended {
    match error {
        SnapshotError::Ledger(error @ LedgerError::Store(_)) => error.into(),
        SnapshotError::File(error) => error.into(),
        SnapshotError::NotASnapshot => Ended { exit: Exit::Usage, error: error.into() },
        other => Ended { exit: Exit::Failure, error: other.into() },
    }
}

fn open(path: &Path) -> Result<BufReader<File>, Ended> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()));
    Ok(BufReader::new(file.end_with(Exit::Usage)?))
}

impl Create {
    fn run(self, global: &Global) -> Result<Exit, Ended> {
        if self.file.exists() {
            return Err(anyhow!("{} is there already", self.file.display())).end_with(Exit::Usage);
        }
        let unfinished = beside(&self.file);
        let made = match (&self.dir, &self.node) {
            (Some(dir), _) => self.of_directory(dir, &unfinished),
            (None, Some(node)) => self.of_node(node, &unfinished),
            (None, None) => unreachable!("one of them is required"),
        };
        let (manifest, bytes) = made.inspect_err(|_| {
            // What is left of it is of no use.
            let _ = fs::remove_file(&unfinished);
        })?;
        fs::rename(&unfinished, &self.file)?;
        sync_directory_of(&self.file)?;
        let (height, root) = (manifest.checkpoint.height(), manifest.checkpoint.root());
        if global.json {
            output::json(&json!({
                "ledger_id": manifest.genesis.ledger_id().to_string(),
                "height": height.to_string(),
                "root": root.to_string(),
                "anchor_height": manifest.proof.anchor.header.height.to_string(),
                "bytes": bytes.to_string(),
            }))?;
        } else {
            output::line(&format!(
                "{}: checkpoint {height} with root {root}, {bytes} bytes",
                self.file.display()
            ))?;
        }
        Ok(Exit::Success)
    }

    /// From the store of a node that is stopped.
    fn of_directory(&self, dir: &Path, unfinished: &Path) -> Result<(Manifest, u64), Ended> {
        let directory = Directory::existing(dir)?;
        let ledger = Ledger::open(directory.open_store()?, Some(directory.genesis()?))?;
        let view = ledger.view();
        let bar = output::progress(view.height(), "blocks");
        bar.set_prefix("writing");
        let made = (|| {
            let mut out = Counted { out: BufWriter::new(File::create(unfinished)?), bytes: 0 };
            let kept = directory.checkpoints();
            let manifest =
                snapshot::create(&view, &kept, &mut out, &mut |height| bar.set_position(height))?;
            out.out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
            Ok((manifest, out.bytes))
        })();
        bar.finish_and_clear();
        made.map_err(|error| match error {
            SnapshotError::Ledger(error) => error.into(),
            other => ended(other),
        })
    }

    /// From a node that runs, which writes it while it goes on.
    fn of_node(&self, node: &str, unfinished: &Path) -> Result<(Manifest, u64), Ended> {
        let node = NodeAddress { node: node.to_owned() }.connect_as(&self.own)?;
        let mut input = node.stream("/v1/snapshot").map_err(connect::ended)?;
        let mut out = BufWriter::new(File::create(unfinished)?);
        let bar = output::progress(0, "bytes");
        bar.set_prefix("receiving");
        let mut piece = vec![0; 64 << 10];
        let mut bytes = 0;
        loop {
            let cut_off = || anyhow!("{} stopped sending: ask again", node.address());
            let read = input.read(&mut piece).map_err(|_| cut_off()).end_with(Exit::Unreachable)?;
            if read == 0 {
                break;
            }
            out.write_all(&piece[..read])?;
            bytes += read as u64;
            bar.set_position(bytes);
        }
        bar.finish_and_clear();
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        // What came is complete when its end is there and every part has its hash.
        let manifest = snapshot::read_frames(open(unfinished)?).map_err(ended)?;
        Ok((manifest, bytes))
    }
}

/// Counts what is written.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: std::io::Write> std::io::Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// Makes the name of a new file survive a power loss.
fn sync_directory_of(file: &Path) -> Result<(), Ended> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?)
}

/// A name beside a file or directory for what is not finished.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    path.with_file_name(name)
}

impl Verify {
    fn run(self, global: &Global) -> Result<Exit, Ended> {
        let trusted = self.trusted.id()?;
        let bar = output::progress(0, "blocks");
        bar.set_prefix("checking");
        let verified =
            snapshot::verify(open(&self.file)?, trusted, &Threads::per_core(), &mut |at, of| {
                bar.set_length(of);
                bar.set_position(at);
            });
        bar.finish_and_clear();
        let verified = verified.map_err(|error| match error {
            SnapshotError::Ledger(error) => {
                Ended { exit: Exit::Failure, error: anyhow!("{}: {error}", self.file.display()) }
            }
            other => ended(other),
        })?;
        say(global, &self.file, &verified)?;
        if self.require_anchor && !verified.anchored {
            eprintln!(
                "gridtally: right in itself, but the ledger was not compared; give --genesis or \
                 --ledger"
            );
            return Ok(Exit::NotAnchored);
        }
        Ok(Exit::Success)
    }
}

fn say(global: &Global, file: &Path, verified: &Verified) -> Result<(), Ended> {
    if global.json {
        output::json(&json!({
            "ledger_id": verified.ledger_id.to_string(),
            "anchored": verified.anchored,
            "height": verified.height.to_string(),
            "root": verified.root.to_string(),
            "rows": verified.rows.to_string(),
            "anchor_height": verified.anchor_height.to_string(),
            "anchor_time": verified.anchor_time.to_string(),
        }))?;
        return Ok(());
    }
    let (path, ledger) = (file.display(), verified.ledger_id);
    if !verified.anchored {
        output::line(&format!("{path}: consistent in itself; ledger id NOT compared ({ledger})"))?;
    }
    output::line(&format!(
        "{path}: right: checkpoint {} with root {}, {} rows, blocks up to {} ({})",
        verified.height, verified.root, verified.rows, verified.anchor_height, verified.anchor_time
    ))?;
    Ok(())
}

impl Restore {
    fn run(self, global: &Global) -> Result<Exit, Ended> {
        let place = Directory::create(&self.dir)?;
        for taken in [place.ledger(), place.consensus()] {
            if taken.exists() {
                let error =
                    anyhow!("{} is there already: restore into another one", taken.display());
                return Err(error).end_with(Exit::Usage);
            }
        }
        let trusted = match self.trusted.id()? {
            None if place.genesis_file().exists() => Some(place.genesis()?.ledger_id()),
            trusted => trusted,
        };
        let trusted = trusted
            .ok_or_else(|| {
                anyhow!(
                    "which ledger do you trust? Say it with --genesis or --ledger, or put its \
                     genesis.json into {}",
                    self.dir.display()
                )
            })
            .end_with(Exit::NotAnchored)?;
        let input = open(&self.file)?;
        let unfinished = beside(&place.ledger());
        let restored = self.fill(&place, &unfinished, input, trusted);
        if restored.is_err() {
            // What is left of it is of no use.
            let _ = fs::remove_dir_all(&unfinished);
        }
        say(global, &self.file, &restored?)?;
        Ok(Exit::Success)
    }

    /// Makes the store beside its place and moves it there when it is complete.
    fn fill(
        &self,
        place: &Directory,
        unfinished: &Path,
        input: BufReader<File>,
        trusted: LedgerId,
    ) -> Result<Verified, Ended> {
        if unfinished.exists() {
            fs::remove_dir_all(unfinished)?;
        }
        let store =
            FjallStore::open(unfinished, FjallOptions::default()).map_err(LedgerError::from)?;
        let store = Arc::new(store);
        let bar = output::progress(0, "blocks");
        bar.set_prefix("restoring");
        let target = Arc::clone(&store) as _;
        let threads = Threads::per_core();
        let verified = snapshot::restore(input, Some(trusted), &threads, target, &mut |at, of| {
            bar.set_length(of);
            bar.set_position(at);
        });
        bar.finish_and_clear();
        let verified = verified.map_err(ended)?;
        let ledger = Ledger::open(store, None)?;
        if !place.genesis_file().exists() {
            client::genesis_file::write(&place.genesis_file(), ledger.rules().genesis())
                .context("the genesis cannot be written")?;
        }
        // Its lock goes with it.
        drop(ledger);
        fs::rename(unfinished, place.ledger())?;
        File::open(place.path())?.sync_all()?;
        Ok(verified)
    }
}
