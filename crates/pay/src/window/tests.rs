use super::*;

const MIB: u64 = 1 << 20;
const LINK: u32 = 256 << 10;

#[test]
fn the_first_window_holds_a_piece_and_a_link_or_two_links() {
    assert_eq!(first_window(LINK, 16 << 10), 512 << 10);
    assert_eq!(first_window(LINK, 1 << 20), MIB + (256 << 10));
    assert_eq!(first_window(LINK, 16 << 20), 4 * MIB + (256 << 10));
    assert_eq!(first_window(u32::MAX, u32::MAX), 2 * u64::from(u32::MAX));
}

#[test]
fn a_window_doubles_each_time_that_it_is_paid_whole_up_to_two_seconds_of_the_rate() {
    let mut window = Window::new(MIB, 0);
    window.pay(MIB - 1, 10 * MIB);
    assert_eq!(window.bytes(), MIB);
    window.pay(1, 10 * MIB);
    assert_eq!(window.bytes(), 2 * MIB);
    window.pay(2 * MIB + 4 * MIB, 3 * MIB);
    assert_eq!(window.bytes(), 6 * MIB);
    window.pay(100 * MIB, 3 * MIB);
    assert_eq!(window.bytes(), 6 * MIB);
    window.pay(600 * MIB, 1 << 40);
    assert_eq!(window.bytes(), WINDOW_MAX);
}

#[test]
fn a_slow_buyer_keeps_its_first_window_and_a_rate_that_falls_takes_nothing_back() {
    let mut window = Window::new(MIB, 0);
    window.pay(10 * MIB, 1);
    assert_eq!(window.bytes(), MIB);
    window.pay(MIB, 10 * MIB);
    window.pay(MIB, 1);
    assert_eq!(window.bytes(), 2 * MIB);
}

#[test]
fn a_late_payment_halves_it_and_what_was_paid_before_counts_no_more() {
    let mut window = Window::new(MIB, 0);
    window.pay(MIB / 2, 10 * MIB);
    window.halve(LINK);
    assert_eq!(window.bytes(), MIB / 2);
    window.pay(MIB / 2 - 1, 10 * MIB);
    assert_eq!(window.bytes(), MIB / 2);
    (0..9).for_each(|_| window.halve(LINK));
    assert_eq!(window.bytes(), 2 * u64::from(LINK));
}

#[test]
fn an_account_begins_again_at_a_quarter_of_what_it_had() {
    assert_eq!(Window::new(MIB, 16 * MIB).bytes(), 4 * MIB);
    assert_eq!(Window::new(MIB, MIB).bytes(), MIB);
    assert_eq!(Window::new(MIB, u64::MAX).bytes(), WINDOW_MAX);
}
