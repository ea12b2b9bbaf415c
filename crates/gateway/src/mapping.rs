//! What to ask of the gateway, and when: one port, TCP and UDP, mapped for as long as we run.
//!
//! [`Mapping`] tries the methods in turn, renews at about half the lifetime, begins again after a failure or
//! at another gateway, and takes its mappings back at the end. One request is under way at a time. Owns no
//! socket: its driver carries requests out and tells what came of them.

use crate::ask::{Ask, Grant, Method, Refusal, Site, Transport};
use piecework_types::{Rng, Time};
use std::collections::VecDeque;
use std::time::Duration;

mod status;

pub use status::{Mapped, Status};

/// Seconds that a mapping is asked for. Short enough that what a crash leaves behind is soon gone.
pub const LIFETIME_SECONDS: u32 = 3600;

/// Seconds of a mapping that only shows whether it can be had.
const TRIAL_SECONDS: u32 = 60;

/// The shortest time between two rounds, whatever lifetime a gateway grants (RFC 6887, section 11.2.1).
const RENEW_AFTER_MIN: Duration = Duration::from_secs(4);

/// The longest: a gateway that was switched off and on has forgotten us.
const RENEW_AFTER_MAX: Duration = Duration::from_secs(LIFETIME_SECONDS as u64 / 2);

/// Time from a failure to the next round; doubled with each failure in a row.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(30);
/// See [`RETRY_AFTER_MIN`].
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// External ports tried with one method while others have them.
const PORTS_MAX: u32 = 5;

/// Ports that nobody has by agreement (RFC 6335), for when ours is taken.
const FREE_PORTS: std::ops::Range<u16> = 49_152..65_535;

/// Something happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The gateway, or that there is none. May be told as often as one looks.
    Site(Option<Site>),
    /// What came of a request.
    Answered(RequestId, Result<Grant, Refusal>),
    /// Time has passed.
    Tick,
    /// The end: what was mapped is to be removed.
    Stop,
}

/// Which request an answer belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestId(u32);

/// A request to carry out; any that came before is forgotten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// For its answer.
    pub id: RequestId,
    /// How to ask.
    pub method: Method,
    /// Whom.
    pub site: Site,
    /// What.
    pub ask: Ask,
}

impl Request {
    /// For a mapping of a minute that is to show whether a method works.
    pub fn trial(method: Method, site: Site, port: u16, mut rng: Rng) -> Self {
        let ask = Ask {
            transport: Transport::Tcp,
            internal_port: port,
            external_port: port,
            lifetime_seconds: TRIAL_SECONDS,
            is_permanent: false,
            nonce: nonce(&mut rng),
        };
        Self { id: RequestId(0), method, site, ask }
    }
}

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Ask the gateway.
    Ask(Request),
    /// This is how it stands now.
    Status(Status),
    /// Nothing more will come: the mappings are removed, or there were none.
    Ended,
}

/// A pass over the methods.
#[derive(Debug)]
struct Round {
    id: RequestId,
    site: Site,
    /// The methods that are left, the current one first.
    methods: VecDeque<Method>,
    ask: Ask,
    /// Ports that others turned out to have.
    taken: u32,
    /// What was granted for TCP.
    tcp: Option<Grant>,
    refusals: Vec<(Method, Refusal)>,
}

#[derive(Debug)]
enum Phase {
    /// Without a gateway.
    Idle,
    Asking(Round),
    /// Until it is time for the next round.
    Waiting(Time),
    Removing(RequestId),
    Ended,
}

/// What the gateway may still have of us.
#[derive(Clone, Copy, Debug)]
struct Held {
    method: Method,
    ask: Ask,
}

/// The mappings of one port.
#[derive(Debug)]
pub struct Mapping {
    port: u16,
    /// The port outside that we have, or want.
    wanted: u16,
    nonces: [[u8; 12]; 2],
    rng: Rng,
    site: Option<Site>,
    phase: Phase,
    /// At most one for each method and transport.
    held: Vec<Held>,
    /// The method that worked last is tried first.
    preferred: Option<Method>,
    failures: u32,
    last_id: u32,
    status: Status,
    outputs: VecDeque<Output>,
}

impl Mapping {
    /// For the port that we listen on. The seed of `rng` comes from the operating system: nonces are
    /// drawn from it.
    pub fn new(port: u16, mut rng: Rng) -> Self {
        let nonces = [nonce(&mut rng), nonce(&mut rng)];
        Self {
            port,
            wanted: port,
            nonces,
            rng,
            site: None,
            phase: Phase::Idle,
            held: Vec::new(),
            preferred: None,
            failures: 0,
            last_id: 0,
            status: Status::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes an event.
    pub fn handle(&mut self, input: Input, now: Time) {
        match (input, &self.phase) {
            (_, Phase::Ended) | (Input::Stop | Input::Site(_), Phase::Removing(_)) => {}
            (Input::Site(site), _) => self.meet(site, now),
            (Input::Answered(id, answer), Phase::Asking(round)) if round.id == id => {
                self.take(answer, now);
            }
            (Input::Answered(id, _), Phase::Removing(under_way)) if *under_way == id => {
                self.remove_next();
            }
            (Input::Tick, Phase::Waiting(until)) if *until <= now => self.begin(now),
            (Input::Answered(..) | Input::Tick, _) => {}
            (Input::Stop, _) => self.stop(),
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle`] with [`Input::Tick`], and what for.
    pub const fn poll_timeout(&self) -> (Time, &'static str) {
        match &self.phase {
            Phase::Waiting(until) => (*until, "the next round of port mapping"),
            Phase::Idle | Phase::Asking(_) | Phase::Removing(_) | Phase::Ended => {
                (Time::NEVER, "nothing")
            }
        }
    }

    fn meet(&mut self, site: Option<Site>, now: Time) {
        if std::mem::replace(&mut self.site, site) == site {
            return;
        }
        // What the other gateway has of us ends by itself: it is out of reach.
        self.held.clear();
        (self.failures, self.wanted) = (0, self.port);
        if site.is_some() {
            self.show(Status::Asking);
            self.begin(now);
        } else {
            self.phase = Phase::Idle;
            self.show(Status::Absent);
        }
    }

    fn begin(&mut self, now: Time) {
        let Some(site) = self.site else { return };
        let others = Method::ALL.into_iter().filter(|method| Some(*method) != self.preferred);
        let round = Round {
            id: RequestId(self.last_id),
            site,
            methods: self.preferred.into_iter().chain(others).collect(),
            ask: self.first_ask(),
            taken: 0,
            tcp: None,
            refusals: Vec::new(),
        };
        self.ask(round, now);
    }

    const fn first_ask(&self) -> Ask {
        Ask {
            transport: Transport::Tcp,
            internal_port: self.port,
            external_port: self.wanted,
            lifetime_seconds: LIFETIME_SECONDS,
            is_permanent: false,
            nonce: self.nonces[0],
        }
    }

    const fn next_id(&mut self) -> RequestId {
        self.last_id = self.last_id.wrapping_add(1);
        RequestId(self.last_id)
    }

    /// Asks with the first of the methods that are left.
    fn ask(&mut self, mut round: Round, now: Time) {
        let Some(&method) = round.methods.front() else { return self.fail(round.refusals, now) };
        round.id = self.next_id();
        let Round { id, site, ask, .. } = round;
        self.outputs.push_back(Output::Ask(Request { id, method, site, ask }));
        self.phase = Phase::Asking(round);
    }

    fn take(&mut self, answer: Result<Grant, Refusal>, now: Time) {
        let Phase::Asking(mut round) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return;
        };
        let Some(&method) = round.methods.front() else { return };
        match (answer, round.tcp) {
            (Ok(grant), None) => {
                self.hold(method, round.ask, grant);
                self.wanted = grant.external_port;
                round.tcp = Some(grant);
                round.ask.transport = Transport::Udp;
                round.ask.nonce = self.nonces[1];
                // The same number for both is what peers expect of a port they are told.
                round.ask.external_port = grant.external_port;
                self.ask(round, now);
            }
            (Ok(grant), Some(tcp)) => {
                self.hold(method, round.ask, grant);
                self.finish(method, tcp, Ok(grant), now);
            }
            (Err(Refusal::PortTaken(_)), _) if round.taken + 1 < PORTS_MAX => {
                round.taken += 1;
                let free = u64::from(FREE_PORTS.end - FREE_PORTS.start);
                round.ask.external_port = FREE_PORTS.start + self.rng.below(free) as u16;
                self.ask(round, now);
            }
            (Err(Refusal::OnlyPermanent), _) if !round.ask.is_permanent => {
                round.ask = round.ask.permanent();
                self.ask(round, now);
            }
            (Err(refusal), None) => {
                round.refusals.push((method, refusal));
                round.methods.pop_front();
                (round.ask, round.taken) = (self.first_ask(), 0);
                self.ask(round, now);
            }
            (Err(refusal), Some(tcp)) => self.finish(method, tcp, Err(refusal), now),
        }
    }

    fn hold(&mut self, method: Method, ask: Ask, grant: Grant) {
        let ask = ask.removal(&grant);
        self.held.retain(|held| (held.method, held.ask.transport) != (method, ask.transport));
        self.held.push(Held { method, ask });
    }

    fn finish(&mut self, method: Method, tcp: Grant, udp: Result<Grant, Refusal>, now: Time) {
        self.failures = 0;
        self.preferred = Some(method);
        let lifetimes = [Some(&tcp), udp.as_ref().ok()];
        let lifetimes = lifetimes.into_iter().flatten().map(|grant| grant.lifetime_seconds);
        let shortest = lifetimes.filter(|&seconds| seconds > 0).min();
        let half =
            shortest.map_or(RENEW_AFTER_MAX, |seconds| Duration::from_secs(u64::from(seconds)) / 2);
        let renew_after = half.clamp(RENEW_AFTER_MIN, RENEW_AFTER_MAX);
        self.wait(renew_after, now);
        self.show(Status::Mapped(Mapped {
            method,
            tcp_port: tcp.external_port,
            udp_port: udp.map(|grant| grant.external_port),
            external_ip: tcp.external_ip,
        }));
    }

    fn fail(&mut self, refusals: Vec<(Method, Refusal)>, now: Time) {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1);
        self.preferred = None;
        self.wait(RETRY_AFTER_MIN.saturating_mul(factor).min(RETRY_AFTER_MAX), now);
        self.show(Status::Failed(refusals));
    }

    /// Up to a quarter later, so that the machines of a network do not come all at once.
    fn wait(&mut self, after: Duration, now: Time) {
        let quarter = u64::try_from(after.as_micros() / 4).unwrap_or(u64::MAX);
        let jitter = Duration::from_micros(self.rng.below(quarter));
        self.phase = Phase::Waiting(now + after + jitter);
    }

    fn show(&mut self, status: Status) {
        if self.status != status {
            self.status = status.clone();
            self.outputs.push_back(Output::Status(status));
        }
    }

    fn stop(&mut self) {
        // A request that is under way may still be granted.
        if let Phase::Asking(Round { methods, ask, .. }) = &self.phase
            && let Some(&method) = methods.front()
        {
            let grant =
                Grant { external_port: ask.external_port, lifetime_seconds: 0, external_ip: None };
            let ask = *ask;
            if !self.held.iter().any(|it| (it.method, it.ask.transport) == (method, ask.transport))
            {
                self.hold(method, ask, grant);
            }
        }
        // What was asked for and is overtaken by the end need not be asked any more.
        self.outputs.retain(|output| !matches!(output, Output::Ask(_)));
        self.remove_next();
    }

    fn remove_next(&mut self) {
        let (Some(site), Some(Held { method, ask })) = (self.site, self.held.pop()) else {
            self.phase = Phase::Ended;
            self.outputs.push_back(Output::Ended);
            return;
        };
        let id = self.next_id();
        self.outputs.push_back(Output::Ask(Request { id, method, site, ask }));
        self.phase = Phase::Removing(id);
    }
}

fn nonce(rng: &mut Rng) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&rng.next_u64().to_be_bytes());
    nonce[8..].copy_from_slice(&rng.next_u64().to_be_bytes()[..4]);
    nonce
}

#[cfg(test)]
mod tests;
