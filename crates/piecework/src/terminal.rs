//! Questions to the person at the terminal, whatever stdin and stdout are; answers may stay unseen.
//!
//! While a question stands, keys come one by one: so Ctrl-C ends the question and not the program, and the
//! terminal is given back as it was, whatever happens.

use crate::failure::{Context, Failure};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use rustix::termios::{tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use zeroize::Zeroizing;

/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 4096;
/// The exit status of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_U: u8 = 0x15;
const BACKSPACE: [u8; 2] = [0x08, 0x7f];

/// Whether an answer is seen while it is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Echo {
    Shown,
    Hidden,
}

/// The terminal that this program was started from.
#[derive(Debug)]
pub(crate) struct Terminal {
    tty: File,
}

impl Terminal {
    /// Opens it; `remedy` says how to do without.
    pub(crate) fn open(remedy: &str) -> Result<Self, Failure> {
        let tty = OpenOptions::new().read(true).write(true).open("/dev/tty");
        let tty = tty.map_err(|_| Failure::new(format!("no terminal to ask at: {remedy}")))?;
        Ok(Self { tty })
    }

    /// Says something.
    pub(crate) fn say(&mut self, text: &str) -> Result<(), Failure> {
        let written = self.tty.write_all(text.replace('\n', "\r\n").as_bytes());
        written.and_then(|()| self.tty.flush()).context("cannot write to the terminal")
    }

    /// Asks for one line.
    pub(crate) fn ask(&mut self, question: &str, echo: Echo) -> Result<Zeroizing<String>, Failure> {
        let keys = Keys::of(&self.tty)?;
        self.say(question)?;
        let line = self.line(echo);
        self.say("\n")?;
        drop(keys);
        let line = line?;
        match std::str::from_utf8(&line) {
            Ok(text) => Ok(Zeroizing::new(text.to_owned())),
            Err(_) => Err(Failure::new("the answer is no UTF-8: set the terminal to UTF-8")),
        }
    }

    /// What is said from now on vanishes with the page, from the screen and from what can be scrolled to.
    pub(crate) fn page(&mut self) -> Result<Page<'_>, Failure> {
        self.say("\x1b[?1049h\x1b[H\x1b[2J")?;
        Ok(Page { terminal: self })
    }

    fn line(&mut self, echo: Echo) -> Result<Zeroizing<Vec<u8>>, Failure> {
        // As large as it gets: a vector that grows leaves copies behind.
        let mut line = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX));
        let mut key = [0];
        loop {
            let count = self.tty.read(&mut key).context("cannot read from the terminal")?;
            match key[0] {
                b'\r' | b'\n' => return Ok(line),
                _ if count == 0 => return Ok(line),
                CTRL_C => return Err(Failure::silent(INTERRUPTED)),
                CTRL_D if line.is_empty() => return Err(Failure::silent(INTERRUPTED)),
                CTRL_D => {}
                CTRL_U => while self.erase(&mut line, echo)? {},
                key if BACKSPACE.contains(&key) => drop(self.erase(&mut line, echo)?),
                _ if line.len() == ANSWER_BYTES_MAX => {
                    return Err(Failure::new(format!("an answer over {ANSWER_BYTES_MAX} bytes")));
                }
                key => {
                    line.push(key);
                    if echo == Echo::Shown {
                        self.tty.write_all(&[key]).context("cannot write to the terminal")?;
                    }
                }
            }
        }
    }

    /// Takes back the last character, with all its bytes.
    fn erase(&mut self, line: &mut Vec<u8>, echo: Echo) -> Result<bool, Failure> {
        let is_inside = |byte: &u8| byte & 0xc0 == 0x80;
        while line.pop_if(|byte| is_inside(byte)).is_some() {}
        let is_erased = line.pop().is_some();
        if is_erased && echo == Echo::Shown {
            self.say("\x08 \x08")?;
        }
        Ok(is_erased)
    }
}

/// A page of its own on the terminal; gone on drop.
pub(crate) struct Page<'a> {
    terminal: &'a mut Terminal,
}

impl Page<'_> {
    pub(crate) fn terminal(&mut self) -> &mut Terminal {
        self.terminal
    }
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        drop(self.terminal.say("\x1b[2J\x1b[?1049l"));
    }
}

/// The terminal in the mode in which it gives each key, unseen; as it was on drop.
struct Keys {
    tty: File,
    before: Termios,
}

impl Keys {
    fn of(tty: &File) -> Result<Self, Failure> {
        let doing = "cannot switch the terminal to asking";
        let before = tcgetattr(tty).context(doing)?;
        let mut asking = before.clone();
        asking.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        asking.special_codes[SpecialCodeIndex::VMIN] = 1;
        asking.special_codes[SpecialCodeIndex::VTIME] = 0;
        let keys = Self { tty: tty.try_clone().context(doing)?, before };
        // What was typed before the question is no answer to it.
        tcsetattr(tty, OptionalActions::Flush, &asking).context(doing)?;
        Ok(keys)
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.tty, OptionalActions::Drain, &self.before);
    }
}
