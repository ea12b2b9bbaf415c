//! UPnP Internet Gateway Device as bytes and back: the search, the description, the actions.
//!
//! Sources: UPnP Device Architecture 1.1; WANIPConnection:1 and :2. Only what the gateway itself serves is
//! used: an address of any other machine is refused, so no answer sends us anywhere else.

use crate::ask::{Ask, Refusal, Site, Transport};
use crate::xml;
use std::net::Ipv4Addr;

/// Where searches go.
pub const SEARCH_GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// See [`SEARCH_GROUP`].
pub const SEARCH_PORT: u16 = 1900;

/// Bytes read of an answer to a search.
pub const SEARCH_ANSWER_BYTES_MAX: usize = 2048;

/// Bytes read of a description or of the answer to an action.
pub const DOCUMENT_BYTES_MAX: usize = xml::BYTES_MAX;

/// Bytes of a path on the gateway.
const PATH_BYTES_MAX: usize = 512;

/// Services that map ports, the best first.
const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// A place on the gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location {
    /// Its port.
    pub port: u16,
    /// From the first slash.
    pub path: String,
}

impl Location {
    /// The address that a gateway gives for itself.
    ///
    /// # Errors
    /// When it is no http address, or not one of this gateway.
    pub fn parse(url: &str, gateway: Ipv4Addr) -> Result<Self, Refusal> {
        let scheme = url.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
        if scheme.is_none() {
            return Err(Refusal::Malformed("its web address is not one of http"));
        }
        let rest = &url[7..];
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port.parse::<u16>().ok().filter(|&port| port > 0)),
            None => (authority, Some(80)),
        };
        if host.parse::<Ipv4Addr>() != Ok(gateway) {
            return Err(Refusal::Malformed("its web address is another machine's"));
        }
        let port = port.ok_or(Refusal::Malformed("its web address has no usable port"))?;
        Self { port, path: String::new() }.at(path)
    }

    /// A place on the same server: an absolute path, or a relative one, or a whole address.
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub fn join(&self, reference: &str, gateway: Ipv4Addr) -> Result<Self, Refusal> {
        if reference.contains("://") {
            return Self::parse(reference, gateway);
        }
        if reference.starts_with('/') {
            return self.at(reference);
        }
        let folder = self.path.rfind('/').map_or("/", |at| &self.path[..=at]);
        self.at(&format!("{folder}{reference}"))
    }

    fn at(&self, path: &str) -> Result<Self, Refusal> {
        let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic());
        // Two slashes would begin another host in a relative reference (RFC 3986, section 4.2).
        if !is_plain || path.len() > PATH_BYTES_MAX || path.starts_with("//") {
            return Err(Refusal::Malformed("its web address is too long or not plain"));
        }
        Ok(Self { port: self.port, path: path.to_owned() })
    }

    /// As an address for an HTTP client.
    pub fn url(&self, gateway: Ipv4Addr) -> String {
        format!("http://{gateway}:{}{}", self.port, self.path)
    }
}

/// Where actions go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Control {
    /// The place.
    pub location: Location,
    /// The service's name.
    pub service: &'static str,
}

/// The datagrams of a search: one for each version of the device.
pub fn search_requests() -> [String; 2] {
    [1, 2].map(|version| {
        format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: {SEARCH_GROUP}:{SEARCH_PORT}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
             ST: urn:schemas-upnp-org:device:InternetGatewayDevice:{version}\r\n\r\n"
        )
    })
}

/// The place of the description in an answer to a search.
///
/// # Errors
/// When it is no such answer, or names another machine.
pub fn search_answer(bytes: &[u8], gateway: Ipv4Addr) -> Result<Location, Refusal> {
    const NO_ANSWER: Refusal = Refusal::Malformed("no answer to a search");
    let text = std::str::from_utf8(bytes).map_err(|_| NO_ANSWER)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !(status.starts_with("HTTP/1.") && status.contains(" 200")) {
        return Err(NO_ANSWER);
    }
    let headers = lines.filter_map(|line| line.split_once(':'));
    let location = headers
        .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map(|(_, value)| value.trim())
        .next();
    Location::parse(location.ok_or(NO_ANSWER)?, gateway)
}

/// The best service of a description that was found at `from`.
///
/// # Errors
/// When the document breaks a bound, has no such service, or has it on another machine.
pub fn description(bytes: &[u8], from: &Location, gateway: Ipv4Addr) -> Result<Control, Refusal> {
    let (mut service, mut control) = (None, None);
    let mut best: Option<(usize, String)> = None;
    let mut base = None;
    xml::read(bytes, |element| match element.path {
        [.., around, name] if around == "service" => match name.as_str() {
            "serviceType" => service = SERVICES.iter().position(|known| *known == element.text),
            "controlURL" => control = Some(element.text.to_owned()),
            _ => {}
        },
        [.., name] if name == "service" => {
            if let (Some(rank), Some(url)) = (service.take(), control.take())
                && best.as_ref().is_none_or(|(known, _)| rank < *known)
            {
                best = Some((rank, url));
            }
            (service, control) = (None, None);
        }
        [.., name] if name == "URLBase" && !element.text.is_empty() => {
            base = Some(element.text.to_owned());
        }
        _ => {}
    })?;
    let (rank, url) = best.ok_or(Refusal::Unsupported)?;
    let base = base.map_or_else(|| Ok(from.clone()), |base| Location::parse(&base, gateway))?;
    Ok(Control { location: base.join(&url, gateway)?, service: SERVICES[rank] })
}

/// An action as its name and the body of its request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Action {
    /// Its name, which the `SOAPAction` header wants behind the service's.
    pub name: &'static str,
    /// The body.
    pub body: String,
}

/// Makes or removes a mapping.
pub fn map_action(ask: &Ask, site: Site, service: &str) -> Action {
    let protocol = match ask.transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    };
    let external = ask.external_port.to_string();
    let mut arguments = vec![
        ("NewRemoteHost", String::new()),
        ("NewExternalPort", external),
        ("NewProtocol", protocol.to_owned()),
    ];
    if ask.removes() {
        return action("DeletePortMapping", service, &arguments);
    }
    arguments.extend([
        ("NewInternalPort", ask.internal_port.to_string()),
        ("NewInternalClient", site.ours.to_string()),
        ("NewEnabled", "1".to_owned()),
        ("NewPortMappingDescription", "Piecework".to_owned()),
        ("NewLeaseDuration", ask.lifetime_seconds.to_string()),
    ]);
    action("AddPortMapping", service, &arguments)
}

/// Asks for the gateway's own address outside.
pub fn address_action(service: &str) -> Action {
    action("GetExternalIPAddress", service, &[])
}

fn action(name: &'static str, service: &str, arguments: &[(&str, String)]) -> Action {
    let inner: String = arguments
        .iter()
        .map(|(name, value)| format!("<{name}>{}</{name}>", xml::escape(value)))
        .collect();
    let body = format!(
        "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>\
         <u:{name} xmlns:u=\"{service}\">{inner}</u:{name}></s:Body></s:Envelope>\r\n"
    );
    Action { name, body }
}

/// Whether an action that maps worked.
///
/// # Errors
/// What the gateway said instead.
pub fn map_outcome(is_success: bool, body: &[u8], ask: &Ask) -> Result<(), Refusal> {
    if is_success {
        return Ok(());
    }
    let (mut code, mut text) = (None, String::new());
    xml::read(body, |element| match element.path.last().map(String::as_str) {
        Some("errorCode") => code = element.text.parse::<u32>().ok(),
        Some("errorDescription") => element.text.clone_into(&mut text),
        _ => {}
    })?;
    // WANIPConnection:2, section 2.5.
    Err(match code {
        None => Refusal::Malformed("an error without a code"),
        Some(401) => Refusal::Unsupported,
        Some(718 | 724 | 729) => Refusal::PortTaken(ask.external_port),
        Some(725) => Refusal::OnlyPermanent,
        Some(code) => Refusal::told(&format!("error {code} {text}")),
    })
}

/// The address in the answer to [`address_action`]. Many gateways give none while they are offline.
pub fn address_outcome(is_success: bool, body: &[u8]) -> Option<Ipv4Addr> {
    let mut address = None;
    let read = xml::read(body, |element| {
        if element.path.last().is_some_and(|name| name == "NewExternalIPAddress") {
            address = element.text.parse().ok();
        }
    });
    address.filter(|_| is_success && read.is_ok())
}

#[cfg(test)]
mod tests;
