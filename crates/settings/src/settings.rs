//! All settings together: layers are read, checked, and laid over one another.

use crate::file;
use crate::problem::{Origin, Problem, nearest};
use crate::table::{
    Api, Dht, Disk, Log, Net, Pay, Queue, SETTINGS, Schedule, Setting, Share, Speed, Torrents,
    Values, Watch, Wrong,
};
use crate::value::Raw;
use std::collections::BTreeMap;

/// Bytes of a settings file.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// The file in the data folder that [`Settings::overlay`] is kept in.
pub const OVERLAY_FILE: &str = "run-time.toml";

/// Problems that are told of one reading.
const PROBLEMS_MAX: usize = 100;

/// What settings are read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Defaults that depend on the machine, by key; they count as defaults.
    pub machine: Vec<(String, String)>,
    /// The settings file, where there is one.
    pub file: Option<Layer>,
    /// What was changed at run time: [`Settings::overlay`] of an earlier run.
    pub overlay: Option<Layer>,
    /// The environment: names and values. Names of other programs are left alone.
    pub environment: Vec<(String, String)>,
    /// Flags: the flag as it was given, key and value.
    pub flags: Vec<(String, String, String)>,
}

/// A file of settings.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its path, for people.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// All settings with the origin of each.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: Values,
    origins: BTreeMap<&'static str, Origin>,
    /// What was changed at run time, whether or not something later wins over it.
    overlay: BTreeMap<&'static str, Raw>,
}

/// A setting with its value.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Which.
    pub setting: &'static Setting,
    /// Its value as text.
    pub value: String,
    /// Where the value came from.
    pub origin: &'a Origin,
}

/// What changing settings led to.
#[derive(Clone, Debug)]
pub struct Change {
    /// The settings from now on.
    pub settings: Settings,
    /// Keys that really changed.
    pub changed: Vec<&'static str>,
    /// Those of them that count from the next start.
    pub needs_restart: Vec<&'static str>,
}

impl Settings {
    /// Lays all layers over one another.
    ///
    /// # Errors
    /// When anything is unknown, of the wrong form or out of bounds: all of it at once, in the order of
    /// layers.
    pub fn read(sources: &Sources) -> Result<Self, Vec<Problem>> {
        let mut settings = Self::default();
        let mut problems = Vec::new();
        for (key, value) in &sources.machine {
            settings.put(key, Some(&text(value)), Origin::Default, &mut problems);
        }
        if let Some(layer) = &sources.file {
            settings.put_file(layer, &mut problems);
        }
        if let Some(layer) = &sources.overlay {
            for (key, raw) in settings.put_file(layer, &mut problems) {
                settings.overlay.insert(key, raw);
                settings.origins.insert(key, Origin::RunTime);
            }
        }
        for (name, value) in &sources.environment {
            settings.put_variable(name, value, &mut problems);
        }
        for (flag, key, value) in &sources.flags {
            settings.put(key, Some(&text(value)), Origin::Flag(flag.clone()), &mut problems);
        }
        problems.truncate(PROBLEMS_MAX);
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// Changes settings by their keys.
    ///
    /// # Errors
    /// When anything is unknown, of the wrong form or out of bounds, or set by the environment or a flag,
    /// which win over what is changed at run time. Nothing has changed then.
    pub fn set(&self, changes: &[(String, String)]) -> Result<Change, Vec<Problem>> {
        let mut settings = self.clone();
        let mut problems = Vec::new();
        for (key, value) in changes {
            let raw = text(value);
            if let Some(origin @ (Origin::Environment(_) | Origin::Flag(_))) = self.origin(key) {
                problems.push(Problem {
                    origin: origin.clone(),
                    key: Some(key.clone()),
                    text: format!("{key} is set by {origin}, which wins over changes at run time"),
                });
            } else if let Some(setting) =
                settings.put(key, Some(&raw), Origin::RunTime, &mut problems)
            {
                let (raw, _) = (setting.write)(&settings.values);
                settings.overlay.insert(setting.key, raw);
            }
        }
        if !problems.is_empty() {
            problems.truncate(PROBLEMS_MAX);
            return Err(problems);
        }
        let differs =
            |setting: &&Setting| (setting.write)(&self.values) != (setting.write)(&settings.values);
        let changed: Vec<&'static Setting> = SETTINGS.iter().filter(differs).collect();
        let restart = changed.iter().filter(|it| it.needs_restart).map(|it| it.key).collect();
        let changed = changed.iter().map(|it| it.key).collect();
        Ok(Change { settings, changed, needs_restart: restart })
    }

    /// What was changed at run time as TOML, to be read as [`Sources::overlay`] at the next start.
    pub fn overlay(&self) -> String {
        let mut text = String::from("# Changed while Piecework ran; it writes this file.\n");
        for (key, raw) in &self.overlay {
            let is_bare = Setting::of_key(key).is_some_and(|it| (it.write)(&self.values).1);
            text += &format!("{key} = {}\n", file::spell(raw, is_bare));
        }
        text
    }

    /// All settings, in the order of the reference page.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        SETTINGS.iter().map(|setting| Entry {
            setting,
            value: (setting.write)(&self.values).0.to_string(),
            origin: self.origins.get(setting.key).unwrap_or(&Origin::Default),
        })
    }

    /// Where the value of a setting came from.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        let setting = Setting::of_key(key)?;
        Some(self.origins.get(setting.key).unwrap_or(&Origin::Default))
    }

    /// See [`Queue`].
    pub const fn queue(&self) -> &Queue {
        &self.values.queue
    }

    /// See [`Torrents`].
    pub const fn torrents(&self) -> &Torrents {
        &self.values.torrents
    }

    /// See [`Share`].
    pub const fn share(&self) -> &Share {
        &self.values.share
    }

    /// See [`Speed`].
    pub const fn speed(&self) -> &Speed {
        &self.values.speed
    }

    /// See [`Schedule`].
    pub const fn schedule(&self) -> &Schedule {
        &self.values.schedule
    }

    /// See [`Disk`].
    pub const fn disk(&self) -> &Disk {
        &self.values.disk
    }

    /// See [`Watch`].
    pub const fn watch(&self) -> &Watch {
        &self.values.watch
    }

    /// See [`Net`].
    pub const fn net(&self) -> &Net {
        &self.values.net
    }

    /// See [`Dht`].
    pub const fn dht(&self) -> &Dht {
        &self.values.dht
    }

    /// See [`Pay`].
    pub const fn pay(&self) -> &Pay {
        &self.values.pay
    }

    /// See [`Api`].
    pub const fn api(&self) -> &Api {
        &self.values.api
    }

    /// See [`Log`].
    pub const fn log(&self) -> &Log {
        &self.values.log
    }

    fn put_file(&mut self, layer: &Layer, problems: &mut Vec<Problem>) -> Vec<(&'static str, Raw)> {
        let origin = |line| Origin::File { path: layer.path.clone(), line };
        if layer.text.len() > TEXT_BYTES_MAX {
            let text = format!("longer than {TEXT_BYTES_MAX} bytes");
            problems.push(Problem { origin: origin(1), key: None, text });
            return Vec::new();
        }
        let (mut lines, errors) = file::lines(&layer.path, &layer.text);
        problems.extend(errors);
        lines.sort_by_key(|line| line.number);
        let mut put = Vec::new();
        for line in lines {
            let setting = self.put(&line.key, line.raw.as_ref(), origin(line.number), problems);
            put.extend(setting.map(|it| (it.key, (it.write)(&self.values).0)));
        }
        put
    }

    /// A variable of the environment, if its name begins like that of a setting.
    fn put_variable(&mut self, name: &str, value: &str, problems: &mut Vec<Problem>) {
        // An empty variable is one that a script has cleared.
        if value.is_empty() {
            return;
        }
        let origin = Origin::Environment(name.into());
        if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) {
            self.put(setting.key, Some(&text(value)), origin, problems);
            return;
        }
        let begins = |setting: &Setting| {
            name.starts_with(&format!("PIECEWORK_{}_", setting.section().to_uppercase()))
        };
        if SETTINGS.iter().any(begins) {
            let variables: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
            let near = nearest(name, variables.iter().map(String::as_str));
            problems.push(Problem { origin, key: None, text: unknown(name, near) });
        }
    }

    /// Sets one value, or tells what is wrong with it.
    fn put(
        &mut self,
        key: &str,
        raw: Option<&Raw>,
        origin: Origin,
        problems: &mut Vec<Problem>,
    ) -> Option<&'static Setting> {
        let key_given = Some(key.to_owned());
        let Some(setting) = Setting::of_key(key) else {
            let text = unknown(key, nearest(key, SETTINGS.iter().map(|setting| setting.key)));
            problems.push(Problem { origin, key: key_given, text });
            return None;
        };
        let wrong = match raw {
            Some(raw) => (setting.read)(&mut self.values, raw, setting.bounds.as_ref()).err(),
            None => Some(Wrong::Form),
        };
        let Some(wrong) = wrong else {
            self.origins.insert(setting.key, origin);
            return Some(setting);
        };
        let got =
            raw.map_or_else(|| "something else".into(), |raw| format!("{:?}", raw.to_string()));
        let what = match wrong {
            Wrong::Form => "must be",
            Wrong::Bounds => "is out of bounds: it must be",
        };
        let text = format!("{key} {what} {}, not {got}", setting.form());
        problems.push(Problem { origin, key: key_given, text });
        None
    }
}

/// A value as text, which may be a list in TOML's form.
fn text(value: &str) -> Raw {
    file::list(value).unwrap_or_else(|| Raw::One(value.into()))
}

fn unknown(word: &str, near: Option<&str>) -> String {
    let shown: String = word.chars().filter(|it| !it.is_control()).take(100).collect();
    match near {
        Some(near) => format!("there is no setting {shown}; did you mean {near}?"),
        None => format!("there is no setting {shown}; docs/settings.md lists them"),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
