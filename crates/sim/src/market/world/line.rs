//! A connection between a seller and a buyer.

use crate::market::MarketLine;
use crate::market::plan::LineSpec;
use piecework_pay::{PeerKey, Service};
use piecework_types::Time;
use std::collections::VecDeque;

/// What is on a line.
pub(super) enum Parcel {
    ToSeller(Vec<u8>),
    ToBuyer(Vec<u8>),
    Bytes(u64),
}

/// A connection.
pub(in crate::market) struct Line {
    pub(in crate::market) spec: LineSpec,
    /// How often it was made.
    pub(in crate::market) generation: u32,
    pub(super) is_up: bool,
    made_at: Time,
    /// Bytes of the paid lane have left since then.
    has_paid: bool,
    pub(super) service: Service,
    pub(super) sent: u64,
    pub(super) came: u64,
    pub(super) verified: u64,
    /// Bytes that it may be sent, times a million.
    pub(super) credit: u128,
    pub(super) is_corrupt_told: bool,
    pub(super) parcels: VecDeque<(Time, Parcel)>,
    pub(in crate::market) report: MarketLine,
}

impl Line {
    /// One that was not made yet.
    pub(super) fn new(spec: &LineSpec) -> Self {
        Self {
            spec: *spec,
            generation: 0,
            is_up: false,
            made_at: Time::ZERO,
            has_paid: false,
            service: Service::Free,
            sent: 0,
            came: 0,
            verified: 0,
            credit: 0,
            is_corrupt_told: false,
            parcels: VecDeque::new(),
            report: MarketLine::default(),
        }
    }

    /// It is made, and begins at nothing.
    pub(super) fn begin(&mut self, now: Time) {
        let Self { spec, generation, report, .. } = &*self;
        let made = Self { generation: generation + 1, report: *report, ..Self::new(spec) };
        *self = Self { is_up: true, made_at: now, ..made };
    }

    /// No two connections have the same name.
    pub(super) fn key(&self, number: usize) -> PeerKey {
        PeerKey(u64::from(self.generation) << 32 | number as u64)
    }

    /// Bytes of the paid lane leave, and are there a latency later.
    pub(super) fn note_paid(&mut self, now: Time) {
        if std::mem::replace(&mut self.has_paid, true) {
            return;
        }
        let wait = now.since(self.made_at) + self.spec.latency;
        let report = &mut self.report;
        let noted =
            if self.generation > 1 { &mut report.later_wait } else { &mut report.first_wait };
        *noted = (*noted).max(Some(wait));
    }
}
