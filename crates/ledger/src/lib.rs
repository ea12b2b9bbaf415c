//! The ledger of a node: every figure of money on any screen is a sum of its rows.
//!
//! One SQLite file holds the lines of all trades by day, what was cashed of them, and the records by which
//! `pay`'s machines go on after a crash. [`Ledger::write`] returns when all of it is on the drive, or
//! writes nothing. Reading never waits for writing, nor holds it up; a second process may read meanwhile.
//!
//! The order in which to read: [`Ledger`], then `schema` (the tables), `record` (a record as a row and
//! back), `lines` (entries with what was settled of them) and `report` (their sums).
//!
//! This crate must not know sockets, chains, names of torrents or symbols of tokens.

mod cell;
mod error;
mod file;
mod lane_time;
mod ledger;
mod lines;
mod record;
mod report;
mod restored;
mod schema;
mod wish;

pub use error::LedgerError;
pub use lane_time::LaneTime;
pub use ledger::{CashOut, LEDGER_FILE, Ledger, PURCHASES_MAX, SALES_MAX, STANDINGS_MAX};
pub use lines::Row;
pub use report::{By, Filter, GROUPS_MAX, Group, Line, ROWS_MAX, Sums};
pub use wish::KeptWish;

#[cfg(test)]
mod tests;
