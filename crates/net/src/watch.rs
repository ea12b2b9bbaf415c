//! The thread that watches the way to the outside: the interface that sockets are tied to, the gateway, and
//! the mappings there.
//!
//! Owns no decision about mappings, which is `gateway::Mapping`'s. Tells what has changed, never twice.

use crate::binding::{Binding, LOOK_AFTER as BINDING_LOOK_AFTER, Place, may_tie};
use crate::gateway::{Service, exchange, site};
use piecework_gateway::{Grant, Input, Mapping, Output, Refusal, Request, RequestId, Status};
use piecework_types::{Rng, Time};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How often the gateway is looked at: a few system calls, nothing is sent.
const GATEWAY_LOOK_AFTER: Duration = Duration::from_secs(15);

/// Time for taking mappings back at the end.
const REMOVE_AFTER: Duration = Duration::from_secs(1);

/// Something about the way out has changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WayOut {
    /// Interface or address are gone: nothing is sent until they are back.
    Lost {
        /// Why.
        reason: String,
        /// Open sockets may leave by another way, as only their address holds them: they must be closed.
        may_stray: bool,
    },
    /// They are back, or changed.
    Found {
        /// Sockets from before lead nowhere, and have to be made anew.
        is_other: bool,
    },
    /// The mappings at the gateway.
    Mapping(Status),
}

/// What to watch.
#[derive(Clone, Debug)]
pub struct WatchRules {
    /// What sockets are tied to.
    pub binding: Binding,
    /// The port to map, if any is to be.
    pub maps: Option<u16>,
    /// From the operating system.
    pub seed: u64,
}

/// The end, and the time for it.
struct Stop(Duration);

/// The running thread. Dropping it ends it without taking mappings back; they end by themselves.
#[derive(Debug)]
pub struct Watch {
    stop: Option<mpsc::Sender<Stop>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts the thread; `tell` is called on it and must not block for long. Who starts it has found the
    /// binding usable.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(rules: WatchRules, tell: impl FnMut(WayOut) + Send + 'static) -> io::Result<Self> {
        let (stop, stops) = mpsc::channel(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("network".into()).spawn(move || {
            runtime.block_on(Watcher::new(rules, tell).run(stops));
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    /// Begins to take the mappings back. The thread ends by itself after `patience` or a second, whichever
    /// is less.
    pub fn stop(&self, patience: Duration) {
        if let Some(stop) = &self.stop {
            // Full means that it is stopping already.
            drop(stop.try_send(Stop(patience.min(REMOVE_AFTER))));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

type Answer = (RequestId, Result<Grant, Refusal>, Option<Service>);
type UnderWay = Pin<Box<dyn Future<Output = Answer>>>;

struct Watcher<F> {
    binding: Binding,
    /// Where the binding led at the last look; `None` while it leads nowhere.
    place: Option<Place>,
    /// Where open sockets are, if they are held there.
    held: Option<Place>,
    mapping: Option<Mapping>,
    under_way: Option<UnderWay>,
    service: Option<Service>,
    epoch: Instant,
    tell: F,
}

impl<F: FnMut(WayOut)> Watcher<F> {
    fn new(rules: WatchRules, tell: F) -> Self {
        let WatchRules { binding, maps, seed } = rules;
        let place = binding.place().ok().flatten();
        Self {
            held: place.clone().filter(may_tie),
            place,
            binding,
            mapping: maps.map(|port| Mapping::new(port, Rng::new(seed))),
            under_way: None,
            service: None,
            epoch: Instant::now(),
            tell,
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }

    async fn run(mut self, mut stops: mpsc::Receiver<Stop>) {
        let look_after =
            if self.binding.is_free() { GATEWAY_LOOK_AFTER } else { BINDING_LOOK_AFTER };
        let mut look_at = Instant::now();
        let mut end_at = None;
        loop {
            if self.carry_out() || end_at.is_some_and(|at| at <= Instant::now()) {
                return;
            }
            let wake_at = end_at.unwrap_or_else(|| look_at.min(self.tick_at(look_at)));
            tokio::select! {
                stop = stops.recv(), if end_at.is_none() => {
                    // The end without a word has no use for the gateway.
                    let Some(Stop(patience)) = stop.filter(|_| self.mapping.is_some()) else {
                        return;
                    };
                    end_at = Some(Instant::now() + patience);
                    self.handle(Input::Stop);
                }
                (id, answer, service) = under_way(&mut self.under_way) => {
                    (self.under_way, self.service) = (None, service);
                    self.handle(Input::Answered(id, answer));
                }
                () = tokio::time::sleep_until(wake_at) => {
                    if end_at.is_none() && look_at <= Instant::now() {
                        self.look();
                        look_at = Instant::now() + look_after;
                    }
                    self.handle(Input::Tick);
                }
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        if let Some(mapping) = &mut self.mapping {
            mapping.handle(input, now);
        }
    }

    /// When the mapping wants to be woken, at most at `latest`.
    fn tick_at(&self, latest: Instant) -> Instant {
        let Some(mapping) = &self.mapping else { return latest };
        match mapping.poll_timeout().0 {
            Time::NEVER => latest,
            at => self.epoch + at.since(Time::ZERO),
        }
    }

    /// Does what the mapping wants; whether that was the end.
    fn carry_out(&mut self) -> bool {
        while let Some(output) = self.mapping.as_mut().and_then(Mapping::poll) {
            match output {
                Output::Ask(request) => self.begin(request),
                Output::Status(status) => (self.tell)(WayOut::Mapping(status)),
                Output::Ended => return true,
            }
        }
        false
    }

    /// Starts an exchange; one that was under way is forgotten.
    fn begin(&mut self, request: Request) {
        let (binding, mut service) = (self.binding.clone(), self.service.take());
        self.under_way = Some(Box::pin(async move {
            let answer = exchange(&binding, &request, &mut service).await;
            tracing::debug!(method = %request.method, ?answer, "the gateway was asked");
            (request.id, answer, service)
        }));
    }

    fn look(&mut self) {
        if !self.binding.is_free() {
            let (place, reason) = match self.binding.place() {
                Ok(place) => (place, String::new()),
                Err(error) => (None, error.to_string()),
            };
            if place != self.place {
                self.place = place;
                (self.tell)(if self.place.is_none() {
                    WayOut::Lost { reason, may_stray: self.held.is_none() }
                } else {
                    let held = self.place.clone().filter(may_tie);
                    let is_other = held.is_none() || held != self.held;
                    self.held = held;
                    WayOut::Found { is_other }
                });
            }
        }
        if self.mapping.is_some() {
            self.handle(Input::Site(site(&self.binding)));
        }
    }
}

/// The exchange that is under way, or for ever.
async fn under_way(under_way: &mut Option<UnderWay>) -> Answer {
    match under_way {
        Some(exchange) => exchange.await,
        None => std::future::pending().await,
    }
}
