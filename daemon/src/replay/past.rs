//! What the ledger knows of a span, held in columns: an hour costs sixteen bytes.

use std::collections::BTreeMap;

use simbell_core::cycle::cycle_at;
use simbell_core::ident::Iccid;
use simbell_core::ledger::{Source, Volume, Zone};
use simbell_core::observation::Observation;
use simbell_core::plan::{AnchorDay, Period};
use simbell_core::settings::Settings;
use simbell_core::time::{Span, Timestamp};
use simbell_core::voice::{CallRecord, SmsRecord};
use simbell_core::zone::ZoneRules;
use simbell_store::{Columns, RowRun};

/// A rule is run from the beginning of the cycles that the span begins in, but no longer than this before it.
const LONGEST_LEAD: Span = Span::secs(62 * 86_400);

/// From when until when, and from when on it is run without being told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Where the run begins, so that what rings over the beginning of the span is known.
    pub began: Timestamp,
    /// Where what is told begins.
    pub from: Timestamp,
    /// Where it ends.
    pub until: Timestamp,
}

/// The past of every SIM.
#[derive(Debug)]
pub(super) struct Past {
    pub window: Window,
    pub sims: BTreeMap<Iccid, SimPast>,
    /// What could not be known: whose, where known, from, until.
    pub gaps: Vec<(Option<Iccid>, Timestamp, Timestamp)>,
    /// The carrier's figures, in order of their numbers.
    pub observations: Vec<Observation>,
    /// An instant after the span that something is known of.
    pub later: Option<Timestamp>,
}

/// The past of one SIM.
#[derive(Debug, Default)]
pub(super) struct SimPast {
    pub operator: Option<String>,
    /// When it was seen first, where that is known.
    pub first_seen: Option<Timestamp>,
    /// The first entry ever.
    pub first_entry: Option<Timestamp>,
    /// From the cycle's beginning until the run's.
    pub before: Columns,
    /// From the run's beginning on.
    pub hours: Columns,
    /// In order, from the cycle's beginning on, as are calls and messages.
    pub corrections: Vec<(Timestamp, i64)>,
    pub calls: Vec<CallRecord>,
    pub messages: Vec<SmsRecord>,
    /// Entries before this do not count in any cycle that is run.
    counts_from: Option<Timestamp>,
}

impl Window {
    /// The window of a span: begins with the cycle of each SIM that the span begins in.
    pub(super) fn of(settings: &Settings, from: Timestamp, until: Timestamp) -> Self {
        let earliest = from.saturating_add(Span(LONGEST_LEAD.as_millis().saturating_neg()));
        let starts = settings.sims.keys().filter_map(|iccid| cycle_start(settings, iccid, from));
        // SIMs without settings count by the calendar month.
        let month = cycle_of(&Period::Monthly(AnchorDay::Day(1)), &settings.zone, from);
        let began = starts.chain(month).min().unwrap_or(from).max(earliest).min(from);
        Self { began, from, until }
    }
}

impl Past {
    pub(super) fn new(window: Window) -> Self {
        Self { window, sims: BTreeMap::new(), gaps: Vec::new(), observations: Vec::new(), later: None }
    }

    /// A SIM is known; with its entries following in order of time.
    pub(super) fn sim(&mut self, settings: &Settings, iccid: &Iccid) -> &mut SimPast {
        let began = self.window.began;
        self.sims.entry(iccid.clone()).or_insert_with(|| SimPast {
            // An hour earlier: the cycle that just ended is told of.
            counts_from: cycle_start(settings, iccid, began.saturating_add(Span::secs(-3_600))),
            ..SimPast::default()
        })
    }

    /// Something could not be known; one side is unknown at times.
    pub(super) fn gap(&mut self, iccid: Option<Iccid>, from: Option<Timestamp>, until: Option<Timestamp>) {
        let (Some(from), Some(until)) = (from.or(until), until.or(from)) else { return };
        if until >= self.window.from && from < self.window.until {
            self.gaps.push((iccid, from, until));
        }
    }

    /// Whether it says anything of the span.
    pub(super) fn is_empty(&self) -> bool {
        self.sims.values().all(|sim| {
            sim.hours.runs.is_empty()
                && sim.corrections.is_empty()
                && sim.calls.is_empty()
                && sim.messages.is_empty()
        })
    }

    /// The first instant that anything is known of, where that is after the span only.
    pub(super) fn begins_later(&self) -> Option<Timestamp> {
        let first = self.sims.values().filter_map(|sim| sim.first_entry).min();
        first.or(self.later).filter(|first| *first >= self.window.until)
    }

    /// Usage that is not known by the hour, and gaps, of a SIM.
    pub(super) fn doubts(&self, iccid: &Iccid) -> Vec<(Timestamp, Timestamp)> {
        let mut doubts: Vec<(Timestamp, Timestamp)> = self
            .gaps
            .iter()
            .filter(|(whose, ..)| whose.as_ref().is_none_or(|whose| whose == iccid))
            .map(|(_, from, until)| (*from, *until))
            .collect();
        if let Some(sim) = self.sims.get(iccid) {
            doubts.extend(coarse(&sim.hours));
        }
        doubts
    }

    /// Until when some usage is known by longer spans than hours only.
    pub(super) fn coarse_until(&self) -> Option<Timestamp> {
        self.sims.values().flat_map(|sim| coarse(&sim.hours)).map(|(_, until)| until).max()
    }
}

impl SimPast {
    /// Takes in usage, in order of its beginning.
    pub(super) fn used(&mut self, window: Window, span: (Timestamp, Timestamp), zone: Zone, volume: Volume) {
        let (start, end) = span;
        self.first_entry = Some(self.first_entry.map_or(start, |first| first.min(start)));
        if start >= window.until || self.counts_from.is_some_and(|from| start < from) {
            return;
        }
        let side = if start < window.began { &mut self.before } else { &mut self.hours };
        // By which counter does not matter here.
        let kind = side.kind_of((zone, Source::Kernel));
        side.push((start.as_millis(), end.as_millis()), kind, volume);
    }

    pub(super) fn corrected(&mut self, window: Window, at: Timestamp, bytes: i64) {
        if at >= window.until || self.counts_from.is_some_and(|from| at < from) {
            return;
        }
        self.corrections.push((at, bytes));
    }

    /// Whether a call or a message of then counts.
    pub(super) fn counts(&self, window: Window, at: Timestamp) -> bool {
        at < window.until && self.counts_from.is_none_or(|from| at >= from)
    }

    /// Puts what came out of order into order.
    pub(super) fn settle(&mut self) {
        self.corrections.sort_by_key(|(at, _)| *at);
        self.calls.sort_by_key(|call| (call.began, call.id));
        self.messages.sort_by_key(|sms| (sms.at, sms.id));
    }
}

/// The rows of columns in order: from, until, where, how much.
pub(super) fn rows(columns: &Columns) -> impl Iterator<Item = (Timestamp, Timestamp, &Zone, Volume)> {
    let each = columns.runs.iter().flat_map(|run: &RowRun| {
        (0..run.rows).map(move |row| (run.start_of(row), run.start_of(row.saturating_add(1)), run.kind))
    });
    each.zip(columns.rx.iter().zip(&columns.tx)).filter_map(|((start, end, kind), (rx, tx))| {
        let (zone, _) = columns.series.get(kind)?;
        Some((Timestamp::from_millis(start), Timestamp::from_millis(end), zone, Volume { rx: *rx, tx: *tx }))
    })
}

fn coarse(columns: &Columns) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    columns
        .runs
        .iter()
        .filter(|run| run.length > 3_600_000)
        .map(|run| (Timestamp::from_millis(run.start), Timestamp::from_millis(run.start_of(run.rows))))
}

fn cycle_start(settings: &Settings, iccid: &Iccid, at: Timestamp) -> Option<Timestamp> {
    let known = settings.sims.get(iccid);
    let zone = known.map_or(&settings.zone, |sim| &sim.zone);
    let period = known.and_then(|sim| sim.plan.as_ref()).map(|plan| &plan.period);
    cycle_of(period.unwrap_or(&Period::Monthly(AnchorDay::Day(1))), zone, at)
}

fn cycle_of(period: &Period, zone: &ZoneRules, at: Timestamp) -> Option<Timestamp> {
    cycle_at(period, zone.date(at)).map(|cycle| cycle.bounds(zone).0)
}
