//! What a restart begins with: ids and nodes, as bytes and back.

use crate::contact::{read_nodes, write_nodes};
use crate::{Contact, Family, NodeId};
use piecework_bencode::{Mode, Value, decode, encode_dict};

/// Nodes that are saved of one endpoint: enough to come back after a long time.
pub const SAVED_NODES_MAX: usize = 200;
/// Bytes that are read back.
pub const SAVED_BYTES_MAX: usize = 256 * 1024;

/// What one endpoint knew.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SavedEndpoint {
    /// Its family.
    pub family: Family,
    /// Its id.
    pub id: NodeId,
    /// Nodes that answered, the closest first; [`SAVED_NODES_MAX`] at most.
    pub nodes: Vec<Contact>,
}

/// What a node knew.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Saved {
    /// In the order of the configuration.
    pub endpoints: Vec<SavedEndpoint>,
}

impl Saved {
    /// As bencode.
    pub fn encode(&self) -> Vec<u8> {
        encode_dict(|dict| {
            dict.list("endpoints", |list| {
                for endpoint in &self.endpoints {
                    let most = endpoint.nodes.len().min(SAVED_NODES_MAX);
                    list.dict(|dict| {
                        dict.int("family", if endpoint.family == Family::V4 { 4 } else { 6 });
                        dict.bytes("id", endpoint.id.0);
                        dict.bytes("nodes", write_nodes(&endpoint.nodes[..most]));
                    });
                }
            });
        })
    }

    /// Reads what [`Self::encode`] wrote. A file that is damaged gives what can be read of it: a node
    /// finds its way again from routers alone.
    pub fn decode(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(SAVED_BYTES_MAX)];
        let Ok(document) = decode(bytes, Mode::Lenient) else { return Self::default() };
        let list = document.root().get("endpoints").and_then(Value::as_list);
        let endpoints = list.into_iter().flatten().take(crate::ENDPOINTS_MAX).filter_map(|entry| {
            let family = match entry.get("family")?.as_u64()? {
                4 => Family::V4,
                6 => Family::V6,
                _ => return None,
            };
            let id = NodeId::from_slice(entry.get("id")?.as_bytes()?)?;
            let nodes = entry.get("nodes").and_then(Value::as_bytes).unwrap_or_default();
            Some(SavedEndpoint { family, id, nodes: read_nodes(nodes, family, SAVED_NODES_MAX) })
        });
        Self { endpoints: endpoints.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn endpoint(family: Family, address: &str, nodes: usize) -> SavedEndpoint {
        let address: SocketAddr = address.parse().expect("an address");
        let nodes = vec![Contact { id: NodeId([3; 20]), address }; nodes];
        SavedEndpoint { family, id: NodeId([7; 20]), nodes }
    }

    #[test]
    fn what_is_saved_comes_back_up_to_the_limit() {
        let v4 = endpoint(Family::V4, "1.2.3.4:5", 3);
        let v6 = endpoint(Family::V6, "[2001:db8::1]:5", SAVED_NODES_MAX + 9);
        let saved = Saved { endpoints: vec![v4.clone(), v6] };
        let kept = endpoint(Family::V6, "[2001:db8::1]:5", SAVED_NODES_MAX);
        assert_eq!(Saved::decode(&saved.encode()), Saved { endpoints: vec![v4, kept] });
    }

    #[test]
    fn a_damaged_file_gives_what_can_be_read() {
        for bytes in
            [&b""[..], b"le", b"d9:endpointsi1ee", b"d9:endpointsld6:familyi5eeee", &[0; 99]]
        {
            assert_eq!(Saved::decode(bytes), Saved::default());
        }
        let mut bytes = Saved { endpoints: vec![endpoint(Family::V4, "1.2.3.4:5", 3)] }.encode();
        bytes.truncate(bytes.len() - 3);
        assert_eq!(Saved::decode(&bytes), Saved::default());
    }
}
