//! Files that are there whole or not at all: written beside their place, synced, then renamed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

/// Whether a file of the same name may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is replaced.
    Replace,
    /// It stays, and the writing fails with [`io::ErrorKind::AlreadyExists`].
    Refuse,
}

/// Writes `bytes` to `path`. `private` files are readable by their owner alone (on Unix).
pub(crate) fn write(
    path: &Path,
    bytes: &[u8],
    existing: Existing,
    private: bool,
) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    // Nobody can guess the name and put something else there beforehand.
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    beside.push(format!(".{}.part", HEXLOWER.encode(&random)));
    let beside = path.with_file_name(beside);
    let written =
        fill(&beside, bytes, private).and_then(|()| put_in_place(&beside, path, existing));
    if written.is_err() {
        // Best effort: the error that matters is the one of the writing.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn fill(path: &Path, bytes: &[u8], private: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if private {
        restrict(&mut options);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn restrict(_options: &mut OpenOptions) {}

fn put_in_place(beside: &Path, path: &Path, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Replace => fs::rename(beside, path)?,
        // A hard link fails when the name is taken, in one step; a rename would replace the file.
        Existing::Refuse => {
            fs::hard_link(beside, path)?;
            fs::remove_file(beside)?;
        }
    }
    sync_folder(path)
}

/// Makes the new name durable; only Unix can and needs to.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf))?.sync_all()?;
    }
    Ok(())
}

/// The text of a file that is not longer than `max_bytes`; nothing longer is read into memory.
pub(crate) fn read_text(path: &Path, max_bytes: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(max_bytes + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max_bytes {
        let reason = format!("longer than the {max_bytes} bytes that such a file may have");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(text)
}
