use piecework_sim::{ALL, by_name};

#[test]
fn one_seed_gives_one_trace_in_every_scenario() {
    for scenario in ALL {
        let (first, second) = (scenario.run(7), scenario.run(7));
        assert_eq!(first, second, "{} is not deterministic", scenario.name);
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let swarm = by_name("swarm").expect("a scenario");
    assert_ne!(swarm.run(1).trace, swarm.run(2).trace);
}
