use piecework_sim::{Plant, find};

/// Seeds that may pass before a bug shows itself.
const SEEDS: u64 = 50;

/// The checkers that may be first to see a bug.
const fn finders(plant: Plant) -> &'static [&'static str] {
    match plant {
        Plant::DuplicateRequest => &["no duplicate request", "nothing is asked that is held"],
        Plant::SkippedTurn => &["each peer gets its optimistic turn"],
        Plant::AbsentCancel | Plant::LateCancel => &["duplicates are cancelled at once"],
        Plant::AsksForHeldPiece => &["nothing is asked that is held"],
        Plant::UnchokesBeforeInterest => &["unchoke only after interest"],
        Plant::ExceedsUploadLimit => &["upload never exceeds its limit"],
        Plant::StarvesOthers | Plant::ExceedsReserve | Plant::WastesSpare => {
            &["reserves leave the others their share"]
        }
        Plant::AcceptsBadPiece => &["content equals the origin"],
        Plant::AsksWhileChoked => &["no request while choked"],
        Plant::LosesChunk => &["every chunk is stored or returned"],
        Plant::TrustsGossip => &["gossip sends nobody where it must not"],
        Plant::IgnoresRoom => &["blocks wait for room"],
        Plant::Amplifies => &["answers are no amplifier"],
        Plant::AsksTwice => &["a lookup asks nobody twice", "queries are counted"],
        Plant::KnocksAtHome => &["nobody knocks at home"],
        Plant::AcceptsReplays => &["a token counts for its owner"],
        Plant::AnswersFloods => &["a flood is answered in part"],
        Plant::BelievesStrangers => &["only the asked are believed"],
        Plant::VaultPaysTwice => &["tokens are conserved"],
        Plant::PaysUnverified => &["a buyer pays for what it verified"],
        Plant::LosesEntries => &["a ledger is what channels are worth"],
    }
}

#[test]
fn each_planted_bug_is_found_by_the_checker_of_its_property() {
    for plant in Plant::ALL {
        let found = find(plant, 1, SEEDS).unwrap_or_else(|| panic!("nobody found: {plant}"));
        let checker = found.violation.checker;
        assert!(finders(plant).contains(&checker), "{plant} was found by: {}", found.violation);
    }
}
