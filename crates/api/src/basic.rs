//! Programs that send name and password with every request (RFC 7617), for dialects whose programs do.

use crate::gate::AccessGate;
use piecework_access::{Face, Refused, Role};
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Programs that are remembered.
const PROGRAMS_MAX: usize = 16;

/// Stands for what a program sends, so that no password is kept.
type Print = [u64; 2];

/// Logins that were made for such programs. Looking at a password takes a tenth of a second: it is done once,
/// and what a program sends is recognised while the login is open.
#[derive(Debug)]
pub struct BasicLogins {
    face: Face,
    /// Keys that nobody outside knows, so that nothing can be made to fit a print.
    keys: [RandomState; 2],
    cookies: Mutex<VecDeque<(Print, String)>>,
}

impl BasicLogins {
    /// None yet, for one face.
    pub fn new(face: Face) -> Self {
        Self { face, keys: Default::default(), cookies: Mutex::default() }
    }

    /// Who sends these credentials, the part after `Basic`, with the cookie of their login; `None` where they
    /// are not written as they should be.
    ///
    /// # Errors
    /// When they are wrong, or may not be tried now.
    pub async fn role(
        &self,
        gate: &AccessGate,
        credentials: &str,
        ip: IpAddr,
    ) -> Result<Option<(Role, String)>, Refused> {
        let print = self.keys.each_ref().map(|key| key.hash_one(credentials));
        let known = self.cookie(print);
        if let Some(cookie) = known
            && let Some(role) = gate.session(self.face, &cookie)
        {
            return Ok(Some((role, cookie)));
        }
        let Some((user, password)) = name_and_password(credentials) else { return Ok(None) };
        let cookie = gate.login(&user, &password, ip, self.face).await?.reveal().to_owned();
        self.remember(print, cookie.clone());
        Ok(gate.session(self.face, &cookie).map(|role| (role, cookie)))
    }

    fn cookie(&self, print: Print) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.iter().find(|(known, _)| *known == print).map(|(_, cookie)| cookie.clone())
    }

    fn remember(&self, print: Print, cookie: String) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.retain(|(known, _)| *known != print);
        if cookies.len() >= PROGRAMS_MAX {
            cookies.pop_front();
        }
        cookies.push_back((print, cookie));
    }
}

/// What follows the scheme in an authorization, if it is that one.
pub fn credentials<'a>(authorization: &'a str, scheme: &str) -> Option<&'a str> {
    let (said, rest) = authorization.split_once(' ')?;
    said.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn name_and_password(credentials: &str) -> Option<(String, String)> {
    let text = String::from_utf8(base64(credentials)?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Base64 (RFC 4648), with or without padding.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut buffer, mut bits) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            // Long texts come in lines.
            b'\r' | b'\n' => continue,
            _ => return None,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_rfc_reads_back() {
        let vectors = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, vector) in vectors.into_iter().enumerate() {
            assert_eq!(base64(vector), Some(b"foobar"[..length].to_vec()));
        }
        assert_eq!(base64("Zm9v!"), None);
    }

    #[test]
    fn credentials_of_the_rfc_are_read() {
        let basic = credentials("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic");
        let login = basic.and_then(name_and_password);
        assert_eq!(login, Some(("Aladdin".to_owned(), "open sesame".to_owned())));
        assert_eq!(credentials("Bearer x", "Basic"), None);
    }
}
