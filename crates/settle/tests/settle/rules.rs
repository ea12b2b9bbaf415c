//! The rules in memory are the contract's: the same random operations are done to both.

use crate::chain::{Anvil, Chain, Home, QUICK, carry_out, person};
use alloy_primitives::{Address, B256};
use piecework_pay::{Cheque, Delegate, Key, Links, Typed};
use piecework_settle::{
    At, Books, Claim, Client, Evm, Memory, Plan, SeenFile, SettleError, Settlement,
};
use std::sync::{Arc, Mutex};

const DAY: u64 = 24 * 3600;
const OPERATIONS: u32 = 250;
const SEEDS: [u64; 2] = [1, 2];

/// xorshift64*: the sequence is all that matters.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % sides
    }
}

/// Two people who pay each other, on the chain and in the books.
struct Twins<'a> {
    chain: &'a Anvil,
    home: Home,
    books: Arc<Mutex<Books>>,
    people: [Key; 2],
    session: Key,
    links: Links,
    delegations: Vec<Delegate>,
    dice: Dice,
    /// How often both did something, and how often both refused.
    done: u32,
    refused: u32,
}

impl<'a> Twins<'a> {
    fn new(chain: &'a Anvil, seed: u64) -> Self {
        let home = Home::new(chain);
        let people = [person(31), person(32)];
        let now = home.client.now().unwrap();
        let mut books = Books::new(home.client.domain(), now);
        for whom in &people {
            home.give(whom, 10_000);
            books.mint(whom.address(), home.token.address, 10_000).unwrap();
        }
        Self {
            chain,
            home,
            books: Arc::new(Mutex::new(books)),
            people,
            session: person(33),
            links: Links::new(B256::repeat_byte(5), 8).unwrap(),
            delegations: Vec::new(),
            dice: Dice(seed),
            done: 0,
            refused: 0,
        }
    }

    /// Does the same to both and demands the same of both.
    fn both(
        &mut self,
        what: &str,
        who: usize,
        plan: impl Fn(&Client, Address) -> Result<Plan, SettleError>,
        book: impl Fn(&mut Books, Address) -> Result<(), SettleError>,
    ) {
        let (key, client) = (&self.people[who], &self.home.client);
        let on_chain = plan(client, key.address()).and_then(|plan| carry_out(client, key, &plan));
        let mut books = self.books.lock().unwrap();
        books.now = self.chain.rpc.block(At::Latest).unwrap().unwrap().timestamp;
        let in_books = book(&mut books, key.address());
        drop(books);
        match (&on_chain, &in_books) {
            (Ok(_), Ok(())) => self.done += 1,
            (Err(_), Err(_)) => self.refused += 1,
            (Err(error), Ok(())) => panic!("{what}: the chain alone refuses: {error}"),
            (Ok(_), Err(error)) => panic!("{what}: the books alone refuse: {error}"),
        }
        self.compare(what);
    }

    fn compare(&self, what: &str) {
        let (client, token) = (&self.home.client, self.home.token.address);
        let books = self.books.lock().unwrap();
        for (one, other) in [(0, 1), (1, 0)] {
            let (one, other) = (self.people[one].address(), self.people[other].address());
            assert_eq!(client.account(one, token).unwrap(), books.account(one, token), "{what}");
            let lock = client.lock_of(one, other, token).unwrap();
            assert_eq!(lock, books.lock_of(one, other, token), "{what}");
            assert_eq!(client.credit(one, token).unwrap(), books.credit(one, token), "{what}");
            let balance: u128 = client.balance(token, one).unwrap().to();
            assert_eq!(balance, books.balance(one, token), "{what}");
            for delegate in &self.delegations {
                let digest = delegate.digest(&client.domain().separator());
                let state = client.delegation(one, digest).unwrap();
                assert_eq!(state, books.delegation(one, digest), "{what}");
            }
        }
    }

    fn claim(&mut self, payer: usize) -> Claim {
        let (client, token) = (&self.home.client, self.home.token.address);
        let (owner, payee) = (&self.people[payer], self.people[1 - payer].address());
        let account = self.books.lock().unwrap().account(owner.address(), token);
        let epoch = if self.dice.roll(12) == 0 { account.epoch + 1 } else { account.epoch };
        let cheque = Cheque {
            payer: owner.address(),
            payee,
            token,
            epoch,
            cumulative: u128::from(self.dice.roll(1500)),
            root: self.links.root(),
            unit: u128::from(self.dice.roll(40)),
            links: 8,
            channel: self.dice.roll(3),
        };
        let count = u32::try_from(self.dice.roll(10)).unwrap();
        // A link too far, and one that is another's, are among them.
        let link = self.links.link(count.clamp(1, 8)).unwrap();
        let link = if self.dice.roll(15) == 0 { B256::ZERO } else { link };
        let separator = client.domain().separator();
        let digest = cheque.digest(&separator);
        let its: Vec<_> =
            self.delegations.iter().filter(|it| it.owner == owner.address()).collect();
        let by_session = self.dice.roll(2) == 0 && !its.is_empty();
        let (signature, delegation) = if by_session {
            let delegate = *its[usize::try_from(self.dice.roll(its.len() as u64)).unwrap()];
            let word = owner.sign(&delegate.digest(&separator));
            (self.session.sign(&digest), Some((delegate, word)))
        } else if self.dice.roll(12) == 0 {
            (self.session.sign(&digest), None)
        } else {
            (owner.sign(&digest), None)
        };
        Claim { cheque, count, link, signature, delegation }
    }

    fn step(&mut self) {
        let who = usize::try_from(self.dice.roll(2)).unwrap();
        let (me, other) = (self.people[who].address(), self.people[1 - who].address());
        let token = self.home.token.clone();
        let (its, amount) = (token.address, u128::from(self.dice.roll(1200)));
        match self.dice.roll(17) {
            0 | 1 => self.both(
                "deposit",
                who,
                |c, me| c.deposit(me, &token, amount),
                |b, me| b.fund(me, its, (amount, 0)),
            ),
            2 => self.both(
                "bond",
                who,
                |c, me| c.bond(me, &token, amount),
                |b, me| b.fund(me, its, (0, amount)),
            ),
            3 => {
                let until = self.home.client.now().unwrap() + self.dice.roll(3) * DAY;
                self.both(
                    "lock",
                    who,
                    |c, me| c.lock(me, &token, other, (amount, until)),
                    |b, me| b.lock(me, (other, its), (amount, until)),
                );
            }
            4 => {
                let who_signs = &self.people[1 - who];
                let word = self.home.client.sign_close_lock(who_signs, me, its).unwrap();
                let word = (self.dice.roll(2) == 0).then_some(word);
                let names = (me, other);
                self.both(
                    "close",
                    who,
                    |c, me| c.close_lock(me, names, &token, word.as_ref()),
                    |b, me| b.close_lock(me, (me, other, its), word.as_ref()),
                );
            }
            5 => self.both(
                "ask",
                who,
                |c, me| c.request_exit(me, &token, amount),
                |b, me| {
                    if b.account(me, its).free < amount {
                        return Err(SettleError::NotSent(0));
                    }
                    b.request_exit(me, its, amount)
                },
            ),
            6 => self.both("exit", who, |c, me| c.exit(me, &token), |b, me| b.exit(me, its)),
            7 => self.both(
                "ask for the bond",
                who,
                |c, me| c.request_bond_exit(me, &token),
                |b, me| b.request_bond_exit(me, its),
            ),
            8 => self.both(
                "bond exit",
                who,
                |c, me| c.bond_exit(me, &token),
                |b, me| b.bond_exit(me, its),
            ),
            9 => self.both(
                "revoke all",
                who,
                |c, me| c.revoke_all(me, &token),
                |b, me| b.revoke_all(me, its),
            ),
            10 => self.both(
                "withdraw",
                who,
                |c, me| c.withdraw(me, &token),
                |b, me| {
                    if b.credit(me, its).is_zero() {
                        return Err(SettleError::NotSent(0));
                    }
                    b.withdraw(me, its)
                },
            ),
            11 => self.both(
                "move credit",
                who,
                |c, me| c.credit_to_vault(me, &token, (amount, 3)),
                |b, me| b.credit_to_vault(me, its, (amount, 3)),
            ),
            12 => {
                let days = self.dice.roll(9);
                let valid_until = self.home.client.now().unwrap() + days * DAY + 100;
                let (max_amount, bond_at_risk) = (amount, u128::from(self.dice.roll(300)));
                let session = self.session.address();
                let delegate = Delegate {
                    owner: me,
                    session,
                    token: its,
                    max_amount,
                    bond_at_risk,
                    valid_until,
                };
                self.delegations.push(delegate);
            }
            13 => {
                let epoch = self.books.lock().unwrap().account(me, its).epoch;
                let (names, at) = ((me, other, its), (epoch, self.dice.roll(3)));
                self.both(
                    "repay",
                    who,
                    |c, me| c.repay(me, names, at),
                    |b, _| b.repay(names, at).map(drop),
                );
            }
            14 => {
                let claims: Vec<_> = (0..4).map(|at| self.claim(at % 2)).collect();
                self.both(
                    "cash many",
                    who,
                    |c, me| c.cash_many(me, &claims),
                    |b, _| b.cash_many(&claims).map(drop),
                );
            }
            15 => self.chain.advance(self.dice.roll(30) * 3600),
            _ => {
                let claim = self.claim(who);
                self.both(
                    "cash",
                    1 - who,
                    |c, me| c.cash(me, &claim),
                    |b, _| b.cash(&claim).map(drop),
                );
            }
        }
    }
}

#[test]
fn the_same_random_operations_do_the_same_to_the_contract_and_to_the_books() {
    for seed in SEEDS {
        let chain = Anvil::start(&["--hardfork", "prague"]);
        let mut twins = Twins::new(&chain, seed);
        (0..OPERATIONS).for_each(|_| twins.step());
        println!("seed {seed}: {} done, {} refused", twins.done, twins.refused);
        assert!(twins.done > OPERATIONS / 4 && twins.refused > OPERATIONS / 20);
    }
}

#[test]
#[should_panic(expected = "a planted difference")]
fn a_single_unit_of_difference_is_noticed() {
    let chain = Anvil::start(&["--hardfork", "prague"]);
    let twins = Twins::new(&chain, 1);
    twins.compare("before");
    let (payer, token) = (twins.people[0].address(), twins.home.token.address);
    twins.books.lock().unwrap().fund(payer, token, (0, 1)).unwrap();
    twins.compare("a planted difference");
}

/// The same story told through the trait that nodes use.
fn story(payer: &Key, token: Address, epoch: u64, mut money: Box<dyn Settlement>) -> String {
    let payee = person(32).address();
    let separator = money.info().domain.separator();
    let mut told = String::new();
    let claims: Vec<_> = [(1, 400), (1, 300), (2, 900), (3, 10)]
        .map(|(channel, cumulative)| {
            let (root, unit, links, payer_) = (B256::ZERO, 0, 0, payer.address());
            let cheque = Cheque {
                payer: payer_,
                payee,
                token,
                epoch,
                cumulative,
                root,
                unit,
                links,
                channel,
            };
            let signature = payer.sign(&cheque.digest(&separator));
            Claim { cheque, count: 0, link: B256::ZERO, signature, delegation: None }
        })
        .into();
    let tickets: Vec<_> = claims[..2].iter().map(|claim| money.cash(claim).unwrap()).collect();
    for ticket in tickets.into_iter().chain(money.cash_many(&claims[2..]).unwrap()) {
        let cashed = loop {
            if let Some(cashed) = money.outcome(ticket).unwrap() {
                break cashed;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        told += &format!("{cashed:?}\n");
    }
    let funds = money.verify_funds(payer.address(), payee, token).unwrap();
    let credit = money.credit(payee, token).unwrap();
    let channel = money.channel(&claims[2].cheque).unwrap();
    // In which block and transaction is each chain's own.
    let events: Vec<_> = money.watch().unwrap().into_iter().map(|it| it.event).collect();
    told + &format!("{funds:?} {credit} {channel:?} {events:?}")
}

#[test]
fn a_node_sees_the_same_whether_money_is_on_a_chain_or_in_memory() {
    let chain = Anvil::start(&["--hardfork", "prague"]);
    let home = Home::new(&chain);
    let (payer, payee, token) = (person(31), person(32), &home.token);
    home.give(&payer, 10_000);
    home.give(&payee, 0);
    let client = &home.client;
    home.done(&payer, &client.deposit(payer.address(), token, 1000).unwrap());
    let at = client.account(payer.address(), token.address).unwrap().epoch;
    home.done(&payer, &client.bond(payer.address(), token, 50).unwrap());
    let network = client.network().clone();
    let (client, _) = Client::connect(network, QUICK).unwrap();
    let mut books = Books::new(client.domain(), at);
    books.mint(payer.address(), token.address, 10_000).unwrap();
    books.fund(payer.address(), token.address, (1000, 0)).unwrap();
    books.fund(payer.address(), token.address, (0, 50)).unwrap();

    let fee_most = alloy_primitives::U256::from(10).pow(alloy_primitives::U256::from(18));
    let state = tempfile::tempdir().unwrap();
    let seen = SeenFile::of(state.path());
    let evm = Evm::new(client, seen, Box::new(payee), fee_most).unwrap();
    let on_chain = story(&payer, token.address, at, Box::new(evm));
    let memory = Memory::new(Arc::new(Mutex::new(books)));
    assert_eq!(on_chain, story(&payer, token.address, at, Box::new(memory)));
}
