//! Speeds and share limits of torrents.

use crate::call::Call;
use crate::json::{Object, whole};
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use piecework_catalog::{Command, Limit, Record, ShareAction};

/// `torrents/downloadLimit`: bytes a second by torrent, 0 for none.
pub(crate) async fn down(server: &Server, call: &Call) -> Answer {
    limits(server, call, |record| record.down_limit)
}

/// `torrents/uploadLimit`: bytes a second by torrent, 0 for none.
pub(crate) async fn up(server: &Server, call: &Call) -> Answer {
    limits(server, call, |record| record.up_limit)
}

fn limits(server: &Server, call: &Call, limit: impl Fn(&Record) -> Option<u64>) -> Answer {
    let catalog = server.daemon.catalog();
    let mut out = Vec::new();
    let mut object = Object::new(&mut out);
    for torrent in call.torrents(&catalog)?.into_iter().filter_map(|id| catalog.get(id)) {
        object.number(&torrent.id().to_string(), whole(limit(torrent.record()).unwrap_or(0)));
    }
    object.end();
    Ok(Reply::Json(out))
}

/// `torrents/setDownloadLimit`.
pub(crate) async fn set_down(server: &Server, call: &Call) -> Answer {
    let limit = speed(call)?;
    let ids = call.torrents(&server.daemon.catalog())?;
    server.daemon.command(Command::SetDownLimit(ids, limit)).await?;
    Ok(Reply::Empty)
}

/// `torrents/setUploadLimit`.
pub(crate) async fn set_up(server: &Server, call: &Call) -> Answer {
    let limit = speed(call)?;
    let ids = call.torrents(&server.daemon.catalog())?;
    server.daemon.command(Command::SetUpLimit(ids, limit)).await?;
    Ok(Reply::Empty)
}

/// 0 and less mean none.
fn speed(call: &Call) -> Result<Option<u64>, Fault> {
    call.required("limit")?;
    let limit = call.number("limit").ok_or_else(|| Fault::bad("limit is a number"))?;
    Ok(u64::try_from(limit).ok().filter(|limit| *limit > 0))
}

/// `torrents/setShareLimits`. What is not said stays.
pub(crate) async fn set_share(server: &Server, call: &Call) -> Answer {
    let ids = call.torrents(&server.daemon.catalog())?;
    let command = Command::SetShareLimits {
        ids,
        ratio_milli: ratio(call)?,
        seeding_minutes: minutes(call, "seedingTimeLimit")?,
        inactive_minutes: minutes(call, "inactiveSeedingTimeLimit")?,
        action: call.filled("shareLimitAction").map(|_| action(call)),
    };
    server.daemon.command(command).await?;
    Ok(Reply::Empty)
}

/// `shareLimitAction`: what happens at a limit; another word, and none, for that of all torrents.
pub(crate) fn action(call: &Call) -> Limit<ShareAction> {
    match call.get("shareLimitAction") {
        Some("Stop") => Limit::Of(ShareAction::Stop),
        Some("Remove") => Limit::Of(ShareAction::Remove),
        Some("RemoveWithContent") => Limit::Of(ShareAction::RemoveWithFiles),
        Some("EnableSuperSeeding") => Limit::Of(ShareAction::SuperSeed),
        _ => Limit::Global,
    }
}

/// A ratio: -2 for that of all torrents, -1 for none.
pub(crate) fn ratio(call: &Call) -> Result<Option<Limit<u32>>, Fault> {
    let Some(text) = call.filled("ratioLimit") else { return Ok(None) };
    let ratio: f64 = text.trim().parse().map_err(|_| Fault::bad("ratioLimit is a number"))?;
    Ok(Some(match ratio {
        -2.0 => Limit::Global,
        // The cast saturates, and not-a-number is none.
        0.0.. => Limit::Of((ratio * 1000.0).round() as u32),
        _ => Limit::Unlimited,
    }))
}

/// Minutes: -2 for those of all torrents, -1 for none.
pub(crate) fn minutes(call: &Call, name: &str) -> Result<Option<Limit<u32>>, Fault> {
    if call.filled(name).is_none() {
        return Ok(None);
    }
    let minutes = call.number(name).ok_or_else(|| Fault::bad(format!("{name} is a number")))?;
    Ok(Some(match minutes {
        -2 => Limit::Global,
        0.. => Limit::Of(u32::try_from(minutes).unwrap_or(u32::MAX)),
        _ => Limit::Unlimited,
    }))
}
