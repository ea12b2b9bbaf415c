use super::plays;

#[test]
fn a_web_seed_gives_what_slow_peers_cannot() {
    plays("web_seed", 5);
}

#[test]
fn a_lying_web_seed_is_given_up_and_nobody_else() {
    plays("web_seed_lies", 5);
}

#[test]
fn a_stalling_web_seed_holds_nobody_up() {
    plays("web_seed_stalls", 5);
}
