//! Which hosts a fetch may lead to: what a torrent names must not reach into the network of whoever downloads
//! it, and what is tied to an interface must not leave by another.
//!
//! Invariant: names are checked when they are looked up for the very connection, so that a name which means
//! another host the second time is caught.

use crate::binding::suits;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};

/// Why a host may not be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Its address lies in a private network, or on this machine.
    #[error(
        "{0} is in a private network, where a torrent's web seed may not lead; --web-seed allows it"
    )]
    Private(String),
    /// The interface that sockets are tied to has no address of its family.
    #[error("the interface has no address for {0}")]
    Family(String),
}

/// How far a client reaches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// If set, only addresses for which it holds.
    pub(super) is_public: Option<fn(IpAddr) -> bool>,
    /// If set, only addresses of IPv6, or only of IPv4.
    pub(super) is_v6: Option<bool>,
}

impl Reach {
    /// Whether it may be sent there. Names are looked at when they are looked up.
    pub(super) fn check(self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|ip| self.is_public.is_some_and(|is_public| !is_public(ip))) {
            return Err(Refused::Private(host.to_owned()));
        }
        if suits(Some(host), self.is_v6) { Ok(()) } else { Err(Refused::Family(host.to_owned())) }
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { is_public, is_v6 } = *self;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let of_family = |it: &SocketAddr| is_v6.is_none_or(|is_v6| it.is_ipv6() == is_v6);
            let found: Vec<SocketAddr> = found.filter(of_family).collect();
            if found.is_empty() {
                return Err(Refused::Family(host).into());
            }
            let is_allowed = |it: &SocketAddr| is_public.is_none_or(|is_public| is_public(it.ip()));
            let allowed: Vec<SocketAddr> = found.into_iter().filter(is_allowed).collect();
            if allowed.is_empty() {
                return Err(Refused::Private(host).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether an error is our own refusal, in words.
pub(super) fn refusal(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(next) = cause {
        if let Some(refused) = next.downcast_ref::<Refused>() {
            return Some(refused.to_string());
        }
        cause = next.source();
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn is_public(ip: IpAddr) -> bool {
        ip.to_canonical() != IpAddr::from([10, 0, 0, 1])
    }

    fn refused(reach: Reach, url: &str) -> Option<String> {
        reach.check(&Url::parse(url).unwrap()).err().map(|refused| refused.to_string())
    }

    #[test]
    fn private_addresses_are_refused_in_every_spelling_unless_anything_may_be_reached() {
        let public = Reach { is_public: Some(is_public), is_v6: None };
        let anywhere = Reach { is_public: None, is_v6: None };
        for url in ["http://10.0.0.1:80/", "http://167772161/", "http://[::ffff:10.0.0.1]/"] {
            assert!(refused(public, url).unwrap().contains("--web-seed allows it"), "{url}");
            assert_eq!(refused(anywhere, url), None, "{url}");
        }
        assert_eq!(refused(public, "http://10.0.0.2/"), None);
        assert_eq!(refused(public, "http://name/"), None, "names are looked at in their look-up");
    }

    #[test]
    fn what_is_tied_to_one_family_reaches_no_other() {
        let v4 = Reach { is_public: None, is_v6: Some(false) };
        assert_eq!(refused(v4, "http://192.0.2.1/"), None);
        assert!(refused(v4, "http://[2001:db8::1]/").unwrap().contains("no address for"));
    }
}
