//! The layers of settings as this machine has them: files, environment, flags.

use crate::args::daemon::{Assignment, SetArgs};
use crate::failure::Failure;
use crate::folders::{Folders, shown};
use piecework_settings::{Layer, Problem, Settings, Sources, TEXT_BYTES_MAX};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// All layers, read.
pub(crate) fn sources(
    folders: &Folders,
    set: &SetArgs,
    flags: Vec<(String, String, String)>,
) -> Result<Sources, Failure> {
    let save_path = vec![("torrents.save_path".into(), shown(&folders.downloads))];
    let given =
        |Assignment { key, value }: &Assignment| ("--set".to_owned(), key.clone(), value.clone());
    Ok(Sources {
        machine: save_path,
        file: layer(&folders.settings)?,
        overlay: layer(&folders.overlay())?,
        environment: environment(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        })),
        flags: set.set.iter().map(given).chain(flags).collect(),
    })
}

/// The settings, or one line for each thing that is wrong with them.
pub(crate) fn read(sources: &Sources) -> Result<Settings, Failure> {
    Settings::read(sources).map_err(|problems| Failure::new(told(&problems)))
}

/// Each problem on its line.
pub(crate) fn told(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The variables that settings may come from. Two have names of their own in all commands.
fn environment(variables: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let is_yes = |value: &str| !matches!(value, "" | "0" | "false" | "no" | "off");
    variables
        .filter(|(name, _)| name.starts_with("PIECEWORK_"))
        .filter_map(|(name, value)| match name.as_str() {
            "PIECEWORK_NO_DHT" => {
                is_yes(&value).then(|| ("PIECEWORK_DHT_ON".into(), "false".into()))
            }
            "PIECEWORK_NO_PORT_MAPPING" => {
                is_yes(&value).then(|| ("PIECEWORK_NET_PORT_MAPPING".into(), "false".into()))
            }
            _ => Some((name, value)),
        })
        .collect()
}

fn layer(path: &Path) -> Result<Option<Layer>, Failure> {
    let cannot = |error: io::Error| {
        Failure::new(format!("cannot read the settings {}: {error}", path.display()))
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(cannot)?,
    };
    let mut text = String::new();
    // One more than may be, so that what is too long is told and not cut.
    file.take(TEXT_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(cannot)?;
    Ok(Some(Layer { path: shown(path), text }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_names_of_all_commands_are_settings_too() {
        let given =
            [("PIECEWORK_NO_DHT", "true"), ("PIECEWORK_NO_PORT_MAPPING", "0"), ("HOME", "/")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = vec![("PIECEWORK_DHT_ON".to_owned(), "false".to_owned())];
        assert_eq!(environment(given.into_iter()), expected);
    }
}
