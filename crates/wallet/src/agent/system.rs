//! What an agent asks the system: the time, who is at the other end, and to be let alone.

use piecework_types::Time;
use rustix::fd::AsFd;
use rustix::io::Result;
use std::time::Duration;

/// The time since the machine started, with the time that it slept: a wallet unlocked for an hour is locked
/// in the morning, also on a laptop that was shut in between.
pub(super) fn now() -> Time {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let at = rustix::time::clock_gettime(clock);
    let seconds = Duration::from_secs(u64::try_from(at.tv_sec).unwrap_or_default());
    Time::ZERO + seconds + Duration::from_nanos(u64::try_from(at.tv_nsec).unwrap_or_default())
}

/// The user of this process.
pub(super) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The user of the process at the other end of a socket.
#[cfg(target_os = "linux")]
pub(super) fn user_of(stream: impl AsFd) -> Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw())
}

/// Elsewhere the rights of the folder alone keep others out.
#[cfg(not(target_os = "linux"))]
pub(super) fn user_of(_: impl AsFd) -> Result<u32> {
    Ok(user())
}

/// Keeps this process's memory from debuggers of the same user and out of core dumps.
///
/// # Errors
/// When the system refuses.
pub fn shield() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    Ok(rustix::process::setrlimit(rustix::process::Resource::Core, none)?)
}
