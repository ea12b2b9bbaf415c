//! Spending: what a command will do is shown, with all that it can cost, and agreed to before anything is
//! signed.

use crate::args::Common;
use crate::args::spend::SpendArgs;
use crate::commands::wallet::signer;
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::progress::Progress as Waited;
use crate::session::state_dir;
use crate::terminal::{Echo, Terminal};
use alloy_primitives::{Address, U256};
use piecework_cashier::{Treasury, TreasuryFault};
use piecework_pay::Signer;
use piecework_settle::{
    COIN_DECIMALS, Client, Network, Outbox, Patience, Plan, Progress, Receipt, Step, TokenEntry,
    Trust, Waiting, format_amount, parse_amount,
};
use piecework_wallet::{WalletFolder, hex_address, parse_address};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A [`Treasury`] with a person at a terminal.
pub(crate) struct Purse {
    treasury: Treasury,
}

impl Deref for Purse {
    type Target = Treasury;

    fn deref(&self) -> &Treasury {
        &self.treasury
    }
}

impl Purse {
    /// Reads the network file that `chain init` or `chain join` left, and asks the servers whether it is
    /// true, and whether they still have what was seen of the chain.
    pub(crate) fn open(common: &Common, out: Out) -> Result<Self, Failure> {
        let opened = Treasury::open(&state_dir(common)?, Patience::default());
        let (mut treasury, checked) = opened.map_err(Failure::new)?;
        show_searches(&mut treasury.client, out);
        for fault in &checked.failed {
            out.problem(&fault.to_string());
        }
        Ok(Self { treasury })
    }

    /// The wallet's address.
    pub(crate) fn owner(&self) -> Result<Address, Failure> {
        owner(&self.wallet)
    }

    /// A token by short name or address.
    pub(crate) fn token(&self, name: &str) -> Result<TokenEntry, Failure> {
        self.treasury.token(name).map_err(Failure::new)
    }

    /// The token that is meant when none is named: the network's first.
    pub(crate) fn preferred(&self, name: Option<&str>) -> Result<TokenEntry, Failure> {
        self.treasury.preferred(name).map_err(|fault| match fault {
            TreasuryFault::NoToken => Failure::usage(fault),
            fault => Failure::new(fault),
        })
    }

    /// Shows the plan, asks, unlocks, and carries it out with its progress told.
    pub(crate) fn carry_out(
        &self,
        plan: &Plan,
        args: &SpendArgs,
        out: Out,
    ) -> Result<Vec<Receipt>, Failure> {
        let receipts = carry_out(&self.client, &self.wallet, plan, args, out)?;
        // What was just done has to stay done. It is done, though, whether that can be noted or not.
        if let Err(error) = self.look() {
            out.problem(&error.to_string());
        }
        Ok(receipts)
    }

    /// Who signs for the wallet: nobody asks for the password of one that is unlocked.
    pub(crate) fn signer(&self, args: &SpendArgs, out: Out) -> Result<Box<dyn Signer>, Failure> {
        signer(&self.wallet, &args.password, out)
    }
}

/// Shows how far a search in the chain is that takes more than a moment.
fn show_searches(client: &mut Client, out: Out) {
    let shown = Mutex::new(None);
    client.tell_searches(move |done, all| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        let progress: &mut Waited =
            shown.get_or_insert_with(|| Waited::of_a_wait(out, "searching the chain"));
        progress.waited(done, all, |blocks| format!("{blocks} blocks"));
        if done >= all {
            progress.clear();
            *shown = None;
        }
    });
}

/// Shows the plan, asks, unlocks, and carries it out.
pub(crate) fn carry_out(
    client: &Client,
    wallet: &WalletFolder,
    plan: &Plan,
    args: &SpendArgs,
    out: Out,
) -> Result<Vec<Receipt>, Failure> {
    show(client, plan, out);
    agree(args, out)?;
    let signer = signer(wallet, &args.password, out)?;
    let mut outbox = Outbox::new(plan.from);
    let mut said = None;
    let mut told = |step: usize, progress: &Progress| {
        let text = match progress {
            Progress::Waiting => "waiting for a block".to_owned(),
            Progress::Confirming { have, want } => format!("in a block, {have} of {want} on top"),
            Progress::Done(_) => "done".to_owned(),
        };
        if !out.is_json() && said.replace((step, text.clone())) != Some((step, text.clone())) {
            note(&format!("{}: {text}", step + 1));
        }
    };
    let done = outbox.execute(client, signer.as_ref(), plan, Waiting::default(), &mut told);
    let receipts = done.map_err(Failure::new)?;
    for (step, receipt) in plan.steps.iter().zip(&receipts) {
        let told = json!({
            "event": "sent", "what": step.call.what, "transaction": receipt.hash, "block": receipt.block,
        });
        out.say(&format!("SENT {} {}", receipt.hash, step.call.what), &told);
    }
    Ok(receipts)
}

/// What will be done and what it costs at most.
fn show(client: &Client, plan: &Plan, out: Out) {
    let coin = &client.network().coin.symbol;
    let whole = |wei: U256| format_amount(wei, COIN_DECIMALS);
    if out.is_json() {
        let step = |it: &Step| {
            let fee_most = whole(it.fee_most);
            json!({ "what": it.call.what, "gas": it.gas, "fee_most": fee_most })
        };
        let steps: Vec<Value> = plan.steps.iter().map(step).collect();
        return out.event(&json!({
            "event": "plan", "network": client.network().name, "from": plan.from, "coin": coin,
            "steps": steps, "fee_most": whole(plan.fee_most()),
        }));
    }
    note(&format!("On {}, from {}:", client.network().name, hex_address(&plan.from)));
    for (step, number) in plan.steps.iter().zip(1..) {
        note(&format!("  {number}. {}", step.call.what));
    }
    note(&format!("Fees at most {} {coin}.", whole(plan.fee_most())));
}

/// Asks whether to go on.
pub(crate) fn agree(args: &SpendArgs, out: Out) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if out.is_json() {
        return Err(Failure::usage(
            "with --json nobody can be asked: --yes does it without asking",
        ));
    }
    let answer =
        Terminal::open("--yes does it without asking")?.ask("Go on? [y/N] ", Echo::Shown)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new("nothing was sent")),
    }
}

/// The wallet's address; no password is needed for it.
pub(crate) fn owner(wallet: &WalletFolder) -> Result<Address, Failure> {
    piecework_cashier::owner(wallet).map_err(Failure::new)
}

/// An address that a person wrote.
pub(crate) fn address(text: &str) -> Result<Address, Failure> {
    parse_address(text).map_err(Failure::usage)
}

/// Whole tokens that a person wrote, in the smallest unit.
pub(crate) fn amount(text: &str, decimals: u8) -> Result<u128, Failure> {
    parse_amount(text, decimals).map_err(Failure::usage)
}

/// The network of a state folder, if it has one.
pub(crate) fn pinned(state: &Path) -> Result<Option<Network>, Failure> {
    Network::pinned(state).map_err(Failure::new)
}

/// Deletes a file that may be there.
pub(crate) fn remove(file: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done.context(format_args!("cannot delete {}", file.display())),
    }
}

/// Whom a network rests on, in words.
pub(crate) fn trust(trust: &Trust) -> String {
    match trust {
        Trust::OneOperator { server } => format!(
            "Trusted: the operator of {server} alone, who can make up all that it says; ask for a file \
             with two."
        ),
        Trust::Witnesses { servers } => format!("{} say the same.", servers.join(" and ")),
    }
}
