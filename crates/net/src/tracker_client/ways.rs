//! Which way to a tracker: where its host wants to be asked, and over which protocol.
//!
//! Owns the HTTP client, the randomness of UDP and the binding of both. Knows no order and no torrent.

use super::exchange::{self, Way};
use super::preferences::{Preferences, TrackerDns};
use super::{AnnounceError, REDIRECTS_MAX, Scraped, describe};
use crate::binding::{Binding, Place};
use piecework_tracker::{
    Announce, AnnounceAnswer, Event, Scheme, TrackerFault, TrackerUrl, preference_name,
};
use piecework_types::{InfoHash, Rng};
use std::cell::RefCell;

/// Places tried for one announce: each that is silent costs the patience of an exchange.
const PLACES_TRIED_MAX: usize = 3;

/// How to reach trackers.
pub(super) struct Ways {
    binding: Binding,
    /// Made for this place; another one needs another client.
    http: RefCell<Option<(Option<Place>, reqwest::Client)>>,
    rng: RefCell<Rng>,
    preferences: Preferences,
}

impl Ways {
    pub(super) fn new(mut rng: Rng, binding: Binding, dns: TrackerDns) -> Self {
        let preferences = Preferences::new(dns, binding.clone(), Rng::new(rng.next_u64()));
        Self { binding, http: RefCell::default(), rng: RefCell::new(rng), preferences }
    }

    pub(super) async fn announce(
        &self,
        url: &TrackerUrl,
        announce: Announce,
    ) -> Result<AnnounceAnswer, AnnounceError> {
        // Somebody waits for the last announce: it goes where the others went, without new questions.
        let is_last = announce.event == Event::Stopped;
        let mut places = self.places(url, !is_last).await?;
        places.truncate(if is_last { 1 } else { PLACES_TRIED_MAX });
        let mut outcome = Err(no_tracker());
        for place in places {
            let way = self.way(&place)?;
            outcome = exchange::announce(way, &place, announce.clone()).await;
            if !outcome.as_ref().is_err_and(is_unreached) {
                break;
            }
        }
        outcome
    }

    pub(super) async fn scrape(&self, url: &TrackerUrl, info_hashes: &[InfoHash]) -> Scraped {
        let mut outcome = Err(no_tracker());
        for place in self.places(url, true).await?.into_iter().take(PLACES_TRIED_MAX) {
            outcome = exchange::scrape(self.way(&place)?, &place, info_hashes).await;
            if !outcome.as_ref().is_err_and(is_unreached) {
                break;
            }
        }
        outcome
    }

    /// Where to ask, the best first (BEP 34).
    async fn places(
        &self,
        url: &TrackerUrl,
        may_ask: bool,
    ) -> Result<Vec<TrackerUrl>, AnnounceError> {
        self.place()?;
        let Some(name) = preference_name(url) else { return Ok(vec![url.clone()]) };
        let places = self.preferences.of(name, may_ask).await.places(url);
        if places.is_empty() { Err(no_tracker()) } else { Ok(places) }
    }

    /// Nothing is looked up or sent while the binding leads nowhere.
    fn place(&self) -> Result<Option<Place>, AnnounceError> {
        self.binding.place().map_err(|error| AnnounceError::Transport(error.to_string()))
    }

    fn way(&self, url: &TrackerUrl) -> Result<Way, AnnounceError> {
        let place = self.place()?;
        match url.scheme() {
            Scheme::Http | Scheme::Https => {
                if !Binding::suits(place.as_ref(), Some(&url.host().to_string())) {
                    let text = "the interface has no address for it";
                    return Err(AnnounceError::Transport(text.into()));
                }
                self.http(place).map(Way::Http)
            }
            Scheme::Udp => {
                let rng = Rng::new(self.rng.borrow_mut().next_u64());
                Ok(Way::Udp(rng, self.binding.clone()))
            }
        }
    }

    /// The HTTP client, made when the first HTTP tracker appears: it loads the system's certificates.
    fn http(&self, place: Option<Place>) -> Result<reqwest::Client, AnnounceError> {
        let mut http = self.http.borrow_mut();
        if let Some((made_for, client)) = http.as_ref()
            && *made_for == place
        {
            return Ok(client.clone());
        }
        let builder = reqwest::Client::builder()
            .user_agent(concat!("Piecework/", env!("CARGO_PKG_VERSION")))
            // Trackers are asked once in half an hour: kept connections would only hold their sockets.
            .pool_max_idle_per_host(0);
        let client = Binding::http(place.as_ref(), builder, REDIRECTS_MAX)
            .map_err(|error| AnnounceError::Transport(describe(&error)))?;
        *http = Some((place, client.clone()));
        Ok(client)
    }
}

fn no_tracker() -> AnnounceError {
    let text = "its host says in the DNS that it runs no tracker that may be asked (BEP 34)";
    AnnounceError::Transport(text.into())
}

/// Whether another place of the same host may do better.
const fn is_unreached(error: &AnnounceError) -> bool {
    matches!(
        error,
        AnnounceError::Transport(_) | AnnounceError::Tracker(TrackerFault::Silent { .. })
    )
}
