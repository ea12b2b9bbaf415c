//! `piecework up` and the commands that are its clients, as real processes.

use piecework_testkit::{FakePeer, Fixture, FixtureBuilder, Run, Sandbox, Signal};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");

/// A polite end: the API's connections, the trackers, the drives.
const POLITE: Duration = Duration::from_secs(10);

/// Folders of a daemon.
struct Home {
    sandbox: Sandbox,
}

impl Home {
    fn new() -> Self {
        Self { sandbox: Sandbox::new(BINARY) }
    }

    fn data(&self) -> PathBuf {
        self.sandbox.root().join("daemon")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.sandbox.daemon(&self.data(), arguments)
    }

    fn up(&self) -> Command {
        self.sandbox.up(&self.data())
    }

    fn start(&self) -> Run {
        let run = Run::start(self.up());
        run.wait_object("ready", |object| object["event"] == "ready");
        run
    }

    /// A client, to its end: status, stdout, stderr.
    fn ask(&self, arguments: &[&str]) -> (i32, Vec<String>, String) {
        let mut run = Run::start(self.command(arguments));
        (run.wait(), run.stdout(), run.stderr())
    }

    /// A client that has to succeed.
    fn told(&self, arguments: &[&str]) -> Vec<String> {
        let (status, stdout, stderr) = self.ask(arguments);
        assert_eq!(status, 0, "{arguments:?}: {stderr}");
        stdout
    }

    /// The objects of a client under `--json`.
    fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = arguments.to_vec();
        all.push("--json");
        let lines = self.told(&all);
        lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Waits until the one torrent is at this stage.
    fn wait_stage(&self, stage: &str) -> Value {
        let mut command = self.command(&["list", "--watch", "--json"]);
        command.args(["--sort", "name"]);
        let mut run = Run::start(command);
        let found = run.wait_object(stage, |object| object["stage"] == stage);
        run.kill();
        found
    }
}

fn fixture(name: &str) -> Fixture {
    FixtureBuilder::file(name, 300_000).build()
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().expect("a path of text").to_owned()
}

#[test]
fn a_daemon_says_where_it_is_keeps_its_secrets_and_ends_politely() {
    let home = Home::new();
    let mut up = home.start();
    let first = up.wait_object("first start", |object| object["event"] == "first_start");
    for name in ["first-login.txt", "api.json", "access.json"] {
        let mode = fs::metadata(home.data().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let secrets = fs::read_to_string(first["file"].as_str().expect("a path")).expect("secrets");
    assert!(secrets.contains("password  ") && secrets.contains("API key   pw_"), "{secrets}");
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
    let hidden: Vec<_> = secrets
        .lines()
        .filter(|line| line.starts_with("password") || line.starts_with("API key"))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    assert_eq!(hidden.len(), 2, "{secrets}");
    for line in hidden {
        assert!(!up.stderr().contains(line) && !up.stdout().join("\n").contains(line), "{line}");
    }
    let mut again = home.start();
    assert_eq!(again.end(Signal::INT, POLITE), 0, "{}", again.stderr());
    assert!(!again.stdout().join("\n").contains("first_start"));
}

#[test]
fn a_torrent_comes_is_fetched_and_is_still_there_after_a_restart() {
    let (home, fixture) = (Home::new(), fixture("payload"));
    let seed = FakePeer::seed(&fixture);
    let mut up = home.start();
    let torrent = text(home.sandbox.torrent(&fixture));
    let peer = seed.address().to_string();
    let added = home.objects(&["add", &torrent, "--tag", "one", "--peer", &peer]);
    assert_eq!(added[0]["name"], "payload", "{added:?}");
    let found = home.wait_stage("seeding");
    let id = found["id"].as_str().expect("an info-hash").to_owned();
    assert_eq!(fixture.faults(&home.data().join("downloads")), [""; 0]);
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
    let mut up = home.start();
    let list = home.objects(&["list"]);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!((list[0]["progress_milli"].as_u64(), &list[0]["id"]), (Some(1000), &found["id"]));
    let table = home.told(&["list"]);
    assert!(table[0].starts_with("HASH") && table[1].contains("100.0 %"), "{table:?}");
    assert!(home.told(&["info", &id[..8]]).join("\n").contains("payload"));
    assert!(home.told(&["files", "payl"]).join("\n").contains("payload"));
    home.told(&["peers", "payload"]);
    home.told(&["trackers", "payload"]);
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
}

#[test]
fn what_is_done_to_torrents_is_done() {
    let (home, fixture) = (Home::new(), fixture("payload"));
    let mut up = home.start();
    let torrent = text(home.sandbox.torrent(&fixture));
    home.told(&["category", "create", "films"]);
    home.told(&["add", &torrent, "--stopped", "--category", "films", "--limit-up", "10k"]);
    let one = || home.objects(&["info", "payload"]).remove(0);
    let it = one();
    let expected = ("stopped".into(), "films".into(), 10_000.into());
    assert_eq!(
        (&it["stage"], &it["category"], &it["up_limit"]),
        (&expected.0, &expected.1, &expected.2)
    );
    home.told(&["resume", "payload", "--force"]);
    home.wait_stage("downloading");
    home.told(&["pause", "--all"]);
    home.wait_stage("stopped");
    home.told(&["limit", "payload", "--down", "1M", "--up", "none"]);
    home.told(&["tag", "add", "b", "payload"]);
    home.told(&["tag", "add", "a", "payload"]);
    home.told(&["category", "set", "", "payload"]);
    home.told(&["rename", "payload", "\u{1b}[31mred\u{202e}"]);
    let it = home.objects(&["list"]).remove(0);
    assert_eq!(it["tags"], serde_json::json!(["a", "b"]), "{it}");
    assert_eq!(it["category"], Value::Null);
    let table = home.told(&["list"]).join("\n");
    assert!(!table.contains('\u{1b}') && !table.contains('\u{202e}') && table.contains("red"));
    let it = home.objects(&["info", "red"]).remove(0);
    assert_eq!((it["down_limit"].as_u64(), &it["up_limit"]), (Some(1_000_000), &Value::Null));
    let (status, _, stderr) = home.ask(&["remove", "red", "--with-files"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("--yes"), "{stderr}");
    home.told(&["remove", "red", "--with-files", "--yes"]);
    assert_eq!(home.objects(&["list"]).len(), 0);
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
}

#[test]
fn settings_change_while_it_runs_and_stay_changed() {
    let home = Home::new();
    let mut up = home.start();
    home.told(&["config", "set", "queue.downloads_max=2"]);
    home.told(&["limit", "--down", "3M"]);
    let (status, _, stderr) = home.ask(&["config", "set", "queue.download_max=2"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("did you mean queue.downloads_max?"), "{stderr}");
    home.told(&["log-level", "debug"]);
    assert_eq!(home.objects(&["log-level"])[0]["level"], "debug");
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
    let shown = home.told(&["config", "show", "--origin"]).join("\n");
    for key in ["queue.downloads_max", "speed.down"] {
        let line = shown.lines().find(|line| line.starts_with(key)).expect(key);
        assert!(line.contains("changed at run time"), "{line}");
    }
}

#[test]
fn a_lost_password_is_replaced_while_no_daemon_runs() {
    let home = Home::new();
    let file = home.sandbox.root().join("word");
    fs::write(&file, "another password\nand a line\n").expect("a file");
    let set = ["password", "--password-file", &text(&file)];
    let (status, _, stderr) = home.ask(&set);
    assert_eq!(status, 1);
    assert!(stderr.contains("no daemon has run"), "{stderr}");
    let mut up = home.start();
    let (status, _, stderr) = home.ask(&set);
    assert_eq!(status, 1);
    assert!(stderr.contains("runs already"), "{stderr}");
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
    let before = fs::read(home.data().join("access.json")).expect("a file");
    home.told(&set);
    assert_ne!(fs::read(home.data().join("access.json")).expect("a file"), before);
    // Keys stay good.
    let mut up = home.start();
    home.told(&["list"]);
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
}

/// One request by hand: the status.
fn request(url: &str, path: &str, host: &str) -> String {
    use std::io::{Read, Write};
    let address = url.trim_start_matches("http://");
    let mut socket = std::net::TcpStream::connect(address).expect("the daemon listens");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).expect("it takes requests");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers in text");
    answer.split_whitespace().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn each_setting_of_the_api_and_of_the_log_has_its_effect() {
    let home = Home::new();
    let mut command = home.up();
    command.args(["--set", "api.hosts=box.example", "--set", "api.base_path=/torrents"]);
    command.args(["--set", "log.format=json"]);
    let mut up = Run::start(command);
    let ready = up.wait_object("ready", |object| object["event"] == "ready");
    let url = ready["url"].as_str().expect("an address");
    let ask = |path, host| request(url, path, host);
    assert_eq!(ask("/torrents/api/v1/openapi.json", "localhost"), "200");
    assert_eq!(ask("/elsewhere/api/v1/openapi.json", "localhost"), "404");
    assert_eq!(ask("/api/v1/openapi.json", "box.example"), "200");
    assert_eq!(ask("/api/v1/openapi.json", "evil.example"), "421");
    assert_eq!(ask("/api/v1/torrents", "localhost"), "401");
    let payload = text(home.sandbox.torrent(&fixture("payload")));
    home.told(&["add", &payload, "--stopped"]);
    let line = up.wait_stderr("torrent_added");
    let object: Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!(object["level"], "INFO", "{line}");
    let (status, _, stderr) = home.ask(&["config", "set", "log.format=human"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("flag --set") && stderr.contains("wins"), "{stderr}");
    home.told(&["config", "set", "log.level=error"]);
    home.told(&["remove", "payload"]);
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
    assert!(!up.stderr().contains("torrent_removed"), "{}", up.stderr());
}

#[test]
fn a_passkey_is_neither_in_the_log_nor_on_the_screen() {
    const SECRET: &str = "s3cretpasskey";
    let home = Home::new();
    let mut command = home.up();
    command.args(["--set", "log.level=trace"]);
    let mut up = Run::start(command);
    up.wait_object("ready", |object| object["event"] == "ready");
    // Nobody listens there: the failure is told, and what of.
    let tracker = format!("http://127.0.0.1:9/{SECRET}/announce?k={SECRET}");
    let fixture = FixtureBuilder::file("payload", 300_000).tracker(&tracker).build();
    let torrent = text(home.sandbox.torrent(&fixture));
    let mut shown = home.told(&["add", &torrent]);
    let link = format!("magnet:?xt=urn:btih:{}&tr={tracker}", "ab".repeat(20));
    shown.extend(home.told(&["add", &link, "--stopped"]));
    let is_failing = || {
        let trackers = home.objects(&["trackers", "payload"]);
        trackers.iter().any(|tracker| tracker["state"] == "failing")
    };
    assert!((0..500).any(|_| is_failing()), "{:?}", home.told(&["trackers", "payload"]));
    for arguments in [&["list"][..], &["info", "payload"], &["trackers", "payload"]] {
        shown.extend(home.told(arguments));
    }
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
    let (log, shown) = (up.stderr(), shown.join("\n"));
    assert!(log.contains("127.0.0.1:9"), "nothing was told:\n{log}");
    assert!(!log.contains(SECRET), "{log}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn a_second_daemon_on_one_folder_is_refused_with_the_first_ones_process() {
    let home = Home::new();
    let mut up = home.start();
    let (status, _, stderr) = home.ask(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(status, 1);
    assert!(stderr.contains(&format!("process {}", up.id())), "{stderr}");
    assert!(stderr.contains("--data-dir"), "{stderr}");
    up.kill();
    let mut up = home.start();
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
}

#[test]
fn who_cannot_ask_a_daemon_is_told_why_and_what_to_do() {
    let home = Home::new();
    let start = format!("piecework up --data-dir {}", text(home.data()));
    let (status, _, stderr) = home.ask(&["list"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("no daemon has run") && stderr.contains(&start), "{stderr}");
    let mut up = home.start();
    let (status, _, stderr) = home.ask(&["list", "--key", "pw_wrong"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("does not know this key") && !stderr.contains("pw_wrong"), "{stderr}");
    let (status, _, stderr) = home.ask(&["info", "nothing"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("no torrent is called nothing"), "{stderr}");
    let (status, _, stderr) = home.ask(&["list", "--url", "http://127.0.0.1:9"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("--key"), "{stderr}");
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
    let (status, _, stderr) = home.ask(&["list"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("no daemon answers") && stderr.contains(&start), "{stderr}");
}

#[test]
fn settings_that_make_no_sense_are_told_all_at_once() {
    let home = Home::new();
    fs::create_dir_all(home.data()).expect("a folder");
    let file = home.data().join("piecework.toml");
    fs::write(&file, "[queue]\ndownload_max = 3\n\n[net]\npeers_max = 0\n").expect("a file");
    for arguments in [&["config", "check"][..], &["config", "show"], &["up"]] {
        let (status, stdout, stderr) = home.ask(arguments);
        assert_eq!(status, 1, "{arguments:?}");
        assert_eq!(stdout, [""; 0]);
        assert!(
            stderr.contains("piecework.toml:2") && stderr.contains("downloads_max?"),
            "{stderr}"
        );
        assert!(stderr.contains("piecework.toml:5"), "{stderr}");
    }
    fs::write(&file, "queue.downloads_max = 3\n").expect("a file");
    assert!(home.told(&["config", "check"])[0].contains("nothing is wrong"));
    let shown = home.objects(&["config", "show", "--set", "queue.seeds_max=4"]);
    let of = |key: &str| {
        let entry = shown.iter().find(|entry| entry["key"] == key).expect("the key");
        (entry["value"].clone(), entry["origin"].as_str().expect("text").to_owned())
    };
    assert_eq!(of("queue.seeds_max"), ("4".into(), "flag --set".into()));
    assert_eq!(of("dht.on"), ("false".into(), "environment PIECEWORK_DHT_ON".into()));
    assert!(of("queue.downloads_max").1.ends_with("piecework.toml:1"));
    assert_eq!(of("queue.on"), ("true".into(), "default".into()));
}

/// What was acknowledged is there whatever happens.
fn kill_during_adds(times: u32) {
    let home = Home::new();
    let mut acknowledged = 0;
    for round in 0..times {
        let mut up = home.start();
        assert_eq!(home.objects(&["list"]).len(), acknowledged, "after {round} kills");
        let torrent = text(home.sandbox.torrent(&fixture(&format!("payload-{round}"))));
        home.told(&["add", &torrent, "--stopped"]);
        acknowledged += 1;
        let other = text(home.sandbox.torrent(&fixture(&format!("other-{round}"))));
        let mut add = Run::start(home.command(&["add", &other, "--stopped", "--json"]));
        // At another moment of the second one's way each time.
        std::thread::sleep(Duration::from_millis(u64::from(round * 7 % 60)));
        up.kill();
        acknowledged += usize::from(add.wait() == 0);
        let mut up = home.start();
        // One that was not acknowledged may have come in nevertheless.
        let there = home.objects(&["list"]).len();
        assert!(there == acknowledged || there == acknowledged + 1, "{there}, {acknowledged}");
        acknowledged = there;
        up.kill();
    }
}

#[test]
fn no_torrent_that_was_acknowledged_is_lost_to_a_kill() {
    let rounds = std::env::var("PIECEWORK_KILLS").ok().and_then(|text| text.parse().ok());
    kill_during_adds(rounds.unwrap_or(6));
}

#[test]
fn the_service_manager_hears_when_it_is_ready_alive_and_ending() {
    let home = Home::new();
    let socket = home.sandbox.root().join("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let heard = || {
        let mut bytes = [0; 1000];
        let count = manager.recv(&mut bytes).expect("a word from the daemon");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    };
    let mut command = home.up();
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "200000");
    let mut up = Run::start(command);
    assert!(heard().starts_with("READY=1\nSTATUS="));
    assert_eq!(heard(), "WATCHDOG=1");
    assert_eq!(heard(), "WATCHDOG=1");
    up.signal(Signal::TERM);
    while heard() != "STOPPING=1" {}
    assert_eq!(up.wait_within(POLITE), 0, "{}", up.stderr());
}

#[test]
fn a_socket_that_is_handed_over_is_the_one_that_is_served() {
    use std::io::{BufRead, BufReader};
    use std::os::fd::OwnedFd;
    use std::process::Stdio;
    let home = Home::new();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("its address");
    // The third descriptor, as service managers hand it over; the process keeps its number.
    let script = "exec env LISTEN_PID=$$ LISTEN_FDS=1 \"$@\" 3<&0 0</dev/null";
    let up = home.up();
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(up.get_program()).args(up.get_args());
    for (name, value) in up.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::from(OwnedFd::from(socket))).stdout(Stdio::piped());
    let mut child = command.spawn().expect("a shell");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut objects =
        lines.map_while(Result::ok).filter_map(|line| serde_json::from_str(&line).ok());
    let ready: Option<Value> = objects.find(|object: &Value| object["event"] == "ready");
    let told = ready.map(|ready| ready["url"].as_str().map(str::to_owned));
    let listed = home.ask(&["list"]).0;
    drop(child.kill());
    drop(child.wait());
    assert_eq!(told.flatten(), Some(format!("http://{address}")));
    assert_eq!(listed, 0);
}

#[test]
fn the_shell_is_offered_the_torrents_of_a_running_daemon() {
    let (home, fixture) = (Home::new(), fixture("payload"));
    let mut up = home.start();
    home.told(&["add", &text(home.sandbox.torrent(&fixture)), "--stopped"]);
    let script = home.told(&["completions", "bash"]).join("\n");
    assert!(script.contains("PIECEWORK_COMPLETE"), "{script}");
    let mut command = home.command(&[]);
    command = {
        let mut plain = Command::new(command.get_program());
        plain.args(["--", "piecework", "info", "pay"]);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => plain.env(name, value),
                None => plain.env_remove(name),
            };
        }
        plain.env("PIECEWORK_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2");
        plain
    };
    let mut run = Run::start(command);
    assert_eq!(run.wait(), 0, "{}", run.stderr());
    assert!(run.stdout().join("\n").contains("payload"), "{:?}", run.stdout());
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
}

/// What is in `testdata` was written by the first version; later formats get a folder beside it.
#[test]
fn what_an_earlier_version_left_is_read_and_none_of_it_is_lost() {
    let home = Home::new();
    let left = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/format-1");
    fs::create_dir_all(home.data()).expect("a folder");
    for name in ["access.json", "run-time.toml"] {
        fs::copy(left.join(name), home.data().join(name)).expect(name);
    }
    let packed = fs::File::open(left.join("catalog.redb.gz")).expect("a catalog file");
    let mut catalog = fs::File::create(home.data().join("catalog.redb")).expect("a file");
    std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut catalog).expect("a copy");
    drop(catalog);

    let mut up = home.start();
    let list = home.objects(&["list", "--sort", "name"]);
    let of = |name: &str| list.iter().find(|row| row["name"] == name).expect(name);
    let (film, magnet) = (of("film.mkv"), of("a magnet"));
    assert_eq!(
        (&film["stage"], &magnet["stage"]),
        (&Value::from("stopped"), &Value::from("stopped"))
    );
    let film = home.objects(&["info", "film.mkv"]).remove(0);
    assert_eq!((&film["category"], &film["size_bytes"]), (&Value::from("films"), &Value::from(5)));
    assert_eq!((&film["tags"][0], &film["up_limit"]), (&Value::from("new"), &Value::from(100_000)));
    let settings = home.objects(&["config", "show", "--origin"]);
    let changed = settings.iter().find(|it| it["key"] == "queue.downloads_max").expect("a setting");
    assert_eq!(changed["value"], "3");
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
}

#[test]
fn feeds_and_rules_are_made_shown_and_removed_and_a_passkey_is_not_shown() {
    let home = Home::new();
    let mut up = home.start();
    home.told(&["feed", "rule", "set", "isos", "--wants", "linux *iso", "--category", "films"]);
    // Nobody listens at port 1.
    home.told(&["feed", "add", "news", "http://127.0.0.1:1/rss?passkey=secret", "--every", "5"]);
    let feed = home.objects(&["feed", "list"]).remove(0);
    assert_eq!((&feed["name"], &feed["feed"]["interval_minutes"]), (&"news".into(), &5.into()));
    assert_eq!(feed["feed"]["url"], "http://127.0.0.1:1/rss");
    let rule = home.objects(&["feed", "rule", "list"]).remove(0);
    assert_eq!((&rule["name"], &rule["rule"]["wants"]), (&"isos".into(), &"linux *iso".into()));
    let (status, _, stderr) = home.ask(&["feed", "rule", "try", "--regex", "--wants", "("]);
    assert!(status == 1 && stderr.contains("regular expression"), "{stderr}");
    let (status, _, stderr) = home.ask(&["feed", "remove", "olds"]);
    assert!(status == 1 && stderr.contains("no feed called \"olds\""), "{stderr}");
    home.told(&["feed", "remove", "news"]);
    home.told(&["feed", "rule", "remove", "isos"]);
    assert!(home.objects(&["feed", "list"]).is_empty());
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
    assert!(!up.stderr().contains("secret"), "{}", up.stderr());
}

#[test]
fn whether_peers_can_connect_is_asked_of_the_daemon_that_runs() {
    let home = Home::new();
    // No network but loopback, so that no gateway is asked.
    let report = || home.objects(&["net", "--bind", "127.0.0.1", "--port", "0"]).remove(0);
    assert_eq!(report()["daemon"], Value::Null);
    let mut up = home.start();
    let told = report();
    let daemon = &told["daemon"];
    assert!(daemon["port"].as_u64().is_some_and(|port| port > 0), "{told}");
    assert_eq!((&told["port"], &daemon["mapping"]), (&daemon["port"], &Value::from("off")));
    let text = home.told(&["net", "--bind", "127.0.0.1"]).join("\n");
    assert!(text.contains("daemon      runs, listens on port"), "{text}");
    assert_eq!(up.end(Signal::TERM, POLITE), 0, "{}", up.stderr());
    assert_eq!(report()["daemon"], Value::Null, "it has ended");
}
