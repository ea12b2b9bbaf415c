use super::*;
use crate::testing::{Wish, address, coin, genesis, wish};
use proptest::prelude::*;

const START: Time = Time::from_micros(1_000_000);

fn pool(limits: PoolLimits) -> Pool {
    Pool::new(limits, &genesis().rules(), 0)
}

fn rich(nonce: u64) -> Sender {
    Sender { account: Account { balance: coin(100), nonce, ..Account::default() }, free_gas: 0 }
}

fn paying(sender: u8, nonce: u64, price: u128) -> Wish {
    Wish { fee: price, tip: price, ..wish(sender, nonce) }
}

fn order(pool: &Pool) -> Vec<(u8, u64)> {
    let number = |of: Address| (0..8).find(|number| address(*number) == of).unwrap();
    let key = |t: &Transaction| (number(t.sender()), t.envelope().nonce());
    pool.candidates().iter().map(key).collect()
}

#[test]
fn who_pays_more_goes_first_but_nonces_keep_their_order() {
    let mut pool = pool(PoolLimits::default());
    for (sender, nonce, price) in [(0, 1, 9), (0, 0, 2), (1, 0, 5), (2, 0, 5), (1, 1, 1)] {
        pool.insert(paying(sender, nonce, price).signed(), rich(0), START).unwrap();
    }
    assert_eq!(order(&pool), [(1, 0), (2, 0), (0, 0), (0, 1), (1, 1)]);
    pool.sealed([(address(1), 1), (address(0), 1)], 0);
    assert_eq!(order(&pool), [(0, 1), (2, 0), (1, 1)]);
    assert_eq!((pool.len(), pool.ready()), (3, 3));
    assert_eq!(pool.nonce_after(address(1), 1), 2);
}

#[test]
fn a_replacement_pays_a_tenth_more_of_both_prices() {
    let mut pool = pool(PoolLimits::default());
    let mut put = |fee, tip| {
        let wish = Wish { fee, tip, ..wish(0, 0) };
        pool.insert(wish.signed(), rich(0), START)
    };
    assert_eq!(put(100, 10), Ok(()));
    assert_eq!(put(100, 10), Err(Unfit::Known));
    assert_eq!(put(109, 11), Err(Unfit::Underpriced));
    assert_eq!(put(110, 10), Err(Unfit::Underpriced));
    assert_eq!(put(110, 11), Ok(()));
    let first = Wish { fee: 100, tip: 10, ..wish(0, 0) }.signed().hash();
    assert!(pool.get(first).is_none());
    assert_eq!(pool.len(), 1);
}

#[test]
fn a_free_transaction_is_replaced_by_one_that_pays() {
    let mut pool = pool(PoolLimits::default());
    pool.insert(wish(0, 0).signed(), rich(0), START).unwrap();
    let other = Wish { value: U256::from(1), ..wish(0, 0) };
    assert_eq!(pool.insert(other.signed(), rich(0), START), Err(Unfit::Underpriced));
    let paying = Wish { fee: 1, ..other };
    assert_eq!(pool.insert(paying.signed(), rich(0), START), Ok(()));
}

#[test]
fn what_no_block_could_take_is_refused_with_its_reason() {
    let mut pool = pool(PoolLimits { sender_max: 4, ..PoolLimits::default() });
    let mut put = |wish: Wish, nonce| pool.insert(wish.signed(), rich(nonce), START).unwrap_err();
    assert_eq!(put(wish(0, 1), 2), Unfit::NonceTooLow { next: 2, nonce: 1 });
    assert_eq!(put(wish(0, 6), 2), Unfit::NonceTooHigh { next: 2, nonce: 6 });
    assert_eq!(put(Wish { tip: 1, ..wish(0, 0) }, 0), Unfit::TipAboveFee);
    assert!(matches!(put(Wish { gas: 1 << 25, ..wish(0, 0) }, 0), Unfit::Gas { .. }));
    assert!(matches!(put(Wish { gas: 20_999, ..wish(0, 0) }, 0), Unfit::Intrinsic(_)));
    let (balance, cost) = (coin(100), coin(101));
    let told = put(Wish { value: cost, ..wish(0, 0) }, 0);
    assert_eq!(told, Unfit::Funds { balance, cost, queued: U256::ZERO });
}

#[test]
fn what_waits_counts_against_the_balance() {
    let mut pool = pool(PoolLimits::default());
    let big = |nonce, count| Wish { value: coin(count), ..wish(0, nonce) }.signed();
    pool.insert(big(0, 60), rich(0), START).unwrap();
    assert!(matches!(pool.insert(big(1, 50), rich(0), START), Err(Unfit::Funds { .. })));
    pool.insert(big(1, 40), rich(0), START).unwrap();
}

#[test]
fn a_gap_is_held_until_it_closes_or_its_time_is_over() {
    let mut pool = pool(PoolLimits::default());
    let held = PoolLimits::default().held_max;
    pool.insert(wish(0, 1).signed(), rich(0), START).unwrap();
    pool.insert(wish(1, 0).signed(), rich(0), START).unwrap();
    assert_eq!(order(&pool), [(1, 0)]);
    assert_eq!(pool.next_expiry(), START + held);
    pool.expire(START + held - Duration::from_micros(1));
    assert_eq!(pool.len(), 2);
    pool.expire(START + held);
    // What can go stays, however old.
    assert_eq!((pool.len(), order(&pool)), (1, vec![(1, 0)]));
    pool.insert(wish(0, 1).signed(), rich(0), START + held).unwrap();
    pool.insert(wish(0, 0).signed(), rich(0), START + held).unwrap();
    assert_eq!(order(&pool), [(1, 0), (0, 0), (0, 1)]);
}

#[test]
fn below_the_base_fee_one_waits_until_it_falls() {
    let mut pool = pool(PoolLimits::default());
    pool.insert(paying(0, 0, 50).signed(), rich(0), START).unwrap();
    pool.sealed([], 60);
    assert_eq!(pool.ready(), 0);
    pool.sealed([], 50);
    assert_eq!(order(&pool), [(0, 0)]);
}

#[test]
fn a_full_pool_gives_up_what_cannot_go_and_nothing_else() {
    let mut pool = pool(PoolLimits { transactions_max: 3, ..PoolLimits::default() });
    pool.insert(wish(0, 0).signed(), rich(0), START).unwrap();
    pool.insert(wish(1, 5).signed(), rich(0), START).unwrap();
    pool.insert(wish(2, 0).signed(), rich(0), START).unwrap();
    pool.insert(wish(3, 0).signed(), rich(0), START).unwrap();
    assert_eq!(order(&pool), [(0, 0), (2, 0), (3, 0)]);
    assert_eq!(pool.insert(wish(0, 1).signed(), rich(0), START), Err(Unfit::Full));
    let one = wish(4, 0).signed();
    let bytes_max = one.raw().len();
    let mut small = self::pool(PoolLimits { bytes_max, ..PoolLimits::default() });
    assert_eq!(small.insert(one, rich(0), START), Ok(()));
    assert_eq!(small.insert(wish(5, 0).signed(), rich(0), START), Err(Unfit::Full));
}

#[test]
fn one_sender_cannot_take_the_pool() {
    let mut pool = pool(PoolLimits { sender_max: 2, ..PoolLimits::default() });
    pool.insert(wish(0, 0).signed(), rich(0), START).unwrap();
    pool.insert(wish(0, 1).signed(), rich(0), START).unwrap();
    let next = pool.insert(wish(0, 2).signed(), rich(0), START);
    assert_eq!(next, Err(Unfit::NonceTooHigh { next: 0, nonce: 2 }));
    assert_eq!(pool.insert(wish(1, 0).signed(), rich(0), START), Ok(()));
}

#[test]
fn the_quota_lets_in_what_pays_nothing_until_it_is_found_used_up() {
    let mut genesis = genesis();
    (genesis.base_fee, genesis.base_fee_floor) = (7, 7);
    let mut pool = Pool::new(PoolLimits::default(), &genesis.rules(), 7);
    let free = wish(0, 0).signed();
    let told = pool.insert(free.clone(), rich(0), START).unwrap_err();
    assert_eq!(told, Unfit::FeeTooLow { offered: 0, floor: 7 });
    let holder = Sender { free_gas: 21_000, ..rich(0) };
    pool.insert(free.clone(), holder, START).unwrap();
    assert_eq!(order(&pool), [(0, 0)]);
    pool.not_free(free.hash());
    assert_eq!((pool.ready(), pool.len()), (0, 1));
    pool.drop_unfit(free.hash());
    assert!(pool.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_candidates_are_runs_of_nonces_and_the_books_agree(
        steps in prop::collection::vec((0_u8..6, 0_u8..4, 0_u64..6, 0_u128..4), 1..60)
    ) {
        let held_max = Duration::from_secs(5);
        let mut pool = pool(PoolLimits { transactions_max: 12, sender_max: 5, bytes_max: 1500, held_max });
        let (mut next, mut now, mut base_fee) = ([0_u64; 4], START, 0);
        for (kind, sender, number, price) in steps {
            let at = usize::from(sender);
            match kind {
                0..=2 => {
                    let transaction = paying(sender, next[at].saturating_sub(1) + number, price);
                    let before = pool.len();
                    let refused = pool.insert(transaction.signed(), rich(next[at]), now).is_err();
                    // What is refused may still have made room by what cannot go.
                    prop_assert!(pool.len() <= before + usize::from(!refused));
                }
                3 => {
                    let sealed: Vec<_> = pool.candidates().into_iter().take(number as usize).collect();
                    for transaction in &sealed {
                        let of = (0..4).find(|n| address(*n) == transaction.sender()).unwrap();
                        prop_assert_eq!(transaction.envelope().nonce(), next[usize::from(of)]);
                        next[usize::from(of)] += 1;
                    }
                    base_fee = number % 3;
                    let nonces = (0..4).map(|n| (address(n), next[usize::from(n)]));
                    pool.sealed(nonces, base_fee);
                }
                4 => {
                    now += Duration::from_secs(number);
                    pool.expire(now);
                }
                _ => {
                    if let Some(transaction) = pool.candidates().first() {
                        pool.drop_unfit(transaction.hash());
                    }
                }
            }
            agree(&pool, &next, base_fee)?;
        }
    }
}

/// Checks the pool's books against what waits, counted anew.
fn agree(pool: &Pool, next: &[u64; 4], base_fee: u64) -> Result<(), TestCaseError> {
    let waiting = || pool.queues.values().flat_map(|queue| queue.waiting.values());
    prop_assert_eq!(waiting().count(), pool.by_hash.len());
    prop_assert!(waiting().all(|w| pool.get(w.transaction.hash()).is_some()));
    let bytes: usize = waiting().map(|waiting| waiting.transaction.raw().len()).sum();
    prop_assert_eq!((bytes, bytes <= 1500, pool.len() <= 12), (pool.bytes, true, true));
    for queue in pool.queues.values() {
        let cost: U256 = queue.waiting.values().map(|w| w.transaction.cost_max()).sum();
        prop_assert_eq!(cost, queue.cost);
    }
    let candidates = pool.candidates();
    let mut expected = 0;
    for (number, next) in (0_u8..).zip(next) {
        let mine: Vec<u64> = candidates
            .iter()
            .filter(|t| t.sender() == address(number))
            .map(|t| t.envelope().nonce())
            .collect();
        prop_assert_eq!(&mine, &(*next..*next + mine.len() as u64).collect::<Vec<_>>());
        let queue = pool.queues.get(&address(number));
        let goes = |nonce: u64| {
            let waiting = queue.and_then(|queue| queue.waiting.get(&nonce));
            waiting.is_some_and(|waiting| waiting.transaction.tip(base_fee).is_some())
        };
        expected += (*next..).take_while(|nonce| goes(*nonce)).count();
    }
    prop_assert_eq!(candidates.len(), expected);
    Ok(())
}
