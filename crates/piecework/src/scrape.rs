//! Asking the trackers of a torrent for their counts, without becoming a peer.

use crate::failure::{Context, Failure};
use piecework_net::{Binding, ScrapeJob, Scraped, TrackerClient, TrackerDns};
use piecework_tracker::{ScrapeCounts, TRACKERS_MAX, TrackerUrl};
use piecework_types::{InfoHash, InfoHashes};
use serde_json::{Value, json};
use std::sync::mpsc;

/// What one tracker says about one name of the torrent.
pub(crate) struct Told {
    tracker: String,
    info_hash: InfoHash,
    counts: Result<ScrapeCounts, String>,
}

impl Told {
    /// A line for people.
    pub(crate) fn text(&self) -> String {
        match &self.counts {
            Ok(ScrapeCounts { complete, incomplete, downloaded }) => format!(
                "{}  {complete} seeds, {incomplete} leechers, {downloaded} downloads ({})",
                self.tracker, self.info_hash
            ),
            Err(error) => format!("{}  {error} ({})", self.tracker, self.info_hash),
        }
    }

    /// The same for scripts.
    pub(crate) fn object(&self) -> Value {
        let counts = self.counts.as_ref().ok();
        json!({
            "tracker": self.tracker,
            "info_hash": self.info_hash.to_string(),
            "seeds": counts.map(|counts| counts.complete),
            "leechers": counts.map(|counts| counts.incomplete),
            "downloads": counts.map(|counts| counts.downloaded),
            "error": self.counts.as_ref().err(),
        })
    }
}

/// Asks all of these trackers at once, under every name of the torrent; in their order. Takes as long as
/// the slowest one, under a minute for 32 of them; thrice that if a host names silent places in the DNS.
pub(crate) fn ask<'a>(
    trackers: impl IntoIterator<Item = &'a String>,
    info_hashes: &InfoHashes,
) -> Result<Vec<Told>, Failure> {
    let seed = piecework_node::system_random().context("cannot draw a random number")?;
    let client = TrackerClient::start(seed, Binding::default(), TrackerDns::default())
        .context("cannot start the tracker client")?;
    let names: Vec<InfoHash> = info_hashes.iter().collect();
    let asked: Vec<_> = trackers
        .into_iter()
        .take(TRACKERS_MAX)
        .map(|tracker| (tracker, begin(&client, tracker, &names)))
        .collect();
    let mut told = Vec::new();
    for (tracker, answer) in asked {
        let counts = answer.and_then(|answer| {
            let scraped = answer.recv().map_err(|_| "no answer".to_owned())?;
            scraped.map_err(|error| error.to_string())
        });
        for (at, &info_hash) in names.iter().enumerate() {
            let counts = counts.as_ref().map_err(Clone::clone).and_then(|counts| {
                let known = counts.get(at).copied().flatten();
                known.ok_or_else(|| "the tracker does not know the torrent".to_owned())
            });
            told.push(Told { tracker: tracker.clone(), info_hash, counts });
        }
    }
    Ok(told)
}

fn begin(
    client: &TrackerClient,
    tracker: &str,
    names: &[InfoHash],
) -> Result<mpsc::Receiver<Scraped>, String> {
    let url: TrackerUrl = tracker.parse().map_err(|fault| format!("unusable address: {fault}"))?;
    let (sender, receiver) = mpsc::channel();
    let reply = Box::new(move |scraped| {
        // Nobody waits any more when the command has ended.
        drop(sender.send(scraped));
    });
    client.scrape(ScrapeJob { url, info_hashes: names.to_vec(), reply });
    Ok(receiver)
}
