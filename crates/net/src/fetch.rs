//! One file from an http(s) address, for commands that take such an address.

use crate::binding::Binding;
use crate::tracker_client::describe;
use reqwest::header::{COOKIE, HeaderValue};
use std::fmt;
use std::time::Duration;

/// Redirects followed.
const REDIRECTS_MAX: usize = 10;

/// Time until the server must have answered, and between any two parts of the answer.
const QUIET_AFTER: Duration = Duration::from_secs(30);

/// Time for all of it: a server may dawdle without ever being quiet.
const WHOLE_WITHIN: Duration = Duration::from_secs(300);

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The system gives no runtime.
    #[error("cannot start the HTTP client: {0}")]
    Start(#[from] std::io::Error),
    /// The way to the server failed, or it does not speak HTTP.
    #[error("{0}")]
    Transport(String),
    /// The server has no such file.
    #[error("the server answers with HTTP status {0}")]
    Status(u16),
    /// The file is longer than anything we would use.
    #[error("the file has more than {0} bytes")]
    TooLong(u64),
}

/// What a server called a version of a file, to ask for newer ones only (RFC 9110, 13.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub modified: Option<String>,
}

/// Bytes of a validator; a longer one is not kept.
const VALIDATOR_BYTES_MAX: usize = 1024;

/// What a browser would send along, in the form of the header (RFC 6265, 5.4). It opens what is behind a
/// login, and is not shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Cookie(HeaderValue);

/// Bytes of a cookie: what browsers keep of one, and more than servers give.
const COOKIE_BYTES_MAX: usize = 4096;

impl Cookie {
    /// `None` for what cannot stand in a header, or is too long.
    pub fn new(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(text.trim()).ok()?;
        value.set_sensitive(true);
        (!value.is_empty() && value.len() <= COOKIE_BYTES_MAX).then_some(Self(value))
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(..)")
    }
}

/// Fetches `url` by way of `binding`, following a few redirects. Blocks; for programs, not for shards.
///
/// # Errors
/// When the server cannot be reached, answers with another status than 200, or sends too much.
pub fn fetch(url: &str, bytes_max: u64, binding: &Binding) -> Result<Vec<u8>, FetchError> {
    fetch_as(url, bytes_max, binding, None)
}

/// The same with a cookie, if there is one. Another host that the server leads to is not shown it.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_as(
    url: &str,
    bytes_max: u64,
    binding: &Binding,
    cookie: Option<&Cookie>,
) -> Result<Vec<u8>, FetchError> {
    let fetched = ask(url, bytes_max, binding, &Validators::default(), cookie)?;
    let (bytes, _) = fetched.ok_or(FetchError::Status(NOT_MODIFIED))?;
    Ok(bytes)
}

/// Status 304: there is nothing newer.
const NOT_MODIFIED: u16 = 304;

/// The same for a version newer than the one named; `None` if there is none.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_newer(
    url: &str,
    bytes_max: u64,
    binding: &Binding,
    than: &Validators,
) -> Result<Option<(Vec<u8>, Validators)>, FetchError> {
    ask(url, bytes_max, binding, than, None)
}

fn ask(
    url: &str,
    bytes_max: u64,
    binding: &Binding,
    than: &Validators,
    cookie: Option<&Cookie>,
) -> Result<Option<(Vec<u8>, Validators)>, FetchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fetched = runtime.block_on(async {
        let transport = |error: reqwest::Error| FetchError::Transport(describe(&error));
        let place = binding.place().map_err(|error| FetchError::Transport(error.to_string()))?;
        let parsed = reqwest::Url::parse(url).ok();
        if !Binding::suits(place.as_ref(), parsed.as_ref().and_then(reqwest::Url::host_str)) {
            return Err(FetchError::Transport("the interface has no address for it".into()));
        }
        let builder = reqwest::Client::builder()
            .connect_timeout(QUIET_AFTER)
            .read_timeout(QUIET_AFTER)
            .timeout(WHOLE_WITHIN);
        let client = Binding::http(place.as_ref(), builder, REDIRECTS_MAX).map_err(transport)?;
        let mut request = client.get(url);
        if let Some(etag) = &than.etag {
            request = request.header("if-none-match", etag);
        }
        if let Some(modified) = &than.modified {
            request = request.header("if-modified-since", modified);
        }
        if let Some(Cookie(value)) = cookie {
            request = request.header(COOKIE, value);
        }
        let mut response = request.send().await.map_err(transport)?;
        match response.status().as_u16() {
            200 => {}
            NOT_MODIFIED if *than != Validators::default() => return Ok(None),
            other => return Err(FetchError::Status(other)),
        }
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            (value.len() <= VALIDATOR_BYTES_MAX).then(|| value.to_owned())
        };
        let validators = Validators { etag: header("etag"), modified: header("last-modified") };
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(transport)? {
            if (bytes.len() + part.len()) as u64 > bytes_max {
                return Err(FetchError::TooLong(bytes_max));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Some((bytes, validators)))
    });
    // A look-up of a name that still waits for its server is left behind.
    runtime.shutdown_background();
    fetched
}
