//! What these tests share: a daemon behind the dialect's router, and calls that are written down as data.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

#[path = "../../../api/tests/support/faced.rs"]
mod faced;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use faced::Faced;
pub use faced::{PATIENCE, Reply};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use piecework_daemon::Handle;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const TORRENT: &[u8] = include_bytes!("../golden/multi.torrent");

/// A daemon with a folder of its own.
pub struct Server {
    faced: Faced,
    router: Router,
    /// What stands for `{name}` in calls.
    pub names: BTreeMap<String, String>,
    /// Sent with each call.
    pub cookie: Option<String>,
}

impl Reply {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With other settings.
    pub fn with(flags: &[(&str, &str)]) -> Self {
        let faced = Faced::with(flags);
        let names = BTreeMap::from([
            ("save".to_owned(), faced.save_path()),
            ("user".to_owned(), faced.user.clone()),
            ("password".to_owned(), faced.password.clone()),
            ("key".to_owned(), faced.key.clone()),
        ]);
        let gate = Arc::clone(&faced.gate);
        let router = piecework_qbittorrent::router(faced.daemon.handle(), gate);
        Self { faced, router, names, cookie: None }
    }

    pub fn handle(&self) -> Handle {
        self.faced.daemon.handle()
    }

    /// Logs in with the password.
    pub fn login(&mut self) {
        let form = serde_json::json!({"username": "{user}", "password": "{password}"});
        let reply = self.call(&serde_json::json!({
            "method": "POST", "path": "auth/login", "form": form,
        }));
        assert_eq!(reply.text(), "Ok.");
        self.cookie = Some(reply.header("set-cookie").split(';').next().unwrap().to_owned());
    }

    /// A call as `calls.json` writes it.
    pub fn call(&self, call: &Value) -> Reply {
        let mut target = format!("/api/v2/{}", call["path"].as_str().unwrap());
        if let Some(query) = call["query"].as_object() {
            target.push('?');
            target.push_str(&self.form(query));
        }
        let mut request = Request::builder().method(call["method"].as_str().unwrap()).uri(target);
        for (name, value) in call["headers"].as_object().into_iter().flatten() {
            request = request.header(name, self.filled(value.as_str().unwrap()));
        }
        if let Some(cookie) = self.cookie.as_ref().filter(|_| call["auth"] != false) {
            request = request.header("cookie", cookie);
        }
        let (kind, body) = self.body(call);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        self.send(request.body(Body::from(body)).unwrap())
    }

    pub fn send(&self, request: Request<Body>) -> Reply {
        self.faced.send(&self.router, request)
    }

    /// GET with parameters.
    pub fn get(&self, path: &str, query: &Value) -> Reply {
        self.call(&serde_json::json!({"method": "GET", "path": path, "query": query}))
    }

    /// POST of a form.
    pub fn post(&self, path: &str, form: &Value) -> Reply {
        self.call(&serde_json::json!({"method": "POST", "path": path, "form": form}))
    }

    /// Asks until the answer is as it should be.
    pub fn until(
        &self,
        what: &str,
        path: &str,
        query: &Value,
        is_so: impl Fn(&Value) -> bool,
    ) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path, query).json();
            if is_so(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{what}: {answer}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn filled(&self, text: &str) -> String {
        let fill = |text: String, (name, value): (&String, &String)| {
            text.replace(&format!("{{{name}}}"), value)
        };
        self.names.iter().fold(text.to_owned(), fill)
    }

    fn form(&self, fields: &serde_json::Map<String, Value>) -> String {
        let mut form = String::new();
        for (name, value) in fields {
            let value = self.filled(value.as_str().unwrap());
            let value = utf8_percent_encode(&value, NON_ALPHANUMERIC);
            write!(form, "{}{name}={value}", if form.is_empty() { "" } else { "&" }).unwrap();
        }
        form
    }

    fn body(&self, call: &Value) -> (Option<&'static str>, Vec<u8>) {
        if let Some(form) = call["form"].as_object() {
            let kind = "application/x-www-form-urlencoded";
            return (Some(kind), self.form(form).into_bytes());
        }
        let Some(files) = call["files"].as_object() else { return (None, Vec::new()) };
        let mut body = Vec::new();
        for (name, value) in call["fields"].as_object().into_iter().flatten() {
            let value = self.filled(value.as_str().unwrap());
            let head = format!("Content-Disposition: form-data; name=\"{name}\"");
            body.extend_from_slice(format!("--xx\r\n{head}\r\n\r\n{value}\r\n").as_bytes());
        }
        for (name, file) in files {
            let head = format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"f\"");
            body.extend_from_slice(format!("--xx\r\n{head}\r\n\r\n").as_bytes());
            body.extend_from_slice(if file == "multi" { TORRENT } else { b"no torrent" });
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--xx--\r\n");
        (Some("multipart/form-data; boundary=xx"), body)
    }
}
