//! How much is given back.

use crate::bench_engine::{Bench, GIB, id, record, rules};
use piecework_catalog::{
    Command, Effect, Limit, Mode, Record, Rules, ShareAction, ShareLimit, ShareLimits, Stage,
};

fn with_ratio(action: ShareAction) -> Rules {
    Rules { ratio_milli: Some(2000), share_action: action, ..rules() }
}

/// A torrent that has sent so many thousandths of what it received.
fn seeded(rules: Rules, share: ShareLimits, ratio_milli: u64) -> Bench {
    let mut bench = Bench::new(rules);
    bench.add(Record { share, ..record(1) });
    bench.finish(1);
    bench.observe(1, |it| it.up_bytes = (GIB * ratio_milli).div_ceil(1000));
    bench
}

#[test]
fn a_torrent_stops_at_the_ratio_of_all_or_its_own_or_never() {
    let stage = |ratio_milli, sent| {
        let share = ShareLimits { ratio_milli, ..ShareLimits::default() };
        seeded(with_ratio(ShareAction::Stop), share, sent).stage(1)
    };
    assert_eq!(stage(Limit::Global, 1990), Stage::Seeding);
    assert_eq!(stage(Limit::Global, 2000), Stage::Stopped);
    assert_eq!(stage(Limit::Of(3000), 2990), Stage::Seeding);
    assert_eq!(stage(Limit::Of(3000), 3000), Stage::Stopped);
    assert_eq!(stage(Limit::Unlimited, 9000), Stage::Seeding);
}

#[test]
fn a_limit_that_is_reached_is_told_once_and_which_it_was() {
    for action in [ShareAction::Stop, ShareAction::Remove, ShareAction::SuperSeed] {
        let mut bench = seeded(with_ratio(action), ShareLimits::default(), 2000);
        bench.pass(600);
        let told = bench.told();
        let told: Vec<_> =
            told.iter().filter(|it| matches!(it, Effect::LimitReached { .. })).collect();
        let (id, name, limit) = (id(1), "torrent 1".to_owned(), ShareLimit::Ratio);
        assert_eq!(told, [&Effect::LimitReached { id, name, limit, action }]);
    }
    let mut bench = Bench::new(Rules { inactive_minutes: Some(10), ..rules() });
    bench.add(record(1));
    bench.finish(1);
    bench.pass(660);
    let is_inactive =
        |it: &Effect| matches!(it, Effect::LimitReached { limit: ShareLimit::Inactive, .. });
    assert!(bench.told().iter().any(is_inactive));
}

#[test]
fn only_time_as_a_seed_counts_for_its_limit() {
    let mut bench = Bench::new(Rules { seeding_minutes: Some(10), ..rules() });
    bench.add(record(1));
    bench.pass(3600);
    assert_eq!(bench.stage(1), Stage::Downloading);
    bench.finish(1);
    bench.pass(590);
    assert_eq!(bench.stage(1), Stage::Seeding);
    bench.pass(30);
    assert_eq!(bench.stage(1), Stage::Stopped);
    let totals = bench.record(1).totals;
    assert!((600..=620).contains(&totals.seeding_seconds), "{totals:?}");
    assert_eq!(totals.active_seconds, 3600 + totals.seeding_seconds);
}

#[test]
fn a_quiet_torrent_stops_and_one_that_is_wanted_does_not() {
    let mut bench = Bench::new(Rules { inactive_minutes: Some(10), ..rules() });
    bench.add_all(1..=2);
    bench.finish(1);
    bench.finish(2);
    for minute in 1..=11 {
        bench.observe(2, |it| it.up_bytes = minute);
        bench.pass(60);
    }
    assert_eq!((bench.stage(1), bench.stage(2)), (Stage::Stopped, Stage::Seeding));
}

#[test]
fn files_are_deleted_only_where_that_was_asked_for() {
    for (action, deletes) in [(ShareAction::Remove, false), (ShareAction::RemoveWithFiles, true)] {
        let mut bench = seeded(with_ratio(action), ShareLimits::default(), 2000);
        assert!(bench.catalog.get(id(1)).is_none());
        let told = bench.told();
        let Some(Effect::Forget { deletes_files, .. }) = told.last() else {
            panic!("it is not forgotten: {told:?}");
        };
        assert_eq!(*deletes_files, deletes);
    }
}

#[test]
fn a_torrent_becomes_a_super_seed_once_and_goes_on() {
    let mut bench = seeded(with_ratio(ShareAction::SuperSeed), ShareLimits::default(), 2000);
    bench.pass(600);
    assert!(bench.record(1).is_super_seed && bench.stage(1) == Stage::Seeding);
    let told = bench.told();
    assert_eq!(told.iter().filter(|it| **it == Effect::Manner(id(1))).count(), 1);
}

#[test]
fn what_a_person_starts_again_goes_on_until_limits_change() {
    let mut bench = seeded(with_ratio(ShareAction::Stop), ShareLimits::default(), 2500);
    assert_eq!(bench.stage(1), Stage::Stopped);
    bench.mode(1, Mode::Queued);
    bench.restart();
    bench.observe(1, |it| it.up_bytes = GIB);
    bench.pass(600);
    assert_eq!(bench.stage(1), Stage::Seeding, "it is spared");
    let same = with_ratio(ShareAction::Stop);
    bench.command(Command::SetRules(Box::new(same)));
    bench.pass(60);
    assert_eq!(bench.stage(1), Stage::Seeding, "nothing has changed");
    bench.command(Command::SetShareLimits {
        ids: vec![id(1)],
        ratio_milli: Some(Limit::Of(3000)),
        seeding_minutes: None,
        inactive_minutes: None,
        action: None,
    });
    bench.pass(60);
    assert_eq!(bench.stage(1), Stage::Stopped);
}

#[test]
fn being_spared_from_one_limit_spares_from_no_other() {
    let rules = Rules { seeding_minutes: Some(30), ..with_ratio(ShareAction::Stop) };
    let mut bench = seeded(rules, ShareLimits::default(), 2500);
    bench.mode(1, Mode::Queued);
    bench.pass(29 * 60);
    assert_eq!(bench.stage(1), Stage::Seeding);
    bench.pass(120);
    assert_eq!(bench.stage(1), Stage::Stopped);
}

#[test]
fn files_that_were_there_before_count_as_received() {
    let mut bench = Bench::new(with_ratio(ShareAction::Stop));
    bench.add(record(1));
    bench.observe(1, |it| (it.left_bytes, it.is_complete) = (0, true));
    bench.observe(1, |it| it.up_bytes = GIB);
    assert_eq!(bench.catalog.get(id(1)).and_then(|it| it.ratio_milli()), Some(1000));
    assert_eq!(bench.stage(1), Stage::Seeding);
    bench.observe(1, |it| it.up_bytes = 2 * GIB);
    assert_eq!(bench.stage(1), Stage::Stopped);
}
