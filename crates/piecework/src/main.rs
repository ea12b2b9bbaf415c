//! The `piecework` binary.
fn main() {}
