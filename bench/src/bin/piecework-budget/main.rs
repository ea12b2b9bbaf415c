//! `piecework-budget`: the hot paths, one a run, for a program that counts instructions.
//!
//! Each path prepares its work, does it inside [`counted`], and looks at what came out; callgrind is
//! told to collect inside that one function. No socket, thread, clock or file takes part and every draw
//! comes from one seed, so that two runs of a build execute the same instructions.
//! `cargo xtask budget` runs it and compares the counts with `bench/BUDGET.json`.

use std::process::ExitCode;

mod parts;
mod steps;

/// A hot path.
struct HotPath {
    name: &'static str,
    /// What one of its operations is.
    unit: &'static str,
    operations: u32,
    run: fn(u32),
}

const PATHS: [HotPath; 6] = [
    HotPath { name: "leech", unit: "block", operations: 8_192, run: steps::leech },
    HotPath { name: "seed", unit: "request", operations: 8_192, run: steps::seed },
    HotPath { name: "wire", unit: "message", operations: 1_000, run: parts::wire },
    HotPath { name: "pick", unit: "block", operations: 10_000, run: parts::pick },
    HotPath { name: "uplink", unit: "block", operations: 10_000, run: parts::uplink },
    HotPath { name: "metainfo", unit: "file", operations: 20_000, run: parts::metainfo },
];

/// Does the work. The name is what callgrind looks for, so this function must stay one.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    if name == "--list" {
        for path in PATHS {
            println!("{} {} {}", path.name, path.operations, path.unit);
        }
        return ExitCode::SUCCESS;
    }
    let Some(path) = PATHS.into_iter().find(|path| path.name == name) else {
        eprintln!("usage: piecework-budget --list | NAME");
        return ExitCode::from(2);
    };
    (path.run)(path.operations);
    ExitCode::SUCCESS
}
