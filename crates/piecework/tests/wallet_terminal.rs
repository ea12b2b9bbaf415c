//! A person makes a wallet at a terminal: util-linux's `script` is the terminal, the test the person.

#![allow(clippy::unwrap_used)]

use piecework_testkit::Sandbox;
use piecework_wallet::{Coin, Keystore, Password, Phrase, account};
use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_piecework");
const PATIENCE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "correct hörse";
const WRITTEN_DOWN: &str = "Enter, when they are written down: ";
const WORD: &str = "Word ";
const GO_ON: &str = "Go on? [y/N] ";
/// All that is asked on the way; the others want the password.
const QUESTIONS: [&str; 6] = [
    WRITTEN_DOWN,
    WORD,
    GO_ON,
    "Password for the new keystore: ",
    "The same again: ",
    "Password of the wallet: ",
];

/// A program at a terminal, and all that stands on it.
struct Screen {
    child: Child,
    keys: ChildStdin,
    bytes: Receiver<Vec<u8>>,
    seen: String,
    /// How much of it was waited for already.
    read: usize,
}

impl Screen {
    fn start(sandbox: &Sandbox, arguments: &str) -> Self {
        let state = sandbox.state();
        Self::start_line(&format!("'{BINARY}' {arguments} --state '{}'", state.display()))
    }

    /// Starts a line of the shell.
    fn start_line(line: &str) -> Self {
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--flush", "--command", line, "/dev/null"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("util-linux's script");
        let (keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, bytes) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keys, bytes, seen: String::new(), read: 0 }
    }

    /// Waits until this is on the screen behind what was waited for before; gives what stands between.
    fn wait_for(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                let between = self.seen[self.read..][..at].to_owned();
                self.read += at + text.len();
                return between;
            }
            let more = self.bytes.recv_timeout(PATIENCE);
            let more = more.unwrap_or_else(|_| panic!("no {text:?} in {:?}", self.seen));
            self.seen += &String::from_utf8_lossy(&more);
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Answers the question that ends so.
    fn answer(&mut self, question: &str, keys: &str) {
        self.wait_for(question);
        self.press(&format!("{keys}\r"));
    }

    /// Answers whatever is asked as a person does who goes on, until the program ends.
    fn go_through(mut self) -> (i32, String) {
        let mut words = Vec::new();
        loop {
            let rest = &self.seen[self.read..];
            let asked = QUESTIONS.iter().filter_map(|it| rest.find(it).map(|at| (at, *it))).min();
            let Some((_, question)) = asked else {
                match self.bytes.recv_timeout(PATIENCE) {
                    Ok(more) => self.seen += &String::from_utf8_lossy(&more),
                    Err(RecvTimeoutError::Disconnected) => return self.end(),
                    Err(RecvTimeoutError::Timeout) => panic!("it waits in {:?}", self.seen),
                }
                continue;
            };
            match question {
                WRITTEN_DOWN => words = write_down(&mut self),
                WORD => {
                    let place = place(&mut self);
                    self.press(&format!("{}\r", words[place - 1]));
                }
                GO_ON => self.answer(question, "y"),
                _ => self.answer(question, PASSWORD),
            }
        }
    }

    /// The exit status, once all is read.
    fn end(mut self) -> (i32, String) {
        while let Ok(more) = self.bytes.recv_timeout(PATIENCE) {
            self.seen += &String::from_utf8_lossy(&more);
        }
        (self.child.wait().unwrap().code().unwrap(), self.seen)
    }
}

/// The numbered words between two places of the screen.
fn words(page: &str) -> Vec<String> {
    let tokens: Vec<&str> = page.split_whitespace().collect();
    let numbered = tokens.windows(2).filter(|pair| pair[0].parse::<usize>().is_ok());
    numbered.map(|pair| pair[1].to_owned()).collect()
}

/// Reads the words off the page; then the questions for two of them follow.
fn write_down(screen: &mut Screen) -> Vec<String> {
    let page = screen.wait_for(WRITTEN_DOWN);
    let words = words(&page);
    assert_eq!(words.len(), 12, "{page}");
    screen.press("\r");
    words
}

fn place(screen: &mut Screen) -> usize {
    screen.wait_for("Word ");
    screen.wait_for(": ").parse().unwrap()
}

#[test]
fn a_person_writes_the_words_down_types_two_back_and_a_password_twice_unseen() {
    let sandbox = Sandbox::new(BINARY);
    let mut screen = Screen::start(&sandbox, "wallet new");
    let words = write_down(&mut screen);
    let first = place(&mut screen);
    // A slip, mended with the backspace; then the wrong word, which is asked again.
    screen.press(&format!("{}xx\x7f\x7f\r", words[first - 1].to_uppercase()));
    let second = place(&mut screen);
    assert_ne!(first, second);
    screen.press("wrong\r");
    screen.wait_for("That is not the word");
    assert_eq!(place(&mut screen), second);
    screen.press(&format!("{}\r", words[second - 1]));
    screen.answer("Password for the new keystore: ", "short");
    screen.answer("Password for the new keystore: ", &format!("gone\x15{PASSWORD}"));
    screen.answer("The same again: ", "something else");
    screen.wait_for("These are two passwords");
    screen.answer("Password for the new keystore: ", &format!("{PASSWORD}öö\x7f\x7f"));
    screen.answer("The same again: ", PASSWORD);
    let (status, seen) = screen.end();
    assert_eq!(status, 0, "{seen}");
    assert!(!seen.contains("hörse") && !seen.contains("something else"), "{seen}");
    // The page with the words was left before the password was asked for.
    let left = seen.find("\x1b[?1049l").unwrap();
    assert!(left < seen.find("Password").unwrap() && seen.rfind(&words.join(" ")).is_none());

    let text = fs::read_to_string(sandbox.state().join("wallet/keystore.json")).unwrap();
    let opened = Keystore::parse(&text).unwrap().decrypt(&Password::new(PASSWORD.into())).unwrap();
    let phrase = Phrase::parse(&words.join(" ")).unwrap();
    let key = account(&phrase.seed(""), Coin::Ethereum, 0).unwrap();
    assert_eq!(opened.secret(), key.secret());

    let mut screen = Screen::start(&sandbox, "wallet export --private-key");
    screen.answer("Password of the wallet: ", "wrong password");
    screen.wait_for("wrong password (or the keystore is damaged)");
    screen.answer("Password of the wallet: ", PASSWORD);
    let (status, seen) = screen.end();
    let hex: String = key.secret().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(status == 0 && seen.contains(&hex), "{status} {seen}");
}

#[test]
fn who_has_not_written_the_words_down_gets_no_wallet() {
    let sandbox = Sandbox::new(BINARY);
    let mut screen = Screen::start(&sandbox, "wallet new");
    write_down(&mut screen);
    for _ in 0..3 {
        place(&mut screen);
        screen.press("forgotten\r");
    }
    let (status, seen) = screen.end();
    assert!(status == 1 && seen.contains("no wallet was made"), "{status} {seen}");
    assert!(!sandbox.state().join("wallet/keystore.json").exists());
}

#[test]
fn ctrl_c_ends_a_question_and_gives_the_terminal_back() {
    let sandbox = Sandbox::new(BINARY);
    let state = sandbox.state();
    let line = format!("'{BINARY}' wallet new --state '{}'; echo =$?=; stty -a", state.display());
    let mut screen = Screen::start_line(&line);
    screen.wait_for("Enter, when they are written down: ");
    screen.press("\x03");
    // The page is left, the status is that of an interrupted program, and keys are seen again.
    screen.wait_for("\x1b[?1049l");
    screen.wait_for("=130=");
    let (_, seen) = screen.end();
    let modes: Vec<&str> = seen.split_whitespace().collect();
    for mode in ["echo", "icanon", "isig"] {
        assert!(modes.contains(&mode), "{mode} in {seen}");
    }
    assert!(!sandbox.state().join("wallet/keystore.json").exists());
}

#[test]
fn a_phrase_is_typed_in_again_after_a_slip() {
    let sandbox = Sandbox::new(BINARY);
    let mut screen = Screen::start(&sandbox, "wallet restore");
    let phrase = "legal winner thank year wave sausage worth useful legal winner thank yellow";
    screen.answer("in one line:", &phrase.replace("sausage", "sausges"));
    screen.wait_for("word 6 is not in the list of words; did you mean sausage?");
    screen.answer("in one line:", phrase);
    screen.answer("Password for the new keystore: ", PASSWORD);
    screen.answer("The same again: ", PASSWORD);
    let (status, seen) = screen.end();
    assert!(status == 0 && seen.contains("0x58A57ed9d8d624cBD12e2C467D34787555bB1b25"), "{seen}");
}

/// The commands of the README's walk-through on two folders, without what is said behind them.
fn walk() -> Vec<&'static str> {
    let readme = include_str!("../../../README.md");
    let section = readme.split("\n## Money on two machines\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with("piecework --state "));
    lines.map(|line| line.split('#').next().unwrap().trim()).collect()
}

#[test]
fn the_walk_on_two_machines_goes_as_the_readme_says() {
    let sandbox = Sandbox::new(BINARY);
    let start = |line: &str| {
        let line = line.replacen("piecework", &format!("'{BINARY}'"), 1);
        Screen::start_line(&format!("cd '{}' && {line}", sandbox.root().display()))
    };
    let (mut chain, mut address, mut said) = (None, String::new(), String::new());
    for line in walk() {
        if line.ends_with("chain run") {
            // Any port, as there may be another chain on this machine.
            let mut screen = start(&format!("{line} --rpc 127.0.0.1:0"));
            screen.wait_for("http://127.0.0.1:");
            chain = Some(screen);
            continue;
        }
        let (status, seen) = start(&line.replace("ADDRESS", &address)).go_through();
        assert_eq!(status, 0, "{line}: {seen}");
        if line.ends_with("two wallet show") {
            let at = seen.find("0x").unwrap();
            seen[at..at + 42].clone_into(&mut address);
        }
        said += &format!("== {line}\n{seen}\n");
    }
    let mut chain = chain.unwrap();
    chain.press("\x03");
    chain.end();
    for result in ["5 TOK", "CASHED 1.5 TOK", "98.5", "UNLOCKED 0x", "LOCKED"] {
        assert!(said.contains(result), "no {result:?} in {said}");
    }
    // Unlocked, the first machine is asked for no password; the second one is.
    let password = said.split("== ").filter(|it| it.contains("Password of the wallet: "));
    let asked: Vec<_> = password.map(|it| it.lines().next().unwrap()).collect();
    let wanted = ["one token send", "one wallet unlock", "two vault cash"];
    assert_eq!(asked.len(), wanted.len(), "{asked:?}");
    assert!(asked.iter().zip(wanted).all(|(line, wanted)| line.contains(wanted)), "{asked:?}");
}
