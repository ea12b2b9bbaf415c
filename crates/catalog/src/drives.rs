//! Free space of the drives that unfinished torrents lie on.
//!
//! Below the least free space a folder counts as low; it does so until there is clearly more, so that
//! torrents do not stop and start with each piece.

use std::collections::BTreeMap;

/// Folders that are remembered; those of more are never low.
const FOLDERS_MAX: usize = 4_096;
/// More than the least free space that has to be there again: a part of it, or this much.
const MARGIN_PARTS: u64 = 20;
const MARGIN_BYTES_MIN: u64 = 256 << 20;

/// What is known of folders.
#[derive(Debug, Default)]
pub(crate) struct Drives {
    folders: BTreeMap<String, Drive>,
}

#[derive(Debug)]
struct Drive {
    free_bytes: u64,
    is_low: bool,
}

impl Drive {
    /// Gives whether it turned.
    const fn judge(&mut self, least: u64) -> bool {
        let part = least / MARGIN_PARTS;
        let margin = if part > MARGIN_BYTES_MIN { part } else { MARGIN_BYTES_MIN };
        let was_low = self.is_low;
        self.is_low = least > 0
            && (self.free_bytes < least
                || (was_low && self.free_bytes < least.saturating_add(margin)));
        was_low != self.is_low
    }
}

impl Drives {
    pub(crate) fn is_low(&self, folder: &str) -> bool {
        !self.folders.is_empty() && self.folders.get(folder).is_some_and(|drive| drive.is_low)
    }

    /// Takes in what is free at a folder; gives whether it turned low, or no longer is.
    pub(crate) fn report(&mut self, folder: &str, free_bytes: u64, least: u64) -> bool {
        if let Some(drive) = self.folders.get_mut(folder) {
            drive.free_bytes = free_bytes;
            return drive.judge(least);
        }
        if self.folders.len() >= FOLDERS_MAX {
            self.folders.retain(|_, drive| drive.is_low);
        }
        if self.folders.len() >= FOLDERS_MAX {
            return false;
        }
        let mut drive = Drive { free_bytes, is_low: false };
        let has_turned = drive.judge(least);
        self.folders.insert(folder.to_owned(), drive);
        has_turned
    }

    /// Other rules: another least free space.
    pub(crate) fn judge_all(&mut self, least: u64) {
        for drive in self.folders.values_mut() {
            drive.judge(least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_folder_stays_low_until_there_is_clearly_more_than_the_least() {
        let mut drives = Drives::default();
        assert!(!drives.report("/a", 2 * GIB, GIB));
        assert!(drives.report("/a", GIB - 1, GIB));
        assert!(drives.is_low("/a") && !drives.is_low("/b"));
        assert!(!drives.report("/a", GIB + MARGIN_BYTES_MIN - 1, GIB));
        assert!(drives.is_low("/a"));
        assert!(drives.report("/a", GIB + MARGIN_BYTES_MIN, GIB));
        assert!(!drives.is_low("/a"));
    }

    #[test]
    fn a_large_least_has_a_margin_of_five_percent() {
        let mut drives = Drives::default();
        assert!(drives.report("/a", 99 * GIB, 100 * GIB));
        assert!(!drives.report("/a", 104 * GIB, 100 * GIB));
        assert!(drives.report("/a", 105 * GIB, 100 * GIB));
    }

    #[test]
    fn without_a_guard_nothing_is_low() {
        let mut drives = Drives::default();
        assert!(!drives.report("/a", 0, 0));
        drives.report("/a", 0, GIB);
        drives.judge_all(0);
        assert!(!drives.is_low("/a"));
    }

    #[test]
    fn folders_that_are_not_low_make_room_for_others() {
        let mut drives = Drives::default();
        for number in 0..=FOLDERS_MAX {
            drives.report(&format!("/{number}"), GIB, 2 * GIB * u64::from(number == 0));
        }
        assert!(drives.is_low("/0"));
        assert!(drives.folders.len() < FOLDERS_MAX);
    }
}
