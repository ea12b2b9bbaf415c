//! What kind of drive a folder lies on, and how many reads it takes at once.
//!
//! Owns the count of reads under way on each drive. Invariant: reads beyond the limit wait in the
//! queue, not in the kernel, so that a slow drive cannot take every worker. It must not know files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a drive moves its head, or has none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DriveKind {
    /// Rotating: order matters, and more than two readers only seek.
    Hdd,
    /// Flash behind SATA, network or unknown: one queue.
    Ssd,
    /// Flash behind PCIe: deep queues.
    Nvme,
}

impl DriveKind {
    /// Reads at once.
    pub(crate) const fn reads_max(self) -> usize {
        match self {
            Self::Hdd => 2,
            Self::Ssd => 16,
            Self::Nvme => 64,
        }
    }

    /// Looks a block device up; what is none (tmpfs, network) counts as flash.
    fn of_device(device: u64) -> Self {
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let node = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
        // A partition has no queue of its own: its disk, one folder up, has.
        let mut rotational = [node.join("queue"), node.join("../queue")]
            .into_iter()
            .filter_map(|queue| fs::read_to_string(queue.join("rotational")).ok());
        let claims_to_rotate = rotational.next().is_some_and(|text| text.trim() == "1");
        Self::of_node(&fs::canonicalize(&node).unwrap_or_default(), claims_to_rotate)
    }

    /// A virtual machine's drive (virtio, Xen) claims to rotate whatever its host has: what looks like
    /// one is flash, or a host with a cache of its own, more often than a bare disk.
    fn of_node(node: &Path, claims_to_rotate: bool) -> Self {
        let is_named = |part: &str, prefix: &str| {
            part.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let has_part = |prefixes: &[&str]| {
            let mut parts = node.iter().filter_map(|part| part.to_str());
            parts.any(|part| prefixes.iter().any(|prefix| is_named(part, prefix)))
        };
        if claims_to_rotate && !has_part(&["virtio", "vbd-"]) {
            Self::Hdd
        } else if has_part(&["nvme"]) {
            Self::Nvme
        } else {
            Self::Ssd
        }
    }
}

/// One drive.
#[derive(Debug)]
pub(crate) struct Drive {
    pub(crate) kind: DriveKind,
    reads: AtomicUsize,
    checks: AtomicUsize,
    lacks_nowait: AtomicBool,
    creation: Mutex<()>,
}

impl Drive {
    fn new(kind: DriveKind) -> Self {
        Self {
            kind,
            reads: AtomicUsize::new(0),
            checks: AtomicUsize::new(0),
            lacks_nowait: AtomicBool::new(false),
            creation: Mutex::new(()),
        }
    }

    /// Counts a read, if another one fits.
    pub(crate) fn begin_read(self: &Arc<Self>) -> Option<DriveTurn> {
        Self::begin(self, |drive| &drive.reads, self.kind.reads_max())
    }

    /// Counts a step of a check: on a rotating drive only one reads at a time.
    pub(crate) fn begin_check(self: &Arc<Self>) -> Option<DriveTurn> {
        let limit = if self.kind == DriveKind::Hdd { 1 } else { usize::MAX };
        Self::begin(self, |drive| &drive.checks, limit)
    }

    fn begin(
        drive: &Arc<Self>,
        counter: fn(&Self) -> &AtomicUsize,
        limit: usize,
    ) -> Option<DriveTurn> {
        counter(drive)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < limit).then_some(count + 1)
            })
            .is_ok()
            .then(|| DriveTurn { drive: Arc::clone(drive), counter })
    }

    /// The turn to make a file. A file system makes one file at a time in a folder, and who waits in the
    /// kernel for that spins; who waits here sleeps. Measured with ext4: half the CPU time.
    pub(crate) fn lock_creation(&self) -> MutexGuard<'_, ()> {
        self.creation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether reads without waiting are worth trying.
    pub(crate) fn has_nowait(&self) -> bool {
        !self.lacks_nowait.load(Ordering::Relaxed)
    }

    /// The file system refused a read without waiting.
    pub(crate) fn set_lacks_nowait(&self) {
        self.lacks_nowait.store(true, Ordering::Relaxed);
    }
}

/// A read or check step under way; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct DriveTurn {
    drive: Arc<Drive>,
    counter: fn(&Drive) -> &AtomicUsize,
}

impl Drop for DriveTurn {
    fn drop(&mut self) {
        (self.counter)(&self.drive).fetch_sub(1, Ordering::Relaxed);
    }
}

/// All drives that were met. One entry a file system, so it stays small.
#[derive(Debug, Default)]
pub(crate) struct Drives {
    known: Mutex<BTreeMap<u64, Arc<Drive>>>,
}

impl Drives {
    /// The drive that holds `dir`, or will once that is made.
    pub(crate) fn of(&self, dir: &Path) -> Arc<Drive> {
        let existing = dir.ancestors().find_map(|folder| rustix::fs::stat(folder).ok());
        let device = existing.map_or(0, |stat| stat.st_dev);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let drive = known
            .entry(device)
            .or_insert_with(|| Arc::new(Drive::new(DriveKind::of_device(device))));
        Arc::clone(drive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotating_drive_takes_two_reads_and_one_check_at_a_time() {
        let drive = Arc::new(Drive::new(DriveKind::Hdd));
        let turns = [drive.begin_read(), drive.begin_read()];
        assert!(turns.iter().all(Option::is_some) && drive.begin_read().is_none());
        let check = drive.begin_check();
        assert!(check.is_some() && drive.begin_check().is_none());
        drop((turns, check));
        assert!(drive.begin_read().is_some() && drive.begin_check().is_some());
    }

    #[test]
    fn a_drive_is_what_it_claims_to_be_unless_it_is_virtual() {
        let kind = |node: &str, rotates| DriveKind::of_node(Path::new(node), rotates);
        let disk = "/sys/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda";
        assert_eq!(kind(disk, true), DriveKind::Hdd);
        assert_eq!(kind(disk, false), DriveKind::Ssd);
        let virtual_disk = "/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/vda1";
        assert_eq!(kind(virtual_disk, true), DriveKind::Ssd);
        assert_eq!(kind("/sys/devices/vbd-51712/block/xvda", true), DriveKind::Ssd);
        let nvme = "/sys/devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p2";
        assert_eq!(kind(nvme, false), DriveKind::Nvme);
        assert_eq!(kind("", false), DriveKind::Ssd);
    }

    #[test]
    fn a_folder_that_is_to_be_made_lies_on_the_drive_of_its_parent() {
        let drives = Drives::default();
        let temp = std::env::temp_dir();
        assert!(Arc::ptr_eq(&drives.of(&temp), &drives.of(&temp.join("not/yet"))));
    }
}
