//! The chain, or the wait for it: whoever cannot be reached is left alone for a while, longer each time.

use crate::status::{ChainState, Status};
use piecework_settle::{SettleError, Settlement};
use piecework_types::Time;
use std::time::Duration;

/// The first wait, and the longest.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Makes a connection to the chain, checking that it is the right one. It may take seconds.
pub(crate) type Connect = Box<dyn FnMut() -> Result<Box<dyn Settlement>, SettleError> + Send>;

/// The way to a chain.
pub(crate) struct Link {
    connect: Connect,
    chain: Option<Box<dyn Settlement>>,
    retry_at: Time,
    pause: Duration,
}

impl Link {
    pub(crate) fn new(connect: Connect) -> Self {
        Self { connect, chain: None, retry_at: Time::ZERO, pause: PAUSE }
    }

    /// The chain, unless it is left alone for now.
    pub(crate) fn chain(&mut self, now: Time) -> Option<&mut Box<dyn Settlement>> {
        if now < self.retry_at { None } else { self.chain.as_mut() }
    }

    /// Whether it has to be connected, and may be now.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        self.chain.is_none() && now >= self.retry_at
    }

    /// When it may be asked again.
    pub(crate) fn retry_at(&self) -> Time {
        self.retry_at
    }

    /// Connects; what is not the chain of the network file is refused here.
    pub(crate) fn connect(&mut self) -> Result<&mut Box<dyn Settlement>, SettleError> {
        Ok(self.chain.insert((self.connect)()?))
    }

    /// It has answered.
    pub(crate) fn worked(&mut self, wall: u64, status: &mut Status) {
        self.pause = PAUSE;
        self.retry_at = Time::ZERO;
        if status.chain != ChainState::Good {
            tracing::info!("the chain of payments answers");
        }
        (status.chain, status.answered_at) = (ChainState::Good, Some(wall));
    }

    /// It has not.
    pub(crate) fn failed(&mut self, (now, wall): (Time, u64), why: String, status: &mut Status) {
        self.retry_at = now + self.pause;
        self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
        let since = match &status.chain {
            ChainState::Down { since, .. } => *since,
            ChainState::Starting | ChainState::Good => {
                tracing::warn!(%why, "the chain of payments cannot be used");
                wall
            }
        };
        status.chain = ChainState::Down { why, since };
    }
}

/// Whether an error says that the chain cannot be asked or believed, not that one thing is impossible there.
#[must_use]
pub fn is_down(error: &SettleError) -> bool {
    match error {
        SettleError::Rpc(_)
        | SettleError::Check(_)
        | SettleError::Network(_)
        | SettleError::Disagree { .. }
        | SettleError::Forked { .. }
        | SettleError::Behind { .. }
        | SettleError::SeenFile(_)
        | SettleError::OneWitness(_)
        | SettleError::WrongHash { .. } => true,
        SettleError::Amount(_)
        | SettleError::Pay(_)
        | SettleError::NotSigned(_)
        | SettleError::Coin { .. }
        | SettleError::TooLittle { .. }
        | SettleError::Refused { .. }
        | SettleError::Stopped { .. }
        | SettleError::NoToken(_)
        | SettleError::Failed { .. }
        | SettleError::Gas { .. }
        | SettleError::Price { .. }
        | SettleError::Displaced { .. }
        | SettleError::NotMined { .. }
        | SettleError::TooManySent { .. }
        | SettleError::NotSent(_)
        | SettleError::TooLarge { .. } => false,
    }
}
