//! One suite for every chain: what the client promises has to hold on anvil and on ours alike.

use crate::chain::{Anvil, Chain, Home, Ours, QUICK, person, survey};
use alloy_primitives::{Address, B256, U256};
use piecework_pay::{Cheque, Delegate, Domain, Key, Links, Typed};
use piecework_settle::{Claim, Client, NewToken, SettleError, Trust, VaultEvent};

const DAY: u64 = 24 * 3600;
/// One whole token.
const ONE: u128 = 1_000_000;

/// The same scenario, unchanged, on each.
pub(crate) fn on_every_chain(scenario: impl Fn(&dyn Chain)) {
    println!("on anvil");
    scenario(&Anvil::start(&["--hardfork", "prague"]));
    println!("on ours");
    scenario(&Ours::start());
}

#[test]
fn contracts_come_to_a_chain_once_and_their_network_file_is_true() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let network = home.client.network().clone();
        let (_, checked) = Client::connect(network.clone(), QUICK).unwrap();
        assert_eq!(checked.trust, Trust::OneOperator { server: chain.url() });
        assert_eq!(home.client.coin(network.vault.address).unwrap(), U256::ZERO);

        let from = home.rich.address();
        let again = survey(chain, from);
        assert_eq!(again.vault(), network.vault.address);
        assert_eq!(again.plan(from).unwrap().steps.len(), 0, "what is there is used");
    });
}

#[test]
fn a_token_is_issued_listed_sent_and_looked_back_upon() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let (client, token, rich) = (&home.client, &home.token, &home.rich);
        let (bob, carol) = (person(2), person(3));
        assert_eq!(
            (token.name.as_str(), token.symbol.as_str(), token.decimals),
            ("Piece", "PCE", 6)
        );
        let issued = client.issued(1).unwrap();
        assert_eq!(issued.len(), 1);
        assert_eq!((issued[0].issuer, &issued[0].token), (rich.address(), token));

        home.give(&bob, 5 * ONE);
        let plan = client.send_token(bob.address(), token, (carol.address(), 2 * ONE)).unwrap();
        let what = format!("send 2 PCE to {}", carol.address());
        assert_eq!(plan.steps[0].call.what, what);
        let receipt = &home.done(&bob, &plan)[0];
        assert!(receipt.fee <= plan.fee_most());
        let has = |whom: &Key| client.balance(token.address, whom.address()).unwrap();
        assert_eq!((has(&bob), has(&carol)), (U256::from(3 * ONE), U256::from(2 * ONE)));

        let blocks = (client.network().first_block, client.height().unwrap());
        let history = client.history(token.address, bob.address(), blocks).unwrap();
        let amounts: Vec<_> = history.iter().map(|it| (it.from, it.to, it.amount)).collect();
        let expected = [
            (rich.address(), bob.address(), U256::from(5 * ONE)),
            (bob.address(), carol.address(), U256::from(2 * ONE)),
        ];
        assert_eq!(amounts, expected);
    });
}

#[test]
fn what_cannot_be_paid_or_would_be_refused_is_said_before_anything_is_sent() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let (client, token) = (&home.client, &home.token);
        let (bob, poor) = (person(2), person(9));
        home.give(&bob, ONE);
        let says = |error: SettleError, words: &str| {
            assert!(error.to_string().contains(words), "{error}");
        };
        let send = |to, amount| client.send_token(bob.address(), token, (to, amount)).unwrap_err();
        says(send(poor.address(), 2 * ONE), "your account: there are 1 PCE, this takes 2");
        says(send(Address::ZERO, ONE), "nobody could ever send it on");
        says(send(client.network().vault.address, ONE), "nobody could ever send it on");
        says(client.send_coin(poor.address(), bob.address(), 1).unwrap_err(), "send it some first");
        says(client.exit(bob.address(), token).unwrap_err(), "request the exit first");
        says(client.bond_exit(bob.address(), token).unwrap_err(), "request the exit first");
        says(client.withdraw(bob.address(), token).unwrap_err(), "your credit");
        says(client.deposit(bob.address(), token, 2 * ONE).unwrap_err(), "your account");
        let lock = client.lock(bob.address(), token, poor.address(), (ONE, 0));
        says(lock.unwrap_err(), "free in the vault: there are 0 PCE");
        let new = |symbol: &str, supply| {
            let (name, symbol) = ("X".to_owned(), symbol.to_owned());
            let new = NewToken { name, symbol, decimals: 6, supply };
            client.issue(bob.address(), &new).unwrap_err()
        };
        says(new("", 1), "1 to 16 bytes");
        says(new("X", 0), "above 0");
        let nowhere = client.token(poor.address()).unwrap_err();
        says(nowhere, "is no token");
        says(client.token(client.network().vault.address).unwrap_err(), "is no token");
    });
}

/// A buyer with money in the vault, and a seller.
struct Trade<'a> {
    home: &'a Home,
    buyer: Key,
    seller: Key,
    epoch: u64,
}

impl<'a> Trade<'a> {
    fn new(home: &'a Home, free: u128, bond: u128) -> Self {
        let (buyer, seller) = (person(4), person(5));
        home.give(&buyer, 1000 * ONE);
        home.give(&seller, 0);
        let (client, token) = (&home.client, &home.token);
        if free > 0 {
            home.done(&buyer, &client.deposit(buyer.address(), token, free).unwrap());
        }
        if bond > 0 {
            home.done(&buyer, &client.bond(buyer.address(), token, bond).unwrap());
        }
        let epoch = client.account(buyer.address(), token.address).unwrap().epoch;
        Self { home, buyer, seller, epoch }
    }

    fn domain(&self) -> Domain {
        self.home.client.domain()
    }

    fn account(&self) -> piecework_settle::Account {
        self.home.client.account(self.buyer.address(), self.home.token.address).unwrap()
    }

    fn has(&self, whom: &Key) -> U256 {
        self.home.client.balance(self.home.token.address, whom.address()).unwrap()
    }

    fn cheque(&self, channel: u64, cumulative: u128) -> Cheque {
        Cheque {
            payer: self.buyer.address(),
            payee: self.seller.address(),
            token: self.home.token.address,
            epoch: self.epoch,
            cumulative,
            root: B256::ZERO,
            unit: 0,
            links: 0,
            channel,
        }
    }

    fn claim(&self, cheque: Cheque, signer: &Key) -> Claim {
        let signature = signer.sign(&cheque.digest(&self.domain().separator()));
        Claim { cheque, count: 0, link: B256::ZERO, signature, delegation: None }
    }
}

#[test]
fn a_cheque_is_paid_up_to_its_best_link_and_only_once() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let trade = Trade::new(&home, 100 * ONE, 10 * ONE);
        let links = Links::new(B256::repeat_byte(7), 100).unwrap();
        let base = trade.cheque(1, 0);
        let cheque = Cheque { root: links.root(), unit: ONE / 10, links: 100, ..base };
        let mut claim = trade.claim(cheque, &trade.buyer);
        (claim.count, claim.link) = (30, links.link(30).unwrap());
        let client = &home.client;
        let cash = |claim: &Claim| {
            let plan = client.cash(trade.seller.address(), claim).unwrap();
            client.cashed(&home.done(&trade.seller, &plan)[0])
        };
        assert_eq!(cash(&claim).paid, 3 * ONE);
        assert_eq!(cash(&claim).paid, 0, "the same again is worth nothing more");
        (claim.count, claim.link) = (50, links.link(50).unwrap());
        assert_eq!(cash(&claim).paid, 2 * ONE);
        assert_eq!(trade.has(&trade.seller), U256::from(5 * ONE));
        assert_eq!((trade.account().free, trade.account().bounces), (95 * ONE, 0));
        let state = client.channel(&cheque).unwrap();
        assert_eq!((state.claimed, state.paid), (5 * ONE, 5 * ONE));

        claim.count = 51;
        let error = client.cash(trade.seller.address(), &claim).unwrap_err().to_string();
        assert!(error.contains("the link does not lead to its root"), "{error}");
        let forged = trade.claim(cheque, &trade.seller);
        let error = client.cash(trade.seller.address(), &forged).unwrap_err().to_string();
        assert!(error.contains("the payer did not sign it"), "{error}");
        let stale = trade.claim(Cheque { epoch: cheque.epoch + 1, ..cheque }, &trade.buyer);
        let error = client.cash(trade.seller.address(), &stale).unwrap_err().to_string();
        assert!(error.contains("another epoch"), "{error}");
    });
}

#[test]
fn a_cheque_without_cover_burns_the_bond_stays_owed_and_is_repaid_later() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let trade = Trade::new(&home, 4 * ONE, 10 * ONE);
        let (client, token) = (&home.client, &home.token);
        let cheque = trade.cheque(1, 6 * ONE);
        let claim = trade.claim(cheque, &trade.buyer);
        let plan = client.cash(trade.seller.address(), &claim).unwrap();
        let cashed = client.cashed(&home.done(&trade.seller, &plan)[0]);
        assert_eq!((cashed.paid, cashed.missing, cashed.burnt), (4 * ONE, 2 * ONE, 10 * ONE));
        let account = trade.account();
        assert_eq!((account.free, account.bond, account.bounces), (0, 0, 1));
        assert_eq!(account.owed, U256::from(2 * ONE));

        home.done(&trade.buyer, &client.deposit(trade.buyer.address(), token, 5 * ONE).unwrap());
        let who = (trade.buyer.address(), trade.seller.address(), token.address);
        let plan = client.repay(trade.seller.address(), who, (trade.epoch, 1)).unwrap();
        assert_eq!(client.cashed(&home.done(&trade.seller, &plan)[0]).paid, 2 * ONE);
        assert_eq!((trade.account().owed, trade.account().free), (U256::ZERO, 3 * ONE));
    });
}

#[test]
fn a_session_key_spends_up_to_its_cap_until_it_is_revoked() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let trade = Trade::new(&home, 100 * ONE, 10 * ONE);
        let (client, session) = (&home.client, person(6));
        let now = client.now().unwrap();
        let delegate = Delegate {
            owner: trade.buyer.address(),
            session: session.address(),
            token: home.token.address,
            max_amount: 5 * ONE,
            bond_at_risk: ONE,
            valid_until: now + 3 * DAY,
        };
        let word = client.sign_delegation(&trade.buyer, &delegate).unwrap();
        let long = Delegate { valid_until: now + 9 * DAY, ..delegate };
        let error = client.sign_delegation(&trade.buyer, &long).unwrap_err().to_string();
        assert!(error.contains("within 8 days"), "{error}");

        let digest = delegate.digest(&trade.domain().separator());
        let claim = |channel, amount| {
            let claim = trade.claim(trade.cheque(channel, amount), &session);
            Claim { delegation: Some((delegate, word)), ..claim }
        };
        let cash = |claim: &Claim| {
            let plan = client.cash(trade.seller.address(), claim)?;
            Ok::<_, SettleError>(client.cashed(&home.done(&trade.seller, &plan)[0]))
        };
        assert_eq!(cash(&claim(1, 3 * ONE)).unwrap().paid, 3 * ONE);
        let over = cash(&claim(1, 7 * ONE)).unwrap();
        assert_eq!((over.paid, over.burnt), (2 * ONE, ONE), "the cap, and the bond at risk");
        let state = client.delegation(trade.buyer.address(), digest).unwrap();
        assert_eq!((state.spent, state.burnt), (5 * ONE, ONE));

        home.done(&trade.buyer, &client.revoke(trade.buyer.address(), digest).unwrap());
        let again = client.revoke(trade.buyer.address(), digest).unwrap_err().to_string();
        assert!(again.contains("revoked already"), "{again}");
        chain.advance(DAY + 1);
        let error = cash(&claim(2, ONE)).unwrap_err().to_string();
        assert!(error.contains("the delegation is revoked"), "{error}");
    });
}

#[test]
fn many_cheques_are_credited_at_once_and_invalid_ones_are_named() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let trade = Trade::new(&home, 100 * ONE, 0);
        let (client, token, seller) = (&home.client, &home.token, trade.seller.address());
        let mut claims: Vec<_> =
            (1..=5).map(|channel| trade.claim(trade.cheque(channel, ONE), &trade.buyer)).collect();
        claims[2] = trade.claim(trade.cheque(3, ONE), &trade.seller);
        let plan = client.cash_many(seller, &claims).unwrap();
        assert_eq!(plan.steps.len(), 1);
        let cashed = client.cashed(&home.done(&trade.seller, &plan)[0]);
        assert_eq!(cashed.paid, 4 * ONE);
        assert_eq!(cashed.skipped, [(2, "the payer did not sign it")]);
        assert_eq!(trade.has(&trade.seller), U256::ZERO);
        assert_eq!(client.credit(seller, token.address).unwrap(), U256::from(4 * ONE));

        let plan = client.credit_to_vault(seller, token, (ONE, ONE)).unwrap();
        home.done(&trade.seller, &plan);
        let account = client.account(seller, token.address).unwrap();
        assert_eq!((account.free, account.bond), (ONE, ONE));
        let more = client.credit_to_vault(seller, token, (3 * ONE, 0)).unwrap_err().to_string();
        assert!(more.contains("there are 2 PCE, this takes 3"), "{more}");
        home.done(&trade.seller, &client.withdraw(seller, token).unwrap());
        assert_eq!(trade.has(&trade.seller), U256::from(2 * ONE));
    });
}

#[test]
fn cheques_of_long_chains_are_split_so_that_each_transaction_stays_under_its_cap() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let trade = Trade::new(&home, 500 * ONE, 0);
        let (client, seller) = (&home.client, trade.seller.address());
        let links = Links::new(B256::repeat_byte(9), 4096).unwrap();
        let link = links.link(4096).unwrap();
        let claims: Vec<_> = (1..=64)
            .map(|channel| {
                let base = trade.cheque(channel, 0);
                let cheque = Cheque { root: links.root(), unit: 1, links: 4096, ..base };
                Claim { count: 4096, link, ..trade.claim(cheque, &trade.buyer) }
            })
            .collect();
        let plan = client.cash_many(seller, &claims).unwrap();
        assert!(plan.steps.len() > 1, "{} steps", plan.steps.len());
        let receipts = home.done(&trade.seller, &plan);
        assert!(receipts.iter().all(|receipt| receipt.gas <= piecework_settle::GAS_MAX));
        let paid: u128 = receipts.iter().map(|receipt| client.cashed(receipt).paid).sum();
        assert_eq!(paid, 64 * 4096);
    });
}

#[test]
fn money_comes_out_after_its_delays_and_locks_when_the_payee_agrees() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let trade = Trade::new(&home, 20 * ONE, 10 * ONE);
        let (client, token) = (&home.client, &home.token);
        let (buyer, seller) = (trade.buyer.address(), trade.seller.address());
        let until = client.now().unwrap() + 30 * DAY;
        home.done(&trade.buyer, &client.lock(buyer, token, seller, (5 * ONE, until)).unwrap());
        let lock = client.lock_of(buyer, seller, token.address).unwrap();
        assert_eq!((lock.amount, lock.until), (5 * ONE, until));
        let early = client.close_lock(buyer, (buyer, seller), token, None).unwrap_err().to_string();
        assert!(early.contains("ask the payee"), "{early}");
        let word = client.sign_close_lock(&trade.seller, buyer, token.address).unwrap();
        let plan = client.close_lock(buyer, (buyer, seller), token, Some(&word)).unwrap();
        home.done(&trade.buyer, &plan);
        let again = client.close_lock(buyer, (buyer, seller), token, Some(&word));
        assert!(again.unwrap_err().to_string().contains("did not sign this closing"));
        assert_eq!(trade.account().free, 20 * ONE);

        home.done(&trade.buyer, &client.request_exit(buyer, token, 15 * ONE).unwrap());
        home.done(&trade.buyer, &client.request_bond_exit(buyer, token).unwrap());
        assert_eq!(trade.account().staying(), 5 * ONE);
        let early = client.exit(buyer, token).unwrap_err().to_string();
        assert!(early.contains("not before"), "{early}");
        let had = trade.has(&trade.buyer);
        chain.advance(DAY + 1);
        home.done(&trade.buyer, &client.exit(buyer, token).unwrap());
        assert_eq!(trade.has(&trade.buyer) - had, U256::from(15 * ONE));
        assert!(client.bond_exit(buyer, token).unwrap_err().to_string().contains("not before"));
        chain.advance(7 * DAY);
        home.done(&trade.buyer, &client.bond_exit(buyer, token).unwrap());
        assert_eq!(trade.has(&trade.buyer) - had, U256::from(25 * ONE));
        assert_eq!((trade.account().free, trade.account().bond), (5 * ONE, 0));
    });
}

#[test]
fn a_phrase_alone_finds_accounts_locks_delegations_and_credit_again() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let trade = Trade::new(&home, 20 * ONE, 10 * ONE);
        let (client, token) = (&home.client, &home.token);
        let (buyer, seller) = (trade.buyer.address(), trade.seller.address());
        let until = client.now().unwrap() + DAY;
        home.done(&trade.buyer, &client.lock(buyer, token, seller, (5 * ONE, until)).unwrap());
        let digest = B256::repeat_byte(3);
        home.done(&trade.buyer, &client.revoke(buyer, digest).unwrap());
        let plan = client.cash_many(seller, &[trade.claim(trade.cheque(1, 6 * ONE), &trade.buyer)]);
        home.done(&trade.seller, &plan.unwrap());

        let found = client.recover(buyer).unwrap();
        assert_eq!(found.accounts, [(token.address, trade.account())]);
        assert_eq!(found.locks, [], "the cheque took it all");
        assert_eq!(found.delegations.len(), 1);
        assert_eq!(found.delegations[0].digest, digest);
        assert!(found.delegations[0].state.revoked_at > 0);
        let found = client.recover(seller).unwrap();
        assert_eq!(found.credit, [(token.address, U256::from(6 * ONE))]);
        home.done(&trade.buyer, &client.lock(buyer, token, seller, (2 * ONE, until)).unwrap());
        let found = client.recover(buyer).unwrap();
        assert_eq!((found.locks[0].payee, found.locks[0].lock.amount), (seller, 2 * ONE));
        assert_eq!(client.recover(person(77).address()).unwrap(), Default::default());
    });
}

#[test]
fn who_watches_hears_of_every_way_out() {
    on_every_chain(|chain| {
        let home = Home::new(chain);
        let trade = Trade::new(&home, 20 * ONE, 10 * ONE);
        let (client, token, payer) = (&home.client, &home.token, trade.buyer.address());
        let before = client.height().unwrap() + 1;
        home.done(&trade.buyer, &client.request_exit(payer, token, ONE).unwrap());
        home.done(&trade.buyer, &client.request_bond_exit(payer, token).unwrap());
        home.done(&trade.buyer, &client.revoke_all(payer, token).unwrap());
        let heard = client.vault_events(None, (before, client.height().unwrap())).unwrap();
        let account = trade.account();
        let token = token.address;
        let expected = [
            VaultEvent::ExitRequested { payer, token, amount: ONE, time: account.exit_at },
            VaultEvent::BondExitRequested { payer, token, time: account.bond_exit_at },
        ];
        assert_eq!(heard[..2], expected);
        assert!(matches!(heard[2], VaultEvent::RevokedAll { owner, .. } if owner == payer));
        assert_eq!(heard.len(), 3);
    });
}

#[test]
fn a_chain_made_anew_is_refused_though_its_number_is_the_same() {
    let (chain, other) = (Anvil::start(&[]), Anvil::start(&["--timestamp", "1700000000"]));
    let home = Home::new(&chain);
    let mut network = home.client.network().clone();
    network.rpc = vec![other.url()];
    let error = Client::connect(network, QUICK).err().unwrap().to_string();
    assert!(error.contains("forget this network"), "{error}");
}

#[test]
fn a_chain_without_a_base_fee_is_paid_in_its_old_way() {
    let chain = Anvil::start(&["--hardfork", "berlin"]);
    let home = Home::new(&chain);
    let bob = person(2);
    home.give(&bob, ONE);
    assert_eq!(home.client.balance(home.token.address, bob.address()).unwrap(), U256::from(ONE));
    let fees = home.client.fees().unwrap();
    assert!(matches!(fees, piecework_settle::Fees::Legacy { .. }), "{fees:?}");
}
