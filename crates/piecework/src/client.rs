//! A daemon that runs, as its clients on this machine see it: found through its data folder, asked over HTTP.

use crate::args::client::ClientArgs;
use crate::failure::{Context, Failure};
use crate::folders::Folders;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

/// Time for a connection, and for an answer to begin.
const CONNECT_MAX: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(90);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A daemon to ask.
pub(crate) struct Client {
    runtime: Runtime,
    http: reqwest::Client,
    /// Address of its root, without a slash at the end.
    url: String,
    key: Zeroizing<String>,
    folders: Folders,
}

/// What `api.json` says. It is readable by its owner alone.
pub(crate) struct Door {
    pub(crate) url: String,
    pub(crate) key: Zeroizing<String>,
    /// One that may spend, of a daemon that can; only commands about money send it. Who reads it here could
    /// read the node's session key as well.
    pub(crate) spending_key: Option<Zeroizing<String>>,
}

impl Door {
    /// What the file says, if it is there and whole.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let object: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let text = |key: &str| object.get(key)?.as_str().map(str::to_owned);
        let spending_key = text("spending_key").map(Into::into);
        Some(Self { url: text("url")?, key: text("key")?.into(), spending_key })
    }

    /// Writes it whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("json.new");
        let _ = fs::remove_file(&new);
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&new)?;
        let mut object = json!({ "version": 1, "url": self.url, "key": *self.key });
        if let Some(key) = &self.spending_key {
            object["spending_key"] = json!(**key);
        }
        io::Write::write_all(&mut file, object.to_string().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    }
}

impl Client {
    /// The daemon that the arguments mean. Nothing is asked yet.
    pub(crate) fn new(args: &ClientArgs) -> Result<Self, Failure> {
        Self::with_key(args, |door| door.key)
    }

    /// The same for a command about money: with the key of this machine that may spend.
    pub(crate) fn new_spending(args: &ClientArgs) -> Result<Self, Failure> {
        Self::with_key(args, |door| door.spending_key.unwrap_or(door.key))
    }

    fn with_key(args: &ClientArgs, key: fn(Door) -> Zeroizing<String>) -> Result<Self, Failure> {
        let folders = Folders::of(&args.place)?;
        let door = Door::read(&folders.door());
        let (url, key) = match (&args.url, door) {
            (Some(url), door) => {
                // The key of one daemon is not told to another.
                let own = door.filter(|door| door.url == url.trim_end_matches('/'));
                (url.trim_end_matches('/').to_owned(), own.map(key))
            }
            (None, Some(door)) => (door.url.clone(), Some(key(door))),
            (None, None) => return Err(absent(&folders)),
        };
        let key = args.key.clone().map(Zeroizing::new).or(key).ok_or_else(|| {
            Failure::new(format!(
                "no key for the daemon at {url}: give --key, or set PIECEWORK_KEY"
            ))
        })?;
        let doing = "cannot ask a daemon";
        let runtime = Builder::new_current_thread().enable_all().build().context(doing)?;
        // A daemon of this machine is not behind a proxy, and packing would cost more than the way is long. A
        // key does not follow redirects.
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .no_gzip()
            .build()
            .context(doing)?;
        Ok(Self { runtime, http, url, key, folders })
    }

    /// What is there.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, None)
    }

    /// Has something done.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.send(self.request(method, path, body))
    }

    /// A request, for callers that add to it.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}/api/v1{path}", self.url))
            .bearer_auth(&*self.key)
            .timeout(ANSWER_MAX);
        match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        }
    }

    /// Sends it; `Null` where the answer is empty.
    pub(crate) fn send(&self, request: RequestBuilder) -> Result<Value, Failure> {
        self.runtime.block_on(async {
            let response = request.send().await.map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            let bytes = body(response).await?;
            if !status.is_success() {
                return Err(self.refused(status, &bytes));
            }
            if bytes.is_empty() {
                return Ok(Value::Null);
            }
            serde_json::from_slice(&bytes).context("the daemon's answer makes no sense")
        })
    }

    /// What is there, unread; none when nobody listens at the daemon's address.
    pub(crate) fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.runtime.block_on(async {
            let response = match self.request(Method::GET, path, None).send().await {
                Err(error) if error.is_connect() => return Ok(None),
                sent => sent.map_err(|error| self.unreachable(&error))?,
            };
            let status = response.status();
            let bytes = body(response).await?;
            if status.is_success() { Ok(Some(bytes)) } else { Err(self.refused(status, &bytes)) }
        })
    }

    /// Reads events until `each` says no more, or the daemon ends. A signal ends the process.
    pub(crate) fn events(
        &self,
        path: &str,
        mut each: impl FnMut(&str, &Value) -> bool,
    ) -> Result<(), Failure> {
        self.runtime.block_on(async {
            let url = format!("{}/api/v1{path}", self.url);
            let request = self.http.get(url).bearer_auth(&*self.key);
            let mut response = request.send().await.map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            if !status.is_success() {
                return Err(self.refused(status, &body(response).await?));
            }
            let mut events = Events::default();
            while let Some(bytes) = response.chunk().await.context("the daemon has gone")? {
                for (name, data) in events.take(&bytes)? {
                    if !each(&name, &data) {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        if error.is_connect() {
            let Self { url, folders, .. } = self;
            return Failure::new(format!(
                "no daemon answers at {url}: {}; start one with: piecework up{}",
                root(error),
                with_folder(folders),
            ));
        }
        Failure::new(format!("cannot ask the daemon at {}: {}", self.url, root(error)))
    }

    fn refused(&self, status: StatusCode, bytes: &[u8]) -> Failure {
        let problem: Value = serde_json::from_slice(bytes).unwrap_or(Value::Null);
        let text = |key: &str| problem.get(key).and_then(Value::as_str).map(str::to_owned);
        let text = text("detail").or_else(|| text("title")).unwrap_or_else(|| status.to_string());
        match status {
            StatusCode::UNAUTHORIZED => Failure::new(format!(
                "the daemon at {} does not know this key; the one that it accepts is in {}",
                self.url,
                self.folders.door().display()
            )),
            _ => Failure::new(printable(&text)),
        }
    }
}

/// Text without characters that a terminal acts upon, or that show something else than what is there.
pub(crate) fn printable(text: &str) -> String {
    let is_plain = |letter: char| {
        !letter.is_control()
            && !matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|letter| if is_plain(letter) { letter } else { '\u{fffd}' }).collect()
}

fn absent(folders: &Folders) -> Failure {
    Failure::new(format!(
        "no daemon has run on {}; start one with: piecework up{}",
        folders.data.display(),
        with_folder(folders),
    ))
}

/// What to add to `piecework up` so that it is the daemon that was asked for.
fn with_folder(folders: &Folders) -> String {
    // With a folder of its own the settings lie in it.
    match folders.settings.starts_with(&folders.data) {
        true => format!(" --data-dir {}", folders.data.display()),
        false => String::new(),
    }
}

/// The cause at the bottom; what stands above it names our own address again.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

async fn body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(more) = response.chunk().await.context("the daemon's answer broke off")? {
        if bytes.len() + more.len() > ANSWER_BYTES_MAX {
            return Err(Failure::new("the daemon's answer is too long"));
        }
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

/// Server-sent events: names and data, as far as they have come whole.
#[derive(Default)]
struct Events {
    text: Vec<u8>,
}

impl Events {
    fn take(&mut self, bytes: &[u8]) -> Result<Vec<(String, Value)>, Failure> {
        self.text.extend_from_slice(bytes);
        if self.text.len() > ANSWER_BYTES_MAX {
            return Err(Failure::new("an event of the daemon is too long"));
        }
        let mut events = Vec::new();
        while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.text.drain(..end + 2).collect();
            events.extend(event_of(&String::from_utf8_lossy(&event)));
        }
        Ok(events)
    }
}

/// One event; nothing for a comment, which only keeps the connection alive.
fn event_of(text: &str) -> Option<(String, Value)> {
    let field = |name: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>().join("\n")
    };
    let data = field("data");
    let name = Some(field("event")).filter(|name| !name.is_empty());
    Some((name.unwrap_or_else(|| "message".into()), serde_json::from_str(&data).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text =
            b": alive\n\nevent: changed\nid: 7\ndata: {\"a\":\ndata: 1}\n\ndata: 2\n\nevent: x";
        let expected =
            vec![("changed".to_owned(), json!({ "a": 1 })), ("message".into(), json!(2))];
        for at in 0..text.len() {
            let mut events = Events::default();
            let mut came = events.take(&text[..at]).unwrap();
            came.extend(events.take(&text[at..]).unwrap());
            assert_eq!(came, expected, "cut at {at}");
        }
    }

    #[test]
    fn nothing_that_a_terminal_acts_upon_is_printed() {
        assert_eq!(
            printable("a\u{1b}[31m\n\u{202e}b\u{e9}"),
            "a\u{fffd}[31m\u{fffd}\u{fffd}b\u{e9}"
        );
    }

    #[test]
    fn the_door_is_read_by_its_owner_alone_and_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.json");
        assert!(Door::read(&path).is_none());
        for spends in [None, Some("pw_2".to_owned().into())] {
            let url = "http://[::1]:7411".into();
            let door = Door { url, key: "pw_1".to_owned().into(), spending_key: spends };
            door.write(&path).unwrap();
            door.write(&path).unwrap();
            let read = Door::read(&path).unwrap();
            assert_eq!((read.url.as_str(), read.key.as_str()), ("http://[::1]:7411", "pw_1"));
            assert_eq!(read.spending_key, door.spending_key);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
