//! A daemon over real engines: torrents' lives, files moved and read, feeds.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;
mod feeds;
mod import;
mod life;
mod moving;
mod streaming;
mod twins;
