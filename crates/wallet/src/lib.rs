//! Wallets: from twelve words to a key, from a key to a file, and back.
//!
//! [`Phrase`] is a recovery phrase (BIP-39), [`account`] the key it stands for (BIP-32, BIP-44),
//! [`Keystore`] that key under a password in the form that other Ethereum programs read, and
//! [`WalletFolder`] where it lies. [`parse_address`], [`hex_address`] and [`tron_address`] are addresses as
//! people copy them. [`Session`] is a key that a node pays with for some days; [`Backup`] holds what a
//! phrase cannot bring back, [`ArchiveWriter`] the files of a whole node. [`Unlocked`] keeps a key in
//! memory for a while; an [`Agent`] does so in a process of its own, and signs for other programs.
//!
//! Secrets are wiped from memory and shown by no `Debug`, no error and no log.
//!
//! This crate must not know networks or chains: it holds keys, and never asks what they own.

mod address;
mod agent;
mod archive;
mod backup;
mod cost;
mod derive;
mod folder;
mod keystore;
mod password;
mod phrase;
mod record;
mod session;
mod unlocked;

pub use address::{AddressFault, hex_address, parse_address, tron_address};
pub use agent::{AGENT_READY, Agent, AgentFault, AgentSocket, shield};
pub use archive::{ArchiveFault, ArchiveReader, ArchiveWriter, ENTRY_NAME_BYTES_MAX};
pub use backup::{BACKUP_BYTES_MAX, Backup, BackupFault};
pub use cost::{Cost, CostFault};
pub use derive::{Coin, DeriveFault, account, derive};
pub use folder::{FolderFault, WalletFolder, place_new, write_new, write_over};
pub use keystore::{KEYSTORE_BYTES_MAX, Keystore, KeystoreFault};
pub use password::{PASSWORD_CHARS_MIN, Password, RandomFault, random};
pub use phrase::{Phrase, PhraseFault, WORD_COUNTS};
pub use record::{RECORDS_MAX, Record, RecordFault, Seed, Uncashed};
pub use session::{Allowance, Session, SessionFault};
pub use unlocked::Unlocked;

#[cfg(test)]
mod tests;
