//! Which checker finds which planted bug.

use crate::checkers::Violation;
use crate::plant::Plant;
use crate::scenario::Scenario;
use crate::scenarios;

/// A planted bug and how it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The bug.
    pub plant: Plant,
    /// Where it was planted.
    pub scenario: &'static str,
    /// The seed whose run showed it.
    pub seed: u64,
    /// What the checker saw.
    pub violation: Violation,
}

/// Plays seeds from `first` on, at most `seeds` of them, until a checker finds the planted bug.
pub fn find(plant: Plant, first: u64, seeds: u64) -> Option<Found> {
    let scenario = stage(plant);
    (first..first.saturating_add(seeds)).find_map(|seed| {
        let report = scenario.run_planted(seed, plant);
        let violation = report.violations.into_iter().next()?;
        Some(Found { plant, scenario: scenario.name, seed, violation })
    })
}

/// The scenario in which a bug matters.
const fn stage(plant: Plant) -> &'static Scenario {
    match plant {
        Plant::DuplicateRequest
        | Plant::AsksForHeldPiece
        | Plant::UnchokesBeforeInterest
        | Plant::AsksWhileChoked
        | Plant::LosesChunk
        | Plant::IgnoresRoom
        | Plant::AcceptsBadPiece => &scenarios::SWARM,
        Plant::SkippedTurn => &scenarios::OPTIMISTIC_TURNS,
        Plant::AbsentCancel | Plant::LateCancel => &scenarios::END_GAME,
        Plant::TrustsGossip => &scenarios::EXCHANGE_STORM,
        Plant::ExceedsUploadLimit => &scenarios::UPLOAD_LIMIT,
        Plant::StarvesOthers | Plant::ExceedsReserve => &scenarios::RESERVES,
        Plant::WastesSpare => &scenarios::SPARE,
        Plant::Amplifies
        | Plant::AsksTwice
        | Plant::KnocksAtHome
        | Plant::AcceptsReplays
        | Plant::AnswersFloods
        | Plant::BelievesStrangers => &scenarios::DHT_HOSTILE,
        Plant::VaultPaysTwice | Plant::LosesEntries => &scenarios::PAID_LANES,
        Plant::PaysUnverified => &scenarios::CORRUPTS,
    }
}
