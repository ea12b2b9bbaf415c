//! A named kind of run.

use crate::checkers::{Onlooker, Violation};
use crate::origin::mix;
use crate::plan::Plan;
use crate::plant::Plant;
use crate::report::Report;
use crate::seen::NodeId;
use crate::world::World;
use piecework_types::Rng;

/// A plan for every seed, and what is expected beyond the checkers' properties.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name, after the behaviour it shows.
    pub name: &'static str,
    /// The behaviour in a sentence.
    pub about: &'static str,
    /// The plan of a seed.
    pub plan: fn(&mut Rng) -> Plan,
    /// What its report must show; the error says what it does not.
    pub judge: fn(&Report) -> Result<(), String>,
    /// The honest node that gets a planted bug.
    pub planted: NodeId,
}

impl Scenario {
    /// Plays the run of this seed.
    pub fn run(&self, seed: u64) -> Report {
        self.judged(self.world(seed).run())
    }

    /// Plays the run of this seed while somebody looks on.
    pub fn run_watched(&self, seed: u64, onlooker: Onlooker) -> Report {
        self.judged(self.world(seed).watched_by(onlooker).run())
    }

    fn plan(&self, seed: u64) -> Plan {
        (self.plan)(&mut Rng::new(mix(seed ^ 0x5ce0)))
    }

    fn world(&self, seed: u64) -> World {
        World::new(self.plan(seed), seed)
    }

    fn judged(&self, mut report: Report) -> Report {
        if report.violations.is_empty()
            && let Err(what) = (self.judge)(&report)
        {
            let (checker, node, at) = (self.name, NodeId(0), report.ended_at);
            report.violations.push(Violation { checker, node, at, what });
        }
        report
    }

    /// Plays the run of this seed with a bug in one node.
    pub fn run_planted(&self, seed: u64, plant: Plant) -> Report {
        let mut plan = self.plan(seed);
        if let Some(node) = plan.nodes.get_mut(self.planted.0 as usize) {
            node.plant = Some(plant);
        }
        World::new(plan, seed).run()
    }
}
