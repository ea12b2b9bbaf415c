//! `piecework wallet export`: the key for another program, after the password was given again.

use super::ask::unlock;
use crate::args::ExportArgs;
use crate::failure::Failure;
use crate::out::Out;
use piecework_wallet::{WalletFolder, write_new};
use serde_json::json;
use std::fmt::Write;
use zeroize::Zeroizing;

/// Runs the command.
pub(super) fn run(args: &ExportArgs, folder: &WalletFolder, out: Out) -> Result<(), Failure> {
    let (key, _) = unlock(folder, &args.password)?;
    let (name, text) = if args.private_key {
        // Room for all of it: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(80));
        text.push_str("0x");
        for byte in key.secret() {
            let _ = write!(text, "{byte:02x}");
        }
        ("private_key", text)
    } else {
        let keystore = folder.keystore().map_err(Failure::new)?;
        ("keystore", Zeroizing::new(keystore.to_json().trim_end().to_owned()))
    };
    if let Some(file) = &args.output {
        let line = Zeroizing::new(format!("{}\n", *text));
        write_new(file, line.as_bytes()).map_err(Failure::new)?;
        out.say(&file.display().to_string(), &json!({ "event": "exported", "file": file }));
    } else {
        out.say(&text, &json!({ "event": "exported", name: *text }));
    }
    Ok(())
}
