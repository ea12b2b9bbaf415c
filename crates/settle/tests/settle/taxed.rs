//! A token that keeps a part of what is sent, and one that lies about its decimals: what they cost is their
//! own worth, never more.

use crate::chain::{Home, QUICK, carry_out, person};
use crate::suite::on_every_chain;
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolValue;
use piecework_settle::{AmountFault, Call, CheckFault, Client, SettleError, TokenEntry};
use serde_json::Value;

const SUPPLY: u64 = 1_000_000_000;

/// What the token keeps of what is sent, what it says of its decimals, what it says later, and from which
/// block on.
struct Ways {
    percent: u64,
    decimals: u64,
    decimals_later: u64,
    later: u64,
}

const HONEST: Ways = Ways { percent: 0, decimals: 6, decimals_later: 6, later: 0 };

/// Makes the token; all of it belongs to the rich one.
fn made(home: &Home, ways: &Ways) -> Address {
    let artifact: Value =
        serde_json::from_str(include_str!("../../../../contracts/test/Taxed.json")).unwrap();
    let code: Bytes = artifact["bytecode"].as_str().unwrap().parse().unwrap();
    let Ways { percent, decimals, decimals_later, later } = *ways;
    let arguments = [SUPPLY, percent, decimals, decimals_later, later].map(U256::from).abi_encode();
    let data = [code.as_ref(), &arguments].concat().into();
    let what = "make a token".to_owned();
    let call = Call { what, to: None, value: U256::ZERO, data, gas_most: 2_000_000 };
    let plan = home.client.plan(home.rich.address(), vec![call]).unwrap();
    home.done(&home.rich, &plan)[0].contract.unwrap()
}

#[test]
fn a_token_that_keeps_a_part_is_refused_by_the_vault_before_it_is_moved() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let (client, rich) = (&home.client, &home.rich);
        let token = client.token(made(&home, &Ways { percent: 1, ..HONEST })).unwrap();
        for plan in
            [client.deposit(rich.address(), &token, 500), client.bond(rich.address(), &token, 900)]
        {
            let error = carry_out(client, rich, &plan.unwrap()).unwrap_err().to_string();
            assert!(error.contains("takes fees") && error.contains("use another token"), "{error}");
            assert!(error.contains("it was not sent"), "{error}");
        }
        let has = client.balance(token.address, rich.address()).unwrap();
        assert_eq!(has, U256::from(SUPPLY), "nothing of it is lost");
        let account = client.account(rich.address(), token.address).unwrap();
        assert_eq!((account.free, account.bond, account.epoch), (0, 0, 0));
    });
}

#[test]
fn what_is_done_of_a_plan_that_stops_is_told() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let token = home.client.token(made(&home, &Ways { percent: 1, ..HONEST })).unwrap();
        let plan = home.client.deposit(home.rich.address(), &token, 500).unwrap();
        let error = carry_out(&home.client, &home.rich, &plan).unwrap_err();
        let SettleError::Stopped { done, error } = error else { panic!("{error}") };
        assert_eq!(done, [plan.steps[0].call.what.clone()]);
        assert!(matches!(*error, SettleError::Refused { .. }), "{error}");
    });
}

#[test]
fn what_arrives_of_a_token_that_keeps_a_part_is_told_exactly() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let (client, rich, bob) = (&home.client, &home.rich, person(2).address());
        let token = client.token(made(&home, &Ways { percent: 5, ..HONEST })).unwrap();
        let plan = client.send_token(rich.address(), &token, (bob, 1000)).unwrap();
        let receipt = &home.done(rich, &plan)[0];
        assert_eq!(client.arrived(receipt, token.address, bob), U256::from(950));
        assert_eq!(client.balance(token.address, bob).unwrap(), U256::from(950));
        let last = client.height().unwrap();
        let history = client.history(token.address, bob, (0, last)).unwrap();
        assert_eq!(history.iter().map(|it| it.amount).collect::<Vec<_>>(), [U256::from(950)]);
    });
}

#[test]
fn a_token_that_says_something_else_of_its_decimals_than_the_file_stops_everything() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let later = home.client.height().unwrap() + 4;
        let address = made(&home, &Ways { decimals_later: 18, later, ..HONEST });
        let mut network = home.client.network().clone();
        let entry: TokenEntry = home.client.token(address).unwrap();
        assert_eq!(entry.decimals, 6);
        network.tokens.push(entry);
        Client::connect(network.clone(), QUICK).unwrap();
        while home.client.height().unwrap() < later {
            home.give(&person(3), 0);
        }
        let error = Client::connect(network, QUICK).err().unwrap();
        let text = error.to_string();
        let SettleError::Check(fault) = error else { panic!("{text}") };
        assert!(matches!(*fault, CheckFault::Token { what: "decimals", .. }), "{text}");
        assert!(text.contains("decimals 18, the network file says 6"), "{text}");
        assert!(text.contains("leave the token out"), "{text}");
    });
}

#[test]
fn decimals_that_no_amount_has_are_refused() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let says = |decimals| {
            let address = made(&home, &Ways { decimals, decimals_later: decimals, ..HONEST });
            home.client.token(address).unwrap_err()
        };
        let error = says(77);
        let is_fault = matches!(error, SettleError::Amount(AmountFault::Decimals { got: 77 }));
        assert!(is_fault && error.to_string().contains("use another"), "{error}");
        let error = says(256 + 6);
        assert!(matches!(error, SettleError::NoToken(_)), "{error}");
    });
}
