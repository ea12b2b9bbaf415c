//! Passwords: from a file for scripts, else from the person at the terminal.

use crate::args::PasswordArgs;
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::terminal::{Echo, Terminal};
use piecework_pay::{Key, Signer};
use piecework_wallet::{Agent, Keystore, PASSWORD_CHARS_MIN, Password, WalletFolder};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// How often a person may be wrong before a command gives up.
pub(super) const TRIES_MAX: usize = 3;
/// Bytes of a file with a secret at most.
const SECRET_BYTES_MAX: usize = 4096;

const REMEDY: &str = "give --password-file FILE";

/// A password for something new, typed twice.
pub(crate) fn new_password(args: &PasswordArgs, question: &str) -> Result<Password, Failure> {
    let short = format!("a password has at least {PASSWORD_CHARS_MIN} characters");
    if let Some(file) = &args.password_file {
        let password = read_password(file)?;
        return if password.is_long() { Ok(password) } else { Err(Failure::new(short)) };
    }
    let mut terminal = Terminal::open(REMEDY)?;
    for _ in 0..TRIES_MAX {
        let password = typed(&mut terminal, question)?;
        if !password.is_long() {
            terminal.say(&format!("{short}.\n"))?;
        } else if typed(&mut terminal, "The same again: ")? == password {
            return Ok(password);
        } else {
            terminal.say("These are two passwords.\n")?;
        }
    }
    Err(Failure::new("no password given twice alike"))
}

/// Does `open` with a password that exists; a person may try again, a file may not.
pub(crate) fn with_password<T, E: std::fmt::Display>(
    file: Option<&Path>,
    question: &str,
    open: impl Fn(&Password) -> Result<T, E>,
    is_wrong: impl Fn(&E) -> bool,
) -> Result<(T, Password), Failure> {
    if let Some(file) = file {
        let password = read_password(file)?;
        return Ok((open(&password).map_err(Failure::new)?, password));
    }
    let mut terminal = Terminal::open(REMEDY)?;
    let mut attempt = 1;
    loop {
        let password = typed(&mut terminal, question)?;
        match open(&password) {
            Ok(opened) => return Ok((opened, password)),
            Err(fault) if is_wrong(&fault) && attempt < TRIES_MAX => {
                terminal.say(&format!("{fault}.\n"))?;
            }
            Err(fault) => return Err(Failure::new(fault)),
        }
        attempt += 1;
    }
}

/// Who signs for the wallet in this folder: its agent while it is unlocked, else its key, for the password.
pub(crate) fn signer(
    folder: &WalletFolder,
    args: &PasswordArgs,
    out: Out,
) -> Result<Box<dyn Signer>, Failure> {
    let keystore = folder.keystore().map_err(Failure::new)?;
    if args.password_file.is_none()
        && let Some(agent) = agent(folder, &keystore, out)
    {
        return Ok(Box::new(agent));
    }
    let (key, _) = unlock(folder, args)?;
    Ok(Box::new(key))
}

/// The agent of a wallet, while it is unlocked. With one that is of no use the wallet counts as locked, and
/// why is told.
pub(super) fn agent(folder: &WalletFolder, keystore: &Keystore, out: Out) -> Option<Agent> {
    match Agent::of(folder, keystore) {
        Ok(agent) => agent,
        Err(fault) => {
            out.problem(&fault.to_string());
            None
        }
    }
}

/// The key of the wallet in this folder.
pub(super) fn unlock(
    folder: &WalletFolder,
    args: &PasswordArgs,
) -> Result<(Key, Password), Failure> {
    let keystore = folder.keystore().map_err(Failure::new)?;
    with_password(
        args.password_file.as_deref(),
        "Password of the wallet: ",
        |password| keystore.decrypt(password),
        |fault| *fault == piecework_wallet::KeystoreFault::WrongPassword,
    )
}

/// A secret text from a file, "-" for stdin.
pub(crate) fn read_secret(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let doing = format!("cannot read {}", file.display());
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 1));
    let limit = SECRET_BYTES_MAX as u64 + 1;
    if file == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).context(&doing)?;
    } else {
        File::open(file).context(&doing)?.take(limit).read_to_end(&mut bytes).context(&doing)?;
    }
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(Failure::new(format!("{doing}: over {SECRET_BYTES_MAX} bytes long")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is no UTF-8").context(&doing)?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn read_password(file: &Path) -> Result<Password, Failure> {
    let text = read_secret(file)?;
    Ok(Password::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn typed(terminal: &mut Terminal, question: &str) -> Result<Password, Failure> {
    let text = terminal.ask(question, Echo::Hidden)?;
    Ok(Password::new(text.as_str().to_owned()))
}
