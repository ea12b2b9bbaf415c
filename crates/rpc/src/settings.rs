//! What the person who runs a chain may set, with defaults that suit a chain of one's own on one's own
//! machine.

use piecework_types::Rate;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where to listen, for whom, and how much anybody may ask.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one. Default: 127.0.0.1:8545, Ethereum's port.
    pub listen: SocketAddr,
    /// Names, without a port, by which requests may address this server besides those of the loopback
    /// interface and the address they arrived at. Keeps web pages of strangers out (DNS rebinding).
    pub hosts: Vec<String>,
    /// Serves the methods that strangers may use, reads and `eth_sendRawTransaction`, and no others.
    /// Default: no.
    pub is_public: bool,
    /// Listens beyond this machine although transactions cost nothing there. Default: no.
    pub is_free_for_all: bool,
    /// Connections at once. Default: 512.
    pub connections_max: usize,
    /// Connections at once of one address (IPv6: of one /64) beyond this machine. Default: 32.
    pub sender_connections_max: usize,
    /// Bytes of a request, or of a batch of them; each connection can hold as many in memory. Default: 5 MiB.
    pub request_bytes_max: u32,
    /// Bytes of an answer, or of those to a batch. Default: 25 MiB.
    pub answer_bytes_max: u32,
    /// Requests of a batch. Default: 1,000.
    pub batch_max: u32,
    /// Requests of one address beyond this machine; one of a batch counts as one. Default: 200 a second,
    /// 1,000 at once.
    pub rate: Rate,
    /// Likewise of those that execute or search, which do not count above: `eth_call`, `eth_estimateGas`,
    /// `eth_getLogs`, `eth_feeHistory`, blocks. Default: 20 a second, 100 at once.
    pub work_rate: Rate,
    /// Subscriptions of one connection. Default: 64.
    pub subscriptions_max: u32,
    /// A subscription whose client leaves messages unread this long is dropped, and told so. Default: 5
    /// seconds.
    pub subscription_lag_max: Duration,
    /// Filters of all clients together. Default: 1,024.
    pub filters_max: usize,
    /// A filter that nobody asks for this long is forgotten. Default: 5 minutes.
    pub filter_idle_max: Duration,
    /// Gas of one call or estimate, and no more than a transaction of the chain may have. Default: 50
    /// million.
    pub call_gas_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8545)),
            hosts: Vec::new(),
            is_public: false,
            is_free_for_all: false,
            connections_max: 512,
            sender_connections_max: 32,
            request_bytes_max: 5 << 20,
            answer_bytes_max: 25 << 20,
            batch_max: 1000,
            rate: Rate { per_second: 200, burst: 1000 },
            work_rate: Rate { per_second: 20, burst: 100 },
            subscriptions_max: 64,
            subscription_lag_max: Duration::from_secs(5),
            filters_max: 1024,
            filter_idle_max: Duration::from_secs(5 * 60),
            call_gas_max: 50_000_000,
        }
    }
}
