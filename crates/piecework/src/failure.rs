//! How a command ends when it does not succeed: an exit status and one line.

use std::fmt::Display;

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit status: 1 for a failure, 2 for wrong use, 128 and more for a signal.
    pub(crate) status: u8,
    /// Cause and remedy on one line; empty if everything has been said.
    pub(crate) text: String,
}

impl Failure {
    /// A failure with its cause and remedy.
    pub(crate) fn new(text: impl Display) -> Self {
        Self { status: 1, text: text.to_string() }
    }

    /// Wrong use of the command line.
    pub(crate) fn usage(text: impl Display) -> Self {
        Self { status: 2, text: text.to_string() }
    }

    /// An end with this status and nothing more to say.
    pub(crate) const fn silent(status: u8) -> Self {
        Self { status, text: String::new() }
    }
}

/// Turns any error of a library into a failure, with what was being done.
pub(crate) trait Context<T> {
    fn context(self, doing: impl Display) -> Result<T, Failure>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn context(self, doing: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("{doing}: {error}")))
    }
}
