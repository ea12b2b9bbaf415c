//! A clerk with books that misbehave, and what it has said.

use crate::clerk::{Clerk, Office, lock};
use crate::cursor::CursorFile;
use crate::desk::{Ask, Desk, OwnAccount, SaleKey};
use crate::status::Status;
use alloy_primitives::{Address, B256, U256};
use piecework_ledger::CashOut;
use piecework_pay::{
    Cheque, Domain, Facts, FactsKey, Key, LastCheque, Network, Sale, SignedCheque, Typed,
};
use piecework_settle::{
    Answer, Books, Cashed, ChannelState, Claim, Cost, DelegationState, Funds, Happened, Info,
    Means, Memory, Question, RpcError, RpcFault, SettleError, Settlement, Ticket,
};
use piecework_types::Time;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub(super) const TOKEN: Address = Address::repeat_byte(9);
pub(super) const PAYEE: Address = Address::repeat_byte(6);
/// Whose coin pays.
pub(super) const FEES: Address = Address::repeat_byte(5);
const DOMAIN: Domain = Domain { chain_id: 7, verifying_contract: Address::repeat_byte(1) };

pub(super) fn network() -> Network {
    Network {
        chain_id: DOMAIN.chain_id,
        vault: DOMAIN.verifying_contract,
        token: TOKEN,
        genesis: [0; 8],
    }
}

/// What goes wrong, and how often what was asked.
#[derive(Default)]
pub(super) struct Chain {
    /// All that is asked fails so.
    pub(super) trouble: Option<fn() -> SettleError>,
    /// Nothing can be sent for this reason.
    pub(super) refusal: Option<fn() -> SettleError>,
    /// What was sent does not end.
    pub(super) is_slow: bool,
    /// An earlier run has sent something.
    pub(super) is_busy: bool,
    pub(super) means: Option<Means>,
    /// What one transaction costs.
    pub(super) fee: U256,
    /// As if all that happened did so in one transaction.
    pub(super) is_one_transaction: bool,
    pub(super) asked: usize,
    pub(super) cashed: usize,
    pub(super) cashed_many: usize,
    pub(super) hurried: usize,
}

pub(super) fn unreachable() -> SettleError {
    let fault = RpcFault::Unreachable("refused".into());
    RpcError { server: "http://there".into(), method: "eth_call", tries: 1, fault }.into()
}

struct Faulty {
    memory: Memory,
    chain: Arc<Mutex<Chain>>,
}

impl Faulty {
    fn chain(&self) -> Result<MutexGuard<'_, Chain>, SettleError> {
        let mut chain = self.chain.lock().unwrap();
        chain.asked += 1;
        chain.trouble.map_or(Ok(chain), |trouble| Err(trouble()))
    }
}

impl Settlement for Faulty {
    fn info(&self) -> Info {
        self.memory.info()
    }

    fn account(&self) -> Address {
        FEES
    }

    fn now(&self) -> Result<u64, SettleError> {
        drop(self.chain()?);
        self.memory.now()
    }

    fn verify_funds(
        &self,
        payer: Address,
        payee: Address,
        token: Address,
    ) -> Result<Funds, SettleError> {
        self.memory.verify_funds(payer, payee, token)
    }

    fn statements(&self, questions: &[Question]) -> Result<Vec<Answer>, SettleError> {
        drop(self.chain()?);
        self.memory.statements(questions)
    }

    fn means(&self) -> Result<Means, SettleError> {
        let means = self.chain()?.means;
        means.map_or_else(|| self.memory.means(), Ok)
    }

    fn cost(&self, happened: &Happened) -> Result<Cost, SettleError> {
        let fee = self.chain()?.fee;
        Ok(Cost { fee, ..self.memory.cost(happened)? })
    }

    fn channel(&self, cheque: &Cheque) -> Result<ChannelState, SettleError> {
        self.memory.channel(cheque)
    }

    fn delegation(&self, owner: Address, digest: B256) -> Result<DelegationState, SettleError> {
        self.memory.delegation(owner, digest)
    }

    fn credit(&self, payee: Address, token: Address) -> Result<U256, SettleError> {
        self.memory.credit(payee, token)
    }

    fn cash(&mut self, claim: &Claim) -> Result<Ticket, SettleError> {
        let refusal = self.chain()?.refusal;
        if let Some(refusal) = refusal {
            return Err(refusal());
        }
        self.chain()?.cashed += 1;
        self.memory.cash(claim)
    }

    fn cash_many(&mut self, claims: &[Claim]) -> Result<Vec<Ticket>, SettleError> {
        self.chain()?.cashed_many += 1;
        self.memory.cash_many(claims)
    }

    fn outcome(&mut self, ticket: Ticket) -> Result<Option<Cashed>, SettleError> {
        if self.chain()?.is_slow { Ok(None) } else { self.memory.outcome(ticket) }
    }

    fn hurry(&mut self, _: Ticket) -> Result<bool, SettleError> {
        self.chain()?.hurried += 1;
        Ok(true)
    }

    fn is_busy(&self) -> Result<bool, SettleError> {
        Ok(self.chain()?.is_busy)
    }

    fn watch(&mut self) -> Result<Vec<Happened>, SettleError> {
        let is_one = self.chain()?.is_one_transaction;
        let mut happened = self.memory.watch()?;
        for one in happened.iter_mut().filter(|_| is_one) {
            one.transaction = B256::repeat_byte(1);
        }
        Ok(happened)
    }

    fn watched(&self) -> u64 {
        self.memory.watched()
    }

    fn watch_from(&mut self, place: u64) {
        self.memory.watch_from(place);
    }
}

/// What the clerk has said.
#[derive(Default)]
pub(super) struct Said {
    pub(super) facts: Vec<(FactsKey, Option<Facts>)>,
    pub(super) funds: Vec<Option<Facts>>,
    pub(super) cashed: Vec<(u64, Option<u128>)>,
    pub(super) exiting: Vec<Address>,
    pub(super) settled: Vec<CashOut>,
    /// Nothing can be written.
    pub(super) is_full: bool,
}

struct Ear(Arc<Mutex<Said>>);

impl Desk for Ear {
    fn facts(&mut self, key: FactsKey, facts: Option<Facts>) {
        self.0.lock().unwrap().facts.push((key, facts));
    }

    fn funds(&mut self, _: Network, facts: Option<Facts>) {
        self.0.lock().unwrap().funds.push(facts);
    }

    fn cashed(&mut self, sale: &SaleKey, paid: Option<u128>) {
        self.0.lock().unwrap().cashed.push((sale.channel, paid));
    }

    fn exiting(&mut self, _: Network, payer: Address) {
        self.0.lock().unwrap().exiting.push(payer);
    }

    fn settled(&mut self, cash_out: &CashOut) -> Result<(), String> {
        let mut said = self.0.lock().unwrap();
        if said.is_full {
            return Err("no space left".into());
        }
        said.settled.push(*cash_out);
        Ok(())
    }
}

/// A clerk at work.
pub(super) struct Bench {
    pub(super) books: Arc<Mutex<Books>>,
    chain: Arc<Mutex<Chain>>,
    said: Arc<Mutex<Said>>,
    status: Arc<Mutex<Status>>,
    clerk: Clerk,
    now: Time,
    folder: Arc<tempfile::TempDir>,
}

impl Bench {
    pub(super) fn new() -> Self {
        let books = Arc::new(Mutex::new(Books::new(DOMAIN, 1_000)));
        Self::at(books, Arc::new(tempfile::tempdir().unwrap()))
    }

    /// The same place after a crash.
    pub(super) fn again(&self) -> Self {
        Self::at(Arc::clone(&self.books), Arc::clone(&self.folder))
    }

    fn at(books: Arc<Mutex<Books>>, folder: Arc<tempfile::TempDir>) -> Self {
        let (chain, said, status): (Arc<Mutex<Chain>>, _, _) = Default::default();
        let its = (Arc::clone(&books), Arc::clone(&chain));
        let connect = move || {
            let (books, chain) = (Arc::clone(&its.0), Arc::clone(&its.1));
            let faulty = Faulty { memory: Memory::new(books), chain };
            drop(faulty.chain()?);
            Ok(Box::new(faulty) as Box<dyn Settlement>)
        };
        let account =
            OwnAccount { network: network(), account: buyer(200).address(), delegation: None };
        let office = Office {
            connect: Box::new(connect),
            desk: Box::new(Ear(Arc::clone(&said))),
            status: Arc::clone(&status),
            cursor: CursorFile::of(folder.path(), B256::ZERO),
            networks: vec![network()],
            payee: Some(PAYEE),
            accounts: vec![account],
            payers: BTreeSet::new(),
            coin_price: Some(2_000_000),
            coin: "ETH".into(),
        };
        let clerk = Clerk::new(office);
        Self { books, chain, said, status, clerk, now: Time::ZERO, folder }
    }

    pub(super) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap()
    }

    pub(super) fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap()
    }

    /// What it has answered to cash-outs.
    pub(super) fn cashed(&self) -> Vec<(u64, Option<u128>)> {
        self.said().cashed.clone()
    }

    /// What it has told the ledger.
    pub(super) fn settled(&self) -> Vec<CashOut> {
        self.said().settled.clone()
    }

    /// Cheques that were cashed alone, and transactions that cashed several.
    pub(super) fn sent(&self) -> (usize, usize) {
        let chain = self.chain();
        (chain.cashed, chain.cashed_many)
    }

    pub(super) fn asked(&self) -> usize {
        self.chain().asked
    }

    pub(super) fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    pub(super) fn take(&mut self, ask: Ask) {
        self.clerk.take(self.now, self.wall(), ask);
    }

    pub(super) fn ask(&mut self, key: FactsKey) {
        self.take(Ask::Facts(key));
        self.round();
    }

    pub(super) fn cash(&mut self, sale: Sale) {
        self.take(Ask::Cash(Box::new(sale)));
    }

    pub(super) fn round(&mut self) {
        self.clerk.round(self.now, self.wall());
    }

    /// Lets time pass, and the clerk work whenever it wants to.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let next = self.clerk.next().max(self.now + Duration::from_millis(1));
            if next > end {
                break;
            }
            self.now = next;
            self.round();
        }
        self.now = end;
        self.round();
    }

    /// An account with so much free, and as much bond.
    pub(super) fn fund(&self, key: &Key, free: u128) {
        let mut books = self.books.lock().unwrap();
        books.mint(key.address(), TOKEN, 2 * free).unwrap();
        books.fund(key.address(), TOKEN, (free, free)).unwrap();
    }

    fn wall(&self) -> u64 {
        5_000 + self.now.since(Time::ZERO).as_secs()
    }
}

pub(super) fn buyer(number: u8) -> Key {
    Key::new(&[number; 32]).unwrap()
}

pub(super) fn key_of(payer: &Key, channel: u64) -> FactsKey {
    let (network, payer) = (network(), payer.address());
    FactsKey { network, payer, payee: PAYEE, delegation: None, valid_until: 0, channel }
}

/// A sale of a channel that is worth so much.
pub(super) fn sale(payer: &Key, channel: u64, value: u128) -> Sale {
    let cheque = Cheque {
        payer: payer.address(),
        payee: PAYEE,
        token: TOKEN,
        epoch: 1_000,
        cumulative: value,
        root: B256::ZERO,
        unit: 0,
        links: 0,
        channel,
    };
    let signature = payer.sign(&cheque.digest(&DOMAIN.separator()));
    let signed = SignedCheque { cheque, signature };
    let last = LastCheque { signed, number: 0, link: B256::ZERO };
    Sale { network: network(), torrent: [1; 20], delegation: None, last, paid: 0, since: 1 }
}
