//! Settings: what there is to choose, and where each choice came from.
//!
//! One table ([`SETTINGS`]) names each setting with its type, default, bounds and a line for people. From it
//! come the check of every layer, typed access, and the reference page. Layers in order, the later one wins:
//! the defaults, the file, what was changed at run time, the environment (`PIECEWORK_` and the key in
//! capitals), flags. Values of all layers pass the same check, and all that is wrong is told at once.
//!
//! It must not know: files, the environment, the engine.

mod bytes;
mod file;
mod page;
mod problem;
mod rules;
mod settings;
mod table;
mod value;

pub use bytes::{ByteRate, ByteSize, human};
pub use page::page;
pub use problem::{Origin, Problem};
pub use settings::{Change, Entry, Layer, OVERLAY_FILE, Settings, Sources, TEXT_BYTES_MAX};
pub use table::{
    Api, Dht, Disk, Log, Net, Pay, Queue, SETTINGS, Schedule, Setting, Share, Speed, Torrents,
    Watch,
};
pub use value::{
    Clock, Decimal, Encryption, Folder, HostPort, LogFormat, LogLevel, Port, Ratio, Weekday,
};
