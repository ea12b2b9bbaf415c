//! Categories and tags.

use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use piecework_catalog::{Category, Command};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// The folders of a category.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Category)]
pub(crate) struct Folders {
    /// Where its torrents lie: absolute, or below the save path of all. Empty: its name below that.
    save_path: String,
    /// The same until they are complete; `null`: as for all torrents.
    incomplete_path: Option<String>,
}

/// A category of the path.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct Name {
    /// Its name.
    #[param(example = "films")]
    name: String,
}

/// List categories
#[utoipa::path(get, path = "/categories", tag = "categories",
    responses((status = 200, description = "Categories by name.", body = BTreeMap<String, Folders>)))]
pub(crate) async fn categories(State(api): State<Api>) -> Json<BTreeMap<String, Folders>> {
    let catalog = api.daemon.catalog();
    let all = catalog.categories().iter().map(|(name, it)| {
        let Category { save_path, incomplete_path } = it.clone();
        (name.clone(), Folders { save_path, incomplete_path })
    });
    Json(all.collect())
}

/// Make or change a category
///
/// Torrents of it with automatic paths move.
#[utoipa::path(put, path = "/categories/{name}", tag = "categories", params(Name),
    request_body = Folders, responses((status = 204, description = "It is so.")))]
pub(crate) async fn put(
    State(api): State<Api>,
    Path(Name { name }): Path<Name>,
    Json(folders): Json<Folders>,
) -> Result<StatusCode, Problem> {
    let Folders { save_path, incomplete_path } = folders;
    let category = Category { save_path, incomplete_path };
    let is_there = api.daemon.catalog().categories().contains_key(&name);
    let command = if is_there {
        Command::EditCategory(name, category)
    } else {
        Command::CreateCategory(name, category)
    };
    api.daemon.command(command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a category
///
/// Its torrents have none then.
#[utoipa::path(delete, path = "/categories/{name}", tag = "categories", params(Name),
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(Name { name }): Path<Name>,
) -> Result<StatusCode, Problem> {
    api.daemon.command(Command::RemoveCategories(vec![name])).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List tags
#[utoipa::path(get, path = "/tags", tag = "categories",
    responses((status = 200, description = "Tags to choose from.", body = Vec<String>)))]
pub(crate) async fn tags(State(api): State<Api>) -> Json<BTreeSet<String>> {
    Json(api.daemon.catalog().tags().clone())
}

/// Make a tag
#[utoipa::path(put, path = "/tags/{name}", tag = "categories", params(Name),
    responses((status = 204, description = "It is there.")))]
pub(crate) async fn put_tag(
    State(api): State<Api>,
    Path(Name { name }): Path<Name>,
) -> Result<StatusCode, Problem> {
    api.daemon.command(Command::CreateTags([name].into())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a tag
///
/// From torrents too.
#[utoipa::path(delete, path = "/tags/{name}", tag = "categories", params(Name),
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn remove_tag(
    State(api): State<Api>,
    Path(Name { name }): Path<Name>,
) -> Result<StatusCode, Problem> {
    api.daemon.command(Command::DeleteTags([name].into())).await?;
    Ok(StatusCode::NO_CONTENT)
}
