//! What a clerk is asked for, and whom it answers.

use piecework_ledger::CashOut;
use piecework_pay::{Address, B256, Facts, FactsKey, Network, Payer, Sale, Typed};
use piecework_settle::Question;

/// A wish of the node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ask {
    /// What the chain says of a payer.
    Facts(FactsKey),
    /// What it says of our own account.
    Funds(Network),
    /// Cash this channel.
    Cash(Box<Sale>),
    /// Pay from this account from now on.
    Account(OwnAccount),
}

/// Who gets what the clerk finds out.
pub(crate) trait Desk: Send {
    /// The answer to [`Ask::Facts`].
    fn facts(&mut self, key: FactsKey, facts: Option<Facts>);

    /// The answer to [`Ask::Funds`].
    fn funds(&mut self, network: Network, facts: Option<Facts>);

    /// The answer to [`Ask::Cash`]: what was paid on the channel in all; nothing: to be tried again later.
    fn cashed(&mut self, sale: &SaleKey, paid: Option<u128>);

    /// An account, its bond or a delegation of it is about to go.
    fn exiting(&mut self, network: Network, payer: Address);

    /// A cash-out that counts. It is told again until it is written.
    fn settled(&mut self, cash_out: &CashOut) -> Result<(), String>;
}

/// Which channel of ours.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct SaleKey {
    pub(crate) network: Network,
    pub(crate) payer: Address,
    pub(crate) channel: u64,
}

impl SaleKey {
    pub(crate) fn of(sale: &Sale) -> Self {
        let cheque = &sale.last.signed.cheque;
        Self { network: sale.network, payer: cheque.payer, channel: cheque.channel }
    }
}

/// What this node pays from, in one network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwnAccount {
    /// In which money.
    pub network: Network,
    /// The account in the vault.
    pub account: Address,
    /// The digest of the delegation that the node signs under, and its last second since 1970; none with the
    /// account's own key.
    pub delegation: Option<(B256, u64)>,
}

impl OwnAccount {
    /// The account that a purse pays from.
    #[must_use]
    pub fn of(payer: &Payer) -> Self {
        let separator = payer.network.domain().separator();
        let delegation = payer.delegation.map(|word| {
            let delegate = crate::payers::delegate(&word, payer.account, payer.network.token);
            (delegate.digest(&separator), word.valid_until)
        });
        Self { network: payer.network, account: payer.account, delegation }
    }

    /// What is asked of it, and when its delegation ends.
    pub(crate) fn question(&self) -> (Question, u64) {
        let delegation = self.delegation.map(|(digest, _)| digest);
        let (payer, token) = (self.account, self.network.token);
        let question = Question { payer, payee: Address::ZERO, token, channel: 0, delegation };
        (question, self.delegation.map_or(0, |(_, until)| until))
    }
}
