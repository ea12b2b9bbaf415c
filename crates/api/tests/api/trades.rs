//! What was earned and spent, of the ledger that the daemon writes.

use crate::door::{Door, fixture};
use piecework_access::Scopes;
use piecework_ledger::Ledger;
use piecework_pay::{Address, Entry, Network, Price, Record, Side};
use reqwest::Method;
use serde_json::json;

const NOON: u64 = 20_779 * 86_400 + 43_200;

fn entry(side: Side, torrent: [u8; 20], amount: u128) -> Record {
    let token = Address::repeat_byte(2);
    Record::Entry(Entry {
        side,
        torrent,
        network: Network { chain_id: 9, vault: Address::repeat_byte(1), token, genesis: [3; 8] },
        counterparty: Address::repeat_byte(4),
        channel: 7,
        bytes: 1 << 20,
        amount,
        price: Price::new(amount).unwrap(),
    })
}

#[tokio::test]
async fn what_was_never_traded_is_nothing_and_no_error() {
    let door = Door::open().await;
    let nothing = json!({ "totals": [], "torrents": [], "peers": [], "days": [] });
    for path in ["/earnings", "/spending"] {
        assert_eq!(door.get(path).await, (200, nothing.clone()));
    }
    assert!(!door.ledger().exists(), "a look begins no ledger");
}

#[tokio::test]
async fn trades_are_told_by_torrent_with_its_name_by_account_and_by_day() {
    let (door, fixture) = (Door::open().await, fixture());
    let id = door.add(&fixture).await;
    let ledger = Ledger::open(&door.ledger()).unwrap();
    let own = fixture.info_hash().0;
    ledger.write_at(&[entry(Side::Selling, own, 5)], NOON).unwrap();
    ledger.write_at(&[entry(Side::Selling, [9; 20], 7)], NOON + 86_400).unwrap();
    ledger.write_at(&[entry(Side::Buying, [9; 20], 1)], NOON).unwrap();
    let (status, told) = door.get("/earnings").await;
    assert_eq!((status, &told["totals"][0]["amount"]), (200, &json!("12")), "{told}");
    assert_eq!(told["totals"][0]["is_test_money"], true);
    let torrents = told["torrents"].as_array().unwrap();
    let torrent = torrents.iter().find(|line| line["torrent"] == id).unwrap();
    assert_eq!((&torrent["name"], &torrent["amount"]), (&json!("content"), &json!("5")));
    assert_eq!(told["peers"][0]["peer"], Address::repeat_byte(4).to_string());
    assert_eq!(told["days"][1]["day"], "2026-11-23");
    let (_, told) = door.get(&format!("/earnings?until=2026-11-22&torrent={id}")).await;
    assert_eq!(told["totals"][0]["amount"], "5");
    let (_, told) = door.get("/earnings?since=2026-11-23").await;
    assert_eq!(told["totals"][0]["amount"], "7");
    let (_, told) = door.get("/spending").await;
    assert_eq!(
        (&told["totals"][0]["amount"], told["days"].as_array().unwrap().len()),
        (&json!("1"), 1)
    );
}

#[tokio::test]
async fn rows_are_a_file_for_other_programs() {
    let door = Door::open().await;
    let ledger = Ledger::open(&door.ledger()).unwrap();
    ledger.write_at(&[entry(Side::Selling, [9; 20], 7)], NOON).unwrap();
    let told = door.request(Method::GET, "/earnings?format=csv").send().await.unwrap();
    let kind = told.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("text/csv"), "{kind}");
    let text = told.text().await.unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0].split(',').next()), (2, Some("day")), "{text}");
    assert!(lines[1].starts_with("2026-11-22,0909") && lines[1].contains(",true,1048576,7,0,7,"));
}

#[tokio::test]
async fn whoever_may_read_sees_it_and_a_wrong_question_is_refused() {
    let door = Door::open().await;
    let path = "/api/v1/earnings";
    assert_eq!(door.bare(Method::GET, path).send().await.unwrap().status(), 401);
    let key = door.key("reader", Scopes::READ);
    let read = door.bare(Method::GET, path).bearer_auth(key).send().await.unwrap();
    assert_eq!(read.status(), 200);
    for (question, status) in [
        ("since=yesterday", 422),
        ("until=2026-02-29", 422),
        ("torrent=abc", 404),
        ("format=xml", 400),
        ("by=torrent", 400),
    ] {
        assert_eq!(door.get(&format!("/spending?{question}")).await.0, status, "{question}");
    }
}
