//! What encryption costs: the key agreement of a handshake, and a block in place.

use divan::counter::BytesCount;
use piecework_mse::{KeyPair, Rc4};

fn main() {
    divan::main();
}

#[divan::bench]
fn key_pair(bencher: divan::Bencher<'_, '_>) {
    bencher.bench_local(|| KeyPair::new(divan::black_box(&[0x5a; 20])));
}

#[divan::bench]
fn agreement(bencher: divan::Bencher<'_, '_>) {
    let (ours, theirs) = (KeyPair::new(&[0x5a; 20]), KeyPair::new(&[0xa5; 20]));
    bencher.bench_local(|| ours.agree(divan::black_box(theirs.public())));
}

#[divan::bench]
fn cipher_setup(bencher: divan::Bencher<'_, '_>) {
    bencher.bench_local(|| Rc4::new(divan::black_box(&[7; 20])));
}

#[divan::bench(args = [256 * 1024])]
fn cipher(bencher: divan::Bencher<'_, '_>, bytes: usize) {
    let (mut cipher, mut buffer) = (Rc4::new(&[7; 20]), vec![0; bytes]);
    bencher.counter(BytesCount::new(bytes)).bench_local(|| cipher.apply(&mut buffer));
}
