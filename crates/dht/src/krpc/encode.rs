//! Messages as canonical bencode.

use super::{Body, Message, Method, Query, Response, Signed};
use crate::contact::{write_address, write_nodes};
use piecework_bencode::{DictWriter, encode_dict};

impl Message {
    /// The packet.
    pub fn encode(&self) -> Vec<u8> {
        encode_dict(|dict| {
            match &self.body {
                Body::Query(query) => {
                    dict.dict("a", |arguments| write_arguments(query, arguments));
                    dict.bytes("q", query.method.name());
                    if query.read_only {
                        dict.int("ro", 1);
                    }
                }
                Body::Response(response) => dict.dict("r", |values| write_values(response, values)),
                Body::Error(error) => dict.list("e", |list| {
                    list.int(error.code.0);
                    list.bytes(&error.text);
                }),
            }
            if let Some(address) = self.seen_as {
                let mut bytes = Vec::with_capacity(18);
                write_address(address, &mut bytes);
                dict.bytes("ip", bytes);
            }
            dict.bytes("t", &self.transaction);
            if let Some(version) = self.version {
                dict.bytes("v", version);
            }
            dict.bytes("y", self.body.kind());
        })
    }
}

impl Body {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Query(_) => "q",
            Self::Response(_) => "r",
            Self::Error(_) => "e",
        }
    }
}

impl Method {
    /// Its name in the packet.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::FindNode { .. } => "find_node",
            Self::GetPeers { .. } => "get_peers",
            Self::AnnouncePeer { .. } => "announce_peer",
            Self::Get { .. } => "get",
            Self::Put { .. } => "put",
            Self::SampleInfoHashes { .. } => "sample_infohashes",
            Self::Unknown { .. } => "unknown",
        }
    }
}

fn write_arguments(query: &Query, dict: &mut DictWriter<'_>) {
    dict.bytes("id", query.id.0);
    match &query.method {
        Method::Ping => {}
        Method::FindNode { target } | Method::SampleInfoHashes { target } => {
            dict.bytes("target", target.0);
        }
        Method::GetPeers { info_hash, no_seeds, scrape } => {
            dict.bytes("info_hash", info_hash.0);
            write_flag("noseed", *no_seeds, dict);
            write_flag("scrape", *scrape, dict);
        }
        Method::AnnouncePeer { info_hash, port, implied_port, seed, token } => {
            write_flag("implied_port", *implied_port, dict);
            dict.bytes("info_hash", info_hash.0);
            dict.int("port", *port);
            write_flag("seed", *seed, dict);
            dict.bytes("token", token);
        }
        Method::Get { target, newer_than } => {
            if let Some(sequence) = newer_than {
                dict.int("seq", *sequence);
            }
            dict.bytes("target", target.0);
        }
        Method::Put { token, value, signed } => {
            if let Some(signed) = signed {
                write_signed(signed, dict);
            }
            dict.bytes("token", token);
            dict.raw("v", value);
        }
        Method::Unknown { target } => {
            if let Some(target) = target {
                dict.bytes("target", target.0);
            }
        }
    }
    if query.padding > 0 {
        dict.bytes("pad", vec![b'.'; query.padding]);
    }
    if let Some(want) = query.want {
        dict.list("want", |list| {
            for (wanted, name) in [(want.v4, "n4"), (want.v6, "n6")] {
                if wanted {
                    list.bytes(name);
                }
            }
        });
    }
}

fn write_flag(key: &str, is_set: bool, dict: &mut DictWriter<'_>) {
    if is_set {
        dict.int(key, 1);
    }
}

fn write_signed(signed: &Signed, dict: &mut DictWriter<'_>) {
    if let Some(sequence) = signed.compare {
        dict.int("cas", sequence);
    }
    dict.bytes("k", signed.key.0);
    if !signed.salt.is_empty() {
        dict.bytes("salt", &signed.salt);
    }
    dict.int("seq", signed.sequence);
    dict.bytes("sig", signed.signature.0);
}

fn write_values(response: &Response, dict: &mut DictWriter<'_>) {
    if let Some(filters) = &response.filters {
        dict.bytes("BFpe", filters.peers.as_bytes());
        dict.bytes("BFsd", filters.seeds.as_bytes());
    }
    dict.bytes("id", response.id.0);
    if let Some(seconds) = response.samples.as_ref().and_then(|s| s.interval_seconds) {
        dict.int("interval", seconds);
    }
    if let Some(key) = response.key {
        dict.bytes("k", key.0);
    }
    for (key, nodes) in [("nodes", &response.nodes), ("nodes6", &response.nodes6)] {
        if let Some(nodes) = nodes {
            dict.bytes(key, write_nodes(nodes));
        }
    }
    if let Some(samples) = &response.samples {
        if let Some(total) = samples.total {
            dict.int("num", total);
        }
        dict.bytes(
            "samples",
            samples.info_hashes.iter().flat_map(|hash| hash.0).collect::<Vec<_>>(),
        );
    }
    if let Some(sequence) = response.sequence {
        dict.int("seq", sequence);
    }
    if let Some(signature) = response.signature {
        dict.bytes("sig", signature.0);
    }
    if let Some(token) = &response.token {
        dict.bytes("token", token);
    }
    if let Some(value) = &response.value {
        dict.raw("v", value);
    }
    if !response.values.is_empty() {
        dict.list("values", |list| {
            for peer in &response.values {
                let mut bytes = Vec::with_capacity(18);
                write_address(*peer, &mut bytes);
                list.bytes(bytes);
            }
        });
    }
}
