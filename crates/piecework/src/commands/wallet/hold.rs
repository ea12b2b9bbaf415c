//! `piecework wallet hold`: the agent itself. `unlock` starts it, gives it the key, and ends.

use crate::args::HoldArgs;
use crate::failure::{Context, Failure};
use crate::out::Out;
use crate::signals::Signals;
use piecework_pay::Key;
use piecework_wallet::{AGENT_READY, Agent, AgentSocket, WalletFolder, shield};
use std::io::Read;
use zeroize::Zeroizing;

/// Holds the key until it is locked. What goes wrong before is told on stdout, to whoever started it.
pub(super) fn run(args: &HoldArgs, folder: &WalletFolder, out: Out) -> Result<(), Failure> {
    let (socket, key) = match take_over(folder) {
        Ok(taken) => taken,
        Err(failure) => {
            out.text(format!("{}\n", failure.text).as_bytes());
            return Err(failure);
        }
    };
    out.text(format!("{AGENT_READY}\n").as_bytes());
    socket.serve(key, args.duration).map_err(Failure::new)
}

fn take_over(folder: &WalletFolder) -> Result<(AgentSocket, Key), Failure> {
    shield().context("cannot keep the key from other programs")?;
    // Away from the terminal, whose end would be its own. It leads no group, so that nothing can refuse this.
    let _ = rustix::process::setsid();
    let mut secret = Zeroizing::new([0; 32]);
    std::io::stdin().lock().read_exact(&mut *secret).context("no key came on stdin")?;
    let key = Key::new(&secret).map_err(Failure::new)?;
    let socket = AgentSocket::open(folder).map_err(Failure::new)?;
    let folder = folder.clone();
    Signals::install()?.wake(move || {
        if !matches!(Agent::lock(&folder), Ok(true)) {
            // Its folder is gone, and with it the socket: nobody can ask it anything any more.
            std::process::exit(0);
        }
    })?;
    Ok((socket, key))
}
