use proptest::prelude::*;

use super::*;
use crate::ident::{OperatorCode, PlanName};
use crate::plan::{AnchorDay, Period};
use crate::zone::tests::{apia, berlin, lord_howe, sao_paulo, utc};

const HOUR: i64 = 3_600_000;

fn free(from: &str, until: &str, days: &[u8]) -> FreeHours {
    let days = if days.is_empty() { (1..=7).collect() } else { days.iter().copied().collect() };
    FreeHours { from: from.parse().unwrap(), until: until.parse().unwrap(), days }
}

fn plan(counts: Counts, increment: Option<(u64, Per)>, free_hours: Vec<FreeHours>) -> Plan {
    Plan {
        name: PlanName::new("p").unwrap(),
        data: Some(Bytes(1_000_000)),
        period: Period::Monthly(AnchorDay::Day(1)),
        counts,
        roaming_counts: true,
        increment: increment.map(|(bytes, per)| Increment { bytes: Bytes(bytes), per }),
        free_hours,
        calibrate: false,
    }
}

fn at(text: &str) -> When {
    When::Hour(utc(text))
}

fn abroad() -> Zone {
    Zone::Roaming(Some(OperatorCode::new("26202").unwrap()))
}

/// Adds (session, zone, when, received, sent) one by one.
fn billed(plan: &Plan, zone: &ZoneRules, slots: &[(i64, Zone, When, u64, u64)]) -> u64 {
    let tariff = Tariff { plan, zone };
    let mut units = Units::default();
    for (session, place, when, rx, tx) in slots {
        assert!(units.add(&tariff, EpochId(*session), place, when, Volume { rx: *rx, tx: *tx }));
    }
    units.billed(plan.counts)
}

#[test]
fn each_connection_is_rounded_up_in_each_zone() {
    let plan = plan(Counts::Both, Some((100, Per::Session)), vec![]);
    let noon = || at("2026-11-10T12:00:00");
    let later = || at("2026-11-11T12:00:00");
    let of = |slots: &[(i64, Zone, When, u64, u64)]| billed(&plan, &berlin(), slots);
    assert_eq!(of(&[(1, Zone::Home, noon(), 0, 0)]), 0, "a connection that carried nothing costs nothing");
    assert_eq!(of(&[(1, Zone::Home, noon(), 1, 0)]), 100);
    assert_eq!(of(&[(1, Zone::Home, noon(), 60, 40)]), 100, "both directions are rounded as one");
    assert_eq!(of(&[(1, Zone::Home, noon(), 60, 41)]), 200);
    assert_eq!(of(&[(1, Zone::Home, noon(), 30, 0), (1, Zone::Home, later(), 30, 0)]), 100);
    assert_eq!(of(&[(1, Zone::Home, noon(), 30, 0), (2, Zone::Home, noon(), 30, 0)]), 200);
    assert_eq!(of(&[(1, Zone::Home, noon(), 30, 0), (1, abroad(), noon(), 30, 0)]), 200);
}

#[test]
fn each_local_day_is_rounded_up() {
    let plan = plan(Counts::Both, Some((100, Per::Day)), vec![]);
    let of = |zone: &ZoneRules, texts: &[&str]| {
        let slots: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(n, t)| (i64::try_from(n).unwrap(), Zone::Home, at(t), 30, 0))
            .collect();
        billed(&plan, zone, &slots)
    };
    assert_eq!(of(&berlin(), &["2026-11-10T00:00:00", "2026-11-10T22:59:00"]), 100);
    assert_eq!(of(&berlin(), &["2026-11-10T22:59:00", "2026-11-10T23:00:00"]), 200, "midnight in Berlin");
    assert_eq!(of(&ZoneRules::utc(), &["2026-11-10T22:59:00", "2026-11-10T23:00:00"]), 100);
    // Days of 23 and 25 hours are a day each; so is the 29th of February.
    assert_eq!(of(&berlin(), &["2026-03-28T23:00:00", "2026-03-29T21:59:00", "2026-03-29T22:00:00"]), 200);
    assert_eq!(of(&berlin(), &["2026-10-24T22:00:00", "2026-10-25T22:59:00", "2026-10-25T23:00:00"]), 200);
    let leap = ["2028-02-28T12:00:00", "2028-02-29T12:00:00", "2028-03-01T12:00:00"];
    assert_eq!(of(&ZoneRules::utc(), &leap), 300);
}

#[test]
fn only_directions_that_count_are_rounded_and_the_larger_shows_over_the_cycle() {
    let slots = [
        (1, Zone::Home, at("2026-11-10T12:00:00"), 130, 10),
        (2, Zone::Home, at("2026-11-10T12:00:00"), 0, 210),
    ];
    let of = |counts, step| billed(&plan(counts, step, vec![]), &berlin(), &slots);
    assert_eq!(of(Counts::Download, Some((100, Per::Session))), 200);
    assert_eq!(of(Counts::Upload, Some((100, Per::Session))), 400);
    assert_eq!(of(Counts::Both, Some((100, Per::Session))), 500);
    assert_eq!(
        of(Counts::Max, Some((100, Per::Session))),
        400,
        "not 200 and 300 of each connection's larger"
    );
    assert_eq!(of(Counts::Max, None), 220);
    assert_eq!(of(Counts::Both, None), 350);
}

#[test]
fn hours_that_cost_nothing_follow_the_clock_on_the_wall() {
    let nights = plan(Counts::Both, None, vec![free("00:00", "06:00", &[])]);
    let of = |text: &str| billed(&nights, &berlin(), &[(1, Zone::Home, at(text), 5, 2)]);
    assert_eq!((of("2026-11-09T22:59:59"), of("2026-11-09T23:00:00")), (7, 0));
    assert_eq!((of("2026-11-10T04:59:59"), of("2026-11-10T05:00:00")), (0, 7));
    // Summer time begins: the night ends an hour earlier; it ends: the hour that comes twice is free both times.
    assert_eq!((of("2026-03-29T03:59:59"), of("2026-03-29T04:00:00")), (0, 7));
    assert_eq!((of("2026-10-25T00:30:00"), of("2026-10-25T01:30:00"), of("2026-10-25T05:00:00")), (0, 0, 7));
}

#[test]
fn a_night_belongs_to_the_day_it_begins_on() {
    let weekend = plan(Counts::Both, None, vec![free("22:00", "06:00", &[5]), free("00:00", "00:00", &[7])]);
    // 2026-11-13 is a Friday.
    let of = |text: &str| billed(&weekend, &ZoneRules::utc(), &[(1, Zone::Home, at(text), 1, 0)]);
    assert_eq!((of("2026-11-13T05:00:00"), of("2026-11-13T21:59:00"), of("2026-11-13T22:00:00")), (1, 1, 0));
    assert_eq!((of("2026-11-14T05:59:00"), of("2026-11-14T06:00:00"), of("2026-11-14T23:00:00")), (0, 1, 1));
    assert_eq!((of("2026-11-15T00:00:00"), of("2026-11-15T23:59:00"), of("2026-11-16T00:00:00")), (0, 0, 1));
    let leap = plan(Counts::Both, None, vec![free("00:00", "00:00", &[2])]);
    // 2028-02-29 is a Tuesday.
    let of = |text: &str| billed(&leap, &ZoneRules::utc(), &[(1, Zone::Home, at(text), 1, 0)]);
    assert_eq!((of("2028-02-28T23:59:00"), of("2028-02-29T12:00:00"), of("2028-03-01T00:00:00")), (1, 0, 1));
}

#[test]
fn what_has_no_date_yet_is_never_free_and_free_roaming_is() {
    let boot = BootId::new("boot-1").unwrap();
    let undated = When::Undated { boot, boot_hour_ms: 0 };
    let always = plan(Counts::Both, Some((100, Per::Day)), vec![free("00:00", "00:00", &[])]);
    assert_eq!(billed(&always, &berlin(), &[(1, Zone::Home, undated.clone(), 1, 0)]), 100);
    let free_abroad = Plan { roaming_counts: false, ..plan(Counts::Both, Some((100, Per::Session)), vec![]) };
    assert_eq!(billed(&free_abroad, &berlin(), &[(1, abroad(), undated.clone(), 1, 0)]), 0);
    assert_eq!(billed(&free_abroad, &berlin(), &[(1, Zone::Unknown, undated, 1, 0)]), 100);
}

#[test]
fn a_sum_that_does_not_fit_changes_nothing() {
    let plan = plan(Counts::Both, Some((1_000, Per::Session)), vec![]);
    let zone = berlin();
    let tariff = Tariff { plan: &plan, zone: &zone };
    let mut units = Units::default();
    let noon = at("2026-11-10T12:00:00");
    let mut add = |rx, tx| units.add(&tariff, EpochId(1), &Zone::Home, &noon, Volume { rx, tx });
    assert!(add(1, 0));
    assert!(!add(u64::MAX, 0));
    assert!(!add(u64::MAX - 10, 0), "rounding up does not fit");
    assert!(!add(u64::MAX / 2, u64::MAX / 2 + 10));
    assert!(add(1, 0));
    assert_eq!(units.billed(Counts::Both), 1_000);
    let sums = [UnitSum {
        unit: tariff.unit(EpochId(1), &Zone::Home, &noon).unwrap(),
        volume: Volume { rx: u64::MAX, tx: 0 },
    }];
    assert_eq!(Units::of(&plan, &sums).billed(Counts::Both), u64::MAX, "used up rather than nothing used");
}

#[test]
fn edges_are_found_where_the_clock_is_set() {
    let nights = plan(Counts::Both, None, vec![free("00:00", "02:30", &[])]);
    let zone = berlin();
    let edges = Edges::of(Some(&nights), &zone).unwrap();
    // 02:30 does not exist on the day summer time begins: it is over with the hour that is left out.
    assert_eq!(edges.next(utc("2026-03-29T00:10:00")), utc("2026-03-29T01:00:00"));
    assert_eq!(edges.last(utc("2026-03-29T01:10:00")), utc("2026-03-29T01:00:00"));
    // It comes twice on the day summer time ends, and between them nights begin anew with the clock.
    assert_eq!(edges.last(utc("2026-10-25T00:40:00")), utc("2026-10-25T00:30:00"));
    assert_eq!(edges.last(utc("2026-10-25T01:10:00")), utc("2026-10-25T01:00:00"));
    assert_eq!(edges.last(utc("2026-10-25T01:40:00")), utc("2026-10-25T01:30:00"));
    let by_session = plan(Counts::Both, Some((1, Per::Session)), vec![]);
    assert_eq!(Edges::of(Some(&by_session), &zone), None);
}

fn zones() -> impl Strategy<Value = ZoneRules> {
    prop_oneof![Just(berlin()), Just(sao_paulo()), Just(lord_howe()), Just(apia()), Just(ZoneRules::utc())]
}

fn hours() -> impl Strategy<Value = FreeHours> {
    let time = (0_u8..24, prop_oneof![Just(0_u8), Just(30), 0_u8..60])
        .prop_map(|(hour, minute)| TimeOfDay { hour, minute });
    let days = proptest::collection::btree_set(1_u8..=7, 1..7);
    (time.clone(), time, days).prop_map(|(from, until, days)| FreeHours { from, until, days })
}

fn plans() -> impl Strategy<Value = Plan> {
    let counts =
        prop_oneof![Just(Counts::Both), Just(Counts::Download), Just(Counts::Upload), Just(Counts::Max)];
    let per = prop_oneof![Just(Per::Session), Just(Per::Day)];
    let step = proptest::option::of((1_u64..50, per));
    (counts, step, proptest::collection::vec(hours(), 0..3), any::<bool>()).prop_map(
        |(counts, step, free_hours, roaming_counts)| Plan {
            roaming_counts,
            ..plan(counts, step, free_hours)
        },
    )
}

/// An instant near one at which the zone's clock is set, where it is.
fn moment(zone: &ZoneRules, near: usize, shift: i64) -> Timestamp {
    let anchor = zone.transitions.get(near % zone.transitions.len().max(1)).map_or(0, |(from, _)| *from);
    Timestamp::from_millis(anchor * 1000 + shift)
}

type Slots = Vec<(i64, bool, i64, u64, u64)>;

fn slots() -> impl Strategy<Value = Slots> {
    let slot = (1_i64..5, any::<bool>(), -90 * HOUR..90 * HOUR, 0_u64..200, 0_u64..200);
    proptest::collection::vec(slot, 0..40)
}

/// The definition itself: bytes by what is rounded, in one go.
fn recomputed(plan: &Plan, zone: &ZoneRules, near: usize, slots: &Slots) -> u64 {
    let mut groups: BTreeMap<(i64, Option<NaiveDate>, bool), (u64, u64)> = BTreeMap::new();
    for (session, roams, shift, rx, tx) in slots {
        let local = zone.civil(moment(zone, near, *shift));
        let covers = |hours: &FreeHours| {
            // Every day on which such hours may have begun, as spans of local time.
            [local.date().pred_opt().unwrap(), local.date()].into_iter().any(|day| {
                let from = day.and_time(hours.from.to_time());
                let over = hours.until.to_time() <= hours.from.to_time();
                let end = if over { day.succ_opt().unwrap() } else { day }.and_time(hours.until.to_time());
                hours.days.contains(&u8::try_from(day.weekday().number_from_monday()).unwrap())
                    && from <= local
                    && local < end
            })
        };
        if plan.free_hours.iter().any(covers) || (*roams && !plan.roaming_counts) {
            continue;
        }
        let key = match plan.increment.map(|step| step.per) {
            None => (0, None, *roams),
            Some(Per::Session) => (*session, None, *roams),
            Some(Per::Day) => (0, Some(local.date()), *roams),
        };
        let sum = groups.entry(key).or_default();
        *sum = (sum.0 + rx, sum.1 + tx);
    }
    let step = plan.increment.map_or(1, |step| step.bytes.0);
    let up = |bytes: u64| bytes.div_ceil(step) * step;
    let sum = |of: fn((u64, u64)) -> u64| groups.values().map(|group| up(of(*group))).sum::<u64>();
    match plan.counts {
        Counts::Both => sum(|(rx, tx)| rx + tx),
        Counts::Download => sum(|(rx, _)| rx),
        Counts::Upload => sum(|(_, tx)| tx),
        Counts::Max => sum(|(rx, _)| rx).max(sum(|(_, tx)| tx)),
    }
}

fn fill(plan: &Plan, zone: &ZoneRules, near: usize, slots: &Slots) -> Units {
    let tariff = Tariff { plan, zone };
    let mut units = Units::default();
    for (session, roams, shift, rx, tx) in slots {
        let place = if *roams { abroad() } else { Zone::Home };
        let when = When::Hour(moment(zone, near, *shift));
        assert!(units.add(&tariff, EpochId(*session), &place, &when, Volume { rx: *rx, tx: *tx }));
    }
    units
}

proptest! {
    #[test]
    fn step_by_step_is_as_in_one_go(plan in plans(), zone in zones(), near in 0_usize..4, slots in slots()) {
        let mut done = Slots::new();
        for slot in slots {
            done.push(slot);
            let units = fill(&plan, &zone, near, &done);
            prop_assert_eq!(units.billed(plan.counts), recomputed(&plan, &zone, near, &done));
        }
        let units = fill(&plan, &zone, near, &done);
        done.reverse();
        prop_assert_eq!(&fill(&plan, &zone, near, &done), &units, "in whatever order");
        prop_assert_eq!(Units::of(&plan, &units.clone().into_sums()), units, "through an event and back");
    }

    #[test]
    fn billed_never_falls_as_bytes_pass(plan in plans(), zone in zones(), near in 0_usize..4, slots in slots()) {
        let tariff = Tariff { plan: &plan, zone: &zone };
        let (mut units, mut before) = (Units::default(), 0);
        for (session, _, shift, rx, tx) in slots {
            let when = When::Hour(moment(&zone, near, shift));
            units.add(&tariff, EpochId(session), &Zone::Home, &when, Volume { rx, tx });
            prop_assert!(units.billed(plan.counts) >= before);
            before = units.billed(plan.counts);
        }
    }

    /// From the last edge to the next one no slot's instant matters: the slot can be one.
    #[test]
    fn between_edges_nothing_changes(plan in plans(), zone in zones(), near in 0_usize..4, shift in -60 * HOUR..60 * HOUR) {
        let tariff = Tariff { plan: &plan, zone: &zone };
        let Some(edges) = Edges::of(Some(&plan), &zone) else { return Ok(()) };
        let at = moment(&zone, near, shift);
        let unit = |at: Timestamp| tariff.unit(EpochId(1), &Zone::Home, &When::Hour(at));
        let (last, next) = (edges.last(at), edges.next(at));
        prop_assert!(last <= at && at < next, "{last:?} {at:?} {next:?}");
        prop_assert_eq!(edges.last(last), last);
        let step = 7 * 60_000;
        let mut moment = last.as_millis();
        while moment < next.as_millis() {
            prop_assert_eq!(unit(Timestamp::from_millis(moment)), unit(at), "at {}", moment);
            moment += step;
        }
        prop_assert_eq!(unit(Timestamp::from_millis(next.as_millis() - 1)), unit(at));
    }

    /// The fewest bytes that can do it: fewer never do, however they fall, and so many can.
    #[test]
    fn no_fewer_bytes_reach_a_growth_and_so_many_can(
        plan in plans(), slots in slots(), growth in 1_u64..200, open in 1_i64..4,
        fall in proptest::collection::vec((0_usize..3, any::<bool>()), 0..400),
    ) {
        let plan = Plan { free_hours: vec![], roaming_counts: true, ..plan };
        let zone = ZoneRules::utc();
        let tariff = Tariff { plan: &plan, zone: &zone };
        let now = When::Hour(Timestamp::from_millis(0));
        let units = fill(&plan, &zone, 0, &slots);
        let sessions: Vec<EpochId> = (0..open).map(|n| EpochId(3 + n)).collect();
        let open: BTreeSet<Unit> =
            sessions.iter().filter_map(|session| tariff.unit(*session, &Zone::Home, &now)).collect();
        let fewest = units.bytes_until(&plan, &open, growth);
        let goal = units.billed(plan.counts) + growth;
        prop_assert_eq!(units.bytes_until(&plan, &open, 0), 0);
        // However fewer bytes fall, the goal is not reached.
        let mut falling = units.clone();
        for (place, down) in fall.iter().take(usize::try_from(fewest.saturating_sub(1)).unwrap()) {
            let volume = if *down { Volume { rx: 1, tx: 0 } } else { Volume { rx: 0, tx: 1 } };
            let session = sessions[place % sessions.len()];
            falling.add(&tariff, session, &Zone::Home, &now, volume);
        }
        prop_assert!(falling.billed(plan.counts) < goal, "{fewest} bytes were said to be needed");
        // A byte at a time: an increment that costs but one byte before one that is begun, and of those the nearest.
        let step = plan.increment.map_or(1, |step| step.bytes.0);
        let reach = |down: bool| {
            let (mut greedy, mut spent) = (units.clone(), 0_u64);
            while greedy.billed(plan.counts) < goal && spent <= fewest {
                let left = |session: &&EpochId| {
                    let volume = greedy.carried(&tariff.unit(**session, &Zone::Home, &now).unwrap());
                    let carried = match (plan.counts, down) {
                        (Counts::Both, _) => volume.total(),
                        (_, true) => volume.rx,
                        (_, false) => volume.tx,
                    };
                    (step - carried % step) % step
                };
                let session = *sessions.iter().min_by_key(left).unwrap();
                let volume = if down { Volume { rx: 1, tx: 0 } } else { Volume { rx: 0, tx: 1 } };
                greedy.add(&tariff, session, &Zone::Home, &now, volume);
                spent += 1;
            }
            (greedy.billed(plan.counts) >= goal).then_some(spent)
        };
        let ways = match plan.counts {
            Counts::Both | Counts::Download => vec![true],
            Counts::Upload => vec![false],
            Counts::Max => vec![true, false],
        };
        let best = ways.into_iter().filter_map(reach).min();
        prop_assert_eq!(best, Some(fewest));
    }
}

/// In São Paulo the clock was set back at midnight, so that 23:00 to 24:00 of that Saturday came twice.
#[test]
fn an_edge_that_comes_twice_is_met_twice() {
    let (set, minute) = (1_550_368_800, 60);
    let (zone, plan) = (sao_paulo(), plan(Counts::Both, None, vec![free("00:00", "23:46", &[6])]));
    let edges = Edges::of(Some(&plan), &zone).unwrap();
    let at = |secs: i64| Timestamp::from_secs(secs);
    assert_eq!(edges.next(at(set - 20 * minute)), at(set - 14 * minute));
    assert_eq!(edges.next(at(set - 14 * minute)), at(set), "the clock is set");
    assert_eq!(edges.next(at(set)), at(set + 46 * minute), "23:46 once more");
    assert_eq!(edges.next(at(set + 46 * minute)), at(set + 60 * minute), "midnight");
    assert_eq!(edges.last(at(set + 50 * minute)), at(set + 46 * minute));
}
