use super::plays;

#[test]
fn damaged_pieces_are_fetched_again_and_no_honest_peer_is_blamed() {
    plays("damaged_disk", 5);
}
