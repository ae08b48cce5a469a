//! What can go wrong between the ledger and the disk, told so that an operator knows what to do.

use std::{io, path::PathBuf};

/// A failure of the store: of the machine, never of a rule.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No space, a quota or a file size limit was hit. The store is poisoned when it was a write.
    #[error(
        "the disk is full or its quota is used up ({action}): free some space or raise the limit, \
         then restart the node"
    )]
    DiskFull {
        /// What the store was doing.
        action: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Stored bytes fail their checksum, do not decode, or acknowledged commits are missing.
    #[error(
        "the store is damaged ({what}): keep a copy of the directory, then restore a backup or \
         remove it and let the node catch up from its peers"
    )]
    Corrupt {
        /// Which file or keyspace, and what is wrong with it.
        what: String,
    },
    /// Another process has the directory open.
    #[error(
        "the data directory {} is in use by another process: stop that one or name another \
         directory", directory.display()
    )]
    Locked {
        /// The directory that was to be opened.
        directory: PathBuf,
    },
    /// The operating system refused a read or a write.
    #[error("cannot go on {action}: check the disk and the permissions, then restart the node")]
    Io {
        /// What the store was doing.
        action: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// An earlier write failed, so nothing more is written.
    #[error(
        "an earlier write failed, so nothing more is written: see the first error in the log, \
         remove its cause and restart the node"
    )]
    Poisoned,
}

impl StoreError {
    /// Sorts a failure of the operating system into [`StoreError::DiskFull`] or [`StoreError::Io`].
    pub(crate) fn from_io(action: &'static str, source: io::Error) -> Self {
        // ENOSPC, EDQUOT and EFBIG: to an operator all three mean "no more room here".
        match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull { action, source },
            _ => Self::Io { action, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_a_used_up_quota_and_a_file_size_limit_are_one_error() {
        const ENOSPC: i32 = 28;
        const EFBIG: i32 = 27;
        const EDQUOT: i32 = 122;
        const EIO: i32 = 5;
        for code in [ENOSPC, EFBIG, EDQUOT] {
            let error = StoreError::from_io("writing", io::Error::from_raw_os_error(code));
            assert!(matches!(error, StoreError::DiskFull { .. }), "{code}: {error:?}");
        }
        let error = StoreError::from_io("writing", io::Error::from_raw_os_error(EIO));
        assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    }
}
