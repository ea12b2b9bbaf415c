use super::plays;

#[test]
fn a_swarm_of_magnet_links_fetches_metadata_and_content() {
    plays("magnet", 5);
}
