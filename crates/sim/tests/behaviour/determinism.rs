use piecework_sim::{ALL, by_name};

#[test]
fn one_seed_gives_one_trace_in_every_scenario() {
    // Hundreds of sellers do what 32 do, and take long.
    let is_long = |name: &str| matches!(name, "drain_256" | "drain_1024");
    for scenario in ALL.into_iter().filter(|scenario| !is_long(scenario.name)) {
        let (first, second) = (scenario.run(7), scenario.run(7));
        assert_eq!(first, second, "{} is not deterministic", scenario.name);
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let swarm = by_name("swarm").expect("a scenario");
    assert_ne!(swarm.run(1).trace, swarm.run(2).trace);
}
