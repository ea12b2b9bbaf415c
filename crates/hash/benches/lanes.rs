//! Throughput of each kernel by number of jobs, beside the reference implementation.
//!
//! `cargo bench -p piecework-hash` prints MiB/s; DESIGN.md keeps a table of one run. The thresholds
//! in `hasher.rs` come from the `pieces` groups: a kernel is used from the number of jobs on at
//! which it beats the kernels with fewer lanes.
#![allow(missing_docs)]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use piecework_hash::{Algorithm, Hasher, Job, Kernel, Sha1, Sha256, State, Stream};
use piecework_types::{Rng, Sha256Digest};

/// The chunk of the buffer pool, also the v2 leaf.
const CHUNK_BYTES: usize = 16 * 1024;
/// The length of a job in the `pieces` groups.
const PIECE_BYTES: usize = 1024 * 1024;
const JOBS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// The leaves of a piece of 1 MiB.
const LEAVES: usize = PIECE_BYTES / CHUNK_BYTES;

fn main() {
    for kernel in Kernel::ALL.into_iter().filter(|kernel| !kernel.is_supported()) {
        println!("not measured, this CPU lacks the instructions: {kernel}");
    }
    divan::main();
}

/// Who hashes.
#[derive(Clone, Copy)]
enum Contender {
    Reference,
    Forced(Kernel),
    Best,
}

impl std::fmt::Display for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reference => f.write_str("aws-lc-rs"),
            Self::Forced(kernel) => f.write_str(kernel.name()),
            Self::Best => f.write_str("best"),
        }
    }
}

fn contenders() -> impl Iterator<Item = Contender> {
    let supported = Kernel::ALL.into_iter().filter(|kernel| kernel.is_supported());
    let forced = supported.map(Contender::Forced);
    [Contender::Reference].into_iter().chain(forced).chain([Contender::Best])
}

fn hasher(contender: Contender) -> Option<Hasher> {
    match contender {
        Contender::Reference => None,
        Contender::Forced(kernel) => Hasher::with_kernel(kernel).ok(),
        Contender::Best => Some(Hasher::detect().clone()),
    }
}

/// Hashes `count` messages of `bytes` bytes, each in slices of one chunk.
fn hash_messages<A: Algorithm>(
    bencher: Bencher<'_, '_>,
    contender: Contender,
    count: usize,
    bytes: usize,
) {
    let data = vec![0x5a; count * bytes];
    let mut chunks: Vec<&[u8]> = data.chunks(CHUNK_BYTES).collect();
    // Chunks come from a pool in any order. Neighbours at a distance of a power of two would all
    // fall into the same sets of the caches, which is slower.
    Rng::new(1).shuffle(&mut chunks);
    let messages: Vec<&[&[u8]]> = chunks.chunks(bytes / CHUNK_BYTES).collect();
    let bencher = bencher.counter(BytesCount::new(data.len()));
    let Some(hasher) = hasher(contender) else {
        return bencher.bench(|| {
            for message in &messages {
                let mut stream = Stream::<A>::new();
                message.iter().for_each(|chunk| stream.update(black_box(chunk)));
                black_box(stream.finish());
            }
        });
    };
    bencher.bench(|| {
        let jobs = messages.iter().map(|slices| Job::<A>::finish(State::new(), slices));
        let jobs: Vec<_> = jobs.collect::<Result<_, _>>().expect("chunks are whole blocks");
        hasher.hash(black_box(&jobs))
    });
}

/// Who hashes how many jobs, printed as one name.
struct Cell(Contender, usize);

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} jobs", self.0, self.1)
    }
}

fn cells() -> impl Iterator<Item = Cell> {
    contenders().flat_map(|contender| JOBS.map(|jobs| Cell(contender, jobs)))
}

#[divan::bench(args = cells(), sample_count = 20)]
fn pieces_sha1(bencher: Bencher<'_, '_>, Cell(contender, jobs): &Cell) {
    hash_messages::<Sha1>(bencher, *contender, *jobs, PIECE_BYTES);
}

#[divan::bench(args = cells(), sample_count = 20)]
fn pieces_sha256(bencher: Bencher<'_, '_>, Cell(contender, jobs): &Cell) {
    hash_messages::<Sha256>(bencher, *contender, *jobs, PIECE_BYTES);
}

#[divan::bench(args = contenders())]
fn leaves_of_a_piece(bencher: Bencher<'_, '_>, contender: Contender) {
    hash_messages::<Sha256>(bencher, contender, LEAVES, CHUNK_BYTES);
}

#[divan::bench(args = contenders())]
fn nodes_of_a_layer(bencher: Bencher<'_, '_>, contender: Contender) {
    let pairs = vec![[Sha256Digest([1; 32]), Sha256Digest([2; 32])]; 4096];
    let bencher = bencher.counter(BytesCount::new(pairs.len() * 64));
    match hasher(contender) {
        Some(hasher) => bencher.bench(|| hasher.sha256_pairs(black_box(&pairs))),
        None => bencher.bench(|| {
            let parents = black_box(&pairs).iter().map(|[left, right]| {
                let mut stream = Stream::<Sha256>::new();
                stream.update(&left.0);
                stream.update(&right.0);
                stream.finish()
            });
            parents.collect::<Vec<_>>()
        }),
    }
}
