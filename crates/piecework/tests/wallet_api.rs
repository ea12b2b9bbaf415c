//! The wallet as a browser uses it: a daemon without one, a login, and a chain that counts.

#![allow(clippy::unwrap_used)]

use piecework_testkit::{Run, Sandbox, Signal};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const POLITE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(120);
const PASSWORD: &str = "correct horse battery staple";

/// A state folder with what runs on it; its wallet is locked at the end whatever happened.
struct Machine {
    sandbox: Sandbox,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = Run::start(self.sandbox.command(["wallet", "lock", "--json"])).wait();
    }
}

impl Machine {
    fn new() -> Self {
        Self { sandbox: Sandbox::new(BINARY) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.root().join(name)
    }

    /// The objects that a command prints, which has to succeed.
    fn told(&self, arguments: &[&str]) -> Vec<Value> {
        let mut command = self.sandbox.command(arguments);
        command.arg("--json");
        let mut run = Run::start(command);
        assert_eq!(run.wait(), 0, "{arguments:?}: {:?} {}", run.stdout(), run.stderr());
        run.stdout().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The same with what a command that signs needs.
    fn spend(&self, arguments: &[&str]) {
        self.told(&[arguments, &["--yes", "--password-file", "password"]].concat());
    }
}

/// An operator with a chain and its first token.
fn operator() -> (Machine, Run) {
    let machine = Machine::new();
    fs::write(machine.path("password"), format!("{PASSWORD}\n")).unwrap();
    machine.told(&["wallet", "new", "--yes", "--password-file", "password"]);
    machine.told(&["chain", "init", "--token", "TOK", "--faucet"]);
    let mut command = machine.sandbox.command(["chain", "run", "--rpc", "127.0.0.1:0"]);
    command.arg("--json");
    let chain = Run::start(command);
    chain.wait_object("ready", |object| object["event"] == "ready");
    machine.told(&["chain", "share", "-o", "network.json"]);
    (machine, chain)
}

/// Somebody with a browser before a daemon.
struct Browser<'a> {
    machine: &'a Machine,
    daemon: Run,
    url: String,
    cookie: String,
    http: Client,
    runtime: Runtime,
}

impl<'a> Browser<'a> {
    fn open(machine: &'a Machine) -> Self {
        let daemon = Run::start(machine.sandbox.up(&machine.path("daemon")));
        let ready = daemon.wait_object("ready", |object| object["event"] == "ready");
        let mut browser = Self {
            machine,
            daemon,
            url: ready["url"].as_str().unwrap().to_owned(),
            cookie: String::new(),
            http: Client::builder().no_proxy().build().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        };
        let login = json!({ "user": "admin", "password": browser.password() });
        let request = browser.http.post(format!("{}/api/v1/session", browser.url));
        let request = request.header("content-type", "application/json").body(login.to_string());
        let response = browser.runtime.block_on(async { request.send().await.unwrap() });
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser
    }

    /// The daemon's password, from the file of its first start.
    fn password(&self) -> String {
        let text = fs::read_to_string(self.machine.path("daemon/first-login.txt")).unwrap();
        let line = text.lines().find(|line| line.starts_with("password")).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }

    fn spend_on(&self) {
        let confirmed =
            self.ask(Method::PUT, "/session/spend", &json!({ "password": self.password() }));
        assert_eq!(confirmed.0, 204, "{confirmed:?}");
    }

    fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        self.ask_as(method, path, body, None)
    }

    fn ask_as(&self, method: Method, path: &str, body: &Value, key: Option<&str>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.url));
        request = request.header("cookie", &self.cookie).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(body.to_string());
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let text = response.text().await.unwrap();
            (status, serde_json::from_str(&text).unwrap_or(Value::Null))
        })
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(Method::POST, path, body)
    }

    fn wallet(&self) -> Value {
        let (status, wallet) = self.ask(Method::GET, "/wallet", &Value::Null);
        assert_eq!(status, 200, "{wallet}");
        wallet
    }

    /// Previews, agrees to its price, and waits until it counts.
    fn order(&self, path: &str, body: &Value, key: &str) -> Value {
        let (status, plan) = self.post(&format!("{path}?preview=true"), body);
        assert_eq!(status, 200, "{path}: {plan}");
        let mut body = body.clone();
        body["fee_most"] = plan["fee_most"]["whole"].clone();
        let (status, order) = self.ask_as(Method::POST, path, &body, Some(key));
        assert_eq!(status, 202, "{path}: {order}");
        let path = format!("/wallet/orders/{}", order["id"].as_str().unwrap());
        let until = Instant::now() + PATIENCE;
        loop {
            let (_, order) = self.ask(Method::GET, &path, &Value::Null);
            match order["state"].as_str().unwrap() {
                "waiting" | "under_way" => assert!(Instant::now() < until, "{order}"),
                state => {
                    assert_eq!(state, "done", "{order}");
                    assert_eq!(order["steps"].as_array().unwrap().len(), steps(&plan), "{order}");
                    return order;
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the thread of payments buys, or does not.
    fn until_buying(&self, is_on: bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let (_, market) = self.ask(Method::GET, "/market", &Value::Null);
            if market["buying"]["is_on"] == is_on {
                return;
            }
            assert!(Instant::now() < until, "{market}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn unlock(&self) -> (u16, Value) {
        self.post("/wallet:unlock", &json!({ "password": PASSWORD, "seconds": 3600 }))
    }

    /// Makes a wallet of new words, two of which the page has typed back.
    fn make(&self) -> (Value, String) {
        let (_, drawn) = self.post("/wallet:draw", &json!({}));
        let phrase = drawn["phrase"].as_str().unwrap().to_owned();
        assert_eq!(self.wallet()["exists"], false);
        let (status, made) =
            self.post("/wallet", &json!({ "phrase": phrase, "password": PASSWORD }));
        assert_eq!(status, 201, "{made}");
        (made, phrase)
    }

    fn end(mut self) -> String {
        assert_eq!(self.daemon.end(Signal::TERM, POLITE), 0, "{}", self.daemon.stderr());
        self.daemon.stderr()
    }
}

fn steps(plan: &Value) -> usize {
    plan["steps"].as_array().unwrap().len()
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or(""))
}

#[test]
fn a_browser_makes_a_wallet_fills_the_vault_buys_and_stops_without_a_restart() {
    let (operator, _chain) = operator();
    let machine = Machine::new();
    fs::copy(operator.path("network.json"), machine.path("network.json")).unwrap();
    machine.told(&["chain", "join", "network.json", "--yes"]);
    let browser = Browser::open(&machine);
    assert_eq!(code(&browser.post("/wallet:draw", &json!({}))), (403, "scope"));
    browser.spend_on();
    let (made, phrase) = browser.make();
    assert_eq!(made["is_locked"], true, "{made}");
    let address = made["address"].as_str().unwrap();
    assert_eq!(machine.told(&["wallet", "show"])[0]["address"], address);
    operator.spend(&["chain", "faucet", address]);
    operator.spend(&["token", "send", "100", "TOK", address]);
    let wallet = browser.wallet();
    assert_eq!(wallet["network"]["is_test_money"], true, "{wallet}");
    assert_eq!(wallet["coin"]["whole"], "100", "{wallet}");
    let token = wallet["tokens"][0].clone();
    assert_eq!((&token["symbol"], &token["is_payment_token"]), (&json!("TOK"), &json!(true)));
    assert_eq!(token["balance"], json!({ "whole": "100", "units": "100000000" }));

    let to = operator.told(&["wallet", "show"])[0]["address"].clone();
    let transfer = json!({ "to": to, "amount": "1.5", "asset": token["address"] });
    let locked = browser.ask_as(Method::POST, "/wallet/transfers", &transfer, Some("one"));
    assert_eq!(code(&locked), (409, "wallet_locked"));
    let wrong = json!({ "password": "not the password" });
    assert_eq!(code(&browser.post("/wallet:unlock", &wrong)), (403, "wrong_wallet_password"));
    let (status, unlocked) = browser.unlock();
    assert_eq!((status, &unlocked["is_locked"]), (200, &json!(false)), "{unlocked}");
    assert_eq!(machine.told(&["wallet", "show"])[0]["unlocked"], true, "one agent for both faces");

    let sent = browser.order("/wallet/transfers", &transfer, "one");
    assert_eq!(sent["steps"][0]["state"], "done");
    assert_eq!(browser.wallet()["tokens"][0]["balance"]["whole"], "98.5");
    fill_the_vault(&browser);
    stop_buying(&browser);
    history(&browser, &sent);

    // The same request after a restart is the same order, and nothing is sent twice.
    let (_, orders) = browser.ask(Method::GET, "/wallet/orders", &Value::Null);
    let agreed = {
        let (_, plan) = browser.post("/wallet/transfers?preview=true", &transfer);
        assert_eq!(steps(&plan), 1);
        orders["orders"].as_array().unwrap().last().unwrap().clone()
    };
    assert_eq!(agreed["id"], sent["id"]);
    let told = browser.end();
    assert!(!told.contains(&phrase) && !told.contains(PASSWORD), "{told}");
    let browser = Browser::open(&machine);
    browser.spend_on();
    let (_, after) = browser.ask(Method::GET, "/wallet/orders", &Value::Null);
    assert_eq!(after, orders);
    let other = browser.ask_as(Method::POST, "/wallet/transfers", &transfer, Some("one"));
    assert_eq!(code(&other), (422, "invalid"), "agreed to without a price, it is another request");
    browser.end();
}

/// Deposit, bond and a session key: all that buying needs.
fn fill_the_vault(browser: &Browser<'_>) {
    let short = json!({ "amount": "1000" });
    let short = browser.post("/vault/deposits?preview=true", &short);
    assert_eq!(code(&short), (409, "too_little"), "{short:?}");
    browser.order("/vault/deposits", &json!({ "amount": "20" }), "two");
    browser.order("/vault/bonds", &json!({ "amount": "10" }), "three");
    let key = json!({ "max": "5" });
    let draw = || browser.ask_as(Method::POST, "/vault/keys", &key, Some("four"));
    let (status, drawn) = draw();
    assert_eq!((status, &drawn["max"]["whole"]), (201, &json!("5")), "{drawn}");
    assert_eq!(draw(), (201, drawn.clone()), "a key is drawn once");
    let wallet = browser.wallet();
    assert_eq!(wallet["session_key"]["address"], drawn["address"], "{wallet}");
    let vault = &wallet["vault"];
    let whole = |name: &str| vault[name]["whole"].as_str().unwrap();
    assert_eq!((whole("free"), whole("bond"), whole("promised")), ("20", "10", "5"), "{vault}");
    let exit = browser.post("/vault/exits?preview=true", &json!({ "amount": "18" }));
    assert_eq!(code(&exit), (409, "too_little"), "{exit:?}");
    let (status, market) = browser.ask(Method::PATCH, "/market", &json!({ "buys": true }));
    assert_eq!(status, 200, "{market}");
    browser.until_buying(true);
}

/// The kill switch: at once while the wallet is locked, and on the chain once it is not.
fn stop_buying(browser: &Browser<'_>) {
    let (status, locked) = browser.post("/wallet:lock", &json!({}));
    assert_eq!((status, &locked["is_locked"]), (200, &json!(true)), "{locked}");
    let refused = browser.ask_as(Method::POST, "/vault/keys:revoke", &json!({}), Some("five"));
    assert_eq!(code(&refused), (409, "wallet_locked"));
    browser.until_buying(false);
    assert_eq!(browser.unlock().0, 200);
    let order = browser.order("/vault/keys:revoke", &json!({}), "six");
    assert_eq!(order["kind"], "revocation");
    let key = browser.wallet()["session_key"].clone();
    let (end, revoked) = (key["valid_until"].as_u64().unwrap(), key["revoked_at"].as_u64());
    assert!(revoked.is_some_and(|at| at < end), "{key}");
    let back = browser.order("/vault/exits", &json!({ "amount": "15" }), "seven");
    assert_eq!(back["kind"], "exit");
    assert_eq!(browser.wallet()["vault"]["exit"]["amount"]["whole"], "15");
}

fn history(browser: &Browser<'_>, sent: &Value) {
    let (status, history) = browser.ask(Method::GET, "/wallet/history", &Value::Null);
    let items = history["items"].as_array().unwrap();
    assert_eq!((status, items.len()), (200, 4), "{history}");
    let (oldest, newest) = (&items[3], &items[0]);
    assert_eq!((&oldest["is_incoming"], &oldest["amount"]["whole"]), (&json!(true), &json!("100")));
    assert_eq!(newest["amount"]["whole"], "10", "the bond came last");
    assert_eq!(items[2]["transaction"], sent["steps"][0]["transaction"]);
    assert!(history["next"].is_null() && oldest["at"].as_u64().is_some(), "{history}");
    let before = format!("/wallet/history?before={}", newest["block"]);
    let (_, page) = browser.ask(Method::GET, &before, &Value::Null);
    assert_eq!(page["items"].as_array().unwrap().len(), 3, "{page}");
}
