use super::plays;

#[test]
fn peers_that_know_one_other_find_all_of_them_by_peer_exchange() {
    plays("exchange", 3);
}

#[test]
fn a_storm_of_invented_peers_ends_no_download_and_sends_nobody_astray() {
    plays("exchange-storm", 5);
}
