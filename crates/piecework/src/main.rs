//! The `piecework` binary: reads the command line, runs one command, turns its end into an exit status.

mod args;
mod client;
mod commands;
mod complete;
mod failure;
mod folders;
mod ip_filter;
mod layers;
mod out;
mod progress;
mod purse;
mod reachability;
mod scrape;
mod session;
mod signals;
mod source;
mod table;
mod terminal;
mod torrents;
mod up;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use clap_complete::CompleteEnv;
use failure::{Context, Failure};
use out::{Out, note};
use std::path::Path;
use std::process::ExitCode;

/// The variable by which a shell asks for completions.
const COMPLETE: &str = "PIECEWORK_COMPLETE";

fn main() -> ExitCode {
    // The shell asks for completions by this variable; the process ends here then.
    CompleteEnv::with_factory(Cli::command).var(COMPLETE).complete();
    let cli = Cli::parse();
    // A daemon's log is that of its settings.
    if !matches!(cli.command, Command::Up(_)) {
        init_log(cli.common.verbose);
    }
    let out = Out::new(cli.common.json);
    match run(&cli, out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.text.is_empty() {
                if out.is_json() {
                    out.event(&serde_json::json!({ "event": "error", "text": failure.text }));
                }
                note(&format!("piecework: {}", failure.text));
            }
            ExitCode::from(failure.status)
        }
    }
}

fn run(cli: &Cli, out: Out) -> Result<(), Failure> {
    let common = &cli.common;
    match &cli.command {
        Command::Up(args) => commands::up::run(args, common, out),
        Command::Add(args) => commands::add::run(args, out),
        Command::List(args) => commands::list::run(args, out),
        Command::Info(args) => commands::look::info(args, out),
        Command::Files(args) => commands::look::files(args, out),
        Command::Peers(args) => commands::look::peers(args, out),
        Command::Trackers(args) => commands::look::trackers(args, out),
        Command::Pause(args) => commands::act::pause(args, out),
        Command::Resume(args) => commands::act::resume(args, out),
        Command::Remove(args) => commands::act::remove(args, out),
        Command::Limit(args) => commands::act::limit(args, out),
        Command::Move(args) => commands::act::relocate(args, out),
        Command::Rename(args) => commands::act::rename(args, out),
        Command::Verify(args) => commands::act::verify(args, out),
        Command::Reannounce(args) => commands::act::reannounce(args, out),
        Command::Category(command) => commands::act::category(command, out),
        Command::Tag(command) => commands::act::tag(command, out),
        Command::Queue(command) => commands::act::queue(command, out),
        Command::Demo(args) => commands::demo::run(args, out),
        Command::Sell(command) => commands::market::sell(command, common, out),
        Command::Buy(command) => commands::market::buy(command, common, out),
        Command::Lane(args) => commands::market::lane(args, out),
        Command::Events(args) => commands::look::events(args, out),
        Command::LogLevel(args) => commands::look::log_level(args, out),
        Command::Password(args) => commands::password::run(args, out),
        Command::Feed(command) => commands::feed::run(command, out),
        Command::Service(command) => commands::service::run(command, out),
        Command::Doctor(args) => commands::doctor::run(args, out),
        Command::Config(command) => commands::config::run(command, out),
        Command::Import(args) => commands::import::run(args, out),
        Command::Backup(args) => commands::safe::backup(args, common, out),
        Command::Restore(args) => commands::safe::restore(args, common, out),
        Command::Get(args) => commands::get::run(args, common, out),
        Command::Seed(args) => commands::seed::run(args, common, out),
        Command::Create(args) => commands::create::run(args, out),
        Command::Check(args) => commands::check::run(args, common, out),
        Command::Show(args) => commands::show::run(args, out),
        Command::Metadata(args) => commands::metadata::run(args, common, out),
        Command::Net(args) => commands::net::run(args, out),
        Command::Follow(args) => commands::follow::run(args, common, out),
        Command::Tracker(args) => commands::tracker::run(args, out),
        Command::Wallet(args) => commands::wallet::run(args, common, out),
        Command::Chain(command) => commands::chain::run(command, common, out),
        Command::Token(command) => commands::token::run(command, common, out),
        Command::Vault(command) => commands::vault::run(command, common, out),
        Command::Earnings(args) => commands::trades::earnings(args, common, out),
        Command::Spending(args) => commands::trades::spending(args, common, out),
        Command::Completions { shell } => completions(*shell, out),
        Command::Man { dir } => man(dir),
    }
}

/// A script by which the shell asks this program, so that torrents of a running daemon are completed too.
fn completions(shell: clap_complete::Shell, out: Out) -> Result<(), Failure> {
    let name = shell.to_string();
    let shells = clap_complete::env::Shells::builtins();
    let completer = shells
        .completer(&name)
        .ok_or_else(|| Failure::usage(format!("no completions for {name}")))?;
    let mut script = Vec::new();
    completer
        .write_registration(COMPLETE, "piecework", "piecework", "piecework", &mut script)
        .context("cannot write completions")?;
    out.text(&script);
    Ok(())
}

/// One page for the program and one for each command.
fn man(dir: &Path) -> Result<(), Failure> {
    let doing = format!("cannot write man pages into {}", dir.display());
    std::fs::create_dir_all(dir).context(&doing)?;
    clap_mangen::generate_to(Cli::command(), dir).context(&doing)
}

fn init_log(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::ERROR,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}
