//! What the tests of this crate share: keys by number, signed transactions, and a chain without files or
//! threads.

use crate::block::{Block, Built, Tries, build};
use crate::genesis::{Genesis, Rules};
use crate::state::{State, StateRead as _};
use crate::transaction::Transaction;
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SecretKey};

pub(crate) const CHAIN_ID: u64 = (1 << 40) + 7;
pub(crate) const COIN: u64 = 1_000_000_000_000_000_000;

pub(crate) fn coin(count: u64) -> U256 {
    U256::from(COIN) * U256::from(count)
}

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_secret_bytes([number + 1; 32]).unwrap()
}

pub(crate) fn address(number: u8) -> Address {
    let public = PublicKey::from_secret_key(&key(number));
    Address::from_slice(&keccak256(&public.serialize_uncompressed()[1..])[12..])
}

pub(crate) fn signature(number: u8, digest: B256) -> Signature {
    let digest = Message::from_digest(digest.0);
    let signed = RecoverableSignature::sign_ecdsa_recoverable(digest, &key(number));
    let (id, bytes) = signed.serialize_compact();
    Signature::from_bytes_and_parity(&bytes, id == RecoveryId::One)
}

/// What a test wants signed; the rest is a plain transfer of nothing to nobody.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) sender: u8,
    pub(crate) nonce: u64,
    pub(crate) to: TxKind,
    pub(crate) value: U256,
    pub(crate) data: Bytes,
    pub(crate) gas: u64,
    pub(crate) fee: u128,
    pub(crate) tip: u128,
}

pub(crate) fn wish(sender: u8, nonce: u64) -> Wish {
    Wish {
        sender,
        nonce,
        to: TxKind::Call(Address::repeat_byte(0x77)),
        value: U256::ZERO,
        data: Bytes::new(),
        gas: 21_000,
        fee: 0,
        tip: 0,
    }
}

impl Wish {
    pub(crate) fn raw(&self) -> Bytes {
        let transaction = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce: self.nonce,
            gas_limit: self.gas,
            max_fee_per_gas: self.fee,
            max_priority_fee_per_gas: self.tip,
            to: self.to,
            value: self.value,
            access_list: alloy_eips::eip2930::AccessList::default(),
            input: self.data.clone(),
        };
        let signature = signature(self.sender, transaction.signature_hash());
        TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
    }

    pub(crate) fn signed(&self) -> Transaction {
        Transaction::decode(&self.raw(), CHAIN_ID).unwrap()
    }
}

pub(crate) fn legacy(sender: u8, chain_id: Option<u64>) -> Bytes {
    let transaction = TxLegacy { chain_id, gas_limit: 21_000, ..TxLegacy::default() };
    let signature = signature(sender, transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

/// A chain without files, threads or time of its own.
pub(crate) struct Bare {
    pub(crate) rules: Rules,
    pub(crate) state: State,
    pub(crate) tries: Tries,
    pub(crate) head: Block,
}

pub(crate) fn genesis() -> Genesis {
    let genesis = Genesis::new(CHAIN_ID, B256::repeat_byte(0x5a), 1_700_000_000);
    (0..4).fold(genesis, |genesis, number| genesis.with_balance(address(number), coin(100)))
}

impl Bare {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let (head, changes) = genesis.build().unwrap();
        let (mut state, mut tries) = (State::default(), Tries::default());
        state.apply(0, head.hash, &changes);
        assert_eq!(tries.update(&changes), head.header.state_root);
        Self { rules: genesis.rules(), state, tries, head }
    }

    /// Makes a block, if there is one to make, and takes it.
    pub(crate) fn block(&mut self, timestamp: u64, of: Vec<Transaction>) -> Built {
        let over = (&self.state, &mut self.tries);
        let built = build(&self.rules, &self.head, timestamp, over, of).unwrap();
        if let Some((block, changes)) = &built.block {
            self.state.apply(block.number(), block.hash, changes);
            self.head = block.clone();
        }
        built
    }

    pub(crate) fn balance(&self, address: Address) -> U256 {
        self.state.account(address).unwrap().unwrap_or_default().balance
    }

    pub(crate) fn nonce(&self, address: Address) -> u64 {
        self.state.account(address).unwrap().unwrap_or_default().nonce
    }

    pub(crate) fn supply(&self) -> U256 {
        self.state.accounts().map(|(_, account)| account.balance).sum()
    }
}
