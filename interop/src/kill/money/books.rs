//! What was earned and spent, and what of it does not add up.

use std::fmt::Write as _;
use std::time::Duration;

use super::trader::{Sums, micro};
use super::{BOND, DEPOSIT, PAYLOAD_BYTES};
use crate::failure::Outcome;

/// What may be served and not be paid, or paid and not be kept, at each kill: a window, which grows to two
/// seconds of the uplink (docs/spec/pw_pay.md).
const WINDOW_BYTES: u64 = 2 << 20;
/// Whole tokens of a GiB at most, as the buyer said.
const PRICE_MAX: u128 = 10;

/// Who is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    Seller,
    Buyer,
}

/// A kill, and what both ledgers said then.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) side: Side,
    /// From the start of the round.
    pub(super) after: Duration,
    /// Thousandths of the download that were there.
    pub(super) progress: u64,
    pub(super) sold: Sums,
    pub(super) bought: Sums,
}

impl Round {
    pub(super) fn line(&self) -> String {
        let side = match self.side {
            Side::Seller => "seller",
            Side::Buyer => "buyer",
        };
        let Self { after, progress, sold, bought, .. } = self;
        let (after, progress) = (after.as_millis(), *progress as f64 / 10.0);
        let [sold, settled, bought] = [sold.amount, sold.settled, bought.amount];
        format!("{side:6} {after:>5} ms {progress:>5.1} %  {bought:>9} {sold:>9} {settled:>9}")
    }
}

/// The buyer's account in the vault.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) free: u128,
    pub(super) bond: u128,
    pub(super) owed: u128,
    pub(super) paid: u128,
    pub(super) bounces: u64,
}

/// How things stand in the end, in the token's smallest unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    /// By the seller's ledger, and by the buyer's.
    pub(super) sold: Sums,
    pub(super) bought: Sums,
    /// What the seller has on the chain more than before.
    pub(super) rise: u128,
    pub(super) account: Account,
    pub(super) kills: u64,
    /// Downloads that were whole and right, bought ones and free ones.
    pub(super) downloads: u64,
    pub(super) free_downloads: u64,
}

impl Books {
    /// What does not add up.
    pub(super) fn faults(&self) -> Vec<String> {
        let Self { sold, bought, account, .. } = self;
        let whole = |text: &str| micro(&text.into()).unwrap_or_default();
        let lost = u128::from(self.kills * WINDOW_BYTES);
        let lost_amount = (lost * PRICE_MAX * whole("1")).div_ceil(1 << 30);
        let delivered = self.downloads * PAYLOAD_BYTES + self.kills * WINDOW_BYTES;
        let demands = [
            (sold.amount > 0, "nothing was sold"),
            (sold.settled == sold.amount, "what was earned is not settled"),
            (self.rise == sold.settled, "the seller has on the chain what its ledger does not say"),
            (account.paid == self.rise, "the vault has paid what the seller has not got"),
            (account.free + account.paid == whole(DEPOSIT), "the buyer's deposit does not add up"),
            (bought.settled == account.paid, "the buyer's ledger does not say what the vault paid"),
            (bought.amount >= sold.amount, "the seller got more than the buyer knows of"),
            (bought.amount - sold.amount.min(bought.amount) <= lost_amount, "too much is revealed"),
            (bought.bytes <= delivered, "more was bought than was delivered"),
            (account.bond == whole(BOND) && account.bounces == 0, "a cheque has bounced"),
            (account.owed == 0, "the vault has a debt of the buyer"),
        ];
        let faults = demands.into_iter().filter(|(holds, _)| !holds);
        faults.map(|(_, fault)| fault.to_owned()).collect()
    }
}

/// Rounds since whose predecessor something was bought.
fn moved(rounds: &[Round]) -> usize {
    let amounts = rounds.iter().map(|round| round.bought.amount);
    let before = std::iter::once(0).chain(amounts.clone());
    before.zip(amounts).filter(|(before, now)| now > before).count()
}

/// The whole report.
pub(super) fn report(
    version: &str,
    seed: u64,
    rounds: &[Round],
    outcome: &Outcome<Books>,
) -> String {
    let mut text = format!("Client under test: {version}\nseed {seed}\n\n");
    text.push_str("killed    after  there      spent    earned   settled\n");
    for round in rounds {
        text.push_str(&round.line());
        text.push('\n');
    }
    let sellers = rounds.iter().filter(|round| round.side == Side::Seller).count();
    let told = match outcome {
        Ok(books) => of_books(books, rounds),
        Err(failure) => format!("broken off: {failure}"),
    };
    let kills = rounds.len();
    write!(text, "\n{kills} kills, {sellers} of the seller; {told}\n")
        .expect("writing to a String does not fail");
    text
}

fn of_books(books: &Books, rounds: &[Round]) -> String {
    let Books { sold, bought, downloads, free_downloads, .. } = books;
    let faults = books.faults();
    let verdict =
        if faults.is_empty() { "all of it adds up".to_owned() } else { faults.join("; ") };
    format!(
        "{downloads} bought and {free_downloads} free downloads are right;\nspent {} for {} bytes, in {} of \
         the rounds, earned {}, on the chain {}: {verdict}",
        bought.amount,
        bought.bytes,
        moved(rounds),
        sold.amount,
        books.rise
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn books() -> Books {
        let sold = Sums { bytes: 100, amount: 50, settled: 50 };
        let account =
            Account { free: 99_999_950, bond: 500_000_000, paid: 50, owed: 0, bounces: 0 };
        let bought = Sums { amount: 52, ..sold };
        Books { sold, bought, rise: 50, account, kills: 1, downloads: 1, free_downloads: 1 }
    }

    #[test]
    fn books_that_add_up_have_no_fault_and_each_that_does_not_is_named() {
        assert_eq!(books().faults(), [""; 0]);
        type Spoil = fn(&mut Books);
        let wrong: [(&str, Spoil); 6] = [
            ("settled", |it| it.sold.amount = 51),
            ("ledger does not say", |it| it.rise = 100),
            ("deposit", |it| it.account.free += 1),
            ("knows of", |it| it.bought.amount = 49),
            ("revealed", |it| it.bought.amount = 1_000_000),
            ("bounced", |it| it.account.bounces = 1),
        ];
        for (what, spoil) in wrong {
            let mut books = books();
            spoil(&mut books);
            let faults = books.faults();
            assert!(faults.iter().any(|fault| fault.contains(what)), "{what}: {faults:?}");
        }
    }
}
