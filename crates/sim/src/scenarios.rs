//! All scenarios, named for the behaviour they show.

use crate::network::Link;
use crate::plan::{Goal, NodeSpec, Plan, Start};
use crate::scenario::Scenario;
use piecework_types::Time;
use std::time::Duration;

mod damaged_disk;
mod dht;
mod dht_churn;
mod dht_hostile;
mod end_game;
mod exchange;
mod exchange_storm;
mod flash_crowd;
mod full_disk;
mod magnet;
mod market;
mod market_accounts;
mod market_cheats;
mod market_crashes;
mod market_frauds;
mod optimistic_turns;
mod reserves;
mod seed_leaves;
mod slow_seed;
mod snubbed;
mod streaming;
mod super_seed;
mod swarm;
mod upload_limit;
mod web_seed;

pub(crate) use dht_hostile::DHT_HOSTILE;
pub(crate) use end_game::END_GAME;
pub(crate) use exchange_storm::EXCHANGE_STORM;
pub(crate) use market::PAID_LANES;
pub(crate) use market_cheats::CORRUPTS;
pub(crate) use optimistic_turns::OPTIMISTIC_TURNS;
pub(crate) use reserves::{RESERVES, SPARE};
pub(crate) use swarm::SWARM;
pub(crate) use upload_limit::UPLOAD_LIMIT;

/// Every scenario.
pub const ALL: [&Scenario; 60] = [
    &SWARM,
    &flash_crowd::FLASH_CROWD,
    &slow_seed::SLOW_SEED,
    &seed_leaves::SEED_LEAVES,
    &END_GAME,
    &snubbed::SNUBBED,
    &streaming::STREAMING,
    &super_seed::SUPER_SEED,
    &OPTIMISTIC_TURNS,
    &UPLOAD_LIMIT,
    &RESERVES,
    &SPARE,
    &full_disk::FULL_DISK,
    &damaged_disk::DAMAGED_DISK,
    &magnet::MAGNET,
    &exchange::EXCHANGE,
    &EXCHANGE_STORM,
    &dht::DHT,
    &dht_churn::DHT_CHURN,
    &DHT_HOSTILE,
    &web_seed::WEB_SEED,
    &web_seed::WEB_SEED_LIES,
    &web_seed::WEB_SEED_STALLS,
    &PAID_LANES,
    &market::BID_SPLITTER,
    &market::WHALE,
    &market_cheats::NEVER_PAYS,
    &market_cheats::HALF_PAYS,
    &market_cheats::WRONG_LINK,
    &market_cheats::SKIPPED_LINK,
    &market_cheats::LINK_BEYOND_END,
    &market_cheats::LOWER_CHEQUE,
    &market_cheats::REPLAYED_OPEN,
    &CORRUPTS,
    &market_cheats::INFLATED_STAT,
    &market_cheats::RETROACTIVE_ASK,
    &market_accounts::DRAIN_32,
    &market_accounts::DRAIN_256,
    &market_accounts::DRAIN_1024,
    &market_accounts::EXIT_AND_BUY,
    &market_accounts::REORGED_DEPOSIT,
    &market_accounts::SILENT_CHAIN,
    &market_accounts::DEAR_CHAIN,
    &market_accounts::UNFUNDED,
    &market_accounts::BOUNCED,
    &market_crashes::PAYER_CRASHES,
    &market_crashes::SELLER_CRASHES,
    &market_crashes::OLD_BACKUP,
    &market_crashes::LOST_DATABASE,
    &market_crashes::CLOCK_OFF,
    &market_crashes::FIRST_BYTES,
    &market_frauds::GOUGER,
    &market_frauds::THROTTLES,
    &market_frauds::SHILL,
    &market_frauds::IGNORES_CANCELS,
    &market_frauds::OVER_PROMISER,
    &market_frauds::REPLAYED_CHEQUES,
    &market_frauds::STOLEN_SESSION,
    &market_frauds::DRAIN_SESSION,
    &market_frauds::UNDER_LOCK,
];

/// The scenario with this name.
pub fn by_name(name: &str) -> Option<&'static Scenario> {
    ALL.into_iter().find(|scenario| scenario.name == name)
}

const PIECE_BYTES: u32 = 64 * 1024;
const PIECES: u32 = 64;
const CONTENT_BYTES: u64 = PIECE_BYTES as u64 * PIECES as u64;

/// A link without loss; rates in kB/s.
const fn link(up_kb: u64, down_kb: u64, latency_ms: u64) -> Link {
    Link {
        up_bytes: up_kb * 1_000,
        down_bytes: down_kb * 1_000,
        latency: Duration::from_millis(latency_ms),
        loss_ppm: 0,
    }
}

const fn seconds(seconds: u64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

/// The usual content shared by these nodes.
const fn plan(nodes: Vec<NodeSpec>, deadline: Time) -> Plan {
    Plan {
        piece_bytes: PIECE_BYTES,
        pieces: PIECES,
        metadata_bytes: 2_000,
        nodes,
        actions: Vec::new(),
        deadline,
        goal: Goal::AllFinish,
    }
}

const fn seed(link: Link) -> NodeSpec {
    NodeSpec::new(link, Start::Seed)
}

const fn leecher(link: Link) -> NodeSpec {
    NodeSpec::new(link, Start::Empty)
}
