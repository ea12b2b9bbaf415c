//! Records of `pay` as rows, and back.

use crate::cell::{Cells, of_amount, of_network};
use piecework_pay::{
    Address, B256, Cheque, Delegation, LastCheque, PayFault, Purchase, SIGNATURE_BYTES, Sale, Seed,
    Signature, SignedCheque, Standing,
};
use rusqlite::{Row, Transaction, params};

pub(crate) const PURCHASES: &str = "SELECT network, torrent, cheque, signature, seed, revealed, \
    at_most, delegation, day, before FROM purchases ORDER BY day DESC LIMIT ?1";

pub(crate) const SALES: &str = "SELECT network, torrent, cheque, signature, number, link, \
    delegation, paid, since FROM sales \
    ORDER BY since != 0 DESC, changed DESC LIMIT ?1";

pub(crate) const STANDINGS: &str = "SELECT network, account, defaults, banned_until FROM standings \
    ORDER BY changed DESC LIMIT ?1";

type Done = rusqlite::Result<()>;

/// A later record of the channel takes its place: the seed before it is overwritten (`secure_delete`).
pub(crate) fn put_purchase(transaction: &Transaction<'_>, purchase: &Purchase) -> Done {
    let cheque = &purchase.signed.cheque;
    let row = params![
        of_network(&purchase.network),
        cheque.payee.0.0,
        cheque.channel.cast_signed(),
        purchase.torrent,
        cheque.encode(),
        purchase.signed.signature.as_bytes(),
        purchase.seed.0,
        purchase.revealed,
        of_amount(purchase.at_most),
        purchase.delegation.map(|digest| digest.0),
        purchase.day.cast_signed(),
        of_amount(purchase.before),
    ];
    let put = "REPLACE INTO purchases VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    transaction.execute(put, row).map(drop)
}

pub(crate) fn purchase(row: &Row<'_>) -> rusqlite::Result<Purchase> {
    let mut cells = Cells::of(row);
    Ok(Purchase {
        network: cells.network()?,
        torrent: cells.bytes()?,
        signed: signed(&mut cells)?,
        seed: Seed(cells.bytes()?),
        revealed: cells.small()?,
        at_most: cells.amount()?,
        delegation: cells.read(|cell| B256::try_from(cell))?,
        day: cells.number()?,
        before: cells.amount()?,
    })
}

pub(crate) fn put_sale(transaction: &Transaction<'_>, sale: &Sale, wall: u64) -> Done {
    let cheque = &sale.last.signed.cheque;
    let row = params![
        of_network(&sale.network),
        cheque.payer.0.0,
        cheque.channel.cast_signed(),
        sale.torrent,
        cheque.encode(),
        sale.last.signed.signature.as_bytes(),
        sale.last.number,
        sale.last.link.0,
        sale.delegation.as_ref().map(pack),
        of_amount(sale.paid),
        sale.since.cast_signed(),
        wall.cast_signed(),
    ];
    let put = "REPLACE INTO sales VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    transaction.execute(put, row).map(drop)
}

pub(crate) fn sale(row: &Row<'_>) -> rusqlite::Result<Sale> {
    let mut cells = Cells::of(row);
    Ok(Sale {
        network: cells.network()?,
        torrent: cells.bytes()?,
        last: LastCheque {
            signed: signed(&mut cells)?,
            number: cells.small()?,
            link: B256::new(cells.bytes()?),
        },
        delegation: cells.read(unpack)?,
        paid: cells.amount()?,
        since: cells.number()?,
    })
}

pub(crate) fn put_standing(transaction: &Transaction<'_>, standing: &Standing, wall: u64) -> Done {
    let Standing { network, account, defaults, banned_until } = standing;
    let (until, changed) = (banned_until.cast_signed(), wall.cast_signed());
    let row = params![of_network(network), account.0.0, defaults, until, changed];
    transaction.execute("REPLACE INTO standings VALUES (?1, ?2, ?3, ?4, ?5)", row).map(drop)
}

pub(crate) fn standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let mut cells = Cells::of(row);
    Ok(Standing {
        network: cells.network()?,
        account: cells.address()?,
        defaults: cells.small()?,
        banned_until: cells.number()?,
    })
}

fn signed(cells: &mut Cells<'_>) -> rusqlite::Result<SignedCheque> {
    let cheque = cells.read(Cheque::decode)?.ok_or(rusqlite::Error::InvalidQuery)?;
    let signature = cells.read(Signature::decode)?.ok_or(rusqlite::Error::InvalidQuery)?;
    Ok(SignedCheque { cheque, signature })
}

/// A delegation's fields in their order, packed.
fn pack(word: &Delegation) -> Vec<u8> {
    let (max_amount, bond_at_risk) =
        (word.max_amount.to_be_bytes(), word.bond_at_risk.to_be_bytes());
    let until = word.valid_until.to_be_bytes();
    let fields: [&[u8]; 5] =
        [word.session.as_slice(), &max_amount, &bond_at_risk, &until, word.signature.as_bytes()];
    fields.concat()
}

fn unpack(cell: &[u8]) -> Result<Delegation, PayFault> {
    let (what, expected_bytes) = ("a delegation", 20 + 16 + 16 + 8 + SIGNATURE_BYTES);
    let short = PayFault::Length { what, expected_bytes, got_bytes: cell.len() };
    let field = |from: usize| cell.get(from..).ok_or(short);
    Ok(Delegation {
        session: Address::new(first(field(0)?, short)?),
        max_amount: u128::from_be_bytes(first(field(20)?, short)?),
        bond_at_risk: u128::from_be_bytes(first(field(36)?, short)?),
        valid_until: u64::from_be_bytes(first(field(52)?, short)?),
        signature: Signature::decode(field(60)?)?,
    })
}

fn first<const BYTES: usize>(rest: &[u8], short: PayFault) -> Result<[u8; BYTES], PayFault> {
    rest.first_chunk().copied().ok_or(short)
}
