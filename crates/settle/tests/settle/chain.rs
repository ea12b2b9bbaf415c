//! A chain to test against, its money, and the contracts on it.

use alloy_primitives::Address;
use alloy_primitives::{B256, U256};
use piecework_chain::contracts::Contract;
use piecework_chain::genesis::Genesis;
use piecework_pay::Key;
use piecework_rpc::{Server, Settings};
use piecework_settle::{
    Client, CreationCodes, Deployment, DeploymentNames, Network, NewToken, Outbox, Patience, Plan,
    Receipt, Rpc, SettleError, TokenEntry, Waiting,
};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// What the suite needs of a chain besides its JSON-RPC.
pub(crate) trait Chain {
    /// Where it answers.
    fn url(&self) -> String;
    /// The key of an account with coin.
    fn rich(&self) -> Key;
    /// Lets time pass on the chain.
    fn advance(&self, seconds: u64);
}

/// anvil, started for one test and ended with it.
pub(crate) struct Anvil {
    process: Child,
    port: u16,
    pub(crate) rpc: Rpc,
}

pub(crate) const QUICK: Patience = Patience {
    exchange: Duration::from_secs(20),
    tries: 3,
    pause: Duration::from_millis(1),
    pause_max: Duration::from_millis(2),
};

pub(crate) const WAITING: Waiting = Waiting {
    pause: Duration::from_millis(2),
    replace_after: Duration::from_secs(60),
    most: Duration::from_secs(30),
};

impl Anvil {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = Command::new(program())
            .args(["--host", "127.0.0.1", "--silent", "--port"])
            .arg(port.to_string())
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let rpc = Rpc::new(&format!("http://127.0.0.1:{port}"), QUICK).unwrap();
        let start = Instant::now();
        while rpc.chain_id().is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "anvil does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { process, port, rpc }
    }

    pub(crate) fn tell(&self, method: &'static str, params: &Value) -> Value {
        self.rpc.call(method, params).unwrap()
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Chain for Anvil {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn rich(&self) -> Key {
        key_of("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
    }

    fn advance(&self, seconds: u64) {
        self.tell("evm_increaseTime", &json!([seconds]));
        self.tell("evm_mine", &json!([]));
    }
}

/// Our own chain, in this process and in a folder that goes with it.
pub(crate) struct Ours {
    chain: Arc<piecework_chain::chain::Chain>,
    server: Option<Server>,
    folder: TempDir,
}

impl Ours {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let salt = B256::from(U256::from(now.as_nanos()));
        let coins = U256::from(1_000_000) * U256::from(10).pow(U256::from(18));
        let chain_id = (1 << 33) + u64::from(now.subsec_nanos());
        let genesis =
            Genesis::new(chain_id, salt, now.as_secs()).with_balance(person(99).address(), coins);
        let chain = piecework_chain::chain::Chain::init(folder.path(), &genesis).unwrap();
        Self::serve(chain, folder)
    }

    /// A copy of the chain as it is now, which goes on by itself.
    pub(crate) fn copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        piecework_chain::chain::Chain::copy(self.folder.path(), folder.path(), &mut |_, _| {})
            .unwrap();
        let chain = piecework_chain::chain::Chain::open(folder.path()).unwrap();
        Self::serve(chain, folder)
    }

    fn serve(chain: piecework_chain::chain::Chain, folder: TempDir) -> Self {
        let chain = Arc::new(chain);
        let listen = "127.0.0.1:0".parse().unwrap();
        let settings = Settings { listen, ..Settings::default() };
        let server = Server::start(Arc::clone(&chain), settings).unwrap();
        Self { chain, server: Some(server), folder }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

impl Chain for Ours {
    fn url(&self) -> String {
        format!("http://{}", self.server.as_ref().unwrap().address())
    }

    fn rich(&self) -> Key {
        person(99)
    }

    fn advance(&self, seconds: u64) {
        self.chain.advance(seconds);
    }
}

/// The native program: its end is then the end of the chain.
fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("PIECEWORK_ANVIL") {
        return path.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    let cache =
        cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let path =
        cache.join("piecework/contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
    assert!(
        path.exists(),
        "no anvil at {}: node contracts/packages.mjs installs it",
        path.display()
    );
    path
}

pub(crate) fn key_of(secret: &str) -> Key {
    let secret: B256 = secret.parse().unwrap();
    Key::new(&secret.0).unwrap()
}

/// The key of person number `n`, who has nothing yet.
pub(crate) fn person(n: u8) -> Key {
    Key::new(&[n; 32]).unwrap()
}

/// A network of ours on a chain: contracts, a token of 6 decimals, and somebody who has all of it.
pub(crate) struct Home {
    pub(crate) client: Client,
    pub(crate) rich: Key,
    pub(crate) token: TokenEntry,
}

impl Home {
    pub(crate) fn new(chain: &dyn Chain) -> Self {
        let network = deploy(chain, &chain.rich());
        let rich = chain.rich();
        let (client, _) = Client::connect(network, QUICK).unwrap();
        let (name, symbol) = ("Piece".to_owned(), "PCE".to_owned());
        let new = NewToken { name, symbol, decimals: 6, supply: 1_000_000_000_000 };
        let plan = client.issue(rich.address(), &new).unwrap();
        let receipts = carry_out(&client, &rich, &plan).unwrap();
        let token = client.issued_in(&receipts[0]).unwrap().unwrap().token;
        Self { client, rich, token }
    }

    /// Gives somebody coin for fees, and tokens.
    pub(crate) fn give(&self, to: &Key, tokens: u128) {
        let from = self.rich.address();
        let plan = self.client.send_coin(from, to.address(), 1_000_000_000_000_000_000).unwrap();
        self.done(&self.rich, &plan);
        if tokens > 0 {
            let plan = self.client.send_token(from, &self.token, (to.address(), tokens)).unwrap();
            self.done(&self.rich, &plan);
        }
    }

    pub(crate) fn done(&self, key: &Key, plan: &Plan) -> Vec<Receipt> {
        carry_out(&self.client, key, plan).unwrap()
    }
}

/// What of the contracts is on a chain, and what `from` would have to put there.
pub(crate) fn survey(chain: &dyn Chain, from: Address) -> Deployment {
    let names = DeploymentNames {
        network: "test".into(),
        coin: "ETH".into(),
        hardfork: "prague".into(),
        confirmations: 0,
    };
    let codes = CreationCodes {
        vault: Contract::Vault.creation_code(),
        assets: Contract::Assets.creation_code(),
        wrapped: Contract::Wrapped.creation_code(),
    };
    Deployment::survey(vec![chain.url()], names, codes, from, QUICK).unwrap()
}

/// Puts the contracts on a chain; the network file is written and read on the way.
pub(crate) fn deploy(chain: &dyn Chain, key: &Key) -> Network {
    let from = key.address();
    let deployment = survey(chain, from);
    let plan = deployment.plan(from).unwrap();
    carry_out(deployment.client(), key, &plan).unwrap();
    Network::parse(&deployment.network().unwrap().write().unwrap()).unwrap()
}

pub(crate) fn carry_out(
    client: &Client,
    key: &Key,
    plan: &Plan,
) -> Result<Vec<Receipt>, SettleError> {
    Outbox::new(key.address()).execute(client, key, plan, WAITING, &mut |_, _| {})
}
