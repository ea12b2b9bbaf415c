#![allow(clippy::unwrap_used)]

mod bidding;
mod budgets;
mod channels;
mod desk;
mod owing;
mod random;
