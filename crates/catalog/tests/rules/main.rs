//! The rules of the catalog, each shown by itself, and properties that hold for any order of events.

mod any_order;
mod bench_engine;
mod files;
mod life;
mod queue;
mod share;
mod speeds;
