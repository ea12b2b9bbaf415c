//! The accounts that send: keys from numbers, and transfers signed with them.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, address, keccak256};
use piecework_pay::Key;
use std::thread;

/// Where the token stands in the genesis of the bench.
pub(crate) const TOKEN: Address = address!("0x00000000000000000000000000000000000770cE");

/// What a transfer asks for; it uses about 52,000 with a new receiver.
const GAS_LIMIT: u64 = 60_000;

/// `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

/// One account.
pub(crate) struct Sender(Key);

impl Sender {
    /// The account with this number, always the same.
    pub(crate) fn new(number: u32) -> Self {
        let seed = keccak256([b"piecework bench".as_slice(), &number.to_be_bytes()].concat());
        // Fails for one number in 2^128 or so.
        Self(Key::new(&seed).expect("a number below the order of the curve"))
    }

    /// Its address.
    pub(crate) fn address(&self) -> Address {
        self.0.address()
    }

    /// A transfer of one unit to a receiver of its own, as bytes to send, at a gas price of zero.
    fn transfer(&self, chain_id: u64, nonce: u64, receiver: Address) -> Vec<u8> {
        let mut input = TRANSFER.to_vec();
        input.extend_from_slice(receiver.into_word().as_slice());
        input.extend_from_slice(&U256::ONE.to_be_bytes::<32>());
        let transaction = TxEip1559 {
            chain_id,
            nonce,
            gas_limit: GAS_LIMIT,
            to: TxKind::Call(TOKEN),
            input: Bytes::from(input),
            ..TxEip1559::default()
        };
        let signed = self.0.sign(&transaction.signature_hash());
        let signature = Signature::from_raw(signed.as_bytes()).expect("65 bytes of a signature");
        TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
    }
}

/// The `count` first transfers of `senders` accounts in turn, each to a receiver of its own.
pub(crate) fn transfers(chain_id: u64, senders: u32, count: u32) -> Vec<Vec<u8>> {
    let accounts = on_all_cores(senders.min(count), Sender::new);
    on_all_cores(count, |number| {
        let receiver = Address::left_padding_from(&(u64::from(number) + (1 << 40)).to_be_bytes());
        let nonce = u64::from(number / senders);
        accounts[(number % senders) as usize].transfer(chain_id, nonce, receiver)
    })
}

/// What `make` makes of each number below `count`, in order.
fn on_all_cores<T: Send>(count: u32, make: impl Fn(u32) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let share = count.div_ceil(threads).max(1);
    let part = |from: u32| (from..count.min(from + share)).map(&make).collect::<Vec<_>>();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..count)
            .step_by(share as usize)
            .map(|from| scope.spawn(move || part(from)))
            .collect();
        parts.into_iter().flat_map(|part| part.join().expect("signing does not panic")).collect()
    })
}
