//! The clerk against the vault's rules in memory, in virtual time, with a chain that fails on command.

mod bench;
mod cashing;
mod chain;
mod watching;
