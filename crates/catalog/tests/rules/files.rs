//! Names, files, trackers, tags, and what is refused.

use crate::bench_engine::{Bench, id, record, rules};
use piecework_catalog::{
    Category, Command, Effect, FileRename, Outcome, Record, Refusal, RefusalKind, Rules, TAGS_MAX,
    TRACKERS_MAX, TrackerEdit,
};
use std::collections::{BTreeMap, BTreeSet};

fn words(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn tier(list: &[&str]) -> Vec<String> {
    list.iter().map(|url| format!("udp://{url}.example:1")).collect()
}

fn kind(answer: Result<(), Refusal>) -> Option<RefusalKind> {
    answer.err().map(|refusal| refusal.kind)
}

fn one() -> Bench {
    let mut bench = Bench::new(rules());
    bench.add(Record { trackers: Some(vec![tier(&["a"]), tier(&["b", "c"])]), ..record(1) });
    bench.told();
    bench
}

#[test]
fn files_get_other_paths_while_they_are_not_loaded() {
    let mut bench = one();
    bench.command(Command::RenameFiles(id(1), vec![(1, "x/b".into())]));
    let files = vec![FileRename { file: 1, from: None, to: "x/b".into() }];
    let rename = Effect::RenameFiles { id: id(1), files };
    assert_eq!(bench.told(), [Effect::Unload(id(1)), rename, Effect::Load(id(1))]);
    bench.command(Command::RenameFiles(id(1), vec![(1, "x/c".into())]));
    let files = vec![FileRename { file: 1, from: Some("x/b".into()), to: "x/c".into() }];
    assert!(bench.told().contains(&Effect::RenameFiles { id: id(1), files }));
    assert_eq!(bench.record(1).paths, BTreeMap::from([(1, "x/c".to_owned())]));
    assert_eq!(bench.record(1).root.as_deref(), Some("root 1"));
    let all = vec![(0, "x/a".into()), (2, "x/d".into())];
    bench.command(Command::RenameFiles(id(1), all));
    assert_eq!(bench.record(1).root.as_deref(), Some("x"), "its folder has another name");
}

#[test]
fn a_rename_that_a_kill_has_interrupted_ends_before_what_was_wanted_after_it_began() {
    let mut bench = one();
    let moment = bench.moment();
    let to = |path: &str| Command::RenameFiles(id(1), vec![(1, path.into())]);
    bench.catalog.command(to("x"), moment).unwrap();
    bench.catalog.report(id(1), Outcome::Unloaded, moment);
    assert_eq!(bench.catalog.dirty(), [id(1)].into());
    bench.catalog.command(to("y"), moment).unwrap();
    let killed = bench.record(1).clone();
    let mut bench = Bench::new(rules());
    assert_eq!(bench.catalog.restore(vec![killed], [].into(), [].into(), false), Ok(()));
    bench.pass(1);
    let renamed = |from: Option<&str>, to: &str| {
        let file = FileRename { file: 1, from: from.map(str::to_owned), to: to.into() };
        Effect::RenameFiles { id: id(1), files: vec![file] }
    };
    let mut told = bench.told();
    told.retain(|effect| !matches!(effect, Effect::NodeLimits { .. }));
    assert_eq!(told, [renamed(None, "x"), renamed(Some("x"), "y"), Effect::Load(id(1))]);
    let record = bench.record(1);
    assert!(record.renaming.is_empty() && record.renaming_to.is_empty());
}

#[test]
fn a_record_that_renames_to_nowhere_is_loaded_all_the_same() {
    let mut bench = Bench::new(rules());
    let renaming = BTreeMap::from([(1, None)]);
    let broken = Record { renaming, save_path: "/save".into(), ..record(1) };
    let restored = bench.catalog.restore(vec![broken], [].into(), [].into(), false);
    assert_eq!(restored, Ok(()));
    bench.pass(1);
    assert!(bench.loaded().contains(&1));
}

#[test]
fn a_rename_that_fails_leaves_the_old_paths() {
    let mut bench = one();
    bench.command(Command::RenameFiles(id(1), vec![(1, "x/b".into())]));
    bench.move_fault = Some("there is such a file already");
    bench.command(Command::RenameFiles(id(1), vec![(0, "y".into()), (1, "z".into())]));
    assert_eq!(bench.record(1).paths, BTreeMap::from([(1, "x/b".to_owned())]));
    assert!(bench.record(1).renaming.is_empty());
    assert!(bench.loaded().contains(&1), "it goes on");
}

#[test]
fn paths_of_files_that_cannot_be_are_refused() {
    let mut bench = one();
    let mut answer = |file: u32, path: &str| {
        kind(bench.try_command(Command::RenameFiles(id(1), vec![(file, path.to_owned())])))
    };
    assert_eq!(answer(0, "a/b"), None);
    assert_eq!(answer(3, "c"), Some(RefusalKind::Unknown));
    assert_eq!(answer(1, "a/b"), Some(RefusalKind::Conflict));
    assert_eq!(answer(1, "a"), Some(RefusalKind::Conflict));
    assert_eq!(answer(1, "../c"), Some(RefusalKind::Invalid));
    assert_eq!(bench.record(1).paths.len(), 1);
    bench.add(Record { has_metainfo: false, ..record(2) });
    let early = Command::RenameFiles(id(2), vec![(0, "a".into())]);
    assert_eq!(kind(bench.try_command(early)), Some(RefusalKind::Conflict));
}

#[test]
fn priorities_that_are_normal_are_not_kept() {
    let mut bench = one();
    bench.command(Command::SetPriorities(id(1), vec![(0, 0), (1, 7), (2, 4)]));
    assert_eq!(bench.record(1).priorities, BTreeMap::from([(0, 0), (1, 7)]));
    bench.command(Command::SetPriorities(id(1), vec![(0, 4)]));
    bench.command(Command::SetPriorities(id(1), vec![(0, 4)]));
    assert_eq!(bench.told(), [Effect::Priorities(id(1)), Effect::Priorities(id(1))]);
    let mut answer = |file, priority| {
        kind(bench.try_command(Command::SetPriorities(id(1), vec![(file, priority)])))
    };
    assert_eq!(answer(0, 8), Some(RefusalKind::Invalid));
    assert_eq!(answer(3, 1), Some(RefusalKind::Unknown));
}

#[test]
fn trackers_are_edited_one_by_one() {
    let mut bench = one();
    let mut edit = |edit| kind(bench.try_command(Command::EditTrackers(id(1), edit)));
    assert_eq!(edit(TrackerEdit::Add(vec![tier(&["c", "d"]), tier(&["a"])])), None);
    let url = |name: &str| tier(&[name]).remove(0);
    assert_eq!(edit(TrackerEdit::Replace { from: url("b"), to: url("e") }), None);
    let replace = TrackerEdit::Replace { from: url("x"), to: url("y") };
    assert_eq!(edit(replace), Some(RefusalKind::Unknown));
    let replace = TrackerEdit::Replace { from: url("a"), to: url("d") };
    assert_eq!(edit(replace), Some(RefusalKind::Conflict));
    assert_eq!(edit(TrackerEdit::Remove(tier(&["a", "x"]))), None);
    assert_eq!(edit(TrackerEdit::Remove(tier(&["x"]))), Some(RefusalKind::Unknown));
    assert_eq!(edit(TrackerEdit::Set(vec![vec!["no address".into()]])), Some(RefusalKind::Invalid));
    let many = (0..=TRACKERS_MAX).map(|number| format!("udp://{number}:1")).collect();
    assert_eq!(edit(TrackerEdit::Add(vec![many])), Some(RefusalKind::Full));
    assert_eq!(bench.record(1).trackers, Some(vec![tier(&["e", "c"]), tier(&["d"])]));
    assert_eq!(
        bench.told(),
        [Effect::Trackers(id(1)), Effect::Trackers(id(1)), Effect::Trackers(id(1))]
    );
}

#[test]
fn refusals_do_not_tell_passkeys() {
    let mut bench = one();
    let secret = vec![vec!["http://user:word@tracker.example/passkey one".to_owned()]];
    let refusal = bench.try_command(Command::EditTrackers(id(1), TrackerEdit::Set(secret)));
    let text = refusal.expect_err("it has a space").text;
    assert!(
        text.contains("tracker.example") && !text.contains("passkey") && !text.contains("word"),
        "{text}"
    );
}

#[test]
fn what_comes_once_more_brings_its_trackers_unless_it_is_private() {
    let mut bench = one();
    bench.add(Record { is_private: true, trackers: Some(vec![tier(&["p"])]), ..record(2) });
    for number in 1..=2 {
        bench.command(Command::AddAgain {
            id: id(number),
            trackers: vec![tier(&["a", "d"])],
            web_seeds: vec!["http://seed.example/".into()],
        });
    }
    let trackers = Some(vec![tier(&["a"]), tier(&["b", "c"]), tier(&["d"])]);
    assert_eq!((&bench.record(1).trackers, bench.record(1).web_seeds.len()), (&trackers, 1));
    assert_eq!(bench.record(2).trackers, Some(vec![tier(&["p"])]));
    assert!(bench.record(2).web_seeds.is_empty());
}

#[test]
fn tags_are_made_by_use_and_leave_with_their_deletion() {
    let mut bench = one();
    bench.command(Command::AddTags(vec![id(1)], words(&[" a ", "b", "c"])));
    assert_eq!(
        (&bench.record(1).tags, bench.catalog.tags()),
        (&words(&["a", "b", "c"]), &words(&["a", "b", "c"]))
    );
    bench.command(Command::RemoveTags(vec![id(1)], words(&["a"])));
    bench.command(Command::DeleteTags(words(&["b"])));
    assert_eq!(
        (&bench.record(1).tags, bench.catalog.tags()),
        (&words(&["c"]), &words(&["a", "c"]))
    );
    bench.command(Command::SetTags(vec![id(1)], words(&["d"])));
    bench.command(Command::RemoveTags(vec![id(1)], words(&[])));
    assert_eq!(
        (&bench.record(1).tags, bench.catalog.tags()),
        (&words(&[]), &words(&["a", "c", "d"]))
    );
}

#[test]
fn a_refused_command_changes_nothing() {
    let mut bench = one();
    let revision = bench.catalog.revision();
    bench.catalog.dirty();
    let bad_tags = Command::AddTags(vec![id(1)], words(&["good", "bad,bad"]));
    assert_eq!(kind(bench.try_command(bad_tags)), Some(RefusalKind::Invalid));
    let no_torrent = Command::AddTags(vec![id(7)], words(&["good"]));
    assert_eq!(kind(bench.try_command(no_torrent)), Some(RefusalKind::Unknown));
    let again = Command::Add { record: Box::new(record(1)), at_top: false };
    assert_eq!(kind(bench.try_command(again)), Some(RefusalKind::Conflict));
    let tags = words(&["new"]);
    let nameless = Record { v1: Some("xyz".into()), tags: tags.clone(), ..record(2) };
    let nameless = Command::Add { record: Box::new(nameless), at_top: false };
    assert_eq!(kind(bench.try_command(nameless)), Some(RefusalKind::Invalid));
    let relative = Record { save_path: "here".into(), tags, ..record(2) };
    let relative = Command::Add { record: Box::new(relative), at_top: false };
    assert_eq!(kind(bench.try_command(relative)), Some(RefusalKind::Invalid));
    let bad_rules = Command::SetRules(Box::new(Rules { save_path: "here".into(), ..rules() }));
    assert_eq!(kind(bench.try_command(bad_rules)), Some(RefusalKind::Invalid));
    assert_eq!((bench.catalog.revision(), bench.catalog.dirty().len()), (revision, 0));
    assert!(bench.catalog.tags().is_empty() && bench.told().is_empty());
}

#[test]
fn several_changes_are_all_made_or_none() {
    let mut bench = one();
    let ids = || vec![id(1)];
    let good = || {
        let name = Command::Rename(id(1), "another".into());
        vec![name, Command::SetUpLimit(ids(), Some(7)), Command::SetTags(ids(), words(&["new"]))]
    };
    let (revision, _) = (bench.catalog.revision(), bench.catalog.dirty());
    for bad in [
        Command::SetCategory(ids(), Some("unknown".into())),
        Command::SetSavePath(ids(), "relative".into()),
        Command::SetIncompletePath(ids(), Some("relative".into())),
        Command::RenameFiles(id(1), vec![(9, "a".into())]),
        Command::SetPriorities(id(1), vec![(0, 8)]),
        Command::SetSequential(vec![id(7)], true),
        Command::Rename(id(1), "twice".into()),
        Command::Remove { ids: ids(), deletes_files: true },
        Command::All(Vec::new()),
    ] {
        let all = Command::All([good(), vec![bad.clone()]].concat());
        assert!(bench.try_command(all).is_err(), "{bad:?}");
        assert_eq!((bench.catalog.revision(), bench.catalog.dirty().len()), (revision, 0));
    }
    assert!(bench.catalog.tags().is_empty() && bench.told().is_empty());
    bench.command(Command::All(good()));
    let record = bench.record(1);
    assert_eq!((record.name.as_str(), record.up_limit), ("another", Some(7)));
    assert_eq!(record.tags, words(&["new"]));
}

#[test]
fn files_that_take_each_others_paths_go_aside_first() {
    let mut bench = one();
    bench.command(Command::SetMode(vec![id(1)], piecework_catalog::Mode::Stopped));
    bench.told();
    let moment = bench.moment();
    let swap = Command::RenameFiles(id(1), vec![(0, "x/b".into()), (1, "x/a".into())]);
    bench.catalog.command(swap, moment).expect("both are free in the end");
    let step = |from: [Option<&str>; 2]| {
        let rename = |file: u32, to: &str| FileRename {
            file,
            from: from[file as usize].map(str::to_owned),
            to: to.into(),
        };
        let files = vec![rename(0, "x/b"), rename(1, "x/a")];
        Some(Effect::RenameFiles { id: id(1), files })
    };
    assert_eq!(bench.catalog.poll(), step([None, None]));
    bench.catalog.report(id(1), Outcome::Aside, moment);
    // It is written down like that, so that a crash loses neither.
    assert_eq!(bench.catalog.dirty(), BTreeSet::from([id(1)]));
    let aside = [0, 1].map(|file| format!(".{}-{file}.renaming", id(1)));
    assert_eq!(bench.catalog.poll(), step([Some(&*aside[0]), Some(&*aside[1])]));
    bench.catalog.report(id(1), Outcome::Moved, moment);
    assert!(bench.record(1).renaming.is_empty());
    assert_eq!(bench.record(1).paths.get(&0).map(String::as_str), Some("x/b"));
}

#[test]
fn categories_and_tags_have_a_maximum() {
    let mut bench = one();
    let names: BTreeSet<String> = (0..TAGS_MAX).map(|number| number.to_string()).collect();
    for name in &names {
        bench.command(Command::CreateCategory(name.clone(), Category::default()));
    }
    bench.command(Command::CreateTags(names));
    let more = Command::CreateCategory("more".into(), Category::default());
    assert_eq!(kind(bench.try_command(more)), Some(RefusalKind::Full));
    let more = Command::AddTags(vec![id(1)], words(&["more"]));
    assert_eq!(kind(bench.try_command(more)), Some(RefusalKind::Full));
    bench.command(Command::AddTags(vec![id(1)], words(&["7"])));
}

#[test]
fn names_are_cleaned_before_anybody_sees_them() {
    let mut bench = one();
    bench.command(Command::Rename(id(1), "<b>\u{1b}[2Jname\n".into()));
    assert_eq!(bench.record(1).name, "<b>[2Jname");
    assert_eq!(
        kind(bench.try_command(Command::Rename(id(1), "\n".into()))),
        Some(RefusalKind::Invalid)
    );
    bench.add(Record { name: "a\u{0}b".into(), ..record(2) });
    assert_eq!(bench.record(2).name, "ab");
}

#[test]
fn a_path_that_is_asked_for_during_a_rename_is_reached_in_the_end() {
    for fault in [None, Some("the drive is full")] {
        let mut bench = one();
        bench.command(Command::SetMode(vec![id(1)], piecework_catalog::Mode::Stopped));
        bench.told();
        let moment = bench.moment();
        for path in ["x", "y"] {
            let command = Command::RenameFiles(id(1), vec![(0, path.into())]);
            bench.catalog.command(command, moment).expect("it is free");
        }
        bench.move_fault = fault;
        bench.drive();
        let step = |from: Option<&str>, to: &str| {
            let rename = FileRename { file: 0, from: from.map(str::to_owned), to: to.into() };
            Effect::RenameFiles { id: id(1), files: vec![rename] }
        };
        if fault.is_some() {
            assert_eq!(bench.told(), [step(None, "x"), step(None, "y")]);
            assert!(bench.record(1).paths.is_empty());
        } else {
            assert_eq!(bench.told(), [step(None, "x"), step(Some("x"), "y")]);
            assert_eq!(bench.record(1).paths.get(&0).map(String::as_str), Some("y"));
        }
        assert!(bench.record(1).renaming.is_empty());
    }
}
