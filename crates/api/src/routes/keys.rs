//! API keys.

use crate::extract::{Json, Path};
use crate::problem::{Code, Problem};
use crate::routes::views::{self, KeyView};
use crate::state::{Api, Who};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use piecework_access::{KeyId, Scope, Scopes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// List API keys
#[utoipa::path(get, path = "/keys", tag = "access",
    responses((status = 200, description = "Without their secrets.", body = Vec<KeyView>)))]
pub(crate) async fn keys(State(api): State<Api>) -> Json<Vec<KeyView>> {
    Json(api.gate.keys().iter().map(views::key).collect())
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// What it is for.
    #[schema(min_length = 1, max_length = 64, example = "sonarr")]
    name: String,
    /// What it is answered.
    #[schema(min_items = 1, example = json!(["control"]))]
    scopes: Vec<ScopeWord>,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Scope)]
pub(crate) enum ScopeWord {
    /// To look at everything but secrets.
    Read,
    /// To change what the daemon does; with it comes `read`.
    Control,
    /// To spend money; with it comes `read`.
    Spend,
}

/// A key, whole, for the only time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CreatedKey {
    id: u32,
    /// The secret. It is not kept: who loses it makes another key.
    key: String,
}

/// Make an API key
///
/// A key can make keys of its own scopes and no others. So can a login, which has the scope `spend` for a
/// while after `PUT /session/spend`.
#[utoipa::path(post, path = "/keys", tag = "access", request_body = NewKey,
    responses((status = 201, description = "The key.", body = CreatedKey)))]
pub(crate) async fn create(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Json(new): Json<NewKey>,
) -> Result<(StatusCode, Json<CreatedKey>), Problem> {
    let scope = |word: &ScopeWord| match word {
        ScopeWord::Read => Scope::Read,
        ScopeWord::Control => Scope::Control,
        ScopeWord::Spend => Scope::Spend,
    };
    let scopes: Scopes = new.scopes.iter().map(scope).collect();
    let wanted = Vec::<Scope>::from(scopes);
    if wanted.iter().any(|scope| !who.role.scopes.allow(*scope)) {
        let text = "a key makes keys of its own scopes only, and a login one that spends only while \
                    it may spend itself";
        return Err(Problem::new(Code::Scope, text));
    }
    let (id, key) = api.gate.create_key(&new.name, scopes)?;
    Ok((StatusCode::CREATED, Json(CreatedKey { id: id.0, key: key.reveal().to_owned() })))
}

/// A key of the path.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct KeyPath {
    /// Its number.
    #[param(example = 1)]
    id: u32,
}

/// Delete an API key
#[utoipa::path(delete, path = "/keys/{id}", tag = "access", params(KeyPath),
    responses((status = 204, description = "It is answered no more.")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(path): Path<KeyPath>,
) -> Result<StatusCode, Problem> {
    if api.gate.delete_key(KeyId(path.id))? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(Code::NotFound, format!("there is no key {}", path.id)))
    }
}
