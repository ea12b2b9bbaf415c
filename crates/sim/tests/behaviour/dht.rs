use super::plays;

#[test]
fn a_first_peer_is_a_few_round_trips_away_though_a_tenth_is_dead() {
    plays("dht", 1);
}

#[test]
fn torrents_are_found_while_nodes_come_and_go_and_hide_behind_routers() {
    plays("dht_churn", 1);
}

#[test]
fn a_hostile_tenth_neither_hides_torrents_nor_makes_others_do_harm() {
    plays("dht_hostile", 1);
}
