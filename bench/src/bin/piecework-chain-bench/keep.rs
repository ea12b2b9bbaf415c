//! What was measured, kept in files: a machine that is quiet for some minutes only measures in several calls.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::PathBuf;

/// Where measurements are kept, if anywhere, and which are wanted of this call.
pub(crate) struct Keeper {
    pub(crate) folder: Option<PathBuf>,
    /// Names of measurements, or what they begin with; empty: all.
    pub(crate) wanted: Vec<String>,
    /// How many came from earlier calls.
    pub(crate) taken: usize,
}

impl Keeper {
    /// What an earlier call has measured under this name; else what `measure` does, if it is wanted.
    pub(crate) fn measure<T: Serialize + DeserializeOwned>(
        &mut self,
        name: &str,
        measure: impl FnOnce() -> Result<T, String>,
    ) -> Option<Result<T, String>> {
        let file = self.folder.as_ref().map(|folder| folder.join(format!("{name}.json")));
        let kept = file.as_ref().and_then(|file| fs::read(file).ok());
        if let Some(kept) = kept.and_then(|kept| serde_json::from_slice(&kept).ok()) {
            self.taken += 1;
            return Some(Ok(kept));
        }
        let is_wanted = |wanted: &String| {
            name.strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        if !self.wanted.is_empty() && !self.wanted.iter().any(is_wanted) {
            return None;
        }
        eprintln!("{name}");
        let outcome = measure();
        if let (Ok(measured), Some(file)) = (&outcome, file) {
            let text = serde_json::to_vec(measured).map_err(|error| error.to_string());
            if let Err(error) =
                text.and_then(|text| fs::write(&file, text).map_err(|it| it.to_string()))
            {
                return Some(Err(format!("cannot write {}: {error}", file.display())));
            }
        }
        Some(outcome)
    }
}
