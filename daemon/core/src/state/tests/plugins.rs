//! Another ledger takes the place of the one that holds what was decided about plugins.

use proptest::prelude::*;

use super::*;
use crate::ledger::GapReason;
use crate::plugin::{PluginChoice, PluginDecision};

fn decision(plugin: &str, what: PluginChoice, approved: Option<&[&str]>) -> PluginDecision {
    PluginDecision {
        plugin: plugin.to_owned(),
        at: Timestamp::from_secs(1_795_000_000),
        author: "uid 0".to_owned(),
        what,
        approved: approved.map(|approved| approved.iter().map(|one| (*one).to_owned()).collect()),
    }
}

/// A state that knows `now`; then a ledger that holds `copy` takes the place of its own. Gives what holds then, and what a
/// restart finds.
fn replaced(now: &[PluginDecision], copy: &[PluginDecision]) -> (PluginStandings, PluginStandings) {
    let mut state =
        State::restored(settings(), Restored { plugin_decisions: now.to_vec(), ..Restored::empty() });
    let at = Stamp { boot_ms: 1_000, wall: Timestamp::from_secs(1_795_100_000), trusted: true };
    let boot = BootId::new("boot").unwrap();
    state.step(at, &Event::Started { boot, links: Vec::new() });
    let restored = Box::new(Restored { plugin_decisions: copy.to_vec(), ..Restored::empty() });
    let reason = GapReason::LedgerRestored;
    let fx = state.step(at, &Event::LedgerReplaced { restored, links: Vec::new(), reason });
    let learnt = fx.changes.into_iter().filter_map(|change| match change {
        Change::AppendPluginDecision(decision) => Some(decision),
        _ => None,
    });
    let kept: Vec<PluginDecision> = copy.iter().cloned().chain(learnt).collect();
    (state.plugins().clone(), standings(&kept))
}

#[test]
fn what_was_switched_off_since_the_copy_stays_off() {
    let on = decision("helper", PluginChoice::Enable, Some(&["send-sms"]));
    let off = decision("helper", PluginChoice::Disable, None);
    let (now, restarted) = replaced(&[on.clone(), off], &[on]);
    assert_eq!(now["helper"].enabled, Some(false));
    assert_eq!(restarted, now);
}

#[test]
fn what_only_the_copy_knows_is_in_force_at_once() {
    let on = decision("helper", PluginChoice::Enable, Some(&["send-sms"]));
    let (now, restarted) = replaced(&[], std::slice::from_ref(&on));
    assert_eq!(now["helper"].enabled, Some(true), "and not at the next restart only");
    assert_eq!(restarted, now);
    // Approved here, and switched on by the copy alone.
    let seen = decision("helper", PluginChoice::Approve, Some(&[]));
    let (now, restarted) = replaced(&[seen], &[on]);
    assert_eq!(now["helper"].enabled, Some(true));
    assert!(now["helper"].approved.as_ref().unwrap().is_empty(), "no more than is approved now");
    assert_eq!(restarted, now);
}

fn any_decisions() -> impl Strategy<Value = Vec<PluginDecision>> {
    let what =
        prop_oneof![Just(PluginChoice::Enable), Just(PluginChoice::Disable), Just(PluginChoice::Approve)];
    let approved = prop::option::of(prop::sample::subsequence(vec!["send-sms", "send-ussd"], 0..=2));
    let one = (prop::sample::select(vec!["a", "b"]), what, approved)
        .prop_map(|(plugin, what, approved)| decision(plugin, what, approved.as_deref()));
    prop::collection::vec(one, 0..6)
}

proptest! {
    #[test]
    fn what_holds_is_what_a_restart_finds(now in any_decisions(), copy in any_decisions()) {
        let (held, restarted) = replaced(&now, &copy);
        prop_assert_eq!(&held, &restarted);
        // Nothing that is decided now gives way to the copy.
        for (plugin, standing) in standings(&now) {
            let held = held.get(&plugin).cloned().unwrap_or_default();
            prop_assert!(standing.enabled.is_none() || held.enabled == standing.enabled);
            prop_assert!(standing.approved.is_none() || held.approved == standing.approved);
        }
    }
}
