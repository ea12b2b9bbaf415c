//! EIP-712: from a value to the 32 bytes that are signed.
//!
//! Every field here is of fixed size, so a struct's hash is that of its type's hash and one 32-byte word
//! for each field. TRON signs the same digests: its addresses enter as 20 bytes, without the prefix 41.

use alloy_primitives::{Address, B256, b256, keccak256};

/// A field as EIP-712 encodes it: left-padded to 32 bytes.
type Word = [u8; 32];

/// The contract whose rules a signature is given under, on its chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Domain {
    /// The chain's number (EIP-155).
    pub chain_id: u64,
    /// The address of the `Vault`.
    pub verifying_contract: Address,
}

impl Domain {
    /// The name in every domain of ours.
    pub const NAME: &str = "Piecework";
    /// The version of the types below.
    pub const VERSION: &str = "1";
    /// The domain's type, as EIP-712 writes it.
    pub const TYPE: &str =
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    const TYPE_HASH: B256 =
        b256!("8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f");

    /// What the contract answers to `DOMAIN_SEPARATOR()`. A client compares them before it signs anything.
    #[must_use]
    pub fn separator(&self) -> B256 {
        hash_struct([
            Self::TYPE_HASH.0,
            keccak256(Self::NAME).0,
            keccak256(Self::VERSION).0,
            word(self.chain_id.to_be_bytes()),
            word(self.verifying_contract.0.0),
        ])
    }
}

/// A value that is signed.
pub trait Typed {
    /// Its type, as EIP-712 writes it.
    const TYPE: &str;
    /// The hash of [`Self::TYPE`].
    const TYPE_HASH: B256;

    /// `hashStruct` of EIP-712.
    fn struct_hash(&self) -> B256;

    /// The digest to sign, under a domain's separator.
    fn digest(&self, separator: &B256) -> B256 {
        let mut bytes = [0; 2 + 32 + 32];
        bytes[..2].copy_from_slice(&[0x19, 0x01]);
        bytes[2..34].copy_from_slice(&separator.0);
        bytes[34..].copy_from_slice(&self.struct_hash().0);
        keccak256(bytes)
    }
}

/// An owner lets a session key sign cheques for it, in one token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delegate {
    /// The account that pays.
    pub owner: Address,
    /// The address of the key that may sign.
    pub session: Address,
    /// The token that it may spend.
    pub token: Address,
    /// What all its cheques together may claim, in the token's smallest unit.
    pub max_amount: u128,
    /// What all its bounces together may burn of the owner's bond.
    pub bond_at_risk: u128,
    /// The last second at which its cheques are cashed, since 1970.
    pub valid_until: u64,
}

impl Typed for Delegate {
    const TYPE: &str = "Delegate(address owner,address session,address token,uint128 maxAmount,\
        uint128 bondAtRisk,uint64 validUntil)";
    const TYPE_HASH: B256 =
        b256!("a15a927bc5c6605ec3759bc072dc91bf9cd34046762a658446aa4b9aa3ff56ba");

    fn struct_hash(&self) -> B256 {
        hash_struct([
            Self::TYPE_HASH.0,
            word(self.owner.0.0),
            word(self.session.0.0),
            word(self.token.0.0),
            word(self.max_amount.to_be_bytes()),
            word(self.bond_at_risk.to_be_bytes()),
            word(self.valid_until.to_be_bytes()),
        ])
    }
}

/// A payee gives a payer's lock back before its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CloseLock {
    /// Whose money is locked.
    pub payer: Address,
    /// For whom; it signs this.
    pub payee: Address,
    /// The token.
    pub token: Address,
    /// The lock's counter, which each closing raises.
    pub nonce: u64,
}

impl Typed for CloseLock {
    const TYPE: &str = "CloseLock(address payer,address payee,address token,uint64 nonce)";
    const TYPE_HASH: B256 =
        b256!("182412b1132e4978e49db83e40ad0fd7ffbee585ac872088f8e22c6868ab1c75");

    fn struct_hash(&self) -> B256 {
        hash_struct([
            Self::TYPE_HASH.0,
            word(self.payer.0.0),
            word(self.payee.0.0),
            word(self.token.0.0),
            word(self.nonce.to_be_bytes()),
        ])
    }
}

/// A paying key binds itself to one conversation, so that nobody can carry it into another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bind {
    /// The hash of what both sides have said.
    pub transcript: B256,
}

impl Bind {
    /// Binds to the conversation of two ephemeral keys, that of the side which opened the connection first,
    /// about a torrent of the 20-byte handshake info-hash, under the seller's `terms` as they were sent.
    #[must_use]
    pub fn new(
        initiator: &[u8; 32],
        responder: &[u8; 32],
        torrent: [u8; 20],
        terms: &[u8],
    ) -> Self {
        let said = [initiator.as_slice(), responder, &torrent, terms].concat();
        Self { transcript: keccak256(said) }
    }
}

impl Typed for Bind {
    const TYPE: &str = "Bind(bytes32 transcript)";
    const TYPE_HASH: B256 =
        b256!("f46fcab4aa0239de841c9d85cad03c16c01bfa7169c52f243836c15932551e81");

    fn struct_hash(&self) -> B256 {
        hash_struct([Self::TYPE_HASH.0, self.transcript.0])
    }
}

/// The hash of a struct, from its type's hash and its fields.
pub(crate) fn hash_struct<const WORDS: usize>(words: [Word; WORDS]) -> B256 {
    keccak256(words.as_flattened())
}

/// A field of up to 32 bytes as a word.
pub(crate) fn word<const BYTES: usize>(field: [u8; BYTES]) -> Word {
    const { assert!(BYTES <= 32, "a field fits one word") };
    let mut word = [0; 32];
    word[32 - BYTES..].copy_from_slice(&field);
    word
}
