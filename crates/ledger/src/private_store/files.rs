//! Private payloads as files: a folder for each usage point, a file for each transaction.
//!
//! A file is written beside its place, synced, and renamed; removing one is synced as well. Nobody but
//! the owner of the process may read them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use primitives::identifier::UsagePointId;

use super::{PayloadKey, PrivateStore};
use crate::store::StoreError;

/// The end of the name of a file that is still being written.
const PART: &str = ".part";

/// Private payloads in a directory.
#[derive(Debug)]
pub struct PrivateFiles {
    directory: PathBuf,
}

impl PrivateFiles {
    /// Opens the directory, made when it is not there. What was being written when the process ended is
    /// removed.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be made or read.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::from_io("opening the private payloads", error);
        make(directory).map_err(failed)?;
        let files = Self { directory: directory.to_owned() };
        for usage_point in files.usage_points()? {
            for name in names(&files.folder(usage_point)).map_err(failed)? {
                if name.ends_with(PART) {
                    fs::remove_file(files.folder(usage_point).join(name)).map_err(failed)?;
                }
            }
        }
        Ok(files)
    }

    fn folder(&self, usage_point: UsagePointId) -> PathBuf {
        self.directory.join(usage_point.to_string())
    }

    fn path(&self, key: &PayloadKey) -> PathBuf {
        self.folder(key.usage_point).join(format!("{}-{}", key.day, key.transaction))
    }

    fn write(&self, key: &PayloadKey, payload: &[u8]) -> io::Result<()> {
        let (folder, path) = (self.folder(key.usage_point), self.path(key));
        if !folder.exists() {
            make(&folder)?;
            sync(&self.directory)?;
        }
        let part = folder.join(format!(".{}{PART}", key.transaction));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        owners_only(&mut options);
        let mut file = options.open(&part)?;
        file.write_all(payload)?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        sync(&folder)
    }

    fn erase(&self, key: &PayloadKey) -> io::Result<()> {
        let folder = self.folder(key.usage_point);
        match fs::remove_file(self.path(key)) {
            Ok(()) => sync(&folder)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        // A folder that still holds something stays.
        let _ = fs::remove_dir(&folder);
        Ok(())
    }
}

impl PrivateStore for PrivateFiles {
    fn put(&self, key: &PayloadKey, payload: &[u8]) -> Result<(), StoreError> {
        self.write(key, payload)
            .map_err(|error| StoreError::from_io("writing a private payload", error))
    }

    fn get(&self, key: &PayloadKey) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::read(self.path(key)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::from_io("reading a private payload", error)),
        }
    }

    fn remove(&self, key: &PayloadKey) -> Result<(), StoreError> {
        self.erase(key).map_err(|error| StoreError::from_io("erasing a private payload", error))
    }

    fn keys_of(&self, usage_point: UsagePointId) -> Result<Vec<PayloadKey>, StoreError> {
        let names = match names(&self.folder(usage_point)) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::from_io("reading private payloads", error)),
        };
        let key = |name: &String| {
            let (day, transaction) = name.rsplit_once('-')?;
            Some(PayloadKey {
                usage_point,
                day: day.parse().ok()?,
                transaction: transaction.parse().ok()?,
            })
        };
        let mut keys: Vec<_> = names.iter().filter_map(key).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    fn usage_points(&self) -> Result<Vec<UsagePointId>, StoreError> {
        let names = names(&self.directory)
            .map_err(|error| StoreError::from_io("reading private payloads", error))?;
        let mut points: Vec<_> = names.iter().filter_map(|name| name.parse().ok()).collect();
        points.sort_unstable();
        Ok(points)
    }
}

/// The names in a folder.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Makes a folder that only its owner may look into.
fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(unix)]
fn owners_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn owners_only(_options: &mut OpenOptions) {}

/// Makes what was renamed or removed in a folder durable; only Unix can and needs to.
fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
