//! The rows of the table: which figure of which work, who is compared, and what ours must reach.

use crate::kind::Kind;
use crate::machine::Machine;
use crate::stats::Spread;
use crate::work::{Payload, Work};

/// What ours must reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Gate {
    /// Our median over libtorrent 2.1.1's is at most this.
    RatioAtMost(f64),
    /// Our median over libtorrent 2.1.1's is at least this.
    RatioAtLeast(f64),
    /// Our median is at most this, in the unit of the row.
    AtMost(f64),
    /// Nothing yet: the figure is for the reader.
    Open,
}

/// What a gate says to a result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Pass,
    Miss,
    /// A figure to compare with is missing.
    Unknown,
    /// There is no gate.
    Open,
}

/// A number that the harness answers with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// Its name there.
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// Digits behind the point.
    pub(crate) digits: usize,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The word for `--rows`.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) figure: Figure,
    pub(crate) gate: Gate,
    /// The work of the one who is compared.
    work: fn(Kind) -> Work,
    /// Who is compared besides ours and libtorrent 2.1.1.
    others: &'static [Kind],
}

const ALL: [Kind; 4] = [Kind::Lt20, Kind::Rqbit, Kind::Aria2, Kind::Transmission];
/// Those that move 1 GiB of small files in less than minutes.
const SWIFT: [Kind; 3] = [Kind::Lt20, Kind::Rqbit, Kind::Aria2];

const LEECH_CPU: Figure = Figure { name: "leech_cpu_s_gib", unit: "s/GiB", digits: 2 };
const SEED_CPU: Figure = Figure { name: "seed_cpu_s_gib", unit: "s/GiB", digits: 2 };
const BOUND: Figure = Figure { name: "bound_mib_s", unit: "MiB/s", digits: 0 };
const RATE: Figure = Figure { name: "rate_mib_s", unit: "MiB/s", digits: 0 };
const START: Figure = Figure { name: "start_s", unit: "s", digits: 3 };
const LEECH_MEMORY: Figure = Figure { name: "leech_rss_mib", unit: "MiB", digits: 0 };
const IDLE_MEMORY: Figure = Figure { name: "kib_torrent", unit: "KiB", digits: 1 };
const IDLE_CPU: Figure = Figure { name: "cpu_percent", unit: "% of a core", digits: 2 };
const HANDSHAKES: Figure = Figure { name: "handshakes_cpu_s", unit: "each CPU s", digits: 0 };
const DHT_CPU: Figure = Figure { name: "over_percent", unit: "% of a core", digits: 2 };
const METADATA: Figure = Figure { name: "inner_s", unit: "s", digits: 3 };

/// What a process without torrents takes too: two ticks of 10 ms in a minute, which is not measurable.
const IDLE_CPU_MAX: f64 = 0.034;

impl Row {
    /// The rows with these ids, or all rows, in the order of the table.
    ///
    /// # Errors
    /// When an id is unknown; the text lists those there are.
    pub(crate) fn select(ids: &[String], machine: &Machine) -> Result<Vec<Self>, String> {
        let all = Self::all(machine);
        if let Some(unknown) = ids.iter().find(|id| all.iter().all(|row| row.id != id.as_str())) {
            let known: Vec<&str> = all.iter().map(|row| row.id).collect();
            return Err(format!("there is no row {unknown:?}; there are {}", known.join(", ")));
        }
        let is_wanted = |row: &Self| ids.is_empty() || ids.iter().any(|id| id == row.id);
        Ok(all.into_iter().filter(is_wanted).collect())
    }

    /// Who is compared, ours first.
    pub(crate) fn compared(&self) -> impl Iterator<Item = Kind> {
        [Kind::Ours, Kind::Lt21].into_iter().chain(self.others.iter().copied())
    }

    /// Everybody who takes part.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        self.works().into_iter().flat_map(Work::kinds).collect()
    }

    /// What has to be measured.
    pub(crate) fn works(&self) -> Vec<Work> {
        self.compared().map(self.work).collect()
    }

    /// What is measured of `kind`.
    pub(crate) fn work(&self, kind: Kind) -> Work {
        (self.work)(kind)
    }

    /// What the gate says to our figure beside libtorrent's.
    pub(crate) fn verdict(&self, ours: Option<Spread>, reference: Option<Spread>) -> Verdict {
        let Some(ours) = ours else { return Verdict::Miss };
        let ratio = reference.map(|reference| ours.median / reference.median);
        let (is_reached, is_known) = match self.gate {
            Gate::RatioAtMost(limit) => (ratio.is_some_and(|r| r <= limit), ratio.is_some()),
            Gate::RatioAtLeast(limit) => (ratio.is_some_and(|r| r >= limit), ratio.is_some()),
            Gate::AtMost(limit) => (ours.median <= limit, true),
            Gate::Open => return Verdict::Open,
        };
        match (is_known, is_reached) {
            (false, _) => Verdict::Unknown,
            (true, true) => Verdict::Pass,
            (true, false) => Verdict::Miss,
        }
    }

    fn gate(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    fn others(self, others: &'static [Kind]) -> Self {
        Self { others, ..self }
    }

    fn all(machine: &Machine) -> Vec<Self> {
        // Lanes gain over one stream where the CPU has no instructions for the digest itself.
        let check_gate = Gate::RatioAtLeast(match (machine.has_sha_ni, machine.has_avx512) {
            (true, _) => 1.0,
            (false, true) => 2.0,
            (false, false) => 1.5,
        });
        vec![
            row("leech", "leecher CPU, libtorrent 2.1.1 seeds", LEECH_CPU, leech)
                .gate(Gate::RatioAtMost(0.6))
                .others(&ALL),
            row("seed", "seeder CPU, libtorrent 2.1.1 leeches", SEED_CPU, seed)
                .gate(Gate::RatioAtMost(0.6))
                .others(&ALL),
            row("bound", "two of a kind, rate that CPU allows", BOUND, pair)
                .gate(Gate::RatioAtLeast(1.5)),
            row("rate", "two of a kind, rate", RATE, pair),
            row("check", "check of complete files", RATE, Work::Check)
                .gate(check_gate)
                .others(&ALL),
            row("start", "process start to first MiB", START, leech)
                .gate(Gate::AtMost(0.15))
                .others(&ALL),
            row("files", "20,000 files, leecher CPU", LEECH_CPU, leech_files)
                .gate(Gate::RatioAtMost(0.8))
                .others(&SWIFT),
            row("memory", "leecher's peak memory, 1 MiB pieces", LEECH_MEMORY, leech)
                .gate(Gate::AtMost(100.0))
                .others(&ALL),
            row("memory16", "leecher's peak memory, 16 MiB pieces", LEECH_MEMORY, leech_file16)
                .gate(Gate::AtMost(140.0)),
            row("memory-files", "leecher's peak memory, 20,000 files", LEECH_MEMORY, leech_files)
                .gate(Gate::AtMost(140.0))
                .others(&SWIFT),
            row("v2", "v2-only, leecher CPU", LEECH_CPU, leech_v2).gate(Gate::RatioAtMost(0.6)),
            row("fanout", "one seeder, 20 leechers, seeder CPU", SEED_CPU, Work::Fanout)
                .gate(Gate::RatioAtMost(0.6)),
            row("idle", "1,000 idle torrents, memory of each", IDLE_MEMORY, Work::Idle)
                .gate(Gate::AtMost(8.0)),
            row("idle-cpu", "1,000 idle torrents, CPU at rest", IDLE_CPU, Work::Idle)
                .gate(Gate::AtMost(IDLE_CPU_MAX)),
            row(
                "rc4-leech",
                "RC4, leecher CPU, libtorrent 2.1.1 seeds",
                LEECH_CPU,
                leech_encrypted,
            )
            .gate(Gate::RatioAtMost(1.0)),
            row("rc4-seed", "RC4, seeder CPU, libtorrent 2.1.1 leeches", SEED_CPU, seed_encrypted)
                .gate(Gate::RatioAtMost(1.0)),
            row("handshakes", "strangers' encrypted handshakes", HANDSHAKES, Work::Handshakes)
                .gate(Gate::RatioAtLeast(3.0)),
            row("dht-cpu", "CPU at rest in a DHT over the same without", DHT_CPU, Work::Dht)
                .gate(Gate::AtMost(0.5)),
            row("magnet", "0.9 MB of metadata by magnet", METADATA, Work::Magnet)
                .gate(Gate::RatioAtMost(1.5)),
        ]
    }
}

const fn row(id: &'static str, title: &'static str, figure: Figure, work: fn(Kind) -> Work) -> Row {
    Row { id, title, figure, gate: Gate::Open, work, others: &[] }
}

fn from_libtorrent(payload: Payload, leech: Kind) -> Work {
    Work::Transfer { payload, seed: Kind::Lt21, leech }
}

fn leech(kind: Kind) -> Work {
    from_libtorrent(Payload::File, kind)
}

fn leech_files(kind: Kind) -> Work {
    from_libtorrent(Payload::Files, kind)
}

fn leech_file16(kind: Kind) -> Work {
    from_libtorrent(Payload::File16, kind)
}

fn leech_v2(kind: Kind) -> Work {
    from_libtorrent(Payload::V2, kind)
}

fn seed(kind: Kind) -> Work {
    Work::Transfer { payload: Payload::File, seed: kind, leech: Kind::Lt21 }
}

fn leech_encrypted(kind: Kind) -> Work {
    Work::Encrypted { seed: Kind::Lt21, leech: kind }
}

fn seed_encrypted(kind: Kind) -> Work {
    Work::Encrypted { seed: kind, leech: Kind::Lt21 }
}

fn pair(kind: Kind) -> Work {
    Work::Transfer { payload: Payload::File, seed: kind, leech: kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(has_sha_ni: bool) -> Machine {
        Machine { has_sha_ni, has_avx512: true, ..Machine::look() }
    }

    fn named(id: &str, has_sha_ni: bool) -> Row {
        let mut rows = Row::select(&[id.to_owned()], &machine(has_sha_ni)).unwrap();
        rows.remove(0)
    }

    fn spread(median: f64) -> Option<Spread> {
        Spread::of(vec![median])
    }

    #[test]
    fn an_unknown_row_is_refused_with_the_known_ones() {
        let error = Row::select(&["lech".into()], &machine(false)).unwrap_err();
        assert!(error.contains("\"lech\"") && error.contains("leech, seed"), "{error}");
    }

    #[test]
    fn less_cpu_passes_and_more_misses() {
        let row = named("leech", false);
        assert_eq!(row.verdict(spread(1.2), spread(2.0)), Verdict::Pass);
        assert_eq!(row.verdict(spread(1.3), spread(2.0)), Verdict::Miss);
        assert_eq!(row.verdict(spread(1.2), None), Verdict::Unknown);
        assert_eq!(row.verdict(None, spread(2.0)), Verdict::Miss);
    }

    #[test]
    fn a_check_must_gain_more_without_sha_instructions() {
        assert_eq!(named("check", true).verdict(spread(1.2), spread(1.0)), Verdict::Pass);
        assert_eq!(named("check", false).verdict(spread(1.9), spread(1.0)), Verdict::Miss);
    }

    #[test]
    fn an_absolute_gate_needs_no_reference() {
        assert_eq!(named("start", false).verdict(spread(0.1), None), Verdict::Pass);
        assert_eq!(named("memory", false).verdict(spread(101.0), spread(200.0)), Verdict::Miss);
        assert_eq!(named("files", false).verdict(None, spread(1.0)), Verdict::Miss);
        assert_eq!(named("rate", false).verdict(spread(1.0), spread(1.0)), Verdict::Open);
    }

    #[test]
    fn row_ids_are_unique() {
        let rows = Row::all(&machine(false));
        let ids: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), rows.len());
    }
}
