//! Connections that ask for nothing, or very slowly: they keep nobody out and end at their limit.

use crate::door::Door;
use piecework_api::Manners;
use piecework_testkit::PATIENCE;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// As many as the server has places, and more.
const IDLE: u8 = 100;
/// Each of them has an address of its own, as one alone gets a part of the places only.
const SENDERS: u8 = 11;
/// Of each sender.
const SLOW: usize = 5;

/// A connection from one of the addresses of this machine.
async fn connect(door: &Door, host: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 9, host), 0))).unwrap();
    socket.connect(door.address).await.unwrap()
}

/// What comes until the server ends the connection; a reset is an end too.
async fn rest(mut socket: TcpStream) -> String {
    let mut bytes = Vec::new();
    let end = timeout(PATIENCE, socket.read_to_end(&mut bytes)).await;
    drop(end.expect("the server ends it"));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_thousand_idle_connections_and_slow_ones_keep_nobody_from_being_answered() {
    // Longer than the test: nobody is let in because of it.
    let door = Door::open_with(Manners { head_max: PATIENCE * 10 }).await;
    let mut idle = Vec::new();
    for host in 1..=SENDERS {
        for _ in 0..IDLE {
            idle.push(connect(&door, host).await);
        }
    }
    assert!(idle.len() > 1000);
    let mut slow = Vec::new();
    for host in 1..=SENDERS {
        for _ in 0..SLOW {
            let mut socket = connect(&door, host).await;
            slow.push(tokio::spawn(async move {
                for byte in b"GET /api/v1/whoami HTTP/1.1\r\n".iter().cycle() {
                    if socket.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_secs(1)).await;
                }
            }));
        }
    }
    for _ in 0..20 {
        let (status, list) = timeout(PATIENCE, door.get("/torrents")).await.expect("an answer");
        assert_eq!((status, &list["total"]), (200, &0.into()));
    }
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn idle_and_slow_connections_are_ended_at_the_limit_and_busy_ones_are_not() {
    let door = Door::open_with(Manners { head_max: Duration::from_millis(300) }).await;
    let idle = connect(&door, 1).await;
    let mut slow = connect(&door, 1).await;
    slow.write_all(b"GET /api/v1/torr").await.unwrap();
    let mut asked = connect(&door, 1).await;
    asked.write_all(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut events = door.request(reqwest::Method::GET, "/events").send().await.unwrap();
    assert_eq!(rest(idle).await, "");
    let answer = rest(slow).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    // Kept open after its answer, and ended like the others.
    assert!(rest(asked).await.starts_with("HTTP/1.1 200"));
    // Whoever watches goes on being told.
    door.send(reqwest::Method::PUT, "/tags/late", &serde_json::Value::Null).await;
    let told = async {
        loop {
            let bytes = events.chunk().await.unwrap().expect("the events ended");
            if String::from_utf8_lossy(&bytes).contains("late") {
                return;
            }
        }
    };
    timeout(PATIENCE, told).await.expect("the change is told");
}
