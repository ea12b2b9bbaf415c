//! Whether systemd takes the units of the packages as they are written: `systemd-analyze verify` tells of
//! each line that the manager would pass over.

use super::write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A file of `packaging`, what it is called once it is installed, and the manager that it is for.
const UNITS: &[(&str, &str, &str)] = &[
    ("piecework.service", "piecework.service", "--system"),
    // It belongs to the service before it.
    ("piecework.socket", "piecework.socket", "--system"),
    ("piecework.user.service", "piecework.service", "--user"),
];
/// The program as packages install it.
const PROGRAM: &str = "ExecStart=/usr/bin/piecework ";

/// Looks at them with the program where it lies now; gives what was done, or why nothing was.
///
/// # Errors
/// What systemd has to say of a unit.
pub(super) fn verify(packaging: &Path, binary: &Path, folder: &Path) -> Result<String, String> {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return Ok("units not looked at: there is no systemd-analyze".into());
    }
    let start = format!("ExecStart={} ", binary.display());
    for (file, name, manager) in UNITS {
        let path = packaging.join(file);
        let text = fs::read_to_string(&path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        if name.ends_with(".service") && !text.contains(PROGRAM) {
            return Err(format!("{file} does not start /usr/bin/piecework"));
        }
        let unit = folder.join(manager).join(name);
        write(&unit, &format!("{text}\n[Install]\nTypo=1\n"))?;
        if said_of(&unit, manager, folder)?.is_empty() {
            return Err(format!("systemd-analyze says nothing of a wrong line in {file}"));
        }
        write(&unit, &text.replace(PROGRAM, &start))?;
        let said = said_of(&unit, manager, folder)?;
        if !said.is_empty() {
            return Err(format!("systemd says of {file}: {said}"));
        }
    }
    Ok(format!("systemd takes {} units", UNITS.len()))
}

fn said_of(unit: &Path, manager: &str, folder: &Path) -> Result<String, String> {
    let mut command = Command::new("systemd-analyze");
    command.args([manager, "verify", "--man=no"]).arg(unit);
    // The manager of a user keeps its things there.
    let output = command.env("XDG_RUNTIME_DIR", folder).output();
    let output = output.map_err(|error| format!("systemd-analyze: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status.success() || !said.is_empty() {
        true => Ok(said),
        false => Err(format!("systemd-analyze: {}", output.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_units_are_taken_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
        verify(&packaging, Path::new("/bin/true"), folder.path()).unwrap();
    }
}
