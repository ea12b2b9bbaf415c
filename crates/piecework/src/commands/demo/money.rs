//! The money of a demo: a chain of its own whose owner gives everybody what they need.

use super::process::Process;
use crate::args::DemoArgs;
use crate::failure::{Context, Failure};
use crate::purse::amount;
use alloy_primitives::U256;
use piecework_pay::{Address, Key, Signer};
use piecework_settle::{
    Client, Network, Outbox, Patience, Plan, TokenEntry, Waiting, format_amount,
};
use piecework_wallet::{Allowance, Cost, Keystore, Password, Session, WalletFolder, random};
use std::path::{Path, PathBuf};

/// What a unit of gas costs: cashing is not for nothing.
const GAS_PRICE: &str = "1000000000";

/// Coin for each account, and for the fees of cashing, wei.
const COIN: u128 = 1_000_000_000_000_000_000;

/// What things cost, in whole tokens.
#[derive(Clone, Debug)]
pub(super) struct Money {
    /// What a buyer may spend.
    pub(super) budget: String,
    /// The lowest ask, a GiB.
    pub(super) floor: String,
    /// The highest price, a GiB.
    pub(super) price_max: String,
    /// What a buyer puts into the vault, and what burns of it if a cheque bounces.
    pub(super) deposit: u128,
    pub(super) bond: u128,
    /// What its session key may spend.
    pub(super) entrusted: u128,
}

impl Money {
    pub(super) fn of(args: &DemoArgs, bank: &Bank) -> Result<Self, Failure> {
        let units = |text: &str| amount(text, bank.token().decimals);
        let budget = units(&args.budget)?;
        if budget == 0 {
            return Err(Failure::usage("--budget is above 0"));
        }
        // A seller gives credit for a 20th of what is free and a 256th of the bond.
        Ok(Self {
            budget: args.budget.clone(),
            floor: "1".into(),
            price_max: "20".into(),
            deposit: budget.saturating_mul(2).max(units("10")?),
            bond: units("200")?,
            entrusted: budget,
        })
    }
}

/// The chain with its owner.
pub(super) struct Bank {
    chain: Process,
    client: Client,
    owner: Key,
    network: PathBuf,
}

/// What an account has, in the token's smallest unit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Holding {
    /// In its own hands.
    pub(super) wallet: u128,
    /// In the vault: free and bond.
    pub(super) vault: u128,
    /// Cashed, and left in the vault.
    pub(super) credit: u128,
}

impl Holding {
    pub(super) fn all(&self) -> u128 {
        self.wallet.saturating_add(self.vault).saturating_add(self.credit)
    }
}

impl Bank {
    /// Makes the chain and runs it.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let owner = key()?;
        let state = folder.join("bank");
        std::fs::create_dir_all(&state).context("cannot make a folder")?;
        let state_text = state.display().to_string();
        let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let address = owner.address().to_string();
        let init = words(&[
            "--state",
            &state_text,
            "chain",
            "init",
            "--name",
            "demo",
            "--owner",
            &address,
            "--gas-price",
            GAS_PRICE,
        ]);
        Process::start("chain-init", folder, &init)?.wait_for("chain")?;
        let run = words(&["--state", &state_text, "chain", "run", "--rpc", "127.0.0.1:0"]);
        let mut chain = Process::start("chain", folder, &run)?;
        chain.wait_for("ready")?;
        let network = state.join("network.json");
        let text = std::fs::read_to_string(&network).context("cannot read the network file")?;
        let read = Network::parse(&text).map_err(Failure::new)?;
        let (client, _) = Client::connect(read, Patience::default()).map_err(Failure::new)?;
        Ok(Self { chain, client, owner, network })
    }

    pub(super) fn token(&self) -> &TokenEntry {
        // The chain was made with one.
        &self.client.network().tokens[0]
    }

    /// Whole tokens.
    pub(super) fn whole(&self, amount: u128) -> String {
        format_amount(U256::from(amount), self.token().decimals)
    }

    /// Gives a state folder a wallet that knows the network, with some coin.
    pub(super) fn account(&self, state: &Path) -> Result<Key, Failure> {
        let key = key()?;
        std::fs::create_dir_all(state).context("cannot make a folder")?;
        let password = Password::new("demo".into());
        // It holds play money for a minute: hashing its password may be cheap.
        let cost = Cost::new(1 << 12, 8, 1).map_err(Failure::new)?;
        let keystore = Keystore::encrypt(&key, &password, cost).map_err(Failure::new)?;
        WalletFolder::of(state).create(&keystore).map_err(Failure::new)?;
        std::fs::copy(&self.network, state.join("network.json")).context("cannot copy a file")?;
        self.give_coin(key.address())?;
        Ok(key)
    }

    /// Coin for fees.
    pub(super) fn give_coin(&self, to: Address) -> Result<(), Failure> {
        let plan = self.client.send_coin(self.owner.address(), to, COIN).map_err(Failure::new)?;
        self.carry_out(&self.owner, &plan)
    }

    /// Tokens into the vault, and a session key that may spend some of them.
    pub(super) fn fund(&self, state: &Path, key: &Key, money: &Money) -> Result<(), Failure> {
        let (token, own) = (self.token(), key.address());
        let all = money.deposit.saturating_add(money.bond);
        let owner = self.owner.address();
        let plan = self.client.send_token(owner, token, (own, all)).map_err(Failure::new)?;
        self.carry_out(&self.owner, &plan)?;
        let plan = self.client.deposit(own, token, money.deposit).map_err(Failure::new)?;
        self.carry_out(key, &plan)?;
        let plan = self.client.bond(own, token, money.bond).map_err(Failure::new)?;
        self.carry_out(key, &plan)?;
        let allowance = Allowance {
            domain: self.client.domain(),
            token: token.address,
            max_amount: money.entrusted,
            bond_at_risk: money.bond,
        };
        let now = self.client.now().map_err(Failure::new)?;
        let session = Session::draw(key, &allowance, now).map_err(Failure::new)?;
        WalletFolder::of(state).write_sessions(vec![session]).map_err(Failure::new)
    }

    /// What each account has.
    pub(super) fn holdings(
        &self,
        accounts: &[(&'static str, Address)],
    ) -> Result<Vec<Holding>, Failure> {
        let token = self.token().address;
        let of = |&(_, account): &(&str, Address)| {
            let wallet = self.client.balance(token, account).map_err(Failure::new)?;
            let vault = self.client.account(account, token).map_err(Failure::new)?;
            let credit = self.client.credit(account, token).map_err(Failure::new)?;
            Ok(Holding {
                wallet: wallet.saturating_to(),
                vault: vault.free.saturating_add(vault.bond),
                credit: credit.saturating_to(),
            })
        };
        accounts.iter().map(of).collect()
    }

    pub(super) fn end(mut self) {
        self.chain.ask_to_end();
        self.chain.end();
    }

    fn carry_out(&self, key: &Key, plan: &Plan) -> Result<(), Failure> {
        let mut outbox = Outbox::new(key.address());
        let signer: &dyn Signer = key;
        let done = outbox.execute(&self.client, signer, plan, Waiting::default(), &mut |_, _| {});
        done.map(drop).map_err(Failure::new)
    }
}

fn key() -> Result<Key, Failure> {
    Key::new(&*random().map_err(Failure::new)?).map_err(Failure::new)
}
