//! What a phrase cannot bring back, as bytes: the contents of the sessions file and of a backup.
//!
//! A text that says what it is, the format's version, and the records, each with its kind and its length.

use crate::Session;
use crate::keystore::KEYSTORE_BYTES_MAX;
use piecework_pay::{
    Address, B256, CHEQUE_BYTES, Cheque, Delegate, Domain, Key, LINKS_MAX, SIGNATURE_BYTES,
    Signature,
};
use std::fmt;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Records of one file at most: more cheques than a node leaves uncashed in a lifetime.
pub const RECORDS_MAX: usize = 100_000;

const MAGIC: &[u8] = b"piecework records\n";
/// The version that this program writes and knows.
const FORMAT: u16 = 1;

/// One thing to keep.
#[derive(Debug)]
pub enum Record {
    /// The keystore of the wallet, as the text of its file; it stays under its own password.
    Keystore(String),
    /// A session key.
    Session(Session),
    /// A chain of links that a buyer pays with.
    Seed(Seed),
    /// A cheque that a seller has not cashed.
    Uncashed(Box<Uncashed>),
}

/// The secret end of a cheque's chain of links. It is wiped from memory, and not shown.
pub struct Seed {
    /// Where the cheque counts.
    pub domain: Domain,
    /// The cheque.
    pub cheque: Cheque,
    /// Its last link.
    pub seed: B256,
}

/// A cheque with the best link so far, and all that a contract asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Uncashed {
    /// Where it is cashed.
    pub domain: Domain,
    /// The cheque.
    pub cheque: Cheque,
    /// Its signature.
    pub signature: Signature,
    /// The number of the link, 0 for none.
    pub number: u32,
    /// The link.
    pub link: B256,
    /// For a cheque of a session key: its owner's word.
    pub delegation: Option<(Delegate, Signature)>,
}

/// Why bytes are no records.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum RecordFault {
    /// Something else.
    #[error("these are no records of a wallet")]
    Foreign,
    /// Written by a program that knows more than this one.
    #[error(
        "a newer Piecework wrote this (format {got}, this one knows {FORMAT}): update Piecework"
    )]
    Newer {
        /// The format's version, or the kind of a record.
        got: u16,
    },
    /// The bytes end inside a record.
    #[error("cut off in record {at}")]
    Truncated {
        /// From 1.
        at: usize,
    },
    /// More than a wallet keeps.
    #[error("more than {RECORDS_MAX} records")]
    TooMany,
    /// A record that says what cannot be.
    #[error("record {at} is damaged")]
    Damaged {
        /// From 1.
        at: usize,
    },
}

impl Record {
    /// All records as bytes. They hold secrets: encrypt them, or write them where only their owner reads.
    #[must_use]
    pub fn encode_all(records: &[Self]) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new([MAGIC, &FORMAT.to_be_bytes()].concat());
        for record in records {
            let (kind, body) = record.encode();
            let length = u32::try_from(body.len()).expect("a record has its limit, under 64 KiB");
            bytes.push(kind);
            bytes.extend(length.to_be_bytes());
            bytes.extend(body.iter());
        }
        bytes
    }

    /// Reads the form of [`Self::encode_all`].
    ///
    /// # Errors
    /// When it is something else, newer than this program, cut off or damaged.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, RecordFault> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(RecordFault::Foreign)?;
        let (format, mut rest) =
            rest.split_first_chunk().ok_or(RecordFault::Truncated { at: 1 })?;
        let got = u16::from_be_bytes(*format);
        if got != FORMAT {
            return Err(if got > FORMAT {
                RecordFault::Newer { got }
            } else {
                RecordFault::Foreign
            });
        }
        let mut records = Vec::new();
        while !rest.is_empty() {
            let at = records.len() + 1;
            if at > RECORDS_MAX {
                return Err(RecordFault::TooMany);
            }
            let (kind, body, after) = split(rest).ok_or(RecordFault::Truncated { at })?;
            if kind > UNCASHED {
                return Err(RecordFault::Newer { got: kind.into() });
            }
            records.push(Self::decode(kind, body).ok_or(RecordFault::Damaged { at })?);
            rest = after;
        }
        Ok(records)
    }

    fn encode(&self) -> (u8, Zeroizing<Vec<u8>>) {
        let mut body = Zeroizing::new(Vec::new());
        let kind = match self {
            Self::Keystore(text) => {
                body.extend(text.bytes().take(KEYSTORE_BYTES_MAX));
                KEYSTORE
            }
            Self::Session(Session { domain, delegate, word, key }) => {
                put_domain(&mut body, domain);
                put_delegate(&mut body, delegate);
                body.extend(word.as_bytes());
                body.extend(key.secret());
                SESSION
            }
            Self::Seed(Seed { domain, cheque, seed }) => {
                put_domain(&mut body, domain);
                body.extend(cheque.encode());
                body.extend(seed);
                SEED
            }
            Self::Uncashed(uncashed) => {
                let Uncashed { domain, cheque, signature, number, link, delegation } = &**uncashed;
                put_domain(&mut body, domain);
                body.extend(cheque.encode());
                body.extend(signature.as_bytes());
                body.extend(number.to_be_bytes());
                body.extend(link);
                if let Some((delegate, word)) = delegation {
                    put_delegate(&mut body, delegate);
                    body.extend(word.as_bytes());
                }
                UNCASHED
            }
        };
        (kind, body)
    }

    fn decode(kind: u8, body: &[u8]) -> Option<Self> {
        let mut rest = body;
        let record = match kind {
            KEYSTORE => {
                let text = String::from_utf8(std::mem::take(&mut rest).to_vec()).ok()?;
                Self::Keystore(Some(text).filter(|text| text.len() <= KEYSTORE_BYTES_MAX)?)
            }
            SESSION => {
                let (domain, delegate) = (take_domain(&mut rest)?, take_delegate(&mut rest)?);
                let word = take_signature(&mut rest)?;
                let key = Key::new(&Zeroizing::new(take(&mut rest)?)).ok()?;
                let session = Session { domain, delegate, word, key };
                Self::Session(Some(session).filter(|it| it.key.address() == it.delegate.session)?)
            }
            SEED => {
                let (domain, cheque) = (take_domain(&mut rest)?, take_cheque(&mut rest)?);
                Self::Seed(Seed { domain, cheque, seed: B256::new(take(&mut rest)?) })
            }
            UNCASHED => {
                let (domain, cheque) = (take_domain(&mut rest)?, take_cheque(&mut rest)?);
                let signature = take_signature(&mut rest)?;
                let number = u32::from_be_bytes(take(&mut rest)?);
                let link = B256::new(take(&mut rest)?);
                let delegation = if rest.is_empty() {
                    None
                } else {
                    Some((take_delegate(&mut rest)?, take_signature(&mut rest)?))
                };
                let uncashed = Uncashed { domain, cheque, signature, number, link, delegation };
                Self::Uncashed(Box::new(uncashed))
            }
            _ => return None,
        };
        rest.is_empty().then_some(record)
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.seed.0.zeroize();
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, cheque, .. } = self;
        let mut shown = f.debug_struct("Seed");
        shown.field("domain", domain).field("cheque", cheque).finish_non_exhaustive()
    }
}

const KEYSTORE: u8 = 0;
const SESSION: u8 = 1;
const SEED: u8 = 2;
const UNCASHED: u8 = 3;

/// Kind, body and what follows of the first record.
fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (body, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some((*kind, body, rest))
}

fn put_domain(body: &mut Vec<u8>, domain: &Domain) {
    body.extend(domain.chain_id.to_be_bytes());
    body.extend(domain.verifying_contract);
}

fn put_delegate(body: &mut Vec<u8>, delegate: &Delegate) {
    let Delegate { owner, session, token, max_amount, bond_at_risk, valid_until } = delegate;
    [owner, session, token].into_iter().for_each(|address| body.extend(address));
    body.extend(max_amount.to_be_bytes());
    body.extend(bond_at_risk.to_be_bytes());
    body.extend(valid_until.to_be_bytes());
}

fn take<const BYTES: usize>(rest: &mut &[u8]) -> Option<[u8; BYTES]> {
    let (field, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*field)
}

fn take_address(rest: &mut &[u8]) -> Option<Address> {
    take(rest).map(Address::new)
}

fn take_domain(rest: &mut &[u8]) -> Option<Domain> {
    let chain_id = u64::from_be_bytes(take(rest)?);
    Some(Domain { chain_id, verifying_contract: take_address(rest)? })
}

fn take_delegate(rest: &mut &[u8]) -> Option<Delegate> {
    Some(Delegate {
        owner: take_address(rest)?,
        session: take_address(rest)?,
        token: take_address(rest)?,
        max_amount: u128::from_be_bytes(take(rest)?),
        bond_at_risk: u128::from_be_bytes(take(rest)?),
        valid_until: u64::from_be_bytes(take(rest)?),
    })
}

fn take_cheque(rest: &mut &[u8]) -> Option<Cheque> {
    let cheque = Cheque::decode(&take::<CHEQUE_BYTES>(rest)?).ok()?;
    Some(cheque).filter(|cheque| cheque.links <= LINKS_MAX)
}

fn take_signature(rest: &mut &[u8]) -> Option<Signature> {
    Signature::decode(&take::<SIGNATURE_BYTES>(rest)?).ok()
}
