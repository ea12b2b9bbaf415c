//! The project's commands: `tidy`, `run`, `test`, `dist`, `budget`, `soak`.
//!
//! Everything a person or a machine does with this repository beyond plain cargo starts here. It links
//! no crate of the product: it builds the product and watches it from outside, as a user would.

mod budget;
mod buyer;
mod contracts;
mod dist;
mod fuzz;
mod options;
mod process;
mod project;
mod run;
mod soak;
mod steps;
mod test;
mod tidy;
mod tools;
mod up;
mod web;

use options::{Command, Job};
use project::Project;
use std::process::ExitCode;

fn main() -> ExitCode {
    let command = match options::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(wrong) => {
            eprintln!("{wrong}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match carry_out(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: &Command) -> Result<(), String> {
    process::watch_for_interrupts()?;
    let project = Project::find()?;
    match command {
        Command::Help => println!("{}", options::USAGE),
        Command::Tidy => println!("tidy: {}", tidy::check(&project.root)?),
        Command::Run(Job::Daemon) => up::run(&project)?,
        Command::Run(Job::Demo) => run::run(&project)?,
        Command::Test(options) => test::run(&project, options)?,
        Command::Dist => println!("{}", dist::run(&project)?),
        Command::Budget(mode) => println!("budget: {}", budget::run(&project, *mode)?),
        Command::Soak(options) => soak::run(&project, options)?,
    }
    Ok(())
}
