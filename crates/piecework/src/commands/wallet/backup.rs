//! `piecework wallet backup`: all of a wallet in one encrypted file.

use super::ask::unlock;
use crate::args::BackupArgs;
use crate::failure::Failure;
use crate::out::Out;
use piecework_wallet::{Backup, Cost, Record, WalletFolder, write_new};
use serde_json::json;

/// Runs the command.
pub(super) fn run(args: &BackupArgs, folder: &WalletFolder, out: Out) -> Result<(), Failure> {
    // A backup under a password that nobody knows would be none.
    let (_, password) = unlock(folder, &args.password)?;
    let keystore = folder.keystore().map_err(Failure::new)?;
    let mut records = vec![Record::Keystore(keystore.to_json())];
    let sessions = folder.sessions().map_err(Failure::new)?;
    records.extend(sessions.into_iter().map(Record::Session));
    records.extend(folder.restored().map_err(Failure::new)?);
    let bytes = Backup::encrypt(&records, &password, Cost::STANDARD).map_err(Failure::new)?;
    write_new(&args.file, &bytes).map_err(Failure::new)?;
    let (file, count) = (args.file.display(), records.len());
    out.say(
        &format!("{file}: the keystore and {} more records", count - 1),
        &json!({ "event": "wallet_backed_up", "file": args.file, "records": count }),
    );
    Ok(())
}
