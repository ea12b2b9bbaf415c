//! A process that seals blocks under load is killed (SIGKILL) again and again: no block that it acknowledged
//! is lost, the folder opens, and the roots agree. What a loss of power does to a file is tested beside the
//! log.
//!
//! Not a `#[test]`, as it is its own victim: started with a folder, this program is the process to be killed.
//! `PIECEWORK_KILLS` says how often; without it, few enough for every day.

#![allow(clippy::unwrap_used, reason = "this is a test, though not a #[test]")]

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Signature, TxKind, U256, keccak256};
use piecework_chain::chain::{At, BlockId, Chain, Next};
use piecework_chain::genesis::Genesis;
use piecework_types::Rng;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SecretKey};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const CHAIN_ID: u64 = (1 << 40) + 77;
const SENDERS: u8 = 4;
/// Transactions of each sender in a batch: blocks of several hundred, so that a kill meets every step.
const AHEAD: u64 = 50;
const KILLS: u64 = 12;
const LONG: Duration = Duration::from_secs(60);

/// What runners of tests call it, and how they ask (libtest's `--list`).
const NAME: &str = "a_kill_loses_no_acknowledged_block";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    if has("--list") {
        if !has("--ignored") {
            println!("{NAME}: test");
        }
        return;
    }
    match arguments.iter().position(|argument| argument == "--victim") {
        Some(at) => victim(Path::new(&arguments[at + 1])),
        None => hunt(),
    }
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_secret_bytes([number + 1; 32]).unwrap()
}

fn address(number: u8) -> Address {
    let public = PublicKey::from_secret_key(&key(number)).serialize_uncompressed();
    Address::from_slice(&keccak256(&public[1..])[12..])
}

fn transfer(sender: u8, nonce: u64) -> Vec<u8> {
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        to: TxKind::Call(Address::from_word(keccak256(nonce.to_be_bytes()))),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let digest = Message::from_digest(transaction.signature_hash().0);
    let (id, bytes) =
        RecoverableSignature::sign_ecdsa_recoverable(digest, &key(sender)).serialize_compact();
    let signature = Signature::from_bytes_and_parity(&bytes, id == RecoveryId::One);
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
}

/// Seals until it is killed, and says what is acknowledged, a line a block.
fn victim(folder: &Path) {
    let chain = Chain::open(folder).unwrap();
    let heads = chain.subscribe(1024);
    let mut nonces: Vec<u64> =
        (0..SENDERS).map(|sender| chain.nonce(address(sender), At::Latest).unwrap()).collect();
    let mut out = std::io::stdout().lock();
    loop {
        let mut batch = Vec::new();
        for (sender, nonce) in (0..).zip(&mut nonces) {
            batch.extend((0..AHEAD).map(|ahead| transfer(sender, *nonce + ahead)));
            *nonce += AHEAD;
        }
        let sent = batch.len();
        assert!(chain.submit_many(&batch).iter().all(Result::is_ok));
        let mut sealed = 0;
        while sealed < sent {
            let Next::Block(block) = heads.next(LONG) else {
                panic!("no block comes");
            };
            sealed += block.transactions.len();
            writeln!(out, "{} {}", block.number(), block.hash).unwrap();
            out.flush().unwrap();
        }
    }
}

fn hunt() {
    let kills = std::env::var("PIECEWORK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let mut genesis = Genesis::new(CHAIN_ID, B256::repeat_byte(3), 1_700_000_000);
    for sender in 0..SENDERS {
        genesis = genesis.with_balance(address(sender), U256::from(1_000_000_000_u64));
    }
    Chain::init(folder.path(), &genesis).unwrap().close();
    let mut rng = Rng::new(20);
    let (mut told, mut height) = (0, 0);
    for kill in 0..kills {
        let acknowledged = run_and_kill(folder.path(), &mut rng);
        told += acknowledged.len();
        // In the end without the store: every block since genesis is executed again, each root compared.
        if kill + 1 == kills {
            std::fs::remove_file(folder.path().join("state.redb")).unwrap();
        }
        let chain = Chain::open(folder.path()).unwrap();
        for (number, hash) in &acknowledged {
            let block = chain.block(BlockId::Number(*number)).unwrap();
            assert_eq!(block.map(|block| block.hash), Some(*hash), "kill {kill} lost {number}");
        }
        height = chain.head().number();
        let sent: u64 = (0..SENDERS).map(|s| chain.nonce(address(s), At::Latest).unwrap()).sum();
        let moved: U256 = (0..SENDERS)
            .map(|s| {
                U256::from(1_000_000_000_u64)
                    - chain.account(address(s), At::Latest).unwrap().balance
            })
            .sum();
        assert_eq!(moved, U256::from(sent), "kill {kill}");
        chain.close();
    }
    assert!(told > 0 && height > 0, "nothing was ever acknowledged: this tests nothing");
    println!("{kills} kills, {height} blocks, {told} told as acknowledged, none lost");
}

/// What a run said it had acknowledged before it was killed.
fn run_and_kill(folder: &Path, rng: &mut Rng) -> Vec<(u64, B256)> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .arg("--victim")
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    let mut note = |line: Option<std::io::Result<String>>| {
        let line = line?.ok()?;
        let (number, hash) = line.split_once(' ')?;
        acknowledged.push((number.parse().ok()?, hash.parse().ok()?));
        Some(())
    };
    for _ in 0..rng.below(6) {
        note(lines.next());
    }
    // Any instant will do: real time is what is tested here.
    std::thread::sleep(Duration::from_micros(rng.below(70_000)));
    victim.kill().unwrap();
    victim.wait().unwrap();
    while note(lines.next()).is_some() {}
    acknowledged
}
