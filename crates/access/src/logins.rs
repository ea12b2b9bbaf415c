//! Logins: who proved to know the password, and for how long that counts.

use crate::secret::{Print, Secret, TOKEN_BYTES};
use crate::state::{Scope, Scopes};
use piecework_types::Time;
use std::time::Duration;

/// Logins at once; a new one ends the one that was idle longest.
pub const LOGINS_MAX: usize = 64;

/// Which face a login was made at. It counts there alone: each dialect has rules of its own for cookies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Face {
    /// Our own API and the web pages.
    Own,
    /// The qBittorrent dialect.
    QBittorrent,
    /// The Transmission dialect.
    Transmission,
}

#[derive(Debug)]
struct Login {
    print: Print,
    face: Face,
    opened: Time,
    used: Time,
    /// Until then it may spend.
    spends_until: Option<Time>,
}

/// All that are open.
#[derive(Debug)]
pub(crate) struct Logins {
    logins: Vec<Login>,
    idle_max: Duration,
    age_max: Duration,
}

impl Logins {
    pub(crate) const fn new(idle_max: Duration, age_max: Duration) -> Self {
        Self { logins: Vec::new(), idle_max, age_max }
    }

    pub(crate) fn open(&mut self, face: Face, random: &[u8; TOKEN_BYTES], now: Time) -> Secret {
        self.forget_old(now);
        if self.logins.len() >= LOGINS_MAX {
            let idle = self.logins.iter().enumerate().min_by_key(|(_, login)| login.used);
            if let Some(at) = idle.map(|(at, _)| at) {
                self.logins.swap_remove(at);
            }
        }
        let secret = Secret::token("", random);
        let print = Print::of(secret.reveal());
        self.logins.push(Login { print, face, opened: now, used: now, spends_until: None });
        secret
    }

    /// What a cookie's login may do, if it is open; it counts as used then.
    pub(crate) fn touch(&mut self, face: Face, cookie: &str, now: Time) -> Option<Scopes> {
        self.forget_old(now);
        let login = self.find(face, cookie)?;
        login.used = now;
        let spends = login.spends_until.is_some_and(|until| now < until);
        let more = spends.then_some(Scope::Spend);
        Some([Scope::Control].into_iter().chain(more).collect())
    }

    /// Lets a login spend until then, or no more; gives whether it is open.
    pub(crate) fn spend(&mut self, face: Face, cookie: &str, until: Option<Time>) -> bool {
        self.find(face, cookie).map(|login| login.spends_until = until).is_some()
    }

    /// Looks at all of them, so the time says nothing.
    fn find(&mut self, face: Face, cookie: &str) -> Option<&mut Login> {
        let is_it = |login: &Login| login.print.is_of(cookie) && login.face == face;
        let is_short = cookie.len() == TOKEN_BYTES;
        self.logins.iter_mut().filter(|login| is_short && is_it(login)).last()
    }

    pub(crate) fn close(&mut self, cookie: &str) {
        self.logins.retain(|login| !login.print.is_of(cookie));
    }

    pub(crate) fn close_all(&mut self) {
        self.logins.clear();
    }

    fn forget_old(&mut self, now: Time) {
        let (idle_max, age_max) = (self.idle_max, self.age_max);
        self.logins
            .retain(|login| now.since(login.used) < idle_max && now.since(login.opened) < age_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);
    const AGE: Duration = Duration::from_secs(150);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn random(number: u16) -> [u8; TOKEN_BYTES] {
        let mut random = [0; TOKEN_BYTES];
        for (bit, byte) in random.iter_mut().take(16).enumerate() {
            *byte = u8::from(number >> bit & 1 == 1);
        }
        random
    }

    #[test]
    fn a_login_counts_until_it_was_idle_or_old() {
        let mut logins = Logins::new(IDLE, AGE);
        let secret = logins.open(Face::Own, &random(1), at(0));
        let mut is_open = |seconds| logins.touch(Face::Own, secret.reveal(), at(seconds)).is_some();
        assert!(is_open(59) && is_open(118) && is_open(149) && !is_open(150));
        let secret = logins.open(Face::Own, &random(2), at(200));
        assert!(logins.touch(Face::Own, secret.reveal(), at(260)).is_none());
    }

    #[test]
    fn a_login_counts_at_its_own_face_alone_and_until_it_is_closed() {
        let mut logins = Logins::new(IDLE, AGE);
        let secret = logins.open(Face::QBittorrent, &random(1), at(0));
        assert!(logins.touch(Face::Own, secret.reveal(), at(1)).is_none());
        assert!(logins.touch(Face::QBittorrent, &secret.reveal()[1..], at(1)).is_none());
        assert!(logins.touch(Face::QBittorrent, secret.reveal(), at(1)).is_some());
        logins.close(secret.reveal());
        assert!(logins.touch(Face::QBittorrent, secret.reveal(), at(1)).is_none());
    }

    #[test]
    fn many_logins_end_the_one_that_was_idle_longest() {
        let mut logins = Logins::new(IDLE, AGE);
        let secrets: Vec<Secret> =
            (0..64).map(|number| logins.open(Face::Own, &random(number), at(0))).collect();
        assert!(logins.touch(Face::Own, secrets[0].reveal(), at(1)).is_some());
        for secret in &secrets[2..] {
            assert!(logins.touch(Face::Own, secret.reveal(), at(2)).is_some());
        }
        logins.open(Face::Own, &random(1000), at(3));
        assert_eq!(logins.logins.len(), LOGINS_MAX);
        assert!(logins.touch(Face::Own, secrets[0].reveal(), at(3)).is_some());
        assert!(logins.touch(Face::Own, secrets[1].reveal(), at(3)).is_none());
    }

    #[test]
    fn a_login_spends_once_the_password_was_given_again_and_not_for_long() {
        let mut logins = Logins::new(IDLE, AGE);
        let secret = logins.open(Face::Own, &random(1), at(0));
        let may = |logins: &mut Logins, seconds| {
            let scopes = logins.touch(Face::Own, secret.reveal(), at(seconds));
            scopes.unwrap().allow(Scope::Spend)
        };
        assert!(!may(&mut logins, 1));
        assert!(!logins.spend(Face::QBittorrent, secret.reveal(), Some(at(20))));
        assert!(logins.spend(Face::Own, secret.reveal(), Some(at(20))));
        assert!(may(&mut logins, 19) && !may(&mut logins, 20));
        assert!(logins.spend(Face::Own, secret.reveal(), Some(at(90))) && may(&mut logins, 21));
        assert!(logins.spend(Face::Own, secret.reveal(), None) && !may(&mut logins, 22));
    }
}
