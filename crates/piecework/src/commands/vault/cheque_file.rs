//! A cheque as a file: what a payee needs to cash it, and nothing secret.

use crate::failure::{Context, Failure};
use alloy_primitives::{Address, B256, hex};
use piecework_pay::{Authority, Cheque, Delegate, Domain, Signature};
use piecework_settle::Claim;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The version that is written, and the newest that is read.
const FORMAT: u64 = 1;

/// Longest file read, bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// A cheque with all that the contract asks for, and which contract that is.
pub(super) struct ChequeFile {
    pub(super) domain: Domain,
    pub(super) claim: Claim,
}

impl ChequeFile {
    /// Its JSON.
    pub(super) fn to_json(&self) -> Value {
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

    /// Reads one and checks that whoever it names has signed it.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let doing = format!("{} is no cheque", path.display());
        let mut text = String::new();
        let opened = File::open(path).context(format_args!("cannot read {}", path.display()))?;
        opened.take(FILE_BYTES_MAX).read_to_string(&mut text).context(&doing)?;
        let value: Value = serde_json::from_str(&text).context(&doing)?;
        Self::parse(&value).context(&doing)
    }

    /// Takes the JSON of [`Self::to_json`].
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        match value["format"].as_u64() {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => {
                return Err(format!(
                    "it has format {newer}, this program reads {FORMAT}; use a newer one"
                ));
            }
            _ => return Err("it names no format".into()),
        }
        let domain = Domain {
            chain_id: value["chain_id"].as_u64().ok_or("it names no chain")?,
            verifying_contract: field(value, "vault")?,
        };
        let its = &value["cheque"];
        let small = |name: &str| its[name].as_u64().ok_or_else(|| missing(name));
        let cheque = Cheque {
            payer: field(its, "payer")?,
            payee: field(its, "payee")?,
            token: field(its, "token")?,
            epoch: small("epoch")?,
            cumulative: field(its, "cumulative")?,
            root: field::<B256>(its, "root")?,
            unit: field(its, "unit")?,
            links: u32::try_from(small("links")?).map_err(|_| missing("links"))?,
            channel: field(its, "channel")?,
        };
        let count = value["count"].as_u64().and_then(|count| u32::try_from(count).ok());
        let claim = Claim {
            cheque,
            count: count.ok_or_else(|| missing("count"))?,
            link: field(value, "link")?,
            signature: signature(value)?,
            delegation: delegation(&value["delegation"])?,
        };
        check(&domain, &claim).map_err(|fault| fault.to_string())?;
        Ok(Self { domain, claim })
    }
}

/// That the signatures are those of whom the cheque names, and the link is one of its chain.
fn check(domain: &Domain, claim: &Claim) -> Result<(), piecework_pay::PayFault> {
    let separator = domain.separator();
    let authority = match &claim.delegation {
        Some((delegate, word)) => Authority::session(*delegate, word, &separator)?,
        None => Authority::Owner { payer: claim.cheque.payer },
    };
    claim.cheque.check(claim.cheque.payee)?;
    claim.cheque.value(claim.count, claim.link)?;
    authority.check(&claim.cheque, &claim.signature, &separator)
}

fn delegation(value: &Value) -> Result<Option<(Delegate, Signature)>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let delegate = Delegate {
        owner: field::<Address>(value, "owner")?,
        session: field(value, "session")?,
        token: field(value, "token")?,
        max_amount: field(value, "max_amount")?,
        bond_at_risk: field(value, "bond_at_risk")?,
        valid_until: value["valid_until"].as_u64().ok_or_else(|| missing("valid_until"))?,
    };
    Ok(Some((delegate, signature(value)?)))
}

fn signature(value: &Value) -> Result<Signature, String> {
    let bytes = value["signature"].as_str().and_then(|text| hex::decode(text).ok());
    let bytes = bytes.ok_or_else(|| missing("signature"))?;
    Signature::decode(&bytes).map_err(|fault| fault.to_string())
}

fn field<T: std::str::FromStr>(value: &Value, name: &str) -> Result<T, String> {
    value[name].as_str().and_then(|text| text.parse().ok()).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> String {
    format!("{name} is not there, or not as a cheque has it")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use piecework_pay::{Key, Typed};

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

    #[test]
    fn a_cheque_is_read_as_it_was_written() {
        let written = file();
        let read = ChequeFile::parse(&written.to_json()).unwrap();
        assert_eq!(read.domain, written.domain);
        assert_eq!(read.claim.cheque, written.claim.cheque);
        assert_eq!(read.claim.signature, written.claim.signature);
    }

    #[test]
    fn a_cheque_that_was_changed_or_is_newer_or_lacks_a_field_is_refused() {
        let change = |path: &str, value: Value| {
            let mut json = file().to_json();
            *json.pointer_mut(path).unwrap() = value;
            ChequeFile::parse(&json).err().unwrap()
        };
        assert!(
            change("/cheque/cumulative", json!("5")).contains("sign"),
            "{}",
            change("/cheque/cumulative", json!("5"))
        );
        assert!(change("/format", json!(2)).contains("newer"));
        assert!(change("/cheque/payee", json!(null)).contains("payee"));
        assert!(!change("/chain_id", json!(2)).is_empty());
    }
}
