//! Two folders, as two machines: one has a chain of its own, the other joins it by a network file and is
//! paid.

#![allow(clippy::unwrap_used)]

use alloy_primitives::{Address, Bytes, keccak256};
use piecework_testkit::{Run, Sandbox, Signal};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const POLITE: Duration = Duration::from_secs(5);

/// One machine: a state folder with a wallet.
struct Machine {
    sandbox: Sandbox,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { sandbox: Sandbox::new(BINARY) };
        fs::write(machine.path("password"), "correct horse battery staple\n").unwrap();
        machine.told(&["wallet", "new", "--yes", "--password-file", "password"]);
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.root().join(name)
    }

    fn address(&self) -> String {
        let shown = self.told(&["wallet", "show"]);
        shown[0]["address"].as_str().unwrap().to_owned()
    }

    fn start(&self, arguments: &[&str]) -> Run {
        let mut command = self.sandbox.command(arguments);
        command.arg("--json");
        Run::start(command)
    }

    /// The objects that a command prints, which has to succeed.
    fn told(&self, arguments: &[&str]) -> Vec<Value> {
        let mut run = self.start(arguments);
        assert_eq!(run.wait(), 0, "{arguments:?}: {:?} {}", run.stdout(), run.stderr());
        run.stdout().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The same with what a command that signs needs.
    fn spend(&self, arguments: &[&str]) -> Vec<Value> {
        self.told(&[arguments, &["--yes", "--password-file", "password"]].concat())
    }

    /// The text of the error with which a command fails.
    fn refused(&self, arguments: &[&str]) -> String {
        let mut run = self.start(arguments);
        assert_ne!(run.wait(), 0, "{arguments:?}: {:?}", run.stdout());
        run.stderr()
    }

    fn balance(&self, token: &str) -> String {
        let told = self.told(&["token", "balance", "--token", token]);
        told[0]["amount"].as_str().unwrap().to_owned()
    }
}

/// A machine with a chain of its own that runs.
fn owner(more: &[&str]) -> (Machine, Run, Value) {
    owner_of(Machine::new(), more)
}

fn owner_of(machine: Machine, more: &[&str]) -> (Machine, Run, Value) {
    let made = machine.told(&[&["chain", "init"], more].concat()).remove(0);
    let run = machine.start(&["chain", "run", "--rpc", "127.0.0.1:0"]);
    run.wait_object("ready", |object| object["event"] == "ready");
    (machine, run, made)
}

/// A machine that joins the chain of `owner`.
fn guest(owner: &Machine) -> Machine {
    let machine = Machine::new();
    let file = machine.path("network.json");
    owner.told(&["chain", "share", "-o", file.to_str().unwrap()]);
    let joined = machine.told(&["chain", "join", "network.json", "--yes"]);
    assert_eq!(joined.last().unwrap()["event"], "joined");
    machine
}

#[test]
fn a_second_machine_joins_by_a_file_is_sent_tokens_and_is_paid_by_cheque() {
    let (owner, mut chain, _) = owner(&["--token", "TOK"]);
    let guest = guest(&owner);
    owner.spend(&["token", "send", "5", "TOK", &guest.address()]);
    assert_eq!(guest.balance("TOK"), "5");

    owner.spend(&["vault", "deposit", "100"]);
    owner.spend(&["vault", "bond", "50"]);
    let account = owner.told(&["vault", "status"]).remove(0);
    assert_eq!((&account["free"], &account["bond"]), (&"100".into(), &"50".into()));

    let cheque = owner.spend(&["vault", "cheque", &guest.address(), "1.5"]).remove(0);
    fs::write(guest.path("cheque"), cheque.to_string()).unwrap();
    let cashed = guest.spend(&["vault", "cash", "cheque"]);
    let paid = cashed.iter().find(|object| object["event"] == "cashed").unwrap();
    assert_eq!((&paid["paid"], &paid["missing"]), (&"1.5".into(), &"0".into()));
    assert_eq!(guest.balance("TOK"), "6.5");
    let account = owner.told(&["vault", "status"]).remove(0);
    assert_eq!((&account["free"], &account["total_paid"]), (&"98.5".into(), &"1.5".into()));
    // Shown again it pays nothing: the wallet's own books forget it, the contract's do not.
    guest.spend(&["vault", "cash", "cheque"]);
    assert_eq!(guest.balance("TOK"), "6.5");

    let history = guest.told(&["wallet", "history", "--token", "TOK"]);
    let moved: Vec<_> = history.iter().map(|it| it["amount"].as_str().unwrap()).collect();
    assert_eq!(moved, ["5", "1.5"]);
    assert_eq!(chain.end(Signal::TERM, POLITE), 0, "{}", chain.stderr());
}

#[test]
fn no_more_is_promised_than_is_free_whatever_was_cashed_so_far() {
    let (owner, _chain, _) = owner(&[]);
    let payee = guest(&owner).address();
    owner.spend(&["vault", "deposit", "10"]);
    let more = ["--yes", "--password-file", "password"];
    let refused = |arguments: &[&str]| owner.refused(&[arguments, &more].concat());
    owner.spend(&["vault", "cheque", &payee, "3"]);
    owner.spend(&["vault", "cheque", &payee, "3"]);
    let text = refused(&["vault", "cheque", &payee, "4.000001"]);
    assert!(text.contains("10 TOK are free") && text.contains("take 6 of it"), "{text}");
    assert!(refused(&["vault", "delegate", "4.000001"]).contains("take 6 of it"));
    owner.spend(&["vault", "delegate", "3"]);
    assert!(refused(&["vault", "cheque", &payee, "1.000001"]).contains("take 9 of it"));
    assert!(refused(&["vault", "exit", "1.000001"]).contains("take 9 of it"));
    assert!(refused(&["vault", "lock", &payee, "1.000001"]).contains("take 9 of it"));
    owner.spend(&["vault", "exit", "1"]);
    assert!(refused(&["vault", "cheque", &payee, "0.000001"]).contains("9 TOK are free"));
    // What replaces a request is counted in its place.
    owner.spend(&["vault", "exit", "0.5"]);
    owner.spend(&["vault", "cheque", &payee, "0.5"]);
}

#[test]
fn a_token_is_issued_listed_by_everybody_and_counted_exactly() {
    let (owner, _chain, made) = owner(&[]);
    let told = owner.spend(&["token", "issue", "GEM", "12.34", "--decimals", "2"]);
    let issued = told.iter().find(|object| object["event"] == "token").unwrap();
    let address = issued["address"].as_str().unwrap();
    assert_eq!(issued["symbol"], "GEM");
    let guest = guest(&owner);
    let listed = guest.told(&["token", "list"]);
    let gem = listed.iter().find(|it| it["symbol"] == "GEM").unwrap();
    assert_eq!((&gem["address"], &gem["issuer"]), (&issued["address"], &made["owner"]));
    owner.spend(&["token", "send", "0.01", address, &guest.address()]);
    assert_eq!((owner.balance(address), guest.balance(address)), ("12.33".into(), "0.01".into()));
    let half = ["token", "send", "0.005", address, &guest.address(), "--yes"];
    assert!(owner.refused(&half).contains("decimals"), "half a cent is refused");
    owner.spend(&["token", "send", "7", "coin", &guest.address()]);
    assert_eq!(guest.balance("coin"), "7");
}

#[test]
fn the_faucet_gives_once_a_day_and_only_where_genesis_says_so() {
    let (giver, _chain, _) = owner(&["--faucet"]);
    let guest = guest(&giver);
    giver.spend(&["chain", "faucet", &guest.address()]);
    assert_eq!(guest.balance("coin"), "100");
    let again = ["chain", "faucet", &guest.address(), "--yes", "--password-file", "password"];
    assert!(giver.refused(&again).contains("tomorrow"));
    let refused = guest.refused(&["chain", "faucet", &guest.address(), "--yes"]);
    assert!(refused.contains("no faucet"), "{refused}");
}

#[test]
fn a_wallet_signs_for_one_network_until_it_is_told_to_forget_it() {
    let (one, _one, _) = owner(&[]);
    let (other, _other, _) = owner(&[]);
    let guest = guest(&one);
    let file = guest.path("other.json");
    other.told(&["chain", "share", "-o", file.to_str().unwrap()]);
    let refused = guest.refused(&["chain", "join", "other.json", "--yes"]);
    assert!(refused.contains("forget-network"), "{refused}");
    let mut network: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    guest.told(&["wallet", "forget-network", "--yes"]);
    // A file that lies about its genesis is caught before anything is signed for it.
    network["genesis"] = format!("0x{}", "11".repeat(32)).into();
    fs::write(guest.path("false.json"), network.to_string()).unwrap();
    let refused = guest.refused(&["chain", "join", "false.json", "--yes"]);
    assert!(refused.contains("chain that began with block"), "{refused}");
    guest.told(&["chain", "join", "other.json", "--yes"]);
    assert_eq!(guest.balance("coin"), "0");
}

#[test]
fn after_a_wipe_nothing_that_was_signed_before_counts_and_nothing_is_signed_unasked() {
    let (owner, mut chain, made) = owner(&[]);
    let guest = guest(&owner);
    owner.spend(&["vault", "deposit", "10"]);
    let cheque = owner.spend(&["vault", "cheque", &guest.address(), "1"]).remove(0);
    fs::write(guest.path("cheque"), cheque.to_string()).unwrap();
    let rpc = owner.told(&["chain", "status"]).remove(0)["rpc"].as_str().unwrap().to_owned();
    assert_eq!(chain.end(Signal::TERM, POLITE), 0, "{}", chain.stderr());

    fs::remove_dir_all(owner.sandbox.state().join("chain")).unwrap();
    let again = owner.told(&["chain", "init"]).remove(0);
    for what in ["chain_id", "genesis", "vault", "token"] {
        assert_ne!(made[what], again[what], "{what}");
    }
    let place = rpc.trim_start_matches("http://");
    let chain = owner.start(&["chain", "run", "--rpc", place]);
    chain.wait_object("ready", |object| object["event"] == "ready");
    for machine in [&owner, &guest] {
        let refused = machine.refused(&["token", "balance"]);
        assert!(refused.contains(&again["chain_id"].to_string()), "{refused}");
        machine.told(&["wallet", "forget-network", "--yes"]);
    }
    for machine in [&guest, &owner] {
        let file = machine.path("again.json");
        owner.told(&["chain", "share", "-o", file.to_str().unwrap()]);
        machine.told(&["chain", "join", "again.json", "--yes"]);
    }
    owner.spend(&["vault", "deposit", "10"]);
    let cash = ["vault", "cash", "cheque", "--yes", "--password-file", "password"];
    assert!(guest.refused(&cash).contains("this network is chain"));
    // Nor does it help to write the new chain's names over the old ones.
    let mut forged = cheque;
    forged["chain_id"] = again["chain_id"].clone();
    forged["vault"] = again["vault"].clone();
    fs::write(guest.path("cheque"), forged.to_string()).unwrap();
    assert!(guest.refused(&cash).contains("is no cheque"));
    assert_eq!(guest.balance("TOK"), "0");
}

#[test]
fn a_chain_goes_on_after_a_kill_and_comes_back_from_a_copy_made_while_it_ran() {
    let (owner, mut chain, made) = owner(&[]);
    let there = owner.refused(&["chain", "run", "--rpc", "127.0.0.1:0"]);
    assert!(there.contains("in use by another process"), "{there}");
    let again = owner.refused(&["chain", "init"]);
    assert!(again.contains("in use") || again.contains("has a chain"), "{again}");
    owner.spend(&["token", "issue", "GEM", "1"]);
    owner.told(&["chain", "backup", "copy"]);
    chain.kill();
    let status = |machine: &Machine| {
        let run = machine.start(&["chain", "run", "--rpc", "127.0.0.1:0"]);
        run.wait_object("ready", |object| object["event"] == "ready");
        let told = machine.told(&["chain", "status"]).remove(0);
        (told["genesis"].clone(), told["hash"].clone(), told["block"].clone())
    };
    let before = status(&owner);
    assert_eq!((&before.0, &before.2), (&made["genesis"], &1.into()));
    let heir = Machine::new();
    let copy = owner.path("copy");
    heir.told(&["chain", "restore", copy.to_str().unwrap()]);
    let network = owner.path("copy/network.json");
    heir.told(&["chain", "share", "-o", "n.json", "--rpc", "http://127.0.0.1:1"]);
    assert!(network.exists() && heir.path("n.json").exists());
    let run = heir.start(&["chain", "run", "--rpc", "127.0.0.1:0"]);
    let ready = run.wait_object("ready", |object| object["event"] == "ready");
    let rpc = ready["rpc"].as_str().unwrap();
    let told = heir.told(&["chain", "status", "--rpc", rpc]).remove(0);
    assert_eq!((&told["hash"], &told["block"]), (&before.1, &before.2));
}

#[test]
fn a_chain_whose_transactions_cost_nothing_is_not_served_to_the_world() {
    let machine = Machine::new();
    machine.told(&["chain", "init"]);
    let refused = machine.refused(&["chain", "run", "--rpc", "0.0.0.0:0"]);
    assert!(refused.contains("--open-free"), "{refused}");
}

/// Where [`with_taxed_token`] puts it.
const TAXED: &str = "0x00000000000000000000000000000000000770CE";

/// A chain that begins with a token of `decimals`, and 18 of them from block `later` on, which keeps
/// a tenth of what is sent; the owner has 1,000 whole ones of 6.
fn with_taxed_token(decimals: u64, later: u64) -> (Machine, Run) {
    let machine = Machine::new();
    let artifact: Value =
        serde_json::from_str(include_str!("../../../contracts/test/Taxed.json")).unwrap();
    let owner: Address = machine.address().parse().unwrap();
    // The first slot maps owners to what they have; the third and those behind it are the token's ways.
    let has = keccak256([owner.into_word().0, [0; 32]].concat());
    let storage = json!({
        has.to_string(): "1000000000", "0x2": "10", "0x3": decimals.to_string(), "0x4": "18",
        "0x5": later.to_string(),
    });
    let taxed = json!({ "balance": "0", "code": artifact["deployedBytecode"], "storage": storage });
    fs::write(machine.path("genesis.json"), json!({ "alloc": { TAXED: taxed } }).to_string())
        .unwrap();
    let (machine, run, _) = owner_of(machine, &["--alloc", "genesis.json"]);
    (machine, run)
}

#[test]
fn a_token_that_keeps_a_part_is_never_put_into_the_vault_and_what_arrives_of_it_is_told() {
    let (owner, _chain) = with_taxed_token(6, 1000);
    let guest = guest(&owner);
    let spends = ["--token", TAXED, "--yes", "--password-file", "password"];
    let refused = |verb| {
        let text = owner.refused(&[&["vault", verb, "5"][..], &spends].concat());
        assert!(text.contains("takes fees") && text.contains("use another token"), "{text}");
        text
    };
    let text = refused("deposit");
    assert!(text.contains("done before it: let the vault"), "{text}");
    // The permission is there now, so nothing at all is sent.
    assert!(!refused("bond").contains("done before it"));
    assert_eq!(owner.balance(TAXED), "1000");

    let told = owner.spend(&["token", "send", "5", TAXED, &guest.address()]);
    let problem = told.iter().find(|object| object["event"] == "problem").unwrap();
    let text = problem["text"].as_str().unwrap();
    assert!(text.contains("of 5 TAX only 4.5 arrived"), "{text}");
    assert_eq!((owner.balance(TAXED), guest.balance(TAXED)), ("995".into(), "4.5".into()));
    let exact = owner.spend(&["token", "send", "5", "TOK", &guest.address()]);
    assert!(exact.iter().all(|object| object["event"] != "problem"), "{exact:?}");
}

#[test]
fn a_token_that_lies_about_its_decimals_is_not_joined_and_not_spent() {
    let (owner, _chain) = with_taxed_token(6, 2);
    let guest = guest(&owner);
    let network = guest.sandbox.state().join("network.json");
    let mut listed: Value = serde_json::from_str(&fs::read_to_string(&network).unwrap()).unwrap();
    let artifact: Value =
        serde_json::from_str(include_str!("../../../contracts/test/Taxed.json")).unwrap();
    let code: Bytes = artifact["deployedBytecode"].as_str().unwrap().parse().unwrap();
    let of = |decimals: u64| {
        json!({
            "address": TAXED, "code_hash": keccak256(&code), "name": "Taxed", "symbol": "TAX",
            "decimals": decimals,
        })
    };
    let known = listed["tokens"].clone();
    let mut join = |machine: &Machine, decimals| {
        listed["tokens"] = known.clone();
        listed["tokens"].as_array_mut().unwrap().push(of(decimals));
        fs::write(machine.path("listed.json"), listed.to_string()).unwrap();
    };
    join(&guest, 8);
    let text = guest.refused(&["chain", "join", "listed.json", "--yes"]);
    assert!(text.contains("has decimals 6, the network file says 8"), "{text}");
    assert!(text.contains("correct the file or leave the token out"), "{text}");

    join(&guest, 6);
    guest.told(&["chain", "join", "listed.json", "--yes"]);
    assert_eq!(guest.balance("TAX"), "0");
    for _ in 0..2 {
        owner.spend(&["token", "send", "1", "coin", &guest.address()]);
    }
    // The guest would now send 10^12 times what it means.
    let send =
        ["token", "send", "1", "TAX", &owner.address(), "--yes", "--password-file", "password"];
    let text = guest.refused(&send);
    assert!(text.contains("has decimals 18, the network file says 6"), "{text}");
    let again = guest.path("again.json");
    owner.told(&["chain", "share", "-o", again.to_str().unwrap()]);
    guest.told(&["chain", "join", "again.json", "--yes"]);
    assert_eq!(guest.balance("coin"), "2", "not even a fee was paid");
}

#[test]
fn a_token_with_more_decimals_than_an_amount_has_and_an_address_without_one_are_named() {
    let (owner, _chain) = with_taxed_token(77, 1000);
    let text = owner.refused(&["token", "balance", "--token", TAXED]);
    assert!(text.contains("at most 38 decimals, got 77") && text.contains("use another"), "{text}");
    let text = owner.refused(&["token", "balance", "--token", &owner.address()]);
    assert!(text.contains("is no token"), "{text}");
}

#[test]
fn a_chain_whose_making_was_cut_off_is_made_whole_by_the_next_try() {
    let machine = Machine::new();
    let (folder, pinned) =
        (machine.sandbox.state().join("chain"), machine.sandbox.state().join("network.json"));
    // Until the block log has its name there is no chain, whatever else is there.
    let (other, _, _) = owner(&["--faucet"]);
    fs::create_dir(&folder).unwrap();
    for file in ["network.json", "faucet.json"] {
        fs::copy(other.sandbox.state().join("chain").join(file), folder.join(file)).unwrap();
    }
    fs::write(folder.join("blocks.log.new"), [7; 999]).unwrap();
    let text = machine.refused(&["chain", "share"]);
    assert!(text.contains("`piecework chain init` makes one"), "{text}");

    let made = machine.told(&["chain", "init"]).remove(0);
    let own = || -> Value {
        serde_json::from_str(&fs::read_to_string(folder.join("network.json")).unwrap()).unwrap()
    };
    assert_eq!(own()["genesis"], made["genesis"]);
    assert!(!folder.join("faucet.json").exists(), "the other chain had one");

    // Then the wallet is told.
    fs::remove_file(&pinned).unwrap();
    assert!(machine.refused(&["token", "balance"]).contains("no network"));
    let text = machine.refused(&["chain", "init", "--token", "NEW"]);
    assert!(text.contains("signs for that chain now"), "{text}");
    let run = machine.start(&["chain", "run", "--rpc", "127.0.0.1:0"]);
    run.wait_object("ready", |object| object["event"] == "ready");
    assert_eq!(machine.balance("TOK"), "1000000000");
    assert_eq!(own()["genesis"], made["genesis"]);
}

#[test]
fn a_chain_without_contracts_shares_no_network_file_and_says_what_makes_one() {
    let machine = Machine::new();
    fs::write(machine.path("genesis.json"), "{\"alloc\":{}}").unwrap();
    machine.told(&["chain", "init", "--bare", "--alloc", "genesis.json"]);
    let text = machine.refused(&["chain", "share"]);
    assert!(text.contains("chain deploy --rpc URL"), "{text}");
}

#[test]
fn a_chain_that_was_put_back_and_went_another_way_is_noticed_before_anything_is_signed() {
    let (owner, mut chain, _) = owner(&[]);
    let guest = guest(&owner);
    owner.told(&["chain", "backup", "copy"]);
    owner.spend(&["token", "send", "1", "coin", &guest.address()]);
    assert_eq!(guest.balance("coin"), "1");
    let rpc = owner.told(&["chain", "status"]).remove(0)["rpc"].as_str().unwrap().to_owned();
    assert_eq!(chain.end(Signal::TERM, POLITE), 0, "{}", chain.stderr());

    fs::remove_dir_all(owner.sandbox.state().join("chain")).unwrap();
    owner.told(&["chain", "restore", "copy"]);
    let chain = owner.start(&["chain", "run", "--rpc", rpc.trim_start_matches("http://")]);
    chain.wait_object("ready", |object| object["event"] == "ready");
    let send =
        ["token", "send", "2", "coin", &guest.address(), "--yes", "--password-file", "password"];
    for machine in [&owner, &guest] {
        let text = machine.refused(&send);
        assert!(text.contains("put back to an older copy"), "{text}");
    }
    // Its owner knows, goes on with it, and the guest does not yet.
    owner.told(&["wallet", "forget-network", "--yes"]);
    owner.told(&["chain", "share", "-o", "again.json"]);
    owner.told(&["chain", "join", "again.json", "--yes"]);
    owner.told(&send);
    let text = guest.refused(&["token", "balance"]);
    assert!(text.contains("went another way") && text.contains("join it again"), "{text}");
    guest.told(&["wallet", "forget-network", "--yes"]);
    let again = owner.path("again.json");
    guest.told(&["chain", "join", again.to_str().unwrap(), "--yes"]);
    assert_eq!(guest.balance("coin"), "2");
}
