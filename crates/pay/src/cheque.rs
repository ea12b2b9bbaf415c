//! The cheque: what it says, what it is worth, and its form on the wire.

use crate::PayFault;
use crate::links::fold_links;
use crate::typed::{Typed, hash_struct, word};
use alloy_primitives::{Address, B256, b256};

/// Links of one cheque at most: what a contract follows in one call.
pub const LINKS_MAX: u32 = 4096;

/// Bytes of a cheque on the wire.
pub const CHEQUE_BYTES: usize = 20 + 20 + 20 + 8 + 16 + 32 + 16 + 4 + 8;

/// A promise to pay: a sum, and one unit more for each link of a hash chain that is revealed.
///
/// It has no number and no expiry: of the cheques of one channel the most valuable one wins, and only what
/// it is worth above the last one is paid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cheque {
    /// The account that pays.
    pub payer: Address,
    /// The account that is paid.
    pub payee: Address,
    /// The token that both amounts count.
    pub token: Address,
    /// When the payer's account was first funded, as the contract keeps it; never 0.
    pub epoch: u64,
    /// What is owed without any link, in the token's smallest unit: all that this channel was ever worth.
    pub cumulative: u128,
    /// The end of the hash chain.
    pub root: B256,
    /// What one link adds.
    pub unit: u128,
    /// How many links the chain has, at most [`LINKS_MAX`].
    pub links: u32,
    /// The payer's number for this run of cheques; no two live connections share it.
    pub channel: u64,
}

impl Cheque {
    /// Whether it can be taken at all: what the contract refuses whatever is revealed later.
    ///
    /// # Errors
    /// When it pays somebody else than `payee`, has too many links, is worth over 2^128 - 1 with all of
    /// them, or names no epoch.
    pub fn check(&self, payee: Address) -> Result<(), PayFault> {
        if self.payee != payee {
            return Err(PayFault::ForeignPayee { expected: payee, got: self.payee });
        }
        if self.epoch == 0 {
            return Err(PayFault::NoEpoch);
        }
        if self.links > LINKS_MAX {
            return Err(PayFault::TooManyLinks { got: self.links });
        }
        self.worth(self.links).map(drop)
    }

    /// What the cheque is worth when link number `count` is `link`. With no link, `link` is not looked at.
    ///
    /// It hashes `count` times, at most [`LINKS_MAX`]; a seller that counts links as they come keeps a
    /// [`Held`](crate::Held) and asks [`Self::worth`].
    ///
    /// # Errors
    /// When there are too many links, the link lies behind the last, does not lead to the root, or the
    /// value is over 2^128 - 1.
    pub fn value(&self, count: u32, link: B256) -> Result<u128, PayFault> {
        if self.links > LINKS_MAX {
            return Err(PayFault::TooManyLinks { got: self.links });
        }
        if count > self.links {
            return Err(PayFault::LinkBeyondEnd { got: count, links: self.links });
        }
        if count > 0 && fold_links(link, count) != self.root {
            return Err(PayFault::BrokenLink { got: count });
        }
        self.worth(count)
    }

    /// What the cheque is worth with `count` links, without a look at any.
    ///
    /// # Errors
    /// When that is over 2^128 - 1.
    pub fn worth(&self, count: u32) -> Result<u128, PayFault> {
        let links = self.unit.checked_mul(u128::from(count));
        links.and_then(|links| links.checked_add(self.cumulative)).ok_or(PayFault::Overflow)
    }

    /// Its form on the wire: the fields in their order, packed, numbers big-endian.
    #[must_use]
    pub fn encode(&self) -> [u8; CHEQUE_BYTES] {
        let mut bytes = [0; CHEQUE_BYTES];
        let mut rest = bytes.as_mut_slice();
        put(&mut rest, self.payer.0.0);
        put(&mut rest, self.payee.0.0);
        put(&mut rest, self.token.0.0);
        put(&mut rest, self.epoch.to_be_bytes());
        put(&mut rest, self.cumulative.to_be_bytes());
        put(&mut rest, self.root.0);
        put(&mut rest, self.unit.to_be_bytes());
        put(&mut rest, self.links.to_be_bytes());
        put(&mut rest, self.channel.to_be_bytes());
        bytes
    }

    /// Reads the form of [`Self::encode`]. What the fields say is for [`Self::check`].
    ///
    /// # Errors
    /// When there are more or fewer than [`CHEQUE_BYTES`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PayFault> {
        if bytes.len() != CHEQUE_BYTES {
            let (what, got_bytes) = ("a cheque", bytes.len());
            return Err(PayFault::Length { what, expected_bytes: CHEQUE_BYTES, got_bytes });
        }
        let mut rest = bytes;
        Ok(Self {
            payer: Address::from(take(&mut rest)),
            payee: Address::from(take(&mut rest)),
            token: Address::from(take(&mut rest)),
            epoch: u64::from_be_bytes(take(&mut rest)),
            cumulative: u128::from_be_bytes(take(&mut rest)),
            root: B256::from(take(&mut rest)),
            unit: u128::from_be_bytes(take(&mut rest)),
            links: u32::from_be_bytes(take(&mut rest)),
            channel: u64::from_be_bytes(take(&mut rest)),
        })
    }
}

impl Typed for Cheque {
    const TYPE: &str = "Cheque(address payer,address payee,address token,uint64 epoch,\
        uint128 cumulative,bytes32 root,uint128 unit,uint32 links,uint64 channel)";
    const TYPE_HASH: B256 =
        b256!("b2bc6b759cce14952c94a7cf4e8f411eaf6e6e05e03781715f388b8235ae8590");

    fn struct_hash(&self) -> B256 {
        hash_struct([
            Self::TYPE_HASH.0,
            word(self.payer.0.0),
            word(self.payee.0.0),
            word(self.token.0.0),
            word(self.epoch.to_be_bytes()),
            word(self.cumulative.to_be_bytes()),
            self.root.0,
            word(self.unit.to_be_bytes()),
            word(self.links.to_be_bytes()),
            word(self.channel.to_be_bytes()),
        ])
    }
}

/// Why neither [`put`] nor [`take`] runs out.
const WHOLE: &str = "CHEQUE_BYTES is the sum of all fields";

fn put<const BYTES: usize>(rest: &mut &mut [u8], field: [u8; BYTES]) {
    let (place, after) = std::mem::take(rest).split_first_chunk_mut().expect(WHOLE);
    *place = field;
    *rest = after;
}

fn take<const BYTES: usize>(rest: &mut &[u8]) -> [u8; BYTES] {
    let (field, after) = rest.split_first_chunk().expect(WHOLE);
    *rest = after;
    *field
}
