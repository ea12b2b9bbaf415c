use super::plays;

#[test]
fn the_last_blocks_do_not_wait_for_the_slowest_peer() {
    plays("end_game", 10);
}
