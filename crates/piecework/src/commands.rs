//! The commands, one module each.

pub(crate) mod act;
pub(crate) mod add;
pub(crate) mod chain;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod create;
pub(crate) mod doctor;
pub(crate) mod feed;
pub(crate) mod follow;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod look;
pub(crate) mod metadata;
pub(crate) mod net;
pub(crate) mod password;
pub(crate) mod safe;
pub(crate) mod seed;
pub(crate) mod service;
pub(crate) mod show;
pub(crate) mod token;
pub(crate) mod tracker;
pub(crate) mod up;
pub(crate) mod vault;
pub(crate) mod wallet;
