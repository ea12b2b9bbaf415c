//! What is wanted of torrents, and what of it the purse has been told.

use super::PayWish;
use super::thread::Driver;
use crate::event::{Phase, TorrentKey};
use piecework_pay::{PaymentsInput, PurseInput, TorrentKey as Name, Wish};
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// What is wanted of one torrent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) wish: PayWish,
    /// As the purse was told; none before it was, and once the torrent is complete.
    told: Option<Wish>,
    pub(super) name: Option<Name>,
}

/// By torrent of the engine, and by the name that payments have for it.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    wanted: BTreeMap<TorrentKey, Wanted>,
    names: BTreeMap<Name, TorrentKey>,
}

impl Wishes {
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The torrent of this name, if something is wanted of it.
    pub(super) fn torrent(&self, name: &Name) -> Option<TorrentKey> {
        self.names.get(name).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TorrentKey, &Wanted)> {
        self.wanted.iter().map(|(torrent, wanted)| (*torrent, wanted))
    }

    fn want(&mut self, torrent: TorrentKey, wish: PayWish) {
        let wanted = self.wanted.entry(torrent);
        wanted.or_insert(Wanted { wish, told: None, name: None }).wish = wish;
    }

    fn forget(&mut self, torrent: TorrentKey) -> Option<Name> {
        let name = self.wanted.remove(&torrent)?.name?;
        self.names.remove(&name);
        Some(name)
    }
}

impl Driver {
    pub(super) fn take_wishes(&mut self, wishes: BTreeMap<TorrentKey, Option<PayWish>>) {
        for (torrent, wish) in wishes {
            match wish {
                Some(wish) => {
                    self.wishes.want(torrent, wish);
                    self.look_at_wish(torrent);
                }
                None => self.forget_wish(torrent),
            }
        }
    }

    pub(super) fn look_at_wishes(&mut self) {
        let torrents: Vec<TorrentKey> = self.wishes.wanted.keys().copied().collect();
        torrents.into_iter().for_each(|torrent| self.look_at_wish(torrent));
    }

    /// Tells the purse what is wanted of a torrent, and what it still lacks.
    fn look_at_wish(&mut self, torrent: TorrentKey) {
        let torrents = self.torrents.lock().unwrap_or_else(PoisonError::into_inner);
        let known = torrents.get(&torrent);
        let Some((info_hashes, figures)) = known.map(|it| (it.info_hashes, it.status.figures()))
        else {
            drop(torrents);
            return self.forget_wish(torrent);
        };
        drop(torrents);
        let Some(wanted) = self.wishes.wanted.get_mut(&torrent) else { return };
        let name = info_hashes.primary().0;
        wanted.name = Some(name);
        let PayWish { lane, budget, price_max } = wanted.wish;
        let limits = [figures.down_limit, self.shared.limits.down.limit()];
        let wish = Wish {
            torrent: name,
            lane,
            budget,
            price_max,
            left: figures.left_bytes,
            rate_max: limits.into_iter().flatten().min(),
        };
        let is_known = figures.phase == Phase::Active && figures.pieces > 0;
        let wish = (figures.left_bytes > 0).then_some(wish);
        if !is_known || wish == wanted.told {
            return;
        }
        wanted.told = wish;
        self.wishes.names.insert(name, torrent);
        self.input(PaymentsInput::Purse(match wish {
            Some(wish) => PurseInput::Want(wish),
            None => PurseInput::Forget(name),
        }));
    }

    fn forget_wish(&mut self, torrent: TorrentKey) {
        if let Some(name) = self.wishes.forget(torrent) {
            self.input(PaymentsInput::Purse(PurseInput::Forget(name)));
        }
    }
}
