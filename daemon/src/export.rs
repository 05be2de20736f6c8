//! Usage in bulk: the whole ledger, a bounded part at a time.

use simbell_api::{
    ControlError, ExportCorrection, ExportGap, ExportKind, ExportPart, ExportRun, ExportUsageParams,
    GetUsageParams, UsageTotal,
};
use simbell_core::state::State;
use simbell_core::time::{Stamp, Timestamp};
use simbell_core::zone::ZoneRules;
use simbell_store::{Columns, Mark, QueryError, Reader, UsageQuery};
use tokio::sync::mpsc;

use crate::control::{self, Answer};
use crate::usage::{Asked, Ledger, add_sums, sims_of, unreadable};

/// So many parts wait for their reader at most.
pub const PARTS_AHEAD: usize = 4;

/// Rows of one part, about.
const ROWS: usize = 1_500;
/// Corrections and gaps of one part.
const MARKS: u32 = 200;

/// An export and how far it has come.
#[derive(Debug)]
pub struct Export {
    spans: Vec<Asked>,
    place: Place,
    reader: Option<Reader>,
    generation: Option<i64>,
    total: UsageTotal,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Usage of this SIM, from this instant on.
    Usage(usize, Timestamp),
    /// Corrections and gaps of this SIM after these numbers; of no SIM after the last.
    Marks(usize, (i64, i64)),
    /// The last part.
    End,
    /// Nothing.
    Over,
}

impl Export {
    /// Understands what is asked for. With a reader it runs beside the service, without one through it.
    ///
    /// # Errors
    /// When a parameter makes no sense, or no such SIM is known.
    pub fn of(state: &State, at: Stamp, asked: ExportUsageParams, reader: Option<Reader>) -> Answer<Self> {
        let ExportUsageParams { sim, by, from, to } = asked;
        let iccids = sims_of(state, sim.as_deref())?;
        let question = GetUsageParams { sim, by, from, to, after: None, limit: None };
        let spans: Vec<Asked> = iccids
            .iter()
            .map(|iccid| Asked::by_hours(state, iccid, at, &question, true))
            .collect::<Answer<_>>()?;
        let place = match spans.first() {
            Some(first) => Place::Usage(0, first.from),
            None => Place::End,
        };
        Ok(Self { spans, place, reader, generation: None, total: UsageTotal::default() })
    }

    /// Whether it has a reader of its own.
    #[must_use]
    pub const fn is_beside(&self) -> bool {
        self.reader.is_some()
    }

    /// Reads everything, on a thread that may block, until nobody takes the parts any more.
    pub fn run(mut self, to: &mpsc::Sender<Answer<Vec<u8>>>) {
        let Some(reader) = self.reader.take() else { return };
        while !matches!(self.place, Place::Over) {
            match self.step(&Ledger::Beside(&reader)) {
                Ok(parts) => {
                    for part in parts {
                        if to.blocking_send(Ok(part)).is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    // Nobody to tell is no loss.
                    let _gone = to.blocking_send(Err(error));
                    return;
                }
            }
        }
    }

    /// The next parts, as messages.
    ///
    /// # Errors
    /// When the ledger cannot be read, or has changed in a way that would make one export of two ledgers.
    pub fn step(&mut self, ledger: &Ledger<'_>) -> Answer<Vec<Vec<u8>>> {
        let generation = ledger.generation().map_err(|e| unreadable(&e))?;
        if *self.generation.get_or_insert(generation) != generation {
            return Err(ControlError::Busy {
                message: "the history was changed while it was exported (old hours were folded, or records imported)"
                    .to_owned(),
                hint: "start the export again".to_owned(),
            });
        }
        let parts = self.parts(ledger).map_err(|e| unreadable(&e))?;
        let last = matches!(self.place, Place::Over);
        Ok(parts.iter().map(|part| control::part(part, last)).collect())
    }

    /// Whether everything was said.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.place, Place::Over)
    }

    fn parts(&mut self, ledger: &Ledger<'_>) -> Result<Vec<ExportPart>, QueryError> {
        match self.place {
            Place::Usage(index, from) => {
                let Some(span) = self.spans.get(index) else {
                    self.place = Place::End;
                    return Ok(Vec::new());
                };
                if from == span.from {
                    add_sums(&mut self.total, &ledger.sums(span)?)?;
                }
                // Corrections and gaps follow one by one.
                let (columns, next) = ledger.columns(&UsageQuery {
                    iccid: span.iccid.clone(),
                    by: span.by.clone(),
                    from,
                    until: span.until,
                    limit: ROWS,
                })?;
                let parts = split(span, &columns);
                self.place = match next {
                    Some(next) => Place::Usage(index, next),
                    None => Place::Marks(index, (0, 0)),
                };
                Ok(parts)
            }
            Place::Marks(index, after) => {
                let span = self.spans.get(index);
                // Gaps of no known SIM: in the span of the whole export.
                let bounds = match span {
                    Some(span) => (span.from, span.until),
                    None => (
                        self.spans.iter().map(|s| s.from).min().unwrap_or(Timestamp::from_millis(0)),
                        self.spans.iter().map(|s| s.until).max().unwrap_or(Timestamp::from_millis(0)),
                    ),
                };
                let found = ledger.marks(span.map(|s| &s.iccid), bounds, after, MARKS)?;
                let zone = span.or(self.spans.first()).map(|s| s.zone.clone());
                let mut part = blank(span);
                let mut seen = after;
                let found_any = !found.is_empty();
                for (id, mark) in found {
                    add_mark(&mut part, &mut seen, id, mark, zone.as_ref());
                }
                let next = index.saturating_add(1);
                self.place = match (found_any, self.spans.get(next)) {
                    (true, _) => Place::Marks(index, seen),
                    (false, Some(following)) => Place::Usage(next, following.from),
                    (false, None) if span.is_some() => Place::Marks(next, (0, 0)),
                    (false, None) => Place::End,
                };
                Ok(if found_any { vec![part] } else { Vec::new() })
            }
            Place::End | Place::Over => {
                self.place = Place::Over;
                Ok(vec![ExportPart { total: Some(self.total.clone()), ..blank(None) }])
            }
        }
    }
}

fn blank(span: Option<&Asked>) -> ExportPart {
    ExportPart {
        iccid: span.map(|s| s.iccid.as_str().to_owned()),
        sim: span.map(|s| s.name.clone()),
        start_offset: 0,
        end_offset: 0,
        kinds: Vec::new(),
        runs: Vec::new(),
        rx_bytes: Vec::new(),
        tx_bytes: Vec::new(),
        corrections: Vec::new(),
        gaps: Vec::new(),
        total: None,
    }
}

/// Parts in each of which the zone's offset is the same at every start, and the same at every end.
fn split(span: &Asked, columns: &Columns) -> Vec<ExportPart> {
    let offset = |ms: i64| i64::from(span.zone.offset_at(Timestamp::from_millis(ms)));
    let series = columns.series.iter();
    let kinds: Vec<ExportKind> = series
        .map(|(zone, source)| ExportKind { zone: zone.to_text(), source: source.as_str().to_owned() })
        .collect();
    let mut parts: Vec<ExportPart> = Vec::new();
    let mut place: usize = 0;
    for run in &columns.runs {
        let mut first = 0;
        while first < run.rows {
            let (start, end) = (run.start_of(first), run.start_of(first.saturating_add(1)));
            let (start_offset, end_offset) = (offset(start), offset(end));
            let last = run.start_of(run.rows);
            let rows = same_offset(&span.zone, (start, last), run.length)
                .min(same_offset(&span.zone, (end, last), run.length))
                .min(run.rows.saturating_sub(first));
            let fits = parts
                .last()
                .is_some_and(|part| part.start_offset == start_offset && part.end_offset == end_offset);
            if !fits {
                parts.push(ExportPart {
                    start_offset,
                    end_offset,
                    kinds: kinds.clone(),
                    ..blank(Some(span))
                });
            }
            let figures = place..place.saturating_add(rows);
            if let Some(part) = parts.last_mut() {
                part.runs.push(ExportRun {
                    start_ms: start,
                    length_ms: run.length,
                    kind: i64::try_from(run.kind).unwrap_or(0),
                    rows: i64::try_from(rows).unwrap_or(0),
                });
                part.rx_bytes.extend_from_slice(columns.rx.get(figures.clone()).unwrap_or_default());
                part.tx_bytes.extend_from_slice(columns.tx.get(figures).unwrap_or_default());
            }
            first = first.saturating_add(rows);
            place = place.saturating_add(rows);
        }
    }
    parts
}

/// How many instants, `length` apart from the first one on, come before the clock is changed; one at least.
fn same_offset(zone: &ZoneRules, (first, last): (i64, i64), length: i64) -> usize {
    let within = zone.transitions_within(Timestamp::from_millis(first), Timestamp::from_millis(last));
    let Some((changed_s, _)) = within.first() else { return usize::MAX };
    let way = changed_s.saturating_mul(1000).saturating_sub(first);
    let instants = way.saturating_add(length).saturating_sub(1).checked_div(length).unwrap_or(1);
    usize::try_from(instants).unwrap_or(1).max(1)
}

fn add_mark(part: &mut ExportPart, seen: &mut (i64, i64), id: i64, mark: Mark, zone: Option<&ZoneRules>) {
    let utc = ZoneRules::utc();
    let shown = |at: Timestamp| zone.unwrap_or(&utc).rfc3339(at);
    match mark {
        Mark::Correction(correction) => {
            seen.0 = id;
            part.corrections.push(ExportCorrection {
                at: shown(correction.at),
                bytes: correction.bytes,
                author: correction.author,
                reason: correction.reason,
            });
        }
        Mark::Gap(gap) => {
            seen.1 = id;
            part.gaps.push(ExportGap {
                start: gap.from.map(shown),
                end: gap.until.map(shown),
                reason: gap.reason.as_str().to_owned(),
                detail: gap.detail,
            });
        }
    }
}
