//! What came of it, as lines.

use std::sync::Arc;

use simbell_api::{ReplayDay, ReplayFailure, ReplayLine, ReplayRing, ReplaySummary, ReplayedRule};
use simbell_core::ident::Iccid;
use simbell_core::settings::Settings;
use simbell_core::time::{Span, Timestamp};
use simbell_core::zone::ZoneRules;
use simbell_rules::RuleSet;

use super::past::Past;
use super::rings::{Failure, Ring};
use super::run::{DayEnd, Ran};
use crate::convert;

/// What two versions say at nearly the same moment is one ring: which instant a crossing is seen at depends on when the
/// rule was asked before.
const SAME: Span = Span::secs(60);

/// The lines of a replay: of one version, or of the old and the new one.
pub(super) fn lines(ran: Vec<(Arc<RuleSet>, Ran)>, settings: &Settings, past: &Past) -> Vec<ReplayLine> {
    let tell = Tell { settings };
    let rules: Vec<ReplayedRule> = ran.iter().map(|(set, ran)| tell.rule(set, ran)).collect();
    let notes = tell.notes(&ran, past);
    let compared = ran.len() > 1;
    let mut lines = Vec::new();
    let mut days = Vec::new();
    let mut sides = Vec::new();
    for ((_, ran), side) in ran.into_iter().zip(["old", "new"]) {
        let side = compared.then(|| side.to_owned());
        lines.extend(ran.outcome.failures.iter().map(|one| tell.failure(one, side.clone())));
        days = ran.days;
        sides.push(ran.outcome.rings);
    }
    let new = sides.pop().unwrap_or_default();
    let (rings, counts) = match sides.pop() {
        None => (new.iter().map(|ring| tell.ring(ring, None, None)).collect(), None),
        Some(old) => {
            let (rings, counts) = tell.beside(&old, &new);
            (rings, Some(counts))
        }
    };
    let window = past.window;
    let length = window.until.since(window.from).as_secs().unsigned_abs();
    let summary = ReplaySummary {
        record: "summary".to_owned(),
        from: settings.zone.rfc3339(window.from),
        to: settings.zone.rfc3339(window.until),
        // Where the clock was put forward or back a day is an hour shorter or longer.
        days: (length.saturating_add(43_200) / 86_400).max(1),
        sims: u64::try_from(past.sims.len()).unwrap_or(u64::MAX),
        rules,
        only_old: counts.map(|counts: Counts| counts.old),
        only_new: counts.map(|counts| counts.new),
        both: counts.map(|counts| counts.both),
        notes,
    };
    let rings: Vec<ReplayRing> = rings;
    let rings = rings.into_iter().map(|ring| ReplayLine::Ring(Box::new(ring)));
    let failures = lines.into_iter().map(|one| ReplayLine::Failure(Box::new(one)));
    let days = tell.days(days, past).into_iter().map(|day| ReplayLine::Day(Box::new(day)));
    rings.chain(failures).chain(days).chain([ReplayLine::Summary(Box::new(summary))]).collect()
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    old: u64,
    new: u64,
    both: u64,
}

struct Tell<'a> {
    settings: &'a Settings,
}

impl Tell<'_> {
    fn zone(&self, iccid: Option<&Iccid>) -> &ZoneRules {
        let sim = iccid.and_then(|iccid| self.settings.sims.get(iccid));
        sim.map_or(&self.settings.zone, |sim| &sim.zone)
    }

    fn name(&self, iccid: &Iccid) -> String {
        let name = self.settings.sims.get(iccid).and_then(|sim| sim.name.as_ref());
        name.map_or_else(|| iccid.as_str().to_owned(), |name| name.as_str().to_owned())
    }

    fn ring(&self, ring: &Ring, side: Option<&str>, old_text: Option<String>) -> ReplayRing {
        let zone = self.zone(ring.iccid.as_ref());
        ReplayRing {
            record: "ring".to_owned(),
            side: side.map(str::to_owned),
            at: zone.rfc3339(ring.at),
            raised_at: zone.rfc3339(ring.raised),
            iccid: ring.iccid.as_ref().map(|iccid| iccid.as_str().to_owned()),
            sim: ring.iccid.as_ref().map(|iccid| self.name(iccid)),
            key: ring.key.as_str().to_owned(),
            name: ring.name.clone(),
            urgency: convert::urgency(ring.urgency).to_owned(),
            text: ring.text.clone(),
            old_text,
            trigger: ring.trigger.clone(),
            times: ring.times,
            last_at: zone.rfc3339(ring.last),
            late_seconds: ring.late.map(Span::as_secs),
            resolved_at: ring.resolved.map(|at| zone.rfc3339(at)),
        }
    }

    /// What each version rings, and what both do: the same key of the same SIM at the same time.
    fn beside(&self, old: &[Ring], new: &[Ring]) -> (Vec<ReplayRing>, Counts) {
        let mut counts = Counts::default();
        let mut told: Vec<(Timestamp, ReplayRing)> = Vec::new();
        let mut taken = vec![false; old.len()];
        for ring in new {
            let same = |one: &Ring| {
                let apart = one.at.since(ring.at).as_millis().abs();
                (&one.name, &one.iccid) == (&ring.name, &ring.iccid) && apart <= SAME.as_millis()
            };
            let found = old.iter().zip(&mut taken).find(|(one, taken)| !**taken && same(one));
            if let Some((one, taken)) = found {
                *taken = true;
                counts.both = counts.both.saturating_add(1);
                let text = Some(one.text.clone()).filter(|text| *text != ring.text);
                told.push((ring.at, self.ring(ring, Some("both"), text)));
            } else {
                counts.new = counts.new.saturating_add(1);
                told.push((ring.at, self.ring(ring, Some("new"), None)));
            }
        }
        for (ring, _) in old.iter().zip(&taken).filter(|(_, taken)| !**taken) {
            counts.old = counts.old.saturating_add(1);
            told.push((ring.at, self.ring(ring, Some("old"), None)));
        }
        told.sort_by(|(a, one), (b, other)| {
            (a, &one.iccid, &one.name, &other.side).cmp(&(b, &other.iccid, &other.name, &one.side))
        });
        (told.into_iter().map(|(_, ring)| ring).collect(), counts)
    }

    fn failure(&self, failure: &Failure, side: Option<String>) -> ReplayFailure {
        ReplayFailure {
            record: "failure".to_owned(),
            side,
            at: self.zone(failure.iccid.as_ref()).rfc3339(failure.at),
            sim: failure.iccid.as_ref().map(|iccid| self.name(iccid)),
            error: failure.error.clone(),
            suspended: failure.suspended,
        }
    }

    fn days(&self, days: Vec<DayEnd>, past: &Past) -> Vec<ReplayDay> {
        let mut told = Vec::new();
        for iccid in past.sims.keys() {
            let zone = self.zone(Some(iccid));
            let doubts = past.doubts(iccid);
            for day in days.iter().filter(|day| day.iccid == *iccid) {
                let start = zone.day_start(day.date);
                let end = day.date.succ_opt().map_or(start, |next| zone.day_start(next));
                told.push(ReplayDay {
                    record: "day".to_owned(),
                    iccid: iccid.as_str().to_owned(),
                    sim: self.name(iccid),
                    date: day.date.to_string(),
                    used_bytes: day.used,
                    allowance_bytes: day.allowance,
                    partial: doubts.iter().any(|(from, until)| *from < end && *until > start),
                });
            }
        }
        told
    }

    fn rule(&self, set: &RuleSet, ran: &Ran) -> ReplayedRule {
        let outcome = &ran.outcome;
        let described = set.descriptions().into_iter().next();
        ReplayedRule {
            name: described.as_ref().map(|rule| rule.name.to_string()).unwrap_or_default(),
            file: described.map(|rule| rule.file).unwrap_or_default(),
            rings: u64::try_from(outcome.rings.len()).unwrap_or(u64::MAX),
            times: outcome.rings.iter().map(|ring| ring.times).sum(),
            evaluations: ran.evaluations,
            failures: outcome.failed,
            suspended_at: outcome.suspended.map(|at| self.settings.zone.rfc3339(at)),
        }
    }

    /// What the past cannot tell; said once.
    fn notes(&self, ran: &[(Arc<RuleSet>, Ran)], past: &Past) -> Vec<String> {
        const ABSENT: [(&str, &str); 4] = [
            ("sms", "on_sms (messages received: their texts are not kept)"),
            ("sim-change", "on_sim_change (which SIM was in which modem)"),
            ("modems", "on_modems (how modems were)"),
            ("health", "on_health (how the service was)"),
        ];
        let mut notes = Vec::new();
        let has = |trigger: &str| {
            let mut rules = ran.iter().flat_map(|(set, _)| set.descriptions());
            rules.any(|rule| rule.triggers.iter().any(|known| known == trigger))
        };
        let absent: Vec<&str> =
            ABSENT.iter().filter(|(trigger, _)| has(trigger)).map(|(_, words)| *words).collect();
        if !absent.is_empty() {
            notes.push(format!("Not replayed, since the ledger does not know it: {}.", absent.join(", ")));
        }
        if let Some(until) = past.coarse_until() {
            let date = self.settings.zone.date(until);
            notes.push(format!(
                "Before {date} some usage is known by the day or the cycle only: times within it are guesses."
            ));
        }
        if ran.iter().any(|(_, ran)| ran.outcome.rings.iter().any(|ring| ring.times > 1)) {
            notes.push(
                "Nobody acknowledges anything in a replay: what repeats is said until it is over.".to_owned(),
            );
        }
        notes
    }
}
