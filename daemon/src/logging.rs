//! Logs: to the journal where systemd reads along, else to standard error.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogLevel;

/// Changes what is logged while the service runs.
pub type Handle = reload::Handle<LevelFilter, tracing_subscriber::Registry>;

/// Begins to log.
///
/// Under systemd (`JOURNAL_STREAM`) lines go to the journal with their fields; should the journal not be reachable,
/// or in a terminal, to standard error.
pub fn start(level: LogLevel) -> Handle {
    let (filter, handle) = reload::Layer::new(filter(level));
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let plain = journal.is_none().then(|| {
        use std::io::IsTerminal as _;
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false)
    });
    tracing_subscriber::registry().with(filter.and_then(journal).and_then(plain)).init();
    handle
}

/// The level as the log's filter.
#[must_use]
pub const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
