//! `log/main`: the daemon's news.

use crate::call::Call;
use crate::json::{Object, whole, write_list};
use crate::reply::{Answer, Reply};
use crate::serve::Server;
use piecework_daemon::{Level, News};

/// `log/main`. The dialect has normal, info, warning and critical lines; ours of the lowest level are info.
pub(crate) async fn main(server: &Server, call: &Call) -> Answer {
    let is_wanted = |news: &News| {
        let name = match news.level {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "critical",
        };
        call.flag(name).unwrap_or(true)
    };
    // Their first line is 0, and -1 asks for all; our news are numbered from 1.
    let after = call.number("last_known_id").unwrap_or(-1).saturating_add(1);
    let news = server.daemon.news(u64::try_from(after).unwrap_or(0));
    let mut out = Vec::new();
    write_list(&mut out, news.iter().filter(|news| is_wanted(news)), |out, news| {
        let mut object = Object::new(out);
        object.number("id", whole(news.number).saturating_sub(1));
        object.text("message", &news.text);
        object.number("timestamp", whole(news.at_ms / 1000));
        object.number("type", kind(news.level));
        object.end();
    });
    Ok(Reply::Json(out))
}

const fn kind(level: Level) -> i64 {
    match level {
        Level::Info => 2,
        Level::Warning => 4,
        Level::Error => 8,
    }
}
