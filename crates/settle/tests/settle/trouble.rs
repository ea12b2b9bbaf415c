//! Transactions in trouble: answers lost, blocks given up, prices too low, servers that lie.

use crate::chain::{Anvil, Chain, Home, QUICK, WAITING, carry_out, deploy, person};
use crate::proxy::{Fault, Proxy};
use alloy_primitives::{Address, B256, U256};
use piecework_pay::Key;
use piecework_settle::{
    Client, Network, Outbox, Patience, Progress, RpcFault, SettleError, Trust, Waiting,
};
use serde_json::json;
use std::sync::mpsc::channel;
use std::time::Duration;

const COIN: u128 = 1_000_000_000_000_000_000;

fn anvil() -> Anvil {
    Anvil::start(&["--hardfork", "prague"])
}

/// A network on `anvil` that is asked through these servers.
fn through(anvil: &Anvil, servers: &[&Proxy], confirmations: u64) -> Client {
    let mut network: Network = deploy(anvil, &anvil.rich());
    network.rpc = servers.iter().map(|server| server.url()).collect();
    network.confirmations = confirmations;
    Client::connect(network, QUICK).unwrap().0
}

/// A coin for Bob, planned and not sent.
fn coin_for(client: &Client, from: &Key, to: Address) -> piecework_settle::Plan {
    client.send_coin(from.address(), to, COIN).unwrap()
}

/// Looks until a transaction is in a block: anvil makes one a moment after it has answered.
fn in_block(outbox: &mut Outbox, client: &Client, nonce: u64) -> Progress {
    for _ in 0..1000 {
        match outbox.poll(client, nonce).unwrap() {
            Progress::Waiting => std::thread::sleep(Duration::from_millis(5)),
            progress => return progress,
        }
    }
    panic!("it does not come into a block");
}

fn has(client: &Client, whom: Address) -> U256 {
    client.coin(whom).unwrap() / U256::from(COIN)
}

#[test]
fn whatever_breaks_on_the_way_a_payment_happens_once() {
    let anvil = anvil();
    let proxy = Proxy::before(&anvil.url());
    let client = through(&anvil, &[&proxy], 0);
    let (rich, mut paid) = (anvil.rich(), 0);
    let page = || Fault::Http(502, "content-type: text/html\r\n", "<html>".into());
    for method in [
        "eth_getBlockByNumber",
        "eth_maxPriorityFeePerGas",
        "eth_estimateGas",
        "eth_getBalance",
        "eth_getTransactionCount",
        "eth_sendRawTransaction",
        "eth_getTransactionReceipt",
        "eth_blockNumber",
    ] {
        for fault in [
            Fault::Close,
            Fault::LoseAnswer,
            Fault::Cut(15),
            Fault::Id(json!(77_777)),
            Fault::Http(429, "retry-after: 1\r\n", String::new()),
            page(),
        ] {
            proxy.fail_at(method, fault.clone());
            paid += 1;
            let to = person(50).address();
            let plan = coin_for(&client, &rich, to);
            let receipts = carry_out(&client, &rich, &plan).unwrap();
            assert!(receipts[0].is_success, "{method} {fault:?}");
            assert_eq!(has(&client, to), U256::from(paid), "{method} {fault:?}");
        }
    }
}

#[test]
fn a_transaction_sent_while_nobody_answers_is_looked_after_and_not_made_twice() {
    let anvil = anvil();
    let proxy = Proxy::before(&anvil.url());
    let client = through(&anvil, &[&proxy], 0);
    let (rich, to) = (anvil.rich(), person(51).address());
    let plan = coin_for(&client, &rich, to);
    (0..QUICK.tries).for_each(|_| proxy.fail_at("eth_sendRawTransaction", Fault::Close));
    let mut outbox = Outbox::new(rich.address());
    let nonce = outbox.submit(&client, &rich, (plan.steps[0].clone(), plan.fees)).unwrap();
    assert_eq!(has(&client, to), U256::ZERO, "it did not arrive");
    assert_eq!(outbox.poll(&client, nonce).unwrap(), Progress::Waiting);
    let Progress::Done(receipt) = in_block(&mut outbox, &client, nonce) else { panic!() };
    assert!(receipt.is_success);
    assert_eq!(has(&client, to), U256::from(1));
    assert!(matches!(outbox.poll(&client, nonce), Err(SettleError::NotSent(_))));
}

#[test]
fn a_transaction_in_a_block_that_was_given_up_waits_again_and_comes_back() {
    let anvil = anvil();
    let proxy = Proxy::before(&anvil.url());
    let client = through(&anvil, &[&proxy], 2);
    let (rich, to) = (anvil.rich(), person(52).address());
    let mut outbox = Outbox::new(rich.address());
    let plan = coin_for(&client, &rich, to);
    let snapshot = anvil.tell("evm_snapshot", &json!([]));
    let nonce = outbox.submit(&client, &rich, (plan.steps[0].clone(), plan.fees)).unwrap();
    let progress = in_block(&mut outbox, &client, nonce);
    assert_eq!(progress, Progress::Confirming { have: 0, want: 2 });

    anvil.tell("evm_revert", &json!([snapshot]));
    anvil.tell("evm_mine", &json!([]));
    assert_eq!(has(&client, to), U256::ZERO, "the payment is gone with its block");
    assert_eq!(outbox.poll(&client, nonce).unwrap(), Progress::Waiting, "sent again");
    let again = in_block(&mut outbox, &client, nonce);
    assert_eq!(again, Progress::Confirming { have: 0, want: 2 });
    anvil.tell("anvil_mine", &json!(["0x2"]));
    let Progress::Done(receipt) = in_block(&mut outbox, &client, nonce) else { panic!() };
    assert!(receipt.is_success);
    assert_eq!(has(&client, to), U256::from(1));
}

#[test]
fn a_receipt_of_a_block_that_is_not_in_the_chain_does_not_count() {
    let anvil = anvil();
    let proxy = Proxy::before(&anvil.url());
    let client = through(&anvil, &[&proxy], 0);
    let (rich, to) = (anvil.rich(), person(53).address());
    let mut outbox = Outbox::new(rich.address());
    let plan = coin_for(&client, &rich, to);
    let nonce = outbox.submit(&client, &rich, (plan.steps[0].clone(), plan.fees)).unwrap();
    let hash = outbox.hash(nonce).unwrap();
    let told = || anvil.tell("eth_getTransactionReceipt", &json!([hash]));
    while told().is_null() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut receipt = told();
    receipt["blockHash"] = json!(B256::repeat_byte(9));
    proxy.fail_at("eth_getTransactionReceipt", Fault::Lie(receipt.clone()));
    assert_eq!(outbox.poll(&client, nonce).unwrap(), Progress::Waiting);

    receipt["transactionHash"] = json!(B256::repeat_byte(8));
    proxy.fail_at("eth_getTransactionReceipt", Fault::Lie(receipt));
    let error = outbox.poll(&client, nonce).unwrap_err().to_string();
    assert!(error.contains("the transaction that was asked for"), "{error}");
    assert!(matches!(in_block(&mut outbox, &client, nonce), Progress::Done(_)));
}

#[test]
fn a_price_too_low_is_raised_within_what_was_agreed_to() {
    let anvil = anvil();
    let client = &Client::connect(deploy(&anvil, &anvil.rich()), QUICK).unwrap().0;
    let (rich, to) = (anvil.rich(), person(54).address());
    anvil.tell("evm_setAutomine", &json!([false]));
    let mut outbox = Outbox::new(rich.address());
    let plan = coin_for(client, &rich, to);
    let submit = |outbox: &mut Outbox| {
        outbox.submit(client, &rich, (plan.steps[0].clone(), plan.fees)).unwrap()
    };
    let (one, two) = (submit(&mut outbox), submit(&mut outbox));
    assert_eq!(two, one + 1);
    let first = outbox.hash(one).unwrap();
    for _ in 0..3 {
        assert!(outbox.replace(client, &rich, one).unwrap());
    }
    assert!(!outbox.replace(client, &rich, one).unwrap(), "more was not agreed to");
    let last = outbox.hash(one).unwrap();
    assert_ne!(first, last);
    assert_eq!(outbox.poll(client, one).unwrap(), Progress::Waiting);
    anvil.tell("evm_mine", &json!([]));
    let Progress::Done(receipt) = in_block(&mut outbox, client, one) else { panic!() };
    assert_eq!(receipt.hash, last);
    assert!(receipt.fee <= plan.fee_most());
    assert!(matches!(in_block(&mut outbox, client, two), Progress::Done(_)));
    assert_eq!(has(client, to), U256::from(2));
}

#[test]
fn another_program_with_the_same_account_is_noticed() {
    let anvil = anvil();
    let client = Client::connect(deploy(&anvil, &anvil.rich()), QUICK).unwrap().0;
    let (rich, to) = (anvil.rich(), person(55).address());
    anvil.tell("evm_setAutomine", &json!([false]));
    let plan = coin_for(&client, &rich, to);
    let (mut ours, mut other) = (Outbox::new(rich.address()), Outbox::new(rich.address()));
    let step = plan.steps[0].clone();
    let nonce = ours.submit(&client, &rich, (step.clone(), plan.fees)).unwrap();
    anvil.tell("anvil_dropTransaction", &json!([ours.hash(nonce).unwrap()]));
    let mut theirs = step;
    theirs.call.value = U256::from(2 * COIN);
    assert_eq!(other.submit(&client, &rich, (theirs, plan.fees)).unwrap(), nonce);
    anvil.tell("evm_mine", &json!([]));
    assert_eq!(ours.poll(&client, nonce).unwrap(), Progress::Waiting);
    assert_eq!(ours.poll(&client, nonce).unwrap(), Progress::Waiting);
    let error = ours.poll(&client, nonce).unwrap_err();
    assert!(matches!(error, SettleError::Displaced { .. }), "{error}");
    assert_eq!(has(&client, to), U256::from(2));
}

#[test]
fn what_does_not_come_into_a_block_in_time_is_named_by_its_hash() {
    let anvil = anvil();
    let client = Client::connect(deploy(&anvil, &anvil.rich()), QUICK).unwrap().0;
    anvil.tell("evm_setAutomine", &json!([false]));
    let rich = anvil.rich();
    let plan = coin_for(&client, &rich, person(56).address());
    let waiting = Waiting { most: Duration::from_millis(10), ..WAITING };
    let mut outbox = Outbox::new(rich.address());
    let error = outbox.execute(&client, &rich, &plan, waiting, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, SettleError::NotMined { .. }), "{error}");
    assert!(error.to_string().contains("before sending again"));
}

#[test]
fn of_two_servers_neither_is_believed_alone() {
    let anvil = anvil();
    let (one, two) = (Proxy::before(&anvil.url()), Proxy::before(&anvil.url()));
    let client = through(&anvil, &[&one, &two], 0);
    let checked = Client::connect(client.network().clone(), QUICK).unwrap().1;
    assert!(matches!(checked.trust, Trust::Witnesses { servers } if servers.len() == 2));
    let rich = anvil.rich().address();
    assert!(client.coin(rich).unwrap() > U256::ZERO);

    (0..3).for_each(|_| two.fail_at("eth_getBalance", Fault::Lie(json!("0x1"))));
    let error = client.coin(rich).unwrap_err();
    assert!(matches!(error, SettleError::Disagree { what: "a balance", .. }), "{error}");
    two.fail_at("eth_getBalance", Fault::Lie(json!("0x1")));
    assert!(client.coin(rich).is_ok(), "a lie that passes is outlived");

    two.fail_at("eth_getBalance", Fault::Body("<html>".into()));
    let error = client.coin(rich).unwrap_err();
    assert!(
        matches!(&error, SettleError::OneWitness(it) if it.fault == RpcFault::WebPage),
        "{error}"
    );
}

#[test]
fn of_three_servers_one_may_be_away_and_the_others_pay() {
    let anvil = anvil();
    let proxies = [0; 2].map(|_| Proxy::before(&anvil.url()));
    let away = Proxy::before(&anvil.url());
    let client = through(&anvil, &[&away, &proxies[0], &proxies[1]], 0);
    drop(away);
    let (rich, to) = (anvil.rich(), person(57).address());
    carry_out(&client, &rich, &coin_for(&client, &rich, to)).unwrap();
    assert_eq!(has(&client, to), U256::from(1));
}

#[test]
fn a_server_that_lies_about_what_was_sent_or_what_it_costs_is_named() {
    let anvil = anvil();
    let proxy = Proxy::before(&anvil.url());
    let client = through(&anvil, &[&proxy], 0);
    let (rich, to) = (anvil.rich(), person(58).address());
    proxy.fail_at("eth_sendRawTransaction", Fault::Lie(json!(B256::repeat_byte(1))));
    let error = carry_out(&client, &rich, &coin_for(&client, &rich, to)).unwrap_err();
    assert!(
        matches!(&error, SettleError::WrongHash { server, .. } if *server == proxy.url()),
        "{error}"
    );

    proxy.fail_at("eth_maxPriorityFeePerGas", Fault::Lie(json!("0xffffffffffffffffffffffff")));
    let error = client.send_coin(rich.address(), to, COIN).unwrap_err();
    assert!(matches!(error, SettleError::Price { .. }), "{error}");

    proxy.fail_at("eth_estimateGas", Fault::Lie(json!("0xffffffff")));
    let error = client.send_coin(rich.address(), to, COIN).unwrap_err();
    assert!(matches!(error, SettleError::Gas { .. }), "{error}");
    assert_eq!(has(&client, to), U256::ZERO);
}

#[test]
fn logs_that_were_not_asked_for_are_not_taken() {
    let anvil = anvil();
    let home = Home::new(&anvil);
    let proxy = Proxy::before(&anvil.url());
    let mut network = home.client.network().clone();
    network.rpc = vec![proxy.url()];
    let client = Client::connect(network, QUICK).unwrap().0;
    let last = client.height().unwrap();
    let issued = anvil.tell("eth_getLogs", &json!([{ "fromBlock": "0x0", "toBlock": "latest" }]));
    assert!(!issued.as_array().unwrap().is_empty());
    proxy.fail_at("eth_getLogs", Fault::Lie(issued));
    let error = client.vault_events(None, (0, last)).unwrap_err().to_string();
    assert!(error.contains("one that was asked for"), "{error}");
    assert_eq!(client.vault_events(None, (0, last)).unwrap(), []);
}

#[test]
fn stretches_of_blocks_are_halved_until_a_server_answers() {
    let anvil = anvil();
    let home = Home::new(&anvil);
    let proxy = Proxy::before(&anvil.url());
    let mut network = home.client.network().clone();
    network.rpc = vec![proxy.url()];
    let mut client = Client::connect(network, QUICK).unwrap().0;
    let (told, heard) = channel();
    client.tell_searches(move |done, all| told.send((done, all)).unwrap());
    let refuse =
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"range too large"}}"#;
    (0..3).for_each(|_| proxy.fail_at("eth_getLogs", Fault::Body(refuse.into())));
    let rich = home.rich.address();
    let last = client.height().unwrap();
    let history = client.history(home.token.address, rich, (0, last)).unwrap();
    assert_eq!(history.len(), 1, "the supply");
    let all = last + 1;
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [(all, all); 2], "what went out and came in");
    assert!(proxy.count("eth_getLogs") > 4);
}

#[test]
fn a_wallet_that_signs_something_else_sends_nothing() {
    struct Odd(Key);
    impl piecework_pay::Signer for Odd {
        fn address(&self) -> Address {
            self.0.address()
        }
        fn sign(&self, _: &B256) -> Result<piecework_pay::Signature, String> {
            Ok(self.0.sign(&B256::repeat_byte(1)))
        }
    }
    let anvil = anvil();
    let home = Home::new(&anvil);
    let to = person(59).address();
    let plan = coin_for(&home.client, &home.rich, to);
    let odd = Odd(anvil.rich());
    let mut outbox = Outbox::new(odd.0.address());
    let error = outbox.execute(&home.client, &odd, &plan, WAITING, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, SettleError::Pay(_)), "{error}");
    assert_eq!(has(&home.client, to), U256::ZERO);
}

#[test]
fn patience_is_bounded_when_nobody_answers_at_all() {
    let anvil = anvil();
    let proxy = Proxy::before(&anvil.url());
    let client = through(&anvil, &[&proxy], 0);
    let network = client.network().clone();
    drop(proxy);
    let patience = Patience { tries: 2, ..QUICK };
    let error = Client::connect(network, patience).err().unwrap().to_string();
    assert!(error.contains("is the node running"), "{error}");
}
