//! The one error of the harness: a sentence for the person who reads the matrix.

use std::fmt::Display;

/// Why a cell, a peer or the harness itself did not do what was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

/// The result of everything the harness does.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure that reads as `text`.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Says what was being done when something failed.
pub(crate) trait Context<T> {
    /// Puts `doing()` and a colon before the cause.
    fn context<S: Display>(self, doing: impl FnOnce() -> S) -> Outcome<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn context<S: Display>(self, doing: impl FnOnce() -> S) -> Outcome<T> {
        self.map_err(|cause| Failure(format!("{}: {cause}", doing())))
    }
}
