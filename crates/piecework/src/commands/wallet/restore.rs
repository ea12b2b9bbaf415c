//! `piecework wallet restore`: a wallet from its words, from a keystore, or from a backup.

use super::ask::{TRIES_MAX, new_password, read_secret, with_password};
use super::{BACKUP_ADVICE, refuse_second, say_made};
use crate::args::{CoinArg, RestoreArgs};
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::terminal::{Echo, Terminal};
use piecework_pay::Key;
use piecework_wallet::{
    BACKUP_BYTES_MAX, Backup, BackupFault, Coin, Cost, KEYSTORE_BYTES_MAX, Keystore, KeystoreFault,
    Phrase, Record, WalletFolder, account,
};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Runs the command.
pub(super) fn run(args: &RestoreArgs, folder: &WalletFolder, out: Out) -> Result<(), Failure> {
    refuse_second(folder)?;
    if let Some(file) = &args.backup {
        return from_backup(file, args, folder, out);
    }
    let key = match &args.keystore {
        Some(file) => from_keystore(file, args)?,
        None => from_phrase(args)?,
    };
    let password = new_password(&args.password, "Password for the new keystore: ")?;
    let keystore = Keystore::encrypt(&key, &password, Cost::STANDARD).map_err(Failure::new)?;
    folder.create(&keystore).map_err(Failure::new)?;
    say_made("wallet_restored", &key.address(), folder, out);
    note(BACKUP_ADVICE);
    Ok(())
}

fn from_phrase(args: &RestoreArgs) -> Result<Key, Failure> {
    let phrase = match &args.phrase_file {
        Some(file) => Phrase::parse(&read_secret(file)?).map_err(Failure::new)?,
        None => ask_phrase()?,
    };
    let coin = match args.coin {
        CoinArg::Ethereum => Coin::Ethereum,
        CoinArg::Tron => Coin::Tron,
    };
    account(&phrase.seed(""), coin, args.account).map_err(Failure::new)
}

fn ask_phrase() -> Result<Phrase, Failure> {
    let mut terminal = Terminal::open("give --phrase-file FILE and --password-file FILE")?;
    let mut page = terminal.page()?;
    let mut attempt = 1;
    loop {
        let text = page.terminal().ask("The 12 or 24 words, in one line:\n", Echo::Shown)?;
        match Phrase::parse(&text) {
            Ok(phrase) => return Ok(phrase),
            Err(fault) if attempt < TRIES_MAX => page.terminal().say(&format!("{fault}.\n\n"))?,
            Err(fault) => return Err(Failure::new(fault)),
        }
        attempt += 1;
    }
}

fn from_keystore(file: &Path, args: &RestoreArgs) -> Result<Key, Failure> {
    let shown = file.display();
    let text = read(file, KEYSTORE_BYTES_MAX)?;
    let keystore = Keystore::parse(&String::from_utf8_lossy(&text)).context(shown)?;
    let password_file =
        args.keystore_password_file.as_deref().or(args.password.password_file.as_deref());
    let opened = with_password(
        password_file,
        "Password of that keystore: ",
        |password| keystore.decrypt(password),
        |fault| *fault == KeystoreFault::WrongPassword,
    );
    opened.map(|(key, _)| key)
}

/// All of a backup but session keys to pay with: those may have gone on being used since it was made.
fn from_backup(
    file: &Path,
    args: &RestoreArgs,
    folder: &WalletFolder,
    out: Out,
) -> Result<(), Failure> {
    let bytes = read(file, BACKUP_BYTES_MAX)?;
    let (mut records, password) = with_password(
        args.password.password_file.as_deref(),
        "Password of the backup: ",
        |password| Backup::decrypt(&bytes, password),
        |fault| *fault == BackupFault::WrongPassword,
    )?;
    let at = records.iter().position(|record| matches!(record, Record::Keystore(_)));
    let keystore = at.map(|at| records.remove(at));
    let Some(Record::Keystore(text)) = keystore else {
        return Err(Failure::new(format!("{} holds no keystore", file.display())));
    };
    let keystore = Keystore::parse(&text).map_err(Failure::new)?;
    let key = keystore.decrypt(&password).map_err(Failure::new)?;
    let restored = records.len();
    if restored > 0 {
        folder.write_restored(&records).map_err(Failure::new)?;
    }
    folder.create(&keystore).map_err(Failure::new)?;
    say_made("wallet_restored", &key.address(), folder, out);
    note(&format!(
        "Besides the key {restored} records came back. Session keys among them are not paid with again: \
         the node that made the backup may have used them since."
    ));
    Ok(())
}

fn read(file: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let doing = format!("cannot read {}", file.display());
    let mut bytes = Vec::new();
    let open = File::open(file).context(&doing)?;
    open.take(bytes_max as u64 + 1).read_to_end(&mut bytes).context(&doing)?;
    if bytes.len() > bytes_max {
        return Err(Failure::new(format!("{doing}: over {bytes_max} bytes long")));
    }
    Ok(bytes)
}
