use super::plays;

#[test]
fn one_optimistic_slot_serves_each_of_twenty_peers_equally_long() {
    plays("optimistic_turns", 3);
}
