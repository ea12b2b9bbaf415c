//! What torrents are told to do.

use crate::call::{Call, parse_hash};
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use piecework_catalog::{Command, Jump, Mode, Torrent};
use piecework_types::InfoHash;

async fn all(
    server: &Server,
    call: &Call,
    command: impl FnOnce(Vec<InfoHash>) -> Command,
) -> Answer {
    let ids = call.torrents(&server.daemon.catalog())?;
    if !ids.is_empty() {
        server.daemon.command(command(ids)).await?;
    }
    Ok(Reply::Empty)
}

/// `torrents/delete`.
pub(crate) async fn delete(server: &Server, call: &Call) -> Answer {
    call.required("deleteFiles")?;
    let deletes_files = call.flag("deleteFiles").unwrap_or(false);
    all(server, call, |ids| Command::Remove { ids, deletes_files }).await
}

/// `torrents/start`, before 5.0 `resume`.
pub(crate) async fn start(server: &Server, call: &Call) -> Answer {
    all(server, call, |ids| Command::SetMode(ids, Mode::Queued)).await
}

/// `torrents/stop`, before 5.0 `pause`.
pub(crate) async fn stop(server: &Server, call: &Call) -> Answer {
    all(server, call, |ids| Command::SetMode(ids, Mode::Stopped)).await
}

/// `torrents/setForceStart`: a torrent that is no longer forced goes on by the queue's rules.
pub(crate) async fn set_forced(server: &Server, call: &Call) -> Answer {
    call.required("value")?;
    let mode = if call.flag("value") == Some(true) { Mode::Forced } else { Mode::Queued };
    all(server, call, |ids| Command::SetMode(ids, mode)).await
}

/// `torrents/recheck`.
pub(crate) async fn check(server: &Server, call: &Call) -> Answer {
    all(server, call, Command::Check).await
}

/// `torrents/reannounce`.
pub(crate) async fn reannounce(server: &Server, call: &Call) -> Answer {
    all(server, call, Command::Reannounce).await
}

/// `torrents/topPrio`.
pub(crate) async fn top(server: &Server, call: &Call) -> Answer {
    jump(server, call, Jump::Top).await
}

/// `torrents/bottomPrio`.
pub(crate) async fn bottom(server: &Server, call: &Call) -> Answer {
    jump(server, call, Jump::Bottom).await
}

/// `torrents/increasePrio`.
pub(crate) async fn up(server: &Server, call: &Call) -> Answer {
    jump(server, call, Jump::Up).await
}

/// `torrents/decreasePrio`.
pub(crate) async fn down(server: &Server, call: &Call) -> Answer {
    jump(server, call, Jump::Down).await
}

async fn jump(server: &Server, call: &Call, jump: Jump) -> Answer {
    // Programs tell this apart from a failure by its status.
    if !server.daemon.catalog().rules().queue.is_on {
        return Err(Fault::conflict("Torrent queueing must be enabled"));
    }
    all(server, call, |ids| Command::Jump(ids, jump)).await
}

/// `torrents/setAutoManagement`.
pub(crate) async fn set_automatic(server: &Server, call: &Call) -> Answer {
    call.required("enable")?;
    let is_automatic = call.flag("enable").unwrap_or(false);
    all(server, call, |ids| Command::SetAutomatic(ids, is_automatic)).await
}

/// `torrents/setSuperSeeding`.
pub(crate) async fn set_super_seed(server: &Server, call: &Call) -> Answer {
    call.required("value")?;
    let is_super_seed = call.flag("value").unwrap_or(false);
    all(server, call, |ids| Command::SetSuperSeed(ids, is_super_seed)).await
}

/// `torrents/toggleSequentialDownload`.
pub(crate) async fn toggle_sequential(server: &Server, call: &Call) -> Answer {
    let is_on = |torrent: &Torrent| torrent.record().is_sequential;
    toggle(server, call, is_on, Command::SetSequential).await
}

/// `torrents/toggleFirstLastPiecePrio`.
pub(crate) async fn toggle_edges(server: &Server, call: &Call) -> Answer {
    let is_on = |torrent: &Torrent| torrent.record().edges_first;
    toggle(server, call, is_on, Command::SetEdgesFirst).await
}

async fn toggle(
    server: &Server,
    call: &Call,
    is_on: impl Fn(&Torrent) -> bool,
    command: impl Fn(Vec<InfoHash>, bool) -> Command,
) -> Answer {
    let (on, off): (Vec<_>, Vec<_>) = {
        let catalog = server.daemon.catalog();
        let ids = call.torrents(&catalog)?;
        ids.into_iter().partition(|id| catalog.get(*id).is_some_and(&is_on))
    };
    for (ids, is_on) in [(on, false), (off, true)] {
        if !ids.is_empty() {
            server.daemon.command(command(ids, is_on)).await?;
        }
    }
    Ok(Reply::Empty)
}

/// `torrents/setLocation`.
pub(crate) async fn set_location(server: &Server, call: &Call) -> Answer {
    let location = call.required("location")?.trim().to_owned();
    if location.is_empty() {
        return Err(Fault::bad("Save path cannot be empty"));
    }
    all(server, call, |ids| Command::SetSavePath(ids, location)).await
}

/// `torrents/setSavePath`: torrents are in `id` here.
pub(crate) async fn set_save_path(server: &Server, call: &Call) -> Answer {
    call.required("id")?;
    let path = call.required("path")?.trim().to_owned();
    if path.is_empty() {
        return Err(Fault::bad("Save path cannot be empty"));
    }
    let ids = of_a_path(server, call);
    if !ids.is_empty() {
        server.daemon.command(Command::SetSavePath(ids, path)).await?;
    }
    Ok(Reply::Empty)
}

/// `torrents/setDownloadPath`: without a path they lie in their save path from the start.
pub(crate) async fn set_incomplete_path(server: &Server, call: &Call) -> Answer {
    call.required("id")?;
    let path = Some(call.required("path")?.trim().to_owned()).filter(|path| !path.is_empty());
    let ids = of_a_path(server, call);
    if !ids.is_empty() {
        server.daemon.command(Command::SetIncompletePath(ids, path)).await?;
    }
    Ok(Reply::Empty)
}

/// Paths of torrents that follow their category stay as they are.
fn of_a_path(server: &Server, call: &Call) -> Vec<InfoHash> {
    let catalog = server.daemon.catalog();
    let named = call.list("id", '|').into_iter().filter_map(parse_hash);
    let has_own = |id: &InfoHash| catalog.get(*id).is_some_and(|it| !it.record().is_automatic);
    named.filter(has_own).collect()
}

/// `torrents/rename`.
pub(crate) async fn rename(server: &Server, call: &Call) -> Answer {
    let name = call.required("name")?.trim().to_owned();
    let id = call.torrent(&server.daemon.catalog())?;
    if name.is_empty() {
        return Err(Fault::conflict("Incorrect torrent name"));
    }
    server.daemon.command(Command::Rename(id, name)).await?;
    Ok(Reply::Empty)
}
