//! The rules of the catalog, each shown by itself, and properties that hold for any order of events.

mod bench_engine;
mod life;
