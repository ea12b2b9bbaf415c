//! What people hand one another about money: a network file, a cheque, an amount. The first byte says which.
//! What reads well is written again and read the same.

#![no_main]

use alloy_primitives::U256;
use libfuzzer_sys::fuzz_target;
use piecework_settle::{ChequeFile, DECIMALS_MAX, Network, format_amount, parse_amount};

fuzz_target!(|input: &[u8]| {
    let [mode, bytes @ ..] = input else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match mode {
        b'n' => network(text),
        b'c' => cheque(text),
        decimals => amount(text, *decimals),
    }
});

fn network(text: &str) {
    let Ok(network) = Network::parse(text) else { return };
    let written = network.write().expect("what was read is in its bounds");
    assert_eq!(Network::parse(&written), Ok(network));
}

fn cheque(text: &str) {
    let Ok(cheque) = ChequeFile::parse(text) else { return };
    assert_eq!(ChequeFile::parse(&cheque.to_json().to_string()), Ok(cheque));
}

fn amount(text: &str, decimals: u8) {
    let Ok(amount) = parse_amount(text, decimals) else { return };
    assert!(decimals <= DECIMALS_MAX);
    assert_eq!(parse_amount(&format_amount(U256::from(amount), decimals), decimals), Ok(amount));
}
