//! What a contract says when it refuses, in words with a remedy.

use crate::abi::{Assets, Solidity, Vault};
use crate::rpc::cleaned;
use alloy_sol_types::SolInterface;

/// Characters of a foreign contract's words that are shown.
const WORDS_MAX: usize = 200;

/// The words for a revert's data; none for what no contract of ours says.
pub(crate) fn reason(data: &[u8]) -> Option<String> {
    if let Ok(error) = Vault::VaultErrors::abi_decode(data) {
        return Some(vault(&error));
    }
    if let Ok(error) = Assets::AssetsErrors::abi_decode(data) {
        return Some(assets(&error).to_owned());
    }
    match Solidity::SolidityErrors::abi_decode(data).ok()? {
        Solidity::SolidityErrors::Error(error) => Some(cleaned(&error.message, WORDS_MAX)),
        Solidity::SolidityErrors::Panic(error) => {
            Some(format!("the contract gave up (panic {})", error.code))
        }
    }
}

fn vault(error: &Vault::VaultErrors) -> String {
    use Vault::VaultErrors as Refusal;
    match error {
        Refusal::InvalidCheque(it) => format!("the cheque is invalid: {}", cheque_fault(it.fault)),
        Refusal::TooManyClaims(_) => "more than 256 cheques in one call".into(),
        Refusal::InsufficientFree(_) => {
            "the vault holds less than that free: deposit more first, or do it with less".into()
        }
        Refusal::InsufficientCredit(_) => "there is less credit than that".into(),
        Refusal::NotRequested(_) => "it was not requested: request the exit first".into(),
        Refusal::NotBefore(it) => format!("not before {} (seconds since 1970)", it.time),
        Refusal::StillOwed(it) => {
            format!("cheques over {} are still owed: repay them first", it.owed)
        }
        Refusal::LockShrinks(_) => "a lock's end only moves on: name a later one".into(),
        Refusal::LockNotOver(_) => {
            "the lock ends 24 hours after its time: wait, or ask the payee to sign its closing"
                .into()
        }
        Refusal::BadCloseSignature(_) => {
            "the payee did not sign this closing: ask for a signature of the lock's present number"
                .into()
        }
        Refusal::AlreadyRevoked(_) => {
            "it is revoked already, and takes effect 24 hours after that".into()
        }
        Refusal::NotSeconds(_) => {
            "this chain's clock does not count in seconds: the vault cannot be used on it".into()
        }
        Refusal::Reentered(_) => "the token called the vault back: do not use this token".into(),
        Refusal::TransferFailed(_) => {
            "the token did not move: is there enough of it, and is the vault allowed to take it?"
                .into()
        }
        Refusal::InexactTransfer(_) => {
            "the token moved another amount than it was told, and one that takes fees cannot be in the \
             vault: use another token"
                .into()
        }
    }
}

fn assets(error: &Assets::AssetsErrors) -> &'static str {
    use Assets::AssetsErrors as Refusal;
    match error {
        Refusal::BadName(_) => "a name has 1 to 64 bytes",
        Refusal::BadSymbol(_) => "a symbol has 1 to 16 bytes",
        Refusal::BadDecimals(_) => "a token has at most 18 decimals",
        Refusal::BadSupply(_) => "a supply is above 0",
        Refusal::UnknownAsset(_) => "there is no token of this number",
        Refusal::NotItsFace(_) => "only a token's own contract may do that",
        Refusal::InsufficientBalance(_) => "there is less of the token than that",
        Refusal::InsufficientAllowance(_) => "less of the token is allowed than that",
        Refusal::ZeroAddress(_) => "nobody has the address 0",
    }
}

/// What is wrong with a cheque, by the number that the `Vault` gives it.
pub(crate) fn cheque_fault(fault: u8) -> &'static str {
    match fault {
        0 => "nothing is wrong",
        1 => "it has more than 4,096 links",
        2 => "the link lies behind its last",
        3 => "its value is over 2^128 - 1",
        4 => "it is of another epoch: the payer's account was not funded, or anew",
        5 => "the link does not lead to its root",
        6 => "the payer did not sign it",
        7 => "the delegation is another owner's, token's or session key's",
        8 => "the delegation has expired",
        9 => "the delegation ends more than 8 days from now",
        10 => "the delegation is revoked",
        11 => "the owner did not sign the delegation",
        _ => "for a reason that this program does not know: use a newer one",
    }
}
