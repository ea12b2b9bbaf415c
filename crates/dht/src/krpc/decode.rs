//! Packets as messages, or whose fault it is that they are none.

use super::{
    Body, ErrorAnswer, ErrorCode, Filters, KrpcFault, Message, Method, NODES_MAX, PACKET_BYTES_MAX,
    Query, Response, SALT_BYTES_MAX, SAMPLES_MAX, Samples, Signed, TEXT_BYTES_MAX, TOKEN_BYTES_MAX,
    TRANSACTION_BYTES_MAX, TransactionId, VALUE_BYTES_MAX, VALUES_MAX, Want,
};
use crate::contact::{Family, read_address, read_nodes};
use crate::item::{PublicKey, Signature};
use crate::{BloomFilter, NodeId};
use piecework_bencode::{Limits, Mode, Value, decode, decode_prefix};
use piecework_types::InfoHash;

/// A value of 1000 bytes has 1000 containers at most; a packet's own structure needs four.
const LIMITS: Limits = Limits { depth: 64, tokens: PACKET_BYTES_MAX };

/// What a query lacks, and the code that says so.
type Lack = (&'static str, ErrorCode);

impl Message {
    /// Reads a packet. Unknown keys are ignored; what follows the dictionary is too.
    ///
    /// # Errors
    /// When it is too long, no dictionary, or lacks what its kind needs.
    pub fn decode(packet: &[u8]) -> Result<Self, KrpcFault> {
        if packet.len() > PACKET_BYTES_MAX {
            return Err(KrpcFault::TooLong(packet.len()));
        }
        let (document, _) =
            decode_prefix(packet, Mode::Lenient, LIMITS).map_err(|_| KrpcFault::NotDictionary)?;
        let root = document.root();
        if root.as_dict().is_none() {
            return Err(KrpcFault::NotDictionary);
        }
        let transaction = bytes_up_to(root, "t", TRANSACTION_BYTES_MAX);
        let (Some(transaction), Some(kind)) =
            (transaction, root.get("y").and_then(Value::as_bytes))
        else {
            return Err(KrpcFault::NoKind);
        };
        let body = match kind {
            b"q" => Body::Query(query(root).map_err(|(wanted, code)| {
                let transaction = transaction.clone();
                KrpcFault::BadQuery { transaction, wanted, code }
            })?),
            b"r" => Body::Response(Box::new(response(root, &transaction)?)),
            b"e" => Body::Error(error(root)),
            _ => return Err(KrpcFault::NoKind),
        };
        let seen_as = root.get("ip").and_then(Value::as_bytes).and_then(read_address);
        Ok(Self { transaction, version: fixed(root, "v"), seen_as, body })
    }
}

fn query(root: Value<'_>) -> Result<Query, Lack> {
    let arguments = root.get("a").ok_or(("arguments", ErrorCode::PROTOCOL))?;
    let id = id(arguments, "id").ok_or(("an id of 20 bytes", ErrorCode::PROTOCOL))?;
    let name = root.get("q").and_then(Value::as_bytes);
    let method = match name.ok_or(("a method", ErrorCode::PROTOCOL))? {
        b"ping" => Method::Ping,
        b"find_node" => Method::FindNode { target: target(arguments)? },
        b"get_peers" => Method::GetPeers {
            info_hash: info_hash(arguments)?,
            no_seeds: is_set(arguments, "noseed"),
            scrape: is_set(arguments, "scrape"),
        },
        b"announce_peer" => announce(arguments)?,
        b"get" => Method::Get {
            target: target(arguments)?,
            newer_than: arguments.get("seq").and_then(Value::as_i64),
        },
        b"put" => put(arguments)?,
        b"sample_infohashes" => Method::SampleInfoHashes { target: target(arguments)? },
        _ => Method::Unknown {
            target: self::id(arguments, "target").or_else(|| self::id(arguments, "info_hash")),
        },
    };
    let want = arguments.get("want").and_then(Value::as_list).map(|mut list| {
        let mut want = Want::default();
        list.by_ref().take(8).filter_map(Value::as_bytes).for_each(|family| {
            want.v4 |= family == b"n4";
            want.v6 |= family == b"n6";
        });
        want
    });
    // A list of families that nobody knows yet asks for the default.
    let want = want.filter(|want| want.v4 || want.v6);
    Ok(Query { id, read_only: is_set(root, "ro"), want, padding: 0, method })
}

fn announce(arguments: Value<'_>) -> Result<Method, Lack> {
    let implied_port = is_set(arguments, "implied_port");
    let port = arguments.get("port").and_then(Value::as_u64).map(u16::try_from);
    let port = match port {
        Some(Ok(port)) if port > 0 || implied_port => port,
        _ if implied_port => 0,
        _ => return Err(("a port", ErrorCode::PROTOCOL)),
    };
    Ok(Method::AnnouncePeer {
        info_hash: info_hash(arguments)?,
        port,
        implied_port,
        seed: is_set(arguments, "seed"),
        token: token(arguments)?,
    })
}

fn put(arguments: Value<'_>) -> Result<Method, Lack> {
    let token = token(arguments)?;
    let value = arguments.get("v").ok_or(("a value", ErrorCode::PROTOCOL))?.raw();
    if value.len() > VALUE_BYTES_MAX {
        return Err(("a value of at most 1000 bytes", ErrorCode::VALUE_TOO_LONG));
    }
    if decode(value, Mode::Strict).is_err() {
        return Err(("a value in canonical form", ErrorCode::PROTOCOL));
    }
    let signed = match arguments.get("k") {
        None => None,
        Some(_) => {
            let salt = arguments.get("salt").and_then(Value::as_bytes).unwrap_or_default();
            if salt.len() > SALT_BYTES_MAX {
                return Err(("a salt of at most 64 bytes", ErrorCode::SALT_TOO_LONG));
            }
            let sequence = arguments.get("seq").and_then(Value::as_i64);
            Some(Signed {
                key: fixed(arguments, "k").map(PublicKey).ok_or(("a key", ErrorCode::PROTOCOL))?,
                salt: salt.to_vec(),
                sequence: sequence.ok_or(("a sequence", ErrorCode::PROTOCOL))?,
                signature: fixed(arguments, "sig")
                    .map(Signature)
                    .ok_or(("a signature", ErrorCode::SIGNATURE))?,
                compare: arguments.get("cas").and_then(Value::as_i64),
            })
        }
    };
    Ok(Method::Put { token, value: value.to_vec(), signed })
}

fn response(root: Value<'_>, transaction: &TransactionId) -> Result<Response, KrpcFault> {
    let lacks = |wanted| KrpcFault::BadAnswer { transaction: transaction.clone(), wanted };
    let values = root.get("r").ok_or_else(|| lacks("values"))?;
    let id = id(values, "id").ok_or_else(|| lacks("an id of 20 bytes"))?;
    let nodes = |key, family| {
        let bytes = values.get(key).and_then(Value::as_bytes)?;
        Some(read_nodes(bytes, family, NODES_MAX))
    };
    let peers = values.get("values").and_then(Value::as_list).into_iter().flatten();
    let value = values.get("v").map(Value::raw).filter(|raw| raw.len() <= VALUE_BYTES_MAX);
    Ok(Response {
        id,
        nodes: nodes("nodes", Family::V4),
        nodes6: nodes("nodes6", Family::V6),
        token: bytes_up_to(values, "token", TOKEN_BYTES_MAX),
        values: peers.take(VALUES_MAX).filter_map(|peer| read_address(peer.as_bytes()?)).collect(),
        filters: filters(values),
        value: value.map(<[u8]>::to_vec),
        key: fixed(values, "k").map(PublicKey),
        signature: fixed(values, "sig").map(Signature),
        sequence: values.get("seq").and_then(Value::as_i64),
        samples: samples(values),
    })
}

fn filters(values: Value<'_>) -> Option<Filters> {
    let filter = |key| fixed(values, key).map(BloomFilter::from_bytes);
    Some(Filters { seeds: filter("BFsd")?, peers: filter("BFpe")? })
}

fn samples(values: Value<'_>) -> Option<Samples> {
    let bytes = values.get("samples").and_then(Value::as_bytes)?;
    let hashes = bytes.as_chunks::<20>().0.iter().take(SAMPLES_MAX);
    Some(Samples {
        info_hashes: hashes.map(|hash| InfoHash(*hash)).collect(),
        total: values.get("num").and_then(Value::as_u64),
        interval_seconds: values.get("interval").and_then(Value::as_u64),
    })
}

/// An error without a list says nothing, but it answers.
fn error(root: Value<'_>) -> ErrorAnswer {
    let mut list = root.get("e").and_then(Value::as_list).into_iter().flatten();
    let code = list.next().and_then(Value::as_i64).map_or(ErrorCode::GENERIC, ErrorCode);
    let text = list.next().and_then(Value::as_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[..text.len().min(TEXT_BYTES_MAX)]);
    let mut text: String = text.chars().filter(|char| !char.is_control()).collect();
    // A byte that is no text becomes three.
    let end = (0..=TEXT_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    ErrorAnswer { code, text }
}

fn target(arguments: Value<'_>) -> Result<NodeId, Lack> {
    id(arguments, "target").ok_or(("a target of 20 bytes", ErrorCode::PROTOCOL))
}

fn info_hash(arguments: Value<'_>) -> Result<InfoHash, Lack> {
    let id = id(arguments, "info_hash").ok_or(("an info_hash of 20 bytes", ErrorCode::PROTOCOL))?;
    Ok(id.into())
}

fn token(arguments: Value<'_>) -> Result<Vec<u8>, Lack> {
    bytes_up_to(arguments, "token", TOKEN_BYTES_MAX).ok_or(("a token", ErrorCode::PROTOCOL))
}

fn id(dict: Value<'_>, key: &str) -> Option<NodeId> {
    fixed(dict, key).map(NodeId)
}

fn fixed<const N: usize>(dict: Value<'_>, key: &str) -> Option<[u8; N]> {
    dict.get(key)?.as_bytes()?.try_into().ok()
}

fn bytes_up_to(dict: Value<'_>, key: &str, most: usize) -> Option<Vec<u8>> {
    let bytes = dict.get(key)?.as_bytes()?;
    (bytes.len() <= most).then(|| bytes.to_vec())
}

fn is_set(dict: Value<'_>, key: &str) -> bool {
    dict.get(key).and_then(Value::as_i64).is_some_and(|value| value != 0)
}
