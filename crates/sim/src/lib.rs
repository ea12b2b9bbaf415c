//! Swarms in virtual time: the very machine of `piecework_swarm`, many times over, on links and disks
//! made of numbers.
//!
//! A [`Scenario`] turns one `u64` seed into a [`Plan`]: nodes, links, faults and what happens when.
//! [`Scenario::run`] plays it and returns a [`Report`]. One seed gives one trace, so a failure is
//! repeated by its seed alone. The checkers see only what crosses the border of a machine and judge by
//! bookkeeping of their own; the plants ([`Plant`]) show that they can fail.
//!
//! What is real: every decision of picking, choking, requesting, dialling. What is not: payload (its
//! content is generated from piece and block), sockets (latency, loss and max-min fair bandwidth),
//! disks (tags instead of bytes, with faults) and the wire's encoding (messages pass as values).
//!
//! Networks of DHT nodes (`piecework_dht`) are played likewise, with the bytes of every packet, by a world
//! and checkers of their own ([`DhtPlan`]). So are markets of paid lanes (`piecework_pay`), with sealed
//! messages, drives and a vault ([`MarketPlan`]).
//!
//! Nothing may depend on this crate.

mod adversaries;
mod checkers;
mod client;
mod dht;
mod disk;
mod facts;
mod market;
mod network;
mod origin;
mod outside;
mod plan;
mod plant;
mod planted;
mod queue;
mod report;
mod scenario;
mod scenarios;
mod script;
mod seen;
mod world;

pub use adversaries::adversaries;
pub use checkers::{Onlooker, ReserveSpec, UploadLimit, Violation};
pub use dht::{DhtAction, DhtNode, DhtPlan, DhtReport, Hostility, LookupRecord, NodeKind};
pub use disk::DiskFaults;
pub use market::{
    Cheat, Fund, LineSpec, MarketAction, MarketLine, MarketPlan, MarketReport, Role, SeatSpec,
    SessionSpec,
};
pub use network::{Frame, Link, TICK};
pub use origin::{Origin, Tag};
pub use plan::{Action, Behaviour, Goal, NodeSpec, Plan, Start, WebSeedKind, WebSeedSpec};
pub use plant::Plant;
pub use planted::{Found, find};
pub use report::Report;
pub use scenario::{Build, Scenario};
pub use scenarios::{ALL, by_name};
pub use seen::{EndId, NodeId, Scene, Seen};
pub use world::World;
