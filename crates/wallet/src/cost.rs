//! How much work a password costs whoever tries one: scrypt (RFC 7914) and its parameters.

use crate::Password;
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of memory for one password at most; a file from elsewhere may ask for any amount.
const MEMORY_BYTES_MAX: u64 = 1 << 30;
/// Rounds over that memory at most.
const PASSES_MAX: u32 = 16;

/// Parameters of scrypt that this machine agrees to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    log_n: u8,
    r: u32,
    p: u32,
}

impl Cost {
    /// 128 MiB and some tenths of a second, as OWASP advises and ethers writes.
    pub const STANDARD: Self = Self { log_n: 17, r: 8, p: 1 };
    /// 4 MiB: for tests, where the password guards nothing.
    pub const LIGHT: Self = Self { log_n: 12, r: 8, p: 1 };

    /// The parameters `n`, `r` and `p` of a file.
    ///
    /// # Errors
    /// When `n` is no power of two, one of them is 0, or they want more memory or time than is given.
    pub fn new(n: u64, r: u32, p: u32) -> Result<Self, CostFault> {
        let fault = CostFault { n, r, p };
        if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 || p > PASSES_MAX {
            return Err(fault);
        }
        let bytes = n.checked_mul(128).and_then(|bytes| bytes.checked_mul(u64::from(r)));
        if bytes.is_none_or(|bytes| bytes > MEMORY_BYTES_MAX) {
            return Err(fault);
        }
        let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| fault)?;
        // Small n with large r is outside what scrypt itself allows.
        scrypt::Params::new(log_n, r, p).map_err(|_| fault)?;
        Ok(Self { log_n, r, p })
    }

    /// The parameter N: a power of two.
    #[must_use]
    pub fn n(&self) -> u64 {
        1 << self.log_n
    }

    /// The parameters r and p.
    #[must_use]
    pub fn r_and_p(&self) -> (u32, u32) {
        (self.r, self.p)
    }

    /// The 32 bytes that a password stands for with this salt.
    pub(crate) fn derive(&self, password: &Password, salt: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut derived = Zeroizing::new([0; 32]);
        let params = scrypt::Params::new(self.log_n, self.r, self.p);
        let params = params.expect("a Cost is made only of what scrypt allows");
        scrypt::scrypt(password.as_bytes(), salt, &params, derived.as_mut())
            .expect("32 bytes are a length that scrypt gives");
        derived
    }
}

/// Parameters that cannot be had here.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error(
    "its password costs more than 1 GiB or {PASSES_MAX} passes, or cannot be computed \
     (scrypt n {n}, r {r}, p {p})"
)]
pub struct CostFault {
    /// As the file says.
    pub n: u64,
    /// As the file says.
    pub r: u32,
    /// As the file says.
    pub p: u32,
}
