//! What the operating system tells: CPU time, memory, disk, load, a bare fsync. Linux's `/proc`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::LoadError;

/// Clock ticks per second of `/proc/PID/stat`: 100 on every Linux that people run.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time that a process has used, all threads, user and system.
///
/// # Errors
/// When there is no such process or no `/proc`.
pub fn cpu_of(process: u32) -> Result<Duration, LoadError> {
    let failed = || LoadError::Measure("CPU time");
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).map_err(|_| failed())?;
    // The name in parentheses may hold blanks: count from behind it.
    let (_, fields) = stat.rsplit_once(')').ok_or_else(failed)?;
    let field = |index: usize| -> Result<u64, LoadError> {
        let text = fields.split_whitespace().nth(index).ok_or_else(failed)?;
        text.parse().map_err(|_| failed())
    };
    let ticks = field(11)? + field(12)?;
    Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

/// The most memory that a process has held, in KiB.
///
/// # Errors
/// When there is no such process or no `/proc`.
pub fn peak_rss_kib(process: u32) -> Result<u64, LoadError> {
    memory_kib(process, "VmHWM:")
}

/// The memory that a process holds now, in KiB.
///
/// # Errors
/// When there is no such process or no `/proc`.
pub fn rss_kib(process: u32) -> Result<u64, LoadError> {
    memory_kib(process, "VmRSS:")
}

fn memory_kib(process: u32, field: &str) -> Result<u64, LoadError> {
    let failed = || LoadError::Measure("memory");
    let status = fs::read_to_string(format!("/proc/{process}/status")).map_err(|_| failed())?;
    let line = status.lines().find(|line| line.starts_with(field)).ok_or_else(failed)?;
    let number = line.split_whitespace().nth(1).ok_or_else(failed)?;
    number.parse().map_err(|_| failed())
}

/// Bytes of all files below a directory, as the file system allocated them.
///
/// # Errors
/// When it cannot be read.
pub fn disk_bytes(directory: &Path) -> Result<u64, LoadError> {
    let failed = |_| LoadError::Measure("disk use");
    let mut sum = 0;
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => sum += disk_bytes(&path)?,
            #[cfg(unix)]
            Ok(metadata) => sum += std::os::unix::fs::MetadataExt::blocks(&metadata) * 512,
            #[cfg(not(unix))]
            Ok(metadata) => sum += metadata.len(),
            // A store removes files while it works.
            Err(_) => {}
        }
    }
    Ok(sum)
}

/// The load average over one minute, in hundredths.
#[must_use]
pub fn load_average() -> u64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next().unwrap_or("0.00");
    first.replace('.', "").parse().unwrap_or(0)
}

/// The median of small appends with fdatasync, in microseconds.
///
/// # Errors
/// When no file can be written beside the store.
pub fn fsync_us(directory: &Path, times: u32) -> Result<u64, LoadError> {
    let failed = |_| LoadError::Measure("an fsync");
    let path = directory.join("fsync-probe");
    let mut file = fs::File::create(&path).map_err(failed)?;
    let mut samples = Vec::with_capacity(times as usize);
    for _ in 0..times {
        let started = Instant::now();
        file.write_all(&[0x55; 512]).and_then(|()| file.sync_data()).map_err(failed)?;
        samples.push(started.elapsed());
    }
    fs::remove_file(&path).map_err(failed)?;
    Ok(super::Latency::of(samples).p50_us)
}
