use super::plays;

#[test]
fn each_piece_is_there_before_the_player_needs_it() {
    plays("streaming", 5);
}
