//! What swarms must do, one file a behaviour. A failure prints the seed: play it again with
//! `cargo run -p piecework-sim -- --scenario NAME --seed X`.

mod damaged_disk;
mod determinism;
mod dht;
mod end_game;
mod exchange;
mod flash_crowd;
mod full_disk;
mod magnet;
mod market;
mod optimistic_turns;
mod planted;
mod seed_leaves;
mod slow_seed;
mod snubbed;
mod streaming;
mod super_seed;
mod swarm;
mod upload_limit;
mod web_seed;

use piecework_sim::{Report, by_name};

/// Plays seeds 1 to `seeds` of a scenario on all processors; every run must be without violation.
fn plays(name: &str, seeds: u64) -> Vec<Report> {
    let scenario = by_name(name).expect("the test names a scenario");
    let run = |seed| {
        let report = scenario.run(seed);
        if let Some(violation) = report.violations.first() {
            panic!("SIM_SEED={seed:#x} scenario={name} {violation}");
        }
        report
    };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        let share = |first| {
            let mine = (first..=seeds).step_by(threads as usize);
            scope.spawn(move || mine.map(run).collect::<Vec<_>>())
        };
        let shares: Vec<_> = (1..=threads).map(share).collect();
        shares.into_iter().flat_map(|share| share.join().expect("a run failed")).collect()
    })
}
