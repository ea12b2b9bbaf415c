use super::plays;

#[test]
fn a_crowd_serves_itself_instead_of_queueing_at_the_seed() {
    plays("flash_crowd", 3);
}
