//! A chain that was wiped and made anew: nothing that was signed for the one before counts there.

use crate::chain::{Chain, Home, Ours, QUICK, person};
use crate::proxy::Proxy;
use alloy_primitives::{B256, U256};
use piecework_pay::{Cheque, Delegate, Key, Typed};
use piecework_settle::{Claim, Rpc, SettleError};

const ONE: u128 = 1_000_000;
const DAY: u64 = 24 * 3600;

/// A chain that keeps all that it was sent.
struct Recorded {
    ours: Ours,
    proxy: Proxy,
}

impl Chain for Recorded {
    fn url(&self) -> String {
        self.proxy.url()
    }

    fn rich(&self) -> Key {
        self.ours.rich()
    }

    fn advance(&self, seconds: u64) {
        self.ours.advance(seconds);
    }
}

fn buyer() -> Key {
    person(41)
}

fn seller() -> Key {
    person(42)
}

/// An account with funds, and a payee who can pay for transactions.
fn fund(home: &Home) {
    let (buyer, client) = (buyer(), &home.client);
    home.give(&buyer, 100 * ONE);
    home.give(&seller(), 0);
    home.done(&buyer, &client.deposit(buyer.address(), &home.token, 50 * ONE).unwrap());
}

/// A cheque of the account itself, and one of a session key with its delegation.
fn claims(home: &Home) -> [Claim; 2] {
    let (client, buyer, session) = (&home.client, buyer(), person(43));
    let separator = client.domain().separator();
    let cheque = |channel| Cheque {
        payer: buyer.address(),
        payee: seller().address(),
        token: home.token.address,
        epoch: client.account(buyer.address(), home.token.address).unwrap().epoch,
        cumulative: ONE,
        root: B256::ZERO,
        unit: 0,
        links: 0,
        channel,
    };
    let claim = |cheque: Cheque, signer: &Key| {
        let signature = signer.sign(&cheque.digest(&separator));
        Claim { cheque, count: 0, link: B256::ZERO, signature, delegation: None }
    };
    let delegate = Delegate {
        owner: buyer.address(),
        session: session.address(),
        token: home.token.address,
        max_amount: 5 * ONE,
        bond_at_risk: 0,
        valid_until: client.now().unwrap() + 3 * DAY,
    };
    let word = client.sign_delegation(&buyer, &delegate).unwrap();
    let of_session = claim(cheque(2), &session);
    [claim(cheque(1), &buyer), Claim { delegation: Some((delegate, word)), ..of_session }]
}

fn cash(home: &Home, claim: &Claim) -> Result<u128, SettleError> {
    let plan = home.client.cash(seller().address(), claim)?;
    Ok(home.client.cashed(&home.done(&seller(), &plan)[0]).paid)
}

#[test]
fn a_chain_made_anew_takes_no_transaction_cheque_or_delegation_of_the_one_before() {
    let ours = Ours::start();
    let before = Recorded { proxy: Proxy::before(&ours.url()), ours };
    let home = Home::new(&before);
    fund(&home);
    let old = claims(&home);
    assert!(old.iter().all(|claim| cash(&home, claim).unwrap() == ONE));
    let sent = before.proxy.asked("eth_sendRawTransaction");
    assert!(sent.len() >= 10, "{} transactions", sent.len());

    let anew = Ours::start();
    let rpc = Rpc::new(&anew.url(), QUICK).unwrap();
    let replay = || {
        for params in &sent {
            let error = rpc.call("eth_sendRawTransaction", params).unwrap_err().to_string();
            assert!(error.contains("invalid chain id"), "{error}");
        }
    };
    // The same accounts have done nothing there yet, so every number would be the next one.
    replay();
    let there = Home::new(&anew);
    fund(&there);
    replay();
    for claim in &old {
        let error = cash(&there, claim).unwrap_err();
        assert!(matches!(error, SettleError::Refused { .. }), "{error}");
    }
    let plan = there.client.cash_many(seller().address(), &old).unwrap();
    let cashed = there.client.cashed(&there.done(&seller(), &plan)[0]);
    assert_eq!((cashed.paid, cashed.skipped.len()), (0, old.len()), "{:?}", cashed.skipped);
    let token = there.token.address;
    assert_eq!(there.client.balance(token, seller().address()).unwrap(), U256::ZERO);
    assert_eq!(there.client.account(buyer().address(), token).unwrap().free, 50 * ONE);
    // Signed for this chain, they count: nothing else was wrong with them.
    assert!(claims(&there).iter().all(|claim| cash(&there, claim).unwrap() == ONE));
}
