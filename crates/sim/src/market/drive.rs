//! A drive: records in their order, of which the last ones are on their way.

use piecework_pay::{Record, WriteId};
use piecework_types::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// What is flushed at once takes so long.
const AT_ONCE: Duration = Duration::from_millis(8);

/// Everything else is flushed together.
const TOGETHER: Duration = Duration::from_millis(200);

/// Which machine writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Writer {
    Till,
    Purse,
}

#[derive(Debug)]
struct Pending {
    at: Time,
    writer: Writer,
    id: WriteId,
    record: Record,
}

#[derive(Debug, Default)]
pub(super) struct Drive {
    pending: VecDeque<Pending>,
    records: Vec<(Time, Record)>,
    /// Lines of the ledger are lost: a bug on purpose.
    pub(super) loses_entries: bool,
}

impl Drive {
    pub(super) fn write(&mut self, now: Time, writer: Writer, write: piecework_pay::Write) {
        let at = now + if write.at_once { AT_ONCE } else { TOGETHER };
        // One flush takes all that waits.
        for earlier in &mut self.pending {
            earlier.at = earlier.at.min(at);
        }
        let piecework_pay::Write { id, record, .. } = write;
        self.pending.push_back(Pending { at, writer, id, record });
    }

    /// What has come to rest by now, a number for each record.
    pub(super) fn settle(&mut self, now: Time) -> Vec<(Writer, WriteId)> {
        let mut settled = Vec::new();
        while let Some(Pending { writer, id, record, .. }) =
            self.pending.pop_front_if(|it| it.at <= now)
        {
            if !(self.loses_entries && matches!(record, Record::Entry(_))) {
                self.records.push((now, record));
            }
            settled.push((writer, id));
        }
        settled
    }

    /// The power fails: what is on its way is lost.
    pub(super) fn crash(&mut self) {
        self.pending.clear();
    }

    /// The drive as it was then.
    pub(super) fn rewind(&mut self, to: Time) {
        self.records.retain(|(at, _)| *at <= to);
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().map(|(_, record)| record)
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.pending.is_empty()
    }
}
