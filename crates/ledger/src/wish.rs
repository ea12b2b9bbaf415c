//! What people want of torrents, kept beside the money it may cost.

use crate::cell::{Cells, of_amount, of_network};
use crate::ledger::Fault;
use crate::{Ledger, LedgerError};
use piecework_pay::{Lane, Network, Price, TORRENTS_MAX, TorrentKey};
use rusqlite::params;
use std::collections::BTreeMap;

/// What is wanted of a torrent in one money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeptWish {
    /// How fast.
    pub lane: Lane,
    /// What it may cost in all, in the token's smallest unit.
    pub budget: u128,
    /// The highest price.
    pub price_max: Price,
}

impl Ledger {
    /// Remembers what is wanted of a torrent, in place of what was before. `None`: nothing that costs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_wish(
        &self,
        torrent: TorrentKey,
        network: &Network,
        wish: Option<&KeptWish>,
    ) -> Result<(), LedgerError> {
        self.change(|transaction| {
            match wish {
                Some(wish) => {
                    let (lane, rate) = of_lane(wish.lane);
                    let row = params![
                        torrent,
                        of_network(network),
                        lane,
                        rate.cast_signed(),
                        of_amount(wish.budget),
                        of_amount(wish.price_max.per_mib()),
                    ];
                    let put = "REPLACE INTO wishes VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                    transaction.execute(put, row)?;
                }
                None => {
                    let delete = "DELETE FROM wishes WHERE torrent = ?1 AND network = ?2";
                    transaction.execute(delete, params![torrent, of_network(network)])?;
                }
            }
            Ok(())
        })
    }

    /// What is wanted in this money, by torrent; at most [`TORRENTS_MAX`].
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn wishes(&self, network: &Network) -> Result<BTreeMap<TorrentKey, KeptWish>, LedgerError> {
        self.read(|view| {
            let mut statement = view.prepare(
                "SELECT torrent, lane, rate, budget, price_max FROM wishes WHERE network = ?1 LIMIT ?2",
            )?;
            let rows = statement.query_map(params![of_network(network), TORRENTS_MAX as i64], |row| {
                let mut cells = Cells::of(row);
                let torrent: TorrentKey = cells.bytes()?;
                let lane = lane(cells.small()?, cells.number()?);
                let (budget, price_max) = (cells.amount()?, cells.price()?);
                Ok((torrent, KeptWish { lane, budget, price_max }))
            })?;
            rows.map(|row| row.map_err(Fault::Sqlite)).collect()
        })
    }
}

const fn of_lane(lane: Lane) -> (u32, u64) {
    match lane {
        Lane::Slow => (0, 0),
        Lane::Medium => (1, 0),
        Lane::Fast => (2, 0),
        Lane::Live { rate } => (3, rate),
    }
}

/// A number that no program has written counts as slow: nothing is spent by mistake.
const fn lane(number: u32, rate: u64) -> Lane {
    match number {
        1 => Lane::Medium,
        2 => Lane::Fast,
        3 => Lane::Live { rate },
        _ => Lane::Slow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use piecework_pay::Address;

    #[test]
    fn a_wish_is_there_until_it_is_taken_back_and_in_its_own_money_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let money = |chain_id| Network {
            chain_id,
            vault: Address::repeat_byte(1),
            token: Address::repeat_byte(2),
            genesis: [3; 8],
        };
        let price_max = Price::new(u128::from(u64::MAX) + 1).unwrap();
        for (number, lane) in
            [Lane::Medium, Lane::Fast, Lane::Live { rate: u64::MAX }].into_iter().enumerate()
        {
            let wish = KeptWish { lane, budget: u128::MAX, price_max };
            let ledger = Ledger::open(&path).unwrap();
            ledger.set_wish([number as u8; 20], &money(7), Some(&wish)).unwrap();
            let again = Ledger::open_to_read(&path).unwrap().unwrap();
            assert_eq!(again.wishes(&money(7)).unwrap()[&[number as u8; 20]], wish);
            assert!(again.wishes(&money(8)).unwrap().is_empty());
        }
        let ledger = Ledger::open(&path).unwrap();
        ledger.set_wish([0; 20], &money(7), None).unwrap();
        let left: Vec<_> = ledger.wishes(&money(7)).unwrap().into_keys().collect();
        assert_eq!(left, [[1; 20], [2; 20]]);
    }
}
