//! The wallet's routes as far as they need no chain: shapes, scopes, problems, and what is never told.

use crate::door::{Door, answer, with_json};
use piecework_access::{Scope, Scopes};
use piecework_pay::Key;
use piecework_wallet::{Cost, Keystore, Password, WalletFolder};
use reqwest::Method;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery staple";
const PHRASE: &str = "Legal  winner thank year wave sausage worth useful legal winner thank YELLOW";
const ADDRESS: &str = "0x58A57ed9d8d624cBD12e2C467D34787555bB1b25";

/// A door, and a key that may spend.
struct Spender {
    door: Door,
    key: String,
}

impl Spender {
    async fn open() -> Self {
        let door = Door::open().await;
        let key = door.key("spends", Scopes::from_iter([Scope::Control, Scope::Spend]));
        Self { door, key }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = self.door.bare(method, &format!("/api/v1{path}")).bearer_auth(&self.key);
        answer(with_json(request, body)).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(Method::POST, path, body).await
    }

    /// The code of the problem that a request has.
    async fn problem(&self, path: &str, body: &Value) -> String {
        let (status, told) = self.post(path, body).await;
        assert!(status >= 400, "{path} {body}: {told}");
        assert_eq!(told["status"], status);
        assert!(!told["detail"].as_str().unwrap().is_empty());
        told["code"].as_str().unwrap().to_owned()
    }

    /// Puts a wallet there whose password costs little.
    fn put_wallet(&self) {
        let (key, password) = (Key::new(&[7; 32]).unwrap(), Password::new(PASSWORD.into()));
        let keystore = Keystore::encrypt(&key, &password, Cost::LIGHT).unwrap();
        WalletFolder::of(&self.door.wallet()).create(&keystore).unwrap();
    }
}

#[tokio::test]
async fn a_wallet_is_made_of_words_that_come_back_once_and_only_for_who_may_spend() {
    let spender = Spender::open().await;
    let (status, none) = spender.door.get("/wallet").await;
    assert_eq!((status, &none["exists"]), (200, &json!(false)), "{none}");
    for absent in ["address", "network", "coin", "vault", "session_key", "fee_key"] {
        assert!(none[absent].is_null(), "{absent}: {none}");
    }
    let (status, told) = spender.door.send(Method::POST, "/wallet:draw", &json!({})).await;
    assert_eq!((status, &told["code"]), (403, &json!("scope")));

    for words in [12, 24] {
        let (_, drawn) = spender.post("/wallet:draw", &json!({ "words": words })).await;
        assert_eq!(drawn["phrase"].as_str().unwrap().split(' ').count(), words);
    }
    assert_eq!(spender.problem("/wallet:draw", &json!({ "words": 13 })).await, "invalid");
    assert_eq!(spender.door.get("/wallet").await.1["exists"], false, "words are no wallet yet");

    let new = |phrase: &str, password: &str| json!({ "phrase": phrase, "password": password });
    assert_eq!(spender.problem("/wallet", &new(PHRASE, "short")).await, "invalid");
    let (_, told) = spender.post("/wallet", &new("legal winnner thank", PASSWORD)).await;
    assert!(!told.to_string().contains("winnner"), "{told}");
    let (status, made) = spender.post("/wallet", &new(PHRASE, PASSWORD)).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["address"], &made["is_locked"]), (&json!(ADDRESS), &json!(true)));
    assert!(made["problem"].as_str().unwrap().contains("no network"), "{made}");
    assert_eq!(spender.problem("/wallet", &new(PHRASE, PASSWORD)).await, "wallet_exists");
}

#[tokio::test]
async fn what_moves_money_has_a_key_an_unlocked_wallet_and_a_network_or_is_told_why_not() {
    let spender = Spender::open().await;
    let transfer = json!({ "to": ADDRESS, "amount": "1.5", "asset": "coin" });
    let preview = "/wallet/transfers?preview=true";
    assert_eq!(spender.problem(preview, &transfer).await, "no_wallet");
    assert_eq!(spender.problem("/wallet:unlock", &json!({ "password": "x" })).await, "no_wallet");
    assert_eq!(spender.problem("/wallet:lock", &json!({})).await, "no_wallet");
    spender.put_wallet();
    assert_eq!(spender.problem(preview, &transfer).await, "no_network");
    assert_eq!(spender.problem("/wallet/transfers", &transfer).await, "invalid");
    let nowhere = json!({ "to": "0x12", "amount": "1", "asset": "coin" });
    assert_eq!(spender.problem(preview, &nowhere).await, "invalid");
    let (status, told) = spender.door.send(Method::POST, preview, &transfer).await;
    assert_eq!((status, &told["code"]), (403, &json!("scope")));

    let request = spender.door.bare(Method::POST, "/api/v1/wallet/transfers");
    let request = request.bearer_auth(&spender.key).header("idempotency-key", "a");
    let (status, told) = answer(with_json(request, &transfer)).await;
    assert_eq!((status, &told["code"]), (409, &json!("wallet_locked")), "{told}");
    assert_eq!(spender.door.get("/wallet/orders").await, (200, json!({ "orders": [] })));
    assert_eq!(spender.door.get("/wallet/orders/1").await.0, 404);
    let (status, locked) = spender.post("/wallet:lock", &json!({})).await;
    assert_eq!((status, &locked["is_locked"]), (200, &json!(true)));
}

#[tokio::test]
async fn the_fifth_wrong_password_brings_a_pause_that_says_for_how_long() {
    let spender = Spender::open().await;
    spender.put_wallet();
    let wrong = json!({ "password": "not the password" });
    for _ in 0..5 {
        assert_eq!(spender.problem("/wallet:unlock", &wrong).await, "wrong_wallet_password");
    }
    let request = spender.door.bare(Method::POST, "/api/v1/wallet:unlock");
    let right = json!({ "password": PASSWORD });
    let request = with_json(request.bearer_auth(&spender.key), &right);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 429);
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    let told = response.text().await.unwrap();
    assert!(told.contains("too_many") && !told.contains(PASSWORD), "{told}");
}
