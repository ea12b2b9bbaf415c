//! What torrents are told to do.

use crate::dialect::{Answer, Call};
use crate::fault::{Code, Fault};
use crate::names::Dress;
use crate::select::select;
use crate::serve::Server;
use piecework_catalog::{Command, Jump, Mode};
use piecework_types::InfoHash;
use serde_json::{Value, json};

async fn all(
    server: &Server,
    call: &Call,
    command: impl FnOnce(Vec<InfoHash>) -> Command,
) -> Result<Answer, Fault> {
    let ids = select(server, &server.daemon.catalog(), call)?.ids;
    if !ids.is_empty() {
        server.daemon.command(command(ids)).await?;
    }
    Ok(Answer::empty())
}

pub(crate) async fn start(server: &Server, call: &Call) -> Result<Answer, Fault> {
    all(server, call, |ids| Command::SetMode(ids, Mode::Queued)).await
}

pub(crate) async fn start_now(server: &Server, call: &Call) -> Result<Answer, Fault> {
    all(server, call, |ids| Command::SetMode(ids, Mode::Forced)).await
}

pub(crate) async fn stop(server: &Server, call: &Call) -> Result<Answer, Fault> {
    all(server, call, |ids| Command::SetMode(ids, Mode::Stopped)).await
}

pub(crate) async fn check(server: &Server, call: &Call) -> Result<Answer, Fault> {
    all(server, call, Command::Check).await
}

pub(crate) async fn reannounce(server: &Server, call: &Call) -> Result<Answer, Fault> {
    all(server, call, Command::Reannounce).await
}

pub(crate) async fn top(server: &Server, call: &Call) -> Result<Answer, Fault> {
    all(server, call, |ids| Command::Jump(ids, Jump::Top)).await
}

pub(crate) async fn up(server: &Server, call: &Call) -> Result<Answer, Fault> {
    all(server, call, |ids| Command::Jump(ids, Jump::Up)).await
}

pub(crate) async fn down(server: &Server, call: &Call) -> Result<Answer, Fault> {
    all(server, call, |ids| Command::Jump(ids, Jump::Down)).await
}

pub(crate) async fn bottom(server: &Server, call: &Call) -> Result<Answer, Fault> {
    all(server, call, |ids| Command::Jump(ids, Jump::Bottom)).await
}

/// Without `ids` all are removed, as in the original: it is how its command line says so.
pub(crate) async fn remove(server: &Server, call: &Call) -> Result<Answer, Fault> {
    let deletes_files = flag(call, "delete_local_data").unwrap_or(false);
    all(server, call, |ids| Command::Remove { ids, deletes_files }).await
}

/// `move` says whether files move too; here they always do, so that it is refused without.
pub(crate) async fn set_location(server: &Server, call: &Call) -> Result<Answer, Fault> {
    let location = text(call, "location").filter(|path| path.starts_with('/'));
    let location =
        location.ok_or_else(|| Fault::new(Code::Path, "location is an absolute path"))?;
    if flag(call, "move") != Some(true) {
        return Err(Fault::parameter("files move with their torrent: set move to true"));
    }
    let location = location.to_owned();
    all(server, call, |ids| Command::SetSavePath(ids, location)).await
}

/// A file or folder of one torrent gets another name; its path stays.
pub(crate) async fn rename_path(server: &Server, call: &Call) -> Result<Answer, Fault> {
    let (path, name) = (text(call, "path"), text(call, "name"));
    let (Some(path), Some(name)) = (path, name) else {
        return Err(Fault::parameter("path and name are missing"));
    };
    if name.is_empty() || name.contains('/') {
        return Err(Fault::parameter("name is the name of one file or folder"));
    }
    let (id, record, number) = {
        let catalog = server.daemon.catalog();
        let ids = select(server, &catalog, call)?.ids;
        let [id] = ids[..] else { return Err(Fault::parameter("ids names one torrent")) };
        let record = catalog.get(id).map(|torrent| torrent.record().clone());
        let record = record.ok_or_else(|| Fault::new(Code::Unknown, "no such torrent"))?;
        (id, record, server.numbers().of(id))
    };
    let info = server.daemon.info(id).await;
    let info = info.ok_or_else(|| Fault::new(Code::Unknown, "its files are not known yet"))?;
    let renamed = match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    };
    let files = (0_u32..).zip(info.files()).filter(|(_, file)| !file.is_pad());
    let files = files.filter_map(|(number, file)| {
        let now = record.paths.get(&number).map_or_else(|| file.path(), String::as_str);
        let below = now.strip_prefix(path)?;
        let is_it = below.is_empty() || below.starts_with('/');
        is_it.then(|| (number, format!("{renamed}{below}")))
    });
    let files: Vec<(u32, String)> = files.collect();
    if files.is_empty() {
        return Err(Fault::new(Code::File, "there is no such file or folder"));
    }
    server.daemon.command(Command::RenameFiles(id, files)).await?;
    let value = json!({"id": number, "name": name, "path": path});
    Ok(Answer::new(value, Dress::Camel))
}

/// Yes or no; the older form has numbers too.
pub(crate) fn flag(call: &Call, name: &str) -> Option<bool> {
    match call.parameters.get(name)? {
        Value::Bool(yes) => Some(*yes),
        Value::Number(number) => Some(number.as_i64() != Some(0)),
        _ => None,
    }
}

/// A text.
pub(crate) fn text<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.parameters.get(name).and_then(Value::as_str)
}

/// A number that is not negative.
pub(crate) fn number(call: &Call, name: &str) -> Option<u64> {
    call.parameters.get(name).and_then(Value::as_u64)
}

/// A list of texts.
pub(crate) fn texts(call: &Call, name: &str) -> Option<Vec<String>> {
    let list = call.parameters.get(name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// A list of numbers.
pub(crate) fn numbers(call: &Call, name: &str) -> Option<Vec<u32>> {
    let list = call.parameters.get(name)?.as_array()?;
    let numbers = list.iter().filter_map(Value::as_u64);
    Some(numbers.filter_map(|number| u32::try_from(number).ok()).collect())
}
