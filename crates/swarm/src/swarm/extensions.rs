//! Extension messages (BEP 10): handshakes, metadata, lost pieces, upload only.

use super::{Question, Swarm};
use crate::drop_reason::DropReason;
use crate::machine::Output;
use crate::metadata::Received;
use piecework_types::PeerSlot;
use piecework_wire::Message;
use piecework_wire::extension::{Extension, ExtensionHandshake, ExtensionMessage, MetadataMessage};

impl Swarm {
    pub(super) fn extended(
        &mut self,
        slot: PeerSlot,
        id: u8,
        payload: &[u8],
    ) -> Result<(), DropReason> {
        match ExtensionMessage::decode(id, payload)? {
            None => {}
            Some(ExtensionMessage::Handshake(handshake)) => self.shook(slot, handshake),
            Some(ExtensionMessage::Metadata(message)) => self.metadata_message(slot, &message)?,
            Some(ExtensionMessage::Pex(pex)) => self.pex(slot, &pex)?,
            Some(ExtensionMessage::DontHave(index)) => self.lost_by_peer(slot, index)?,
            Some(ExtensionMessage::Pay(payload)) => self.pay_received(slot, payload),
            Some(ExtensionMessage::UploadOnly(flag)) => {
                if let Some(peer) = self.peers.get_mut(slot) {
                    peer.is_upload_only = flag;
                }
                self.drop_if_useless(slot);
            }
        }
        Ok(())
    }

    fn shook(&mut self, slot: PeerSlot, handshake: ExtensionHandshake) {
        let Some(peer) = self.peers.get_mut(slot) else { return };
        peer.extensions.update(&handshake.ids);
        peer.is_upload_only = handshake.upload_only;
        peer.prefers_encryption = handshake.prefers_encryption;
        peer.listen_port = handshake.listen_port.or(peer.listen_port);
        if let Some(ours) = handshake.your_ip {
            let from = peer.hello.address.ip().to_canonical();
            self.outputs.push_back(Output::SeenAs { from, ours });
        }
        if handshake.client.is_some() {
            peer.client = handshake.client;
        }
        if let Some(reqq) = handshake.requests_max {
            peer.requests.set_reqq(reqq);
            self.ask_later(slot);
        }
        let Some(peer) = self.peers.get(slot) else { return };
        if peer.extensions.get(Extension::Metadata).is_some() {
            self.metadata.join(slot, handshake.metadata_bytes);
            self.request_metadata();
        }
        self.notice_pay(slot);
        self.drop_if_useless(slot);
    }

    fn metadata_message(
        &mut self,
        slot: PeerSlot,
        message: &MetadataMessage<'_>,
    ) -> Result<(), DropReason> {
        match *message {
            MetadataMessage::Request { block } => {
                self.questioned(slot, Question::Metadata { block })?;
            }
            MetadataMessage::Data { block, total_bytes, data } => {
                match self.metadata.receive(slot, block, total_bytes, data, self.now) {
                    Received::Nothing => {}
                    Received::Whole(metadata) => {
                        self.metadata.set_known(metadata.as_slice().into());
                        self.outputs.push_back(Output::MetadataReceived(metadata));
                    }
                    Received::Liar(liar) if liar == slot => return Err(DropReason::BadMetadata),
                    Received::Liar(liar) => self.drop_peer(liar, DropReason::BadMetadata),
                }
                self.request_metadata();
            }
            MetadataMessage::Reject { .. } => {
                self.metadata.reject(slot, self.now);
                self.request_metadata();
            }
        }
        Ok(())
    }

    pub(super) fn send_extension(
        &mut self,
        slot: PeerSlot,
        extension: Extension,
        payload: Vec<u8>,
    ) {
        let id = self.peers.get(slot).and_then(|peer| peer.extensions.get(extension));
        if let Some(id) = id {
            self.send(slot, Message::Extended { id, payload });
        }
    }

    /// Asks peers for metadata, while it is unknown.
    pub(super) fn request_metadata(&mut self) {
        let mut asked = Vec::new();
        self.metadata.request(self.now, &mut asked);
        for (slot, block) in asked {
            let payload = MetadataMessage::Request { block }.encode();
            self.send_extension(slot, Extension::Metadata, payload);
        }
    }
}
