//! What every request passes before a face sees it, and every answer on its way out.
//!
//! In: who asks and under which name ([`Caller`]), whether that name is ours, the base path off. Out: headers
//! that keep browsers from doing with an answer what nobody wanted.

use crate::caller::{Caller, header};
use crate::gate::AccessGate;
use crate::packed;
use crate::problem::{Code, Problem};
use axum::Router;
use axum::body::Body;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, uri};
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tower_service::Service;

/// How long a face may take until its answer begins; what it streams then takes as long as it takes.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Nothing but ourselves, framed by nobody. Players show what they made of a stream (`blob:`).
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
     object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// How the server stands to the world outside.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// The path that a proxy shows us under, such as `/torrents`; requests may have it or not.
    pub base_path: String,
    /// Proxies whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<IpAddr>,
}

/// All faces behind one door.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    router: Router,
    gate: Arc<AccessGate>,
    outside: Arc<Outside>,
}

impl Front {
    pub(crate) fn new(router: Router, gate: Arc<AccessGate>, mut outside: Outside) -> Self {
        let path = outside.base_path.trim_matches('/');
        outside.base_path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Self { router: router.layer(packed::layer()), gate, outside: Arc::new(outside) }
    }

    pub(crate) fn trusts(&self, ip: IpAddr) -> bool {
        self.outside.trusted_proxies.iter().any(|proxy| proxy.to_canonical() == ip.to_canonical())
    }

    /// Answers one request that came from `ip`.
    pub(crate) async fn answer(&self, request: Request<Body>, ip: IpAddr) -> Response {
        let answer = tokio::time::timeout(ANSWER_MAX, self.pass(request, ip)).await;
        let mut response = answer.unwrap_or_else(|_| {
            Problem::new(Code::Timeout, "it took longer than a minute").into_response()
        });
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            // A page that sends no referrer at all sends `Origin: null` with its forms.
            (REFERRER_POLICY, "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        response
    }

    async fn pass(&self, mut request: Request<Body>, ip: IpAddr) -> Response {
        let caller = self.caller(request.headers(), request.uri(), ip);
        // What the proxy says of the name it was asked for does not make the other one ours.
        for host in [caller.host.as_deref(), header(request.headers(), "host")] {
            if let Err(foreign) = self.gate.check_host(host) {
                return Problem::from(foreign).into_response();
            }
        }
        match strip(request.uri(), &self.outside.base_path) {
            Path::Ours => {}
            Path::Stripped(uri) => *request.uri_mut() = uri,
            Path::Bare => return to_folder(&self.outside.base_path),
        }
        request.extensions_mut().insert(caller);
        let Ok(response) = self.router.clone().call(request).await;
        response
    }

    fn caller(&self, headers: &HeaderMap, uri: &Uri, ip: IpAddr) -> Caller {
        let host = header(headers, "host").or_else(|| uri.authority().map(uri::Authority::as_str));
        let direct = Caller {
            ip: ip.to_canonical(),
            host: host.map(str::to_owned),
            is_https: false,
            prefix: self.outside.base_path.clone(),
        };
        if !self.trusts(ip) {
            return direct;
        }
        let said = |name| header(headers, name).and_then(last).filter(|text| !text.is_empty());
        Caller {
            ip: self.forwarded_for(headers).unwrap_or(direct.ip),
            host: said("x-forwarded-host").map(str::to_owned).or(direct.host),
            is_https: said("x-forwarded-proto").is_some_and(|it| it.eq_ignore_ascii_case("https")),
            prefix: said("x-forwarded-prefix").and_then(prefix).unwrap_or(direct.prefix),
        }
    }

    /// The last address in the chain that is none of the proxies: what stands before it anybody can write.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let chain = header(headers, "x-forwarded-for")?;
        let mut addresses = chain.rsplit(',').map_while(|text| text.trim().parse().ok());
        addresses.find(|ip| !self.trusts(*ip)).map(|ip: IpAddr| ip.to_canonical())
    }
}

/// The proxy that stands nearest has written last.
fn last(list: &str) -> Option<&str> {
    list.rsplit(',').next().map(str::trim)
}

/// A path that can stand in an address and a cookie.
fn prefix(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    let is_path = text.starts_with('/') && !text.starts_with("//") && text.chars().all(is_plain);
    is_path.then(|| text.to_owned())
}

enum Path {
    Ours,
    Stripped(Uri),
    Bare,
}

fn strip(uri: &Uri, base: &str) -> Path {
    let Some(rest) = uri.path().strip_prefix(base).filter(|_| !base.is_empty()) else {
        return Path::Ours;
    };
    if rest.is_empty() {
        return Path::Bare;
    }
    if !rest.starts_with('/') {
        return Path::Ours;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{rest}{query}").parse().map_or(Path::Ours, Path::Stripped)
}

/// Relative addresses of pages count from the folder.
fn to_folder(base: &str) -> Response {
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, format!("{base}/"))]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::Extension;
    use axum::routing::get;
    use piecework_access::{Cost, Limits};

    const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    async fn tell(caller: Extension<Caller>, uri: Uri) -> String {
        format!("{} {} {}", caller.ip, caller.root(), uri)
    }

    fn front() -> Front {
        let folder = tempfile::tempdir().unwrap();
        let names = ["box.example".to_owned()];
        let opened =
            AccessGate::open_at_cost(folder.path(), &names, Limits::default(), Cost::LIGHT);
        let router = Router::new().route("/a", get(tell));
        let outside = Outside { base_path: "torrents/".into(), trusted_proxies: vec![PROXY] };
        Front::new(router, opened.unwrap().0, outside)
    }

    async fn ask(ip: IpAddr, uri: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = front().answer(request.body(Body::empty()).unwrap(), ip).await;
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_request_is_answered_with_the_base_path_and_without() {
        let host = [("host", "localhost:1")];
        let told = "192.0.2.7 http://localhost:1/torrents /a?b=c".to_owned();
        for uri in ["/a?b=c", "/torrents/a?b=c"] {
            assert_eq!(ask(STRANGER, uri, &host).await, (200, told.clone()), "{uri}");
        }
        assert_eq!(ask(STRANGER, "/torrents", &host).await.0, 308);
        assert_eq!(ask(STRANGER, "/torrentsa", &host).await.0, 404);
    }

    #[tokio::test]
    async fn another_host_is_refused_wherever_it_stands() {
        for headers in [
            &[("host", "evil.example")][..],
            &[("host", "evil.example"), ("x-forwarded-host", "localhost")],
            &[("host", "localhost"), ("x-forwarded-host", "evil.example")],
        ] {
            let (status, body) = ask(PROXY, "/a", headers).await;
            assert_eq!(status, 421, "{headers:?}");
            assert!(body.contains("foreign_host"), "{body}");
        }
    }

    #[tokio::test]
    async fn what_a_proxy_says_is_believed_if_it_is_trusted_and_of_nobody_else() {
        let headers = [
            ("host", "127.0.0.1:1"),
            ("x-forwarded-for", "203.0.113.9, 198.51.100.3, 10.0.0.1"),
            ("x-forwarded-host", "box.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-prefix", "/t/"),
        ];
        let told = ask(PROXY, "/a", &headers).await.1;
        assert_eq!(told, "198.51.100.3 https://box.example/t /a");
        let told = ask(STRANGER, "/a", &headers).await.1;
        assert_eq!(told, "192.0.2.7 http://127.0.0.1:1/torrents /a");
    }

    #[test]
    fn a_prefix_is_a_path_and_nothing_else() {
        assert_eq!(prefix("/a/b/"), Some("/a/b".into()));
        for text in ["", "a", "//evil.example", "/a;b", "/a\"", "https://evil.example"] {
            assert_eq!(prefix(text), None, "{text}");
        }
    }
}
