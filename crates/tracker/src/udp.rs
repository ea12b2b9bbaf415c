//! The UDP tracker protocol (BEP 15, BEP 41): its packets in both directions, and one exchange of a
//! client as a machine.

mod exchange;
mod packet;

pub use exchange::{
    CONNECTION_LIFETIME, UdpAnswer, UdpConnection, UdpExchange, UdpPolicy, UdpQuery,
};
pub use packet::{PACKET_BYTES_MAX, URL_DATA_BYTES_MAX, UdpRequest, UdpResponse};
