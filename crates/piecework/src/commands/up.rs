//! `piecework up`: a daemon with its API, until a signal ends it.

use crate::args::Common;
use crate::args::daemon::UpArgs;
use crate::client::Door;
use crate::commands::trades;
use crate::failure::{Context, Failure};
use crate::folders::{Folders, shown};
use crate::layers;
use crate::out::{Out, note};
use crate::session::state_dir;
use crate::signals::Signals;
use crate::up::{Lock, Log, Notify, engine, keep_lean, sockets};
use piecework_access::{Limits, Scope, Scopes};
use piecework_api::{AccessGate, FirstSecrets, OpenTrades, Outside, Parts};
use piecework_daemon::{Daemon, DaemonConfig, Handle};
use piecework_settings::Settings;
use piecework_wallet::WalletFolder;
use serde_json::json;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

/// Threads that answer requests.
const THREADS: usize = 2;
/// Threads for what waits for a disk or hashes passwords.
const BLOCKING_THREADS_MAX: usize = 16;
/// A start that takes longer than this is told of.
const SLOW_START: Duration = Duration::from_secs(1);
/// How long a polite end of the engine may take; trackers are told in this time.
const STOP_MAX: Duration = Duration::from_secs(4);
/// What the API's key of this machine's clients is called.
const KEY_NAME: &str = "command line";
/// The same for the key that may spend.
const SPENDING_KEY_NAME: &str = "command line, to spend";

/// Runs the command.
pub(crate) fn run(args: &UpArgs, common: &Common, out: Out) -> Result<(), Failure> {
    let signals = Signals::install()?;
    let notify = Notify::from_environment();
    let folders = Folders::of(&args.place)?;
    let settings = layers::read(&layers::sources(&folders, &args.set, flags(args))?)?;
    make(&folders.data)?;
    let lock = Lock::take(&folders)?;
    let log = Log::start(&settings, common.verbose);
    let sockets = sockets::listen(&settings.api().listen)?;
    let (gate, first) = AccessGate::open(&folders.data, &settings.api().hosts, Limits::default())
        .map_err(Failure::new)?;
    // A machine without a home has no wallet.
    let state = state_dir(common).ok();
    let can_trade = state.as_ref().is_some_and(|state| WalletFolder::of(state).is_taken());
    let url = open_door(&sockets, &gate, first.as_ref(), &folders, can_trade)?;
    if let Some(first) = &first {
        tell_first(first, &url, &folders, out)?;
    }
    let config = DaemonConfig {
        engine: engine::config(&settings, &folders.data.join("resume"), out)?,
        data_dir: folders.data.clone(),
        overlay: folders.overlay(),
        settings: settings.clone(),
        wallet: state.clone(),
    };
    let daemon = telling_if_slow(|| Daemon::start(config)).map_err(Failure::new)?;
    let handle = daemon.handle();
    let runtime = runtime()?;
    let status = tell_ready(&handle, &url, &folders, out);
    notify.ready(&status);
    let trades = Arc::new(move || match &state {
        Some(state) => trades::open(state).map_err(|failure| failure.text),
        None => Ok(None),
    });
    let served = runtime.block_on(serve(&handle, gate, sockets, &signals, &notify, &log, trades));
    notify.stopping();
    if signals.status().is_some() && !out.is_json() {
        note("ending: trackers are told, what is verified is written down");
    }
    drop(handle);
    daemon.stop(STOP_MAX);
    runtime.shutdown_timeout(Duration::from_millis(200));
    drop(lock);
    served
}

/// Says what takes so long, if the start does.
fn telling_if_slow<T>(start: impl FnOnce() -> T) -> T {
    let (done, waiting) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(SLOW_START) == Err(RecvTimeoutError::Timeout) {
                note("starting: reading what is known of the torrents ...");
            }
        });
        let started = start();
        drop(done);
        started
    })
}

/// Short forms as settings.
fn flags(args: &UpArgs) -> Vec<(String, String, String)> {
    let mut flags = Vec::new();
    if !args.listen.is_empty() {
        let all: Vec<String> = args.listen.iter().map(SocketAddr::to_string).collect();
        flags.push(("--listen".into(), "api.listen".into(), all.join(",")));
    }
    if let Some(port) = args.port {
        flags.push(("--port".into(), "net.port".into(), port.to_string()));
    }
    flags
}

/// The data folder, which is nobody else's to look at.
fn make(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.context(format_args!("cannot make the folder {}", folder.display()))
}

fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("api")
        .enable_all()
        .build()
        .context("cannot start threads")
}

/// Answers until a signal comes.
async fn serve(
    handle: &Handle,
    gate: Arc<AccessGate>,
    sockets: Vec<TcpListener>,
    signals: &Signals,
    notify: &Notify,
    log: &Log,
    trades: Arc<OpenTrades>,
) -> Result<(), Failure> {
    let listeners: Result<Vec<_>, _> =
        sockets.into_iter().map(tokio::net::TcpListener::from_std).collect();
    let listeners = listeners.context("cannot listen")?;
    let settings = handle.settings();
    let outside = Outside {
        base_path: settings.api().base_path.clone(),
        trusted_proxies: settings.api().trusted_proxies.clone(),
    };
    let router = piecework_api::router(Parts {
        daemon: handle.clone(),
        gate: Arc::clone(&gate),
        log_level: log.for_api(),
        trades,
    });
    let transmission = piecework_transmission::router(handle.clone(), Arc::clone(&gate));
    let router = router
        .merge(piecework_qbittorrent::router(handle.clone(), Arc::clone(&gate)))
        .merge(transmission.context("the system has no randomness")?)
        .fallback_service(piecework_web::router(web_root(&settings)));
    let came = Arc::new(tokio::sync::Notify::new());
    let waker = Arc::clone(&came);
    signals.wake(move || waker.notify_one())?;
    let end = async {
        // It may have come before anybody waited.
        if signals.status().is_none() {
            came.notified().await;
        }
    };
    tokio::select! {
        served = piecework_api::serve(listeners, router, gate, outside, end) => {
            served.context("the API has ended")
        }
        () = look_after(handle, notify, log) => Ok(()),
        () = keep_lean() => Ok(()),
    }
}

/// The folder that takes the place of our web app.
fn web_root(settings: &Settings) -> Option<PathBuf> {
    settings.api().web_root.as_ref().map(|folder| PathBuf::from(&folder.0))
}

/// Follows the settings of the log, and tells the service manager that the daemon is alive. Never returns.
async fn look_after(handle: &Handle, notify: &Notify, log: &Log) {
    let mut changes = handle.settings_changes();
    let mut level = handle.settings().log().level;
    loop {
        let beat = async {
            match notify.interval() {
                Some(interval) => tokio::time::sleep(interval).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return std::future::pending().await;
                }
                let now = handle.settings().log().level;
                if now != level {
                    level = now;
                    // The word of a level is one that it takes.
                    let _ = log.set(&level.word());
                }
            }
            () = beat => {
                // A daemon that hangs holds its catalog: nothing is said then.
                let handle = handle.clone();
                if tokio::task::spawn_blocking(move || drop(handle.catalog())).await.is_ok() {
                    notify.alive();
                }
            }
        }
    }
}

/// Makes the file by which clients of this machine find the daemon; gives its address.
fn open_door(
    sockets: &[TcpListener],
    gate: &AccessGate,
    first: Option<&FirstSecrets>,
    folders: &Folders,
    can_trade: bool,
) -> Result<String, Failure> {
    let path = folders.door();
    let doing = format!("cannot write {}", path.display());
    let socket = sockets.first().ok_or_else(|| Failure::new("api.listen names no address"))?;
    let url = sockets::url(socket.local_addr().context("cannot listen")?);
    let (known, known_spending) = match Door::read(&path) {
        Some(door) => (Some(door.key), door.spending_key),
        None => (None, None),
    };
    let key = match (first, known) {
        (Some(first), None) => first.key.reveal().to_owned().into(),
        (_, known) => own_key(gate, known, KEY_NAME, Scopes::CONTROL)?,
    };
    let may_spend = Scopes::from_iter([Scope::Control, Scope::Spend]);
    let spending_key = can_trade
        .then(|| own_key(gate, known_spending, SPENDING_KEY_NAME, may_spend))
        .transpose()?;
    Door { url: url.clone(), key, spending_key }.write(&path).context(doing)?;
    Ok(url)
}

/// The key that clients of this machine know, if it still counts, or a new one in its place.
fn own_key(
    gate: &AccessGate,
    known: Option<Zeroizing<String>>,
    name: &str,
    scopes: Scopes,
) -> Result<Zeroizing<String>, Failure> {
    if let Some(key) = known.filter(|key| gate.key(key).is_some()) {
        return Ok(key);
    }
    for lost in gate.keys().iter().filter(|key| key.name == name) {
        gate.delete_key(lost.id).map_err(Failure::new)?;
    }
    let (_, key) = gate.create_key(name, scopes).map_err(Failure::new)?;
    Ok(key.reveal().to_owned().into())
}

/// What was made at the first start, once: on a terminal, else in a file for its owner alone, as what a
/// daemon prints is kept by whoever started it.
fn tell_first(first: &FirstSecrets, url: &str, folders: &Folders, out: Out) -> Result<(), Failure> {
    let text = format!(
        "open      {url}/ in a browser and log in there\nuser      {}\npassword  {}\nAPI key   {}\n",
        first.user,
        first.password.reveal(),
        first.key.reveal()
    );
    if std::io::stdout().is_terminal() && !out.is_json() {
        out.text(format!("First start. This is shown once:\n{text}\n").as_bytes());
        return Ok(());
    }
    let path = folders.data.join("first-login.txt");
    let doing = format!("cannot write {}", path.display());
    let _ = fs::remove_file(&path);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).context(doing)?;
    out.say(
        &format!(
            "First start: password and API key are in {}; read it, then delete it. Log in at {url}/",
            path.display()
        ),
        &json!({ "event": "first_start", "user": first.user, "file": shown(&path) }),
    );
    Ok(())
}

/// Where everything is; gives a line for the service manager.
fn tell_ready(handle: &Handle, url: &str, folders: &Folders, out: Out) -> String {
    let settings: Arc<Settings> = handle.settings();
    let node = handle.node();
    let torrents = handle.catalog().torrents().len();
    let save_path = &settings.torrents().save_path.0;
    let file = if folders.settings.exists() { "" } else { " (not there: defaults)" };
    let text = format!(
        "data      {}\nsettings  {}{file}\nsaves to  {save_path}\npeers     port {}\ntorrents  {torrents}\n\
         READY     {url}",
        folders.data.display(),
        folders.settings.display(),
        node.port,
    );
    out.say(
        &text,
        &json!({
            "event": "ready",
            "url": url,
            "data_dir": shown(&folders.data),
            "settings": shown(&folders.settings),
            "save_path": save_path,
            "peer_port": node.port,
            "torrents": torrents,
        }),
    );
    for address in settings.api().listen.iter().filter(|it| !it.ip().is_loopback()) {
        tracing::warn!(%address, "the API is open to other machines without TLS: put a proxy before it");
    }
    format!("{torrents} torrents, {url}")
}
