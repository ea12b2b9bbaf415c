//! A daemon whose drives fill up and have room again, a hundred times at random moments: each call is
//! answered clearly, nothing that was acknowledged is lost, not even to a kill, and it goes on once there
//! is room.
//!
//! The drives are small tmpfs in a mount namespace, which needs `unshare` to be allowed. Where it is not, the
//! test says so on stderr and ends. What the daemon may know is kept beside: a call that was acknowledged
//! counts, one that failed may count or not.

use piecework_testkit::{FakePeer, Fixture, FixtureBuilder, Mounts, PATIENCE, Run, Sandbox};
use piecework_types::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

/// Times that a drive is full.
const ROUNDS: u64 = 100;
/// Calls of a round.
const CALLS: u64 = 8;
/// One round in so many has a kill.
const KILL_EVERY: u64 = 5;
/// Torrents at a time; all of them fit on one drive.
const TORRENTS_MAX: usize = 60;
const PAYLOAD_BYTES: usize = 50_000;
/// Empty files with long names: the catalog file has to grow for each torrent.
const EMPTY_FILES: usize = 40;
/// A drive that is full has at most this left, bytes.
const LEFT_BYTES_MAX: u64 = 48 << 10;

/// The folders that are drives of their own: what the daemon keeps, and two for payload.
const DRIVES: [&str; 3] = ["daemon", "one", "two"];

/// Who answers, and how.
struct Door {
    address: String,
    key: String,
}

/// A status and a body; nothing is `null`.
type Answer = (u16, Value);

impl Door {
    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            self.key,
            body.len()
        );
        let mut socket = TcpStream::connect(&self.address).expect("the daemon listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.write_all(&[head.as_bytes(), body].concat()).expect("it takes requests");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers in text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
        let body = if body.is_empty() { Value::Null } else { read(body) };
        if status >= 400 {
            assert!(head.contains("application/problem+json"), "{answer}");
            must_be_clear(&body);
        }
        (status, body)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask(method, path, "application/json", body.to_string().as_bytes())
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "application/json", b"");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Whether it was added.
    fn add(&self, fixture: &Fixture, options: &Value) -> bool {
        let options = options.to_string();
        let part = |head: &str, content: &[u8]| {
            let head = format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n");
            [head.as_bytes(), content, b"\r\n"].concat()
        };
        let mut body = part("name=\"torrents\"; filename=\"a.torrent\"", fixture.torrent());
        body.extend(part("name=\"options\"", options.as_bytes()));
        body.extend_from_slice(b"--B--\r\n");
        let (status, told) =
            self.ask("POST", "/torrents", "multipart/form-data; boundary=B", &body);
        assert_eq!(status, 200, "{told}");
        let result = &told["results"][0];
        if result["id"].is_null() {
            must_be_clear(&result["problem"]);
        }
        result["id"].is_string()
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A problem of the drive, with what to do about it; or that there is no such torrent, which whoever asks
/// judges.
fn must_be_clear(problem: &Value) {
    if problem["code"] == "not_found" {
        return;
    }
    assert!(problem["code"] == "failed", "{problem}");
    let text = problem["detail"].as_str().expect("words");
    assert!(text.contains("drive") && text.contains("room"), "{problem}");
}

/// What a torrent may be like, as far as calls were answered.
struct Known {
    fixture: Fixture,
    seed: FakePeer,
    is_certain: bool,
    is_removed: bool,
    names: BTreeSet<String>,
    folders: BTreeSet<String>,
}

/// The drives, and the daemon on them.
struct Machine {
    sandbox: Sandbox,
    mounts: Mounts,
    /// Its namespace outlives each daemon.
    keeper: Run,
    up: Option<Run>,
    rng: Rng,
    torrents: BTreeMap<String, Known>,
    /// Torrents that were ever made.
    made: u64,
    /// Calls that were refused because of a drive.
    refused: u64,
}

impl Machine {
    fn new(mounts: Mounts) -> Self {
        let sandbox = Sandbox::new(BINARY);
        let mut script = String::from("true");
        for (drive, size) in DRIVES.into_iter().zip(["24m", "4m", "4m"]) {
            let folder = sandbox.root().join(drive);
            fs::create_dir(&folder).expect("a folder");
            script += &format!(" && mount -t tmpfs -o size={size} none '{}'", folder.display());
        }
        let mut keep = Command::new("sh");
        keep.args(["-c", "echo mounted; exec sleep 3600"]);
        let keeper = Run::start(mounts.within(&script, &keep));
        keeper.wait_stdout("mounted");
        let (torrents, rng) = (BTreeMap::new(), Rng::new(7));
        Self { sandbox, mounts, keeper, up: None, rng, torrents, made: 0, refused: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.root().join(name)
    }

    /// The same from out here.
    fn seen(&self, name: &str) -> PathBuf {
        Mounts::seen_by(self.keeper.id(), &self.path(name))
    }

    fn launch(&self) -> Run {
        let mut command = self.sandbox.up(&self.path("daemon"));
        let roots = format!("{},{}", self.path("one").display(), self.path("two").display());
        for setting in ["queue.on=false".to_owned(), format!("torrents.roots={roots}")] {
            command.args(["--set", &setting]);
        }
        Run::start(self.mounts.beside(self.keeper.id(), &command))
    }

    fn start(&mut self) -> Door {
        let up = self.launch();
        let ready = up.wait_object("ready", |object| object["event"] == "ready");
        let url = ready["url"].as_str().expect("an address").to_owned();
        let file = fs::read_to_string(self.seen("daemon/api.json")).expect("who may ask");
        self.up = Some(up);
        let key = read(&file)["key"].as_str().expect("a key").to_owned();
        Door { address: url.trim_start_matches("http://").to_owned(), key }
    }

    /// Leaves nearly nothing of a drive.
    fn fill(&mut self, drive: &str) {
        let left = if self.rng.chance(1, 2) { 0 } else { self.rng.below(LEFT_BYTES_MAX) };
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.seen(drive).join("filler"))
            .expect("a name costs no space");
        let mut block = vec![1; 64 << 10];
        while !block.is_empty() {
            match file.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    block.truncate(block.len() / 2);
                }
                Err(error) => panic!("{error}"),
            }
        }
        let length = file.metadata().expect("a size").len();
        file.set_len(length.saturating_sub(left)).expect("a file can be cut");
    }

    fn empty(&self) {
        for drive in DRIVES {
            drop(fs::remove_file(self.seen(drive).join("filler")));
        }
    }

    /// A torrent that may still be there.
    fn some_torrent(&mut self) -> Option<String> {
        let there: Vec<_> = self.torrents.iter().filter(|(_, it)| !it.is_removed).collect();
        let nth = self.rng.below((there.len() as u64).max(1));
        there.get(nth as usize).map(|(id, _)| (*id).clone())
    }

    /// Something that people want, whatever comes of it.
    fn call(&mut self, door: &Door) {
        let is_full = self.torrents.len() >= TORRENTS_MAX;
        let (kind, target) = (self.rng.below(8), self.some_torrent());
        match (kind, target) {
            (0, Some(id)) if is_full => self.remove(door, &id),
            (1..4, _) | (_, None) if !is_full => self.add(door),
            (4..6, Some(id)) => self.rename(door, &id),
            (_, Some(id)) => self.relocate(door, &id),
            (_, None) => {}
        }
    }

    fn add(&mut self, door: &Door) {
        self.made += 1;
        let name = format!("payload-{}", self.made);
        let long = format!("{0}/{0}/{0}/{0}", "long".repeat(50));
        let mut builder = FixtureBuilder::folder(&name).with("payload", PAYLOAD_BYTES);
        for empty in 0..EMPTY_FILES {
            builder = builder.with(&format!("{long}/{empty}"), 0);
        }
        let fixture = builder.seed(self.made).build();
        let seed = FakePeer::seed(&fixture);
        let folder = self.path("one").display().to_string();
        let peer = seed.address().to_string();
        let options = json!({ "save_path": folder, "peers": [peer] });
        let is_certain = door.add(&fixture, &options);
        self.refused += u64::from(!is_certain);
        let (names, folders) = ([name].into(), [folder].into());
        let id = fixture.info_hash().to_string();
        let known = Known { fixture, seed, is_certain, is_removed: false, names, folders };
        self.torrents.insert(id, known);
    }

    /// Changes one thing of a torrent; `place` gives what is known of that.
    fn change(
        &mut self,
        door: &Door,
        id: &str,
        field: &str,
        value: String,
        place: fn(&mut Known) -> &mut BTreeSet<String>,
    ) {
        let (status, told) =
            door.send("PATCH", &format!("/torrents/{id}"), &json!({ field: value }));
        let known = self.torrents.get_mut(id).expect("it was chosen from these");
        match status {
            204 => *place(known) = [value].into(),
            404 => assert!(!known.is_certain, "{told}"),
            _ => {
                self.refused += 1;
                place(known).insert(value);
            }
        }
    }

    fn rename(&mut self, door: &Door, id: &str) {
        let name = format!("name-{}", self.rng.below(1_000_000));
        self.change(door, id, "name", name, |known| &mut known.names);
    }

    fn relocate(&mut self, door: &Door, id: &str) {
        let drive = if self.rng.chance(1, 2) { "one" } else { "two" };
        let folder = self.path(drive).display().to_string();
        self.change(door, id, "save_path", folder, |known| &mut known.folders);
    }

    fn remove(&mut self, door: &Door, id: &str) {
        let path = format!("/torrents/{id}?deletes_files=true");
        let (status, told) = door.send("DELETE", &path, &Value::Null);
        let known = self.torrents.get_mut(id).expect("it was chosen from these");
        match status {
            204 => drop(self.torrents.remove(id)),
            404 => assert!(!known.is_certain, "{told}"),
            _ => (known.is_removed, known.is_certain) = (true, false),
        }
    }

    /// What the daemon says has to be what it acknowledged.
    fn compare(&mut self, door: &Door) {
        let list = door.get("/torrents?fields=id,name,save_path");
        let mut there: BTreeMap<String, Value> = BTreeMap::new();
        for torrent in list["torrents"].as_array().expect("a list") {
            there.insert(torrent["id"].as_str().expect("an id").to_owned(), torrent.clone());
        }
        for (id, known) in &mut self.torrents {
            match there.remove(id) {
                None => assert!(!known.is_certain, "{id} is lost"),
                Some(torrent) => {
                    let text = |key: &str| torrent[key].as_str().expect("text").to_owned();
                    let (name, folder) = (text("name"), text("save_path"));
                    assert!(known.names.contains(&name), "{name} of {:?}", known.names);
                    assert!(known.folders.contains(&folder), "{folder} of {:?}", known.folders);
                    (known.is_certain, known.is_removed) = (true, false);
                    (known.names, known.folders) = ([name].into(), [folder].into());
                }
            }
        }
        assert!(there.is_empty(), "nobody added {there:?}");
        self.torrents.retain(|_, known| known.is_certain);
    }

    /// A start on full drives works, or is refused in words.
    fn try_start(&self) {
        let mut up = self.launch();
        let is_ready = |run: &Run| run.stdout().iter().any(|line| line.contains("\"ready\""));
        let until = Instant::now() + PATIENCE;
        // What it logs on the way says nothing of how it ends.
        while !is_ready(&up) && !up.has_ended() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        if is_ready(&up) {
            return up.kill();
        }
        assert_eq!(up.wait(), 1, "{}", up.stderr());
        let words = up.stderr();
        assert!(words.contains("space") || words.contains("drive"), "{words}");
    }

    fn round(&mut self, number: u64, door: Door) -> Door {
        let drive = DRIVES[self.rng.below(4).saturating_sub(1) as usize];
        let (full_at, empty_at) = (self.rng.below(CALLS), self.rng.below(CALLS));
        let is_killed = number % KILL_EVERY == KILL_EVERY - 1;
        for nth in 0..CALLS {
            if nth == full_at {
                self.fill(drive);
            }
            self.call(&door);
            if nth == empty_at && empty_at > full_at && !is_killed {
                self.empty();
            }
        }
        let door = if is_killed {
            self.up.as_mut().expect("it runs").kill();
            self.try_start();
            self.empty();
            self.start()
        } else {
            self.empty();
            door
        };
        self.compare(&door);
        // With room, the first call already is carried out.
        if let Some(id) = self.some_torrent() {
            let refused = self.refused;
            self.rename(&door, &id);
            assert_eq!(self.refused, refused, "round {number}: it has not gone on");
        }
        door
    }

    /// In the end everything comes, and lies whole where it should.
    fn finish(&mut self, door: &Door) {
        let until = Instant::now() + 3 * PATIENCE;
        loop {
            let ids: Vec<_> = self.torrents.keys().cloned().collect();
            door.send("POST", "/torrents:start", &json!({ "ids": ids }));
            for (id, known) in &self.torrents {
                let peers = json!({ "addresses": [known.seed.address().to_string()] });
                door.send("POST", &format!("/torrents/{id}/peers"), &peers);
            }
            let list = door.get("/torrents?fields=id,stage,error,save_path");
            let torrents = list["torrents"].as_array().expect("a list").clone();
            let is_well = |it: &Value| it["stage"] == "seeding" && it["error"].is_null();
            // What was complete before is seeding while it is loaded: empty files may not be there yet.
            let faults = self.faults();
            if torrents.iter().all(is_well) && faults.is_empty() {
                break;
            }
            let said = self.up.as_ref().expect("it runs").stderr();
            assert!(Instant::now() < until, "{faults:#?}\n{list:#}\n{said}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What is not where it should be, or not what it should be.
    fn faults(&self) -> Vec<String> {
        let of_one = |known: &Known| {
            let folder = PathBuf::from(known.folders.first().expect("one"));
            known.fixture.faults(&Mounts::seen_by(self.keeper.id(), &folder))
        };
        self.torrents.values().flat_map(of_one).collect()
    }
}

#[test]
fn no_full_drive_loses_what_was_acknowledged_and_each_call_is_answered_clearly() {
    let Some(mounts) = Mounts::allowed() else { return };
    let mut machine = Machine::new(mounts);
    let mut door = machine.start();
    for number in 0..ROUNDS {
        door = machine.round(number, door);
    }
    eprintln!("{} of {} refused", machine.refused, machine.made);
    assert!(machine.refused > ROUNDS / 10, "the drives were hardly ever full");
    assert!(!machine.torrents.is_empty());
    machine.finish(&door);
}
