//! What a machine believes to have equals the origin.

use super::Checker;
use crate::facts::Facts;
use crate::seen::{Scene, Seen};

/// Every piece that counts as verified, and every finished download, equals the origin.
pub(super) struct Content;

impl Checker for Content {
    const NAME: &'static str = "content equals the origin";

    fn see(&mut self, _: &Facts, _: &Scene, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Verified { piece, intact: false } => {
                Err(format!("piece {piece} counts as verified but differs"))
            }
            Seen::Finished { intact: false } => Err("finished, but the content differs".into()),
            _ => Ok(()),
        }
    }
}
