//! What a torrent is: torrent files and info dictionaries (v1, v2, hybrid: BEP 3, 12, 19, 27, 47,
//! 52), magnet links (BEP 9, 53), hash trees, cleaned names, and the making of torrents.
//!
//! Entry points: [`Metainfo::parse`] for a torrent file, [`Info::parse`] for metadata that came
//! from peers, [`Magnet`], and [`create::Plan`]. Everything here is a function of bytes: files are
//! read and hashed elsewhere, and nothing here knows a socket, a clock or a disk.
//!
//! All input is hostile. Sizes are checked before they cost memory: see the `*_MAX` constants.

pub mod create;
mod error;
mod file;
mod info;
mod layers;
mod layout;
mod magnet;
pub mod merkle;
mod metainfo;
pub mod names;
mod url;
mod web_seed;

pub use error::{LayerError, MetainfoError};
pub use file::{Attributes, File};
pub use info::{
    FILES_MAX, Info, PATH_BYTES_MAX, PATH_COMPONENTS_MAX, PATHS_BYTES_MAX, PIECES_MAX, Version,
};
pub use layers::PieceLayers;
pub use layout::{Extent, Layout, Segment, Segments};
pub use magnet::{HostPort, MAGNET_BYTES_MAX, Magnet, MagnetError};
pub use metainfo::{Metainfo, URLS_MAX};
pub use web_seed::{FileRange, WebNames, WebPart, WebRange, WebSeed, WebSeedKind};
