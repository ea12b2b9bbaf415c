//! What a person can ask of the Vault.

use super::spend::SpendArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `piecework vault`
#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Add to what cheques are paid from.
    Deposit(AmountArgs),
    /// Add to what burns if a cheque bounces.
    Bond(AmountArgs),
    /// Reserve of what is free for one payee.
    Lock(LockArgs),
    /// Give a lock back: the payee signs with --sign, the payer sends that or waits for its end.
    CloseLock(CloseLockArgs),
    /// Make a session key that may sign cheques, up to an amount, for about 8 days.
    Delegate(DelegateArgs),
    /// Write a cheque to a payee.
    Cheque(ChequeArgs),
    /// Cash cheques; anybody may, their payees are paid.
    Cash(CashArgs),
    /// Pay what is owed on a cheque that bounced.
    Repay(CashArgs),
    /// Take out what was credited to the wallet.
    Withdraw(TokenArgs),
    /// End a delegation, or with --all every one, in 24 hours.
    Revoke(RevokeArgs),
    /// Ask for free money back; the same command 24 hours later takes it.
    Exit(ExitArgs),
    /// Ask for the bond back; the same command 7 days later takes it.
    BondExit(TokenArgs),
    /// Find all that the Vault holds for the wallet, after it was restored from its words.
    Recover,
    /// Tell what the wallet, or a payer, has in the Vault.
    Status(StatusArgs),
}

/// A token, and the options of a command that signs.
#[derive(Args, Debug)]
pub(crate) struct TokenArgs {
    /// The token: short name or address [default: the network's first].
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
}

/// `piecework vault deposit` and `bond`
#[derive(Args, Debug)]
pub(crate) struct AmountArgs {
    /// Whole tokens, such as 1.5.
    pub(crate) amount: String,
    /// Take it from what cheques have credited instead of the wallet.
    #[arg(long)]
    pub(crate) from_credit: bool,
    #[command(flatten)]
    pub(crate) of: TokenArgs,
}

/// `piecework vault lock`
#[derive(Args, Debug)]
pub(crate) struct LockArgs {
    /// For whom.
    pub(crate) payee: String,
    /// Whole tokens, such as 1.5.
    pub(crate) amount: String,
    /// For so many days.
    #[arg(long, value_name = "N", default_value_t = 7,
          value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(crate) days: u64,
    #[command(flatten)]
    pub(crate) of: TokenArgs,
}

/// `piecework vault close-lock`
#[derive(Args, Debug)]
pub(crate) struct CloseLockArgs {
    /// Whose lock [default: the wallet's, or with --sign the one to name].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) payer: Option<String>,
    /// For whom it is [default: the wallet].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) payee: Option<String>,
    /// As the payee: print the signature that lets the payer close it now. Nothing is sent.
    #[arg(long, requires = "payer", conflicts_with = "signature")]
    pub(crate) sign: bool,
    /// The payee's signature, 65 bytes in hexadecimal.
    #[arg(long, value_name = "HEX")]
    pub(crate) signature: Option<String>,
    #[command(flatten)]
    pub(crate) of: TokenArgs,
}

/// `piecework vault delegate`
#[derive(Args, Debug)]
pub(crate) struct DelegateArgs {
    /// What its cheques can spend in all, whole tokens.
    pub(crate) max: String,
    /// What its bounces can burn of the bond, whole tokens.
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    pub(crate) bond_at_risk: String,
    #[command(flatten)]
    pub(crate) of: TokenArgs,
}

/// `piecework vault cheque`
#[derive(Args, Debug)]
pub(crate) struct ChequeArgs {
    /// To whom.
    pub(crate) payee: String,
    /// Whole tokens, such as 1.5.
    pub(crate) amount: String,
    /// Where to write it [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) of: TokenArgs,
}

/// `piecework vault cash` and `repay`
#[derive(Args, Debug)]
pub(crate) struct CashArgs {
    /// Files with cheques.
    #[arg(required = true)]
    pub(crate) cheques: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
}

/// `piecework vault revoke`
#[derive(Args, Debug)]
pub(crate) struct RevokeArgs {
    /// The delegation's digest, as `vault delegate` printed it.
    #[arg(required_unless_present = "all")]
    pub(crate) delegation: Option<String>,
    /// Every delegation of the wallet in the token.
    #[arg(long, conflicts_with = "delegation")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) of: TokenArgs,
}

/// `piecework vault exit`
#[derive(Args, Debug)]
pub(crate) struct ExitArgs {
    /// Whole tokens to ask for; 0 cancels. Without it, what was asked for is taken out.
    pub(crate) amount: Option<String>,
    #[command(flatten)]
    pub(crate) of: TokenArgs,
}

/// `piecework vault status`
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Whose [default: the wallet's].
    pub(crate) address: Option<String>,
    /// The token: short name or address [default: the network's first].
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
}
