//! The UDP side: a packet in, at most one out.

use super::Shared;
use std::time::Duration;
use tokio::net::UdpSocket;

/// Longest packet read; the rest of a longer one is lost, and no client sends one.
const PACKET_BYTES_MAX: usize = 2048;

/// Pause after an error that would come again at once.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

pub(super) async fn serve(socket: UdpSocket, shared: Shared) {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    loop {
        match socket.recv_from(&mut packet).await {
            Ok((bytes, from)) => {
                let answer = shared.server().answer_udp(from, &packet[..bytes], shared.now());
                if let Some(answer) = answer {
                    // If the system has no room for it the client asks again.
                    drop(socket.try_send_to(&answer, from));
                }
            }
            Err(error) => {
                tracing::debug!(%error, "reading from the tracker's socket");
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
}
