//! Changes of one torrent, and its end.

use crate::extract::{Json, Path, Query, some, torrent_id};
use crate::problem::{Code, Problem};
use crate::state::Api;
use axum::extract::State;
use axum::http::StatusCode;
use piecework_catalog::{Command, Limit, ShareAction};
use piecework_types::InfoHash;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

use super::list::TorrentPath;

/// What is to be changed; what is left out stays.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = TorrentPatch)]
pub(crate) struct Patch {
    /// The name for people.
    #[schema(example = "A film")]
    name: Option<String>,
    /// Its category, which must be there; `null` for none.
    #[serde(deserialize_with = "some")]
    #[schema(value_type = Option<String>)]
    category: Option<Option<String>>,
    /// Exactly these tags; new ones are made.
    #[schema(max_items = 1000)]
    tags: Option<BTreeSet<String>>,
    /// Paths follow the category.
    is_automatic: Option<bool>,
    /// The folder of its files, which move there; absolute and within the roots.
    save_path: Option<String>,
    /// The folder until it is complete; `null` for none.
    #[serde(deserialize_with = "some")]
    #[schema(value_type = Option<String>)]
    incomplete_path: Option<Option<String>>,
    /// Bytes a second; `null` for no limit.
    #[serde(deserialize_with = "some")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    down_limit: Option<Option<u64>>,
    /// Bytes a second; `null` for no limit.
    #[serde(deserialize_with = "some")]
    #[schema(value_type = Option<u64>, minimum = 1)]
    up_limit: Option<Option<u64>>,
    /// Sent over received in thousandths.
    share_ratio_milli: Option<LimitText>,
    /// Minutes of seeding.
    share_seeding_minutes: Option<LimitText>,
    /// Minutes without anything sent.
    share_inactive_minutes: Option<LimitText>,
    /// What happens at a share limit.
    share_action: Option<ActionWord>,
    /// Pieces are asked for in order.
    is_sequential: Option<bool>,
    /// First and last pieces of files come first.
    edges_first: Option<bool>,
    /// Each peer is shown few pieces.
    is_super_seed: Option<bool>,
}

/// `global`, `unlimited` or a number.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Limit)]
pub(crate) enum LimitText {
    /// A word.
    Word(LimitWord),
    /// This one.
    Of(u32),
}

/// A limit that is no number.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitWord {
    /// That of all torrents.
    Global,
    /// None.
    Unlimited,
}

/// What happens at a share limit.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ShareAction)]
pub(crate) enum ActionWord {
    Global,
    Stop,
    Remove,
    RemoveWithFiles,
    SuperSeed,
}

impl LimitText {
    pub(crate) const fn limit(self) -> Limit<u32> {
        match self {
            Self::Word(LimitWord::Global) => Limit::Global,
            Self::Word(LimitWord::Unlimited) => Limit::Unlimited,
            Self::Of(number) => Limit::Of(number),
        }
    }
}

impl ActionWord {
    pub(crate) const fn limit(self) -> Limit<ShareAction> {
        match self {
            Self::Global => Limit::Global,
            Self::Stop => Limit::Of(ShareAction::Stop),
            Self::Remove => Limit::Of(ShareAction::Remove),
            Self::RemoveWithFiles => Limit::Of(ShareAction::RemoveWithFiles),
            Self::SuperSeed => Limit::Of(ShareAction::SuperSeed),
        }
    }
}

impl Patch {
    /// One command for each change, in the order they are carried out.
    fn commands(self, id: InfoHash) -> Vec<Command> {
        let ids = || vec![id];
        let mut commands = Vec::new();
        let mut add = |command: Option<Command>| commands.extend(command);
        add(self.name.map(|name| Command::Rename(id, name)));
        add(self.category.map(|category| Command::SetCategory(ids(), category)));
        add(self.tags.map(|tags| Command::SetTags(ids(), tags)));
        add(self.is_automatic.map(|is| Command::SetAutomatic(ids(), is)));
        add(self.save_path.map(|path| Command::SetSavePath(ids(), path)));
        add(self.incomplete_path.map(|path| Command::SetIncompletePath(ids(), path)));
        add(self.down_limit.map(|limit| Command::SetDownLimit(ids(), limit)));
        add(self.up_limit.map(|limit| Command::SetUpLimit(ids(), limit)));
        let share = Command::SetShareLimits {
            ids: ids(),
            ratio_milli: self.share_ratio_milli.map(LimitText::limit),
            seeding_minutes: self.share_seeding_minutes.map(LimitText::limit),
            inactive_minutes: self.share_inactive_minutes.map(LimitText::limit),
            action: self.share_action.map(ActionWord::limit),
        };
        let has_limit = self.share_ratio_milli.is_some()
            || self.share_seeding_minutes.is_some()
            || self.share_inactive_minutes.is_some();
        add((has_limit || self.share_action.is_some()).then_some(share));
        add(self.is_sequential.map(|is| Command::SetSequential(ids(), is)));
        add(self.edges_first.map(|is| Command::SetEdgesFirst(ids(), is)));
        add(self.is_super_seed.map(|is| Command::SetSuperSeed(ids(), is)));
        commands
    }
}

/// Change a torrent
///
/// All of it or nothing: where one change cannot be, none is made, and the problem names it.
#[utoipa::path(patch, path = "/torrents/{id}", tag = "torrents", params(TorrentPath),
    request_body = Patch, responses((status = 204, description = "All is changed.")))]
pub(crate) async fn edit(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
    Json(patch): Json<Patch>,
) -> Result<StatusCode, Problem> {
    let id = torrent_id(&path.id)?;
    api.check_ids(&[id])?;
    if [patch.down_limit, patch.up_limit].contains(&Some(Some(0))) {
        return Err(Problem::new(Code::Invalid, "a limit is at least 1 byte a second, or null"));
    }
    let changes = patch.commands(id);
    if !changes.is_empty() {
        api.daemon.command(Command::All(changes)).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// How to remove.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Removed {
    /// Its payload goes too.
    #[serde(default)]
    deletes_files: bool,
}

/// Remove a torrent
#[utoipa::path(delete, path = "/torrents/{id}", tag = "torrents", params(TorrentPath, Removed),
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Path(path): Path<TorrentPath>,
    Query(removed): Query<Removed>,
) -> Result<StatusCode, Problem> {
    let ids = vec![torrent_id(&path.id)?];
    api.check_ids(&ids)?;
    let Removed { deletes_files } = removed;
    api.daemon.command(Command::Remove { ids, deletes_files }).await?;
    Ok(StatusCode::NO_CONTENT)
}
