//! UPnP: a search by UDP, a description and actions by HTTP, all with the gateway itself.

use super::{STRAYS_MAX, local};
use crate::binding::Binding;
use piecework_gateway::{Ask, Grant, Refusal, Site, upnp};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

/// Time for answers to a search: devices may wait a second (MX in the request).
const SEARCH_AFTER: Duration = Duration::from_millis(1500);

/// Time for one exchange over HTTP.
const HTTP_AFTER: Duration = Duration::from_secs(3);

/// What a search found, for this site.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    site: Site,
    control: upnp::Control,
}

pub(super) async fn exchange(
    binding: &Binding,
    site: Site,
    ask: &Ask,
    service: &mut Option<Service>,
) -> Result<Grant, Refusal> {
    let place = binding.place().map_err(|error| local(&error.into()))?;
    let client =
        reqwest::Client::builder().timeout(HTTP_AFTER).no_proxy().pool_max_idle_per_host(0);
    // No redirect is followed: it could lead anywhere.
    let client = Binding::http(place.as_ref(), client, 0)
        .map_err(|error| Refusal::Local(crate::tracker_client::describe(&error)))?;
    let control = match service.take().filter(|known| known.site == site) {
        Some(known) => known.control,
        None => find(binding, &client, site).await?,
    };
    let action = upnp::map_action(ask, site, control.service);
    let (is_success, body) = act(&client, site, &control, &action).await?;
    upnp::map_outcome(is_success, &body, ask)?;
    let mut external_ip = None;
    if !ask.removes() {
        let action = upnp::address_action(control.service);
        if let Ok((is_success, body)) = act(&client, site, &control, &action).await {
            external_ip = upnp::address_outcome(is_success, &body);
        }
    }
    // Only what has just worked is remembered: a gateway that starts again may have other addresses.
    *service = Some(Service { site, control });
    let Ask { external_port, lifetime_seconds, .. } = *ask;
    Ok(Grant { external_port, lifetime_seconds, external_ip })
}

/// Searches, and reads the description.
async fn find(
    binding: &Binding,
    client: &reqwest::Client,
    site: Site,
) -> Result<upnp::Control, Refusal> {
    let location = search(binding, site).await?;
    let (is_success, body) = read(client.get(location.url(site.gateway))).await?;
    if !is_success {
        return Err(Refusal::Malformed("the description is not where the gateway said"));
    }
    upnp::description(&body, &location, site.gateway)
}

async fn search(binding: &Binding, site: Site) -> Result<upnp::Location, Refusal> {
    let to = SocketAddr::new(site.gateway.into(), upnp::SEARCH_PORT);
    let socket = binding.socket(to, socket2::Type::DGRAM, 0).map_err(|error| local(&error))?;
    if binding.is_free() {
        // Devices answer the address that they were asked from.
        socket.bind(&SocketAddr::new(site.ours.into(), 0).into()).map_err(|error| local(&error))?;
    }
    socket.set_multicast_if_v4(&site.ours).map_err(|error| local(&error))?;
    let socket = UdpSocket::from_std(socket.into()).map_err(|error| local(&error))?;
    let group = SocketAddr::new(upnp::SEARCH_GROUP.into(), upnp::SEARCH_PORT);
    let mut sent = Err(Refusal::NoAnswer);
    for request in upnp::search_requests() {
        // Some networks carry no multicast, some gateways take nothing else.
        for to in [group, to] {
            sent = match socket.send_to(request.as_bytes(), to).await {
                Ok(_) => Ok(()),
                Err(error) => sent.map_err(|_| local(&error)),
            };
        }
    }
    sent?;
    found(&socket, site.gateway).await
}

/// The first usable answer of the gateway. Other devices answer as well, and are not listened to.
async fn found(socket: &UdpSocket, gateway: Ipv4Addr) -> Result<upnp::Location, Refusal> {
    let mut buffer = vec![0; upnp::SEARCH_ANSWER_BYTES_MAX];
    let mut refusal = Refusal::NoAnswer;
    let until = Instant::now() + SEARCH_AFTER;
    for _ in 0..STRAYS_MAX {
        let Ok(received) = timeout_at(until, socket.recv_from(&mut buffer)).await else { break };
        // A closed port tells of itself by an error, which is not the end of the search.
        let Ok((got, from)) = received else { continue };
        if from.ip() != gateway {
            continue;
        }
        match upnp::search_answer(&buffer[..got], gateway) {
            Ok(location) => return Ok(location),
            Err(unusable) => refusal = unusable,
        }
    }
    Err(refusal)
}

async fn act(
    client: &reqwest::Client,
    site: Site,
    control: &upnp::Control,
    action: &upnp::Action,
) -> Result<(bool, Vec<u8>), Refusal> {
    let request = client
        .post(control.location.url(site.gateway))
        .header("Content-Type", "text/xml; charset=\"utf-8\"")
        .header("SOAPAction", format!("\"{}#{}\"", control.service, action.name))
        .body(action.body.clone());
    read(request).await
}

/// Sends a request and reads a bounded answer.
async fn read(request: reqwest::RequestBuilder) -> Result<(bool, Vec<u8>), Refusal> {
    let failed = |error: reqwest::Error| match error.is_timeout() {
        true => Refusal::NoAnswer,
        false => Refusal::Local(crate::tracker_client::describe(&error)),
    };
    let mut response = request.send().await.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > upnp::DOCUMENT_BYTES_MAX {
            return Err(Refusal::Malformed("the document is too long"));
        }
        body.extend_from_slice(&part);
    }
    Ok((response.status().is_success(), body))
}
