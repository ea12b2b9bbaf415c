//! Nodes in virtual time, each at an address of its own, with packets that take 20 ms.

use super::*;

pub(super) const HERE: EndpointIndex = EndpointIndex(0);

/// The address of a node, each in a network of its own.
pub(super) fn address(number: usize) -> SocketAddr {
    let ip = std::net::Ipv4Addr::from(0x2d00_0001 + ((number as u32) << 16));
    (ip, 6881).into()
}

fn address6(number: usize) -> SocketAddr {
    let ip = std::net::Ipv6Addr::new(0x2001, 0xdb8, number as u16, 0, 0, 0, 0, 1);
    (ip, 6881).into()
}

/// A node that knows nobody.
pub(super) fn quiet(family: Family) -> Config {
    Config { compliance: Compliance::Ignored, ..Config::new(vec![EndpointConfig::new(family)]) }
}

struct Seat {
    node: Dht,
    addresses: Vec<SocketAddr>,
    is_cut: bool,
    told: Vec<Output>,
}

struct Packet {
    at: Time,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

pub(super) struct Net {
    seats: Vec<Seat>,
    packets: VecDeque<Packet>,
    pub(super) now: Time,
}

const DELAY: Duration = Duration::from_millis(20);

impl Net {
    /// Nodes that know the first one.
    pub(super) fn new(count: usize) -> Self {
        Self::made_of(count, |number| (quiet(Family::V4), vec![address(number)]))
    }

    /// Nodes of both families that know the first one's IPv4 address; one knows its other address too.
    pub(super) fn dual(count: usize) -> Self {
        Self::made_of(count, |number| {
            let mut config = quiet(Family::V4);
            config.endpoints.push(EndpointConfig::new(Family::V6));
            if number == 1 {
                config.endpoints[1].routers = vec![address6(0)];
            }
            (config, vec![address(number), address6(number)])
        })
    }

    fn made_of(count: usize, make: impl Fn(usize) -> (Config, Vec<SocketAddr>)) -> Self {
        let seat = |number: usize| {
            let (mut config, addresses) = make(number);
            if number > 0 {
                config.endpoints[0].routers = vec![address(0)];
            }
            let node = Dht::new(config, [number as u8; 32], Rng::new(number as u64), Time::ZERO);
            Seat { node, addresses, is_cut: false, told: Vec::new() }
        };
        let seats = (0..count).map(seat).collect();
        Self { seats, packets: VecDeque::new(), now: Time::ZERO }
    }

    pub(super) fn node(&self, number: usize) -> &Dht {
        &self.seats[number].node
    }

    pub(super) fn node_mut(&mut self, number: usize) -> &mut Dht {
        &mut self.seats[number].node
    }

    /// What a node said beside packets.
    pub(super) fn told(&self, number: usize) -> &[Output] {
        &self.seats[number].told
    }

    pub(super) fn peers_told(&self, number: usize) -> BTreeSet<SocketAddr> {
        let peers = self.told(number).iter().filter_map(|output| match output {
            Output::PeersFound { peers, .. } => Some(peers.clone()),
            _ => None,
        });
        peers.flatten().collect()
    }

    pub(super) fn replace(&mut self, number: usize, config: Config) {
        let rng = Rng::new(number as u64 + 1000);
        self.seats[number].node = Dht::new(config, [number as u8; 32], rng, self.now);
    }

    pub(super) fn cut(&mut self, number: usize) {
        self.seats[number].is_cut = true;
    }

    pub(super) fn mend(&mut self, number: usize) {
        self.seats[number].is_cut = false;
    }

    pub(super) fn start(&mut self, number: usize, goal: Goal) -> LookupId {
        let now = self.now;
        self.node_mut(number).start(HERE, goal, now).expect("there is room")
    }

    pub(super) fn look_up(&mut self, number: usize, goal: Goal) -> Outcome {
        self.look_up_from(HERE, number, goal)
    }

    /// Runs until the lookup ends.
    pub(super) fn look_up_from(
        &mut self,
        endpoint: EndpointIndex,
        number: usize,
        goal: Goal,
    ) -> Outcome {
        let now = self.now;
        let id = self.node_mut(number).start(endpoint, goal, now).expect("there is room");
        for _ in 0..600 {
            self.run(Duration::from_millis(100));
            for output in self.told(number) {
                if let Output::Finished { lookup, outcome } = output
                    && *lookup == id
                {
                    return outcome.clone();
                }
            }
        }
        panic!("a lookup must end within a minute");
    }

    /// Delivers a packet made by the test and gives what is sent to its sender at once.
    pub(super) fn exchange(
        &mut self,
        number: usize,
        from: SocketAddr,
        bytes: &[u8],
    ) -> Vec<Vec<u8>> {
        let now = self.now;
        let seat = &mut self.seats[number];
        seat.node.handle_packet(HERE, from, bytes, now);
        let mut sent = Vec::new();
        while let Some(output) = seat.node.poll() {
            match output {
                Output::Send { to, bytes, .. } if to == from => sent.push(bytes),
                other => seat.told.push(other),
            }
        }
        sent
    }

    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.carry_out();
            let wakes = self.seats.iter().map(|seat| seat.node.poll_timeout().0);
            let arrives = self.packets.front().map_or(Time::NEVER, |packet| packet.at);
            let next = wakes.min().unwrap_or(Time::NEVER).min(arrives);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            while let Some(packet) = self.packets.pop_front_if(|packet| packet.at <= self.now) {
                self.deliver(&packet);
            }
            for seat in &mut self.seats {
                if seat.node.poll_timeout().0 <= self.now {
                    seat.node.handle_timeout(self.now);
                }
            }
        }
    }

    fn carry_out(&mut self) {
        for seat in &mut self.seats {
            while let Some(output) = seat.node.poll() {
                let Output::Send { endpoint, to, bytes } = output else {
                    seat.told.push(output);
                    continue;
                };
                assert!(bytes.len() <= crate::krpc::PACKET_BYTES_MAX);
                if !seat.is_cut {
                    let from = seat.addresses[usize::from(endpoint.0)];
                    self.packets.push_back(Packet { at: self.now + DELAY, from, to, bytes });
                }
            }
        }
    }

    fn deliver(&mut self, packet: &Packet) {
        for seat in self.seats.iter_mut().filter(|seat| !seat.is_cut) {
            if let Some(at) = seat.addresses.iter().position(|address| *address == packet.to) {
                let endpoint = EndpointIndex(at as u8);
                seat.node.handle_packet(endpoint, packet.from, &packet.bytes, self.now);
            }
        }
    }
}
