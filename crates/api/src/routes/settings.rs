//! Settings with their origins, and the speeds.

use crate::extract::{Json, some};
use crate::problem::{Code, Problem};
use crate::state::{Api, Who};
use axum::Extension;
use axum::extract::State;
use piecework_access::Scope;
use piecework_catalog::Command;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Setting)]
pub(crate) struct SettingView {
    #[schema(example = "queue.downloads_max")]
    key: &'static str,
    /// As text, as all settings are written.
    value: String,
    default: &'static str,
    /// Where the value came from: default, a file and line, the environment, a flag, or a change at run time.
    origin: String,
    /// What a value looks like.
    form: String,
    /// What it does.
    about: String,
    /// A change counts from the next start.
    needs_restart: bool,
}

/// List the settings
#[utoipa::path(get, path = "/settings", tag = "settings",
    responses((status = 200, description = "All of them.", body = Vec<SettingView>)))]
pub(crate) async fn settings(State(api): State<Api>) -> Json<Vec<SettingView>> {
    let settings = api.daemon.settings();
    let views = settings.entries().map(|entry| SettingView {
        key: entry.setting.key,
        value: entry.value,
        default: entry.setting.default,
        origin: entry.origin.to_string(),
        form: entry.setting.form(),
        about: entry.setting.doc(),
        needs_restart: entry.setting.needs_restart,
    });
    Json(views.collect())
}

/// What became of a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// Keys of those that count from the next start.
    needs_restart: Vec<String>,
}

/// Change settings
///
/// All of them or none. Values are texts, as in the settings file's reference. Those about money (`pay.`)
/// need the scope `spend`, but not for turning off what is bought or sold.
#[utoipa::path(patch, path = "/settings", tag = "settings",
    request_body(content = BTreeMap<String, String>, example = json!({"queue.downloads_max": "3"})),
    responses((status = 200, description = "They are written down.", body = Changed)))]
pub(crate) async fn set(
    State(api): State<Api>,
    Extension(who): Extension<Who>,
    Json(changes): Json<BTreeMap<String, String>>,
) -> Result<Json<Changed>, Problem> {
    let is_stop =
        |key: &str, value: &str| matches!(key, "pay.buys" | "pay.sells") && value == "false";
    if changes.iter().any(|(key, value)| key.starts_with("pay.") && !is_stop(key, value)) {
        who.needs(Scope::Spend)?;
    }
    let needs_restart = api.daemon.set(changes.into_iter().collect()).await?;
    Ok(Json(Changed { needs_restart }))
}

/// Limits of the node, bytes a second; `null` for none.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Speed {
    /// Of what is received.
    down_limit: Option<u64>,
    /// Of what is sent.
    up_limit: Option<u64>,
    /// Of what is received while the alternative ones hold.
    alternative_down_limit: Option<u64>,
    /// Of what is sent while the alternative ones hold.
    alternative_up_limit: Option<u64>,
    /// The alternative ones hold.
    is_alternative: bool,
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SpeedPatch {
    /// See `Speed`; `null` for none.
    #[serde(deserialize_with = "some")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    down_limit: Option<Option<u64>>,
    /// See `Speed`; `null` for none.
    #[serde(deserialize_with = "some")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    up_limit: Option<Option<u64>>,
    /// See `Speed`; `null` for none.
    #[serde(deserialize_with = "some")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    alternative_down_limit: Option<Option<u64>>,
    /// See `Speed`; `null` for none.
    #[serde(deserialize_with = "some")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    alternative_up_limit: Option<Option<u64>>,
    /// The alternative ones hold from now on, or not, until the schedule says otherwise.
    is_alternative: Option<bool>,
}

/// Look at the node's limits
#[utoipa::path(get, path = "/speed", tag = "settings",
    responses((status = 200, description = "The limits.", body = Speed)))]
pub(crate) async fn speed(State(api): State<Api>) -> Json<Speed> {
    let catalog = api.daemon.catalog();
    let rules = catalog.rules();
    Json(Speed {
        down_limit: rules.speed.down,
        up_limit: rules.speed.up,
        alternative_down_limit: rules.alternative.down,
        alternative_up_limit: rules.alternative.up,
        is_alternative: catalog.is_alternative(),
    })
}

/// Change the node's limits
#[utoipa::path(patch, path = "/speed", tag = "settings", request_body = SpeedPatch,
    responses((status = 200, description = "The limits now.", body = Speed)))]
pub(crate) async fn set_speed(
    State(api): State<Api>,
    Json(patch): Json<SpeedPatch>,
) -> Result<Json<Speed>, Problem> {
    let changes = [
        ("speed.down", patch.down_limit),
        ("speed.up", patch.up_limit),
        ("speed.alternative_down", patch.alternative_down_limit),
        ("speed.alternative_up", patch.alternative_up_limit),
    ];
    if changes.iter().any(|(_, limit)| *limit == Some(Some(0))) {
        return Err(Problem::new(Code::Invalid, "a limit is at least 1 byte a second, or null"));
    }
    let text = |limit: Option<u64>| limit.map_or_else(|| "none".into(), |limit| limit.to_string());
    let changes: Vec<_> = changes
        .into_iter()
        .filter_map(|(key, limit)| Some((key.to_owned(), text(limit?))))
        .collect();
    if !changes.is_empty() {
        api.daemon.set(changes).await?;
    }
    if let Some(is) = patch.is_alternative {
        api.daemon.command(Command::SetAlternative(is)).await?;
    }
    Ok(speed(State(api)).await)
}
