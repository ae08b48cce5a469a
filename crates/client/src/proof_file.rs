//! The proof file: one bill and everything that proves it, in JSON that a person can read.
//!
//! The file is canonical. What is read is written again and compared byte for byte, so there is no
//! second way to write the same proof, no unknown field and no field that is not checked: neither by
//! that comparison nor by the verification could a changed byte pass.

use std::io;
use std::path::{Path, PathBuf};

use contracts::billing::bill_proof::{BillProof, issued_event};
use contracts::event::Event;
use contracts::genesis::GenesisError;
use primitives::codec::{CodecError, decode};
use primitives::hash::Hash;
use primitives::identifier::LedgerId;
use serde::Deserialize;
use thiserror::Error;

use crate::atomic_file::{self, Existing};
use crate::genesis_file::GenesisFileError;
use crate::proof_columns;
use crate::proof_json::ProofJson;

/// What the file says that it is.
pub const FORMAT: &str = "gridtally-proof/1";
/// No proof file is larger: a year of quarter hours, each of them corrected, takes 40 MB.
pub const MAX_BYTES: u64 = 64 << 20;

/// Why bytes are no proof file, or not a right one.
#[derive(Debug, Error)]
pub enum ProofFileError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The bytes are no JSON, or do not say that they are a proof.
    #[error("not a proof file: {0}")]
    NotAProof(String),
    /// A field is unknown, missing, or has a value that is none.
    #[error("the proof file is damaged: {0}")]
    Json(serde_json::Error),
    /// Bytes or a list in the file are not what they should be.
    #[error("the proof file is damaged: {0}")]
    Codec(#[from] CodecError),
    /// A value cannot be.
    #[error("the proof file is damaged: {0}")]
    Value(String),
    /// A list has another length than the bill's days ask for.
    #[error("the proof file is damaged: {what} has {found} entries, the bill asks for {wanted}")]
    Count {
        /// The list.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// The genesis cannot found a ledger.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The genesis is damaged.
    #[error(transparent)]
    GenesisFile(#[from] GenesisFileError),
    /// The file names another ledger than the one of its genesis.
    #[error("the file names ledger {named}, its genesis belongs to {found}")]
    OtherLedger {
        /// The ledger of the genesis.
        found: LedgerId,
        /// The ledger that the file names.
        named: LedgerId,
    },
    /// The file is not written as this proof has to be.
    #[error("line {line} is not written as it has to be: {found:?}, wanted is {wanted:?}")]
    NotCanonical {
        /// The first line that differs, from 1.
        line: usize,
        /// The line, shortened.
        found: String,
        /// As it has to be, shortened.
        wanted: String,
    },
    /// The event of the proof is not that of its bill.
    #[error("the event of the proof is not that of its bill")]
    OtherEvent,
}

impl ProofFileError {
    /// Whether the file does not even claim to be a proof (exit code 2), or claims it wrongly.
    #[must_use]
    pub const fn is_not_a_proof(&self) -> bool {
        matches!(self, Self::File { .. } | Self::NotAProof(_))
    }
}

/// A proof file: a proof together with its one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    proof: BillProof,
    text: String,
}

impl ProofFile {
    /// The file of a proof.
    ///
    /// # Errors
    /// [`ProofFileError::OtherEvent`] when the proof is about another event than its bill's, and as
    /// for [`ProofFile::parse`] when it could not be read again.
    pub fn new(proof: BillProof) -> Result<Self, ProofFileError> {
        let text = write_json(&proof)?;
        // What could not be read again must not be handed out.
        let again = parse_json(&text)?;
        if again != proof {
            return Err(ProofFileError::OtherEvent);
        }
        Ok(Self { proof, text })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ProofFileError`]; that nothing is wrong here says nothing yet about the bill: see
    /// [`crate::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let not_utf8 = |_| ProofFileError::NotAProof("it is not UTF-8 text".to_owned());
        let text = std::str::from_utf8(bytes).map_err(not_utf8)?;
        let proof = parse_json(text)?;
        let wanted = write_json(&proof)?;
        if wanted != text {
            return Err(not_canonical(text, &wanted));
        }
        Ok(Self { proof, text: wanted })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`ProofFile::parse`].
    pub fn read(path: &Path) -> Result<Self, ProofFileError> {
        let file = |error| ProofFileError::File { path: path.to_owned(), error };
        match atomic_file::read_text(path, MAX_BYTES) {
            Ok(text) => Self::parse(text.as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(ProofFileError::NotAProof(error.to_string()))
            }
            Err(error) => Err(file(error)),
        }
    }

    /// Writes the file, whole or not at all; one that is there already is replaced.
    ///
    /// # Errors
    /// [`ProofFileError::File`].
    pub fn write(&self, path: &Path) -> Result<(), ProofFileError> {
        atomic_file::write(path, self.text.as_bytes(), Existing::Replace, false)
            .map_err(|error| ProofFileError::File { path: path.to_owned(), error })
    }

    /// The proof.
    #[must_use]
    pub const fn proof(&self) -> &BillProof {
        &self.proof
    }

    /// The one text of the proof, with a line break at its end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn parse_json(text: &str) -> Result<BillProof, ProofFileError> {
    #[derive(Deserialize)]
    struct Head {
        format: Option<String>,
    }
    let not_a_proof = |error: serde_json::Error| ProofFileError::NotAProof(error.to_string());
    let head: Head = serde_json::from_str(text).map_err(not_a_proof)?;
    match head.format.as_deref() {
        Some(FORMAT) => {}
        Some(other) => {
            let reason = format!("it says that it is {other:?}, wanted is {FORMAT:?}");
            return Err(ProofFileError::NotAProof(reason));
        }
        None => return Err(ProofFileError::NotAProof("it names no format".to_owned())),
    }
    let json: ProofJson = serde_json::from_str(text).map_err(ProofFileError::Json)?;
    let named = json.ledger_id.0;
    let proof = json.proof()?;
    let found = proof.genesis.ledger_id();
    if found != named {
        return Err(ProofFileError::OtherLedger { found, named });
    }
    Ok(proof)
}

fn write_json(proof: &BillProof) -> Result<String, ProofFileError> {
    let days: Vec<_> = proof_columns::slots_of(&proof.genesis, &proof.bill)?
        .into_iter()
        .map(|(day, _)| day)
        .collect();
    let json = ProofJson::of(proof, bill_hash(proof)?, &days);
    let mut text = serde_json::to_string_pretty(&json).map_err(ProofFileError::Json)?;
    text.push('\n');
    Ok(text)
}

/// The hash that the event says; everything else in the event is in the bill.
fn bill_hash(proof: &BillProof) -> Result<Hash, ProofFileError> {
    let (Event::BillIssued(wanted), Ok(Event::BillIssued(found))) =
        (issued_event(&proof.bill), decode(&proof.event.event))
    else {
        return Err(ProofFileError::OtherEvent);
    };
    let bill_hash = found.bill_hash;
    if found != (contracts::billing::BillIssued { bill_hash, ..wanted }) {
        return Err(ProofFileError::OtherEvent);
    }
    Ok(bill_hash)
}

pub(crate) fn not_canonical(found: &str, wanted: &str) -> ProofFileError {
    let shorten = |line: Option<&str>| -> String {
        line.map_or_else(|| "the end".to_owned(), |line| line.chars().take(80).collect())
    };
    let (mut ours, mut theirs) = (found.split('\n'), wanted.split('\n'));
    let mut line = 1;
    loop {
        match (ours.next(), theirs.next()) {
            (Some(ours), Some(theirs)) if ours == theirs => line += 1,
            (ours, theirs) => {
                let (found, wanted) = (shorten(ours), shorten(theirs));
                return ProofFileError::NotCanonical { line, found, wanted };
            }
        }
    }
}
