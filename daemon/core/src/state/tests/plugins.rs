//! Another ledger takes the place of the one that holds what was decided about plugins.

use proptest::prelude::*;

use super::*;
use crate::ledger::GapReason;
use crate::plugin::{PluginChoice, PluginDecision, PluginPlace, PluginStanding};

/// What holds for the plugin `helper` in the owner's folder.
fn held(standings: &PluginStandings) -> PluginStanding {
    standings["helper"].at(PluginPlace::Owner)
}

fn decision(plugin: &str, what: PluginChoice, approved: Option<&[&str]>) -> PluginDecision {
    PluginDecision {
        plugin: plugin.to_owned(),
        place: Some(PluginPlace::Owner),
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
    assert_eq!(held(&now).enabled, Some(false));
    assert_eq!(restarted, now);
}

#[test]
fn what_only_the_copy_knows_is_in_force_at_once() {
    let on = decision("helper", PluginChoice::Enable, Some(&["send-sms"]));
    let (now, restarted) = replaced(&[], std::slice::from_ref(&on));
    assert_eq!(held(&now).enabled, Some(true), "and not at the next restart only");
    assert_eq!(restarted, now);
    // Approved here, and switched on by the copy alone.
    let seen = decision("helper", PluginChoice::Approve, Some(&[]));
    let (now, restarted) = replaced(&[seen], &[on]);
    assert_eq!(held(&now).enabled, Some(true));
    assert!(held(&now).approved.unwrap().is_empty(), "no more than is approved now");
    assert_eq!(restarted, now);
}

#[test]
fn a_plugin_of_the_same_name_in_the_other_place_is_another_one() {
    let shipped = PluginDecision {
        place: Some(PluginPlace::Shipped),
        ..decision("helper", PluginChoice::Enable, Some(&["send-sms"]))
    };
    let mut all = standings(&[shipped]);
    assert_eq!(held(&all), PluginStanding::default());
    assert!(all["helper"].was_looked_at(), "so that no configuration approves it unseen");
    // Switched off in either place is switched off, until somebody switches it on there.
    all.get_mut("helper").unwrap().decide(&decision("helper", PluginChoice::Disable, None));
    assert_eq!(all["helper"].at(PluginPlace::Shipped).enabled, Some(false));
    all.get_mut("helper").unwrap().decide(&decision("helper", PluginChoice::Enable, Some(&[])));
    assert_eq!(held(&all).enabled, Some(true));
    assert_eq!(held(&all).approved, Some([].into()));
    let there = all["helper"].at(PluginPlace::Shipped);
    assert_eq!((there.enabled, there.approved.unwrap().len()), (Some(true), 1), "as it was decided there");
}

#[test]
fn what_was_decided_before_places_were_kept_holds_for_the_first_alone() {
    let old = PluginDecision { place: None, ..decision("helper", PluginChoice::Enable, Some(&["send-sms"])) };
    let mut all = standings(&[old]);
    assert!(all["helper"].is_unplaced());
    assert_eq!(held(&all).enabled, Some(true));
    all.get_mut("helper").unwrap().decide(&decision("helper", PluginChoice::Approve, None));
    assert!(!all["helper"].is_unplaced());
    assert_eq!((held(&all).enabled, held(&all).approved.unwrap().len()), (Some(true), 1));
    assert_eq!(all["helper"].at(PluginPlace::Shipped), PluginStanding::default());
}

/// Decisions as a ledger has them: those without a place are the oldest.
fn any_decisions() -> impl Strategy<Value = Vec<PluginDecision>> {
    let what =
        prop_oneof![Just(PluginChoice::Enable), Just(PluginChoice::Disable), Just(PluginChoice::Approve)];
    let approved = prop::option::of(prop::sample::subsequence(vec!["send-sms", "send-ussd"], 0..=2));
    let place = prop::sample::select(vec![None, Some(PluginPlace::Shipped), Some(PluginPlace::Owner)]);
    let one = (prop::sample::select(vec!["a", "b"]), what, approved, place).prop_map(
        |(plugin, what, approved, place)| PluginDecision {
            place,
            ..decision(plugin, what, approved.as_deref())
        },
    );
    prop::collection::vec(one, 0..6).prop_map(|mut all| {
        all.sort_by_key(|decision| decision.place.is_some());
        all
    })
}

proptest! {
    #[test]
    fn what_holds_is_what_a_restart_finds(now in any_decisions(), copy in any_decisions()) {
        let (held, restarted) = replaced(&now, &copy);
        prop_assert_eq!(&held, &restarted);
        // Nothing that is decided now about a place gives way to the copy, and what is switched off stays so.
        for (plugin, decided) in standings(&now) {
            let held = held.get(&plugin).cloned().unwrap_or_default();
            for place in [PluginPlace::Shipped, PluginPlace::Owner] {
                let (before, after) = (decided.at(place), held.at(place));
                prop_assert!(before.enabled != Some(false) || after.enabled == before.enabled);
                if !decided.is_unplaced() {
                    prop_assert!(before.enabled.is_none() || after.enabled == before.enabled);
                    prop_assert!(before.approved.is_none() || after.approved == before.approved);
                }
            }
        }
    }
}
