//! A torrent field by field: what faces show, and the unit in which changes are told.

use crate::paths::common_root;
use crate::record::{Limit, ShareAction};
use crate::torrent::{Stage, Torrent};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Parts of a whole in thousandths.
const MILLI: u64 = 1000;

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing, or not known.
    Absent,
    /// Yes or no.
    Bool(bool),
    /// A count.
    Number(u64),
    /// Text.
    Text(Cow<'a, str>),
    /// Words in order.
    Words(&'a BTreeSet<String>),
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $word:literal,)*) => {
        /// What there is to know of a torrent. Counts of time (`ActiveSeconds`, `SeedingSeconds`) grow
        /// without being told as changes; they are told with the stage.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum Field {
            $($(#[$doc])* $name,)*
        }

        impl Field {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name for scripts.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The field of that name.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|field| field.word() == word)
            }
        }
    };
}

fields! {
    /// The primary info-hash in hex; never changes.
    Id "id",
    /// The v1 info-hash.
    V1 "info_hash_v1",
    /// The v2 info-hash, whole.
    V2 "info_hash_v2",
    /// What people call it.
    Name "name",
    /// See [`Stage::word`].
    Stage "stage",
    /// It takes part whatever the queue says.
    IsForced "is_forced",
    /// Why it cannot go on, or what is wrong although it does.
    Error "error",
    /// Its place in the queue among those that are not complete, from 0; absent once it is complete.
    Queue "queue",
    /// Bytes of all files.
    SizeBytes "size_bytes",
    /// Bytes that are wanted.
    WantedBytes "wanted_bytes",
    /// Wanted bytes that are missing.
    LeftBytes "left_bytes",
    /// How much is there, or checked while it is being checked, in thousandths.
    ProgressMilli "progress_milli",
    /// How much of it has been moved to another drive, in thousandths; absent while it is not.
    MovedMilli "moved_milli",
    /// Payload received a second.
    DownRate "down_rate",
    /// Payload sent a second.
    UpRate "up_rate",
    /// Seconds until it is complete at the rate of the last ten seconds or so.
    EtaSeconds "eta_seconds",
    /// Received in all runs.
    DownBytes "down_bytes",
    /// Sent in all runs.
    UpBytes "up_bytes",
    /// Received since it was last started.
    SessionDownBytes "session_down_bytes",
    /// Sent since it was last started.
    SessionUpBytes "session_up_bytes",
    /// Received for nothing in all runs.
    WastedBytes "wasted_bytes",
    /// Sent over received in thousandths. Where less than a hundredth of what is there was received, it
    /// counts as received: the files were there before. Absent where there is nothing.
    RatioMilli "ratio_milli",
    /// Connected peers.
    Peers "peers",
    /// Those that have everything.
    Seeds "seeds",
    /// Peers that are no seeds, as a tracker counts them.
    SwarmPeers "swarm_peers",
    /// Seeds as a tracker counts them.
    SwarmSeeds "swarm_seeds",
    /// Copies among the connected peers in thousandths.
    AvailabilityMilli "availability_milli",
    /// Its category.
    Category "category",
    /// Its tags.
    Tags "tags",
    /// Where it lies when it is complete.
    SavePath "save_path",
    /// Where it lies until then, if elsewhere.
    IncompletePath "incomplete_path",
    /// The file or folder of the torrent itself, where it lies now; absent until its metainfo is known.
    ContentPath "content_path",
    /// Paths follow the category.
    IsAutomatic "is_automatic",
    /// Unix seconds.
    AddedAt "added_at",
    /// Unix seconds.
    CompletedAt "completed_at",
    /// When payload last moved, unix seconds.
    LastActivityAt "last_activity_at",
    /// When all pieces were last seen, unix seconds.
    SeenCompleteAt "seen_complete_at",
    /// Time it took part.
    ActiveSeconds "active_seconds",
    /// Time it seeded.
    SeedingSeconds "seeding_seconds",
    /// Its limit of what is received, bytes a second.
    DownLimit "down_limit",
    /// Its limit of what is sent, bytes a second.
    UpLimit "up_limit",
    /// `global`, `unlimited` or thousandths.
    ShareRatioMilli "share_ratio_milli",
    /// `global`, `unlimited` or minutes.
    ShareSeedingMinutes "share_seeding_minutes",
    /// `global`, `unlimited` or minutes.
    ShareInactiveMinutes "share_inactive_minutes",
    /// `global` or the action's word.
    ShareAction "share_action",
    /// In order.
    IsSequential "is_sequential",
    /// First and last pieces first.
    EdgesFirst "edges_first",
    /// Super seeding.
    IsSuperSeed "is_super_seed",
    /// It keeps to its trackers; absent until its metainfo is known.
    IsPrivate "is_private",
    /// The link it came from.
    Magnet "magnet",
    /// The host of its first tracker; the whole address may hold a passkey.
    Tracker "tracker",
    /// How many trackers it has.
    TrackerCount "tracker_count",
}

impl Field {
    /// Whether time alone changes it.
    pub(crate) const fn is_timed(self) -> bool {
        matches!(self, Self::ActiveSeconds | Self::SeedingSeconds)
    }

    pub(crate) const fn bit(self) -> u64 {
        1 << self as u8
    }
}

impl Torrent {
    /// What a field holds.
    pub fn value(&self, field: Field) -> Value<'_> {
        use Value::{Bool, Number, Words};
        let (record, figures) = (&self.record, &self.figures);
        match field {
            Field::Id => Value::Text(Cow::Owned(self.id.to_string())),
            Field::V1 => optional_text(record.v1.as_deref()),
            Field::V2 => optional_text(record.v2.as_deref()),
            Field::Name => Value::Text(Cow::Borrowed(&record.name)),
            Field::Stage => Value::Text(Cow::Borrowed(self.stage.word())),
            Field::IsForced => Bool(record.is_forced),
            Field::Error => optional_text(
                record.error.as_deref().or(self.problem.as_deref()).or(self.unmoved.as_deref()),
            ),
            Field::Queue => optional((!self.is_complete()).then_some(self.place.into())),
            Field::SizeBytes => Number(record.size_bytes),
            Field::WantedBytes => Number(self.wanted_bytes()),
            Field::LeftBytes => Number(self.left_bytes()),
            Field::ProgressMilli => Number(self.progress_milli()),
            Field::MovedMilli => optional(self.moved_milli.map(u64::from)),
            Field::DownRate => Number(figures.down_rate),
            Field::UpRate => Number(figures.up_rate),
            Field::EtaSeconds => optional(self.eta_seconds()),
            Field::DownBytes => Number(self.down_bytes()),
            Field::UpBytes => Number(self.up_bytes()),
            Field::SessionDownBytes => Number(figures.down_bytes),
            Field::SessionUpBytes => Number(figures.up_bytes),
            Field::WastedBytes => Number(record.totals.wasted_bytes),
            Field::RatioMilli => optional(self.ratio_milli()),
            Field::Peers => Number(figures.peers.into()),
            Field::Seeds => Number(figures.seeds.into()),
            Field::SwarmPeers => optional(figures.swarm_peers.map(u64::from)),
            Field::SwarmSeeds => optional(figures.swarm_seeds.map(u64::from)),
            Field::AvailabilityMilli => optional(figures.availability_milli.map(u64::from)),
            Field::Category => optional_text(record.category.as_deref()),
            Field::Tags => Words(&record.tags),
            Field::SavePath => Value::Text(Cow::Borrowed(&record.save_path)),
            Field::IncompletePath => optional_text(record.incomplete_path.as_deref()),
            Field::ContentPath => {
                self.content_path().map_or(Value::Absent, |path| Value::Text(path.into()))
            }
            Field::IsAutomatic => Bool(record.is_automatic),
            Field::AddedAt => Number(record.added_at),
            Field::CompletedAt => optional(record.completed_at),
            Field::LastActivityAt => optional(record.totals.last_activity_at),
            Field::SeenCompleteAt => optional(record.totals.seen_complete_at),
            Field::ActiveSeconds => Number(record.totals.active_seconds),
            Field::SeedingSeconds => Number(record.totals.seeding_seconds),
            Field::DownLimit => optional(record.down_limit),
            Field::UpLimit => optional(record.up_limit),
            Field::ShareRatioMilli => limit(record.share.ratio_milli),
            Field::ShareSeedingMinutes => limit(record.share.seeding_minutes),
            Field::ShareInactiveMinutes => limit(record.share.inactive_minutes),
            Field::ShareAction => Value::Text(Cow::Borrowed(action_word(record.share.action))),
            Field::IsSequential => Bool(record.is_sequential),
            Field::EdgesFirst => Bool(record.edges_first),
            Field::IsSuperSeed => Bool(record.is_super_seed),
            Field::IsPrivate => {
                if record.has_metainfo {
                    Bool(record.is_private)
                } else {
                    Value::Absent
                }
            }
            Field::Magnet => optional_text(record.magnet.as_deref()),
            Field::Tracker => optional_text(self.trackers().next().map(host)),
            Field::TrackerCount => Number(self.trackers().count() as u64),
        }
    }

    /// Its trackers' addresses, tier after tier.
    pub fn trackers(&self) -> impl Iterator<Item = &str> {
        self.record.trackers.iter().flatten().flatten().map(String::as_str)
    }

    /// Whether all that is wanted is there, as far as is known.
    pub const fn is_complete(&self) -> bool {
        self.record.is_complete
    }

    /// The folder that it lies in now.
    pub fn folder(&self) -> &str {
        self.record.folder()
    }

    fn content_path(&self) -> Option<String> {
        let root = self.record.root.as_deref()?;
        Some([self.folder().trim_end_matches('/'), root].join("/"))
    }

    /// The folder that all of its files lie in and that is its own, where it lies now; `None` of a torrent
    /// without one, and until its metainfo is known.
    pub fn root_path(&self) -> Option<String> {
        let record = &self.record;
        let root = record.root.as_deref()?;
        let paths = &record.paths;
        let root = if record.has_other_paths() {
            common_root(paths.values())?
        } else {
            let is_below = |path: &String| path.split_once('/').is_some_and(|(it, _)| it == root);
            (record.is_folder && paths.values().all(is_below)).then(|| root.to_owned())?
        };
        Some(format!("{}/{root}", self.folder().trim_end_matches('/')))
    }

    fn wanted_bytes(&self) -> u64 {
        if self.stage.is_loaded() {
            self.figures.wanted_bytes
        } else {
            self.record.last.wanted_bytes
        }
    }

    fn left_bytes(&self) -> u64 {
        if self.stage.is_loaded() { self.figures.left_bytes } else { self.record.last.left_bytes }
    }

    fn progress_milli(&self) -> u64 {
        if let Some(checked) = self.figures.checking_milli {
            return checked.into();
        }
        let (wanted, left) = (self.wanted_bytes(), self.left_bytes());
        match wanted {
            0 => {
                if self.is_complete() {
                    MILLI
                } else {
                    0
                }
            }
            _ => {
                (u128::from(wanted.saturating_sub(left)) * u128::from(MILLI) / u128::from(wanted))
                    as u64
            }
        }
    }

    fn eta_seconds(&self) -> Option<u64> {
        (self.stage == Stage::Downloading && self.smooth_rate > 0)
            .then(|| self.figures.left_bytes.div_ceil(self.smooth_rate))
    }

    /// Payload received in all runs.
    pub const fn down_bytes(&self) -> u64 {
        self.record.totals.down_bytes
    }

    /// Payload sent in all runs.
    pub const fn up_bytes(&self) -> u64 {
        self.record.totals.up_bytes
    }
}

/// The host in an address, without user, port and path.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn optional<'a>(number: Option<u64>) -> Value<'a> {
    number.map_or(Value::Absent, Value::Number)
}

fn optional_text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Absent, |text| Value::Text(Cow::Borrowed(text)))
}

fn limit<'a>(limit: Limit<u32>) -> Value<'a> {
    match limit {
        Limit::Global => Value::Text(Cow::Borrowed("global")),
        Limit::Unlimited => Value::Text(Cow::Borrowed("unlimited")),
        Limit::Of(value) => Value::Number(value.into()),
    }
}

const fn action_word(action: Limit<ShareAction>) -> &'static str {
    match action {
        Limit::Global | Limit::Unlimited => "global",
        Limit::Of(ShareAction::Stop) => "stop",
        Limit::Of(ShareAction::Remove) => "remove",
        Limit::Of(ShareAction::RemoveWithFiles) => "remove_with_files",
        Limit::Of(ShareAction::SuperSeed) => "super_seed",
    }
}
