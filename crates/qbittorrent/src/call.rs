//! One request as the endpoints see it: its parameters, wherever they stood, and its files.

use crate::multipart;
use crate::reply::Fault;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use percent_encoding::percent_decode;
use piecework_catalog::Catalog;
use piecework_types::{InfoHash, Sha1Digest};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Bytes of a request's body: a few hundred torrent files.
pub(crate) const BODY_BYTES_MAX: usize = 64 << 20;

/// Parameters of a request.
const PARAMETERS_MAX: usize = 1_000;

/// A request that was let in.
#[derive(Debug, Default)]
pub(crate) struct Call {
    parameters: BTreeMap<String, String>,
    /// Contents of uploaded files.
    pub(crate) files: Vec<Vec<u8>>,
    /// The session that numbers of `sync` belong to.
    pub(crate) session: String,
    /// The session's cookie, if it came with one.
    pub(crate) cookie: Option<String>,
    /// Who asks.
    pub(crate) ip: Option<IpAddr>,
}

impl Call {
    /// Reads query and body. Where a name stands in both, the body's counts.
    ///
    /// # Errors
    /// When a body cannot be read, or there is too much.
    pub(crate) fn read(parts: &Parts, body: &[u8]) -> Result<Self, Fault> {
        let mut call = Self::default();
        call.take_form(parts.uri.query().unwrap_or_default().as_bytes())?;
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        match kind.unwrap_or_default() {
            kind if kind.starts_with("multipart/form-data") => {
                let boundary = multipart::boundary(kind)
                    .ok_or_else(|| Fault::bad("a multipart body has no boundary"))?;
                for part in multipart::parts(body, boundary)? {
                    if part.is_file {
                        call.files.push(part.content.to_vec());
                    } else {
                        call.insert(part.name, &String::from_utf8_lossy(part.content))?;
                    }
                }
            }
            // Programs send forms without saying so; a body of another kind has no parameters.
            kind if kind.is_empty() || kind.starts_with("application/x-www-form-urlencoded") => {
                call.take_form(body)?;
            }
            _ => {}
        }
        Ok(call)
    }

    fn take_form(&mut self, form: &[u8]) -> Result<(), Fault> {
        for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = (&pair[..equals], pair.get(equals + 1..).unwrap_or_default());
            self.insert(&decoded(name), &decoded(value))?;
        }
        Ok(())
    }

    fn insert(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        if self.parameters.len() >= PARAMETERS_MAX {
            return Err(Fault::bad("too many parameters"));
        }
        self.parameters.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// A parameter, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// A parameter that has something in it.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).ok_or_else(|| Fault::bad(format!("Missing required parameter: {name}")))
    }

    /// Yes or no, if it is said; what is neither is not said.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "y" | "t" | "on" => Some(true),
            "false" | "0" | "no" | "n" | "f" | "off" => Some(false),
            _ => None,
        }
    }

    /// A whole number, if there is one.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.trim().parse().ok()
    }

    /// A list whose items stand between separators, none of them empty.
    pub(crate) fn list(&self, name: &str, separator: char) -> Vec<&str> {
        let all = self.get(name).unwrap_or_default();
        all.split(separator).map(str::trim).filter(|item| !item.is_empty()).collect()
    }

    /// The torrent that `hash` names.
    ///
    /// # Errors
    /// When the parameter is missing or no torrent has that name.
    pub(crate) fn torrent(&self, catalog: &Catalog) -> Result<InfoHash, Fault> {
        let id = parse_hash(self.required("hash")?).ok_or_else(Fault::not_found)?;
        catalog.get(id).map(|torrent| torrent.id()).ok_or_else(Fault::not_found)
    }

    /// The torrents that `hashes` names, those that are there; `all` names all.
    ///
    /// # Errors
    /// When the parameter is missing.
    pub(crate) fn torrents(&self, catalog: &Catalog) -> Result<Vec<InfoHash>, Fault> {
        if self.required("hashes")? == "all" {
            return Ok(catalog.torrents().map(|torrent| torrent.id()).collect());
        }
        let named = self.list("hashes", '|').into_iter().filter_map(parse_hash);
        Ok(named.filter(|id| catalog.get(*id).is_some()).collect())
    }
}

/// A torrent's name in this dialect: 40 hex digits.
pub(crate) fn parse_hash(text: &str) -> Option<InfoHash> {
    text.trim().parse::<Sha1Digest>().ok().map(|digest| InfoHash(digest.0))
}

/// A name or value of a form.
fn decoded(bytes: &[u8]) -> String {
    let spaced: Vec<u8> =
        bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn call(query: &str, kind: &str, body: &str) -> Call {
        let request = Request::builder().uri(format!("/x?{query}")).header(CONTENT_TYPE, kind);
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        Call::read(&parts, body.as_bytes()).expect("it can be read")
    }

    #[test]
    fn parameters_are_read_from_query_and_form_and_the_form_counts() {
        let form = "application/x-www-form-urlencoded";
        let call = call("a=1&b=x%20y", form, "a=2&c=p%2Bq+r&d");
        assert_eq!(call.get("a"), Some("2"));
        assert_eq!(call.get("b"), Some("x y"));
        assert_eq!(call.get("c"), Some("p+q r"));
        assert_eq!(call.get("d"), Some(""));
        assert_eq!(call.get("e"), None);
    }

    #[test]
    fn flags_are_read_in_every_spelling_that_programs_use() {
        let call = call("a=true&b=False&c=0&d=maybe", "", "");
        let flags = ["a", "b", "c", "d", "e"].map(|name| call.flag(name));
        assert_eq!(flags, [Some(true), Some(false), Some(false), None, None]);
    }

    #[test]
    fn a_body_of_too_many_parameters_is_refused() {
        let (parts, ()) = Request::builder().uri("/x").body(()).expect("a request").into_parts();
        let body: String = (0..=PARAMETERS_MAX).map(|number| format!("p{number}=1&")).collect();
        assert!(Call::read(&parts, body.as_bytes()).is_err());
    }
}
