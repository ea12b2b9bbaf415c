//! What is asked of a gateway, and what it can answer, whatever the method.

use std::fmt;
use std::net::Ipv4Addr;

/// Characters kept of a text that a gateway sent.
pub const TEXT_MAX: usize = 100;

/// How a gateway is asked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Method {
    /// Port Control Protocol (RFC 6887).
    Pcp,
    /// NAT Port Mapping Protocol (RFC 6886).
    NatPmp,
    /// Universal Plug and Play, Internet Gateway Device.
    Upnp,
}

impl Method {
    /// In the order in which they are tried: the newest first, as it says most.
    pub const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        })
    }
}

/// What is mapped: connections or datagrams.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// Both, TCP first: what it is granted is what trackers are told.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Udp];

    /// The number of the protocol in IP headers (IANA).
    pub(crate) const fn ip_protocol(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// A gateway, and this machine as it sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Site {
    /// Its address in the local network.
    pub gateway: Ipv4Addr,
    /// Ours.
    pub ours: Ipv4Addr,
}

/// A mapping that is wanted, or to be removed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ask {
    /// Connections or datagrams.
    pub transport: Transport,
    /// The port that we listen on.
    pub internal_port: u16,
    /// The port that we would like outside. To remove a mapping: the one it has.
    pub external_port: u16,
    /// Seconds that it shall live. 0 removes it, but see `is_permanent`.
    pub lifetime_seconds: u32,
    /// UPnP gateways can insist on mappings without an end.
    pub is_permanent: bool,
    /// Marks our mappings, so that nobody else can change them (PCP).
    pub nonce: [u8; 12],
}

impl Ask {
    /// Whether this removes a mapping.
    pub const fn removes(&self) -> bool {
        self.lifetime_seconds == 0 && !self.is_permanent
    }

    /// The same without an end.
    #[must_use]
    pub const fn permanent(self) -> Self {
        Self { lifetime_seconds: 0, is_permanent: true, ..self }
    }

    /// What takes back the mapping that was granted.
    #[must_use]
    pub const fn removal(self, granted: &Grant) -> Self {
        let external_port = granted.external_port;
        Self { external_port, lifetime_seconds: 0, is_permanent: false, ..self }
    }
}

/// A mapping that the gateway made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Grant {
    /// The port outside.
    pub external_port: u16,
    /// Seconds that it lives; 0 for ever.
    pub lifetime_seconds: u32,
    /// The gateway's own address outside, if it told. Anything may stand here.
    pub external_ip: Option<Ipv4Addr>,
}

/// Why there is no mapping.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Nothing came in time.
    #[error("no answer")]
    NoAnswer,
    /// The gateway does not speak this, or not in a version that we know.
    #[error("not supported by the gateway")]
    Unsupported,
    /// Somebody else has the port.
    #[error("port {0} is taken")]
    PortTaken(u16),
    /// It maps only without an end (UPnP error 725).
    #[error("the gateway makes permanent mappings only")]
    OnlyPermanent,
    /// It granted a mapping that ends at once.
    #[error("the gateway granted no time")]
    NoTime,
    /// It understood and refused.
    #[error("refused by the gateway: {0}")]
    Refused(String),
    /// What it sent is no answer.
    #[error("not understood: {0}")]
    Malformed(&'static str),
    /// This machine could not ask.
    #[error("cannot ask: {0}")]
    Local(String),
}

impl Refusal {
    /// A refusal with a text that a gateway sent, cut and without control characters.
    pub(crate) fn told(text: &str) -> Self {
        let shown = text.chars().map(|char| if char.is_control() { ' ' } else { char });
        Self::Refused(shown.take(TEXT_MAX).collect())
    }
}
