//! Addresses that open one thing for a while without a login: players have no cookies.

use piecework_hash::sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that SHA-256 takes at once; the key of HMAC is padded to it (RFC 2104).
const BLOCK: usize = 64;

/// Signs what may be opened until when, with a key that lives as long as the process.
pub struct Signer(Zeroizing<[u8; 32]>);

impl Signer {
    /// With a key of random bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// A token for one thing until a time in unix seconds: that time and a signature of both.
    pub fn sign(&self, what: &str, until: u64) -> String {
        let mac: String = self.mac(what, until).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{until}.{mac}")
    }

    /// Whether a token opens it now.
    pub fn opens(&self, what: &str, token: &str, unix: u64) -> bool {
        let Some((until, _)) = token.split_once('.') else { return false };
        let Ok(until) = until.parse::<u64>() else { return false };
        unix < until && bool::from(self.sign(what, until).as_bytes().ct_eq(token.as_bytes()))
    }

    /// The time goes first and has a fixed length, so no two messages are the same bytes.
    fn mac(&self, what: &str, until: u64) -> [u8; 32] {
        hmac(&*self.0, &[&until.to_be_bytes(), what.as_bytes()].concat())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

/// HMAC-SHA-256 (RFC 2104) with a key of at most 64 bytes.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let padded = |with: u8| {
        let mut block = [with; BLOCK];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = sha256(&[&padded(0x36), message].concat());
    sha256(&[&padded(0x5c)[..], &inner.0].concat()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::to_hex;

    #[test]
    fn the_signature_is_hmac() {
        // RFC 4231, cases 1 and 2.
        let one = hmac(&[0x0b; 20], b"Hi There");
        assert!(
            to_hex(&one)
                .starts_with("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")
        );
        let two = hmac(b"Jefe", b"what do ya want for nothing?");
        assert!(
            to_hex(&two)
                .starts_with("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
    }

    #[test]
    fn a_token_opens_one_thing_for_a_while() {
        let signer = Signer::new([1; 32]);
        let token = signer.sign("a/1", 1000);
        assert!(signer.opens("a/1", &token, 999));
        assert!(!signer.opens("a/1", &token, 1000));
        assert!(!signer.opens("a/2", &token, 999));
        assert!(!Signer::new([2; 32]).opens("a/1", &token, 999));
        for forged in [token.replace("1000", "1001"), token.replace("1000", "01000"), String::new()]
        {
            assert!(!signer.opens("a/1", &forged, 999), "{forged}");
        }
    }
}
