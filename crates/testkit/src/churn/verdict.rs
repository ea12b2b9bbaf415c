//! Whether a process has kept its size: figures by tenth of the run, and the judgement on them.
//!
//! Pure: it is given samples and never takes one.

use std::fmt;

/// What a process held at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Seconds since the churn began.
    pub(super) at_s: f64,
    /// Resident memory.
    pub(super) resident_kib: u64,
    /// Resident memory that no file backs: what a leak would grow.
    pub(super) anonymous_kib: u64,
    /// Open descriptors.
    pub(super) descriptors: u64,
    /// Threads.
    pub(super) threads: u64,
}

/// Growth in an hour that no measurement over hours would show to be a leak.
const RISE_KIB_AN_HOUR_MAX: f64 = 2048.0;
/// Memory that may be there at the end and was not in the second tenth.
const GROWTH_KIB_MAX: u64 = 4096;
/// The same for large processes, in parts of a hundred.
const GROWTH_PERCENT_MAX: u64 = 5;
/// Descriptors by which two moments of an even churn differ by chance.
const DESCRIPTORS_SLACK: u64 = 32;
/// A thread that is just starting or ending.
const THREADS_SLACK: u64 = 1;
/// Points that a line is drawn through; more would be thinned out, for the work grows as their square.
const POINTS_MAX: usize = 720;

/// Lowest, middle and highest figure of a tenth.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Spread {
    pub(super) min: u64,
    pub(super) median: u64,
    pub(super) max: u64,
}

impl Spread {
    fn of(figures: impl Iterator<Item = u64>) -> Option<Self> {
        let mut figures: Vec<u64> = figures.collect();
        figures.sort_unstable();
        let (min, max) = (*figures.first()?, *figures.last()?);
        Some(Self { min, median: figures[figures.len() / 2], max })
    }
}

/// A tenth of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tenth {
    pub(super) resident_kib: Spread,
    pub(super) anonymous_kib: Spread,
    pub(super) descriptors: Spread,
    pub(super) threads: Spread,
}

/// The ten tenths; one without samples is `None`.
pub(super) fn tenths(samples: &[Sample], total_s: f64) -> [Option<Tenth>; 10] {
    let tenth = |at: f64| ((at / total_s * 10.0) as usize).min(9);
    std::array::from_fn(|wanted| {
        let here = || samples.iter().filter(|sample| tenth(sample.at_s) == wanted);
        Some(Tenth {
            resident_kib: Spread::of(here().map(|sample| sample.resident_kib))?,
            anonymous_kib: Spread::of(here().map(|sample| sample.anonymous_kib))?,
            descriptors: Spread::of(here().map(|sample| sample.descriptors))?,
            threads: Spread::of(here().map(|sample| sample.threads))?,
        })
    })
}

/// What the samples of one process show.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    /// Slope of the line through the anonymous memory after the warm-up.
    pub(super) rise_kib_an_hour: f64,
    /// How far the samples stray from that line: the median of the distances.
    pub(super) noise_kib: f64,
    /// Why the process is not flat; empty if it is.
    pub(super) problems: Vec<String>,
}

impl Verdict {
    /// Judges a run of `total_s` seconds. The first tenth is warm-up and does not count.
    ///
    /// Memory is flat if the line rises by less than 2 MiB an hour beyond noise, or if the last tenth
    /// lies no more than 4 MiB or 5 % above the second: a short run has too few points for a line, a
    /// long one could hide a slow rise in the slack.
    pub(super) fn on(samples: &[Sample], total_s: f64) -> Self {
        let warm: Vec<(f64, f64)> = samples
            .iter()
            .filter(|sample| sample.at_s >= total_s / 10.0)
            .map(|sample| (sample.at_s, sample.anonymous_kib as f64))
            .collect();
        let line = Line::through(&warm);
        let hours = total_s * 0.9 / 3600.0;
        let mut verdict = Self {
            rise_kib_an_hour: line.slope * 3600.0,
            noise_kib: line.noise,
            problems: Vec::new(),
        };
        let by_tenth = tenths(samples, total_s);
        let (Some(second), Some(last)) = (by_tenth[1], by_tenth[9]) else {
            verdict.problems.push("no samples in the second or in the last tenth".to_owned());
            return verdict;
        };
        let rises = verdict.rise_kib_an_hour * hours > RISE_KIB_AN_HOUR_MAX * hours + line.noise;
        let base = second.anonymous_kib.median;
        let allowed = base + GROWTH_KIB_MAX.max(base * GROWTH_PERCENT_MAX / 100);
        if rises && last.anonymous_kib.median > allowed {
            verdict.problems.push(format!(
                "memory grows: {:.0} KiB an hour, {base} KiB in the second tenth, {} in the last",
                verdict.rise_kib_an_hour, last.anonymous_kib.median
            ));
        }
        verdict.compare("descriptors", second.descriptors, last.descriptors, DESCRIPTORS_SLACK);
        verdict.compare("threads", second.threads, last.threads, THREADS_SLACK);
        verdict
    }

    fn compare(&mut self, what: &str, second: Spread, last: Spread, slack: u64) {
        if last.median > second.median + slack {
            let (second, last) = (second.median, last.median);
            self.problems
                .push(format!("{what} grow: {second} in the second tenth, {last} in the last"));
        }
    }

    pub(super) fn is_flat(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_flat() { "flat" } else { "NOT FLAT" };
        write!(
            f,
            "{word}: anonymous memory {:+.0} KiB an hour, noise {:.0} KiB",
            self.rise_kib_an_hour, self.noise_kib
        )?;
        self.problems.iter().try_for_each(|problem| write!(f, "; {problem}"))
    }
}

/// A line that a few wild points do not move: the median of the slopes between all pairs (Theil 1950).
struct Line {
    slope: f64,
    noise: f64,
}

impl Line {
    fn through(points: &[(f64, f64)]) -> Self {
        let step = points.len().div_ceil(POINTS_MAX).max(1);
        let points: Vec<(f64, f64)> = points.iter().copied().step_by(step).collect();
        let pairs = points.iter().enumerate().flat_map(|(at, &(x, y))| {
            points[at + 1..].iter().map(move |&(later, above)| (above - y) / (later - x))
        });
        let slope = median(pairs.filter(|slope| slope.is_finite()));
        let start = median(points.iter().map(|(x, y)| y - slope * x));
        let noise = median(points.iter().map(|(x, y)| (y - slope * x - start).abs()));
        Self { slope, noise }
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: f64 = 3600.0;

    /// An hour of samples whose anonymous memory follows `memory`, in KiB over the fraction of the run.
    fn hour(memory: impl Fn(f64) -> f64) -> Vec<Sample> {
        let noise = |at: u32| f64::from(at * 7919 % 400);
        (0..360)
            .map(|at| Sample {
                at_s: f64::from(at) * 10.0,
                resident_kib: 30_000,
                anonymous_kib: (memory(f64::from(at) / 360.0) + noise(at)) as u64,
                descriptors: 100 + u64::from(at % 9),
                threads: 9,
            })
            .collect()
    }

    #[test]
    fn a_process_that_grows_only_while_it_warms_up_is_flat() {
        let samples = hour(|part| 20_000.0 + 10_000.0 * (part * 10.0).min(1.0));
        let verdict = Verdict::on(&samples, HOUR);
        assert!(verdict.is_flat(), "{verdict}");
        assert!(verdict.rise_kib_an_hour.abs() < 100.0, "{verdict}");
    }

    #[test]
    fn a_steady_leak_is_found_in_spite_of_noise() {
        let samples = hour(|part| 20_000.0 + 6_000.0 * part);
        let verdict = Verdict::on(&samples, HOUR);
        assert!(verdict.problems.len() == 1 && verdict.problems[0].contains("memory"), "{verdict}");
        assert!((5_800.0..6_200.0).contains(&verdict.rise_kib_an_hour), "{verdict}");
    }

    #[test]
    fn a_few_wild_samples_change_nothing() {
        let mut samples = hour(|_| 20_000.0);
        samples.iter_mut().step_by(17).for_each(|sample| sample.anonymous_kib = 900_000);
        assert!(Verdict::on(&samples, HOUR).is_flat());
    }

    #[test]
    fn descriptors_and_threads_that_pile_up_are_found() {
        let mut samples = hour(|_| 20_000.0);
        for (at, sample) in samples.iter_mut().enumerate() {
            sample.descriptors += at as u64;
            sample.threads += at as u64 / 100;
        }
        let problems = Verdict::on(&samples, HOUR).problems;
        assert!(problems[0].contains("descriptors") && problems[1].contains("threads"));
        assert_eq!(problems.len(), 2);
    }

    #[test]
    fn a_run_without_samples_shows_nothing_and_is_not_flat() {
        assert!(!Verdict::on(&[], HOUR).is_flat());
        let early = hour(|_| 20_000.0).into_iter().filter(|sample| sample.at_s < 600.0);
        assert!(!Verdict::on(&early.collect::<Vec<_>>(), HOUR).is_flat());
    }

    #[test]
    fn a_tenth_gives_lowest_middle_and_highest() {
        let samples: Vec<Sample> = [5, 1, 9]
            .map(|kib| Sample { at_s: 35.0, anonymous_kib: kib, ..Sample::default() })
            .into();
        let tenth = tenths(&samples, 100.0)[3].expect("three samples");
        assert_eq!(tenth.anonymous_kib, Spread { min: 1, median: 5, max: 9 });
        assert_eq!(tenths(&samples, 100.0)[2], None);
    }
}
