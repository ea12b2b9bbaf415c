//! What `get`, `seed` and `metadata` share: an engine from the arguments, and waiting for its events.

use crate::args::{Common, EncryptionArg, NetArgs, PriorityRule};
use crate::failure::{Context, Failure};
use crate::ip_filter;
use crate::out::Out;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::source::Loaded;
use globset::{GlobBuilder, GlobMatcher};
use piecework_metainfo::Info;
use piecework_node::{
    AddressPolicy, Binding, Encryption, Engine, EngineConfig, Event, FilePriorities, MappingStatus,
    NORMAL_PRIORITY, Notice, PeerVerdict, PortChoice, Reach, TrackerDns, WebSeed, WebSeedKind,
    WebSeedVerdict,
};
use piecework_node::{AddressScope, DhtConfig};
use serde_json::{Value, json};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a polite end may take in all.
pub(crate) const SHUTDOWN_AFTER: Duration = Duration::from_millis(2800);

/// The shortest wait for an event, so that no wait without an event becomes a busy one.
const WAIT_MIN: Duration = Duration::from_millis(10);

/// How often the engine's threads are looked after, and the longest time between two looks at the figures.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Starts an engine as the options say.
pub(crate) fn start(common: &Common, net: &NetArgs, signals: &Signals) -> Result<Engine, Failure> {
    let mut config = EngineConfig::new(state_dir(common)?);
    config.port = port_choice(net.place.port);
    config.binding = binding(net);
    config.maps_port = !net.no_port_mapping;
    config.encryption = match net.encryption {
        EncryptionArg::Prefer => Encryption::Prefer,
        EncryptionArg::Require => Encryption::Require,
        EncryptionArg::Off => Encryption::Off,
    };
    config.down_limit = net.limit_down.map(|rate| rate.0);
    config.up_limit = net.limit_up.map(|rate| rate.0);
    config.ip_filter = ip_filter::load(&net.ip_filter, Out::new(common.json))?;
    config.exchanges_peers = !net.no_exchange;
    if net.no_tracker_dns {
        config.tracker_dns = TrackerDns::Off;
    }
    config.local = (!net.no_local_discovery).then_some(Reach::Networks);
    if net.trust_peers {
        config.gossip = AddressPolicy { allows_local: true, port_min: 1, ..config.gossip };
    }
    config.dht = if net.no_dht { None } else { Some(dht(net)?) };
    let engine = Engine::start(&config).map_err(Failure::new)?;
    let waker = engine.waker();
    signals.wake(move || waker.wake())?;
    Ok(engine)
}

/// The DHT of the options: that of a local network if a router given is in one.
fn dht(net: &NetArgs) -> Result<DhtConfig, Failure> {
    if net.dht_router.is_empty() {
        return Ok(DhtConfig::default());
    }
    let mut config = DhtConfig { routers: Vec::new(), ..DhtConfig::default() };
    for router in &net.dht_router {
        let found = router
            .to_socket_addrs()
            .context(format_args!("--dht-router {router} is no HOST:PORT that can be reached"))?;
        for address in found {
            if !AddressScope::Public.allows(address) {
                config.scope = AddressScope::Any;
            }
            config.routers.push(address.to_string());
        }
    }
    Ok(config)
}

/// What `--port` means.
pub(crate) const fn port_choice(port: Option<u16>) -> PortChoice {
    match port {
        None => PortChoice::Default,
        Some(0) => PortChoice::Any,
        Some(port) => PortChoice::Exactly(port),
    }
}

/// What `--interface` and `--bind` tie sockets to.
pub(crate) fn binding(net: &NetArgs) -> Binding {
    Binding::new(net.place.interface.clone(), net.place.bind)
}

/// Tells what there is to tell of the node itself; `note` takes what people should see.
pub(crate) fn tell_notices(engine: &Engine, out: Out, note: impl Fn(&str)) {
    while let Some(notice) = engine.notice() {
        match notice {
            Notice::Problem(text) => note(&text),
            Notice::Recovered(text) if out.is_json() => {
                out.event(&json!({ "event": "recovered", "text": text }));
            }
            Notice::Recovered(text) => note(&text),
            Notice::Mapping(status) => out.event(&mapping_object(&status)),
        }
    }
}

/// How the port is mapped, for scripts; people ask with `piecework net`.
fn mapping_object(status: &MappingStatus) -> Value {
    let mapped = match status {
        MappingStatus::Mapped(mapped) => Some(mapped),
        MappingStatus::Absent | MappingStatus::Asking | MappingStatus::Failed(_) => None,
    };
    json!({
        "event": "mapping",
        "status": status.word(),
        "text": status.to_string(),
        "method": mapped.map(|it| it.method.to_string()),
        "tcp_port": mapped.map(|it| it.tcp_port),
        "udp_port": mapped.and_then(|it| it.udp_port.as_ref().ok()),
        "external_address": mapped.and_then(|it| it.external_ip).map(|ip| ip.to_string()),
    })
}

/// Why a peer had to go. People see it with `--verbose`, as a line of the log.
pub(crate) fn tell_verdict(out: Out, label: &str, verdict: &PeerVerdict) {
    out.event(&json!({
        "event": "peer",
        "info_hash": label,
        "address": verdict.address.to_string(),
        "verdict": if verdict.is_ban { "banned" } else { "dropped" },
        "reason": verdict.reason,
    }));
}

/// A web seed is asked for nothing any more.
pub(crate) fn tell_web_seed(out: Out, progress: &Progress, label: &str, verdict: &WebSeedVerdict) {
    if !out.is_json() {
        progress.note(&format!("gave up web seed {}: {}", verdict.url, verdict.reason));
    }
    out.event(&json!({
        "event": "web_seed",
        "info_hash": label,
        "url": verdict.url,
        "verdict": "dropped",
        "reason": verdict.reason,
    }));
}

/// The servers behind `--web-seed`.
pub(crate) fn web_seeds(urls: &[String]) -> Result<Vec<WebSeed>, Failure> {
    let read = |url: &String| {
        WebSeed::new(url, WebSeedKind::Files)
            .ok_or_else(|| Failure::usage(format!("--web-seed {url} is no http or https address")))
    };
    urls.iter().map(read).collect()
}

/// The engine's next event, or `None` when it is time to look at the figures: after `wait`, after a
/// signal, at the latest after a second. Fails once the engine cannot go on.
pub(crate) fn next_event(engine: &Engine, wait: Duration) -> Result<Option<Event>, Failure> {
    match engine.next_event(wait.clamp(WAIT_MIN, LOOK_AFTER)) {
        None if !engine.is_alive() => Err(Failure::new(
            "a network thread has stopped, which is a fault of this program; start it again, what is \
             verified is kept",
        )),
        event => Ok(event),
    }
}

/// `--state`, or the place that the XDG base directory specification names.
pub(crate) fn state_dir(common: &Common) -> Result<PathBuf, Failure> {
    if let Some(dir) = &common.state {
        return Ok(dir.clone());
    }
    let from_env = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    from_env("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| from_env("HOME").map(|home| PathBuf::from(home).join(".local/state")))
        .map(|base| base.join("piecework"))
        .ok_or_else(|| Failure::new("no folder for resume data: give --state DIR, or set HOME"))
}

/// The addresses behind `--peer`.
pub(crate) fn peers(net: &NetArgs) -> Result<Vec<SocketAddr>, Failure> {
    let mut addresses = Vec::new();
    for peer in &net.peer {
        let found = peer
            .to_socket_addrs()
            .context(format_args!("--peer {peer} is no HOST:PORT that can be reached"))?;
        addresses.extend(found);
    }
    Ok(addresses)
}

/// The addresses behind `x.pe` of a magnet link. One that cannot be found is no reason to give up.
pub(crate) fn magnet_peers(loaded: &Loaded) -> Vec<SocketAddr> {
    let Loaded::Magnet(magnet) = loaded else { return Vec::new() };
    let resolved =
        magnet.peers.iter().map(|peer| (peer.host.as_str(), peer.port).to_socket_addrs());
    resolved.filter_map(Result::ok).flatten().collect()
}

/// A file's path below the torrent's own folder.
fn below_name<'a>(info: &Info, path: &'a str) -> &'a str {
    if info.is_single_file() { path } else { path.split_once('/').map_or(path, |(_, rest)| rest) }
}

struct Rule {
    matcher: GlobMatcher,
    priority: u8,
}

/// `--select` and `--priority` as a choice for each file.
pub(crate) fn priorities(
    select: &[String],
    rules: &[PriorityRule],
) -> Result<Option<FilePriorities>, Failure> {
    if select.is_empty() && rules.is_empty() {
        return Ok(None);
    }
    let selected = select.iter().map(|glob| matcher(glob)).collect::<Result<Vec<_>, _>>()?;
    let rules = rules
        .iter()
        .map(|rule| Ok(Rule { matcher: matcher(&rule.glob)?, priority: rule.priority }))
        .collect::<Result<Vec<_>, Failure>>()?;
    Ok(Some(Arc::new(move |info: &Info| {
        let choose = |path: String| {
            let is_selected =
                selected.is_empty() || selected.iter().any(|glob| glob.is_match(&path));
            let rule = rules.iter().rev().find(|rule| rule.matcher.is_match(&path));
            match rule {
                Some(rule) => rule.priority,
                None if is_selected => NORMAL_PRIORITY,
                None => 0,
            }
        };
        info.files().iter().map(|file| choose(below_name(info, file.path()).to_owned())).collect()
    })))
}

/// A glob without a slash matches in every folder, as people expect of '*.mkv'.
fn matcher(glob: &str) -> Result<GlobMatcher, Failure> {
    let anywhere = if glob.contains('/') { glob.to_owned() } else { format!("**/{glob}") };
    GlobBuilder::new(&anywhere)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| Failure::usage(format!("cannot read the pattern {glob:?}: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pattern_without_a_slash_matches_in_every_folder() {
        let glob = matcher("*.mkv").unwrap();
        assert!(glob.is_match("a.mkv") && glob.is_match("x/y/a.mkv"));
        let glob = matcher("x/*.mkv").unwrap();
        assert!(glob.is_match("x/a.mkv") && !glob.is_match("a.mkv") && !glob.is_match("x/y/a.mkv"));
        assert!(matcher("[").is_err());
    }
}
