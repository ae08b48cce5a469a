//! `gridtally keys`: key files, and how every command protects and unlocks them.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use client::key_file::{KeyFile, Protection};
use client::transaction_builder::new_key;
use data_encoding::HEXLOWER;
use primitives::key::SigningKey;
use serde_json::json;

use crate::cli::Global;
use crate::exit::{EndWith, Ended, Exit};
use crate::output;

/// Make and look at key files.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a new key and write it to a file that only you can read.
    New {
        /// The file; it must not exist.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How it is protected.
        #[command(flatten)]
        protect: Protect,
    },
    /// Print public key and address of a key file; needs no passphrase.
    Show {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Check that a key file can be unlocked.
    Check {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// How it is unlocked.
        #[command(flatten)]
        passphrase: Passphrase,
    },
}

/// How new key files are protected.
#[derive(Debug, Clone, Args)]
pub struct Protect {
    /// Keep the key unencrypted: who reads the file has the key.
    #[arg(long, conflicts_with = "passphrase_file")]
    plain: bool,
    /// Read the passphrase from the first line of a file; `-` is standard input. Without it you are
    /// asked.
    #[arg(long, value_name = "FILE", env = "GRIDTALLY_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Protect {
    /// Unencrypted files.
    pub const fn plain() -> Self {
        Self { plain: true, passphrase_file: None }
    }

    /// Opens a key file with the passphrase of new ones, when it needs one.
    pub fn open(&self, file: &Path) -> Result<SigningKey, Ended> {
        read_key(file, &Passphrase { passphrase_file: self.passphrase_file.clone() })
    }

    /// The passphrase of new files; `None` when they stay plain.
    pub fn new_passphrase(&self) -> Result<Option<String>, Ended> {
        if self.plain {
            return Ok(None);
        }
        if let Some(file) = &self.passphrase_file {
            return first_line(file).map(Some);
        }
        if !std::io::stdin().is_terminal() {
            return Err(anyhow!(
                "a passphrase is needed and there is no terminal to ask on: give \
                 --passphrase-file, or --plain for a key that needs no protection"
            ))
            .end_with(Exit::Usage);
        }
        let first = rpassword::prompt_password("Passphrase for the new key: ")?;
        let second = rpassword::prompt_password("The same again: ")?;
        if first != second {
            return Err(anyhow!("the two passphrases differ")).end_with(Exit::Key);
        }
        Ok(Some(first))
    }
}

/// How a key file is unlocked.
#[derive(Debug, Clone, Default, Args)]
pub struct Passphrase {
    /// Read the passphrase from the first line of a file; `-` is standard input. Without it you are
    /// asked when the key file is encrypted.
    #[arg(long, value_name = "FILE", env = "GRIDTALLY_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Reads and unlocks a key file.
///
/// # Errors
/// Exit code 8 with what to do.
pub fn read_key(path: &Path, passphrase: &Passphrase) -> Result<SigningKey, Ended> {
    Unlocker::new(passphrase.clone()).open(path)
}

/// Unlocks several key files with one passphrase, which is read or asked for once.
pub struct Unlocker {
    passphrase: Passphrase,
    known: Option<String>,
    may_ask: bool,
}

impl Unlocker {
    /// Reads or asks for the passphrase when the first encrypted file needs it.
    pub const fn new(passphrase: Passphrase) -> Self {
        Self { passphrase, known: None, may_ask: true }
    }

    /// From now on nobody is asked.
    pub const fn ask_no_more(&mut self) {
        self.may_ask = false;
    }

    /// Reads and unlocks a key file.
    ///
    /// # Errors
    /// Exit code 8 with what to do.
    pub fn open(&mut self, path: &Path) -> Result<SigningKey, Ended> {
        let file = KeyFile::read(path).end_with(Exit::Key)?;
        if !file.needs_passphrase() {
            return file.unlock(None).end_with(Exit::Key);
        }
        if self.known.is_none() {
            self.known = Some(self.passphrase_for(path)?);
        }
        file.unlock(self.known.as_deref()).end_with(Exit::Key)
    }

    fn passphrase_for(&self, path: &Path) -> Result<String, Ended> {
        match &self.passphrase.passphrase_file {
            Some(file) => first_line(file),
            None if self.may_ask && std::io::stdin().is_terminal() => {
                Ok(rpassword::prompt_password(format!("Passphrase for {}: ", path.display()))?)
            }
            None if self.may_ask => Err(anyhow!(
                "{} is encrypted and there is no terminal to ask on: give --passphrase-file",
                path.display()
            ))
            .end_with(Exit::Key),
            None => Err(anyhow!(
                "{} is encrypted: start the node again, or with --passphrase-file",
                path.display()
            ))
            .end_with(Exit::Key),
        }
    }
}

/// Writes a new key file.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_key(path: &Path, key: &SigningKey, passphrase: Option<&String>) -> Result<(), Ended> {
    let protection = passphrase.map_or(Protection::Plain, |text| Protection::Passphrase(text));
    KeyFile::write(path, key, protection).end_with(Exit::Key)
}

fn first_line(file: &Path) -> Result<String, Ended> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(4_096).read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file)
            .with_context(|| format!("the passphrase file {} cannot be read", file.display()))
            .end_with(Exit::Key)?;
    }
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

impl Keys {
    pub fn run(self, global: &Global) -> Result<Exit, Ended> {
        let (file, key) = match self {
            Self::New { file, protect } => {
                let key = new_key().context("the operating system gives no random bytes")?;
                write_key(&file, &key, protect.new_passphrase()?.as_ref())?;
                (file, Some(key))
            }
            Self::Show { file } => (file, None),
            Self::Check { file, passphrase } => {
                let key = read_key(&file, &passphrase)?;
                (file, Some(key))
            }
        };
        // It follows from the secret, so it is shown where the file was unlocked.
        let encryption = key.map(|key| HEXLOWER.encode(&client::encryption_key::public(&key)));
        let content = KeyFile::read(&file).end_with(Exit::Key)?;
        let public = content.public();
        if global.json {
            output::json(&json!({
                "file": file.display().to_string(),
                "public_key": public.to_string(),
                "address": public.address().to_string(),
                "encryption_key": encryption,
                "encrypted": content.needs_passphrase(),
            }))?;
        } else {
            output::line(&format!("public key  {public}"))?;
            output::line(&format!("address     {}", public.address()))?;
            if let Some(encryption) = encryption {
                output::line(&format!("encryption  {encryption}"))?;
            }
            let how = if content.needs_passphrase() { "encrypted" } else { "plain" };
            output::line(&format!("file        {} ({how})", file.display()))?;
        }
        Ok(Exit::Success)
    }
}
