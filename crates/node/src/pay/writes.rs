//! What waits to be written: gathered, written in one transaction, tried again when that fails.

use super::host::PayHost;
use piecework_pay::{Address, Entry, Network, Record, Side, TorrentKey, Write, WriteId};
use piecework_types::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long what nobody waits for may wait for others.
const TOGETHER: Duration = Duration::from_millis(200);

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Records beyond which those of one name become one: there are more only while nothing can be written.
const RECORDS_MAX: usize = 4096;

/// Which machine has said it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Author {
    Till,
    Purse,
}

/// What the drive has now.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Written {
    pub(super) till: Option<WriteId>,
    pub(super) purse: Option<WriteId>,
}

/// How an attempt ended.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Attempt {
    Written(Written),
    /// Why, when that is news.
    Failed(Option<String>),
}

/// Records on their way to the drive.
#[derive(Debug)]
pub(super) struct Writes {
    records: Vec<Record>,
    /// The last of them of each machine.
    last: Written,
    /// When they are due.
    at: Time,
    /// Why they could not be written.
    fault: Option<String>,
    /// Records at which those of one name become one.
    most: usize,
}

impl Default for Writes {
    fn default() -> Self {
        let (records, last) = (Vec::new(), Written::default());
        Self { records, last, at: Time::NEVER, fault: None, most: RECORDS_MAX }
    }
}

impl Writes {
    pub(super) fn add(&mut self, author: Author, write: Write, now: Time) {
        self.records.push(write.record);
        match author {
            Author::Till => self.last.till = Some(write.id),
            Author::Purse => self.last.purse = Some(write.id),
        }
        if self.fault.is_none() {
            self.at = self.at.min(if write.at_once { now } else { now + TOGETHER });
        }
        if self.records.len() > self.most {
            self.records = one_of_each_name(std::mem::take(&mut self.records));
            // What does not get less is not looked through each time.
            self.most = RECORDS_MAX.max(2 * self.records.len());
        }
    }

    /// When they are due.
    pub(super) const fn at(&self) -> Time {
        self.at
    }

    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Writes all of it in one transaction.
    pub(super) fn attempt(&mut self, host: &mut dyn PayHost, now: Time) -> Attempt {
        match host.write(&self.records) {
            Ok(()) => {
                self.records.clear();
                (self.at, self.fault, self.most) = (Time::NEVER, None, RECORDS_MAX);
                Attempt::Written(std::mem::take(&mut self.last))
            }
            Err(error) => {
                self.at = now + AGAIN;
                let is_news = self.fault.replace(error.clone()).is_none();
                Attempt::Failed(is_news.then_some(error))
            }
        }
    }
}

/// What names a record: a later one takes the place of an earlier, and lines of the ledger add up.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Name {
    Purchase(Network, Address, u64),
    Sale(Network, Address, u64),
    Standing(Network, Address),
    Entry(bool, TorrentKey, Network, Address, u64),
}

fn name(record: &Record) -> Name {
    match record {
        Record::Purchase(it) => {
            let cheque = &it.signed.cheque;
            Name::Purchase(it.network, cheque.payee, cheque.channel)
        }
        Record::Sale(it) => {
            let cheque = &it.last.signed.cheque;
            Name::Sale(it.network, cheque.payer, cheque.channel)
        }
        Record::Standing(it) => Name::Standing(it.network, it.account),
        Record::Entry(it) => {
            let sells = it.side == Side::Selling;
            Name::Entry(sells, it.torrent, it.network, it.counterparty, it.channel)
        }
    }
}

fn one_of_each_name(records: Vec<Record>) -> Vec<Record> {
    let mut kept: BTreeMap<Name, Record> = BTreeMap::new();
    for record in records {
        let name = name(&record);
        let before = kept.remove(&name);
        let record = match (before, record) {
            (Some(Record::Entry(before)), Record::Entry(after)) => Record::Entry(Entry {
                bytes: before.bytes.saturating_add(after.bytes),
                amount: before.amount.saturating_add(after.amount),
                ..after
            }),
            (_, record) => record,
        };
        kept.insert(name, record);
    }
    kept.into_values().collect()
}

#[cfg(test)]
mod tests;
