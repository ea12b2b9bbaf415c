//! Why something cannot be done with the wallet: a kind for programs, a text for people.

use piecework_cashier::{TreasuryFault, is_down};
use piecework_catalog::{Refusal, RefusalKind};
use piecework_settle::{AmountFault, NetworkFault, SettleError};
use piecework_wallet::{AddressFault, AgentFault, FolderFault, KeystoreFault, PhraseFault};
use std::fmt::Display;
use std::time::Duration;

/// What is in the way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WalletTrouble {
    /// There is no wallet.
    NoWallet,
    /// There is one already.
    Exists,
    /// Its key is needed, and locked away.
    Locked,
    /// The wallet's password is wrong.
    WrongPassword,
    /// It was wrong too often: to be tried again after so long.
    TooMany(Duration),
    /// The wallet signs for no network.
    NoNetwork,
    /// The wallet signs for another network.
    AnotherNetwork,
    /// The chain cannot be asked or believed.
    Unreachable,
    /// There is too little of something.
    TooLittle,
    /// A contract would refuse it.
    Refused,
    /// Fees could be higher than was agreed to.
    PriceRose,
    /// There is no such thing.
    Unknown,
    /// A value makes no sense.
    Invalid,
    /// A limit is reached.
    Full,
    /// Something failed here.
    Failed,
}

/// What is in the way, and what to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WalletFault {
    /// For programs.
    pub trouble: WalletTrouble,
    /// For people. It holds no secret.
    pub text: String,
}

impl WalletFault {
    pub(super) fn new(trouble: WalletTrouble, why: impl Display) -> Self {
        Self { trouble, text: why.to_string() }
    }

    pub(super) fn locked() -> Self {
        Self::new(WalletTrouble::Locked, "the wallet is locked: unlock it with its password first")
    }

    pub(super) fn no_wallet() -> Self {
        let text = "there is no wallet: make one from new words, or restore one from its words";
        Self::new(WalletTrouble::NoWallet, text)
    }
}

impl From<SettleError> for WalletFault {
    fn from(error: SettleError) -> Self {
        let trouble = match &error {
            error if is_down(error) => WalletTrouble::Unreachable,
            SettleError::Coin { .. } | SettleError::TooLittle { .. } => WalletTrouble::TooLittle,
            SettleError::Amount(_) | SettleError::NoToken(_) => WalletTrouble::Invalid,
            SettleError::Refused { .. } | SettleError::Gas { .. } => WalletTrouble::Refused,
            SettleError::TooManySent { .. } => WalletTrouble::Full,
            _ => WalletTrouble::Failed,
        };
        Self::new(trouble, error)
    }
}

impl From<TreasuryFault> for WalletFault {
    fn from(fault: TreasuryFault) -> Self {
        let trouble = match fault {
            TreasuryFault::Settle(error) => return error.into(),
            TreasuryFault::Wallet(fault) => return fault.into(),
            TreasuryFault::NoNetwork | TreasuryFault::NoToken => WalletTrouble::NoNetwork,
            TreasuryFault::UnknownToken(_)
            | TreasuryFault::SeveralTokens(_)
            | TreasuryFault::Address(_) => WalletTrouble::Invalid,
            TreasuryFault::NoRoom { .. } => WalletTrouble::TooLittle,
            TreasuryFault::Network(_)
            | TreasuryFault::Unnamed
            | TreasuryFault::Written(_)
            | TreasuryFault::Session(_) => WalletTrouble::Failed,
        };
        Self::new(trouble, fault)
    }
}

impl From<FolderFault> for WalletFault {
    fn from(fault: FolderFault) -> Self {
        match fault {
            FolderFault::NoWallet { .. } => Self::no_wallet(),
            FolderFault::Exists { .. } => Self::new(WalletTrouble::Exists, fault),
            fault => Self::new(WalletTrouble::Failed, fault),
        }
    }
}

impl From<KeystoreFault> for WalletFault {
    fn from(fault: KeystoreFault) -> Self {
        let trouble = match fault {
            KeystoreFault::WrongPassword => WalletTrouble::WrongPassword,
            _ => WalletTrouble::Failed,
        };
        Self::new(trouble, fault)
    }
}

impl From<NetworkFault> for WalletFault {
    fn from(fault: NetworkFault) -> Self {
        let trouble = match fault {
            NetworkFault::Another { .. } => WalletTrouble::AnotherNetwork,
            NetworkFault::File { .. } | NetworkFault::Unwritten { .. } => WalletTrouble::Failed,
            NetworkFault::Form(_)
            | NetworkFault::Newer { .. }
            | NetworkFault::TooLong { .. }
            | NetworkFault::Bounds { .. } => WalletTrouble::Invalid,
        };
        Self::new(trouble, fault)
    }
}

impl From<AgentFault> for WalletFault {
    fn from(fault: AgentFault) -> Self {
        Self::new(WalletTrouble::Failed, fault)
    }
}

impl From<PhraseFault> for WalletFault {
    fn from(fault: PhraseFault) -> Self {
        let trouble = match fault {
            PhraseFault::Random(_) => WalletTrouble::Failed,
            _ => WalletTrouble::Invalid,
        };
        Self::new(trouble, fault)
    }
}

impl From<AddressFault> for WalletFault {
    fn from(fault: AddressFault) -> Self {
        Self::new(WalletTrouble::Invalid, fault)
    }
}

impl From<AmountFault> for WalletFault {
    fn from(fault: AmountFault) -> Self {
        Self::new(WalletTrouble::Invalid, fault)
    }
}

impl From<Refusal> for WalletFault {
    fn from(refusal: Refusal) -> Self {
        let trouble = match refusal.kind {
            RefusalKind::Unknown => WalletTrouble::Unknown,
            RefusalKind::Invalid => WalletTrouble::Invalid,
            RefusalKind::Full => WalletTrouble::Full,
            RefusalKind::Conflict | RefusalKind::Forbidden | RefusalKind::Failed => {
                WalletTrouble::Failed
            }
        };
        Self::new(trouble, refusal.text)
    }
}
