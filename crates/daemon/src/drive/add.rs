//! Adding torrents.

use super::Driver;
use crate::handle::Added;
use crate::news::{Level, code};
use crate::request::{NewTorrent, Reply};
use crate::source::{Contents, arrival};
use crate::store::Kept;
use piecework_catalog::{Command, Moment, Refusal};
use piecework_types::InfoHash;

impl Driver {
    pub(super) fn add(&mut self, new: NewTorrent, reply: Reply<Added>, moment: Moment) {
        match self.add_one(new, moment) {
            Ok(added) => self.answer(reply, added),
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    pub(super) fn add_all(
        &mut self,
        news: Vec<Result<Box<NewTorrent>, Refusal>>,
        reply: Reply<Vec<Result<Added, Refusal>>>,
        moment: Moment,
    ) {
        let added = news.into_iter().map(|new| self.add_one(*new?, moment)).collect();
        self.answer(reply, added);
    }

    fn add_one(&mut self, new: NewTorrent, moment: Moment) -> Result<Added, Refusal> {
        if let Some(refusal) = self.refuses_changes() {
            return Err(refusal);
        }
        let present = self.names.find(&self.shared.read(), new.found.info_hashes);
        match present {
            Some(id) => self.add_again(id, new, moment),
            None => self.add_new(new, moment),
        }
    }

    fn add_new(&mut self, new: NewTorrent, moment: Moment) -> Result<Added, Refusal> {
        let NewTorrent { found, record, at_top, peers } = new;
        let (id, info_hashes) = (found.info_hashes.primary(), found.info_hashes);
        let text = format!("added {}", record.name);
        self.catalog().command(Command::Add { record: Box::new(record), at_top }, moment)?;
        self.names.insert_all(id, info_hashes);
        if let Contents::Metainfo(bytes, metainfo) = found.contents {
            self.changes.metainfo.insert(id, Kept::Torrent(bytes));
            self.fresh.insert(id, metainfo);
        }
        if !peers.is_empty() {
            self.first_peers.insert(id, peers);
        }
        self.shared.news.tell(Level::Info, Some(id), code::TORRENT_ADDED, text);
        Ok(Added { id, was_there: false })
    }

    /// Takes over what is new in a torrent that is there already.
    fn add_again(
        &mut self,
        id: InfoHash,
        new: NewTorrent,
        moment: Moment,
    ) -> Result<Added, Refusal> {
        let found = new.found;
        let (trackers, web_seeds) = (found.trackers, found.web_seeds);
        self.catalog().command(Command::AddAgain { id, trackers, web_seeds }, moment)?;
        let lacks_metainfo =
            self.shared.read().get(id).is_some_and(|torrent| !torrent.record().has_metainfo);
        if let Contents::Metainfo(bytes, metainfo) = found.contents
            && lacks_metainfo
        {
            self.changes.metainfo.insert(id, Kept::Torrent(bytes));
            self.names.insert_all(id, found.info_hashes);
            self.catalog().report(id, arrival(metainfo.info(), found.comment), moment);
            self.stop_twins(id, found.info_hashes, moment);
            // Nobody may ever have sent it.
            self.reload(id);
        }
        Ok(Added { id, was_there: true })
    }
}
