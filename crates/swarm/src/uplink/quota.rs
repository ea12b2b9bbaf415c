//! What one part of a shared limit has granted to the uplink.

/// Quota held at most, so that an idle torrent cannot hoard the shared limit.
pub const QUOTA_MAX: u64 = 16 * 1024 * 1024;

/// Bytes that may leave by one part of the limit.
#[derive(Debug, Default)]
pub(super) struct Quota {
    /// `None` while no limit exists.
    left: Option<u64>,
    /// Bytes asked of the shared bucket and not granted yet.
    asked: u64,
}

impl Quota {
    pub(super) const fn is_limited(&self) -> bool {
        self.left.is_some()
    }

    /// The first bytes have to be granted.
    pub(super) fn set_limited(&mut self, limited: bool) {
        *self = Self { left: limited.then_some(0), asked: 0 };
    }

    /// More bytes may leave. Ignored while there is no limit.
    pub(super) fn grant(&mut self, bytes: u64) {
        let Some(left) = &mut self.left else { return };
        *left = left.saturating_add(bytes).min(QUOTA_MAX);
        self.asked = self.asked.saturating_sub(bytes);
    }

    /// Takes so many bytes, or nothing if they are not there.
    pub(super) fn take(&mut self, bytes: u64) -> Option<()> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(bytes)?;
        }
        Some(())
    }

    /// What to ask for when `ready` bytes could leave at once, if that is more than was asked for before. The
    /// new figure replaces the old one, less what was granted since.
    pub(super) fn wanted(&mut self, ready: u64) -> Option<u64> {
        let wanted = ready.min(QUOTA_MAX).saturating_sub(self.left?);
        if wanted <= self.asked {
            return None;
        }
        self.asked = wanted;
        Some(wanted)
    }
}
