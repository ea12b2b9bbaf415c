//! What the chain says of an account, and how much may be owed by it.

/// What a seller knows of a payer's account in one token, as the vault keeps it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// Not bound to anybody; it includes a pending exit.
    pub free: u128,
    /// Of it, what is to be taken out.
    pub exit: u128,
    /// What burns on a bounce.
    pub bond: u128,
    /// Whether the bond is to be taken out: then it counts as none.
    pub bond_exits: bool,
    /// When it was first funded; 0 never.
    pub epoch: u64,
    /// Cheques that were not paid whole, ever.
    pub bounces: u64,
    /// What accepted cheques still claim.
    pub owed: u128,
    /// Reserved for this payee.
    pub lock: u128,
    /// Until when, seconds since 1970.
    pub lock_until: u64,
    /// What was claimed under the delegation in question.
    pub spent: u128,
    /// Whether that delegation is revoked, be it that the day until it takes effect is not over.
    pub revoked: bool,
    /// Highest value ever accepted of the channel in question.
    pub claimed: u128,
    /// What was paid of it.
    pub paid: u128,
    /// Whether the deposit is final; until then the first window is all.
    pub is_final: bool,
    /// The chain's time, seconds since 1970.
    pub chain_time: u64,
    /// What cashing one cheque costs, in the token.
    pub fee: u128,
}
