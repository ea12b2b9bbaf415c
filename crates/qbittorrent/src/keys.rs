//! What this dialect says of a torrent: one table for lists and for what changed.
//!
//! Each key names the fields of the catalog that it is made from. A key is told as changed when one of them
//! has, so what changed costs as much as has changed.

use crate::json::{Datum, Object, whole};
use crate::{magnet, state};
use piecework_catalog::{Field, FieldSet, Limit, Rules, Torrent, Value};
use std::borrow::Cow;

/// "Never", as an answer to when it will be complete: a hundred days.
const ETA_NEVER: i64 = 8_640_000;

/// "Uses the limit of all torrents".
const LIMIT_GLOBAL: i64 = -2;

/// "Has no limit", and "has not happened".
const NONE: i64 = -1;

/// A twelfth of the average year of the calendar.
const MONTH_SECONDS: i64 = 2_629_746;

/// Makes a key's value.
type Make = for<'a> fn(&'a Torrent, &Rules) -> Datum<'a>;

/// A key of a torrent.
pub(crate) struct Key {
    /// Its name.
    pub(crate) name: &'static str,
    fields: &'static [Field],
    make: Make,
}

macro_rules! keys {
    ($($name:literal: $($field:ident)+ => $make:expr;)*) => {
        /// All of them, sorted by name.
        pub(crate) const KEYS: &[Key] = &[$(Key {
            name: $name,
            fields: &[$(Field::$field),+],
            make: $make,
        },)*];
    };
}

keys! {
    "added_on": AddedAt => |it, _| count(it.record().added_at);
    "amount_left": LeftBytes Stage => |it, _| field(it, Field::LeftBytes, 0);
    "auto_tmm": IsAutomatic => |it, _| Datum::Bool(it.record().is_automatic);
    "availability": AvailabilityMilli => |it, _| {
        Datum::Milli(it.figures().availability_milli.map_or(NONE * 1000, i64::from))
    };
    "category": Category => |it, _| text(it.record().category.as_deref());
    "comment": SizeBytes IsPrivate => |it, _| text(it.record().comment.as_deref());
    "completed": WantedBytes LeftBytes Stage => |it, _| Datum::Number(done_bytes(it));
    "completion_on": CompletedAt => |it, _| moment(it.record().completed_at);
    "content_path": ContentPath => |it, _| field_text(it, Field::ContentPath);
    "dl_limit": DownLimit => |it, _| count(it.record().down_limit.unwrap_or(0));
    "dlspeed": DownRate => |it, _| count(it.figures().down_rate);
    "download_path": IncompletePath => |it, _| text(it.record().incomplete_path.as_deref());
    "downloaded": DownBytes => |it, _| count(it.down_bytes());
    "downloaded_session": SessionDownBytes => |it, _| count(it.figures().down_bytes);
    "eta": EtaSeconds => |it, _| field(it, Field::EtaSeconds, ETA_NEVER);
    "f_l_piece_prio": EdgesFirst => |it, _| Datum::Bool(it.record().edges_first);
    "force_start": IsForced => |it, _| Datum::Bool(it.record().is_forced);
    "has_metadata": SizeBytes IsPrivate => |it, _| Datum::Bool(it.record().has_metainfo);
    "hash": Id => |it, _| Datum::Text(it.id().to_string().into());
    "inactive_seeding_time_limit": ShareInactiveMinutes => |it, _| own(it.record().share.inactive_minutes);
    "infohash_v1": V1 => |it, _| text(it.record().v1.as_deref());
    "infohash_v2": V2 => |it, _| text(it.record().v2.as_deref());
    "last_activity": LastActivityAt AddedAt => |it, _| {
        let record = it.record();
        count(record.totals.last_activity_at.unwrap_or(record.added_at))
    };
    "magnet_uri": Magnet Name Tracker TrackerCount => |it, _| Datum::Text(magnet::of(it));
    "max_inactive_seeding_time": ShareInactiveMinutes => |it, rules| {
        in_force(it.record().share.inactive_minutes, rules.inactive_minutes)
    };
    "max_ratio": ShareRatioMilli => |it, rules| {
        in_force_milli(it.record().share.ratio_milli, rules.ratio_milli)
    };
    "max_seeding_time": ShareSeedingMinutes => |it, rules| {
        in_force(it.record().share.seeding_minutes, rules.seeding_minutes)
    };
    "name": Name => |it, _| Datum::Text(Cow::Borrowed(&it.record().name));
    "num_complete": SwarmSeeds Seeds => |it, _| {
        let figures = it.figures();
        Datum::Number(figures.swarm_seeds.unwrap_or(figures.seeds).into())
    };
    "num_incomplete": SwarmPeers Peers Seeds => |it, _| {
        Datum::Number(it.figures().swarm_peers.unwrap_or_else(|| leechers(it)).into())
    };
    "num_leechs": Peers Seeds => |it, _| Datum::Number(leechers(it).into());
    "num_seeds": Seeds => |it, _| Datum::Number(it.figures().seeds.into());
    "popularity": RatioMilli UpBytes DownBytes LeftBytes Stage ActiveSeconds => |it, _| {
        Datum::Milli(popularity_milli(it))
    };
    "priority": Queue => |it, _| match it.value(Field::Queue) {
        Value::Number(place) => Datum::Number(whole(place).saturating_add(1)),
        _ => Datum::Number(0),
    };
    "private": IsPrivate => |it, _| match it.value(Field::IsPrivate) {
        Value::Bool(is_private) => Datum::Bool(is_private),
        _ => Datum::Null,
    };
    "progress": ProgressMilli => |it, _| match it.value(Field::ProgressMilli) {
        Value::Number(milli) => Datum::Milli(whole(milli)),
        _ => Datum::Milli(0),
    };
    "ratio": RatioMilli UpBytes DownBytes LeftBytes Stage => |it, _| Datum::Milli(ratio_milli(it));
    "ratio_limit": ShareRatioMilli => |it, _| own_milli(it.record().share.ratio_milli);
    "root_path": ContentPath IsPrivate => |it, _| {
        Datum::Text(it.root_path().unwrap_or_default().into())
    };
    "save_path": SavePath => |it, _| Datum::Text(Cow::Borrowed(&it.record().save_path));
    "seeding_time": SeedingSeconds => |it, _| count(it.record().totals.seeding_seconds);
    "seeding_time_limit": ShareSeedingMinutes => |it, _| own(it.record().share.seeding_minutes);
    "seen_complete": SeenCompleteAt => |it, _| moment(it.record().totals.seen_complete_at);
    "seq_dl": IsSequential => |it, _| Datum::Bool(it.record().is_sequential);
    "size": WantedBytes Stage => |it, _| field(it, Field::WantedBytes, 0);
    "state": Stage IsForced DownRate UpRate CompletedAt LeftBytes => |it, _| {
        Datum::Text(Cow::Borrowed(state::name(it)))
    };
    "super_seeding": IsSuperSeed => |it, _| Datum::Bool(it.record().is_super_seed);
    "tags": Tags => |it, _| {
        let tags: Vec<&str> = it.record().tags.iter().map(String::as_str).collect();
        Datum::Text(tags.join(", ").into())
    };
    "time_active": ActiveSeconds => |it, _| count(it.record().totals.active_seconds);
    "total_size": SizeBytes => |it, _| match it.record().has_metainfo {
        true => count(it.record().size_bytes),
        false => Datum::Number(NONE),
    };
    "tracker": Tracker Stage => |it, _| {
        text(it.trackers().next().filter(|_| it.stage().is_loaded()))
    };
    "trackers_count": TrackerCount => |it, _| count(it.trackers().count() as u64);
    "up_limit": UpLimit => |it, _| count(it.record().up_limit.unwrap_or(0));
    "uploaded": UpBytes => |it, _| count(it.up_bytes());
    "uploaded_session": SessionUpBytes => |it, _| count(it.figures().up_bytes);
    "upspeed": UpRate => |it, _| count(it.figures().up_rate);
}

impl Key {
    /// The key of that name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its value.
    pub(crate) fn value<'a>(&self, torrent: &'a Torrent, rules: &Rules) -> Datum<'a> {
        (self.make)(torrent, rules)
    }

    fn is_made_from(&self, changed: FieldSet) -> bool {
        self.fields.iter().any(|field| changed.contains(*field))
    }
}

/// Writes the keys that are made from some fields.
pub(crate) fn write(object: &mut Object<'_>, torrent: &Torrent, rules: &Rules, changed: FieldSet) {
    for key in KEYS.iter().filter(|key| key.is_made_from(changed)) {
        object.set(key.name, &key.value(torrent, rules));
    }
}

/// Wanted bytes that are there.
pub(crate) fn done_bytes(torrent: &Torrent) -> i64 {
    let (Value::Number(wanted), Value::Number(left)) =
        (torrent.value(Field::WantedBytes), torrent.value(Field::LeftBytes))
    else {
        return 0;
    };
    whole(wanted.saturating_sub(left))
}

/// Sent over received; over what is there for a torrent that was here before.
pub(crate) fn ratio_milli(torrent: &Torrent) -> i64 {
    if let Value::Number(ratio) = torrent.value(Field::RatioMilli) {
        return whole(ratio);
    }
    match done_bytes(torrent) {
        0 => 0,
        done => {
            let milli = u128::from(torrent.up_bytes()) * 1000 / done.unsigned_abs() as u128;
            i64::try_from(milli).unwrap_or(i64::MAX)
        }
    }
}

/// The ratio over the months that it took part.
pub(crate) fn popularity_milli(torrent: &Torrent) -> i64 {
    let active = i64::try_from(torrent.record().totals.active_seconds).unwrap_or(i64::MAX);
    let scaled = i128::from(ratio_milli(torrent)) * i128::from(MONTH_SECONDS);
    i64::try_from(scaled / i128::from(active.max(1))).unwrap_or(i64::MAX)
}

fn leechers(torrent: &Torrent) -> u32 {
    torrent.figures().peers.saturating_sub(torrent.figures().seeds)
}

fn count<'a>(number: u64) -> Datum<'a> {
    Datum::Number(whole(number))
}

fn moment<'a>(unix: Option<u64>) -> Datum<'a> {
    Datum::Number(unix.map_or(NONE, whole))
}

fn text(text: Option<&str>) -> Datum<'_> {
    Datum::Text(Cow::Borrowed(text.unwrap_or_default()))
}

fn field(torrent: &Torrent, field: Field, absent: i64) -> Datum<'_> {
    match torrent.value(field) {
        Value::Number(number) => Datum::Number(whole(number)),
        _ => Datum::Number(absent),
    }
}

fn field_text(torrent: &Torrent, field: Field) -> Datum<'_> {
    match torrent.value(field) {
        Value::Text(text) => Datum::Text(text),
        _ => Datum::Text("".into()),
    }
}

fn own<'a>(limit: Limit<u32>) -> Datum<'a> {
    Datum::Number(match limit {
        Limit::Global => LIMIT_GLOBAL,
        Limit::Unlimited => NONE,
        Limit::Of(value) => value.into(),
    })
}

fn own_milli<'a>(limit: Limit<u32>) -> Datum<'a> {
    Datum::Milli(match limit {
        Limit::Global => LIMIT_GLOBAL * 1000,
        Limit::Unlimited => NONE * 1000,
        Limit::Of(value) => value.into(),
    })
}

fn in_force<'a>(limit: Limit<u32>, global: Option<u32>) -> Datum<'a> {
    Datum::Number(effective(limit, global).map_or(NONE, i64::from))
}

fn in_force_milli<'a>(limit: Limit<u32>, global: Option<u32>) -> Datum<'a> {
    Datum::Milli(effective(limit, global).map_or(NONE * 1000, i64::from))
}

const fn effective(limit: Limit<u32>, global: Option<u32>) -> Option<u32> {
    match limit {
        Limit::Global => global,
        Limit::Unlimited => None,
        Limit::Of(value) => Some(value),
    }
}
