//! What a daemon that runs knows of the way to it: it has met peers and asked the gateway, so its word counts
//! for more than what can be guessed from outside of it.

use crate::client::printable;
use serde_json::{Value, json};
use std::net::IpAddr;

/// What `/node` of its API says of the network.
#[derive(Debug)]
pub(crate) struct Running {
    /// The port that peers reach it on.
    pub(crate) port: u16,
    /// That port as it is seen outside.
    pub(crate) outside_port: u16,
    /// Its addresses as others see them.
    pub(crate) seen_at: Vec<IpAddr>,
    /// A peer has come to it by itself.
    pub(crate) is_reachable: bool,
    /// How the port is mapped at the gateway, as a word and in words.
    pub(crate) mapping: String,
    pub(crate) mapping_text: String,
}

impl Running {
    /// Reads the answer; nothing if it is not one.
    pub(crate) fn read(node: &Value) -> Option<Self> {
        let port = |key: &str| u16::try_from(node.get(key)?.as_u64()?).ok();
        let text = |key: &str| Some(printable(node.get(key)?.as_str()?));
        let seen = node.get("seen_at")?.as_array()?.iter();
        Some(Self {
            port: port("port")?,
            outside_port: port("outside_port")?,
            seen_at: seen.filter_map(|ip| ip.as_str()?.parse().ok()).collect(),
            is_reachable: node.get("is_reachable")?.as_bool()?,
            mapping: text("mapping")?,
            mapping_text: text("mapping_text")?,
        })
    }

    /// The gateway lets peers in to it.
    pub(crate) fn is_mapped(&self) -> bool {
        self.mapping == "mapped"
    }

    /// The lines for people.
    pub(crate) fn lines(&self) -> [(&'static str, String); 3] {
        let seen: Vec<String> = self.seen_at.iter().map(ToString::to_string).collect();
        let seen = match seen.is_empty() {
            true => "nobody has told it yet".to_owned(),
            false => format!("{}, port {}", seen.join(", "), self.outside_port),
        };
        let met =
            if self.is_reachable { "a peer has come by itself" } else { "no peer has come yet" };
        [
            ("daemon", format!("runs, listens on port {}; {met}", self.port)),
            ("  seen at", seen),
            ("  mapping", self.mapping_text.clone()),
        ]
    }

    /// The same for scripts.
    pub(crate) fn object(&self) -> Value {
        let seen: Vec<String> = self.seen_at.iter().map(ToString::to_string).collect();
        json!({
            "port": self.port,
            "outside_port": self.outside_port,
            "seen_at": seen,
            "is_reachable": self.is_reachable,
            "mapping": self.mapping,
            "mapping_text": self.mapping_text,
        })
    }
}
