use super::*;
use proptest::prelude::*;

const fn bucket(rate_bytes: u64, burst_bytes: u64) -> Bucket {
    Bucket::new(BucketConfig { rate_bytes, burst_bytes }, Time::ZERO)
}

const fn ms(millis: u64) -> Time {
    Time::from_micros(millis * 1_000)
}

#[test]
fn grants_the_burst_at_once_and_the_rate_afterwards() {
    let mut bucket = bucket(1_000, 500);
    assert_eq!(bucket.take(900, Time::ZERO), 500);
    assert_eq!(bucket.take(900, Time::ZERO), 0);
    assert_eq!(bucket.take(900, ms(100)), 100);
    assert_eq!(bucket.take(900, ms(10_000)), 500, "a pause earns no more than the burst");
}

#[test]
fn says_when_enough_will_be_there() {
    let mut bucket = bucket(3, 10);
    assert_eq!(bucket.next_at(10, Time::ZERO), Time::ZERO);
    bucket.take(10, Time::ZERO);
    let at = bucket.next_at(1, Time::ZERO);
    assert_eq!(at, Time::from_micros(333_334));
    assert_eq!(bucket.take(1, at - Duration::from_micros(1)), 0);
    assert_eq!(bucket.take(1, at), 1);
}

#[test]
fn a_rate_of_zero_never_earns_anything() {
    let mut bucket = bucket(0, 10);
    assert_eq!(bucket.take(20, Time::ZERO), 10);
    assert_eq!(bucket.next_at(1, ms(5)), Time::NEVER);
    assert_eq!(bucket.take(1, Time::NEVER), 0);
}

#[test]
fn unused_bytes_can_be_returned_but_never_above_the_burst() {
    let mut bucket = bucket(1, 100);
    assert_eq!(bucket.take(60, Time::ZERO), 60);
    bucket.give_back(20, Time::ZERO);
    assert_eq!(bucket.available(Time::ZERO), 60);
    bucket.give_back(u64::MAX, Time::ZERO);
    assert_eq!(bucket.available(Time::ZERO), 100);
}

#[test]
fn a_lower_limit_takes_effect_at_once() {
    let mut bucket = bucket(1_000_000, 1_000_000);
    bucket.set_config(BucketConfig { rate_bytes: 10, burst_bytes: 5 }, Time::ZERO);
    assert_eq!(bucket.take(1_000, Time::ZERO), 5);
    assert_eq!(bucket.take(1_000, ms(200)), 2);
}

#[test]
fn a_clock_that_steps_back_costs_nothing_and_earns_nothing_twice() {
    let mut bucket = bucket(1_000, 1_000);
    bucket.take(1_000, ms(1_000));
    assert_eq!(bucket.available(ms(500)), 0);
    assert_eq!(bucket.available(ms(1_100)), 100);
}

proptest! {
    #[test]
    fn no_interval_passes_more_than_its_rate_and_one_burst(
        rate in 0_u64..10_000_000,
        burst in 0_u64..1_000_000,
        steps in prop::collection::vec((0_u64..400_000, 0_u64..2_000_000), 1..60),
    ) {
        let mut bucket = bucket(rate, burst);
        let mut taken = Vec::new();
        let mut now = Time::ZERO;
        for (wait, want) in steps {
            now += Duration::from_micros(wait);
            taken.push((now, bucket.take(want, now)));
        }
        for first in 0..taken.len() {
            let mut sum = 0_u128;
            for &(at, bytes) in &taken[first..] {
                sum += u128::from(bytes);
                let micros = at.since(taken[first].0).as_micros();
                prop_assert!(sum <= micros * u128::from(rate) / 1_000_000 + u128::from(burst) + 1);
            }
        }
    }

    #[test]
    fn a_taker_that_never_stops_gets_the_exact_rate(
        rate in 1_u64..5_000_000,
        step in 1_u64..50_000,
    ) {
        // The burst holds what one step earns, so nothing spills.
        let mut bucket = bucket(rate, rate * step / 1_000_000 + 2);
        let start = bucket.take(u64::MAX, Time::ZERO);
        let mut sum = 0;
        for round in 1..=200 {
            sum += bucket.take(u64::MAX, Time::from_micros(round * step));
        }
        prop_assert_eq!(sum, rate * step * 200 / 1_000_000);
        prop_assert_eq!(start, rate * step / 1_000_000 + 2);
    }

    #[test]
    fn the_announced_moment_is_the_first_one(
        rate in 1_u64..1_000_000, burst in 1_u64..100_000, want in 1_u64..200_000,
    ) {
        let mut bucket = bucket(rate, burst);
        bucket.take(burst, Time::ZERO);
        let at = bucket.next_at(want, Time::ZERO);
        let enough = want.min(burst);
        prop_assert!(bucket.clone().available(at) >= enough);
        prop_assert!(bucket.available(at - Duration::from_micros(1)) < enough);
    }
}
