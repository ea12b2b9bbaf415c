#![allow(clippy::unwrap_used)]
use super::*;

fn file(text: &str) -> Sources {
    Sources {
        file: Some(Layer { path: "piecework.toml".into(), text: text.into() }),
        ..Sources::default()
    }
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.into(), value.into())
}

#[test]
fn the_later_layer_wins_and_the_origin_says_which_it_was() {
    let key = "queue.downloads_max";
    let mut sources = Sources { machine: vec![pair(key, "2")], ..Sources::default() };
    let read = |sources: &Sources| {
        let settings = Settings::read(sources).unwrap();
        (settings.queue().downloads_max, settings.origin(key).unwrap().to_string())
    };
    assert_eq!(read(&sources), (Some(2), "default".into()));
    sources.file = file("# mine\n[queue]\ndownloads_max = 3\n").file;
    assert_eq!(read(&sources), (Some(3), "piecework.toml:3".into()));
    let text = "queue.downloads_max = 4\n".into();
    sources.overlay = Some(Layer { path: "run-time.toml".into(), text });
    assert_eq!(read(&sources), (Some(4), "changed at run time".into()));
    sources.environment = vec![pair("PIECEWORK_QUEUE_DOWNLOADS_MAX", "6")];
    let origin = "environment PIECEWORK_QUEUE_DOWNLOADS_MAX";
    assert_eq!(read(&sources), (Some(6), origin.into()));
    sources.flags = vec![("--set".into(), key.into(), "none".into())];
    assert_eq!(read(&sources), (None, "flag --set".into()));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_line() {
    let sources = Sources {
        environment: vec![pair("PIECEWORK_QUEUE_SEED_MAX", "3"), pair("PIECEWORK_PAGER", "less")],
        flags: vec![("--set".into(), "net.port".into(), "70000".into())],
        ..file(
            "[queue]\ndownload_max = 3\nseeds_max = 0\n\n[net]\npeers_max = \"many\"\n\
             [torrents]\nroots = 1979-05-27\n[share.more]\nx = 1\n",
        )
    };
    let problems: Vec<String> =
        Settings::read(&sources).unwrap_err().iter().map(ToString::to_string).collect();
    let expected = [
        "piecework.toml:2: there is no setting queue.download_max; did you mean queue.downloads_max?",
        "piecework.toml:3: queue.seeds_max is out of bounds: it must be a whole number from 1 to 100000, or \
         none, not \"0\"",
        "piecework.toml:6: net.peers_max must be a whole number from 1 to 100000, not \"many\"",
        "piecework.toml:8: torrents.roots must be a list, each an absolute path, not something else",
        "piecework.toml:9: there is no setting share.more; docs/settings.md lists them",
        "environment PIECEWORK_QUEUE_SEED_MAX: there is no setting PIECEWORK_QUEUE_SEED_MAX; did you mean \
         PIECEWORK_QUEUE_SEEDS_MAX?",
        "flag --set: net.port must be auto, or a port, where 0 takes any, not \"70000\"",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_the_line() {
    let problems = Settings::read(&file("[queue]\non = true\ndownloads_max = \n")).unwrap_err();
    let origin = Origin::File { path: "piecework.toml".into(), line: 3 };
    assert!(problems.iter().all(|problem| problem.origin == origin), "{problems:?}");
    let long = "#".repeat(TEXT_BYTES_MAX + 1);
    assert_eq!(Settings::read(&file(&long)).unwrap_err().len(), 1);
}

#[test]
fn lists_are_arrays_in_a_file_and_have_commas_elsewhere() {
    let settings = Settings::read(&file("torrents.roots = [\"/a\", \"/b,c\"]\n")).unwrap();
    let roots = |settings: &Settings| -> Vec<String> {
        settings.torrents().roots.iter().map(|root| root.0.clone()).collect()
    };
    assert_eq!(roots(&settings), ["/a", "/b,c"]);
    let change = settings.set(&[pair("torrents.roots", "/d,/e")]).unwrap();
    assert_eq!(roots(&change.settings), ["/d", "/e"]);
    let change = settings.set(&[pair("torrents.roots", "[\"/f,g\"]")]).unwrap();
    assert_eq!(roots(&change.settings), ["/f,g"]);
}

#[test]
fn what_is_changed_at_run_time_comes_back_at_the_next_start() {
    let settings = Settings::read(&file("queue.downloads_max = 3\n")).unwrap();
    let changes = [
        pair("queue.downloads_max", "7"),
        pair("queue.seeds_max", "none"),
        pair("torrents.save_path", "/a \"b\"\\c"),
        pair("net.port", "7000"),
        pair("schedule.days", "sat,sun"),
        pair("dht.on", "true"),
    ];
    let change = settings.set(&changes).unwrap();
    let changed = ["queue.downloads_max", "torrents.save_path", "schedule.days", "net.port"];
    assert_eq!(change.changed, changed);
    assert_eq!(change.needs_restart, ["net.port"]);
    let text = change.settings.overlay();
    let overlay = Some(Layer { path: "run-time.toml".into(), text });
    let again = Settings::read(&Sources { overlay, ..file("queue.downloads_max = 3\n") }).unwrap();
    assert_eq!(again.values, change.settings.values);
    assert_eq!(again.overlay(), change.settings.overlay());
    assert_eq!(again.origin("net.port"), Some(&Origin::RunTime));
}

#[test]
fn a_change_that_could_not_count_is_refused_whole() {
    let sources =
        Sources { environment: vec![pair("PIECEWORK_QUEUE_ON", "false")], ..Sources::default() };
    let settings = Settings::read(&sources).unwrap();
    let changes = [pair("queue.seeds_max", "3"), pair("queue.on", "true"), pair("speed.up", "0")];
    let problems = settings.set(&changes).unwrap_err();
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.clone().unwrap()).collect();
    assert_eq!(keys, ["queue.on", "speed.up"]);
    assert_eq!(settings.queue().seeds_max, None);
}

#[test]
fn each_rule_of_the_catalog_follows_its_setting() {
    use piecework_catalog::{
        AlternativeSchedule, Days, QueueRules, Rules, ShareAction, SpeedLimits,
    };
    let text = "
        torrents = { save_path = '/a', incomplete_path = '/b', automatic = false, add_stopped = true }
        share = { ratio = 1.5, seeding_minutes = 60, inactive_minutes = 61, action = 'remove' }
        disk = { free_space_min = '1Gi' }
        [queue]
        on = false
        downloads_max = 1
        seeds_max = 2
        active_max = 3
        slow_below = '5k'
        [speed]
        down = 100
        up = 200
        alternative_down = 10
        alternative_up = 20
        [schedule]
        on = true
        from = '22:00'
        to = '06:30'
        days = ['mon', 'sun']
    ";
    let expected = Rules {
        save_path: "/a".into(),
        incomplete_path: Some("/b".into()),
        is_automatic: false,
        adds_stopped: true,
        queue: QueueRules {
            is_on: false,
            downloads_max: Some(1),
            seeds_max: Some(2),
            active_max: Some(3),
            slow_below: Some(5000),
        },
        ratio_milli: Some(1500),
        seeding_minutes: Some(60),
        inactive_minutes: Some(61),
        share_action: ShareAction::Remove,
        speed: SpeedLimits { down: Some(100), up: Some(200) },
        alternative: SpeedLimits { down: Some(10), up: Some(20) },
        schedule: Some(AlternativeSchedule { from: 1320, to: 390, days: Days(0b100_0001) }),
        free_space_min: 1 << 30,
    };
    assert_eq!(Settings::read(&file(text)).unwrap().rules(), expected);
}

proptest::proptest! {
    #[test]
    fn no_text_of_any_layer_panics_and_what_is_taken_reads_the_same_again(
        text in "(\\[?[a-z_.]{0,12}\\]?( = )?[\"']?[0-9a-z:,.\\-\u{e9}]{0,12}[\"'\\]]?\n){0,6}|\\PC{0,60}",
        which in 0..SETTINGS.len(),
        value in "none|true|[0-9]{0,12}[kM]?|/[a-z,\"\\\\\u{e9}]{0,9}|\\[[\"a-z,/]{0,12}\\]?|\\PC{0,20}",
    ) {
        drop(Settings::read(&file(&text)));
        drop(Settings::read(&Sources {
            environment: vec![(SETTINGS[which].variable(), value.clone())],
            ..Sources::default()
        }));
        if let Ok(change) = Settings::default().set(&[pair(SETTINGS[which].key, &value)]) {
            let text = change.settings.overlay();
            let overlay = Some(Layer { path: "run-time.toml".into(), text });
            let again = Settings::read(&Sources { overlay, ..Sources::default() });
            proptest::prop_assert_eq!(again.map(|it| it.values), Ok(change.settings.values));
        }
    }
}
