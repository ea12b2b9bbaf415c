//! What happens, as the nodes' APIs tell it.

use super::cast::{Cast, PAYLOAD_BYTES};
use super::node::Role;
use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::signals::Signals;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(300);

/// With --kill-seller, the share of the fast download after which the first one is killed, in hundredths.
const KILL_AT_PERCENT: u64 = 40;

/// A download at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Download {
    pub(super) name: &'static str,
    pub(super) lane: &'static str,
    /// Payload that came: the receiver's own counter.
    pub(super) bytes: u64,
    pub(super) rate: u64,
    /// When it was whole.
    pub(super) seconds: Option<f64>,
    /// Whole tokens, as the node says.
    pub(super) spent: String,
}

/// A seller at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Sale {
    pub(super) name: &'static str,
    pub(super) is_dead: bool,
    pub(super) rate: u64,
    /// Of it, to those who pay.
    pub(super) paid_rate: u64,
    pub(super) price: String,
    pub(super) earned: String,
    pub(super) uncashed: String,
}

pub(super) struct Play {
    cast: Cast,
    began: Instant,
    until: Instant,
    looked: Instant,
    pub(super) downloads: Vec<Download>,
    pub(super) sales: Vec<Sale>,
    pub(super) phase: &'static str,
    pub(super) killed: Option<&'static str>,
}

impl Play {
    pub(super) fn begin(mut cast: Cast, most: Duration) -> Result<Self, Failure> {
        cast.begin()?;
        let now = Instant::now();
        let mut play = Self {
            cast,
            began: now,
            until: now + most,
            looked: now - LOOK,
            downloads: Vec::new(),
            sales: Vec::new(),
            phase: "downloading",
            killed: None,
        };
        play.look()?;
        Ok(play)
    }

    pub(super) fn cast(&self) -> &Cast {
        &self.cast
    }

    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until || self.downloads.iter().all(|it| it.seconds.is_some())
    }

    /// Waits for the next look, and looks.
    pub(super) fn step(&mut self, args: &DemoArgs) -> Result<(), Failure> {
        std::thread::sleep((self.looked + LOOK).saturating_duration_since(Instant::now()));
        self.look()?;
        let fast = self.downloads.iter().find(|it| it.lane == "fast").map_or(0, |it| it.bytes);
        if args.kill_seller
            && self.killed.is_none()
            && fast * 100 >= PAYLOAD_BYTES * KILL_AT_PERCENT
        {
            let seller = self.cast.nodes.iter_mut().find(|node| node.role == Role::Sells);
            if let Some(seller) = seller {
                seller.kill();
                self.killed = Some(seller.name);
            }
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), Failure> {
        self.looked = Instant::now();
        let elapsed = self.seconds();
        let mut downloads = Vec::new();
        let mut sales = Vec::new();
        for node in &self.cast.nodes {
            match node.role {
                Role::Sells if node.is_dead => {
                    let before = self.sales.iter().find(|it| it.name == node.name).cloned();
                    let before = before.unwrap_or_default();
                    sales.push(Sale {
                        name: node.name,
                        is_dead: true,
                        rate: 0,
                        paid_rate: 0,
                        ..before
                    });
                }
                Role::Sells => {
                    let (market, torrent) = (node.get("/market")?, node.torrent()?);
                    let buyers = market.pointer("/selling/buyers").and_then(Value::as_array);
                    let paid = buyers.into_iter().flatten().filter(|it| it["is_paid"] == true);
                    let earned = node.get("/earnings")?;
                    sales.push(Sale {
                        name: node.name,
                        is_dead: false,
                        rate: number(&torrent, "up_rate"),
                        paid_rate: paid.map(|it| number(it, "rate")).sum(),
                        price: text(&market, "/selling/price"),
                        earned: text(&earned, "/totals/0/amount"),
                        uncashed: text(&market, "/selling/uncashed"),
                    });
                }
                Role::Buys(lane) => {
                    let torrent = node.torrent()?;
                    let is_whole = torrent["stage"] == "seeding";
                    let spent = match node.account {
                        Some(_) => text(&node.get("/spending")?, "/totals/0/amount"),
                        None => String::new(),
                    };
                    downloads.push(Download {
                        name: node.name,
                        lane,
                        bytes: number(&torrent, "down_bytes"),
                        rate: number(&torrent, "down_rate"),
                        seconds: self.whole_since(node.name, is_whole, elapsed),
                        spent,
                    });
                }
            }
        }
        let is_whole = self.cast.plain.as_mut().is_some_and(super::process::Process::has_ended);
        let progress = self.cast.plain.as_ref().map(|plain| plain.progress()).unwrap_or_default();
        downloads.push(Download {
            name: "plain",
            lane: "free",
            bytes: number(&progress, "down_bytes"),
            rate: if is_whole { 0 } else { number(&progress, "down_rate") },
            seconds: self.whole_since("plain", is_whole, elapsed),
            ..Download::default()
        });
        (self.downloads, self.sales) = (downloads, sales);
        Ok(())
    }

    /// When a download was first seen whole.
    fn whole_since(&self, name: &str, is_whole: bool, elapsed: f64) -> Option<f64> {
        let before = self.downloads.iter().find(|it| it.name == name).and_then(|it| it.seconds);
        before.or_else(|| is_whole.then_some(elapsed))
    }

    /// Waits until the sellers that live have cashed what they earned, and every byte of what is whole has
    /// been counted: counts are told each second.
    pub(super) fn settle(&mut self, most: Duration, signals: &Signals) -> Result<(), Failure> {
        self.phase = "cashing";
        let until = Instant::now() + most;
        loop {
            self.look()?;
            let is_cashed = |it: &Sale| it.is_dead || it.uncashed == "0";
            let is_counted = |it: &Download| it.seconds.is_none() || it.bytes >= PAYLOAD_BYTES;
            let is_done = self.sales.iter().all(is_cashed) && self.downloads.iter().all(is_counted);
            if is_done || Instant::now() >= until || signals.status().is_some() {
                self.phase = "settled";
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }

    pub(super) fn end(self) {
        self.cast.end();
    }
}

fn number(value: &Value, field: &str) -> u64 {
    value.get(field).and_then(Value::as_u64).unwrap_or_default()
}

/// Text at a place; 0 where there is none: nothing was traded yet.
fn text(value: &Value, place: &str) -> String {
    value.pointer(place).and_then(Value::as_str).unwrap_or("0").to_owned()
}
