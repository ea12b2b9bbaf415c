//! The table as Markdown: what ours must reach, everybody's figures, the machine, the command lines.

use std::fmt;

use crate::harness::Harness;
use crate::install::Rivals;
use crate::kind::Kind;
use crate::machine::Machine;
use crate::rounds::Rounds;
use crate::rows::{Gate, Row, Verdict};
use crate::stats::Spread;
use crate::work::{Payload, Work};

const INTRODUCTION: &str = "\
Written by `piecework-bench`; do not edit. Every client does the same work in turn on the loopback device
of a private network namespace, ours with its defaults, the others with settings that serve speed and none
that leave verification out. After each run every file is compared by SHA-256. A ratio is a median over
libtorrent 2.1.1's median in the same run; brackets hold least and greatest.
";

/// Everything there is to tell.
pub(crate) struct Report<'b> {
    pub(crate) rows: &'b [Row],
    pub(crate) rounds: &'b Rounds,
    pub(crate) machine: &'b Machine,
    pub(crate) rivals: &'b Rivals,
    pub(crate) harness: &'b Harness,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Bench results\n\n{INTRODUCTION}")?;
        self.gates(f)?;
        self.figures(f)?;
        self.machine(f)?;
        self.failures(f)?;
        self.commands(f)
    }
}

impl Report<'_> {
    fn gates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Gates\n")?;
        writeln!(f, "| row | what | unit | piecework | libtorrent 2.1.1 | ratio | gate | |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for row in self.rows {
            let [ours, reference] = [Kind::Ours, Kind::Lt21].map(|kind| self.spread(row, kind));
            // What fails now and then does not pass.
            let is_reliable = self.rounds.of(row.work(Kind::Ours)).failure().is_none();
            let cell = |kind, spread: Option<Spread>| match spread {
                Some(spread) => brackets(spread, row.figure.digits),
                None => self.absence(row, kind),
            };
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                row.id,
                row.title,
                row.figure.unit,
                cell(Kind::Ours, ours),
                cell(Kind::Lt21, reference),
                ratio(ours, reference),
                gate(row),
                verdict(row.verdict(ours.filter(|_| is_reliable), reference)),
            )?;
        }
        writeln!(f)
    }

    fn figures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## All figures\n")?;
        writeln!(f, "| row | client | runs | median | least | greatest | ratio |")?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for row in self.rows {
            let reference = self.spread(row, Kind::Lt21);
            for kind in row.compared() {
                let Some(spread) = self.spread(row, kind) else {
                    let absence = self.absence(row, kind);
                    writeln!(f, "| {} | {kind} | 0 | {absence} | | | |", row.id)?;
                    continue;
                };
                let (digits, ratio) = (row.figure.digits, ratio(Some(spread), reference));
                write!(f, "| {} | {kind} | {} ", row.id, spread.count)?;
                for value in [spread.median, spread.min, spread.max] {
                    write!(f, "| {value:.digits$} ")?;
                }
                writeln!(f, "| {ratio} |")?;
            }
        }
        writeln!(f)
    }

    fn machine(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.machine;
        let has = |is_there| if is_there { "yes" } else { "no" };
        writeln!(f, "## Machine and versions\n")?;
        writeln!(f, "- {}: {}", machine.date, self.harness.version())?;
        for (kind, version) in self.rivals.versions() {
            match version {
                Ok(version) => writeln!(f, "- {kind}: {version}")?,
                Err(reason) => writeln!(f, "- {kind}: {reason}")?,
            }
        }
        writeln!(f, "- {}, {} cores, {} GiB", machine.model, machine.cores, machine.memory_gib)?;
        writeln!(
            f,
            "- AVX2 {}, AVX-512 {}, SHA-NI {}",
            has(machine.has_avx2),
            has(machine.has_avx512),
            has(machine.has_sha_ni)
        )?;
        writeln!(f, "- Linux {}", machine.kernel)?;
        writeln!(
            f,
            "- load average {} before and {} after the rounds, this program's own work included",
            machine.load_before, machine.load_after
        )?;
        if let Some(wait) = self.noise() {
            writeln!(
                f,
                "- while libtorrent 2.1.1 sent to itself, its threads waited {:.1} s [{:.1}-{:.1}] for a CPU",
                wait.median, wait.min, wait.max
            )?;
        }
        writeln!(f, "- one file: {} MiB, a small one for Transmission\n", self.harness.size_mib())
    }

    fn failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut failures = self
            .rounds
            .iter()
            .filter_map(|(work, results)| Some((work, results.failure()?)))
            .peekable();
        if failures.peek().is_none() {
            return Ok(());
        }
        writeln!(f, "## Failures\n")?;
        for (work, reason) in failures {
            writeln!(f, "- {work}: {}", reason.replace('\n', " "))?;
        }
        writeln!(f)
    }

    fn commands(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Command lines")?;
        for row in self.rows {
            writeln!(f, "\n### {}\n", row.id)?;
            for kind in [Kind::Ours, Kind::Lt21] {
                let commands = self.rounds.of(row.work(kind)).commands();
                for command in commands {
                    writeln!(f, "    {command}")?;
                }
                if kind == Kind::Ours && !commands.is_empty() {
                    writeln!(f)?;
                }
            }
        }
        Ok(())
    }

    fn spread(&self, row: &Row, kind: Kind) -> Option<Spread> {
        self.rounds.of(row.work(kind)).spread(row.figure.name)
    }

    /// How much others took of this machine: little waiting, little noise.
    fn noise(&self) -> Option<Spread> {
        let kind = Kind::Lt21;
        let pair = Work::Transfer { payload: Payload::File, seed: kind, leech: kind };
        self.rounds.iter().find(|(work, _)| *work == pair)?.1.spread("wait_s")
    }

    /// Why there is no figure.
    fn absence(&self, row: &Row, kind: Kind) -> String {
        let is_absent = self.rivals.absence(kind).is_some();
        match self.rounds.of(row.work(kind)).failure() {
            Some(_) if is_absent => "not installed".into(),
            Some(_) => "fails".into(),
            None => "not measured".into(),
        }
    }
}

fn brackets(spread: Spread, digits: usize) -> String {
    let Spread { median, min, max, .. } = spread;
    format!("{median:.digits$} [{min:.digits$}-{max:.digits$}]")
}

fn ratio(ours: Option<Spread>, reference: Option<Spread>) -> String {
    match (ours, reference) {
        (Some(ours), Some(reference)) if reference.median > 0.0 => {
            format!("{:.2}", ours.median / reference.median)
        }
        _ => String::new(),
    }
}

fn gate(row: &Row) -> String {
    match row.gate {
        Gate::RatioAtMost(limit) => format!("ratio at most {limit}"),
        Gate::RatioAtLeast(limit) => format!("ratio at least {limit}"),
        Gate::AtMost(limit) => format!("at most {limit} {}", row.figure.unit),
        Gate::Open => String::new(),
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Miss => "**miss**",
        Verdict::Unknown => "unknown",
        Verdict::Open => "",
    }
}
