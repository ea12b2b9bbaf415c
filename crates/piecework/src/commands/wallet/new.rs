//! `piecework wallet new`: words, a key from them, a password over it.

use super::ask::{TRIES_MAX, new_password};
use super::{BACKUP_ADVICE, refuse_second, say_made};
use crate::args::NewArgs;
use crate::failure::Failure;
use crate::out::{Out, note};
use crate::terminal::{Echo, Page, Terminal};
use piecework_wallet::{
    Coin, Cost, Keystore, Phrase, RandomFault, WalletFolder, account, hex_address, random,
    tron_address,
};
use serde_json::json;
use zeroize::Zeroizing;

/// Words that are asked back.
const ASKED: usize = 2;
/// Words of one line.
const COLUMNS: usize = 4;

/// Runs the command.
pub(super) fn run(args: &NewArgs, folder: &WalletFolder, out: Out) -> Result<(), Failure> {
    refuse_second(folder)?;
    let words = if args.words == "24" { 24 } else { 12 };
    let phrase = Phrase::draw(words).map_err(Failure::new)?;
    if !args.yes {
        let remedy = "give --yes to have the words on stdout, and --password-file FILE";
        show(&phrase, Terminal::open(remedy)?.page()?)?;
    }
    let password = new_password(&args.password, "Password for the new keystore: ")?;
    let key = account(&phrase.seed(""), Coin::Ethereum, 0).map_err(Failure::new)?;
    let keystore = Keystore::encrypt(&key, &password, Cost::STANDARD).map_err(Failure::new)?;
    folder.create(&keystore).map_err(Failure::new)?;
    if args.yes {
        say_with_words(&phrase, &key.address(), folder, out);
    } else {
        say_made("wallet_created", &key.address(), folder, out);
    }
    note(BACKUP_ADVICE);
    Ok(())
}

/// Shows the words on a page that vanishes, and has some of them typed back.
fn show(phrase: &Phrase, mut page: Page<'_>) -> Result<(), Failure> {
    let words: Vec<&str> = phrase.words().collect();
    let terminal = page.terminal();
    terminal.say("These words are the wallet. Who has them has all it owns; nobody can bring\n")?;
    terminal.say("them back. Write them down in order, on paper, and show them to no one.\n\n")?;
    let numbered: Vec<_> =
        words.iter().zip(1..).map(|(word, at)| format!("{at:2} {word:<9}")).collect();
    for line in numbered.chunks(COLUMNS) {
        let line = Zeroizing::new(format!("  {}\n", line.join("  ")));
        terminal.say(&line)?;
    }
    terminal.ask("\nEnter, when they are written down: ", Echo::Hidden)?;
    terminal.say("\x1b[H\x1b[2J")?;
    for at in places(words.len()).map_err(Failure::new)? {
        ask_back(terminal, at + 1, words[at])?;
    }
    Ok(())
}

fn ask_back(terminal: &mut Terminal, place: usize, word: &str) -> Result<(), Failure> {
    for _ in 0..TRIES_MAX {
        let typed = terminal.ask(&format!("Word {place}: "), Echo::Shown)?;
        if typed.trim().to_lowercase() == word {
            return Ok(());
        }
        terminal.say("That is not the word. Look at what is written down.\n")?;
    }
    Err(Failure::new(format!(
        "word {place} was not typed back: no wallet was made; start again and write the words down"
    )))
}

/// Which words to ask back, from 0: different ones, which nobody foresees.
fn places(count: usize) -> Result<[usize; ASKED], RandomFault> {
    // 256 is no multiple of every count; for what these numbers decide that is even enough.
    let [first, step] = random::<ASKED>()?.map(usize::from);
    let first = first % count;
    Ok([first, (first + 1 + step % (count - 1)) % count])
}

fn say_with_words(
    phrase: &Phrase,
    address: &piecework_pay::Address,
    folder: &WalletFolder,
    out: Out,
) {
    let words = Zeroizing::new(phrase.words().collect::<Vec<_>>().join(" "));
    let (hex, tron) = (hex_address(address), tron_address(address));
    let keystore = folder.keystore_file();
    let shown = keystore.display();
    out.say(
        &format!("address   {hex}\nTRON      {tron}\nkeystore  {shown}\nphrase    {}", *words),
        &json!({
            "event": "wallet_created",
            "address": hex,
            "tron": tron,
            "keystore": keystore,
            "phrase": *words,
        }),
    );
}
