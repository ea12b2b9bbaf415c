//! Which kernel hashes how many jobs on this CPU.
//!
//! Owns the thresholds, all of them measured (DESIGN.md). Invariant: the last rung of a ladder takes a
//! single job, so every job ends. Knows nothing of how a kernel works.

use std::fmt;
use std::sync::OnceLock;

use crate::algorithm::Algorithm;
use crate::algorithm::sealed::Internals;
use crate::algorithm::{Sha1, Sha256};
use crate::batch::Batch;
use crate::job::{Job, Outcome};
use crate::kernel::{Compress, Kernel};

/// A batch of more jobs than this is hardly faster: not worth keeping data waiting for.
const LANES_WORTH_WAITING_MAX: usize = 16;

/// Hashes batches of jobs, each with the kernels that suit their number.
#[derive(Clone, Debug)]
pub struct Hasher {
    pub(crate) sha1: Ladder,
    pub(crate) sha256: Ladder,
}

/// The kernels for one algorithm, the one with most lanes first. Each hands what it leaves to the next.
#[derive(Clone, Debug)]
pub struct Ladder {
    rungs: Vec<Rung>,
    /// Whether a single whole message goes to the reference implementation, because the last rung is
    /// slower than that.
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
        BEST.get_or_init(|| {
            let sha_ni = Kernel::ShaNi.is_supported();
            let avx512 = Kernel::Avx512.is_supported();
            Self {
                sha1: Ladder::for_sha1(sha_ni, avx512),
                sha256: Ladder::for_sha256(sha_ni, avx512),
            }
        })
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
        Ok(Self {
            sha1: Ladder::new::<Sha1>(&plan, false),
            sha256: Ladder::new::<Sha256>(&plan, false),
        })
    }

    /// How many jobs of one length make a batch worth waiting for; at least one. Larger batches are
    /// welcome and somewhat faster.
    pub fn lanes<A: Algorithm>(&self) -> usize {
        let widest = A::ladder(self).rungs.first().map_or(1, |rung| rung.kernel.lanes());
        widest.min(LANES_WORTH_WAITING_MAX)
    }

    /// The kernels in use, the one with most lanes first, each with the number of jobs from which on it
    /// is used.
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
    /// `plan` is kernels with their `lanes_min`, the one with most lanes first, the last with one.
    fn new<A: Internals>(plan: &[(Kernel, usize)], prefers_reference: bool) -> Self {
        debug_assert!(plan.last().is_some_and(|&(_, lanes_min)| lanes_min == 1));
        let rungs = plan.iter().filter_map(|&(kernel, lanes_min)| {
            let compress = A::compress(&kernel.kernels()?);
            Some(Rung { kernel, compress, lanes_min })
        });
        Self { rungs: rungs.collect(), prefers_reference }
    }

    fn for_sha1(sha_ni: bool, avx512: bool) -> Self {
        use Kernel::{Avx2, Avx512, Avx512X2, Scalar, ShaNi, ShaNiX2, ShaNiX4};
        match (sha_ni, avx512) {
            (true, true) => {
                let plan = [(Avx512X2, 21), (Avx512, 9), (ShaNiX4, 3), (ShaNiX2, 2), (ShaNi, 1)];
                Self::new::<Sha1>(&plan, false)
            }
            // Four streams of SHA-NI beat the eight lanes of AVX2.
            (true, false) => Self::new::<Sha1>(&[(ShaNiX4, 3), (ShaNiX2, 2), (ShaNi, 1)], false),
            (false, true) => Self::new::<Sha1>(&[(Avx512X2, 21), (Avx512, 3), (Scalar, 1)], true),
            (false, false) => Self::new::<Sha1>(&[(Avx2, 3), (Scalar, 1)], true),
        }
    }

    fn for_sha256(sha_ni: bool, avx512: bool) -> Self {
        use Kernel::{Avx2, Avx512, Avx512X2, Scalar, ShaNi, ShaNiX2, ShaNiX4};
        match (sha_ni, avx512) {
            (true, true) => {
                let plan = [(Avx512X2, 24), (Avx512, 12), (ShaNiX4, 3), (ShaNiX2, 2), (ShaNi, 1)];
                Self::new::<Sha256>(&plan, false)
            }
            (true, false) => Self::new::<Sha256>(&[(ShaNiX4, 3), (ShaNiX2, 2), (ShaNi, 1)], false),
            (false, true) => Self::new::<Sha256>(&[(Avx512X2, 21), (Avx512, 3), (Scalar, 1)], true),
            (false, false) => Self::new::<Sha256>(&[(Avx2, 3), (Scalar, 1)], true),
        }
    }

    pub(crate) fn rungs(&self) -> &[Rung] {
        &self.rungs
    }
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
