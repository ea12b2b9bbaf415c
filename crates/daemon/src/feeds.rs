//! Feeds on a thread of their own: asks servers when the machine says so, adds what rules want.
//!
//! What was seen is written down after what is wanted was added: a crash between the two adds again what is
//! there already, and loses nothing.

use crate::clock;
use crate::handle::{Handle, New, NewSource};
use crate::news::{Level, code};
use crate::shared::Shared;
use crate::store::StoreError;
use piecework_catalog::{Record, Refusal, RefusalKind};
use piecework_feeds::{Answer, FEED_BYTES_MAX, FeedError, Feeds, Wanted, parse};
use piecework_net::{Validators, fetch_newer};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The name of their entry in the catalog file.
const ENTRY: &str = "feeds";

/// Longest sleep, as clocks are set.
const SLEEP_MAX: Duration = Duration::from_secs(600);

/// The feeds as the thread and faces share them.
#[derive(Default)]
pub(crate) struct FeedRoom {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    feeds: Feeds,
    has_ended: bool,
}

/// A feed to ask.
struct Due {
    name: String,
    url: String,
    known: Validators,
}

impl FeedRoom {
    /// Takes over what an earlier run left.
    pub(crate) fn load(&self, shared: &Shared) -> Result<(), StoreError> {
        if let Some(feeds) = shared.store.entry(ENTRY)? {
            self.lock().feeds = feeds;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the feeds.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Feeds) -> T) -> T {
        read(&self.lock().feeds)
    }

    /// Changes the feeds and writes them down, or leaves them as they were.
    pub(crate) fn change(
        &self,
        shared: &Shared,
        change: impl FnOnce(&mut Feeds) -> Result<(), FeedError>,
    ) -> Result<(), Refusal> {
        let mut state = self.lock();
        let mut next = state.feeds.clone();
        change(&mut next).map_err(|error| {
            let kind = match error {
                FeedError::Unknown(..) => RefusalKind::Unknown,
                FeedError::Full(_) => RefusalKind::Full,
                FeedError::Name(_) | FeedError::Address | FeedError::Rule(_) => {
                    RefusalKind::Invalid
                }
            };
            Refusal::new(kind, error.to_string())
        })?;
        shared.store.keep(ENTRY, &next).map_err(|error| {
            let text = format!("the change cannot be written down, so it is not made: {error}");
            Refusal::new(RefusalKind::Failed, text)
        })?;
        state.feeds = next;
        drop(state);
        self.woken.notify_all();
        Ok(())
    }

    /// Lets the thread end.
    pub(crate) fn end(&self) {
        self.lock().has_ended = true;
        self.woken.notify_all();
    }

    /// Waits until feeds are due; `None` at the end.
    fn wait(&self) -> Option<Vec<Due>> {
        let mut state = self.lock();
        loop {
            if state.has_ended {
                return None;
            }
            let now = clock::unix_seconds();
            let due = |(name, feed): (&str, &piecework_feeds::Feed)| Due {
                name: name.to_owned(),
                url: feed.url.clone(),
                known: Validators { etag: feed.etag.clone(), modified: feed.modified.clone() },
            };
            let due: Vec<Due> = state.feeds.due(now).map(due).collect();
            if !due.is_empty() {
                return Some(due);
            }
            let next = state.feeds.next_due().map(|at| Duration::from_secs(at.saturating_sub(now)));
            // Without feeds it sleeps until there are some.
            state = match next {
                Some(sleep) => {
                    let woken = self.woken.wait_timeout(state, sleep.min(SLEEP_MAX));
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.woken.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// Starts the thread.
pub(crate) fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    thread::Builder::new().name("feeds".to_owned()).spawn(move || {
        while let Some(due) = shared.feeds.wait() {
            for feed in due {
                let wanted = ask(&shared, &feed);
                for wanted in &wanted {
                    runtime.block_on(add(&shared, wanted));
                }
                let state = shared.feeds.lock();
                if let Err(error) = shared.store.keep(ENTRY, &state.feeds) {
                    let text = format!("what feeds have shown cannot be written down: {error}");
                    shared.news.tell(Level::Warning, None, code::STORE_FAILED, text);
                }
                if state.has_ended {
                    return;
                }
            }
        }
    })
}

/// Asks a server; gives what rules want of its answer.
fn ask(shared: &Shared, feed: &Due) -> Vec<Wanted> {
    let fetched = fetch_newer(&feed.url, FEED_BYTES_MAX as u64, &shared.binding, &feed.known);
    let answer = match fetched {
        Ok(None) => Answer::Unchanged,
        Ok(Some((bytes, Validators { etag, modified }))) => match parse(&bytes) {
            Ok(items) => Answer::Items { items, etag, modified },
            Err(error) => Answer::Failed(error.to_string()),
        },
        Err(error) => Answer::Failed(error.to_string()),
    };
    let mut state = shared.feeds.lock();
    // Meanwhile it may have been given another address, or be gone: then this is nobody's answer.
    let asked = state.feeds.feeds().get(&feed.name).filter(|it| it.url == feed.url);
    let Some(is_first_failure) = asked.map(|it| it.failures == 0) else { return Vec::new() };
    if let Answer::Failed(error) = &answer
        && is_first_failure
    {
        // The address may hold a passkey.
        let text = format!("the feed {:?} cannot be read: {error}; it is asked again", feed.name);
        shared.news.tell(Level::Warning, None, code::FEED_FAILED, text);
    }
    state.feeds.answered(&feed.name, answer, clock::unix_seconds())
}

/// Adds what a rule wants, as the rule says.
async fn add(shared: &Arc<Shared>, wanted: &Wanted) {
    let rule = shared.feeds.read(|feeds| {
        feeds.rules().find(|(name, _)| *name == wanted.rule).map(|(_, rule)| rule.clone())
    });
    let Some(rule) = rule else { return };
    let record = Record {
        category: rule.category,
        tags: rule.tags,
        save_path: rule.save_path.unwrap_or_default(),
        is_stopped: rule.adds_stopped || shared.read().rules().adds_stopped,
        ..Record::default()
    };
    let source = NewSource::Link(wanted.link.clone());
    let new = New { source, record, at_top: false, peers: Vec::new() };
    match Handle::new(Arc::clone(shared)).add(new).await {
        Ok(added) => {
            let text = format!(
                "the rule {:?} took {:?} from {:?}",
                wanted.rule, wanted.title, wanted.feed
            );
            shared.news.tell(Level::Info, Some(added.id), code::FEED_TAKEN, text);
        }
        Err(refusal) => {
            let text =
                format!("{:?} of {:?} cannot be added: {refusal}", wanted.title, wanted.feed);
            shared.news.tell(Level::Warning, None, code::FEED_FAILED, text);
            shared.feeds.lock().feeds.failed(wanted);
        }
    }
}
