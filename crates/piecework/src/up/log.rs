//! The log of a daemon: on stderr, for people or as JSON, its level changed while it runs.

use super::redact::Redacted;
use piecework_settings::{LogFormat, LogLevel, Settings};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// The log that was started; see [`Log::set_level`].
#[derive(Clone, Debug)]
pub(crate) struct Log {
    level: reload::Handle<LevelFilter, Registry>,
    current: Arc<Mutex<LogLevel>>,
}

impl Log {
    /// Starts it. `verbose` counts `-v`s, which win over the level of the settings.
    pub(crate) fn start(settings: &Settings, verbose: u8) -> Self {
        let current = match verbose {
            0 => settings.log().level,
            1 => LogLevel::Info,
            _ => LogLevel::Debug,
        };
        let (filter, level) = reload::Layer::new(filter(current));
        let current = Arc::new(Mutex::new(current));
        let registry = tracing_subscriber::registry().with(filter);
        let lines = fmt::layer().with_writer(|| Redacted).with_ansi(false);
        match settings.log().format {
            LogFormat::Human => registry.with(lines).init(),
            LogFormat::Json => registry.with(lines.json()).init(),
        }
        Self { level, current }
    }

    /// From now on lines of this level and more serious ones are told.
    pub(crate) fn set_level(&self, level: LogLevel) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = level;
        // It fails only when the log is gone, and nobody reads it then.
        let _ = self.level.reload(filter(level));
    }

    /// How the API reads and changes it; until the end of this run, or until the setting changes.
    pub(crate) fn for_api(&self) -> piecework_api::LogLevel {
        let (reader, writer) = (self.clone(), self.clone());
        let get = move || reader.current.lock().unwrap_or_else(PoisonError::into_inner).word();
        let set = move |word: &str| {
            let level = LogLevel::of_word(word)
                .ok_or("it must be error, warn, info, debug or trace".to_owned())?;
            writer.set_level(level);
            Ok(())
        };
        piecework_api::LogLevel { get: Box::new(get), set: Box::new(set) }
    }
}

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
