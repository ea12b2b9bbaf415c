//! A named kind of run.

use crate::checkers::{Onlooker, Violation};
use crate::dht::{DhtPlan, DhtWorld};
use crate::market::{MarketPlan, MarketWorld};
use crate::origin::mix;
use crate::plan::Plan;
use crate::plant::Plant;
use crate::report::Report;
use crate::seen::NodeId;
use crate::world::World;
use piecework_types::Rng;

/// What makes a plan of a seed.
#[derive(Clone, Copy, Debug)]
pub enum Build {
    /// A swarm of peers.
    Swarm(fn(&mut Rng) -> Plan),
    /// A network of DHT nodes.
    Dht(fn(&mut Rng) -> DhtPlan),
    /// A market of paid lanes.
    Market(fn(&mut Rng) -> MarketPlan),
}

/// A plan for every seed, and what is expected beyond the checkers' properties.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name, after the behaviour it shows.
    pub name: &'static str,
    /// The behaviour in a sentence.
    pub about: &'static str,
    /// The plan of a seed.
    pub plan: Build,
    /// What its report must show; the error says what it does not.
    pub judge: fn(&Report) -> Result<(), String>,
    /// The honest node that gets a planted bug.
    pub planted: NodeId,
}

impl Scenario {
    /// Plays the run of this seed.
    pub fn run(&self, seed: u64) -> Report {
        self.judged(self.play(seed, None, None))
    }

    /// Plays the run of this seed while somebody looks on. Of a DHT and a market there is
    /// nothing to see.
    pub fn run_watched(&self, seed: u64, onlooker: Onlooker) -> Report {
        self.judged(self.play(seed, None, Some(onlooker)))
    }

    /// Plays the run of this seed with a bug in one node.
    pub fn run_planted(&self, seed: u64, plant: Plant) -> Report {
        self.play(seed, Some(plant), None)
    }

    fn play(&self, seed: u64, plant: Option<Plant>, onlooker: Option<Onlooker>) -> Report {
        let rng = &mut Rng::new(mix(seed ^ 0x5ce0));
        match self.plan {
            Build::Swarm(build) => {
                let mut plan = build(rng);
                if let Some(node) = plan.nodes.get_mut(self.planted.0 as usize) {
                    node.plant = plant;
                }
                let world = World::new(plan, seed);
                match onlooker {
                    Some(onlooker) => world.watched_by(onlooker).run(),
                    None => world.run(),
                }
            }
            Build::Dht(build) => {
                let mut plan = build(rng);
                plan.plant = plant.map(|plant| (self.planted.0, plant));
                DhtWorld::new(plan, seed).run()
            }
            Build::Market(build) => {
                let plan = MarketPlan { plant, ..build(rng) };
                MarketWorld::new(plan, seed).run()
            }
        }
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
}
