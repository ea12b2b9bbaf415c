//! Every kernel of this CPU against the reference, over lengths, splits and batch sizes.
#![allow(clippy::unwrap_used)]

use std::ops::Range;

use piecework_types::{Rng, Sha256Digest};
use proptest::prelude::*;

use crate::*;

/// A hasher for each kernel that this CPU can run, and the best ones of this CPU and of lesser
/// ones.
fn hashers() -> Vec<(String, Hasher)> {
    use Kernel::{Avx2, Scalar, ShaNi, ShaNiX2, ShaNiX4};
    let forced = Kernel::ALL
        .into_iter()
        .filter_map(|kernel| Some((kernel.to_string(), Hasher::with_kernel(kernel).ok()?)));
    let cpus: [(&str, &[Kernel]); 5] = [
        ("all", &Kernel::ALL),
        ("SHA-NI alone", &[Scalar, ShaNi, ShaNiX2, ShaNiX4]),
        ("AVX2 alone", &[Scalar, Avx2]),
        ("vectors alone", &[Scalar, Avx2, Kernel::Avx512, Kernel::Avx512X2]),
        ("neither", &[Scalar]),
    ];
    let best = cpus.into_iter().map(|(name, kernels)| {
        let has = |kernel: Kernel| kernels.contains(&kernel) && kernel.is_supported();
        (format!("best of {name}"), Hasher::for_cpu(has))
    });
    forced.chain(best).collect()
}

/// A message and how it is cut: where it is interrupted, and the blocks in each slice.
#[derive(Clone, Debug)]
struct Case {
    bytes: usize,
    seed: u64,
    slice_blocks: usize,
    interrupted_at: usize,
}

impl Case {
    fn message(&self) -> Vec<u8> {
        let mut rng = Rng::new(self.seed);
        (0..self.bytes).map(|_| rng.below(256) as u8).collect()
    }

    fn slices<'m>(&self, message: &'m [u8]) -> Vec<&'m [u8]> {
        message.chunks(self.slice_blocks * BLOCK_BYTES).collect()
    }
}

fn cases(count: Range<usize>) -> impl Strategy<Value = Vec<Case>> {
    let case = (0..3000_usize, any::<u64>(), 1..12_usize, 0..8_usize).prop_map(
        |(bytes, seed, slice_blocks, interrupted_at)| Case {
            bytes,
            seed,
            slice_blocks,
            interrupted_at,
        },
    );
    prop::collection::vec(case, count)
}

/// Hashes all cases in two batches: up to where each is interrupted, then from the midstates on.
fn hash_interrupted<A: Algorithm>(hasher: &Hasher, cases: &[Case]) -> Vec<Option<A::Digest>> {
    let messages: Vec<_> = cases.iter().map(Case::message).collect();
    let slices: Vec<_> = cases.iter().zip(&messages).map(|(c, m)| c.slices(m)).collect();
    let cuts: Vec<_> = cases
        .iter()
        .zip(&slices)
        .map(|(case, slices)| {
            slices.split_at(case.interrupted_at.min(slices.len().saturating_sub(1)))
        })
        .collect();
    let first: Vec<_> =
        cuts.iter().map(|(head, _)| Job::<A>::extend(State::new(), head).unwrap()).collect();
    let midstates = hasher.hash(&first).into_iter().map(|outcome| outcome.midstate().unwrap());
    let second: Vec<_> = midstates
        .zip(&cuts)
        .map(|(midstate, (head, rest))| {
            assert_eq!(midstate.bytes(), head.iter().map(|s| s.len() as u64).sum::<u64>());
            Job::finish(midstate, rest).unwrap()
        })
        .collect();
    hasher.hash(&second).into_iter().map(Outcome::digest).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_kernel_agrees_with_the_reference_on_any_batch(cases in cases(1..70)) {
        let messages: Vec<_> = cases.iter().map(Case::message).collect();
        for (name, hasher) in hashers() {
            let in_sha1 = hash_interrupted::<Sha1>(&hasher, &cases);
            let in_sha256 = hash_interrupted::<Sha256>(&hasher, &cases);
            for (index, message) in messages.iter().enumerate() {
                prop_assert_eq!(in_sha1[index], Some(sha1(message)), "{}, job {}", name, index);
                prop_assert_eq!(in_sha256[index], Some(sha256(message)), "{}, job {}", name, index);
            }
        }
    }

    #[test]
    fn every_kernel_agrees_with_the_reference_on_tree_nodes(seed: u64, count in 0..80_usize) {
        let mut rng = Rng::new(seed);
        let mut node = || Sha256Digest(std::array::from_fn(|_| rng.below(256) as u8));
        let pairs: Vec<_> = (0..count).map(|_| [node(), node()]).collect();
        let expected: Vec<_> =
            pairs.iter().map(|[left, right]| sha256(&[left.0, right.0].concat())).collect();
        for (name, hasher) in hashers() {
            prop_assert_eq!(hasher.sha256_pairs(&pairs), expected.as_slice(), "{}", name);
        }
    }
}

#[test]
fn padding_is_right_at_every_length_around_a_block() {
    let message: Vec<u8> = (0..200).collect();
    let messages: Vec<_> = (0..message.len()).map(|length| &message[..length]).collect();
    let in_sha1: Vec<_> = messages.iter().map(|message| sha1(message)).collect();
    let in_sha256: Vec<_> = messages.iter().map(|message| sha256(message)).collect();
    for (name, hasher) in hashers() {
        assert_eq!(hasher.hash_messages::<Sha1>(&messages), in_sha1, "{name}");
        assert_eq!(hasher.hash_messages::<Sha256>(&messages), in_sha256, "{name}");
    }
}

/// The million a's of FIPS 180-4, so that a kernel and the reference cannot be wrong together.
#[test]
fn every_kernel_hashes_a_million_a() {
    let million = vec![b'a'; 1_000_000];
    for (name, hasher) in hashers() {
        let in_sha1 = hasher.hash_messages::<Sha1>(&[&million]);
        assert_eq!(in_sha1[0].to_string(), "34aa973cd4c4daa4f61eeb2bdbad27316534016f", "{name}");
        let in_sha256 = hasher.hash_messages::<Sha256>(&[&million]);
        assert_eq!(
            in_sha256[0].to_string(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
            "{name}"
        );
    }
}

#[test]
fn empty_jobs_and_empty_slices_end_like_others() {
    for (name, hasher) in hashers() {
        assert_eq!(hasher.hash::<Sha1>(&[]), [], "{name}");
        let start = Sha1State::new();
        let none: [&[u8]; 0] = [];
        let empty: [&[u8]; 3] = [b"", b"", b""];
        let jobs = [
            Job::extend(start, &none).unwrap(),
            Job::extend(start, &empty).unwrap(),
            Job::finish(start, &none).unwrap(),
            Job::finish(start, &empty).unwrap(),
        ];
        let (midstate, digest) = (Outcome::Midstate(start), Outcome::Digest(sha1(b"")));
        assert_eq!(hasher.hash(&jobs), [midstate, midstate, digest, digest], "{name}");
    }
}

#[test]
fn a_layer_of_odd_length_is_completed_with_the_padding_node() {
    let [a, b, c, padding] = [1, 2, 3, 0].map(|byte| Sha256Digest([byte; 32]));
    let parent = |left: Sha256Digest, right: Sha256Digest| sha256(&[left.0, right.0].concat());
    let mut layer = vec![a, b, c];
    Hasher::detect().reduce_layer(&mut layer, padding);
    assert_eq!(layer, [parent(a, b), parent(c, padding)]);
}

#[test]
fn every_cpu_can_end_a_single_job_and_prefers_wide_kernels_for_many() {
    for (name, hasher) in hashers().into_iter().filter(|(name, _)| name.starts_with("best")) {
        let sha1: Vec<_> = hasher.kernels::<Sha1>().collect();
        let sha256: Vec<_> = hasher.kernels::<Sha256>().collect();
        for plan in [sha1, sha256] {
            let falls = |pair: &[(Kernel, usize)]| pair[0].0.lanes() > pair[1].0.lanes();
            assert!(plan.windows(2).all(falls), "{name}: {plan:?}");
            assert!(plan.iter().all(|(kernel, jobs)| *jobs <= kernel.lanes()), "{name}: {plan:?}");
            assert_eq!(plan.last().map(|(kernel, jobs)| (kernel.lanes(), *jobs)), Some((1, 1)));
        }
        assert!((1..=16).contains(&hasher.lanes::<Sha1>()), "{name}");
    }
}

/// A CPU without the instructions cannot test a kernel; the log of the run says so.
#[test]
fn kernels_that_this_cpu_lacks_are_refused_and_named() {
    for kernel in Kernel::ALL {
        match Hasher::with_kernel(kernel) {
            Ok(hasher) => assert!(hasher.kernels::<Sha1>().eq([(kernel, 1)])),
            Err(fault) => {
                assert_eq!(fault, UnsupportedKernel(kernel));
                println!("not tested: {fault}");
            }
        }
    }
}
