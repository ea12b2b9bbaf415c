//! Which kernel hashes how many jobs on this CPU.
//!
//! Owns the thresholds, all of them measured (DESIGN.md). Invariant: the last rung of a ladder
//! takes a single job, so every job ends. Knows nothing of how a kernel works.

use std::fmt;
use std::sync::OnceLock;

use crate::algorithm::Algorithm;
use crate::algorithm::sealed::Internals;
use crate::algorithm::{Sha1, Sha256};
use crate::batch::Batch;
use crate::job::{Job, Outcome};
use crate::kernel::Kernel::{Avx2, Avx512, Avx512X2, Scalar, ShaNi, ShaNiX2, ShaNiX4};
use crate::kernel::{Compress, Kernel};

/// More jobs than this at once are hardly faster, and not worth keeping their data waiting for.
const LANES_WORTH_WAITING_MAX: usize = 16;

/// Kernels for one algorithm, the one with most lanes first, each with the number of jobs from
/// which on it is faster than those after it. The last one takes a single job.
type Plan = [(Kernel, usize)];

/// Thirty-two lanes are left out: they need their data in the second-level cache to be any faster.
const SHA1_WITH_SHA_NI: &Plan = &[(Avx512, 9), (ShaNiX4, 3), (ShaNiX2, 2), (ShaNi, 1)];

/// Leaves of a v2 piece come by the dozen and are fresh in the cache, so thirty-two lanes pay.
const SHA256_WITH_SHA_NI: &Plan =
    &[(Avx512X2, 28), (Avx512, 12), (ShaNiX4, 3), (ShaNiX2, 2), (ShaNi, 1)];

/// Two lanes in use of eight or sixteen are no faster than one message after the other.
const SHA1_WITHOUT: &Plan = &[(Avx512, 3), (Avx2, 3), (Scalar, 1)];
const SHA256_WITHOUT: &Plan = &[(Avx512X2, 28), (Avx512, 3), (Avx2, 3), (Scalar, 1)];

/// Hashes batches of jobs, each with the kernels that suit their number.
#[derive(Clone, Debug)]
pub struct Hasher {
    pub(crate) sha1: Ladder,
    pub(crate) sha256: Ladder,
}

/// The kernels in use for one algorithm; each hands the jobs it leaves to the next.
#[derive(Clone, Debug)]
pub struct Ladder {
    rungs: Vec<Rung>,
    /// Whether a single whole message goes to the reference implementation, because the last rung
    /// is slower than that.
    prefers_reference: bool,
}

/// A kernel and the number of jobs from which on it is the fastest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rung {
    pub(crate) kernel: Kernel,
    pub(crate) compress: Compress,
    pub(crate) lanes_min: usize,
}

impl Hasher {
    /// The best of this CPU; found out at the first call.
    pub fn detect() -> &'static Self {
        static BEST: OnceLock<Hasher> = OnceLock::new();
        BEST.get_or_init(|| Self::for_cpu(Kernel::is_supported))
    }

    /// The best of a CPU that has no more kernels than this one.
    pub(crate) fn for_cpu(has: impl Fn(Kernel) -> bool) -> Self {
        // Without SHA-NI the reference implementation is the fastest single stream.
        let (sha1, sha256, prefers_reference) = if has(ShaNi) {
            (SHA1_WITH_SHA_NI, SHA256_WITH_SHA_NI, false)
        } else {
            (SHA1_WITHOUT, SHA256_WITHOUT, true)
        };
        Self {
            sha1: Ladder { rungs: rungs::<Sha1>(sha1, &has), prefers_reference },
            sha256: Ladder { rungs: rungs::<Sha256>(sha256, &has), prefers_reference },
        }
    }

    /// Uses `kernel` for every job, however few there are: for tests and benchmarks.
    ///
    /// # Errors
    ///
    /// This CPU does not have the instructions.
    pub fn with_kernel(kernel: Kernel) -> Result<Self, UnsupportedKernel> {
        if !kernel.is_supported() {
            return Err(UnsupportedKernel(kernel));
        }
        let plan = [(kernel, 1)];
        let [sha1, sha256] = [rungs::<Sha1>(&plan, |_| true), rungs::<Sha256>(&plan, |_| true)];
        let ladder = |rungs| Ladder { rungs, prefers_reference: false };
        Ok(Self { sha1: ladder(sha1), sha256: ladder(sha256) })
    }

    /// How many jobs of one length make a batch worth waiting for; at least one. Larger batches are
    /// welcome and somewhat faster.
    pub fn lanes<A: Algorithm>(&self) -> usize {
        let widest = A::ladder(self).rungs.first().map_or(1, |rung| rung.kernel.lanes());
        widest.min(LANES_WORTH_WAITING_MAX)
    }

    /// The kernels in use, the one with most lanes first, each with the number of jobs from which
    /// on it is used.
    pub fn kernels<A: Algorithm>(&self) -> impl Iterator<Item = (Kernel, usize)> {
        A::ladder(self).rungs.iter().map(|rung| (rung.kernel, rung.lanes_min))
    }

    /// Hashes all jobs, which may differ in length; the outcomes come in the order of the jobs.
    pub fn hash<A: Algorithm>(&self, jobs: &[Job<'_, A>]) -> Vec<Outcome<A>> {
        let ladder = A::ladder(self);
        let mut batch = Batch::new(jobs);
        for (index, rung) in ladder.rungs.iter().enumerate() {
            if ladder.prefers_reference && index + 1 == ladder.rungs.len() {
                batch.run_by_reference();
            }
            match rung.compress {
                Compress::X1(compress) => batch.run(compress, rung.lanes_min),
                Compress::X2(compress) => batch.run(compress, rung.lanes_min),
                Compress::X4(compress) => batch.run(compress, rung.lanes_min),
                Compress::X8(compress) => batch.run(compress, rung.lanes_min),
                Compress::X16(compress) => batch.run(compress, rung.lanes_min),
                Compress::X32(compress) => batch.run(compress, rung.lanes_min),
            }
        }
        batch.into_outcomes()
    }

    /// The digests of whole messages, for instance of the leaves of a v2 piece.
    pub fn hash_messages<A: Algorithm>(&self, messages: &[&[u8]]) -> Vec<A::Digest> {
        let jobs: Vec<Job<'_, A>> = messages.iter().map(Job::message).collect();
        let digests = self.hash(&jobs).into_iter().filter_map(Outcome::digest);
        digests.collect()
    }
}

impl Ladder {
    pub(crate) fn rungs(&self) -> &[Rung] {
        &self.rungs
    }
}

/// Those rungs of `plan` that the CPU has.
fn rungs<A: Internals>(plan: &Plan, has: impl Fn(Kernel) -> bool) -> Vec<Rung> {
    let present = plan.iter().filter(|&&(kernel, _)| has(kernel));
    let rungs = present.filter_map(|&(kernel, lanes_min)| {
        Some(Rung { kernel, compress: A::compress(&kernel.kernels()?), lanes_min })
    });
    rungs.collect()
}

/// A kernel whose instructions this CPU lacks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnsupportedKernel(pub Kernel);

impl fmt::Display for UnsupportedKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this CPU cannot run the {} kernel", self.0)
    }
}

impl std::error::Error for UnsupportedKernel {}
