use super::plays;

/// Few enough for an unoptimised build; `cargo xtask soak` plays thousands.
const SEEDS: u64 = 200;

#[test]
fn honest_peers_finish_among_churn_loss_and_three_byzantine_peers() {
    let reports = plays("swarm", SEEDS);
    assert!(reports.iter().all(|report| report.finished[2].is_some()));
}

#[test]
fn links_are_shared_anew_at_most_once_a_tick() {
    for report in plays("swarm", 3) {
        let ticks = report.ended_at.as_micros() / piecework_sim::TICK.as_micros() as u64;
        assert!(report.rate_computations <= ticks, "{report:?}");
    }
}
