//! Cells about time: a rate limit is kept, and a download that was stopped goes on where it was.

use std::fs;
use std::time::{Duration, Instant};

use super::Cell;
use super::transfer::Side;
use crate::failure::{Context as _, Failure, Outcome};
use crate::lab::{Maker, Room};
use crate::matrix::Measure;
use crate::payload::MIB;
use crate::peers::libtorrent::Libtorrent;
use crate::peers::{Foreign, Job, Peer as _};
use crate::torrent::{Format, Recipe};

/// 32 MiB take 8 s at this rate: long enough that a burst at the start does not decide.
const LIMIT_BYTES_PER_S: u64 = 4 * MIB;
/// How far from the limit the median second may be, either way, and the mean above it.
const LIMIT_TOLERANCE: f64 = 0.15;
/// The seeder's pace in the resume cell, so that there is a middle to stop in.
const RESUME_BYTES_PER_S: u64 = 12 * MIB;
/// Traffic on `lo` that is more than handshakes and bitfields.
const FIRST_PAYLOAD_BYTES: u64 = 128 << 10;

/// The cells about time.
pub(super) fn cells(subject: &str) -> Vec<Cell> {
    let direction = Side::Leeches.direction(subject, Foreign::Libtorrent.name());
    let needs = [Foreign::Libtorrent];
    vec![
        Cell::new("download limit within 15 %", &direction, &needs, limit),
        Cell::new("stopped and resumed", &direction, &needs, resume),
    ]
}

fn limit(room: &Room<'_>) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let torrent = room.torrent(&Recipe::new(payload, Format::V1), Maker::Libtorrent)?;
    let homes = (room.home("libtorrent")?, room.home("subject")?);
    let seed = Job::new(&torrent, payload.parent(), &homes.0);
    let mut seeding = Libtorrent::PEER.start("seed", &seed, room.deadline)?;
    let dir = room.dir("subject")?;
    let mut leech = Job::new(&torrent, &dir, &homes.1);
    leech.dial.push(seeding.address());
    leech.limit_down = LIMIT_BYTES_PER_S;
    let before = loopback_bytes()?;
    let mut leeching = room.subject().leech(&leech, room.deadline)?;
    room.deadline.poll("payload flows", || {
        Ok((loopback_bytes()? >= before + FIRST_PAYLOAD_BYTES).then_some(()))
    })?;
    let began = Instant::now();
    let mut samples = vec![(Duration::ZERO, loopback_bytes()?)];
    let end = before + payload.bytes() - LIMIT_BYTES_PER_S / 2;
    room.deadline.poll("almost everything has come", || {
        let sample = (began.elapsed(), loopback_bytes()?);
        samples.push(sample);
        Ok((sample.1 >= end).then_some(()))
    })?;
    leeching.wait_done(room.deadline)?;
    let seconds = began.elapsed().as_secs_f64();
    leeching.stop()?;
    seeding.stop()?;
    room.verify(payload, &torrent, &dir, true)?;
    let limit = LIMIT_BYTES_PER_S as f64;
    let (mean, median) = (payload.bytes() as f64 / seconds, median_rate(&samples));
    let (above, off) = (mean / limit - 1.0, median / limit - 1.0);
    if above <= LIMIT_TOLERANCE && off.abs() <= LIMIT_TOLERANCE {
        return Ok(Measure::new(payload.bytes(), seconds));
    }
    let told = format!("mean {:+.0} %, median second {:+.0} %", above * 100.0, off * 100.0);
    Err(Failure::new(format!("off the limit of 4 MiB/s: {told}")))
}

/// The median of the rates over all spans of about a second, bytes a second: a pause of the whole
/// machine does not move it, a limit that is not kept does.
fn median_rate(samples: &[(Duration, u64)]) -> f64 {
    let span = Duration::from_secs(1);
    let mut rates: Vec<f64> = Vec::new();
    for (index, (start, bytes)) in samples.iter().enumerate() {
        let later = samples[index..].iter().find(|(end, _)| *end >= *start + span);
        let Some((end, total)) = later else { break };
        rates.push((total - bytes) as f64 / (*end - *start).as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

fn resume(room: &Room<'_>) -> Outcome<Measure> {
    let payload = room.lab.single()?;
    let torrent = room.torrent(&Recipe::new(payload, Format::V1), Maker::Libtorrent)?;
    let homes = (room.home("libtorrent")?, room.home("subject")?);
    let mut seed = Job::new(&torrent, payload.parent(), &homes.0);
    seed.limit_up = RESUME_BYTES_PER_S;
    let mut seeding = Libtorrent::PEER.start("seed", &seed, room.deadline)?;
    let dir = room.dir("subject")?;
    let mut leech = Job::new(&torrent, &dir, &homes.1);
    leech.dial.push(seeding.address());
    let began = Instant::now();
    let mut leeching = room.subject().leech(&leech, room.deadline)?;
    seeding.wait_uploaded(payload.bytes() * 2 / 5, room.deadline)?;
    leeching.stop()?;
    let mut leeching = room.subject().leech(&leech, room.deadline)?;
    leeching.wait_done(room.deadline)?;
    let seconds = began.elapsed().as_secs_f64();
    leeching.stop()?;
    seeding.stop()?;
    room.verify(payload, &torrent, &dir, true)?;
    // Blocks of unfinished pieces and what was on its way may be sent twice; the rest may not.
    let allowed = payload.bytes() + payload.bytes() / 5;
    if seeding.uploaded() <= allowed {
        return Ok(Measure::new(payload.bytes(), seconds));
    }
    let (sent, size) = (seeding.uploaded() / MIB, payload.bytes() / MIB);
    Err(Failure::new(format!("the seeder had to send {sent} MiB for {size} MiB of payload")))
}

/// Bytes that have passed the only device of the namespace.
fn loopback_bytes() -> Outcome<u64> {
    let table = fs::read_to_string("/proc/self/net/dev").context(|| "reading counters of lo")?;
    received(&table).ok_or_else(|| Failure::new("no counters of lo"))
}

fn received(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.trim_start().strip_prefix("lo:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_second_is_not_moved_by_a_pause() {
        let at = |tenths: u64, bytes: u64| (Duration::from_millis(100 * tenths), bytes);
        let even: Vec<_> = (0..80).map(|tenth| at(tenth, tenth * 10)).collect();
        assert_eq!(median_rate(&even), 100.0);
        let paused: Vec<_> =
            (0..80).map(|tenth| at(tenth + if tenth > 40 { 15 } else { 0 }, tenth * 10)).collect();
        assert_eq!(median_rate(&paused), 100.0);
        assert_eq!(median_rate(&even[..5]), 0.0);
    }

    #[test]
    fn the_counter_of_lo_is_found() {
        let table = "Inter-| Receive\n face |bytes\n  eth0: 5 1\n    lo:  4242      7 0\n";
        assert_eq!(received(table), Some(4242));
        assert_eq!(received("  eth0: 5 1\n"), None);
    }
}
