//! The gate that all faces share: `piecework_access` with a clock, randomness and its file `access.json`.

use crate::caller::{Caller, header};
use axum::http::HeaderMap;
use piecework_access::{
    Access, Attempt, Cost, Face, Foreign, Hosts, Key, KeyFault, KeyId, Limits, Page, PasswordFault,
    PasswordHash, Refused, Role, Scopes, Secret, State,
};
use piecework_types::Time;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::sync::Semaphore;

/// Passwords that are hashed at once; each takes 16 MiB.
const HASHES_MAX: usize = 2;
/// The name of the file in the data folder.
const FILE: &str = "access.json";
/// Bytes of that file at most.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Who may ask what, for all faces. Held in an [`Arc`].
#[derive(Debug)]
pub struct AccessGate {
    access: Mutex<Access>,
    file: PathBuf,
    cost: Cost,
    start: Instant,
    hashing: Semaphore,
}

/// What was made at the first start, to be shown once.
#[derive(Debug)]
pub struct FirstSecrets {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// An API key that may read and control.
    pub key: Secret,
}

/// Why something about access cannot be read or changed.
#[derive(Debug, Error)]
pub enum GateError {
    /// The file.
    #[error("{path}: {cause}; the file says who may log in, so nothing is served without it")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The password.
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// The password that was to be replaced.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl AccessGate {
    /// Reads `access.json` in the data folder; at the first start makes it, with a password and a key.
    /// `names` are the host names of the settings.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(
        folder: &Path,
        names: &[String],
        limits: Limits,
    ) -> Result<(Arc<Self>, Option<FirstSecrets>), GateError> {
        Self::open_at_cost(folder, names, limits, Cost::STANDARD)
    }

    /// The same with another cost of passwords, for tests.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open_at_cost(
        folder: &Path,
        names: &[String],
        limits: Limits,
        cost: Cost,
    ) -> Result<(Arc<Self>, Option<FirstSecrets>), GateError> {
        let file = folder.join(FILE);
        let state = read(&file).map_err(|cause| GateError::File { path: file.clone(), cause })?;
        let is_first = state.is_none();
        let gate = Self {
            access: Mutex::new(Access::new(state.unwrap_or_default(), Hosts::new(names), limits)),
            file,
            cost,
            start: Instant::now(),
            hashing: Semaphore::new(HASHES_MAX),
        };
        let first = if is_first { Some(gate.first_secrets()?) } else { None };
        Ok((Arc::new(gate), first))
    }

    /// Tries a password; gives the cookie's value. Hashing is done on a thread that may wait.
    ///
    /// # Errors
    /// When it is wrong, or this address may not try now.
    pub async fn login(
        &self,
        user: &str,
        password: &str,
        ip: IpAddr,
        face: Face,
    ) -> Result<Secret, Refused> {
        let hash = self.access().admit(ip, self.now())?;
        let is_password = self.is_of(hash, password).await;
        let attempt = Attempt { ip, face, user, is_password };
        self.access().admitted(&attempt, &random(), self.now())
    }

    /// Lets a login spend for a while, if the password is right.
    ///
    /// # Errors
    /// When it is wrong, or this address may not try now.
    pub(crate) async fn confirm(
        &self,
        cookie: &str,
        password: &str,
        ip: IpAddr,
    ) -> Result<bool, Refused> {
        let hash = self.access().admit(ip, self.now())?;
        let is_password = self.is_of(hash, password).await;
        let user = self.user();
        let attempt = Attempt { ip, face: Face::Own, user: &user, is_password };
        self.access().confirmed(&attempt, cookie, self.now())
    }

    /// Lets a login spend no more.
    pub(crate) fn stop_spending(&self, cookie: &str) {
        self.access().stop_spending(Face::Own, cookie);
    }

    /// How long an address may not log in, if it may not.
    pub fn banned(&self, ip: IpAddr) -> Option<Duration> {
        self.access().banned(ip, self.now())
    }

    /// Who a login's cookie belongs to; the login counts as used then.
    pub fn session(&self, face: Face, cookie: &str) -> Option<Role> {
        self.access().login(face, cookie, self.now())
    }

    /// Ends a login.
    pub fn logout(&self, cookie: &str) {
        self.access().logout(cookie);
    }

    /// Who an API key belongs to.
    pub fn key(&self, bearer: &str) -> Option<Role> {
        self.access().key(bearer)
    }

    /// Whether requests for this `Host` are answered. The server asks this for all faces.
    ///
    /// # Errors
    /// When it is a name that is not ours.
    pub fn check_host(&self, host: Option<&str>) -> Result<(), Foreign> {
        self.access().hosts().check_host(host)
    }

    /// Whether a change by cookie may come from the page that these headers tell of. Not to be asked of
    /// requests with an API key.
    ///
    /// # Errors
    /// When the page is a stranger's.
    pub fn check_origin(&self, headers: &HeaderMap, caller: &Caller) -> Result<(), Foreign> {
        // What is no text is no page of ours either.
        let text = |name| headers.get(name).map(|_| header(headers, name).unwrap_or("?"));
        let page = Page {
            origin: text("origin"),
            referer: text("referer"),
            fetch_site: text("sec-fetch-site"),
        };
        self.access().hosts().check_page(caller.host.as_deref(), page)
    }

    /// The one user's name.
    pub fn user(&self) -> String {
        self.access().state().user.clone()
    }

    /// Replaces the password, if the old one is right; all logins end.
    ///
    /// # Errors
    /// When the old one is wrong, the new one too short or long, or the file cannot be written.
    pub async fn change_password(&self, old: &str, new: &str, ip: IpAddr) -> Result<(), GateError> {
        let user = self.user();
        let cookie = self.login(&user, old, ip, Face::Own).await?;
        self.logout(cookie.reveal());
        self.set_password(new).await
    }

    /// Sets the password without asking for the old one; all logins end.
    ///
    /// # Errors
    /// When it is too short or long, or the file cannot be written.
    pub async fn set_password(&self, new: &str) -> Result<(), GateError> {
        let (salt, cost, new) = (random::<16>(), self.cost, new.to_owned());
        let hash = self.hashed(move || PasswordHash::new(&new, salt, cost)).await;
        let hash = hash.unwrap_or(Err(PasswordFault { chars: 0 }))?;
        let mut access = self.access();
        access.set_password(hash);
        self.write(&access)
    }

    /// The API keys, without secrets.
    pub fn keys(&self) -> Vec<Key> {
        self.access().state().keys.clone()
    }

    /// A new API key; its secret is never seen again.
    ///
    /// # Errors
    /// When name or scopes make no sense, there are too many, or the file cannot be written.
    pub fn create_key(&self, name: &str, scopes: Scopes) -> Result<(KeyId, Secret), GateError> {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut access = self.access();
        let created = access.create_key(name, scopes, unix, &random())?;
        self.write(&access)?;
        Ok(created)
    }

    /// Deletes an API key; gives whether there was one.
    ///
    /// # Errors
    /// When the file cannot be written; the key is not answered any more until a restart.
    pub fn delete_key(&self, id: KeyId) -> Result<bool, GateError> {
        let mut access = self.access();
        let was_there = access.delete_key(id);
        if was_there {
            self.write(&access)?;
        }
        Ok(was_there)
    }

    fn first_secrets(&self) -> Result<FirstSecrets, GateError> {
        let password = Secret::password(&random());
        let hash = PasswordHash::new(password.reveal(), random(), self.cost)?;
        self.access().set_password(hash);
        let (_, key) = self.create_key("first", Scopes::CONTROL)?;
        Ok(FirstSecrets { user: self.user(), password, key })
    }

    async fn is_of(&self, hash: PasswordHash, password: &str) -> bool {
        let password = Secret::from(password.to_owned());
        self.hashed(move || hash.is_of(password.reveal())).await.unwrap_or(false)
    }

    async fn hashed<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _turn = self.hashing.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }

    fn access(&self) -> MutexGuard<'_, Access> {
        self.access.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Time {
        let micros = self.start.elapsed().as_micros();
        Time::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn write(&self, access: &Access) -> Result<(), GateError> {
        write(&self.file, access.state())
            .map_err(|cause| GateError::File { path: self.file.clone(), cause })
    }
}

/// Bytes of the operating system's randomness.
///
/// # Panics
/// When it has none, which Linux never says once it has started.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        let flags = rustix::rand::GetRandomFlags::empty();
        match rustix::rand::getrandom(&mut bytes[at..], flags) {
            Ok(got) => at += got,
            Err(rustix::io::Errno::INTR) => {}
            Err(cause) => panic!("the operating system gives no randomness: {cause}"),
        }
    }
    bytes
}

fn read(path: &Path) -> io::Result<Option<State>> {
    let file = match File::open(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    if file.metadata()?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than anything written by us"));
    }
    let state: State = serde_json::from_reader(io::BufReader::new(file))?;
    if state.version != State::VERSION {
        let text = format!("format {} is of another version of this program", state.version);
        return Err(io::Error::other(text));
    }
    Ok(Some(state))
}

/// Writes a new file beside the old one and puts it in its place, so that a crash leaves one of them whole.
fn write(path: &Path, state: &State) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec_pretty(state)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn open(folder: &Path) -> (Arc<AccessGate>, Option<FirstSecrets>) {
        AccessGate::open_at_cost(folder, &[], Limits::default(), Cost::LIGHT).unwrap()
    }

    #[tokio::test]
    async fn the_first_start_makes_a_password_and_a_key_that_later_starts_know() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).1.unwrap();
        let mode = fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (gate, none) = open(folder.path());
        assert!(none.is_none());
        assert_eq!(gate.key(first.key.reveal()).unwrap().scopes, Scopes::CONTROL);
        let password = first.password.reveal();
        let cookie = gate.login(&first.user, password, IP, Face::Own).await.unwrap();
        assert_eq!(gate.session(Face::Own, cookie.reveal()).unwrap().name, first.user);
        let wrong = gate.login(&first.user, "wrong", IP, Face::Own).await;
        assert_eq!(wrong.unwrap_err(), Refused::Wrong);
    }

    #[tokio::test]
    async fn another_password_holds_after_a_restart_and_wants_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let (gate, first) = open(folder.path());
        let old = first.unwrap().password;
        assert!(gate.change_password("not this", "another one", IP).await.is_err());
        assert!(gate.change_password(old.reveal(), "short", IP).await.is_err());
        gate.change_password(old.reveal(), "another one", IP).await.unwrap();
        let (gate, _) = open(folder.path());
        assert!(gate.login("admin", "another one", IP, Face::Own).await.is_ok());
        assert!(gate.login("admin", old.reveal(), IP, Face::Own).await.is_err());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for text in ["", "{", r#"{"version":2,"user":"a","password":null,"keys":[]}"#] {
            fs::write(&path, text).unwrap();
            let cost = Cost::LIGHT;
            let opened = AccessGate::open_at_cost(folder.path(), &[], Limits::default(), cost);
            let text_of_error = opened.map(|_| ()).unwrap_err().to_string();
            assert!(text_of_error.contains("access.json"), "{text_of_error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
