//! The table of methods.

use crate::dialect::{Answer, Call};
use crate::fault::{Code, Fault};
use crate::serve::Server;
use crate::{act, add, lists, session, set};

/// One method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Method {
    /// Its name in JSON-RPC; the older form has `-` for `_`.
    pub name: &'static str,
    /// It changes something.
    pub changes: bool,
}

macro_rules! methods {
    ($($name:literal $changes:literal => $handler:path;)*) => {
        /// All methods.
        pub const METHODS: &[Method] = &[$(Method { name: $name, changes: $changes },)*];

        pub(crate) async fn answer(server: &Server, call: &Call) -> Result<Answer, Fault> {
            match call.method.as_str() {
                $($name => Box::pin($handler(server, call)).await,)*
                _ => Err(Fault::new(Code::Method, "method name not recognized")),
            }
        }
    };
}

methods! {
    "free_space" false => session::free_space;
    "port_test" false => session::port_test;
    "queue_move_bottom" true => act::bottom;
    "queue_move_down" true => act::down;
    "queue_move_top" true => act::top;
    "queue_move_up" true => act::up;
    "session_get" false => session::get;
    "session_set" true => session::set;
    "session_stats" false => session::stats;
    "torrent_add" true => add::add;
    "torrent_get" false => lists::get;
    "torrent_reannounce" true => act::reannounce;
    "torrent_remove" true => act::remove;
    "torrent_rename_path" true => act::rename_path;
    "torrent_set" true => set::set;
    "torrent_set_location" true => act::set_location;
    "torrent_start" true => act::start;
    "torrent_start_now" true => act::start_now;
    "torrent_stop" true => act::stop;
    "torrent_verify" true => act::check;
}

pub(crate) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}
