//! Settings: what there is to choose, and where each choice came from.
//!
//! Layers in order, the later one wins: the defaults, the file, what was changed at run time, the environment
//! (`PIECEWORK_` and the key in capitals), flags. Values of all layers are texts that pass the same check.
//!
//! It must not know: files, the environment, the engine.

/// All settings with the origin of each.
#[derive(Clone, Debug, Default)]
pub struct Settings {}
