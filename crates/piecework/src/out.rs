//! stdout: only what scripts want, and never a panic when nobody reads it.

use serde_json::{Value, json};
use std::io::Write;

/// The two forms of output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    json: bool,
}

impl Out {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// A line of text, or the object under `--json`. A reader that has gone away is no error of ours.
    pub(crate) fn say(self, text: &str, object: &Value) {
        let mut stdout = std::io::stdout().lock();
        let written = if self.json {
            writeln!(stdout, "{object}")
        } else if text.is_empty() {
            Ok(())
        } else {
            writeln!(stdout, "{text}")
        };
        drop(written.and_then(|()| stdout.flush()));
    }

    /// Text as it is, for commands whose result is a script.
    pub(crate) fn text(self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        drop(stdout.write_all(bytes).and_then(|()| stdout.flush()));
    }

    /// An event that has an object and no text.
    pub(crate) fn event(self, object: &Value) {
        self.say("", object);
    }

    /// Something that needs attention, on stderr; under `--json` as an event as well.
    pub(crate) fn problem(self, text: &str) {
        if self.json {
            self.event(&json!({ "event": "problem", "text": text }));
        }
        note(text);
    }
}

/// A line on stderr.
pub(crate) fn note(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
