//! One fetch: its ranges one after the other, redirects included.

use super::answer::{Body, Head, judge, seconds};
use super::filler::Filler;
use super::reach::{Reach, refusal};
use super::{Intake, WebFault, WebPart, WebRange};
use crate::binding::{Binding, Place};
use crate::tracker_client::describe;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, LOCATION, RANGE, RETRY_AFTER,
};
use reqwest::{Client, Response, Url, redirect};
use std::net::IpAddr;
use std::time::Duration;

/// Redirects followed.
const REDIRECTS_MAX: usize = 5;
/// Time to connect.
const CONNECT_AFTER: Duration = Duration::from_secs(30);
/// How long a connection is kept for the next range.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// Longest text of a busy script that is read (BEP 17), bytes.
const BUSY_TEXT_MAX: usize = 64;

/// The ways to servers: one into all networks, and one to public addresses only.
#[derive(Clone)]
pub(super) struct Ways {
    anywhere: (Reach, Client),
    public: (Reach, Client),
    is_public: fn(IpAddr) -> bool,
}

impl Ways {
    pub(super) fn new(
        is_public: fn(IpAddr) -> bool,
        place: Option<&Place>,
    ) -> Result<Self, String> {
        let way = |is_public| {
            let builder = Client::builder()
                .user_agent(concat!("Piecework/", env!("CARGO_PKG_VERSION")))
                .redirect(redirect::Policy::none())
                .referer(false)
                // Ranges count the bytes of the file, not those of some packing of it.
                .gzip(false)
                .connect_timeout(CONNECT_AFTER)
                .pool_idle_timeout(KEPT_FOR);
            let (builder, is_v6) = Binding::tie_http(place, builder);
            let reach = Reach { is_public, is_v6 };
            let client = builder.dns_resolver(reach).build().map_err(|error| describe(&error))?;
            Ok::<_, String>((reach, client))
        };
        Ok(Self { anywhere: way(None)?, public: way(Some(is_public))?, is_public })
    }
}

/// Fetches all parts.
pub(super) async fn fetch<I: Intake>(
    ways: &Ways,
    parts: &[WebPart],
    blocks: &[u32],
    is_trusted: bool,
    intake: &mut I,
) -> Result<(), WebFault> {
    let mut filler = Filler::new(blocks, intake);
    for part in parts {
        match part {
            WebPart::Zeros(bytes) => filler.take_zeros(*bytes).await?,
            WebPart::Range(range) => get(ways, range, is_trusted, &mut filler).await?,
        }
    }
    Ok(())
}

async fn get<I: Intake>(
    ways: &Ways,
    range: &WebRange,
    is_trusted: bool,
    filler: &mut Filler<'_, I>,
) -> Result<(), WebFault> {
    let mut response = ask(ways, range, is_trusted, filler).await?;
    let body = match judge(&head(&response), range) {
        Err(WebFault::Busy(None)) if range.of.is_none() => {
            return Err(WebFault::Busy(busy_text(&mut response, filler).await));
        }
        judged => judged?,
    };
    let Body { mut skip, is_exact } = body;
    let mut left = range.bytes;
    while left > 0 || is_exact {
        let next = filler.wait_for(response.chunk()).await?;
        let Some(part) = next.map_err(|error| WebFault::Failed(describe(&error)))? else { break };
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(part.len());
        skip -= skipped as u64;
        let part = &part[skipped..];
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(part.len());
        if is_exact && taken < part.len() {
            return Err(WebFault::Unusable("it sends more bytes than were asked for".into()));
        }
        filler.take(&part[..taken]).await?;
        left -= taken as u64;
    }
    match left {
        0 => Ok(()),
        left => Err(WebFault::Failed(format!("its answer ended {left} bytes early"))),
    }
}

/// The first answer that is no redirect.
async fn ask<I: Intake>(
    ways: &Ways,
    range: &WebRange,
    is_trusted: bool,
    filler: &mut Filler<'_, I>,
) -> Result<Response, WebFault> {
    let unusable = |text: &str| WebFault::Unusable(text.to_owned());
    let mut url = Url::parse(&range.url).map_err(|_| unusable("its address is no URL"))?;
    let mut may_go_anywhere = is_trusted;
    for _ in 0..=REDIRECTS_MAX {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unusable("it redirects to something other than HTTP"));
        }
        let (reach, client) = if may_go_anywhere { &ways.anywhere } else { &ways.public };
        reach.check(&url).map_err(|refused| WebFault::Unusable(refused.to_string()))?;
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(of) = range.of {
            request =
                request.header(RANGE, format!("bytes={}-{}", of.first, of.first + range.bytes - 1));
        }
        let response = filler.wait_for(request.send()).await?.map_err(|error| {
            let refused = refusal(&error).map(WebFault::Unusable);
            refused.unwrap_or_else(|| WebFault::Failed(describe(&error)))
        })?;
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(response);
        }
        // Who was trusted with a private address may stay there; a public one may not lead into it.
        may_go_anywhere &=
            response.remote_addr().is_some_and(|address| !(ways.is_public)(address.ip()));
        let target = text(&response, LOCATION);
        let target = target.ok_or_else(|| unusable("it redirects to nowhere"))?;
        url = url.join(&target).map_err(|_| unusable("it redirects to no URL"))?;
    }
    Err(unusable("it redirects more than 5 times"))
}

fn head(response: &Response) -> Head {
    Head {
        status: response.status().as_u16(),
        length: response.content_length(),
        content_range: text(response, CONTENT_RANGE),
        encoding: text(response, CONTENT_ENCODING),
        retry_after: text(response, RETRY_AFTER),
    }
}

fn text(response: &Response, name: reqwest::header::HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// The seconds that a busy script names in its answer's text.
async fn busy_text<I: Intake>(
    response: &mut Response,
    filler: &mut Filler<'_, I>,
) -> Option<Duration> {
    let mut said = Vec::new();
    while let Ok(Ok(Some(part))) = filler.wait_for(response.chunk()).await {
        said.extend_from_slice(&part);
        if said.len() > BUSY_TEXT_MAX {
            return None;
        }
    }
    seconds(std::str::from_utf8(&said).ok()?)
}
