//! The way out as all threads of an engine see it: what sockets are tied to, whether that is there, and
//! how peers get in from outside.

use crate::dht::DhtHandle;
use crate::external::External;
use crate::shard::{Command, ShardHandle};
use piecework_gateway::Status as MappingStatus;
use piecework_net::{Acceptor, Binding, Listeners, PortChoice, UdpSockets, WayOut};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Notices that no face has taken yet; beyond it the oldest is dropped.
const NOTICES_MAX: usize = 64;

/// Something about the node, not about one of its torrents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    /// Needs attention: cause and remedy on one line.
    Problem(String),
    /// An earlier problem is gone.
    Recovered(String),
    /// How the port is mapped at the gateway.
    Mapping(MappingStatus),
}

/// Shared by all threads.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) binding: Binding,
    is_up: AtomicBool,
    notices: Mutex<VecDeque<Notice>>,
    mapping: Mutex<Option<MappingStatus>>,
}

impl Network {
    pub(crate) fn new(binding: Binding) -> Self {
        let is_up = AtomicBool::new(true);
        Self { binding, is_up, notices: Mutex::default(), mapping: Mutex::default() }
    }

    /// Whether anything can be sent at all. What sockets are tied to is asked again by each of them; this
    /// only spares peers the blame.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    pub(crate) fn notice(&self) -> Option<Notice> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// How the port is mapped at the gateway; `None` while none was asked.
    pub(crate) fn mapping(&self) -> Option<MappingStatus> {
        self.mapping.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, notice: Notice) {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() >= NOTICES_MAX {
            notices.pop_front();
        }
        notices.push_back(notice);
    }
}

/// Who has to know when the way out changes.
pub(crate) struct Concerned {
    pub(crate) shards: Vec<ShardHandle>,
    pub(crate) acceptor: Weak<Acceptor>,
    pub(crate) dht: Option<DhtHandle>,
    /// The port that is listened on.
    pub(crate) port: u16,
}

impl Concerned {
    /// Tells them.
    pub(crate) fn take(&self, change: WayOut, network: &Network, external: &External) {
        match change {
            WayOut::Mapping(status) => {
                tracing::info!(%status, "port mapping");
                external.map(match &status {
                    MappingStatus::Mapped(mapped) => Some(mapped.tcp_port),
                    MappingStatus::Absent | MappingStatus::Asking | MappingStatus::Failed(_) => {
                        None
                    }
                });
                let mut mapping = network.mapping.lock().unwrap_or_else(PoisonError::into_inner);
                *mapping = Some(status.clone());
                drop(mapping);
                network.tell(Notice::Mapping(status));
            }
            WayOut::Lost { reason, may_stray } => {
                network.is_up.store(false, Ordering::Release);
                if may_stray {
                    self.listen(Listeners::none(self.port));
                    self.cut_off();
                }
                network.tell(Notice::Problem(format!(
                    "{reason}, so nothing is sent or received until it is back; --interface and --bind \
                     choose another"
                )));
            }
            WayOut::Found { is_other } => {
                if is_other {
                    self.move_to(network);
                }
                if !network.is_up.swap(true, Ordering::AcqRel) {
                    network.tell(Notice::Recovered("the network interface is back".into()));
                }
            }
        }
    }

    /// Makes anew what the old interface, or the old address, had.
    fn move_to(&self, network: &Network) {
        self.cut_off();
        match Listeners::bind(PortChoice::Exactly(self.port), &network.binding) {
            Ok(listeners) => self.listen(listeners),
            Err(error) => network.tell(Notice::Problem(error.to_string())),
        }
        if let Some(dht) = &self.dht {
            match UdpSockets::bind(dht.port, &network.binding) {
                Ok(sockets) => dht.rebind(sockets),
                Err(error) => network.tell(Notice::Problem(format!(
                    "the DHT has no socket: {error}; start again to use it"
                ))),
            }
        }
    }

    fn listen(&self, listeners: Listeners) {
        if let Some(acceptor) = Weak::upgrade(&self.acceptor) {
            acceptor.replace(listeners);
        }
    }

    fn cut_off(&self) {
        for shard in &self.shards {
            shard.send(Command::CutOff);
        }
    }
}

/// For [`Concerned`], which must not keep the acceptor alive.
pub(crate) fn weak(acceptor: Option<&Arc<Acceptor>>) -> Weak<Acceptor> {
    acceptor.map_or_else(Weak::new, Arc::downgrade)
}
