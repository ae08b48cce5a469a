//! Structured logs to standard error.

use tracing_subscriber::EnvFilter;

use crate::cli::{Global, LogFormat};

/// Starts logging for the life of the process, `unless_told` when no filter is given. A filter that
/// cannot be read counts as `warn`.
pub fn start(global: &Global, unless_told: &str) {
    let wanted = global.log.as_deref().unwrap_or(unless_told);
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        eprintln!("gridtally: --log {wanted}: {error}; logging warnings");
        EnvFilter::new("warn")
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would be said on standard error as well, and panic where that cannot be written either:
        // a log on a full disk would end the node before the node can say why.
        .log_internal_errors(false)
        .with_ansi(false);
    match global.log_format {
        LogFormat::Text => builder.compact().init(),
        LogFormat::Json => builder.json().init(),
    }
}
