//! Key pairs of our own that several handshakes use, so that a stranger's costs one exponentiation, not two.

use crate::key::{KeyPair, SECRET_BYTES};
use piecework_types::Time;
use std::sync::Arc;
use std::time::Duration;

/// Pairs in use at a time, in turns: neighbouring handshakes do not show the same key.
const PAIRS: usize = 8;

/// Handshakes that one pair serves.
const USES_MAX: usize = 32;

/// How long one pair serves.
const AGE_MAX: Duration = Duration::from_secs(60);

/// Pairs that were made together, which costs less than one after the other.
struct Kept {
    pairs: [Arc<KeyPair>; PAIRS],
    uses: usize,
    until: Time,
}

/// A small pool of key pairs for the side that answers. The side that calls should make a pair for each
/// call: if both used theirs again, two connections would have one secret, and one key stream.
#[derive(Default)]
pub struct KeyPool {
    kept: Option<Kept>,
}

impl KeyPool {
    /// A pair for one handshake. `secret` draws an exponent from the operating system's randomness when new
    /// pairs are due; if it has none, nor has the pool.
    pub fn pair(
        &mut self,
        now: Time,
        mut secret: impl FnMut() -> Option<[u8; SECRET_BYTES]>,
    ) -> Option<Arc<KeyPair>> {
        let kept = match self.kept.take_if(|kept| kept.uses < USES_MAX * PAIRS && now < kept.until)
        {
            Some(kept) => kept,
            None => {
                let mut secrets = [[0; SECRET_BYTES]; PAIRS];
                for exponent in &mut secrets {
                    *exponent = secret()?;
                }
                let pairs = KeyPair::several(secrets).map(Arc::new);
                Kept { pairs, uses: 0, until: now + AGE_MAX }
            }
        };
        let pair = Arc::clone(&kept.pairs[kept.uses % PAIRS]);
        self.kept = Some(Kept { uses: kept.uses + 1, ..kept });
        Some(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// How often each public key is shown in so many handshakes, so many seconds apart.
    fn shown(handshakes: usize, apart: Duration) -> BTreeMap<[u8; crate::KEY_BYTES], usize> {
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
        let shown = shown(3 * USES_MAX * PAIRS, Duration::ZERO);
        assert_eq!(shown.values().copied().collect::<Vec<_>>(), [USES_MAX; 3 * PAIRS]);
    }

    #[test]
    fn a_pair_serves_a_minute_and_no_longer() {
        let a_minute = AGE_MAX.as_secs() as usize;
        assert_eq!(shown(a_minute, Duration::from_secs(1)).len(), PAIRS);
        let shown = shown(2 * a_minute, Duration::from_secs(1));
        assert_eq!(shown.len(), 2 * PAIRS);
        assert!(shown.values().all(|&uses| uses <= a_minute.div_ceil(PAIRS)));
    }

    #[test]
    fn without_randomness_there_is_no_pair() {
        assert!(KeyPool::default().pair(Time::ZERO, || None).is_none());
    }
}
