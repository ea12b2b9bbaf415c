//! The log of a daemon: on stderr, for people or as JSON, its level changed while it runs.

use super::redact::Redacted;
use piecework_settings::{LogFormat, LogLevel, Settings};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// The log that was started, whose level can be changed.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    current: Arc<Mutex<String>>,
}

impl Log {
    /// Starts it. `verbose` counts `-v`s, which win over the level of the settings.
    pub(crate) fn start(settings: &Settings, verbose: u8) -> Self {
        let current = match verbose {
            0 => settings.log().level,
            1 => LogLevel::Info,
            _ => LogLevel::Debug,
        };
        let (layer, filter) = reload::Layer::new(EnvFilter::new(current.word()));
        let current = Arc::new(Mutex::new(current.word()));
        let registry = tracing_subscriber::registry().with(layer);
        let lines = fmt::layer().with_writer(|| Redacted).with_ansi(false);
        match settings.log().format {
            LogFormat::Human => registry.with(lines).init(),
            LogFormat::Json => registry.with(lines.json()).init(),
        }
        Self { filter, current }
    }

    /// From now on lines of this level and more serious ones are told, or those that directives such as
    /// `info,piecework_dht=debug` name.
    ///
    /// # Errors
    /// When the text is neither.
    pub(crate) fn set(&self, text: &str) -> Result<(), String> {
        let filter = EnvFilter::try_new(text).map_err(|_| {
            "it must be error, warn, info, debug or trace, or directives for parts of the program"
        })?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = text.to_owned();
        // It fails only when the log is gone, and nobody reads it then.
        let _ = self.filter.reload(filter);
        Ok(())
    }

    /// How the API reads and changes it; until the end of this run, or until the setting changes.
    pub(crate) fn for_api(&self) -> piecework_api::LogLevel {
        let (reader, writer) = (self.clone(), self.clone());
        let get = move || reader.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let set = move |text: &str| writer.set(text);
        piecework_api::LogLevel { get: Box::new(get), set: Box::new(set) }
    }
}
