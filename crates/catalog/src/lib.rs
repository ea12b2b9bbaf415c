//! The torrents that a daemon looks after, and the rules they follow: queue, categories, share limits, the
//! schedule of speeds.
//!
//! [`Catalog`] is a machine. Its run loop:
//!
//! 1. What people want goes in as a [`Command`] through [`Catalog::command`]; what the engine says of a
//!    torrent goes in through [`Catalog::observe`] and [`Catalog::report`].
//! 2. Time goes in with each call as a [`Moment`], and by itself through [`Catalog::tick`], at the latest
//!    when [`Catalog::next_tick`] says.
//! 3. [`Catalog::poll`] gives what is to be done as [`Effect`]s, until there is none. Whoever carries one out
//!    reports how it ended.
//! 4. [`Catalog::dirty`] names the records to be written down. A command is answered only after that, so what
//!    was acknowledged survives a crash.
//! 5. Faces read [`Torrent`]s field by field and ask [`Catalog::delta`] what changed since a revision, which
//!    costs as much as has changed.
//!
//! It must not know: sockets, files, the engine, HTTP, money.

mod catalog;
mod clocks;
mod command;
mod commands;
mod drives;
mod edits;
mod effect;
mod field;
mod field_set;
mod journal;
mod labels;
mod life;
mod moment;
mod outcomes;
mod paths;
mod queue;
mod record;
mod rules;
mod schedule;
mod several;
mod share;
mod torrent;

pub use catalog::Catalog;
pub use command::{Command, Jump, Mode, Refusal, RefusalKind, TrackerEdit};
pub use effect::{Effect, FileRename, Outcome, ShareLimit};
pub use field::{Field, Value};
pub use field_set::FieldSet;
pub use journal::{Delta, Revision};
pub use moment::{LocalTime, Moment};
pub use record::{
    COMMENT_CHARS_MAX, Category, LastFigures, Limit, Place, Record, ShareAction, ShareLimits,
    Spared, StopAt, TAGS_MAX, TORRENTS_MAX, TRACKERS_MAX, Totals,
};
pub use rules::{AlternativeSchedule, Days, QueueRules, Rules, SpeedLimits};
pub use torrent::{Figures, Stage, Torrent};
