//! Coming, going, moving, failing.

use crate::bench_engine::{Bench, GIB, id, record, rules};
use piecework_catalog::{
    Category, Command, Effect, Field, Figures, Mode, Outcome, Place, Record, RefusalKind, Rules,
    Stage, StopAt, Value,
};
use piecework_types::InfoHashes;

fn with_incomplete() -> Rules {
    Rules { incomplete_path: Some("/part".into()), ..rules() }
}

#[test]
fn a_torrent_is_loaded_when_added_and_unloaded_when_stopped() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    assert_eq!(bench.stage(1), Stage::Downloading);
    assert_eq!(bench.record(1).save_path, "/save");
    bench.mode(1, Mode::Stopped);
    assert_eq!((bench.stage(1), bench.loaded().len()), (Stage::Stopped, 0));
    bench.mode(1, Mode::Queued);
    assert_eq!(bench.stage(1), Stage::Downloading);
    assert_eq!(bench.told(), [Effect::Load(id(1)), Effect::Unload(id(1)), Effect::Load(id(1))]);
}

#[test]
fn counts_go_on_from_load_to_load() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    bench.observe(1, |it| (it.down_bytes, it.up_bytes, it.wasted_bytes) = (100, 50, 7));
    bench.pass(60);
    bench.mode(1, Mode::Stopped);
    bench.mode(1, Mode::Queued);
    bench.observe(1, |it| (it.down_bytes, it.left_bytes) = (11, GIB - 111));
    let totals = bench.record(1).totals;
    assert_eq!((totals.down_bytes, totals.up_bytes, totals.wasted_bytes), (111, 50, 7));
    assert_eq!(totals.active_seconds, 60);
    assert_eq!(bench.record(1).last.left_bytes, GIB - 111);
}

#[test]
fn a_torrent_that_is_stopped_before_the_engine_heard_of_it_is_not_loaded() {
    let mut bench = Bench::new(rules());
    let moment = bench.moment();
    let add = Command::Add { record: Box::new(record(1)), at_top: false };
    bench.catalog.command(add, moment).expect("it is added");
    let stop = Command::SetMode(vec![id(1)], Mode::Stopped);
    bench.catalog.command(stop, moment).expect("it is stopped");
    bench.drive();
    assert!(!bench.told().contains(&Effect::Load(id(1))));
    assert_eq!(bench.stage(1), Stage::Stopped);
}

#[test]
fn a_removed_torrent_is_unloaded_before_its_files_are_deleted() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    bench.told();
    bench.command(Command::Remove { ids: vec![id(1)], deletes_files: true });
    let forget =
        Effect::Forget { id: id(1), deletes_files: true, folder: "/save".into(), paths: [].into() };
    assert_eq!(bench.told(), [Effect::Unload(id(1)), forget]);
    assert!(bench.catalog.get(id(1)).is_none());
    assert!(bench.catalog.dirty().contains(&id(1)));
}

#[test]
fn what_is_still_being_removed_cannot_be_added() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    let moment = bench.moment();
    let remove = Command::Remove { ids: vec![id(1)], deletes_files: true };
    bench.catalog.command(remove, moment).expect("it is there");
    let add = Command::Add { record: Box::new(record(1)), at_top: false };
    let refusal = bench.catalog.command(add.clone(), moment).expect_err("it is not gone");
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    bench.drive();
    bench.command(add);
    assert_eq!(bench.stage(1), Stage::Downloading);
}

#[test]
fn a_complete_torrent_is_moved_to_its_place_and_goes_on() {
    let mut bench = Bench::new(with_incomplete());
    bench.add(record(1));
    assert_eq!(bench.record(1).place, Place::Incomplete);
    bench.told();
    bench.finish(1);
    let (from, to) = ("/part".into(), "/save".into());
    let wanted = [Effect::Unload(id(1)), Effect::Move { id: id(1), from, to }, Effect::Load(id(1))];
    assert_eq!(bench.told(), wanted);
    assert_eq!((bench.stage(1), bench.record(1).place), (Stage::Seeding, Place::Final));
    assert_eq!(bench.record(1).completed_at, Some(bench.moment().unix));
}

#[test]
fn a_move_that_fails_is_told_and_tried_again_when_a_person_wants_it() {
    let mut bench = Bench::new(with_incomplete());
    bench.add(record(1));
    bench.move_fault = Some("the drive is full");
    bench.finish(1);
    assert_eq!((bench.stage(1), bench.record(1).place), (Stage::Seeding, Place::Incomplete));
    bench.told();
    bench.pass(600);
    assert!(
        !bench.told().iter().any(|it| matches!(it, Effect::Move { .. })),
        "tried over and over"
    );
    bench.move_fault = None;
    bench.mode(1, Mode::Queued);
    assert_eq!((bench.stage(1), bench.record(1).place), (Stage::Seeding, Place::Final));
}

#[test]
fn a_move_that_a_kill_has_interrupted_ends_before_what_was_wanted_after_it_began() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    bench.finish(1);
    // Somebody else drives from here: the move does not end before the kill.
    let to = |folder: &str| Command::SetSavePath(vec![id(1)], folder.into());
    let moment = bench.moment();
    bench.catalog.command(to("/new"), moment).unwrap();
    bench.catalog.report(id(1), Outcome::Unloaded, moment);
    assert_eq!(bench.catalog.dirty(), [id(1)].into());
    assert_eq!(bench.record(1).moving_to.as_deref(), Some("/new"));
    bench.catalog.command(to("/save"), moment).unwrap();
    let killed = bench.record(1).clone();
    let mut bench = Bench::new(rules());
    assert_eq!(bench.catalog.restore(vec![killed], [].into(), [].into(), false), Ok(()));
    bench.pass(1);
    let moved = |from: &str, to: &str| Effect::Move { id: id(1), from: from.into(), to: to.into() };
    let mut told = bench.told();
    told.retain(|effect| !matches!(effect, Effect::NodeLimits { .. }));
    assert_eq!(told, [moved("/save", "/new"), moved("/new", "/save"), Effect::Load(id(1))]);
    assert_eq!((bench.record(1).folder(), &bench.record(1).moving_to), ("/save", &None));
}

#[test]
fn what_is_wrong_is_told_until_it_is_over_whatever_else_ends() {
    let mut bench = Bench::new(with_incomplete());
    bench.add(record(1));
    let told = |bench: &Bench| {
        let value = bench.catalog.get(id(1)).map(|torrent| torrent.value(Field::Error));
        value.and_then(|it| if let Value::Text(why) = it { Some(why.into_owned()) } else { None })
    };
    let is_told = |why: &str| Some(why.to_owned());
    bench.report(1, Outcome::Problem("cannot write".into()));
    // The engine has not become well by being asked for more.
    bench.mode(1, Mode::Forced);
    assert_eq!(told(&bench), is_told("cannot write"));
    bench.move_fault = Some("the drive is full");
    bench.finish(1);
    assert_eq!(told(&bench), is_told("the drive is full"));
    bench.report(1, Outcome::Problem("cannot write".into()));
    assert_eq!(told(&bench), is_told("cannot write"));
    for _ in 0..2 {
        // Nor have its files come to where they should be.
        bench.report(1, Outcome::Recovered);
        assert_eq!(told(&bench), is_told("the drive is full"));
        bench.mode(1, Mode::Stopped);
        bench.mode(1, Mode::Queued);
    }
    bench.command(Command::SetSavePath(vec![id(1)], "/part".into()));
    assert_eq!((bench.stage(1), told(&bench)), (Stage::Seeding, None));
}

#[test]
fn automatic_torrents_follow_their_category_and_others_do_not() {
    let mut bench = Bench::new(Rules { is_automatic: true, ..rules() });
    let category = Category { save_path: "shows".into(), ..Category::default() };
    bench.command(Command::CreateCategory("tv".into(), category));
    bench.add(Record { category: Some("tv".into()), ..record(1) });
    bench.add(Record { save_path: "/own".into(), ..record(2) });
    assert_eq!(bench.record(1).save_path, "/save/shows");
    bench.command(Command::SetCategory(vec![id(2)], Some("tv".into())));
    assert_eq!(bench.record(2).save_path, "/own");
    bench.told();
    let category = Category { save_path: "/far".into(), ..Category::default() };
    bench.command(Command::EditCategory("tv".into(), category));
    assert_eq!(bench.record(1).save_path, "/far");
    let (from, to) = ("/save/shows".into(), "/far".into());
    assert!(bench.told().contains(&Effect::Move { id: id(1), from, to }));
    bench.command(Command::RemoveCategories(vec!["tv".into()]));
    assert_eq!((bench.record(1).folder(), &bench.record(2).category), ("/save", &None));
}

#[test]
fn a_crash_in_the_middle_of_a_move_loses_nothing() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    let moment = bench.moment();
    let command = Command::SetSavePath(vec![id(1)], "/new".into());
    bench.catalog.command(command, moment).expect("it is absolute");
    bench.restart();
    let (from, to) = ("/save".into(), "/new".into());
    let told = bench.told();
    assert!(told.contains(&Effect::Move { id: id(1), from, to }), "{told:?}");
    assert_eq!((bench.record(1).folder(), &bench.record(1).lies_in), ("/new", &None));
    assert_eq!(bench.stage(1), Stage::Downloading);
}

#[test]
fn how_far_a_move_is_is_shown_while_it_lasts() {
    let mut bench = Bench::new(with_incomplete());
    bench.add(record(1));
    bench.mode(1, Mode::Stopped);
    let moved = |bench: &Bench| {
        let torrent = bench.catalog.get(id(1)).expect("it is there");
        format!("{:?}", torrent.value(Field::MovedMilli))
    };
    let moment = bench.moment();
    let command = Command::SetSavePath(vec![id(1)], "/far".into());
    bench.catalog.command(command, moment).expect("a folder");
    let command = Command::SetIncompletePath(vec![id(1)], None);
    bench.catalog.command(command, moment).expect("no folder");
    assert!(matches!(bench.catalog.poll(), Some(Effect::Move { .. })));
    assert_eq!(moved(&bench), "Absent");
    let before = bench.catalog.revision();
    bench.catalog.report(id(1), Outcome::Moving(250), moment);
    assert_eq!((moved(&bench).as_str(), bench.catalog.revision()), ("Number(250)", before + 1));
    bench.catalog.report(id(1), Outcome::Moved, moment);
    assert_eq!(moved(&bench), "Absent");
    bench.catalog.report(id(1), Outcome::Moving(500), moment);
    assert_eq!(moved(&bench), "Absent", "it is of the past");
}

#[test]
fn a_folder_that_changes_during_a_move_is_reached_in_the_end() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    bench.mode(1, Mode::Stopped);
    let moment = bench.moment();
    for folder in ["/b", "/c"] {
        let command = Command::SetSavePath(vec![id(1)], folder.into());
        bench.catalog.command(command, moment).expect("it is absolute");
        assert_eq!(bench.record(1).folder(), "/save", "it lies where it lay until it is moved");
    }
    bench.told();
    bench.drive();
    let step = |from: &str, to: &str| Effect::Move { id: id(1), from: from.into(), to: to.into() };
    assert_eq!(bench.told(), [step("/save", "/b"), step("/b", "/c")]);
    assert_eq!(bench.record(1).folder(), "/c");
}

#[test]
fn a_torrent_that_failed_stands_still_until_it_is_started_or_checked() {
    let mut bench = Bench::new(rules());
    bench.add_all(1..=2);
    bench.report(1, Outcome::Failed("the drive is gone".into()));
    bench.report(2, Outcome::Missing("no file".into()));
    assert_eq!((bench.stage(1), bench.stage(2)), (Stage::Failed, Stage::Missing));
    assert!(bench.loaded().is_empty());
    bench.restart();
    assert_eq!((bench.stage(1), bench.stage(2)), (Stage::Failed, Stage::Missing));
    bench.mode(1, Mode::Queued);
    bench.command(Command::Check(vec![id(2)]));
    assert_eq!((bench.stage(1), bench.stage(2)), (Stage::Downloading, Stage::Checking));
    assert_eq!(bench.record(2).error, None);
}

#[test]
fn a_torrent_that_cannot_be_loaded_says_why() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    bench.report(1, Outcome::LoadFailed("another program has it".into()));
    assert_eq!(bench.stage(1), Stage::Failed);
    assert_eq!(bench.record(1).error.as_deref(), Some("another program has it"));
}

#[test]
fn metainfo_gives_a_magnet_its_name_unless_a_person_did() {
    let mut bench = Bench::new(rules());
    for number in 1..=2 {
        bench.add(Record { has_metainfo: false, root: None, file_count: 0, ..record(number) });
    }
    assert_eq!(bench.stage(1), Stage::Metadata);
    bench.command(Command::Rename(id(2), "mine".into()));
    for number in 1..=2 {
        bench.report(
            number,
            Outcome::Metainfo {
                names: InfoHashes { v1: None, v2: None },
                name: "theirs\u{7}".into(),
                size_bytes: 5,
                is_private: true,
                root: "theirs".into(),
                file_count: 1,
                pad_count: 0,
                is_folder: false,
                comment: None,
            },
        );
    }
    assert_eq!((&*bench.record(1).name, &*bench.record(2).name), ("theirs", "mine"));
    assert!(bench.record(1).is_private && bench.record(1).has_metainfo);
}

#[test]
fn a_magnet_that_is_to_stop_at_its_metadata_does_so_once() {
    let mut bench = Bench::new(rules());
    let magnet = Record { has_metainfo: false, root: None, file_count: 0, ..record(1) };
    bench.add(Record { stop_at: Some(StopAt::Metadata), ..magnet });
    assert_eq!(bench.stage(1), Stage::Metadata);
    bench.report(
        1,
        Outcome::Metainfo {
            names: InfoHashes { v1: None, v2: None },
            name: "name".into(),
            size_bytes: GIB,
            is_private: false,
            root: "name".into(),
            file_count: 2,
            pad_count: 0,
            is_folder: true,
            comment: Some("said of it".into()),
        },
    );
    assert_eq!((bench.stage(1), bench.record(1).stop_at), (Stage::Stopped, None));
    assert_eq!(bench.record(1).comment.as_deref(), Some("said of it"));
    bench.mode(1, Mode::Queued);
    assert_eq!(bench.stage(1), Stage::Downloading);
}

#[test]
fn what_is_to_stop_at_known_metadata_never_starts_and_what_is_started_by_hand_does_not_stop() {
    let mut bench = Bench::new(rules());
    bench.add(Record { stop_at: Some(StopAt::Metadata), ..record(1) });
    assert_eq!((bench.stage(1), bench.record(1).stop_at), (Stage::Stopped, None));
    assert_eq!(bench.told(), []);
    bench.add(Record { stop_at: Some(StopAt::Checked), is_stopped: true, ..record(2) });
    bench.mode(2, Mode::Queued);
    bench.observe(2, |it| it.left_bytes = 7);
    assert_eq!(bench.stage(2), Stage::Downloading);
}

#[test]
fn a_torrent_that_is_to_stop_once_checked_stops_when_what_is_there_is_known() {
    let mut bench = Bench::new(rules());
    let moment = bench.moment();
    let record = Box::new(Record { stop_at: Some(StopAt::Checked), ..record(1) });
    bench.catalog.command(Command::Add { record, at_top: false }, moment).expect("it is added");
    assert_eq!(bench.catalog.poll(), Some(Effect::Load(id(1))));
    let checking = Figures {
        wanted_bytes: GIB,
        checking_milli: Some(500),
        left_bytes: 9,
        ..Figures::default()
    };
    bench.catalog.observe(id(1), checking, moment);
    assert_eq!(bench.stage(1), Stage::Checking);
    let known = Figures { checking_milli: None, left_bytes: 7, ..checking };
    bench.catalog.observe(id(1), known, moment);
    assert_eq!((bench.stage(1), bench.record(1).stop_at), (Stage::Stopped, None));
    assert_eq!(bench.catalog.poll(), Some(Effect::Unload(id(1))));
    assert_eq!(bench.record(1).last.left_bytes, 7);
}

#[test]
fn the_root_is_the_folder_of_its_own_that_all_files_lie_in() {
    let mut bench = Bench::new(rules());
    let paths = |paths: &[&str]| (0..).zip(paths.iter().map(|path| (*path).to_owned())).collect();
    let cases = [
        (true, paths(&[]), Some("/save/root")),
        (false, paths(&[]), None),
        (true, paths(&["other/a", "other/b/c"]), Some("/save/other")),
        (false, paths(&["other/a", "other/b/c"]), Some("/save/other")),
        (true, paths(&["a", "b/c"]), None),
        (true, paths(&["root/x"]), Some("/save/root")),
        (true, paths(&["x"]), None),
    ];
    for (number, (is_folder, paths, expected)) in (1..).zip(cases) {
        let root = Some("root".to_owned());
        bench.add(Record { root, file_count: 2, is_folder, paths, ..record(number) });
        let torrent = bench.catalog.get(id(number)).expect("it was added");
        assert_eq!(torrent.root_path().as_deref(), expected, "case {number}");
    }
}

#[test]
fn the_root_follows_a_folder_that_is_renamed_although_padding_has_no_paths() {
    let mut bench = Bench::new(rules());
    let root = Some("root".to_owned());
    let padded = Record { root, file_count: 4, pad_count: 2, is_folder: true, ..record(1) };
    bench.add(padded);
    let shown = |bench: &Bench| {
        let torrent = bench.catalog.get(id(1)).expect("it was added");
        (format!("{:?}", torrent.value(Field::ContentPath)), torrent.root_path())
    };
    let rename = |files: &[(u32, &str)]| {
        let files = files.iter().map(|(number, path)| (*number, (*path).to_owned()));
        Command::RenameFiles(id(1), files.collect())
    };
    bench.command(rename(&[(0, "other/a")]));
    assert!(shown(&bench).0.contains("/save/root"), "one file still lies there");
    bench.command(rename(&[(2, "other/b")]));
    let (content, root) = shown(&bench);
    assert!(content.contains("/save/other"), "{content}");
    assert_eq!(root.as_deref(), Some("/save/other"));
}

#[test]
fn commands_for_torrents_that_are_not_there_say_so() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    let stop = |ids: &[u8]| Command::SetMode(ids.iter().copied().map(id).collect(), Mode::Stopped);
    let kind = |answer: Result<(), piecework_catalog::Refusal>| answer.map_err(|it| it.kind);
    assert_eq!(kind(bench.try_command(stop(&[]))), Err(RefusalKind::Invalid));
    assert_eq!(kind(bench.try_command(stop(&[8, 9]))), Err(RefusalKind::Unknown));
    assert_eq!(kind(bench.try_command(stop(&[8, 1]))), Ok(()));
    assert_eq!(bench.stage(1), Stage::Stopped);
    let unknown = Command::SetCategory(vec![id(1)], Some("none".into()));
    assert_eq!(kind(bench.try_command(unknown)), Err(RefusalKind::Unknown));
}

#[test]
fn a_restart_gives_back_what_was_there() {
    let mut bench = Bench::new(with_incomplete());
    bench.add_all(1..=9);
    bench.finish(3);
    bench.mode(4, Mode::Stopped);
    bench.mode(9, Mode::Forced);
    bench.command(Command::AddTags(vec![id(2)], ["seen".to_owned()].into()));
    bench.pass(5);
    let records = |bench: &Bench| -> Vec<Record> {
        bench.catalog.torrents().map(|torrent| torrent.record().clone()).collect()
    };
    let stages = |bench: &Bench| (1..=9).map(|number| bench.stage(number)).collect::<Vec<_>>();
    let before = (records(&bench), stages(&bench), bench.loaded());
    bench.restart();
    assert_eq!((records(&bench), stages(&bench), bench.loaded()), before);
}

#[test]
fn a_check_that_is_wanted_is_not_forgotten_before_it_was_done() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    bench.mode(1, Mode::Stopped);
    bench.command(Command::Check(vec![id(1)]));
    bench.restart();
    assert!(bench.record(1).wants_check && bench.stage(1) == Stage::Stopped);
    bench.mode(1, Mode::Queued);
    assert!(bench.record(1).wants_check && bench.stage(1) == Stage::Checking);
    bench.observe(1, |it| it.checking_milli = None);
    bench.report(1, Outcome::Checked);
    assert!(!bench.record(1).wants_check);
    bench.told();
    bench.command(Command::Check(vec![id(1)]));
    assert_eq!((bench.told(), bench.stage(1)), (vec![Effect::Check(id(1))], Stage::Checking));
    bench.observe(1, |it| it.checking_milli = Some(900));
    assert!(bench.record(1).wants_check);
    bench.restart();
    assert_eq!(bench.stage(1), Stage::Checking, "killed in its middle it begins anew");
    bench.observe(1, |it| it.checking_milli = None);
    assert!(bench.record(1).wants_check, "figures of another check say nothing of this one");
    bench.report(1, Outcome::Checked);
    assert!(!bench.record(1).wants_check);
}

#[test]
fn a_check_that_ends_between_two_looks_is_not_done_again_after_a_stop_or_a_restart() {
    let mut bench = Bench::new(rules());
    bench.add(record(1));
    // Nobody looked while it went on: no figures show it.
    bench.catalog.command(Command::Check(vec![id(1)]), bench.moment()).expect("it is there");
    bench.catalog.report(id(1), Outcome::Checked, bench.moment());
    assert!(!bench.record(1).wants_check);
    bench.mode(1, Mode::Stopped);
    bench.restart();
    bench.mode(1, Mode::Queued);
    assert_eq!((bench.record(1).wants_check, bench.stage(1)), (false, Stage::Downloading));
    // Word of it may come while the engine lets go of the torrent.
    bench.catalog.command(Command::Check(vec![id(1)]), bench.moment()).expect("it is there");
    let stop = Command::SetMode(vec![id(1)], Mode::Stopped);
    bench.catalog.command(stop, bench.moment()).expect("it is there");
    assert!(bench.record(1).wants_check);
    bench.report(1, Outcome::Checked);
    assert!(!bench.record(1).wants_check);
}
