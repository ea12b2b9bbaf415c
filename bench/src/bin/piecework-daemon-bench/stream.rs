//! The first byte of a range of a file that has just been added, with one peer that has it.

use crate::http::{self, Client, Part};
use crate::node::{self, Kind, Node};
use crate::row::median;
use piecework_hash::sha1;
use serde_json::Value;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of the file, and of its pieces.
const FILE_BYTES: usize = 256 << 20;
const PIECE_BYTES: usize = 1 << 20;

/// Where in the file is asked: once each, in a daemon that has never seen the torrent.
const OFFSETS: [u64; 5] = [20 << 20, 77 << 20, 128 << 20, 201 << 20, 250 << 20];

const PATIENCE: Duration = Duration::from_secs(60);

/// Who streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Player {
    Ours,
    Rqbit,
}

/// A process that is ended with its owner.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The seed with what it shares.
pub(crate) struct Source {
    _seed: Ended,
    peer: SocketAddr,
    metainfo: Vec<u8>,
    info_hash: String,
}

impl Source {
    /// Makes a file that never repeats and seeds it with our own seeder.
    pub(crate) fn start(piecework: &Path, work: &Path) -> Result<Self, String> {
        let folder = work.join("source");
        let told = |error: std::io::Error| format!("{}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(told)?;
        let data: Vec<u8> = words().take(FILE_BYTES / 8).flat_map(u64::to_le_bytes).collect();
        fs::write(folder.join("film.mkv"), &data).map_err(told)?;
        let mut info = format!(
            "d6:lengthi{FILE_BYTES}e4:name8:film.mkv12:piece lengthi{PIECE_BYTES}e6:pieces{}:",
            FILE_BYTES / PIECE_BYTES * 20
        )
        .into_bytes();
        data.chunks(PIECE_BYTES).for_each(|piece| info.extend_from_slice(&sha1(piece).0));
        info.push(b'e');
        let info_hash = sha1(&info).to_string();
        let metainfo = [b"d4:info".as_slice(), &info, b"e"].concat();
        let torrent = folder.join("film.torrent");
        fs::write(&torrent, &metainfo).map_err(told)?;
        let peer = node::free_address()?;
        let mut command = Command::new(piecework);
        command.args(["seed", "--no-dht", "--no-local-discovery", "--no-port-mapping", "--trust"]);
        command.args(["--port", &peer.port().to_string(), "--dir"]).arg(&folder);
        command.arg("--state").arg(folder.join("state")).arg(torrent);
        let seed = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let seed = Ended(seed.map_err(|error| format!("cannot start the seed: {error}"))?);
        await_port(peer)?;
        Ok(Self { _seed: seed, peer, metainfo, info_hash })
    }

    /// Milliseconds until the first byte, the median over several places, each in a daemon of its own.
    pub(crate) fn first_byte(
        &self,
        player: Player,
        program: &Path,
        work: &Path,
    ) -> Result<f64, String> {
        let mut took = Vec::new();
        for offset in OFFSETS {
            let folder = work.join(format!("{player:?}-{offset}"));
            let (duration, byte) = match player {
                Player::Ours => self.ask_ours(program, &folder, offset)?,
                Player::Rqbit => self.ask_rqbit(program, &folder, offset)?,
            };
            if byte != expected(offset) {
                return Err(format!("byte {offset} is {byte:#x}, which is wrong"));
            }
            took.push(duration.as_secs_f64() * 1e3);
        }
        Ok(median(took))
    }

    fn ask_ours(
        &self,
        program: &Path,
        folder: &Path,
        offset: u64,
    ) -> Result<(Duration, u8), String> {
        let node = Node::start(Kind::Ours, program, folder, &folder.join("payload"))?;
        let mut client = node.client(folder)?;
        let start = Instant::now();
        client.post_parts("/api/v2/torrents/add", &[Part::File("film.torrent", &self.metainfo)])?;
        let form = format!("hashes={}&peers={}", self.info_hash, self.peer);
        client.post_form("/api/v2/torrents/addPeers", &form)?;
        let path = format!("/api/v1/torrents/{}/files/0/stream", self.info_hash);
        let (_, byte) = http::first_byte(node.address(), &path, offset, &client.headers)?;
        let took = start.elapsed();
        node.end()?;
        Ok((took, byte))
    }

    fn ask_rqbit(
        &self,
        program: &Path,
        folder: &Path,
        offset: u64,
    ) -> Result<(Duration, u8), String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let address = node::free_address()?;
        let log = File::create(folder.join("rqbit.log")).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["--http-api-listen-addr", &address.to_string(), "--disable-dht"]);
        command.args(["--disable-tcp-listen", "server", "start", "--disable-persistence"]);
        command.arg(folder.join("payload")).env("HOME", folder);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let _child = Ended(child.map_err(|error| format!("cannot start rqbit: {error}"))?);
        await_port(address)?;
        let mut client = Client::connect(address)?;
        let start = Instant::now();
        let path = format!("/torrents?overwrite=true&initial_peers={}", self.peer);
        let answer = client.post_bytes(&path, "application/x-bittorrent", &self.metainfo)?;
        let value: Value =
            serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        let id = value["id"].as_u64().ok_or("rqbit gives no id")?;
        let path = format!("/torrents/{id}/stream/0");
        let (_, byte) = http::first_byte(address, &path, offset, &[])?;
        Ok((start.elapsed(), byte))
    }
}

/// What the file is made of: numbers that do not repeat.
fn words() -> impl Iterator<Item = u64> {
    let next = |state: &u64| {
        let state = state ^ state << 13;
        let state = state ^ state >> 7;
        Some(state ^ state << 17)
    };
    std::iter::successors(Some(0x9e37_79b9_7f4a_7c15), next)
}

/// The byte of the file at an offset.
fn expected(offset: u64) -> u8 {
    let word = words().nth((offset / 8) as usize).unwrap_or_default();
    word.to_le_bytes()[(offset % 8) as usize]
}

fn await_port(address: SocketAddr) -> Result<(), String> {
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        if start.elapsed() > PATIENCE {
            return Err(format!("nobody answers at {address}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// rqbit, where the bench of swarms has built it.
pub(crate) fn installed_rqbit() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    cache.join("piecework/bench/rqbit/bin/rqbit")
}
