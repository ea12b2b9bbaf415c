//! `piecework wallet`: its commands and their words.

use super::token::SendArgs;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

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
    /// Let the wallet sign for commands of this user without its password, for a while.
    Unlock(UnlockArgs),
    /// End that: the key leaves the memory at once.
    Lock,
    /// What `unlock` starts: holds the key that comes on stdin.
    #[command(hide = true)]
    Hold(HoldArgs),
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

/// `piecework wallet unlock`
#[derive(Args, Debug)]
pub(crate) struct UnlockArgs {
    /// How long: a number with s, m, h or d behind it, 30d at most.
    #[arg(long = "for", value_name = "DURATION", default_value = "15m", value_parser = duration)]
    pub(crate) duration: Duration,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// `piecework wallet hold`
#[derive(Args, Debug)]
pub(crate) struct HoldArgs {
    /// How long.
    #[arg(long = "for", value_parser = duration)]
    pub(crate) duration: Duration,
}

/// The longest time that a wallet stays unlocked, in seconds: 30 days.
const UNLOCKED_SECONDS_MAX: u64 = 30 * 24 * 3600;

fn duration(text: &str) -> Result<Duration, String> {
    let unit = |c| match c {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(3600),
        'd' => Some(24 * 3600),
        _ => None,
    };
    let seconds = text.char_indices().next_back().and_then(|(at, last)| {
        let number: u64 = text[..at].parse().ok()?;
        number.checked_mul(unit(last)?)
    });
    match seconds {
        Some(seconds @ 1..=UNLOCKED_SECONDS_MAX) => Ok(Duration::from_secs(seconds)),
        Some(_) => Err("between 1s and 30d".into()),
        None => Err("a number with s, m, h or d behind it, such as 15m".into()),
    }
}

/// `piecework wallet backup`
#[derive(Args, Debug)]
pub(crate) struct BackupArgs {
    /// The file, which must not exist; it opens with the wallet's password of today.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_an_end() {
        for (text, seconds) in [("1s", 1), ("15m", 900), ("8h", 28_800), ("30d", 2_592_000)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "15", "m", "-1m", "1.5h", "15 m", "15µ", "99999999999999999999d"] {
            assert!(duration(text).is_err_and(|error| error.contains("such as 15m")), "{text}");
        }
        for text in ["0s", "31d", "2592001s"] {
            assert_eq!(duration(text), Err("between 1s and 30d".into()), "{text}");
        }
        assert!(duration("18446744073709551615d").is_err());
    }
}
