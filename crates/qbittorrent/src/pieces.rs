//! Pieces of a torrent.

use crate::call::Call;
use crate::files::texts;
use crate::json::{Datum, write_list};
use crate::reply::{Answer, Fault, Reply};
use crate::serve::Server;
use piecework_node::PieceState;

/// `torrents/pieceStates`: 0 missing, 1 being fetched, 2 there.
pub(crate) async fn states(server: &Server, call: &Call) -> Answer {
    let id = call.torrent(&server.daemon.catalog())?;
    let states = match server.daemon.piece_states(id).await {
        Some(states) => states.into_iter().map(number).collect(),
        None => at_rest(server, id).await,
    };
    let mut out = Vec::with_capacity(2 * states.len() + 2);
    write_list(&mut out, states.into_iter(), |out, state| Datum::Number(state).write(out));
    Ok(Reply::Json(out))
}

const fn number(state: PieceState) -> i64 {
    match state {
        PieceState::Missing => 0,
        PieceState::Fetching => 1,
        PieceState::Have => 2,
    }
}

/// Of a torrent that takes no part: what is known to be there.
async fn at_rest(server: &Server, id: piecework_types::InfoHash) -> Vec<i64> {
    let Some(info) = server.daemon.info(id).await else { return Vec::new() };
    let have = server.daemon.bitfield(id).await;
    let grid = info.grid();
    let is_there = |piece| {
        grid.piece(piece)
            .is_some_and(|piece| have.as_ref().is_some_and(|have| have.contains(piece)))
    };
    (0..grid.piece_count()).map(|piece| if is_there(piece) { 2 } else { 0 }).collect()
}

/// `torrents/pieceHashes`: SHA-1 of each piece; of a torrent that has only SHA-256, none.
pub(crate) async fn hashes(server: &Server, call: &Call) -> Answer {
    let id = call.torrent(&server.daemon.catalog())?;
    let info = server.daemon.info(id).await;
    let info = info.ok_or_else(|| Fault::conflict("Torrent's metadata has not yet downloaded"))?;
    let pieces = (0..info.grid().piece_count()).filter_map(|piece| info.grid().piece(piece));
    Ok(texts(pieces.filter_map(|piece| info.v1_hash(piece)).map(|hash| hash.to_string())))
}
