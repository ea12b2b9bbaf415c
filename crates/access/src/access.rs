//! The machine: what is kept, joined to logins and tries.

use crate::attempts::{Attempts, Refused};
use crate::hosts::Hosts;
use crate::keys::{self, KeyFault, KeyId};
use crate::logins::{Face, Logins};
use crate::password::PasswordHash;
use crate::secret::{Secret, TOKEN_BYTES};
use crate::state::{Role, Scopes, State};
use piecework_types::Time;
use std::net::IpAddr;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long things last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// A login that nobody uses ends.
    pub idle_max: Duration,
    /// A login ends even if it is used.
    pub age_max: Duration,
    /// Failed logins from one sender until it is banned.
    pub failures_max: u32,
    /// How long it is banned.
    pub ban: Duration,
    /// How long a login may spend after the password was given again.
    pub spend_max: Duration,
}

impl Default for Limits {
    /// An hour idle, as qBittorrent has it; a month in all; five failures, then a quarter of an hour; as long
    /// to spend, as a wallet is unlocked.
    fn default() -> Self {
        Self {
            idle_max: Duration::from_secs(3600),
            age_max: Duration::from_secs(30 * 86_400),
            failures_max: 5,
            ban: Duration::from_secs(900),
            spend_max: Duration::from_secs(900),
        }
    }
}

/// See the [crate] for how a login goes.
#[derive(Debug)]
pub struct Access {
    state: State,
    logins: Logins,
    attempts: Attempts,
    hosts: Hosts,
    spend_max: Duration,
}

impl Access {
    /// With what an earlier run wrote down.
    pub const fn new(state: State, hosts: Hosts, limits: Limits) -> Self {
        Self {
            state,
            logins: Logins::new(limits.idle_max, limits.age_max),
            attempts: Attempts::new(limits.failures_max, limits.ban),
            hosts,
            spend_max: limits.spend_max,
        }
    }

    /// What is to be written down. Only [`Self::set_password`], [`Self::create_key`] and [`Self::delete_key`]
    /// change it.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Names and pages.
    pub const fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// How long an address may not log in, if it may not.
    pub fn banned(&self, ip: IpAddr, now: Time) -> Option<Duration> {
        self.attempts.banned(ip, now)
    }

    /// The first step of a login: what to try the password against.
    ///
    /// # Errors
    /// When nobody can log in, or not from there, or not now.
    pub fn admit(&mut self, ip: IpAddr, now: Time) -> Result<PasswordHash, Refused> {
        self.attempts.admit(ip, now)?;
        self.state.password.clone().ok_or(Refused::NoPassword)
    }

    /// The last step of a login: `is_password` is what [`PasswordHash::is_of`] said. Gives the cookie's
    /// value.
    ///
    /// # Errors
    /// When user or password are wrong; the failure counts.
    pub fn admitted(
        &mut self,
        attempt: &Attempt<'_>,
        random: &[u8; TOKEN_BYTES],
        now: Time,
    ) -> Result<Secret, Refused> {
        self.judge(attempt, now)?;
        Ok(self.logins.open(attempt.face, random, now))
    }

    /// The last step of what a login needs to spend: the password once more. Gives whether it is open still.
    ///
    /// # Errors
    /// When user or password are wrong; the failure counts as one of a login does.
    pub fn confirmed(
        &mut self,
        attempt: &Attempt<'_>,
        cookie: &str,
        now: Time,
    ) -> Result<bool, Refused> {
        self.judge(attempt, now)?;
        Ok(self.logins.spend(attempt.face, cookie, Some(now + self.spend_max)))
    }

    /// Ends what [`Self::confirmed`] began.
    pub fn stop_spending(&mut self, face: Face, cookie: &str) {
        self.logins.spend(face, cookie, None);
    }

    fn judge(&mut self, attempt: &Attempt<'_>, now: Time) -> Result<(), Refused> {
        let is_user = self.state.user.as_bytes().ct_eq(attempt.user.as_bytes());
        if !(bool::from(is_user) && attempt.is_password) {
            self.attempts.failed(attempt.ip, now);
            return Err(Refused::Wrong);
        }
        self.attempts.succeeded(attempt.ip);
        Ok(())
    }

    /// Who a login's cookie belongs to; the login counts as used then.
    pub fn login(&mut self, face: Face, cookie: &str, now: Time) -> Option<Role> {
        let scopes = self.logins.touch(face, cookie, now)?;
        Some(Role { name: self.state.user.clone(), scopes, is_key: false })
    }

    /// Ends a login.
    pub fn logout(&mut self, cookie: &str) {
        self.logins.close(cookie);
    }

    /// Who an API key belongs to.
    pub fn key(&self, text: &str) -> Option<Role> {
        keys::role(&self.state.keys, text)
    }

    /// Another password; all logins end.
    pub fn set_password(&mut self, hash: PasswordHash) {
        self.state.password = Some(hash);
        self.logins.close_all();
    }

    /// A new API key, to be shown to its owner once.
    ///
    /// # Errors
    /// When its name or scopes make no sense, or there are too many.
    pub fn create_key(
        &mut self,
        name: &str,
        scopes: Scopes,
        unix: u64,
        random: &[u8; TOKEN_BYTES],
    ) -> Result<(KeyId, Secret), KeyFault> {
        keys::create(&mut self.state.keys, name, scopes, unix, random)
    }

    /// Deletes an API key; gives whether there was one.
    pub fn delete_key(&mut self, id: KeyId) -> bool {
        let before = self.state.keys.len();
        self.state.keys.retain(|key| key.id != id);
        self.state.keys.len() < before
    }
}

/// A password that was hashed and compared.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// Who tries.
    pub ip: IpAddr,
    /// Where.
    pub face: Face,
    /// As whom.
    pub user: &'a str,
    /// Whether the password was right.
    pub is_password: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::Cost;
    use crate::state::Scope;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn access() -> Access {
        let password = Some(PasswordHash::new("correct horse", [1; 16], Cost::LIGHT).unwrap());
        let state = State { password, ..State::default() };
        Access::new(state, Hosts::default(), Limits::default())
    }

    fn try_login(
        access: &mut Access,
        user: &str,
        password: &str,
        now: Time,
    ) -> Result<Secret, Refused> {
        let is_password = access.admit(IP, now)?.is_of(password);
        let attempt = Attempt { ip: IP, face: Face::Own, user, is_password };
        access.admitted(&attempt, &[5; TOKEN_BYTES], now)
    }

    #[test]
    fn user_and_password_open_a_login_that_may_read_and_control() {
        let (mut access, now) = (access(), Time::ZERO);
        let cookie = try_login(&mut access, "admin", "correct horse", now).unwrap();
        let role = access.login(Face::Own, cookie.reveal(), now).unwrap();
        assert_eq!(
            (role.name.as_str(), role.scopes, role.is_key),
            ("admin", Scopes::CONTROL, false)
        );
        access.logout(cookie.reveal());
        assert_eq!(access.login(Face::Own, cookie.reveal(), now), None);
    }

    #[test]
    fn a_wrong_user_and_a_wrong_password_count_alike() {
        let (mut access, now) = (access(), Time::ZERO);
        for _ in 0..2 {
            assert_eq!(try_login(&mut access, "root", "correct horse", now), Err(Refused::Wrong));
            assert_eq!(try_login(&mut access, "admin", "correct", now), Err(Refused::Wrong));
        }
        assert_eq!(try_login(&mut access, "", "", now), Err(Refused::Wrong));
        let refused = try_login(&mut access, "admin", "correct horse", now).unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(900)));
        assert_eq!(
            refused.to_string(),
            "too many failed logins from this address: try again in 900 s"
        );
    }

    #[test]
    fn another_password_ends_all_logins() {
        let (mut access, now) = (access(), Time::ZERO);
        let cookie = try_login(&mut access, "admin", "correct horse", now).unwrap();
        access.set_password(PasswordHash::new("battery staple", [2; 16], Cost::LIGHT).unwrap());
        assert_eq!(access.login(Face::Own, cookie.reveal(), now), None);
        assert!(try_login(&mut access, "admin", "battery staple", now).is_ok());
    }

    #[test]
    fn keys_have_the_scopes_they_were_given_until_they_are_deleted() {
        let mut access = access();
        let (id, secret) = access.create_key("sonarr", Scopes::READ, 7, &[9; TOKEN_BYTES]).unwrap();
        assert!(secret.reveal().starts_with("pw_"));
        let role = access.key(secret.reveal()).unwrap();
        assert!(
            role.is_key && role.scopes.allow(Scope::Read) && !role.scopes.allow(Scope::Control)
        );
        assert_eq!(access.key("pw_"), None);
        assert_eq!(access.key(&secret.reveal()[3..]), None);
        let again = access.create_key("sonarr", Scopes::READ, 7, &[8; TOKEN_BYTES]);
        assert_eq!(again.unwrap_err(), KeyFault::Taken);
        let none = access.create_key("none", Scopes::default(), 7, &[8; TOKEN_BYTES]);
        assert_eq!(none.unwrap_err(), KeyFault::Scopes);
        assert!(access.delete_key(id) && !access.delete_key(id));
        assert_eq!(access.key(secret.reveal()), None);
    }

    #[test]
    fn what_is_written_down_has_no_secret_and_brings_everything_back() {
        let mut access = access();
        let (_, secret) = access.create_key("a", Scopes::CONTROL, 7, &[9; TOKEN_BYTES]).unwrap();
        let text = serde_json::to_string(access.state()).unwrap();
        assert!(!text.contains(secret.reveal()) && !text.contains("horse"));
        let state: State = serde_json::from_str(&text).unwrap();
        let mut again = Access::new(state, Hosts::default(), Limits::default());
        assert_eq!(again.key(secret.reveal()), access.key(secret.reveal()));
        assert!(try_login(&mut again, "admin", "correct horse", Time::ZERO).is_ok());
        let debug = format!("{again:?}");
        assert!(!debug.contains(secret.reveal()) && !debug.contains(&text[60..90]), "{debug}");
    }

    #[test]
    fn without_a_password_nobody_logs_in() {
        let mut access = Access::new(State::default(), Hosts::default(), Limits::default());
        let refused = access.admit(IP, Time::ZERO).unwrap_err();
        assert_eq!(refused, Refused::NoPassword);
    }
}
