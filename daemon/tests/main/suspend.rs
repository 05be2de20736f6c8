//! Suspend: `CLOCK_BOOTTIME` is ahead of `CLOCK_MONOTONIC` by the time asleep. A time namespace makes it so for the real
//! service, from its start on; that it jumps while the service runs is in simbell-core's `clock_steps`.

use crate::fixture::*;
use crate::wire::Wire;

const HOUR: u64 = 3_600;

/// Says each second that it is asked.
const TICKS: &str = "fn schedule() { every(1.seconds) }\n\
                     fn on_schedule(sim) { remind(`tick-${slug(`${now()}`)}`, \"tick\"); }\n";

/// Bytes received whose slot begins so many hours ago, or in the hour before that.
fn dated(place: &Place, hours_ago: u64) -> i64 {
    const MINUTE: i64 = 60_000;
    let ledger = place.ledger();
    let then = simbelld::clock::wall().as_millis() - i64::try_from(hours_ago * HOUR).unwrap() * 1_000;
    let sql = "SELECT coalesce(sum(rx_bytes), 0) FROM usage WHERE start_ms BETWEEN ?1 AND ?2";
    // The test itself takes a while.
    ledger.query_row(sql, [then - 70 * MINUTE, then + 10 * MINUTE], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn usage_over_a_suspend_is_exact_and_timers_wake_after_it() {
    let wire = Wire::new();
    let scene = Scene::new("suspend", modem_spec(), BARE).await;
    scene.place.rule("ticks", TICKS);
    let mut daemon = Daemon::start(&scene.place, Some(&wire.near)).await;
    scene.connect(&daemon, HOME, over_link()).await;
    let mut slept = 0;
    for hours in [0, 3, 11, 24 * 60] {
        if hours > 0 {
            daemon.kill();
            wire.upload(9, 999);
            daemon = Daemon::start_ahead(&scene.place, Some(&wire.near), hours * HOUR).await;
            slept += 1;
        }
        daemon.sim_is("the SIM is confirmed", HOME, |sim| sim.connected == Some(true) && sim.measured).await;
        wire.some_traffic();
        let truth = wire.truth();
        until("everything is counted", async || (daemon.counted(HOME).await == truth).then_some(())).await;
        // Its timers go by the clock that went on meanwhile.
        let ticks = async || {
            let reminders = daemon.client().await.reminders().await.unwrap();
            reminders.iter().filter(|reminder| reminder.rule == "ticks").map(|r| r.raised_at.clone()).max()
        };
        let before = ticks().await;
        until("the next second is met", async || ticks().await.filter(|now| Some(now) > before.as_ref()))
            .await;
    }
    assert_eq!(slept, 3);
    assert!(daemon.terminate().success());
    assert_eq!(scene.place.gaps(), [""; 0]);
}

#[tokio::test]
async fn what_was_measured_before_a_suspend_and_before_the_clock_was_right_is_dated_as_long_ago_as_it_was() {
    let scene = Scene::new("suspend-undated", modem_spec(), BARE).await;
    scene.place.rule("used", "fn on_usage(sim) { remind(\"used\", \"used\"); }\n");
    let mut daemon = Daemon::start_ahead(&scene.place, None, HOUR).await;
    let mut traffic = Traffic::begin(&scene, &daemon).await;
    traffic.pass(1_000, 1);
    traffic.is_counted(&daemon).await;
    daemon.kill();
    // The ledger speaks of a day to come: the clock must be wrong.
    let ledger = scene.place.ledger();
    let later: i64 = 10 * 86_400_000;
    assert_eq!(ledger.execute("UPDATE usage SET last_ms = last_ms + ?1", [later]).unwrap(), 1);
    ledger.execute("DELETE FROM reminder", []).unwrap();
    let undated = || -> i64 {
        let sql = "SELECT coalesce(sum(rx_bytes), 0) FROM usage_undated";
        ledger.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    for (hours, rx) in [(1, 5_000_000), (9, 300_000), (14, 70_000)] {
        daemon = Daemon::start_ahead(&scene.place, None, hours * HOUR).await;
        daemon.warned("clock-untrusted").await;
        let before = undated();
        traffic.pass(rx, 1);
        until("it is in the ledger, undated", async || {
            daemon.counted(HOME).await;
            (undated() == before + i64::try_from(rx).unwrap()).then_some(())
        })
        .await;
        // The first figure after it may be of any time since the last; this one is of now.
        traffic.pass(hours, 0);
        let both = before + i64::try_from(rx + hours).unwrap();
        until("this too", async || {
            daemon.counted(HOME).await;
            (undated() == both).then_some(())
        })
        .await;
        assert_eq!(daemon.client().await.reminders().await.unwrap().len(), 0, "nothing bound to a date");
        let question = simbell_api::ExplainUsageParams::default();
        let span = daemon.client().await.explain(&question).await.unwrap().span;
        assert_eq!((span.cycle, span.billed_bytes), (false, None), "nobody knows the cycle");
        daemon.kill();
    }
    assert_eq!(ledger.execute("UPDATE usage SET last_ms = last_ms - ?1", [later]).unwrap(), 1);
    daemon = Daemon::start_ahead(&scene.place, None, 14 * HOUR).await;
    assert!(daemon.status().await.service.clock_trusted);
    // Some of it may be of the cycle before: not all is in the sum of this one.
    until("it is counted", async || (daemon.counted(HOME).await == traffic.total).then_some(())).await;
    assert_eq!(undated(), 0);
    until("what is bound to a date fires now", async || {
        let reminders = daemon.client().await.reminders().await.unwrap();
        reminders.into_iter().find(|r| r.rule == "used")
    })
    .await;
    assert!(daemon.terminate().success());
    // The thousand is of the first start, whose clock was right: dated as it was then.
    for (hours_ago, bytes) in [(13, 5_000_001), (5, 300_009), (0, 70_014 + 1_000)] {
        assert_eq!(dated(&scene.place, hours_ago), bytes, "{hours_ago} hours ago");
    }
    assert_eq!(scene.place.gaps(), [""; 0]);
}
