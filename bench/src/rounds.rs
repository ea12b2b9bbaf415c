//! Rounds of all the work, and what came of them.
//!
//! A round does each work once, and each round starts elsewhere in the list: what slows the machine
//! for a while slows everybody. A work whose files differ ends everything.

use std::collections::BTreeMap;

use crate::harness::{self, Figures, Harness, Outcome};
use crate::install::Rivals;
use crate::kind::Kind;
use crate::stats::Spread;
use crate::work::Work;

/// A work that failed so often is not tried again.
const FAILURES_MAX: usize = 2;

/// All results so far of one work.
#[derive(Debug, Default)]
pub(crate) struct Results {
    figures: Vec<Figures>,
    failures: Vec<String>,
    commands: Vec<String>,
}

impl Results {
    /// The spread of one figure over the runs that went well.
    pub(crate) fn spread(&self, figure: &str) -> Option<Spread> {
        let values = self.figures.iter().filter_map(|figures| figures.get(figure));
        Spread::of(values.copied().collect())
    }

    /// Why it failed, if it ever did.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failures.first().map(String::as_str)
    }

    /// The command lines of the last run; none if it was never tried.
    pub(crate) fn commands(&self) -> &[String] {
        &self.commands
    }
}

/// The works of a bench with their results, in the order they were asked for.
#[derive(Debug)]
pub(crate) struct Rounds {
    order: Vec<Work>,
    results: BTreeMap<Work, Results>,
}

impl Rounds {
    /// Each of `works` once.
    pub(crate) fn new(works: impl Iterator<Item = Work>) -> Self {
        let mut rounds = Self { order: Vec::new(), results: BTreeMap::new() };
        for work in works {
            if rounds.results.insert(work, Results::default()).is_none() {
                rounds.order.push(work);
            }
        }
        rounds
    }

    /// Measures everything `runs` times.
    ///
    /// # Errors
    /// When the files of a run differ, or the harness itself cannot work.
    pub(crate) fn run(
        &mut self,
        harness: &Harness,
        rivals: &Rivals,
        runs: u32,
    ) -> Result<(), String> {
        let mut possible = Vec::new();
        for work in self.order.clone() {
            match work.kinds().into_iter().find_map(|kind| rivals.absence(kind)) {
                None => possible.push(work),
                Some(absence) => self.note_failure(work, absence),
            }
        }
        harness.prepare(&possible)?;
        for round in 0..runs {
            possible.retain(|work| round < work.runs_max());
            let start = round as usize * possible.len() / runs as usize;
            for &work in possible[start..].iter().chain(&possible[..start]) {
                if self.results[&work].failures.len() < FAILURES_MAX {
                    eprint!("[round {}/{runs}] {work}: ", round + 1);
                    self.measure(harness, work)?;
                }
            }
        }
        Ok(())
    }

    /// What came of `work`.
    ///
    /// # Panics
    /// When it is none of the works that these rounds were made for.
    pub(crate) fn of(&self, work: Work) -> &Results {
        &self.results[&work]
    }

    /// Every work with results, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Work, &Results)> {
        self.order.iter().map(|work| (*work, &self.results[work]))
    }

    /// The works of `kind` that failed at least once, with the reason. What failed for want of a
    /// rival counts for the rival.
    pub(crate) fn failures_of(&self, kind: Kind) -> impl Iterator<Item = (Work, &str)> {
        self.iter()
            .filter(move |(work, results)| {
                work.kinds().contains(&kind) && !results.commands.is_empty()
            })
            .filter_map(|(work, results)| results.failure().map(|reason| (work, reason)))
    }

    fn measure(&mut self, harness: &Harness, work: Work) -> Result<(), String> {
        let measured = harness.measure(work)?;
        let results = self.results.entry(work).or_default();
        results.commands = measured.commands;
        match measured.outcome {
            Outcome::Ok(figures) => {
                eprintln!("{}", harness::line(&figures));
                results.figures.push(figures);
            }
            Outcome::Failed(reason) => {
                eprintln!("fails: {reason}");
                results.failures.push(reason);
            }
            Outcome::Differs(reason) => return Err(format!("{work}: {reason}")),
        }
        Ok(())
    }

    fn note_failure(&mut self, work: Work, reason: &str) {
        self.results.entry(work).or_default().failures.push(reason.to_owned());
    }
}
