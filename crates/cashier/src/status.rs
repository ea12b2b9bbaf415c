//! How things stand between a node and its chain, for faces.

use piecework_pay::{Address, Network};

/// Cash-outs that are shown at most.
pub const WAITING_MAX: usize = 256;

/// How the chain is reached.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum ChainState {
    /// It was not asked yet.
    #[default]
    Starting,
    /// It answers.
    Good,
    /// It does not, or is not the one that was seen: it is asked again, by and by less often.
    Down {
        /// Cause and remedy, for people.
        why: String,
        /// Since when, seconds since 1970.
        since: u64,
    },
}

/// A channel that is about to be cashed, or could not be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WaitingSale {
    /// In which money.
    pub network: Network,
    /// Who owes.
    pub payer: Address,
    /// On which channel.
    pub channel: u64,
    /// What it comes to, smallest units.
    pub amount: u128,
    /// Since when it is looked after here, seconds since 1970.
    pub since: u64,
    /// What stands in its way; none while a transaction is under way.
    pub why: Option<String>,
}

/// How things stand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// The chain.
    pub chain: ChainState,
    /// When it answered last, seconds since 1970.
    pub answered_at: Option<u64>,
    /// Whose coin pays for cash-outs; not known before the chain was reached.
    pub fee_account: Option<Address>,
    /// What coin is left for fees, wei.
    pub coin_left: Option<u128>,
    /// What cashing one cheque takes of it about, wei.
    pub cheque_fee: Option<u128>,
    /// That fee in the token, by which the till decides what is worth cashing.
    pub cheque_fee_token: u128,
    /// That fees cost something and nobody has said what a coin is worth in the token: they count as
    /// nothing, so that small sums are cashed too.
    pub is_unpriced: bool,
    /// That the coin does not suffice for another cash-out; cause and remedy.
    pub dry: Option<String>,
    /// What the vault has credited to the payee, over all tokens of the network: the wallet takes it out.
    pub credit: u128,
    /// What is about to be cashed, and what could not be.
    pub waiting: Vec<WaitingSale>,
}

impl Status {
    /// A cash-out is looked after, or something is in its way.
    pub(crate) fn note(&mut self, sale: WaitingSale) {
        let same = |it: &&mut WaitingSale| is_same(it, &sale);
        if let Some(known) = self.waiting.iter_mut().find(same) {
            *known = WaitingSale { since: known.since, ..sale };
        } else if self.waiting.len() < WAITING_MAX {
            self.waiting.push(sale);
        }
    }

    /// It is cashed.
    pub(crate) fn done(&mut self, (network, payer, channel): (Network, Address, u64)) {
        self.waiting.retain(|it| (it.network, it.payer, it.channel) != (network, payer, channel));
    }
}

fn is_same(one: &WaitingSale, other: &WaitingSale) -> bool {
    (one.network, one.payer, one.channel) == (other.network, other.payer, other.channel)
}
