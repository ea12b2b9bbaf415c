//! A node in the market: its machines, its drive and its clock.

use super::cheat::Cheater;
use super::drive::{Drive, Writer};
use super::plan::{Cheat, Role, SeatSpec, SessionSpec};
use super::{FLOOR, LINK_BYTES, LINKS_MAX, network};
use piecework_pay::{
    Address, Delegate, Delegation, Key, Payer, Payments, PaymentsConfig, PaymentsInput,
    PaymentsOutput, Purse, PurseConfig, Record, Till, TillConfig, Typed,
};
use piecework_types::{Rng, Time};

/// Seconds since 1970 when a run begins.
pub(super) const WALL: u64 = 1_795_305_600;

/// How long a session key may sign.
const SESSION_SECONDS: u64 = 6 * 24 * 3600;

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

/// The session key of an account, and the account's word for it.
fn session(account: u8, spec: SessionSpec) -> Option<(Key, Delegation)> {
    let (owner, key) = (account_key(account)?, Key::new(&[account.saturating_add(101); 32]).ok()?);
    let SessionSpec { max_amount, bond_at_risk } = spec;
    let delegate = Delegate {
        owner: owner.address(),
        session: key.address(),
        token: network().token,
        max_amount,
        bond_at_risk,
        valid_until: WALL + SESSION_SECONDS,
    };
    let signature = owner.sign(&delegate.digest(&network().domain().separator()));
    let Delegate { session, valid_until, .. } = delegate;
    Some((key, Delegation { session, max_amount, bond_at_risk, valid_until, signature }))
}

fn payer(account: u8, spec: &SeatSpec) -> Option<Payer> {
    let owner = account_key(account)?;
    let address = owner.address();
    let (key, delegation) = match spec.session {
        Some(spec) => session(account, spec).map(|(key, word)| (key, Some(word)))?,
        None => (owner, None),
    };
    let (network, elsewhere, quiet_until) = (network(), 0, 0);
    Some(Payer { network, account: address, key, delegation, elsewhere, quiet_until })
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
                floor: if spec.cheat == Some(Cheat::Gouges) { FLOOR.percent(1000) } else { FLOOR },
                link_bytes: LINK_BYTES,
                links_max: LINKS_MAX,
                free_permille: super::FREE_PERMILLE,
            });
            machine.restore(records.iter().cloned());
            till = Some(machine);
        }
        Role::Buys { account, .. } => {
            let payers = payer(account, spec).into_iter().collect();
            let config = PurseConfig { payers, day_max: u128::MAX };
            let mut machine = Purse::new(config, entropy(rng));
            machine.restore(records.iter().cloned());
            purse = Some(machine);
        }
    }
    let entropy = entropy(rng);
    match spec.cheat {
        Some(cheat) => {
            let key = match spec.role {
                Role::Buys { account, .. } => account_key(account),
                Role::Sells { .. } => None,
            };
            let cheater = Cheater::new(cheat, (till, purse), key, rng.next_u64());
            Machine::Cheat(Box::new(cheater))
        }
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
