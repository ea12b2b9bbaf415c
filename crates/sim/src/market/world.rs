//! One run of a market: who sits where, what is on the lines, and the loop that makes time pass.
//!
//! Invariant: a plan and a seed give one trace.

mod checks;
mod flow;
mod line;

use super::chain::Chain;
use super::drive::Writer;
use super::plan::{Cheat, LineSpec, MarketAction, MarketPlan, Role};
use super::seat::{Seat, account_address, chain_wall};
use super::{FLOOR, MarketReport, TORRENT, network};
use crate::checkers::Violation;
use crate::origin::mix;
use crate::plant::Plant;
use crate::report::Report;
pub(super) use line::Line;
use line::Parcel;
use piecework_pay::{
    Address, Connection, FactsKey, Lane, PaymentsInput, PaymentsOutput, PurseInput, PurseOutput,
    Sale, Service, TillInput, TillOutput, Wish,
};
use piecework_types::{Rng, Time};
use std::collections::VecDeque;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(10);
/// How long the chain takes to answer a question.
const ANSWERS: Duration = Duration::from_millis(120);
/// How long who has crashed is away.
const AWAY: Duration = Duration::from_secs(1);
/// Before the end, buyers stop, so that all can be paid and cashed.
const STOPS: Duration = Duration::from_secs(20);
/// The time before they stop in which shares are measured.
const LATE: Duration = Duration::from_secs(10);

/// What ends later.
enum Job {
    Facts(usize, FactsKey),
    Cash(usize, Box<Sale>),
    Connect(usize),
}

/// A run in progress.
pub(crate) struct MarketWorld {
    plan: MarketPlan,
    seed: u64,
    rng: Rng,
    now: Time,
    seats: Vec<Seat>,
    lines: Vec<Line>,
    chain: Chain,
    jobs: VecDeque<(Time, Job)>,
    done_actions: usize,
    has_stopped: bool,
    events: u64,
    frames: u64,
    trace: u64,
    report: MarketReport,
    violations: Vec<Violation>,
}

impl MarketWorld {
    pub(crate) fn new(plan: MarketPlan, seed: u64) -> Self {
        let mut rng = Rng::new(mix(seed ^ 0x9a7));
        let seats = plan.seats.iter().cloned().enumerate();
        let mut seats: Vec<_> = seats.map(|(at, spec)| Seat::new(at, spec, &mut rng)).collect();
        let loses_entries = plan.plant == Some(Plant::LosesEntries);
        seats.iter_mut().for_each(|seat| seat.drive.loses_entries = loses_entries);
        let lines = plan.lines.iter().map(Line::new).collect();
        let mut chain = Chain::default();
        for (account, fund) in (0..).zip(&plan.funds) {
            chain.fund(account_address(account), *fund, chain_wall(Time::ZERO));
        }
        for (account, seller, amount) in &plan.locks {
            let payee = seats.get(*seller).map(Seat::payee).unwrap_or_default();
            chain.lock(account_address(*account), payee, *amount);
        }
        chain.pays_twice = plan.plant == Some(Plant::VaultPaysTwice);
        let exposure = (0..plan.funds.len() as u8).map(|it| chain.exposure(&account_address(it)));
        let report = MarketReport { exposure: exposure.max().unwrap_or(0), ..Default::default() };
        Self {
            plan,
            seed,
            rng,
            now: Time::ZERO,
            seats,
            lines,
            chain,
            jobs: VecDeque::new(),
            done_actions: 0,
            has_stopped: false,
            events: 0,
            frames: 0,
            trace: 0,
            report,
            violations: Vec::new(),
        }
    }

    pub(crate) fn run(mut self) -> Report {
        for seat in 0..self.seats.len() {
            self.start(seat);
        }
        for line in 0..self.lines.len() {
            self.connect(line);
        }
        while self.now < self.plan.ends && self.violations.is_empty() {
            self.now += STEP;
            self.step();
        }
        self.settle();
        Report {
            seed: self.seed,
            trace: self.trace,
            ended_at: self.now,
            events: self.events,
            frames: self.frames,
            rate_computations: 0,
            finished: Vec::new(),
            served: Vec::new(),
            verified: Vec::new(),
            uploaded: Vec::new(),
            web_bytes: Vec::new(),
            web_dropped: Vec::new(),
            open_windows: (0, 0),
            dht: None,
            market: Some(self.report),
            violations: self.violations,
        }
    }

    fn step(&mut self) {
        self.act();
        self.finish_jobs();
        for seat in 0..self.seats.len() {
            for (writer, id) in self.seats[seat].drive.settle(self.now) {
                self.tell(
                    seat,
                    match writer {
                        Writer::Till => PaymentsInput::Till(TillInput::Written(id)),
                        Writer::Purse => PaymentsInput::Purse(PurseInput::Written(id)),
                    },
                );
            }
            if self.seats[seat].poll_timeout() <= self.now {
                self.tell(seat, PaymentsInput::Timeout);
            }
        }
        for line in 0..self.lines.len() {
            self.deliver(line);
        }
        self.serve();
        let micros = self.now.as_micros();
        if micros.is_multiple_of(60_000_000) {
            for seat in 0..self.seats.len() {
                self.tell_funds(seat);
            }
        }
        if micros.is_multiple_of(1_000_000) {
            self.check();
        }
    }

    fn start(&mut self, seat: usize) {
        match self.seats[seat].spec.role {
            Role::Sells { uplink } => {
                self.tell(
                    seat,
                    PaymentsInput::Till(TillInput::Capacity { bytes_per_second: uplink }),
                );
                self.tell(seat, PaymentsInput::Till(TillInput::Sell(true)));
            }
            Role::Buys { lane, budget, price_percent, .. } => {
                self.tell(seat, PaymentsInput::Purse(PurseInput::Buy(true)));
                self.tell_funds(seat);
                let price_max = FLOOR.percent(price_percent);
                let lane = if self.has_stopped { Lane::Slow } else { lane };
                let wish = Wish {
                    torrent: TORRENT,
                    lane,
                    budget,
                    price_max,
                    left: 1 << 42,
                    rate_max: None,
                };
                self.tell(seat, PaymentsInput::Purse(PurseInput::Want(wish)));
            }
        }
    }

    fn tell_funds(&mut self, seat: usize) {
        let Some(payer) = self.seats[seat].payer() else { return };
        let mut facts = self.chain.facts(payer, None, chain_wall(self.now));
        if self.seats[seat].spec.cheat == Some(Cheat::BelievesItself) {
            (facts.free, facts.exit, facts.owed) = (1 << 100, 0, 0);
            facts.epoch = facts.epoch.max(chain_wall(Time::ZERO));
        }
        let (network, facts) = (network(), Some(facts));
        self.tell(seat, PaymentsInput::Purse(PurseInput::Funds { network, facts }));
    }

    fn connect(&mut self, number: usize) {
        let line = &mut self.lines[number];
        line.begin(self.now);
        let (peer, LineSpec { seller, buyer, .. }) = (line.key(number), line.spec);
        for (seat, is_initiator) in [(buyer, true), (seller, false)] {
            let verified_bytes = self.plan.piece_bytes;
            let connection = Connection {
                peer,
                torrent: TORRENT,
                info_hash: TORRENT,
                is_initiator,
                verified_bytes,
                is_again: false,
            };
            self.tell(seat, PaymentsInput::Connected(connection));
        }
    }

    /// A node is gone, and comes again.
    fn crash(&mut self, seat: usize, to: Option<Time>) {
        self.seats[seat].drive.crash();
        if let Some(to) = to {
            self.seats[seat].drive.rewind(to);
        }
        for number in 0..self.lines.len() {
            let line = &mut self.lines[number];
            let LineSpec { seller, buyer, .. } = line.spec;
            if (seller != seat && buyer != seat) || !line.is_up {
                continue;
            }
            line.is_up = false;
            line.service = Service::Free;
            line.parcels.clear();
            let (peer, other) = (line.key(number), if seller == seat { buyer } else { seller });
            self.tell(other, PaymentsInput::Disconnected { peer });
            self.jobs.push_back((self.now + AWAY, Job::Connect(number)));
        }
        self.jobs.retain(|(_, job)| match job {
            Job::Facts(whose, _) => *whose != seat,
            Job::Cash(..) | Job::Connect(_) => true,
        });
        self.seats[seat].restart(&mut self.rng);
        self.start(seat);
    }

    fn act(&mut self) {
        while let Some((at, action)) = self.plan.actions.get(self.done_actions).copied() {
            if at > self.now {
                break;
            }
            self.done_actions += 1;
            match action {
                MarketAction::Crash(seat) => self.crash(seat, None),
                MarketAction::Restore(seat, to) => self.crash(seat, Some(to)),
                MarketAction::Drain(account) => self.chain.drain(&account_address(account)),
                MarketAction::Exit(account) => {
                    let payer = account_address(account);
                    self.chain.request_exit(&payer);
                    self.tell_exiting(payer);
                }
                MarketAction::Reorg(account) => self.chain.reorg(&account_address(account)),
                MarketAction::Fee(more) => self.chain.fee_more = more,
                MarketAction::Silence => self.chain.is_silent = true,
                MarketAction::Revoke(account) => {
                    let payer = account_address(account);
                    self.chain.revoke(payer);
                    self.tell_exiting(payer);
                }
            }
        }
        if !self.has_stopped && self.now + STOPS >= self.plan.ends {
            self.has_stopped = true;
            for seat in 0..self.seats.len() {
                self.tell(seat, PaymentsInput::Purse(PurseInput::Forget(TORRENT)));
            }
        }
    }

    fn tell_exiting(&mut self, payer: Address) {
        for seat in 0..self.seats.len() {
            let network = network();
            self.tell(seat, PaymentsInput::Till(TillInput::Exiting { network, payer }));
        }
    }

    fn finish_jobs(&mut self) {
        for _ in 0..self.jobs.len() {
            let Some((at, job)) = self.jobs.pop_front() else { return };
            if at > self.now {
                self.jobs.push_back((at, job));
                continue;
            }
            match job {
                Job::Facts(seat, key) => {
                    let facts = self.chain.facts(key.payer, Some(&key), chain_wall(self.now));
                    let facts = Some(facts).filter(|_| !self.chain.is_silent);
                    self.tell(seat, PaymentsInput::Till(TillInput::Facts { key, facts }));
                }
                Job::Cash(seat, sale) => {
                    let cheque = sale.last.signed.cheque;
                    let (payer, channel, network) = (cheque.payer, cheque.channel, sale.network);
                    let paid = self.chain.cash(&sale);
                    let cashed = TillInput::Cashed { payer, network, channel, paid };
                    self.tell(seat, PaymentsInput::Till(cashed));
                }
                Job::Connect(line) => self.connect(line),
            }
        }
    }

    fn tell(&mut self, seat: usize, input: PaymentsInput) {
        self.events += 1;
        self.seats[seat].handle(self.now, input);
        while let Some(output) = self.seats[seat].poll() {
            self.carry_out(seat, output);
        }
    }

    fn carry_out(&mut self, seat: usize, output: PaymentsOutput) {
        let now = self.now;
        match output {
            PaymentsOutput::SendPayload { peer, bytes } => {
                let number = (peer.0 & 0xffff_ffff) as usize;
                let line = &mut self.lines[number];
                if !line.is_up || line.key(number) != peer {
                    return;
                }
                let is_seller = line.spec.seller == seat;
                let parcel = if is_seller { Parcel::ToBuyer } else { Parcel::ToSeller };
                line.parcels.push_back((now + line.spec.latency, parcel(bytes)));
            }
            PaymentsOutput::Faulted { .. } => self.report.faults += 1,
            PaymentsOutput::Till(TillOutput::Serve { peer, service }) => {
                let number = (peer.0 & 0xffff_ffff) as usize;
                let line = &mut self.lines[number];
                if line.key(number) != peer {
                    return;
                }
                let was_free = line.service == Service::Free;
                line.report.grants += u32::from(was_free && service != Service::Free);
                line.service = service;
            }
            PaymentsOutput::Till(TillOutput::FactsWanted(key)) => {
                self.jobs.push_back((now + ANSWERS, Job::Facts(seat, key)));
            }
            PaymentsOutput::Till(TillOutput::CountWanted { peer }) => {
                self.tell(seat, PaymentsInput::Till(TillInput::Counted { peer }));
            }
            PaymentsOutput::Till(TillOutput::Cash(sale)) => {
                self.jobs.push_back((now + self.plan.block_time, Job::Cash(seat, sale)));
            }
            PaymentsOutput::Till(TillOutput::Write(write)) => {
                self.seats[seat].write(now, Writer::Till, write);
            }
            PaymentsOutput::Purse(PurseOutput::Write(write)) => {
                self.seats[seat].write(now, Writer::Purse, write);
            }
            // Of no concern to the lines; messages of the machines pass as payloads.
            PaymentsOutput::Purse(_) | PaymentsOutput::Till(TillOutput::Send { .. }) => {}
        }
    }
}
