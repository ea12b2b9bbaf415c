//! Powers modulo the prime of the protocol: with vectors, one number or eight at once, or the scalar way.
//!
//! Owns the choice between the three. None branches on a bit of an exponent, or reads memory by it.

#[cfg(target_arch = "x86_64")]
mod alone;
#[cfg(target_arch = "x86_64")]
mod lanes;

use crate::key::{KEY_BYTES, SECRET_BYTES};
use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{U768, const_monty_params};

const_monty_params!(
    Prime,
    U768,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74\
     020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437\
     4fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090563",
    "The prime of the protocol; its generator is 2."
);

type Residue = ConstMontyForm<Prime, { U768::LIMBS }>;

/// Powers that are computed at once, where the CPU can.
const LANES: usize = 8;

/// Up to so many are computed one after the other: 17 microseconds each, where a batch takes 41.
const ALONE_MAX: usize = 2;

/// A power that is wanted. Numbers have their highest byte first. The exponent is a secret: it is not
/// printed.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Power {
    pub(crate) base: [u8; KEY_BYTES],
    pub(crate) exponent: [u8; SECRET_BYTES],
}

/// Whether a number is neither 0, 1 nor -1 of the group, whose powers everybody knows, nor beyond it.
pub(crate) fn is_strong(key: &[u8; KEY_BYTES]) -> bool {
    let key = U768::from_be_slice(key);
    let last = Prime::PARAMS.modulus().as_ref().wrapping_sub(&U768::ONE);
    key > U768::ONE && key < last
}

/// All of these powers, the first first.
pub(crate) fn powers(of: &[Power]) -> Vec<[u8; KEY_BYTES]> {
    of.chunks(LANES).flat_map(together).collect()
}

/// Up to eight powers.
fn together(of: &[Power]) -> Vec<[u8; KEY_BYTES]> {
    #[cfg(target_arch = "x86_64")]
    if of.len() > ALONE_MAX
        && let Some(powers) = lanes::powers(&std::array::from_fn(|lane| of[lane % of.len()]))
    {
        return powers[..of.len()].to_vec();
    }
    of.iter().map(alone).collect()
}

fn alone(of: &Power) -> [u8; KEY_BYTES] {
    #[cfg(target_arch = "x86_64")]
    if let Some((low, high)) = alone::power(of) {
        // 2^768 less the prime is 2^768 modulo the prime.
        let above = Prime::PARAMS.modulus().as_ref().wrapping_neg();
        let [low, high, above] =
            [U768::from_be_slice(&low), U768::from_u64(high), above].map(|it| Residue::new(&it));
        return written(&(low + high * above).retrieve());
    }
    scalar(of)
}

fn scalar(of: &Power) -> [u8; KEY_BYTES] {
    let mut wide = [0; KEY_BYTES];
    wide[KEY_BYTES - SECRET_BYTES..].copy_from_slice(&of.exponent);
    let exponent = U768::from_be_slice(&wide);
    let base = Residue::new(&U768::from_be_slice(&of.base));
    let power = base.pow_amm_bounded_exp(&exponent, 8 * SECRET_BYTES as u32).retrieve();
    written(&power)
}

fn written(number: &U768) -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES];
    bytes.copy_from_slice(number.to_be_bytes().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The numbers that arithmetic goes wrong at, and others.
    fn base() -> impl Strategy<Value = [u8; KEY_BYTES]> {
        let prime = *Prime::PARAMS.modulus().as_ref();
        let small = [0_u8, 1, 2].map(U768::from_u8);
        let near = [prime.wrapping_sub(&U768::ONE), prime, prime.wrapping_add(&U768::ONE)];
        let edges = [small, near].concat().into_iter().chain([U768::MAX, U768::ONE << 767]);
        let edges: Vec<_> = edges.map(|edge| written(&edge)).collect();
        prop_oneof![prop::sample::select(edges), any::<[u8; KEY_BYTES]>()]
    }

    fn exponent() -> impl Strategy<Value = [u8; SECRET_BYTES]> {
        let edges = vec![[0; SECRET_BYTES], [0xff; SECRET_BYTES], [0x10; SECRET_BYTES]];
        prop_oneof![prop::sample::select(edges), any::<[u8; SECRET_BYTES]>()]
    }

    fn power() -> impl Strategy<Value = Power> {
        (base(), exponent()).prop_map(|(base, exponent)| Power { base, exponent })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn each_of_any_number_of_powers_is_what_it_is_alone(
            of in prop::collection::vec(power(), 0..=2 * LANES + 1),
        ) {
            let expected: Vec<_> = of.iter().map(scalar).collect();
            prop_assert_eq!(powers(&of), expected);
        }
    }

    #[test]
    fn every_number_of_powers_up_to_two_batches_is_right() {
        let of: Vec<_> = (1..=2 * LANES as u8 + 1)
            .map(|n| Power { base: [n; KEY_BYTES], exponent: [!n; SECRET_BYTES] })
            .collect();
        let expected: Vec<_> = of.iter().map(scalar).collect();
        (0..=of.len()).for_each(|count| assert_eq!(powers(&of[..count]), expected[..count]));
    }
}
