//! SIGINT and SIGTERM: the first asks for a polite end, a second one ends the process at once.

use crate::failure::{Context, Failure};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Which signal has come, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    came: Arc<AtomicUsize>,
}

impl Signals {
    /// Takes over both signals.
    pub(crate) fn install() -> Result<Self, Failure> {
        let signals = Self::default();
        let second = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let status = 128 + signal;
            let doing = "cannot handle signals";
            // Registered first, so it sees the flag of an earlier signal only.
            signal_hook::flag::register_conditional_shutdown(signal, status, Arc::clone(&second))
                .context(doing)?;
            signal_hook::flag::register(signal, Arc::clone(&second)).context(doing)?;
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&signals.came), number)
                .context(doing)?;
        }
        Ok(signals)
    }

    /// From now on a signal calls `wake`, which ends a wait, so that nobody has to look for one all the time.
    pub(crate) fn wake(&self, wake: impl Fn() + Send + 'static) -> Result<(), Failure> {
        let doing = "cannot wait for signals";
        // Registered after the flags, so they are set when it wakes somebody.
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).context(doing)?;
        let wait = move || signals.forever().for_each(|_| wake());
        std::thread::Builder::new().name("signals".into()).spawn(wait).context(doing)?;
        Ok(())
    }

    /// The exit status that the signal stands for, once one has come.
    pub(crate) fn status(&self) -> Option<u8> {
        match self.came.load(Ordering::Relaxed) {
            0 => None,
            signal => u8::try_from(128 + signal).ok(),
        }
    }
}
