//! Cashing: what comes together is sent together, looked after until it counts, and answered once.
//!
//! Before anything is sent the chain is asked what it has of the channels. So what an earlier run sent and
//! did not live to see is not sent again, unless it never arrived.

use super::{Clerk, lock};
use crate::desk::SaleKey;
use crate::facts::question;
use crate::payers::delegate;
use crate::status::WaitingSale;
use piecework_pay::{FactsKey, Sale, Typed};
use piecework_settle::{Answer, Claim, QUESTIONS_MAX, SettleError, Ticket};
use piecework_types::Time;
use std::time::Duration;

/// How long cash-outs are collected before they are sent: a till gives several at once.
const COLLECT: Duration = Duration::from_secs(1);
/// Cheques of one transaction: of sessions with long chains of links they fit into the gas of one.
const TOGETHER_MAX: usize = 64;
/// Transactions under way at most. More wait.
const UNDER_WAY_MAX: usize = 16;
/// How often transactions under way are looked after.
const LOOK: Duration = Duration::from_secs(2);
/// After so long in no block one is sent again at a higher price.
const HURRY: Duration = Duration::from_secs(60);
/// How often it is looked whether transactions of an earlier run are through, and how long they are waited
/// for.
const BUSY: Duration = Duration::from_secs(15);
const BUSY_MAX: Duration = Duration::from_secs(600);

/// What is about to be sent.
#[derive(Debug, Default)]
pub(super) struct Collected {
    sales: Vec<Sale>,
    /// When it is sent, and how long it may be put off.
    due: Option<(Time, Time)>,
}

impl Collected {
    pub(super) fn due(&self) -> Time {
        self.due.map_or(Time::NEVER, |(at, _)| at)
    }
}

/// Cash-outs that were sent together.
#[derive(Debug)]
pub(super) struct UnderWay {
    sales: Vec<Sale>,
    /// What has not ended.
    tickets: Vec<Ticket>,
    hurry_at: Time,
    /// Why they may not be paid.
    failed: Option<String>,
    /// Those of one transaction that the vault took for invalid, by their place, and why.
    skipped: Vec<(u64, &'static str)>,
}

impl Clerk {
    pub(super) fn collect(&mut self, sale: Sale) {
        self.remember(sale.last.signed.cheque.payer);
        self.note(&sale, None);
        self.collected.sales.push(sale);
        let (soon, latest) = (self.now + COLLECT, self.now + BUSY_MAX);
        self.collected.due.get_or_insert((soon, latest));
    }

    /// Sends what was collected, when it is time.
    pub(super) fn cash(&mut self) {
        let Some((due, latest)) = self.collected.due.filter(|(due, _)| *due <= self.now) else {
            return;
        };
        match self.ask(|chain| chain.is_busy()) {
            // The numbers behind theirs are not ours to give yet, and what they cash need not be.
            Ok(true) if due < latest => {
                return self.collected.due = Some(((self.now + BUSY).min(latest), latest));
            }
            Ok(_) if self.under_way.len() >= UNDER_WAY_MAX => {
                return self.collected.due = Some((self.now + LOOK, latest));
            }
            Ok(_) => {}
            Err(why) => {
                let sales = std::mem::take(&mut self.collected).sales;
                return self.put_off(&sales, &why);
            }
        }
        let more = self.collected.sales.split_off(TOGETHER_MAX.min(self.collected.sales.len()));
        let sales = std::mem::replace(&mut self.collected.sales, more);
        if self.collected.sales.is_empty() {
            self.collected.due = None;
        }
        let unpaid = self.leave_out_paid(&sales);
        self.send(unpaid);
    }

    /// Answers those that are paid, or about to be, and leaves the others.
    fn leave_out_paid(&mut self, sales: &[Sale]) -> Vec<Sale> {
        let mut unpaid = Vec::new();
        for some in sales.chunks(QUESTIONS_MAX) {
            let questions: Vec<_> = some.iter().map(|sale| question(&key(sale))).collect();
            let answers = match self.statements(&questions) {
                Ok(answers) => answers,
                Err(why) => {
                    self.put_off(some, &why);
                    continue;
                }
            };
            for (sale, answer) in some.iter().zip(&answers) {
                match outlook(sale, answer) {
                    Outlook::Send => unpaid.push(sale.clone()),
                    Outlook::Paid(paid) => self.paid(sale, paid),
                    Outlook::Wait(why) => self.put_off(std::slice::from_ref(sale), why),
                }
            }
        }
        unpaid
    }

    fn send(&mut self, sales: Vec<Sale>) {
        let claims: Vec<_> = sales.iter().map(claim).collect();
        let tickets = match claims.as_slice() {
            [] => return,
            [claim] => self.ask(|chain| Ok(vec![chain.cash(claim)?])),
            claims => self.ask(|chain| chain.cash_many(claims)),
        };
        match tickets {
            Ok(tickets) => {
                tracing::debug!(channels = sales.len(), "cash-outs are sent");
                let (failed, skipped, hurry_at) = (None, Vec::new(), self.now + HURRY);
                self.under_way.push(UnderWay { sales, tickets, hurry_at, failed, skipped });
                self.look_at = self.now + LOOK;
            }
            Err(why) => self.put_off(&sales, &why),
        }
    }

    /// Looks after what is under way.
    pub(super) fn look_after(&mut self) {
        self.look_at = self.now + LOOK;
        for mut sent in std::mem::take(&mut self.under_way) {
            self.look(&mut sent);
            if !sent.tickets.is_empty() || !self.answer_sent(&sent) {
                self.under_way.push(sent);
            }
        }
    }

    /// Asks for the outcomes of one.
    fn look(&mut self, sent: &mut UnderWay) {
        let is_one = sent.tickets.len() == 1;
        let is_late = self.now >= sent.hurry_at;
        for ticket in std::mem::take(&mut sent.tickets) {
            // An error of the chain says nothing of the transaction.
            let outcome = self.ask(|chain| match chain.outcome(ticket) {
                Err(error) if crate::link::is_down(&error) => Err(error),
                Err(error) => Ok(Outcome::Failed(error)),
                Ok(None) => Ok(Outcome::Waits),
                Ok(Some(cashed)) => Ok(Outcome::Cashed(cashed)),
            });
            match outcome {
                Err(_) | Ok(Outcome::Waits) => sent.tickets.push(ticket),
                Ok(Outcome::Failed(error)) => sent.failed = Some(error.to_string()),
                Ok(Outcome::Cashed(cashed)) if is_one => sent.skipped = cashed.skipped,
                Ok(Outcome::Cashed(_)) => {}
            }
        }
        if is_late {
            sent.hurry_at = self.now + HURRY;
            for ticket in &sent.tickets {
                // Where it cannot be, it waits as it is.
                drop(self.ask(|chain| chain.hurry(*ticket)));
            }
        }
    }

    /// Tells what the vault has paid; answers whether the chain told.
    fn answer_sent(&mut self, sent: &UnderWay) -> bool {
        let mut paid = Vec::with_capacity(sent.sales.len());
        for some in sent.sales.chunks(QUESTIONS_MAX) {
            let questions: Vec<_> = some.iter().map(|sale| question(&key(sale))).collect();
            let Ok(answers) = self.statements(&questions) else { return false };
            paid.extend(answers.iter().map(|answer| answer.settled.channel.paid));
        }
        for ((place, sale), paid) in (0..).zip(&sent.sales).zip(paid) {
            let skipped = sent.skipped.iter().find(|(index, _)| *index == place);
            match (skipped, &sent.failed) {
                // Whatever went wrong: it is paid.
                _ if paid >= worth(sale) => self.paid(sale, paid),
                (Some((_, why)), _) => self.put_off(std::slice::from_ref(sale), why),
                (None, Some(why)) => self.put_off(std::slice::from_ref(sale), why),
                (None, None) => self.paid(sale, paid),
            }
        }
        self.measure_at = self.now;
        self.watch_at = self.now;
        true
    }

    fn paid(&mut self, sale: &Sale, paid: u128) {
        let key = SaleKey::of(sale);
        lock(&self.office.status).done((key.network, key.payer, key.channel));
        self.office.desk.cashed(&key, Some(paid));
    }

    fn put_off(&mut self, sales: &[Sale], why: &str) {
        for sale in sales {
            self.note(sale, Some(why.to_owned()));
            self.office.desk.cashed(&SaleKey::of(sale), None);
        }
    }

    fn note(&self, sale: &Sale, why: Option<String>) {
        let SaleKey { network, payer, channel } = SaleKey::of(sale);
        let amount = worth(sale).saturating_sub(sale.paid);
        let waiting = WaitingSale { network, payer, channel, amount, since: self.wall, why };
        lock(&self.office.status).note(waiting);
    }
}

/// What became of a transaction.
enum Outcome {
    Waits,
    Cashed(piecework_settle::Cashed),
    Failed(SettleError),
}

/// What is to be done with a channel.
enum Outlook {
    Send,
    Paid(u128),
    Wait(&'static str),
}

fn outlook(sale: &Sale, answer: &Answer) -> Outlook {
    let (settled, newest, value) = (&answer.settled, &answer.newest, worth(sale));
    if settled.channel.paid >= value {
        return Outlook::Paid(settled.channel.paid);
    }
    if newest.channel.paid >= value {
        return Outlook::Wait("it is cashed, in a block that does not count yet");
    }
    let is_claimed = newest.channel.claimed >= value;
    if is_claimed && newest.account.free == 0 && newest.lock.amount == 0 {
        return Outlook::Wait("its account has nothing left");
    }
    Outlook::Send
}

/// What is asked of a sale's channel.
fn key(sale: &Sale) -> FactsKey {
    let cheque = &sale.last.signed.cheque;
    let separator = sale.network.domain().separator();
    let digest = sale.delegation.map(|word| {
        let delegate = delegate(&word, cheque.payer, cheque.token);
        delegate.digest(&separator)
    });
    FactsKey {
        network: sale.network,
        payer: cheque.payer,
        payee: cheque.payee,
        delegation: digest,
        valid_until: sale.delegation.map_or(0, |word| word.valid_until),
        channel: cheque.channel,
    }
}

/// What the vault is shown.
fn claim(sale: &Sale) -> Claim {
    let last = &sale.last;
    let cheque = last.signed.cheque;
    let delegation =
        sale.delegation.map(|word| (delegate(&word, cheque.payer, cheque.token), word.signature));
    Claim {
        cheque,
        count: last.number,
        link: last.link,
        signature: last.signed.signature,
        delegation,
    }
}

/// What a channel is worth with its best link. It was checked when it came.
fn worth(sale: &Sale) -> u128 {
    let cheque = &sale.last.signed.cheque;
    cheque.worth(sale.last.number).unwrap_or(cheque.cumulative)
}
