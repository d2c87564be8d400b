//! Log lines on standard error.
use std::io::IsTerminal;

use tracing::Level;

use super::span_fields::SpanFields;
use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging for the whole process; a second call changes nothing.
pub fn start(log: &Log) {
    let level = match log.level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    let is_terminal = std::io::stderr().is_terminal();
    let as_text = match log.format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    let started = if as_text {
        lines.with_ansi(is_terminal).try_init()
    } else {
        lines.json().flatten_event(true).with_span_list(false).fmt_fields(SpanFields).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
