//! Memory that the process holds and does not use, given back to the system.
//!
//! Owns the two calls that Rust has no safe way to. Invariant: what is in memory does not change, only what
//! is resident does. `unsafe` is needed for what the system library exports (ADR 20).
#![allow(unsafe_code)]

use rustix::mm::{Advice, madvise};
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::ptr;

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
}

/// Gives back what was freed, and lets go of the pages of the program itself, of which a start and a burst
/// of work touch many that nothing needs afterwards. They stay in the page cache for as long as the system
/// likes; those that are needed are back at their next use.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    malloc_trim(0);
    let (Ok(program), Ok(mappings)) =
        (fs::read_link("/proc/self/exe"), fs::read_to_string("/proc/self/smaps"))
    else {
        return;
    };
    for range in unchanged(&mappings, &program) {
        let start = ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: the program is mapped there until the process ends. Nothing can write to it, and nothing
        // has: every page is the file's, so one that goes and comes back is the same.
        let result = unsafe { madvise(start, range.len(), Advice::LinuxDontNeed) };
        tracing::trace!(?result, ?range, "let go of pages of the program");
    }
}

/// Where the program's file is mapped, cannot be written to, and is said to have no page that was changed
/// before that (relocations). Of a system that does not say it nothing is found.
fn unchanged(mappings: &str, program: &Path) -> Vec<Range<usize>> {
    let (mut found, mut current) = (Vec::new(), None);
    // Pages that are no longer the file's; those in the swap count apart.
    let (mut unchanged, mut swapped) = (false, false);
    for line in mappings.lines() {
        if let Some(range) = begin(line) {
            let is_fixed = line.split(' ').nth(1).is_some_and(|it| matches!(it, "r-xp" | "r--p"));
            let is_ours = line.find('/').is_some_and(|at| Path::new(&line[at..]) == program);
            current = Some(range).filter(|_| is_fixed && is_ours);
            (unchanged, swapped) = (false, false);
        }
        let is_none = |rest: &str| rest.trim() == "0 kB";
        if let Some(rest) = line.strip_prefix("Anonymous:") {
            unchanged = is_none(rest);
        }
        if let Some(rest) = line.strip_prefix("Swap:") {
            swapped = !is_none(rest);
        }
        // The last line of each.
        if line.starts_with("VmFlags:") {
            found.extend(current.take().filter(|_| unchanged && !swapped));
        }
    }
    found
}

/// The addresses at the start of a mapping's first line; `None` for its other lines.
fn begin(line: &str) -> Option<Range<usize>> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPPINGS: &str = "\
1000-3000 r--p 00000000 fe:00 7 /bin/a program\nRss: 8 kB\nAnonymous: 0 kB\nSwap: 0 kB\nVmFlags: rd\n\
3000-8000 r-xp 00002000 fe:00 7 /bin/a program\nRss: 8 kB\nAnonymous:   0 kB\nSwap: 0 kB\nVmFlags: rd ex\n\
8000-9000 r--p 00007000 fe:00 7 /bin/a program\nAnonymous:         4 kB\nSwap: 0 kB\nVmFlags: rd\n\
9000-9800 r--p 00008000 fe:00 7 /bin/a program\nAnonymous: 0 kB\nSwap: 4 kB\nVmFlags: rd\n\
9800-a000 rw-p 00009000 fe:00 7 /bin/a program\nAnonymous: 0 kB\nSwap: 0 kB\nVmFlags: rd wr\n\
a000-b000 r--p 0000a000 fe:00 7 /bin/a program\nRss: 4 kB\nSwap: 0 kB\nVmFlags: rd\n\
b000-c000 rw-p 00000000 00:00 0 [heap]\nAnonymous: 0 kB\nSwap: 0 kB\nVmFlags: rd wr\n\
c000-d000 r-xp 00000000 fe:00 9 /lib/libc.so.6\nAnonymous: 0 kB\nSwap: 0 kB\nVmFlags: rd ex\n";

    #[test]
    fn only_what_is_mapped_of_the_program_and_never_changes_is_let_go_of() {
        assert_eq!(
            unchanged(MAPPINGS, Path::new("/bin/a program")),
            [0x1000..0x3000, 0x3000..0x8000]
        );
        assert_eq!(unchanged(MAPPINGS, Path::new("/bin/a")), [] as [Range<usize>; 0]);
        let cut = &MAPPINGS[..MAPPINGS.len() / 8];
        assert_eq!(unchanged(cut, Path::new("/bin/a program")), [] as [Range<usize>; 0]);
    }

    #[test]
    fn the_program_is_as_it_was_after_its_pages_were_let_go_of() {
        let words = || MAPPINGS.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let before = words();
        let program = fs::read_link("/proc/self/exe").unwrap_or_default();
        let mappings = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        assert!(!unchanged(&mappings, &program).is_empty(), "this program is mapped");
        give_back();
        assert_eq!(words(), before);
    }
}
