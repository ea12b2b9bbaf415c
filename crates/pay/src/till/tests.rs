#![allow(clippy::unwrap_used)]

mod again;
mod answers;
mod cashing;
mod drive;
mod opening;
mod property;
mod serving;
mod shop;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const LINK: u64 = 256 * KIB;
/// The first window of blocks that are verified one by one.
const FIRST: u64 = 2 * LINK;
