//! What payments have to tell, in words.

use piecework_node::{PayNews, TorrentKey};
use piecework_pay::Hold;

/// Something that a person may want to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// Which torrent it is about.
    pub torrent: Option<TorrentKey>,
    /// Something does not work.
    pub is_problem: bool,
    /// Cause and remedy.
    pub text: String,
}

impl Told {
    /// News of payments for people. What strangers do wrong is none; it goes to the log.
    pub fn of(news: &PayNews) -> Option<Self> {
        let (is_problem, torrent, text) = match news {
            PayNews::NearlySpent { torrent } => {
                (true, Some(*torrent), "four fifths of its budget are spent".to_owned())
            }
            PayNews::Held { torrent, hold: Some(hold) } => {
                (true, Some(*torrent), format!("nothing is bought: {}", hold_text(*hold)))
            }
            PayNews::Held { torrent, hold: None } => {
                (false, Some(*torrent), "faster lanes are bought again".to_owned())
            }
            PayNews::Faulted { address, reason, is_off, .. } => {
                tracing::debug!(peer = %address, %reason, is_off, "a peer broke the rules of payments");
                return None;
            }
            PayNews::WriteFailed(why) => {
                let text =
                    format!("nothing is sold or bought until the ledger can be written: {why}");
                (true, None, text)
            }
            PayNews::WritesAgain => (false, None, "the ledger is written again".to_owned()),
            PayNews::Unlimited(true) => {
                let text = "nothing is sold: what is sent has no limit any more; set speed.up";
                (true, None, text.to_owned())
            }
            PayNews::Unlimited(false) => (false, None, "lanes are sold from now on".to_owned()),
        };
        Some(Self { torrent, is_problem, text })
    }
}

/// Why nothing is bought, and what helps.
pub const fn hold_text(hold: Hold) -> &'static str {
    match hold {
        Hold::Budget => "the budget is used up: give it more with `piecework lane`",
        Hold::Day => {
            "what may be spent in a day is used up: wait for tomorrow (UTC), or raise --day-max"
        }
        Hold::Funds => {
            "the node's session key has too little left or ends soon, or the vault has: \
             `piecework vault deposit`, then `piecework buy on --max AMOUNT`"
        }
        Hold::Price => "every seller asks more than the highest price: raise it with --max-price",
        Hold::Chain => "the chain does not answer; it is asked again each minute",
    }
}
