//! The newest block that this wallet has seen to count, so that a chain which was put back to an older copy,
//! or went another way, is noticed before anything is signed for it.

use crate::failure::{Context, Failure};
use crate::purse::remove;
use alloy_primitives::B256;
use piecework_settle::{Client, Seen};
use piecework_wallet::write_over;
use serde_json::{Value, json};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The file, in the state folder.
const FILE: &str = "seen-block.json";

/// The version that is written, and the newest that is read.
const FORMAT: u64 = 1;

/// Demands that the chain still has the block that was seen last, and notes the newest one.
///
/// # Errors
/// When it has not.
pub(crate) fn look(client: &Client, state: &Path) -> Result<(), Failure> {
    let (genesis, file) = (client.network().genesis, state.join(FILE));
    let before = read(&file)?.filter(|(its, _)| *its == genesis).map(|(_, seen)| seen);
    if let Some(seen) = &before {
        client.demand_still_there(seen).map_err(Failure::new)?;
    }
    let now = client.seen().map_err(Failure::new)?;
    if before.is_some_and(|before| before.height >= now.height) {
        return Ok(());
    }
    let Seen { height, hash } = now;
    let value = json!({ "format": FORMAT, "genesis": genesis, "height": height, "hash": hash });
    write_over(&file, format!("{value}\n").as_bytes()).map_err(Failure::new)
}

/// Forgets it: whatever is joined next is seen for the first time.
pub(crate) fn forget(state: &Path) -> Result<(), Failure> {
    remove(&state.join(FILE))
}

fn read(file: &Path) -> Result<Option<(B256, Seen)>, Failure> {
    let doing = format!("cannot read {}", file.display());
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.context(&doing)?,
    };
    let value: Value = serde_json::from_str(&text).context(&doing)?;
    if value["format"].as_u64().is_some_and(|format| format > FORMAT) {
        return Err(Failure::new(format!("{doing}: a newer program wrote it; use that one")));
    }
    let hash = |name: &str| value[name].as_str().and_then(|text| text.parse::<B256>().ok());
    let fields = (hash("genesis"), value["height"].as_u64(), hash("hash"));
    let (Some(genesis), Some(height), Some(hash)) = fields else {
        return Err(Failure::new(format!("{doing}: it is damaged; delete it to go on")));
    };
    Ok(Some((genesis, Seen { height, hash })))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_note_of_a_newer_program_and_a_damaged_one_are_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        assert_eq!(read(&file).unwrap(), None);
        let of = |text: &str| {
            fs::write(&file, text).unwrap();
            read(&file).map_err(|failure| failure.text)
        };
        assert!(of("{\"format\":2}").unwrap_err().contains("use that one"));
        assert!(of("{\"format\":1,\"height\":3}").unwrap_err().contains("delete it"));
        assert!(of("{").is_err());
        let (genesis, hash) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let value = json!({ "format": 1, "genesis": genesis, "height": 3, "hash": hash });
        assert_eq!(of(&value.to_string()), Ok(Some((genesis, Seen { height: 3, hash }))));
        forget(folder.path()).unwrap();
        forget(folder.path()).unwrap();
        assert_eq!(read(&file).unwrap(), None);
    }
}
