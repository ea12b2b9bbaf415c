//! The clerk: what a node wants of its chain, done in turn on one thread.
//!
//! Its invariants: every question and every cash-out is answered once, with nothing where the chain is
//! silent; a channel is cashed only after the chain was asked whether it is already; and what happened on
//! the chain is in the ledger before the place up to which it was watched moves on. Time is an argument.

use crate::cursor::CursorFile;
use crate::desk::{Ask, Desk, OwnAccount};
use crate::facts::{Moment, facts, in_token, question};
use crate::link::{Connect, Link, is_down};
use crate::status::{ChainState, Status};
use alloy_primitives::U256;
use piecework_pay::{Address, Facts, FactsKey, Network};
use piecework_settle::{
    Answer, COIN_DECIMALS, QUESTIONS_MAX, Question, SettleError, Settlement, format_amount,
};
use piecework_types::Time;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

mod cashing;
mod watching;

use cashing::{Collected, UnderWay};

/// How often it is looked what there is for fees, and what they are.
const MEASURE: Duration = Duration::from_secs(60);

/// Payers whose exits are listened for at most; with more, all are.
const PAYERS_MAX: usize = 8192;

/// What a clerk works with.
pub(crate) struct Office {
    /// How the chain is reached.
    pub(crate) connect: Connect,
    /// Who gets the answers.
    pub(crate) desk: Box<dyn Desk>,
    /// What faces look at.
    pub(crate) status: Arc<Mutex<Status>>,
    /// Where the watch of an earlier run ended.
    pub(crate) cursor: CursorFile,
    /// In which money: a network for each token of one vault.
    pub(crate) networks: Vec<Network>,
    /// Whom cheques pay, of a node that sells.
    pub(crate) payee: Option<Address>,
    /// What it pays from.
    pub(crate) accounts: Vec<OwnAccount>,
    /// Of whom there are cheques, from earlier runs.
    pub(crate) payers: BTreeSet<Address>,
    /// The token's smallest units that a coin is worth; without, fees count as nothing.
    pub(crate) coin_price: Option<u128>,
    /// The coin's short name.
    pub(crate) coin: String,
}

pub(crate) struct Clerk {
    office: Office,
    link: Link,
    questions: BTreeSet<FactsKey>,
    funds: BTreeSet<Network>,
    collected: Collected,
    under_way: Vec<UnderWay>,
    fee: u128,
    fee_wei: u128,
    measure_at: Time,
    look_at: Time,
    watch_at: Time,
    note_at: Time,
    /// From where it is watched again: what happened there is not written down.
    watch_again: Option<u64>,
    now: Time,
    wall: u64,
}

impl Clerk {
    pub(crate) fn new(mut office: Office) -> Self {
        let connect = std::mem::replace(&mut office.connect, Box::new(|| Err(gone())));
        Self {
            office,
            link: Link::new(connect),
            questions: BTreeSet::new(),
            funds: BTreeSet::new(),
            collected: Collected::default(),
            under_way: Vec::new(),
            fee: 0,
            fee_wei: 0,
            measure_at: Time::ZERO,
            look_at: Time::ZERO,
            watch_at: Time::ZERO,
            note_at: Time::ZERO,
            watch_again: None,
            now: Time::ZERO,
            wall: 0,
        }
    }

    /// Takes a wish; [`Self::round`] looks after it.
    pub(crate) fn take(&mut self, now: Time, wall: u64, ask: Ask) {
        (self.now, self.wall) = (now, wall);
        match ask {
            Ask::Facts(key) => {
                self.remember(key.payer);
                self.questions.insert(key);
            }
            Ask::Funds(network) => drop(self.funds.insert(network)),
            Ask::Cash(sale) => self.collect(*sale),
            Ask::Account(account) => {
                self.office.accounts.retain(|it| it.network != account.network);
                self.office.accounts.push(account);
            }
        }
    }

    /// Does what is due. It takes as long as the chain takes.
    pub(crate) fn round(&mut self, now: Time, wall: u64) {
        (self.now, self.wall) = (now, wall);
        if self.link.is_due(now) {
            self.connect();
        }
        if now >= self.measure_at {
            self.measure();
        }
        self.answer();
        if now >= self.look_at {
            self.look_after();
        }
        self.cash();
        if now >= self.watch_at {
            self.watch();
        }
    }

    /// When to come back, if nothing is wanted before.
    pub(crate) fn next(&self) -> Time {
        let collected = self.collected.due();
        let look = if self.under_way.is_empty() { Time::NEVER } else { self.look_at };
        let chores = self.measure_at.min(self.watch_at).min(look).min(collected);
        // While the chain is left alone nothing but answers that there are none is to be done.
        chores.max(self.link.retry_at().min(collected))
    }

    fn connect(&mut self) {
        let connected = self.link.connect().map(|chain| {
            // A chain that is lower than it was is watched from where it is.
            let place = self.office.cursor.place().map(|place| place.min(chain.watched()));
            if let Some(place) = place {
                chain.watch_from(place);
            }
            chain.account()
        });
        let mut status = lock(&self.office.status);
        match connected {
            Ok(account) => {
                self.link.worked(self.wall, &mut status);
                status.fee_account = Some(account);
                self.measure_at = self.now;
                self.watch_at = self.now;
            }
            Err(error) => {
                self.link.failed((self.now, self.wall), error.to_string(), &mut status);
            }
        }
    }

    /// Asks the chain and notes whether it answered.
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut dyn Settlement) -> Result<T, SettleError>,
    ) -> Result<T, String> {
        let Some(chain) = self.link.chain(self.now) else {
            let status = lock(&self.office.status);
            return Err(match &status.chain {
                ChainState::Down { why, .. } => why.clone(),
                ChainState::Starting | ChainState::Good => "the chain was not reached yet".into(),
            });
        };
        let asked = ask(chain.as_mut());
        let mut status = lock(&self.office.status);
        match &asked {
            Err(error) if is_down(error) => {
                self.link.failed((self.now, self.wall), error.to_string(), &mut status);
            }
            Err(error) => {
                if matches!(error, SettleError::Coin { .. }) {
                    status.dry = Some(error.to_string());
                }
                self.link.worked(self.wall, &mut status);
            }
            Ok(_) => self.link.worked(self.wall, &mut status),
        }
        asked.map_err(|error| error.to_string())
    }

    fn statements(&mut self, questions: &[Question]) -> Result<Vec<Answer>, String> {
        let count = questions.len();
        let answers = self.ask(|chain| chain.statements(questions))?;
        if answers.len() == count {
            Ok(answers)
        } else {
            Err("the chain left an answer out".into())
        }
    }

    /// Answers whatever was asked.
    fn answer(&mut self) {
        let mut asked = Vec::new();
        for key in std::mem::take(&mut self.questions) {
            asked.push((Asked::Payer(key), question(&key), key.valid_until));
        }
        for network in std::mem::take(&mut self.funds) {
            let account = self.office.accounts.iter().find(|it| it.network == network);
            match account.map(OwnAccount::question) {
                Some((question, until)) => asked.push((Asked::Own(network), question, until)),
                None => self.office.desk.funds(network, None),
            }
        }
        for some in asked.chunks(QUESTIONS_MAX) {
            let questions: Vec<_> = some.iter().map(|(_, question, _)| *question).collect();
            let answers = self.ask(|chain| {
                let chain_time = chain.now()?;
                Ok((chain_time, chain.statements(&questions)?))
            });
            let (chain_time, answers) = answers.unwrap_or_default();
            let moment = Moment { chain_time, fee: self.fee };
            for (place, (who, _, until)) in some.iter().enumerate() {
                let answer = answers.get(place).filter(|_| self.is_ours(who.network()));
                self.reply(who, answer.map(|answer| facts(answer, *until, moment)));
            }
        }
    }

    fn reply(&mut self, who: &Asked, facts: Option<Facts>) {
        match who {
            Asked::Payer(key) => self.office.desk.facts(*key, facts),
            Asked::Own(network) => self.office.desk.funds(*network, facts),
        }
    }

    /// What there is for fees, what they are, and what was credited.
    fn measure(&mut self) {
        self.measure_at = self.now + MEASURE;
        let (payee, networks) = (self.office.payee, self.office.networks.clone());
        let measured = self.ask(|chain| {
            let means = chain.means()?;
            let mut credit = U256::ZERO;
            for network in payee.is_some().then_some(&networks).into_iter().flatten() {
                let its = chain.credit(payee.unwrap_or_default(), network.token)?;
                credit = credit.saturating_add(its);
            }
            Ok((means, credit))
        });
        let Ok((means, credit)) = measured else { return };
        self.fee_wei = means.cheque_fee.saturating_to();
        self.fee = in_token(self.fee_wei, self.office.coin_price.unwrap_or(0));
        let mut status = lock(&self.office.status);
        status.coin_left = Some(means.coin.saturating_to());
        status.cheque_fee = Some(self.fee_wei);
        status.cheque_fee_token = self.fee;
        status.is_unpriced = self.fee_wei > 0 && self.office.coin_price.is_none();
        status.credit = credit.saturating_to();
        let is_dry = payee.is_some() && means.coin < means.cheque_fee;
        let account = status.fee_account.unwrap_or_default();
        let whole = |wei| format_amount(wei, COIN_DECIMALS);
        status.dry = is_dry.then(|| {
            let (left, coin, fee) = (whole(means.coin), &self.office.coin, whole(means.cheque_fee));
            format!(
                "nothing can be cashed: {account} has {left} {coin} for fees and a cash-out takes about \
                 {fee}; send it some"
            )
        });
    }

    /// Whether it is the chain and the vault that this clerk asks.
    fn is_ours(&self, network: Network) -> bool {
        self.office.networks.contains(&network)
    }

    fn remember(&mut self, payer: Address) {
        if self.office.payers.len() < PAYERS_MAX {
            self.office.payers.insert(payer);
        }
    }

    /// Whether exits of this payer concern us, as far as that is remembered.
    fn knows(&self, payer: &Address) -> bool {
        self.office.payers.len() >= PAYERS_MAX || self.office.payers.contains(payer)
    }
}

/// Who waits for an answer.
enum Asked {
    Payer(FactsKey),
    Own(Network),
}

impl Asked {
    fn network(&self) -> Network {
        match self {
            Self::Payer(key) => key.network,
            Self::Own(network) => *network,
        }
    }
}

pub(crate) fn lock(status: &Mutex<Status>) -> std::sync::MutexGuard<'_, Status> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Said by nobody: the way to connect is the link's from the start.
fn gone() -> SettleError {
    SettleError::NotSent(0)
}
