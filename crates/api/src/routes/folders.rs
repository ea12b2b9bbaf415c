//! Folders of this machine, for people who choose where payload goes. Within the roots only.

use crate::extract::{Json, Query};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use utoipa::ToSchema;

/// Folders of one answer; those behind are left out.
const FOLDERS_MAX: usize = 10_000;

/// Where to look.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Below {
    /// An absolute path; without one the roots are told.
    path: Option<String>,
}

/// Folders in one place.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Folders)]
pub(crate) struct FoldersView {
    /// The place; `null` for the roots.
    path: Option<String>,
    /// Absolute paths, by name.
    folders: Vec<String>,
}

/// List folders
#[utoipa::path(get, path = "/folders", tag = "settings", params(Below),
    responses((status = 200, description = "The folders there.", body = FoldersView)))]
pub(crate) async fn folders(
    State(api): State<Api>,
    Query(below): Query<Below>,
) -> Result<Json<FoldersView>, Problem> {
    let roots = api.daemon.roots();
    let Some(path) = below.path else {
        let folders = roots.iter().map(|root| root.display().to_string()).collect();
        return Ok(Json(FoldersView { path: None, folders }));
    };
    let looked = tokio::task::spawn_blocking(move || {
        look(Path::new(&path), &roots).map(|folders| FoldersView { path: Some(path), folders })
    });
    let failed = |_| Problem::new(Code::Failed, "looking at the folder was given up");
    looked.await.map_err(failed)?.map(Json)
}

/// Both sides without links in them, so that no link leads out. What is not within is not told whether it
/// is there.
fn look(path: &Path, roots: &[PathBuf]) -> Result<Vec<String>, Problem> {
    let outside =
        || Problem::new(Code::Forbidden, "outside of the folders that payload may be saved in");
    let real = fs::canonicalize(path).map_err(|_| outside())?;
    let is_within =
        roots.iter().any(|root| fs::canonicalize(root).is_ok_and(|root| real.starts_with(root)));
    if !path.is_absolute() || !is_within {
        return Err(outside());
    }
    let entries = fs::read_dir(&real)
        .map_err(|cause| Problem::new(Code::Failed, format!("{}: {cause}", path.display())))?;
    let folders = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.take(FOLDERS_MAX).collect();
    names.sort();
    Ok(names.iter().map(|name| path.join(name).display().to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn folders_within_the_roots_are_told_and_no_others() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        for folder in ["root/b/c", "root/a", "other/secret"] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        fs::write(root.join("file"), "").unwrap();
        symlink(place.path().join("other"), root.join("link")).unwrap();
        let roots = [root.clone()];
        let told = |path: &Path| look(path, &roots).map_err(|problem| problem.code());
        let name = |name: &str| root.join(name).display().to_string();
        assert_eq!(told(&root), Ok(vec![name("a"), name("b")]));
        assert_eq!(told(&root.join("b")), Ok(vec![name("b/c")]));
        for outside in ["link", "..", "../other", "absent", "b/../../other"] {
            assert_eq!(told(&root.join(outside)), Err(Code::Forbidden), "{outside}");
        }
        for outside in ["/", "", ".", "/nowhere"] {
            assert_eq!(told(Path::new(outside)), Err(Code::Forbidden), "{outside}");
        }
    }
}
