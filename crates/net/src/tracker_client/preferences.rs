//! What trackers' hosts say in the DNS (BEP 34): asked once for all torrents, and remembered.
//!
//! Owns the cache and the exchange with a DNS server. Whatever goes wrong there counts as nothing said: a
//! torrent must not fail because somebody's DNS does.

use crate::binding::Binding;
use piecework_tracker::{
    HostPreference, TXT_PACKET_BYTES_MAX, TxtAnswer, TxtFault, decode_txt_answer,
    encode_txt_question,
};
use piecework_types::Rng;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Hosts remembered.
const HOSTS_MAX: usize = 1024;

/// Where the system names its servers, and how many of them are asked.
const SYSTEM_SERVERS: &str = "/etc/resolv.conf";
const SERVERS_MAX: usize = 2;

/// The port of the DNS.
const DNS_PORT: u16 = 53;

/// Rounds through the servers, and time for each answer: an announce waits for it.
const ROUNDS: usize = 2;
const ANSWER_AFTER: Duration = Duration::from_millis(1500);

/// Bounds of the time that an answer is remembered, whatever it says itself.
const LIFE_MIN: Duration = Duration::from_secs(5 * 60);
const LIFE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The same for a host without records, and for one whose records could not be had.
const SILENT_LIFE: Duration = Duration::from_secs(60 * 60);
const FAILED_LIFE: Duration = LIFE_MIN;

/// Where a tracker's host is asked which trackers it runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum TrackerDns {
    /// Nowhere: addresses of trackers are taken as they are.
    Off,
    /// At the servers that the system uses.
    #[default]
    System,
    /// At these.
    Servers(Vec<SocketAddr>),
}

#[derive(Clone, Debug)]
struct Known {
    preference: HostPreference,
    until: Instant,
}

/// One host. Who finds it locked waits for the one question that is under way.
type Host = tokio::sync::Mutex<Option<Known>>;

/// The cache.
pub(super) struct Preferences {
    dns: TrackerDns,
    binding: Binding,
    hosts: RefCell<BTreeMap<String, Rc<Host>>>,
    rng: RefCell<Rng>,
}

impl Preferences {
    pub(super) fn new(dns: TrackerDns, binding: Binding, rng: Rng) -> Self {
        Self { dns, binding, hosts: RefCell::default(), rng: RefCell::new(rng) }
    }

    /// What this host says. Somebody who cannot wait is told what is known, old or not.
    pub(super) async fn of(&self, name: &str, may_ask: bool) -> HostPreference {
        if self.dns == TrackerDns::Off {
            return HostPreference::Unsaid;
        }
        let host = self.host(name);
        if !may_ask {
            let known = host.try_lock().ok().and_then(|known| known.clone());
            return known.map(|known| known.preference).unwrap_or_default();
        }
        let mut known = host.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Instant::now() < known.until) {
            return known.preference.clone();
        }
        let (preference, life) = match self.ask(name).await {
            Ok(TxtAnswer { records, ttl }) => {
                let life = ttl.map_or(SILENT_LIFE, |ttl| ttl.clamp(LIFE_MIN, LIFE_MAX));
                (HostPreference::read(records.iter().map(String::as_str)), life)
            }
            Err(error) => {
                tracing::debug!(%name, %error, "asking for the trackers of a host");
                (HostPreference::Unsaid, FAILED_LIFE)
            }
        };
        *known = Some(Known { preference: preference.clone(), until: Instant::now() + life });
        preference
    }

    fn host(&self, name: &str) -> Rc<Host> {
        let mut hosts = self.hosts.borrow_mut();
        if !hosts.contains_key(name) && hosts.len() >= HOSTS_MAX {
            hosts.pop_first();
        }
        Rc::clone(hosts.entry(name.to_owned()).or_default())
    }

    async fn ask(&self, name: &str) -> io::Result<TxtAnswer> {
        let servers = self.servers()?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no DNS server is known");
        for server in (0..ROUNDS).flat_map(|_| servers.iter().take(SERVERS_MAX)) {
            let id = self.rng.borrow_mut().next_u64() as u16;
            let asked = self.over_udp(*server, name, id);
            let asked = tokio::time::timeout(ANSWER_AFTER, asked);
            match asked.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(Ok(answer)) => return Ok(answer),
                // What the binding does not reach is not asked over TCP.
                Ok(Err(TxtFault::Truncated)) if self.binding.is_free() => {
                    let asked = tokio::time::timeout(ANSWER_AFTER, over_tcp(*server, name, id));
                    match asked.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                        Ok(answer) => return Ok(answer),
                        Err(error) => last = error,
                    }
                }
                Ok(Err(fault)) => last = io::Error::other(fault),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Asks from a socket that hears nobody but the server.
    async fn over_udp(
        &self,
        server: SocketAddr,
        name: &str,
        id: u16,
    ) -> io::Result<Result<TxtAnswer, TxtFault>> {
        let socket = self.binding.datagrams(server)?;
        socket.send(&question(name, id)?).await?;
        let mut packet = vec![0; TXT_PACKET_BYTES_MAX.into()];
        loop {
            let bytes = socket.recv(&mut packet).await?;
            match decode_txt_answer(&packet[..bytes], name, id) {
                Err(TxtFault::Noise) => {}
                answer => return Ok(answer),
            }
        }
    }

    fn servers(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.dns {
            TrackerDns::Off => Ok(Vec::new()),
            TrackerDns::Servers(servers) => Ok(servers.clone()),
            // Read each time: the system's servers change with the network.
            TrackerDns::System => {
                let text = std::fs::read(SYSTEM_SERVERS)?;
                let (config, _) = resolv_conf::Config::parse_with_errors(&text);
                let servers = config.get_nameservers_or_local().into_iter().map(IpAddr::from);
                Ok(servers.map(|ip| SocketAddr::new(ip, DNS_PORT)).collect())
            }
        }
    }
}

fn question(name: &str, id: u16) -> io::Result<Vec<u8>> {
    encode_txt_question(name, id)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a name of the DNS"))
}

/// Asks for an answer of any length that its two bytes can tell (RFC 7766).
async fn over_tcp(server: SocketAddr, name: &str, id: u16) -> io::Result<TxtAnswer> {
    let mut stream = TcpStream::connect(server).await?;
    let question = question(name, id)?;
    // A question has a few hundred bytes.
    let length = (question.len() as u16).to_be_bytes();
    stream.write_all(&[&length[..], &question].concat()).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    decode_txt_answer(&answer, name, id).map_err(io::Error::other)
}
