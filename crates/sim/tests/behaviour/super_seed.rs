use super::plays;

#[test]
fn a_super_seed_sends_little_more_than_one_copy() {
    plays("super_seed", 5);
}
