//! How a mapping stands, for people and programs.

use crate::ask::{Method, Refusal};
use std::fmt;
use std::net::Ipv4Addr;

/// The ports that are mapped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mapped {
    /// Which method worked.
    pub method: Method,
    /// The port outside for connections.
    pub tcp_port: u16,
    /// The same for datagrams, or why there is none.
    pub udp_port: Result<u16, Refusal>,
    /// The address outside as the gateway tells it.
    pub external_ip: Option<Ipv4Addr>,
}

/// How it stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Status {
    /// There is no gateway to ask.
    #[default]
    Absent,
    /// The first answer is awaited.
    Asking,
    /// Peers can come in.
    Mapped(Mapped),
    /// No method worked: each with its reason.
    Failed(Vec<(Method, Refusal)>),
}

impl Status {
    /// The one word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Asking => "asking",
            Self::Mapped(_) => "mapped",
            Self::Failed(_) => "failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "absent: no gateway for IPv4, so nothing to map"),
            Self::Asking => write!(f, "asking: the gateway has not answered yet"),
            Self::Mapped(Mapped { method, tcp_port, udp_port, external_ip }) => {
                write!(f, "mapped by {method}: TCP port {tcp_port}, ")?;
                match udp_port {
                    Ok(port) => write!(f, "UDP port {port}")?,
                    Err(refusal) => write!(f, "UDP not ({refusal})")?,
                }
                external_ip.map_or(Ok(()), |ip| write!(f, ", address {ip}"))
            }
            Self::Failed(refusals) => {
                write!(f, "failed:")?;
                for (at, (method, refusal)) in refusals.iter().enumerate() {
                    write!(f, "{} {method}: {refusal}", if at > 0 { ";" } else { "" })?;
                }
                Ok(())
            }
        }
    }
}
