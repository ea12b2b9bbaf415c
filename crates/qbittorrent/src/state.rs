//! States of torrents in this dialect, and the groups that lists are filtered by.

use piecework_catalog::{Stage, Torrent};

/// The state's name. Programs read `stalledDL` and `metaDL` as warnings, so nothing else is called that.
pub(crate) fn name(torrent: &Torrent) -> &'static str {
    let (figures, is_forced) = (torrent.figures(), torrent.record().is_forced);
    // While its data is looked at nobody knows; what counts is what it was before.
    let was_complete = torrent.record().completed_at.is_some();
    let is_complete = torrent.is_complete();
    match torrent.stage() {
        Stage::Stopped if is_complete => "stoppedUP",
        Stage::Stopped => "stoppedDL",
        Stage::Queued if is_complete => "queuedUP",
        Stage::Queued => "queuedDL",
        Stage::Metadata if is_forced => "forcedMetaDL",
        Stage::Metadata => "metaDL",
        Stage::Checking if was_complete => "checkingUP",
        Stage::Checking => "checkingDL",
        Stage::Downloading if is_forced => "forcedDL",
        Stage::Downloading if figures.down_rate == 0 => "stalledDL",
        Stage::Downloading => "downloading",
        Stage::Seeding if is_forced => "forcedUP",
        Stage::Seeding if figures.up_rate == 0 => "stalledUP",
        Stage::Seeding => "uploading",
        Stage::Moving => "moving",
        Stage::Missing => "missingFiles",
        // There is no word for a full drive; a person has to look either way.
        Stage::NoSpace | Stage::Failed => "error",
    }
}

/// Whether a torrent belongs to a group; `None` where there is no such group.
pub(crate) fn belongs(torrent: &Torrent, group: &str) -> Option<bool> {
    let state = name(torrent);
    let is_stopped = torrent.stage() == Stage::Stopped;
    let moves = torrent.figures().down_rate > 0 || torrent.figures().up_rate > 0;
    Some(match group {
        "all" => true,
        "downloading" => !torrent.is_complete(),
        "seeding" => {
            matches!(state, "uploading" | "forcedUP" | "stalledUP" | "queuedUP" | "checkingUP")
        }
        "completed" => torrent.is_complete(),
        "stopped" | "paused" => is_stopped,
        "running" | "resumed" => !is_stopped,
        "active" => moves || matches!(state, "metaDL" | "forcedMetaDL"),
        "inactive" => !(moves || matches!(state, "metaDL" | "forcedMetaDL")),
        "stalled" => matches!(state, "stalledUP" | "stalledDL"),
        "stalled_uploading" => state == "stalledUP",
        "stalled_downloading" => state == "stalledDL",
        "checking" => torrent.stage() == Stage::Checking,
        "moving" => torrent.stage() == Stage::Moving,
        "errored" => matches!(state, "error" | "missingFiles"),
        _ => return None,
    })
}
