//! Gateways on loopback that lie, flood, send elsewhere or say nothing, and one that is honest.

#![allow(clippy::unwrap_used)]
use super::*;
use piecework_types::Rng;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// An address of its own for each test, as the ports are given.
const fn gateway(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 80, 0, number)
}

fn ask(gateway: Ipv4Addr, method: Method) -> Result<Grant, Refusal> {
    let site = Site { gateway, ours: Ipv4Addr::LOCALHOST };
    try_method(&Binding::default(), method, site, 6881, Rng::new(1))
}

/// Gives each datagram that comes to this port to `answer`, as long as the test runs.
fn listen(
    gateway: Ipv4Addr,
    port: u16,
    mut answer: impl FnMut(&UdpSocket, &[u8], SocketAddr) + Send + 'static,
) {
    let socket = UdpSocket::bind((gateway, port)).unwrap();
    thread::spawn(move || {
        let mut packet = [0; 2048];
        while let Ok((got, from)) = socket.recv_from(&mut packet) {
            answer(&socket, &packet[..got], from);
        }
    });
}

/// Answers each request over HTTP with what `answer` makes of it; tells its port.
fn serve(gateway: Ipv4Addr, mut answer: impl FnMut(&str) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind((gateway, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = vec![0; 4096];
            let got = stream.read(&mut request).unwrap_or_default();
            let answer = answer(&String::from_utf8_lossy(&request[..got]));
            drop(stream.write_all(&answer));
        }
    });
    port
}

/// Answers searches with this address.
fn found_at(gateway: Ipv4Addr, url: String) {
    listen(gateway, upnp_port(), move |socket, _, from| {
        let answer = format!("HTTP/1.1 200 OK\r\nLOCATION: {url}\r\n\r\n");
        drop(socket.send_to(answer.as_bytes(), from));
    });
}

const fn upnp_port() -> u16 {
    piecework_gateway::upnp::SEARCH_PORT
}

fn http(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into()
}

#[test]
fn a_gateway_that_says_nothing_is_given_up_and_one_without_the_port_at_once() {
    let (sender, asked) = channel();
    listen(gateway(1), natpmp::PORT, move |_, request, _| drop(sender.send(request.to_vec())));
    assert_eq!(ask(gateway(1), Method::Pcp), Err(Refusal::NoAnswer));
    assert_eq!(asked.try_iter().count(), PATIENCE.len(), "asked again, and not for ever");
    assert_eq!(ask(gateway(2), Method::NatPmp), Err(Refusal::Unsupported));
    assert_eq!(ask(gateway(2), Method::Upnp), Err(Refusal::NoAnswer));
}

#[test]
fn a_flood_of_strays_or_of_overlong_answers_ends_the_exchange() {
    listen(gateway(3), natpmp::PORT, |socket, request, from| {
        // What would be right but for its length, or but for the port.
        let mut right =
            [&[0, request[1] | 0x80], &[0; 6][..], &request[4..8], &[0, 0, 1, 0]].concat();
        let long = [&right[..], &[0; 100]].concat();
        right[9] ^= 1;
        for _ in 0..STRAYS_MAX {
            drop(socket.send_to(&long, from));
            drop(socket.send_to(&right, from));
        }
    });
    let refusal = ask(gateway(3), Method::NatPmp).unwrap_err();
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
}

#[test]
fn a_search_answer_of_another_machine_or_about_one_leads_nowhere() {
    let visits = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&visits);
    let elsewhere = serve(gateway(9), move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        http("200 OK", "")
    });
    let url = format!("http://{}:{elsewhere}/d.xml", gateway(9));
    found_at(gateway(4), url.clone());
    let refusal = ask(gateway(4), Method::Upnp).unwrap_err();
    assert!(refusal.to_string().contains("another machine"), "{refusal}");
    // The gateway itself says nothing; somebody else answers in its place.
    let other = UdpSocket::bind((gateway(9), 0)).unwrap();
    listen(gateway(5), upnp_port(), move |_, _, from| {
        let answer = format!("HTTP/1.1 200 OK\r\nLOCATION: {url}\r\n\r\n");
        drop(other.send_to(answer.as_bytes(), from));
    });
    assert_eq!(ask(gateway(5), Method::Upnp), Err(Refusal::NoAnswer));
    // A redirect from the right place to the wrong one.
    let target = format!("http://{}:{elsewhere}/", gateway(9));
    let redirect = move |_: &str| {
        format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n")
            .into_bytes()
    };
    let port = serve(gateway(6), redirect);
    found_at(gateway(6), format!("http://{}:{port}/d.xml", gateway(6)));
    assert!(ask(gateway(6), Method::Upnp).is_err());
    assert_eq!(visits.load(Ordering::Relaxed), 0);
}

#[test]
fn a_description_without_an_end_is_cut() {
    let port = serve(gateway(7), |_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
        [head.as_bytes(), &vec![b' '; 4 * piecework_gateway::upnp::DOCUMENT_BYTES_MAX]].concat()
    });
    found_at(gateway(7), format!("http://{}:{port}/d.xml", gateway(7)));
    let too_long = Refusal::Malformed("the document is too long");
    assert_eq!(ask(gateway(7), Method::Upnp), Err(too_long));
}

#[test]
fn an_honest_gateway_maps_and_is_asked_to_remove_it_again() {
    let (sender, actions) = channel();
    let port = serve(gateway(8), move |request| {
        if request.starts_with("GET") {
            let service = "urn:schemas-upnp-org:service:WANIPConnection:1";
            return http(
                "200 OK",
                &format!(
                    "<root><device><service><serviceType>{service}</serviceType>\
                     <controlURL>/ctl</controlURL></service></device></root>"
                ),
            );
        }
        let action = request.lines().find(|line| line.to_lowercase().starts_with("soapaction"));
        let action = action.and_then(|line| line.rsplit_once('#')).map(|(_, name)| name.to_owned());
        drop(sender.send(action.unwrap_or_default()));
        http("200 OK", "<a><NewExternalIPAddress>11.22.33.44</NewExternalIPAddress></a>")
    });
    found_at(gateway(8), format!("http://{}:{port}/d.xml", gateway(8)));
    let grant = ask(gateway(8), Method::Upnp).unwrap();
    let external_ip = Some(Ipv4Addr::new(11, 22, 33, 44));
    assert_eq!(grant, Grant { external_port: 6881, lifetime_seconds: 60, external_ip });
    let asked: Vec<String> = actions.try_iter().collect();
    assert_eq!(asked, ["AddPortMapping\"", "GetExternalIPAddress\"", "DeletePortMapping\""]);
}
