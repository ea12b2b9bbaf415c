//! Where a daemon keeps its things, and where its clients find it.

use crate::args::daemon::PlaceArg;
use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// The folders of one daemon.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    /// Records, resume data, who may log in.
    pub(crate) data: PathBuf,
    /// The settings file, which need not exist.
    pub(crate) settings: PathBuf,
    /// Where new torrents are saved unless a setting says otherwise.
    pub(crate) downloads: PathBuf,
}

impl Folders {
    /// Everything below `--data-dir`, or what the XDG base directory specification names.
    pub(crate) fn of(place: &PlaceArg) -> Result<Self, Failure> {
        let absolute = |path: PathBuf| std::path::absolute(path).map_err(Failure::new);
        let config = place.config.clone().map(absolute).transpose()?;
        if let Some(data) = place.data_dir.clone() {
            let data = absolute(data)?;
            let settings = config.unwrap_or_else(|| data.join("piecework.toml"));
            return Ok(Self { settings, downloads: data.join("downloads"), data });
        }
        let settings = match config {
            Some(file) => file,
            None => base("XDG_CONFIG_HOME", ".config")?.join("piecework/piecework.toml"),
        };
        Ok(Self {
            data: absolute(base("XDG_DATA_HOME", ".local/share")?.join("piecework"))?,
            settings: absolute(settings)?,
            downloads: absolute(base("XDG_DOWNLOAD_DIR", "Downloads")?)?,
        })
    }

    /// What was changed at run time.
    pub(crate) fn overlay(&self) -> PathBuf {
        self.data.join(piecework_settings::OVERLAY_FILE)
    }

    /// Where clients read how to reach the daemon.
    pub(crate) fn door(&self) -> PathBuf {
        self.data.join("api.json")
    }

    /// Held by the daemon that runs.
    pub(crate) fn lock(&self) -> PathBuf {
        self.data.join("lock")
    }
}

/// A path for people.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A folder that the environment names, or that lies below the user's own.
pub(crate) fn base(name: &str, below_home: &str) -> Result<PathBuf, Failure> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    variable(name)
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(below_home)))
        .ok_or_else(|| {
            Failure::new(format!("no folder: give --data-dir DIR, or set HOME or {name}"))
        })
}
