//! The table of endpoints. The page that lists them is compared with it by a test.

use crate::call::Call;
use crate::reply::{Answer, Fault};
use crate::serve::Server;
use crate::{
    add, app, auth, control, files, labels, limits, list, log, maindata, peers, pieces, properties,
    trackers, transfer,
};

/// What an endpoint does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// It only answers: by GET and by POST, which some programs use for everything.
    Read,
    /// It changes something: by POST alone.
    Write,
}

/// One endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// The first part of its path below [`crate::PREFIX`].
    pub scope: &'static str,
    /// The second.
    pub action: &'static str,
    /// What it does.
    pub kind: Kind,
}

impl Endpoint {
    pub(crate) fn find(scope: &str, action: &str) -> Option<&'static Self> {
        ENDPOINTS.iter().find(|endpoint| (endpoint.scope, endpoint.action) == (scope, action))
    }
}

macro_rules! endpoints {
    ($($kind:ident $scope:literal $action:literal => $handler:path;)*) => {
        /// All endpoints.
        pub const ENDPOINTS: &[Endpoint] = &[$(
            Endpoint { scope: $scope, action: $action, kind: Kind::$kind },
        )*];

        pub(crate) async fn answer(endpoint: &Endpoint, server: &Server, call: &Call) -> Answer {
            match (endpoint.scope, endpoint.action) {
                $(($scope, $action) => Box::pin($handler(server, call)).await,)*
                _ => Err(Fault::not_found()),
            }
        }
    };
}

endpoints! {
    Write "auth" "login" => auth::login;
    Write "auth" "logout" => auth::logout;
    Read "app" "version" => app::version;
    Read "app" "webapiVersion" => app::api_version;
    Read "app" "buildInfo" => app::build;
    Read "app" "preferences" => app::preferences;
    Write "app" "setPreferences" => app::set_preferences;
    Read "app" "defaultSavePath" => app::save_path;
    Read "app" "getDirectoryContent" => app::folder;
    Read "app" "cookies" => app::cookies;
    Read "log" "main" => log::main;
    Read "sync" "maindata" => maindata::maindata;
    Read "sync" "torrentPeers" => peers::peers;
    Read "transfer" "info" => transfer::info;
    Read "transfer" "speedLimitsMode" => transfer::mode;
    Write "transfer" "setSpeedLimitsMode" => transfer::set_mode;
    Write "transfer" "toggleSpeedLimitsMode" => transfer::toggle_mode;
    Read "transfer" "downloadLimit" => transfer::down_limit;
    Read "transfer" "uploadLimit" => transfer::up_limit;
    Write "transfer" "setDownloadLimit" => transfer::set_down_limit;
    Write "transfer" "setUploadLimit" => transfer::set_up_limit;
    Write "transfer" "banPeers" => transfer::ban_peers;
    Read "torrents" "info" => list::info;
    Read "torrents" "count" => list::count;
    Read "torrents" "properties" => properties::properties;
    Read "torrents" "export" => properties::export;
    Read "torrents" "files" => files::files;
    Read "torrents" "pieceStates" => pieces::states;
    Read "torrents" "pieceHashes" => pieces::hashes;
    Read "torrents" "trackers" => trackers::trackers;
    Read "torrents" "webseeds" => trackers::web_seeds;
    Write "torrents" "add" => add::add;
    Write "torrents" "delete" => control::delete;
    Write "torrents" "start" => control::start;
    Write "torrents" "resume" => control::start;
    Write "torrents" "stop" => control::stop;
    Write "torrents" "pause" => control::stop;
    Write "torrents" "setForceStart" => control::set_forced;
    Write "torrents" "recheck" => control::check;
    Write "torrents" "reannounce" => control::reannounce;
    Write "torrents" "topPrio" => control::top;
    Write "torrents" "bottomPrio" => control::bottom;
    Write "torrents" "increasePrio" => control::up;
    Write "torrents" "decreasePrio" => control::down;
    Write "torrents" "setAutoManagement" => control::set_automatic;
    Write "torrents" "setSuperSeeding" => control::set_super_seed;
    Write "torrents" "toggleSequentialDownload" => control::toggle_sequential;
    Write "torrents" "toggleFirstLastPiecePrio" => control::toggle_edges;
    Write "torrents" "setLocation" => control::set_location;
    Write "torrents" "setSavePath" => control::set_save_path;
    Write "torrents" "setDownloadPath" => control::set_incomplete_path;
    Write "torrents" "rename" => control::rename;
    Write "torrents" "addPeers" => peers::add;
    Write "torrents" "renameFile" => files::rename_file;
    Write "torrents" "renameFolder" => files::rename_folder;
    Write "torrents" "filePrio" => files::set_priority;
    Write "torrents" "addTrackers" => trackers::add;
    Write "torrents" "editTracker" => trackers::edit;
    Write "torrents" "removeTrackers" => trackers::remove;
    Read "torrents" "categories" => labels::categories;
    Write "torrents" "setCategory" => labels::set_category;
    Write "torrents" "createCategory" => labels::create_category;
    Write "torrents" "editCategory" => labels::edit_category;
    Write "torrents" "removeCategories" => labels::remove_categories;
    Read "torrents" "tags" => labels::tags;
    Write "torrents" "addTags" => labels::add_tags;
    Write "torrents" "setTags" => labels::set_tags;
    Write "torrents" "removeTags" => labels::remove_tags;
    Write "torrents" "createTags" => labels::create_tags;
    Write "torrents" "deleteTags" => labels::delete_tags;
    Read "torrents" "downloadLimit" => limits::down;
    Read "torrents" "uploadLimit" => limits::up;
    Write "torrents" "setDownloadLimit" => limits::set_down;
    Write "torrents" "setUploadLimit" => limits::set_up;
    Write "torrents" "setShareLimits" => limits::set_share;
}
