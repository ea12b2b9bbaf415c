//! `piecework net`: whether peers can come in, why not, and what helps.
//!
//! Asks this machine, its daemon if one runs, and its gateway, nobody else. What is asked of the gateway is
//! a mapping of another port for a minute, taken back at once: a node that runs is not disturbed.

use crate::args::client::ClientArgs;
use crate::args::{NetReportArgs, PlaceArgs};
use crate::client::Client;
use crate::failure::{Context, Failure};
use crate::out::{Out, note};
use crate::reachability::{Facts, Running};
use crate::session;
use piecework_gateway::{Grant, Method, Refusal, Site};
use piecework_net::{Binding, Listeners, PortChoice};
use piecework_types::Rng;
use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Time for the answers of the gateway; what has none by then has none in the report.
const ANSWERS_AFTER: Duration = Duration::from_secs(6);

/// Runs the command.
pub(crate) fn run(args: &NetReportArgs, out: Out) -> Result<(), Failure> {
    let PlaceArgs { port, interface, bind } = &args.place;
    let binding = Binding::new(interface.clone(), *bind);
    // A wrong name is the user's, and the rest of the report would be about nothing.
    let place = binding.place().map_err(Failure::new)?;
    let interfaces = piecework_net::interfaces().context("cannot list the network interfaces")?;
    let is_ours = |name: &str| place.as_ref().is_none_or(|place| place.interface == name);
    let running = running(&args.client)?;
    let port = match &running {
        // It has its port already: another that can be had would be about nobody.
        Some(running) => Ok(running.port),
        None => listen(session::port_choice(*port), &binding),
    };
    let site = piecework_net::site(&binding);
    let facts = Facts {
        running,
        firewalls: firewalls(port.as_ref().copied().unwrap_or_default()),
        interfaces: interfaces
            .into_iter()
            .filter(|it| it.is_up && !it.is_loopback && is_ours(&it.name))
            .collect(),
        port,
        methods: site.map_or_else(|| Ok(Vec::new()), |site| ask(&binding, site))?,
        site,
        has_v6_route: piecework_net::has_default_route_v6(),
    };
    out.say(&facts.text(), &facts.object());
    Ok(())
}

/// What the daemon says, if one runs. One that was asked for by its address has to.
fn running(args: &ClientArgs) -> Result<Option<Running>, Failure> {
    let asked = Client::new(args).and_then(|client| client.get("/node"));
    match asked {
        Ok(node) => Ok(Running::read(&node)),
        Err(failure) if args.url.is_some() => Err(failure),
        Err(_) => Ok(None),
    }
}

/// The port that peers would come to.
fn listen(choice: PortChoice, binding: &Binding) -> Result<u16, String> {
    let listeners = Listeners::bind(choice, binding).map_err(|error| error.to_string())?;
    Ok(listeners.port)
}

type Outcome = (Method, Result<Grant, Refusal>);

/// Asks the gateway by all methods at once.
fn ask(binding: &Binding, site: Site) -> Result<Vec<Outcome>, Failure> {
    note(&format!("asking the gateway {} by {} ways ...", site.gateway, Method::ALL.len()));
    let mut held = Vec::new();
    let (sender, answers) = channel();
    for method in Method::ALL {
        let seed = piecework_node::system_random().context("cannot draw a random number")?;
        // A port for each, ours as long as this lasts: else one would take back what another has.
        let listeners = Listeners::bind(PortChoice::Any, binding).map_err(Failure::new)?;
        let (sender, binding, port) = (sender.clone(), binding.clone(), listeners.port);
        held.push(listeners);
        std::thread::spawn(move || {
            let outcome = piecework_net::try_method(&binding, method, site, port, Rng::new(seed));
            drop(sender.send((method, outcome)));
        });
    }
    drop(sender);
    let deadline = Instant::now() + ANSWERS_AFTER;
    let mut outcomes = Method::ALL.map(|method| (method, Err(Refusal::NoAnswer))).to_vec();
    while let Ok((method, outcome)) =
        answers.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        note(&match &outcome {
            Ok(_) => format!("{method} works"),
            Err(refusal) => format!("{method}: {refusal}"),
        });
        if let Some(place) = outcomes.iter_mut().find(|(known, _)| *known == method) {
            place.1 = outcome;
        }
    }
    Ok(outcomes)
}

/// The usual firewalls of this machine that are on. Their rules are not read: that needs privileges.
fn firewalls(port: u16) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let ufw = fs::read_to_string("/etc/ufw/ufw.conf").unwrap_or_default();
    if ufw.lines().any(|line| line.trim() == "ENABLED=yes") {
        found.push(("ufw", format!("ufw allow {port}")));
    }
    if Path::new("/run/firewalld").exists() {
        let opens = format!("firewall-cmd --add-port={port}/tcp --add-port={port}/udp");
        found.push(("firewalld", opens));
    }
    found
}
