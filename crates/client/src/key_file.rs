//! A private key in a file: encrypted with a passphrase, or plain where nobody can type one.
//!
//! The passphrase becomes a key by Argon2id, the key encrypts the seed with XChaCha20-Poly1305, and the
//! public key is bound as associated data. A file is written whole or not at all, is readable by its
//! owner alone, and never replaces another: a key that is overwritten is lost.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use data_encoding::BASE64URL_NOPAD;
use primitives::key::{PublicKey, SigningKey};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::atomic_file::{self, Existing};
use crate::json::{Base64, Written};

/// What the file says that it is.
pub const FORMAT: &str = "gridtally-key/1";
/// No key file is larger.
const MAX_BYTES: u64 = 16 << 10;

/// The cost of a passphrase: 64 MiB and three passes, a fraction of a second on a small machine.
const COST: Cost = Cost { memory_kib: 64 << 10, iterations: 3, parallelism: 1 };
/// A file that asks for more is refused: it would stop the reader, not protect the key.
const MAX_COST: Cost = Cost { memory_kib: 1 << 20, iterations: 64, parallelism: 16 };

/// Why a key file cannot be written, read or unlocked.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// There is a file of that name; a key is never overwritten.
    #[error("{} exists and is not overwritten: choose another name or move it away", .0.display())]
    Exists(PathBuf),
    /// Others on this machine can read the file.
    #[error("{} can be read by others (mode {mode:03o}): run `chmod 600` on it, or make a new key if \
             somebody may have read it", path.display())]
    ReadableByOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is no key file of this format.
    #[error("{} is no key file of format {FORMAT}: {reason}", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// The file is a key file and was damaged; a backup helps.
    #[error("{} is damaged, take it from a backup: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file is encrypted and no passphrase was given.
    #[error("{} is encrypted: a passphrase is needed", .0.display())]
    PassphraseNeeded(PathBuf),
    /// The passphrase does not open the file.
    #[error("wrong passphrase for {} (or its secret was changed)", .0.display())]
    WrongPassphrase(PathBuf),
    /// An empty passphrase protects nothing.
    #[error("an empty passphrase protects nothing: write a plain file instead, if that is meant")]
    EmptyPassphrase,
    /// The system has no randomness for salt and nonce.
    #[error("the system has no randomness: {0}")]
    NoRandomness(#[from] getrandom::Error),
}

/// How a key is kept.
#[derive(Clone, Copy)]
pub enum Protection<'a> {
    /// As it is: who reads the file has the key.
    Plain,
    /// Encrypted with this passphrase.
    Passphrase(&'a str),
}

impl fmt::Debug for Protection<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "Plain",
            Self::Passphrase(_) => "Passphrase(hidden)",
        })
    }
}

/// A key file that was read and not yet unlocked.
pub struct KeyFile {
    path: PathBuf,
    content: KeyJson,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyFile({}, of {:?})", self.path.display(), self.public())
    }
}

impl KeyFile {
    /// Writes `key` to a new file.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`], [`KeyFileError::File`], [`KeyFileError::EmptyPassphrase`],
    /// [`KeyFileError::NoRandomness`].
    pub fn write(
        path: &Path,
        key: &SigningKey,
        protection: Protection<'_>,
    ) -> Result<(), KeyFileError> {
        let public = key.public();
        let (protection, secret) = match protection {
            Protection::Plain => (ProtectionJson::Plain, key.seed().to_vec()),
            Protection::Passphrase("") => return Err(KeyFileError::EmptyPassphrase),
            Protection::Passphrase(passphrase) => encrypt(key, passphrase)?,
        };
        let secret = Secret(Zeroizing::new(secret));
        let content =
            KeyJson { format: FORMAT.to_owned(), public: Written(public), protection, secret };
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize));
        let file = |error| KeyFileError::File { path: path.to_owned(), error };
        serde_json::to_writer_pretty(&mut *text, &content).map_err(|error| file(error.into()))?;
        text.push(b'\n');
        atomic_file::write(path, &text, Existing::Refuse, true).map_err(|error| {
            match error.kind() {
                io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
                _ => file(error),
            }
        })
    }

    /// Reads a file; [`KeyFile::unlock`] gives the key.
    ///
    /// # Errors
    /// [`KeyFileError::File`], [`KeyFileError::ReadableByOthers`], [`KeyFileError::OtherFormat`],
    /// [`KeyFileError::Damaged`].
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let file = |error| KeyFileError::File { path: path.to_owned(), error };
        let other = |reason: String| KeyFileError::OtherFormat { path: path.to_owned(), reason };
        let mut source = File::open(path).map_err(file)?;
        refuse_readable_by_others(path, &source.metadata().map_err(file)?)?;
        let mut text = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize + 1));
        source.by_ref().take(MAX_BYTES + 1).read_to_end(&mut text).map_err(file)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(other("it is too long".to_owned()));
        }
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        let head: Head = serde_json::from_slice(&text).map_err(|error| other(error.to_string()))?;
        if head.format != FORMAT {
            return Err(other(format!("it says {:?}", head.format)));
        }
        let damaged = |reason: String| KeyFileError::Damaged { path: path.to_owned(), reason };
        let content: KeyJson =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        content.check().map_err(|reason| damaged(reason.to_owned()))?;
        Ok(Self { path: path.to_owned(), content })
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.content.public.0
    }

    /// Whether [`KeyFile::unlock`] needs a passphrase.
    #[must_use]
    pub const fn needs_passphrase(&self) -> bool {
        matches!(self.content.protection, ProtectionJson::Argon2id(_))
    }

    /// The private key; a plain file needs no passphrase and ignores one.
    ///
    /// # Errors
    /// [`KeyFileError::PassphraseNeeded`], [`KeyFileError::WrongPassphrase`],
    /// [`KeyFileError::Damaged`].
    pub fn unlock(&self, passphrase: Option<&str>) -> Result<SigningKey, KeyFileError> {
        let secret = match (&self.content.protection, passphrase) {
            (ProtectionJson::Plain, _) => self.content.secret.0.clone(),
            (ProtectionJson::Argon2id(_), None) => {
                return Err(KeyFileError::PassphraseNeeded(self.path.clone()));
            }
            (ProtectionJson::Argon2id(protection), Some(passphrase)) => {
                let opened = decrypt(protection, passphrase, self.public(), &self.content.secret.0);
                opened.ok_or_else(|| KeyFileError::WrongPassphrase(self.path.clone()))?
            }
        };
        let damaged = |reason: &str| KeyFileError::Damaged {
            path: self.path.clone(),
            reason: reason.to_owned(),
        };
        let mut seed: [u8; 32] =
            secret[..].try_into().map_err(|_| damaged("the secret is not 32 bytes long"))?;
        let key = SigningKey::from_seed(seed);
        seed.zeroize();
        if key.public() != self.public() {
            return Err(damaged("the secret does not belong to the public key"));
        }
        Ok(key)
    }
}

#[cfg(unix)]
fn refuse_readable_by_others(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(KeyFileError::ReadableByOthers { path: path.to_owned(), mode })
}

#[cfg(not(unix))]
fn refuse_readable_by_others(_path: &Path, _metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    Ok(())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyJson {
    format: String,
    public: Written<PublicKey>,
    protection: ProtectionJson,
    secret: Secret,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ProtectionJson {
    Plain,
    Argon2id(Argon2idJson),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Argon2idJson {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
    salt: Base64,
    nonce: Base64,
}

struct Cost {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
}

/// Secret bytes in base64url, wiped when dropped.
struct Secret(Zeroizing<Vec<u8>>);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(BASE64URL_NOPAD.encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes());
        // The text itself must not get into an error.
        let bytes = bytes.map_err(|_| D::Error::custom("secret: not base64url"))?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

impl KeyJson {
    fn check(&self) -> Result<(), &'static str> {
        let ProtectionJson::Argon2id(protection) = &self.protection else {
            return if self.secret.0.len() == 32 {
                Ok(())
            } else {
                Err("the secret is not 32 bytes")
            };
        };
        if self.secret.0.len() != 48 {
            return Err("the encrypted secret is not 48 bytes");
        }
        if protection.nonce.0.len() != 24 || protection.salt.0.len() != 16 {
            return Err("the nonce is not 24 bytes or the salt not 16");
        }
        if !(8..=MAX_COST.memory_kib).contains(&protection.memory_kib)
            || !(1..=MAX_COST.iterations).contains(&protection.iterations)
            || !(1..=MAX_COST.parallelism).contains(&protection.parallelism)
        {
            return Err("the cost of the passphrase is out of range");
        }
        Ok(())
    }
}

fn encrypt(key: &SigningKey, passphrase: &str) -> Result<(ProtectionJson, Vec<u8>), KeyFileError> {
    let (mut salt, mut nonce) = ([0; 16], [0; 24]);
    getrandom::fill(&mut salt)?;
    getrandom::fill(&mut nonce)?;
    let Cost { memory_kib, iterations, parallelism } = COST;
    let (salt, nonce) = (Base64(salt.to_vec()), Base64(nonce.to_vec()));
    let protection = Argon2idJson { memory_kib, iterations, parallelism, salt, nonce };
    let (cipher, nonce) = cipher(&protection, passphrase).expect("the cost is a constant in range");
    let public = associated_data(key.public());
    let payload = Payload { msg: key.seed(), aad: public.as_bytes() };
    let secret = cipher.encrypt(&nonce, payload).expect("32 bytes are never too long");
    Ok((ProtectionJson::Argon2id(protection), secret))
}

fn decrypt(
    protection: &Argon2idJson,
    passphrase: &str,
    public: PublicKey,
    secret: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let (cipher, nonce) = cipher(protection, passphrase)?;
    let public = associated_data(public);
    let payload = Payload { msg: secret, aad: public.as_bytes() };
    cipher.decrypt(&nonce, payload).ok().map(Zeroizing::new)
}

fn associated_data(public: PublicKey) -> String {
    format!("{FORMAT} {public}")
}

/// The cipher of a passphrase, and its nonce.
fn cipher(protection: &Argon2idJson, passphrase: &str) -> Option<(XChaCha20Poly1305, XNonce)> {
    let Argon2idJson { memory_kib, iterations, parallelism, salt, nonce } = protection;
    let params = Params::new(*memory_kib, *iterations, *parallelism, Some(32)).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &salt.0, &mut *key)
        .ok()?;
    let nonce: [u8; 24] = nonce.0[..].try_into().ok()?;
    Some((XChaCha20Poly1305::new_from_slice(&*key).ok()?, XNonce::from(nonce)))
}
