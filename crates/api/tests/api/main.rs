//! The API of our own over HTTP, before a real daemon.
#![allow(missing_docs, clippy::unwrap_used)]

mod access;
mod door;
mod events;
mod large;
mod slow;
mod torrents;
mod trades;
mod wallet;
