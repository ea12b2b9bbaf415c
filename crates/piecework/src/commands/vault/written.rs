//! The cheques that this wallet has written: on the disk before anybody gets them, so that no more is
//! promised than is there.

use crate::failure::{Context, Failure};
use crate::purse::Purse;
use alloy_primitives::{Address, U256};
use piecework_pay::Domain;
use piecework_settle::ChequeFile;
use piecework_wallet::write_over;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Cheques kept at most; cashed ones are forgotten.
const WRITTEN_MAX: usize = 10_000;

/// The file: a cheque a line.
pub(super) struct Written {
    path: PathBuf,
    cheques: Vec<ChequeFile>,
}

impl Written {
    /// Reads the file; without one there are none.
    pub(super) fn open(purse: &Purse) -> Result<Self, Failure> {
        let path = purse.wallet().keystore_file().with_file_name("written-cheques");
        let doing = format!("cannot read the written cheques {}", path.display());
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.context(&doing)?,
        };
        let mut cheques = Vec::new();
        for line in text.lines() {
            cheques.push(ChequeFile::parse(line).context(&doing)?);
        }
        Ok(Self { path, cheques })
    }

    /// What the cheques in a token may still take out of the account; those that are paid are forgotten.
    pub(super) fn outstanding(&mut self, purse: &Purse, token: Address) -> Result<U256, Failure> {
        let domain: Domain = purse.client.domain();
        let (mut sum, mut kept) = (U256::ZERO, Vec::new());
        for written in self.cheques.drain(..) {
            let cheque = &written.claim.cheque;
            if written.domain == domain && cheque.token == token {
                let paid = purse.client.channel(cheque).map_err(Failure::new)?.paid;
                if paid >= cheque.cumulative {
                    continue;
                }
                sum += U256::from(cheque.cumulative - paid);
            }
            kept.push(written);
        }
        self.cheques = kept;
        Ok(sum)
    }

    /// Adds a cheque and writes all of them, durably.
    pub(super) fn add(&mut self, cheque: ChequeFile) -> Result<(), Failure> {
        if self.cheques.len() >= WRITTEN_MAX {
            return Err(Failure::new(format!(
                "{WRITTEN_MAX} cheques are written and not cashed: have some cashed first"
            )));
        }
        self.cheques.push(cheque);
        let lines = self.cheques.iter().map(|cheque| format!("{}\n", cheque.to_json()));
        write_over(&self.path, lines.collect::<String>().as_bytes()).map_err(Failure::new)
    }
}
