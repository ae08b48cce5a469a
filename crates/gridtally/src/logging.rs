//! Structured logs to standard error.

use tracing_subscriber::EnvFilter;

use crate::cli::{Global, LogFormat};

/// Starts logging for the life of the process. A filter that cannot be read counts as `warn`.
pub fn start(global: &Global) {
    let filter = EnvFilter::try_new(&global.log).unwrap_or_else(|error| {
        eprintln!("gridtally: --log {}: {error}; logging warnings", global.log);
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
