//! Key pairs of our own that several handshakes use, so that a stranger's costs one exponentiation, not two.

use crate::key::{KeyPair, SECRET_BYTES};
use piecework_types::Time;
use std::sync::Arc;
use std::time::Duration;

/// Pairs in use at a time, in turns: neighbouring handshakes do not show the same key.
const PAIRS: usize = 8;

/// Handshakes that one pair serves.
const USES_MAX: u32 = 32;

/// How long one pair serves.
const AGE_MAX: Duration = Duration::from_secs(60);

struct Kept {
    pair: Arc<KeyPair>,
    uses: u32,
    until: Time,
}

/// A small pool of key pairs for the side that answers. The side that calls should make a pair for each
/// call: if both used theirs again, two connections would have one secret, and one key stream.
#[derive(Default)]
pub struct KeyPool {
    pairs: [Option<Kept>; PAIRS],
    turn: usize,
}

impl KeyPool {
    /// A pair for one handshake. `secret` draws an exponent from the operating system's randomness when
    /// a new pair is due; if it has none, nor has the pool.
    pub fn pair(
        &mut self,
        now: Time,
        secret: impl FnOnce() -> Option<[u8; SECRET_BYTES]>,
    ) -> Option<Arc<KeyPair>> {
        self.turn = (self.turn + 1) % PAIRS;
        let place = &mut self.pairs[self.turn];
        let kept = match place.take_if(|kept| kept.uses < USES_MAX && now < kept.until) {
            Some(kept) => kept,
            None => {
                Kept { pair: Arc::new(KeyPair::new(&secret()?)), uses: 0, until: now + AGE_MAX }
            }
        };
        let kept = place.insert(Kept { uses: kept.uses + 1, ..kept });
        Some(Arc::clone(&kept.pair))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// How often each public key is shown in so many handshakes, so many seconds apart.
    fn shown(handshakes: u32, apart: Duration) -> BTreeMap<[u8; crate::KEY_BYTES], u32> {
        let (mut pool, mut drawn, mut now) = (KeyPool::default(), 0_u8, Time::ZERO);
        let mut shown = BTreeMap::new();
        for _ in 0..handshakes {
            let secret = || {
                drawn += 1;
                Some([drawn; SECRET_BYTES])
            };
            let pair = pool.pair(now, secret).expect("there is randomness");
            *shown.entry(*pair.public()).or_default() += 1;
            now += apart;
        }
        shown
    }

    #[test]
    fn a_pair_serves_so_many_handshakes_and_no_more() {
        let shown = shown(3 * 32 * 8, Duration::ZERO);
        assert_eq!(shown.values().copied().collect::<Vec<_>>(), [USES_MAX; 3 * PAIRS]);
    }

    #[test]
    fn a_pair_serves_a_minute_and_no_longer() {
        // Each of eight pairs is in turn after eight seconds: uses at 0, 8, ... 56, then a new one.
        let shown = shown(8 * 8 * 2, Duration::from_secs(1));
        assert_eq!(shown.values().copied().collect::<Vec<_>>(), [8; 2 * PAIRS]);
    }

    #[test]
    fn without_randomness_there_is_no_pair() {
        assert!(KeyPool::default().pair(Time::ZERO, || None).is_none());
    }
}
