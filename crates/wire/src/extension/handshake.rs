//! The extension handshake: which extensions its sender speaks under which ids, and what else it tells
//! about itself. Every field is optional; one with a useless value counts as not sent.

use super::{Extension, dictionary};
use crate::WireFault;
use crate::extension::METADATA_BYTES_MAX;
use piecework_bencode::{Value, encode_dict};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest client name kept or sent, in bytes.
pub const CLIENT_BYTES_MAX: usize = 64;

/// The ids under which somebody wants to receive extension messages.
///
/// Remembers three things for each extension: never mentioned, switched off with id 0, or an id.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ExtensionIds {
    by_extension: [Option<u8>; Extension::ALL.len()],
}

impl ExtensionIds {
    /// Ours, for all extensions that `allowed` lets pass; the others are switched off. Payments are not even
    /// mentioned unless they are on.
    pub fn ours(allowed: impl Fn(Extension) -> bool) -> Self {
        let id = |extension: Extension| match allowed(extension) {
            true => Some(extension.our_id()),
            false => (extension != Extension::Pay).then_some(0),
        };
        Self { by_extension: Extension::ALL.map(id) }
    }

    /// The same, with this extension switched off by name: whoever was told of it forgets it.
    #[must_use]
    pub const fn without(mut self, extension: Extension) -> Self {
        self.by_extension[extension as usize] = Some(0);
        self
    }

    /// The id to send this extension's messages with. `None`: send none.
    pub const fn get(&self, extension: Extension) -> Option<u8> {
        match self.by_extension[extension as usize] {
            None | Some(0) => None,
            id @ Some(_) => id,
        }
    }

    /// Takes over what a later handshake mentions; the rest stays (BEP 10).
    pub fn update(&mut self, later: &Self) {
        for (id, later) in self.by_extension.iter_mut().zip(later.by_extension) {
            *id = later.or(*id);
        }
    }

    fn read(names: Value<'_>) -> Self {
        let id = |extension: Extension| {
            let id = names.get(extension.name()).and_then(Value::as_u64)?;
            u8::try_from(id).ok()
        };
        Self { by_extension: Extension::ALL.map(id) }
    }
}

/// What a peer tells about itself. `None` and `false` mean that it did not say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExtensionHandshake {
    /// `m`: the extensions it speaks.
    pub ids: ExtensionIds,
    /// `v`: name and version, cleaned and cut at [`CLIENT_BYTES_MAX`].
    pub client: Option<String>,
    /// `reqq`: requests that it keeps without dropping any.
    pub requests_max: Option<u32>,
    /// `metadata_size`: 1 to [`METADATA_BYTES_MAX`] (BEP 9).
    pub metadata_bytes: Option<u32>,
    /// `p`: the TCP port it listens on.
    pub listen_port: Option<u16>,
    /// `yourip`: our address as it sees it.
    pub your_ip: Option<IpAddr>,
    /// `ipv4`: where it can be reached too.
    pub ipv4: Option<Ipv4Addr>,
    /// `ipv6`: where it can be reached too.
    pub ipv6: Option<Ipv6Addr>,
    /// `e`: it would rather have its connections encrypted (BEP 11 tells others of it).
    pub prefers_encryption: bool,
    /// `upload_only`: it downloads nothing any more, complete or not (BEP 21).
    pub upload_only: bool,
}

impl ExtensionHandshake {
    /// Reads a payload.
    ///
    /// # Errors
    /// When it is no bencoded dictionary.
    pub fn decode(payload: &[u8]) -> Result<Self, WireFault> {
        let (document, _) = dictionary("extension handshake", payload)?;
        let root = document.root();
        let number = |key: &str| root.get(key).and_then(Value::as_u64);
        let bytes = |key: &str| root.get(key).and_then(Value::as_bytes);
        let metadata_bytes = number("metadata_size")
            .filter(|&size| size > 0 && size <= METADATA_BYTES_MAX as u64)
            .and_then(|size| u32::try_from(size).ok());
        Ok(Self {
            ids: root.get("m").map(ExtensionIds::read).unwrap_or_default(),
            client: bytes("v").map(clean_client),
            requests_max: number("reqq").map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            metadata_bytes,
            listen_port: number("p")
                .and_then(|port| u16::try_from(port).ok())
                .filter(|&port| port != 0),
            your_ip: bytes("yourip").and_then(|ip| {
                let v4 = || packed::<4>(ip).map(|ip| Ipv4Addr::from(ip).into());
                packed::<16>(ip).map(|ip| Ipv6Addr::from(ip).into()).or_else(v4)
            }),
            ipv4: bytes("ipv4").and_then(packed).map(<Ipv4Addr as From<[u8; 4]>>::from),
            ipv6: bytes("ipv6").and_then(packed).map(<Ipv6Addr as From<[u8; 16]>>::from),
            prefers_encryption: number("e").is_some_and(|flag| flag != 0),
            upload_only: number("upload_only").is_some_and(|flag| flag != 0),
        })
    }

    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        // In the order of the keys, which spares sorting them.
        encode_dict(|dict| {
            if self.prefers_encryption {
                dict.int("e", 1);
            }
            self.ipv4.iter().for_each(|ip| dict.bytes("ipv4", ip.octets()));
            self.ipv6.iter().for_each(|ip| dict.bytes("ipv6", ip.octets()));
            dict.dict("m", |names| {
                for extension in Extension::ALL {
                    if let Some(id) = self.ids.by_extension[extension as usize] {
                        names.int(extension.name(), id);
                    }
                }
            });
            self.metadata_bytes.iter().for_each(|bytes| dict.int("metadata_size", *bytes));
            self.listen_port.iter().for_each(|port| dict.int("p", *port));
            self.requests_max.iter().for_each(|count| dict.int("reqq", *count));
            if self.upload_only {
                dict.int("upload_only", 1);
            }
            self.client.iter().for_each(|client| dict.bytes("v", client));
            match self.your_ip {
                Some(IpAddr::V4(ip)) => dict.bytes("yourip", ip.octets()),
                Some(IpAddr::V6(ip)) => dict.bytes("yourip", ip.octets()),
                None => {}
            }
        })
    }
}

fn packed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// A client's name, safe to show in a terminal.
fn clean_client(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(CLIENT_BYTES_MAX)];
    let mut name = String::new();
    for c in String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()) {
        // A byte that is no UTF-8 becomes a character of three.
        if name.len() + c.len_utf8() > CLIENT_BYTES_MAX {
            break;
        }
        name.push(c);
    }
    name
}
