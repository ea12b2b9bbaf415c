//! The `piecework` binary: reads the command line, runs one command, turns its end into an exit status.

mod args;
mod commands;
mod failure;
mod ip_filter;
mod out;
mod progress;
mod purse;
mod rate;
mod reachability;
mod scrape;
mod seen;
mod session;
mod signals;
mod source;
mod terminal;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use failure::{Context, Failure};
use out::{Out, note};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    init_log(cli.common.verbose);
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
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "piecework", &mut script);
            out.text(&script);
            Ok(())
        }
        Command::Man { dir } => man(dir),
    }
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
