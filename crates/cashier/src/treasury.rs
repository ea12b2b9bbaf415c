//! What the owner of a wallet does with it on its chain, and what stands in the way of promising too much.
//!
//! Owns the connection to the network that the wallet signs for, which was checked, and the files beside the
//! keystore that say what was promised. It plans and never signs by itself: keys come as an argument.

use alloy_primitives::{Address, U256};
use piecework_pay::{Delegate, Signer};
use piecework_settle::{
    Account, Checked, Client, Network, NetworkFault, Outbox, Patience, Plan, Progress, Receipt,
    SeenFile, SettleError, TokenEntry, Waiting,
};
use piecework_wallet::{
    AddressFault, FolderFault, Session, SessionFault, WalletFolder, parse_address,
};
use std::path::Path;

mod promises;
mod sessions;
mod written;

pub use promises::Taking;
pub(crate) use written::WRITTEN;
pub use written::{WRITTEN_MAX, Written};

/// The network of a state folder, checked at its servers, and the wallet that spends there.
pub struct Treasury {
    /// The network.
    pub client: Client,
    /// Where the wallet lies.
    pub wallet: WalletFolder,
    seen: SeenFile,
}

/// Why something cannot be done with a wallet.
#[derive(Debug, thiserror::Error)]
pub enum TreasuryFault {
    /// No network file.
    #[error("no network: make a chain with `piecework chain init`, or `piecework chain join FILE`")]
    NoNetwork,
    /// A network file that is none.
    #[error(transparent)]
    Network(#[from] NetworkFault),
    /// The chain.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// The wallet's files.
    #[error(transparent)]
    Wallet(#[from] FolderFault),
    /// A wallet without an address.
    #[error("the wallet's file names no address: `piecework wallet restore` it once")]
    Unnamed,
    /// A network without tokens.
    #[error("the network file has no token: name one with --token")]
    NoToken,
    /// An unknown short name.
    #[error("the network file has no token {0}: give its address, `piecework token list` has it")]
    UnknownToken(String),
    /// A short name of several.
    #[error("there are several tokens {0}: give the address")]
    SeveralTokens(String),
    /// No address.
    #[error(transparent)]
    Address(#[from] AddressFault),
    /// Too little is free for all that is promised.
    #[error(
        "{free} {symbol} are free in the vault; written cheques and session keys can take {promised} of it \
         and this takes {taken}: `piecework vault deposit` more, have cheques cashed, or revoke delegations \
         and wait 24 hours"
    )]
    NoRoom {
        /// Whole tokens.
        free: String,
        /// The token's short name.
        symbol: String,
        /// Whole tokens.
        promised: String,
        /// Whole tokens.
        taken: String,
    },
    /// The file of written cheques.
    #[error("{0}")]
    Written(String),
    /// No session key could be drawn.
    #[error(transparent)]
    Session(#[from] SessionFault),
}

impl Treasury {
    /// Reads the network file that `chain init` or `chain join` left, and asks the servers whether it is
    /// true, and whether they still have what was seen of the chain. Blocks for seconds.
    ///
    /// # Errors
    /// When there is no network, or its servers do not confirm it.
    pub fn open(state: &Path, patience: Patience) -> Result<(Self, Checked), TreasuryFault> {
        let network = Network::pinned(state)?.ok_or(TreasuryFault::NoNetwork)?;
        let (client, checked) = Client::connect(network, patience)?;
        let seen = SeenFile::of(state);
        seen.look(&client)?;
        Ok((Self { client, wallet: WalletFolder::of(state), seen }, checked))
    }

    /// The wallet's address; no password is needed for it.
    ///
    /// # Errors
    /// When there is no wallet, or its file does not say.
    pub fn owner(&self) -> Result<Address, TreasuryFault> {
        owner(&self.wallet)
    }

    /// A token by short name or address.
    ///
    /// # Errors
    /// When no token, or more than one, is called so.
    pub fn token(&self, name: &str) -> Result<TokenEntry, TreasuryFault> {
        if let Ok(address) = parse_address(name) {
            return Ok(self.client.token(address)?);
        }
        let mut found = self.client.network().tokens.iter().filter(|it| it.symbol == name);
        match (found.next(), found.next()) {
            (Some(token), None) => Ok(token.clone()),
            (None, _) => Err(TreasuryFault::UnknownToken(name.into())),
            (Some(_), Some(_)) => Err(TreasuryFault::SeveralTokens(name.into())),
        }
    }

    /// The token that is meant when none is named: the network's first.
    ///
    /// # Errors
    /// As [`Self::token`]; or when the network has none.
    pub fn preferred(&self, name: Option<&str>) -> Result<TokenEntry, TreasuryFault> {
        match (name, self.client.network().tokens.first()) {
            (Some(name), _) => self.token(name),
            (None, Some(token)) => Ok(token.clone()),
            (None, None) => Err(TreasuryFault::NoToken),
        }
    }

    /// What the wallet has promised out of its account in a token, smallest units: cheques that are not paid
    /// yet, and what session keys may still spend.
    ///
    /// # Errors
    /// When a file cannot be read, or the chain does not tell.
    pub fn promised(&self, token: &TokenEntry) -> Result<U256, TreasuryFault> {
        promises::promised(self, token, &mut Written::open(&self.wallet)?)
    }

    /// That what is free covers all that is promised and what is taken now; else a cheque could bounce and
    /// burn the bond. Gives the account.
    ///
    /// # Errors
    /// When it does not, a file cannot be read, or the chain does not tell.
    pub fn demand_room(
        &self,
        token: &TokenEntry,
        taking: Taking,
    ) -> Result<Account, TreasuryFault> {
        promises::demand_room(self, token, taking, &mut Written::open(&self.wallet)?)
    }

    /// The same for somebody who is about to write a cheque.
    ///
    /// # Errors
    /// As [`Self::demand_room`].
    pub fn demand_room_beside(
        &self,
        token: &TokenEntry,
        taking: Taking,
        written: &mut Written,
    ) -> Result<Account, TreasuryFault> {
        promises::demand_room(self, token, taking, written)
    }

    /// Draws a session key that may spend up to `max_amount`, and have `bond_at_risk` of the bond burnt. It
    /// is on the disk before its delegation is told to anybody. Ask for room first.
    ///
    /// # Errors
    /// When the wallet does not sign, the chain does not tell the time, or a file cannot be written.
    pub fn entrust(
        &self,
        owner: &dyn Signer,
        token: &TokenEntry,
        (max_amount, bond_at_risk): (u128, u128),
    ) -> Result<Delegate, TreasuryFault> {
        sessions::entrust(self, owner, token, (max_amount, bond_at_risk))
    }

    /// The newest session key of the wallet's owner in a token that has not ended.
    ///
    /// # Errors
    /// When the wallet's files cannot be read.
    pub fn session(&self, token: &TokenEntry, now: u64) -> Result<Option<Session>, TreasuryFault> {
        sessions::newest(self, token, now)
    }

    /// Signs a plan and sends it, and waits until it counts; `told` hears how far its steps are. What was
    /// done has to stay done: the second value is why that could not be noted.
    ///
    /// # Errors
    /// As [`Outbox::execute`].
    pub fn carry_out(
        &self,
        signer: &dyn Signer,
        plan: &Plan,
        told: &mut dyn FnMut(usize, &Progress),
    ) -> Result<(Vec<Receipt>, Option<SettleError>), SettleError> {
        let mut outbox = Outbox::new(plan.from);
        let receipts = outbox.execute(&self.client, signer, plan, Waiting::default(), told)?;
        Ok((receipts, self.seen.look(&self.client).err()))
    }

    /// Notes how far the chain is.
    ///
    /// # Errors
    /// When it went another way than was seen before, or cannot be asked.
    pub fn look(&self) -> Result<(), SettleError> {
        self.seen.look(&self.client)
    }
}

/// The address of a wallet; no password is needed for it.
///
/// # Errors
/// When there is no wallet, or its file does not say.
pub fn owner(wallet: &WalletFolder) -> Result<Address, TreasuryFault> {
    wallet.keystore()?.address().ok_or(TreasuryFault::Unnamed)
}
