//! Watching: what the vault tells of accounts, for the till and for the ledger.

use super::Clerk;
use crate::facts::in_token;
use alloy_primitives::U256;
use piecework_ledger::CashOut;
use piecework_pay::{Address, B256, Network, Side};
use piecework_settle::{Happened, QUESTIONS_MAX, Question, VaultEvent};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the chain is asked what happened.
const WATCH: Duration = Duration::from_secs(10);
/// How often it is written down up to where, when nothing of ours happened.
const NOTE: Duration = Duration::from_secs(300);

/// A cheque of ours, or one for us, that was paid.
struct Paid {
    side: Side,
    network: Network,
    payer: Address,
    payee: Address,
    channel: u64,
    happened: Happened,
}

impl Clerk {
    pub(super) fn watch(&mut self) {
        self.watch_at = self.now + WATCH;
        let again = self.watch_again;
        let watched = self.ask(|chain| {
            again.into_iter().for_each(|place| chain.watch_from(place));
            let before = chain.watched();
            Ok((before, chain.watch()?, chain.watched()))
        });
        let Ok((before, events, after)) = watched else { return };
        for happened in &events {
            self.hear(&happened.event);
        }
        let paid: Vec<_> = events.iter().flat_map(|it| self.paid_of(it)).collect();
        if let Err(why) = self.enter(&paid) {
            tracing::warn!(why, "cash-outs are not in the ledger yet");
            // Exits that are told twice change nothing.
            self.watch_again = Some(before);
            return;
        }
        self.watch_again = None;
        if !paid.is_empty() || self.now >= self.note_at {
            self.note_at = self.now + NOTE;
            self.office.cursor.note(after);
        }
    }

    /// What makes a till cash at once.
    fn hear(&mut self, event: &VaultEvent) {
        let (payer, of_token) = match *event {
            VaultEvent::ExitRequested { payer, token, amount, .. } if amount > 0 => {
                (payer, Some(token))
            }
            VaultEvent::BondExitRequested { payer, token, time } if time > 0 => {
                (payer, Some(token))
            }
            VaultEvent::RevokedAll { owner, token, .. } => (owner, Some(token)),
            VaultEvent::Revoked { owner, .. } => (owner, None),
            VaultEvent::ExitRequested { .. }
            | VaultEvent::BondExitRequested { .. }
            | VaultEvent::Funded { .. }
            | VaultEvent::Paid { .. }
            | VaultEvent::Bounced { .. }
            | VaultEvent::Credited { .. }
            | VaultEvent::Skipped { .. }
            | VaultEvent::Locked { .. }
            | VaultEvent::LockClosed { .. }
            | VaultEvent::Left { .. } => return,
        };
        if !self.knows(&payer) {
            return;
        }
        for network in self.office.networks.clone() {
            if of_token.is_none_or(|token| token == network.token) {
                self.office.desk.exiting(network, payer);
            }
        }
    }

    /// On which side we are of a payment, if on any.
    fn paid_of(&self, happened: &Happened) -> Vec<Paid> {
        let VaultEvent::Paid { payer, payee, token, channel, .. } = happened.event else {
            return Vec::new();
        };
        let Some(network) = self.office.networks.iter().find(|it| it.token == token) else {
            return Vec::new();
        };
        let sells = self.office.payee == Some(payee);
        let buys = self.office.accounts.iter().any(|it| it.account == payer);
        let sides = [(sells, Side::Selling), (buys, Side::Buying)].into_iter();
        let paid = |side| {
            let happened = happened.clone();
            Paid { side, network: *network, payer, payee, channel, happened }
        };
        sides.filter(|(is_ours, _)| *is_ours).map(|(_, side)| paid(side)).collect()
    }

    /// Enters cash-outs into the ledger.
    fn enter(&mut self, paid: &[Paid]) -> Result<(), String> {
        let mut fees: BTreeMap<B256, Fees> = BTreeMap::new();
        for one in paid.iter().filter(|one| one.side == Side::Selling) {
            fees.entry(one.happened.transaction).or_default().parts += 1;
        }
        for some in paid.chunks(QUESTIONS_MAX) {
            let questions = some.iter().map(|one| Question {
                payer: one.payer,
                payee: one.payee,
                token: one.network.token,
                channel: one.channel,
                delegation: None,
            });
            let answers = self.statements(&questions.collect::<Vec<_>>())?;
            for (one, answer) in some.iter().zip(&answers) {
                let cost = self.ask(|chain| chain.cost(&one.happened))?;
                let fee = match fees.get_mut(&one.happened.transaction) {
                    Some(fees) if one.side == Side::Selling => fees.next(cost.fee),
                    Some(_) | None => 0,
                };
                let counterparty = match one.side {
                    Side::Selling => one.payer,
                    Side::Buying => one.payee,
                };
                self.office.desk.settled(&CashOut {
                    side: one.side,
                    network: one.network,
                    counterparty,
                    channel: one.channel,
                    paid: answer.settled.channel.paid,
                    fee_wei: fee,
                    fee_token: in_token(fee, self.office.coin_price.unwrap_or(0)),
                    tx: one.happened.transaction,
                    at: cost.at,
                })?;
            }
        }
        Ok(())
    }
}

/// The fee of one transaction for several channels.
#[derive(Default)]
struct Fees {
    parts: u128,
    is_begun: bool,
}

impl Fees {
    /// The part of the next channel: the first bears what cannot be divided.
    fn next(&mut self, fee: U256) -> u128 {
        let (fee, parts) = (fee.saturating_to::<u128>(), self.parts.max(1));
        let rest = if std::mem::replace(&mut self.is_begun, true) { 0 } else { fee % parts };
        fee / parts + rest
    }
}
