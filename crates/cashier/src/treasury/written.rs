//! The cheques that this wallet has written: on the disk before anybody gets them, so that no more is
//! promised than is there.

use super::TreasuryFault;
use alloy_primitives::{Address, U256};
use piecework_settle::{ChequeFile, Client};
use piecework_wallet::{WalletFolder, write_over};
use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Their file, a cheque a line, beside the keystore.
pub(crate) const WRITTEN: &str = "written-cheques";

/// Cheques kept at most; cashed ones are forgotten.
pub const WRITTEN_MAX: usize = 10_000;

/// The file: a cheque a line.
pub struct Written {
    path: PathBuf,
    cheques: Vec<ChequeFile>,
}

impl Written {
    /// Reads the file; without one there are none.
    ///
    /// # Errors
    /// When it cannot be read, or a line is no cheque.
    pub fn open(wallet: &WalletFolder) -> Result<Self, TreasuryFault> {
        let path = wallet.keystore_file().with_file_name(WRITTEN);
        let fault = |why: &dyn Display| {
            let text = format!("cannot read the written cheques {}: {why}", path.display());
            TreasuryFault::Written(text)
        };
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.map_err(|error| fault(&error))?,
        };
        let cheques: Result<_, _> = text.lines().map(ChequeFile::parse).collect();
        let cheques = cheques.map_err(|error| fault(&error))?;
        Ok(Self { path, cheques })
    }

    /// What the cheques in a token may still take out of the account, smallest units; those that are paid are
    /// forgotten.
    ///
    /// # Errors
    /// When the chain does not tell.
    pub fn outstanding(&mut self, client: &Client, token: Address) -> Result<U256, TreasuryFault> {
        let domain = client.domain();
        let (mut sum, mut kept) = (U256::ZERO, Vec::new());
        for written in self.cheques.drain(..) {
            let cheque = &written.claim.cheque;
            if written.domain == domain && cheque.token == token {
                let paid = client.channel(cheque)?.paid;
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
    ///
    /// # Errors
    /// When there are too many, or the file cannot be written.
    pub fn add(&mut self, cheque: ChequeFile) -> Result<(), TreasuryFault> {
        if self.cheques.len() >= WRITTEN_MAX {
            return Err(TreasuryFault::Written(format!(
                "{WRITTEN_MAX} cheques are written and not cashed: have some cashed first"
            )));
        }
        self.cheques.push(cheque);
        let lines = self.cheques.iter().map(|cheque| format!("{}\n", cheque.to_json()));
        Ok(write_over(&self.path, lines.collect::<String>().as_bytes())?)
    }
}
