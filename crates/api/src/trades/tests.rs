use super::*;
use piecework_pay::{Address, B256, Entry, Record};
use piecework_settle::{Coin, Contract, Format, Money, TokenEntry};

const NOON: u64 = 20_779 * 86_400 + 43_200;

fn network() -> Network {
    let contract = Contract { address: Address::repeat_byte(1), code_hash: B256::ZERO };
    let token = TokenEntry {
        address: Address::repeat_byte(2),
        code_hash: B256::ZERO,
        name: "Piece".into(),
        symbol: "PCE".into(),
        decimals: 6,
    };
    Network {
        format: Format,
        name: "home".into(),
        chain_id: 9,
        genesis: B256::repeat_byte(3),
        hardfork: "prague".into(),
        rpc: vec!["http://127.0.0.1:8545".into()],
        confirmations: 0,
        first_block: 0,
        coin: Coin { symbol: "PWC".into() },
        vault: contract,
        assets: contract,
        tokens: vec![token],
        money: Money::Test,
    }
}

fn trades(network: Option<Network>) -> (tempfile::TempDir, Trades) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    let money = Payment {
        chain_id: 9,
        vault: Address::repeat_byte(1),
        token: Address::repeat_byte(2),
        genesis: [3; 8],
    };
    let entry = Entry {
        side: Side::Selling,
        torrent: [0xab; 20],
        network: money,
        counterparty: Address::ZERO,
        channel: 7,
        bytes: 1 << 30,
        amount: 1_500_000,
        price: Price::new(2000).unwrap(),
    };
    ledger.write_at(&[Record::Entry(entry)], NOON).unwrap();
    (folder, Trades { ledger, network })
}

fn named(_: &TorrentKey) -> Option<String> {
    Some("=SUM(A1), \"film\"\n".into())
}

#[test]
fn amounts_are_texts_in_whole_tokens_marked_as_test_money() {
    let (_folder, trades) = trades(Some(network()));
    let report = trades.report(Side::Selling, &Filter::default(), named).unwrap();
    let [line] = &report.torrents[..] else { panic!("{report:?}") };
    let shown = (line.amount.as_str(), line.pending.as_str(), line.settled.as_str());
    assert_eq!(shown, ("1.5", "1.5", "0"));
    assert_eq!((line.symbol.as_deref(), line.is_test_money), (Some("PCE"), true));
    assert_eq!(line.price_per_gib, "2.048");
    assert_eq!(line.price_mean_per_gib.as_deref(), Some("1.499136"));
    assert_eq!(line.torrent.as_deref(), Some("ab".repeat(20).as_str()));
    assert_eq!(report.days[0].day.as_deref(), Some("2026-11-22"));
    assert_eq!(report.peers[0].peer, Some(Address::ZERO.to_string()));
    assert_eq!((report.totals.len(), report.totals[0].bytes), (1, 1 << 30));
}

#[test]
fn a_token_that_no_file_names_is_counted_in_its_smallest_unit() {
    let other = Network { genesis: B256::ZERO, money: Money::Real, ..network() };
    for unknown in [None, Some(other)] {
        let (_folder, trades) = trades(unknown);
        let report = trades.report(Side::Selling, &Filter::default(), named).unwrap();
        let line = &report.totals[0];
        assert_eq!((line.amount.as_str(), &line.symbol), ("1500000", &None));
        assert!(line.is_test_money && line.network.is_none());
    }
}

#[test]
fn a_name_is_quoted_in_a_csv_and_no_formula() {
    let (_folder, trades) = trades(Some(network()));
    let text = trades.csv(Side::Selling, &Filter::default(), named).unwrap();
    let lines: Vec<_> = text.split("\r\n").collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(format!("{}\r\n", lines[0]), COLUMNS);
    let begin = format!("2026-11-22,{},\"'=SUM(A1), \"\"film\"\"\",0x0000", "ab".repeat(20));
    assert!(lines[1].starts_with(&begin), "{text}");
    let end = format!(
        ",home,{},PCE,true,1073741824,1.5,0,1.5,2.048,0,0,{NOON},{NOON}",
        Address::repeat_byte(2)
    );
    assert!(lines[1].ends_with(&end), "{text}");
    assert_eq!(trades.csv(Side::Buying, &Filter::default(), named).unwrap(), COLUMNS);
}

#[test]
fn days_are_read_as_they_are_written() {
    for (text, day) in [("1970-01-01", 0), ("2000-02-29", 11_016), ("2026-11-22", 20_779)] {
        assert_eq!((day_of(text), date(day)), (Ok(day), text.to_owned()));
    }
    for text in ["", "1969-12-31", "2026-02-29", "22.11.2026", "2026-11-22T00:00", "yesterday"] {
        assert!(day_of(text).is_err(), "{text}");
    }
    assert_eq!(date(u64::MAX), u64::MAX.to_string());
}
