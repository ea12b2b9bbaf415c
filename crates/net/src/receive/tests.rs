#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

/// A socket that gives its bytes in portions of the given sizes.
struct Socket {
    bytes: VecDeque<u8>,
    portions: Vec<usize>,
    at: usize,
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let portion = self.portions[self.at % self.portions.len()];
        self.at += 1;
        let take = portion.min(buf.len()).min(self.bytes.len());
        if take == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for (to, from) in buf.iter_mut().zip(self.bytes.drain(..take)) {
            *to = from;
        }
        Ok(take)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut total = 0;
        for buf in bufs {
            let got = match self.read(buf) {
                Ok(got) => got,
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            };
            total += got;
            if got < buf.len() {
                break;
            }
        }
        Ok(total)
    }
}

#[derive(Default)]
struct Log {
    messages: Vec<Message>,
    blocks: Vec<(Request, Vec<u8>)>,
    refuse_piece: Option<u32>,
}

impl Sink for Log {
    type Chunk = Vec<u8>;

    fn message(&mut self, message: Message) -> bool {
        self.messages.push(message);
        true
    }

    fn accept(&mut self, request: Request) -> Option<Vec<u8>> {
        (Some(request.piece) != self.refuse_piece).then(|| vec![0; BLOCK_BYTES as usize])
    }

    fn block(&mut self, request: Request, chunk: Vec<u8>) -> bool {
        self.blocks.push((request, chunk[..request.length as usize].to_vec()));
        true
    }
}

fn block_frame(request: Request, payload: &[u8]) -> Vec<u8> {
    let mut frame = piecework_wire::block_header(request).to_vec();
    frame.extend_from_slice(payload);
    frame
}

#[test]
fn skips_the_payload_of_a_block_nobody_asked_for() {
    let unwanted = Request { piece: 1, begin: 0, length: 9 };
    let wanted = Request { piece: 2, begin: 0, length: 3 };
    let mut bytes = block_frame(unwanted, b"unwanted!");
    bytes.extend(block_frame(wanted, b"yes"));
    let mut log = Log { refuse_piece: Some(1), ..Log::default() };
    let mut receiver = Receiver::with_leftover(bytes, None);
    assert!(receiver.replay(&Limits::default(), &mut log).unwrap());
    assert_eq!(log.blocks, [(wanted, b"yes".to_vec())]);
}

#[test]
fn a_frame_torn_between_reads_arrives_whole_without_a_budget() {
    let mut bytes = Vec::new();
    piecework_wire::encode(&Message::Have(7), &mut bytes);
    for cut in 1..bytes.len() {
        let (mut receiver, mut log) = (Receiver::<Vec<u8>>::default(), Log::default());
        let mut scratch = vec![0; 1024];
        for part in [&bytes[..cut], &bytes[cut..]] {
            let bytes = part.iter().copied().collect();
            let socket = Socket { bytes, portions: vec![1024], at: 0 };
            let limits = Limits::default();
            receiver.receive(socket, &mut scratch, usize::MAX, &limits, &mut log).unwrap();
        }
        assert_eq!(log.messages, [Message::Have(7)], "cut at {cut}");
    }
}

#[test]
fn a_closed_socket_ends_the_connection() {
    let mut receiver = Receiver::default();
    let closed: &[u8] = &[];
    let result =
        receiver.receive(closed, &mut [0; 64], 64, &Limits::default(), &mut Log::default());
    assert!(matches!(result, Err(ReceiveError::Closed)));
}

proptest! {
    /// Whatever the kernel's portions are, encrypted or not, the same messages and blocks come out.
    #[test]
    fn portions_do_not_change_what_arrives(
        lengths in prop::collection::vec(1_u32..=BLOCK_BYTES, 1..6),
        portions in prop::collection::vec(1_usize..40_000, 1..5),
        key in prop::option::of(any::<[u8; 20]>()),
    ) {
        let mut bytes = Vec::new();
        let mut expected = Log::default();
        for (piece, &length) in lengths.iter().enumerate() {
            let request = Request { piece: piece as u32, begin: 0, length };
            let payload: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
            bytes.extend(block_frame(request, &payload));
            expected.blocks.push((request, payload));
            let have = Message::Have(piece as u32);
            piecework_wire::encode(&have, &mut bytes);
            expected.messages.push(have);
        }
        let total = bytes.len();
        let cipher = key.map(|key| Box::new(Rc4::new(&key)));
        if let Some(mut sender) = cipher.clone() {
            sender.apply(&mut bytes);
        }
        let mut socket = Socket { bytes: bytes.into(), portions, at: 0 };
        let mut receiver = Receiver::with_leftover(Vec::new(), cipher);
        let mut log = Log::default();
        let mut scratch = vec![0; 30_000];
        let mut got = 0;
        while got < total {
            got += receiver
                .receive(&mut socket, &mut scratch, 50_000, &Limits::default(), &mut log)
                .unwrap()
                .bytes;
        }
        prop_assert_eq!(&log.messages, &expected.messages);
        prop_assert!(log.blocks == expected.blocks);
        prop_assert!(!receiver.is_mid_block());
    }
}

#[test]
fn never_takes_more_than_its_budget_not_even_for_a_block_under_way() {
    let request = Request { piece: 0, begin: 0, length: BLOCK_BYTES };
    let frames: Vec<u8> =
        (0..8).flat_map(|_| block_frame(request, &vec![7; BLOCK_BYTES as usize])).collect();
    let mut socket = Socket { portions: vec![usize::MAX], at: 0, bytes: frames.into() };
    let (mut receiver, mut log) = (Receiver::default(), Log::default());
    let mut scratch = vec![0; SCRATCH_BYTES];
    for budget in [20, 20_000, 100, 16_384, 1] {
        let limits = Limits::default();
        let received =
            receiver.receive(&mut socket, &mut scratch, budget, &limits, &mut log).unwrap();
        assert_eq!(received, Received { bytes: budget, more: true });
    }
    assert_eq!(log.blocks.len(), 2);
}
