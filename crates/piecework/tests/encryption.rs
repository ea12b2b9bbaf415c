//! `--encryption` of two programs decides whether they meet, and who is told why not.

use piecework_testkit::{FixtureBuilder, Run, Sandbox};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

#[test]
fn programs_with_opposite_settings_do_not_meet_and_the_stricter_says_why() {
    let fixture = FixtureBuilder::file("payload", 300_000).build();
    for (get, seed) in [("require", "off"), ("off", "require")] {
        let (ours, theirs) = (Sandbox::new(BINARY), Sandbox::new(BINARY));
        fixture.write_payload(&theirs.dir()).expect("the folder can be written");
        let mut serve = theirs.seed(theirs.torrent(&fixture), &[]);
        serve.args(["--encryption", seed]);
        let serving = Run::start(serve);
        let peer = serving.wait_ready();
        let mut fetch = ours.get(ours.torrent(&fixture), &[peer]);
        fetch.args(["--encryption", get, "--give-up", "2"]);
        let mut fetching = Run::start(fetch);
        assert_eq!(fetching.wait(), 1);
        let strict = if get == "require" { fetching.stderr() } else { serving.stderr() };
        assert!(strict.contains("--encryption prefer takes them"), "{strict}");
    }
}
