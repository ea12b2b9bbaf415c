//! Waiting for something that another thread does, with a deadline instead of a sleep.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a test waits for something that ought to happen soon. Long enough for a busy machine
/// with few cores; whoever waits so long has found a bug.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A value that threads change and others wait for. Cloning gives another handle.
#[derive(Debug, Default)]
pub struct Watched<T>(Arc<(Mutex<T>, Condvar)>);

impl<T> Clone for Watched<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Watched<T> {
    /// A value to watch.
    pub fn new(value: T) -> Self {
        Self(Arc::new((Mutex::new(value), Condvar::new())))
    }

    /// Changes the value and wakes those who wait.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.0.1.notify_all();
        result
    }

    /// Looks at the value.
    pub fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Waits until `ready` finds what it looks for; `None` after `patience`.
    pub fn wait<R>(&self, patience: Duration, mut ready: impl FnMut(&T) -> Option<R>) -> Option<R> {
        let deadline = Instant::now() + patience;
        let mut value = self.lock();
        loop {
            if let Some(found) = ready(&value) {
                return Some(found);
            }
            let rest = deadline.checked_duration_since(Instant::now())?;
            value = self.0.1.wait_timeout(value, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_the_value_is_there_and_when_patience_is_over() {
        let watched = Watched::new(0);
        let other = watched.clone();
        let thread = std::thread::spawn(move || other.change(|value| *value = 7));
        let seen = watched.wait(PATIENCE, |value| (*value == 7).then_some("seven"));
        assert_eq!(seen, Some("seven"));
        thread.join().expect("the thread does not panic");
        assert_eq!(watched.wait(Duration::ZERO, |value| (*value == 8).then_some(())), None);
    }
}
