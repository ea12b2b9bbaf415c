//! `piecework wallet`: its commands and their words.

use super::token::SendArgs;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `piecework wallet`
#[derive(Args, Debug)]
pub(crate) struct WalletArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: WalletCommand,
}

/// The commands of a wallet.
#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Make a wallet: show its words, ask for two of them, put the key under a password.
    New(NewArgs),
    /// Bring a wallet back from its words, a keystore or a backup.
    Restore(RestoreArgs),
    /// Show the address, where the wallet lies and what it protects. Asks for no password.
    Show,
    /// Give the key to another program; asks for the password again.
    Export(ExportArgs),
    /// Write what the words cannot bring back into one encrypted file.
    Backup(BackupArgs),
    /// Send coins or tokens to an address; the same as `piecework token send`.
    Send(SendArgs),
    /// Tell what came in and went out, newest last.
    History(HistoryArgs),
    /// Give up the network that this wallet signs for, so that it can join another.
    ForgetNetwork {
        /// Do it without asking.
        #[arg(long)]
        yes: bool,
    },
}

/// `piecework wallet history`
#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// The token: short name or address [default: every token of the network file].
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// From this block on [default: the first that can have any].
    #[arg(long, value_name = "N")]
    pub(crate) from: Option<u64>,
}

/// `piecework wallet new`
#[derive(Args, Debug)]
pub(crate) struct NewArgs {
    /// How many words.
    #[arg(long, value_name = "N", default_value = "12", value_parser = ["12", "24"])]
    pub(crate) words: String,
    /// Ask nothing back: print the words to stdout, for a script that keeps them.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// Where the password comes from.
#[derive(Args, Debug)]
pub(crate) struct PasswordArgs {
    /// Take the password from the first line of a file, "-" for stdin, instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// `piecework wallet restore`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("from"))]
pub(crate) struct RestoreArgs {
    /// Take the words from a file, "-" for stdin, instead of asking for them.
    #[arg(long, value_name = "FILE", group = "from")]
    pub(crate) phrase_file: Option<PathBuf>,
    /// Take the key from a keystore (version 3) of this program or of another one.
    #[arg(long, value_name = "FILE", group = "from")]
    pub(crate) keystore: Option<PathBuf>,
    /// Take everything from a backup.
    #[arg(long, value_name = "FILE", group = "from")]
    pub(crate) backup: Option<PathBuf>,
    /// The password of that keystore [default: that of --password-file, else it is asked for].
    #[arg(long, value_name = "FILE", requires = "keystore")]
    pub(crate) keystore_password_file: Option<PathBuf>,
    /// Whose account numbers the words were used with: m/44'/60'/0'/0/N or m/44'/195'/0'/0/N.
    #[arg(long, value_enum, default_value_t = CoinArg::Ethereum, conflicts_with_all = ["keystore", "backup"])]
    pub(crate) coin: CoinArg,
    /// Which account of the words.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with_all = ["keystore", "backup"],
          value_parser = clap::value_parser!(u32).range(..1 << 31))]
    pub(crate) account: u32,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// `--coin`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum CoinArg {
    /// As nearly every wallet of an EVM chain
    Ethereum,
    /// As TronLink
    Tron,
}

/// `piecework wallet export`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true))]
pub(crate) struct ExportArgs {
    /// The private key itself, in hex. Who reads it owns the account.
    #[arg(long, group = "what")]
    pub(crate) private_key: bool,
    /// The keystore (version 3), which geth, ethers, cast and most wallets open with its password.
    #[arg(long, group = "what")]
    pub(crate) keystore: bool,
    /// Write it to a new file that only you read [default: stdout].
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// `piecework wallet backup`
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The file, which must not exist; it opens with the wallet's password of today.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}
