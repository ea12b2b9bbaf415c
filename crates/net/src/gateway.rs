//! Carries out what a `Mapping` asks: one exchange with the gateway, over UDP or HTTP, bounded in time.
//!
//! Owns the sockets of the exchange and the place of the UPnP service that was found. Sends to the gateway
//! and to the search group of UPnP only, and reads answers of the gateway only.

mod upnp;

use crate::binding::Binding;
use piecework_gateway::{Ask, Grant, Method, Refusal, Request, Site, natpmp, pcp};
use piecework_types::{Rng, Scope};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

pub(crate) use upnp::Service;

/// Waits for an answer; after each the request is sent again (RFC 6886, section 3.1, cut short: a gateway
/// is one link away).
const PATIENCE: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(1000)];

/// Datagrams that are no answers to us, before there will be none.
const STRAYS_MAX: u32 = 64;

/// The longest that an exchange can take, whatever the gateway does.
pub const EXCHANGE_AFTER: Duration = Duration::from_secs(8);

/// Asks the gateway. `service` remembers what a search for UPnP found.
pub(crate) async fn exchange(
    binding: &Binding,
    request: &Request,
    service: &mut Option<Service>,
) -> Result<Grant, Refusal> {
    let &Request { site, ask, .. } = request;
    let asked = async {
        match request.method {
            Method::Pcp => {
                let bytes = pcp::map_request(&ask, site);
                let read = |answer: &[u8]| pcp::map_answer(answer, &ask);
                datagrams::<_, { pcp::ANSWER_BYTES_MAX }>(binding, site, &bytes, read).await
            }
            Method::NatPmp => nat_pmp(binding, site, &ask).await,
            Method::Upnp => upnp::exchange(binding, site, &ask, service).await,
        }
    };
    timeout(EXCHANGE_AFTER, asked).await.unwrap_or(Err(Refusal::NoAnswer))
}

async fn nat_pmp(binding: &Binding, site: Site, ask: &Ask) -> Result<Grant, Refusal> {
    let bytes = natpmp::map_request(ask);
    let read = |answer: &[u8]| natpmp::map_answer(answer, ask);
    let grant = datagrams::<_, { natpmp::ANSWER_BYTES_MAX }>(binding, site, &bytes, read).await?;
    if ask.removes() {
        return Ok(grant);
    }
    let bytes = natpmp::ADDRESS_REQUEST;
    let read = natpmp::address_answer;
    let address = datagrams::<_, { natpmp::ANSWER_BYTES_MAX }>(binding, site, &bytes, read).await;
    Ok(Grant { external_ip: address.ok(), ..grant })
}

/// Sends a request until `read` takes an answer.
async fn datagrams<T, const BYTES_MAX: usize>(
    binding: &Binding,
    site: Site,
    request: &[u8],
    read: impl Fn(&[u8]) -> Option<Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let to = SocketAddr::new(site.gateway.into(), natpmp::PORT);
    let socket = binding.datagrams(to).map_err(|error| local(&error))?;
    let mut strays = 0;
    for wait in PATIENCE {
        socket.send(request).await.map_err(|error| unreached(&error))?;
        let answered = timeout(wait, answer::<T, BYTES_MAX>(&socket, &read, &mut strays)).await;
        if let Ok(answer) = answered {
            return answer;
        }
    }
    Err(Refusal::NoAnswer)
}

async fn answer<T, const BYTES_MAX: usize>(
    socket: &UdpSocket,
    read: impl Fn(&[u8]) -> Option<Result<T, Refusal>>,
    strays: &mut u32,
) -> Result<T, Refusal> {
    // One more than allowed shows that a datagram was longer.
    let mut buffer = vec![0; BYTES_MAX + 1];
    while *strays < STRAYS_MAX {
        let got = socket.recv(&mut buffer).await.map_err(|error| unreached(&error))?;
        match read(&buffer[..got]) {
            Some(answer) if got <= BYTES_MAX => return answer,
            Some(_) | None => *strays += 1,
        }
    }
    Err(Refusal::Malformed("too many datagrams that are no answers"))
}

/// A port where nobody listens is told by the gateway's system.
fn unreached(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Refusal::Unsupported,
        _ => local(error),
    }
}

fn local(error: &io::Error) -> Refusal {
    Refusal::Local(error.to_string())
}

/// The way to the gateway of a home network: none if there is no gateway, and none if our own address is
/// not a private one, as nothing has to be mapped then.
pub fn site(binding: &Binding) -> Option<Site> {
    let place = binding.place().ok()?;
    let interface = place.as_ref().map(|place| place.interface.as_str());
    let route = crate::interfaces::default_route(interface)?;
    let to = SocketAddr::new(route.gateway.into(), natpmp::PORT);
    // Nothing is sent: connecting makes the system choose our address.
    let socket = binding.socket(to, socket2::Type::DGRAM, 0).ok()?;
    socket.connect(&to.into()).ok()?;
    let ours = *socket.local_addr().ok()?.as_socket_ipv4()?.ip();
    let needs_mapping = matches!(Scope::of(ours.into()), Scope::Site | Scope::Provider);
    needs_mapping.then_some(Site { gateway: route.gateway, ours })
}

/// What one method makes of a mapping, for a report: asks for it, and takes it back at once. Blocks; bounded
/// by three times [`EXCHANGE_AFTER`].
///
/// # Errors
/// Why there is no mapping.
pub fn try_method(
    binding: &Binding,
    method: Method,
    site: Site,
    port: u16,
    rng: Rng,
) -> Result<Grant, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| local(&error))?.block_on(async {
        let mut service = None;
        let mut request = Request::trial(method, site, port, rng);
        let mut granted = exchange(binding, &request, &mut service).await;
        if granted == Err(Refusal::OnlyPermanent) {
            request.ask = request.ask.permanent();
            granted = exchange(binding, &request, &mut service).await;
        }
        let grant = granted?;
        request.ask = request.ask.removal(&grant);
        if let Err(refusal) = exchange(binding, &request, &mut service).await {
            tracing::warn!(%method, %refusal, "a mapping made for the report could not be removed");
        }
        Ok(grant)
    })
}

#[cfg(test)]
mod tests;
