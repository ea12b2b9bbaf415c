//! Numbers and names as cells of SQLite, and back.
//!
//! SQLite counts to 2^63. Amounts are blobs of 16 bytes, big-endian; numbers of 64 bits whose order does
//! not matter keep their bits and change their sign.

use piecework_pay::{Address, Network, Price};
use rusqlite::Row;
use rusqlite::types::{FromSqlError, ValueRef};

/// Bytes of a network's name.
pub(crate) const NETWORK_BYTES: usize = 8 + 20 + 20 + 8;

pub(crate) fn of_amount(amount: u128) -> [u8; 16] {
    amount.to_be_bytes()
}

pub(crate) fn of_network(network: &Network) -> [u8; NETWORK_BYTES] {
    let mut cell = [0; NETWORK_BYTES];
    cell[..8].copy_from_slice(&network.chain_id.to_be_bytes());
    cell[8..28].copy_from_slice(network.vault.as_slice());
    cell[28..48].copy_from_slice(network.token.as_slice());
    cell[48..].copy_from_slice(&network.genesis);
    cell
}

/// The cells of one row, in the order of its columns.
pub(crate) struct Cells<'row> {
    row: &'row Row<'row>,
    next: usize,
}

type Read<T> = Result<T, rusqlite::Error>;

impl<'row> Cells<'row> {
    pub(crate) fn of(row: &'row Row<'row>) -> Self {
        Self { row, next: 0 }
    }

    pub(crate) fn number(&mut self) -> Read<u64> {
        let at = self.step();
        Ok(self.row.get::<_, i64>(at)?.cast_unsigned())
    }

    pub(crate) fn small(&mut self) -> Read<u32> {
        let at = self.step();
        self.row.get(at)
    }

    pub(crate) fn amount(&mut self) -> Read<u128> {
        self.bytes().map(u128::from_be_bytes)
    }

    pub(crate) fn price(&mut self) -> Read<Price> {
        Price::new(self.amount()?).map_err(|fault| FromSqlError::other(fault).into())
    }

    pub(crate) fn address(&mut self) -> Read<Address> {
        self.bytes().map(Address::new)
    }

    pub(crate) fn network(&mut self) -> Read<Network> {
        let cell: [u8; NETWORK_BYTES] = self.bytes()?;
        let mut rest = cell.as_slice();
        Ok(Network {
            chain_id: u64::from_be_bytes(take(&mut rest)),
            vault: Address::new(take(&mut rest)),
            token: Address::new(take(&mut rest)),
            genesis: take(&mut rest),
        })
    }

    pub(crate) fn bytes<const BYTES: usize>(&mut self) -> Read<[u8; BYTES]> {
        let at = self.step();
        self.row.get(at)
    }

    /// Bytes of any length, as `read` understands them; none where the cell is empty.
    pub(crate) fn read<T, E>(&mut self, read: impl FnOnce(&[u8]) -> Result<T, E>) -> Read<Option<T>>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let at = self.step();
        let cell = self.row.get_ref(at)?;
        if cell == ValueRef::Null {
            return Ok(None);
        }
        read(cell.as_blob()?).map(Some).map_err(|error| FromSqlError::other(error).into())
    }

    fn step(&mut self) -> usize {
        let at = self.next;
        self.next += 1;
        at
    }
}

fn take<const BYTES: usize>(rest: &mut &[u8]) -> [u8; BYTES] {
    let (field, after) = rest.split_first_chunk().expect("NETWORK_BYTES is the sum of all fields");
    *rest = after;
    *field
}
