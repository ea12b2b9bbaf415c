//! A chain in a folder of its own with a server in front of it, and keys that own coin on it.

use crate::client::Http;
use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, bytes, keccak256};
use piecework_chain::chain::Chain;
use piecework_chain::genesis::Genesis;
use piecework_rpc::{Server, Settings};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SecretKey};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const CHAIN_ID: u64 = (1 << 40) + 9;
pub(crate) const COIN: u128 = 1_000_000_000_000_000_000;

/// Creates a contract that, called with nothing, logs 42 under topic 7 and returns it, and reverts with its
/// calldata when called with some.
pub(crate) const CONTRACT: Bytes = bytes!(
    "6021600c60003960216000f3"
    "3615600f57366000600037366000fd5b602a600052600760206000a160206000f3"
);

/// Times that something is looked for that must come.
const LOOKS_MAX: usize = 2000;

pub(crate) struct Node {
    // Closed in this order.
    server: Server,
    chain: Arc<Chain>,
    _folder: tempfile::TempDir,
}

/// What a test wants signed; the rest is a plain transfer of nothing to nobody.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) chain_id: u64,
    pub(crate) to: TxKind,
    pub(crate) value: u128,
    pub(crate) data: Bytes,
    pub(crate) gas: u64,
    pub(crate) fee: u128,
    pub(crate) tip: u128,
}

impl Node {
    pub(crate) fn settings() -> Settings {
        Settings { listen: "127.0.0.1:0".parse().unwrap(), ..Settings::default() }
    }

    pub(crate) fn start() -> Self {
        Self::with(Self::settings())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let genesis = Genesis::new(CHAIN_ID, B256::repeat_byte(0x5a), 1_700_000_000);
        let genesis = (0..4).fold(genesis, |genesis, number| {
            genesis.with_balance(Self::address_of(number), U256::from(100 * COIN))
        });
        let chain = Arc::new(Chain::init(folder.path(), &genesis).unwrap());
        let server = Server::start(Arc::clone(&chain), settings).unwrap();
        Self { server, chain, _folder: folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn chain(&self) -> Arc<Chain> {
        Arc::clone(&self.chain)
    }

    /// Stops the server; the chain goes on.
    pub(crate) fn stop(self) -> Arc<Chain> {
        self.server.stop();
        self.chain
    }

    pub(crate) fn address_of(number: u8) -> Address {
        let public = PublicKey::from_secret_key(&key(number));
        Address::from_slice(&keccak256(&public.serialize_uncompressed()[1..])[12..])
    }

    /// A signed transaction, as it is submitted.
    pub(crate) fn signed(&self, sender: u8, nonce: u64, change: impl FnOnce(&mut Wish)) -> Bytes {
        let mut wish = Wish {
            chain_id: CHAIN_ID,
            to: TxKind::Call(Address::repeat_byte(0x77)),
            value: 0,
            data: Bytes::new(),
            gas: 100_000,
            fee: 0,
            tip: 0,
        };
        change(&mut wish);
        let transaction = TxEip1559 {
            chain_id: wish.chain_id,
            nonce,
            gas_limit: wish.gas,
            max_fee_per_gas: wish.fee,
            max_priority_fee_per_gas: wish.tip,
            to: wish.to,
            value: U256::from(wish.value),
            input: wish.data,
            ..TxEip1559::default()
        };
        let digest = Message::from_digest(transaction.signature_hash().0);
        let signed = RecoverableSignature::sign_ecdsa_recoverable(digest, &key(sender));
        let (id, bytes) = signed.serialize_compact();
        let signature = Signature::from_bytes_and_parity(&bytes, id == RecoveryId::One);
        TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
    }

    /// Sends the next transaction of a sender and waits for its receipt.
    pub(crate) fn send(
        &self,
        http: &mut Http,
        sender: u8,
        change: impl FnOnce(&mut Wish),
    ) -> Value {
        let count =
            http.call("eth_getTransactionCount", &json!([Self::address_of(sender), "pending"]));
        let nonce = u64::from_str_radix(&count.as_str().unwrap()[2..], 16).unwrap();
        let raw = self.signed(sender, nonce, change);
        let hash = http.call("eth_sendRawTransaction", &json!([raw]));
        assert_eq!(hash, json!(keccak256(&raw)));
        self.receipt(http, &hash)
    }

    pub(crate) fn receipt(&self, http: &mut Http, hash: &Value) -> Value {
        let found = (0..LOOKS_MAX).find_map(|_| {
            let receipt = http.call("eth_getTransactionReceipt", &json!([hash]));
            if receipt.is_null() {
                std::thread::sleep(Duration::from_millis(10));
            }
            (!receipt.is_null()).then_some(receipt)
        });
        found.expect("a transaction that can go must come into a block")
    }
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_secret_bytes([number + 1; 32]).unwrap()
}
