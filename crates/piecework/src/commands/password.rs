//! `piecework password`: another password for a daemon that does not run, for whoever has lost theirs. With a
//! daemon that runs it is changed over the API, by who knows the old one.

use super::wallet::read_secret;
use crate::args::daemon::PasswordArgs;
use crate::failure::{Context, Failure};
use crate::folders::Folders;
use crate::out::Out;
use crate::terminal::{Echo, Terminal};
use crate::up::Lock;
use piecework_access::Limits;
use piecework_api::AccessGate;
use serde_json::json;
use zeroize::Zeroizing;

/// Runs the command.
pub(crate) fn run(args: &PasswordArgs, out: Out) -> Result<(), Failure> {
    let folders = Folders::of(&args.place)?;
    if !folders.data.join("access.json").exists() {
        let data = folders.data.display();
        return Err(Failure::new(format!(
            "no daemon has run on {data}: the first start makes one"
        )));
    }
    let _lock = Lock::take(&folders)?;
    let (gate, _) =
        AccessGate::open(&folders.data, &[], Limits::default()).map_err(Failure::new)?;
    let password = match &args.password_file {
        Some(file) => {
            let text = read_secret(file)?;
            Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
        }
        None => typed(&gate.user())?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.context("cannot hash the password")?;
    runtime.block_on(gate.set_password(&password)).map_err(Failure::new)?;
    let user = gate.user();
    out.say(
        &format!("the password of {user} is another one from now on"),
        &json!({ "event": "password", "user": user }),
    );
    Ok(())
}

/// Asks for it twice.
fn typed(user: &str) -> Result<Zeroizing<String>, Failure> {
    let mut terminal = Terminal::open("give --password-file FILE")?;
    let password = terminal.ask(&format!("New password for {user}: "), Echo::Hidden)?;
    if terminal.ask("The same again: ", Echo::Hidden)? == password {
        Ok(password)
    } else {
        Err(Failure::new("these were two passwords; nothing has changed"))
    }
}
