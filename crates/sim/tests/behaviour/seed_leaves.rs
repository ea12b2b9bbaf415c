use super::plays;

#[test]
fn peers_complete_each_other_after_the_seed_has_gone() {
    plays("seed_leaves", 5);
}
