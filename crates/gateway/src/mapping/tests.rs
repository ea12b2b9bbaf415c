//! A gateway in virtual time: what is asked of it, and when.

#![allow(clippy::unwrap_used)]
use super::*;
use std::net::Ipv4Addr;

const SITE: Site =
    Site { gateway: Ipv4Addr::new(192, 168, 1, 1), ours: Ipv4Addr::new(192, 168, 1, 7) };
const OTHER: Site = Site { gateway: Ipv4Addr::new(10, 0, 0, 1), ours: Ipv4Addr::new(10, 0, 0, 9) };

type Answers = Box<dyn FnMut(&Request) -> Option<Result<Grant, Refusal>>>;

/// A mapping with its gateway; keeps what was asked, with the second it was asked in.
struct World {
    mapping: Mapping,
    now: Time,
    answers: Answers,
    asked: Vec<(u64, Request)>,
    statuses: Vec<Status>,
    has_ended: bool,
}

impl World {
    fn new(answers: impl FnMut(&Request) -> Option<Result<Grant, Refusal>> + 'static) -> Self {
        let mut world = Self {
            mapping: Mapping::new(6881, Rng::new(1)),
            now: Time::ZERO,
            answers: Box::new(answers),
            asked: Vec::new(),
            statuses: Vec::new(),
            has_ended: false,
        };
        world.tell(Input::Site(Some(SITE)));
        world
    }

    fn tell(&mut self, input: Input) {
        self.mapping.handle(input, self.now);
        while let Some(output) = self.mapping.poll() {
            match output {
                Output::Ask(request) => {
                    self.asked.push((self.now.as_micros() / 1_000_000, request));
                    if let Some(answer) = (self.answers)(&request) {
                        self.mapping.handle(Input::Answered(request.id, answer), self.now);
                    }
                }
                Output::Status(status) => self.statuses.push(status),
                Output::Ended => self.has_ended = true,
            }
        }
    }

    /// Sleeps as long as the mapping does.
    fn sleep(&mut self) -> Duration {
        let (at, _) = self.mapping.poll_timeout();
        assert_ne!(at, Time::NEVER, "it waits for nothing");
        let slept = at.since(self.now);
        self.now = at;
        self.tell(Input::Tick);
        slept
    }

    fn methods(&self) -> Vec<(Method, Transport)> {
        self.asked.iter().map(|(_, request)| (request.method, request.ask.transport)).collect()
    }

    fn word(&self) -> &'static str {
        self.statuses.last().unwrap().word()
    }
}

fn grant(request: &Request, lifetime_seconds: u32) -> Option<Result<Grant, Refusal>> {
    let external_ip = Some(Ipv4Addr::new(11, 22, 33, 44));
    Some(Ok(Grant { external_port: request.ask.external_port, lifetime_seconds, external_ip }))
}

const REFUSED: Option<Result<Grant, Refusal>> = Some(Err(Refusal::NoAnswer));

/// Grants with this method alone.
fn only(method: Method) -> impl FnMut(&Request) -> Option<Result<Grant, Refusal>> {
    move |request| if request.method == method { grant(request, 3600) } else { REFUSED }
}

#[test]
fn the_first_method_that_works_maps_both_transports() {
    for (method, asked) in Method::ALL.into_iter().zip([2, 3, 4]) {
        let world = World::new(only(method));
        assert_eq!(world.asked.len(), asked);
        let mapped = Mapped {
            method,
            tcp_port: 6881,
            udp_port: Ok(6881),
            external_ip: Some(Ipv4Addr::new(11, 22, 33, 44)),
        };
        assert_eq!(world.statuses, [Status::Asking, Status::Mapped(mapped)]);
    }
}

#[test]
fn a_mapping_is_renewed_at_about_half_its_lifetime_by_what_made_it() {
    let mut world =
        World::new(
            |request| {
                if request.method == Method::NatPmp { grant(request, 600) } else { REFUSED }
            },
        );
    let (shown, before) = (world.statuses.len(), world.asked.len());
    let slept = world.sleep();
    assert!((300..=375).contains(&slept.as_secs()), "{slept:?}");
    let renewals = &world.methods()[before..];
    assert_eq!(renewals, [(Method::NatPmp, Transport::Tcp), (Method::NatPmp, Transport::Udp)]);
    assert_eq!(world.statuses.len(), shown, "nothing new to tell");
}

#[test]
fn no_lifetime_makes_us_ask_faster_than_every_four_seconds_or_rarer_than_twice_an_hour() {
    let mut short = World::new(|request| grant(request, 1));
    assert!(short.sleep() >= RENEW_AFTER_MIN);
    let mut long = World::new(|request| grant(request, u32::MAX));
    assert!(long.sleep() <= RENEW_AFTER_MAX * 5 / 4);
}

#[test]
fn after_a_failure_it_tries_again_ever_later() {
    let mut world = World::new(|_| REFUSED);
    assert_eq!(world.methods().len(), 3);
    let reasons = Method::ALL.map(|method| (method, Refusal::NoAnswer)).to_vec();
    assert_eq!(world.statuses.last(), Some(&Status::Failed(reasons)));
    let waits: Vec<u64> = (0..40).map(|_| world.sleep().as_secs()).collect();
    assert!((30..=38).contains(&waits[0]) && (60..=75).contains(&waits[1]), "{waits:?}");
    assert!(waits.iter().all(|&seconds| seconds <= 4500), "{waits:?}");
    assert!(waits[39] >= 3600);
    world.answers = Box::new(only(Method::Upnp));
    world.sleep();
    assert_eq!(world.word(), "mapped");
}

#[test]
fn a_renewal_that_fails_falls_back_to_the_other_methods() {
    let mut world = World::new(only(Method::Pcp));
    world.answers = Box::new(only(Method::Upnp));
    world.sleep();
    let Some(Status::Mapped(mapped)) = world.statuses.last() else { panic!("not mapped") };
    assert_eq!(mapped.method, Method::Upnp);
}

#[test]
fn a_taken_port_is_replaced_by_another_for_both_transports() {
    let mut world = World::new(|request| match request.ask.external_port {
        6881 => Some(Err(Refusal::PortTaken(6881))),
        _ => grant(request, 3600),
    });
    let Some(Status::Mapped(mapped)) = world.statuses.last() else { panic!("not mapped") };
    let port = mapped.tcp_port;
    assert!(FREE_PORTS.contains(&port) && mapped.udp_port == Ok(port));
    // The port that we have is kept, as others have been told of it.
    world.sleep();
    assert_eq!(world.asked.last().unwrap().1.ask.external_port, port);
}

#[test]
fn a_gateway_whose_ports_are_all_taken_is_not_asked_for_ever() {
    let world = World::new(|request| Some(Err(Refusal::PortTaken(request.ask.external_port))));
    assert_eq!(world.asked.len(), 3 * PORTS_MAX as usize);
    assert_eq!(world.word(), "failed");
}

#[test]
fn a_gateway_that_insists_gets_a_permanent_mapping_which_is_removed_at_the_end() {
    let mut world = World::new(|request| match request.ask {
        _ if request.method != Method::Upnp => REFUSED,
        ask if ask.is_permanent || ask.removes() => grant(request, 0),
        _ => Some(Err(Refusal::OnlyPermanent)),
    });
    assert_eq!(world.word(), "mapped");
    let before = world.asked.len();
    world.tell(Input::Stop);
    let removed: Vec<_> = world.asked[before..].iter().map(|(_, it)| it.ask.removes()).collect();
    assert_eq!(removed, [true, true]);
    assert!(world.has_ended);
}

#[test]
fn connections_are_mapped_even_if_datagrams_are_not() {
    let world = World::new(|request| match request.ask.transport {
        Transport::Tcp => grant(request, 3600),
        Transport::Udp => Some(Err(Refusal::NoTime)),
    });
    let Some(Status::Mapped(mapped)) = world.statuses.last() else { panic!("not mapped") };
    assert_eq!((mapped.tcp_port, &mapped.udp_port), (6881, &Err(Refusal::NoTime)));
}

#[test]
fn another_gateway_or_address_is_asked_at_once() {
    let mut world = World::new(only(Method::Pcp));
    let before = world.asked.len();
    world.tell(Input::Site(Some(SITE)));
    assert_eq!(world.asked.len(), before, "no news");
    world.tell(Input::Site(Some(OTHER)));
    assert_eq!(world.asked[before].1.site, OTHER);
    world.tell(Input::Site(None));
    assert_eq!(world.word(), "absent");
    assert_eq!(world.mapping.poll_timeout().0, Time::NEVER);
    let before = world.asked.len();
    world.tell(Input::Stop);
    assert!(world.has_ended && world.asked.len() == before, "nobody is left to ask");
}

#[test]
fn the_end_takes_everything_back_and_nothing_follows() {
    let mut world = World::new(|request| grant(request, 3600));
    let before = world.asked.len();
    world.tell(Input::Stop);
    let removals: Vec<_> = world.asked[before..]
        .iter()
        .map(|(_, it)| (it.ask.transport, it.ask.external_port, it.ask.removes()))
        .collect();
    assert_eq!(removals, [(Transport::Udp, 6881, true), (Transport::Tcp, 6881, true)]);
    assert!(world.has_ended);
    world.tell(Input::Site(Some(OTHER)));
    world.tell(Input::Tick);
    assert_eq!(world.asked.len(), before + 2);
}

#[test]
fn an_end_in_the_middle_takes_back_what_may_yet_be_granted() {
    let mut world = World::new(|_| None);
    assert_eq!(world.asked.len(), 1);
    let late = world.asked[0].1;
    world.answers = Box::new(|request| grant(request, 0));
    world.tell(Input::Stop);
    assert!(world.asked[1].1.ask.removes() && world.has_ended);
    world.tell(Input::Answered(late.id, grant(&late, 60).unwrap()));
    assert_eq!(world.asked.len(), 2);
}

#[test]
fn an_answer_to_an_earlier_gateway_changes_nothing() {
    let mut world = World::new(|_| None);
    let late = world.asked[0].1;
    world.tell(Input::Site(Some(OTHER)));
    world.tell(Input::Answered(late.id, grant(&late, 60).unwrap()));
    assert_eq!(world.word(), "asking");
}

#[test]
fn a_status_is_one_line_with_its_reason() {
    let failed = Status::Failed(vec![
        (Method::Pcp, Refusal::NoAnswer),
        (Method::Upnp, Refusal::told("error 606\nno")),
    ]);
    let line = "failed: PCP: no answer; UPnP: refused by the gateway: error 606 no";
    assert_eq!(failed.to_string(), line);
}
