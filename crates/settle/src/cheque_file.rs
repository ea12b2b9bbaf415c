//! A cheque as a text that people hand on: what its payee needs to cash it, and nothing secret.
//!
//! Invariant: a [`ChequeFile`] that was read is signed by whom its cheque names, or by a session key with the
//! owner's word, and its link leads to the root. Whether it is paid is for the Vault to say.

use crate::rpc::cleaned;
use crate::vault::Claim;
use alloy_primitives::{Address, B256, hex};
use piecework_pay::{Authority, Cheque, Delegate, Domain, PayFault, Signature};
use serde_json::{Value, json};

/// Longest text of a cheque, bytes.
pub const CHEQUE_FILE_BYTES_MAX: usize = 16 * 1024;

/// The version that is written, and the newest that is read.
const FORMAT: u64 = 1;

/// A cheque with all that the contract asks for, and which contract that is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChequeFile {
    /// Which contract pays it, on which chain.
    pub domain: Domain,
    /// What it is shown.
    pub claim: Claim,
}

/// Why a text is no cheque.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChequeFileFault {
    /// Not JSON.
    #[error("it cannot be read: {0}")]
    Form(String),
    /// Longer than any cheque.
    #[error("a cheque has at most {CHEQUE_FILE_BYTES_MAX} bytes, got {got_bytes}")]
    TooLong {
        /// Its length.
        got_bytes: usize,
    },
    /// Written by a newer program.
    #[error("it has format {got}, this program reads {FORMAT}; use a newer one")]
    Newer {
        /// Its format.
        got: u64,
    },
    /// A field that is missing, or of another kind.
    #[error("{what} is not there, or not as a cheque has it")]
    Field {
        /// Which field.
        what: &'static str,
    },
    /// A cheque that is worth nothing.
    #[error(transparent)]
    Pay(#[from] PayFault),
}

impl ChequeFile {
    /// Its JSON, as [`Self::parse`] reads it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Claim { cheque, count, link, signature, delegation } = &self.claim;
        let hexed = |signature: &Signature| hex::encode_prefixed(signature.as_bytes());
        let delegation = delegation.as_ref().map(|(it, word)| {
            json!({
                "owner": it.owner, "session": it.session, "token": it.token,
                "max_amount": it.max_amount.to_string(), "bond_at_risk": it.bond_at_risk.to_string(),
                "valid_until": it.valid_until, "signature": hexed(word),
            })
        });
        json!({
            "format": FORMAT, "chain_id": self.domain.chain_id, "vault": self.domain.verifying_contract,
            "cheque": {
                "payer": cheque.payer, "payee": cheque.payee, "token": cheque.token, "epoch": cheque.epoch,
                "cumulative": cheque.cumulative.to_string(), "root": cheque.root,
                "unit": cheque.unit.to_string(), "links": cheque.links,
                "channel": cheque.channel.to_string(),
            },
            "count": count, "link": link, "signature": hexed(signature), "delegation": delegation,
        })
    }

    /// Reads a cheque and checks that whoever it names has signed it.
    ///
    /// # Errors
    /// When it is newer than this program, lacks a field, or is not signed for what it says.
    pub fn parse(text: &str) -> Result<Self, ChequeFileFault> {
        if text.len() > CHEQUE_FILE_BYTES_MAX {
            return Err(ChequeFileFault::TooLong { got_bytes: text.len() });
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|error| ChequeFileFault::Form(cleaned(&error.to_string(), 200)))?;
        match value["format"].as_u64() {
            Some(FORMAT) => {}
            Some(got) if got > FORMAT => return Err(ChequeFileFault::Newer { got }),
            _ => return Err(ChequeFileFault::Field { what: "format" }),
        }
        let domain = Domain {
            chain_id: number(&value, "chain_id")?,
            verifying_contract: field(&value, "vault")?,
        };
        let claim = Claim {
            cheque: cheque(&value["cheque"])?,
            count: small(&value, "count")?,
            link: field(&value, "link")?,
            signature: signature(&value)?,
            delegation: delegation(&value["delegation"])?,
        };
        check(&domain, &claim)?;
        Ok(Self { domain, claim })
    }
}

/// That the signatures are those of whom the cheque names, and the link is one of its chain.
fn check(domain: &Domain, claim: &Claim) -> Result<(), PayFault> {
    let separator = domain.separator();
    let authority = match &claim.delegation {
        Some((delegate, word)) => Authority::session(*delegate, word, &separator)?,
        None => Authority::Owner { payer: claim.cheque.payer },
    };
    claim.cheque.check(claim.cheque.payee)?;
    claim.cheque.value(claim.count, claim.link)?;
    authority.check(&claim.cheque, &claim.signature, &separator)
}

fn cheque(value: &Value) -> Result<Cheque, ChequeFileFault> {
    Ok(Cheque {
        payer: field(value, "payer")?,
        payee: field(value, "payee")?,
        token: field(value, "token")?,
        epoch: number(value, "epoch")?,
        cumulative: field(value, "cumulative")?,
        root: field::<B256>(value, "root")?,
        unit: field(value, "unit")?,
        links: small(value, "links")?,
        channel: field(value, "channel")?,
    })
}

fn delegation(value: &Value) -> Result<Option<(Delegate, Signature)>, ChequeFileFault> {
    if value.is_null() {
        return Ok(None);
    }
    let delegate = Delegate {
        owner: field::<Address>(value, "owner")?,
        session: field(value, "session")?,
        token: field(value, "token")?,
        max_amount: field(value, "max_amount")?,
        bond_at_risk: field(value, "bond_at_risk")?,
        valid_until: number(value, "valid_until")?,
    };
    Ok(Some((delegate, signature(value)?)))
}

fn signature(value: &Value) -> Result<Signature, ChequeFileFault> {
    let bytes = value["signature"].as_str().and_then(|text| hex::decode(text).ok());
    let bytes = bytes.ok_or(ChequeFileFault::Field { what: "signature" })?;
    Ok(Signature::decode(&bytes)?)
}

/// What is written as a text: addresses, hashes, and numbers beyond what JSON carries exactly.
fn field<T: std::str::FromStr>(value: &Value, what: &'static str) -> Result<T, ChequeFileFault> {
    let read = value[what].as_str().and_then(|text| text.parse().ok());
    read.ok_or(ChequeFileFault::Field { what })
}

fn number(value: &Value, what: &'static str) -> Result<u64, ChequeFileFault> {
    value[what].as_u64().ok_or(ChequeFileFault::Field { what })
}

fn small(value: &Value, what: &'static str) -> Result<u32, ChequeFileFault> {
    u32::try_from(number(value, what)?).map_err(|_| ChequeFileFault::Field { what })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use piecework_pay::{Key, Links, Typed};

    fn file() -> ChequeFile {
        let key = Key::new(&[7; 32]).unwrap();
        let domain = Domain { chain_id: 1 << 40, verifying_contract: Address::repeat_byte(9) };
        let cheque = Cheque {
            payer: key.address(),
            payee: Address::repeat_byte(2),
            token: Address::repeat_byte(3),
            epoch: 5,
            cumulative: u128::MAX - 1,
            root: B256::ZERO,
            unit: 0,
            links: 0,
            channel: u64::MAX,
        };
        let signature = key.sign(&cheque.digest(&domain.separator()));
        let claim = Claim { cheque, count: 0, link: B256::ZERO, signature, delegation: None };
        ChequeFile { domain, claim }
    }

    /// Signed by a session key, with its best link.
    fn of_a_session() -> ChequeFile {
        let (owner, session) = (Key::new(&[7; 32]).unwrap(), Key::new(&[8; 32]).unwrap());
        let ChequeFile { domain, mut claim } = file();
        let links = Links::new(B256::repeat_byte(1), 9).unwrap();
        claim.cheque =
            Cheque { cumulative: 70, root: links.root(), unit: 10, links: 9, ..claim.cheque };
        (claim.count, claim.link) = (4, links.link(4).unwrap());
        let delegate = Delegate {
            owner: owner.address(),
            session: session.address(),
            token: claim.cheque.token,
            max_amount: u128::MAX,
            bond_at_risk: 3,
            valid_until: 1 << 40,
        };
        let separator = domain.separator();
        claim.signature = session.sign(&claim.cheque.digest(&separator));
        claim.delegation = Some((delegate, owner.sign(&delegate.digest(&separator))));
        ChequeFile { domain, claim }
    }

    #[test]
    fn a_cheque_is_read_as_it_was_written() {
        for written in [file(), of_a_session()] {
            assert_eq!(ChequeFile::parse(&written.to_json().to_string()), Ok(written));
        }
    }

    #[test]
    fn a_cheque_that_was_changed_or_is_newer_or_lacks_a_field_is_refused() {
        let change = |path: &str, value: Value| {
            let mut json = of_a_session().to_json();
            *json.pointer_mut(path).unwrap() = value;
            ChequeFile::parse(&json.to_string()).unwrap_err()
        };
        let missing = |what| ChequeFileFault::Field { what };
        assert!(change("/cheque/cumulative", json!("5")).to_string().contains("sign"));
        assert!(change("/format", json!(2)).to_string().contains("use a newer one"));
        assert_eq!(change("/format", json!("1")), missing("format"));
        assert_eq!(change("/cheque/payee", json!(null)), missing("payee"));
        assert_eq!(change("/delegation/session", json!(5)), missing("session"));
        assert_eq!(change("/count", json!(1_u64 << 32)), missing("count"));
        assert_eq!(change("/count", json!(5)), PayFault::BrokenLink { got: 5 }.into());
        assert!(matches!(change("/chain_id", json!(2)), ChequeFileFault::Pay(_)));
        assert!(matches!(change("/delegation", json!(null)), ChequeFileFault::Pay(_)));
        let long = " ".repeat(CHEQUE_FILE_BYTES_MAX + 1);
        assert!(matches!(ChequeFile::parse(&long), Err(ChequeFileFault::TooLong { .. })));
        assert!(matches!(ChequeFile::parse("[1"), Err(ChequeFileFault::Form(_))));
        assert_eq!(ChequeFile::parse("7"), Err(missing("format")));
    }
}
