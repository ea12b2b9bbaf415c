//! What a request costs the server, in its own processor time: `rpc-load [REQUESTS]`.
//!
//! Starts itself once more as the server, signs transfers beforehand, and sends each kind of request over
//! eight connections that are kept alive, as fast as answers come. `eth_chainId` is a request without any
//! work: what it costs is the protocol's.

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use piecework_chain::chain::Chain;
use piecework_chain::genesis::Genesis;
use piecework_rpc::{Server, Settings};
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, PublicKey, SecretKey};
use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CHAIN_ID: u64 = (1 << 40) + 11;
const CONNECTIONS: usize = 8;
const SENDERS: usize = 4000;
const BATCH: usize = 100;

fn main() -> Outcome<()> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("serve") {
        return serve();
    }
    let count = argument.map_or(Ok(40_000), |count| count.parse())?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let result = load(&mut child, count);
    drop(child.stdin.take());
    child.wait()?;
    result
}

fn serve() -> Outcome<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let genesis = Genesis::new(CHAIN_ID, B256::ZERO, now.as_secs());
    let genesis = (0..SENDERS).try_fold(genesis, |genesis, sender| {
        Outcome::Ok(genesis.with_balance(address(&key(sender)?), U256::from(u64::MAX)))
    })?;
    let folder = tempfile::tempdir()?;
    let chain = Arc::new(Chain::init(folder.path(), &genesis)?);
    let settings = Settings { listen: "127.0.0.1:0".parse()?, ..Settings::default() };
    let server = Server::start(Arc::clone(&chain), settings)?;
    println!("{}", server.address());
    io::stdin().read_to_end(&mut Vec::new())?;
    server.stop();
    Ok(())
}

fn load(child: &mut Child, count: usize) -> Outcome<()> {
    let mut line = String::new();
    let output = child.stdout.take().ok_or("no output")?;
    BufReader::new(output).read_line(&mut line)?;
    let server = Target { address: line.trim().parse()?, process: child.id() };
    let chain_id = |_| Ok(request("eth_chainId", "[]"));
    server.measure("eth_chainId, one per request", chain_id, (count, 1))?;
    server.measure("eth_chainId, batches of 100", chain_id, (count, BATCH))?;
    let nonces = |first: usize| {
        move |index: usize| {
            let nonce = (first + index) / SENDERS;
            let raw = transfer(&key(index % SENDERS)?, nonce as u64)?;
            Ok(request("eth_sendRawTransaction", &format!(r#"["{raw}"]"#)))
        }
    };
    let count = count / SENDERS * SENDERS;
    server.measure("eth_sendRawTransaction, one per request", nonces(0), (count, 1))?;
    server.measure("eth_sendRawTransaction, batches of 100", nonces(count), (count, BATCH))?;
    Ok(())
}

/// A server and the process it is.
#[derive(Clone, Copy)]
struct Target {
    address: SocketAddr,
    process: u32,
}

impl Target {
    /// Makes the requests first; then the clock runs until each is answered with a result and, if they were
    /// transactions, until the server rests, which is when the last of them is in a block.
    fn measure(
        self,
        name: &str,
        make: impl Fn(usize) -> Outcome<String>,
        (count, batch): (usize, usize),
    ) -> Outcome<()> {
        let mut bodies = vec![Vec::new(); CONNECTIONS];
        for (at, first) in (0..count).step_by(batch).enumerate() {
            let some: Outcome<Vec<_>> = (first..count.min(first + batch)).map(&make).collect();
            let body = if batch == 1 { some?.concat() } else { format!("[{}]", some?.join(",")) };
            bodies[at % CONNECTIONS].push(body);
        }
        let (start, used) = (Instant::now(), processor_time(self.process)?);
        let clients = bodies.into_iter().map(|bodies| thread::spawn(move || self.send(&bodies)));
        for client in clients.collect::<Vec<_>>() {
            client.join().map_err(|_| "a client panicked")??;
        }
        let took = start.elapsed();
        let used = self.resting()?.saturating_sub(used);
        let (rate, cost) =
            (count as f64 / took.as_secs_f64(), used.as_secs_f64() * 1e6 / count as f64);
        println!(
            "{name:<42} {rate:>8.0}/s answered  {cost:>6.1} us of the server's processor each"
        );
        Ok(())
    }

    fn send(self, bodies: &[String]) -> Outcome<()> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        let (mut line, mut answer) = (String::new(), Vec::new());
        for body in bodies {
            let head = format!(
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n",
                body.len()
            );
            stream.get_mut().write_all((head + body).as_bytes())?;
            let mut length = 0;
            loop {
                line.clear();
                stream.read_line(&mut line)?;
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.trim().parse()?;
                } else if line.trim().is_empty() {
                    break;
                }
            }
            answer.resize(length, 0);
            stream.read_exact(&mut answer)?;
            let text = str::from_utf8(&answer)?;
            if text.contains("\"error\"") || !text.contains("\"result\"") {
                return Err(format!("answered with {text}").into());
            }
        }
        Ok(())
    }

    /// The processor time of the server once it does nothing any more.
    fn resting(self) -> Outcome<Duration> {
        let mut last = processor_time(self.process)?;
        loop {
            thread::sleep(Duration::from_millis(700));
            let now = processor_time(self.process)?;
            if now == last {
                return Ok(now);
            }
            last = now;
        }
    }
}

/// User and system time of a process, in ticks of 10 ms.
fn processor_time(process: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no status")?;
    let ticks: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Duration::from_millis(10 * ticks.iter().sum::<u64>()))
}

fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

fn key(number: usize) -> Outcome<SecretKey> {
    Ok(SecretKey::from_secret_bytes(keccak256(number.to_be_bytes()).0)?)
}

fn address(key: &SecretKey) -> Address {
    let public = PublicKey::from_secret_key(key).serialize_uncompressed();
    Address::from_slice(&keccak256(&public[1..])[12..])
}

fn transfer(key: &SecretKey, nonce: u64) -> Outcome<Bytes> {
    let to = Address::from_slice(&keccak256(address(key))[12..]);
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        to: TxKind::Call(to),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let digest = Message::from_digest(transaction.signature_hash().0);
    let (id, bytes) = RecoverableSignature::sign_ecdsa_recoverable(digest, key).serialize_compact();
    let signature = Signature::from_bytes_and_parity(&bytes, id == RecoveryId::One);
    Ok(TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into())
}
