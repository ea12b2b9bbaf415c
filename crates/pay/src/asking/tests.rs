#![allow(clippy::unwrap_used)]

use super::*;

fn price(per_mib: u128) -> Price {
    Price::new(per_mib).unwrap()
}

/// Asks after each ten seconds of a load.
fn follow(asking: &mut Asking, from: u64, loads: &[u16]) -> Vec<u128> {
    let steps = loads.iter().zip(0..).map(|(&load, step)| {
        asking.observe(Time::ZERO + Duration::from_secs(from + 10 * step), load);
        asking.ask().per_mib()
    });
    steps.collect()
}

#[test]
fn a_minute_of_high_load_raises_the_ask_and_then_each_half_minute() {
    let mut asking = Asking::new(price(1000));
    let asks = follow(&mut asking, 0, &[901; 13]);
    let (one, two, three) = (1050, 1103, 1159);
    assert_eq!(asks, [1000, 1000, 1000, 1000, 1000, 1000, one, one, one, two, two, two, three],);
}

#[test]
fn a_moment_of_lower_load_begins_the_minute_anew() {
    let mut asking = Asking::new(price(1000));
    follow(&mut asking, 0, &[901; 6]);
    follow(&mut asking, 60, &[900]);
    assert_eq!(follow(&mut asking, 70, &[901; 6]), [1000; 6]);
    assert_eq!(follow(&mut asking, 130, &[901]), [1050]);
}

#[test]
fn five_minutes_of_low_load_lower_the_ask_to_the_floor_and_no_further() {
    let mut asking = Asking::new(price(100));
    follow(&mut asking, 0, &[1000; 10]);
    assert_eq!(asking.ask(), price(111));
    assert_eq!(follow(&mut asking, 1000, &[499; 30]), [111; 30]);
    let asks = follow(&mut asking, 1300, &[499; 9]);
    assert_eq!(asks, [105, 105, 105, 100, 100, 100, 100, 100, 100]);
}

#[test]
fn between_half_and_nine_tenths_nothing_changes() {
    let mut asking = Asking::new(price(100));
    assert_eq!(follow(&mut asking, 0, &[500, 900].repeat(200)), [100; 400]);
}

#[test]
fn a_small_ask_moves_by_one_and_a_free_one_can_rise() {
    let mut asking = Asking::new(price(0));
    assert_eq!(follow(&mut asking, 0, &[1000; 10])[6..], [1, 1, 1, 2]);
    assert_eq!(follow(&mut asking, 1000, &[0; 31])[30], 1);
}

#[test]
fn a_floor_lifts_the_ask_at_once_and_no_load_lifts_it_over_the_highest_price() {
    let mut asking = Asking::new(price(1));
    asking.set_floor(price(PRICE_MAX - 1));
    assert_eq!(asking.ask(), price(PRICE_MAX - 1));
    follow(&mut asking, 0, &[1000; 40]);
    assert_eq!(asking.ask(), price(PRICE_MAX));
    asking.set_floor(price(5));
    assert_eq!(asking.ask(), price(PRICE_MAX));
}
