//! Files of a torrent: what there is of them, their priorities and names.

use crate::call::Call;
use crate::json::{Datum, Object, whole, write_list, write_text};
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use piecework_catalog::{Command, Record};
use piecework_metainfo::{File, Info};
use piecework_types::{Bitfield, InfoHash};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Our priority of a file for which nothing was said.
const NORMAL: u8 = 4;

/// `torrents/files`; `indexes` chooses some. A torrent whose metainfo is not known has none yet.
pub(crate) async fn files(server: &Server, call: &Call) -> Answer {
    let (id, record) = torrent(server, call)?;
    let Some(info) = server.daemon.info(id).await else { return Ok(Reply::Json(b"[]".to_vec())) };
    let have = server.daemon.bitfield(id).await;
    let chosen: Option<BTreeSet<u32>> = call
        .filled("indexes")
        .map(|list| list.split('|').filter_map(|index| index.trim().parse().ok()).collect());
    let files = numbered(&info)
        .filter(|(number, _)| chosen.as_ref().is_none_or(|chosen| chosen.contains(number)));
    let is_whole = have.as_ref().is_some_and(Bitfield::is_full);
    let mut out = Vec::with_capacity(256 * info.files().len());
    write_list(&mut out, files, |out, (number, file)| {
        write_file(out, &record, &info, have.as_ref(), (number, file));
        if number == 0 {
            // Said of the torrent, and of its first file alone.
            out.pop();
            out.extend_from_slice(b",\"is_seed\":");
            Datum::Bool(is_whole).write(out);
            out.push(b'}');
        }
    });
    Ok(Reply::Json(out))
}

fn write_file(
    out: &mut Vec<u8>,
    record: &Record,
    info: &Info,
    have: Option<&Bitfield>,
    (number, file): (u32, &File),
) {
    let pieces = info.layout().pieces_of(number as usize);
    let (wanted, there) = pieces_there(info, have, file, pieces.clone());
    let progress = match file.length() {
        0 => 1000,
        length => i64::try_from(u128::from(there) * 1000 / u128::from(length)).unwrap_or(0),
    };
    let mut object = Object::new(out);
    object.set("availability", &Datum::Milli(if wanted { progress } else { 1000 }));
    object.number("index", number.into());
    object.text("name", path_of(record, number, file));
    let last = pieces.end.saturating_sub(1).max(pieces.start);
    write_list(object.key("piece_range"), [pieces.start, last].iter(), |out, piece| {
        Datum::Number((*piece).into()).write(out);
    });
    object.number("priority", dialect(record.priorities.get(&number).copied().unwrap_or(NORMAL)));
    object.set("progress", &Datum::Milli(progress));
    object.number("size", whole(file.length()));
    object.end();
}

/// Whether a byte of the file is missing, and how many are there.
fn pieces_there(
    info: &Info,
    have: Option<&Bitfield>,
    file: &File,
    pieces: std::ops::Range<u32>,
) -> (bool, u64) {
    let Some(have) = have else { return (file.length() > 0, 0) };
    let grid = info.grid();
    let (start, end) = (file.offset(), file.offset().saturating_add(file.length()));
    let there = pieces
        .filter_map(|piece| grid.piece(piece))
        .filter(|piece| have.contains(*piece))
        .map(|piece| {
            let from = grid.piece_offset(piece);
            let to = from.saturating_add(grid.piece_bytes(piece).into());
            to.min(end).saturating_sub(from.max(start))
        })
        .sum::<u64>()
        .min(file.length());
    (there < file.length(), there)
}

/// Files that are written, with their numbers.
fn numbered(info: &Info) -> impl Iterator<Item = (u32, &File)> {
    (0_u32..).zip(info.files()).filter(|(_, file)| !file.is_pad())
}

fn path_of<'a>(record: &'a Record, number: u32, file: &'a File) -> &'a str {
    match record.paths.get(&number) {
        Some(path) => path,
        None => file.path(),
    }
}

fn torrent(server: &Server, call: &Call) -> Result<(InfoHash, Record), Fault> {
    let catalog = server.daemon.catalog();
    let id = call.torrent(&catalog)?;
    let record = catalog.get(id).map(|torrent| torrent.record().clone());
    record.map(|record| (id, record)).ok_or_else(Fault::not_found)
}

/// Our priorities in this dialect: it has skip, normal, high and highest.
fn dialect(priority: u8) -> i64 {
    match priority {
        0 => 0,
        1..=4 => 1,
        5 | 6 => 6,
        _ => 7,
    }
}

/// The dialect's priorities in ours.
const fn ours(priority: i64) -> Option<u8> {
    match priority {
        0 => Some(0),
        1 | 4 => Some(NORMAL),
        6 => Some(6),
        7 => Some(7),
        _ => None,
    }
}

/// `torrents/filePrio`: files by number, between bars.
pub(crate) async fn set_priority(server: &Server, call: &Call) -> Answer {
    let (id, _) = torrent(server, call)?;
    call.required("priority")?;
    let priority = call.number("priority").and_then(ours);
    let priority = priority.ok_or_else(|| Fault::bad("Priority is not valid"))?;
    call.required("id")?;
    let numbers = call.list("id", '|').into_iter().map(str::parse::<u32>);
    let numbers: Vec<u32> =
        numbers.collect::<Result<_, _>>().map_err(|_| Fault::bad("File IDs must be integers"))?;
    let info = server.daemon.info(id).await;
    let info = info.ok_or_else(|| Fault::conflict("Torrent's metadata has not yet downloaded"))?;
    if numbers.iter().any(|number| *number as usize >= info.files().len()) {
        return Err(Fault::conflict("File ID is not valid"));
    }
    let priorities = numbers.into_iter().map(|number| (number, priority)).collect();
    server.daemon.command(Command::SetPriorities(id, priorities)).await?;
    Ok(Reply::Empty)
}

/// `torrents/renameFile`.
pub(crate) async fn rename_file(server: &Server, call: &Call) -> Answer {
    let (id, record, info) = renamed(server, call).await?;
    let (old, new) = (clean(call.required("oldPath")?), clean(call.required("newPath")?));
    let file = numbered(&info).find(|(number, file)| path_of(&record, *number, file) == old);
    let (number, _) = file.ok_or_else(|| Fault::conflict(format!("there is no file {old}")))?;
    rename(server, id, &record, &info, BTreeMap::from([(number, new)])).await
}

/// `torrents/renameFolder`.
pub(crate) async fn rename_folder(server: &Server, call: &Call) -> Answer {
    let (id, record, info) = renamed(server, call).await?;
    let (old, new) = (clean(call.required("oldPath")?), clean(call.required("newPath")?));
    let files = numbered(&info).filter_map(|(number, file)| {
        let below = path_of(&record, number, file).strip_prefix(&old)?.strip_prefix('/')?;
        Some((number, format!("{new}/{below}")))
    });
    let files: BTreeMap<u32, String> = files.collect();
    if files.is_empty() {
        return Err(Fault::conflict(format!("there is no folder {old}")));
    }
    rename(server, id, &record, &info, files).await
}

async fn renamed(server: &Server, call: &Call) -> Result<(InfoHash, Record, Arc<Info>), Fault> {
    let (id, record) = torrent(server, call)?;
    let info = server.daemon.info(id).await;
    let info = info.ok_or_else(|| Fault::conflict("Torrent's metadata has not yet downloaded"))?;
    Ok((id, record, info))
}

/// Windows writes separators the other way round.
fn clean(path: &str) -> String {
    path.replace('\\', "/").trim_matches('/').to_owned()
}

async fn rename(
    server: &Server,
    id: InfoHash,
    record: &Record,
    info: &Info,
    files: BTreeMap<u32, String>,
) -> Answer {
    let mut others = numbered(info).filter(|(number, _)| !files.contains_key(number));
    let is_taken = |path: &str| files.values().any(|new| new == path);
    if others.any(|(number, file)| is_taken(path_of(record, number, file))) {
        return Err(Fault::conflict("a file of that name is there already"));
    }
    let command = Command::RenameFiles(id, files.into_iter().collect());
    server.daemon.command(command).await.map_err(|refusal| Fault::conflict(refusal.text))?;
    Ok(Reply::Empty)
}

/// Names in a list of JSON; used where a list of texts is the whole answer.
pub(crate) fn texts(list: impl Iterator<Item = String>) -> Reply {
    let mut out = Vec::new();
    write_list(&mut out, list, |out, text| write_text(out, &text));
    Reply::Json(out)
}
