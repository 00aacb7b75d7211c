//! Log lines on standard error, as text or JSON.

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// The environment variable that sets levels per module, such as `info,handstamp::gateway=debug`.
pub const VARIABLE: &str = "HANDSTAMP_LOG";

/// Starts logging for the whole process. A second call changes nothing: tests and the demo may share a
/// process.
pub fn start(log: &Log) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(log.level.word()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match log.format {
        LogFormat::Text => {
            builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).try_init(),
    };
}
