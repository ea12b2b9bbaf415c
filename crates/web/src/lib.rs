//! The web app's files, as HTTP: those in the program, or those of a folder that a person names.
//!
//! The app itself is in the repository's folder `web/`; `cargo xtask` builds it into `dist` beside this
//! crate, packed with gzip and Brotli, and the build script puts that into the program. A program that was
//! built without it has a page that says how. [`router`] answers what no other face has.
//!
//! It must not know: torrents, who may log in (the app asks the API, as any client does).

mod answer;
mod embedded;
mod folder;
mod kind;
mod serve;

pub use embedded::is_built;
pub use serve::router;

#[cfg(test)]
mod tests;
