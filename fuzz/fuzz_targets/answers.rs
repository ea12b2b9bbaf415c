//! A server of a chain that tells the truth while it is checked, and then whatever it likes. The first byte
//! says what it is asked and whether a second server tells it too; each line is one answer. Nothing of it
//! makes the client panic or go round for ever, or shows what was not asked for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use piecework_pay::{Address, B256, Domain, Key};
use piecework_settle::{
    Client, Coin, Contract, Format, Money, Network, Outbox, Patience, Received, Rpc, RpcFault,
    TokenEntry, Transport, Waiting, check,
};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const CHAIN: u64 = 4_295_000_000;
const VAULT: Address = Address::repeat_byte(1);
const TOKEN: Address = Address::repeat_byte(3);
/// Whom the questions are about.
const OWNER: Address = Address::repeat_byte(5);
const OTHER: Address = Address::repeat_byte(6);
const BLOCKS: (u64, u64) = (0, 25_000);

/// All or nothing: a client that waits for a liar waits as long as he likes.
const PATIENCE: Patience = Patience {
    exchange: Duration::ZERO,
    tries: 1,
    pause: Duration::ZERO,
    pause_max: Duration::ZERO,
};

const WAITING: Waiting = Waiting {
    pause: Duration::ZERO,
    replace_after: Duration::ZERO,
    most: Duration::from_secs(3600),
};

fuzz_target!(|input: &[u8]| {
    let [what, lies @ ..] = input else { return };
    let lies = lies.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let liar = Arc::new(Liar { is_honest: AtomicBool::new(true), lies: Mutex::new(lies) });
    let count = if what & 0x80 == 0 { 1 } else { 2 };
    let servers = (0..count).map(|at| {
        let way = Box::new(Way(Arc::clone(&liar)));
        Rpc::over(format!("server {at}"), way, PATIENCE)
    });
    let servers: Vec<_> = servers.collect();
    if what & 0x7f == 0 {
        liar.is_honest.store(false, Ordering::Relaxed);
        // Who knows the hash of the code can tell it; that all of it is true is no more than luck.
        drop(check(&network(), &servers));
        return;
    }
    let (client, _) = Client::connect_to(network(), servers).expect("it is honest so far");
    liar.is_honest.store(false, Ordering::Relaxed);
    ask(&client, what & 0x7f);
});

fn ask(client: &Client, what: u8) {
    match what % 8 {
        0 => drop((client.now(), client.fees(), client.height(), client.coin(OWNER))),
        1 => {
            let Ok(token) = client.token(TOKEN) else { return };
            assert!(!token.name.chars().chain(token.symbol.chars()).any(char::is_control));
            drop((client.balance(TOKEN, OWNER), client.issued(1)));
        }
        2 => {
            drop((client.account(OWNER, TOKEN), client.credit(OWNER, TOKEN)));
            drop((client.lock_of(OWNER, OTHER, TOKEN), client.delegation(OWNER, B256::ZERO)));
        }
        3 => history(client),
        4 => drop(client.vault_events(None, BLOCKS)),
        5 => drop(client.recover(OWNER)),
        6 => plans(client),
        _ => transaction(client),
    }
}

fn history(client: &Client) {
    let Ok(movements) = client.history(TOKEN, OWNER, BLOCKS) else { return };
    assert!(movements.is_sorted_by_key(|movement| movement.block));
    assert!(movements.iter().all(|it| it.block <= BLOCKS.1 && [it.from, it.to].contains(&OWNER)));
}

fn plans(client: &Client) {
    let (name, symbol) = ("Piece".into(), "PCE".into());
    let token = TokenEntry { address: TOKEN, code_hash: B256::ZERO, name, symbol, decimals: 6 };
    let plans = [client.send_token(OWNER, &token, (OTHER, 9)), client.deposit(OWNER, &token, 9)];
    for plan in plans.into_iter().flatten() {
        assert!(plan.steps.iter().all(|step| step.gas <= piecework_settle::GAS_MAX));
        assert!(plan.coin_most() >= plan.fee_most());
    }
}

/// A payment that is agreed to takes no more than that, whatever is said of it.
fn transaction(client: &Client) {
    let key = Key::new(&[7; 32]).expect("a number below the order of the curve");
    let Ok(plan) = client.send_coin(key.address(), OWNER, 1) else { return };
    let mut outbox = Outbox::new(key.address());
    let done = outbox.execute(client, &key, &plan, WAITING, &mut |_, _| {});
    let Ok(receipts) = done else { return };
    for receipt in &receipts {
        drop((client.cashed(receipt), client.issued_in(receipt)));
    }
}

fn network() -> Network {
    let code_hash = alloy_primitives::keccak256([1]);
    Network {
        format: Format,
        name: "home".into(),
        chain_id: CHAIN,
        genesis: B256::repeat_byte(7),
        hardfork: "prague".into(),
        rpc: vec!["http://127.0.0.1:8545".into()],
        confirmations: 2,
        first_block: 0,
        coin: Coin { symbol: "PWC".into() },
        vault: Contract { address: VAULT, code_hash },
        assets: Contract { address: Address::repeat_byte(2), code_hash },
        tokens: Vec::new(),
        money: Money::Test,
    }
}

struct Liar {
    is_honest: AtomicBool,
    lies: Mutex<VecDeque<Vec<u8>>>,
}

/// One of the servers; all tell what the liar thinks of next.
struct Way(Arc<Liar>);

impl Transport for Way {
    fn exchange(&self, question: String, _: Duration) -> Result<Received, RpcFault> {
        let question: Value = serde_json::from_str(&question).expect("a question is JSON");
        let answered = |result: &str| {
            let id = &question["id"];
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{result}}}").into_bytes()
        };
        let mut received = Received { status: 200, ..Received::default() };
        if self.0.is_honest.load(Ordering::Relaxed) {
            received.body = answered(&format!("\"result\":{}", truth(&question)));
            return Ok(received);
        }
        let lie = self.0.lies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        // At the end nothing that passes: else the client would be right to ask again.
        let Some(lie) = lie else { return Err(RpcFault::Status { status: 404 }) };
        match lie.split_first() {
            Some((b'=', result)) => {
                received.body =
                    answered(&format!("\"result\":{}", String::from_utf8_lossy(result)));
            }
            Some((b'!', error)) => {
                received.body = answered(&format!("\"error\":{}", String::from_utf8_lossy(error)));
            }
            Some((b'#', [status, rest @ ..])) => {
                (received.status, received.is_cut) =
                    (100 + 2 * u16::from(*status), status % 2 == 1);
                received.body = rest.to_vec();
            }
            _ => received.body = lie,
        }
        Ok(received)
    }
}

/// What the network file says; every contract's code is one byte.
fn truth(question: &Value) -> Value {
    match question["method"].as_str().unwrap_or_default() {
        "eth_chainId" => json!(format!("{CHAIN:#x}")),
        "eth_getBlockByNumber" => {
            json!({ "number": "0x0", "hash": B256::repeat_byte(7), "timestamp": "0x0" })
        }
        "eth_getCode" => json!("0x01"),
        _ => json!(Domain { chain_id: CHAIN, verifying_contract: VAULT }.separator()),
    }
}
