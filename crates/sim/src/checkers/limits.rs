//! How much may leave a node.

use super::{Checker, Expected};
use crate::facts::Facts;
use crate::network::TICK;
use crate::seen::{Scene, Seen};
use piecework_types::{BLOCK_BYTES, Time};

/// A configured upload limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UploadLimit {
    /// Bytes a second in the long run.
    pub rate_bytes: u64,
    /// Bytes at once.
    pub burst_bytes: u64,
}

/// A leaking count of bytes: full means that too much left too fast.
#[derive(Clone, Copy, Debug)]
struct Meter {
    limit: UploadLimit,
    /// Bytes above what the rate allowed so far, in millionths.
    level: u128,
    updated: Time,
}

impl Meter {
    const fn new(limit: UploadLimit) -> Self {
        Self { limit, level: 0, updated: Time::ZERO }
    }

    /// Adds bytes; what is above the burst, if anything.
    fn add(&mut self, bytes: u64, now: Time) -> u64 {
        let leaked = now.since(self.updated).as_micros() * u128::from(self.limit.rate_bytes);
        self.updated = now;
        self.level = self.level.saturating_sub(leaked) + u128::from(bytes) * 1_000_000;
        let excess = self.level.saturating_sub(u128::from(self.limit.burst_bytes) * 1_000_000);
        (excess / 1_000_000) as u64
    }
}

/// What leaves a node never exceeds its link.
pub(super) struct LinkRate {
    meters: Vec<Meter>,
}

impl LinkRate {
    pub(super) fn new(expected: &[Expected]) -> Self {
        let meter = |expected: &Expected| {
            // What moved in a tick is seen at its end, and each connection ends a block in it.
            let tick = expected.link_bytes * TICK.as_millis() as u64 / 1_000;
            let burst_bytes = 2 * tick + 64 * u64::from(BLOCK_BYTES);
            Meter::new(UploadLimit { rate_bytes: expected.link_bytes, burst_bytes })
        };
        Self { meters: expected.iter().map(meter).collect() }
    }
}

impl Checker for LinkRate {
    const NAME: &'static str = "upload never exceeds the link";

    fn see(&mut self, _: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::BlockLeft { bytes } = seen else {
            return Ok(());
        };
        match self.meters[scene.node.0 as usize].add(*bytes, scene.now) {
            0 => Ok(()),
            excess => Err(format!("{excess} bytes more than the link carries")),
        }
    }
}

/// What a machine sends never exceeds the limit its user set.
pub(super) struct LimitRate {
    meters: Vec<Option<Meter>>,
}

impl LimitRate {
    pub(super) fn new(expected: &[Expected]) -> Self {
        Self { meters: expected.iter().map(|expected| expected.limit.map(Meter::new)).collect() }
    }
}

impl Checker for LimitRate {
    const NAME: &'static str = "upload never exceeds its limit";

    fn see(&mut self, _: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::BlockSent { block, .. } = seen else {
            return Ok(());
        };
        let Some(meter) = &mut self.meters[scene.node.0 as usize] else {
            return Ok(());
        };
        match meter.add(block.length.into(), scene.now) {
            0 => Ok(()),
            excess => Err(format!("{excess} bytes more than the limit allows")),
        }
    }
}
