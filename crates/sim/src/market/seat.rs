//! A node in the market: its machines, its drive and its clock.

use super::cheat::Cheater;
use super::drive::{Drive, Writer};
use super::plan::{Role, SeatSpec};
use super::{FLOOR, LINK_BYTES, LINKS_MAX, network};
use piecework_pay::{
    Address, Key, Payer, Payments, PaymentsConfig, PaymentsInput, PaymentsOutput, Purse,
    PurseConfig, Record, Till, TillConfig,
};
use piecework_types::{Rng, Time};

/// Seconds since 1970 when a run begins.
pub(super) const WALL: u64 = 1_795_305_600;

/// The whole of a node's payments, honest or not.
pub(super) enum Machine {
    Honest(Box<Payments>),
    Cheat(Box<Cheater>),
}

/// A node.
pub(super) struct Seat {
    pub(super) spec: SeatSpec,
    pub(super) machine: Machine,
    pub(super) drive: Drive,
    number: usize,
}

impl Seat {
    pub(super) fn new(number: usize, spec: SeatSpec, rng: &mut Rng) -> Self {
        let machine = machine(number, &spec, &[], rng);
        Self { spec, machine, drive: Drive::default(), number }
    }

    /// It begins anew with what its drive has.
    pub(super) fn restart(&mut self, rng: &mut Rng) {
        let records: Vec<Record> = self.drive.records().cloned().collect();
        self.machine = machine(self.number, &self.spec, &records, rng);
    }

    pub(super) const fn is_honest(&self) -> bool {
        self.spec.cheat.is_none()
    }

    /// Whom it is paid as.
    pub(super) fn payee(&self) -> Address {
        payee(self.number)
    }

    /// Whose money it pays with.
    pub(super) fn payer(&self) -> Option<Address> {
        let Role::Buys { account, .. } = self.spec.role else { return None };
        Some(account_address(account))
    }

    pub(super) fn wall(&self, now: Time) -> u64 {
        chain_wall(now).saturating_add_signed(self.spec.clock_ahead)
    }

    pub(super) fn handle(&mut self, now: Time, input: PaymentsInput) {
        let wall = self.wall(now);
        match &mut self.machine {
            Machine::Honest(payments) => payments.handle(now, wall, input),
            Machine::Cheat(cheater) => cheater.handle(now, wall, input),
        }
    }

    pub(super) fn poll(&mut self) -> Option<PaymentsOutput> {
        match &mut self.machine {
            Machine::Honest(payments) => payments.poll(),
            Machine::Cheat(cheater) => cheater.poll(),
        }
    }

    pub(super) fn poll_timeout(&self) -> Time {
        match &self.machine {
            Machine::Honest(payments) => payments.poll_timeout(),
            Machine::Cheat(cheater) => cheater.poll_timeout(),
        }
    }

    pub(super) fn write(&mut self, now: Time, writer: Writer, write: piecework_pay::Write) {
        self.drive.write(now, writer, write);
    }
}

/// The chain's time.
pub(super) fn chain_wall(now: Time) -> u64 {
    WALL + now.as_micros() / 1_000_000
}

pub(super) fn account_address(account: u8) -> Address {
    account_key(account).map_or(Address::ZERO, |key| key.address())
}

fn account_key(account: u8) -> Option<Key> {
    Key::new(&[account.saturating_add(1); 32]).ok()
}

fn payee(number: usize) -> Address {
    let mut bytes = [0x50; 20];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Address::new(bytes)
}

fn machine(number: usize, spec: &SeatSpec, records: &[Record], rng: &mut Rng) -> Machine {
    let (mut till, mut purse) = (None, None);
    match spec.role {
        Role::Sells { .. } => {
            let mut machine = Till::new(TillConfig {
                networks: vec![network()],
                payee: payee(number),
                floor: FLOOR,
                link_bytes: LINK_BYTES,
                links_max: LINKS_MAX,
                free_permille: super::FREE_PERMILLE,
            });
            machine.restore(records.iter().cloned());
            till = Some(machine);
        }
        Role::Buys { account, .. } => {
            let payers = account_key(account).map(|key| Payer {
                network: network(),
                account: key.address(),
                key,
                delegation: None,
                elsewhere: 0,
                quiet_until: 0,
            });
            let config = PurseConfig { payers: payers.into_iter().collect(), day_max: u128::MAX };
            let mut machine = Purse::new(config, entropy(rng));
            machine.restore(records.iter().cloned());
            purse = Some(machine);
        }
    }
    let entropy = entropy(rng);
    match spec.cheat {
        Some(cheat) => Machine::Cheat(Box::new(Cheater::new(cheat, till, purse, rng.next_u64()))),
        None => {
            let config = PaymentsConfig { till, purse, offsets: false, entropy };
            Machine::Honest(Box::new(Payments::new(config)))
        }
    }
}

fn entropy(rng: &mut Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.iter_mut().for_each(|byte| *byte = rng.next_u64() as u8);
    bytes
}
