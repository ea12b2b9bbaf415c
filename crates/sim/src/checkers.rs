//! The properties every run must have, checked from outside.
//!
//! Owns the list of checkers. Invariant: a checker sees only what crosses the border of a machine
//! ([`Seen`]) and the onlooker's own bookkeeping of it; none asks the code under test.

use crate::facts::Facts;
use crate::seen::{NodeId, Scene, Seen};
use piecework_types::Time;
use std::fmt;

mod asking;
mod cancelling;
mod content;
mod fetching;
mod gossip;
mod innocence;
mod limits;
mod reserves;
mod serving;
#[cfg(test)]
mod tests;
mod turns;

pub use limits::UploadLimit;
pub(crate) use reserves::RESERVED_PERMILLE;
pub use reserves::ReserveSpec;

/// A property that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The checker that found it.
    pub checker: &'static str,
    /// Where.
    pub node: NodeId,
    /// When, in virtual time.
    pub at: Time,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.as_micros() as f64 / 1e6;
        let Self { checker, node, what, .. } = self;
        write!(f, "{checker}: node {} at {seconds:.3} s: {what}", node.0)
    }
}

/// One property.
trait Checker {
    /// What it is called in tables.
    const NAME: &'static str;

    /// Looks at one observation; `facts` holds everything before it.
    fn see(&mut self, facts: &Facts, scene: &Scene, seen: &Seen<'_>) -> Result<(), String>;
}

/// What a checker has to know about a node in advance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// Its machine and its links do what they should; others are not checked.
    pub(crate) honest: bool,
    /// Its disk damages blocks: it may blame the innocent.
    pub(crate) damaged_disk: bool,
    /// It plays a stream: late blocks are asked twice.
    pub(crate) streaming: bool,
    /// Its uplink and its own limit, both in bytes a second.
    pub(crate) link_bytes: u64,
    pub(crate) limit: Option<UploadLimit>,
    /// Parts of its uplink that it keeps.
    pub(crate) reserves: Vec<ReserveSpec>,
    /// Slots for optimistic turns at least.
    pub(crate) optimistic_slots: u32,
}

/// All checkers, and the violations they found.
pub(crate) struct Checkers {
    pub(crate) facts: Facts,
    expected: Vec<Expected>,
    content: content::Content,
    held: asking::Held,
    choked: asking::Choked,
    duplicate: asking::Duplicate,
    pipeline: asking::Pipeline,
    cancel: cancelling::Cancel,
    fetching: fetching::Fetching,
    interest: serving::Interest,
    service: serving::Service,
    room: serving::Room,
    chunks: serving::Chunks,
    turns: turns::Turns,
    link: limits::LinkRate,
    limit: limits::LimitRate,
    reserves: reserves::Reserves,
    innocence: innocence::Innocence,
    dials: gossip::Dials,
    lists: gossip::Lists,
    pub(crate) onlooker: Option<Onlooker>,
    pub(crate) violations: Vec<Violation>,
}

/// Somebody who wants to see everything, for a log.
pub type Onlooker = Box<dyn FnMut(&Scene, &Seen<'_>)>;

/// Violations remembered of one run; the first one is what matters.
const VIOLATIONS_MAX: usize = 20;

impl Checkers {
    pub(crate) fn new(facts: Facts, expected: Vec<Expected>) -> Self {
        Self {
            facts,
            content: content::Content,
            held: asking::Held,
            choked: asking::Choked,
            duplicate: asking::Duplicate::new(&expected),
            pipeline: asking::Pipeline,
            cancel: cancelling::Cancel::default(),
            fetching: fetching::Fetching,
            interest: serving::Interest,
            service: serving::Service,
            room: serving::Room,
            chunks: serving::Chunks::default(),
            turns: turns::Turns::new(&expected),
            link: limits::LinkRate::new(&expected),
            limit: limits::LimitRate::new(&expected),
            reserves: reserves::Reserves::new(&expected),
            innocence: innocence::Innocence::new(&expected),
            dials: gossip::Dials::new(&expected),
            lists: gossip::Lists::default(),
            expected,
            onlooker: None,
            violations: Vec::new(),
        }
    }

    /// Shows an observation to every checker, then remembers it.
    pub(crate) fn see(&mut self, scene: &Scene, seen: &Seen<'_>) {
        if self.expected[scene.node.0 as usize].honest {
            let Self { facts, violations, .. } = self;
            show(&mut self.content, facts, violations, scene, seen);
            show(&mut self.held, facts, violations, scene, seen);
            show(&mut self.choked, facts, violations, scene, seen);
            show(&mut self.duplicate, facts, violations, scene, seen);
            show(&mut self.pipeline, facts, violations, scene, seen);
            show(&mut self.cancel, facts, violations, scene, seen);
            show(&mut self.fetching, facts, violations, scene, seen);
            show(&mut self.interest, facts, violations, scene, seen);
            show(&mut self.service, facts, violations, scene, seen);
            show(&mut self.room, facts, violations, scene, seen);
            show(&mut self.chunks, facts, violations, scene, seen);
            show(&mut self.turns, facts, violations, scene, seen);
            show(&mut self.link, facts, violations, scene, seen);
            show(&mut self.limit, facts, violations, scene, seen);
            show(&mut self.reserves, facts, violations, scene, seen);
            show(&mut self.innocence, facts, violations, scene, seen);
            show(&mut self.dials, facts, violations, scene, seen);
            show(&mut self.lists, facts, violations, scene, seen);
        }
        if let Some(onlooker) = &mut self.onlooker {
            onlooker(scene, seen);
        }
        self.facts.add(scene, seen);
    }

    /// Seconds at nodes with reserves in which somebody without one waited all the time, of all.
    pub(crate) fn open_windows(&self) -> (u32, u32) {
        self.reserves.counted
    }

    /// Records what a scenario itself found missing.
    pub(crate) fn report(&mut self, violation: Violation) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }
}

fn show<C: Checker>(
    checker: &mut C,
    facts: &Facts,
    violations: &mut Vec<Violation>,
    scene: &Scene,
    seen: &Seen<'_>,
) {
    if let Err(what) = checker.see(facts, scene, seen)
        && violations.len() < VIOLATIONS_MAX
    {
        let Scene { now: at, node } = *scene;
        violations.push(Violation { checker: C::NAME, node, at, what });
    }
}
