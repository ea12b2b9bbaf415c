//! `piecework service`: a unit of systemd for one user, so that a daemon starts with the session and again
//! after a failure.

use crate::args::care::{ServiceArgs, ServiceCommand};
use crate::failure::{Context, Failure};
use crate::out::Out;
use serde_json::json;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The unit with the line that starts the daemon as the package has it.
const UNIT: &str = include_str!("../../../../packaging/piecework.user.service");
const START_LINE: &str = "ExecStart=/usr/bin/piecework up\n";
const NAME: &str = "piecework.service";

/// Runs the command.
pub(crate) fn run(command: &ServiceCommand, out: Out) -> Result<(), Failure> {
    match command {
        ServiceCommand::Install(args) => install(args, out),
        ServiceCommand::Remove => remove(out),
    }
}

fn install(args: &ServiceArgs, out: Out) -> Result<(), Failure> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut start = format!("ExecStart={} up", quoted(&program)?);
    for (flag, value) in [("--data-dir", &args.place.data_dir), ("--config", &args.place.config)] {
        if let Some(value) = value {
            let value = std::path::absolute(value).context("cannot name the folder")?;
            start.push_str(&format!(" {flag} {}", quoted(&value)?));
        }
    }
    let path = unit_path()?;
    let is_ours = |text: &str| text.lines().next() == UNIT.lines().next();
    match fs::read_to_string(&path) {
        Ok(text) if !is_ours(&text) => {
            return Err(Failure::new(format!(
                "{} is there already and not written by this program; move it away first",
                path.display()
            )));
        }
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Failure::new(format!("{}: {error}", path.display())));
        }
        _ => {}
    }
    let doing = format!("cannot write {}", path.display());
    path.parent().map_or(Ok(()), fs::create_dir_all).context(&doing)?;
    fs::write(&path, UNIT.replace(START_LINE, &format!("{start}\n"))).context(&doing)?;
    let manager = tell_manager(&[&["daemon-reload"], &["enable", "--now", NAME]]);
    let text = match &manager {
        Ok(()) => {
            "the daemon runs now, and whenever you log in; `loginctl enable-linger` lets it run \
                   while you are not logged in"
                .to_owned()
        }
        Err(error) => format!(
            "the unit is there, but systemd did not take it ({error}); in a session with systemd: \
             systemctl --user enable --now piecework"
        ),
    };
    out.say(
        &format!("{}: {text}", path.display()),
        &json!({ "event": "service", "unit": path, "is_running": manager.is_ok(), "text": text }),
    );
    Ok(())
}

fn remove(out: Out) -> Result<(), Failure> {
    let path = unit_path()?;
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Failure::new(format!(
                "there is no service: {} does not exist",
                path.display()
            )));
        }
        read => read.context(path.display())?,
    };
    if text.lines().next() != UNIT.lines().next() {
        return Err(Failure::new(format!(
            "{} was not written by this program; remove it yourself if it may go",
            path.display()
        )));
    }
    // Where no systemd runs there is nothing to end.
    let ended = tell_manager(&[&["disable", "--now", NAME]]);
    fs::remove_file(&path).context(path.display())?;
    let reloaded = tell_manager(&[&["daemon-reload"]]);
    let said = ended.and(reloaded).err().map_or_else(
        || "the daemon has ended and starts no more".to_owned(),
        |error| format!("removed; systemd was not reached ({error})"),
    );
    out.say(
        &format!("{}: {said}; downloads, settings and wallet stay", path.display()),
        &json!({ "event": "service_removed", "unit": path, "text": said }),
    );
    Ok(())
}

/// Where a user's units lie.
fn unit_path() -> Result<PathBuf, Failure> {
    let variable =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
    let base = base.ok_or_else(|| Failure::new("no folder for the unit: set HOME"))?;
    Ok(base.join("systemd/user").join(NAME))
}

/// Asks the user's systemd, one call after the other.
fn tell_manager(calls: &[&[&str]]) -> Result<(), String> {
    for call in calls {
        let output = Command::new("systemctl").arg("--user").args(*call).output();
        let output = output.map_err(|error| format!("systemctl: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(said.lines().next().unwrap_or("systemctl failed").to_owned());
        }
    }
    Ok(())
}

/// A path as a unit writes it: in quotes, with what means something there doubled.
fn quoted(path: &Path) -> Result<String, Failure> {
    let wrong = || Failure::new(format!("{} cannot stand in a unit: rename it", path.display()));
    let text =
        path.to_str().filter(|text| !text.chars().any(char::is_control)).ok_or_else(wrong)?;
    let text =
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    Ok(format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_packaged_unit_has_the_line_that_is_replaced() {
        assert_eq!(UNIT.matches(START_LINE).count(), 1);
    }

    #[test]
    fn paths_are_quoted_as_units_want_them() {
        assert_eq!(quoted(Path::new("/a b/100%/\"x\"")).unwrap(), r#""/a b/100%%/\"x\"""#);
        assert!(quoted(Path::new("/a\nExecStart=/bin/evil")).is_err());
    }
}
