//! The stream cipher of the protocol: RC4 without its first 1024 bytes.
//!
//! It hides the protocol from equipment on the way and keeps nobody out who wants to know: RC4 is broken and
//! its key follows from the info-hash. Owns one direction of one connection; works in place.

/// Bytes of key stream that are thrown away, because the first ones tell of the key.
const DROPPED_BYTES: usize = 1024;

/// One direction of an encrypted connection.
#[derive(Clone)]
pub struct Rc4 {
    /// A permutation of 0 to 255. Words, because a byte that has just been stored is slow to load again.
    state: [u32; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    /// A cipher with this key, which must not be empty, behind its first 1024 bytes.
    pub fn new(key: &[u8; 20]) -> Self {
        let [cipher] = Self::several([key]);
        cipher
    }

    /// The ciphers of these keys. Each step waits for the one before it: two ciphers begin side by side in
    /// hardly more time than one.
    pub(crate) fn several<const N: usize>(keys: [&[u8; 20]; N]) -> [Self; N] {
        let mut ciphers = Self::undropped(keys.map(|key| key.as_slice()));
        let mut streams = ciphers.each_mut().map(Stream::of);
        for _ in 0..DROPPED_BYTES {
            for stream in &mut streams {
                stream.next();
            }
        }
        let places = streams.map(Stream::place);
        for (cipher, place) in ciphers.iter_mut().zip(places) {
            (cipher.i, cipher.j) = place;
        }
        ciphers
    }

    fn undropped<const N: usize>(keys: [&[u8]; N]) -> [Self; N] {
        let state = std::array::from_fn(|at| at as u32);
        let mut ciphers = keys.map(|_| Self { state, i: 0, j: 0 });
        let mut keys = keys.map(|key| key.iter().cycle());
        for at in 0..256 {
            for (cipher, key) in ciphers.iter_mut().zip(&mut keys) {
                let byte = key.next().copied().unwrap_or(0);
                cipher.j = cipher.j.wrapping_add(cipher.state[at] as u8).wrapping_add(byte);
                cipher.state.swap(at, usize::from(cipher.j));
            }
        }
        ciphers.map(|cipher| Self { j: 0, ..cipher })
    }

    /// Encrypts or decrypts the next bytes of the stream in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        let mut stream = Stream::of(self);
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            let key = (0..8).fold(0, |key, at| key | u64::from(stream.next()) << (8 * at));
            *word = (u64::from_le_bytes(*word) ^ key).to_le_bytes();
        }
        for byte in rest {
            *byte ^= stream.next() as u8;
        }
        (self.i, self.j) = stream.place();
    }
}

/// The cipher at work. It holds the entry that the next step begins with: loaded before the exchange of
/// this step is stored, it need not wait for it, which doubles the speed.
struct Stream<'a> {
    state: &'a mut [u32; 256],
    i: u8,
    j: u8,
    x: u32,
}

impl<'a> Stream<'a> {
    const fn of(cipher: &'a mut Rc4) -> Self {
        let (i, j) = (cipher.i.wrapping_add(1), cipher.j);
        Self { x: cipher.state[i as usize], state: &mut cipher.state, i, j }
    }

    /// Where the cipher has come to.
    const fn place(self) -> (u8, u8) {
        (self.i.wrapping_sub(1), self.j)
    }

    /// The next byte of the key stream.
    #[inline(always)]
    const fn next(&mut self) -> u32 {
        let (i, x) = (self.i, self.x);
        self.i = i.wrapping_add(1);
        let early = self.state[self.i as usize];
        self.j = self.j.wrapping_add(x as u8);
        let y = self.state[self.j as usize];
        self.state[self.j as usize] = x;
        self.state[i as usize] = y;
        self.x = if self.i == self.j { x } else { early };
        self.state[(x as u8).wrapping_add(y as u8) as usize]
    }
}

/// The state is the key: it is not printed.
impl std::fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rc4")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 6229, section 2: the key stream of a key at some offsets.
    #[test]
    fn published_vectors_hold() {
        let key40 = [1, 2, 3, 4, 5];
        let key128: [u8; 16] = std::array::from_fn(|at| at as u8 + 1);
        let vectors: [(&[u8], usize, [u8; 16]); 4] = [
            (&key40, 0, hex("b2396305f03dc027ccc3524a0a1118a8")),
            (&key40, 1024, hex("30abbcc7c20b01609f23ee2d5f6bb7df")),
            (&key128, 0, hex("9ac7cc9a609d1ef7b2932899cde41b97")),
            (&key128, 1024, hex("bdf0324e6083dcc6d3cedd3ca8c53c16")),
        ];
        for (key, offset, expected) in vectors {
            let [mut cipher] = Rc4::undropped([key]);
            cipher.apply(&mut vec![0; offset]);
            let mut stream = [0; 16];
            cipher.apply(&mut stream);
            assert_eq!(stream, expected, "key {key:?} at {offset}");
        }
    }

    fn hex(text: &str) -> [u8; 16] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..][..2], 16).unwrap_or(0))
    }

    proptest! {
        #[test]
        fn a_cipher_is_the_same_beside_others(keys: [[u8; 20]; 2]) {
            let mut together = Rc4::several(keys.each_ref());
            for (cipher, key) in together.iter_mut().zip(&keys) {
                let (mut one, mut other) = ([0; 100], [0; 100]);
                cipher.apply(&mut one);
                Rc4::new(key).apply(&mut other);
                prop_assert_eq!(one, other);
            }
        }

        #[test]
        fn two_ciphers_undo_each_other_however_the_bytes_are_split(
            key: [u8; 20],
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            split in 0..200_usize,
        ) {
            let (mut there, mut back) = (Rc4::new(&key), Rc4::new(&key));
            let mut sent = bytes.clone();
            there.apply(&mut sent);
            let (first, second) = sent.split_at_mut(split.min(bytes.len()));
            back.apply(first);
            back.apply(second);
            prop_assert_eq!(sent, bytes);
        }
    }
}
