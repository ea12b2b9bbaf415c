//! What was said on the private network: tcpdump's file, searched for bytes.
//!
//! It sees every packet of the namespace, whoever sent it. Searching bytes needs no knowledge of packets,
//! but takes messages that are not encrypted and not split: those searched for are short.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Context as _, Failure, Outcome};
use crate::process::{Deadline, Launch, Process};

const STOP_GRACE: Duration = Duration::from_secs(5);

/// A running tcpdump.
#[derive(Debug)]
pub(crate) struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    /// Starts it; comes back when it sees packets.
    pub(crate) fn start(home: &Path, deadline: Deadline) -> Outcome<Self> {
        let file = home.join("packets.pcap");
        let mut process = Launch::new("tcpdump", home)
            .args(["-i", "any", "-n", "-U", "-s", "0", "-B", "65536", "-Z", "root", "-w"])
            .arg(&file)
            // Blocks are of no interest, and there are many of them.
            .args(["udp", "or", "less", "1500"])
            .hearing_errors()
            .start()?;
        process.wait_line("tcpdump listens", deadline, |line| {
            Ok(line.text.contains("listening on").then_some(()))
        })?;
        Ok(Self { process, file })
    }

    /// Ends it and hands over all it saw.
    pub(crate) fn stop(&mut self) -> Outcome<Packets> {
        let status = self.process.terminate(STOP_GRACE)?;
        if !status.success() {
            return Err(Failure::new(format!("tcpdump ended with {status}")));
        }
        fs::read(&self.file).map(Packets).context(|| "cannot read the capture")
    }
}

/// A capture, as bytes.
#[derive(Debug)]
pub(crate) struct Packets(Vec<u8>);

impl Packets {
    /// What follows each occurrence of `bytes`, letters in either case.
    pub(crate) fn after<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let starts = self.0.windows(bytes.len()).enumerate();
        let found = starts.filter(|(_, window)| window.eq_ignore_ascii_case(bytes));
        found.map(|(at, _)| &self.0[at + bytes.len()..])
    }

    /// Whether somebody sent these bytes, letters in either case.
    pub(crate) fn contain(&self, bytes: &[u8]) -> bool {
        self.after(bytes).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_with_what_follows_them() {
        let packets = Packets(b"..6:ut_pexi0e..6:UT_pexi2e".to_vec());
        let ids: Vec<_> = packets.after(b"6:ut_pexi").map(|rest| rest[0]).collect();
        assert_eq!(ids, [b'0', b'2']);
        assert!(!packets.contain(b"BT-SEARCH"));
    }
}
