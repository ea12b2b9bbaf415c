//! A gateway's honest answers are understood, and its dishonest ones send us nowhere.

#![allow(clippy::unwrap_used)]
use super::*;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);
const SITE: Site = Site { gateway: GATEWAY, ours: Ipv4Addr::new(192, 168, 1, 7) };
const ASK: Ask = Ask {
    transport: Transport::Tcp,
    internal_port: 6881,
    external_port: 7000,
    lifetime_seconds: 3600,
    is_permanent: false,
    nonce: [0; 12],
};

fn root() -> Location {
    Location { port: 5000, path: "/rootDesc.xml".into() }
}

fn described(services: &[(&str, &str)], base: &str) -> Result<Control, Refusal> {
    let list: String = services
        .iter()
        .map(|(kind, url)| {
            format!(
                "<service><serviceType>{kind}</serviceType><controlURL>{url}</controlURL></service>"
            )
        })
        .collect();
    let document = format!(
        "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\">{base}<device><deviceList>\
         <device><serviceList>{list}</serviceList></device></deviceList></device></root>"
    );
    description(document.as_bytes(), &root(), GATEWAY)
}

#[test]
fn the_answer_to_a_search_names_the_description() {
    let answer =
        b"HTTP/1.1 200 OK\r\nST: x\r\nLocation: http://192.168.1.1:5000/rootDesc.xml\r\n\r\n";
    assert_eq!(search_answer(answer, GATEWAY), Ok(root()));
    assert!(
        search_answer(b"HTTP/1.1 404 No\r\nLocation: http://192.168.1.1/\r\n\r\n", GATEWAY)
            .is_err()
    );
    assert!(search_answer(b"NOTIFY * HTTP/1.1\r\n\r\n", GATEWAY).is_err());
}

#[test]
fn nothing_leads_to_another_machine() {
    for url in [
        "http://192.168.1.2:5000/",
        "http://evil.example/",
        "http://192.168.1.1@evil.example/",
        "http://[::1]/",
        "http://192.168.1.1:0/",
        "http://192.168.1.1:99999/",
        "https://192.168.1.1/",
        "file:///etc/passwd",
        "http://192.168.1.1/a b",
        "http://192.168.1.1//evil.example/",
        "",
    ] {
        assert!(Location::parse(url, GATEWAY).is_err(), "{url}");
    }
    for reference in ["http://evil.example/ctl", "//evil.example/ctl", "/a\r\nX: y"] {
        assert!(root().join(reference, GATEWAY).is_err(), "{reference}");
    }
    let service = [(SERVICES[1], "http://10.0.0.9:80/ctl")];
    assert!(described(&service, "").is_err());
    assert!(described(&[(SERVICES[1], "/ctl")], "<URLBase>http://10.0.0.9/</URLBase>").is_err());
}

#[test]
fn the_best_service_is_taken_where_the_gateway_has_it() {
    let services =
        [("urn:x", "/x"), (SERVICES[2], "/ppp"), (SERVICES[1], "/ip"), (SERVICES[2], "/p")];
    let control = described(&services, "").unwrap();
    assert_eq!(control.service, SERVICES[1]);
    assert_eq!(control.location.url(GATEWAY), "http://192.168.1.1:5000/ip");
    let moved = described(&[(SERVICES[0], "ctl")], "<URLBase>http://192.168.1.1:80/a/b</URLBase>");
    assert_eq!(moved.unwrap().location, Location { port: 80, path: "/a/ctl".into() });
    assert_eq!(described(&[("urn:x", "/x")], ""), Err(Refusal::Unsupported));
}

#[test]
fn an_action_says_everything_that_a_gateway_wants() {
    let made = map_action(&ASK, SITE, SERVICES[1]);
    assert_eq!(made.name, "AddPortMapping");
    for part in [
        "<NewRemoteHost></NewRemoteHost><NewExternalPort>7000</NewExternalPort><NewProtocol>TCP<",
        "<NewInternalPort>6881</NewInternalPort><NewInternalClient>192.168.1.7</NewInternalClient>",
        "<NewLeaseDuration>3600</NewLeaseDuration>",
        "xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\"",
    ] {
        assert!(made.body.contains(part), "{part}");
    }
    let removed = map_action(&Ask { lifetime_seconds: 0, ..ASK }, SITE, SERVICES[1]);
    assert_eq!(removed.name, "DeletePortMapping");
    let permanent = Ask { lifetime_seconds: 0, is_permanent: true, ..ASK };
    assert!(map_action(&permanent, SITE, SERVICES[1]).body.contains("Duration>0<"));
}

#[test]
fn an_error_is_told_apart_by_its_code() {
    let fault = |code: &str| {
        format!(
            "<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>{code}</errorCode>\
             <errorDescription>no\nway</errorDescription></UPnPError></detail></s:Fault></s:Body>\
             </s:Envelope>"
        )
    };
    let outcome = |code| map_outcome(false, fault(code).as_bytes(), &ASK);
    assert_eq!(map_outcome(true, b"", &ASK), Ok(()));
    assert_eq!(outcome("718"), Err(Refusal::PortTaken(7000)));
    assert_eq!(outcome("725"), Err(Refusal::OnlyPermanent));
    assert_eq!(outcome("606"), Err(Refusal::Refused("error 606 no way".into())));
    assert!(matches!(outcome("x"), Err(Refusal::Malformed(_))));
}

#[test]
fn the_external_address_is_read_or_absent() {
    let body = b"<a><NewExternalIPAddress>11.22.33.44</NewExternalIPAddress></a>";
    assert_eq!(address_outcome(true, body), Some(Ipv4Addr::new(11, 22, 33, 44)));
    assert_eq!(address_outcome(false, body), None);
    assert_eq!(address_outcome(true, b"<a><NewExternalIPAddress/></a>"), None);
}
