use super::plays;

#[test]
fn a_slow_seed_gives_each_piece_away_only_a_little_more_than_once() {
    plays("slow_seed", 5);
}
