//! What moves on the lines: messages, and data as sellers were told to serve it.

use super::{LATE, LineSpec, MarketWorld, Parcel, STEP, STOPS};
use crate::market::FREE_PERMILLE;
use crate::market::plan::{Cheat, Role};
use crate::origin::mix;
use crate::plant::Plant;
use piecework_pay::{Counts, PaymentsInput, Service};
use piecework_types::BLOCK_BYTES;

impl MarketWorld {
    pub(super) fn deliver(&mut self, number: usize) {
        while let Some((_, parcel)) =
            self.lines[number].parcels.pop_front_if(|(at, _)| *at <= self.now)
        {
            self.frames += 1;
            let line = &self.lines[number];
            let (peer, LineSpec { seller, buyer, .. }) = (line.key(number), line.spec);
            let length = match parcel {
                Parcel::ToSeller(bytes) => {
                    let length = bytes.len() as u64;
                    self.tell(seller, PaymentsInput::Payload { peer, bytes });
                    length
                }
                Parcel::ToBuyer(bytes) => {
                    let length = bytes.len() as u64;
                    self.tell(buyer, PaymentsInput::Payload { peer, bytes });
                    length
                }
                Parcel::Bytes(bytes) => {
                    self.came(number, bytes);
                    bytes
                }
            };
            self.trace = mix(self.trace ^ self.now.as_micros() ^ (length << 40));
        }
    }

    /// Data has come: what of it makes whole pieces is verified.
    fn came(&mut self, number: usize, bytes: u64) {
        let is_corrupt = {
            let seller = self.lines[number].spec.seller;
            self.seats[seller].spec.cheat == Some(Cheat::Corrupts)
        };
        let piece = u64::from(self.plan.piece_bytes);
        let line = &mut self.lines[number];
        let (peer, buyer) = (line.key(number), line.spec.buyer);
        line.came += bytes;
        let whole = line.came / piece * piece;
        if !is_corrupt {
            line.report.verified += whole - line.verified;
            line.verified = whole;
        }
        let verified =
            if self.plan.plant == Some(Plant::PaysUnverified) { line.came } else { line.verified };
        let told = is_corrupt && whole > 0 && !std::mem::replace(&mut line.is_corrupt_told, true);
        let came = Counts { bytes: line.came, verified, back: 0 };
        let served = Counts::default();
        self.tell(buyer, PaymentsInput::Counted { peer, served, came });
        if told && self.plan.plant != Some(Plant::PaysUnverified) {
            self.tell(buyer, PaymentsInput::Corrupt { peer });
        }
    }

    /// Every seller serves as it was told.
    pub(super) fn serve(&mut self) {
        let mut free = vec![0_u64; self.seats.len()];
        for line in self.lines.iter().filter(|line| line.is_up) {
            free[line.spec.seller] += u64::from(line.service == Service::Free);
        }
        let is_late =
            self.now + STOPS < self.plan.ends && self.now + STOPS + LATE >= self.plan.ends;
        for number in 0..self.lines.len() {
            let line = &mut self.lines[number];
            let Role::Sells { uplink } = self.seats[line.spec.seller].spec.role else { continue };
            let share = uplink * u64::from(FREE_PERMILLE) / 1000 / free[line.spec.seller].max(1);
            let goes_on = self.plan.has_free_lane && !self.has_stopped;
            let (rate, limit) = match line.service {
                Service::Free => (if goes_on { share } else { 0 }, u64::MAX),
                Service::Paid { rate, limit, .. } => (rate, limit),
            };
            if !line.is_up || rate == 0 {
                continue;
            }
            let cheat = self.seats[line.spec.seller].spec.cheat;
            let is_paid = line.service != Service::Free;
            let promised = rate;
            let rate = if is_paid && cheat == Some(Cheat::Throttles) { rate / 8 } else { rate };
            let block = u64::from(BLOCK_BYTES);
            line.credit += u128::from(rate) * STEP.as_micros();
            // Who waits at its limit saves nothing for later, but for a block.
            let room = limit.saturating_sub(line.sent) / block * block;
            let ready = (line.credit / 1_000_000) as u64 / block * block;
            let bytes = ready.min(room);
            line.credit -= u128::from(ready) * 1_000_000;
            if is_late {
                line.report.late_allocated +=
                    if is_paid { promised * STEP.as_micros() as u64 / 1_000_000 } else { 0 };
                line.report.late_bytes += if is_paid { bytes } else { 0 };
                line.report.late_free += if is_paid { 0 } else { bytes };
            }
            if bytes == 0 {
                continue;
            }
            if is_paid {
                line.note_paid(self.now);
            }
            line.sent += bytes;
            line.report.sent += bytes;
            line.report.paid_sent += if is_paid { bytes } else { 0 };
            // What was cancelled in time comes too, and counts for the seller alone.
            let cancelled = if cheat == Some(Cheat::IgnoresCancels) {
                (line.sent / block / 4 - (line.sent - bytes) / block / 4) * block
            } else {
                0
            };
            let wanted = bytes - cancelled;
            line.parcels.push_back((self.now + line.spec.latency, Parcel::Bytes(wanted)));
            let counts = Counts { bytes: line.sent, verified: 0, back: 0 };
            let (peer, seller) = (line.key(number), line.spec.seller);
            let came = Counts::default();
            self.tell(seller, PaymentsInput::Counted { peer, served: counts, came });
        }
    }
}
