//! When the checkers look, and the reckoning at the end.

use super::MarketWorld;
use crate::market::plan::Role;
use crate::market::seat::{Seat, account_address};
use crate::market::{FREE_PERMILLE, checkers};
use piecework_pay::{Record, Service};
use std::collections::BTreeMap;

impl MarketWorld {
    pub(super) fn check(&mut self) {
        let now = self.now;
        let mut found = Vec::new();
        found.extend(checkers::violation("tokens are conserved", 0, now, self.chain.check()));
        for (number, seat) in self.seats.iter().enumerate().filter(|(_, seat)| seat.is_honest()) {
            let result = checkers::buyer(&self.plan, number, &self.seats, &self.lines);
            found.extend(checkers::violation(
                "a buyer pays for what it verified",
                number,
                now,
                result,
            ));
            if matches!(seat.spec.role, Role::Sells { .. }) {
                let result = self.check_uncashed(seat);
                found.extend(checkers::violation(
                    "what is uncashed is within its bound",
                    number,
                    now,
                    result,
                ));
                let result = self.check_capacity(number);
                found.extend(checkers::violation(
                    "paid lanes leave the free class its floor",
                    number,
                    now,
                    result,
                ));
            }
        }
        self.violations.extend(found);
    }

    /// What is revealed and not cashed is within what the account may owe.
    fn check_uncashed(&self, seat: &Seat) -> Result<(), String> {
        let held = checkers::held(seat);
        for account in 0..self.plan.funds.len() as u8 {
            let payer = account_address(account);
            let of_payer = held.iter().filter(|((who, _), _)| *who == payer);
            let paid = |channel| self.chain.paid(payer, seat.payee(), channel);
            let uncashed: u128 =
                of_payer.map(|((_, channel), value)| value.saturating_sub(paid(*channel))).sum();
            if uncashed > self.report.exposure {
                return Err(format!("{uncashed} waits, {} is the most", self.report.exposure));
            }
        }
        Ok(())
    }

    /// The paid lanes leave the free class its floor.
    fn check_capacity(&self, number: usize) -> Result<(), String> {
        let Role::Sells { uplink } = self.seats[number].spec.role else { return Ok(()) };
        let lines = self.lines.iter().filter(|line| line.spec.seller == number && line.is_up);
        let rates = lines.map(|line| match line.service {
            Service::Paid { rate, .. } => rate,
            Service::Free => 0,
        });
        let (given, most) = (rates.sum::<u64>(), uplink - uplink * u64::from(FREE_PERMILLE) / 1000);
        if given > most { Err(format!("{given} of {most} bytes a second")) } else { Ok(()) }
    }

    /// The end: everything that honest sellers hold is cashed, and the books are compared.
    pub(super) fn settle(&mut self) {
        let mut sales = BTreeMap::new();
        for seat in self.seats.iter().filter(|seat| matches!(seat.spec.role, Role::Sells { .. })) {
            for record in seat.drive.records() {
                match record {
                    Record::Sale(sale) => {
                        let cheque = &sale.last.signed.cheque;
                        let place = (cheque.payee, cheque.payer, cheque.channel);
                        sales.insert(place, sale.clone());
                    }
                    Record::Standing(_) => self.report.defaults += 1,
                    Record::Purchase(_) | Record::Entry(_) => {}
                }
            }
        }
        for sale in sales.values() {
            self.chain.cash(sale);
        }
        for line in &mut self.lines {
            let (seller, buyer) = (&self.seats[line.spec.seller], &self.seats[line.spec.buyer]);
            let Some(payer) = buyer.payer() else { continue };
            let held = checkers::held(seller);
            line.report.held = checkers::of_payer(&held, payer);
            let channels = held.keys().filter(|(who, _)| *who == payer);
            let paid = |(_, channel): &(_, u64)| self.chain.paid(payer, seller.payee(), *channel);
            line.report.paid = channels.map(paid).sum();
        }
        (self.report.burned, self.report.cashes) = (self.chain.burned, self.chain.cashes);
        self.report.lines = self.lines.iter().map(|line| line.report).collect();
        if !self.violations.is_empty() {
            return;
        }
        self.check();
        let now = self.now;
        for number in 0..self.seats.len() {
            let seat = &self.seats[number];
            if seat.is_honest() && seat.drive.is_at_rest() {
                let result = checkers::ledger(seat);
                self.violations.extend(checkers::violation(
                    "a ledger is what channels are worth",
                    number,
                    now,
                    result,
                ));
            }
        }
        let result = checkers::losses(&self.plan, &self.seats, &self.lines, &self.report);
        self.violations.extend(checkers::violation(
            "losses are within their bounds",
            0,
            now,
            result,
        ));
    }
}
